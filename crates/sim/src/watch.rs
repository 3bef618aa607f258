//! What must hold after every step, by name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::name::ServiceKey;
use berth_model::scheduler::{DeploymentStatus, RolloutState, RunStatus};
use berth_model::service::{
    Controller, Scheduling, Service, ServiceDeployment, ServiceStatus, Strategy,
};
use berth_model::task::{Desired, Health, LastStatus, StopCode, Task};
use berth_model::time::Timestamp;
use berth_reconcile::services::Surroundings;
use berth_state::{Changed, State};

use crate::notes::Notes;

/// No instance has more on it than it has.
pub(crate) const OVER_COMMITTED: &str = "no instance is over-committed";
/// A task is on one instance in all its life.
pub(crate) const TWO_INSTANCES: &str = "no task is on two instances";
/// What ended does not live again.
pub(crate) const GOES_BACK: &str = "statuses never go back";
/// What was answered is there.
pub(crate) const ACKNOWLEDGED: &str = "an acknowledged call survives";
/// As many tasks as asked for, however often the call is repeated.
pub(crate) const TOKEN_ONCE: &str = "a clientToken starts its tasks once";
/// Our stops leave enough.
pub(crate) const MINIMUM: &str = "healthy tasks never fall below the minimum by our own act";
/// Our starts are not too many.
pub(crate) const MAXIMUM: &str = "running tasks never rise above the maximum by our own act";
/// Protection holds.
pub(crate) const PROTECTED: &str = "protected tasks are not scaled in";
/// Daemons are one per instance.
pub(crate) const ONE_DAEMON: &str = "one daemon task per matching instance";
/// Our own outages kill nothing.
pub(crate) const OUTAGE: &str = "no healthy container is killed by an outage of ours";
/// Everything comes to rest.
pub(crate) const FIXPOINT: &str = "desired equals running in bounded time once faults stop";
/// And stays there.
pub(crate) const AT_REST: &str = "nothing changes once everything is as desired";
/// A session's messages can be told from those of the one before.
pub(crate) const NUMBERS: &str = "what an agent is sent is numbered in rising order";
/// No closure panics on the writer.
pub(crate) const NO_PANIC: &str = "nothing panics";

/// Every invariant.
pub const INVARIANTS: [&str; 14] = [
    OVER_COMMITTED,
    TWO_INSTANCES,
    GOES_BACK,
    ACKNOWLEDGED,
    TOKEN_ONCE,
    MINIMUM,
    MAXIMUM,
    PROTECTED,
    ONE_DAEMON,
    OUTAGE,
    FIXPOINT,
    AT_REST,
    NUMBERS,
    NO_PANIC,
];

/// Whether a task serves, by the words of the reference and not by the scheduler's code.
fn serves(state: &State, task: &Task, around: &Surroundings, now: Timestamp) -> bool {
    let Some(facts) = state.facts(task) else {
        return false;
    };
    if task.desired != Desired::Running
        || task.last != LastStatus::Running
        || is_lost(state, task, around)
    {
        return false;
    }
    let started = task.seen.started_at.unwrap_or(now);
    let checked = facts
        .containers
        .iter()
        .any(|c| c.essential && c.health_check);
    if checked {
        task.health(facts) == Health::Healthy
    } else {
        started + around.healthy_after <= now
    }
}

fn fails(state: &State, task: &Task, service: &Service, now: Timestamp) -> bool {
    let started = task.seen.started_at.unwrap_or(now);
    let grace = std::time::Duration::from_secs(u64::from(service.spec.grace_seconds));
    let facts = state.facts(task);
    task.last == LastStatus::Running
        && started + grace <= now
        && facts.is_some_and(|facts| task.health(facts) == Health::Unhealthy)
}

fn is_lost(state: &State, task: &Task, around: &Surroundings) -> bool {
    task.instance.is_some_and(|id| {
        let instance = state.instances.get(&id);
        let gone = instance.is_none_or(|i| i.status == InstanceStatus::Inactive);
        gone || around.lost.contains(&id)
    })
}

/// The live tasks of a service; those of one of the same name before it are not its own.
fn of_service<'s>(state: &'s State, key: &ServiceKey) -> Vec<&'s Arc<Task>> {
    let row = state.cluster_row(&key.cluster);
    let since = state.services.get(key).map(|service| service.created_at);
    let tasks = row.map(|row| state.tasks.of_service(row, &key.name));
    let own = |task: &&Arc<Task>| since.is_none_or(|since| task.spec.created_at >= since);
    tasks.into_iter().flatten().filter(own).collect()
}

