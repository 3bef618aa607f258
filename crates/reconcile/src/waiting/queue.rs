//! In which clusters waiting tasks are worth a look, and when. Times are monotonic milliseconds.
//!
//! Rules kept here:
//! - room in one cluster may be room for the tasks of another, for machines and Fargate capacity
//!   are shared: what makes room anywhere is worth a look wherever tasks wait;
//! - a cluster that was touched while a look at it goes on is looked at from the beginning once
//!   that has come to its end, so that the youngest have their turn however much happens;
//! - a sweep looks at all of them now and then, so that a lost wake-up costs time alone.

use std::collections::BTreeMap;

use berth_model::name::ClusterKey;
use berth_model::task::LastStatus;
use berth_state::{Changed, State, WaitingKey};

use super::Looked;

/// How often the waiting tasks of one cluster are looked at, at most: often enough that tasks
/// which come later seldom find the room first.
const LOOK_EVERY_MS: u64 = 20;
/// How often every cluster in which tasks wait is looked at, and an instance may be held in it.
const SWEEP_EVERY_MS: u64 = 10_000;

/// A look to take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// At the waiting tasks of this cluster.
    pub cluster: ClusterKey,
    /// Beginning after this one.
    pub after: Option<WaitingKey>,
    /// Whether an instance may begin to be held.
    pub holds: bool,
}

/// What is known of one cluster.
#[derive(Debug, Default)]
struct Entry {
    /// When to look from the beginning.
    due: Option<u64>,
    /// The look under way goes on after this task.
    after: Option<WaitingKey>,
    /// Whether a look has been handed out and its outcome is not known yet.
    looking: bool,
    /// Whether the next look may hold an instance.
    holds: bool,
    looked_at: Option<u64>,
}

impl Entry {
    /// When the next look may begin.
    fn next(&self) -> Option<u64> {
        match (self.looking, self.after) {
            (true, _) => None,
            (false, Some(_)) => Some(0),
            (false, None) => {
                let earliest = self.looked_at.map_or(0, |at| at + LOOK_EVERY_MS);
                self.due.map(|due| due.max(earliest))
            }
        }
    }
}

/// In which clusters waiting tasks are worth a look, and when.
#[derive(Debug, Default)]
pub struct Queue {
    entries: BTreeMap<ClusterKey, Entry>,
    sweep_at: u64,
}

impl Queue {
    /// Notes what the changes make worth a look.
    pub fn touch(&mut self, state: &State, changes: &[Changed], now: u64) {
        let mut room = false;
        for change in changes {
            match change {
                Changed::Task(id, _) => match state.tasks.get(*id) {
                    Some(task) if task.is_waiting() => self.add(&task.spec.cluster, now),
                    Some(task) => room |= task.last == LastStatus::Stopped,
                    None => {}
                },
                Changed::Instance(_) | Changed::Connection(_) => room = true,
                Changed::Cluster(_)
                | Changed::Definition(_)
                | Changed::Service(_)
                | Changed::Other => {}
            }
        }
        if room {
            self.touch_all(state, now);
        }
    }

    /// Looks at everything when it is time to.
    pub fn sweep(&mut self, state: &State, now: u64) {
        if now < self.sweep_at {
            return;
        }
        self.sweep_at = now + SWEEP_EVERY_MS;
        self.entries
            .retain(|_, entry| entry.next().is_some() || entry.looking);
        self.touch_all(state, now);
        for entry in self.entries.values_mut() {
            entry.holds = true;
        }
    }

    fn touch_all(&mut self, state: &State, now: u64) {
        for cluster in state.tasks.clusters_with_waiting() {
            self.add(&cluster, now);
        }
        // A hold outlives its task by a moment.
        for hold in state.holds.values() {
            self.add(&hold.cluster, now);
        }
    }

    fn add(&mut self, cluster: &ClusterKey, at: u64) {
        let entry = self.entries.entry(cluster.clone()).or_default();
        entry.due = Some(entry.due.map_or(at, |due| due.min(at)));
    }

    /// The looks to take now. Each is to be [noted](Self::note) before its cluster's next.
    pub fn take(&mut self, now: u64) -> Vec<Turn> {
        let mut taken = Vec::new();
        for (cluster, entry) in &mut self.entries {
            if entry.next().is_none_or(|at| at > now) {
                continue;
            }
            let after = entry.after.take();
            if after.is_none() {
                entry.due = None;
            }
            entry.looking = true;
            entry.looked_at = Some(now);
            taken.push(Turn {
                cluster: cluster.clone(),
                after,
                holds: std::mem::take(&mut entry.holds),
            });
        }
        taken
    }

    /// Takes in what a look came to; `again_at` is when its `again_at` will be. `None` stands for
    /// one that was not carried out: the next change or sweep is the retry.
    pub fn note(&mut self, cluster: &ClusterKey, looked: Option<Looked>, again_at: Option<u64>) {
        let entry = self.entries.entry(cluster.clone()).or_default();
        entry.looking = false;
        entry.after = looked.and_then(|looked| looked.after);
        if let Some(at) = again_at {
            self.add(cluster, at);
        }
    }

    /// When there is something to do next.
    #[must_use]
    pub fn next_due(&self) -> u64 {
        let due = self.entries.values().filter_map(Entry::next).min();
        due.unwrap_or(u64::MAX).min(self.sweep_at)
    }
}
