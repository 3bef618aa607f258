//! Tags: the checks that every operation with tags makes, and the operations on the tags of
//! things that exist (reference §9.2).

use std::sync::Arc;

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::EcsArn;
use berth_model::capacity_provider::{CapacityProvider, ProviderKey};
use berth_model::cluster::{Cluster, ClusterStatus};
use berth_model::definition::TaskDefinition;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::ContainerInstance;
use berth_model::name::{ClusterKey, DefinitionKey, Scope, ServiceKey};
use berth_model::scheduler::DeploymentId;
use berth_model::service::{Service, ServiceStatus, TaskSet};
use berth_model::tags::Tags;
use berth_model::task::{LastStatus, Task};
use berth_model::text::Text;
use berth_state::{State, Tx};

use crate::access::Resource;
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::own_arn;
use crate::error::ApiError;

/// The most tags that users may put on one resource; those of AWS's own are not counted.
const TAGS_MAX: usize = 50;
/// The most characters of a key.
const KEY_LENGTH_MAX: usize = 128;
/// The most characters of a value.
const VALUE_LENGTH_MAX: usize = 256;
/// What the keys of AWS's own tags begin with, in any case.
const RESERVED_PREFIX: &str = "aws:";

/// The tags that a request gives a resource that it makes.
///
/// # Errors
/// The fault `code`, for a tag that cannot be, a key given twice, or too many.
pub(crate) fn given_tags(code: Fault, given: Option<&[ecs::Tag]>) -> Result<Tags, ApiError> {
    let mut tags = Tags::default();
    for tag in given.unwrap_or_default() {
        let (key, value) = checked(code, tag)?;
        if tags.get(key).is_some() {
            return Err(ApiError::client(
                code,
                format!("Duplicate tag keys are not allowed. Key: {key}"),
            ));
        }
        tags.set(key.into(), value.into());
    }
    check_count(code, &tags)?;
    Ok(tags)
}

/// Tags as the API shows them.
pub(crate) fn render_tags(tags: &Tags) -> Vec<ecs::Tag> {
    let one = |(key, value): (&Text, &Text)| ecs::Tag {
        key: Some(key.to_string()),
        value: Some(value.to_string()),
    };
    tags.iter().map(one).collect()
}

fn checked(code: Fault, tag: &ecs::Tag) -> Result<(&str, &str), ApiError> {
    let bad = |message: String| ApiError::client(code, message);
    let key = tag.key.as_deref();
    let key = key.ok_or_else(|| bad("Tag key can not be null.".into()))?;
    let value = tag.value.as_deref();
    let value = value.ok_or_else(|| bad("Tag value can not be null.".into()))?;
    check_key(code, key)?;
    if value.chars().count() > VALUE_LENGTH_MAX {
        return Err(bad(format!(
            "Tag value must not be longer than {VALUE_LENGTH_MAX} characters."
        )));
    }
    if !value.chars().all(is_allowed) {
        return Err(bad(format!(
            "Tag value contains invalid characters. Key: {key}"
        )));
    }
    Ok((key, value))
}

/// Whether a key may be put, or taken away.
fn check_key(code: Fault, key: &str) -> Result<(), ApiError> {
    let bad = |message: String| Err(ApiError::client(code, message));
    if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
        return bad(format!(
            "Tag key must be between 1 and {KEY_LENGTH_MAX} characters."
        ));
    }
    if !key.chars().all(is_allowed) {
        return bad(format!("Tag key contains invalid characters. Key: {key}"));
    }
    let prefix = key.get(..RESERVED_PREFIX.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_PREFIX)) {
        return bad("Tag keys beginning with aws: are reserved for AWS use.".into());
    }
    Ok(())
}

fn check_count(code: Fault, tags: &Tags) -> Result<(), ApiError> {
    let reserved = |key: &str| key.starts_with(RESERVED_PREFIX);
    let count = tags.iter().filter(|(key, _)| !reserved(key)).count();
    if count > TAGS_MAX {
        return Err(ApiError::client(
            code,
            format!("The maximum number of tags that you can apply to a resource is {TAGS_MAX}."),
        ));
    }
    Ok(())
}

