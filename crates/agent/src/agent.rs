//! One agent: carries out what its sessions and its engine decide.
//!
//! Everything of an agent happens in one asynchronous task, which waits for its sockets, the
//! runtime's events, work under way and the next date. It makes no choices of its own.

mod jobs;
mod session;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::agent::{AcsOutput, AcsSession, Ended, TcsOutput, TcsSession};
use berth_agent_proto::{Chance, acs};
use futures_util::StreamExt;
use futures_util::future::{AbortHandle, BoxFuture, pending};
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, secret_id};
use crate::config::AgentConfig;
use crate::directory::Directory;
use crate::ecs::{EcsClient, Endpoints};
use crate::engine::{Effect, Engine, EngineConfig, Now};
use crate::http::{ApiClient, CallError};
use crate::journal::{Change, Journal, JournalError};
use crate::kept::{self, Identity, Kept};
use crate::reach::Reach;
use crate::register;
use crate::runtime::{ErrorKind, Runtime, RuntimeError, RuntimeEvent, RuntimeFacts};
use crate::socket::{Incoming, Socket};
use crate::telemetry::Telemetry;
use jobs::{Channel, Done};

/// How many reports of all agents of a process are under way at once: a server whose commits take
/// 30 ms on a busy disk still takes four thousand a second, and few enough not to swamp it after
/// an outage.
pub(crate) const REPORTS_AT_ONCE: usize = 128;

/// How many registrations of all agents of a process are under way at once.
const REGISTRATIONS_AT_ONCE: usize = 32;

/// The first and the longest wait before a registration is tried again.
const REGISTER_WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(20));

/// What the agents of a process share.
#[derive(Clone)]
pub struct Shared {
    /// Runs containers.
    pub runtime: Arc<dyn Runtime>,
    /// Keeps what must outlive the process.
    pub journal: Journal,
    /// Calls the server.
    pub api: ApiClient,
    /// Tells the time.
    pub clock: Clock,
    reports: Arc<Semaphore>,
    registrations: Arc<Semaphore>,
    reach: Arc<Reach>,
}

impl Shared {
    /// Puts together what the agents of a process share.
    #[must_use]
    pub fn new(runtime: Arc<dyn Runtime>, journal: Journal, api: ApiClient, clock: Clock) -> Self {
        Self {
            runtime,
            journal,
            api,
            clock,
            reports: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
            registrations: Arc::new(Semaphore::new(REGISTRATIONS_AT_ONCE)),
            reach: Arc::new(Reach::new()),
        }
    }
}

/// How an agent stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Its instance's ARN, once it is registered.
    pub instance: Option<Arc<str>>,
    /// Whether work can come down.
    pub acs: bool,
    /// Whether telemetry can go up.
    pub tcs: bool,
}

/// How others in the process see an agent.
#[derive(Clone, Debug)]
pub struct Outlook {
    /// How it stands.
    pub status: watch::Sender<Status>,
    /// Its tasks; `None` before it is registered.
    pub directory: watch::Sender<Option<Arc<Directory>>>,
}

impl Outlook {
    /// An outlook on an agent that has not started.
    #[must_use]
    pub fn new() -> Self {
        Self {
            status: watch::Sender::new(Status::default()),
            directory: watch::Sender::new(None),
        }
    }
}

impl Default for Outlook {
    fn default() -> Self {
        Self::new()
    }
}

