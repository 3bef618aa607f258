//! What follows from a definition that was filled in: where it can run, what an instance must
//! have, and the facts that placement reads (reference §2.3).

use std::collections::BTreeSet;

use berth_api::ecs::{
    self, Compatibility, LogDriver, NetworkMode, TransportProtocol, VersionConsistency,
};
use berth_model::definition::{ContainerFacts, DefinitionFacts, NetworkMode as NetworkFact};
use berth_model::resources::{HostPort, Transport};
use berth_model::text::Text;

use super::container::{gpus, port_range};
use super::draft::{is_ecr_image, is_windows, log_driver, name};
use super::fargate;
use crate::ecs::sizes;
use crate::error::ApiError;

/// Launch types that the definition can run on, in the order that Amazon ECS gives them.
pub(super) fn compatibilities(definition: &ecs::TaskDefinition) -> Vec<Compatibility> {
    use Compatibility::{Ec2, External, Fargate, ManagedInstances};
    if definition.network_mode != Some(NetworkMode::Awsvpc) {
        return vec![External, Ec2];
    }
    let mut kinds = if is_windows(definition) {
        vec![Ec2, Fargate]
    } else if definition.runtime_platform.is_some() {
        vec![Ec2, Fargate, ManagedInstances]
    } else {
        vec![Ec2, ManagedInstances, Fargate]
    };
    if !fargate::could_run(definition) {
        kinds.retain(|kind| *kind != Fargate);
    }
    kinds
}

/// The attribute that says an agent speaks this version of Docker's API.
fn docker(version: &str) -> String {
    format!("com.amazonaws.ecs.capability.docker-remote-api.{version}")
}

/// Attributes that an instance must have, in alphabetical order.
pub(super) fn required_attributes(definition: &ecs::TaskDefinition) -> Vec<ecs::Attribute> {
    let mut needed = BTreeSet::new();
    for_task(definition, &mut needed);
    for container in definition.container_definitions.iter().flatten() {
        for_container(container, definition, &mut needed);
    }
    let attribute = |name: String| ecs::Attribute {
        name: Some(name),
        ..ecs::Attribute::default()
    };
    needed.into_iter().map(attribute).collect()
}

fn for_task(definition: &ecs::TaskDefinition, needed: &mut BTreeSet<String>) {
    let mut need = |attribute: &str| needed.insert(attribute.to_owned());
    if definition.network_mode == Some(NetworkMode::Awsvpc) {
        need(&docker("1.18"));
        need("ecs.capability.task-eni");
    }
    if definition.task_role_arn.is_some() {
        need(if definition.network_mode == Some(NetworkMode::Host) {
            "com.amazonaws.ecs.capability.task-iam-role-network-host"
        } else {
            "com.amazonaws.ecs.capability.task-iam-role"
        });
    }
    if definition.pid_mode.is_some() || definition.ipc_mode.is_some() {
        need("ecs.capability.pid-ipc-namespace-sharing");
    }
    if definition.proxy_configuration.is_some() {
        need("ecs.capability.aws-appmesh");
    }
    if definition.enable_fault_injection == Some(true) {
        need("ecs.capability.fault-injection");
    }
    let sized = definition.cpu.is_some() || definition.memory.is_some();
    let wanted = definition.requires_compatibilities.as_deref();
    let for_fargate = wanted.is_some_and(|kinds| kinds.contains(&Compatibility::Fargate));
    if sized && !for_fargate {
        need("ecs.capability.task-cpu-mem-limit");
    }
    for volume in definition.volumes.iter().flatten() {
        if let Some(efs) = &volume.efs_volume_configuration {
            need("ecs.capability.efs");
            need(&docker("1.25"));
            if efs.authorization_config.is_some() {
                need("ecs.capability.efsAuth");
            }
        }
        if volume.configured_at_launch == Some(true) {
            need("ecs.capability.storage.ebs-task-volume-attach");
        }
        if volume
            .fsx_windows_file_server_volume_configuration
            .is_some()
        {
            need("ecs.capability.fsxWindowsFileServer");
        }
        let docker_volume = volume.docker_volume_configuration.as_ref();
        if let Some(driver) = docker_volume.and_then(|volume| volume.driver.as_deref()) {
            need(&format!("ecs.capability.docker-plugin.{driver}"));
        }
    }
}

