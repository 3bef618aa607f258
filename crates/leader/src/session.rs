//! One agent's ACS session: which of its instance's tasks are due to it, and what its questions
//! are answered with. The order and the numbers of messages are `agent-proto`'s business.
//!
//! Rules kept here:
//! - only tasks of the session's own instance are sent, and each when it is due by the state;
//! - an agent that comes is asked which of its tasks it has: what has ended while no server could
//!   hear of it is found out so;
//! - an agent may stop a task that its manifest does not have only when the record says so. One
//!   that is unknown, after a restore for instance, is left running;
//! - a deregistered instance is sent away for good.

use std::collections::VecDeque;
use std::sync::Arc;

use berth_agent_proto::acs::ToAgent;
use berth_agent_proto::server::{AcsConfig, AcsOutput, AcsSession, CLOSE_POLICY, Close, DueTask};
use berth_agent_proto::task::Credentials;
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, InstanceStatus};
use berth_model::task::{Desired, LastStatus, Task};
use berth_state::{Connection, State, Tx};

use crate::presence::SessionNews;

/// How long the report of a task is waited for that its agent does not name when the roll is
/// called: one that has just ended is reported within the 10 s after which our agent tries again.
const REPORT_GRACE_MS: u64 = 15_000;

/// The name that silences an agent for an hour: for an instance that was deregistered, and for
/// nothing else (reference §3.4).
pub const INACTIVE: &str = "InactiveInstanceException";

/// Why a session was closed whose instance has a newer one.
pub const REPLACED: Close = Close {
    code: CLOSE_POLICY,
    reason: "replaced by a newer connection",
};

/// What makes messages from records: the one thing that a session asks of its server.
pub trait Payloads {
    /// The wire forms of these tasks; one that cannot be made is left out.
    fn tasks(&self, state: &State, instance: InstanceId, tasks: &[&Arc<Task>]) -> Vec<DueTask>;
    /// The credentials of a task's roles, each with its kind as the agent names it.
    fn credentials(
        &self,
        state: &State,
        instance: InstanceId,
        task: &Task,
    ) -> Vec<(&'static str, Credentials)>;
}

/// What the caller shall do, in this order.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "outputs live for one call, and most are messages"
)]
pub enum SessionOutput {
    /// Send this as one text frame.
    Send(ToAgent),
    /// Send a WebSocket ping.
    Ping,
    /// Close the socket; the session is over.
    Close(Close),
    /// Stops of these tasks go to the agent: to be noted by [`note_stops_sent`]. Not to be waited
    /// for: a note that is lost only leaves a status behind that the agent's report will lead on.
    StopsSent(Vec<TaskId>),
    /// The agent has none of these tasks any more, and nobody heard how they ended: to be noted by
    /// [`note_missing`].
    Missing(Vec<TaskId>),
    /// So many tasks were sent and not acknowledged for long; those still due are sent again.
    Overdue(usize),
    /// The agent asked for tasks to be stopped that its manifest does not have.
    Confirmed {
        /// How many of them shall stop.
        confirmed: usize,
        /// How many it asked for.
        asked: usize,
    },
    /// A message came that cannot be used: worth a line in the log.
    Ignored(String),
}

/// Where a session stands in its term and its instance's sessions.
#[derive(Clone, Copy, Debug)]
pub struct SessionPlace {
    /// The epoch of the leading server, as agents count it.
    pub epoch: u32,
    /// From where messages are counted ([`crate::Entered::counter`]).
    pub counter: u32,
    /// What `sendCredentials` in the upgrade said.
    pub send_credentials: bool,
    /// Spreads timers; different for each session.
    pub seed: u64,
    /// How often the credentials of tasks are sent anew, in milliseconds.
    pub renew_every: u64,
}

/// When something happens, and what the state is then.
#[derive(Clone, Copy)]
pub struct Moment<'a> {
    /// The instant, in monotonic milliseconds.
    pub now: u64,
    /// The newest state.
    pub state: &'a State,
    /// What makes messages.
    pub payloads: &'a dyn Payloads,
}

/// One connected agent.
#[derive(Debug)]
pub struct AgentSession {
    instance: InstanceId,
    acs: AcsSession,
    renew_every: u64,
    renew_at: u64,
    /// Tasks that the agent did not name when the roll was called, and until when their reports
    /// are waited for.
    missing: Option<(u64, Vec<TaskId>)>,
    over: bool,
}

impl AgentSession {
    /// A session over a socket that was just opened; `None` when the instance is gone.
    #[must_use]
    pub fn new(instance: InstanceId, state: &State, place: SessionPlace, now: u64) -> Option<Self> {
        let record = state.instances.get(&instance)?;
        let config = AcsConfig {
            cluster_arn: record.cluster.arn(),
            instance_arn: record.cluster.instance_arn(instance),
            epoch: place.epoch,
            counter: place.counter,
            send_credentials: place.send_credentials,
            seed: place.seed,
        };
        Some(Self {
            instance,
            acs: AcsSession::new(config, now),
            renew_every: place.renew_every,
            renew_at: 0,
            missing: None,
            over: false,
        })
    }

