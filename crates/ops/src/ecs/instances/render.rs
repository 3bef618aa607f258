//! Container instances as the API shows them (reference §5.1).

use std::collections::{BTreeSet, HashMap};

use berth_api::ecs;
use berth_model::capacity_provider::PROVIDER_ATTRIBUTE;
use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, MACHINE_ATTRIBUTE};
use berth_model::resources::{HostPort, Transport};
use berth_model::task::LastStatus;
use berth_model::text::Text;
use berth_state::State;

use crate::ecs::tags::render_tags;
use crate::ecs::tasks::render::seconds;
use crate::telemetry::{CheckStatus, MetricSource};

/// What is shown on request alone.
#[derive(Clone, Copy)]
pub(super) struct Include<'a> {
    pub(super) tags: bool,
    /// Where health is read from, if it is to be shown.
    pub(super) health: Option<&'a dyn MetricSource>,
}

/// What instances are shown from.
pub(super) struct View<'a> {
    state: &'a State,
    include: Include<'a>,
    /// The instances of every machine that may be more than one.
    machines: HashMap<Text, Vec<InstanceId>>,
}

/// What tasks hold of a machine.
#[derive(Default)]
struct Used {
    cpu: u64,
    memory: u64,
    gpus: BTreeSet<Text>,
    ports: BTreeSet<HostPort>,
}

impl<'a> View<'a> {
    /// A view of `state`.
    pub(super) fn new(state: &'a State, include: Include<'a>) -> Self {
        let mut machines: HashMap<Text, Vec<InstanceId>> = HashMap::new();
        for (id, instance) in state.instances.iter() {
            if instance.attribute(MACHINE_ATTRIBUTE).is_some() {
                machines.entry(instance.machine()).or_default().push(*id);
            }
        }
        Self {
            state,
            include,
            machines,
        }
    }

    /// The instance as the API shows it.
    pub(super) fn instance(&self, instance: &ContainerInstance) -> ecs::ContainerInstance {
        let counts = self.state.tasks.instance_counts(instance.id);
        let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
        let text = |text: &Option<Text>| text.as_ref().map(Text::to_string);
        let version = &instance.version_info;
        let attribute = |a: &berth_model::instance::Attribute| ecs::Attribute {
            name: Some(a.name.to_string()),
            value: text(&a.value),
            ..ecs::Attribute::default()
        };
        let provider = |a: &&berth_model::instance::Attribute| a.name == PROVIDER_ATTRIBUTE;
        let provider = instance.all_attributes().find(provider);
        ecs::ContainerInstance {
            capacity_provider_name: provider.and_then(|a| text(&a.value)),
            agent_connected: Some(self.state.is_connected(instance.id)),
            attachments: Some(Vec::new()),
            attributes: Some(instance.all_attributes().map(attribute).collect()),
            container_instance_arn: Some(instance.cluster.instance_arn(instance.id)),
            ec2_instance_id: text(&instance.machine_id),
            health_status: self
                .include
                .health
                .map(|told| self.health(told, instance.id)),
            pending_tasks_count: Some(number(counts.pending)),
            registered_at: Some(seconds(instance.registered_at)),
            registered_resources: Some(registered(instance)),
            remaining_resources: Some(remaining(instance, &self.used(instance))),
            running_tasks_count: Some(number(counts.running)),
            status: Some(instance.status.as_str().into()),
            tags: Some(if self.include.tags {
                render_tags(&instance.tags)
            } else {
                Vec::new()
            }),
            version: Some(i64::from(instance.version)),
            version_info: Some(ecs::VersionInfo {
                agent_hash: text(&version.hash),
                agent_version: text(&version.agent),
                docker_version: text(&version.docker),
            }),
            ..ecs::ContainerInstance::default()
        }
    }

