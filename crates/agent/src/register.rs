//! What an agent says of itself when it registers (reference §2.2).

use berth_agent_proto::extra::{CAPACITY_ATTRIBUTE, MACHINE_ATTRIBUTE};
use berth_api::ecs;

use crate::config::AgentConfig;
use crate::engine::Resources;
use crate::runtime::RuntimeFacts;

/// Capabilities that do not depend on the runtime: what the engine itself does with a payload.
/// `full-sync` says that it takes task manifests. What the stock agent has and this one does not
/// (secrets of AWS stores, FireLens, EFS, App Mesh, …) is left out, so that a task which needs it
/// is refused when it is placed and not when it is started.
const ALWAYS: &[&str] = &[
    "com.amazonaws.ecs.capability.task-iam-role",
    "com.amazonaws.ecs.capability.task-iam-role-network-host",
    "ecs.capability.container-ordering",
    "ecs.capability.container-restart-policy",
    "ecs.capability.external",
    "ecs.capability.full-sync",
];

/// What the machine gives to tasks: the runtime's figures or those configured in their place.
pub(crate) fn capacity(config: &AgentConfig, facts: &RuntimeFacts) -> Resources {
    let ports = config.reserved_ports.iter();
    Resources {
        cpu: config.cpu_units.unwrap_or(facts.cpu_units),
        memory: config.memory_mib.unwrap_or(facts.memory_mib),
        ports: ports.map(|port| (false, *port)).collect(),
    }
}

/// Why an instance registers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Occasion<'a> {
    /// It never did before.
    First,
    /// The agent was started again; the instance has this ARN.
    Return(&'a str),
    /// The server has forgotten the instance with this ARN, with all that operators changed.
    Forgotten(&'a str),
}

/// The request to register.
pub(crate) fn request(
    config: &AgentConfig,
    facts: &RuntimeFacts,
    occasion: Occasion<'_>,
) -> ecs::RegisterContainerInstanceRequest {
    let (known, first) = match occasion {
        Occasion::First => (None, true),
        Occasion::Return(arn) => (Some(arn), false),
        Occasion::Forgotten(arn) => (Some(arn), true),
    };
    let capacity = capacity(config, facts);
    let integer = |name: &str, value: i64| ecs::Resource {
        name: Some(name.to_owned()),
        r#type: Some("INTEGER".to_owned()),
        integer_value: Some(i32::try_from(value).unwrap_or(i32::MAX)),
        ..Default::default()
    };
    let strings = |name: &str, values: Vec<String>| ecs::Resource {
        name: Some(name.to_owned()),
        r#type: Some("STRINGSET".to_owned()),
        string_set_value: Some(values),
        ..Default::default()
    };
    let ports = config.reserved_ports.iter().map(u16::to_string).collect();
    let devices: Vec<_> = facts
        .gpus
        .iter()
        .map(|id| ecs::PlatformDevice {
            id: Some(id.clone()),
            r#type: Some("GPU".into()),
        })
        .collect();
    ecs::RegisterContainerInstanceRequest {
        cluster: Some(config.cluster.clone()),
        container_instance_arn: known.map(str::to_owned),
        // No identity document off EC2; the stock agent sends these empty as well.
        instance_identity_document: Some(String::new()),
        instance_identity_document_signature: Some(String::new()),
        total_resources: Some(vec![
            integer("CPU", capacity.cpu),
            integer("MEMORY", capacity.memory),
            strings("PORTS", ports),
            strings("PORTS_UDP", Vec::new()),
        ]),
        attributes: Some(attributes(config, facts, first)),
        platform_devices: Some(devices).filter(|list| !list.is_empty()),
        ..Default::default()
    }
}

/// Custom attributes go along on the first registration alone: later ones may have been changed
/// by an operator.
fn attributes(config: &AgentConfig, facts: &RuntimeFacts, first: bool) -> Vec<ecs::Attribute> {
    let attribute = |name: &str, value: Option<&str>| ecs::Attribute {
        name: Some(name.to_owned()),
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let named = ALWAYS.iter().copied();
    let named = named.chain(facts.capabilities.iter().map(String::as_str));
    let mut list: Vec<_> = named.map(|name| attribute(name, None)).collect();
    let mut valued = |name: &str, value: &str| list.push(attribute(name, Some(value)));
    valued("ecs.os-type", "linux");
    valued("ecs.os-family", "LINUX");
    valued("ecs.os-type-detailed", "LINUX");
    valued("ecs.cpu-architecture", &facts.architecture);
    valued(CAPACITY_ATTRIBUTE, config.capacity.attribute());
    if let Some(machine) = config.machine.as_ref().or(facts.machine.as_ref()) {
        valued(MACHINE_ATTRIBUTE, machine);
    }
    if let Some(zone) = &config.zone {
        valued("ecs.availability-zone", zone);
    }
    if first {
        for (name, value) in &config.attributes {
            valued(name, value);
        }
    }
    list
}
