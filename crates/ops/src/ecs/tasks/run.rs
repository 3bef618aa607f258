//! RunTask (reference §1.6, §2.7, §6). A task that finds no room is refused, or waits for it in
//! PROVISIONING where it may; the controller of waiting tasks places it then.

use std::sync::Arc;
use std::time::Duration;

use berth_api::ecs::{self, Fault, op};
use berth_model::capacity_provider::PROVIDER_ATTRIBUTE;
use berth_model::id::{InstanceId, TaskId};
use berth_model::name::ClusterKey;
use berth_model::task::{LastStatus, LaunchType, Task, TaskSpec};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_model::waiting::{WAITING_MAX, WaitForRoom};
use berth_placement::{Reason, Refusal, Wanted};
use berth_state::{State, Tx};

use crate::call::Call;
use crate::ecs::fault::{client, invalid};
use crate::ecs::names::{active_cluster, cluster_key, resolve_definition};
use crate::ecs::tasks::capacity::{parse_capacity, resolve_platform};
use crate::ecs::tasks::draft::{Draft, Given};
use crate::ecs::tasks::placing::{check_placing, parse_constraints, parse_strategy};
use crate::ecs::tasks::render::{Moment, View};
use crate::ecs::token::client_token;
use crate::error::ApiError;

/// The most tasks of one call (reference §1.5).
const COUNT_MAX: i32 = 10;
/// The most characters of a client token (reference §1.6).
const TOKEN_LENGTH_MAX: usize = 64;
/// The most characters of RunTask's `startedBy` (reference §2.7).
const STARTED_BY_MAX: usize = 128;
/// How long a token is remembered after its call (reference §1.6).
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a token is remembered after the last of its tasks stopped (reference §1.6).
const TOKEN_LIFE_AFTER_STOP: Duration = Duration::from_secs(60 * 60);
/// What ECS answers when there is no Fargate capacity (reference §6.6).
const NO_FARGATE: &str = "Capacity is unavailable at this time. Please try again later or in a \
                          different availability zone";

/// What ECS's service events say of a provider without instances (reference §7.8).
const NO_INSTANCES_OF_PROVIDER: &str =
    "No Container Instances were found in your capacity provider.";

/// A call as parsed: what the transaction needs, and nothing to be worked out there.
struct Run {
    draft: Draft,
    /// The provider of each task to start.
    providers: Vec<Option<Text>>,
    /// Which tasks wait when there is no room.
    wait_for_room: WaitForRoom,
}

/// What came of a call.
struct Started {
    tasks: Vec<Arc<Task>>,
    failures: Vec<ecs::Failure>,
}

/// The tasks of a call that come from one provider.
struct Kind {
    spec: Arc<TaskSpec>,
    /// Why there is no more room for them: what has none for one has none for the next, which is
    /// like it.
    refusal: Option<Refusal>,
    /// How many were refused.
    unplaced: usize,
}

/// Starts tasks where there is room for them.
pub(crate) async fn run_task(
    call: Call,
    input: ecs::RunTaskRequest,
) -> Result<ecs::RunTaskResponse, ApiError> {
    let run = parse(&call, &input)?;
    let cluster = run.draft.spec.cluster.clone();
    let started = call.transact(move |tx| run.start(tx)).await?;
    let state = call.snapshot();
    let view = View::new(
        &state,
        &call.cx.definitions,
        &cluster,
        Moment::Started,
        true,
    );
    let tasks: Result<_, _> = started.tasks.iter().map(|task| view.task(task)).collect();
    Ok(ecs::RunTaskResponse {
        tasks: Some(tasks?),
        failures: Some(started.failures),
    })
}

