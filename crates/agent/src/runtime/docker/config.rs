//! What Docker is told of a container: worked out from the task's and the container's fields,
//! with the server's `dockerConfig` strings laid over it (reference §4.3.3).
//!
//! Pure: ports are picked and environment files read by the caller. What must not be
//! overridden — our labels, the namespaces of the task, where `awslogs` goes — is set after the
//! strings were laid over.

use std::collections::{BTreeMap, HashMap};

use berth_agent_proto::task::{Container, Task, Volume};
use bollard::models::{
    ContainerCreateBody, DeviceRequest, HostConfig, HostConfigLogConfig, PortBinding, PortMap,
};

use super::logs::LogSettings;
use super::names;
use super::overlay::lay_over;
use super::ports::Published;
use crate::runtime::{CreateRequest, ErrorKind, Labels, RuntimeError};

const BYTES_PER_MIB: i64 = 1024 * 1024;
/// The smallest hard limit that Docker takes. ECS takes 4 MiB and raises what is lower; Docker
/// has refused less than 6 MiB since 20.10, so lower limits are raised to that.
const MEMORY_MIB_MIN: i64 = 6;
/// The smallest CPU shares that Linux knows; ECS gives them to containers that ask for none.
const CPU_SHARES_MIN: i64 = 2;
/// One CPU in Docker's `NanoCpus`.
const NANO_CPUS: f64 = 1e9;
/// Size and number of the files that hold the output of an `awslogs` container until it is
/// shipped. Together they outlast a server that is away for as long as it takes to write 256 MiB.
const SHIPPED_FILE_BYTES_MAX: &str = "64m";
const SHIPPED_FILES_MAX: &str = "4";
/// The label with the [`Published`] ports of a container.
pub(super) const LABEL_PORTS: &str = "berth.ports";
/// The label with the [`LogSettings`] of a container whose output the agent ships.
pub(super) const LABEL_LOGS: &str = "berth.awslogs";

/// Whether a label is for the agent alone: one of them says which path of the metadata endpoint
/// is the container's.
pub(super) fn is_own_label(key: &str) -> bool {
    matches!(
        key,
        LABEL_PORTS | LABEL_LOGS | Labels::INSTANCE | Labels::TOKEN
    )
}

/// What the caller found out for a container.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) published: Vec<Published>,
    /// Of the container's environment files, in order.
    pub(super) file_environment: Vec<(String, String)>,
    /// The container that holds the task's process or IPC namespace, where it has one.
    pub(super) holder: Option<String>,
    /// The control group that carries the task's own limits.
    pub(super) group: Option<String>,
}

/// The whole request.
///
/// # Errors
/// [`ErrorKind::ContainerConfig`] or [`ErrorKind::HostConfig`] when a string cannot be used;
/// [`ErrorKind::CannotCreateContainer`] when something named in the definition is not there.
pub(super) fn body(
    request: &CreateRequest,
    findings: &Findings,
) -> Result<ContainerCreateBody, RuntimeError> {
    let container = request.container();
    let docker = container.docker_config.clone().unwrap_or_default();
    let host = lay_over(
        &host_config(request, findings)?,
        docker.host_config.as_deref(),
        ErrorKind::HostConfig,
    )?;
    let config = lay_over(
        &plain_config(request, findings),
        docker.config.as_deref(),
        ErrorKind::ContainerConfig,
    )?;
    finish(request, findings, config, host)
}

fn plain_config(request: &CreateRequest, findings: &Findings) -> ContainerCreateBody {
    let container = request.container();
    let exposed = findings.published.iter().flat_map(port_keys);
    ContainerCreateBody {
        image: Some(container.image.clone()),
        cmd: command(container),
        entrypoint: container
            .entry_point
            .clone()
            .filter(|list| !list.is_empty()),
        env: Some(environment(request, findings)),
        exposed_ports: Some(exposed.map(|(key, _)| key).collect()),
        ..ContainerCreateBody::default()
    }
}

/// The command of the overrides, else the definition's, else the image's.
fn command(container: &Container) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Overrides {
        command: Option<Vec<String>>,
    }
    let overrides = container.overrides.as_deref();
    let overridden = overrides
        .and_then(|text| serde_json::from_str::<Overrides>(text).ok())
        .and_then(|overrides| overrides.command);
    overridden
        .or_else(|| container.command.clone())
        .filter(|list| !list.is_empty())
}

