//! Task sets: under the EXTERNAL controller each has its share of the desired count, and nothing is
//! replaced but what ends, fails, drains or is lost.

use berth_model::scheduler::{Stability, Throttle};
use berth_model::task::Desired;

use super::draft::Draft;
use super::fill::{Fill, Mode, fill};
use super::look::Condition;
use super::percents::scaled;
use super::plan::TaskSetChange;
use super::rolling::tell_hindrance;
use super::steady;
use super::stopped::{never_ran, tell_impaired};
use super::throttle;
use super::view::{Target, TaskSetView};

/// One look at a service under the EXTERNAL controller.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>) {
    let view = draft.view;
    let Target::Replica { desired } = &view.target else {
        // CreateService refuses daemons under this controller.
        return;
    };
    let mut total = 0;
    for set in view.task_sets.iter().flatten() {
        let target = if set.draining {
            0
        } else {
            scaled(*desired, set.scale_millipercent) as usize
        };
        total += target;
        decide_one(draft, set, target);
    }
    if view.task_sets.iter().flatten().next().is_some() {
        steady::tell(draft, total);
    }
}

fn decide_one(draft: &mut Draft<'_, '_, '_>, set: &TaskSetView, target: usize) {
    let mut throttle = set.throttle;
    count_failures(draft, set, &mut throttle);
    let may_start = throttle.until.is_none_or(|until| draft.is_past(until));
    let (stops, starts) = (draft.plan.stops.len(), draft.plan.starts.len());
    let hindrance = fill(
        draft,
        &Fill {
            group: set.id,
            target,
            others: &[],
            mode: Mode::Replace,
            may_start,
            capacity: &set.capacity,
        },
    );
    tell_hindrance(draft, set.id, hindrance);
    let untouched = stops == draft.plan.stops.len() && starts == draft.plan.starts.len();
    let stability = if untouched && is_steady(draft, set, target) {
        Stability::SteadyState
    } else {
        Stability::Stabilizing
    };
    let gone = set.draining && draft.look.is_empty(set.id);
    if !gone && stability == Stability::SteadyState && set.stability == Stability::Stabilizing {
        let event = draft.teller().task_set_steady(set.id);
        draft.plan.events.push(event);
    }
    if gone || stability != set.stability || throttle != set.throttle {
        draft.plan.task_sets.push(TaskSetChange {
            id: set.id,
            stability,
            throttle,
            gone,
        });
    }
}

fn count_failures(draft: &mut Draft<'_, '_, '_>, set: &TaskSetView, throttle: &mut Throttle) {
    let mut impaired = false;
    let ours = |task: &&&super::TaskView| task.deployment == set.id && never_ran(task);
    let since = draft.view.memory.counted_until;
    let until = draft.memory.counted_until;
    for task in draft.look.stopped.iter().filter(ours) {
        if let Some(at) = task.stopped_at.filter(|at| since < *at && *at <= until) {
            impaired |= throttle::note_failure(throttle, task.created_at, at);
        }
    }
    let ran_at = draft
        .look
        .of(set.id)
        .filter_map(|seen| seen.task.started_at)
        .max();
    if let Some(ran_at) = ran_at {
        throttle::note_success(throttle, ran_at);
    }
    if impaired {
        tell_impaired(draft);
    }
}

fn is_steady(draft: &Draft<'_, '_, '_>, set: &TaskSetView, target: usize) -> bool {
    let mut serving = 0;
    for seen in draft.look.of(set.id) {
        match seen.condition {
            Condition::Healthy if seen.draining.is_none() => serving += 1,
            Condition::Lost if seen.task.desired == Desired::Stopped => {}
            Condition::Healthy
            | Condition::Lost
            | Condition::Stopping
            | Condition::Pending
            | Condition::Unhealthy
            | Condition::Starting => return false,
        }
    }
    serving == target
}
