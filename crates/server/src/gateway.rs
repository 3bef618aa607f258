//! The agent gateway: one session per connected agent, and what it is told and tells.
//!
//! Rules kept here:
//! - a new session of an instance replaces the old one at once;
//! - what is due to an agent is a query of the state, not a queue of ours: a session is woken
//!   when its instance's tasks change, and reads the newest state;
//! - connectivity is written by sessions alone, and never saved.

mod acs;
mod request;
mod socket;
mod tcs;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use berth_agent_proto::server::Close;
use berth_model::id::{InstanceId, TaskId};
use berth_model::time::Timestamp;
use berth_ops::Context;
use berth_state::Changed;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use self::request::INACTIVE;
use crate::clock;
use crate::contacts::{About, AgentSockets, Attempt, Contacts, Door, Trouble};
use crate::metrics::Metrics;
use crate::roles::RoleKey;
use crate::telemetry::Telemetry;

pub(crate) use acs::upgrade as acs_upgrade;
pub(crate) use request::{peer, signed_by};
pub(crate) use tcs::upgrade as tcs_upgrade;

/// Where agents open their ACS socket: `/ws` under the endpoint of DiscoverPollEndpoint.
pub(crate) const ACS_PATH: &str = "/acs/ws";
/// Where agents open their TCS socket: `/ws` under the telemetry endpoint.
pub(crate) const TCS_PATH: &str = "/tcs/ws";

/// Changed tasks that a session remembers; one that falls further behind sweeps all of its
/// instance's tasks.
const MAILBOX_MAX: usize = 1024;

/// The sessions of one term of leadership.
pub(crate) struct Gateway {
    cx: Arc<Context>,
    epoch: u32,
    roles: RoleKey,
    metrics: Arc<Metrics>,
    telemetry: Arc<Telemetry>,
    contacts: Arc<Contacts>,
    /// How many TCS sockets each instance has open.
    tcs: Mutex<HashMap<InstanceId, usize>>,
    slots: RwLock<HashMap<InstanceId, Slot>>,
    generations: AtomicU64,
    /// Since when, in monotonic milliseconds, this server leads.
    leads_since: u64,
    /// Ends every session when leadership does.
    cancel: CancellationToken,
}

/// What the gateway knows of one instance's agent.
struct Slot {
    /// The session that counts, if the agent is connected.
    session: Option<Arc<Mailbox>>,
    /// Where it comes from, and since when it is there.
    from: (IpAddr, Timestamp),
    /// Which session that is: an older one that ends late must not undo a newer one.
    generation: u64,
    /// Where the next session goes on counting messages.
    counter: u32,
    /// Since when there is no session, in monotonic milliseconds.
    away_since: u64,
}

/// How a session hears that it should look again.
pub(crate) struct Mailbox {
    news: Mutex<News>,
    bell: Notify,
    /// The session has been replaced.
    replaced: CancellationToken,
}

/// What changed since the session looked last.
#[derive(Default)]
struct News {
    tasks: Vec<TaskId>,
    /// Too much changed to keep track of, or the session is new: look at everything.
    sweep: bool,
    /// The instance's own record changed.
    instance: bool,
}

/// One instance without a session.
pub(crate) struct AwayAgent {
    pub(crate) instance: InstanceId,
    pub(crate) away_ms: u64,
    pub(crate) seen: bool,
}

impl Gateway {
    /// No sessions yet.
    pub(crate) fn new(
        cx: Arc<Context>,
        epoch: u32,
        roles: RoleKey,
        metrics: Arc<Metrics>,
        telemetry: Arc<Telemetry>,
        contacts: Arc<Contacts>,
        cancel: CancellationToken,
    ) -> Arc<Self> {
        metrics.agents.set(0);
        Arc::new(Self {
            cx,
            epoch,
            roles,
            metrics,
            telemetry,
            contacts,
            tcs: Mutex::default(),
            slots: RwLock::default(),
            generations: AtomicU64::new(0),
            leads_since: clock::monotonic_ms(),
            cancel,
        })
    }