/// What a look at a service may do, held against what it did.
pub(crate) fn after_look(
    notes: &Notes,
    before: &State,
    after: &State,
    key: &ServiceKey,
    around: &Surroundings,
    now: Timestamp,
) {
    let Some(service) = before.services.get(key) else {
        return;
    };
    let (old, new) = (of_service(before, key), of_service(after, key));
    let stopped: Vec<&Arc<Task>> = old
        .iter()
        .filter(|task| task.desired == Desired::Running)
        .filter(|task| {
            let now = after.tasks.get(task.id);
            now.is_none_or(|now| now.desired == Desired::Stopped)
        })
        .copied()
        .collect();
    let started: Vec<&Arc<Task>> = new
        .iter()
        .filter(|task| before.tasks.get(task.id).is_none())
        .copied()
        .collect();
    notes.log(|| {
        let ids = |tasks: &[&Arc<Task>]| {
            let ids = tasks.iter().map(|task| short(task.id));
            ids.collect::<Vec<_>>().join(" ")
        };
        format!(
            "look at {}: stops [{}] starts [{}]",
            key.name,
            ids(&stopped),
            ids(&started)
        )
    });
    cover_look(notes, before, after, service, &stopped, &started);
    if service.status == ServiceStatus::Active {
        check_protected(notes, before, service, &stopped, around, now);
        check_minimum(notes, before, service, &old, &stopped, around, now);
        check_maximum(notes, after, service, &new, &started, around);
    }
    if service.spec.scheduling == Scheduling::Daemon {
        check_daemons(notes, after, &new, &started, around);
    }
}

/// The first digits of an id.
pub(crate) fn short(id: TaskId) -> String {
    let text = id.to_string();
    text[..6].to_owned()
}

fn check_protected(
    notes: &Notes,
    before: &State,
    service: &Service,
    stopped: &[&Arc<Task>],
    around: &Surroundings,
    now: Timestamp,
) {
    for task in stopped.iter().filter(|task| task.is_protected(now)) {
        let instance = task.instance.and_then(|id| before.instances.get(&id));
        let stays = instance.is_some_and(|i| i.status == InstanceStatus::Active);
        // A daemon's task leaves with its instance, protected or not.
        if service.spec.scheduling == Scheduling::Daemon && !stays {
            continue;
        }
        if !is_lost(before, task, around) && !fails(before, task, service, now) {
            notes.broken(PROTECTED, format!("task {} of {}", task.id, service.key));
        }
    }
}

fn check_minimum(
    notes: &Notes,
    before: &State,
    service: &Service,
    old: &[&Arc<Task>],
    stopped: &[&Arc<Task>],
    around: &Surroundings,
    now: Timestamp,
) {
    if service.spec.controller != Controller::Ecs {
        return;
    }
    let serves = |task: &&&Arc<Task>| serves(before, task, around, now);
    let healthy = old.iter().filter(serves).count();
    let minimum = service.spec.deployment.minimum_healthy as usize;
    let (wanted, ended) = match service.spec.scheduling {
        Scheduling::Replica => {
            let ended = stopped.iter().filter(serves).count();
            (service.spec.desired as usize, ended)
        }
        Scheduling::Daemon => {
            // A second one on an instance, or one where none belongs, is no loss.
            let active = before.instances_of(&service.key.cluster);
            let active: BTreeSet<InstanceId> = active
                .filter(|i| i.status == InstanceStatus::Active && i.offer.instance)
                .map(|i| i.id)
                .collect();
            let ended = stopped.iter().filter(serves);
            let ended = ended.filter(|task| task.instance.is_some_and(|i| active.contains(&i)));
            (active.len(), ended.count())
        }
    };
    let floor = (wanted * minimum).div_ceil(100);
    if ended > 0 && healthy - ended < floor {
        let what = format!(
            "{}: {ended} of {healthy} healthy tasks stopped, {floor} must stay",
            service.key
        );
        notes.broken(MINIMUM, what);
    }
}