/// Letters and digits of any script, spaces, and `+ - = . _ : / @`.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "+-=._:/@".contains(character)
}

/// Something that exists and may have tags.
#[derive(Clone)]
enum Target {
    Cluster(ClusterKey),
    Definition(DefinitionKey),
    Task(ClusterKey, TaskId),
    Instance(ClusterKey, InstanceId),
    Service(ServiceKey),
    TaskSet(ServiceKey, DeploymentId),
    Provider(ProviderKey),
}

/// Kinds of resources with tags that exist in ECS; of some of them there are none here yet.
const KINDS: [&str; 9] = [
    "cluster",
    "task-definition",
    "task",
    "container-instance",
    "service",
    "task-set",
    "capacity-provider",
    "daemon",
    "daemon-task-definition",
];

impl Target {
    /// The resource that an ARN names; `None` when nothing of that name can exist.
    fn parse(scope: &Scope, given: Option<&str>) -> Result<Option<Self>, ApiError> {
        let given = given.filter(|given| !given.is_empty());
        let given = given.ok_or_else(|| invalid("resourceArn can not be blank."))?;
        let arn = own_arn(scope, given, &KINDS)?;
        Ok(match arn.kind {
            "cluster" => arn.cluster().map(|name| {
                Self::Cluster(ClusterKey {
                    scope: scope.clone(),
                    name,
                })
            }),
            "task-definition" => {
                let key = format!("{scope}/{}", arn.rest).parse();
                key.ok().map(Self::Definition)
            }
            "task" => within_cluster(&arn)?
                .and_then(|(cluster, id)| Some(Self::Task(cluster, id.parse().ok()?))),
            "container-instance" => within_cluster(&arn)?
                .and_then(|(cluster, id)| Some(Self::Instance(cluster, id.parse().ok()?))),
            "service" => within_cluster(&arn)?.and_then(|(cluster, name)| {
                let name = name.parse().ok()?;
                Some(Self::Service(ServiceKey { cluster, name }))
            }),
            // `<cluster>/<service>/ecs-svc/<digits>`
            "task-set" => within_cluster(&arn)?.and_then(|(cluster, digits)| {
                let name = arn.rest.split('/').nth(1)?.parse().ok()?;
                let id = DeploymentId::parse_digits(digits).ok()?;
                Some(Self::TaskSet(ServiceKey { cluster, name }, id))
            }),
            "capacity-provider" => Some(Self::Provider(ProviderKey {
                scope: scope.clone(),
                name: arn.rest.into(),
            })),
            // A kind of which there are none here yet.
            _ => None,
        })
    }

    /// What it is as far as rights go.
    fn owned(&self, state: &State) -> Resource {
        match self {
            Self::Task(_, id) => Resource::Task {
                id: Some(*id),
                on: state.tasks.get(*id).and_then(|task| task.instance),
            },
            Self::Instance(_, id) => Resource::Instance(Some(*id)),
            Self::Cluster(_)
            | Self::Definition(_)
            | Self::Service(_)
            | Self::TaskSet(..)
            | Self::Provider(_) => Resource::Other,
        }
    }

