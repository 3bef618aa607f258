//! FilterLogEvents: the events of a group's streams, by time and pattern.

use berth_api::logs::{self, op};
use berth_model::log::LogGroupKey;
use berth_model::time::Timestamp;
use berth_state::State;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::events::{LogDirection, LogEntry, LogPlace, LogQuery, LogStreams};
use crate::logs::fault::invalid;
use crate::logs::get::page_size;
use crate::logs::groups::next_after;
use crate::logs::names::{check_stream, kept_since, known_group, named_group, stream_key};
use crate::logs::pattern::Pattern;

/// The most bytes of messages in a page.
const BYTES_MAX: usize = 1_048_576;

/// Events of a group's streams in the order of their times. What `aws logs tail` asks, over and
/// over, knowing again by `eventId` what it has shown.
pub(crate) async fn filter_log_events(
    call: Call,
    input: logs::FilterLogEventsRequest,
) -> Result<logs::FilterLogEventsResponse, ApiError> {
    call.check::<op::FilterLogEvents>(&input)?;
    let group = named_group(
        &call,
        input.log_group_name.as_deref(),
        input.log_group_identifier.as_deref(),
    )?;
    let pattern = Pattern::parse(input.filter_pattern.as_deref().unwrap_or_default())?;
    let state = call.snapshot();
    let record = known_group(&state, &group)?;
    let streams = streams(&state, &group, &input)?;
    let bound = format!(
        "FilterLogEvents {} {} {streams:?} {:?} {:?} {:?}",
        group.scope, group.name, input.filter_pattern, input.start_time, input.end_time
    );
    let after = next_after(&call, &bound, input.next_token.as_deref())?;
    let after = after.map(|text| text.parse::<LogPlace>()).transpose();
    let after = after.map_err(|()| invalid("The specified nextToken is invalid."))?;
    let kept = kept_since(record, (call.cx.wall)());
    let page = call
        .cx
        .logs
        .read(LogQuery {
            group,
            streams,
            start: input.start_time.map(Timestamp::from_millis).max(kept),
            // The end is inclusive here, unlike in GetLogEvents.
            end: input.end_time.map(|end| Timestamp::from_millis(end).next()),
            direction: LogDirection::Forward(after),
            events_max: page_size(input.limit),
            bytes_max: BYTES_MAX,
            matching: pattern.into_filter(),
        })
        .await?;
    let next = page.next.map(|place| place.to_string());
    Ok(logs::FilterLogEventsResponse {
        events: Some(page.events.into_iter().map(render).collect()),
        next_token: next.map(|position| call.cx.pages.make(&bound, &position)),
        searched_log_streams: Some(Vec::new()),
    })
}

fn streams(
    state: &State,
    group: &LogGroupKey,
    input: &logs::FilterLogEventsRequest,
) -> Result<LogStreams, ApiError> {
    match (&input.log_stream_names, &input.log_stream_name_prefix) {
        (Some(_), Some(_)) => Err(invalid(
            "LogStream names and LogStream name prefix are mutually exclusive parameters.",
        )),
        (Some(names), None) => {
            for name in names {
                check_stream(state, &stream_key(group.clone(), Some(name)))?;
            }
            Ok(LogStreams::Named(names.clone()))
        }
        (None, Some(prefix)) => Ok(LogStreams::Prefix(prefix.clone())),
        (None, None) => Ok(LogStreams::All),
    }
}

fn render(event: LogEntry) -> logs::FilteredLogEvent {
    logs::FilteredLogEvent {
        event_id: Some(event.place.to_string()),
        ingestion_time: Some(event.ingested_at.as_millis()),
        log_stream_name: Some(event.stream.to_string()),
        message: Some(event.message),
        timestamp: Some(event.place.timestamp.as_millis()),
    }
}