/// Why an agent ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The server will not have it.
    #[error("the server refused the registration")]
    Refused(#[source] CallError),
    /// The data directory belongs to an agent of another cluster.
    #[error("the data directory belongs to an agent of cluster {0}")]
    OtherCluster(String),
    /// What must be kept cannot be.
    #[error("nothing can be saved any more")]
    Journal(#[from] JournalError),
}

/// Runs an agent until it is cancelled. Containers go on running afterwards. `kept` is what the
/// journal holds of this agent (see [`kept::by_agent`]).
///
/// # Errors
/// When the server refuses it for good, or the journal is lost.
pub async fn run(
    config: AgentConfig,
    shared: Shared,
    kept: Kept,
    outlook: Option<Outlook>,
    cancel: CancellationToken,
) -> Result<(), AgentError> {
    let agent = async {
        let shell = Shell::start(config, shared, kept, outlook).await?;
        shell.run().await
    };
    cancel.run_until_cancelled(agent).await.unwrap_or(Ok(()))
}

/// What the agent waits for.
enum Event {
    Acs(Incoming),
    Tcs(Incoming),
    Runtime(Option<RuntimeEvent>),
    Done(Done),
    Time,
}

struct Shell {
    config: AgentConfig,
    shared: Shared,
    ecs: EcsClient,
    facts: RuntimeFacts,
    instance: Arc<str>,
    cluster: Arc<str>,
    identity: Identity,
    outlook: Option<Outlook>,
    directory: Option<Arc<Directory>>,
    engine: Engine,
    acs: AcsSession,
    tcs: TcsSession,
    telemetry: Telemetry,
    acs_socket: Option<Socket>,
    tcs_socket: Option<Socket>,
    /// Raised when an attempt to connect is given up, so that its late success is not taken for
    /// a connection.
    dials: [u64; 2],
    endpoints: Option<Endpoints>,
    events: mpsc::Receiver<RuntimeEvent>,
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    pulls: HashMap<(Arc<str>, usize), AbortHandle>,
    /// Tasks whose spec was kept.
    spec_kept: HashSet<Arc<str>>,
    /// Changes not yet handed to the journal.
    changes: Vec<Change>,
    runtime_ok: Option<bool>,
    runtime_since: i64,
    /// Whether a registration is under way because the server had forgotten the instance.
    registering: bool,
    chance: Chance,
}

impl Shell {
    async fn start(
        config: AgentConfig,
        shared: Shared,
        kept: Kept,
        outlook: Option<Outlook>,
    ) -> Result<Self, AgentError> {
        let mut chance = Chance::new(config.seed);
        let cluster: Arc<str> = config.cluster.as_str().into();
        let region: Arc<str> = config.region.as_str().into();
        let keys = Arc::clone(&config.keys);
        let ecs = EcsClient::new(shared.api.clone(), keys, region, Arc::clone(&cluster));
        if let Some(known) = &kept.identity
            && known.cluster != config.cluster
        {
            return Err(AgentError::OtherCluster(known.cluster.clone()));
        }
        let facts = facts(&shared).await;
        let known = kept.identity.as_ref().map(|known| &*known.instance);
        let given = register_until_done(&config, &shared, &ecs, &facts, known, &mut chance).await?;
        let identity = match kept.identity {
            Some(known) => known,
            None => {
                let identity = Identity {
                    cluster: config.cluster.clone(),
                    instance: given.into(),
                    manifest: -1,
                };
                let change = kept::keep_identity(config.number, &identity);
                shared.journal.write_durably(vec![change]).await?.await?;
                identity
            }
        };
        let instance = Arc::clone(&identity.instance);
        tracing::info!(%instance, "registered");
        let directory = outlook
            .as_ref()
            .map(|_| Arc::new(Directory::new(Arc::clone(&cluster), Arc::clone(&instance))));
        if let Some(outlook) = &outlook {
            outlook.directory.send_replace(directory.clone());
            outlook.status.send_replace(Status {
                instance: Some(Arc::clone(&instance)),
                ..Status::default()
            });
        }
        let capacity = register::capacity(&config, &facts);
        // Of what was registered, so that the server finds the CPU units again by what it knows.
        let telemetry = Telemetry::new(&config.cluster, &instance, capacity.cpu);
        let engine = Engine::new(EngineConfig {
            capacity,
            cleanup_wait: config.cleanup_wait,
            stop_timeout: config.stop_timeout,
            seed: chance.next_u64(),
        });
        let now = shared.clock.now();
        let mut shell = Self {
            telemetry,
            events: shared.runtime.events(&instance),
            acs: AcsSession::new(chance.next_u64(), identity.manifest, now),
            tcs: TcsSession::new(chance.next_u64(), now),
            runtime_since: shared.clock.wall_ms(now),
            config,
            shared,
            ecs,
            facts,
            instance,
            cluster,
            identity,
            outlook,
            directory,
            engine,
            acs_socket: None,
            tcs_socket: None,
            dials: [0; 2],
            endpoints: None,
            jobs: FuturesUnordered::new(),
            pulls: HashMap::new(),
            spec_kept: HashSet::new(),
            changes: Vec::new(),
            runtime_ok: None,
            registering: false,
            chance,
        };
        shell.restore(kept.tasks);
        Ok(shell)
    }

    /// Takes up the tasks of the process before, and asks the runtime what became of them.
    fn restore(&mut self, tasks: Vec<crate::engine::Saved>) {
        let now = self.now();
        for saved in tasks {
            self.spec_kept.insert(saved.task.arn.as_str().into());
            self.know_credentials(&saved.task);
            let arn = saved.task.arn.clone();
            self.engine.restore(now, saved);
            self.show(&arn);
        }
        self.list();
    }

    async fn run(mut self) -> Result<(), AgentError> {
        loop {
            let event = self.next_event().await;
            self.take(event).await?;
            self.poll().await?;
            if !self.changes.is_empty() {
                let changes = std::mem::take(&mut self.changes);
                self.shared.journal.write(changes).await?;
            }
        }
    }

    async fn next_event(&mut self) -> Event {
        let due = self.acs.due().min(self.tcs.due()).min(self.engine.due());
        let instant = self.shared.clock.instant(due);
        let Self {
            acs_socket,
            tcs_socket,
            events,
            jobs,
            ..
        } = self;
        tokio::select! {
            incoming = next_of(acs_socket) => Event::Acs(incoming),
            incoming = next_of(tcs_socket) => Event::Tcs(incoming),
            event = events.recv() => Event::Runtime(event),
            Some(done) = jobs.next(), if !jobs.is_empty() => Event::Done(done),
            () = tokio::time::sleep_until(instant) => Event::Time,
        }
    }

    async fn take(&mut self, event: Event) -> Result<(), AgentError> {
        match event {
            Event::Acs(Incoming::Text(text)) => {
                let mut out = Vec::new();
                self.acs.received(self.shared.clock.now(), &text, &mut out);
                self.do_acs(out).await
            }
            Event::Acs(Incoming::Ended(how)) => self.acs_ended(&how).await,
            Event::Tcs(Incoming::Text(text)) => {
                self.tcs.received(self.shared.clock.now(), &text);
                Ok(())
            }
            Event::Tcs(Incoming::Ended(how)) => {
                self.tcs_ended(&how);
                Ok(())
            }
            Event::Runtime(Some(RuntimeEvent::Gap)) => {
                self.list();
                Ok(())
            }
            Event::Runtime(Some(event)) => {
                if matches!(event, RuntimeEvent::Health { .. }) {
                    // A task may wait for it to be in service.
                    const SOON_MS: u64 = 500;
                    self.tcs.want_publication(self.shared.clock.now(), SOON_MS);
                }
                let mut out = Vec::new();
                self.engine.event(self.now(), &event, &mut out);
                self.do_effects(out);
                Ok(())
            }
            Event::Runtime(None) => {
                // The runtime gave the stream up: take a new one, and look what was missed.
                self.events = self.shared.runtime.events(&self.instance);
                self.list();
                Ok(())
            }
            Event::Done(done) => self.take_done(done).await,
            Event::Time => Ok(()),
        }
    }

    /// Does what the time asks for.
    async fn poll(&mut self) -> Result<(), AgentError> {
        let now = self.now();
        if now.mono >= self.engine.due() {
            let mut out = Vec::new();
            self.engine.poll(now, &mut out);
            self.do_effects(out);
        }
        if now.mono >= self.acs.due() {
            let mut out: Vec<AcsOutput> = Vec::new();
            self.acs.poll(now.mono, &mut out);
            self.do_acs(out).await?;
        }
        if now.mono >= self.tcs.due() {
            let mut out: Vec<TcsOutput> = Vec::new();
            self.tcs.poll(now.mono, &mut out);
            self.do_tcs(out).await;
        }
        Ok(())
    }

    fn now(&self) -> Now {
        let mono = self.shared.clock.now();
        Now {
            mono,
            wall: self.shared.clock.wall_ms(mono),
        }
    }

    /// Carries out what the engine decided.
    fn do_effects(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Work(arn, work) => self.begin(arn, work),
                Effect::AbandonPull(arn, index) => {
                    if let Some(pull) = self.pulls.remove(&(arn, index)) {
                        pull.abort();
                    }
                }
                Effect::Report(report) => {
                    if self.config.reports {
                        self.begin_report(report);
                    }
                }
                Effect::Save(arn) => {
                    if let Some(saved) = self.engine.saved(&arn) {
                        if self.spec_kept.insert(Arc::clone(&arn)) {
                            let change = kept::keep_task(self.config.number, &saved.task);
                            self.changes.push(change);
                        }
                        let change = kept::keep_state(self.config.number, &arn, &saved.state);
                        self.changes.push(change);
                    }
                    self.show(&arn);
                }
                Effect::Show(arn) => self.show(&arn),
                Effect::Forget(arn) => {
                    self.spec_kept.remove(&arn);
                    self.changes.extend(kept::forget(self.config.number, &arn));
                    if let Some(directory) = &self.directory {
                        directory.remove(&arn);
                    }
                    tracing::debug!(task = %arn, "task removed");
                }
                Effect::DropCredentials(arn) => self.drop_credentials(&arn),
                Effect::Note(arn, text) => tracing::info!(task = %arn, "{text}"),
            }
        }
    }

    fn show(&self, arn: &str) {
        if let (Some(directory), Some(view)) = (&self.directory, self.engine.view(arn)) {
            directory.put(view);
        }
    }

    fn tell_status(&self) {
        if let Some(outlook) = &self.outlook {
            let (acs, tcs) = (self.acs.is_open(), self.tcs.is_open());
            outlook.status.send_if_modified(|status| {
                let changed = (status.acs, status.tcs) != (acs, tcs);
                (status.acs, status.tcs) = (acs, tcs);
                changed
            });
        }
    }
}

