//! Containers run by Docker, through the Docker Engine API.
//!
//! - [`config`] works out what Docker is told of a container, [`overlay`] lays the server's
//!   strings over it, [`look`] reads back what Docker shows;
//! - [`pull`] brings images, with [`registry`]'s credentials, and forgets unused ones;
//! - [`holder`] makes the namespaces that containers of a task share, [`groups`] the control
//!   group that bounds them together;
//! - [`watch`] turns Docker's events into ours, across restarts of Docker;
//! - [`logs`] ships the output of `awslogs` containers.
//!
//! Nothing is kept in memory that cannot be read again from Docker's labels, but for ports
//! handed out and files of the data folder: when images were used, how far logs were shipped.

mod config;
mod details;
mod environment_files;
mod failure;
mod groups;
mod holder;
pub(crate) mod instant;
pub mod logs;
mod look;
mod names;
mod overlay;
mod ports;
mod pull;
mod range;
mod registry;
mod usage;
mod volumes;
mod watch;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_agent_proto::task::Task;
use bollard::models::ContainerInspectResponse;
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
    StopContainerOptionsBuilder,
};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use self::config::Findings;
pub use self::details::Details;
use self::failure::{
    CONFLICT, CREATE_MAX, LOOK_MAX, NOT_FOUND, REMOVE_MAX, START_MAX, STOP_BEYOND_GRACE, describe,
    status, within,
};
use self::ports::{PortBook, Published};
pub use self::range::{InvalidTaskRange, TaskRange};
use super::{
    Answer, CreateRequest, EVENTS_WAITING_MAX, ErrorKind, Labels, PullRequest, Pulled, Runtime,
    RuntimeError, RuntimeEvent, RuntimeFacts, RuntimeId, Snapshot, TaskNetwork, Usage,
};
use crate::clock::Clock;

/// How many containers are looked at at once when all are listed: Docker locks each for a
/// moment, and more only queue there.
const LOOKS_AT_ONCE: usize = 8;
/// bollard's own limit on an answer's first byte, which must be longer than any of ours.
const CLIENT_SECONDS_MAX: u64 = 24 * 60 * 60;
/// The longest grace of a stop that Docker is told; its number has 32 bits.
const GRACE_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;

/// How to reach Docker and what it may do.
#[derive(Clone)]
pub struct DockerSettings {
    /// Docker's address: `unix:///var/run/docker.sock` or `tcp://127.0.0.1:2375`.
    pub host: String,
    /// A folder of the runtime's own: when images were used, how far logs were shipped.
    pub data_dir: PathBuf,
    /// Addresses of awsvpc tasks.
    pub task_range: TaskRange,
    /// Docker's `config.json`, for registry credentials.
    pub registry_config: Option<PathBuf>,
    /// A folder that stands for S3: the environment file `arn:aws:s3:::bucket/key` is
    /// `bucket/key` in it.
    pub environment_files: Option<PathBuf>,
    /// No image is pulled when the file system of Docker's data has fewer bytes free.
    pub disk_free_bytes_min: u64,
    /// Images that the agent pulled are removed when no container used them for so long; `None`
    /// keeps them.
    pub image_age: Option<Duration>,
    /// Ids of the GPUs to offer.
    pub gpus: Vec<String>,
    /// Where the output of `awslogs` containers goes; without it such containers are refused.
    pub logs: Option<Arc<dyn logs::LogsApi>>,
}

/// The Docker of a machine. Cheap to clone.
#[derive(Clone)]
pub struct DockerRuntime {
    inner: Arc<Inner>,
}

struct Inner {
    docker: Docker,
    settings: DockerSettings,
    clock: Clock,
    ports: PortBook,
    images: pull::ImageBook,
    groups: groups::TaskGroups,
    shippers: logs::Shippers,
    /// By container, the one whose network it shares.
    holders: Mutex<HashMap<String, Option<String>>>,
    /// The task that watches Docker for each instance.
    watches: Mutex<HashMap<Arc<str>, AbortHandle>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        let watches = self
            .watches
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        watches.values().for_each(AbortHandle::abort);
    }
}

