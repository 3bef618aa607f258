//! Agents of this process: what the command line says, put into the `agent` crate's terms.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use berth_agent::agent::{AgentError, Outlook, Shared};
use berth_agent::clock::Clock;
use berth_agent::config::{AgentConfig, Capacity};
use berth_agent::ecs::EcsClient;
use berth_agent::http::{ApiClient, Dialer, HttpError, KeySource};
use berth_agent::journal::{Journal, JournalError, Loaded};
use berth_agent::kept::{self, Kept};
use berth_agent::runtime::docker::logs::ServerLogs;
use berth_agent::runtime::docker::{DockerRuntime, DockerSettings};
use berth_agent::runtime::simulated::{RunTime, Simulated, SimulatedConfig};
use berth_agent::runtime::{PullBehavior, Runtime};
use tokio::sync::OnceCell;

use crate::cli::{self, ImagePullBehavior, Simulation, Work};
use crate::exit::Failure;
use crate::task_endpoints::TaskEndpoints;

/// Time between stop signal and kill where the container says nothing; the stock agent's.
const STOP_TIMEOUT: Duration = Duration::from_secs(30);
/// Ports of the machine's own services, as the stock agent reserves them: ssh, Docker, and the
/// agent's own.
const RESERVED_PORTS: [u16; 5] = [22, 2375, 2376, 51678, 51679];
/// With less room than this, an image is not pulled: a full disk stops more than one task.
const DISK_FREE_MIN: u64 = 512 * 1024 * 1024;
/// Images that no container used for so long are removed.
const IMAGE_AGE: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// How often a start that waits for something says so: soon enough that nobody thinks it dead.
const TELL_EVERY: Duration = Duration::from_secs(3);
/// What a simulated machine has when nothing else is said: a usual small server.
const SIMULATED_CPU: u32 = 4096;
const SIMULATED_MEMORY: u32 = 16_384;

/// What the agents of one account and region work with.
pub(crate) struct Workshop {
    pub(crate) shared: Shared,
    /// What the journal holds of each, by number.
    pub(crate) kept: HashMap<u32, Kept>,
    /// What tasks call; simulated ones call nothing.
    pub(crate) endpoints: Option<TaskEndpoints>,
}

/// Where agents belong and what they have.
pub(crate) struct Place<'a> {
    pub(crate) server: &'a str,
    pub(crate) region: &'a str,
    pub(crate) keys: Arc<dyn KeySource>,
    /// Certificates to trust in place of the system's.
    pub(crate) ca_file: Option<&'a Path>,
    /// The folder of these agents alone.
    pub(crate) data_dir: PathBuf,
    /// What tasks call, made by the first place that is opened: the places of one process share
    /// it, for 169.254.170.2 leads to one port of the machine.
    pub(crate) endpoints: &'a OnceCell<TaskEndpoints>,
    /// Where the endpoints' port is kept.
    pub(crate) endpoints_dir: &'a Path,
    pub(crate) work: &'a Work,
    pub(crate) cpu: Option<u32>,
    pub(crate) memory: Option<u32>,
}

/// What one agent is, beside what all of a place are.
pub(crate) struct Identity<'a> {
    pub(crate) number: u32,
    pub(crate) cluster: &'a str,
    pub(crate) capacity: Capacity,
    pub(crate) machine: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) pull_behavior: PullBehavior,
    pub(crate) cleanup_wait: Duration,
}

/// Waits for `work`, and says so as long as it lasts: it stands between a start and its end.
pub(crate) async fn told<T>(what: &'static str, work: impl Future<Output = T>) -> T {
    let mut work = std::pin::pin!(work);
    loop {
        match tokio::time::timeout(TELL_EVERY, &mut work).await {
            Ok(done) => return done,
            Err(_) => tracing::warn!(what, "still waiting"),
        }
    }
}