fn parse(call: &Call, input: &ecs::RunTaskRequest) -> Result<Run, ApiError> {
    let count = input.count.unwrap_or(1);
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(invalid(format!("Count must be between 1 and {COUNT_MAX}.")));
    }
    call.check::<op::RunTask>(input)?;
    let state = call.snapshot();
    let key = cluster_key(call.scope(), input.cluster.as_deref())?;
    let cluster = active_cluster(&state, &key)?;
    let named = input.task_definition.as_deref().unwrap_or_default();
    let definition = resolve_definition(&state, call.scope(), named)?;
    let capacity = parse_capacity(
        &state,
        cluster,
        &definition.facts,
        input.launch_type.as_ref(),
        input.capacity_provider_strategy.as_deref(),
    )?;
    let launch = capacity.launch_type();
    let given = Given {
        group: input.group.as_deref(),
        started_by: input.started_by.as_deref(),
        started_by_max: STARTED_BY_MAX,
        reference_id: input.reference_id.as_deref(),
        overrides: input.overrides.as_ref(),
        network: input.network_configuration.as_ref(),
        execute_command: input.enable_execute_command,
        tags: input.tags.as_deref(),
        propagate_tags: input.propagate_tags.as_ref(),
        managed_tags: input.enable_ecs_managed_tags,
        volumes: input.volume_configurations.as_deref(),
    };
    let mut draft = Draft::parse(cluster, &definition, launch, &given)?;
    draft.spec.platform_version = resolve_platform(launch, input.platform_version.as_deref())?;
    // The body as it came: presence, order and spelling of every member count (reference §1.6).
    let token = input.client_token.as_deref();
    draft.spec.client_token = client_token(token, TOKEN_LENGTH_MAX, &call.body)?;
    let constraints = input.placement_constraints.as_deref().unwrap_or_default();
    let strategy = input.placement_strategy.as_deref().unwrap_or_default();
    check_placing(&draft.facts, launch, constraints, strategy)?;
    draft.spec.constraints = parse_constraints(constraints)?;
    draft.spec.strategy = parse_strategy(strategy)?;
    Ok(Run {
        draft,
        providers: capacity.split(usize::try_from(count).unwrap_or_default()),
        wait_for_room: call.cx.limits.wait_for_room,
    })
}

impl Run {
    fn start(&self, tx: &mut Tx<'_>) -> Result<Started, ApiError> {
        if let Some(tasks) = self.started_before(tx.state(), tx.now())? {
            return Ok(Started {
                tasks,
                failures: Vec::new(),
            });
        }
        self.draft.check_still_there(tx.state())?;
        let mut tasks = Vec::with_capacity(self.providers.len());
        let mut kinds: Vec<Kind> = Vec::new();
        // In the order in which a repeated call will find them.
        let mut ids: Vec<TaskId> = self.providers.iter().map(|_| tx.ids().task()).collect();
        ids.sort_unstable();
        for (provider, id) in self.providers.iter().zip(ids) {
            let of_provider = |kind: &Kind| kind.spec.capacity_provider == *provider;
            let at = kinds.iter().position(of_provider).unwrap_or_else(|| {
                kinds.push(Kind {
                    spec: self.draft.spec_at(tx.now(), provider.as_ref()),
                    refusal: None,
                    unplaced: 0,
                });
                kinds.len() - 1
            });
            if self.start_one(tx, &mut kinds[at], id)? {
                tasks.extend(tx.state().tasks.get(id).cloned());
            }
        }
        let mut failures = Vec::new();
        for kind in kinds.iter().filter(|kind| kind.unplaced > 0) {
            failures.extend(self.failures(tx.state(), kind)?);
        }
        Ok(Started { tasks, failures })
    }

    /// Starts a task where there is room, or lets it wait. Answers whether there is such a task.
    fn start_one(&self, tx: &mut Tx<'_>, kind: &mut Kind, id: TaskId) -> Result<bool, ApiError> {
        let placement = match kind.refusal {
            Some(_) => None,
            None => {
                let wanted = Wanted::of(&kind.spec, &self.draft.facts, &kind.spec.strategy);
                let seed = tx.ids().chance();
                match tx.fleet().place(&wanted.request(None, seed)) {
                    Ok(placement) => Some(placement),
                    Err(refusal) => {
                        kind.refusal = Some(refusal);
                        None
                    }
                }
            }
        };
        if placement.is_none() && !self.may_wait(tx.state(), &kind.spec)? {
            kind.unplaced += 1;
            return Ok(false);
        }
        tx.put_task(self.draft.task(id, kind.spec.clone(), placement));
        Ok(true)
    }

