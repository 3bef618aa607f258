//! What Amazon ECS refuses of a definition as a whole, in its own words (reference §2.3). One
//! container by itself is the next module's, Fargate has another.
//!
//! The checks run before the model's own constraints, so that every member may be absent here.

use std::collections::BTreeSet;

use berth_api::ecs::{self, ContainerCondition, NetworkMode, TransportProtocol};
use berth_model::name::{Family, Scope};
use berth_placement::Expression;

use super::container;
use super::draft::name;
use crate::ecs::fault::client;
use crate::ecs::sizes;
use crate::error::ApiError;

/// The most containers of a definition.
const CONTAINERS_MAX: usize = 10;
/// The most placement constraints of a definition.
const CONSTRAINTS_MAX: usize = 10;
/// The property of App Mesh's proxy that names the port it listens on.
const INGRESS_PORT: &str = "ProxyIngressPort";

/// The family's name.
///
/// # Errors
/// ClientException when it is absent or malformed.
pub(super) fn family(given: Option<&str>) -> Result<Family, ApiError> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.ok_or_else(|| client("Family should not be null or empty."))?;
    given
        .parse()
        .map_err(|_| client("Family contains invalid characters."))
}

/// Checks a definition, before anything is filled in.
///
/// # Errors
/// ClientException for the first thing that is wrong.
pub(super) fn check(definition: &ecs::TaskDefinition, scope: &Scope) -> Result<(), ApiError> {
    let containers = definition.container_definitions.as_deref();
    let containers = containers.unwrap_or_default();
    check_list(containers)?;
    if let Some(accelerators) = &definition.inference_accelerators
        && !accelerators.is_empty()
    {
        return Err(client("Unsupported field 'inferenceAccelerators'"));
    }
    check_isolation(definition.trusted_execution_configuration.as_ref())?;
    check_role(definition.task_role_arn.as_deref(), scope)?;
    check_role(definition.execution_role_arn.as_deref(), scope)?;
    check_sizes(definition, containers)?;
    check_volumes(definition)?;
    for container in containers {
        container::check(container, definition)?;
    }
    check_ports(definition, containers)?;
    check_dependencies(containers)?;
    check_proxy(definition, containers)?;
    check_external(definition)?;
    check_constraints(definition.placement_constraints.as_deref())
}

fn check_list(containers: &[ecs::ContainerDefinition]) -> Result<(), ApiError> {
    if containers.is_empty() {
        return Err(client("Container list cannot be empty."));
    }
    if containers.len() > CONTAINERS_MAX {
        return Err(client(format!(
            "Container list cannot have more than {CONTAINERS_MAX} containers."
        )));
    }
    let mut names = BTreeSet::new();
    for container in containers {
        let empty = |text: &Option<String>| text.as_deref().is_none_or(str::is_empty);
        if empty(&container.name) {
            return Err(client("Container.name should not be null or empty."));
        }
        if name(container).parse::<Family>().is_err() {
            return Err(client("Container.name contains invalid characters."));
        }
        if empty(&container.image) {
            return Err(client("Container.image should not be null or empty."));
        }
        if !names.insert(name(container)) {
            return Err(client(
                "Container names must be unique within a task definition.",
            ));
        }
    }
    if containers.iter().all(|c| c.essential == Some(false)) {
        return Err(client(
            "Task definition doesn't have any essential container.",
        ));
    }
    Ok(())
}

/// Refuses a sandbox: a task that asked for one is not to run without it.
fn check_isolation(given: Option<&ecs::TrustedExecutionConfiguration>) -> Result<(), ApiError> {
    let mode = given.and_then(|given| given.isolation_mode.as_ref());
    match mode.map(ecs::IsolationMode::as_str) {
        None | Some("SHARED") => Ok(()),
        Some(other) => Err(client(format!(
            "The isolation mode {other} is not supported in this Region."
        ))),
    }
}

