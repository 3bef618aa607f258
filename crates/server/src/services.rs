//! The loop that looks at services: which keys are worth a look, and when. What a look comes to
//! is `reconcile`'s business.
//!
//! Rules kept here:
//! - a key that waits twice is looked at once, and at most every [`LOOK_EVERY`];
//! - changes say only which keys are worth a look; a sweep looks at all of them now and then, so
//!   that a lost wake-up costs time and nothing else;
//! - a step does not retry: the next change or sweep is the retry.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::service::ServiceStatus;
use berth_model::task::LastStatus;
use berth_model::time::Timestamp;
use berth_ops::Context;
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{Changed, Failure, Lane, State};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How often one service is looked at, at most: a deployment of a hundred tasks brings several
/// hundred changes in a second, and a look sees them all at once.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How often every service is looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(60);
/// How many looks wait for the writer at once: enough for one batch to save many of them.
const AT_ONCE_MAX: usize = 64;
/// How long a deleted service can be described: tools wait for INACTIVE, and see it gone later.
const INACTIVE_KEPT: Duration = Duration::from_secs(60 * 60);

/// What the rest of the server tells the loop.
#[derive(Default)]
pub(crate) struct ServiceNews {
    told: Mutex<Told>,
    bell: Notify,
}

#[derive(Default)]
struct Told {
    changes: Vec<Changed>,
    lost: BTreeSet<InstanceId>,
}

impl ServiceNews {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a commit changed.
    pub(crate) fn changed(&self, changes: &[Changed]) {
        let concerns = |change: &&Changed| match change {
            Changed::Service(_)
            | Changed::Task(..)
            | Changed::Instance(_)
            | Changed::Connection(_) => true,
            Changed::Cluster(_) | Changed::Definition(_) | Changed::Other => false,
        };
        let before = {
            let mut told = self.told();
            let before = told.changes.len();
            told.changes
                .extend(changes.iter().filter(concerns).cloned());
            told.changes.len() - before
        };
        if before > 0 {
            self.bell.notify_one();
        }
    }

    /// Takes in which instances are given up.
    pub(crate) fn lost(&self, lost: BTreeSet<InstanceId>) {
        let mut told = self.told();
        if told.lost == lost {
            return;
        }
        let turned = told.lost.symmetric_difference(&lost);
        let turned: Vec<Changed> = turned.map(|id| Changed::Instance(*id)).collect();
        told.changes.extend(turned);
        told.lost = lost;
        drop(told);
        self.bell.notify_one();
    }
}

/// When keys are due, in monotonic milliseconds.
#[derive(Default)]
struct Queue {
    due: HashMap<ServiceKey, u64>,
    /// The same, first come first served.
    in_order: BTreeSet<(u64, ServiceKey)>,
    looked_at: HashMap<ServiceKey, u64>,
}

impl Queue {
    /// Notes that a key is worth a look at `at`, or when it may be looked at again.
    fn add(&mut self, key: ServiceKey, at: u64) {
        let rest = u64::try_from(LOOK_EVERY.as_millis()).unwrap_or(u64::MAX);
        let looked_at = self.looked_at.get(&key);
        let earliest = looked_at.map_or(0, |looked_at| looked_at.saturating_add(rest));
        let at = at.max(earliest);
        if let Some(due) = self.due.get_mut(&key) {
            if *due <= at {
                return;
            }
            let later = std::mem::replace(due, at);
            self.in_order.remove(&(later, key.clone()));
        } else {
            self.due.insert(key.clone(), at);
        }
        self.in_order.insert((at, key));
    }

    /// The keys that are due, at most `max`: those that wait longest first.
    fn take(&mut self, now: u64, max: usize) -> Vec<ServiceKey> {
        let mut keys = Vec::new();
        while keys.len() < max && self.next_due().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.in_order.pop_first() else {
                break;
            };
            self.due.remove(&key);
            self.looked_at.insert(key.clone(), now);
            keys.push(key);
        }
        keys
    }

    fn next_due(&self) -> Option<u64> {
        self.in_order.first().map(|(at, _)| *at)
    }
}

