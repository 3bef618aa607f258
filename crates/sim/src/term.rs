//! One server from its start to its end: the real writer, operations, reconcilers, sessions and
//! step machines of a leader, driven in one thread.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use berth_leader::{
    AbsenceWatch, DOWN_FOR, Missed, Next, Outage, Presence, ServiceNews, Step, Turns, WriterPace,
};
use berth_model::id::InstanceId;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_ops::{Call, Caller, Context, DefinitionCache, Limits, NoLogs, NoMetrics, PageTokens};
use berth_placement::Fleet;
use berth_reconcile::absence::Patience;
use berth_reconcile::purge::{self, Retention};
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_reconcile::waiting;
use berth_state::{
    Commit, Failure, Handle, Ids, Inbox, Job, Lane, LaneLimits, Lanes, State, Writer,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::gateway::{Sessions, SimPresence};
use crate::mutant::{self, Mutant};
use crate::notes::Notes;
use crate::watch;

/// The account and region of every call.
pub(crate) const SCOPE: &str = "123456789012/us-east-1";
/// As in the server: how often absence and things past their time are looked at, in milliseconds.
const HOUSEKEEPING_EVERY_MS: u64 = 1_000;

/// Who waits for a future.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    /// A call of a user, by number.
    User(u64),
    /// A call of an agent: which, what, and the call's number.
    Agent(usize, &'static str, u64),
    /// One whose answer is lost on its way: of this user's call, if it is one's.
    Nobody(Option<u64>),
    /// The server itself.
    Server,
    /// A session of an agent, by number: it waits for its note that it is connected.
    Session(u64),
}

/// What a future came to.
pub(crate) enum Answer {
    Call(Result<Value, String>),
    Looked(ServiceKey, Result<Looked, Failure>),
    Waited(ClusterKey, Result<waiting::Looked, Failure>),
    Noted,
}

/// The way in to the writer's lanes.
pub(crate) struct SimInbox {
    lanes: Mutex<Lanes>,
    outage: Outage,
    now: AtomicU64,
}

impl SimInbox {
    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for SimInbox {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
        if self.outage.refuses(lane, self.now.load(Ordering::Relaxed)) {
            return std::future::ready(Err(Failure::Unavailable)).boxed();
        }
        let outcome = self.lanes().offer(lane, job);
        std::future::ready(outcome.map_err(|_| Failure::Overloaded)).boxed()
    }
}

/// A commit that is being saved.
pub(crate) struct Saving {
    pub(crate) commit: Commit,
    pub(crate) until: u64,
    pub(crate) outcome: berth_state::Outcome,
}

/// What a server is told at its start.
#[derive(Clone)]
pub(crate) struct Settings {
    pub(crate) patience: Patience,
    pub(crate) retention: Retention,
    pub(crate) healthy_after: Duration,
    pub(crate) wait_for_room: WaitForRoom,
    pub(crate) move_over: bool,
    pub(crate) batch_max: usize,
    pub(crate) mutant: Option<Mutant>,
}

/// One server.
pub(crate) struct Term {
    pub(crate) epoch: u32,
    pub(crate) writer: Writer,
    pub(crate) inbox: Arc<SimInbox>,
    pub(crate) cx: Arc<Context>,
    pub(crate) saving: Option<Saving>,
    pub(crate) presence: SimPresence,
    pub(crate) sessions: Sessions,
    pub(crate) news: ServiceNews,
    pub(crate) turns: Turns,
    pub(crate) waiting: waiting::Queue,
    pub(crate) pending: Vec<(Who, BoxFuture<'static, Answer>)>,
    pub(crate) notes: Notes,
    pub(crate) settings: Settings,
    housekeeping_at: u64,
    watch: AbsenceWatch,
    pace: WriterPace,
    /// Until when no batch is begun, because the database failed.
    pause_until: u64,
}

impl Term {
    /// A server that begins to lead.
    pub(crate) fn begin(
        (state, fleet): (State, Fleet),
        seed: [u8; 32],
        epoch: u32,
        now: u64,
        wall: fn() -> Timestamp,
        settings: Settings,
        notes: Notes,
    ) -> Self {
        let writer = Writer::new(state, fleet, Ids::from_seed(seed));
        let limits = LaneLimits {
            waiting_max: 8192,
            batch_max: settings.batch_max,
        };
        let inbox = Arc::new(SimInbox {
            lanes: Mutex::new(Lanes::new(limits)),
            outage: Outage::default(),
            now: AtomicU64::new(now),
        });
        let cx = Context {
            state: Handle::new(inbox.clone(), writer.newest()),
            definitions: DefinitionCache::default(),
            logs: Arc::new(NoLogs),
            metrics: Arc::new(NoMetrics),
            history: None,
            pages: PageTokens::new([9; 32]),
            limits: Limits {
                advertise_url: None,
                wait_for_room: settings.wait_for_room,
            },
            wall,
        };
        let leads_since = match settings.mutant {
            Some(Mutant::CountsFromBefore) => 0,
            _ => now,
        };
        Self {
            epoch,
            writer,
            inbox,
            cx: Arc::new(cx),
            saving: None,
            presence: Arc::new(Mutex::new(Presence::new(leads_since))),
            sessions: Sessions::new(),
            news: ServiceNews::default(),
            turns: Turns::default(),
            waiting: waiting::Queue::default(),
            pending: Vec::new(),
            notes,
            settings,
            housekeeping_at: now + HOUSEKEEPING_EVERY_MS,
            watch: AbsenceWatch::default(),
            pace: WriterPace::default(),
            pause_until: 0,
        }
    }

    /// Whether it has counted enough connected agents lately to tell that all have vanished.
    pub(crate) fn knows_its_crowd(&self, now: u64) -> bool {
        self.watch.most_since(now.saturating_sub(30_000)) >= 3
    }

    /// Lets time pass.
    pub(crate) fn at(&self, now: u64) {
        self.inbox.now.store(now, Ordering::Relaxed);
    }

    /// Whether the writer may begin a batch.
    pub(crate) fn may_gather(&self, now: u64) -> bool {
        now >= self.pause_until
    }

    /// The writer took a step.
    pub(crate) fn stepped(&mut self, step: Step, now: u64) {
        let next = self
            .pace
            .after(step, &mut self.writer, &self.inbox.outage, now);
        match next {
            Next::GoOn | Next::Wait => {}
            Next::Pause => self.pause_until = now + ms(DOWN_FOR),
        }
    }

    /// The last saved state.
    pub(crate) fn snapshot(&self) -> Arc<State> {
        self.cx.state.snapshot()
    }

    /// Begins a call of an operation.
    pub(crate) fn call(&mut self, who: Who, operation: &str, body: &Value) {
        let caller = Caller {
            scope: SCOPE.parse().expect("the scope is well formed"),
            arn: "arn:aws:iam::123456789012:user/admin".to_owned(),
            user_id: "AIDAEXAMPLE".to_owned(),
            instance: None,
            base_url: "http://127.0.0.1:7070".to_owned(),
        };
        let served = berth_ops::find("ecs", operation).expect("the operation is served");
        let call = Call::new(self.cx.clone(), Arc::new(caller));
        let body = Bytes::from(body.to_string());
        let run = async move {
            let answer = served.run(call, body, "request".to_owned()).await;
            Answer::Call(match answer {
                Ok(response) => Ok(serde_json::from_slice(response.body()).unwrap_or(Value::Null)),
                Err(error) => Err(format!("{}: {}", error.0.code, error.0.message)),
            })
        };
        self.pending.push((who, run.boxed()));
    }

    /// Changes the state for the server itself.
    pub(crate) fn note(
        &mut self,
        lane: Lane,
        change: impl FnMut(&mut berth_state::Tx<'_>) -> Result<(), Failure> + Send + 'static,
    ) {
        self.note_for(Who::Server, lane, change);
    }

    /// Changes the state for somebody who waits for it.
    pub(crate) fn note_for(
        &mut self,
        who: Who,
        lane: Lane,
        change: impl FnMut(&mut berth_state::Tx<'_>) -> Result<(), Failure> + Send + 'static,
    ) {
        let handle = self.cx.state.clone();
        let run = async move {
            // What is lost is made up for by the next look at the same thing.
            let _ = handle.transact(lane, change).await;
            Answer::Noted
        };
        self.pending.push((who, run.boxed()));
    }

    /// Runs what can run, and answers what ended.
    pub(crate) fn poll_pending(&mut self, now: u64, wall: Timestamp) -> Vec<(Who, Answer)> {
        let mutant = self.settings.mutant;
        let mut cx = TaskContext::from_waker(Waker::noop());
        let mut ended = Vec::new();
        let mut waiting = Vec::with_capacity(self.pending.len());
        for (who, mut future) in std::mem::take(&mut self.pending) {
            match future.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => ended.push((who, answer)),
                Poll::Pending => waiting.push((who, future)),
            }
        }
        self.pending.extend(waiting);
        for (who, answer) in &ended {
            match (who, answer) {
                (_, Answer::Looked(..)) if mutant == Some(Mutant::NeverEndsLooks) => {}
                (_, Answer::Looked(key, Ok(looked))) => {
                    self.turns.looked(key.clone(), *looked, now, wall);
                }
                (_, Answer::Looked(_, Err(_))) => {
                    self.notes.cover("turns: look failed");
                    self.turns.dropped();
                }
                (_, Answer::Waited(cluster, looked)) => {
                    let looked = looked.as_ref().ok().cloned();
                    let again_at = looked.as_ref().and_then(|looked| looked.again_at);
                    let again_at = again_at.map(|at| {
                        let in_ms = u64::try_from(at.since(wall).as_millis());
                        now.saturating_add(in_ms.unwrap_or(u64::MAX))
                            .saturating_add(1)
                    });
                    self.waiting.note(cluster, looked, again_at);
                }
                (Who::Session(number), Answer::Noted) => self.connection_noted(*number),
                (_, Answer::Noted | Answer::Call(_)) => {}
            }
        }
        ended
    }

    /// The loops: services, absent agents, things past their time.
    pub(crate) fn loops(
        &mut self,
        now: u64,
        wall: Timestamp,
        excused: &dyn Fn(InstanceId) -> bool,
    ) {
        let state = self.snapshot();
        if now >= self.housekeeping_at {
            self.housekeeping_at = now + HOUSEKEEPING_EVERY_MS;
            self.housekeep(now, wall, &state, excused);
        }
        let told = self.news.take();
        self.turns.hear(&state, &told, now);
        for key in self.turns.next(&state, now) {
            self.look(key);
        }
        self.waiting.sweep(&state, now);
        for turn in self.waiting.take(now) {
            self.find_room(turn);
        }
    }

    fn look(&mut self, key: ServiceKey) {
        let around = Surroundings {
            healthy_after: self.settings.healthy_after,
            lost: self.news.given_up().clone(),
            move_over: self.settings.move_over,
            wait_for_room: self.settings.wait_for_room,
        };
        let (notes, mutant) = (self.notes.clone(), self.settings.mutant);
        let handle = self.cx.state.clone();
        let looked_at = key.clone();
        let run = async move {
            let looked = handle.transact(Lane::Controllers, move |tx| {
                let before = tx.state().clone();
                let looked = look(tx, &looked_at, &around);
                if let Some(mutant) = mutant {
                    mutant::tamper(mutant, tx, &before, &looked_at, &around);
                }
                watch::after_look(&notes, &before, tx.state(), &looked_at, &around, tx.now());
                Ok::<_, Failure>(looked)
            });
            Answer::Looked(key, looked.await)
        };
        self.pending.push((Who::Server, run.boxed()));
    }

    fn find_room(&mut self, turn: waiting::Turn) {
        let setting = self.settings.wait_for_room;
        let (notes, mutant) = (self.notes.clone(), self.settings.mutant);
        let handle = self.cx.state.clone();
        let cluster = turn.cluster.clone();
        let run = async move {
            let looked = handle.transact(Lane::Controllers, move |tx| {
                let before = tx.state().clone();
                let looked = waiting::look(tx, &turn, setting);
                if let Some(mutant) = mutant {
                    mutant::tamper_waiting(mutant, tx, &before);
                }
                if turn.after.is_none() {
                    watch::after_finding_room(&notes, &before, tx.state());
                }
                Ok::<_, Failure>(looked)
            });
            Answer::Waited(cluster, looked.await)
        };
        self.pending.push((Who::Server, run.boxed()));
    }

    fn missed(&mut self, now: u64, wall: Timestamp, state: &State) -> Missed {
        let mutant = self.settings.mutant;
        if mutant == Some(Mutant::ForgetsCrowd) {
            self.watch = AbsenceWatch::default();
        }
        let presence = self.presence.clone();
        let presence = presence.lock().unwrap_or_else(PoisonError::into_inner);
        let mut missed = presence.missed(&mut self.watch, now, wall, state);
        if missed.paused {
            self.notes.cover("absence: mass loss waited out");
        }
        match mutant {
            Some(Mutant::IgnoresMassLoss) => missed.paused = false,
            Some(Mutant::ForgetsFirstReturn) => {
                for absent in &mut missed.absent {
                    absent.seen = true;
                }
            }
            _ => {}
        }
        missed
    }

    fn housekeep(
        &mut self,
        now: u64,
        wall: Timestamp,
        state: &State,
        excused: &dyn Fn(InstanceId) -> bool,
    ) {
        let patience = self.settings.patience;
        let missed = self.missed(now, wall, state);
        let mut lost = missed.lost(&patience);
        if self.settings.mutant == Some(Mutant::LosesAtOnce) {
            lost.extend(missed.absent.iter().map(|one| one.instance));
        }
        for id in &lost {
            self.notes.cover("absence: instance lost");
            if !excused(*id) {
                self.notes.broken(
                    "no healthy container is killed by an outage of ours",
                    format!("instance {id} is given up though it could be reached"),
                );
            }
        }
        self.news.lost(lost);
        let plan = missed.plan(state, &patience);
        if !plan.is_empty() {
            if !plan.lost.is_empty() {
                self.notes.cover("absence: task without service given up");
            }
            if !plan.disconnect.is_empty() {
                self.notes.cover("absence: disconnected");
            }
            self.note(Lane::Controllers, move |tx| {
                missed.carry_out(tx, &patience);
                Ok(())
            });
        }
        let retention = self.settings.retention;
        let plan = purge::decide(state, wall, &retention);
        if !plan.is_empty() {
            if !plan.tasks.is_empty() {
                self.notes.cover("purge: stopped task");
            }
            if !plan.instances.is_empty() {
                self.notes.cover("purge: deregistered instance");
            }
            if !plan.services.is_empty() {
                self.notes.cover("purge: deleted service");
            }
            let mutant = self.settings.mutant;
            self.note(Lane::Controllers, move |tx| {
                let plan = purge::decide(tx.state(), tx.now(), &retention);
                purge::carry_out(tx, &plan);
                if mutant == Some(Mutant::PurgesLive) {
                    mutant::purge_live(tx);
                }
                Ok(())
            });
        }
    }
}

fn ms(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
