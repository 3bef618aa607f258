//! What the agent needs of the thing that runs containers.
//!
//! The engine decides, a runtime does. A runtime makes no choices about tasks: it is told to
//! pull, create, start, stop and remove, and tells what it sees.
//!
//! Rules for every runtime, checked by one suite of tests:
//! - **what exists is the runtime's to know**: everything it makes is labelled with the
//!   instance's ARN (see [`Labels`]), [`list`](Runtime::list) finds it again after a restart of
//!   the agent, and it touches nothing that carries another label or none;
//! - **everything may be asked twice**: creating a container that exists gives the one that is
//!   there, starting a running one, stopping a stopped one and removing a missing one are `Ok`;
//! - **no call waits for ever**: each has a deadline of its own, and dropping the future gives
//!   the work up without harm;
//! - **events are hints**: they may be lost or doubled. One that tells an end carries what is
//!   needed to report it; after a gap the runtime sends [`RuntimeEvent::Gap`], and the agent
//!   lists again.
//!
//! Futures are boxed, because a runtime is chosen when the program starts.

pub mod docker;
pub mod simulated;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::task::{Container, Task};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

/// How many events may wait for an agent that is busy. When there are more, they are dropped
/// and one [`RuntimeEvent::Gap`] takes their place.
pub const EVENTS_WAITING_MAX: usize = 256;

/// A container in the runtime's own naming: Docker's 64-digit id.
pub type RuntimeId = Arc<str>;

/// What a call of a runtime gives.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, RuntimeError>>;

/// Why something could not be done, in the words of the stock agent.
///
/// Displayed as the name, a colon and the detail: the form in which it is reported to the server
/// (reference §2.4).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {detail}", kind.as_str())]
pub struct RuntimeError {
    /// Which step failed.
    pub kind: ErrorKind,
    /// What the runtime said, one line.
    pub detail: String,
}

impl RuntimeError {
    /// An error of this kind.
    pub fn new(kind: ErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

/// The steps that can fail, with the stock agent's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The image could not be pulled.
    CannotPullContainer,
    /// The registry refused the credentials.
    CannotPullContainerAuth,
    /// The container could not be made.
    CannotCreateContainer,
    /// The container could not be started.
    CannotStartContainer,
    /// The container could not be stopped.
    CannotStopContainer,
    /// The container could not be looked at.
    CannotInspectContainer,
    /// The runtime did not answer in time.
    Timeout,
    /// `dockerConfig.config` cannot be used.
    ContainerConfig,
    /// `dockerConfig.hostConfig` cannot be used.
    HostConfig,
    /// A network, volume or other thing that the task needs could not be made.
    ResourceInitialization,
    /// The runtime itself does not answer. Nothing is known to have happened; the engine tries
    /// again where it can.
    Unavailable,
}

impl ErrorKind {
    /// The name that is reported.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CannotPullContainer => "CannotPullContainerError",
            Self::CannotPullContainerAuth => "CannotPullContainerAuthError",
            Self::CannotCreateContainer => "CannotCreateContainerError",
            Self::CannotStartContainer => "CannotStartContainerError",
            Self::CannotStopContainer => "CannotStopContainerError",
            Self::CannotInspectContainer => "CannotInspectContainerError",
            Self::Timeout => "DockerTimeoutError",
            Self::ContainerConfig => "DockerClientConfigError",
            Self::HostConfig => "HostConfigError",
            Self::ResourceInitialization => "ResourceInitializationError",
            Self::Unavailable => "RuntimeUnavailableError",
        }
    }
}

/// What a machine and its runtime are and can do; asked once before registration.
#[derive(Clone, Debug, PartialEq)]
pub struct RuntimeFacts {
    /// The runtime's version, sent as `dockerVersion`.
    pub version: String,
    /// CPU units: 1024 for each core.
    pub cpu_units: i64,
    /// Memory in MiB.
    pub memory_mib: i64,
    /// `x86_64` or `arm64`.
    pub architecture: String,
    /// Names of capability attributes that depend on the runtime, in full, such as
    /// `com.amazonaws.ecs.capability.docker-remote-api.1.24` (reference §2.2).
    pub capabilities: Vec<String>,
    /// Ids of GPUs.
    pub gpus: Vec<String>,
    /// What tells this machine's runtime from all others, if it knows.
    pub machine: Option<String>,
}

/// The labels of everything that a runtime makes. The first five are the stock agent's.
///
/// | label | value |
/// |---|---|
/// | `com.amazonaws.ecs.cluster` | the cluster as configured |
/// | `com.amazonaws.ecs.container-name` | the container's name |
/// | `com.amazonaws.ecs.task-arn` | the task |
/// | `com.amazonaws.ecs.task-definition-family` | the family |
/// | `com.amazonaws.ecs.task-definition-version` | the revision |
/// | `berth.instance` | the instance's ARN: whose it is |
/// | `berth.token` | the id in the container's metadata URL |
pub struct Labels;

