//! Task sets of services under the EXTERNAL controller (reference §2.5).

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::is_arn;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::scheduler::{DeploymentId, Stability, Throttle};
use berth_model::service::{Controller, Service, TaskSet, TaskSetStatus};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::{State, Tx};

use super::create::token_of;
use super::names::{active_service, known_service, service_key};
use super::render::{Moment, View};
use super::wanted::{capacity_of, check_unserved, launch_of, platform_version};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, own_arn, resolve_definition};
use crate::ecs::tags::given_tags;
use crate::ecs::tasks::capacity::parse_capacity;
use crate::ecs::tasks::network::parse_network;
use crate::error::ApiError;

/// The most task sets of a service (reference §2.5).
const TASK_SETS_MAX: usize = 5;

/// The service of a request, by its cluster.
fn named_service(
    call: &Call,
    cluster: Option<&str>,
    service: Option<&str>,
) -> Result<ServiceKey, ApiError> {
    let cluster = cluster_key(call.scope(), cluster)?;
    active_cluster(&call.snapshot(), &cluster)?;
    service_key(&cluster, service.unwrap_or_default())
}

fn no_such_set() -> ApiError {
    ApiError::client(
        Fault::TaskSetNotFound,
        "The specified task set does not exist.",
    )
}

/// The id that a request names, alone or at the end of an ARN.
fn set_id(cluster: &ClusterKey, given: &str) -> Result<Option<DeploymentId>, ApiError> {
    if !is_arn(given) {
        return Ok(given.parse().ok());
    }
    let arn = own_arn(&cluster.scope, given, &["task-set"])?;
    let digits = arn.last();
    Ok(DeploymentId::parse_digits(digits).ok())
}

fn known_set(state: &State, key: &ServiceKey, given: &str) -> Result<TaskSet, ApiError> {
    let id = set_id(&key.cluster, given)?;
    let set = id.and_then(|id| state.services.task_set(key, id));
    Ok(TaskSet::clone(set.ok_or_else(no_such_set)?))
}

fn external_service(state: &State, key: &ServiceKey) -> Result<Service, ApiError> {
    let service = active_service(state, key)?;
    if service.spec.controller == Controller::Ecs {
        return Err(invalid(
            "Task sets are only supported for services with the EXTERNAL deployment controller.",
        ));
    }
    Ok(Service::clone(service))
}

/// A scale in thousandths of a percent.
fn scale(given: Option<&ecs::Scale>) -> Result<u32, ApiError> {
    let Some(value) = given.and_then(|given| given.value) else {
        return Ok(0);
    };
    if !(0.0..=100.0).contains(&value) {
        return Err(invalid("scale value must be between 0 and 100"));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 100,000, by the check above"
    )]
    Ok((value * 1000.0).round() as u32)
}

fn rendered(call: &Call, key: &ServiceKey, set: &TaskSet) -> Result<ecs::TaskSet, ApiError> {
    let state = call.snapshot();
    let view = View::new(&state, Moment::Changed, true);
    Ok(view.task_set(known_service(&state, key)?, set))
}

/// Makes a task set.
pub(crate) async fn create_task_set(
    call: Call,
    input: ecs::CreateTaskSetRequest,
) -> Result<ecs::CreateTaskSetResponse, ApiError> {
    call.check::<op::CreateTaskSet>(&input)?;
    let key = named_service(&call, input.cluster.as_deref(), input.service.as_deref())?;
    let draft = draft(&call, &key, &input)?;
    let asked = key.clone();
    let set = call
        .transact(move |tx| create(tx, &asked, draft.clone()))
        .await?;
    Ok(ecs::CreateTaskSetResponse {
        task_set: Some(rendered(&call, &key, &set)?),
    })
}

