//! Tasks as the API shows them (reference §2.7, §4.2).

use std::cell::RefCell;
use std::collections::HashMap;

use berth_api::ecs;
use berth_model::definition::{ContainerFacts, DefinitionFacts, NetworkMode};
use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, ZONE_ATTRIBUTE};
use berth_model::name::ClusterKey;
use berth_model::resources::Transport;
use berth_model::task::{
    ContainerSeen, Health, LastStatus, LaunchType, NetworkBinding, StopCode, Task, TaskOverrides,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::State;
use berth_wire::EpochSeconds;

use crate::context::DefinitionCache;
use crate::error::ApiError;

/// The attribute by which a task tells what processor it runs on.
const ARCHITECTURE_ATTRIBUTE: &str = "ecs.cpu-architecture";
/// GiB of scratch space that a Fargate task has when its definition names none (reference §3.2).
const FARGATE_STORAGE_GIB: i32 = 20;
/// Digits of a network interface's id after `eni-`, as Amazon EC2 has them.
const INTERFACE_ID_DIGITS: usize = 17;

/// Which answer a task is shown in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// RunTask and StartTask, which do not speak of health yet.
    Started,
    /// Every later answer.
    Later,
}

/// What the tasks of one cluster are shown from.
pub(crate) struct View<'a> {
    state: &'a State,
    definitions: &'a DefinitionCache,
    moment: Moment,
    tags: bool,
    arns: Arns,
    /// What was looked up of the instances of this answer's tasks.
    places: RefCell<HashMap<InstanceId, Place>>,
}

/// What a task shows of its instance. Looking it up walks some thirty attributes, and the tasks
/// of one answer share few instances.
#[derive(Clone, Default)]
struct Place {
    zone: Option<Text>,
    architecture: Option<Text>,
}

impl Place {
    fn of(instance: &ContainerInstance) -> Place {
        let value = |name| instance.attribute(name).flatten().cloned();
        Place {
            zone: value(ZONE_ATTRIBUTE),
            architecture: value(ARCHITECTURE_ATTRIBUTE),
        }
    }
}

/// What the ARNs of a cluster's parts begin with, made once for all tasks of an answer: an answer
/// of a hundred tasks has four hundred of them.
struct Arns {
    cluster: String,
    task: String,
    container: String,
    instance: String,
}

impl Arns {
    fn of(cluster: &ClusterKey) -> Arns {
        let arn = cluster.arn();
        let base = arn
            .strip_suffix(&format!("cluster/{}", cluster.name))
            .unwrap_or_default();
        let prefix = |kind: &str| format!("{base}{kind}/{}/", cluster.name);
        Arns {
            task: prefix("task"),
            container: prefix("container"),
            instance: prefix("container-instance"),
            cluster: arn,
        }
    }
}

impl<'a> View<'a> {
    /// A view of the tasks of `cluster`. `tags` says whether labels are shown; else the list is
    /// there and empty.
    pub(crate) fn new(
        state: &'a State,
        definitions: &'a DefinitionCache,
        cluster: &ClusterKey,
        moment: Moment,
        tags: bool,
    ) -> Self {
        Self {
            state,
            definitions,
            moment,
            tags,
            arns: Arns::of(cluster),
            places: RefCell::default(),
        }
    }

    fn place(&self, task: &Task) -> Place {
        let Some(id) = task.instance else {
            return Place::default();
        };
        let mut places = self.places.borrow_mut();
        let place = places.entry(id).or_insert_with(|| {
            self.state
                .instances
                .get(&id)
                .map(|instance| Place::of(instance))
                .unwrap_or_default()
        });
        place.clone()
    }

