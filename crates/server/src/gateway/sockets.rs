//! Where agents' open sockets come from, and how those ended that the server closed: what
//! `berth doctor agent` tells.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_agent_proto::server::Close;
use berth_leader::INACTIVE;
use berth_model::id::InstanceId;
use berth_model::time::Timestamp;

use super::Gateway;
use crate::clock;
use crate::contacts::{About, AgentSockets, Attempt, Door, Trouble};

/// The open sockets of all agents.
#[derive(Debug, Default)]
pub(super) struct OpenSockets {
    acs: Mutex<HashMap<InstanceId, AcsOrigin>>,
    /// How many each instance has.
    tcs: Mutex<HashMap<InstanceId, usize>>,
}

/// Where a session comes from, and since when it is there.
#[derive(Clone, Copy, Debug)]
struct AcsOrigin {
    session: u64,
    from: IpAddr,
    since: Timestamp,
}

impl OpenSockets {
    /// What is open of an instance's agent.
    pub(super) fn of(&self, instance: InstanceId) -> AgentSockets {
        let acs = lock(&self.acs).get(&instance).copied();
        AgentSockets {
            acs: acs.map(|origin| (origin.from, origin.since)),
            tcs: lock(&self.tcs).contains_key(&instance),
        }
    }

    /// A session begins.
    pub(super) fn acs_begun(
        &self,
        instance: InstanceId,
        session: u64,
        from: IpAddr,
        since: Timestamp,
    ) {
        let origin = AcsOrigin {
            session,
            from,
            since,
        };
        let mut acs = lock(&self.acs);
        // Two that begin at once may come here in another order.
        if acs
            .get(&instance)
            .is_none_or(|known| known.session < session)
        {
            acs.insert(instance, origin);
        }
    }

    /// A session ended; one that was replaced leaves the newer one there.
    pub(super) fn acs_ended(&self, instance: InstanceId, session: u64) {
        let mut acs = lock(&self.acs);
        if acs
            .get(&instance)
            .is_some_and(|origin| origin.session == session)
        {
            acs.remove(&instance);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A TCS socket that is open, until it is dropped.
pub(super) struct OpenTcs {
    gateway: Arc<Gateway>,
    instance: InstanceId,
}

impl OpenTcs {
    /// A socket of this instance opens.
    pub(super) fn new(gateway: Arc<Gateway>, instance: InstanceId) -> Self {
        *lock(&gateway.open.tcs).entry(instance).or_default() += 1;
        Self { gateway, instance }
    }
}

impl Drop for OpenTcs {
    fn drop(&mut self) {
        let mut open = lock(&self.gateway.open.tcs);
        if let Some(count) = open.get_mut(&self.instance) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.instance);
            }
        }
    }
}

impl Gateway {
    /// Remembers that an open socket ended by the server's will.
    pub(super) fn note_closed(&self, instance: InstanceId, from: IpAddr, door: Door, close: Close) {
        let trouble = match close.reason {
            INACTIVE => Trouble::Refused(INACTIVE.to_owned()),
            _ => Trouble::Closed,
        };
        self.note(instance, from, door, trouble, close.reason.to_owned());
    }

    /// Remembers that a session was replaced by a newer one.
    pub(super) fn note_replaced(&self, instance: InstanceId, from: IpAddr) {
        let newer = self.open.of(instance).acs;
        let by = newer.map_or_else(String::new, |(from, _)| format!("from {from}"));
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
}