/// The task set but for its id and its times.
fn draft(
    call: &Call,
    key: &ServiceKey,
    input: &ecs::CreateTaskSetRequest,
) -> Result<TaskSet, ApiError> {
    let state = call.snapshot();
    let service = external_service(&state, key)?;
    let cluster = active_cluster(&state, &key.cluster)?;
    let named = input.task_definition.as_deref().unwrap_or_default();
    let definition = resolve_definition(&state, call.scope(), named)?;
    let strategy = input.capacity_provider_strategy.as_deref();
    let launch_type = input.launch_type.as_ref();
    let capacity = if launch_type.is_none() && strategy.is_none_or(<[_]>::is_empty) {
        service.spec.capacity.clone()
    } else {
        let parsed = parse_capacity(&state, cluster, &definition.facts, launch_type, strategy)?;
        capacity_of(&parsed)
    };
    let launch = launch_of(&capacity);
    check_unserved([
        ("loadBalancers", input.load_balancers.as_ref().map(Vec::len)),
        (
            "serviceRegistries",
            input.service_registries.as_ref().map(Vec::len),
        ),
    ])?;
    let asked = ecs::CreateTaskSetRequest {
        tags: None,
        ..input.clone()
    };
    let mode = definition.facts.network_mode;
    Ok(TaskSet {
        service: key.clone(),
        id: DeploymentId::FIRST,
        external_id: input.external_id.as_deref().map(Text::new),
        definition: definition.key.clone(),
        capacity,
        platform_version: platform_version(launch, input.platform_version.as_deref())?,
        network: parse_network(mode, launch, input.network_configuration.as_ref())?,
        scale_millipercent: scale(input.scale.as_ref())?,
        status: TaskSetStatus::Active,
        stability: Stability::Stabilizing,
        stability_at: Timestamp::default(),
        throttle: Throttle::default(),
        tags: given_tags(Fault::InvalidParameter, input.tags.as_deref())?,
        client_token: token_of(input.client_token.as_deref(), &format!("{asked:?}"))?,
        created_at: Timestamp::default(),
        updated_at: Timestamp::default(),
    })
}

fn create(tx: &mut Tx<'_>, key: &ServiceKey, mut set: TaskSet) -> Result<TaskSet, ApiError> {
    external_service(tx.state(), key)?;
    resolve_definition(tx.state(), &key.cluster.scope, &set.definition.arn())?;
    let mut count = 0;
    for other in tx.state().services.task_sets(key) {
        if set.client_token.is_some() && other.client_token == set.client_token {
            return Ok(TaskSet::clone(other));
        }
        count += 1;
    }
    if count >= TASK_SETS_MAX {
        return Err(ApiError::client(
            Fault::LimitExceeded,
            format!("The maximum number of task sets per service is {TASK_SETS_MAX}."),
        ));
    }
    let now = tx.now();
    set.id = DeploymentId::from_chance(tx.ids().chance());
    set.stability_at = now;
    set.created_at = now;
    set.updated_at = now;
    tx.put_task_set(set.clone());
    Ok(set)
}

/// Scales a task set.
pub(crate) async fn update_task_set(
    call: Call,
    input: ecs::UpdateTaskSetRequest,
) -> Result<ecs::UpdateTaskSetResponse, ApiError> {
    call.check::<op::UpdateTaskSet>(&input)?;
    let key = named_service(&call, input.cluster.as_deref(), input.service.as_deref())?;
    let named = input.task_set.clone().unwrap_or_default();
    let scale = scale(input.scale.as_ref())?;
    let asked = key.clone();
    let set = call
        .transact(move |tx| {
            external_service(tx.state(), &asked)?;
            let mut set = known_set(tx.state(), &asked, &named)?;
            let now = tx.now();
            set.scale_millipercent = scale;
            set.updated_at = now;
            set.throttle = Throttle::default();
            if set.stability == Stability::SteadyState {
                set.stability = Stability::Stabilizing;
                set.stability_at = now;
            }
            tx.put_task_set(set.clone());
            Ok::<_, ApiError>(set)
        })
        .await?;
    Ok(ecs::UpdateTaskSetResponse {
        task_set: Some(rendered(&call, &key, &set)?),
    })
}

