//! One server from its start to its end: the real writer, operations, reconcilers and sessions;
//! the loops around them are the server's own, without its tasks and sockets.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::name::ServiceKey;
use berth_model::time::Timestamp;
use berth_ops::{Call, Caller, Context, DefinitionCache, Limits, PageTokens};
use berth_placement::Fleet;
use berth_reconcile::absence::{self, Absent, Patience};
use berth_reconcile::purge::{self, Retention};
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{
    Commit, Failure, Handle, Ids, Inbox, Job, Lane, LaneLimits, Lanes, State, Writer,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::Value;

use crate::gateway::Slot;
use crate::logs::NoLogs;
use crate::mutant::{self, Mutant};
use crate::notes::Notes;
use crate::queue::Queue;
use crate::watch;

/// The account and region of every call.
pub(crate) const SCOPE: &str = "123456789012/us-east-1";
/// As in the server: how often every service is looked at, and absence, in milliseconds.
const SWEEP_EVERY_MS: u64 = 60_000;
const HOUSEKEEPING_EVERY_MS: u64 = 1_000;
/// As in the server: how long agents' reports wait for the database.
const REPORTS_WAIT_MS: u64 = 30_000;

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
}

/// What a future came to.
pub(crate) enum Answer {
    Call(Result<Value, String>),
    Looked(ServiceKey, Result<Looked, Failure>),
    Noted,
}

/// The way in to the writer's lanes.
pub(crate) struct SimInbox {
    lanes: Mutex<Lanes>,
}

