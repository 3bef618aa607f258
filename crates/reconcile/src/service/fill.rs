//! Bringing a deployment or task set to its count: starts, replacements, scale-in, and taking
//! tasks away from older deployments, all within the percents.
//!
//! Rules kept here:
//! - no start takes the tasks that are there, stopping ones included, above the maximum;
//! - no stop takes the healthy ones below the minimum, except where fewer are wanted at all;
//! - what fails its checks is replaced before it is stopped, if the maximum allows it;
//! - protected tasks are stopped only when they fail their checks or their machine is lost.

use berth_model::scheduler::DeploymentId;

use super::draft::Draft;
use super::look::{Condition, Seen};
use super::percents::{Bounds, bounds};
use super::plan::StopReason;
use super::scale_in::Crowd;
use super::stopped;
use super::view::CapacityItem;

/// What is to be brought about.
pub(super) struct Fill<'f> {
    /// To which deployment or task set tasks are added.
    pub group: DeploymentId,
    /// How many it is to have.
    pub target: usize,
    /// Those from which tasks are taken away.
    pub others: &'f [DeploymentId],
    /// What becomes of those.
    pub mode: Mode,
    /// Whether tasks may be started now.
    pub may_start: bool,
    /// Over what its tasks are split.
    pub capacity: &'f [CapacityItem],
}

/// What becomes of the tasks of other deployments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// They are replaced by the group's.
    Replace,
    /// They count as if they were the group's, and only what is too much is taken away.
    Hold,
}

/// What stood in the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hindrance {
    /// The percents allow neither a start nor a stop.
    pub percents: bool,
    /// As many tasks would have been stopped, were they not protected.
    pub protected: usize,
}

/// The sums of one [`fill`], taken before it changes anything.
struct Sums<'v> {
    members: Vec<Seen<'v>>,
    bounds: Bounds,
    /// Healthy tasks left after the stops so far.
    healthy: usize,
    /// Wanted tasks left after the stops so far.
    alive: usize,
    stopping: usize,
    /// Tasks that should be started.
    want: usize,
    /// Of those, as many as the maximum leaves room for.
    starts: usize,
    /// Of those that cannot be started, as many as a stop could help.
    freeing: usize,
}

/// Plans what brings the group to its target.
pub(super) fn fill(draft: &mut Draft<'_, '_, '_>, fill: &Fill<'_>) -> Hindrance {
    let mut sums = sum_up(draft, fill);
    let mut hindrance = Hindrance::default();
    give_up_lost(draft, &sums);
    stop_pending_on_draining(draft, &mut sums);
    let replaced = stop_unhealthy(draft, fill, &mut sums);
    take_from_others(draft, fill, &mut sums, &mut hindrance);
    drain(draft, &mut sums);
    scale_in(draft, fill, &mut sums, &mut hindrance);
    if sums.starts > 0 {
        draft.start(
            fill.group,
            sums.starts,
            replaced.min(sums.starts),
            fill.capacity,
        );
    }
    hindrance.percents = is_stuck(draft, fill, &sums, hindrance.protected);
    hindrance
}

fn sum_up<'v>(draft: &mut Draft<'v, '_, '_>, fill: &Fill<'_>) -> Sums<'v> {
    let view = draft.view;
    let is_member = |seen: &&Seen<'_>| {
        let id = seen.task.deployment;
        id == fill.group || fill.others.contains(&id)
    };
    let members: Vec<Seen<'v>> = draft.look.live.iter().filter(is_member).copied().collect();
    let count = |which: &dyn Fn(&Seen<'_>) -> bool| members.iter().filter(|s| which(s)).count();
    let good = count(&|seen| {
        seen.is_good() && (fill.mode == Mode::Hold || seen.task.deployment == fill.group)
    });
    let bounds = bounds(fill.target, view.minimum_percent, view.maximum_percent);
    let taken = count(&|seen| seen.takes_room());
    let stopping = count(&|seen| seen.condition == Condition::Stopping);
    let want = fill.target.saturating_sub(good);
    let room = bounds.cap.saturating_sub(taken);
    // A task that has just stopped may have left the room that placement missed.
    let refused = draft
        .view
        .refused
        .is_some_and(|refused| draft.look.stopped.is_empty() && !draft.is_past(refused.again_at));
    let (starts, blocked) = match (fill.may_start, refused) {
        (false, _) => (0, 0),
        (true, true) => (0, want),
        (true, false) => (want.min(room), want.saturating_sub(room)),
    };
    Sums {
        bounds,
        healthy: count(&|seen| seen.is_healthy()),
        alive: count(&|seen| seen.is_alive()),
        stopping,
        want,
        starts,
        freeing: blocked.saturating_sub(stopping),
        members,
    }
}

