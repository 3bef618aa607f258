//! Whether everything is as desired: an oracle that adds up, and shares nothing with the
//! scheduler or placement.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, InstanceStatus};
use berth_model::name::ClusterKey;
use berth_model::resources::Demand;
use berth_model::scheduler::{DeploymentStatus, RolloutState};
use berth_model::service::{Controller, Scheduling, Service, ServiceStatus};
use berth_model::task::{Desired, LastStatus, PlacementConstraint, Task};
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_state::State;

use crate::agent::Agent;
use crate::notes::Notes;
use crate::watch::short;

/// How much later than its time a waiting task may be given up: after a jump of the clock the
/// next sweep notices.
const LATE: Duration = Duration::from_secs(70);

/// What keeps the cluster from being at rest, if anything does.
pub(crate) fn unrest(
    state: &State,
    agents: &[Agent],
    wall: Timestamp,
    wait_for_room: WaitForRoom,
) -> Option<String> {
    for agent in agents {
        let Some((instance, _)) = &agent.instance else {
            return Some(format!("machine {} is not registered", agent.number));
        };
        let record = state.instances.get(instance);
        let inactive = record.is_none_or(|i| i.status == InstanceStatus::Inactive);
        if !inactive && agent.generation.is_none() {
            return Some(format!("machine {} is not connected", agent.number));
        }
    }
    for task in state.tasks.iter() {
        let unsettled = task.start_due() && task.last != LastStatus::Stopped;
        let instance = task.instance.and_then(|id| state.instances.get(&id));
        let gone = instance.is_none_or(|i| i.status == InstanceStatus::Inactive);
        let stops = task.desired == Desired::Stopped && task.last != LastStatus::Stopped;
        if (unsettled || stops || task.last < LastStatus::Running) && !gone {
            return Some(format!(
                "task {} is {:?}/{:?}",
                short(task.id),
                task.desired,
                task.last
            ));
        }
    }
    if let Some(what) = waits(state, wall, wait_for_room) {
        return Some(what);
    }
    state
        .services
        .iter()
        .find_map(|service| wants(state, service, wall))
}

/// A waiting task that has room, or that should have been given up.
fn waits(state: &State, wall: Timestamp, wait_for_room: WaitForRoom) -> Option<String> {
    let waiting: Vec<_> = state.tasks.iter().filter(|t| t.is_waiting()).collect();
    let free = waiting
        .first()
        .map(|task| Free::of(state, &task.spec.cluster))?;
    waiting.iter().find_map(|task| {
        let demand = task.demand(state.facts(task)?);
        let constraints = &task.spec.constraints;
        let group: Vec<&Task> = state
            .tasks
            .iter()
            .filter(|other| {
                other.spec.group == task.spec.group && other.last != LastStatus::Stopped
            })
            .map(|other| &**other)
            .collect();
        if free.has_room(&demand, &group, constraints) {
            return Some(format!(
                "task {} waits though there is room",
                short(task.id)
            ));
        }
        let late = wait_for_room.limit() + LATE;
        let ends = task.spec.service.is_none() && wall.since(task.spec.created_at) > late;
        ends.then(|| format!("task {} waits for ever", short(task.id)))
    })
}

/// Writes down how the services stand.
pub(crate) fn dump(state: &State, notes: &Notes) {
    for service in state.services.iter() {
        let key = &service.key;
        notes.log(|| {
            let spec = &service.spec;
            let memory = &service.memory;
            format!(
                "{} {:?} wants {} {memory:?}",
                key.name, service.status, spec.desired
            )
        });
        for deployment in state.services.deployments(key) {
            let rollout = &deployment.rollout;
            if rollout.status != DeploymentStatus::Inactive {
                notes.log(|| format!("  {} {rollout:?}", deployment.id));
            }
        }
        for run in state
            .services
            .runs(key)
            .filter(|run| !run.run.status.is_terminal())
        {
            notes.log(|| {
                format!(
                    "  run {:?} to {} from {:?}",
                    run.run, run.target, run.back_to
                )
            });
        }
        let tasks = state
            .cluster_row(&key.cluster)
            .map(|row| state.tasks.of_service(row, &key.name));
        for task in tasks.into_iter().flatten() {
            let of = task.spec.service.as_ref().map(|member| member.deployment);
            let (id, desired, last) = (short(task.id), task.desired, task.last);
            notes.log(|| {
                format!(
                    "  task {id} {desired:?}/{last:?} on {:?} of {of:?}",
                    task.instance
                )
            });
        }
    }
}

