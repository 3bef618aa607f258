//! Moving tasks onto instances that have fewer, such as new ones: by the server's setting, once a
//! service is at rest, one task at a time, each started there before one is stopped here.
//!
//! Rules kept here:
//! - a task moves only from an instance that has at least two more than the one it moves to, and
//!   never into a zone that has as many already: each move brings the counts of instances closer
//!   together and those of zones no further apart, so that moving ends, and balance between zones
//!   ([`rebalance`](super::rebalance)) never moves it back;
//! - protected tasks are not moved, and the maximum percent is kept;
//! - a move that came to nothing is not tried again for a while.
//!
//! Which instance could take a task is placement's to say: [`ServiceView::roomier`].

use std::collections::BTreeMap;
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::scheduler::RolloutState;
use berth_model::text::Text;

use super::draft::Draft;
use super::look::Seen;
use super::percents::{bounds, next_capacity};
use super::plan::{Place, StartReason, StopReason};
use super::rolling::may_start;
use super::steady::at_rest;
use super::view::{Roomier, TaskView};

/// The wait after a move that came to nothing.
pub(super) const MOVE_RETRY: Duration = Duration::from_secs(300);

/// The fullest instance of a service that has a task which may move.
pub(crate) struct Fullest {
    /// The instance.
    pub(crate) instance: InstanceId,
    /// How many tasks of the service are on it.
    pub(crate) tasks: usize,
    zone: Option<Text>,
    by_zone: BTreeMap<Text, usize>,
}

impl Fullest {
    /// Whether a task may move from there into a zone: its own, or one that has fewer.
    pub(crate) fn allows(&self, zone: Option<&Text>) -> bool {
        let count = |zone: &Text| self.by_zone.get(zone).copied().unwrap_or(0);
        match (&self.zone, zone) {
            (Some(own), Some(zone)) => own == zone || count(zone) < count(own),
            (None, None) => true,
            (Some(_), None) | (None, Some(_)) => false,
        }
    }
}

/// The fullest instance among those of tasks, each with whether it may move.
pub(crate) fn fullest<'t>(tasks: impl Iterator<Item = (&'t TaskView, bool)>) -> Option<Fullest> {
    let mut by_instance: BTreeMap<InstanceId, (usize, bool, Option<Text>)> = BTreeMap::new();
    let mut by_zone: BTreeMap<Text, usize> = BTreeMap::new();
    for (task, movable) in tasks {
        let Some(instance) = task.instance else {
            continue;
        };
        let entry = by_instance.entry(instance).or_default();
        entry.0 += 1;
        entry.1 |= movable;
        entry.2.clone_from(&task.zone);
        if let Some(zone) = &task.zone {
            *by_zone.entry(zone.clone()).or_default() += 1;
        }
    }
    let movable = by_instance
        .into_iter()
        .filter(|(_, (_, movable, _))| *movable);
    let fullest = movable.max_by_key(|(id, (count, ..))| (*count, std::cmp::Reverse(*id)));
    let (instance, (tasks, _, zone)) = fullest?;
    (tasks >= 2).then_some(Fullest {
        instance,
        tasks,
        zone,
        by_zone,
    })
}

/// Starts a task on an instance that has fewer, when the service is at rest.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>, target: usize) {
    let primary = draft.view.deployments.first().map(|primary| primary.id);
    let calm = |draft: &Draft<'_, '_, '_>| {
        let rollout = primary.and_then(|id| draft.rollouts.get(&id));
        rollout.is_some_and(|rollout| rollout.state == RolloutState::Completed)
    };
    let Some(id) = primary.filter(|_| calm(draft) && !draft.view.draining) else {
        // Something else goes before; what it leaves is seen later.
        draft.memory.moving_from = None;
        return;
    };
    if draft.memory.rebalancing || !at_rest(draft, target) {
        return;
    }
    if draft.memory.moving_from.take().is_some() {
        // At rest with no more tasks than before: what was started did not last.
        draft.memory.rebalance_again_at = Some(draft.now() + MOVE_RETRY);
    }
    let Some(Roomier { from, to }) = draft.view.roomier else {
        return;
    };
    let again = draft.memory.rebalance_again_at;
    let percents = (draft.view.minimum_percent, draft.view.maximum_percent);
    let cap = bounds(target, percents.0, percents.1).cap;
    if cap <= target || !may_start(draft, id) || again.is_some_and(|due| !draft.is_past(due)) {
        return;
    }
    draft.memory.rebalance_again_at = None;
    draft.memory.moving_from = Some(from);
    let counts = draft.counts_by_provider(id, draft.view.capacity);
    let provider = next_capacity(draft.view.capacity, &counts)
        .map(|at| draft.view.capacity[at].provider.clone());
    draft.start_at(id, provider, Place::Instance(to), StartReason::Rebalance);
}

/// Stops a task of the instance that is moved from, once `good`, one more than the target, all
/// serve. Answers whether the move goes on; if not, there is one task too many.
pub(super) fn finish(draft: &mut Draft<'_, '_, '_>, good: &[Seen<'_>], target: usize) -> bool {
    let Some(from) = draft.memory.moving_from else {
        return false;
    };
    let movable = |seen: &&Seen<'_>| seen.task.instance == Some(from) && !seen.protected;
    // Of those the youngest, which has the least to lose.
    let youngest = good.iter().filter(movable);
    let youngest = youngest.max_by_key(|seen| (seen.task.created_at, seen.id()));
    let Some(seen) = youngest.copied() else {
        draft.memory.moving_from = None;
        return false;
    };
    let healthy = good.iter().filter(|seen| seen.is_healthy()).count();
    if healthy > target && draft.can_stop() {
        draft.memory.moving_from = None;
        draft.stop(&seen, StopReason::Scaling);
    }
    true
}