impl Place<'_> {
    /// Opens the journal and the runtime.
    pub(crate) async fn open(&self) -> Result<Workshop, Failure> {
        let clock = Clock::start();
        let (journal, loaded) = Journal::open(&self.data_dir).map_err(|error| match error {
            JournalError::InUse(_) => Failure::InUse(error.into()),
            other => Failure::Retry(other.into()),
        })?;
        let dialer = Dialer::new(self.ca_file);
        let dialer = dialer.map_err(|error| match error {
            HttpError::Certificates(..) => Failure::Usage(error.into()),
            HttpError::Tls(_) => Failure::Retry(error.into()),
        })?;
        let server = self.server.parse();
        let server = server
            .with_context(|| format!("not a URL: {:?}", self.server))
            .map_err(Failure::Usage)?;
        let api = ApiClient::new(dialer, server, env!("CARGO_PKG_VERSION"), clock);
        let api = api
            .with_context(|| format!("{:?} is not a server's URL", self.server))
            .map_err(Failure::Usage)?;
        let mut endpoints = None;
        let runtime: Arc<dyn Runtime> = match self.work.runtime {
            cli::Runtime::Docker => {
                let docker = told("Docker to answer", self.docker(&api)).await?;
                let starting = self
                    .endpoints
                    .get_or_try_init(|| TaskEndpoints::start(&docker, self.endpoints_dir));
                endpoints = Some(
                    told("the addresses that tasks call", starting)
                        .await?
                        .clone(),
                );
                Arc::new(docker)
            }
            cli::Runtime::Simulated => self.simulated(clock, &journal, &loaded)?,
        };
        Ok(Workshop {
            kept: kept::by_agent(&loaded),
            shared: Shared::new(runtime, journal, api, clock),
            endpoints,
        })
    }

    /// Serves the tasks of an agent that is about to run.
    pub(crate) fn serve_tasks(&self, workshop: &Workshop, agent: &AgentConfig, outlook: &Outlook) {
        let Some(endpoints) = &workshop.endpoints else {
            return;
        };
        let (api, keys) = (workshop.shared.api.clone(), self.keys.clone());
        let ecs = EcsClient::new(api, keys, self.region.into(), agent.cluster.as_str().into());
        endpoints.follow(outlook, ecs, agent.zone.clone());
    }

    async fn docker(&self, api: &ApiClient) -> Result<DockerRuntime, Failure> {
        let logs = ServerLogs::new(api.clone(), self.keys.clone(), self.region.into());
        let settings = DockerSettings {
            host: docker_host(),
            data_dir: self.data_dir.join("docker"),
            task_range: self.work.task_cidr,
            registry_config: registry_config(),
            environment_files: self.work.environment_files.clone(),
            disk_free_bytes_min: DISK_FREE_MIN,
            image_age: Some(IMAGE_AGE),
            gpus: self.work.gpus.clone(),
            logs: Some(Arc::new(logs)),
        };
        let connected = DockerRuntime::connect(settings).await;
        let hint = "Docker is needed for --runtime docker; --runtime simulated does without";
        Ok(connected.map_err(|error| anyhow!(error).context(hint))?)
    }

    fn simulated(
        &self,
        clock: Clock,
        journal: &Journal,
        loaded: &Loaded,
    ) -> Result<Arc<Simulated>, Failure> {
        let Simulation {
            seed,
            run_time,
            failure_percent,
            silent: _,
        } = &self.work.simulation;
        let millis = |time: &Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let run = match run_time.as_slice() {
            [] => RunTime::Forever,
            [always] => RunTime::Between(millis(always), millis(always)),
            [least, most] if least <= most => RunTime::Between(millis(least), millis(most)),
            _ => {
                let wrong = anyhow!("--run-time takes one time, or the least and the most");
                return Err(Failure::Usage(wrong));
            }
        };
        let config = SimulatedConfig {
            seed: *seed,
            cpu_units: self.cpu.unwrap_or(SIMULATED_CPU).into(),
            memory_mib: self.memory.unwrap_or(SIMULATED_MEMORY).into(),
            run,
            failure_percent: *failure_percent,
            gpus: self.work.gpus.clone(),
        };
        Ok(Simulated::start(config, clock, journal.clone(), loaded))
    }

    /// The whole configuration of one agent.
    pub(crate) fn agent(&self, workshop: &Workshop, identity: Identity<'_>) -> AgentConfig {
        let simulation = &self.work.simulation;
        AgentConfig {
            number: identity.number,
            cluster: identity.cluster.to_owned(),
            region: self.region.to_owned(),
            keys: self.keys.clone(),
            capacity: identity.capacity,
            machine: identity.machine,
            zone: identity.zone,
            attributes: identity.attributes,
            cpu_units: self.cpu.map(i64::from),
            memory_mib: self.memory.map(i64::from),
            reserved_ports: RESERVED_PORTS.to_vec(),
            cleanup_wait: identity.cleanup_wait,
            stop_timeout: STOP_TIMEOUT,
            pull_behavior: identity.pull_behavior,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            hash: "berth".to_owned(),
            seed: simulation.seed.wrapping_add(u64::from(identity.number)),
            metrics: self.work.runtime == cli::Runtime::Docker,
            reports: !simulation.silent,
            metadata_base: workshop.endpoints.as_ref().map(TaskEndpoints::base),
        }
    }
}

/// The `agent` crate's word for it.
pub(crate) fn pull_behavior(named: ImagePullBehavior) -> PullBehavior {
    match named {
        ImagePullBehavior::Default => PullBehavior::Default,
        ImagePullBehavior::Always => PullBehavior::Always,
        ImagePullBehavior::Once => PullBehavior::Once,
        ImagePullBehavior::PreferCached => PullBehavior::PreferCached,
    }
}

/// What the end of an agent means for its process.
pub(crate) fn failure(error: AgentError) -> Failure {
    match error {
        AgentError::OtherCluster(_) => Failure::Usage(error.into()),
        AgentError::Refused(_) | AgentError::Journal(_) => Failure::Retry(error.into()),
    }
}

/// Docker's own variable, else where Docker listens by itself.
fn docker_host() -> String {
    variable("DOCKER_HOST").unwrap_or_else(|| "unix:///var/run/docker.sock".to_owned())
}

/// Docker's own place for registry credentials, if there is such a file.
fn registry_config() -> Option<PathBuf> {
    let folder = match variable("DOCKER_CONFIG") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&variable("HOME")?).join(".docker"),
    };
    Some(folder.join("config.json")).filter(|file| file.exists())
}

/// A variable of the environment that is set to something.
#[expect(
    clippy::disallowed_methods,
    reason = "Docker's and Amazon's own settings are found in their own variables"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
