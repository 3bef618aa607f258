//! What CreateService and UpdateService want a service to be, checked as a whole (reference §2.4).

use berth_api::ecs;
use berth_model::cluster::Cluster;
use berth_model::definition::{NetworkMode, TaskDefinition};
use berth_model::name::DefinitionKey;
use berth_model::service::{
    Controller, PlacementStrategy, Propagate, Scheduling, ServiceCapacity, ServiceRevision,
    ServiceSpec, Strategy, TaskSet,
};
use berth_model::task::{LaunchType, NetworkConfiguration, PlacementConstraint};
use berth_model::text::Text;
use berth_placement::Strategy as Placed;

use crate::ecs::fault::invalid;
use crate::ecs::tasks::capacity::{Capacity, resolve_platform};
use crate::ecs::tasks::placing::Placing;
use crate::error::ApiError;

/// What a revision of the service is made of.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Template {
    pub(super) definition: DefinitionKey,
    pub(super) platform_version: Option<Text>,
    pub(super) network: Option<Box<NetworkConfiguration>>,
    pub(super) service_connect: Option<serde_json::Value>,
}

impl Template {
    /// What a revision was made of.
    pub(super) fn of(revision: &ServiceRevision) -> Self {
        Self {
            definition: revision.definition.clone(),
            platform_version: revision.platform_version.clone(),
            network: revision.network.clone(),
            service_connect: revision.service_connect.clone(),
        }
    }

    /// What a task set was made of.
    pub(super) fn of_task_set(set: &TaskSet) -> Self {
        Self {
            definition: set.definition.clone(),
            platform_version: set.platform_version.clone(),
            network: set.network.clone(),
            service_connect: None,
        }
    }
}

/// The platform version as it is kept: what was given, `LATEST` when nothing was.
///
/// # Errors
/// As for tasks.
pub(super) fn platform_version(
    launch: LaunchType,
    given: Option<&str>,
) -> Result<Option<Text>, ApiError> {
    let resolved = resolve_platform(launch, given)?;
    let given = given.filter(|given| !given.is_empty());
    Ok(resolved.map(|_| Text::new(given.unwrap_or("LATEST"))))
}

/// Capacity as records have it.
pub(super) fn capacity_of(capacity: &Capacity) -> ServiceCapacity {
    match capacity {
        Capacity::Launch(launch) => ServiceCapacity::Launch(*launch),
        Capacity::Strategy(items) => ServiceCapacity::Strategy(items.clone()),
    }
}

/// The launch type of the tasks on this capacity.
pub(super) fn launch_of(capacity: &ServiceCapacity) -> LaunchType {
    match capacity {
        ServiceCapacity::Launch(launch) => *launch,
        ServiceCapacity::Strategy(items) => crate::ecs::strategy::launch_type(items),
    }
}

