//! UpdateService (reference §2.4).

use berth_api::ecs::{self, op};
use berth_model::definition::TaskDefinition;
use berth_model::name::ServiceKey;
use berth_model::scheduler::Throttle;
use berth_model::service::{
    Controller, Deployment, Scheduling, Service, ServiceCapacity, ServiceStatus,
};
use berth_model::task::LaunchType;
use berth_state::{State, Tx};

use super::configuration;
use super::create::{desired_count, grace};
use super::deploy::deploy;
use super::names::{active_service, service_key};
use super::render::{Moment, View};
use super::wanted::{
    Template, capacity_of, check_execute, check_kept_network, check_unserved, check_whole,
    early_success, launch_of, parse_constraints, parse_propagate, parse_service_connect,
    parse_strategies, platform_version,
};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, resolve_definition};
use crate::ecs::tasks::capacity::{check_supported, parse_any};
use crate::ecs::tasks::network::parse_network;
use crate::error::ApiError;

/// Changes a service, and begins a deployment when its tasks have to be others.
pub(crate) async fn update_service(
    call: Call,
    input: ecs::UpdateServiceRequest,
) -> Result<ecs::UpdateServiceResponse, ApiError> {
    configuration::check_targets(input.deployment_configuration.as_ref())?;
    call.check::<op::UpdateService>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&call.snapshot(), &cluster)?;
    let key = service_key(&cluster, input.service.as_deref().unwrap_or_default())?;
    let (asked, by) = (key.clone(), call.clone());
    call.transact(move |tx| carry_out(&by, tx, &asked, &input))
        .await?;
    let state = call.snapshot();
    let view = View::new(&state, Moment::Changed, false);
    Ok(ecs::UpdateServiceResponse {
        service: Some(view.named(&key)?),
    })
}

fn carry_out(
    call: &Call,
    tx: &mut Tx<'_>,
    key: &ServiceKey,
    input: &ecs::UpdateServiceRequest,
) -> Result<(), ApiError> {
    let mut service = Service::clone(active_service(tx.state(), key)?);
    let before = primary_template(tx.state(), &service);
    let after = changed(call, tx.state(), &mut service, before.as_ref(), input)?;
    // A user's call ends every wait.
    service.memory.place_again_at = None;
    service.memory.refusals = 0;
    let forced = input.force_new_deployment == Some(true);
    match after {
        Some(after)
            if service.spec.controller == Controller::Ecs
                && (forced || before.as_ref() != Some(&after)) =>
        {
            deploy(tx, &mut service, &after);
        }
        Some(_) | None => end_back_off(tx, &service),
    }
    debug_assert_eq!(service.status, ServiceStatus::Active);
    tx.put_service(service);
    Ok(())
}

fn primary_template(state: &State, service: &Service) -> Option<Template> {
    let id = service.spec.primary?;
    let revision = state.services.revision(&service.key, id)?;
    Some(Template::of(revision))
}

fn end_back_off(tx: &mut Tx<'_>, service: &Service) {
    let primary = service.spec.primary;
    let deployment = primary.and_then(|id| tx.state().services.deployment(&service.key, id));
    let Some(deployment) = deployment.filter(|d| d.rollout.throttle != Throttle::default()) else {
        return;
    };
    let mut deployment = Deployment::clone(deployment);
    deployment.rollout.throttle = Throttle::default();
    tx.put_deployment(deployment);
}

/// Changes what the request says of `service`; answers what its tasks are to be.
fn changed(
    call: &Call,
    state: &State,
    service: &mut Service,
    before: Option<&Template>,
    input: &ecs::UpdateServiceRequest,
) -> Result<Option<Template>, ApiError> {
    change_counts(service, input)?;
    let cluster = active_cluster(state, &service.key.cluster)?;
    let scheduling = service.spec.scheduling;
    if let Some(given) = &input.deployment_configuration {
        service.spec.deployment =
            configuration::merged(&service.spec.deployment, given, scheduling)?;
    }
    if let Some(items) = input.capacity_provider_strategy.as_deref() {
        service.spec.capacity = if items.is_empty() {
            ServiceCapacity::Launch(launch_of(&service.spec.capacity))
        } else {
            capacity_of(&parse_any(state, cluster, None, Some(items))?)
        };
    }
    if let Some(given) = &input.placement_constraints {
        service.spec.constraints = parse_constraints(given)?;
    }
    if let Some(given) = &input.placement_strategy {
        service.spec.strategy = parse_strategies(given)?;
    }
    change_flags(service, input)?;
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
    let definition = changed_definition(call, state, service, before, input)?;
    let template = match (&definition, before) {
        (Some(definition), Some(before)) => Some(changed_template(
            call, state, service, definition, before, input,
        )?),
        (Some(_) | None, _) => None,
    };
    if let Some(definition) = &definition {
        check_execute(&service.spec, definition, "updated")?;
    }
    let connect = template.as_ref().and_then(|t| t.service_connect.as_ref());
    let constraints = input.placement_constraints.as_deref().unwrap_or_default();
    let strategies = input.placement_strategy.as_deref().unwrap_or_default();
    check_whole(
        &service.spec,
        definition.as_deref(),
        connect,
        constraints,
        strategies,
    )?;
    Ok(template)
}

