//! GetTaskProtection and UpdateTaskProtection (reference §11).

use std::sync::Arc;
use std::time::Duration;

use berth_api::Operation;
use berth_api::ecs::{self, op};
use berth_model::name::ClusterKey;
use berth_model::task::{LastStatus, Task};
use berth_model::time::Timestamp;
use berth_state::State;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, task_id};
use crate::ecs::tasks::render::seconds;
use crate::error::ApiError;

/// The most tasks of one UpdateTaskProtection (reference §1.5).
const UPDATE_MAX: usize = 10;
/// The most tasks of one GetTaskProtection (reference §1.5).
const GET_MAX: usize = 100;
/// Minutes of protection when the request does not say (reference §11).
const MINUTES_DEFAULT: i32 = 120;
/// The most minutes of protection: two days (reference §11).
const MINUTES_MAX: i32 = 2880;

/// What the tasks of a request are.
#[derive(Default)]
struct Named {
    tasks: Vec<Arc<Task>>,
    failures: Vec<ecs::Failure>,
}

fn named(state: &State, cluster: &ClusterKey, given: &[String]) -> Result<Named, ApiError> {
    let mut named = Named::default();
    for given in given {
        let id = task_id(cluster, given)?;
        let task = id.and_then(|id| state.tasks.get(id));
        let task = task.filter(|task| task.spec.cluster == *cluster);
        let failure = |arn: String, reason: &str| ecs::Failure {
            arn: Some(arn),
            reason: Some(reason.to_owned()),
            detail: None,
        };
        match task {
            Some(task) if task.spec.service.is_none() || task.last == LastStatus::Stopped => {
                named
                    .failures
                    .push(failure(cluster.task_arn(task.id), "TASK_NOT_VALID"));
            }
            Some(task) => named.tasks.push(task.clone()),
            None => {
                let arn = id.map_or_else(|| given.clone(), |id| cluster.task_arn(id));
                named.failures.push(failure(arn, "MISSING"));
            }
        }
    }
    Ok(named)
}

fn render(cluster: &ClusterKey, task: &Task, now: Timestamp) -> ecs::ProtectedTask {
    let protected = task.is_protected(now);
    ecs::ProtectedTask {
        expiration_date: task.protected_until.filter(|_| protected).map(seconds),
        protection_enabled: Some(protected),
        task_arn: Some(cluster.task_arn(task.id)),
    }
}

/// Refuses a caller that names tasks that are not its own, and has rights for those alone.
fn check_own<O: Operation>(
    call: &Call,
    cluster: &ClusterKey,
    given: &[String],
) -> Result<(), ApiError> {
    for given in given {
        call.authorize_task::<O>(task_id(cluster, given)?, given)?;
    }
    Ok(())
}

fn check_count(given: usize, max: usize) -> Result<(), ApiError> {
    if given > max {
        return Err(invalid(format!("tasks can have at most {max} items.")));
    }
    Ok(())
}

/// Whether tasks are protected from scale-in. All of a service's, which are to be named.
pub(crate) async fn get_task_protection(
    call: Call,
    input: ecs::GetTaskProtectionRequest,
) -> Result<ecs::GetTaskProtectionResponse, ApiError> {
    call.check::<op::GetTaskProtection>(&input)?;
    let given = input.tasks.as_deref().unwrap_or_default();
    check_count(given.len(), GET_MAX)?;
    if given.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    check_own::<op::GetTaskProtection>(&call, &cluster, given)?;
    let found = named(&state, &cluster, given)?;
    let now = (call.cx.wall)();
    Ok(ecs::GetTaskProtectionResponse {
        failures: Some(found.failures),
        protected_tasks: Some(
            found
                .tasks
                .iter()
                .map(|task| render(&cluster, task, now))
                .collect(),
        ),
    })
}

/// Protects tasks from scale-in for some time, or no longer.
pub(crate) async fn update_task_protection(
    call: Call,
    input: ecs::UpdateTaskProtectionRequest,
) -> Result<ecs::UpdateTaskProtectionResponse, ApiError> {
    call.check::<op::UpdateTaskProtection>(&input)?;
    let given = input.tasks.clone().unwrap_or_default();
    check_count(given.len(), UPDATE_MAX)?;
    if given.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    let enabled = input.protection_enabled.unwrap_or(false);
    let minutes = input.expires_in_minutes.unwrap_or(MINUTES_DEFAULT);
    if !(1..=MINUTES_MAX).contains(&minutes) {
        return Err(invalid(format!(
            "expiresInMinutes must be between 1 and {MINUTES_MAX}"
        )));
    }
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&call.snapshot(), &cluster)?;
    check_own::<op::UpdateTaskProtection>(&call, &cluster, &given)?;
    let spec_cluster = cluster.clone();
    let (found, now) = call
        .transact(move |tx| {
            active_cluster(tx.state(), &spec_cluster)?;
            let mut found = named(tx.state(), &spec_cluster, &given)?;
            let now = tx.now();
            let span = Duration::from_secs(u64::from(minutes.unsigned_abs()) * 60);
            for task in &mut found.tasks {
                let mut changed = Task::clone(task);
                changed.protected_until = enabled.then(|| now + span);
                *task = Arc::new(changed.clone());
                tx.put_task(changed);
            }
            Ok::<_, ApiError>((found, now))
        })
        .await?;
    Ok(ecs::UpdateTaskProtectionResponse {
        failures: Some(found.failures),
        protected_tasks: Some(
            found
                .tasks
                .iter()
                .map(|task| render(&cluster, task, now))
                .collect(),
        ),
    })
}
