//! CreateService (reference §1.6, §2.4).

use berth_api::ecs::{self, op};
use berth_model::cluster::Cluster;
use berth_model::name::ServiceKey;
use berth_model::scheduler::ServiceMemory;
use berth_model::service::{Controller, Scheduling, Service, ServiceSpec, ServiceStatus};
use berth_model::tags::Tags;
use berth_model::task::{ClientToken, LaunchType};
use berth_model::text::Text;
use berth_state::Tx;

use super::configuration;
use super::deploy::deploy;
use super::names::service_key;
use super::render::{Moment, View};
use super::wanted::{
    Template, capacity_of, check_execute, check_unserved, check_whole, early_success,
    parse_constraints, parse_propagate, parse_service_connect, platform_version,
};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, resolve_definition};
use crate::ecs::tags::given_tags;
use crate::ecs::tasks::capacity::parse_capacity;
use crate::ecs::tasks::network::parse_network;
use crate::ecs::tasks::placing::parse_strategy;
use crate::ecs::token::client_token;
use crate::error::ApiError;

/// The most characters of a service's or task set's client token (reference §1.6).
const TOKEN_LENGTH_MAX: usize = 36;
/// The most tasks of a service (reference §9.3).
pub(super) const DESIRED_MAX: u32 = 5000;
/// The most services of a cluster (reference §9.3).
const SERVICES_MAX: u32 = 5000;

/// A call as parsed.
#[derive(Clone)]
struct Create {
    key: ServiceKey,
    spec: ServiceSpec,
    /// Nothing under the EXTERNAL controller.
    template: Option<Template>,
    tags: Tags,
    token: Option<ClientToken>,
    created_by: Text,
}

/// Makes a service, and begins its first deployment.
pub(crate) async fn create_service(
    call: Call,
    input: ecs::CreateServiceRequest,
) -> Result<ecs::CreateServiceResponse, ApiError> {
    let create = parse(&call, &input)?;
    let key = create.key.clone();
    call.transact(move |tx| create.carry_out(tx)).await?;
    let state = call.snapshot();
    let view = View::new(&state, Moment::Changed, true);
    Ok(ecs::CreateServiceResponse {
        service: Some(view.named(&key)?),
    })
}

/// The token with a digest of what the call asks for. Tags do not count: a retry's are passed over.
///
/// # Errors
/// InvalidParameterException for a token that is too long.
pub(super) fn token_of<R: serde::Serialize>(
    given: Option<&str>,
    asked: &R,
) -> Result<Option<ClientToken>, ApiError> {
    let asked = serde_json::to_vec(asked).map_err(ApiError::internal)?;
    client_token(given, TOKEN_LENGTH_MAX, &asked)
}

/// A count of tasks.
///
/// # Errors
/// InvalidParameterException for a negative one, with `negative`, and for too great a one.
pub(super) fn desired_count(given: i32, negative: &str) -> Result<u32, ApiError> {
    let count = u32::try_from(given).map_err(|_| invalid(negative))?;
    if count > DESIRED_MAX {
        return Err(invalid(format!(
            "DesiredCount can not be greater than {DESIRED_MAX}"
        )));
    }
    Ok(count)
}