/// Looks at services until it is told to stop. `around` has the settings; who is lost is told.
pub(crate) async fn run(
    cx: Arc<Context>,
    news: Arc<ServiceNews>,
    around: Surroundings,
    cancel: CancellationToken,
) {
    let mut queue = Queue::default();
    let mut looks: JoinSet<(ServiceKey, Result<Looked, Failure>)> = JoinSet::new();
    let sweep_ms = u64::try_from(SWEEP_EVERY.as_millis()).unwrap_or(u64::MAX);
    let mut sweep_at = 0;
    loop {
        let now = clock::monotonic_ms();
        if now >= sweep_at {
            sweep(&cx.state.snapshot(), &mut queue, now);
            forget(&cx).await;
            queue
                .looked_at
                .retain(|_, at| now.saturating_sub(*at) < sweep_ms);
            sweep_at = now.saturating_add(sweep_ms);
        }
        let (changes, lost) = {
            let mut told = news.told();
            (std::mem::take(&mut told.changes), told.lost.clone())
        };
        touch(&cx.state.snapshot(), &changes, &mut queue, now);
        let room = AT_ONCE_MAX.saturating_sub(looks.len());
        for key in queue.take(now, room) {
            let around = Surroundings {
                lost: lost.clone(),
                ..around.clone()
            };
            looks.spawn(step(cx.clone(), key, around));
        }
        let full = looks.len() >= AT_ONCE_MAX;
        let next = queue.next_due().filter(|_| !full).unwrap_or(u64::MAX);
        let wake = clock::at_monotonic_ms(next.min(sweep_at));
        tokio::select! {
            () = cancel.cancelled() => break,
            () = news.bell.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
            Some(done) = looks.join_next() => {
                if let Ok((key, outcome)) = done {
                    note(&mut queue, key, outcome);
                }
            }
        }
    }
    // A look that was handed in is carried out: steps end.
    while looks.join_next().await.is_some() {}
}

fn note(queue: &mut Queue, key: ServiceKey, outcome: Result<Looked, Failure>) {
    match outcome {
        Ok(Looked {
            again_at: Some(again_at),
        }) => {
            let in_ms = u64::try_from(again_at.since(clock::wall()).as_millis());
            // A millisecond late is on time; one early would be a look for nothing.
            let at = clock::monotonic_ms().saturating_add(in_ms.unwrap_or(u64::MAX));
            queue.add(key, at.saturating_add(1));
        }
        Ok(Looked { again_at: None }) => {}
        Err(error) => tracing::warn!(service = %key, %error, "service not looked at"),
    }
}

async fn step(
    cx: Arc<Context>,
    key: ServiceKey,
    around: Surroundings,
) -> (ServiceKey, Result<Looked, Failure>) {
    let looked_at = key.clone();
    let looked = cx
        .state
        .transact(Lane::Controllers, move |tx| {
            Ok::<_, Failure>(look(tx, &looked_at, &around))
        })
        .await;
    (key, looked)
}

fn sweep(state: &State, queue: &mut Queue, now: u64) {
    for service in state.services.iter() {
        if service.status != ServiceStatus::Inactive {
            queue.add(service.key.clone(), now);
        }
    }
}

/// Notes the services that the changes concern.
fn touch(state: &State, changes: &[Changed], queue: &mut Queue, now: u64) {
    let mut roomier: BTreeSet<ClusterKey> = BTreeSet::new();
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
                    roomier.insert(task.spec.cluster.clone());
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
                    roomier.insert(instance.cluster.clone());
                }
            }
            Changed::Cluster(_) | Changed::Definition(_) | Changed::Other => {}
        }
    }
    for cluster in &roomier {
        for key in state.refused_of(cluster) {
            queue.add(key.clone(), now);
        }
    }
}

/// Forgets services that were deleted long ago.
async fn forget(cx: &Context) {
    let old = |service: &berth_model::service::Service, now: Timestamp| {
        let ended = service
            .ended_at
            .filter(|_| service.status == ServiceStatus::Inactive);
        ended.is_some_and(|at| now.since(at) >= INACTIVE_KEPT)
    };
    let now = clock::wall();
    let state = cx.state.snapshot();
    let gone: Vec<ServiceKey> = state
        .services
        .iter()
        .filter(|service| old(service, now))
        .map(|service| service.key.clone())
        .take(AT_ONCE_MAX)
        .collect();
    if gone.is_empty() {
        return;
    }
    let forgotten = cx
        .state
        .transact(Lane::Controllers, move |tx| {
            for key in &gone {
                // It may have been made anew since.
                let now = tx.now();
                if tx.state().services.get(key).is_some_and(|s| old(s, now)) {
                    tx.remove_service(key);
                }
            }
            Ok::<(), Failure>(())
        })
        .await;
    if let Err(error) = forgotten {
        tracing::warn!(%error, "deleted services not forgotten");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> ServiceKey {
        format!("000000000000/us-east-1/default/{name}")
            .parse()
            .expect("a service's key")
    }

    #[test]
    fn a_key_is_looked_at_once_and_then_rests() {
        let mut queue = Queue::default();
        queue.add(key("a"), 5);
        queue.add(key("a"), 3);
        queue.add(key("a"), 9);
        assert_eq!(queue.next_due(), Some(3));
        assert_eq!(queue.take(2, 8), []);
        assert_eq!(queue.take(3, 8), [key("a")]);
        queue.add(key("a"), 4);
        assert_eq!(queue.take(50, 8), []);
        assert_eq!(queue.next_due(), Some(103));
        assert_eq!(queue.take(103, 8), [key("a")]);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn keys_that_wait_longest_come_first() {
        let mut queue = Queue::default();
        for (name, at) in [("a", 30), ("b", 10), ("c", 20)] {
            queue.add(key(name), at);
        }
        assert_eq!(queue.take(40, 2), [key("b"), key("c")]);
        assert_eq!(queue.take(40, 2), [key("a")]);
    }
}