/// Makes a task set the one whose definition the service shows.
pub(crate) async fn update_service_primary_task_set(
    call: Call,
    input: ecs::UpdateServicePrimaryTaskSetRequest,
) -> Result<ecs::UpdateServicePrimaryTaskSetResponse, ApiError> {
    call.check::<op::UpdateServicePrimaryTaskSet>(&input)?;
    let key = named_service(&call, input.cluster.as_deref(), input.service.as_deref())?;
    let named = input.primary_task_set.clone().unwrap_or_default();
    let asked = key.clone();
    let set = call
        .transact(move |tx| {
            let mut service = external_service(tx.state(), &asked)?;
            let mut set = known_set(tx.state(), &asked, &named)?;
            if set.status == TaskSetStatus::Draining {
                return Err(no_such_set());
            }
            let now = tx.now();
            let before = service.spec.primary.filter(|id| *id != set.id);
            let before = before.and_then(|id| tx.state().services.task_set(&asked, id).cloned());
            if let Some(before) = before {
                let mut before = TaskSet::clone(&before);
                before.status = TaskSetStatus::Active;
                before.updated_at = now;
                tx.put_task_set(before);
            }
            set.status = TaskSetStatus::Primary;
            set.updated_at = now;
            service.spec.primary = Some(set.id);
            service.spec.capacity = set.capacity.clone();
            tx.put_task_set(set.clone());
            tx.put_service(service);
            Ok(set)
        })
        .await?;
    Ok(ecs::UpdateServicePrimaryTaskSetResponse {
        task_set: Some(rendered(&call, &key, &set)?),
    })
}

/// Begins to delete a task set; it is gone when its tasks are.
pub(crate) async fn delete_task_set(
    call: Call,
    input: ecs::DeleteTaskSetRequest,
) -> Result<ecs::DeleteTaskSetResponse, ApiError> {
    call.check::<op::DeleteTaskSet>(&input)?;
    let key = named_service(&call, input.cluster.as_deref(), input.service.as_deref())?;
    let named = input.task_set.clone().unwrap_or_default();
    let force = input.force.unwrap_or(false);
    let asked = key.clone();
    let set = call
        .transact(move |tx| {
            let mut service = Service::clone(known_service(tx.state(), &asked)?);
            let mut set = known_set(tx.state(), &asked, &named)?;
            if set.scale_millipercent > 0 && !force {
                return Err(invalid(
                    "The task set cannot be deleted while it is scaled above 0.",
                ));
            }
            set.status = TaskSetStatus::Draining;
            set.scale_millipercent = 0;
            set.updated_at = tx.now();
            if service.spec.primary == Some(set.id) {
                service.spec.primary = None;
                tx.put_service(service);
            }
            tx.put_task_set(set.clone());
            Ok(set)
        })
        .await?;
    Ok(ecs::DeleteTaskSetResponse {
        task_set: Some(rendered(&call, &key, &set)?),
    })
}

/// Describes the task sets named, or all of a service.
pub(crate) async fn describe_task_sets(
    call: Call,
    input: ecs::DescribeTaskSetsRequest,
) -> Result<ecs::DescribeTaskSetsResponse, ApiError> {
    call.check::<op::DescribeTaskSets>(&input)?;
    let key = named_service(&call, input.cluster.as_deref(), input.service.as_deref())?;
    let state = call.snapshot();
    let service = active_service(&state, &key)?;
    let tags = ecs::TaskSetField::Tags;
    let tags = input.include.iter().flatten().any(|field| *field == tags);
    let view = View::new(&state, Moment::Later, tags);
    let named = input.task_sets.as_deref().unwrap_or_default();
    let mut shown = Vec::new();
    let mut failures = Vec::new();
    if named.is_empty() {
        let sets = state.services.task_sets(&key);
        shown.extend(sets.map(|set| view.task_set(service, set)));
    }
    for given in named {
        let id = set_id(&key.cluster, given)?;
        match id.and_then(|id| state.services.task_set(&key, id)) {
            Some(set) => shown.push(view.task_set(service, set)),
            None => failures.push(ecs::Failure {
                arn: Some(id.map_or_else(|| given.clone(), |id| key.task_set_arn(id))),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
    }
    Ok(ecs::DescribeTaskSetsResponse {
        failures: Some(failures),
        task_sets: Some(shown),
    })
}