impl Labels {
    /// The cluster as configured.
    pub const CLUSTER: &'static str = "com.amazonaws.ecs.cluster";
    /// The container's name.
    pub const CONTAINER: &'static str = "com.amazonaws.ecs.container-name";
    /// The task's ARN.
    pub const TASK: &'static str = "com.amazonaws.ecs.task-arn";
    /// The task definition's family.
    pub const FAMILY: &'static str = "com.amazonaws.ecs.task-definition-family";
    /// The task definition's revision.
    pub const REVISION: &'static str = "com.amazonaws.ecs.task-definition-version";
    /// The instance's ARN.
    pub const INSTANCE: &'static str = "berth.instance";
    /// The id in the container's metadata URL.
    pub const TOKEN: &'static str = "berth.token";
}

/// When the registry is asked for an image (`ECS_IMAGE_PULL_BEHAVIOR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PullBehavior {
    /// Pull; when that fails, an image that is there will do.
    Default,
    /// Pull; when that fails, the container fails.
    Always,
    /// Pull unless a task of this machine has pulled it before.
    Once,
    /// Pull only when the image is not there.
    PreferCached,
}

/// An image to pull.
#[derive(Clone, Debug)]
pub struct PullRequest {
    /// The task that wants it, for its credentials.
    pub task: Arc<Task>,
    /// Which of its containers.
    pub container: usize,
    /// When to ask the registry.
    pub behavior: PullBehavior,
}

impl PullRequest {
    /// The container whose image is wanted.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.task.containers[self.container]
    }
}

/// An image that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulled {
    /// The manifest's digest, `sha256:…`, where the image came from a registry.
    pub digest: Option<String>,
    /// Why a pull failed although an image was there; reported with the container, and no
    /// error.
    pub note: Option<String>,
}

/// A container to make.
///
/// The runtime works out the whole configuration from the task's and the container's fields and
/// then lays `dockerConfig.config` and `.hostConfig` over it (reference §4.3.3). Names follow the
/// stock agent's: `ecs-<family>-<version>-<name>-<20 hex digits>`.
#[derive(Clone, Debug)]
pub struct CreateRequest {
    /// The instance, for the label.
    pub instance: Arc<str>,
    /// The cluster as configured, for the label.
    pub cluster: Arc<str>,
    /// The task.
    pub task: Arc<Task>,
    /// Which of its containers.
    pub container: usize,
    /// The id in the container's metadata URL; unguessable.
    pub token: Arc<str>,
    /// The network that [`Runtime::make_network`] made for the task.
    pub network: Option<TaskNetwork>,
    /// The containers of the task made so far, by name, for `links`, `volumesFrom` and namespaces.
    pub siblings: BTreeMap<String, RuntimeId>,
    /// Variables that the agent adds: region, metadata URIs, credentials URI. The container's own
    /// go over them.
    pub environment: BTreeMap<String, String>,
}

impl CreateRequest {
    /// The container to make.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.task.containers[self.container]
    }
}

/// A network of a task's own (awsvpc): one namespace that its containers share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskNetwork {
    /// The task's address.
    pub ip: IpAddr,
    /// The interface's hardware address.
    pub mac: String,
    /// The subnet of the address, as `10.0.0.0/24`.
    pub subnet: String,
    /// The gateway.
    pub gateway: Option<IpAddr>,
    /// What the runtime needs to find it again: a namespace's path or a container's id.
    pub handle: String,
}

/// Where a container is in its life, as the runtime sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Made, never started.
    Created,
    /// Started.
    Running,
    /// Ended.
    Exited,
}

/// What a health check says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Health {
    /// No check, or none has ended yet.
    #[default]
    Unknown,
    /// The last checks passed.
    Healthy,
    /// Too many checks failed.
    Unhealthy,
}

impl Health {
    /// The spelling on TCS.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "UNKNOWN",
            Self::Healthy => "HEALTHY",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// A port of a container that the host passes on, or a range of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Binding {
    /// The host's address that it is bound on.
    pub bind_ip: String,
    /// `tcp` or `udp`.
    pub protocol: String,
    /// First and last port of the container; equal for a single port.
    pub container: (u16, u16),
    /// First and last port of the host; equal for a single port.
    pub host: (u16, u16),
    /// Whether the mapping was written as a range, and is to be reported as one.
    pub range: bool,
}

/// One container as the runtime sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Its id.
    pub id: RuntimeId,
    /// The task, from the label.
    pub task_arn: String,
    /// The container's name, from the label.
    pub name: String,
    /// The id in its metadata URL, from the label.
    pub token: Arc<str>,
    /// Where it is in its life.
    pub status: Status,
    /// When it was last started, in milliseconds since the epoch.
    pub started_at: Option<i64>,
    /// When it ended, in milliseconds since the epoch.
    pub finished_at: Option<i64>,
    /// Its exit code, once it has ended.
    pub exit_code: Option<i32>,
    /// Whether it was killed for want of memory.
    pub oom_killed: bool,
    /// What its health check says.
    pub health: Health,
    /// Ports on the host while it runs. None in host mode and with a network of the task's own.
    pub bindings: Vec<Binding>,
}

