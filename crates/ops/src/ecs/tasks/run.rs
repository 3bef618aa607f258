//! RunTask (reference §1.6, §2.7, §6).

use std::sync::Arc;
use std::time::Duration;

use berth_api::ecs::{self, Fault, op};
use berth_model::capacity_provider;
use berth_model::id::{InstanceId, TaskId};
use berth_model::name::ClusterKey;
use berth_model::task::{LastStatus, LaunchType, Task, TaskSpec};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::{Placement, Reason, Refusal, Request};
use berth_state::{State, Tx};

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, resolve_definition};
use crate::ecs::tasks::capacity::{parse_capacity, resolve_platform};
use crate::ecs::tasks::draft::{Draft, Given};
use crate::ecs::tasks::placing::{Placing, parse_constraints};
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

/// A call as parsed: what the transaction needs, and nothing to be worked out there.
struct Run {
    draft: Draft,
    placing: Placing,
    /// The provider of each task to start.
    providers: Vec<Option<Text>>,
}

/// What came of a call.
struct Started {
    tasks: Vec<Arc<Task>>,
    failures: Vec<ecs::Failure>,
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
    let placing = Placing::parse(&draft.facts, launch, constraints, strategy)?;
    draft.spec.constraints = parse_constraints(constraints)?;
    Ok(Run {
        draft,
        placing,
        providers: capacity.split(usize::try_from(count).unwrap_or_default()),
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
        let mut spec: Option<Arc<TaskSpec>> = None;
        // In the order in which a repeated call will find them.
        let mut ids: Vec<TaskId> = self.providers.iter().map(|_| tx.ids().task()).collect();
        ids.sort_unstable();
        let mut failures = Vec::new();
        let mut full: Vec<&Option<Text>> = Vec::new();
        for (provider, id) in self.providers.iter().zip(ids) {
            // What has no room for a task has none for the next, which is like it.
            if full.contains(&provider) {
                continue;
            }
            let placement = match self.place(tx, provider.as_ref()) {
                Ok(placement) => placement,
                Err(refusal) => {
                    let placed = |task: &&Arc<Task>| task.spec.capacity_provider == *provider;
                    let asked = self.providers.iter().filter(|asked| *asked == provider);
                    let unplaced = asked.count() - tasks.iter().filter(placed).count();
                    failures.extend(self.failures(&refusal, unplaced)?);
                    full.push(provider);
                    continue;
                }
            };
            // Tasks of one provider share their spec.
            let shared = match spec.take().filter(|s| s.capacity_provider == *provider) {
                Some(shared) => shared,
                None => self.draft.spec_at(tx.now(), provider.as_ref()),
            };
            spec = Some(shared.clone());
            tx.put_task(
                self.draft
                    .task(id, shared, placement.instance, placement.gpus),
            );
            tasks.extend(tx.state().tasks.get(id).cloned());
        }
        Ok(Started { tasks, failures })
    }

    /// A place for one task, among the instances of its provider when that is a group of them.
    fn place(&self, tx: &mut Tx<'_>, provider: Option<&Text>) -> Result<Placement, Refusal> {
        let seed = tx.ids().chance();
        let spec = &self.draft.spec;
        let mut member_of = self.placing.member_of.clone();
        if spec.launch_type != LaunchType::Fargate {
            member_of.extend(provider.map(capacity_provider::membership));
        }
        tx.fleet().place(&Request {
            cluster: &spec.cluster,
            launch: spec.launch_type,
            group: &spec.group,
            demand: &self.draft.demand,
            required_attributes: &self.draft.facts.requires_attributes,
            member_of: &member_of,
            distinct_instance: self.placing.distinct_instance,
            strategy: &self.placing.strategy,
            zones: None,
            seed,
        })
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
    fn failures(&self, refusal: &Refusal, unplaced: usize) -> Result<Vec<ecs::Failure>, ApiError> {
        let spec = &self.draft.spec;
        match (spec.launch_type, refusal) {
            (LaunchType::Fargate, Refusal::NoInstances | Refusal::Rejected { .. }) => {
                let failure = ecs::Failure {
                    reason: Some(NO_FARGATE.into()),
                    ..ecs::Failure::default()
                };
                Ok(vec![failure; unplaced])
            }
            (LaunchType::Ec2 | LaunchType::External, Refusal::NoInstances) => Err(invalid(
                "No Container Instances were found in your cluster.",
            )),
            (LaunchType::Ec2 | LaunchType::External, Refusal::Rejected { reasons, .. }) => {
                let each = |(instance, reason): &(InstanceId, Reason)| {
                    instance_failure(&spec.cluster, *instance, *reason)
                };
                Ok(reasons.iter().map(each).collect())
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
