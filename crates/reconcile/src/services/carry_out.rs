//! Does what a plan says, in the transaction of the look.

use std::collections::BTreeMap;
use std::sync::Arc;

use berth_model::id::EventId;
use berth_model::name::ServiceKey;
use berth_model::scheduler::{DeploymentId, DeploymentStatus};
use berth_model::service::{
    Deployment, EVENTS_MAX, Service, ServiceDeployment, ServiceEvent, ServiceNotice, ServiceStatus,
    TaskSet,
};
use berth_model::task::{Stop, Task, TaskSpec};
use berth_model::text::Text;
use berth_state::Tx;

use super::gather::Material;
use super::task;
use crate::service::{Event, Outcome, Place, ServicePlan, Settled, StartTask, StopTask};

/// How many waiting tasks of a service are placed in one look: a look stays below a few
/// milliseconds of the writer.
const PLACED_MAX: usize = 100;

/// Finds places for tasks of the service that wait for one. What has no room for one has none
/// for the next of its kind.
pub(super) fn place_waiting(tx: &mut Tx<'_>, key: &ServiceKey) {
    let state = tx.state();
    let Some(row) = state.cluster_row(&key.cluster) else {
        return;
    };
    let waiting: Vec<Arc<Task>> = state
        .tasks
        .of_service(row, &key.name)
        .filter(|task| task.is_waiting())
        .take(PLACED_MAX)
        .cloned()
        .collect();
    if waiting.is_empty() {
        return;
    }
    let around = super::Surroundings::default();
    let Some(material) = Material::of(tx, key, &around) else {
        return;
    };
    for waits in waiting {
        let deployment = waits.spec.service.as_ref().map(|member| member.deployment);
        let template = deployment.and_then(|id| material.templates.get(&id));
        let Some(template) = template else { continue };
        let placed = task::place(tx, &material.service, template, &waits.spec, &Place::Any);
        let Ok(placement) = placed else { return };
        let mut placed = Task::clone(&waits);
        placed.instance = Some(placement.instance);
        placed.gpus = placement.gpus;
        placed.last = task::first_status(template.facts.network_mode);
        placed.version += 1;
        tx.put_task(placed);
    }
}

/// Stops and starts tasks; answers what placement made of each start.
pub(super) fn carry_out(tx: &mut Tx<'_>, material: &Material, plan: &ServicePlan) -> Vec<Outcome> {
    for stop in &plan.stops {
        stop_task(tx, stop);
    }
    let mut specs = BTreeMap::new();
    let starts = plan.starts.iter();
    starts
        .map(|start| start_task(tx, material, start, &mut specs))
        .collect()
}

fn stop_task(tx: &mut Tx<'_>, stop: &StopTask) {
    let Some(task) = tx.state().tasks.get(stop.id).cloned() else {
        return;
    };
    let decided = Stop {
        code: stop.why.code(),
        reason: stop.text.clone(),
        at: tx.now(),
    };
    if let Some(stopping) = task.stopping(decided) {
        tx.put_task(stopping);
    }
}

fn start_task(
    tx: &mut Tx<'_>,
    material: &Material,
    start: &StartTask,
    specs: &mut BTreeMap<(DeploymentId, Option<Text>), Arc<TaskSpec>>,
) -> Outcome {
    let service = &material.service;
    let Some(template) = material.templates.get(&start.deployment) else {
        return Outcome::Failed(Text::new("the task definition does not exist"));
    };
    let now = tx.now();
    // Tasks of one look, deployment and provider share their spec.
    let spec = specs
        .entry((start.deployment, start.provider.clone()))
        .or_insert_with(|| {
            let provider = start.provider.as_ref();
            task::spec(service, start.deployment, template, provider, now)
        })
        .clone();
    match task::place(tx, service, template, &spec, &start.place) {
        Ok(placement) => {
            let tags = task::tags(tx.state(), service, template);
            tx.put_task(task::task(start.id, spec, template, tags, Some(placement)));
            Outcome::Placed
        }
        // A task that is for one instance or zone alone is no use elsewhere. The others are
        // asked for again as long as they are missing, and tell why they wait.
        Err(refusal) => Outcome::Refused(refusal),
    }
}

