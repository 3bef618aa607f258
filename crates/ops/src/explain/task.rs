//! Why a task waits, or where it went.

use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_model::task::{Desired, LastStatus, Task};
use berth_model::waiting::WaitForRoom;
use berth_placement::Wanted;
use berth_state::{State, Tx};

use super::{Explanation, Surveyed, survey, words};
use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// Explains a task.
pub(super) fn explain(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    id: Option<TaskId>,
    setting: WaitForRoom,
) -> Result<Explanation, ApiError> {
    let task = id.and_then(|id| tx.state().tasks.get(id).cloned());
    let task = task.filter(|task| task.spec.cluster == *cluster);
    let task = task.ok_or_else(|| invalid("The referenced task was not found."))?;
    let arn = cluster.task_arn(task.id);
    let facts = tx.state().facts(&task).cloned();
    let facts = facts.ok_or_else(|| ApiError::internal("a task without its definition"))?;
    let strategy = tx.state().strategy_of(&task.spec).to_vec();
    let wanted = Wanted::of(&task.spec, &facts, &strategy);
    if task.last == LastStatus::Stopped {
        return Ok(Explanation {
            arn,
            summary: stopped(&task),
            notes: Vec::new(),
            groups: Vec::new(),
            instances: 0,
        });
    }
    let surveyed = survey(tx, &wanted);
    let mut notes = vec![words::demand(&wanted)];
    let summary = match task.instance {
        None => {
            notes.extend(until(&task, setting));
            if let Some(held) = tx.state().held_for(task.id) {
                notes.push(format!(
                    "Container instance {held} is kept free for it for now."
                ));
            }
            waits(tx, &task, &surveyed)
        }
        Some(_) => {
            notes.push(words::strategy(&wanted));
            notes.extend(words::spread(tx.state(), &wanted, &surveyed.examined));
            placed(tx.state(), &task)
        }
    };
    Ok(Explanation {
        arn,
        summary,
        notes,
        groups: surveyed.groups(tx, &wanted, task.instance),
        instances: surveyed.instances,
    })
}

fn waits(tx: &Tx<'_>, task: &Task, surveyed: &Surveyed) -> String {
    let waited = words::span(tx.now().since(task.spec.created_at));
    let why = match (surveyed.instances, surveyed.has_room()) {
        (0, _) => "there is no container instance to choose from".to_owned(),
        (_, true) => "there is room now, and it is about to be placed".to_owned(),
        (1, false) => "the one container instance cannot take it".to_owned(),
        (all, false) => format!("none of {all} container instances can take it"),
    };
    format!("task {} has waited for room for {waited}: {why}.", task.id)
}

fn until(task: &Task, setting: WaitForRoom) -> Option<String> {
    Some(match task.spec.service {
        None => format!(
            "It is given up when it has waited for {}.",
            words::span(setting.limit())
        ),
        Some(_) => "It waits as long as its service wants it.".to_owned(),
    })
}

fn placed(state: &State, task: &Task) -> String {
    let instance = task.instance.and_then(|id| state.instances.get(&id));
    let on = match (task.instance, instance) {
        (Some(id), Some(instance)) => words::instance(id, Some(instance)),
        (Some(id), None) => format!("container instance {id}, which is no longer known"),
        (None, _) => "no container instance".to_owned(),
    };
    let last = task.last.as_str();
    match (task.desired, &task.stop) {
        (Desired::Stopped, Some(stop)) => {
            let why = stop.reason.trim_end_matches('.');
            format!("task {} is {last} on {on} and is to stop: {why}.", task.id)
        }
        (Desired::Running | Desired::Stopped, _) => {
            format!("task {} is {last} on {on}.", task.id)
        }
    }
}

fn stopped(task: &Task) -> String {
    let why = task.stop.as_ref().map(|stop| {
        let reason = stop.reason.trim_end_matches('.');
        format!(" ({}): {reason}", stop.code.as_str())
    });
    format!("task {} has stopped{}.", task.id, why.unwrap_or_default())
}
