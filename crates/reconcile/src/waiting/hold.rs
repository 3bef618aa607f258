//! Keeping an instance free for a task that has waited long, so that a big one is not starved by
//! small ones that take every bit of room as it comes.
//!
//! Rules kept here:
//! - at most one instance is held in a cluster, for the oldest task that could be on one at all;
//! - it is held for half as long as the task has waited, then left to others for as long: so small
//!   tasks wait for the big one's sake less than it has waited itself, and as holds become longer,
//!   a task whose competitors end in bounded time has its turn;
//! - a hold is a matter of the moment and never saved: it follows from the task's age.

use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::name::ClusterKey;
use berth_model::time::Timestamp;
use berth_placement::Wanted;
use berth_state::{Hold, State, Tx};

/// After this time a task may have an instance held for it: most tasks that end at all make room
/// within a minute or two without it.
pub const HOLD_AFTER: Duration = Duration::from_secs(60);
/// Of the oldest tasks, how many are looked at for one that could be on an instance: each costs a
/// look at every instance.
const CANDIDATES_MAX: usize = 8;

/// Whether an instance is held for a task that has waited for so long: in the first half of the
/// time from a power of two of [`HOLD_AFTER`] to the next.
#[must_use]
pub fn is_due(waited: Duration) -> bool {
    let unit = HOLD_AFTER.as_millis();
    let waited = waited.as_millis();
    let Some(doublings) = (waited / unit).checked_ilog2() else {
        return false;
    };
    let began = unit << doublings;
    waited < began + began / 2
}

/// The holds of a cluster that are over at `now`.
#[must_use]
pub fn over(state: &State, cluster: &ClusterKey, now: Timestamp) -> Vec<InstanceId> {
    let over = |hold: &Hold| {
        let task = state.tasks.get(hold.task);
        let waits = task.filter(|task| task.is_waiting());
        waits.is_none_or(|task| !is_due(now.since(task.spec.created_at)))
    };
    let holds = state.holds.iter();
    holds
        .filter(|(_, hold)| hold.cluster == *cluster && over(hold))
        .map(|(instance, _)| *instance)
        .collect()
}

/// The tasks of a cluster for which an instance may be held at `now`, oldest first; none while one
/// is held.
#[must_use]
pub fn candidates(state: &State, cluster: &ClusterKey, now: Timestamp) -> Vec<TaskId> {
    let Some(row) = state.cluster_row(cluster) else {
        return Vec::new();
    };
    if state.holds.values().any(|hold| hold.cluster == *cluster) {
        return Vec::new();
    }
    let waiting = state.tasks.waiting(row, None);
    waiting
        .filter(|task| is_due(now.since(task.spec.created_at)))
        .take(CANDIDATES_MAX)
        .map(|task| task.id)
        .collect()
}

/// Ends holds that are over.
pub(super) fn release(tx: &mut Tx<'_>, cluster: &ClusterKey) {
    for instance in over(tx.state(), cluster, tx.now()) {
        tx.set_hold(instance, None);
    }
}

/// Holds an instance for the first candidate that could be on one.
pub(super) fn begin(tx: &mut Tx<'_>, cluster: &ClusterKey) {
    for id in candidates(tx.state(), cluster, tx.now()) {
        let Some(task) = tx.state().tasks.get(id).cloned() else {
            continue;
        };
        let Some(facts) = tx.state().facts(&task).cloned() else {
            continue;
        };
        let strategy = tx.state().strategy_of(&task.spec).to_vec();
        let wanted = Wanted::of(&task.spec, &facts, &strategy);
        if let Some(instance) = tx.fleet().could_take(&wanted.request(None, 0)) {
            let hold = Hold {
                task: id,
                cluster: cluster.clone(),
            };
            tx.set_hold(instance, Some(hold));
            return;
        }
    }
}
