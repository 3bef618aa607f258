//! StopTask (reference §2.7, §4.4).

use std::sync::Arc;

use berth_api::ecs::{self, op};
use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_model::task::{Stop, StopCode, Task};
use berth_model::text::Text;
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, task_id};
use crate::ecs::tasks::render::{Moment, View};
use crate::error::ApiError;

/// What `stoppedReason` says when the caller gave no reason ([O], reference §4.4).
const DEFAULT_REASON: &str = "Task stopped by user";
/// The most characters of a reason. ECS states no limit; its agents' reasons have this one.
const REASON_LENGTH_MAX: usize = 1024;

/// Asks for a task's end. One that is ending, or has ended, is answered as it is.
pub(crate) async fn stop_task(
    call: Call,
    input: ecs::StopTaskRequest,
) -> Result<ecs::StopTaskResponse, ApiError> {
    call.check::<op::StopTask>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&call.snapshot(), &cluster)?;
    let given = input.task.as_deref().unwrap_or_default();
    let id = task_id(&cluster, given)?.ok_or_else(not_found)?;
    let reason = input.reason.as_deref().filter(|reason| !reason.is_empty());
    let reason = reason.unwrap_or(DEFAULT_REASON);
    if reason.chars().count() > REASON_LENGTH_MAX {
        return Err(invalid(format!(
            "reason can have at most {REASON_LENGTH_MAX} characters."
        )));
    }
    let reason = Text::new(reason);
    let own = cluster.clone();
    let task = call
        .transact(move |tx| request_stop(tx, &own, id, &reason))
        .await?;
    let state = call.snapshot();
    let view = View::new(&state, &call.cx.definitions, &cluster, Moment::Later, false);
    Ok(ecs::StopTaskResponse {
        task: Some(view.task(&task)?),
    })
}

fn request_stop(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    id: TaskId,
    reason: &Text,
) -> Result<Arc<Task>, ApiError> {
    let task = tx.state().tasks.get(id);
    let task = task.filter(|task| task.spec.cluster == *cluster);
    let task = task.cloned().ok_or_else(not_found)?;
    let stop = Stop {
        code: StopCode::UserInitiated,
        reason: reason.clone(),
        at: tx.now(),
    };
    let Some(stopping) = task.stopping(stop) else {
        return Ok(task);
    };
    tx.put_task(stopping);
    tx.state().tasks.get(id).cloned().ok_or_else(not_found)
}

fn not_found() -> ApiError {
    invalid("The referenced task was not found.")
}
