//! Why a service has fewer tasks than it wants, or where they went.

use std::sync::Arc;

use berth_model::cluster::BUILT_IN_PROVIDERS;
use berth_model::definition::DefinitionFacts;
use berth_model::name::{DefinitionKey, ServiceKey};
use berth_model::scheduler::{DeploymentId, DeploymentStatus, RolloutState, Trouble};
use berth_model::service::{Scheduling, Service, ServiceCapacity, ServiceStatus};
use berth_model::task::{LaunchType, Membership, TaskSpec};
use berth_model::text::Text;
use berth_placement::Wanted;
use berth_state::{State, Tx};

use super::{Explanation, survey, words};
use crate::ecs::services::known_service;
use crate::error::ApiError;

/// Explains a service.
pub(super) fn explain(tx: &mut Tx<'_>, key: &ServiceKey) -> Result<Explanation, ApiError> {
    let service = known_service(tx.state(), key)?.clone();
    let mut explanation = Explanation {
        arn: key.arn(),
        summary: summary(tx.state(), &service),
        notes: notes(tx, &service),
        groups: Vec::new(),
        instances: 0,
    };
    let next = (service.status == ServiceStatus::Active)
        .then(|| next_task(tx, &service))
        .flatten();
    let Some((spec, facts)) = next else {
        return Ok(explanation);
    };
    let wanted = Wanted::of(&spec, &facts, &service.spec.strategy);
    let surveyed = survey(tx, &wanted);
    let demand = words::demand(&wanted);
    explanation.notes.push(demand);
    if service.spec.scheduling == Scheduling::Replica {
        explanation.notes.push(words::strategy(&wanted));
        let spread = words::spread(tx.state(), &wanted, &surveyed.examined);
        explanation.notes.extend(spread);
    }
    explanation.groups = surveyed.groups(tx, &wanted, None);
    explanation.instances = surveyed.instances;
    Ok(explanation)
}

fn summary(state: &State, service: &Service) -> String {
    let name = &service.key.name;
    match service.status {
        ServiceStatus::Active => {}
        ServiceStatus::Draining => return format!("service {name} is being deleted."),
        ServiceStatus::Inactive => return format!("service {name} was deleted."),
    }
    let row = state.cluster_row(&service.key.cluster).unwrap_or_default();
    let counts = state.tasks.service_counts(row, name);
    let tasks = state.tasks.of_service(row, name);
    let waiting = tasks.filter(|task| task.is_waiting()).count();
    let wants = match service.spec.scheduling {
        Scheduling::Replica => format!("wants {} tasks", service.spec.desired),
        Scheduling::Daemon => {
            "wants one task on each container instance that can take it".to_owned()
        }
    };
    let starting = (counts.pending as usize).saturating_sub(waiting);
    format!(
        "service {name} {wants}: {} run, {starting} are starting, {waiting} wait for room.",
        counts.running
    )
}

/// What holds the scheduler up, apart from room.
fn notes(tx: &Tx<'_>, service: &Service) -> Vec<String> {
    let state = tx.state();
    let mut notes = Vec::new();
    for deployment in state.services.deployments(&service.key) {
        let rollout = &deployment.rollout;
        let primary = rollout.status == DeploymentStatus::Primary;
        if primary && rollout.state == RolloutState::Failed {
            let id = deployment.id;
            let why = rollout.reason.trim_end_matches('.');
            notes.push(format!(
                "Deployment {id} has failed and starts no more tasks: {why}."
            ));
        }
        if let Some(until) = rollout.throttle.until.filter(|until| tx.now() < *until) {
            let wait = words::span(until.since(tx.now()));
            notes.push(format!(
                "Tasks of deployment {} stopped before they ran, {} times in a row: the next \
                 starts in {wait}.",
                deployment.id, rollout.throttle.rounds
            ));
        }
    }
    if service.memory.told.contains_key(&Trouble::Percents) {
        notes.push("The minimum and maximum percents allow neither a stop nor a start.".to_owned());
    }
    if service.memory.told.contains_key(&Trouble::Protection) {
        notes.push("Protected tasks stand in the way of scaling in.".to_owned());
    }
    notes
}

/// What a task that the service starts next would ask for.
fn next_task(tx: &Tx<'_>, service: &Service) -> Option<(TaskSpec, Arc<DefinitionFacts>)> {
    let state = tx.state();
    let (id, definition, capacity) = template(state, service)?;
    let facts = state.definitions.get(&definition)?.facts.clone();
    let (launch_type, provider) = launch(&capacity);
    let key = &service.key;
    let spec = TaskSpec {
        cluster: key.cluster.clone(),
        definition,
        group: Text::from(format!("service:{}", key.name)),
        started_by: None,
        service: Some(Membership {
            service: key.name.clone(),
            deployment: id,
        }),
        launch_type,
        capacity_provider: provider,
        platform_version: None,
        overrides: None,
        network: None,
        constraints: service.spec.constraints.clone(),
        strategy: Vec::new(),
        execute_command: false,
        client_token: None,
        created_at: tx.now(),
    };
    Some((spec, facts))
}

/// What tasks are made of: of the primary deployment, or else of the newest task set.
fn template(
    state: &State,
    service: &Service,
) -> Option<(DeploymentId, DefinitionKey, ServiceCapacity)> {
    let key = &service.key;
    let primary = service.spec.primary;
    if let Some(revision) = primary.and_then(|id| state.services.revision(key, id)) {
        let capacity = service.spec.capacity.clone();
        return Some((revision.id, revision.definition.clone(), capacity));
    }
    let sets = state.services.task_sets(key);
    let newest = sets.max_by_key(|set| (set.created_at, set.id))?;
    Some((
        newest.id,
        newest.definition.clone(),
        newest.capacity.clone(),
    ))
}

/// The launch type, and of a strategy the provider with the most weight.
fn launch(capacity: &ServiceCapacity) -> (LaunchType, Option<Text>) {
    match capacity {
        ServiceCapacity::Launch(launch) => (*launch, None),
        ServiceCapacity::Strategy(items) => {
            let provider = items.iter().max_by_key(|item| item.weight);
            let provider = provider.map(|item| item.provider.clone());
            let built_in = |name: &Text| BUILT_IN_PROVIDERS.contains(&name.as_str());
            match provider.as_ref().is_some_and(built_in) {
                true => (LaunchType::Fargate, provider),
                false => (LaunchType::Ec2, provider),
            }
        }
    }
}