/// Writes down what the plan says of records, and what the service tells.
pub(super) fn write_down(
    tx: &mut Tx<'_>,
    material: &Material,
    plan: ServicePlan,
    settled: Settled,
) {
    let key = &material.service.key;
    for (id, rollout) in plan.rollouts {
        let Some(deployment) = tx.state().services.deployment(key, id) else {
            continue;
        };
        let mut deployment = Deployment::clone(deployment);
        deployment.rollout = rollout;
        tx.put_deployment(deployment);
    }
    for (id, from) in plan.digests {
        note_digests(tx, key, id, from);
    }
    if let (Some(run), Some(before)) = (plan.run, &material.run) {
        tx.put_service_deployment(ServiceDeployment {
            run,
            ..ServiceDeployment::clone(before)
        });
    }
    for change in plan.task_sets {
        if change.gone {
            tx.remove_task_set(key, change.id);
            continue;
        }
        let Some(set) = tx.state().services.task_set(key, change.id) else {
            continue;
        };
        let mut set = TaskSet::clone(set);
        if set.stability != change.stability {
            set.stability = change.stability;
            set.stability_at = tx.now();
        }
        set.throttle = change.throttle;
        tx.put_task_set(set);
    }
    tell(tx, key, plan.events.into_iter().chain(settled.events));
    let memory = settled.memory.or(plan.memory);
    update_service(tx, key, memory, plan.inactive);
}

/// Saves what changed of the service itself: its memory, its end, and which deployment is wanted
/// now, which a rollback changes.
fn update_service(
    tx: &mut Tx<'_>,
    key: &ServiceKey,
    memory: Option<berth_model::scheduler::ServiceMemory>,
    inactive: bool,
) {
    let now = tx.now();
    let Some(before) = tx.state().services.get(key).cloned() else {
        return;
    };
    let mut service = Service::clone(&before);
    if let Some(memory) = memory {
        service.memory = memory;
    }
    let mut deployments = tx.state().services.deployments(key);
    let primary = deployments.find(|d| d.rollout.status == DeploymentStatus::Primary);
    if let Some(primary) = primary.map(|primary| primary.id) {
        service.spec.primary = Some(primary);
    }
    drop(deployments);
    if inactive {
        service.status = ServiceStatus::Inactive;
        service.ended_at = Some(now);
    }
    if service != *before {
        tx.put_service(service);
    }
}

fn note_digests(
    tx: &mut Tx<'_>,
    key: &ServiceKey,
    id: DeploymentId,
    from: berth_model::id::TaskId,
) {
    let state = tx.state();
    let (Some(deployment), Some(task)) =
        (state.services.deployment(key, id), state.tasks.get(from))
    else {
        return;
    };
    let Some(facts) = state.facts(task) else {
        return;
    };
    let containers = facts.containers.iter().zip(&task.seen.containers);
    let digests = containers.map(|(container, seen)| {
        let digest = seen.image_digest.clone();
        digest.filter(|_| !container.keeps_tag)
    });
    let mut deployment = Deployment::clone(deployment);
    deployment.digests = digests.collect();
    tx.put_deployment(deployment);
}

fn tell(tx: &mut Tx<'_>, key: &ServiceKey, events: impl Iterator<Item = Event>) {
    let last = tx.state().services.events(key).next_back();
    let mut number = last.map_or(0, |event| event.number);
    let mut told = false;
    for event in events {
        if let Some(notice) = event.notice {
            tx.tell_bus(ServiceNotice {
                service: key.clone(),
                at: event.at,
                notice,
            });
        }
        let Some(message) = event.message else {
            continue;
        };
        number += 1;
        told = true;
        let id = EventId::from_bytes(tx.ids().bytes());
        tx.put_service_event(ServiceEvent {
            service: key.clone(),
            number,
            id,
            at: event.at,
            message: Text::from(message),
        });
    }
    if told {
        tx.trim_service_events(key, usize::try_from(EVENTS_MAX).unwrap_or(usize::MAX));
    }
}