fn give_up_lost(draft: &mut Draft<'_, '_, '_>, sums: &Sums<'_>) {
    for seen in &sums.members {
        let wanted = seen.task.desired == berth_model::task::Desired::Running;
        if seen.condition == Condition::Lost && wanted && draft.can_stop() {
            draft.stop(seen, StopReason::InstanceLost);
        }
    }
}

fn stop_pending_on_draining(draft: &mut Draft<'_, '_, '_>, sums: &mut Sums<'_>) {
    for seen in &sums.members {
        let pending = seen.condition == Condition::Pending && seen.draining.is_some();
        if pending && !seen.protected && draft.can_stop() {
            draft.stop(seen, StopReason::Scaling);
            sums.alive -= 1;
        }
    }
}

/// Stops tasks of the group that fail their checks, and answers how many starts replace such.
fn stop_unhealthy(draft: &mut Draft<'_, '_, '_>, fill: &Fill<'_>, sums: &mut Sums<'_>) -> usize {
    let ours = |seen: &&Seen<'_>| seen.task.deployment == fill.group;
    let mut failing: Vec<Seen<'_>> = sums
        .members
        .iter()
        .filter(ours)
        .filter(|seen| seen.condition == Condition::Unhealthy)
        .copied()
        .collect();
    if failing.is_empty() {
        return 0;
    }
    let serving = sums
        .members
        .iter()
        .filter(ours)
        .filter(|seen| seen.is_good() && seen.is_healthy())
        .count();
    let all = failing.len();
    let replaced = (serving + all).saturating_sub(fill.target).min(all);
    let several = !fill.others.is_empty();
    let forced = match (replaced, sums.freeing) {
        (0, 1..) if several => sums.freeing,
        // One by one, so that those which may recover have the time.
        (0, 1..) if sums.stopping == 0 => 1,
        _ => 0,
    };
    let mut crowd = Crowd::of(&draft.look, order(draft));
    for _ in 0..replaced.max(forced).min(all) {
        if !draft.can_stop() {
            break;
        }
        let Some(seen) = crowd.take(&mut failing) else {
            break;
        };
        draft.stop(&seen, StopReason::Unhealthy);
        stopped::note_unhealthy(draft, fill.group);
        sums.alive -= 1;
        sums.freeing = sums.freeing.saturating_sub(1);
    }
    all
}

/// Takes tasks away from other deployments: those too many, and those that make room.
fn take_from_others(
    draft: &mut Draft<'_, '_, '_>,
    fill: &Fill<'_>,
    sums: &mut Sums<'_>,
    hindrance: &mut Hindrance,
) {
    let excess = sums.alive.saturating_sub(fill.target);
    let wanted = match fill.mode {
        Mode::Replace => excess.max(sums.freeing),
        Mode::Hold => excess,
    };
    if wanted == 0 || fill.others.is_empty() {
        return;
    }
    let stoppable = |seen: &&Seen<'_>| {
        fill.others.contains(&seen.task.deployment)
            && seen.is_alive()
            && !draft.is_stopped(seen.id())
    };
    let candidates: Vec<Seen<'_>> = sums.members.iter().filter(stoppable).copied().collect();
    let (protected, mut candidates): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|seen| seen.protected);
    let mut crowd = Crowd::of(&draft.look, order(draft));
    let mut stopped = 0;
    while stopped < wanted && draft.can_stop() {
        let Some(seen) = crowd.take(&mut candidates) else {
            hindrance.protected += protected.len().min(wanted - stopped);
            break;
        };
        if seen.is_healthy() {
            if sums.healthy <= sums.bounds.floor {
                // Those that come after it serve as well.
                break;
            }
            sums.healthy -= 1;
        }
        draft.stop(&seen, StopReason::Scaling);
        sums.alive -= 1;
        sums.freeing = sums.freeing.saturating_sub(1);
        stopped += 1;
    }
}