    /// Up to which number messages are counted.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.acs.counter()
    }

    /// Whether the session is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.over || self.acs.is_closed()
    }

    /// When [`poll`](Self::poll) is to be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        let missing = self.missing.as_ref().map_or(u64::MAX, |(at, _)| *at);
        self.acs.due().min(self.renew_at).min(missing)
    }

    /// The session begins to speak: credentials, what is due, and a manifest after it. Every
    /// session begins with credentials, wanted or not: an agent that comes back may have been
    /// away for as long as they last.
    pub fn begin(&mut self, at: Moment<'_>, news: SessionNews, out: &mut Vec<SessionOutput>) {
        let mut inner = Vec::new();
        self.acs.poll(at.now, &mut inner);
        self.renew_credentials(at, &mut inner);
        self.acs.want_manifest(&mut inner);
        self.look_at(at, news, &mut inner, out);
        self.answer(at, inner, out);
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, at: Moment<'_>, out: &mut Vec<SessionOutput>) {
        let mut inner = Vec::new();
        if at.now >= self.acs.due() {
            self.acs.poll(at.now, &mut inner);
        }
        if at.now >= self.renew_at {
            self.renew_credentials(at, &mut inner);
        }
        if let Some((_, tasks)) = self.missing.take_if(|(due, _)| at.now >= *due) {
            let tasks = still_with_agent(at.state, tasks);
            if !tasks.is_empty() {
                out.push(SessionOutput::Missing(tasks));
            }
        }
        self.answer(at, inner, out);
    }

    /// Looks at what changed, and sends what is due.
    pub fn look(&mut self, at: Moment<'_>, news: SessionNews, out: &mut Vec<SessionOutput>) {
        let mut inner = Vec::new();
        self.look_at(at, news, &mut inner, out);
        self.answer(at, inner, out);
    }

    /// A text frame came in (or a binary one whose content is text).
    pub fn received(&mut self, at: Moment<'_>, frame: &str, out: &mut Vec<SessionOutput>) {
        let mut inner = Vec::new();
        self.acs.received(at.now, frame, &mut inner);
        self.answer(at, inner, out);
    }

    /// A pong, a ping or any other frame without a message came in.
    pub fn sign_of_life(&mut self, at: Moment<'_>, out: &mut Vec<SessionOutput>) {
        let mut inner = Vec::new();
        self.acs.sign_of_life(at.now, &mut inner);
        self.answer(at, inner, out);
    }

    fn look_at(
        &mut self,
        at: Moment<'_>,
        news: SessionNews,
        inner: &mut Vec<AcsOutput>,
        out: &mut Vec<SessionOutput>,
    ) {
        if news.instance && self.is_inactive(at.state) {
            inner.push(AcsOutput::Close(Close {
                code: CLOSE_POLICY,
                reason: INACTIVE,
            }));
            return;
        }
        let mut due = Vec::new();
        if news.sweep {
            due.extend(at.state.tasks.due(self.instance));
        }
        for id in news.tasks {
            match at.state.tasks.get(id) {
                // What is told of other instances' tasks is none of this session's business.
                Some(task) if task.instance != Some(self.instance) => {}
                Some(task) if task.start_due() || task.stop_due() => due.push(task),
                Some(task) => self.acs.settled(id, task.desired, inner),
                None => self.acs.settled(id, Desired::Stopped, inner),
            }
        }
        due.retain(|task| self.acs.wants(task.id, task.desired));
        if due.is_empty() {
            return;
        }
        let stops = due
            .iter()
            .filter(|task| task.desired == Desired::Stopped && task.last < LastStatus::Stopping);
        let stops: Vec<TaskId> = stops.map(|task| task.id).collect();
        let tasks = at.payloads.tasks(at.state, self.instance, &due);
        self.acs.deliver(at.now, tasks, inner);
        if !stops.is_empty() {
            out.push(SessionOutput::StopsSent(stops));
        }
    }

    fn is_inactive(&self, state: &State) -> bool {
        let record = state.instances.get(&self.instance);
        record.is_none_or(|instance| instance.status == InstanceStatus::Inactive)
    }

    /// Sends the credentials of every task that the agent has, and says when to do so again. An
    /// agent keeps them in memory alone.
    fn renew_credentials(&mut self, at: Moment<'_>, inner: &mut Vec<AcsOutput>) {
        self.renew_at = at.now.saturating_add(self.renew_every);
        let live = at.state.tasks.on_instance(self.instance);
        // What is still to be sent brings its own.
        let live = live.filter(|task| task.last != LastStatus::Stopped && !task.start_due());
        for task in live {
            let arn = task.spec.cluster.task_arn(task.id);
            for (kind, credentials) in at.payloads.credentials(at.state, self.instance, task) {
                self.acs.credentials(&arn, kind, credentials, inner);
            }
        }
    }

    /// Hands on what the protocol's own session wants, and answers its questions.
    fn answer(&mut self, at: Moment<'_>, inner: Vec<AcsOutput>, out: &mut Vec<SessionOutput>) {
        // Answering one output may bring forth others.
        let mut waiting: VecDeque<AcsOutput> = inner.into();
        while let Some(output) = waiting.pop_front() {
            let mut more = Vec::new();
            match output {
                AcsOutput::Send(message) => out.push(SessionOutput::Send(message)),
                AcsOutput::Ping => out.push(SessionOutput::Ping),
                AcsOutput::Close(close) => {
                    self.over = true;
                    out.push(SessionOutput::Close(close));
                    return;
                }
                AcsOutput::ManifestDue => match self.expected(at.state) {
                    expected if expected.is_empty() => {
                        self.acs.manifest(self.manifest(at.state), &mut more);
                    }
                    expected => self.acs.roll_call(expected, &mut more),
                },
                AcsOutput::Missing(tasks) => {
                    self.missing = Some((at.now.saturating_add(REPORT_GRACE_MS), tasks));
                }
                AcsOutput::StopCandidates { manifest, tasks } => {
                    let asked = tasks.len();
                    let mut confirmed = tasks;
                    confirmed.retain(|arn| may_stop(at.state, arn));
                    out.push(SessionOutput::Confirmed {
                        confirmed: confirmed.len(),
                        asked,
                    });
                    self.acs.confirm_stops(manifest, confirmed, &mut more);
                }
                AcsOutput::Overdue(tasks) => {
                    out.push(SessionOutput::Overdue(tasks.len()));
                    let news = SessionNews {
                        tasks,
                        ..SessionNews::default()
                    };
                    self.look_at(at, news, &mut more, out);
                }
                AcsOutput::CredentialsWanted
                | AcsOutput::CredentialsAcked(_)
                | AcsOutput::Acked(_) => {}
                AcsOutput::Ignored(what) => out.push(SessionOutput::Ignored(what)),
            }
            waiting.extend(more);
        }
    }

    /// The tasks that the agent must have, as far as is known here: it has reported them, they are
    /// wanted, and nobody has said that they ended.
    fn expected(&self, state: &State) -> Vec<TaskId> {
        let tasks = state.tasks.on_instance(self.instance);
        let with_agent = tasks.filter(|task| task.is_with_agent());
        with_agent.map(|task| task.id).collect()
    }

    /// The instance's live tasks, and what is wanted of each.
    fn manifest(&self, state: &State) -> Vec<(String, Desired)> {
        let tasks = state.tasks.on_instance(self.instance);
        let live = tasks.filter(|task| task.last != LastStatus::Stopped);
        live.map(|task| (task.spec.cluster.task_arn(task.id), task.desired))
            .collect()
    }
}

