//! Tasks as a service starts them: what is asked for, where they go, which labels they get.

use std::sync::Arc;

use berth_model::capacity_provider;
use berth_model::cluster::BUILT_IN_PROVIDERS;
use berth_model::definition::NetworkMode;
use berth_model::id::{InstanceId, TaskId};
use berth_model::resources::Demand;
use berth_model::scheduler::DeploymentId;
use berth_model::service::{Propagate, Service, ServiceCapacity};
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerSeen, Desired, LastStatus, LaunchType, Membership, PlacementConstraint, Seen, Task,
    TaskSpec,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::{Placement, Reason, Refusal, Request, Strategy};
use berth_state::{State, Tx};

use super::gather::{Template, member_of};
use crate::service::Place;

/// What ECS calls the platform that `LATEST` stands for (reference §3.2).
const PLATFORM_LATEST: &str = "1.4.0";

/// The launch type of a task from this provider, or of the capacity when there is none.
fn launch_of(capacity: &ServiceCapacity, provider: Option<&Text>) -> LaunchType {
    match (capacity, provider) {
        (_, Some(provider)) if BUILT_IN_PROVIDERS.contains(&provider.as_str()) => {
            LaunchType::Fargate
        }
        (ServiceCapacity::Launch(launch), _) => *launch,
        (ServiceCapacity::Strategy(_), _) => LaunchType::Ec2,
    }
}

/// What is asked for of the tasks of a deployment that come from one provider.
pub(super) fn spec(
    service: &Service,
    deployment: DeploymentId,
    template: &Template,
    provider: Option<&Text>,
    now: Timestamp,
) -> Arc<TaskSpec> {
    let launch_type = launch_of(&template.capacity, provider);
    let latest = |version: &Text| match version.as_str() {
        "LATEST" => Text::new(PLATFORM_LATEST),
        _ => version.clone(),
    };
    Arc::new(TaskSpec {
        cluster: service.key.cluster.clone(),
        definition: template.definition.clone(),
        group: Text::from(format!("service:{}", service.key.name)),
        started_by: Some(Text::from(deployment.to_string())),
        service: Some(Membership {
            service: service.key.name.clone(),
            deployment,
        }),
        launch_type,
        capacity_provider: provider.cloned(),
        platform_version: template.platform_version.as_ref().map(latest),
        overrides: None,
        network: template.network.clone(),
        constraints: service.spec.constraints.clone(),
        execute_command: service.spec.execute_command,
        client_token: None,
        created_at: now,
    })
}

/// The labels of a service's task (reference §9.2).
pub(super) fn tags(state: &State, service: &Service, template: &Template) -> Tags {
    let mut tags = match service.spec.propagate {
        Propagate::None => Tags::default(),
        Propagate::Service => service.tags.clone(),
        Propagate::TaskDefinition => {
            let definition = state.definitions.get(&template.definition);
            definition.map(|d| d.tags.clone()).unwrap_or_default()
        }
    };
    if service.spec.managed_tags {
        let key = &service.key;
        tags.set(
            "aws:ecs:clusterName".into(),
            key.cluster.name.as_text().clone(),
        );
        tags.set("aws:ecs:serviceName".into(), key.name.as_text().clone());
    }
    tags
}

/// A task of that spec, on an instance, or waiting for one.
pub(super) fn task(
    id: TaskId,
    spec: Arc<TaskSpec>,
    template: &Template,
    tags: Tags,
    placement: Option<Placement>,
) -> Task {
    let placed = placement.is_some();
    let (instance, gpus) = match placement {
        Some(Placement { instance, gpus }) => (Some(instance), gpus),
        None => (None, Vec::new()),
    };
    Task {
        id,
        spec,
        instance,
        gpus,
        tags,
        desired: Desired::Running,
        stop: None,
        protected_until: None,
        last: if placed {
            first_status(template.facts.network_mode)
        } else {
            LastStatus::Provisioning
        },
        seen: Seen {
            containers: vec![ContainerSeen::default(); template.facts.containers.len()],
            ..Seen::default()
        },
        version: 1,
    }
}

/// Where a task begins once it has an instance.
pub(super) fn first_status(mode: NetworkMode) -> LastStatus {
    match mode {
        NetworkMode::Awsvpc => LastStatus::Provisioning,
        NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None => LastStatus::Pending,
    }
}

/// Finds a place for a task of that spec.
pub(super) fn place(
    tx: &mut Tx<'_>,
    service: &Service,
    template: &Template,
    spec: &TaskSpec,
    place: &Place,
) -> Result<Placement, Refusal> {
    let demand = Arc::new(template.facts.demand(None));
    let mut member_of = member_of(service, &template.facts);
    if let Some(provider) = &spec.capacity_provider
        && spec.launch_type != LaunchType::Fargate
    {
        member_of.push(capacity_provider::membership(provider));
    }
    let strategy: Vec<Strategy> = service
        .spec
        .strategy
        .iter()
        .filter_map(|s| Strategy::parse(&s.kind, s.field.as_ref().map(Text::as_str)).ok())
        .collect();
    let strategy = if strategy.is_empty() {
        Strategy::service_default()
    } else {
        strategy
    };
    let zone = match place {
        Place::Zone(zone) => Some([zone.clone()]),
        Place::Any | Place::Instance(_) => None,
    };
    let distinct = &PlacementConstraint::DistinctInstance;
    let request = Request {
        cluster: &spec.cluster,
        launch: spec.launch_type,
        group: &spec.group,
        demand: &demand,
        required_attributes: &template.facts.requires_attributes,
        member_of: &member_of,
        distinct_instance: service.spec.constraints.contains(distinct),
        strategy: &strategy,
        zones: zone.as_ref().map(<[Text; 1]>::as_slice),
        seed: tx.ids().chance(),
    };
    match place {
        Place::Any | Place::Zone(_) => tx.fleet().place(&request),
        Place::Instance(instance) => on(tx, *instance, &request, &demand),
    }
}

fn on(
    tx: &mut Tx<'_>,
    instance: InstanceId,
    request: &Request<'_>,
    demand: &Demand,
) -> Result<Placement, Refusal> {
    let refused = |reason: Reason| Refusal::Rejected {
        reasons: vec![(instance, reason)],
        candidates: 1,
    };
    let draining = tx.state().instances.get(&instance);
    let draining =
        draining.is_none_or(|i| i.status != berth_model::instance::InstanceStatus::Active);
    if draining {
        return Err(refused(Reason::Inactive));
    }
    tx.fleet().check(instance, request).map_err(refused)?;
    Ok(Placement {
        instance,
        gpus: tx.fleet().free_gpus(instance, demand.gpus),
    })
}