/// Stops what runs on draining instances, as far as enough others are healthy.
fn drain(draft: &mut Draft<'_, '_, '_>, sums: &mut Sums<'_>) {
    for at in 0..sums.members.len() {
        let seen = sums.members[at];
        let leaves = seen.draining.is_some() && seen.is_alive() && !seen.protected;
        if !leaves || draft.is_stopped(seen.id()) {
            continue;
        }
        let left = sums.healthy - usize::from(seen.is_healthy());
        let serves_not = seen.condition == Condition::Unhealthy;
        if (left >= sums.bounds.floor || serves_not) && draft.can_stop() {
            draft.stop(&seen, StopReason::Scaling);
            sums.healthy = left;
            sums.alive -= 1;
        }
    }
}

/// Stops what the group has too many.
fn scale_in(
    draft: &mut Draft<'_, '_, '_>,
    fill: &Fill<'_>,
    sums: &mut Sums<'_>,
    hindrance: &mut Hindrance,
) {
    let good: Vec<Seen<'_>> = sums
        .members
        .iter()
        .filter(|seen| seen.task.deployment == fill.group && seen.is_good())
        .filter(|seen| !draft.is_stopped(seen.id()))
        .copied()
        .collect();
    let surplus = good.len().saturating_sub(fill.target);
    if surplus == 0 {
        return;
    }
    if draft.memory.rebalancing && surplus == 1 {
        super::rebalance::finish_move(draft, &good, fill.target);
        return;
    }
    if surplus == 1 && super::move_over::finish(draft, &good, fill.target) {
        return;
    }
    let (protected, mut candidates): (Vec<_>, Vec<_>) =
        good.into_iter().partition(|seen| seen.protected);
    let mut crowd = Crowd::of(&draft.look, order(draft));
    for nth in 0..surplus {
        if !draft.can_stop() {
            break;
        }
        let Some(seen) = crowd.take(&mut candidates) else {
            hindrance.protected += protected.len().min(surplus - nth);
            break;
        };
        if seen.is_healthy() && sums.healthy <= sums.bounds.floor {
            // What stays is protected and does not serve yet.
            break;
        }
        draft.stop(&seen, StopReason::Scaling);
        sums.alive -= 1;
        sums.healthy -= usize::from(seen.is_healthy());
    }
}

/// Whether nothing moves, and nothing that is under way will change that, because of the
/// percents alone.
fn is_stuck(draft: &Draft<'_, '_, '_>, fill: &Fill<'_>, sums: &Sums<'_>, protected: usize) -> bool {
    let under_way = sums.members.iter().any(|seen| match seen.condition {
        Condition::Stopping | Condition::Pending | Condition::Starting => true,
        Condition::Lost | Condition::Unhealthy | Condition::Healthy => false,
    });
    let refused = draft.view.refused.is_some();
    fill.may_start
        && !refused
        && sums.want > 0
        && sums.starts == 0
        && protected == 0
        && draft.plan.stops.is_empty()
        && !under_way
}

/// The service's deployments or task sets, newest first.
pub(super) fn order(draft: &Draft<'_, '_, '_>) -> Vec<DeploymentId> {
    match &draft.view.task_sets {
        Some(sets) => sets.iter().map(|set| set.id).collect(),
        None => draft.view.deployments.iter().map(|d| d.id).collect(),
    }
}
