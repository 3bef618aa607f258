//! What stopped tasks mean: each is counted once, for the back-off of starts and for the circuit
//! breaker.
//!
//! Rules kept here:
//! - the breaker counts tasks of a deployment in progress that ended by themselves before they
//!   were ever healthy, and those that we stop for their checks; not what users stop, nor lost
//!   machines, nor scale-in (reference §7.5);
//! - a task that became healthy after the last failure sets the count back.

use berth_model::scheduler::{DeploymentId, RolloutState, Throttle, Trouble};
use berth_model::task::{Health, StopCode};
use berth_model::time::Timestamp;

use super::draft::Draft;
use super::events::worth_telling;
use super::look::healthy_since;
use super::throttle;
use super::view::{ServiceView, TaskView};

/// Counts the tasks that stopped since the last look.
pub(super) fn count(draft: &mut Draft<'_, '_, '_>) {
    let now = draft.now();
    let stopped = std::mem::take(&mut draft.look.stopped);
    let mut counted = Vec::with_capacity(stopped.len());
    for task in &stopped {
        let Some(at) = task.stopped_at else { continue };
        if at >= now {
            // Another transaction may still give this very instant to a task: all of it later.
            draft.is_past(now.next());
            continue;
        }
        if at > draft.memory.counted_until {
            counted.push((*task, at));
        }
    }
    let newest = counted.iter().map(|(_, at)| *at).max();
    for id in draft.rollouts.keys().copied().collect::<Vec<_>>() {
        count_one(draft, id, &counted);
    }
    if let Some(newest) = newest {
        draft.memory.counted_until = newest;
    }
    draft.look.stopped = stopped;
}

fn count_one(draft: &mut Draft<'_, '_, '_>, id: DeploymentId, counted: &[(&TaskView, Timestamp)]) {
    let view = draft.view;
    let healthy_at = draft
        .look
        .of(id)
        .filter_map(|seen| healthy_since(view, seen))
        .max();
    let ran_at = draft
        .look
        .of(id)
        .filter_map(|seen| seen.task.started_at)
        .max();
    let Some(rollout) = draft.rollouts.get_mut(&id) else {
        return;
    };
    let resets = |failed: Option<Timestamp>| {
        view.breaker.reset_on_healthy && healthy_at.is_some_and(|at| failed.is_some_and(|f| at > f))
    };
    if resets(rollout.failed_at) {
        rollout.failed_tasks = 0;
        rollout.failed_at = None;
    }
    let mut impaired = false;
    for (task, at) in counted.iter().filter(|(task, _)| task.deployment == id) {
        if never_ran(task) {
            impaired |= throttle::note_failure(&mut rollout.throttle, task.created_at, *at);
        }
        let counts = rollout.state == RolloutState::InProgress && failed(view, task, *at);
        if counts && !resets(Some(*at)) {
            rollout.failed_tasks = rollout.failed_tasks.saturating_add(1);
            rollout.failed_at = Some(*at);
        }
    }
    if let Some(ran_at) = ran_at {
        throttle::note_success(&mut rollout.throttle, ran_at);
    }
    if rollout.throttle == Throttle::default() {
        draft.memory.told.remove(&Trouble::Starts);
    } else if impaired {
        tell_impaired(draft);
    }
}

/// Tells that tasks cannot be started, if that is news.
pub(super) fn tell_impaired(draft: &mut Draft<'_, '_, '_>) {
    let now = draft.now();
    if worth_telling(&mut draft.memory, Trouble::Starts, now) {
        let event = draft.teller().start_impaired();
        draft.plan.events.push(event);
    }
}

/// Counts a task of a deployment in progress that is stopped now because its checks fail.
pub(super) fn note_unhealthy(draft: &mut Draft<'_, '_, '_>, id: DeploymentId) {
    let now = draft.now();
    draft.rollout(id, |rollout| {
        if rollout.state == RolloutState::InProgress {
            rollout.failed_tasks = rollout.failed_tasks.saturating_add(1);
            rollout.failed_at = Some(now);
        }
    });
}

fn by_itself(task: &TaskView) -> bool {
    match task.stop_code {
        None | Some(StopCode::TaskFailedToStart | StopCode::EssentialContainerExited) => true,
        Some(
            StopCode::UserInitiated
            | StopCode::ServiceSchedulerInitiated
            | StopCode::SpotInterruption
            | StopCode::TerminationNotice,
        ) => false,
    }
}

/// Whether the task went from PENDING to STOPPED by itself.
pub(super) fn never_ran(task: &TaskView) -> bool {
    task.started_at.is_none() && by_itself(task)
}

/// Whether the task ended by itself before it was ever healthy.
fn failed(view: &ServiceView<'_>, task: &TaskView, at: Timestamp) -> bool {
    let was_healthy = match task.started_at {
        None => false,
        Some(_) if task.has_check => task.health == Health::Healthy,
        Some(started) => started + view.counts_healthy_after(task) <= at,
    };
    by_itself(task) && !was_healthy
}