    /// Whether a task without room waits. Nothing that placement says of today's instances is
    /// beyond cure: a size, an attribute or a zone that none of them has can come with the next,
    /// so what can never be is refused where the request is read.
    fn may_wait(&self, state: &State, spec: &TaskSpec) -> Result<bool, ApiError> {
        let provider = spec.capacity_provider.as_ref();
        if !state.may_wait(&spec.cluster.scope, provider, self.wait_for_room) {
            return Ok(false);
        }
        let row = state.cluster_row(&spec.cluster).unwrap_or_default();
        if state.tasks.cluster_counts(row).waiting < WAITING_MAX {
            return Ok(true);
        }
        Err(client(
            "The tasks provisioning capacity limit was exceeded.",
        ))
    }

    /// The tasks that a call with this token started, while the token is remembered.
    fn started_before(
        &self,
        state: &State,
        now: Timestamp,
    ) -> Result<Option<Vec<Arc<Task>>>, ApiError> {
        let spec = &self.draft.spec;
        let (Some(token), Some(row)) = (&spec.client_token, state.cluster_row(&spec.cluster))
        else {
            return Ok(None);
        };
        let mut tasks: Vec<Arc<Task>> = state.tasks.by_token(row, &token.token).cloned().collect();
        // A token that was forgotten may have been used again: the last use counts.
        let Some(used_at) = tasks.iter().map(|task| task.spec.created_at).max() else {
            return Ok(None);
        };
        tasks.retain(|task| task.spec.created_at == used_at);
        if now.since(used_at) >= TOKEN_LIFE || all_stopped_long_ago(&tasks, now) {
            return Ok(None);
        }
        let same = |task: &Arc<Task>| {
            let used = task.spec.client_token.as_ref();
            used.is_some_and(|used| used.request == token.request)
        };
        if tasks.iter().all(same) {
            return Ok(Some(tasks));
        }
        let arns: Vec<String> = tasks
            .iter()
            .map(|task| spec.cluster.task_arn(task.id))
            .collect();
        let mut conflict = ApiError::client(
            Fault::Conflict,
            "The RunTask request could not be processed due to conflicts. The provided \
             clientToken is already in use with a different request.",
        );
        conflict.0 = conflict.0.with_field("resourceIds", arns.into());
        Err(conflict)
    }

    /// How ECS tells that tasks found no room (reference §6.6).
    fn failures(&self, state: &State, kind: &Kind) -> Result<Vec<ecs::Failure>, ApiError> {
        let spec = &kind.spec;
        let because = |reason: &str| ecs::Failure {
            reason: Some(reason.into()),
            ..ecs::Failure::default()
        };
        match (spec.launch_type, &kind.refusal) {
            (_, None) => Ok(Vec::new()),
            (LaunchType::Fargate, Some(_)) => Ok(vec![because(NO_FARGATE); kind.unplaced]),
            (LaunchType::Ec2 | LaunchType::External, Some(Refusal::NoInstances)) => Err(invalid(
                "No Container Instances were found in your cluster.",
            )),
            (LaunchType::Ec2 | LaunchType::External, Some(Refusal::Rejected { reasons, .. })) => {
                let of_provider = |id: &InstanceId| {
                    let instance = state.instances.get(id);
                    spec.capacity_provider.is_none()
                        || instance.and_then(|i| i.attribute(PROVIDER_ATTRIBUTE))
                            == Some(spec.capacity_provider.as_ref())
                };
                let failures: Vec<ecs::Failure> = reasons
                    .iter()
                    .filter(|(instance, _)| of_provider(instance))
                    .map(|(instance, reason)| instance_failure(&spec.cluster, *instance, *reason))
                    .collect();
                if failures.is_empty() {
                    return Ok(vec![because(NO_INSTANCES_OF_PROVIDER); kind.unplaced]);
                }
                Ok(failures)
            }
        }
    }
}

/// Whether every task stopped so long ago that their token is forgotten.
fn all_stopped_long_ago(tasks: &[Arc<Task>], now: Timestamp) -> bool {
    tasks.iter().all(|task| {
        task.last == LastStatus::Stopped
            && task
                .seen
                .stopped_at
                .is_some_and(|at| now.since(at) >= TOKEN_LIFE_AFTER_STOP)
    })
}

/// Why an instance could not take a task, as an entry of `failures`.
pub(super) fn instance_failure(
    cluster: &ClusterKey,
    instance: InstanceId,
    reason: Reason,
) -> ecs::Failure {
    ecs::Failure {
        arn: Some(cluster.instance_arn(instance)),
        reason: Some(reason.as_str().into()),
        detail: None,
    }
}