fn change_counts(service: &mut Service, input: &ecs::UpdateServiceRequest) -> Result<(), ApiError> {
    if let Some(count) = input.desired_count {
        let count = desired_count(count, "Task count can not be lesser than 0")?;
        if service.spec.scheduling == Scheduling::Daemon && count > 0 {
            return Err(invalid(
                "The daemon scheduling strategy does not support a desired count for services. \
                 Remove the desired count value and try again",
            ));
        }
        service.spec.desired = count;
    }
    if input.health_check_grace_period_seconds.is_some() {
        service.spec.grace_seconds = grace(input.health_check_grace_period_seconds)?;
    }
    Ok(())
}

fn change_flags(service: &mut Service, input: &ecs::UpdateServiceRequest) -> Result<(), ApiError> {
    let spec = &mut service.spec;
    match &input.availability_zone_rebalancing {
        Some(ecs::AvailabilityZoneRebalancing::Enabled) => spec.zone_rebalancing = true,
        Some(_) => spec.zone_rebalancing = false,
        None => {}
    }
    if let Some(given) = &input.propagate_tags {
        spec.propagate = parse_propagate(given)?;
    }
    spec.managed_tags = input.enable_ecs_managed_tags.unwrap_or(spec.managed_tags);
    spec.execute_command = input.enable_execute_command.unwrap_or(spec.execute_command);
    let controller = input.deployment_controller.as_ref();
    let controller = controller.and_then(|given| given.r#type.as_ref());
    if controller.is_some_and(|kind| kind.as_str() != spec.controller.as_str()) {
        return Err(invalid(
            "Changing the deployment controller of a service is not supported in this Region.",
        ));
    }
    Ok(())
}

fn changed_definition(
    call: &Call,
    state: &State,
    service: &Service,
    before: Option<&Template>,
    input: &ecs::UpdateServiceRequest,
) -> Result<Option<std::sync::Arc<TaskDefinition>>, ApiError> {
    let named = input.task_definition.as_deref().filter(|n| !n.is_empty());
    if service.spec.controller != Controller::Ecs {
        let about_tasks = named.is_some()
            || input.network_configuration.is_some()
            || input.platform_version.is_some()
            || input.service_connect_configuration.is_some()
            || input.force_new_deployment == Some(true);
        if about_tasks {
            return Err(invalid(
                "Unable to update task definition, network parameters, platform version or force \
                 a new deployment on services with an EXTERNAL deployment controller. Use task \
                 sets instead.",
            ));
        }
        return Ok(None);
    }
    Ok(match named {
        Some(named) => Some(resolve_definition(state, call.scope(), named)?),
        None => before.and_then(|b| state.definitions.get(&b.definition).cloned()),
    })
}

fn changed_template(
    call: &Call,
    state: &State,
    service: &Service,
    definition: &TaskDefinition,
    before: &Template,
    input: &ecs::UpdateServiceRequest,
) -> Result<Template, ApiError> {
    let cluster = active_cluster(state, &service.key.cluster)?;
    let launch = launch_of(&service.spec.capacity);
    let mode = definition.facts.network_mode;
    check_supported(&definition.facts, launch)?;
    let network = match &input.network_configuration {
        Some(given) => parse_network(mode, launch, Some(given))?,
        None => {
            check_kept_network(mode, before.network.as_deref())?;
            before.network.clone()
        }
    };
    let version = match (launch, input.platform_version.as_deref()) {
        (_, Some(given)) => platform_version(launch, Some(given))?,
        (LaunchType::Fargate, None) => match &before.platform_version {
            Some(kept) => Some(kept.clone()),
            None => platform_version(launch, None)?,
        },
        (LaunchType::Ec2 | LaunchType::External, None) => None,
    };
    let service_connect = match &input.service_connect_configuration {
        None => before.service_connect.clone(),
        Some(given) => {
            let body = call.cx.definitions.body(definition)?;
            Some(parse_service_connect(cluster, &body, given)?)
        }
    };
    Ok(Template {
        definition: definition.key.clone(),
        platform_version: version,
        network,
        service_connect,
    })
}