/// Checks a role: an ARN of the caller's own account, or a role's short name.
fn check_role(role: Option<&str>, scope: &Scope) -> Result<(), ApiError> {
    let Some(role) = role else { return Ok(()) };
    let well_formed = |name: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@-_/".contains(c);
        !name.is_empty() && !name.ends_with('/') && name.chars().all(allowed)
    };
    let valid = if role.starts_with("arn:") {
        let parts: Vec<&str> = role.splitn(6, ':').collect();
        let account = scope.account.to_string();
        match parts.as_slice() {
            [_, partition, "iam", "", of_account, resource] => {
                partition.starts_with("aws")
                    && *of_account == account
                    && resource.strip_prefix("role/").is_some_and(well_formed)
            }
            _ => false,
        }
    } else {
        well_formed(role)
    };
    if valid {
        Ok(())
    } else {
        Err(client("Role is not valid"))
    }
}

fn check_sizes(
    definition: &ecs::TaskDefinition,
    containers: &[ecs::ContainerDefinition],
) -> Result<(), ApiError> {
    let task_cpu = definition.cpu.as_deref().map(sizes::cpu).transpose()?;
    let task_memory = definition.memory.as_deref();
    let task_memory = task_memory.map(sizes::memory).transpose()?;
    for container in containers {
        container::check_sizes(container, task_memory)?;
    }
    let sum: i64 = containers
        .iter()
        .map(|container| i64::from(container.cpu.unwrap_or(0)))
        .sum();
    if task_cpu.is_some_and(|task| sum > i64::from(task)) {
        return Err(client(
            "The sum of all container 'cpu' values cannot be greater than the value of the task \
             'cpu'.",
        ));
    }
    Ok(())
}

fn check_volumes(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    let mut names = BTreeSet::new();
    for volume in definition.volumes.iter().flatten() {
        let name = volume.name.as_deref().unwrap_or_default();
        if name.is_empty() {
            return Err(client("Volume.name should not be null or empty."));
        }
        if !names.insert(name) {
            return Err(client(
                "Volume names must be unique within a task definition.",
            ));
        }
        let Some(efs) = &volume.efs_volume_configuration else {
            continue;
        };
        let authorization = efs.authorization_config.as_ref();
        let access_point = authorization.is_some_and(|config| config.access_point_id.is_some());
        let root = efs.root_directory.as_deref().unwrap_or("/");
        if access_point && root != "/" {
            return Err(client(
                "When using an EFS access point, the root directory must either be set to \"/\" \
                 or be omitted",
            ));
        }
    }
    Ok(())
}

/// Checks that no port or port name is used twice in the task.
fn check_ports(
    definition: &ecs::TaskDefinition,
    containers: &[ecs::ContainerDefinition],
) -> Result<(), ApiError> {
    let own_network = matches!(
        definition.network_mode,
        Some(NetworkMode::Awsvpc | NetworkMode::Host)
    );
    let mut names = BTreeSet::new();
    // Ranges of ports in use, each with its transport: containers of one task share the network
    // in the awsvpc and host modes.
    let mut shared: Vec<(bool, (i32, i32))> = Vec::new();
    let mut host_ports = BTreeSet::new();
    for container in containers {
        let mut own: Vec<(bool, (i32, i32))> = Vec::new();
        for mapping in container.port_mappings.iter().flatten() {
            if let Some(name) = &mapping.name
                && !names.insert(name.as_str())
            {
                return Err(client("port mapping name is already used"));
            }
            let udp = mapping.protocol == Some(TransportProtocol::Udp);
            let Some(range) = container::port_range(mapping) else {
                continue;
            };
            let taken = if own_network { &mut shared } else { &mut own };
            let overlaps = |(other_udp, other): &(bool, (i32, i32))| {
                *other_udp == udp && other.0 <= range.1 && range.0 <= other.1
            };
            // On the bridge one container port may stand behind several host ports.
            let several = !own_network && mapping.container_port.is_some();
            if !several && taken.iter().any(overlaps) {
                return Err(client("container port is used multiple times in task"));
            }
            taken.push((udp, range));
            let host_port = mapping.host_port.filter(|port| *port != 0);
            if let Some(port) = host_port
                && !own_network
                && !host_ports.insert((udp, port))
            {
                return Err(client("host port is used multiple times in task"));
            }
        }
    }
    Ok(())
}