impl DockerRuntime {
    /// Connects to Docker and agrees on a version of its API.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] when Docker does not answer; [`ErrorKind::ResourceInitialization`]
    /// when the data folder cannot be made.
    pub async fn connect(settings: DockerSettings) -> Result<Self, RuntimeError> {
        let unavailable = |error: bollard::errors::Error| {
            let detail = failure::chain(&error);
            RuntimeError::new(
                ErrorKind::Unavailable,
                format!("cannot reach docker at {}: {detail}", settings.host),
            )
        };
        let plain = match settings.host.strip_prefix("unix://") {
            Some(path) => Docker::connect_with_unix(path, CLIENT_SECONDS_MAX, API_DEFAULT_VERSION),
            None => {
                Docker::connect_with_http(&settings.host, CLIENT_SECONDS_MAX, API_DEFAULT_VERSION)
            }
        };
        let docker = plain.map_err(unavailable)?;
        let docker = docker.with_request_modifier(registry::url_safe_credentials);
        let agreed = within(
            LOOK_MAX,
            ErrorKind::Unavailable,
            "connected",
            docker.negotiate_version(),
        );
        let docker = agreed.await?;
        let images = pull::ImageBook::open(&settings.data_dir)?;
        let shippers = logs::Shippers::open(&settings.data_dir)?;
        let inner = Arc::new(Inner {
            docker,
            settings,
            clock: Clock::start(),
            ports: PortBook::default(),
            images,
            groups: groups::TaskGroups::default(),
            shippers,
            holders: Mutex::default(),
            watches: Mutex::default(),
        });
        pull::spawn_image_cleanup(&inner);
        Ok(Self { inner })
    }

    /// The addresses by which containers reach this machine, and on which the endpoints that
    /// they call have to listen: of Docker's default bridge, and of the bridge of awsvpc tasks,
    /// which is made when it is not there.
    ///
    /// # Errors
    /// When Docker does not say, or the bridge cannot be made.
    pub async fn gateways(&self) -> Result<Gateways, RuntimeError> {
        let inner = &self.inner;
        let kind = ErrorKind::ResourceInitialization;
        let bridge = within(LOOK_MAX, kind, "inspected", async {
            match inner.docker.inspect_network("bridge", None).await {
                Ok(seen) => Ok(Some(seen)),
                // Docker may be told to run without one.
                Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
                Err(error) => Err(error),
            }
        });
        let ipam = bridge.await?.and_then(|bridge| bridge.ipam);
        let ranges = ipam.and_then(|ipam| ipam.config).unwrap_or_default();
        let gateway = ranges.iter().find_map(|range| {
            let told = range.gateway.as_deref().and_then(|told| told.parse().ok());
            told.or_else(|| first_address(range.subnet.as_deref()?))
        });
        inner.ensure_bridge().await?;
        Ok(Gateways {
            bridge: gateway,
            tasks: inner.settings.task_range.gateway().into(),
        })
    }
}

/// The first address of a range such as `172.17.0.0/16`: the machine's own on a default bridge.
/// Docker does not name it when it found the bridge there at its start.
fn first_address(range: &str) -> Option<IpAddr> {
    let base: Ipv4Addr = range.split_once('/')?.0.parse().ok()?;
    Some(Ipv4Addr::from(u32::from(base).checked_add(1)?).into())
}

/// See [`DockerRuntime::gateways`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gateways {
    /// This machine on Docker's default bridge; `None` when Docker runs without one.
    pub bridge: Option<IpAddr>,
    /// This machine on the bridge of awsvpc tasks.
    pub tasks: IpAddr,
}