/// What happened to a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuntimeEvent {
    /// It ended, by itself or because it was stopped.
    Died {
        /// Which container.
        id: RuntimeId,
        /// Its exit code; 137 and 143 for the usual signals.
        exit_code: Option<i32>,
        /// Whether it was killed for want of memory.
        oom_killed: bool,
        /// When, in milliseconds since the epoch.
        at: i64,
    },
    /// Its health check changed its mind.
    Health {
        /// Which container.
        id: RuntimeId,
        /// What it says now.
        health: Health,
        /// What the last check wrote, one line.
        message: Option<String>,
    },
    /// Events were lost, for instance while the runtime was away: list again.
    Gap,
}

/// One look at what a container uses.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Usage {
    /// CPU time so far, in nanoseconds.
    pub cpu_ns: u64,
    /// Memory in use without page cache, in bytes.
    pub memory_bytes: u64,
    /// Bytes and packets so far; `None` in host mode.
    pub network: Option<NetworkUsage>,
    /// Bytes read from and written to block devices so far.
    pub block: Option<(u64, u64)>,
    /// The runtime's own form of the figures, for the metadata endpoint: Docker's stats object.
    pub raw: Option<Arc<serde_json::Value>>,
}

/// Network counters of a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NetworkUsage {
    /// Bytes received.
    pub rx_bytes: u64,
    /// Packets received.
    pub rx_packets: u64,
    /// Incoming packets dropped.
    pub rx_dropped: u64,
    /// Incoming packets with errors.
    pub rx_errors: u64,
    /// Bytes sent.
    pub tx_bytes: u64,
    /// Packets sent.
    pub tx_packets: u64,
    /// Outgoing packets dropped.
    pub tx_dropped: u64,
    /// Outgoing packets with errors.
    pub tx_errors: u64,
}

/// The thing that runs containers. One may serve many agents of a process.
pub trait Runtime: Send + Sync + 'static {
    /// What the machine is and can do.
    fn facts(&self) -> Answer<'_, RuntimeFacts>;

    /// Whether the runtime answers; asked at each heartbeat of the server.
    fn check(&self) -> Answer<'_, ()>;

    /// Events of the instance's containers from now on. A later call for the same instance takes
    /// the place of an earlier one.
    fn events(&self, instance: &Arc<str>) -> mpsc::Receiver<RuntimeEvent>;

    /// All containers that carry the instance's label, whatever their status.
    fn list(&self, instance: &Arc<str>) -> Answer<'_, Vec<Snapshot>>;

    /// Brings an image. Fails with [`ErrorKind::CannotPullContainer`] or
    /// [`ErrorKind::CannotPullContainerAuth`].
    fn pull(&self, request: PullRequest) -> Answer<'_, Pulled>;

    /// Makes what the task's containers share before the first is created: volumes of
    /// `host` type without a folder and of `docker` type with scope `task`, and shared volumes
    /// that are to be provisioned.
    fn make_volumes(&self, instance: Arc<str>, task: Arc<Task>) -> Answer<'_, ()>;

    /// Makes the network of a task with `berthAwsvpc`, or gives the one that is there.
    fn make_network(&self, instance: Arc<str>, task: Arc<Task>) -> Answer<'_, TaskNetwork>;

    /// Makes a container, or gives the one that is there: the same instance, task and name.
    fn create(&self, request: CreateRequest) -> Answer<'_, RuntimeId>;

    /// Starts a container and gives how it then looks (it may have ended already). Also starts
    /// one that has ended, for restart policies.
    fn start(&self, id: RuntimeId) -> Answer<'_, Snapshot>;

    /// Sends the image's stop signal, waits `grace`, kills, and gives how it then looks. A
    /// container that was never started stays [`Status::Created`].
    fn stop(&self, id: RuntimeId, grace: Duration) -> Answer<'_, Snapshot>;

    /// How a container looks, or `None` when it is gone.
    fn inspect(&self, id: RuntimeId) -> Answer<'_, Option<Snapshot>>;

    /// Removes a container, killing it if it runs.
    fn remove(&self, id: RuntimeId) -> Answer<'_, ()>;

    /// Removes what [`make_volumes`](Self::make_volumes) (but for shared ones) and
    /// [`make_network`](Self::make_network) made for the task; its containers are gone by then.
    /// The address may be given to another task afterwards.
    fn remove_task(&self, instance: Arc<str>, task_arn: Arc<str>) -> Answer<'_, ()>;

    /// What a container uses; `None` when it does not run, or the runtime does not measure.
    fn usage(&self, id: RuntimeId) -> Answer<'_, Option<Usage>>;
}