async fn next_of(socket: &mut Option<Socket>) -> Incoming {
    match socket {
        Some(socket) => socket.next().await,
        None => pending().await,
    }
}

/// Asks the runtime about the machine until it answers.
async fn facts(shared: &Shared) -> RuntimeFacts {
    const AGAIN: Duration = Duration::from_secs(2);
    loop {
        match shared.runtime.facts().await {
            Ok(facts) => return facts,
            Err(error) => tracing::warn!(%error, "waiting for the container runtime"),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Registers, again and again until it is done or refused for good.
async fn register_until_done(
    config: &AgentConfig,
    shared: &Shared,
    ecs: &EcsClient,
    facts: &RuntimeFacts,
    known: Option<&str>,
    chance: &mut Chance,
) -> Result<String, AgentError> {
    let occasion = known.map_or(register::Occasion::First, register::Occasion::Return);
    let request = register::request(config, facts, occasion);
    let token = secret_id();
    let (mut wait, longest) = REGISTER_WAIT;
    loop {
        let error = {
            let permit = shared.registrations.acquire().await;
            let _permit = permit.expect("the semaphore is never closed");
            match ecs.register(&request, &token).await {
                Ok(arn) => return Ok(arn),
                Err(error) => error,
            }
        };
        let can_be_made = error.is("ClusterNotFoundException") && config.makes_cluster();
        if can_be_made && ecs.create_cluster().await.is_ok() {
            continue;
        }
        if error.is("InvalidParameterException") || error.is("ClientException") {
            return Err(AgentError::Refused(error));
        }
        tracing::warn!(%error, "could not register; trying again");
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tokio::time::sleep(Duration::from_millis(chance.between(wait_ms / 2, wait_ms))).await;
        wait = (wait * 2).min(longest);
    }
}
