//! ListServices and ListServicesByNamespace (reference §1.4, §2.4).

use berth_api::ecs::{self, op};
use berth_model::name::{ServiceKey, ServiceName};
use berth_model::service::{Service, ServiceStatus};
use berth_state::State;

use super::wanted::launch_of;
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::ecs::tasks::render::launch_type;
use crate::error::ApiError;

/// How many services a page has when the request does not say (reference §1.4).
const PAGE_DEFAULT: i32 = 10;

/// The ARNs of a cluster's ACTIVE services, in the order of names.
pub(crate) async fn list_services(
    call: Call,
    input: ecs::ListServicesRequest,
) -> Result<ecs::ListServicesResponse, ApiError> {
    call.check::<op::ListServices>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let page = Page::of_request(
        &call.cx,
        format!(
            "ListServices {cluster} {:?} {:?} {:?}",
            input.launch_type, input.scheduling_strategy, input.resource_management_type
        ),
        PAGE_MAX,
        Some(input.max_results.unwrap_or(PAGE_DEFAULT)),
        input.next_token.as_deref(),
    )?;
    let after = page.after.as_deref().map(str::parse::<ServiceName>);
    let after = after.transpose().map_err(|_| invalid("Invalid token."))?;
    let passes = |service: &&std::sync::Arc<Service>| {
        let launch = input.launch_type.as_ref();
        let scheduling = input.scheduling_strategy.as_ref();
        let managed = input.resource_management_type.as_ref();
        service.status == ServiceStatus::Active
            && launch.is_none_or(|l| *l == launch_type(launch_of(&service.spec.capacity)))
            && scheduling.is_none_or(|s| s.as_str() == service.spec.scheduling.as_str())
            && managed.is_none_or(|m| *m == ecs::ResourceManagementType::Customer)
    };
    let found = state.services.of_cluster(&cluster, after.as_ref());
    let (services, next_token) = page.cut(&call.cx, found.filter(passes), |service| {
        service.key.name.to_string()
    });
    Ok(ecs::ListServicesResponse {
        next_token,
        service_arns: Some(services.iter().map(|service| service.key.arn()).collect()),
    })
}

/// The ARNs of the services, of whatever cluster, whose Service Connect uses a namespace.
pub(crate) async fn list_services_by_namespace(
    call: Call,
    input: ecs::ListServicesByNamespaceRequest,
) -> Result<ecs::ListServicesByNamespaceResponse, ApiError> {
    call.check::<op::ListServicesByNamespace>(&input)?;
    let wanted = input.namespace.as_deref().unwrap_or_default();
    let page = Page::of_request(
        &call.cx,
        format!("ListServicesByNamespace {} {wanted}", call.scope()),
        PAGE_MAX,
        Some(input.max_results.unwrap_or(PAGE_DEFAULT)),
        input.next_token.as_deref(),
    )?;
    let after = page.after.as_deref().map(str::parse::<ServiceKey>);
    let after = after.transpose().map_err(|_| invalid("Invalid token."))?;
    let state = call.snapshot();
    let found = state.services.iter().filter(|service| {
        service.key.cluster.scope == *call.scope()
            && service.status == ServiceStatus::Active
            && after.as_ref().is_none_or(|after| service.key > *after)
            && uses_namespace(&state, service, wanted)
    });
    let (services, next_token) = page.cut(&call.cx, found, |service| service.key.to_string());
    Ok(ecs::ListServicesByNamespaceResponse {
        next_token,
        service_arns: Some(services.iter().map(|service| service.key.arn()).collect()),
    })
}

fn uses_namespace(state: &State, service: &Service, wanted: &str) -> bool {
    let primary = service.spec.primary;
    let revision = primary.and_then(|id| state.services.revision(&service.key, id));
    let Some(connect) = revision.and_then(|r| r.service_connect.as_ref()) else {
        return false;
    };
    if connect.get("enabled") != Some(&serde_json::Value::Bool(true)) {
        return false;
    }
    let named = connect.get("namespace").and_then(serde_json::Value::as_str);
    let cluster = state.clusters.get(&service.key.cluster);
    let default = cluster.and_then(|c| c.spec.service_connect_namespace.as_ref());
    named.or(default.map(|name| name.as_str())) == Some(wanted)
}
