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
use berth_model::task::{Stop, TaskSpec};
use berth_model::text::Text;
use berth_model::waiting::WaitForRoom;
use berth_state::Tx;

use super::gather::Material;
use super::task;
use crate::service::{Event, Outcome, Place, ServicePlan, Settled, StartTask, StopTask};

/// Stops and starts tasks; answers what placement made of each start.
pub(super) fn carry_out(
    tx: &mut Tx<'_>,
    material: &Material,
    plan: &ServicePlan,
    wait_for_room: WaitForRoom,
) -> Vec<Outcome> {
    for stop in &plan.stops {
        stop_task(tx, stop);
    }
    let mut specs = BTreeMap::new();
    let starts = plan.starts.iter();
    starts
        .map(|start| start_task(tx, material, start, &mut specs, wait_for_room))
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
    wait_for_room: WaitForRoom,
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
    let refusal = match task::place(tx, service, template, &spec, &start.place) {
        Ok(placement) => {
            let tags = task::tags(tx.state(), service, template);
            tx.put_task(task::task(start.id, spec, template, tags, Some(placement)));
            return Outcome::Placed;
        }
        Err(refusal) => refusal,
    };
    // A task that is for one instance or zone alone is no use elsewhere. Others that may not wait
    // are asked for again as long as they are missing, and tell why.
    let (may, crowded) = task::may_wait(tx.state(), &spec, wait_for_room);
    match (&start.place, may, crowded) {
        (Place::Any, true, false) => {
            let tags = task::tags(tx.state(), service, template);
            tx.put_task(task::task(start.id, spec, template, tags, None));
            Outcome::Waits(refusal)
        }
        (Place::Any, true, true) => Outcome::Crowded,
        (Place::Any, false, _) | (Place::Instance(_) | Place::Zone(_), _, _) => {
            Outcome::Refused(refusal)
        }
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
    tx.set_refused(key, settled.refused.filter(|_| !plan.inactive));
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