    /// How many agents are connected.
    pub(crate) fn connected(&self) -> usize {
        self.slots()
            .values()
            .filter(|slot| slot.session.is_some())
            .count()
    }

    /// Whether this instance's agent has a session.
    pub(crate) fn is_connected(&self, instance: InstanceId) -> bool {
        self.slots()
            .get(&instance)
            .is_some_and(|slot| slot.session.is_some())
    }

    /// Wakes the sessions that the changes concern, each once: what was started by one call goes
    /// to its agent in as few messages as can be.
    pub(crate) fn dispatch(&self, changes: &[Changed]) {
        let slots = self.slots();
        let mut told: Vec<(InstanceId, &Arc<Mailbox>)> = Vec::new();
        for change in changes {
            let (instance, task) = match change {
                Changed::Task(task, Some(instance)) => (instance, Some(*task)),
                Changed::Instance(instance) => (instance, None),
                Changed::Task(_, None)
                | Changed::Connection(_)
                | Changed::Cluster(_)
                | Changed::Definition(_)
                | Changed::Service(_)
                | Changed::Other => continue,
            };
            let Some(mailbox) = slots.get(instance).and_then(|slot| slot.session.as_ref()) else {
                continue;
            };
            mailbox.tell(task);
            // Changes of one instance stand mostly side by side; a bell rung twice does no harm.
            if told.last().is_none_or(|(last, _)| last != instance) {
                told.push((*instance, mailbox));
            }
        }
        for (_, mailbox) in told {
            mailbox.ring();
        }
    }

    /// How long each of these instances has been without a session.
    pub(crate) fn away(&self, instances: impl Iterator<Item = InstanceId>) -> Vec<AwayAgent> {
        let (slots, now) = (self.slots(), clock::monotonic_ms());
        let away = |instance| match slots.get(&instance) {
            Some(Slot {
                session: Some(_), ..
            }) => None,
            Some(slot) => Some(AwayAgent {
                instance,
                away_ms: now - slot.away_since,
                seen: true,
            }),
            None => Some(AwayAgent {
                instance,
                away_ms: now - self.leads_since,
                seen: false,
            }),
        };
        instances.filter_map(away).collect()
    }

    /// A session of this instance begins; it replaces the one before it.
    fn enter(&self, instance: InstanceId, from: IpAddr) -> (Arc<Mailbox>, u64, u32) {
        let mailbox = Arc::new(Mailbox {
            news: Mutex::new(News {
                sweep: true,
                ..News::default()
            }),
            bell: Notify::new(),
            replaced: CancellationToken::new(),
        });
        let generation = self.generations.fetch_add(1, Ordering::Relaxed) + 1;
        let mut slots = self.slots_mut();
        let slot = slots.entry(instance).or_insert(Slot {
            session: None,
            from: (from, clock::wall()),
            generation,
            counter: 0,
            away_since: clock::monotonic_ms(),
        });
        slot.generation = generation;
        slot.from = (from, clock::wall());
        // The old session may count on for a moment; this leaves it room below the new one.
        slot.counter = slot.counter.saturating_add(COUNTER_GAP);
        let counter = slot.counter;
        match slot.session.replace(mailbox.clone()) {
            Some(old) => old.replaced.cancel(),
            None => self.metrics.agents.inc(),
        }
        (mailbox, generation, counter)
    }

    /// The sockets of an instance's agent.
    pub(crate) fn sockets(&self, instance: InstanceId) -> AgentSockets {
        let slots = self.slots();
        let open = slots.get(&instance).filter(|slot| slot.session.is_some());
        AgentSockets {
            acs: open.map(|slot| slot.from),
            tcs: self.tcs().contains_key(&instance),
        }
    }

