//! What Docker is told of a container: two strings of JSON in the Docker Engine API's spelling
//! (agent protocol reference §4.3.3).
//!
//! The agent lays them over what it works out itself, so nothing that it works out is written
//! here: no image, command, environment, binds, port bindings or hard memory limit.

use std::collections::BTreeMap;

use berth_agent_proto::task::DockerConfig;
use berth_api::ecs;
use berth_model::definition::NetworkMode;
use berth_model::task::Task;
use serde_json::{Map, Value, json};

use super::{AgentKind, PayloadContext};

/// The oldest version of Docker's API that agents take; what they are asked for here is older.
const DOCKER_API_VERSION: &str = "1.21";
const BYTES_PER_MIB: i64 = 1024 * 1024;
const NANOSECONDS_PER_SECOND: i64 = 1_000_000_000;
/// ECS's defaults of a health check, in seconds and times; registration fills them in as well.
const HEALTH_INTERVAL: i32 = 30;
const HEALTH_TIMEOUT: i32 = 5;
const HEALTH_RETRIES: i32 = 3;
/// The option by which ECS users name log streams. Docker's driver does not know it and wants
/// the whole name.
const STREAM_PREFIX: &str = "awslogs-stream-prefix";

/// What the two strings are made from.
pub(super) struct DockerView<'a> {
    pub(super) container: &'a ecs::ContainerDefinition,
    pub(super) name: &'a str,
    /// The hard limit in effect.
    pub(super) memory_mib: Option<i32>,
    /// The soft limit in effect.
    pub(super) memory_reservation_mib: Option<i32>,
    pub(super) network: NetworkMode,
    pub(super) task: &'a Task,
    pub(super) cx: &'a PayloadContext,
}

pub(super) fn render(view: &DockerView<'_>) -> DockerConfig {
    DockerConfig {
        version: Some(DOCKER_API_VERSION.to_owned()),
        config: Some(config(view.container).to_string()),
        host_config: Some(view.host_config().to_string()),
    }
}

/// A JSON object whose absent values are left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.0.insert(key.to_owned(), value.into());
        }
    }

    /// Empty lists and maps say the same as absent ones.
    fn put_filled(&mut self, key: &str, value: Value) {
        let empty = value.as_array().is_some_and(Vec::is_empty)
            || value.as_object().is_some_and(Map::is_empty);
        if !empty {
            self.0.insert(key.to_owned(), value);
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = serde_json::to_string(&self.0).map_err(|_| std::fmt::Error)?;
        f.write_str(&text)
    }
}

fn config(container: &ecs::ContainerDefinition) -> Object {
    let mut config = Object::default();
    config.put("User", container.user.clone());
    config.put("WorkingDir", container.working_directory.clone());
    config.put("Hostname", container.hostname.clone());
    config.put("NetworkDisabled", container.disable_networking);
    config.put("OpenStdin", container.interactive);
    config.put("Tty", container.pseudo_terminal);
    config.put_filled(
        "Labels",
        json!(container.docker_labels.clone().unwrap_or_default()),
    );
    config.put(
        "Healthcheck",
        container.health_check.as_ref().map(health_check),
    );
    config
}

fn health_check(check: &ecs::HealthCheck) -> Value {
    let ecs::HealthCheck {
        command,
        interval,
        retries,
        start_period,
        timeout,
    } = check;
    let nanoseconds = |seconds: i32| i64::from(seconds) * NANOSECONDS_PER_SECOND;
    let mut rendered = json!({
        "Test": command.as_deref().unwrap_or_default(),
        "Interval": nanoseconds(interval.unwrap_or(HEALTH_INTERVAL)),
        "Timeout": nanoseconds(timeout.unwrap_or(HEALTH_TIMEOUT)),
        "Retries": retries.unwrap_or(HEALTH_RETRIES),
    });
    if let Some(seconds) = start_period {
        rendered["StartPeriod"] = json!(nanoseconds(*seconds));
    }
    rendered
}

