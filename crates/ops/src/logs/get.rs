//! GetLogEvents: one stream, page by page in both directions.

use berth_api::logs::{self, op};
use berth_model::time::Timestamp;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::events::{LogDirection, LogEntry, LogPage, LogPlace, LogQuery, LogStreams};
use crate::logs::fault::invalid;
use crate::logs::names::{check_stream, kept_since, known_group, named_group, stream_key};

/// The most events of a page, and how many it has when the request does not say.
const EVENTS_MAX: usize = 10_000;
/// The most bytes of messages in a page.
const BYTES_MAX: usize = 1_048_576;
/// Where everything comes after.
const BEGINNING: LogPlace = LogPlace {
    timestamp: Timestamp::from_millis(0),
    sequence: 0,
};

/// Events of a stream in the order of their times.
///
/// The token of a direction in which nothing more is there is the one that was given, by which
/// clients know that they are at the end; with it they find what comes later.
pub(crate) async fn get_log_events(
    call: Call,
    input: logs::GetLogEventsRequest,
) -> Result<logs::GetLogEventsResponse, ApiError> {
    call.check::<op::GetLogEvents>(&input)?;
    let group = named_group(
        &call,
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    call.authorize_log_group::<op::GetLogEvents>(Some(&group.name))?;
    let stream = stream_key(group.clone(), input.log_stream_name.as_deref());
    let state = call.snapshot();
    check_stream(&state, &stream)?;
    let direction = match input.next_token.as_deref() {
        Some(token) => read_token(token)?,
        None if input.start_from_head.unwrap_or(false) => LogDirection::Forward(None),
        None => LogDirection::Backward(None),
    };
    let kept = kept_since(known_group(&state, &group)?, (call.cx.wall)());
    let page = call
        .cx
        .logs
        .read(LogQuery {
            group,
            streams: LogStreams::Named(vec![stream.name.to_string()]),
            start: input.start_time.map(Timestamp::from_millis).max(kept),
            end: input.end_time.map(Timestamp::from_millis),
            direction,
            events_max: page_size(input.limit),
            bytes_max: BYTES_MAX,
            matching: None,
        })
        .await?;
    let (forward, backward) = tokens(direction, &page);
    Ok(logs::GetLogEventsResponse {
        events: Some(page.events.into_iter().map(render).collect()),
        next_backward_token: Some(format!("b/{backward}/s")),
        next_forward_token: Some(format!("f/{forward}/s")),
    })
}

/// How many events a page has.
pub(super) fn page_size(limit: Option<i32>) -> usize {
    let limit = limit.and_then(|limit| usize::try_from(limit).ok());
    limit.unwrap_or(EVENTS_MAX).clamp(1, EVENTS_MAX)
}

fn read_token(token: &str) -> Result<LogDirection, ApiError> {
    let bad = || invalid("The specified nextToken is invalid.");
    let (way, rest) = token.split_once('/').ok_or_else(bad)?;
    let place = rest.strip_suffix("/s").ok_or_else(bad)?;
    let place: LogPlace = place.parse().map_err(|()| bad())?;
    match way {
        "f" => Ok(LogDirection::Forward(Some(place))),
        "b" => Ok(LogDirection::Backward(Some(place))),
        _ => Err(bad()),
    }
}

/// Where to go on after the page, and before it.
fn tokens(direction: LogDirection, page: &LogPage) -> (LogPlace, LogPlace) {
    let first = page.events.first().map(|event| event.place);
    let last = page.events.last().map(|event| event.place);
    match direction {
        LogDirection::Forward(after) => {
            let given = after.unwrap_or(BEGINNING);
            let forward = last.or(page.next).unwrap_or(given);
            (forward, first.unwrap_or_else(|| beyond(given)))
        }
        LogDirection::Backward(before) => {
            let backward = first.or(page.next).or(before).unwrap_or(BEGINNING);
            // Forward from here lies what was read before, or what is yet to come.
            let forward = last.or(before.map(just_before)).unwrap_or(BEGINNING);
            (forward, backward)
        }
    }
}

/// The least place that is not before `place` and not it.
fn beyond(place: LogPlace) -> LogPlace {
    match place.sequence.checked_add(1) {
        Some(sequence) => LogPlace { sequence, ..place },
        None => LogPlace {
            timestamp: place.timestamp.next(),
            sequence: 0,
        },
    }
}

/// The greatest place before `place`.
fn just_before(place: LogPlace) -> LogPlace {
    match place.sequence.checked_sub(1) {
        Some(sequence) => LogPlace { sequence, ..place },
        None => LogPlace {
            timestamp: Timestamp::from_millis(place.timestamp.as_millis().saturating_sub(1)),
            sequence: u64::MAX,
        },
    }
}

fn render(event: LogEntry) -> logs::OutputLogEvent {
    logs::OutputLogEvent {
        ingestion_time: Some(event.ingested_at.as_millis()),
        message: Some(event.message),
        timestamp: Some(event.place.timestamp.as_millis()),
    }
}
