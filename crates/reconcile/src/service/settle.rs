//! What placement's answers to a plan's starts lead to.

use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::scheduler::{Refused, ServiceMemory, Trouble};
use berth_model::time::Timestamp;

use super::events::{Event, Teller, worth_telling};
use super::look::earlier;
use super::plan::{Outcome, Place, ServicePlan, Settled, StartReason, StartTask};
use super::view::ServiceView;

/// The first wait after a refusal. Room that appears is usually seen sooner, by the waiting
/// tasks that stop.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// The longest wait after a refusal: an idle look costs next to nothing, and a new machine should
/// not stand empty.
const LONGEST_RETRY: Duration = Duration::from_secs(10);
/// The wait after a zone had no room for a task that was to be moved there.
const REBALANCE_RETRY: Duration = Duration::from_secs(300);

/// What placement made of the plan's starts, in the same order, leads to.
#[must_use]
pub fn settle(
    view: &ServiceView<'_>,
    plan: &ServicePlan,
    outcomes: &[Outcome],
    now: Timestamp,
) -> Settled {
    if plan.starts.is_empty() {
        return Settled {
            refused: view.refused,
            ..Settled::default()
        };
    }
    let before = plan.memory.as_ref().unwrap_or(view.memory);
    let mut memory = before.clone();
    let teller = Teller {
        service: view.name,
        now,
        scope: None,
    };
    let mut settled = Settled {
        refused: view.refused,
        ..Settled::default()
    };
    let pairs = || plan.starts.iter().zip(outcomes);

    match &view.task_sets {
        None => tell_starts(&teller, pairs(), &mut settled.events),
        Some(sets) => {
            for set in sets {
                let scope = Some(set.id);
                let ours = pairs().filter(|(start, _)| start.deployment == set.id);
                tell_starts(&Teller { scope, ..teller }, ours, &mut settled.events);
            }
        }
    }
    note_daemons(&mut memory, pairs());
    let regular = |start: &StartTask| start.why != StartReason::Rebalance;
    let mut placed = 0;
    for (start, outcome) in pairs() {
        match outcome {
            Outcome::Placed if regular(start) => placed += 1,
            Outcome::Placed => {}
            Outcome::Refused(_) | Outcome::Waits(_) | Outcome::Crowded if !regular(start) => {
                memory.rebalancing = false;
                memory.moving_from = None;
                memory.rebalance_again_at = Some(now + REBALANCE_RETRY);
            }
            Outcome::Waits(refusal) | Outcome::Refused(refusal) => {
                if worth_telling(&mut memory, Trouble::Placement, now) {
                    let event = teller.not_placed(refusal, start.provider.as_ref());
                    settled.events.push(event);
                }
            }
            Outcome::Crowded => {
                if worth_telling(&mut memory, Trouble::Placement, now) {
                    settled.events.push(teller.too_many_wait());
                }
            }
            Outcome::Failed(error) => {
                if worth_telling(&mut memory, Trouble::Placement, now) {
                    settled.events.push(teller.launch_failed(error));
                }
            }
        }
    }
    let missed = |(start, outcome): &(&StartTask, &Outcome)| {
        let missed = match outcome {
            Outcome::Refused(_) | Outcome::Crowded | Outcome::Failed(_) => true,
            Outcome::Placed | Outcome::Waits(_) => false,
        };
        regular(start) && missed
    };
    if pairs().any(|pair| missed(&pair)) {
        let times = view.refused.map_or(0, |refused| refused.times);
        let wait = FIRST_RETRY
            .saturating_mul(1 << times.min(8))
            .min(LONGEST_RETRY);
        let again_at = now + wait;
        settled.refused = Some(Refused {
            again_at,
            times: times.saturating_add(1),
        });
        earlier(&mut settled.look_again_at, again_at);
    } else if placed > 0 {
        settled.refused = None;
        memory.told.remove(&Trouble::Placement);
    }
    settled.memory = (memory != *before).then_some(memory);
    settled
}

fn tell_starts<'p>(
    teller: &Teller<'_>,
    pairs: impl Iterator<Item = (&'p StartTask, &'p Outcome)>,
    events: &mut Vec<Event>,
) {
    let mut started: Vec<TaskId> = Vec::new();
    let mut unhealthy = 0;
    for (start, outcome) in pairs {
        if !matches!(outcome, Outcome::Placed | Outcome::Waits(_)) {
            continue;
        }
        match (&start.why, &start.place) {
            (StartReason::Rebalance, Place::Zone(zone)) => {
                events.push(teller.started_to_balance(zone, start.id));
                continue;
            }
            (StartReason::ReplacesUnhealthy, _) => unhealthy += 1,
            (StartReason::Rebalance | StartReason::Missing, _) => {}
        }
        started.push(start.id);
    }
    if !started.is_empty() {
        events.push(teller.started(&started, unhealthy));
    }
}

/// Keeps which instances refused a daemon's task, so that they hold up nothing.
fn note_daemons<'p>(
    memory: &mut ServiceMemory,
    pairs: impl Iterator<Item = (&'p StartTask, &'p Outcome)>,
) {
    for (start, outcome) in pairs {
        let Place::Instance(instance) = start.place else {
            continue;
        };
        if start.why == StartReason::Rebalance {
            continue;
        }
        let at = memory.refused_by.binary_search(&instance);
        let refused = match outcome {
            Outcome::Refused(_) | Outcome::Crowded | Outcome::Failed(_) => true,
            Outcome::Placed | Outcome::Waits(_) => false,
        };
        match (refused, at) {
            (true, Err(at)) => memory.refused_by.insert(at, instance),
            (false, Ok(at)) => {
                memory.refused_by.remove(at);
            }
            (true, Ok(_)) | (false, Err(_)) => {}
        }
    }
}

/// Whether a daemon's task was refused by the instance when it was last tried.
pub(super) fn was_refused(memory: &ServiceMemory, instance: InstanceId) -> bool {
    memory.refused_by.binary_search(&instance).is_ok()
}