fn for_container(
    container: &ecs::ContainerDefinition,
    definition: &ecs::TaskDefinition,
    needed: &mut BTreeSet<String>,
) {
    let mut need = |attribute: &str| needed.insert(attribute.to_owned());
    let execution_role = definition.execution_role_arn.is_some();
    let image = container.image.as_deref().unwrap_or_default();
    if image.contains("@sha256:") || container.memory_reservation.is_some() {
        need(&docker("1.21"));
    }
    if is_ecr_image(image) {
        need("com.amazonaws.ecs.capability.ecr-auth");
        need(&docker("1.19"));
        if execution_role {
            need("ecs.capability.execution-role-ecr-pull");
        }
    }
    let ordered = container.depends_on.iter().flatten().next().is_some()
        || container.start_timeout.is_some()
        || container.stop_timeout.is_some();
    if ordered {
        need("ecs.capability.container-ordering");
    }
    if let Some(driver) = log_driver(container) {
        need(&format!(
            "com.amazonaws.ecs.capability.logging-driver.{driver}"
        ));
        need(&docker("1.19"));
        if *driver == LogDriver::Awslogs && execution_role {
            need("ecs.capability.execution-role-awslogs");
        }
    }
    if container.health_check.is_some() {
        need("ecs.capability.container-health-check");
        need(&docker("1.24"));
    }
    for secret in container.secrets.iter().flatten() {
        let store = secret_store(secret);
        need(&format!(
            "ecs.capability.secrets.{store}.environment-variables"
        ));
    }
    let logs = container.log_configuration.as_ref();
    for secret in logs.iter().flat_map(|l| l.secret_options.iter().flatten()) {
        let store = secret_store(secret);
        need(&format!(
            "ecs.capability.secrets.{store}.bootstrap.log-driver"
        ));
    }
    if container
        .environment_files
        .iter()
        .flatten()
        .next()
        .is_some()
    {
        need("ecs.capability.env-files.s3");
    }
    if container.repository_credentials.is_some() {
        need("ecs.capability.private-registry-authentication.secretsmanager");
    }
    if container.privileged == Some(true) {
        need("com.amazonaws.ecs.capability.privileged-container");
    }
    if container.restart_policy.as_ref().and_then(|r| r.enabled) == Some(true) {
        need("ecs.capability.container-restart-policy");
    }
    let mut mappings = container.port_mappings.iter().flatten();
    if mappings.any(|mapping| mapping.container_port_range.is_some()) {
        need("ecs.capability.network.container-port-range");
    }
    if let Some(firelens) = &container.firelens_configuration {
        if let Some(kind) = &firelens.r#type {
            need(&format!("ecs.capability.firelens.{kind}"));
        }
        let options = firelens.options.as_ref();
        if let Some(kind) = options.and_then(|options| options.get("config-file-type")) {
            need(&format!("ecs.capability.firelens.options.config.{kind}"));
        }
    }
}

/// Where a secret is kept, as attributes name it: Secrets Manager by its ARN, else SSM.
fn secret_store(secret: &ecs::Secret) -> &'static str {
    let from = secret.value_from.as_deref().unwrap_or_default();
    if from.contains(":secretsmanager:") {
        "asm"
    } else {
        "ssm"
    }
}

/// What placement and task life read of the definition.
///
/// # Errors
/// ClientException for task sizes that do not read, which the checks have refused already.
pub(super) fn facts(definition: &ecs::TaskDefinition) -> Result<DefinitionFacts, ApiError> {
    let network_mode = match &definition.network_mode {
        Some(NetworkMode::Host) => NetworkFact::Host,
        Some(NetworkMode::Awsvpc) => NetworkFact::Awsvpc,
        Some(NetworkMode::None) => NetworkFact::None,
        Some(NetworkMode::Bridge | NetworkMode::Unknown(_)) | None => NetworkFact::Bridge,
    };
    let containers = definition.container_definitions.iter().flatten();
    let expressions = definition
        .placement_constraints
        .iter()
        .flatten()
        .filter_map(|constraint| constraint.expression.as_deref());
    let attributes = definition.requires_attributes.iter().flatten();
    Ok(DefinitionFacts {
        cpu: definition.cpu.as_deref().map(sizes::cpu).transpose()?,
        memory: definition
            .memory
            .as_deref()
            .map(sizes::memory)
            .transpose()?,
        network_mode,
        compatibilities: definition
            .compatibilities
            .iter()
            .flatten()
            .map(|kind| Text::new(kind.as_str()))
            .collect(),
        requires_attributes: attributes
            .filter_map(|attribute| attribute.name.as_deref().map(Text::new))
            .collect(),
        member_of: expressions.map(Text::new).collect(),
        containers: containers
            .map(|container| container_facts(container, network_mode))
            .collect(),
        task_role: definition.task_role_arn.is_some(),
    })
}