    /// The tags that it has.
    fn tags<'a>(&self, state: &'a State, absent: Fault) -> Result<&'a Tags, ApiError> {
        Ok(match self {
            Self::Cluster(key) => &cluster(state, key)?.tags,
            Self::Definition(key) => &definition(state, key, absent)?.tags,
            Self::Task(cluster, id) => &task(state, cluster, *id, absent)?.tags,
            Self::Instance(cluster, id) => &instance(state, cluster, *id, absent)?.tags,
            Self::Service(key) => &service(state, key, absent)?.tags,
            Self::TaskSet(key, id) => {
                let set = state.services.task_set(key, *id);
                &set.ok_or_else(|| no_such_resource(absent))?.tags
            }
            Self::Provider(key) => {
                let provider = state.providers.get(key);
                &provider.ok_or_else(|| no_such_resource(absent))?.tags
            }
        })
    }

    /// Gives it other tags.
    fn put(&self, tx: &mut Tx<'_>, tags: Tags) -> Result<(), ApiError> {
        let absent = Fault::ResourceNotFound;
        match self {
            Self::Cluster(key) => {
                let changed = Cluster {
                    tags,
                    ..Cluster::clone(cluster(tx.state(), key)?)
                };
                tx.put_cluster(changed);
            }
            Self::Definition(key) => {
                let changed = TaskDefinition {
                    tags,
                    ..TaskDefinition::clone(definition(tx.state(), key, absent)?)
                };
                tx.put_definition(changed);
            }
            Self::Task(cluster, id) => {
                let before = task(tx.state(), cluster, *id, absent)?;
                if before.last == LastStatus::Stopped {
                    return Err(invalid(
                        "The specified task is stopped. Specify a running task and try again.",
                    ));
                }
                let changed = Task {
                    tags,
                    version: before.version.saturating_add(1),
                    ..Task::clone(before)
                };
                tx.put_task(changed);
            }
            Self::Instance(cluster, id) => {
                let before = instance(tx.state(), cluster, *id, absent)?;
                let changed = ContainerInstance {
                    tags,
                    version: before.version.saturating_add(1),
                    ..ContainerInstance::clone(before)
                };
                tx.put_instance(changed);
            }
            Self::Service(key) => {
                let changed = Service {
                    tags,
                    ..Service::clone(service(tx.state(), key, absent)?)
                };
                tx.put_service(changed);
            }
            Self::TaskSet(key, id) => {
                let set = tx.state().services.task_set(key, *id);
                let set = set.ok_or_else(|| no_such_resource(absent))?;
                let changed = TaskSet {
                    tags,
                    ..TaskSet::clone(set)
                };
                tx.put_task_set(changed);
            }
            Self::Provider(key) => {
                let provider = tx.state().providers.get(key);
                let provider = provider.ok_or_else(|| no_such_resource(absent))?;
                let changed = CapacityProvider {
                    tags,
                    ..CapacityProvider::clone(provider)
                };
                tx.put_provider(changed);
            }
        }
        Ok(())
    }
}

/// The cluster and the id of a long ARN.
fn within_cluster<'a>(arn: &EcsArn<'a>) -> Result<Option<(ClusterKey, &'a str)>, ApiError> {
    if !arn.rest.contains('/') {
        return Err(invalid(
            "Long arn format must be used for tagging operations",
        ));
    }
    Ok(arn.cluster().map(|name| {
        let scope = arn.scope.clone();
        (ClusterKey { scope, name }, arn.last())
    }))
}

fn cluster<'a>(state: &'a State, key: &ClusterKey) -> Result<&'a Arc<Cluster>, ApiError> {
    let cluster = state.clusters.get(key).ok_or_else(|| {
        ApiError::client(
            Fault::ClusterNotFound,
            "The specified cluster does not exist.",
        )
    })?;
    match cluster.status {
        ClusterStatus::Active => Ok(cluster),
        ClusterStatus::Inactive => Err(invalid(
            "The specified cluster is inactive. Specify an active cluster and try again.",
        )),
    }
}

fn definition<'a>(
    state: &'a State,
    key: &DefinitionKey,
    absent: Fault,
) -> Result<&'a Arc<TaskDefinition>, ApiError> {
    state.definitions.get(key).ok_or_else(|| {
        ApiError::client(
            absent,
            "The specified task definition does not exist. Specify a valid account, family, \
             revision and try again.",
        )
    })
}

fn task<'a>(
    state: &'a State,
    cluster: &ClusterKey,
    id: TaskId,
    absent: Fault,
) -> Result<&'a Arc<Task>, ApiError> {
    let task = state.tasks.get(id);
    let task = task.filter(|task| task.spec.cluster == *cluster);
    task.ok_or_else(|| ApiError::client(absent, "The specified task does not exist."))
}