/// `NAME=value`, sorted: the agent's own, under those of environment files, under the container's.
fn environment(request: &CreateRequest, findings: &Findings) -> Vec<String> {
    let mut merged: BTreeMap<&str, &str> = BTreeMap::new();
    let own = request.environment.iter();
    merged.extend(own.map(|(name, value)| (name.as_str(), value.as_str())));
    // The first file that names a variable wins, as in ECS.
    let files = findings.file_environment.iter().rev();
    merged.extend(files.map(|(name, value)| (name.as_str(), value.as_str())));
    let declared = request.container().environment.iter().flatten();
    merged.extend(declared.map(|(name, value)| (name.as_str(), value.as_str())));
    let gpus = gpus(&request.task, &request.container().name).join(",");
    if !gpus.is_empty() {
        merged.insert("NVIDIA_VISIBLE_DEVICES", &gpus);
    }
    let pairs = merged.into_iter();
    pairs
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn gpus(task: &Task, container: &str) -> Vec<String> {
    let ours = task.associations.iter().filter(|association| {
        association.kind == "gpu" && association.containers.iter().any(|name| name == container)
    });
    ours.map(|association| association.name.clone()).collect()
}

fn host_config(request: &CreateRequest, findings: &Findings) -> Result<HostConfig, RuntimeError> {
    let container = request.container();
    let task = &request.task;
    let gpus = gpus(task, &container.name);
    let devices = DeviceRequest {
        driver: Some("nvidia".to_owned()),
        device_ids: Some(gpus.clone()),
        capabilities: Some(vec![vec!["gpu".to_owned()]]),
        ..DeviceRequest::default()
    };
    Ok(HostConfig {
        binds: Some(binds(request)?),
        links: Some(
            container
                .links
                .iter()
                .map(|link| link_to(request, link))
                .collect::<Result<_, _>>()?,
        ),
        volumes_from: Some(volumes_from(request)?),
        port_bindings: Some(port_bindings(&findings.published)),
        network_mode: task.network_mode.clone(),
        pid_mode: task.pid_mode.clone().filter(|mode| mode == "host"),
        ipc_mode: task.ipc_mode.clone().filter(|mode| mode != "task"),
        memory: memory_mib(task, container, findings).map(|mib| mib * BYTES_PER_MIB),
        cpu_shares: Some(container.cpu.max(CPU_SHARES_MIN)),
        nano_cpus: nano_cpus(task).filter(|_| findings.group.is_none()),
        cgroup_parent: findings.group.clone(),
        device_requests: (!gpus.is_empty()).then(|| vec![devices]),
        ..HostConfig::default()
    })
}

/// A container's own hard limit; without a group around the task, the task's in its place.
fn memory_mib(task: &Task, container: &Container, findings: &Findings) -> Option<i64> {
    let own = Some(container.memory).filter(|mib| *mib > 0);
    let tasks = task
        .memory
        .filter(|mib| *mib > 0 && findings.group.is_none());
    own.or(tasks).map(|mib| mib.max(MEMORY_MIB_MIN))
}

/// A task's limit in vCPU, which bounds each of its containers when there is no group.
fn nano_cpus(task: &Task) -> Option<i64> {
    let vcpus = task.cpu.filter(|vcpus| vcpus.is_finite() && *vcpus > 0.0)?;
    // Far more than any machine has, and far from the end of the type.
    const VCPUS_MAX: f64 = 4096.0;
    #[expect(clippy::cast_possible_truncation, reason = "bounded just above")]
    let nano = (vcpus.min(VCPUS_MAX) * NANO_CPUS) as i64;
    Some(nano)
}

fn binds(request: &CreateRequest) -> Result<Vec<String>, RuntimeError> {
    let mounts = request.container().mount_points.iter();
    mounts
        .map(|mount| {
            let volumes = &request.task.volumes;
            let volume = volumes
                .iter()
                .find(|volume| volume.name == mount.source_volume);
            let volume = volume.ok_or_else(|| {
                RuntimeError::new(
                    ErrorKind::CannotCreateContainer,
                    format!("no volume is named {}", mount.source_volume),
                )
            })?;
            let source = volume_source(request, volume);
            let mode = if mount.read_only == Some(true) {
                ":ro"
            } else {
                ""
            };
            Ok(format!("{source}:{}{mode}", mount.container_path))
        })
        .collect()
}

/// The folder or the Docker volume behind a volume of the task.
fn volume_source(request: &CreateRequest, volume: &Volume) -> String {
    let path = volume
        .host
        .as_ref()
        .and_then(|host| host.source_path.clone());
    if let Some(path) = path.filter(|path| !path.is_empty()) {
        return path;
    }
    names::volume(&request.instance, &request.task, volume)
}

/// `name[:alias]` with the sibling's id in place of its name.
fn link_to(request: &CreateRequest, link: &str) -> Result<String, RuntimeError> {
    let (name, alias) = link.split_once(':').unwrap_or((link, link));
    Ok(format!("{}:{alias}", sibling(request, name)?))
}

fn volumes_from(request: &CreateRequest) -> Result<Vec<String>, RuntimeError> {
    let from = request.container().volumes_from.iter();
    from.map(|from| {
        let id = sibling(request, &from.source_container)?;
        let mode = if from.read_only == Some(true) {
            "ro"
        } else {
            "rw"
        };
        Ok(format!("{id}:{mode}"))
    })
    .collect()
}

fn sibling<'a>(request: &'a CreateRequest, name: &str) -> Result<&'a str, RuntimeError> {
    let id = request.siblings.get(name).map(|id| &**id);
    id.ok_or_else(|| {
        RuntimeError::new(
            ErrorKind::CannotCreateContainer,
            format!("container {name} has not been created"),
        )
    })
}