fn check_maximum(
    notes: &Notes,
    after: &State,
    service: &Service,
    new: &[&Arc<Task>],
    started: &[&Arc<Task>],
    around: &Surroundings,
) {
    let rolls = matches!(service.spec.deployment.strategy, Strategy::Rolling);
    let run = after
        .services
        .runs(&service.key)
        .find(|run| !run.run.status.is_terminal());
    let rolls = rolls && run.is_none_or(|run| run.configuration.strategy == Strategy::Rolling);
    let ours = service.spec.controller == Controller::Ecs;
    if started.is_empty() || !rolls || !ours || service.spec.scheduling == Scheduling::Daemon {
        return;
    }
    let cap = (service.spec.desired * service.spec.deployment.maximum / 100) as usize;
    let there = new
        .iter()
        .filter(|task| !is_lost(after, task, around))
        .count();
    if there > cap {
        notes.broken(
            MAXIMUM,
            format!("{}: {there} tasks, at most {cap}", service.key),
        );
    }
}

fn check_daemons(
    notes: &Notes,
    after: &State,
    new: &[&Arc<Task>],
    started: &[&Arc<Task>],
    around: &Surroundings,
) {
    for task in started {
        let Some(instance) = task.instance else {
            continue;
        };
        let there = new.iter().filter(|other| other.instance == Some(instance));
        let there = there.filter(|other| !is_lost(after, other, around)).count();
        if there > 1 {
            notes.broken(ONE_DAEMON, format!("{there} daemon tasks on {instance}"));
        }
    }
}

fn cover_look(
    notes: &Notes,
    before: &State,
    after: &State,
    service: &Service,
    stopped: &[&Arc<Task>],
    started: &[&Arc<Task>],
) {
    if !started.is_empty() {
        notes.cover(match service.spec.scheduling {
            Scheduling::Replica => "services: replica started",
            Scheduling::Daemon => "services: daemon started",
        });
    }
    for task in stopped {
        let stop = after.tasks.get(task.id).and_then(|task| task.stop.clone());
        let instance = task.instance.and_then(|id| before.instances.get(&id));
        let draining = instance.is_some_and(|i| i.status == InstanceStatus::Draining);
        let member = task.spec.service.as_ref().map(|member| member.deployment);
        notes.cover(match stop {
            Some(stop) if stop.code == StopCode::TerminationNotice => "services: lost replaced",
            Some(stop) if stop.reason.contains("health checks") => "services: unhealthy stopped",
            Some(stop) if stop.reason.contains("rebalancing") => "services: moved for balance",
            _ if service.status == ServiceStatus::Draining => "services: stopped by delete",
            _ if draining => "services: drained",
            _ if member != service.spec.primary => "services: replaced by a deployment",
            _ if task.last < LastStatus::Running => "services: pending scaled in",
            _ => "services: scaled in",
        });
    }
    let old_memory = &service.memory;
    if let Some(new) = after.services.get(&service.key) {
        if new.memory.place_again_at.is_some() && old_memory.place_again_at.is_none() {
            notes.cover("services: no room");
        }
        if new.memory.place_again_at.is_none() && old_memory.place_again_at.is_some() {
            notes.cover("services: room again");
        }
        if new.memory.rebalancing && !old_memory.rebalancing {
            notes.cover("services: zones out of balance");
        }
        if new.memory.steady_told_at.is_some() && old_memory.steady_told_at.is_none() {
            notes.cover("services: steady");
        }
        for trouble in new.memory.told.keys() {
            use berth_model::scheduler::Trouble;
            if !old_memory.told.contains_key(trouble) {
                notes.cover(match trouble {
                    Trouble::Placement => "services: told of placement",
                    Trouble::Starts => "services: told of failing starts",
                    Trouble::Percents => "services: told of percents",
                    Trouble::Protection => "services: told of protection",
                    Trouble::Zones => "services: told of zones",
                });
            }
        }
        if new.status == ServiceStatus::Inactive {
            notes.cover("services: deleted");
        }
    }
    for deployment in after.services.deployments(&service.key) {
        let was = before.services.deployment(&service.key, deployment.id);
        let was = was.map(|was| &was.rollout);
        let is = &deployment.rollout;
        let Some(was) = was else { continue };
        if was.state != is.state {
            notes.cover(match is.state {
                RolloutState::Completed => "deployment: completed",
                RolloutState::Failed => "deployment: failed",
                RolloutState::InProgress => "deployment: brought back",
            });
        }
        if was.status != is.status && is.status == DeploymentStatus::Inactive {
            notes.cover("deployment: retired");
        }
        if was.throttle.until.is_none() && is.throttle.until.is_some() {
            notes.cover("deployment: starts throttled");
        }
    }
    for run in after.services.runs(&service.key) {
        let Some(was) = before.services.run(&service.key, run.id) else {
            continue;
        };
        cover_run(notes, was, run);
    }
}

