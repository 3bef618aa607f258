//! Whether a task can be run at all, and what it takes from the machine.

use std::collections::BTreeSet;

use berth_agent_proto::task::{Container, Task, Volume};
use serde_json::Value;

/// Why a task is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// The message makes no sense: the payload is not acked.
    Unreadable(String),
    /// It makes sense and cannot be run: acked, and reported STOPPED.
    Impossible(String),
}

/// What tasks take from a machine (reference §5.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// CPU units.
    pub cpu: i64,
    /// MiB.
    pub memory: i64,
    /// Host ports by transport, `true` for UDP. Of a machine: those that are reserved.
    pub ports: BTreeSet<(bool, u16)>,
}

impl Resources {
    pub(super) fn add(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.memory += other.memory;
        self.ports.extend(&other.ports);
    }

    pub(super) fn subtract(&mut self, other: &Self) {
        self.cpu -= other.cpu;
        self.memory -= other.memory;
        self.ports.retain(|port| !other.ports.contains(port));
    }

    /// What is missing of `capacity` for `demand` beside what is used, if anything.
    pub(super) fn lacks(&self, capacity: &Self, demand: &Self) -> Option<&'static str> {
        let taken = |port| self.ports.contains(port) || capacity.ports.contains(port);
        if self.cpu + demand.cpu > capacity.cpu && demand.cpu > 0 {
            Some("CPU")
        } else if self.memory + demand.memory > capacity.memory && demand.memory > 0 {
            Some("memory")
        } else if demand.ports.iter().any(taken) {
            Some("a port")
        } else {
            None
        }
    }
}

/// What a task takes: its own limits, or else the sum of its containers'.
pub(super) fn demand(task: &Task) -> Resources {
    // The server counts Fargate capacity by itself.
    if task.launch_type.as_deref() == Some("FARGATE") {
        return Resources::default();
    }
    // Guards against sums that overflow; no machine is as large.
    let capped = |n: i64| n.clamp(0, 1 << 40);
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a float-to-int cast saturates"
    )]
    let task_cpu = task.cpu.map(|vcpu| capped((vcpu * 1024.0).round() as i64));
    let cpu = task_cpu
        .filter(|cpu| *cpu > 0)
        .unwrap_or_else(|| task.containers.iter().map(|c| capped(c.cpu)).sum());
    let memory = task
        .memory
        .map(capped)
        .filter(|memory| *memory > 0)
        .unwrap_or_else(|| {
            task.containers
                .iter()
                .map(|c| capped(container_memory(c)))
                .sum()
        });
    Resources {
        cpu,
        memory,
        ports: task.containers.iter().flat_map(host_ports).collect(),
    }
}

/// The reservation if there is one, else the limit, in MiB.
fn container_memory(container: &Container) -> i64 {
    let host = container.docker_config.as_ref();
    let host = host.and_then(|config| config.host_config.as_deref());
    let reservation = host
        .and_then(|text| serde_json::from_str::<Value>(text).ok())
        .and_then(|value| value.get("MemoryReservation")?.as_i64())
        .filter(|bytes| *bytes > 0);
    reservation.map_or(container.memory, |bytes| bytes / (1024 * 1024))
}

fn host_ports(container: &Container) -> impl Iterator<Item = (bool, u16)> + '_ {
    container.port_mappings.iter().filter_map(|mapping| {
        let port = u16::try_from(mapping.host_port?).ok()?;
        (port != 0).then_some((mapping.protocol.as_deref() == Some("udp"), port))
    })
}

/// Why the task cannot be taken, if so.
pub(super) fn refuse(task: &Task) -> Option<Refused> {
    let unreadable = |reason: String| Some(Refused::Unreadable(reason));
    if !matches!(task.desired_status.as_str(), "RUNNING" | "STOPPED") {
        return unreadable(format!(
            "invalid desired status {:.40}",
            task.desired_status
        ));
    }
    if let Some(reason) = task.volumes.iter().find_map(refuse_volume) {
        return unreadable(reason);
    }
    if let Some(reason) = task.containers.iter().find_map(refuse_container) {
        return unreadable(reason);
    }
    if task.containers.is_empty() {
        // A stock agent spins for ever here (pitfall 14).
        return Some(Refused::Impossible(
            "TaskStateError: Agent could not progress task's state to stopped".to_owned(),
        ));
    }
    let mut names = BTreeSet::new();
    if !task
        .containers
        .iter()
        .all(|c| names.insert(c.name.as_str()))
    {
        return unreadable("two containers of the same name".to_owned());
    }
    if !order_exists(task) {
        return Some(Refused::Impossible(format!(
            "Task dependencies cannot be resolved, taskArn: {}",
            task.arn
        )));
    }
    None
}

fn refuse_volume(volume: &Volume) -> Option<String> {
    let missing = match volume.kind.as_deref() {
        Some("host") => volume.host.is_none(),
        Some("docker") => volume.docker_volume_configuration.is_none(),
        Some("efs") => volume.efs_volume_configuration.is_none(),
        // Without a type it is `host`, or named by an attachment.
        None => false,
        Some(_) => return Some("unrecognized volume type".to_owned()),
    };
    (missing || volume.name.is_empty())
        .then(|| "invalid volume: empty volume configuration".to_owned())
}

fn refuse_container(container: &Container) -> Option<String> {
    if container.name.is_empty() {
        return Some("container without a name".to_owned());
    }
    let bad_protocol = container
        .port_mappings
        .iter()
        .any(|mapping| !matches!(mapping.protocol.as_deref(), None | Some("" | "tcp" | "udp")));
    if bad_protocol {
        return Some("unrecognized protocol".to_owned());
    }
    let overrides = container.overrides.as_deref().unwrap_or_default();
    if overrides.is_empty() {
        return None;
    }
    let readable = match serde_json::from_str::<Value>(overrides) {
        Ok(Value::Object(fields)) => fields.iter().all(|(key, value)| {
            let words = value
                .as_array()
                .is_some_and(|a| a.iter().all(Value::is_string));
            key == "command" && (words || value.is_null())
        }),
        Ok(_) | Err(_) => false,
    };
    (!readable).then(|| "unknown container overrides".to_owned())
}

/// The containers that must be there, or further, before this one is created.
pub(super) fn needs(container: &Container) -> impl Iterator<Item = &str> {
    let depends = container
        .depends_on
        .iter()
        .map(|d| d.container_name.as_str());
    let volumes = container
        .volumes_from
        .iter()
        .map(|v| v.source_container.as_str());
    let links = container.links.iter();
    let links = links.map(|link| link.split(':').next().unwrap_or_default());
    depends.chain(volumes).chain(links)
}

/// Whether all dependencies name containers of the task and none leads back to its start.
fn order_exists(task: &Task) -> bool {
    let known_conditions = task.containers.iter().flat_map(|c| &c.depends_on).all(|d| {
        matches!(
            d.condition.as_str(),
            "START" | "COMPLETE" | "SUCCESS" | "HEALTHY"
        )
    });
    let mut placed = BTreeSet::new();
    loop {
        let before = placed.len();
        for container in &task.containers {
            if needs(container).all(|name| placed.contains(name)) {
                placed.insert(container.name.as_str());
            }
        }
        if placed.len() == task.containers.len() {
            return known_conditions;
        }
        if placed.len() == before {
            return false;
        }
    }
}
