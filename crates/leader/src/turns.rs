//! Whose turn it is among services: which keys are worth a look, and when. What a look comes to
//! is `reconcile`'s business.
//!
//! Rules kept here:
//! - a key that waits twice is looked at once, and at most every [`LOOK_EVERY`];
//! - those that wait longest come first, and no more than [`AT_ONCE_MAX`] looks are under way;
//! - changes say only which keys are worth a look; a sweep looks at all of them now and then, so
//!   that a lost wake-up costs time and nothing else;
//! - a step does not retry: the next change or sweep is the retry.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::service::ServiceStatus;
use berth_model::task::LastStatus;
use berth_model::time::Timestamp;
use berth_reconcile::services::Looked;
use berth_state::{Changed, State};

use crate::ms;
use crate::queue::Queue;

/// How often one service is looked at, at most: a deployment of a hundred tasks brings several
/// hundred changes in a second, and a look sees them all at once.
pub const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often every service is looked at.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many looks wait for the writer at once: enough for one batch to save many of them.
pub const AT_ONCE_MAX: usize = 64;
/// Changes that wait to be heard; more of them are not kept, and every service is looked at.
const CHANGES_MAX: usize = 64 * 1024;

/// What was told and waits to be heard.
#[derive(Debug, Default)]
pub struct ServiceNews {
    changes: Vec<Changed>,
    /// Too much changed to keep track of.
    sweep: bool,
    lost: BTreeSet<InstanceId>,
}

/// What [`Turns`] hears at once.
#[derive(Debug, Default)]
pub struct Told {
    changes: Vec<Changed>,
    sweep: bool,
}

impl ServiceNews {
    /// Takes in what a commit changed. Answers whether any of it is worth a wake-up.
    pub fn changed(&mut self, changes: &[Changed]) -> bool {
        let concerns = |change: &&Changed| match change {
            Changed::Service(_)
            | Changed::Task(..)
            | Changed::Instance(_)
            | Changed::Connection(_) => true,
            Changed::Cluster(_) | Changed::Definition(_) | Changed::Other => false,
        };
        let before = self.changes.len();
        self.changes
            .extend(changes.iter().filter(concerns).cloned());
        let worth = self.changes.len() > before;
        self.bound();
        worth
    }

    /// Takes in which instances are given up. Answers whether that is news.
    pub fn lost(&mut self, lost: BTreeSet<InstanceId>) -> bool {
        if self.lost == lost {
            return false;
        }
        let turned = self.lost.symmetric_difference(&lost);
        self.changes.extend(turned.map(|id| Changed::Instance(*id)));
        self.lost = lost;
        self.bound();
        true
    }

    /// What was told since the last call.
    pub fn take(&mut self) -> Told {
        Told {
            changes: std::mem::take(&mut self.changes),
            sweep: std::mem::take(&mut self.sweep),
        }
    }

    /// The instances that are given up.
    #[must_use]
    pub fn given_up(&self) -> &BTreeSet<InstanceId> {
        &self.lost
    }

    fn bound(&mut self) {
        if self.changes.len() > CHANGES_MAX {
            self.changes = Vec::new();
            self.sweep = true;
        }
    }
}

/// When services are looked at.
#[derive(Debug)]
pub struct Turns {
    queue: Queue<ServiceKey>,
    sweep_at: u64,
    under_way: usize,
}

impl Default for Turns {
    fn default() -> Self {
        Self {
            queue: Queue::new(LOOK_EVERY),
            sweep_at: 0,
            under_way: 0,
        }
    }
}

impl Turns {
    /// Takes in news; `state` is at least as new as they are.
    pub fn hear(&mut self, state: &State, told: &Told, now: u64) {
        if told.sweep {
            self.sweep_at = now;
        }
        self.touch(state, &told.changes, now);
    }

    /// The services to look at now; each is to be answered by [`looked`](Self::looked) or
    /// [`dropped`](Self::dropped).
    pub fn next(&mut self, state: &State, now: u64) -> Vec<ServiceKey> {
        if now >= self.sweep_at {
            self.sweep(state, now);
        }
        let keys = self.queue.take(now, AT_ONCE_MAX - self.under_way);
        self.under_way += keys.len();
        keys
    }

    /// When [`next`](Self::next) is to be called at the latest, if nothing happens before.
    #[must_use]
    pub fn due(&self) -> u64 {
        // With no room for another look, the end of one is waited for.
        let full = self.under_way >= AT_ONCE_MAX;
        let next = self.queue.next_due().filter(|_| !full);
        next.unwrap_or(u64::MAX).min(self.sweep_at)
    }

    /// When a service is due next, sweeps aside.
    #[must_use]
    pub fn next_look(&self) -> Option<u64> {
        self.queue.next_due()
    }

    /// A look ended well at the instant `now`, when the wall clock shows `wall`.
    pub fn looked(&mut self, key: ServiceKey, looked: Looked, now: u64, wall: Timestamp) {
        self.dropped();
        if let Some(again_at) = looked.again_at {
            // A millisecond late is on time; one early would be a look for nothing.
            let at = now.saturating_add(ms(again_at.since(wall)));
            self.queue.add(key, at.saturating_add(1));
        }
    }