fn cover_run(notes: &Notes, was: &ServiceDeployment, is: &ServiceDeployment) {
    if was.run.status != is.run.status {
        notes.cover(match is.run.status {
            RunStatus::Pending | RunStatus::InProgress => "run: begun",
            RunStatus::Successful => "run: successful",
            RunStatus::StopRequested | RunStatus::RollbackRequested => "run: stop asked",
            RunStatus::Stopped => "run: stopped",
            RunStatus::RollbackInProgress => "run: rolling back",
            RunStatus::RollbackSuccessful => "run: rolled back",
            RunStatus::RollbackFailed => "run: nothing to roll back to",
        });
    }
    if was.run.stage != is.run.stage && is.run.stage.is_some() {
        notes.cover("run: stage entered");
    }
    if was.run.traffic != is.run.traffic {
        notes.cover("run: traffic shifted");
    }
    if is.run.breaker != was.run.breaker
        && is.run.breaker == berth_model::scheduler::MonitorStatus::Triggered
    {
        notes.cover("run: circuit breaker tripped");
    }
}

/// What one published state is held against.
#[derive(Default)]
pub(crate) struct Watch {
    last: Option<Arc<State>>,
    /// Which tasks each token started, and how many were asked for.
    pub(crate) tokens: BTreeMap<String, (usize, BTreeSet<TaskId>)>,
    /// Where each task has ever been.
    places: BTreeMap<TaskId, InstanceId>,
}

impl Watch {
    /// A state was published.
    pub(crate) fn published(&mut self, notes: &Notes, state: &Arc<State>, changes: &[Changed]) {
        let last = self.last.replace(state.clone());
        let mut machines = BTreeSet::new();
        for change in changes {
            match change {
                Changed::Task(id, instance) => {
                    machines.extend(*instance);
                    let was = last.as_ref().and_then(|last| last.tasks.get(*id).cloned());
                    self.check_task(notes, state, *id, was.as_deref());
                }
                Changed::Instance(id) => {
                    machines.insert(*id);
                }
                Changed::Service(key) => {
                    if let Some(last) = &last {
                        check_service(notes, last, state, key);
                    }
                }
                _ => {}
            }
        }
        for machine in machines {
            check_machine(notes, state, machine);
        }
    }

    /// A server began: everything is looked at.
    pub(crate) fn reloaded(&mut self, notes: &Notes, state: &Arc<State>) {
        if let Some(last) = &self.last {
            if state.revision < last.revision {
                let what = format!("revision {} after {}", state.revision, last.revision);
                notes.broken(ACKNOWLEDGED, what);
            }
            for task in last.tasks.iter() {
                // One commit more than was seen may have removed old ones.
                let kept = state.tasks.get(task.id).is_some();
                if !kept && task.last != LastStatus::Stopped {
                    notes.broken(ACKNOWLEDGED, format!("task {} is gone", task.id));
                }
            }
            for service in last.services.iter() {
                let kept = state.services.get(&service.key).is_some();
                if !kept && service.status != ServiceStatus::Inactive {
                    notes.broken(ACKNOWLEDGED, format!("service {} is gone", service.key));
                }
            }
        }
        let mut changes: Vec<Changed> = Vec::new();
        changes.extend(state.tasks.iter().map(|t| Changed::Task(t.id, t.instance)));
        changes.extend(state.instances.iter().map(|(id, _)| Changed::Instance(*id)));
        changes.extend(
            state
                .services
                .iter()
                .map(|s| Changed::Service(s.key.clone())),
        );
        self.published(notes, state, &changes);
    }