/// `80/tcp` and the host's port, for each port of a mapping.
fn port_keys(published: &Published) -> impl Iterator<Item = (String, u16)> {
    let transport = published.transport.as_str();
    let pairs = published.container_ports().zip(published.host_ports());
    pairs.map(move |(container, host)| (format!("{container}/{transport}"), host))
}

fn port_bindings(published: &[Published]) -> PortMap {
    let mut map = PortMap::new();
    for (key, host) in published.iter().flat_map(port_keys) {
        let bindings = map.entry(key).or_default().get_or_insert_default();
        bindings.push(PortBinding {
            host_ip: None,
            host_port: Some(host.to_string()),
        });
    }
    map
}

/// Sets what the server's strings have no say in.
fn finish(
    request: &CreateRequest,
    findings: &Findings,
    mut config: ContainerCreateBody,
    mut host: HostConfig,
) -> Result<ContainerCreateBody, RuntimeError> {
    let mut labels = config.labels.take().unwrap_or_default();
    labels.extend(own_labels(request));
    if let Some(settings) = ship_logs(&mut host)? {
        labels.insert(LABEL_LOGS.to_owned(), label_text(&settings)?);
    }
    if !findings.published.is_empty() {
        labels.insert(LABEL_PORTS.to_owned(), label_text(&findings.published)?);
    }
    if findings.group.is_some() {
        host.cgroup_parent = findings.group.clone();
    }
    if let Some(network) = &request.network {
        join_network(&mut config, &mut host, &network.handle);
    }
    if let Some(holder) = &findings.holder {
        let namespace = format!("container:{holder}");
        if request.task.pid_mode.as_deref() == Some("task") {
            host.pid_mode = Some(namespace.clone());
        }
        if request.task.ipc_mode.as_deref() == Some("task") {
            host.ipc_mode = Some(namespace);
        }
    }
    config.labels = Some(labels);
    config.host_config = Some(host);
    Ok(config)
}

fn label_text(value: &impl serde::Serialize) -> Result<String, RuntimeError> {
    serde_json::to_string(value)
        .map_err(|error| RuntimeError::new(ErrorKind::CannotCreateContainer, error.to_string()))
}

/// Joins the namespace of the task. Docker refuses whatever would change that namespace; name
/// servers and hosts were given to the container that holds it.
fn join_network(config: &mut ContainerCreateBody, host: &mut HostConfig, holder: &str) {
    host.network_mode = Some(format!("container:{holder}"));
    host.port_bindings = None;
    host.links = None;
    host.dns = None;
    host.dns_search = None;
    host.dns_options = None;
    host.extra_hosts = None;
    host.publish_all_ports = None;
    config.hostname = None;
    config.domainname = None;
    config.exposed_ports = None;
    config.network_disabled = None;
}

fn own_labels(request: &CreateRequest) -> HashMap<String, String> {
    let task = &request.task;
    let labels = [
        (Labels::CLUSTER, &*request.cluster),
        (Labels::CONTAINER, &*request.container().name),
        (Labels::TASK, &*task.arn),
        (Labels::FAMILY, &*task.family),
        (Labels::REVISION, &*task.version),
        (Labels::INSTANCE, &*request.instance),
        (Labels::TOKEN, &*request.token),
    ];
    let owned = labels.into_iter();
    owned
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// Puts a driver that keeps lines on this machine in the place of `awslogs`, whose lines the
/// agent ships itself, and gives what it needs for that.
fn ship_logs(host: &mut HostConfig) -> Result<Option<LogSettings>, RuntimeError> {
    let wanted = host.log_config.as_ref();
    let wanted = wanted.filter(|config| config.typ.as_deref() == Some("awslogs"));
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let options = wanted.config.clone().unwrap_or_default();
    let settings = LogSettings::parse(options.into_iter().collect())?;
    let kept = [
        ("max-size", SHIPPED_FILE_BYTES_MAX),
        ("max-file", SHIPPED_FILES_MAX),
    ];
    let kept = kept.into_iter();
    host.log_config = Some(HostConfigLogConfig {
        typ: Some("json-file".to_owned()),
        config: Some(
            kept.map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect(),
        ),
    });
    Ok(Some(settings))
}
