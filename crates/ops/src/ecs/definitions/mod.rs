//! Task definitions: revisions of a family (reference §2.3).
//!
//! Rules kept here:
//! - a revision never changes but for its status and tags, and its number is never used again;
//! - a request is checked in Amazon ECS's own words first and against the model after that, and
//!   only then is anything filled in;
//! - what is shown, and what placement reads, follow from one and the same filled-in definition.
//!
//! A deleted revision goes when nothing refers to it, which is the purge's business.

mod check;
mod container;
mod derive;
mod draft;
mod fargate;
mod list;

use std::sync::Arc;

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::{DefinitionName, is_arn};
use berth_model::definition::{DefinitionFacts, DefinitionStatus, FamilyCounter, TaskDefinition};
use berth_model::name::{DefinitionKey, Family, Scope};
use berth_model::tags::Tags;
use berth_model::text::Text;
use berth_state::{State, Tx};
use serde_json::value::RawValue;

use crate::call::Call;
use crate::ecs::fault::client;
use crate::ecs::names::{find_definition, own_arn};
use crate::ecs::tags::{given_tags, render_tags};
use crate::error::ApiError;
use crate::render::definition::definition as render;

pub(crate) use list::{list_task_definition_families, list_task_definitions};

/// The most bytes of a definition as JSON.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// The most revisions of a family.
const REVISIONS_MAX: u32 = 1_000_000;
/// The most definitions that one DeleteTaskDefinitions may name.
const DELETED_MAX: usize = 10;

/// What a registration leaves behind, but for its number and time.
#[derive(Clone)]
struct Registration {
    scope: Scope,
    family: Family,
    body: Arc<RawValue>,
    facts: Arc<DefinitionFacts>,
    by: Text,
    tags: Tags,
}

/// Registers the next revision of a family.
pub(crate) async fn register_task_definition(
    call: Call,
    input: ecs::RegisterTaskDefinitionRequest,
) -> Result<ecs::RegisterTaskDefinitionResponse, ApiError> {
    let family = check::family(input.family.as_deref())?;
    let tags = register_tags(input.tags.as_deref())?;
    let (mut definition, given) = draft::of_request(input.clone());
    check::check(&definition, call.scope())?;
    fargate::check(&definition)?;
    call.check::<op::RegisterTaskDefinition>(&input)?;
    check_length(&definition)?;
    draft::fill(&mut definition)?;
    definition.compatibilities = Some(derive::compatibilities(&definition));
    let attributes = derive::required_attributes(&definition);
    definition.requires_attributes = Some(attributes).filter(|list| !list.is_empty());
    let facts = Arc::new(derive::facts(&definition)?);
    let body = serde_json::value::to_raw_value(&definition).map_err(ApiError::internal)?;
    let registration = Registration {
        scope: call.scope().clone(),
        family,
        body: body.into(),
        facts,
        by: Text::new(&call.caller.arn),
        tags,
    };
    let registered = call.transact(move |tx| register(tx, &registration)).await?;
    Ok(ecs::RegisterTaskDefinitionResponse {
        tags: given.map(|_| render_tags(&registered.tags)),
        task_definition: Some(render(&call.cx, &registered)?),
    })
}

fn register_tags(given: Option<&[ecs::Tag]>) -> Result<Tags, ApiError> {
    if given.is_some_and(<[ecs::Tag]>::is_empty) {
        return Err(client("Tags can not be empty."));
    }
    given_tags(Fault::Client, given)
}

fn check_length(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    let bytes = serde_json::to_vec(definition)
        .map_err(ApiError::internal)?
        .len();
    if bytes > BODY_BYTES_MAX {
        return Err(client(format!(
            "Actual length: '{bytes}'. Max allowed length is '{BODY_BYTES_MAX}' bytes."
        )));
    }
    Ok(())
}

fn register(tx: &mut Tx<'_>, registration: &Registration) -> Result<TaskDefinition, ApiError> {
    let Registration {
        scope,
        family,
        body,
        facts,
        by,
        tags,
    } = registration.clone();
    let counter = tx.state().families.get(&(scope.clone(), family.clone()));
    let revision = counter.map_or(0, |counter| counter.last.revision) + 1;
    if revision > REVISIONS_MAX {
        return Err(client(format!(
            "The family {family} has the maximum of {REVISIONS_MAX} revisions."
        )));
    }
    let key = DefinitionKey {
        scope,
        family,
        revision,
    };
    let definition = TaskDefinition {
        key: key.clone(),
        status: DefinitionStatus::Active,
        body,
        facts,
        registered_at: tx.now(),
        registered_by: by,
        deregistered_at: None,
        delete_requested_at: None,
        tags,
    };
    tx.put_family(FamilyCounter { last: key });
    tx.put_definition(definition.clone());
    Ok(definition)
}

/// Describes a revision, whatever its status, or the newest ACTIVE one of a family.
pub(crate) async fn describe_task_definition(
    call: Call,
    input: ecs::DescribeTaskDefinitionRequest,
) -> Result<ecs::DescribeTaskDefinitionResponse, ApiError> {
    call.check::<op::DescribeTaskDefinition>(&input)?;
    let given = input.task_definition.as_deref().unwrap_or_default();
    let state = call.snapshot();
    let found = find_definition(&state, call.scope(), given)?;
    let found = found.ok_or_else(|| client("Unable to describe task definition."))?;
    let mut include = input.include.iter().flatten();
    let tags = if include.any(|part| *part == ecs::TaskDefinitionField::Tags) {
        render_tags(&found.tags)
    } else {
        Vec::new()
    };
    Ok(ecs::DescribeTaskDefinitionResponse {
        tags: Some(tags),
        task_definition: Some(render(&call.cx, found)?),
    })
}