    /// A look ended without an outcome.
    pub fn dropped(&mut self) {
        self.under_way = self.under_way.saturating_sub(1);
    }

    fn sweep(&mut self, state: &State, now: u64) {
        for service in state.services.iter() {
            if service.status != ServiceStatus::Inactive {
                self.queue.add(service.key.clone(), now);
            }
        }
        self.queue.forget(now);
        self.sweep_at = now.saturating_add(ms(SWEEP_EVERY));
    }

    /// Notes the services that the changes concern.
    fn touch(&mut self, state: &State, changes: &[Changed], now: u64) {
        let queue = &mut self.queue;
        let mut roomier: BTreeSet<&ClusterKey> = BTreeSet::new();
        for change in changes {
            match change {
                Changed::Service(key) => queue.add(key.clone(), now),
                Changed::Task(id, _) => {
                    let Some(task) = state.tasks.get(*id) else {
                        continue;
                    };
                    if let Some(key) = task.spec.service_key() {
                        queue.add(key, now);
                    }
                    if task.last == LastStatus::Stopped {
                        roomier.insert(&task.spec.cluster);
                        let instance = task.instance.and_then(|id| state.instances.get(&id));
                        // Daemons leave a draining instance after everything else did.
                        if instance.is_some_and(|i| i.status == InstanceStatus::Draining) {
                            let daemons = state.services.daemons_of(&task.spec.cluster);
                            daemons.for_each(|key| queue.add(key.clone(), now));
                        }
                    }
                }
                Changed::Instance(id) | Changed::Connection(id) => {
                    for task in state.tasks.on_instance(*id) {
                        let key = task.spec.service_key();
                        if let Some(key) = key.filter(|_| task.last != LastStatus::Stopped) {
                            queue.add(key, now);
                        }
                    }
                    if let Some(instance) = state.instances.get(id) {
                        for key in state.services.daemons_of(&instance.cluster) {
                            queue.add(key.clone(), now);
                        }
                        roomier.insert(&instance.cluster);
                    }
                }
                Changed::Cluster(_) | Changed::Definition(_) | Changed::Other => {}
            }
        }
        for cluster in roomier {
            for key in state.services.waiting_for_room(cluster) {
                queue.add(key.clone(), now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_testkit::World;

    use super::*;

    fn key(name: &str) -> ServiceKey {
        format!("000000000000/us-east-1/default/{name}")
            .parse()
            .expect("a service's key")
    }

    #[test]
    fn no_more_looks_are_under_way_than_there_is_room_for() {
        let state = World::default().snapshot();
        let mut turns = Turns::default();
        let changes: Vec<Changed> = (0..AT_ONCE_MAX + 2)
            .map(|n| Changed::Service(key(&format!("s{n:03}"))))
            .collect();
        let mut news = ServiceNews::default();
        assert!(news.changed(&changes));
        turns.hear(&state, &news.take(), 7);
        assert_eq!(turns.next(&state, 7).len(), AT_ONCE_MAX);
        assert_eq!(turns.next(&state, 8), []);
        // Nothing to wake up for but the sweep, until a look ends.
        assert_eq!(turns.due(), 7 + ms(SWEEP_EVERY));
        let looked = Looked::default();
        turns.looked(key("s000"), looked, 9, Timestamp::default());
        assert_eq!(turns.due(), 7);
        assert_eq!(turns.next(&state, 9), [key("s064")]);
        turns.dropped();
        assert_eq!(turns.next(&state, 9), [key("s065")]);
    }

    #[test]
    fn a_look_says_when_it_is_to_be_repeated() {
        let state = World::default().snapshot();
        let mut turns = Turns::default();
        let wall = Timestamp::from_millis(1_000_000);
        let again = |span| Looked {
            again_at: Some(wall + Duration::from_millis(span)),
        };
        assert_eq!(turns.next(&state, 50), []);
        turns.looked(key("a"), again(500), 60, wall);
        assert_eq!(turns.due(), 561);
        // What is past is due at once.
        turns.looked(key("b"), again(0), 70, wall + Duration::from_secs(5));
        assert_eq!(turns.next(&state, 71), [key("b")]);
    }

    #[test]
    fn who_is_given_up_is_told_once() {
        let instance: InstanceId = "0123456789abcdef0123456789abcdef".parse().expect("an id");
        let mut news = ServiceNews::default();
        assert!(!news.lost(BTreeSet::new()));
        assert!(news.lost(BTreeSet::from([instance])));
        assert!(!news.lost(BTreeSet::from([instance])));
        assert_eq!(news.take().changes, [Changed::Instance(instance)]);
        assert!(news.lost(BTreeSet::new()));
        assert_eq!(news.take().changes, [Changed::Instance(instance)]);
        assert!(!news.changed(&[Changed::Other]));
    }

    #[test]
    fn more_than_can_be_kept_is_a_sweep() {
        let state = World::default().snapshot();
        let mut news = ServiceNews::default();
        let changes = vec![Changed::Service(key("a")); CHANGES_MAX + 1];
        assert!(news.changed(&changes));
        let mut turns = Turns::default();
        assert_eq!(turns.next(&state, 10), []);
        turns.hear(&state, &news.take(), 20);
        assert_eq!(turns.due(), 20);
    }
}