    /// The task as the API shows it.
    ///
    /// # Errors
    /// A server fault when its definition is not there, which the state rules out.
    pub(crate) fn task(&self, task: &Task) -> Result<ecs::Task, ApiError> {
        let spec = &task.spec;
        let definition = self
            .state
            .definitions
            .get(&spec.definition)
            .ok_or_else(|| ApiError::internal("a task without its definition"))?;
        let facts = &*definition.facts;
        let demand = task.demand(facts);
        let id = task.id.to_string();
        let arn = [&*self.arns.task, &id].concat();
        let place = self.place(task);
        let (connectivity, connectivity_at) = self.connectivity(task);
        let overrides = spec.overrides.as_deref();
        let mut shown = ecs::Task {
            attachments: Some(attachments(task, facts)),
            attributes: Some(attributes(place.architecture)),
            availability_zone: place.zone.as_ref().map(Text::to_string),
            capacity_provider_name: spec.capacity_provider.as_ref().map(Text::to_string),
            cluster_arn: Some(self.arns.cluster.clone()),
            connectivity,
            connectivity_at,
            container_instance_arn: self.instance_arn(task),
            containers: Some(self.containers(task, facts, &id, &arn)),
            cpu: Some(demand.cpu.to_string()),
            created_at: Some(seconds(spec.created_at)),
            desired_status: Some(task.desired.as_str().into()),
            enable_execute_command: Some(spec.execute_command),
            execution_stopped_at: task.seen.execution_stopped_at.map(seconds),
            group: Some(spec.group.to_string()),
            health_status: (self.moment == Moment::Later).then(|| health(task.health(facts))),
            last_status: Some(task.last.as_str().into()),
            launch_type: Some(launch_type(spec.launch_type)),
            memory: Some(demand.memory.to_string()),
            overrides: Some(shown_overrides(facts, overrides)?),
            pull_started_at: task.seen.pull_started_at.map(seconds),
            pull_stopped_at: task.seen.pull_stopped_at.map(seconds),
            started_at: task.seen.started_at.map(seconds),
            started_by: spec.started_by.as_ref().map(Text::to_string),
            stopped_at: task.seen.stopped_at.map(seconds),
            tags: Some(self.tags(task)),
            task_arn: Some(arn),
            task_definition_arn: Some(spec.definition.arn()),
            version: Some(i64::from(task.version)),
            ..ecs::Task::default()
        };
        if let Some(stop) = &task.stop {
            shown.stop_code = Some(stop_code(stop.code));
            shown.stopped_reason = Some(stop.reason.to_string());
            shown.stopping_at = Some(seconds(stop.at));
        }
        if spec.launch_type == LaunchType::Fargate {
            let body = self.definitions.body(definition)?;
            show_platform(&mut shown, task, &body);
        }
        Ok(shown)
    }

    fn tags(&self, task: &Task) -> Vec<ecs::Tag> {
        if !self.tags {
            return Vec::new();
        }
        let pair = |(key, value): (&Text, &Text)| ecs::Tag {
            key: Some(key.to_string()),
            value: Some(value.to_string()),
        };
        task.tags.iter().map(pair).collect()
    }

    /// Fargate's machines are nobody's business.
    fn instance_arn(&self, task: &Task) -> Option<String> {
        match task.spec.launch_type {
            LaunchType::Ec2 | LaunchType::External => {
                let id = task.instance?.to_string();
                Some([&*self.arns.instance, &id].concat())
            }
            LaunchType::Fargate => None,
        }
    }

    /// Whether the task's agent is in touch: told once the agent has spoken of the task.
    fn connectivity(&self, task: &Task) -> (Option<ecs::Connectivity>, Option<EpochSeconds>) {
        let Some(instance) = task.instance.filter(|_| task.seen.reported) else {
            return (None, None);
        };
        let connection = self.state.connections.get(&instance);
        let ended = task.last == LastStatus::Stopped;
        let at = connection.map(|c| {
            let at = c.since.max(task.spec.created_at);
            seconds(task.seen.stopped_at.map_or(at, |stopped| at.min(stopped)))
        });
        if ended || connection.is_some_and(|c| c.connected) {
            (Some(ecs::Connectivity::Connected), at)
        } else {
            (Some(ecs::Connectivity::Disconnected), at)
        }
    }

    fn containers(
        &self,
        task: &Task,
        facts: &DefinitionFacts,
        id: &str,
        arn: &str,
    ) -> Vec<ecs::Container> {
        let mut gpus = task.gpus.iter();
        let overrides = task.spec.overrides.as_deref();
        let each = facts.containers.iter().zip(&task.seen.containers);
        each.enumerate()
            .map(|(index, (container, seen))| {
                let over = overrides.and_then(|o| o.container(&container.name));
                let wanted = over.and_then(|o| o.gpus).unwrap_or(container.gpus);
                let cpu = over.and_then(|o| o.cpu).unwrap_or(container.cpu);
                let memory = over.and_then(|o| o.memory).or(container.memory);
                let reservation = over
                    .and_then(|o| o.memory_reservation)
                    .or(container.memory_reservation);
                let own: Vec<String> = gpus
                    .by_ref()
                    .take(wanted as usize)
                    .map(Text::to_string)
                    .collect();
                ecs::Container {
                    container_arn: Some(
                        [
                            &*self.arns.container,
                            id,
                            "/",
                            &task.container_id(index).to_uuid_text(),
                        ]
                        .concat(),
                    ),
                    cpu: Some(cpu.to_string()),
                    gpu_ids: (!own.is_empty()).then_some(own),
                    memory: memory.map(|mib| mib.to_string()),
                    memory_reservation: reservation.map(|mib| mib.to_string()),
                    name: Some(container.name.to_string()),
                    network_interfaces: Some(interfaces(task)),
                    task_arn: Some(arn.into()),
                    ..self.observed(container, seen)
                }
            })
            .collect()
    }