fn container_facts(
    container: &ecs::ContainerDefinition,
    network_mode: NetworkFact,
) -> ContainerFacts {
    let size = |mib: Option<i32>| mib.and_then(|mib| u32::try_from(mib).ok());
    let (ports, dynamic_ports) = match network_mode {
        NetworkFact::Bridge | NetworkFact::Host => host_ports(container),
        NetworkFact::Awsvpc | NetworkFact::None => (Vec::new(), 0),
    };
    let health = container.health_check.as_ref();
    let command = health.and_then(|health| health.command.as_ref());
    ContainerFacts {
        name: Text::new(name(container)),
        image: Text::new(container.image.as_deref().unwrap_or_default()),
        essential: container.essential != Some(false),
        cpu: size(container.cpu).unwrap_or(0),
        memory: size(container.memory),
        memory_reservation: size(container.memory_reservation),
        gpus: gpus(container).unwrap_or(0),
        ports,
        dynamic_ports,
        // `NONE` turns off the check of the image.
        health_check: command
            .is_some_and(|command| command.first().is_some_and(|word| word != "NONE")),
        keeps_tag: container.version_consistency == Some(VersionConsistency::Disabled),
    }
}

/// The host ports that a container fixes, and how many the agent picks for it.
fn host_ports(container: &ecs::ContainerDefinition) -> (Vec<HostPort>, u32) {
    let mut fixed = Vec::new();
    let mut picked: u32 = 0;
    for mapping in container.port_mappings.iter().flatten() {
        let transport = match mapping.protocol {
            Some(TransportProtocol::Udp) => Transport::Udp,
            Some(TransportProtocol::Tcp | TransportProtocol::Unknown(_)) | None => Transport::Tcp,
        };
        let host_port = mapping.host_port.and_then(|port| u16::try_from(port).ok());
        match (host_port.filter(|port| *port > 0), port_range(mapping)) {
            (Some(port), _) => fixed.push(HostPort { transport, port }),
            (None, Some((first, last))) => {
                let count = u32::try_from(last - first + 1).unwrap_or(0);
                picked = picked.saturating_add(count);
            }
            (None, None) => {}
        }
    }
    (fixed, picked)
}

#[cfg(test)]
mod tests {
    use super::super::draft;
    use super::*;

    /// The facts of the first container of a definition with these members.
    fn facts_of(definition: serde_json::Value) -> DefinitionFacts {
        let mut definition: ecs::TaskDefinition = serde_json::from_value(definition).unwrap();
        draft::fill(&mut definition).unwrap();
        definition.compatibilities = Some(compatibilities(&definition));
        definition.requires_attributes = Some(required_attributes(&definition));
        facts(&definition).unwrap()
    }

    fn with_ports(mode: Option<&str>, ports: serde_json::Value) -> (Vec<u16>, u32) {
        let facts = facts_of(serde_json::json!({
            "networkMode": mode,
            "containerDefinitions": [{"name": "c", "image": "i", "portMappings": ports}],
        }));
        let container = &facts.containers[0];
        let fixed = container.ports.iter().map(|port| port.port).collect();
        (fixed, container.dynamic_ports)
    }

    #[test]
    fn on_the_bridge_ports_are_fixed_or_left_to_the_agent() {
        let ports = serde_json::json!([
            {"containerPort": 80},
            {"containerPort": 81, "hostPort": 8081},
            {"containerPortRange": "100-109"},
        ]);
        assert_eq!(with_ports(None, ports.clone()), (vec![8081], 11));
        assert_eq!(with_ports(Some("bridge"), ports), (vec![8081], 11));
    }

    #[test]
    fn in_host_mode_container_ports_are_host_ports_and_in_awsvpc_mode_none_is() {
        let ports = serde_json::json!([{"containerPort": 80}]);
        assert_eq!(with_ports(Some("host"), ports.clone()), (vec![80], 0));
        assert_eq!(with_ports(Some("awsvpc"), ports), (vec![], 0));
    }

    #[test]
    fn placement_reads_sizes_constraints_and_capabilities() {
        let facts = facts_of(serde_json::json!({
            "cpu": ".5 vCPU",
            "memory": "1GB",
            "taskRoleArn": "r",
            "placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}],
            "containerDefinitions": [{
                "name": "c", "image": "i", "cpu": 10, "memoryReservation": 32,
                "resourceRequirements": [{"type": "GPU", "value": "2"}],
                "healthCheck": {"command": ["NONE"]},
            }],
        }));
        assert_eq!((facts.cpu, facts.memory), (Some(512), Some(1024)));
        assert_eq!(facts.network_mode, NetworkFact::Bridge);
        assert_eq!(facts.member_of, [Text::new("attribute:a == b")]);
        assert!(facts.task_role);
        let container = &facts.containers[0];
        assert_eq!((container.cpu, container.gpus), (10, 2));
        assert_eq!(
            (container.memory, container.memory_reservation),
            (None, Some(32))
        );
        assert!(container.essential && !container.health_check);
        assert!(
            facts
                .requires_attributes
                .contains(&Text::new("ecs.capability.task-cpu-mem-limit"))
        );
    }
}
