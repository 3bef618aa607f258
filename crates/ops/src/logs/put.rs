//! PutLogEvents.

use berth_api::logs::{self, op};
use berth_model::time::Timestamp;

use crate::call::Call;
use crate::error::ApiError;
use crate::logs::events::NewLogEntry;
use crate::logs::fault::invalid;
use crate::logs::names::{check_stream, group_key, kept_since, known_group, stream_key};
use crate::logs::streams::SEQUENCE_TOKEN;

/// The most bytes of a batch: the messages in UTF-8 with an overhead for each.
const BATCH_BYTES_MAX: usize = 1_048_576;
/// What each event of a batch counts beside its message.
const EVENT_OVERHEAD_BYTES: usize = 26;
/// The longest time from the first event of a batch to the last, in milliseconds.
const SPAN_MAX_MILLIS: i64 = 24 * 60 * 60 * 1000;
/// Events from further in the past are too old, in milliseconds: 14 days.
const PAST_MAX_MILLIS: i64 = 14 * 24 * 60 * 60 * 1000;
/// Events from further in the future are too new, in milliseconds: 2 hours.
const FUTURE_MAX_MILLIS: i64 = 2 * 60 * 60 * 1000;

/// Takes a batch of events in the order of their times; those too old or too new are left out
/// and told.
pub(crate) async fn put_log_events(
    call: Call,
    input: logs::PutLogEventsRequest,
) -> Result<logs::PutLogEventsResponse, ApiError> {
    call.check::<op::PutLogEvents>(&input)?;
    call.authorize_log_group::<op::PutLogEvents>(input.log_group_name.as_deref())?;
    let group = group_key(call.scope(), input.log_group_name.as_deref());
    let stream = stream_key(group, input.log_stream_name.as_deref());
    let events = input.log_events.unwrap_or_default();
    check_batch(&events)?;
    let state = call.snapshot();
    check_stream(&state, &stream)?;
    let now = (call.cx.wall)();
    let kept = kept_since(known_group(&state, &stream.group)?, now);
    let accepted = Accepted::of(&events, now, kept);
    let taken: Vec<NewLogEntry> = events
        .into_iter()
        .skip(accepted.first)
        .take(accepted.end.saturating_sub(accepted.first))
        .map(|event| NewLogEntry {
            timestamp: Timestamp::from_millis(event.timestamp.unwrap_or_default()),
            message: event.message.unwrap_or_default(),
        })
        .collect();
    if !taken.is_empty() {
        call.cx.logs.put(stream, taken, now).await?;
    }
    Ok(logs::PutLogEventsResponse {
        next_sequence_token: Some(SEQUENCE_TOKEN.into()),
        rejected_log_events_info: accepted.rejected,
        ..logs::PutLogEventsResponse::default()
    })
}

/// Which part of a batch is taken, in the order of times.
struct Accepted {
    first: usize,
    end: usize,
    rejected: Option<logs::RejectedLogEventsInfo>,
}

impl Accepted {
    fn of(
        events: &[logs::InputLogEvent],
        now: Timestamp,
        kept_since: Option<Timestamp>,
    ) -> Accepted {
        let now = now.as_millis();
        let before = |millis: i64| events.partition_point(|event| time_of(event) < millis);
        let too_old = before(now - PAST_MAX_MILLIS);
        let expired = kept_since.map_or(0, |since| before(since.as_millis()));
        let end = before(now + FUTURE_MAX_MILLIS + 1);
        let index = |at: usize| i32::try_from(at).unwrap_or(i32::MAX);
        let rejected = logs::RejectedLogEventsInfo {
            expired_log_event_end_index: (expired > 0).then(|| index(expired)),
            too_new_log_event_start_index: (end < events.len()).then(|| index(end)),
            too_old_log_event_end_index: (too_old > 0).then(|| index(too_old)),
        };
        let any = rejected != logs::RejectedLogEventsInfo::default();
        Accepted {
            first: too_old.max(expired),
            end,
            rejected: any.then_some(rejected),
        }
    }
}

fn time_of(event: &logs::InputLogEvent) -> i64 {
    event.timestamp.unwrap_or_default()
}

fn check_batch(events: &[logs::InputLogEvent]) -> Result<(), ApiError> {
    let sizes = events.iter().map(|event| {
        let message = event.message.as_deref().unwrap_or_default();
        message.len() + EVENT_OVERHEAD_BYTES
    });
    let bytes: usize = sizes.sum();
    if bytes > BATCH_BYTES_MAX {
        return Err(invalid(format!(
            "Upload too large: {bytes} bytes exceeds limit of {BATCH_BYTES_MAX}"
        )));
    }
    if !events.is_sorted_by_key(time_of) {
        return Err(invalid(
            "Log events in a single PutLogEvents request must be in chronological order.",
        ));
    }
    let (first, last) = (events.first().map(time_of), events.last().map(time_of));
    let span = last
        .unwrap_or_default()
        .saturating_sub(first.unwrap_or_default());
    if span > SPAN_MAX_MILLIS {
        return Err(invalid(
            "The batch of log events in a single PutLogEvents request cannot span more than 24 \
             hours.",
        ));
    }
    Ok(())
}
