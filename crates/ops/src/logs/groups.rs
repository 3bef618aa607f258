//! CreateLogGroup, DeleteLogGroup and DescribeLogGroups.

use berth_api::Empty;
use berth_api::logs::{self, Fault, op};
use berth_model::log::{LogGroup, LogGroupKey, LogStreamKey};
use berth_model::tags::Tags;
use berth_model::text::Text;
use berth_state::Tx;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::fault::invalid;
use crate::logs::names::{group_arn, group_key, known_group, parse_group_arn};
use crate::logs::streams::streams_of;
use crate::logs::tags::check_tags;

/// How many groups a page has, at most and when the request does not say.
const PAGE_MAX: usize = 50;

/// Makes a group.
pub(crate) async fn create_log_group(
    call: Call,
    input: logs::CreateLogGroupRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::CreateLogGroup>(&input)?;
    check_unserved(&input)?;
    let key = group_key(call.scope(), input.log_group_name.as_deref());
    let tags = Tags::from_pairs(input.tags.unwrap_or_default());
    check_tags(&tags)?;
    call.transact(move |tx| {
        if tx.state().log_groups.get(&key).is_some() {
            return Err(ApiError::client(
                Fault::ResourceAlreadyExists,
                "The specified log group already exists",
            ));
        }
        let created_at = tx.now();
        tx.put_log_group(LogGroup {
            key: key.clone(),
            created_at,
            retention_days: None,
            tags: tags.clone(),
        });
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// Refuses what would be promised and not kept: a group that cannot be deleted, and classes but the
/// usual one.
fn check_unserved(input: &logs::CreateLogGroupRequest) -> Result<(), ApiError> {
    if input.deletion_protection_enabled == Some(true) {
        return Err(invalid(
            "Deletion protection is not supported in this Region.",
        ));
    }
    match &input.log_group_class {
        None | Some(logs::LogGroupClass::Standard) => Ok(()),
        Some(other) => Err(invalid(format!(
            "The log group class {other} is not supported in this Region."
        ))),
    }
}

/// Removes a group with its streams and events.
pub(crate) async fn delete_log_group(
    call: Call,
    input: logs::DeleteLogGroupRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::DeleteLogGroup>(&input)?;
    let key = group_key(call.scope(), input.log_group_name.as_deref());
    let removed = key.clone();
    call.transact(move |tx| remove_group(tx, &removed)).await?;
    call.cx.logs.delete_group(key).await?;
    Ok(Empty {})
}

fn remove_group(tx: &mut Tx<'_>, key: &LogGroupKey) -> Result<(), ApiError> {
    known_group(tx.state(), key)?;
    let streams: Vec<LogStreamKey> = streams_of(tx.state(), key, None)
        .map(|stream| stream.key.clone())
        .collect();
    for stream in streams {
        tx.remove_log_stream(&stream);
    }
    tx.remove_log_group(key);
    Ok(())
}

/// Groups in the order of their names.
pub(crate) async fn describe_log_groups(
    call: Call,
    input: logs::DescribeLogGroupsRequest,
) -> Result<logs::DescribeLogGroupsResponse, ApiError> {
    call.check::<op::DescribeLogGroups>(&input)?;
    let prefix = input.log_group_name_prefix.as_deref();
    let pattern = input.log_group_name_pattern.as_deref();
    if prefix.is_some() && pattern.is_some() {
        return Err(invalid(
            "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.",
        ));
    }
    let identifiers = input.log_group_identifiers.as_deref();
    let names = identifiers
        .map(|all| wanted_names(&call, all))
        .transpose()?;
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let bound = format!(
        "DescribeLogGroups {} {prefix:?} {pattern:?} {names:?}",
        call.scope()
    );
    let after = next_after(&call, &bound, input.next_token.as_deref())?;
    let state = call.snapshot();
    let first = group_key(call.scope(), after.as_deref().or(prefix));
    let lower = pattern.map(str::to_lowercase);
    let mut found: Vec<&LogGroup> = state
        .log_groups
        .range(first..)
        .map(|(_, group)| &**group)
        .take_while(|group| group.key.scope == *call.scope())
        .filter(|group| {
            after
                .as_deref()
                .is_none_or(|after| &*group.key.name > after)
        })
        .filter(|group| prefix.is_none_or(|prefix| group.key.name.starts_with(prefix)))
        .filter(|group| {
            let lower = lower.as_ref();
            lower.is_none_or(|lower| group.key.name.to_lowercase().contains(lower.as_str()))
        })
        .filter(|group| {
            names
                .as_ref()
                .is_none_or(|all| all.contains(&group.key.name))
        })
        .take(limit + 1)
        .collect();
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more);
    let next_token = last.map(|last| call.cx.pages.make(&bound, &last.key.name));
    let mut shown = Vec::with_capacity(found.len());
    for group in found {
        shown.push(render(&call, group).await?);
    }
    Ok(logs::DescribeLogGroupsResponse {
        log_groups: Some(shown),
        next_token,
    })
}

fn wanted_names(call: &Call, identifiers: &[String]) -> Result<Vec<Text>, ApiError> {
    let name = |given: &String| {
        if !given.starts_with("arn:") {
            return Ok(Text::new(given));
        }
        let key = parse_group_arn(call.scope(), given);
        key.map(|key| key.name)
            .ok_or_else(|| invalid(format!("Invalid log group identifier: {given}")))
    };
    identifiers.iter().map(name).collect()
}

async fn render(call: &Call, group: &LogGroup) -> Result<logs::LogGroup, ApiError> {
    let arn = group_arn(&group.key);
    let stats = call.cx.logs.stats(group.key.clone()).await?;
    let bytes: u64 = stats.iter().map(|(_, stats)| stats.stored_bytes).sum();
    Ok(logs::LogGroup {
        arn: Some(format!("{arn}:*")),
        creation_time: Some(group.created_at.as_millis()),
        log_group_arn: Some(arn),
        log_group_class: Some(logs::LogGroupClass::Standard),
        log_group_name: Some(group.key.name.to_string()),
        metric_filter_count: Some(0),
        retention_in_days: group
            .retention_days
            .map(|days| i32::try_from(days).unwrap_or(i32::MAX)),
        stored_bytes: Some(i64::try_from(bytes).unwrap_or(i64::MAX)),
        ..logs::LogGroup::default()
    })
}

/// The name that a page begins after.
///
/// # Errors
/// InvalidParameterException for a token that was made for another list or not by us.
pub(super) fn next_after(
    call: &Call,
    bound: &str,
    token: Option<&str>,
) -> Result<Option<String>, ApiError> {
    let read = |token| {
        let position = call.cx.pages.read(bound, token);
        position.ok_or_else(|| invalid("The specified nextToken is invalid."))
    };
    token.map(read).transpose()
}
