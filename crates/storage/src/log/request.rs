//! What is asked of the one task that writes a store's log events.

use std::sync::Arc;

use berth_model::log::LogGroupKey;
use berth_model::time::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::{LogError, LogEvent, NewLogEvent};

/// Requests that wait for the writing task; more wait at their callers.
const REQUESTS_MAX: usize = 1024;

/// Requests that are carried out and answered together.
pub(super) const ROUND_MAX: usize = 256;

/// The low bits of a sequence number count; the high bits are the time of arrival. So numbers
/// rise also after a group lost its newest events.
pub(super) const COUNTER_BITS: u32 = 20;

/// What one caller wants.
pub(super) struct Request {
    pub(super) group: LogGroupKey,
    pub(super) task: Task,
    pub(super) answer: Answer,
}

pub(super) type Answer = oneshot::Sender<Result<(), LogError>>;

pub(super) enum Task {
    Put {
        stream: Arc<str>,
        events: Vec<NewLogEvent>,
        ingested_at: Timestamp,
    },
    /// Events of another store, which keep their positions.
    Import {
        events: Vec<LogEvent>,
    },
    DeleteStream {
        stream: Arc<str>,
    },
    DeleteGroup,
    Expire {
        before: Timestamp,
    },
}

/// The way to the writing task. It ends when this is dropped.
#[derive(Clone, Debug)]
pub(super) struct Requests(mpsc::Sender<Request>);

impl Requests {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Request>) {
        let (sender, receiver) = mpsc::channel(REQUESTS_MAX);
        (Self(sender), receiver)
    }

    pub(super) async fn ask(&self, group: &LogGroupKey, task: Task) -> Result<(), LogError> {
        let ended = || LogError::Fatal("the task that writes log events has ended".into());
        let (answer, answered) = oneshot::channel();
        let request = Request {
            group: group.clone(),
            task,
            answer,
        };
        self.0.send(request).await.map_err(|_| ended())?;
        answered.await.map_err(|_| ended())?
    }
}

/// The sequence number of an event that arrives after `last`.
pub(super) fn next_sequence(last: u64, ingested_at: Timestamp) -> u64 {
    let arrived = ingested_at.as_millis().max(0).cast_unsigned() << COUNTER_BITS;
    (last + 1).max(arrived)
}

pub(super) fn respond(answer: Answer, result: Result<(), LogError>) {
    // A caller that went away does not need to know.
    let _ = answer.send(result);
}