fn wants(state: &State, service: &Service, wall: Timestamp) -> Option<String> {
    let key = &service.key;
    let row = state.cluster_row(&key.cluster)?;
    let live: Vec<&Task> = state
        .tasks
        .of_service(row, &key.name)
        .map(|task| &**task)
        .filter(|task| task.last != LastStatus::Stopped && task.desired == Desired::Running)
        .collect();
    match service.status {
        ServiceStatus::Inactive => return None,
        ServiceStatus::Draining => return Some(format!("{} is DRAINING", key.name)),
        ServiceStatus::Active => {}
    }
    let lasting = live.iter().any(|task| task.is_protected(wall));
    let free = Free::of(state, &key.cluster);
    let name = &key.name;
    if service.spec.controller != Controller::Ecs {
        for set in state.services.task_sets(key) {
            let wanted = set.computed_desired(service.spec.desired) as usize;
            let of = |task: &&&Task| {
                task.spec
                    .service
                    .as_ref()
                    .is_some_and(|m| m.deployment == set.id)
            };
            let own: Vec<&Task> = live.iter().filter(of).copied().collect();
            let count = own.len();
            let demand = state.definitions.get(&set.definition)?.facts.demand(None);
            let short_of =
                count < wanted && free.has_room(&demand, &live, &service.spec.constraints);
            if (count > wanted + replacing(state, &own) && !lasting) || short_of {
                return Some(format!("task set of {name} has {count} of {wanted}"));
            }
        }
        return None;
    }
    let primary = service.spec.primary?;
    let revision = state.services.revision(key, primary)?;
    let demand = state
        .definitions
        .get(&revision.definition)?
        .facts
        .demand(None);
    let rollout = &state.services.deployment(key, primary)?.rollout;
    if rollout.state == RolloutState::Failed {
        return Some(format!("{name}'s deployment is FAILED"));
    }
    if service.spec.scheduling == Scheduling::Daemon {
        return daemons(state, service, &live, &free, &demand);
    }
    let wanted = service.spec.desired as usize;
    let room = free.has_room(&demand, &live, &service.spec.constraints);
    let many = live.len() > wanted + replacing(state, &live);
    if many && !lasting && (room || rollout.state != RolloutState::InProgress) {
        return Some(format!("{name} has {} of {wanted} tasks", live.len()));
    }
    if live.len() < wanted && room {
        return Some(format!(
            "{name} has {} of {wanted} tasks, and there is room",
            live.len()
        ));
    }
    let draining = live.iter().any(|task| {
        let instance = task.instance.and_then(|id| state.instances.get(&id));
        instance.is_some_and(|i| i.status == InstanceStatus::Draining)
    });
    let stuck = is_stuck(service);
    if draining && room && !stuck && !lasting {
        return Some(format!("{name} has a task on a draining machine"));
    }
    let old = live.iter().any(|task| {
        task.spec
            .service
            .as_ref()
            .is_some_and(|member| member.deployment != primary)
    });
    let hindered = stuck || lasting || !room;
    if (old || rollout.state != RolloutState::Completed) && !hindered {
        return Some(format!("{name}'s deployment is {:?}", rollout.state));
    }
    let listed = state.services.deployments(key);
    let listed = listed
        .filter(|d| d.rollout.status != DeploymentStatus::Inactive)
        .count();
    (listed > 1 && !hindered).then(|| format!("{name} has {listed} deployments"))
}

