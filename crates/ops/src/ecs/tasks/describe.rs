//! DescribeTasks (reference §1.5, §1.7, §2.7).

use std::collections::HashSet;

use berth_api::ecs::{self, op};

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, task_id};
use crate::ecs::tasks::render::{Moment, View};
use crate::error::ApiError;

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
    let view = View::new(
        &state,
        &call.cx.definitions,
        &cluster,
        Moment::Later,
        include.contains(&ecs::TaskField::Tags),
    );
    let mut seen = HashSet::with_capacity(named.len());
    let (mut tasks, mut failures) = (Vec::with_capacity(named.len()), Vec::new());
    for given in named {
        let id = task_id(&cluster, given)?;
        if !seen.insert(id.ok_or(given)) {
            continue;
        }
        let task = id.and_then(|id| state.tasks.get(id));
        match task.filter(|task| task.spec.cluster == cluster) {
            Some(task) => tasks.push(view.task(task)?),
            None => failures.push(ecs::Failure {
                arn: Some(id.map_or_else(|| given.clone(), |id| cluster.task_arn(id))),
                reason: Some("MISSING".into()),
                detail: None,
            }),
        }
    }
    Ok(ecs::DescribeTasksResponse {
        tasks: Some(tasks),
        failures: Some(failures),
    })
}