    /// Counts a TCS socket of this instance until it is dropped.
    fn open_tcs(self: &Arc<Self>, instance: InstanceId) -> OpenTcs {
        *self.tcs().entry(instance).or_default() += 1;
        OpenTcs {
            gateway: self.clone(),
            instance,
        }
    }

    /// Remembers that an open socket ended by the server's will.
    fn note_closed(&self, instance: InstanceId, from: IpAddr, door: Door, close: Close) {
        let trouble = match close.reason {
            INACTIVE => Trouble::Refused(INACTIVE.to_owned()),
            _ => Trouble::Closed,
        };
        self.note(instance, from, door, trouble, close.reason.to_owned());
    }

    /// Remembers that a session was replaced by a newer one.
    fn note_replaced(&self, instance: InstanceId, from: IpAddr) {
        let by = self.slots().get(&instance).map(|slot| slot.from.0);
        let by = by.map_or_else(String::new, |by| format!("from {by}"));
        self.note(instance, from, Door::Acs, Trouble::Replaced, by);
    }

    fn note(&self, instance: InstanceId, from: IpAddr, door: Door, trouble: Trouble, text: String) {
        let state = self.cx.state.snapshot();
        let Some(record) = state.instances.get(&instance) else {
            return;
        };
        let attempt = Attempt {
            from,
            account: Some(record.cluster.scope.account),
            door,
            trouble,
            text,
            about: About {
                instance: Some(record.cluster.instance_arn(instance)),
                ..About::default()
            },
        };
        self.contacts.note(attempt, None, clock::wall());
    }

    fn tcs(&self) -> MutexGuard<'_, HashMap<InstanceId, usize>> {
        self.tcs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far a session has counted.
    fn counted(&self, instance: InstanceId, generation: u64, counter: u32) {
        let mut slots = self.slots_mut();
        if let Some(slot) = slots
            .get_mut(&instance)
            .filter(|s| s.generation == generation)
        {
            slot.counter = slot.counter.max(counter);
        }
    }

    /// A session ended. Answers whether it was the one that counts, so that the instance is now
    /// without one.
    fn leave(&self, instance: InstanceId, generation: u64) -> bool {
        let mut slots = self.slots_mut();
        let Some(slot) = slots.get_mut(&instance) else {
            return false;
        };
        if slot.generation != generation || slot.session.is_none() {
            return false;
        }
        slot.session = None;
        slot.away_since = clock::monotonic_ms();
        self.metrics.agents.dec();
        true
    }

    fn slots(&self) -> RwLockReadGuard<'_, HashMap<InstanceId, Slot>> {
        self.slots.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn slots_mut(&self) -> RwLockWriteGuard<'_, HashMap<InstanceId, Slot>> {
        self.slots.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A TCS socket that is open.
struct OpenTcs {
    gateway: Arc<Gateway>,
    instance: InstanceId,
}

impl Drop for OpenTcs {
    fn drop(&mut self) {
        let mut open = self.gateway.tcs();
        if let Some(count) = open.get_mut(&self.instance) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.instance);
            }
        }
    }
}

/// Numbers left free between two sessions of an instance: more than the old one can still send
/// between being replaced and hearing of it.
const COUNTER_GAP: u32 = 4096;

impl Mailbox {
    /// A task of the session's instance changed, or the instance itself; heard of with the next
    /// [`Mailbox::ring`].
    fn tell(&self, task: Option<TaskId>) {
        let mut news = self.news();
        match task {
            None => news.instance = true,
            Some(_) if news.sweep => {}
            Some(task) if news.tasks.len() < MAILBOX_MAX => news.tasks.push(task),
            Some(_) => {
                news.tasks.clear();
                news.sweep = true;
            }
        }
    }

    /// The session looks at what it was told.
    fn ring(&self) {
        self.bell.notify_one();
    }

    /// What changed since the last call.
    fn take(&self) -> News {
        std::mem::take(&mut self.news())
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
