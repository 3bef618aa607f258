//! Daemons: one task on each eligible instance.
//!
//! Rules kept here:
//! - an instance never has two of a service's daemon tasks: the old one has stopped before the new
//!   one starts, so the maximum percent never comes into play;
//! - old ones are stopped as far as the minimum percent leaves enough healthy;
//! - on a draining instance the daemon's task stops after the others;
//! - an instance that has no room holds up nothing, and is tried again.

use std::collections::BTreeMap;

use berth_model::id::InstanceId;
use berth_model::scheduler::DeploymentId;
use berth_model::task::Desired;

use super::draft::Draft;
use super::fill::Hindrance;
use super::look::{Condition, Seen};
use super::percents::{bounds, next_capacity};
use super::plan::{Place, StartReason, StopReason};
use super::settle::was_refused;
use super::stopped;

/// The deployments of a daemon service.
pub(super) struct Daemons<'d> {
    /// To which tasks are added.
    pub group: DeploymentId,
    /// Whether tasks may be started now, and old ones stopped for them.
    pub may_start: bool,
    /// Whether tasks of other deployments are as good as the group's.
    pub hold: bool,
    /// Where a task is to be, sorted.
    pub eligible: &'d [InstanceId],
}

/// Plans what brings one task to each instance. Answers how many there can be.
pub(super) fn bring(draft: &mut Draft<'_, '_, '_>, daemons: &Daemons<'_>) -> (usize, Hindrance) {
    draft
        .memory
        .refused_by
        .retain(|id| daemons.eligible.binary_search(id).is_ok());
    let live = draft.look.live.clone();
    let mut healthy = live.iter().filter(|seen| seen.is_healthy()).count();
    let mut by_instance: BTreeMap<InstanceId, Vec<Seen<'_>>> = BTreeMap::new();
    for seen in &live {
        let is_eligible = |id: &InstanceId| daemons.eligible.binary_search(id).is_ok();
        match seen.task.instance {
            Some(id) if is_eligible(&id) && seen.takes_room() => {
                by_instance.entry(id).or_default().push(*seen);
            }
            Some(_) | None => {
                if leaves(seen) && draft.can_stop() {
                    let lost = seen.condition == Condition::Lost;
                    let why = if lost {
                        StopReason::InstanceLost
                    } else {
                        StopReason::Scaling
                    };
                    draft.stop(seen, why);
                    healthy -= usize::from(seen.is_healthy());
                }
            }
        }
    }
    for tasks in by_instance.values_mut() {
        stop_misfits(draft, daemons, tasks, &mut healthy);
    }
    start_missing(draft, daemons, &by_instance);
    let hindrance = stop_old(draft, daemons, &by_instance, healthy);
    let possible = daemons.eligible.len() - draft.memory.refused_by.len();
    (possible, hindrance)
}

/// Whether a task that is not on an eligible instance is to be stopped now.
fn leaves(seen: &Seen<'_>) -> bool {
    match seen.condition {
        Condition::Lost => seen.task.desired == Desired::Running,
        Condition::Stopping => false,
        Condition::Pending => true,
        Condition::Unhealthy | Condition::Starting | Condition::Healthy => {
            seen.draining != Some(true)
        }
    }
}

/// Stops failing tasks of the group, and all but one of several.
fn stop_misfits(
    draft: &mut Draft<'_, '_, '_>,
    daemons: &Daemons<'_>,
    tasks: &mut [Seen<'_>],
    healthy: &mut usize,
) {
    // The one to keep comes first: the group's, then the healthiest, then the oldest.
    tasks.sort_by_key(|seen| {
        (
            !seen.is_alive(),
            seen.task.deployment != daemons.group,
            std::cmp::Reverse(seen.condition),
            seen.task.created_at,
            seen.id(),
        )
    });
    for (nth, seen) in tasks.iter().enumerate().filter(|(_, seen)| seen.is_alive()) {
        let ours = seen.task.deployment == daemons.group;
        let why = match (nth, seen.condition) {
            (_, Condition::Unhealthy) if ours => StopReason::Unhealthy,
            (0, _) => continue,
            (1.., _) => StopReason::Scaling,
        };
        if draft.can_stop() {
            draft.stop(seen, why);
            if why == StopReason::Unhealthy {
                stopped::note_unhealthy(draft, daemons.group);
            }
            *healthy -= usize::from(seen.is_healthy());
        }
    }
}

/// Stops tasks of other deployments, as far as enough stay healthy.
fn stop_old(
    draft: &mut Draft<'_, '_, '_>,
    daemons: &Daemons<'_>,
    by_instance: &BTreeMap<InstanceId, Vec<Seen<'_>>>,
    mut healthy: usize,
) -> Hindrance {
    let mut hindrance = Hindrance::default();
    if daemons.hold || !daemons.may_start {
        return hindrance;
    }
    let floor = bounds(
        daemons.eligible.len(),
        draft.view.minimum_percent,
        draft.view.maximum_percent,
    )
    .floor;
    let mut old: Vec<Seen<'_>> = by_instance
        .values()
        .flatten()
        .filter(|seen| seen.is_alive() && seen.task.deployment != daemons.group)
        .filter(|seen| !draft.is_stopped(seen.id()))
        .copied()
        .collect();
    old.sort_by_key(|seen| (seen.is_healthy(), seen.id()));
    let mut left_healthy = 0;
    for seen in old {
        if seen.protected {
            hindrance.protected += 1;
        } else if seen.is_healthy() && healthy <= floor {
            left_healthy += 1;
        } else if draft.can_stop() {
            draft.stop(&seen, StopReason::Scaling);
            healthy -= usize::from(seen.is_healthy());
        }
    }
    let under_way = by_instance.values().flatten().any(|seen| {
        matches!(
            seen.condition,
            Condition::Stopping | Condition::Pending | Condition::Starting
        )
    });
    hindrance.percents = left_healthy > 0
        && draft.plan.stops.is_empty()
        && draft.plan.starts.is_empty()
        && !under_way;
    hindrance
}

fn start_missing(
    draft: &mut Draft<'_, '_, '_>,
    daemons: &Daemons<'_>,
    by_instance: &BTreeMap<InstanceId, Vec<Seen<'_>>>,
) {
    if !daemons.may_start {
        return;
    }
    let again = draft.view.refused.map(|refused| refused.again_at);
    let try_refused = !draft.look.stopped.is_empty() || again.is_none_or(|due| draft.is_past(due));
    let capacity = draft.view.capacity;
    let mut counts = draft.counts_by_provider(daemons.group, capacity);
    for instance in daemons.eligible {
        let waits = was_refused(&draft.memory, *instance) && !try_refused;
        if waits || by_instance.contains_key(instance) {
            continue;
        }
        if draft.plan.starts.len() >= super::STARTS_MAX {
            draft.cut = true;
            break;
        }
        let provider = next_capacity(capacity, &counts).map(|at| {
            counts[at] += 1;
            capacity[at].provider.clone()
        });
        let place = Place::Instance(*instance);
        draft.start_at(daemons.group, provider, place, StartReason::Missing);
    }
}
