//! ListContainerInstances (reference §2.8, §6.4).

use berth_api::ecs::{self, op};
use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, InstanceStatus};
use berth_model::task::LastStatus;
use berth_model::text::Text;
use berth_placement::{Expression, InstanceFacts};
use berth_state::State;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::instances::named::is_shown;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::error::ApiError;

/// The ARNs of a cluster's instances, in the order of ids.
pub(crate) async fn list_container_instances(
    call: Call,
    input: ecs::ListContainerInstancesRequest,
) -> Result<ecs::ListContainerInstancesResponse, ApiError> {
    call.check::<op::ListContainerInstances>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let filter = input.filter.as_deref().filter(|filter| !filter.is_empty());
    let expression = filter
        .map(Expression::parse)
        .transpose()
        .map_err(|error| invalid(format!("Invalid filter: {error}")))?;
    let status = input
        .status
        .as_ref()
        .map(ecs::ContainerInstanceStatus::as_str);
    let page = Page::of_request(
        &call.cx,
        format!("ListContainerInstances {cluster} {status:?} {filter:?}"),
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let after = page.after.as_deref().map(str::parse::<InstanceId>);
    let after = after.transpose().map_err(|_| invalid("Invalid token."))?;
    let found = state
        .instances_of(&cluster)
        .filter(|instance| after.is_none_or(|after| instance.id > after))
        .filter(|instance| is_shown(instance) && has_status(instance, status))
        .filter(|instance| {
            let matched = expression.as_ref();
            matched.is_none_or(|expression| matches(&state, instance, expression))
        })
        .map(|instance| instance.id);
    let (ids, next_token) = page.cut(&call.cx, found, InstanceId::to_string);
    let arns = ids.into_iter().map(|id| cluster.instance_arn(id)).collect();
    Ok(ecs::ListContainerInstancesResponse {
        container_instance_arns: Some(arns),
        next_token,
    })
}

/// Whether the instance has the status that was asked for; deregistered ones have none.
fn has_status(instance: &ContainerInstance, status: Option<&str>) -> bool {
    match instance.status {
        InstanceStatus::Active | InstanceStatus::Draining => {
            status.is_none_or(|status| status == instance.status.as_str())
        }
        InstanceStatus::Inactive => false,
    }
}

fn matches(state: &State, instance: &ContainerInstance, expression: &Expression) -> bool {
    let tasks = state.tasks.on_instance(instance.id);
    let groups: Vec<Text> = tasks
        .filter(|task| task.last != LastStatus::Stopped)
        .map(|task| task.spec.group.clone())
        .collect();
    expression.matches(&InstanceFacts {
        instance,
        connected: state.is_connected(instance.id),
        running_tasks: state.tasks.instance_counts(instance.id).running,
        groups: &groups,
    })
}
