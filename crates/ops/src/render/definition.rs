//! Task definitions as the API shows them (reference §2.3).

use berth_api::ecs;
use berth_model::definition::TaskDefinition;
use berth_wire::EpochSeconds;

use crate::context::Context;
use crate::error::ApiError;

/// A task definition: its body with ARN, revision, status and times.
///
/// # Errors
/// A server fault when the saved body does not read.
pub(crate) fn definition(
    cx: &Context,
    definition: &TaskDefinition,
) -> Result<ecs::TaskDefinition, ApiError> {
    let TaskDefinition {
        key,
        status,
        body: _,
        facts: _,
        registered_at,
        registered_by,
        deregistered_at,
        delete_requested_at,
        tags: _,
    } = definition;
    let seconds = |at: &berth_model::time::Timestamp| EpochSeconds::from_millis(at.as_millis());
    let body = cx.definitions.body(definition)?;
    Ok(ecs::TaskDefinition {
        delete_requested_at: delete_requested_at.as_ref().map(seconds),
        deregistered_at: deregistered_at.as_ref().map(seconds),
        registered_at: Some(seconds(registered_at)),
        registered_by: Some(registered_by.to_string()),
        revision: Some(i32::try_from(key.revision).unwrap_or(i32::MAX)),
        status: Some(ecs::TaskDefinitionStatus::from(status.as_str())),
        task_definition_arn: Some(key.arn()),
        ..ecs::TaskDefinition::clone(&body)
    })
}
