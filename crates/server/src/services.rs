//! The loop that looks at services: which keys are worth a look, and when. What a look comes to
//! is `reconcile`'s business.
//!
//! Rules kept here:
//! - a key that waits twice is looked at once, and at most every [`LOOK_EVERY`];
//! - changes say only which keys are worth a look; a sweep looks at all of them now and then, so
//!   that a lost wake-up costs time and nothing else;
//! - a step does not retry: the next change or sweep is the retry.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, Scope, ServiceKey};
use berth_model::service::ServiceStatus;
use berth_model::task::LastStatus;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_ops::Context;
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{Changed, Failure, Lane, State};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alarms::InAlarm;
use crate::clock;
use crate::queue::Queue;

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

/// What looks are made with beside the state.
pub(crate) struct Settings {
    /// `--service-healthy-after`.
    pub(crate) healthy_after: Duration,
    /// Which alarms are in ALARM.
    pub(crate) alarms: watch::Receiver<InAlarm>,
}

/// Looks at services until it is told to stop.
pub(crate) async fn run(
    cx: Arc<Context>,
    news: Arc<ServiceNews>,
    settings: Settings,
    cancel: CancellationToken,
) {
    let Settings {
        healthy_after,
        mut alarms,
    } = settings;
    let mut in_alarm = InAlarm::default();
    let mut queue = Queue::new(LOOK_EVERY);
    let mut looks: JoinSet<(ServiceKey, Result<Looked, Failure>)> = JoinSet::new();
    let sweep_ms = u64::try_from(SWEEP_EVERY.as_millis()).unwrap_or(u64::MAX);
    let mut sweep_at = 0;
    loop {
        let now = clock::monotonic_ms();
        if now >= sweep_at {
            sweep(&cx.state.snapshot(), &mut queue, now);
            forget(&cx).await;
            queue.forget(now);
            sweep_at = now.saturating_add(sweep_ms);
        }
        let (changes, lost) = {
            let mut told = news.told();
            (std::mem::take(&mut told.changes), told.lost.clone())
        };
        touch(&cx.state.snapshot(), &changes, &mut queue, now);
        let rings = alarms.borrow_and_update().clone();
        if rings != in_alarm {
            let turned = rings.symmetric_difference(&in_alarm).cloned().collect();
            touch_watching(&cx.state.snapshot(), &turned, &mut queue, now);
            in_alarm = rings;
        }
        let room = AT_ONCE_MAX.saturating_sub(looks.len());
        for key in queue.take(now, room) {
            let around = Surroundings {
                healthy_after,
                lost: lost.clone(),
                in_alarm: in_alarm.clone(),
            };
            looks.spawn(step(cx.clone(), key, around));
        }
        let full = looks.len() >= AT_ONCE_MAX;
        let next = queue.next_due().filter(|_| !full).unwrap_or(u64::MAX);
        let wake = clock::at_monotonic_ms(next.min(sweep_at));
        tokio::select! {
            () = cancel.cancelled() => break,
            () = news.bell.notified() => {}
            Ok(()) = alarms.changed() => {}
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

fn note(queue: &mut Queue<ServiceKey>, key: ServiceKey, outcome: Result<Looked, Failure>) {
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

fn sweep(state: &State, queue: &mut Queue<ServiceKey>, now: u64) {
    for service in state.services.iter() {
        if service.status != ServiceStatus::Inactive {
            queue.add(service.key.clone(), now);
        }
    }
}

/// Notes the services that the changes concern.
fn touch(state: &State, changes: &[Changed], queue: &mut Queue<ServiceKey>, now: u64) {
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
        let services = state.services.of_cluster(cluster, None);
        for service in services.filter(|service| service.memory.place_again_at.is_some()) {
            queue.add(service.key.clone(), now);
        }
    }
}

/// Notes the services whose deployments watch these alarms.
fn touch_watching(
    state: &State,
    turned: &BTreeSet<(Scope, Text)>,
    queue: &mut Queue<ServiceKey>,
    now: u64,
) {
    for service in state.services.iter() {
        let scope = &service.key.cluster.scope;
        let watched = service.spec.deployment.alarms.iter();
        let mut watched = watched.flat_map(|alarms| alarms.names.iter());
        if watched.any(|name| turned.contains(&(scope.clone(), name.clone()))) {
            queue.add(service.key.clone(), now);
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