fn check_dependencies(containers: &[ecs::ContainerDefinition]) -> Result<(), ApiError> {
    for container in containers {
        for dependency in container.depends_on.iter().flatten() {
            let on = dependency.container_name.as_deref().unwrap_or_default();
            let Some(other) = containers.iter().find(|c| name(c) == on) else {
                return Err(client(format!(
                    "Cannot depend on container + '{on}' because it does not exist"
                )));
            };
            match &dependency.condition {
                Some(ContainerCondition::Complete | ContainerCondition::Success)
                    if other.essential != Some(false) =>
                {
                    return Err(client(
                        "A dependency container with SUCCESS or COMPLETE condition cannot be an \
                         essential container",
                    ));
                }
                Some(ContainerCondition::Healthy) if other.health_check.is_none() => {
                    return Err(client(
                        "A dependency container with HEALTHY condition must have health check \
                         configured",
                    ));
                }
                Some(_) | None => {}
            }
        }
    }
    if has_cycle(containers) {
        return Err(client("Container dependsOn contains a cycle"));
    }
    Ok(())
}

/// Whether following `dependsOn` leads round in a circle: containers whose dependencies are all
/// settled are settled one after the other, until none is left or none can be.
fn has_cycle(containers: &[ecs::ContainerDefinition]) -> bool {
    let mut settled: BTreeSet<&str> = BTreeSet::new();
    loop {
        let before = settled.len();
        for container in containers {
            let mut dependencies = container.depends_on.iter().flatten();
            let ready = dependencies.all(|dependency| {
                let on = dependency.container_name.as_deref().unwrap_or_default();
                settled.contains(on)
            });
            if ready {
                settled.insert(name(container));
            }
        }
        if settled.len() == containers.len() {
            return false;
        }
        if settled.len() == before {
            return true;
        }
    }
}

fn check_proxy(
    definition: &ecs::TaskDefinition,
    containers: &[ecs::ContainerDefinition],
) -> Result<(), ApiError> {
    let Some(proxy) = &definition.proxy_configuration else {
        return Ok(());
    };
    if definition.network_mode != Some(NetworkMode::Awsvpc) {
        return Err(client(
            "APPMESH proxy configuration is only supported in networkMode=awsvpc",
        ));
    }
    let container = proxy.container_name.as_deref().unwrap_or_default();
    if !containers.iter().any(|c| name(c) == container) {
        return Err(client(format!(
            "Proxy container [{container}] does not exist"
        )));
    }
    let mut properties = proxy.properties.iter().flatten();
    if !properties.any(|property| property.name.as_deref() == Some(INGRESS_PORT)) {
        return Err(client("Ingress port not found"));
    }
    Ok(())
}

fn check_external(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    let wanted = definition.requires_compatibilities.as_deref();
    let external = wanted.is_some_and(|kinds| kinds.contains(&ecs::Compatibility::External));
    if external && definition.network_mode == Some(NetworkMode::Awsvpc) {
        return Err(client(
            "The EXTERNAL launch type does not support networkMode=awsvpc.",
        ));
    }
    Ok(())
}

fn check_constraints(
    constraints: Option<&[ecs::TaskDefinitionPlacementConstraint]>,
) -> Result<(), ApiError> {
    let constraints = constraints.unwrap_or_default();
    if constraints.len() > CONSTRAINTS_MAX {
        return Err(client(format!(
            "Maximum number of placement constraints is {CONSTRAINTS_MAX}"
        )));
    }
    for constraint in constraints {
        let expression = constraint.expression.as_deref().unwrap_or_default();
        Expression::parse(expression)
            .map_err(|error| client(format!("Invalid constraint expression: {error}")))?;
    }
    Ok(())
}