fn parse(call: &Call, input: &ecs::CreateServiceRequest) -> Result<Create, ApiError> {
    configuration::check_targets(input.deployment_configuration.as_ref())?;
    call.check::<op::CreateService>(input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let cluster = active_cluster(&state, &cluster)?;
    let name = input.service_name.as_deref().unwrap_or_default();
    if name.starts_with("arn:") {
        return Err(invalid("Service name can not be an ARN."));
    }
    let key = service_key(&cluster.key, name)?;
    let controller = parse_controller(input.deployment_controller.as_ref())?;
    let scheduling = parse_scheduling(input.scheduling_strategy.as_ref())?;
    let asked = ecs::CreateServiceRequest {
        tags: None,
        ..input.clone()
    };
    let token = token_of(input.client_token.as_deref(), &asked)?;
    let (spec, template) = parse_wanted(call, cluster, input, controller, scheduling)?;
    Ok(Create {
        key,
        spec,
        template,
        tags: given_tags(ecs::Fault::InvalidParameter, input.tags.as_deref())?,
        token,
        created_by: Text::new(&call.caller.arn),
    })
}

fn parse_wanted(
    call: &Call,
    cluster: &Cluster,
    input: &ecs::CreateServiceRequest,
    controller: Controller,
    scheduling: Scheduling,
) -> Result<(ServiceSpec, Option<Template>), ApiError> {
    let state = call.snapshot();
    let named = input.task_definition.as_deref().filter(|n| !n.is_empty());
    let definition = match (controller, named) {
        (Controller::External, Some(_)) => return Err(invalid("TaskDefinition must be blank")),
        (Controller::External, None) => None,
        (Controller::Ecs | Controller::CodeDeploy, named) => {
            let named = named.ok_or_else(|| invalid("TaskDefinition can not be blank."))?;
            Some(resolve_definition(&state, call.scope(), named)?)
        }
    };
    let strategy = input.capacity_provider_strategy.as_deref();
    let capacity = match &definition {
        Some(definition) => {
            // The network comes first in ECS's own order, by the launch type that is named.
            let launch = match &input.launch_type {
                Some(ecs::LaunchType::Fargate) => LaunchType::Fargate,
                Some(_) | None if strategy.is_some_and(|s| !s.is_empty()) => LaunchType::Fargate,
                Some(_) | None => LaunchType::Ec2,
            };
            let mode = definition.facts.network_mode;
            if input.launch_type.is_some() || strategy.is_some() {
                parse_network(mode, launch, input.network_configuration.as_ref())?;
            }
            let launch_type = input.launch_type.as_ref();
            parse_capacity(&state, cluster, &definition.facts, launch_type, strategy)?
        }
        None => {
            let launch_type = input.launch_type.as_ref();
            crate::ecs::tasks::capacity::parse_any(&state, cluster, launch_type, strategy)?
        }
    };
    let launch = capacity.launch_type();
    let constraints = input.placement_constraints.as_deref().unwrap_or_default();
    let strategies = input.placement_strategy.as_deref().unwrap_or_default();
    let defaults = configuration::default_of(scheduling);
    let deployment = match &input.deployment_configuration {
        Some(given) => configuration::merged(&defaults, given, scheduling)?,
        None => defaults,
    };
    let rebalancing = match &input.availability_zone_rebalancing {
        Some(ecs::AvailabilityZoneRebalancing::Enabled) => true,
        Some(_) => false,
        None => {
            scheduling == Scheduling::Replica
                && controller == Controller::Ecs
                && deployment.maximum > 100
        }
    };
    let spec = ServiceSpec {
        desired: parse_desired(input.desired_count, scheduling, controller)?,
        scheduling,
        controller,
        primary: None,
        capacity: capacity_of(&capacity),
        deployment,
        grace_seconds: grace(input.health_check_grace_period_seconds)?,
        constraints: parse_constraints(constraints)?,
        strategy: parse_strategy(strategies)?,
        zone_rebalancing: rebalancing,
        managed_tags: input.enable_ecs_managed_tags.unwrap_or(false),
        propagate: match &input.propagate_tags {
            Some(given) => parse_propagate(given)?,
            None => berth_model::service::Propagate::None,
        },
        execute_command: input.enable_execute_command.unwrap_or(false),
        role: input
            .role
            .as_deref()
            .filter(|r| !r.is_empty())
            .map(Text::new),
    };
    let balancers = input.load_balancers.as_deref().unwrap_or_default();
    if controller == Controller::External && !balancers.is_empty() {
        return Err(invalid("LoadBalancers must be empty or null"));
    }
    check_unserved([
        ("loadBalancers", input.load_balancers.as_ref().map(Vec::len)),
        (
            "serviceRegistries",
            input.service_registries.as_ref().map(Vec::len),
        ),
        (
            "volumeConfigurations",
            input.volume_configurations.as_ref().map(Vec::len),
        ),
        (
            "vpcLatticeConfigurations",
            input.vpc_lattice_configurations.as_ref().map(Vec::len),
        ),
        (
            "gatewayConnectors",
            input.gateway_connectors.as_ref().map(Vec::len),
        ),
        (
            "monitoring",
            input
                .monitoring
                .as_ref()
                .and_then(|m| m.metric_configurations.as_ref())
                .map(Vec::len),
        ),
        (
            "earlySuccessCriteria",
            early_success(input.deployment_configuration.as_ref()),
        ),
    ])?;
    let template = match &definition {
        None => None,
        Some(definition) => {
            let mode = definition.facts.network_mode;
            let network = parse_network(mode, launch, input.network_configuration.as_ref())?;
            let service_connect = match &input.service_connect_configuration {
                None => None,
                Some(given) => {
                    let body = call.cx.definitions.body(definition)?;
                    Some(parse_service_connect(cluster, &body, given)?)
                }
            };
            Some(Template {
                definition: definition.key.clone(),
                platform_version: platform_version(launch, input.platform_version.as_deref())?,
                network,
                service_connect,
            })
        }
    };
    if let Some(definition) = &definition {
        check_execute(&spec, definition, "created")?;
    }
    let connect = template.as_ref().and_then(|t| t.service_connect.as_ref());
    check_whole(
        &spec,
        definition.as_deref(),
        connect,
        constraints,
        strategies,
    )?;
    Ok((spec, template))
}

fn parse_controller(given: Option<&ecs::DeploymentController>) -> Result<Controller, ApiError> {
    match given.and_then(|given| given.r#type.as_ref()) {
        None | Some(ecs::DeploymentControllerType::Ecs) => Ok(Controller::Ecs),
        Some(ecs::DeploymentControllerType::External) => Ok(Controller::External),
        Some(ecs::DeploymentControllerType::CodeDeploy) => Err(invalid(
            "The CODE_DEPLOY deployment controller is not supported in this Region.",
        )),
        Some(ecs::DeploymentControllerType::Unknown(_)) => {
            Err(invalid("type should be one of [ECS,CODE_DEPLOY,EXTERNAL]"))
        }
    }
}

fn parse_scheduling(given: Option<&ecs::SchedulingStrategy>) -> Result<Scheduling, ApiError> {
    match given {
        None | Some(ecs::SchedulingStrategy::Replica) => Ok(Scheduling::Replica),
        Some(ecs::SchedulingStrategy::Daemon) => Ok(Scheduling::Daemon),
        Some(ecs::SchedulingStrategy::Unknown(_)) => Err(invalid(
            "Scheduling strategy should be one of [REPLICA,DAEMON]",
        )),
    }
}

fn parse_desired(
    given: Option<i32>,
    scheduling: Scheduling,
    controller: Controller,
) -> Result<u32, ApiError> {
    match (scheduling, given) {
        (Scheduling::Replica, Some(given)) => {
            desired_count(given, "DesiredCount can not be lesser than 0")
        }
        (Scheduling::Replica, None) if controller == Controller::External => Ok(0),
        (Scheduling::Replica, None) => Err(invalid("DesiredCount is missing")),
        (Scheduling::Daemon, None | Some(0)) => Ok(0),
        (Scheduling::Daemon, Some(_)) => Err(invalid(
            "The daemon scheduling strategy does not support a desired count for services. Remove \
             the desired count value and try again",
        )),
    }
}

/// `healthCheckGracePeriodSeconds`.
///
/// # Errors
/// InvalidParameterException for a negative one.
pub(super) fn grace(given: Option<i32>) -> Result<u32, ApiError> {
    u32::try_from(given.unwrap_or(0))
        .map_err(|_| invalid("healthCheckGracePeriodSeconds must be between 0 and 2147483647"))
}

impl Create {
    fn carry_out(&self, tx: &mut Tx<'_>) -> Result<(), ApiError> {
        active_cluster(tx.state(), &self.key.cluster)?;
        if let Some(template) = &self.template {
            let scope = &self.key.cluster.scope;
            resolve_definition(tx.state(), scope, &template.definition.arn())?;
        }
        match tx.state().services.get(&self.key) {
            Some(service) if service.status == ServiceStatus::Draining => {
                return Err(invalid("Unable to Start a service that is still Draining."));
            }
            Some(service) if service.status == ServiceStatus::Active => {
                if self.token.is_some() && service.client_token == self.token {
                    return Ok(());
                }
                return Err(invalid("Creation of service was not idempotent."));
            }
            // Nothing of the one before is part of the new one.
            Some(_) => tx.remove_service(&self.key),
            None => {}
        }
        let counts = tx.state().services.counts(&self.key.cluster);
        let there: u32 = counts.active.iter().chain(&counts.draining).sum();
        if there >= SERVICES_MAX {
            return Err(crate::ecs::fault::client(format!(
                "The maximum number of services per cluster is {SERVICES_MAX}."
            )));
        }
        let mut service = Service {
            key: self.key.clone(),
            status: ServiceStatus::Active,
            spec: self.spec.clone(),
            memory: ServiceMemory {
                // What stopped before is of another service of the same name.
                counted_until: tx.now(),
                ..ServiceMemory::default()
            },
            tags: self.tags.clone(),
            client_token: self.token.clone(),
            created_by: self.created_by.clone(),
            created_at: tx.now(),
            ended_at: None,
        };
        if let Some(template) = &self.template {
            deploy(tx, &mut service, template);
        }
        tx.put_service(service);
        Ok(())
    }
}
