//! DescribeTasks (reference §1.5, §1.7, §2.7). What the state no longer has is looked for in the
//! history, where one is kept.

use std::collections::{HashMap, HashSet};

use berth_api::ecs::{self, op};
use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_state::Failure;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, task_id};
use crate::ecs::tasks::render::{Moment, View};
use crate::error::ApiError;
use crate::history;

/// The most tasks of one call (reference §1.5).
const TASKS_MAX: usize = 100;

/// The tasks of these names, each once; those that there are not are failures.
pub(crate) async fn describe_tasks(
    call: Call,
    input: ecs::DescribeTasksRequest,
) -> Result<ecs::DescribeTasksResponse, ApiError> {
    let named = input.tasks.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if named.len() > TASKS_MAX {
        // Amazon's words, as reported in gchq/sleeper#555.
        return Err(invalid(format!(
            "taskIds can have at most {TASKS_MAX} items."
        )));
    }
    call.check::<op::DescribeTasks>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let include = input.include.as_deref().unwrap_or_default();
    let tags = include.contains(&ecs::TaskField::Tags);
    let mut seen = HashSet::with_capacity(named.len());
    let mut ids = Vec::with_capacity(named.len());
    for given in named {
        let id = task_id(&cluster, given)?;
        if seen.insert(id.ok_or(given)) {
            ids.push((id, given));
        }
    }
    let known = |id: &TaskId| {
        let task = state.tasks.get(*id);
        task.filter(|task| task.spec.cluster == cluster)
    };
    let missing = ids.iter().filter_map(|(id, _)| *id);
    let missing: Vec<TaskId> = missing.filter(|id| known(id).is_none()).collect();
    let past = past(&call, &cluster, missing).await?;
    let view = View::new(&state, &call.cx.definitions, &cluster, Moment::Later, tags);
    let (mut tasks, mut failures) = (Vec::with_capacity(ids.len()), Vec::new());
    for (id, given) in ids {
        let kept = || id.and_then(|id| past.get(&id));
        if let Some(task) = id.as_ref().and_then(known) {
            tasks.push(view.task(task)?);
        } else if let Some(kept) = kept() {
            tasks.push(history::read(kept, tags)?);
        } else {
            failures.push(ecs::Failure {
                arn: Some(id.map_or_else(|| given.clone(), |id| cluster.task_arn(id))),
                reason: Some("MISSING".into()),
                detail: None,
            });
        }
    }
    Ok(ecs::DescribeTasksResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}

/// What the history has of tasks that are no longer in the state.
async fn past(
    call: &Call,
    cluster: &ClusterKey,
    ids: Vec<TaskId>,
) -> Result<HashMap<TaskId, String>, ApiError> {
    let Some(history) = call.cx.history.as_ref().filter(|_| !ids.is_empty()) else {
        return Ok(HashMap::new());
    };
    let found = history.find(cluster.clone(), ids).await;
    // As for a change that the database does not take: clients try again.
    let found = found.map_err(|_| ApiError::from(Failure::Unavailable))?;
    Ok(found.into_iter().collect())
}
