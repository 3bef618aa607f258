//! ListTasks (reference §1.4, §2.7).

use berth_api::ecs::{self, Fault, op};
use berth_model::id::TaskId;
use berth_model::name::Family;
use berth_model::task::Desired;
use berth_model::text::Text;
use berth_state::{State, TaskFilter};

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, instance_id};
use crate::ecs::paging::{PAGE_MAX, Page};
use crate::ecs::services::service_key;
use crate::ecs::tasks::capacity::parse_launch_type;
use crate::error::ApiError;

/// The ARNs of a cluster's tasks, in the order of ids.
pub(crate) async fn list_tasks(
    call: Call,
    input: ecs::ListTasksRequest,
) -> Result<ecs::ListTasksResponse, ApiError> {
    call.check::<op::ListTasks>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let desired = match &input.desired_status {
        None | Some(ecs::DesiredStatus::Running) => Some(Desired::Running),
        Some(ecs::DesiredStatus::Stopped) => Some(Desired::Stopped),
        // ECS never sets a task's desired status to PENDING, so there is nothing to list.
        Some(ecs::DesiredStatus::Pending | ecs::DesiredStatus::Unknown(_)) => None,
    };
    let filter = parse_filter(&state, &input, &cluster)?;
    let bound = format!("ListTasks {cluster} {desired:?} {filter:?}");
    let page = Page::of_request(
        &call.cx,
        bound,
        PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let after = page.after.as_deref().map(str::parse::<TaskId>).transpose();
    let after = after.map_err(|_| invalid("Invalid token."))?;
    let (Some(desired), Some(filter)) = (desired, filter) else {
        return Ok(ecs::ListTasksResponse {
            task_arns: Some(Vec::new()),
            next_token: None,
        });
    };
    let row = state.cluster_row(&cluster).unwrap_or_default();
    let found = state.tasks.list(row, desired, &filter, after);
    let (ids, next_token) = page.cut(&call.cx, found.map(|task| task.id), TaskId::to_string);
    Ok(ecs::ListTasksResponse {
        task_arns: Some(ids.into_iter().map(|id| cluster.task_arn(id)).collect()),
        next_token,
    })
}

/// The filters; `None` when nothing can pass them.
fn parse_filter(
    state: &State,
    input: &ecs::ListTasksRequest,
    cluster: &berth_model::name::ClusterKey,
) -> Result<Option<TaskFilter>, ApiError> {
    let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    let started_by = given(&input.started_by);
    let others = [
        &input.family,
        &input.service_name,
        &input.container_instance,
        &input.daemon_name,
    ];
    if started_by.is_some() && others.iter().any(|other| given(other).is_some()) {
        return Err(invalid(
            "startedBy must be the only filter that you specify.",
        ));
    }
    let service = given(&input.service_name)
        .map(|name| service_key(cluster, &name))
        .transpose()?;
    if let Some(service) = &service
        && state.services.get(service).is_none()
    {
        return Err(ApiError::client(
            Fault::ServiceNotFound,
            "Service not found.",
        ));
    }
    if given(&input.daemon_name).is_some() {
        return Err(invalid("Daemon not found."));
    }
    let mut filter = TaskFilter {
        started_by: started_by.as_deref().map(Text::new),
        service: service.map(|key| key.name),
        ..TaskFilter::default()
    };
    if let Some(family) = given(&input.family) {
        let Ok(family) = family.parse::<Family>() else {
            return Ok(None);
        };
        filter.family = Some(family);
    }
    if let Some(instance) = given(&input.container_instance) {
        let Some(id) = instance_id(cluster, &instance)? else {
            return Ok(None);
        };
        filter.instance = Some(id);
    }
    match &input.launch_type {
        None => {}
        Some(ecs::LaunchType::ManagedInstances) => return Ok(None),
        Some(launch) => filter.launch_type = Some(parse_launch_type(launch)?),
    }
    Ok(Some(filter))
}