    fn check_task(&mut self, notes: &Notes, state: &State, id: TaskId, was: Option<&Task>) {
        let Some(task) = state.tasks.get(id) else {
            if let Some(was) = was.filter(|was| was.last != LastStatus::Stopped) {
                notes.broken(GOES_BACK, format!("task {} vanished", was.id));
            }
            return;
        };
        if let Some(instance) = task.instance {
            let first = *self.places.entry(id).or_insert(instance);
            if first != instance {
                notes.broken(TWO_INSTANCES, format!("task {id}: {first} and {instance}"));
            }
        }
        if let Some(token) = &task.spec.client_token {
            let entry = self.tokens.entry(token.token.to_string()).or_default();
            entry.1.insert(id);
            let (asked, started) = (entry.0, entry.1.len());
            if started > asked {
                let token = &token.token;
                notes.broken(
                    TOKEN_ONCE,
                    format!("{token}: {started} tasks, {asked} asked"),
                );
            }
        }
        let Some(was) = was else { return };
        let back = task.last < was.last
            || task.desired < was.desired
            || (was.seen.stopped_at.is_some() && was.seen.stopped_at != task.seen.stopped_at)
            || (was.stop.is_some() && was.stop != task.stop)
            || task.version < was.version
            || was
                .seen
                .containers
                .iter()
                .zip(&task.seen.containers)
                .any(|(was, is)| is.last < was.last);
        if back {
            let what = format!(
                "task {id}: {:?}/{:?} after {:?}/{:?}",
                task.desired, task.last, was.desired, was.last
            );
            notes.broken(GOES_BACK, what);
        }
    }
}

fn check_service(notes: &Notes, last: &State, state: &State, key: &ServiceKey) {
    let (Some(was), Some(is)) = (last.services.get(key), state.services.get(key)) else {
        return;
    };
    if was.created_at != is.created_at {
        if was.status != ServiceStatus::Inactive {
            notes.broken(GOES_BACK, format!("{key} was made anew while it lived"));
        }
        return;
    }
    let rank = |service: &Service| match service.status {
        ServiceStatus::Active => 0,
        ServiceStatus::Draining => 1,
        ServiceStatus::Inactive => 2,
    };
    if rank(is) < rank(was) {
        notes.broken(
            GOES_BACK,
            format!("{key}: {:?} after {:?}", is.status, was.status),
        );
    }
    for run in last.services.runs(key) {
        let Some(now) = state.services.run(key, run.id) else {
            continue;
        };
        if run.run.status.is_terminal() && now.run.status != run.run.status {
            let what = format!(
                "run of {key}: {:?} after {:?}",
                now.run.status, run.run.status
            );
            notes.broken(GOES_BACK, what);
        }
    }
    for deployment in last.services.deployments(key) {
        let Some(now) = state.services.deployment(key, deployment.id) else {
            continue;
        };
        let failed = deployment.rollout.state == RolloutState::Failed;
        if failed && now.rollout.state == RolloutState::Completed {
            notes.broken(
                GOES_BACK,
                format!("failed {} looks completed", deployment.id),
            );
        }
    }
    let primaries = state.services.deployments(key);
    let primaries = primaries.filter(|d| d.rollout.status == DeploymentStatus::Primary);
    let count = primaries.count();
    if count > 1 {
        notes.broken(GOES_BACK, format!("{key} has {count} PRIMARY deployments"));
    }
}

fn check_machine(notes: &Notes, state: &State, id: InstanceId) {
    let Some(instance) = state.instances.get(&id) else {
        return;
    };
    let (mut cpu, mut memory, mut gpus) = (0, 0, BTreeSet::new());
    let mut ports = instance.capacity.reserved_ports.clone();
    for task in state.tasks.on_instance(id) {
        if task.last == LastStatus::Stopped {
            continue;
        }
        let Some(facts) = state.facts(task) else {
            continue;
        };
        let demand = task.demand(facts);
        cpu += demand.cpu;
        memory += demand.memory;
        for gpu in &task.gpus {
            if !gpus.insert(gpu.clone()) || !instance.capacity.gpus.contains(gpu) {
                notes.broken(OVER_COMMITTED, format!("{id}: {gpu} given twice"));
            }
        }
        if task.gpus.len() < demand.gpus as usize {
            notes.broken(
                OVER_COMMITTED,
                format!("{id}: task {} without its GPU", task.id),
            );
        }
        for port in demand.ports {
            if !ports.insert(port) {
                notes.broken(OVER_COMMITTED, format!("{id}: port {} twice", port.port));
            }
        }
    }
    let capacity = &instance.capacity;
    if cpu > capacity.cpu || memory > capacity.memory {
        let what = format!(
            "{id}: {cpu} of {} CPU, {memory} of {} MiB",
            capacity.cpu, capacity.memory
        );
        notes.broken(OVER_COMMITTED, what);
    }
}
