//! Which agents have a session, which session of an instance counts, and who is told what.
//!
//! Rules kept here:
//! - a new session of an instance replaces the one before at once, and an older one that ends
//!   late undoes nothing;
//! - a session numbers its messages above all that the one before it can still send;
//! - what is due to an agent is a query of the state and not a queue: a session is only told
//!   what is worth a look.

use std::collections::HashMap;
use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::time::Timestamp;
use berth_state::{Changed, State};

use crate::absence::{AbsenceWatch, Missed};

/// Numbers left free between two sessions of an instance: more than the old one can still send
/// between being replaced and hearing of it.
pub const COUNTER_GAP: u32 = 4096;
/// Changed tasks that a session remembers; one that falls further behind sweeps all of its
/// instance's tasks.
const TASKS_MAX: usize = 1024;

/// Where a session hears that it should look again.
pub trait Mailbox {
    /// A task of the session's instance changed, or with `None` the instance itself; heard of
    /// with the next [`ring`](Self::ring).
    fn tell(&self, task: Option<TaskId>);
    /// The session looks at what it was told.
    fn ring(&self);
}

/// What changed since a session looked last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SessionNews {
    /// Tasks of its instance that changed.
    pub tasks: Vec<TaskId>,
    /// Too much changed to keep track of, or the session is new: look at everything.
    pub sweep: bool,
    /// The instance's own record changed.
    pub instance: bool,
}

impl SessionNews {
    /// The news of a session that begins.
    #[must_use]
    pub fn of_new_session() -> Self {
        Self {
            sweep: true,
            ..Self::default()
        }
    }

    /// Takes in that a task changed, or the instance itself.
    pub fn tell(&mut self, task: Option<TaskId>) {
        match task {
            None => self.instance = true,
            Some(_) if self.sweep => {}
            Some(task) if self.tasks.len() < TASKS_MAX => self.tasks.push(task),
            Some(_) => {
                self.tasks.clear();
                self.sweep = true;
            }
        }
    }
}

/// The sessions of one term of leadership; `M` is each one's mailbox.
#[derive(Debug)]
pub struct Presence<M> {
    slots: HashMap<InstanceId, Slot<M>>,
    sessions: u64,
    connected: usize,
    /// Since when, in monotonic milliseconds, this server leads.
    leads_since: u64,
}

/// What is known of one instance's agent.
#[derive(Debug)]
struct Slot<M> {
    /// The session that counts, if the agent is connected.
    mailbox: Option<Arc<M>>,
    /// Which session that is, or was.
    session: u64,
    /// Where the next session goes on counting messages.
    counter: u32,
    /// Since when there is no session, in monotonic milliseconds.
    away_since: u64,
}

/// A session has begun.
#[derive(Debug)]
pub struct Entered<M> {
    /// Which session of this term it is.
    pub session: u64,
    /// From where it counts its messages.
    pub counter: u32,
    /// The mailbox of the session that it replaces.
    pub replaced: Option<Arc<M>>,
}

impl<M: Mailbox> Presence<M> {
    /// No sessions yet; this server leads since `now`.
    #[must_use]
    pub fn new(now: u64) -> Self {
        Self {
            slots: HashMap::new(),
            sessions: 0,
            connected: 0,
            leads_since: now,
        }
    }

    /// How many agents are connected.
    #[must_use]
    pub fn connected(&self) -> usize {
        self.connected
    }

    /// Whether this instance's agent has a session.
    #[must_use]
    pub fn is_connected(&self, instance: InstanceId) -> bool {
        let slot = self.slots.get(&instance);
        slot.is_some_and(|slot| slot.mailbox.is_some())
    }

    /// A session of this instance begins; it replaces the one before it.
    pub fn enter(&mut self, instance: InstanceId, mailbox: Arc<M>, now: u64) -> Entered<M> {
        self.sessions += 1;
        let session = self.sessions;
        let slot = self.slots.entry(instance).or_insert(Slot {
            mailbox: None,
            session,
            counter: 0,
            away_since: now,
        });
        slot.session = session;
        // The old session may count on for a moment; this leaves it room below the new one.
        slot.counter = slot.counter.saturating_add(COUNTER_GAP);
        let replaced = slot.mailbox.replace(mailbox);
        if replaced.is_none() {
            self.connected += 1;
        }
        Entered {
            session,
            counter: slot.counter,
            replaced,
        }
    }