    /// What an agent reported of a container.
    fn observed(&self, container: &ContainerFacts, seen: &ContainerSeen) -> ecs::Container {
        ecs::Container {
            exit_code: seen.exit_code,
            health_status: (self.moment == Moment::Later).then(|| {
                health(if container.health_check {
                    seen.health
                } else {
                    Health::Unknown
                })
            }),
            image: Some(container.image.to_string()),
            image_digest: seen.image_digest.as_ref().map(Text::to_string),
            last_status: Some(seen.last.as_str().into()),
            network_bindings: seen
                .bindings
                .as_ref()
                .map(|bindings| bindings.iter().map(binding).collect()),
            reason: seen.reason.as_ref().map(Text::to_string),
            runtime_id: seen.runtime_id.as_ref().map(ToString::to_string),
            ..ecs::Container::default()
        }
    }
}

/// An instant on the wire.
pub(crate) fn seconds(at: Timestamp) -> EpochSeconds {
    EpochSeconds::from_millis(at.as_millis())
}

/// A launch type on the wire.
pub(crate) fn launch_type(kind: LaunchType) -> ecs::LaunchType {
    match kind {
        LaunchType::Ec2 => ecs::LaunchType::Ec2,
        LaunchType::Fargate => ecs::LaunchType::Fargate,
        LaunchType::External => ecs::LaunchType::External,
    }
}

fn health(health: Health) -> ecs::HealthStatus {
    match health {
        Health::Healthy => ecs::HealthStatus::Healthy,
        Health::Unknown => ecs::HealthStatus::UnknownValue,
        Health::Unhealthy => ecs::HealthStatus::Unhealthy,
    }
}

fn stop_code(code: StopCode) -> ecs::TaskStopCode {
    match code {
        StopCode::TaskFailedToStart => ecs::TaskStopCode::TaskFailedToStart,
        StopCode::EssentialContainerExited => ecs::TaskStopCode::EssentialContainerExited,
        StopCode::UserInitiated => ecs::TaskStopCode::UserInitiated,
        StopCode::ServiceSchedulerInitiated => ecs::TaskStopCode::ServiceSchedulerInitiated,
        StopCode::SpotInterruption => ecs::TaskStopCode::SpotInterruption,
        StopCode::TerminationNotice => ecs::TaskStopCode::TerminationNotice,
    }
}

fn attributes(architecture: Option<Text>) -> Vec<ecs::Attribute> {
    architecture
        .map(|value| ecs::Attribute {
            name: Some(ARCHITECTURE_ATTRIBUTE.into()),
            value: Some(value.to_string()),
            ..ecs::Attribute::default()
        })
        .into_iter()
        .collect()
}

/// The network interface of a task in awsvpc mode.
fn attachments(task: &Task, facts: &DefinitionFacts) -> Vec<ecs::Attachment> {
    if facts.network_mode != NetworkMode::Awsvpc {
        return Vec::new();
    }
    let pair = |name: &str, value: String| ecs::KeyValuePair {
        name: Some(name.into()),
        value: Some(value),
    };
    let mut details = Vec::new();
    let subnets = task.spec.network.iter().flat_map(|n| n.subnets.iter());
    // The task is in one subnet, and one is like another here.
    details.extend(subnets.take(1).map(|id| pair("subnetId", id.to_string())));
    if let Some(address) = &task.seen.address {
        let digits: String = task
            .id
            .to_string()
            .chars()
            .take(INTERFACE_ID_DIGITS)
            .collect();
        details.push(pair("networkInterfaceId", format!("eni-{digits}")));
        details.push(pair("macAddress", address.mac.to_string()));
        let name = if address.ip.is_ipv4() {
            "privateIPv4Address"
        } else {
            "ipv6Address"
        };
        details.push(pair(name, address.ip.to_string()));
    }
    let status = match task.last {
        LastStatus::Stopped => "DELETED",
        LastStatus::Provisioning if task.seen.address.is_none() => "PRECREATED",
        _ if task.seen.address.is_some() => "ATTACHED",
        LastStatus::Provisioning
        | LastStatus::Pending
        | LastStatus::Activating
        | LastStatus::Running
        | LastStatus::Deactivating
        | LastStatus::Stopping
        | LastStatus::Deprovisioning => "ATTACHING",
    };
    vec![ecs::Attachment {
        details: Some(details),
        id: Some(task.attachment_id().to_uuid_text()),
        status: Some(status.into()),
        r#type: Some("ElasticNetworkInterface".into()),
    }]
}