    /// What the instance's agent says of its container runtime, the one check of an instance that
    /// is not managed by Amazon. Nothing can be known while the agent is away.
    fn health(
        &self,
        told: &dyn MetricSource,
        instance: InstanceId,
    ) -> ecs::ContainerInstanceHealthStatus {
        let said = told.instance_check(instance);
        let said = said.filter(|_| self.state.is_connected(instance));
        let status = match said.as_ref().map(|said| said.status) {
            Some(CheckStatus::Ok) => ecs::InstanceHealthCheckState::Ok,
            Some(CheckStatus::Impaired) => ecs::InstanceHealthCheckState::Impaired,
            Some(CheckStatus::Initializing) => ecs::InstanceHealthCheckState::Initializing,
            Some(CheckStatus::InsufficientData) | None => {
                ecs::InstanceHealthCheckState::InsufficientData
            }
        };
        let result = ecs::InstanceHealthCheckResult {
            last_status_change: said.as_ref().map(|said| seconds(said.changed_at)),
            last_updated: said.as_ref().map(|said| seconds(said.updated_at)),
            status: Some(status.clone()),
            status_reason: said.and_then(|said| said.reason.map(|why| why.to_string())),
            r#type: Some(ecs::InstanceHealthCheckType::ContainerRuntime),
        };
        ecs::ContainerInstanceHealthStatus {
            details: Some(vec![result]),
            overall_status: Some(status),
        }
    }

    /// What tasks hold of the instance's machine, through whichever of its instances.
    fn used(&self, instance: &ContainerInstance) -> Used {
        let alone = [instance.id];
        let shared = instance
            .attribute(MACHINE_ATTRIBUTE)
            .and_then(|_| self.machines.get(&instance.machine()));
        let instances = shared.map_or(&alone[..], Vec::as_slice);
        let mut used = Used::default();
        for task in instances
            .iter()
            .flat_map(|id| self.state.tasks.on_instance(*id))
        {
            let Some(facts) = self.state.facts(task) else {
                continue;
            };
            if task.last == LastStatus::Stopped {
                continue;
            }
            let demand = task.demand(facts);
            used.cpu += u64::from(demand.cpu);
            used.memory += u64::from(demand.memory);
            used.gpus.extend(task.gpus.iter().cloned());
            used.ports.extend(demand.ports);
            let seen = task.seen.containers.iter();
            for binding in seen.flat_map(|seen| seen.bindings.iter().flatten()) {
                let transport = binding.transport;
                let ports = binding.host.0..=binding.host.1;
                used.ports
                    .extend(ports.map(|port| HostPort { transport, port }));
            }
        }
        used
    }
}

fn registered(instance: &ContainerInstance) -> Vec<ecs::Resource> {
    let capacity = &instance.capacity;
    let gpus = capacity.gpus.iter().map(Text::to_string).collect();
    resources(
        [capacity.cpu, capacity.memory],
        &capacity.reserved_ports,
        (!capacity.gpus.is_empty()).then_some(gpus),
    )
}

fn remaining(instance: &ContainerInstance, used: &Used) -> Vec<ecs::Resource> {
    let capacity = &instance.capacity;
    let left = |all: u32, used: u64| {
        u32::try_from(u64::from(all).saturating_sub(used)).unwrap_or_default()
    };
    let ports = capacity
        .reserved_ports
        .union(&used.ports)
        .copied()
        .collect();
    let free = capacity.gpus.iter().filter(|gpu| !used.gpus.contains(*gpu));
    let gpus = free.map(Text::to_string).collect();
    resources(
        [
            left(capacity.cpu, used.cpu),
            left(capacity.memory, used.memory),
        ],
        &ports,
        (!capacity.gpus.is_empty()).then_some(gpus),
    )
}

/// CPU, memory, ports and GPUs in the form and order of the API.
fn resources(
    [cpu, memory]: [u32; 2],
    ports: &BTreeSet<HostPort>,
    gpus: Option<Vec<String>>,
) -> Vec<ecs::Resource> {
    let resource = |name: &str, kind: &str| ecs::Resource {
        double_value: Some(0.0),
        integer_value: Some(0),
        long_value: Some(0),
        name: Some(name.into()),
        string_set_value: None,
        r#type: Some(kind.into()),
    };
    let integer = |name: &str, value: u32| ecs::Resource {
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        ..resource(name, "INTEGER")
    };
    let strings = |name: &str, values: Vec<String>| ecs::Resource {
        string_set_value: Some(values),
        ..resource(name, "STRINGSET")
    };
    let on = |transport: Transport| {
        let ports = ports.iter().filter(move |port| port.transport == transport);
        ports.map(|port| port.port.to_string()).collect()
    };
    let mut all = vec![
        integer("CPU", cpu),
        integer("MEMORY", memory),
        strings("PORTS", on(Transport::Tcp)),
        strings("PORTS_UDP", on(Transport::Udp)),
    ];
    all.extend(gpus.map(|gpus| strings("GPU", gpus)));
    all
}