/// Those of whose end nothing was heard meanwhile.
fn still_with_agent(state: &State, tasks: Vec<TaskId>) -> Vec<TaskId> {
    let with_agent = |id: &TaskId| {
        state
            .tasks
            .get(*id)
            .is_some_and(|task| task.is_with_agent())
    };
    tasks.into_iter().filter(with_agent).collect()
}

fn may_stop(state: &State, arn: &str) -> bool {
    let id: Option<TaskId> = EcsArn::parse(arn).and_then(|arn| arn.last().parse().ok());
    let task = id.and_then(|id| state.tasks.get(id));
    task.is_some_and(|task| task.desired == Desired::Stopped)
}

/// Writes down whether an instance has a session, and what its agent said of itself.
///
/// `is_connected` is asked within the transaction, for a newer session may have begun since the
/// one that ended.
pub fn note_connection(
    tx: &mut Tx<'_>,
    instance: InstanceId,
    is_connected: impl Fn() -> bool,
    version: Option<&AgentVersion>,
) {
    let since = tx.now();
    let connected = is_connected();
    tx.set_connection(instance, Some(Connection { connected, since }));
    let known = tx.state().instances.get(&instance);
    let changed = known.zip(version).filter(|(i, v)| i.version_info != **v);
    if let Some((record, version)) = changed {
        let mut record = (**record).clone();
        record.version_info = version.clone();
        record.version += 1;
        tx.put_instance(record);
    }
}

/// Writes down that stops of these tasks were handed to their agent.
pub fn note_stops_sent(tx: &mut Tx<'_>, stops: &[TaskId]) {
    for id in stops {
        let sent = tx.state().tasks.get(*id).and_then(|task| task.stop_sent());
        if let Some(task) = sent {
            tx.put_task(task);
        }
    }
}

/// Writes down that tasks of an instance ended whose agent has them no more.
pub fn note_missing(tx: &mut Tx<'_>, instance: InstanceId, missing: &[TaskId]) {
    let now = tx.now();
    for id in missing {
        let task = tx.state().tasks.get(*id);
        let task = task.filter(|task| task.instance == Some(instance));
        if let Some(ended) = task.and_then(|task| task.ended_unseen(now)) {
            tx.put_task(ended);
        }
    }
}
