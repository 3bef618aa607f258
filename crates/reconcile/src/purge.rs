//! Forgetting what is over: stopped tasks past their retention, deregistered instances, deleted
//! services, deleted task definitions that nothing refers to, and join tokens and enrolments that
//! decide nothing any more.

use std::time::Duration;

use berth_model::definition::DefinitionStatus;
use berth_model::id::{InstanceId, JoinTokenId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::joining::Enrolment;
use berth_model::name::{DefinitionKey, ServiceKey};
use berth_model::service::ServiceStatus;
use berth_model::time::Timestamp;
use berth_state::{State, Tx};

/// Records removed in one step: a step stays below a few milliseconds of the writer.
pub const STEP_MAX: usize = 512;

/// How long a task that was declared lost waits for its agent to come back and be told to stop
/// it. An agent that is away for longer finds its containers unknown, and leaves them running.
const LOST_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long a join token that lets nobody join any more is listed: long enough to see what became
/// of last week's.
const TOKENS_KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// How long after their end credentials of a machine can still be renewed: a machine that was
/// switched off for a season comes back by itself, one that was away for longer joins again.
pub const RENEWABLE_FOR: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long an enrolment is kept that was revoked, or whose instance is gone: until no
/// credentials of it could be renewed, with a day for those that were still good.
const ENROLMENTS_KEPT_FOR: Duration = Duration::from_secs(RENEWABLE_FOR.as_secs() + 24 * 60 * 60);

/// How long things are kept.
#[derive(Clone, Copy, Debug)]
pub struct Retention {
    /// How long a stopped task can be described. ECS keeps it for at least an hour.
    pub stopped_tasks: Duration,
    /// How many stopped tasks are kept at most.
    pub stopped_tasks_max: usize,
    /// How long a deregistered instance can be described.
    pub inactive_instances: Duration,
    /// How long a deleted service can be described: tools wait for INACTIVE, and see it gone later.
    pub inactive_services: Duration,
}

/// What is to be forgotten.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Stopped tasks.
    pub tasks: Vec<TaskId>,
    /// Deregistered instances without tasks.
    pub instances: Vec<InstanceId>,
    /// Deleted services.
    pub services: Vec<ServiceKey>,
    /// Task definitions whose deletion was asked for.
    pub definitions: Vec<DefinitionKey>,
    /// Join tokens that are over.
    pub join_tokens: Vec<JoinTokenId>,
    /// Enrolments of machines that are gone.
    pub enrolments: Vec<InstanceId>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Self {
            tasks,
            instances,
            services,
            definitions,
            join_tokens,
            enrolments,
        } = self;
        tasks.is_empty()
            && instances.is_empty()
            && services.is_empty()
            && definitions.is_empty()
            && join_tokens.is_empty()
            && enrolments.is_empty()
    }
}

/// What is over at `now`, at most [`STEP_MAX`] records of each kind.
#[must_use]
pub fn decide(state: &State, now: Timestamp, retention: &Retention) -> Plan {
    let surplus = state
        .tasks
        .stopped_len()
        .saturating_sub(retention.stopped_tasks_max);
    let tasks = state
        .tasks
        .stopped()
        .enumerate()
        .take_while(|(nth, (at, _))| *nth < surplus || now.since(*at) >= retention.stopped_tasks)
        .filter(|(_, (at, task))| !task.stop_due() || now.since(*at) >= LOST_KEPT_FOR)
        .map(|(_, (_, task))| task.id)
        .take(STEP_MAX)
        .collect();
    let instances = state
        .instances
        .iter()
        .filter(|(_, instance)| instance.status == InstanceStatus::Inactive)
        .filter(|(_, instance)| {
            let since = instance.deregistered_at.unwrap_or(instance.registered_at);
            now.since(since) >= retention.inactive_instances
        })
        .filter(|(id, _)| state.tasks.on_instance(**id).next().is_none())
        .map(|(id, _)| *id)
        .take(STEP_MAX)
        .collect();
    let services = state
        .services
        .iter()
        .filter(|service| service.status == ServiceStatus::Inactive)
        .filter(|service| {
            let ended = service.ended_at;
            ended.is_some_and(|at| now.since(at) >= retention.inactive_services)
        })
        .map(|service| service.key.clone())
        .take(STEP_MAX)
        .collect();
    let definitions = state
        .definitions
        .iter()
        .filter(|(_, definition)| definition.status == DefinitionStatus::DeleteInProgress)
        .filter(|(key, _)| state.users_of(key) == 0)
        .map(|(key, _)| key.clone())
        .take(STEP_MAX)
        .collect();
    let join_tokens = state
        .join_tokens
        .iter()
        .filter(|(_, token)| now.since(token.over_since()) >= TOKENS_KEPT_FOR)
        .map(|(id, _)| *id)
        .take(STEP_MAX)
        .collect();
    Plan {
        tasks,
        instances,
        services,
        definitions,
        join_tokens,
        enrolments: enrolments(state, now),
    }
}

/// Enrolments that decide nothing any more.
fn enrolments(state: &State, now: Timestamp) -> Vec<InstanceId> {
    let over = |enrolment: &Enrolment| match enrolment.revoked_at {
        Some(at) => now.since(at) >= ENROLMENTS_KEPT_FOR,
        None => {
            state.instances.get(&enrolment.instance).is_none()
                && now.since(enrolment.joined_at) >= ENROLMENTS_KEPT_FOR
        }
    };
    let all = state.enrolments.iter();
    all.filter(|(_, enrolment)| over(enrolment))
        .map(|(instance, _)| *instance)
        .take(STEP_MAX)
        .collect()
}

/// Forgets what the plan names.
pub fn carry_out(tx: &mut Tx<'_>, plan: &Plan) {
    for task in &plan.tasks {
        tx.remove_task(*task);
    }
    for instance in &plan.instances {
        tx.remove_instance(*instance);
    }
    for service in &plan.services {
        tx.remove_service(service);
    }
    for definition in &plan.definitions {
        tx.remove_definition(definition);
    }
    for token in &plan.join_tokens {
        tx.remove_join_token(*token);
    }
    for instance in &plan.enrolments {
        tx.remove_enrolment(*instance);
    }
}