impl DockerView<'_> {
    fn host_config(&self) -> Object {
        let container = self.container;
        let mut host = Object::default();
        host.put("NetworkMode", docker_network(self.network));
        host.put("Privileged", container.privileged);
        host.put("ReadonlyRootfs", container.readonly_root_filesystem);
        host.put(
            "MemoryReservation",
            self.memory_reservation_mib.map(mib_to_bytes),
        );
        host.put("LogConfig", self.log_config());
        host.put_filled("Ulimits", ulimits(container));
        host.put_filled("Sysctls", sysctls(container));
        host.put_filled("Dns", list(container.dns_servers.as_deref()));
        host.put_filled("DnsSearch", list(container.dns_search_domains.as_deref()));
        host.put_filled("ExtraHosts", extra_hosts(container));
        host.put_filled(
            "SecurityOpt",
            list(container.docker_security_options.as_deref()),
        );
        if let Some(linux) = &container.linux_parameters {
            self.linux(linux, &mut host);
        }
        host
    }

    fn linux(&self, linux: &ecs::LinuxParameters, host: &mut Object) {
        let ecs::LinuxParameters {
            capabilities,
            devices: hardware,
            init_process_enabled,
            max_swap,
            shared_memory_size,
            swappiness,
            tmpfs: in_memory,
        } = linux;
        if let Some(ecs::KernelCapabilities { add, drop }) = capabilities {
            host.put_filled("CapAdd", list(add.as_deref()));
            host.put_filled("CapDrop", list(drop.as_deref()));
        }
        host.put_filled("Devices", devices(hardware.as_deref()));
        host.put("Init", *init_process_enabled);
        host.put("ShmSize", shared_memory_size.map(mib_to_bytes));
        host.put_filled("Tmpfs", tmpfs(in_memory.as_deref()));
        // Docker's limit counts memory and swap together, and needs a limit on memory. Without
        // a limit on swap, ECS takes no notice of the swappiness.
        if let (Some(swap), Some(memory)) = (*max_swap, self.memory_mib) {
            host.put(
                "MemorySwap",
                Some(mib_to_bytes(memory) + mib_to_bytes(swap)),
            );
        }
        if max_swap.is_some() {
            host.put("MemorySwappiness", *swappiness);
        }
    }

    fn log_config(&self) -> Option<Value> {
        let log = self.container.log_configuration.as_ref()?;
        let driver = log.log_driver.as_ref()?;
        let options = log.options.clone().unwrap_or_default();
        let options = match driver {
            ecs::LogDriver::Awslogs => self.awslogs(options),
            ecs::LogDriver::JsonFile
            | ecs::LogDriver::Syslog
            | ecs::LogDriver::Journald
            | ecs::LogDriver::Gelf
            | ecs::LogDriver::Fluentd
            | ecs::LogDriver::Splunk
            | ecs::LogDriver::Awsfirelens
            | ecs::LogDriver::Unknown(_) => options,
        };
        Some(json!({ "Type": driver.as_str(), "Config": options }))
    }

    /// The options of Docker's driver: the stream's whole name where ECS has a prefix, the task's
    /// region where none is given, and where the service is, unless the definition says so itself.
    fn awslogs(&self, mut options: BTreeMap<String, String>) -> BTreeMap<String, String> {
        let prefix = options.remove(STREAM_PREFIX);
        if let Some(prefix) = prefix.filter(|prefix| !prefix.is_empty()) {
            let stream = format!("{prefix}/{}/{}", self.name, self.task.id);
            options.insert("awslogs-stream".to_owned(), stream);
        }
        let mut default = |key: &str, value: Option<&str>| {
            if let Some(value) = value {
                let entry = options.entry(key.to_owned());
                entry.or_insert_with(|| value.to_owned());
            }
        };
        let region = self.task.spec.cluster.scope.region.as_str();
        default("awslogs-region", Some(region));
        if self.cx.agent == AgentKind::Stock {
            let route = &self.cx.logs;
            default("awslogs-endpoint", route.endpoint.as_deref());
            default(
                "awslogs-credentials-endpoint",
                route.credentials_path.as_deref(),
            );
        }
        options
    }
}

/// Docker's mode. In awsvpc mode the agent sets it, to the network that it made for the task.
fn docker_network(mode: NetworkMode) -> Option<&'static str> {
    match mode {
        NetworkMode::Bridge => Some("bridge"),
        NetworkMode::Host => Some("host"),
        NetworkMode::None => Some("none"),
        NetworkMode::Awsvpc => None,
    }
}

fn mib_to_bytes(mib: i32) -> i64 {
    i64::from(mib) * BYTES_PER_MIB
}

fn list(values: Option<&[String]>) -> Value {
    json!(values.unwrap_or_default())
}

fn ulimits(container: &ecs::ContainerDefinition) -> Value {
    let limits = container.ulimits.as_deref().unwrap_or_default();
    let render = |limit: &ecs::Ulimit| {
        Some(json!({
            "Name": limit.name.as_ref()?.as_str(),
            "Soft": limit.soft_limit?,
            "Hard": limit.hard_limit?,
        }))
    };
    limits.iter().filter_map(render).collect()
}

fn sysctls(container: &ecs::ContainerDefinition) -> Value {
    let controls = container.system_controls.as_deref().unwrap_or_default();
    let render = |control: &ecs::SystemControl| {
        let value = control.value.clone().unwrap_or_default();
        Some((control.namespace.clone()?, Value::from(value)))
    };
    Value::Object(controls.iter().filter_map(render).collect())
}

fn extra_hosts(container: &ecs::ContainerDefinition) -> Value {
    let hosts = container.extra_hosts.as_deref().unwrap_or_default();
    let render = |host: &ecs::HostEntry| {
        let (name, address) = (host.hostname.as_ref()?, host.ip_address.as_ref()?);
        Some(format!("{name}:{address}"))
    };
    hosts.iter().filter_map(render).collect()
}

/// A device is found at the same path inside, and may be read, written and made, unless the
/// definition says otherwise.
fn devices(devices: Option<&[ecs::Device]>) -> Value {
    let render = |device: &ecs::Device| {
        let host = device.host_path.as_ref()?;
        let granted = device.permissions.as_deref().unwrap_or_default();
        let letters: String = granted.iter().filter_map(permission).collect();
        Some(json!({
            "PathOnHost": host,
            "PathInContainer": device.container_path.as_ref().unwrap_or(host),
            "CgroupPermissions": if letters.is_empty() { "rwm" } else { &letters },
        }))
    };
    let devices = devices.unwrap_or_default();
    devices.iter().filter_map(render).collect()
}

fn permission(permission: &ecs::DeviceCgroupPermission) -> Option<char> {
    match permission {
        ecs::DeviceCgroupPermission::Read => Some('r'),
        ecs::DeviceCgroupPermission::Write => Some('w'),
        ecs::DeviceCgroupPermission::Mknod => Some('m'),
        ecs::DeviceCgroupPermission::Unknown(_) => None,
    }
}

fn tmpfs(mounts: Option<&[ecs::Tmpfs]>) -> Value {
    let render = |mount: &ecs::Tmpfs| {
        let size = mount.size.map(|mib| format!("size={mib}m"));
        let options = mount.mount_options.iter().flatten().cloned();
        let options: Vec<String> = options.chain(size).collect();
        let path = mount.container_path.clone()?;
        Some((path, Value::from(options.join(","))))
    };
    let mounts = mounts.unwrap_or_default();
    Value::Object(mounts.iter().filter_map(render).collect())
}