/// Takes a revision out of use; doing so again is no error.
pub(crate) async fn deregister_task_definition(
    call: Call,
    input: ecs::DeregisterTaskDefinitionRequest,
) -> Result<ecs::DeregisterTaskDefinitionResponse, ApiError> {
    call.check::<op::DeregisterTaskDefinition>(&input)?;
    let given = input.task_definition.as_deref().unwrap_or_default();
    let key = named_revision(call.scope(), given)?;
    let deregistered = call.transact(move |tx| deregister(tx, &key)).await?;
    let mut shown = render(&call.cx, &deregistered)?;
    // The answer to the first call does not have the time yet; later descriptions do.
    shown.deregistered_at = None;
    Ok(ecs::DeregisterTaskDefinitionResponse {
        task_definition: Some(shown),
    })
}

/// The revision that a deregistration names.
fn named_revision(scope: &Scope, given: &str) -> Result<DefinitionKey, ApiError> {
    let unable = || client("Unable to deregister task definition.");
    let name = if is_arn(given) {
        own_arn(scope, given, &["task-definition"])?.rest
    } else {
        given
    };
    let (family, revision) = name
        .split_once(':')
        .ok_or_else(|| client("Revision is missing"))?;
    let number = revision.parse().ok().filter(|number| *number > 0);
    let number =
        number.ok_or_else(|| client(format!("Invalid revision number. Number: {revision}")))?;
    Ok(DefinitionKey {
        scope: scope.clone(),
        family: family.parse().map_err(|_| unable())?,
        revision: number,
    })
}

fn deregister(tx: &mut Tx<'_>, key: &DefinitionKey) -> Result<Arc<TaskDefinition>, ApiError> {
    let unable = || client("Unable to deregister task definition.");
    let definition = tx.state().definitions.get(key).ok_or_else(unable)?.clone();
    match definition.status {
        DefinitionStatus::Active => {}
        DefinitionStatus::Inactive => return Ok(definition),
        DefinitionStatus::DeleteInProgress => {
            return Err(client(
                "The task definition could not be deregistered because it is in the process of \
                 being deleted.",
            ));
        }
    }
    let changed = TaskDefinition {
        status: DefinitionStatus::Inactive,
        deregistered_at: Some(tx.now()),
        ..TaskDefinition::clone(&definition)
    };
    tx.put_definition(changed.clone());
    Ok(Arc::new(changed))
}

/// Marks deregistered revisions for deletion.
pub(crate) async fn delete_task_definitions(
    call: Call,
    input: ecs::DeleteTaskDefinitionsRequest,
) -> Result<ecs::DeleteTaskDefinitionsResponse, ApiError> {
    let named = input.task_definitions.clone().unwrap_or_default();
    if named.is_empty() {
        return Err(client(
            "size of TaskDefinition references list must be greater than 0",
        ));
    }
    if named.len() > DELETED_MAX {
        return Err(client(format!(
            "Size of TaskDefinition references list cannot exceed {DELETED_MAX}"
        )));
    }
    call.check::<op::DeleteTaskDefinitions>(&input)?;
    let scope = call.scope().clone();
    let (deleted, failures) = call
        .transact(move |tx| {
            let mut deleted = Vec::new();
            let mut failures = Vec::new();
            for given in &named {
                match delete(tx, &scope, given) {
                    Ok(definition) => deleted.push(definition),
                    Err(reason) => failures.push(ecs::Failure {
                        arn: Some(given.clone()),
                        detail: None,
                        reason: Some(reason.to_owned()),
                    }),
                }
            }
            Ok((deleted, failures))
        })
        .await?;
    let shown = deleted.iter().map(|definition| {
        let mut shown = render(&call.cx, definition)?;
        // As with deregistration, the time of the deletion comes with later descriptions.
        shown.delete_requested_at = None;
        Ok(shown)
    });
    Ok(ecs::DeleteTaskDefinitionsResponse {
        failures: Some(failures),
        task_definitions: Some(shown.collect::<Result<_, ApiError>>()?),
    })
}

/// Marks one revision, or says why not.
fn delete(
    tx: &mut Tx<'_>,
    scope: &Scope,
    given: &str,
) -> Result<Arc<TaskDefinition>, &'static str> {
    let definition = deletable(tx.state(), scope, given)?.clone();
    let changed = Arc::new(TaskDefinition {
        status: DefinitionStatus::DeleteInProgress,
        delete_requested_at: definition.delete_requested_at.or(Some(tx.now())),
        ..TaskDefinition::clone(&definition)
    });
    tx.put_definition(TaskDefinition::clone(&changed));
    Ok(changed)
}

fn deletable<'a>(
    state: &'a State,
    scope: &Scope,
    given: &str,
) -> Result<&'a Arc<TaskDefinition>, &'static str> {
    const INVALID: &str = "The specified task definition identifier is invalid. Specify a valid \
                           name or ARN and try again.";
    const ABSENT: &str = "The specified task definition does not exist. Specify a valid account, \
                          family, revision and try again.";
    const IN_USE: &str = "The specified task definition is still in ACTIVE status. Please \
                          deregister the target and try again.";
    let name = DefinitionName::parse(given).ok_or(INVALID)?;
    let revision = name.revision.ok_or(INVALID)?;
    if name.scope.is_some_and(|named| named != *scope) {
        return Err(ABSENT);
    }
    let key = DefinitionKey {
        scope: scope.clone(),
        family: name.family,
        revision,
    };
    let definition = state.definitions.get(&key).ok_or(ABSENT)?;
    match definition.status {
        DefinitionStatus::Active => Err(IN_USE),
        DefinitionStatus::Inactive | DefinitionStatus::DeleteInProgress => Ok(definition),
    }
}