/// Refuses members that need what Berth does not have, rather than to leave them undone: each with
/// the number of its items.
///
/// # Errors
/// InvalidParameterException that names the member.
pub(super) fn check_unserved<const N: usize>(
    given: [(&'static str, Option<usize>); N],
) -> Result<(), ApiError> {
    match given.iter().find(|(_, items)| items.unwrap_or(0) > 0) {
        Some((name, _)) => Err(invalid(format!("{name} is not supported in this Region."))),
        None => Ok(()),
    }
}

/// How many early success criteria a request switches on.
pub(super) fn early_success(given: Option<&ecs::DeploymentConfiguration>) -> Option<usize> {
    let criteria = given?.early_success_criteria.as_ref()?;
    Some(usize::from(criteria.enable == Some(true)))
}

/// Placement strategies as records have them, in the spelling that ECS answers with.
///
/// # Errors
/// InvalidParameterException for one that cannot be.
pub(super) fn parse_strategies(
    given: &[ecs::PlacementStrategy],
) -> Result<Vec<PlacementStrategy>, ApiError> {
    if given.is_empty() {
        return Ok(Vec::new());
    }
    let parsed = crate::ecs::tasks::placing::parse_strategy(given)?;
    let one = |strategy: &Placed| PlacementStrategy {
        kind: strategy.kind().into(),
        field: strategy.field().map(Text::from),
    };
    Ok(parsed.iter().map(one).collect())
}

/// Which labels tasks get.
///
/// # Errors
/// InvalidParameterException for a value that there is not.
pub(super) fn parse_propagate(given: &ecs::PropagateTags) -> Result<Propagate, ApiError> {
    match given {
        ecs::PropagateTags::None => Ok(Propagate::None),
        ecs::PropagateTags::Service => Ok(Propagate::Service),
        ecs::PropagateTags::TaskDefinition => Ok(Propagate::TaskDefinition),
        ecs::PropagateTags::Unknown(_) => Err(invalid(
            "propagateTags should be one of [TASK_DEFINITION,SERVICE,NONE]",
        )),
    }
}

/// Whether a kept network configuration goes with a definition that it was not made for.
///
/// # Errors
/// InvalidParameterException, as for one that is given.
pub(super) fn check_kept_network(
    mode: NetworkMode,
    network: Option<&NetworkConfiguration>,
) -> Result<(), ApiError> {
    match (mode, network) {
        (NetworkMode::Awsvpc, None) => Err(invalid(
            "Network Configuration must be provided when networkMode 'awsvpc' is specified.",
        )),
        (NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None, Some(_)) => Err(invalid(
            "Network Configuration is not valid for the given networkMode of this task definition.",
        )),
        (NetworkMode::Awsvpc, Some(_))
        | (NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None, None) => Ok(()),
    }
}

/// What must hold between the members of a service, whichever call set them.
///
/// # Errors
/// InvalidParameterException with ECS's own words.
pub(super) fn check_whole(
    spec: &ServiceSpec,
    definition: Option<&TaskDefinition>,
    service_connect: Option<&serde_json::Value>,
    constraints: &[ecs::PlacementConstraint],
    strategies: &[ecs::PlacementStrategy],
) -> Result<(), ApiError> {
    let launch = launch_of(&spec.capacity);
    if spec.scheduling == Scheduling::Daemon {
        check_daemon(spec, launch, strategies)?;
    }
    if let Some(definition) = definition {
        Placing::parse(&definition.facts, launch, constraints, strategies)?;
        check_role(spec, definition)?;
    }
    if spec.zone_rebalancing {
        if spec.scheduling == Scheduling::Daemon {
            return Err(invalid(
                "Availability Zone Rebalancing does not support DAEMON services.",
            ));
        }
        if spec.deployment.maximum <= 100 {
            return Err(invalid(
                "Availability Zone Rebalancing does not support maximumPercent <= 100 % as \
                 deployment configuration.",
            ));
        }
    }
    if spec.controller != Controller::Ecs {
        if spec.deployment.breaker.enable {
            return Err(invalid(
                "Deployment circuit breaker is only supported with the ECS deployment controller.",
            ));
        }
        if spec.deployment.alarms.as_ref().is_some_and(|a| a.enable) {
            return Err(invalid(
                "Deployment alarms are only supported with the ECS deployment controller.",
            ));
        }
    }
    let connects = service_connect
        .and_then(|given| given.get("enabled"))
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false);
    match spec.deployment.strategy {
        Strategy::Rolling => Ok(()),
        Strategy::BlueGreen | Strategy::Linear(_) | Strategy::Canary(_) if connects => Ok(()),
        Strategy::BlueGreen | Strategy::Linear(_) | Strategy::Canary(_) => Err(invalid(format!(
            "The deployment strategy {} needs a Service Connect configuration: load balancers are \
             not supported in this Region.",
            spec.deployment.strategy.as_str()
        ))),
    }
}

fn check_daemon(
    spec: &ServiceSpec,
    launch: LaunchType,
    strategies: &[ecs::PlacementStrategy],
) -> Result<(), ApiError> {
    if launch == LaunchType::Fargate {
        return Err(invalid(
            "The daemon scheduling strategy does not support the FARGATE launch type. Change the \
             launch type and try again",
        ));
    }
    if !strategies.is_empty() || !spec.strategy.is_empty() {
        return Err(invalid(
            "The daemon scheduling strategy does not support placement strategies. Remove the \
             placement strategy and try again",
        ));
    }
    if spec.controller != Controller::Ecs {
        return Err(invalid(
            "The daemon scheduling strategy does not support the specified deployment controller.",
        ));
    }
    Ok(())
}

/// Whether commands can be executed in tasks of that definition, if they are to be.
///
/// # Errors
/// InvalidParameterException when they cannot, in which the service could not be `done`.
pub(super) fn check_execute(
    spec: &ServiceSpec,
    definition: &TaskDefinition,
    done: &str,
) -> Result<(), ApiError> {
    if !spec.execute_command || definition.facts.task_role {
        return Ok(());
    }
    Err(invalid(format!(
        "The service couldn't be {done} because a valid taskRoleArn is not being used. Specify a \
         valid task role in your task definition and try again."
    )))
}

/// Whether the service may have a role of its own: with addresses of their own its tasks are the
/// service-linked role's.
fn check_role(spec: &ServiceSpec, definition: &TaskDefinition) -> Result<(), ApiError> {
    if spec.role.is_none() || definition.facts.network_mode != NetworkMode::Awsvpc {
        return Ok(());
    }
    Err(invalid(
        "You cannot specify an IAM role for services that require a service linked role.",
    ))
}

/// `serviceConnectConfiguration` in the API's own JSON, checked against the definition's ports.
///
/// # Errors
/// InvalidParameterException with ECS's own words.
pub(super) fn parse_service_connect(
    cluster: &Cluster,
    body: &ecs::TaskDefinition,
    given: &ecs::ServiceConnectConfiguration,
) -> Result<serde_json::Value, ApiError> {
    if given.enabled == Some(true) {
        let namespace = given.namespace.as_deref().filter(|name| !name.is_empty());
        if namespace.is_none() && cluster.spec.service_connect_namespace.is_none() {
            return Err(invalid("Namespace is missing"));
        }
        let ports: Vec<&str> = body
            .container_definitions
            .iter()
            .flatten()
            .flat_map(|container| container.port_mappings.iter().flatten())
            .filter_map(|port| port.name.as_deref())
            .collect();
        for service in given.services.iter().flatten() {
            let port = service.port_name.as_deref().unwrap_or_default();
            if !ports.contains(&port) {
                return Err(invalid(format!(
                    "portName({port}) does not refer to any named PortMapping in the container \
                     definitions"
                )));
            }
            check_aliases(service.client_aliases.as_deref().unwrap_or_default())?;
        }
    }
    serde_json::to_value(given).map_err(ApiError::internal)
}

/// The most client aliases of a port (reference §2.4).
const ALIASES_MAX: usize = 1;

fn check_aliases(given: &[ecs::ServiceConnectClientAlias]) -> Result<(), ApiError> {
    if given.len() > ALIASES_MAX {
        return Err(invalid(format!(
            "{} clientAliases exceeds the max limit of {ALIASES_MAX}",
            given.len()
        )));
    }
    let mut names = given.iter().filter_map(|alias| alias.dns_name.as_deref());
    if names.all(is_dns_name) {
        return Ok(());
    }
    Err(invalid("The DNS name that you provided is invalid"))
}

/// Whether it can be a host's name: labels of letters, digits and hyphens inside, with dots between
/// (RFC 1123).
fn is_dns_name(name: &str) -> bool {
    let label = |label: &str| {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        (1..=63).contains(&label.len())
            && label.bytes().all(allowed)
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

/// Constraints as records have them.
///
/// # Errors
/// InvalidParameterException for one that cannot be.
pub(super) fn parse_constraints(
    given: &[ecs::PlacementConstraint],
) -> Result<Vec<PlacementConstraint>, ApiError> {
    crate::ecs::tasks::placing::parse_constraints(given)
}
