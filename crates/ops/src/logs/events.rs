//! Where log events are kept, as operations see it. The server stands a store behind it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;
use futures_util::future::BoxFuture;

/// An event as it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogEntry {
    /// When it happened, by its sender's clock; not before 1970.
    pub timestamp: Timestamp,
    /// The line.
    pub message: String,
}

/// Where an event stands in its group, and what tells it from all others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LogPlace {
    /// The event's own time.
    pub timestamp: Timestamp,
    /// Rises with every event that came in.
    pub sequence: u64,
}

/// Digits of the time in a place's text. Together with the sequence's they make the 56 that the
/// ids of Amazon's events have.
const TIME_DIGITS: usize = 36;
/// Digits of the sequence in a place's text.
const SEQUENCE_DIGITS: usize = 20;

impl fmt::Display for LogPlace {
    /// Digits, whose order as text is that of places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.timestamp.as_millis().max(0);
        write!(
            f,
            "{millis:0TIME_DIGITS$}{:0SEQUENCE_DIGITS$}",
            self.sequence
        )
    }
}

impl FromStr for LogPlace {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if !digits || text.len() != TIME_DIGITS + SEQUENCE_DIGITS {
            return Err(());
        }
        let (millis, sequence) = text.split_at(TIME_DIGITS);
        Ok(Self {
            timestamp: Timestamp::from_millis(millis.parse().map_err(|_| ())?),
            sequence: sequence.parse().map_err(|_| ())?,
        })
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Its place and identity.
    pub place: LogPlace,
    /// The stream's name.
    pub stream: Arc<str>,
    /// When it came in.
    pub ingested_at: Timestamp,
    /// The line.
    pub message: String,
}

/// Which streams of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogStreams {
    /// All.
    All,
    /// Those with one of these names.
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

/// From where to read, and which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogDirection {
    /// The first events, or those after a place.
    Forward(Option<LogPlace>),
    /// The last events, or those before a place.
    Backward(Option<LogPlace>),
}

/// Whether a message is wanted.
pub type MessageFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What to read.
#[derive(Clone)]
pub struct LogQuery {
    /// The group.
    pub group: LogGroupKey,
    /// The streams.
    pub streams: LogStreams,
    /// No events from before this time.
    pub start: Option<Timestamp>,
    /// No events from this time on.
    pub end: Option<Timestamp>,
    /// Where to begin, and which way to go.
    pub direction: LogDirection,
    /// Events in a page, at most.
    pub events_max: usize,
    /// Bytes of messages in a page, at most; a larger event comes alone.
    pub bytes_max: usize,
    /// `None` for every message.
    pub matching: Option<MessageFilter>,
}

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// In ascending order of their places, whichever way was read.
    pub events: Vec<LogEntry>,
    /// Where the next page begins, in the direction of the query; `None` when nothing more is
    /// there now. A page may be empty and yet have a next: one call reads only so much.
    pub next: Option<LogPlace>,
}

/// What is known of a stream's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogStats {
    /// The earliest event's time.
    pub first_event_at: Timestamp,
    /// The latest event's time.
    pub last_event_at: Timestamp,
    /// When the last event came in.
    pub last_ingested_at: Timestamp,
    /// Bytes that its events take.
    pub stored_bytes: u64,
}

/// What is known of a group's streams, by their names.
pub type LogStreamStats = Vec<(Arc<str>, LogStats)>;

/// Why log events could not be taken or read.
#[derive(Debug, thiserror::Error)]
pub enum LogFailure {
    /// The events break a rule of the store, and always will. Nothing was taken.
    #[error("the log store refuses the events: {0}")]
    Refused(&'static str),
    /// Nothing was taken or read; later it may be.
    #[error("the log store is unavailable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Where log events are kept.
pub trait LogEvents: Send + Sync {
    /// Takes events of one stream, in this order; when this answers `Ok`, they are on disk.
    fn put(
        &self,
        stream: LogStreamKey,
        events: Vec<NewLogEntry>,
        ingested_at: Timestamp,
    ) -> BoxFuture<'_, Result<(), LogFailure>>;

    /// Reads one page. An unknown group has no events.
    fn read(&self, query: LogQuery) -> BoxFuture<'_, Result<LogPage, LogFailure>>;

    /// What is known of the streams of a group that have events, in the order of their names.
    fn stats(&self, group: LogGroupKey) -> BoxFuture<'_, Result<LogStreamStats, LogFailure>>;

    /// Forgets a stream's events.
    fn delete_stream(&self, stream: LogStreamKey) -> BoxFuture<'_, Result<(), LogFailure>>;

    /// Forgets a group's events.
    fn delete_group(&self, group: LogGroupKey) -> BoxFuture<'_, Result<(), LogFailure>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_reads_back_and_sorts_as_text() {
        let place = |millis, sequence| LogPlace {
            timestamp: Timestamp::from_millis(millis),
            sequence,
        };
        let all = [
            place(0, 0),
            place(9, 1),
            place(10, 0),
            place(i64::MAX, u64::MAX),
        ];
        let texts = all.map(|place| place.to_string());
        assert!(texts.is_sorted());
        for (place, text) in all.iter().zip(&texts) {
            assert_eq!(text.parse(), Ok(*place));
            assert_eq!(text.len(), 56);
        }
        for bad in ["", "1", &"9".repeat(56), &"x".repeat(56)] {
            assert_eq!(bad.parse::<LogPlace>(), Err(()));
        }
    }
}
