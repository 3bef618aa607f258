//! Tags of log groups.

use std::collections::BTreeMap;

use berth_api::Empty;
use berth_api::logs::{self, Fault, op};
use berth_model::log::LogGroup;
use berth_model::tags::Tags;
use berth_model::text::Text;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::fault::{invalid, no_group};
use crate::logs::names::{known_group, parse_group_arn};

/// The most tags of one group.
const TAGS_MAX: usize = 50;

/// Refuses more tags than a group may have.
pub(super) fn check_tags(tags: &Tags) -> Result<(), ApiError> {
    if tags.len() <= TAGS_MAX {
        return Ok(());
    }
    Err(ApiError::client(
        Fault::TooManyTags,
        format!("A resource can have at most {TAGS_MAX} tags."),
    ))
}

/// Adds tags to a group, or gives those of the same keys new values.
pub(crate) async fn tag_resource(
    call: Call,
    input: logs::TagResourceRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::TagResource>(&input)?;
    let given = input.tags.unwrap_or_default();
    change(&call, input.resource_arn.as_deref(), move |tags| {
        for (key, value) in &given {
            tags.set(Text::new(key), Text::new(value));
        }
    })
    .await
}

/// Takes tags off a group; absent ones are no error.
pub(crate) async fn untag_resource(
    call: Call,
    input: logs::UntagResourceRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::UntagResource>(&input)?;
    let keys = input.tag_keys.unwrap_or_default();
    change(&call, input.resource_arn.as_deref(), move |tags| {
        for key in &keys {
            tags.remove(key);
        }
    })
    .await
}

/// A group's tags.
pub(crate) async fn list_tags_for_resource(
    call: Call,
    input: logs::ListTagsForResourceRequest,
) -> Result<logs::ListTagsForResourceResponse, ApiError> {
    call.check::<op::ListTagsForResource>(&input)?;
    let arn = input.resource_arn.unwrap_or_default();
    let key = parse_group_arn(call.scope(), &arn).ok_or_else(|| bad_arn(&arn))?;
    let state = call.snapshot();
    let group = known_group(&state, &key)?;
    let pair = |(key, value): (&Text, &Text)| (key.to_string(), value.to_string());
    let tags: BTreeMap<String, String> = group.tags.iter().map(pair).collect();
    Ok(logs::ListTagsForResourceResponse { tags: Some(tags) })
}

async fn change(
    call: &Call,
    arn: Option<&str>,
    change: impl Fn(&mut Tags) + Send + 'static,
) -> Result<Empty, ApiError> {
    let arn = arn.unwrap_or_default();
    let key = parse_group_arn(call.scope(), arn).ok_or_else(|| bad_arn(arn))?;
    call.transact(move |tx| {
        let group = tx.state().log_groups.get(&key).ok_or_else(no_group)?;
        let mut group = LogGroup::clone(group);
        change(&mut group.tags);
        check_tags(&group.tags)?;
        tx.put_log_group(group);
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

fn bad_arn(arn: &str) -> ApiError {
    invalid(format!("Invalid resource ARN: {arn}"))
}