fn interfaces(task: &Task) -> Vec<ecs::NetworkInterface> {
    let Some(address) = &task.seen.address else {
        return Vec::new();
    };
    let ip = Some(address.ip.to_string());
    let (v4, v6) = if address.ip.is_ipv4() {
        (ip, None)
    } else {
        (None, ip)
    };
    vec![ecs::NetworkInterface {
        attachment_id: Some(task.attachment_id().to_uuid_text()),
        ipv6_address: v6,
        private_ipv4_address: v4,
    }]
}

fn binding(binding: &NetworkBinding) -> ecs::NetworkBinding {
    let protocol = match binding.transport {
        Transport::Tcp => ecs::TransportProtocol::Tcp,
        Transport::Udp => ecs::TransportProtocol::Udp,
    };
    let shown = ecs::NetworkBinding {
        bind_ip: Some(binding.bind_ip.to_string()),
        protocol: Some(protocol),
        ..ecs::NetworkBinding::default()
    };
    if binding.range {
        let range = |(first, last): (u16, u16)| Some(format!("{first}-{last}"));
        return ecs::NetworkBinding {
            container_port_range: range(binding.container),
            host_port_range: range(binding.host),
            ..shown
        };
    }
    ecs::NetworkBinding {
        container_port: Some(i32::from(binding.container.0)),
        host_port: Some(i32::from(binding.host.0)),
        ..shown
    }
}

/// Every container is listed, changed or not ([W], reference §2.7).
fn shown_overrides(
    facts: &DefinitionFacts,
    overrides: Option<&TaskOverrides>,
) -> Result<ecs::TaskOverride, ApiError> {
    let mut shown: ecs::TaskOverride = match overrides {
        Some(overrides) => serde_json::from_str(&overrides.given).map_err(ApiError::internal)?,
        None => ecs::TaskOverride::default(),
    };
    let given = shown.container_overrides.take().unwrap_or_default();
    let of = |name: &Text| {
        let of_name = |o: &&ecs::ContainerOverride| o.name.as_deref() == Some(name.as_str());
        given
            .iter()
            .find(of_name)
            .cloned()
            .unwrap_or_else(|| ecs::ContainerOverride {
                name: Some(name.to_string()),
                ..ecs::ContainerOverride::default()
            })
    };
    shown.container_overrides = Some(facts.containers.iter().map(|c| of(&c.name)).collect());
    shown
        .inference_accelerator_overrides
        .get_or_insert_default();
    Ok(shown)
}

/// What only a Fargate task shows.
fn show_platform(shown: &mut ecs::Task, task: &Task, body: &ecs::TaskDefinition) {
    shown.platform_version = task.spec.platform_version.as_ref().map(Text::to_string);
    shown.platform_family = Some("Linux".into());
    let of_definition = body.ephemeral_storage.as_ref().and_then(|s| s.size_in_gi_b);
    let of_override = shown
        .overrides
        .as_ref()
        .and_then(|o| o.ephemeral_storage.as_ref()?.size_in_gi_b);
    let size = of_override.or(of_definition).unwrap_or(FARGATE_STORAGE_GIB);
    shown.ephemeral_storage = Some(ecs::EphemeralStorage {
        size_in_gi_b: Some(size),
    });
    shown.fargate_ephemeral_storage = Some(ecs::TaskEphemeralStorage {
        size_in_gi_b: Some(size),
        ..ecs::TaskEphemeralStorage::default()
    });
}

#[cfg(test)]
mod tests {
    use berth_model::id::{InstanceId, TaskId};

    use super::*;

    #[test]
    fn arns_put_together_are_those_of_the_model() {
        let cluster: ClusterKey = "123456789012/us-east-1/cluster".parse().unwrap();
        let arns = Arns::of(&cluster);
        let task = TaskId::from_bytes([7; 16]);
        let instance = InstanceId::from_bytes([8; 16]);
        assert_eq!(arns.cluster, cluster.arn());
        assert_eq!(format!("{}{task}", arns.task), cluster.task_arn(task));
        assert_eq!(
            format!("{}{instance}", arns.instance),
            cluster.instance_arn(instance)
        );
        let expected = cluster.task_arn(task).replace(":task/", ":container/");
        assert_eq!(format!("{}{task}", arns.container), expected);
    }
}
