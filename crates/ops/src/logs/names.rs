//! How requests name groups and streams, and the ARNs of both.

use std::sync::Arc;

use berth_model::log::{LogGroup, LogGroupKey, LogStreamKey};
use berth_model::name::Scope;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::State;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::fault::{invalid, no_group, no_stream};

/// Milliseconds of a day, in which retention is counted.
const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

/// The group of this name in the caller's account and region.
pub(super) fn group_key(scope: &Scope, name: Option<&str>) -> LogGroupKey {
    LogGroupKey {
        scope: scope.clone(),
        name: Text::new(name.unwrap_or_default()),
    }
}

/// The stream of this name in a group.
pub(super) fn stream_key(group: LogGroupKey, name: Option<&str>) -> LogStreamKey {
    LogStreamKey {
        group,
        name: Text::new(name.unwrap_or_default()),
    }
}

/// The group that a request names by name, or by identifier: a name or an ARN.
///
/// # Errors
/// InvalidParameterException when it names none, two, or one from elsewhere.
pub(super) fn named_group(
    call: &Call,
    name: Option<&str>,
    identifier: Option<&str>,
) -> Result<LogGroupKey, ApiError> {
    match (name, identifier) {
        (Some(name), None) => Ok(group_key(call.scope(), Some(name))),
        (None, Some(arn)) if arn.starts_with("arn:") => parse_group_arn(call.scope(), arn)
            .ok_or_else(|| invalid(format!("Invalid log group identifier: {arn}"))),
        (None, Some(name)) => Ok(group_key(call.scope(), Some(name))),
        (None, None) => Err(invalid(
            "Either logGroupName or logGroupIdentifier must be specified.",
        )),
        (Some(_), Some(_)) => Err(invalid(
            "LogGroup name and LogGroup identifier are mutually exclusive parameters.",
        )),
    }
}

/// The group of `arn:aws:logs:<region>:<account>:log-group:<name>`, with or without `:*`.
pub(super) fn parse_group_arn(scope: &Scope, arn: &str) -> Option<LogGroupKey> {
    let mut parts = arn.splitn(7, ':');
    let (prefix, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, kind) = (parts.next()?, parts.next()?, parts.next()?);
    let name = parts.next()?;
    let name = name.strip_suffix(":*").unwrap_or(name);
    let own = prefix == "arn"
        && service == "logs"
        && kind == "log-group"
        && region == scope.region.as_str()
        && account == scope.account.to_string();
    (own && !name.is_empty() && !name.contains(':')).then(|| group_key(scope, Some(name)))
}

/// `arn:aws:logs:<region>:<account>:log-group:<name>`.
pub(super) fn group_arn(key: &LogGroupKey) -> String {
    format!(
        "arn:aws:logs:{}:{}:log-group:{}",
        key.scope.region, key.scope.account, key.name
    )
}

/// The group's record.
///
/// # Errors
/// ResourceNotFoundException when there is none.
pub(super) fn known_group<'a>(
    state: &'a State,
    key: &LogGroupKey,
) -> Result<&'a Arc<LogGroup>, ApiError> {
    state.log_groups.get(key).ok_or_else(no_group)
}

/// Whether the stream is there; its group is.
///
/// # Errors
/// ResourceNotFoundException when group or stream is not there.
pub(super) fn check_stream(state: &State, key: &LogStreamKey) -> Result<(), ApiError> {
    known_group(state, &key.group)?;
    match state.log_streams.get(key) {
        Some(_) => Ok(()),
        None => Err(no_stream()),
    }
}

/// From when on the group's events are kept; `None` for ever.
pub(super) fn kept_since(group: &LogGroup, now: Timestamp) -> Option<Timestamp> {
    let days = i64::from(group.retention_days?);
    let since = now.as_millis().saturating_sub(days * DAY_MILLIS);
    Some(Timestamp::from_millis(since))
}
