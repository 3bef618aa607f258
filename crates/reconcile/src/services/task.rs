//! Tasks as a service starts them: what is asked for, where they go, which labels they get.

use std::sync::Arc;

use berth_model::cluster::BUILT_IN_PROVIDERS;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::scheduler::DeploymentId;
use berth_model::service::{Propagate, Service, ServiceCapacity};
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerSeen, Desired, LastStatus, LaunchType, Membership, Seen, Task, TaskSpec,
};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_model::waiting::{WAITING_MAX, WaitForRoom};
use berth_placement::{Placement, Reason, Refusal, Request, Wanted};
use berth_state::{State, Tx};

use super::gather::Template;
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
        strategy: Vec::new(),
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
    let (instance, gpus, last) = match placement {
        Some(Placement { instance, gpus }) => {
            let last = LastStatus::once_placed(template.facts.network_mode);
            (Some(instance), gpus, last)
        }
        None => (None, Vec::new(), LastStatus::Provisioning),
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
        last,
        seen: Seen {
            containers: vec![ContainerSeen::default(); template.facts.containers.len()],
            ..Seen::default()
        },
        version: 1,
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
    let wanted = Wanted::of(spec, &template.facts, &service.spec.strategy);
    let zone = match place {
        Place::Zone(zone) => Some([zone.clone()]),
        Place::Any | Place::Instance(_) => None,
    };
    let zones = zone.as_ref().map(<[Text; 1]>::as_slice);
    let request = wanted.request(zones, tx.ids().chance());
    match place {
        Place::Any | Place::Zone(_) => tx.fleet().place(&request),
        Place::Instance(instance) => on(tx, *instance, &request),
    }
}

/// Whether a task of that spec that finds no room waits for it, and whether so many do already
/// that it may not.
pub(super) fn may_wait(state: &State, spec: &TaskSpec, setting: WaitForRoom) -> (bool, bool) {
    let provider = spec.capacity_provider.as_ref();
    let may = state.may_wait(&spec.cluster.scope, provider, setting);
    let row = state.cluster_row(&spec.cluster).unwrap_or_default();
    (may, state.tasks.cluster_counts(row).waiting >= WAITING_MAX)
}

fn on(tx: &mut Tx<'_>, instance: InstanceId, request: &Request<'_>) -> Result<Placement, Refusal> {
    let refused = |reason: Reason| Refusal::Rejected {
        reasons: vec![(instance, reason)],
        candidates: 1,
    };
    let record = tx.state().instances.get(&instance);
    if record.is_none_or(|i| i.status != InstanceStatus::Active) {
        return Err(refused(Reason::Inactive));
    }
    tx.fleet().check(instance, request).map_err(refused)?;
    Ok(Placement {
        instance,
        gpus: tx.fleet().free_gpus(instance, request.demand.gpus),
    })
}
