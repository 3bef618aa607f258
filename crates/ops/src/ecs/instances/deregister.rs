//! DeregisterContainerInstance (reference §4.4, §5.3).

use std::sync::Arc;

use berth_api::Operation;
use berth_api::ecs::{self, op};
use berth_model::id::TaskId;
use berth_model::instance::{ContainerInstance, InstanceStatus};
use berth_model::name::ClusterKey;
use berth_model::task::{LastStatus, Stop, StopCode};
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::instances::named::{Named, not_found};
use crate::ecs::instances::render::{Include, View};
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// What a task shows whose instance was deregistered under it ([O], reference §4.4).
const FORCED: &str = "Container instance deregistration forced by user";

/// Ends a machine's being an instance. With `force` its tasks count as stopped from now on.
pub(crate) async fn deregister_container_instance(
    call: Call,
    input: ecs::DeregisterContainerInstanceRequest,
) -> Result<ecs::DeregisterContainerInstanceResponse, ApiError> {
    call.check::<op::DeregisterContainerInstance>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let given = input.container_instance.as_deref().unwrap_or_default();
    let named = Named::parse(&cluster, given)?;
    named.check_own(&call, op::DeregisterContainerInstance::NAME)?;
    let force = input.force.unwrap_or(false);
    let instance = call
        .transact(move |tx| deregister(tx, &cluster, &named, force))
        .await?;
    let state = call.snapshot();
    let include = Include {
        tags: false,
        health: None,
    };
    let shown = View::new(&state, include).instance(&instance);
    Ok(ecs::DeregisterContainerInstanceResponse {
        container_instance: Some(shown),
    })
}

fn deregister(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    named: &Named,
    force: bool,
) -> Result<Arc<ContainerInstance>, ApiError> {
    active_cluster(tx.state(), cluster)?;
    let found = named.find(tx.state(), cluster).cloned();
    let instance = found.ok_or_else(not_found)?;
    if instance.status == InstanceStatus::Inactive {
        return Ok(instance);
    }
    let tasks = tx.state().tasks.on_instance(instance.id);
    let live: Vec<TaskId> = tasks
        .filter(|task| task.last != LastStatus::Stopped)
        .map(|task| task.id)
        .collect();
    if !live.is_empty() && !force {
        return Err(invalid("Found running tasks on the instance."));
    }
    for id in live {
        let stop = Stop {
            code: StopCode::UserInitiated,
            reason: FORCED.into(),
            at: tx.now(),
        };
        let task = tx.state().tasks.get(id).cloned();
        if let Some(stopped) = task.and_then(|task| task.lost(stop)) {
            tx.put_task(stopped);
        }
    }
    let mut gone = (*instance).clone();
    gone.status = InstanceStatus::Inactive;
    gone.deregistered_at = Some(tx.now());
    gone.version += 1;
    tx.put_instance(gone);
    let saved = tx.state().instances.get(&instance.id).cloned();
    saved.ok_or_else(not_found)
}
