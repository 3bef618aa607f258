//! StartTask: RunTask on instances that the caller names (reference §2.7).

use std::sync::Arc;

use berth_api::ecs::{self, op};
use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::ClusterKey;
use berth_model::task::{LaunchType, Task};
use berth_placement::{Placement, Reason, Request};
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::{client, invalid};
use crate::ecs::names::{active_cluster, cluster_key, instance_id, resolve_definition};
use crate::ecs::tasks::capacity::check_supported;
use crate::ecs::tasks::draft::{Draft, Given};
use crate::ecs::tasks::render::{Moment, View};
use crate::ecs::tasks::run::instance_failure;
use crate::error::ApiError;

/// The most instances of one call (reference §1.5).
const INSTANCES_MAX: usize = 10;
/// The most characters of StartTask's `startedBy` (reference §2.7).
const STARTED_BY_MAX: usize = 36;

/// Starts one task on each of the instances that can take it.
pub(crate) async fn start_task(
    call: Call,
    input: ecs::StartTaskRequest,
) -> Result<ecs::StartTaskResponse, ApiError> {
    let (draft, instances) = parse(&call, &input)?;
    let cluster = draft.spec.cluster.clone();
    let (tasks, failures) = call
        .transact(move |tx| start(tx, &draft, &instances))
        .await?;
    let state = call.snapshot();
    let view = View::new(
        &state,
        &call.cx.definitions,
        &cluster,
        Moment::Started,
        true,
    );
    let tasks: Result<_, _> = tasks.iter().map(|task| view.task(task)).collect();
    Ok(ecs::StartTaskResponse {
        tasks: Some(tasks?),
        failures: Some(failures),
    })
}

/// An instance as named: its ARN, and its id if it can be one of ours.
struct Named {
    arn: String,
    id: Option<InstanceId>,
}

fn parse(call: &Call, input: &ecs::StartTaskRequest) -> Result<(Draft, Vec<Named>), ApiError> {
    let named = input.container_instances.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(client("Container Instances cannot be empty."));
    }
    if named.len() > INSTANCES_MAX {
        return Err(invalid(format!(
            "Container Instances can have at most {INSTANCES_MAX} items."
        )));
    }
    call.check::<op::StartTask>(input)?;
    let state = call.snapshot();
    let key = cluster_key(call.scope(), input.cluster.as_deref())?;
    let cluster = active_cluster(&state, &key)?;
    let definition = input.task_definition.as_deref().unwrap_or_default();
    let definition = resolve_definition(&state, call.scope(), definition)?;
    let instances = named
        .iter()
        .map(|given| name(&key, given))
        .collect::<Result<Vec<_>, _>>()?;
    // Named instances are instances whatever their agent's mode, and EC2 takes any.
    let launch = LaunchType::Ec2;
    check_supported(&definition.facts, launch)?;
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
    Ok((
        Draft::parse(cluster, &definition, launch, &given)?,
        instances,
    ))
}

fn name(cluster: &ClusterKey, given: &str) -> Result<Named, ApiError> {
    let id = instance_id(cluster, given)?;
    Ok(Named {
        arn: id.map_or_else(|| given.to_owned(), |id| cluster.instance_arn(id)),
        id,
    })
}

type Started = (Vec<Arc<Task>>, Vec<ecs::Failure>);

fn start(tx: &mut Tx<'_>, draft: &Draft, instances: &[Named]) -> Result<Started, ApiError> {
    draft.check_still_there(tx.state())?;
    let spec = draft.spec_at(tx.now(), None);
    let (mut tasks, mut failures) = (Vec::new(), Vec::new());
    for named in instances {
        let id = match check(tx, draft, named.id) {
            Ok(id) => id,
            Err(reason) => {
                failures.push(match named.id {
                    Some(id) => instance_failure(&spec.cluster, id, reason),
                    None => ecs::Failure {
                        arn: Some(named.arn.clone()),
                        reason: Some(reason.as_str().into()),
                        detail: None,
                    },
                });
                continue;
            }
        };
        let gpus = tx.fleet().free_gpus(id, draft.demand.gpus);
        let task = tx.ids().task();
        let placement = Placement { instance: id, gpus };
        tx.put_task(draft.task(task, spec.clone(), Some(placement)));
        tasks.extend(tx.state().tasks.get(task).cloned());
    }
    Ok((tasks, failures))
}

/// The instance if it can take the task.
fn check(tx: &mut Tx<'_>, draft: &Draft, named: Option<InstanceId>) -> Result<InstanceId, Reason> {
    let spec = &draft.spec;
    let record = named.and_then(|id| tx.state().instances.get(&id));
    let record = record.filter(|r| r.cluster == spec.cluster && r.offer.instance);
    let record = record.ok_or(Reason::Missing)?;
    // DRAINING instances take StartTask's tasks no more than RunTask's.
    if record.status != InstanceStatus::Active {
        return Err(Reason::Inactive);
    }
    let id = record.id;
    tx.fleet().check(
        id,
        &Request {
            cluster: &spec.cluster,
            launch: spec.launch_type,
            group: &spec.group,
            demand: &draft.demand,
            required_attributes: &draft.facts.requires_attributes,
            member_of: &draft.facts.member_of,
            distinct_instance: false,
            strategy: &[],
            zones: None,
            seed: 0,
        },
    )?;
    Ok(id)
}
