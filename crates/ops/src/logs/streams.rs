//! CreateLogStream, DeleteLogStream and DescribeLogStreams.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use berth_api::Empty;
use berth_api::logs::{self, Fault, op};
use berth_model::log::{LogGroupKey, LogStream, LogStreamKey};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::State;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::events::LogStats;
use crate::logs::fault::invalid;
use crate::logs::groups::next_after;
use crate::logs::names::{
    check_stream, group_arn, group_key, known_group, named_group, stream_key,
};

/// How many streams a page has, at most and when the request does not say.
const PAGE_MAX: usize = 50;
/// What every stream shows where a sequence token once stood: Amazon ignores it, and older
/// clients want one.
pub(super) const SEQUENCE_TOKEN: &str = "49500000000000000000000000000000000000000000000000000000";

/// Makes a stream.
pub(crate) async fn create_log_stream(
    call: Call,
    input: logs::CreateLogStreamRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::CreateLogStream>(&input)?;
    call.authorize_log_group::<op::CreateLogStream>(input.log_group_name.as_deref())?;
    let group = group_key(call.scope(), input.log_group_name.as_deref());
    let key = stream_key(group, input.log_stream_name.as_deref());
    call.transact(move |tx| {
        known_group(tx.state(), &key.group)?;
        if tx.state().log_streams.get(&key).is_some() {
            return Err(ApiError::client(
                Fault::ResourceAlreadyExists,
                "The specified log stream already exists",
            ));
        }
        let created_at = tx.now();
        tx.put_log_stream(LogStream {
            key: key.clone(),
            created_at,
        });
        Ok(())
    })
    .await?;
    Ok(Empty {})
}

/// Removes a stream with its events.
pub(crate) async fn delete_log_stream(
    call: Call,
    input: logs::DeleteLogStreamRequest,
) -> Result<Empty, ApiError> {
    call.check::<op::DeleteLogStream>(&input)?;
    let group = group_key(call.scope(), input.log_group_name.as_deref());
    let key = stream_key(group, input.log_stream_name.as_deref());
    let removed = key.clone();
    call.transact(move |tx| {
        check_stream(tx.state(), &removed)?;
        tx.remove_log_stream(&removed);
        Ok::<_, ApiError>(())
    })
    .await?;
    call.cx.logs.delete_stream(key).await?;
    Ok(Empty {})
}

/// The streams of a group from the one called `first` on, in the order of names.
pub(super) fn streams_of<'a>(
    state: &'a State,
    group: &LogGroupKey,
    first: Option<&str>,
) -> impl Iterator<Item = &'a Arc<LogStream>> {
    let group = group.clone();
    let first = LogStreamKey {
        group: group.clone(),
        name: Text::new(first.unwrap_or_default()),
    };
    state
        .log_streams
        .range(first..)
        .map(|(_, stream)| stream)
        .take_while(move |stream| stream.key.group == group)
}

/// A stream with what is known of its events.
type Described<'a> = (&'a LogStream, Option<LogStats>);

/// Streams of a group, by name or by their last event.
pub(crate) async fn describe_log_streams(
    call: Call,
    input: logs::DescribeLogStreamsRequest,
) -> Result<logs::DescribeLogStreamsResponse, ApiError> {
    call.check::<op::DescribeLogStreams>(&input)?;
    let group = named_group(
        &call,
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    let prefix = input.log_stream_name_prefix.as_deref();
    let by_time = input.order_by == Some(logs::OrderBy::LastEventTime);
    if by_time && prefix.is_some() {
        return Err(invalid(
            "Cannot order by LastEventTime with a logStreamNamePrefix.",
        ));
    }
    let descending = input.descending.unwrap_or(false);
    let limit = input.limit.and_then(|limit| usize::try_from(limit).ok());
    let limit = limit.unwrap_or(PAGE_MAX).clamp(1, PAGE_MAX);
    let (scope, name) = (&group.scope, &group.name);
    let bound = format!("DescribeLogStreams {scope} {name} {prefix:?} {by_time} {descending}");
    let after = next_after(&call, &bound, input.next_token.as_deref())?;
    let after = after.as_deref().map(parse_position).transpose()?;
    let state = call.snapshot();
    known_group(&state, &group)?;
    let stats = call.cx.logs.stats(group.clone()).await?;
    let stats: HashMap<Arc<str>, LogStats> = stats.into_iter().collect();
    let order = |a: &(Timestamp, &str), b: &(Timestamp, &str)| -> Ordering {
        let ascending = a.cmp(b);
        if descending {
            ascending.reverse()
        } else {
            ascending
        }
    };
    let place = |(stream, stats): &Described<'_>| {
        let at = stats.map(|stats| stats.last_event_at).filter(|_| by_time);
        (at.unwrap_or_default(), stream.key.name.to_string())
    };
    let mut found: Vec<Described<'_>> = streams_of(&state, &group, prefix)
        .take_while(|stream| prefix.is_none_or(|prefix| stream.key.name.starts_with(prefix)))
        .map(|stream| (&**stream, stats.get(stream.key.name.as_str()).copied()))
        .filter(|described| {
            let (at, name) = place(described);
            after.as_ref().is_none_or(|(last, last_name)| {
                order(&(at, name.as_str()), &(*last, last_name.as_str())) == Ordering::Greater
            })
        })
        .collect();
    found.sort_by(|a, b| {
        let (a, b) = (place(a), place(b));
        order(&(a.0, a.1.as_str()), &(b.0, b.1.as_str()))
    });
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| more).map(place);
    let next_token = last.map(|(at, name)| {
        let position = format!("{} {name}", at.as_millis());
        call.cx.pages.make(&bound, &position)
    });
    Ok(logs::DescribeLogStreamsResponse {
        log_streams: Some(found.iter().map(render).collect()),
        next_token,
    })
}

fn parse_position(raw: &str) -> Result<(Timestamp, String), ApiError> {
    let bad = || invalid("The specified nextToken is invalid.");
    let (at, name) = raw.split_once(' ').ok_or_else(bad)?;
    let at = at.parse().map_err(|_| bad())?;
    Ok((Timestamp::from_millis(at), name.to_owned()))
}

fn render((stream, stats): &Described<'_>) -> logs::LogStream {
    logs::LogStream {
        arn: Some(format!(
            "{}:log-stream:{}",
            group_arn(&stream.key.group),
            stream.key.name
        )),
        creation_time: Some(stream.created_at.as_millis()),
        first_event_timestamp: stats.map(|stats| stats.first_event_at.as_millis()),
        last_event_timestamp: stats.map(|stats| stats.last_event_at.as_millis()),
        last_ingestion_time: stats.map(|stats| stats.last_ingested_at.as_millis()),
        log_stream_name: Some(stream.key.name.to_string()),
        stored_bytes: Some(0),
        upload_sequence_token: Some(SEQUENCE_TOKEN.into()),
    }
}
