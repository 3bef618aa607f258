//! The agent gateway: one session per connected agent, and what it is told and tells. What a
//! session says says `leader`.
//!
//! Rules kept here:
//! - a session is woken when its instance's tasks change, and reads the newest state;
//! - connectivity is written by sessions alone, and never saved.

mod acs;
mod request;
mod socket;
mod sockets;
mod tcs;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use berth_leader::{AbsenceWatch, Missed, Presence, SessionNews};
use berth_model::id::{InstanceId, TaskId};
use berth_ops::Context;
use berth_state::Changed;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::contacts::{AgentSockets, Contacts};
use crate::metrics::Metrics;
use crate::roles::RoleKey;
use crate::telemetry::Telemetry;
use sockets::OpenSockets;

pub(crate) use acs::upgrade as acs_upgrade;
pub(crate) use request::{peer, signed_by};
pub(crate) use tcs::upgrade as tcs_upgrade;

/// Where agents open their ACS socket: `/ws` under the endpoint of DiscoverPollEndpoint.
pub(crate) const ACS_PATH: &str = "/acs/ws";
/// Where agents open their TCS socket: `/ws` under the telemetry endpoint.
pub(crate) const TCS_PATH: &str = "/tcs/ws";

/// The sessions of one term of leadership.
pub(crate) struct Gateway {
    cx: Arc<Context>,
    epoch: u32,
    roles: RoleKey,
    metrics: Arc<Metrics>,
    telemetry: Arc<Telemetry>,
    contacts: Arc<Contacts>,
    open: OpenSockets,
    presence: RwLock<Presence<Mailbox>>,
    /// Ends every session when leadership does.
    cancel: CancellationToken,
}

/// How a session hears that it should look again.
pub(crate) struct Mailbox {
    news: Mutex<SessionNews>,
    bell: Notify,
    /// The session has been replaced.
    replaced: CancellationToken,
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
            open: OpenSockets::default(),
            presence: RwLock::new(Presence::new(clock::monotonic_ms())),
            cancel,
        })
    }

    /// How many agents are connected.
    pub(crate) fn connected(&self) -> usize {
        self.presence().connected()
    }

    /// Whether this instance's agent has a session.
    pub(crate) fn is_connected(&self, instance: InstanceId) -> bool {
        self.presence().is_connected(instance)
    }

    /// Wakes the sessions that the changes concern.
    pub(crate) fn dispatch(&self, changes: &[Changed]) {
        self.presence().dispatch(changes);
    }

    /// The sockets of an instance's agent.
    pub(crate) fn sockets(&self, instance: InstanceId) -> AgentSockets {
        self.open.of(instance)
    }

    /// Which agents are away now.
    pub(crate) fn missed(&self, watch: &mut AbsenceWatch) -> Missed {
        let state = self.cx.state.snapshot();
        self.presence()
            .missed(watch, clock::monotonic_ms(), clock::wall(), &state)
    }

    /// A session of this instance begins; it replaces the one before it. Answers its mailbox,
    /// which session it is, and from where it counts.
    fn enter(&self, instance: InstanceId, from: IpAddr) -> (Arc<Mailbox>, u64, u32) {
        let mailbox = Arc::new(Mailbox {
            news: Mutex::new(SessionNews::of_new_session()),
            bell: Notify::new(),
            replaced: CancellationToken::new(),
        });
        let entered = self.change_presence(|presence| {
            presence.enter(instance, mailbox.clone(), clock::monotonic_ms())
        });
        self.open
            .acs_begun(instance, entered.session, from, clock::wall());
        if let Some(old) = entered.replaced {
            old.replaced.cancel();
        }
        (mailbox, entered.session, entered.counter)
    }

    /// A session ended, having counted up to `counter`. Answers whether the instance is now
    /// without one.
    fn leave(&self, instance: InstanceId, session: u64, counter: u32) -> bool {
        self.open.acs_ended(instance, session);
        self.change_presence(|presence| {
            presence.leave(instance, session, counter, clock::monotonic_ms())
        })
    }

    fn presence(&self) -> RwLockReadGuard<'_, Presence<Mailbox>> {
        self.presence.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change_presence<T>(&self, change: impl FnOnce(&mut Presence<Mailbox>) -> T) -> T {
        let mut presence = self
            .presence
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        let answer = change(&mut presence);
        let connected = i64::try_from(presence.connected()).unwrap_or(i64::MAX);
        self.metrics.agents.set(connected);
        answer
    }
}

impl Mailbox {
    /// What changed since the last call.
    fn take(&self) -> SessionNews {
        std::mem::take(&mut self.news())
    }

    fn news(&self) -> MutexGuard<'_, SessionNews> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl berth_leader::Mailbox for Mailbox {
    fn tell(&self, task: Option<TaskId>) {
        self.news().tell(task);
    }

    fn ring(&self) {
        self.bell.notify_one();
    }
}