fn instance<'a>(
    state: &'a State,
    cluster: &ClusterKey,
    id: InstanceId,
    absent: Fault,
) -> Result<&'a Arc<ContainerInstance>, ApiError> {
    let instance = state.instances.get(&id);
    let instance = instance.filter(|instance| instance.cluster == *cluster);
    instance
        .ok_or_else(|| ApiError::client(absent, "The specified container instance does not exist."))
}

fn service<'a>(
    state: &'a State,
    key: &ServiceKey,
    absent: Fault,
) -> Result<&'a Arc<Service>, ApiError> {
    let service = state.services.get(key);
    let service =
        service.ok_or_else(|| ApiError::client(absent, "The specified service does not exist."))?;
    match service.status {
        ServiceStatus::Active | ServiceStatus::Draining => Ok(service),
        ServiceStatus::Inactive => Err(invalid(
            "The specified service is inactive. Specify an active service and try again.",
        )),
    }
}

fn no_such_resource(fault: Fault) -> ApiError {
    ApiError::client(fault, "The specified resource does not exist.")
}

/// Adds tags to a resource, or gives those of the same keys new values.
pub(crate) async fn tag_resource(
    call: Call,
    input: ecs::TagResourceRequest,
) -> Result<ecs::TagResourceResponse, ApiError> {
    let target = Target::parse(call.scope(), input.resource_arn.as_deref())?;
    let given = input.tags.as_deref();
    let given = given.ok_or_else(|| invalid("Tags can not be null."))?;
    let new = given_tags(Fault::InvalidParameter, Some(given))?;
    call.check::<op::TagResource>(&input)?;
    let absent = Fault::ResourceNotFound;
    let target = target.ok_or_else(|| no_such_resource(absent))?;
    call.transact(move |tx| {
        let mut tags = target.tags(tx.state(), absent)?.clone();
        for (key, value) in new.iter() {
            tags.set(key.clone(), value.clone());
        }
        check_count(Fault::LimitExceeded, &tags)?;
        target.put(tx, tags)
    })
    .await?;
    Ok(ecs::TagResourceResponse {})
}

/// Takes tags off a resource; keys that it does not have are no error.
pub(crate) async fn untag_resource(
    call: Call,
    input: ecs::UntagResourceRequest,
) -> Result<ecs::UntagResourceResponse, ApiError> {
    let target = Target::parse(call.scope(), input.resource_arn.as_deref())?;
    let keys = input.tag_keys.clone();
    let keys = keys.ok_or_else(|| invalid("Tag keys can not be null."))?;
    for key in &keys {
        check_key(Fault::InvalidParameter, key)?;
    }
    call.check::<op::UntagResource>(&input)?;
    let absent = Fault::ResourceNotFound;
    let target = target.ok_or_else(|| no_such_resource(absent))?;
    call.transact(move |tx| {
        let mut tags = target.tags(tx.state(), absent)?.clone();
        for key in &keys {
            tags.remove(key);
        }
        target.put(tx, tags)
    })
    .await?;
    Ok(ecs::UntagResourceResponse {})
}

/// The tags of a resource.
pub(crate) async fn list_tags_for_resource(
    call: Call,
    input: ecs::ListTagsForResourceRequest,
) -> Result<ecs::ListTagsForResourceResponse, ApiError> {
    let target = Target::parse(call.scope(), input.resource_arn.as_deref())?;
    call.check::<op::ListTagsForResource>(&input)?;
    let absent = Fault::InvalidParameter;
    let target = target.ok_or_else(|| no_such_resource(absent))?;
    let state = call.snapshot();
    let named = input.resource_arn.unwrap_or_default();
    call.authorize::<op::ListTagsForResource>(&target.owned(&state), &named)?;
    Ok(ecs::ListTagsForResourceResponse {
        tags: Some(render_tags(target.tags(&state, absent)?)),
    })
}