impl Inner {
    async fn look(&self, id: &str) -> Result<Option<ContainerInspectResponse>, RuntimeError> {
        let kind = ErrorKind::CannotInspectContainer;
        within(LOOK_MAX, kind, "inspected", async {
            match self.docker.inspect_container(id, None).await {
                Ok(seen) => Ok(Some(seen)),
                Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// A container that should be there.
    async fn look_sure(&self, id: &str) -> Result<ContainerInspectResponse, RuntimeError> {
        self.look(id).await?.ok_or_else(|| {
            let detail = format!("no such container: {id}");
            RuntimeError::new(ErrorKind::CannotInspectContainer, detail)
        })
    }

    async fn look_after(&self, id: &str) -> Result<Snapshot, RuntimeError> {
        let seen = self.look_sure(id).await?;
        look::snapshot(&seen).ok_or_else(|| {
            let detail = format!("docker shows no id of {id}");
            RuntimeError::new(ErrorKind::CannotInspectContainer, detail)
        })
    }

    async fn list(self: &Arc<Self>, instance: &str) -> Result<Vec<Snapshot>, RuntimeError> {
        let label = format!("{}={instance}", Labels::INSTANCE);
        let filters = HashMap::from([("label".to_owned(), vec![label])]);
        let options = ListContainersOptionsBuilder::new()
            .all(true)
            .filters(&filters)
            .build();
        let kind = ErrorKind::CannotInspectContainer;
        let work = self.docker.list_containers(Some(options));
        let found = within(LOOK_MAX, kind, "listed", work).await?;
        let of_tasks = found.into_iter().filter(|container| {
            let labels = container.labels.as_ref();
            !labels.is_some_and(|labels| labels.contains_key(holder::LABEL_ROLE))
        });
        let ids = of_tasks.filter_map(|container| container.id);
        let seen: Vec<Option<ContainerInspectResponse>> = stream::iter(ids)
            .map(|id| async move { self.look(&id).await })
            .buffered(LOOKS_AT_ONCE)
            .try_collect()
            .await?;
        let seen: Vec<_> = seen.into_iter().flatten().collect();
        for container in &seen {
            let published = look::published(container);
            self.ports.note(published.iter().flat_map(Published::taken));
            self.ship_output(container);
        }
        Ok(seen.iter().filter_map(look::snapshot).collect())
    }

    async fn create(self: &Arc<Self>, request: &CreateRequest) -> Result<RuntimeId, RuntimeError> {
        let container = request.container();
        let name = names::container(&request.instance, &request.task, &container.name);
        if let Some(secret) = container.secrets.first() {
            return Err(RuntimeError::new(
                ErrorKind::ResourceInitialization,
                format!(
                    "unable to pull secrets or registry auth: this agent cannot look up {}",
                    secret.name
                ),
            ));
        }
        let file_environment = self.read_environment_files(container).await?;
        let group = self.task_group(&request.task).await?;
        let published = match publishes(request) {
            true => ports::publish(&self.ports, container)?,
            false => Vec::new(),
        };
        let shares = holder::shares_namespaces(&request.task);
        let findings = Findings {
            file_environment,
            holder: shares.then(|| names::holder(&request.instance, &request.task.arn)),
            published,
            group,
        };
        let made = self.create_as(request, &name, &findings).await;
        if !matches!(made, Ok(Some(_))) {
            self.ports
                .give_back(findings.published.iter().flat_map(Published::taken));
        }
        if let Some(id) = made? {
            return Ok(id);
        }
        // It was made before, by an agent that ended or for a caller that went away.
        self.adopt(request, &self.look_sure(&name).await?)
    }

    /// The new container's id; `None` when its name is taken.
    async fn create_as(
        self: &Arc<Self>,
        request: &CreateRequest,
        name: &str,
        findings: &Findings,
    ) -> Result<Option<RuntimeId>, RuntimeError> {
        let body = config::body(request, findings)?;
        let labels = body.labels.as_ref();
        let log_label = labels
            .and_then(|labels| labels.get(config::LABEL_LOGS))
            .cloned();
        if log_label.is_some() && self.settings.logs.is_none() {
            return Err(RuntimeError::new(
                ErrorKind::CannotCreateContainer,
                "this agent has nowhere to send the output of the awslogs driver",
            ));
        }
        self.images.used(&request.container().image, &self.clock);
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        let kind = ErrorKind::CannotCreateContainer;
        let work = self.docker.create_container(Some(options), body);
        match tokio::time::timeout(CREATE_MAX, work).await {
            Ok(Ok(made)) => {
                self.note_new(&made.id, &log_label.unwrap_or_default());
                Ok(Some(made.id.into()))
            }
            Ok(Err(error)) if status(&error) == Some(CONFLICT) => Ok(None),
            Ok(Err(error)) => Err(describe(kind, &error)),
            Err(_) => Err(failure::timed_out("created", CREATE_MAX)),
        }
    }

    /// The id of a container that has the name already, when it is ours.
    fn adopt(
        &self,
        request: &CreateRequest,
        there: &ContainerInspectResponse,
    ) -> Result<RuntimeId, RuntimeError> {
        let same = look::label(there, Labels::INSTANCE) == &*request.instance
            && look::label(there, Labels::TASK) == request.task.arn;
        match there.id.as_deref().filter(|_| same) {
            Some(id) => {
                let published = look::published(there);
                self.ports.note(published.iter().flat_map(Published::taken));
                Ok(id.into())
            }
            None => Err(RuntimeError::new(
                ErrorKind::CannotCreateContainer,
                "a container of somebody else has the name",
            )),
        }
    }

    async fn start(self: &Arc<Self>, id: &str) -> Result<Snapshot, RuntimeError> {
        let kind = ErrorKind::CannotStartContainer;
        self.prepare_shipping(id).await?;
        let work = self.docker.start_container(id, None);
        within(START_MAX, kind, "started", work).await?;
        let seen = self.look(id).await?;
        let snapshot = seen.as_ref().and_then(look::snapshot);
        if let Some(seen) = &seen {
            self.ship_output(seen);
        }
        snapshot.ok_or_else(|| RuntimeError::new(kind, format!("no such container: {id}")))
    }

    async fn stop(&self, id: &str, grace: Duration) -> Result<Snapshot, RuntimeError> {
        // Docker counts whole seconds.
        let seconds = grace
            .as_millis()
            .div_ceil(1000)
            .min(GRACE_SECONDS_MAX.into());
        let seconds = i32::try_from(seconds).unwrap_or(i32::MAX);
        let options = StopContainerOptionsBuilder::new().t(seconds).build();
        let kind = ErrorKind::CannotStopContainer;
        let limit = grace.saturating_add(STOP_BEYOND_GRACE);
        let work = self.docker.stop_container(id, Some(options));
        within(limit, kind, "stopped", work).await?;
        self.look_after(id).await
    }

    /// Removes a container, and gives its ports back; one that is not there is as good.
    async fn remove_container(&self, id: &str) -> Result<(), RuntimeError> {
        let seen = self.look(id).await?;
        let options = RemoveContainerOptionsBuilder::new()
            .v(true)
            .force(true)
            .build();
        within(
            REMOVE_MAX,
            ErrorKind::CannotStopContainer,
            "removed",
            async {
                match self.docker.remove_container(id, Some(options)).await {
                    // Not there, or being removed already.
                    Err(error) if matches!(status(&error), Some(NOT_FOUND | CONFLICT)) => Ok(()),
                    outcome => outcome,
                }
            },
        )
        .await?;
        if let Some(seen) = &seen {
            let published = look::published(seen);
            self.ports
                .give_back(published.iter().flat_map(Published::taken));
        }
        Ok(())
    }
}

/// Whether the container's ports are published: not when it shares the network of the host or
/// of the task, nor without a network.
fn publishes(request: &CreateRequest) -> bool {
    let mode = request.task.network_mode.as_deref().unwrap_or("bridge");
    request.network.is_none() && matches!(mode, "" | "bridge" | "default")
}

impl Runtime for DockerRuntime {
    fn facts(&self) -> Answer<'_, RuntimeFacts> {
        Box::pin(self.inner.facts())
    }

    fn check(&self) -> Answer<'_, ()> {
        Box::pin(async {
            let ping = self.inner.docker.ping();
            within(LOOK_MAX, ErrorKind::Unavailable, "answered", ping)
                .await
                .map(drop)
        })
    }

    fn events(&self, instance: &Arc<str>) -> mpsc::Receiver<RuntimeEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        let watch = watch::run(Arc::downgrade(&self.inner), Arc::clone(instance), sender);
        let handle = tokio::spawn(watch).abort_handle();
        let watches = self.inner.watches.lock();
        let mut watches = watches.unwrap_or_else(PoisonError::into_inner);
        if let Some(earlier) = watches.insert(Arc::clone(instance), handle) {
            earlier.abort();
        }
        receiver
    }

    fn list(&self, instance: &Arc<str>) -> Answer<'_, Vec<Snapshot>> {
        let instance = Arc::clone(instance);
        Box::pin(async move { self.inner.list(&instance).await })
    }