/// How many tasks on draining machines stay until those that are to replace them find room.
fn replacing(state: &State, live: &[&Task]) -> usize {
    let drains = |task: &&&Task| {
        let instance = task.instance.and_then(|id| state.instances.get(&id));
        instance.is_some_and(|i| i.status == InstanceStatus::Draining)
    };
    let waiting = live.iter().filter(|task| task.is_waiting()).count();
    live.iter().filter(drains).count().min(waiting)
}

/// Whether the percents allow neither a stop nor a start, as ECS has it too.
fn is_stuck(service: &Service) -> bool {
    let desired = service.spec.desired as usize;
    let floor = (desired * service.spec.deployment.minimum_healthy as usize).div_ceil(100);
    let cap = desired * service.spec.deployment.maximum as usize / 100;
    desired > 0 && floor >= desired && cap <= desired
}

fn daemons(
    state: &State,
    service: &Service,
    live: &[&Task],
    free: &Free,
    demand: &Demand,
) -> Option<String> {
    let mut by_instance: BTreeMap<InstanceId, usize> = BTreeMap::new();
    for task in live {
        *by_instance.entry(task.instance?).or_default() += 1;
    }
    for instance in state.instances_of(&service.key.cluster) {
        let count = by_instance.get(&instance.id).copied().unwrap_or(0);
        let active = instance.status == InstanceStatus::Active;
        let missing = active && count == 0 && free.fits(instance.id, demand);
        if count > 1 || missing {
            return Some(format!(
                "{} has {count} daemons on {}",
                service.key.name, instance.id
            ));
        }
    }
    None
}

/// What each ACTIVE instance has left.
struct Free(BTreeMap<InstanceId, Left>);

struct Left {
    cpu: i64,
    memory: i64,
    gpus: i64,
    ports: BTreeSet<berth_model::resources::HostPort>,
}

impl Free {
    fn of(state: &State, cluster: &ClusterKey) -> Self {
        let active = |i: &&std::sync::Arc<ContainerInstance>| {
            i.status == InstanceStatus::Active
                && i.offer.instance
                && state.is_connected(i.id)
                && !state.holds.contains_key(&i.id)
        };
        let instances = state.instances_of(cluster).filter(active);
        let left = instances.map(|instance| {
            let capacity = &instance.capacity;
            let mut left = Left {
                cpu: i64::from(capacity.cpu),
                memory: i64::from(capacity.memory),
                gpus: capacity.gpus.len() as i64,
                ports: capacity.reserved_ports.clone(),
            };
            for task in state.tasks.on_instance(instance.id) {
                if task.last == LastStatus::Stopped {
                    continue;
                }
                let Some(facts) = state.facts(task) else {
                    continue;
                };
                let demand = task.demand(facts);
                left.cpu -= i64::from(demand.cpu);
                left.memory -= i64::from(demand.memory);
                left.gpus -= i64::from(demand.gpus);
                left.ports.extend(demand.ports);
            }
            (instance.id, left)
        });
        Self(left.collect())
    }

    fn fits(&self, id: InstanceId, demand: &Demand) -> bool {
        self.0.get(&id).is_some_and(|left| {
            i64::from(demand.cpu) <= left.cpu
                && i64::from(demand.memory) <= left.memory
                && i64::from(demand.gpus) <= left.gpus
                && demand.ports.iter().all(|port| !left.ports.contains(port))
        })
    }

    /// Whether one more task of this size has a place.
    fn has_room(
        &self,
        demand: &Demand,
        live: &[&Task],
        constraints: &[PlacementConstraint],
    ) -> bool {
        let distinct = constraints.contains(&PlacementConstraint::DistinctInstance);
        let taken: BTreeSet<InstanceId> = live.iter().filter_map(|task| task.instance).collect();
        let mut ids = self.0.keys();
        ids.any(|id| self.fits(*id, demand) && !(distinct && taken.contains(id)))
    }
}