impl SimInbox {
    pub(crate) fn lanes(&self) -> MutexGuard<'_, Lanes> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for SimInbox {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
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
    pub(crate) slots: BTreeMap<InstanceId, Slot>,
    /// Instances with a session, as closures on the writer ask.
    pub(crate) connected: Arc<Mutex<BTreeSet<InstanceId>>>,
    pub(crate) generations: u64,
    pub(crate) leads_since: u64,
    pub(crate) queue: Queue,
    pub(crate) pending: Vec<(Who, BoxFuture<'static, Answer>)>,
    pub(crate) notes: Notes,
    pub(crate) settings: Settings,
    pub(crate) lost: BTreeSet<InstanceId>,
    sweep_at: u64,
    housekeeping_at: u64,
    crowd: Crowd,
    held_since: Option<u64>,
}

/// How many agents were connected lately.
#[derive(Default)]
struct Crowd {
    counts: VecDeque<(u64, usize)>,
    paused_until: u64,
}

impl Crowd {
    fn is_mass_loss(&mut self, now: u64, connected: usize) -> bool {
        let window = u64::try_from(absence::MASS_WINDOW.as_millis()).unwrap_or(u64::MAX);
        self.counts
            .retain(|(at, _)| now.saturating_sub(*at) <= window);
        self.counts.push_back((now, connected));
        let before = self.counts.iter().map(|(_, count)| *count).max();
        let before = before.unwrap_or(0);
        if absence::is_mass_loss(before, before - connected) {
            let pause = u64::try_from(absence::MASS_PAUSE.as_millis()).unwrap_or(u64::MAX);
            self.paused_until = now + pause;
        }
        now < self.paused_until
    }
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
        });
        let cx = Context {
            state: Handle::new(inbox.clone(), writer.newest()),
            definitions: DefinitionCache::default(),
            logs: Arc::new(NoLogs),
            pages: PageTokens::new([9; 32]),
            limits: Limits {
                advertise_url: None,
            },
            wall,
        };
        Self {
            epoch,
            writer,
            inbox,
            cx: Arc::new(cx),
            saving: None,
            slots: BTreeMap::new(),
            connected: Arc::default(),
            generations: 0,
            leads_since: now,
            queue: Queue::default(),
            pending: Vec::new(),
            notes,
            settings,
            lost: BTreeSet::new(),
            sweep_at: now,
            housekeeping_at: now + HOUSEKEEPING_EVERY_MS,
            crowd: Crowd::default(),
            held_since: None,
        }
    }

    /// Whether it has counted enough connected agents lately to tell that all have vanished.
    pub(crate) fn knows_its_crowd(&self, now: u64) -> bool {
        let lately = |(at, count): &(u64, usize)| now.saturating_sub(*at) <= 30_000 && *count >= 3;
        self.crowd.counts.iter().any(lately)
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
            principal: berth_ops::Principal::Account,
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
        let handle = self.cx.state.clone();
        let run = async move {
            // What is lost is made up for by the next look at the same thing.
            let _ = handle.transact(lane, change).await;
            Answer::Noted
        };
        self.pending.push((Who::Server, run.boxed()));
    }

    /// Runs what can run, and answers what ended.
    pub(crate) fn poll_pending(&mut self, now: u64, wall: Timestamp) -> Vec<(Who, Answer)> {
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
        for (_, answer) in &ended {
            if let Answer::Looked(key, outcome) = answer
                && let Ok(Looked { again_at: Some(at) }) = outcome
            {
                let in_ms = u64::try_from(at.since(wall).as_millis()).unwrap_or(u64::MAX);
                let at = now.saturating_add(in_ms).saturating_add(1);
                self.queue.add(key.clone(), at);
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
        if now >= self.sweep_at {
            self.sweep_at = now + SWEEP_EVERY_MS;
            self.queue.sweep(&state, now);
            self.forget_services(&state, wall);
        }
        if now >= self.housekeeping_at {
            self.housekeeping_at = now + HOUSEKEEPING_EVERY_MS;
            self.housekeep(now, wall, &state, excused);
        }
        for key in self.queue.take(now) {
            self.look(key);
        }
        match (self.writer.holds_reports(), self.held_since) {
            (true, None) => self.held_since = Some(now),
            (true, Some(since)) if now - since > REPORTS_WAIT_MS => {
                self.writer.refuse_held();
                self.held_since = None;
            }
            (true, Some(_)) => {}
            (false, _) => self.held_since = None,
        }
    }

    fn look(&mut self, key: ServiceKey) {
        let around = Surroundings {
            healthy_after: self.settings.healthy_after,
            lost: self.lost.clone(),
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

    fn absent(&self, now: u64, wall: Timestamp, state: &State) -> Vec<Absent> {
        let mutant = self.settings.mutant;
        let counted = state
            .instances
            .iter()
            .filter(|(_, i)| i.status != berth_model::instance::InstanceStatus::Inactive);
        let mut absent = Vec::new();
        for (id, _) in counted {
            let slot = self.slots.get(id);
            if slot.is_some_and(|slot| slot.session.is_some()) {
                continue;
            }
            let (away_since, seen) = match slot {
                Some(slot) => (slot.away_since, true),
                None => (self.leads_since, false),
            };
            let known = state.connections.get(id);
            let since = known.map_or(Duration::MAX, |known| wall.since(known.since));
            let seen = seen || mutant == Some(Mutant::ForgetsFirstReturn);
            absent.push(Absent {
                instance: *id,
                away: Duration::from_millis(now - away_since).min(since),
                seen,
            });
        }
        absent
    }

    fn housekeep(
        &mut self,
        now: u64,
        wall: Timestamp,
        state: &State,
        excused: &dyn Fn(InstanceId) -> bool,
    ) {
        let patience = self.settings.patience;
        let connected = self.slots.values().filter(|s| s.session.is_some()).count();
        let mut paused = self.crowd.is_mass_loss(now, connected);
        if paused {
            self.notes.cover("absence: mass loss waited out");
        }
        if self.settings.mutant == Some(Mutant::IgnoresMassLoss) {
            paused = false;
        }
        let absent = self.absent(now, wall, state);
        let mut lost = absence::lost(&absent, &patience, paused);
        if self.settings.mutant == Some(Mutant::LosesAtOnce) {
            lost.extend(absent.iter().map(|one| one.instance));
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
        let turned = self.lost.symmetric_difference(&lost);
        let turned: Vec<_> = turned
            .map(|id| berth_state::Changed::Instance(*id))
            .collect();
        self.queue.touch(state, &turned, now);
        self.lost = lost;
        let plan = absence::decide(state, &absent, &patience, paused);
        if !plan.is_empty() {
            if !plan.lost.is_empty() {
                self.notes.cover("absence: task without service given up");
            }
            if !plan.disconnect.is_empty() {
                self.notes.cover("absence: disconnected");
            }
            self.note(Lane::Controllers, move |tx| {
                let plan = absence::decide(tx.state(), &absent, &patience, paused);
                absence::carry_out(tx, &plan);
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

    fn forget_services(&mut self, state: &State, wall: Timestamp) {
        let kept = self.settings.retention.inactive_instances;
        let old = move |service: &berth_model::service::Service, now: Timestamp| {
            service.status == berth_model::service::ServiceStatus::Inactive
                && service.ended_at.is_some_and(|at| now.since(at) >= kept)
        };
        let gone: Vec<ServiceKey> = state
            .services
            .iter()
            .filter(|service| old(service, wall))
            .map(|service| service.key.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        self.notes.cover("purge: deleted service");
        self.note(Lane::Controllers, move |tx| {
            let now = tx.now();
            for key in &gone {
                if tx.state().services.get(key).is_some_and(|s| old(s, now)) {
                    tx.remove_service(key);
                }
            }
            Ok(())
        });
    }
}