    /// A session ended, having counted its messages up to `counter`. Answers whether it was the
    /// one that counts, so that the instance is now without one.
    pub fn leave(&mut self, instance: InstanceId, session: u64, counter: u32, now: u64) -> bool {
        let slot = self.slots.get_mut(&instance);
        let Some(slot) = slot.filter(|slot| slot.session == session) else {
            return false;
        };
        slot.counter = slot.counter.max(counter);
        if slot.mailbox.take().is_none() {
            return false;
        }
        slot.away_since = now;
        self.connected -= 1;
        true
    }

    /// Tells the sessions that the changes concern, and rings each once: what was started by one
    /// call goes to its agent in as few messages as can be.
    pub fn dispatch(&self, changes: &[Changed]) {
        let mut told: Vec<(InstanceId, &Arc<M>)> = Vec::new();
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
            let slot = self.slots.get(instance);
            let Some(mailbox) = slot.and_then(|slot| slot.mailbox.as_ref()) else {
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

    /// Which agents are away now.
    pub fn missed(
        &self,
        watch: &mut AbsenceWatch,
        now: u64,
        wall: Timestamp,
        state: &State,
    ) -> Missed {
        let away = |instance| match self.slots.get(&instance) {
            Some(slot) if slot.mailbox.is_some() => None,
            Some(slot) => Some((now.saturating_sub(slot.away_since), true)),
            None => Some((now.saturating_sub(self.leads_since), false)),
        };
        watch.look(now, wall, state, self.connected, &away)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[derive(Debug, Default)]
    struct Letterbox(RefCell<(SessionNews, u32)>);

    impl Mailbox for Letterbox {
        fn tell(&self, task: Option<TaskId>) {
            self.0.borrow_mut().0.tell(task);
        }
        fn ring(&self) {
            self.0.borrow_mut().1 += 1;
        }
    }

    fn instance(n: u8) -> InstanceId {
        InstanceId::from_bytes([n; 16])
    }

    fn task(n: u8) -> TaskId {
        TaskId::from_bytes([n; 16])
    }

    #[test]
    fn an_older_session_that_ends_late_undoes_nothing() {
        let mut presence = Presence::new(5);
        let first = presence.enter(instance(1), Arc::<Letterbox>::default(), 10);
        let second = presence.enter(instance(1), Arc::<Letterbox>::default(), 20);
        assert!(first.replaced.is_none() && second.replaced.is_some());
        assert!(!presence.leave(instance(1), first.session, first.counter + 7, 30));
        assert!(presence.is_connected(instance(1)) && presence.connected() == 1);
        assert!(presence.leave(instance(1), second.session, second.counter + 9, 40));
        assert!(!presence.leave(instance(1), second.session, second.counter + 9, 50));
        assert!(!presence.is_connected(instance(1)) && presence.connected() == 0);
    }

    #[test]
    fn each_session_counts_above_what_the_one_before_can_send() {
        let mut presence = Presence::new(0);
        let first = presence.enter(instance(1), Arc::<Letterbox>::default(), 0);
        let second = presence.enter(instance(1), Arc::<Letterbox>::default(), 0);
        assert!(second.counter >= first.counter + COUNTER_GAP);
        presence.leave(instance(1), second.session, second.counter + 100_000, 0);
        let third = presence.enter(instance(1), Arc::<Letterbox>::default(), 0);
        assert!(third.counter > second.counter + 100_000);
    }

    #[test]
    fn sessions_are_told_of_their_own_instance_and_rung_once() {
        let mut presence = Presence::new(0);
        let (one, two) = (Arc::<Letterbox>::default(), Arc::<Letterbox>::default());
        presence.enter(instance(1), one.clone(), 0);
        presence.enter(instance(2), two.clone(), 0);
        presence.dispatch(&[
            Changed::Task(task(1), Some(instance(1))),
            Changed::Task(task(2), Some(instance(1))),
            Changed::Task(task(3), Some(instance(3))),
            Changed::Task(task(4), None),
            Changed::Connection(instance(2)),
        ]);
        let news = SessionNews {
            tasks: vec![task(1), task(2)],
            ..SessionNews::default()
        };
        assert_eq!(*one.0.borrow(), (news, 1));
        assert_eq!(*two.0.borrow(), (SessionNews::default(), 0));
        presence.dispatch(&[Changed::Instance(instance(2))]);
        assert!(two.0.borrow().0.instance);
    }

    #[test]
    fn a_session_that_falls_behind_looks_at_everything() {
        let mut news = SessionNews::default();
        for _ in 0..=TASKS_MAX {
            news.tell(Some(task(1)));
        }
        assert!(news.sweep && news.tasks.is_empty());
        news.tell(Some(task(2)));
        assert!(news.tasks.is_empty());
    }
}