    fn pull(&self, request: PullRequest) -> Answer<'_, Pulled> {
        Box::pin(async move { self.inner.pull(&request).await })
    }

    fn make_volumes(&self, instance: Arc<str>, task: Arc<Task>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.inner.create_volumes(&instance, &task).await?;
            self.inner.ensure_namespaces(&instance, &task).await
        })
    }

    fn make_network(&self, instance: Arc<str>, task: Arc<Task>) -> Answer<'_, TaskNetwork> {
        Box::pin(async move { self.inner.task_network(&instance, &task).await })
    }

    fn create(&self, request: CreateRequest) -> Answer<'_, RuntimeId> {
        Box::pin(async move { self.inner.create(&request).await })
    }

    fn start(&self, id: RuntimeId) -> Answer<'_, Snapshot> {
        Box::pin(async move { self.inner.start(&id).await })
    }

    fn stop(&self, id: RuntimeId, grace: Duration) -> Answer<'_, Snapshot> {
        Box::pin(async move { self.inner.stop(&id, grace).await })
    }

    fn inspect(&self, id: RuntimeId) -> Answer<'_, Option<Snapshot>> {
        Box::pin(async move {
            let seen = self.inner.look(&id).await?;
            Ok(seen.as_ref().and_then(look::snapshot))
        })
    }

    fn remove(&self, id: RuntimeId) -> Answer<'_, ()> {
        Box::pin(async move {
            self.inner.finish_shipping(&id).await;
            self.inner.remove_container(&id).await?;
            self.inner.forget_shipping(&id);
            self.inner.forget_holder(&id);
            Ok(())
        })
    }

    fn remove_task(&self, instance: Arc<str>, task_arn: Arc<str>) -> Answer<'_, ()> {
        Box::pin(async move {
            self.inner.remove_holder(&instance, &task_arn).await?;
            self.inner.remove_group(&task_arn).await?;
            self.inner.remove_volumes(&instance, &task_arn).await
        })
    }

    fn usage(&self, id: RuntimeId) -> Answer<'_, Option<Usage>> {
        Box::pin(async move { self.inner.usage(&id).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bridge_without_a_named_gateway_has_the_first_address() {
        let first = |range| first_address(range).map(|ip| ip.to_string());
        assert_eq!(first("172.17.0.0/16").as_deref(), Some("172.17.0.1"));
        assert_eq!(first("fd00::/64"), None);
        assert_eq!(first("172.17.0.0"), None);
    }
}
