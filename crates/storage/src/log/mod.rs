//! Log events: bulk data that does not go through the writer.
//!
//! Rules kept here:
//! - accepted means on disk;
//! - events of a group are ordered by [`Position`]: by their own time, then as they came in;
//! - what is kept is bounded per group and in all; the oldest goes first, in whole pieces;
//! - a message holds no U+0000, which Postgres cannot keep: so any event can be moved.
//!
//! That a group or stream exists, and for how long it keeps events, is control-plane state and
//! not known here.

mod export;
mod files;
mod group;
mod page;
mod postgres;
mod record;
mod request;

use std::fmt;
use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;

pub(crate) use self::export::Exported;
use self::files::FileLogs;
use self::postgres::PostgresLogs;
use self::request::{Requests, Task};
use crate::error::{BoxError, OpenError};
use crate::store::Location;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes of one group.
    pub group_bytes_max: u64,
    /// Bytes of all groups together.
    pub all_bytes_max: u64,
}

/// An event as it comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLogEvent {
    /// When it happened, by its sender's clock; not before 1970.
    pub timestamp: Timestamp,
    /// The line.
    pub message: String,
}

/// Where an event stands in its group, and what tells it from all others there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The event's own time.
    pub timestamp: Timestamp,
    /// Rises with every event that came in.
    pub sequence: u64,
}

/// Digits of either half of a position's text.
const POSITION_DIGITS: usize = 20;

impl fmt::Display for Position {
    /// Forty digits, whose order as text is that of positions. No event is from before 1970.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:020}{:020}",
            self.timestamp.as_millis().max(0),
            self.sequence
        )
    }
}

/// The text is not that of a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position in a log group")]
pub struct InvalidPosition;

impl FromStr for Position {
    type Err = InvalidPosition;

    fn from_str(text: &str) -> Result<Self, InvalidPosition> {
        let digits = text.bytes().all(|b| b.is_ascii_digit());
        if !digits || text.len() != 2 * POSITION_DIGITS {
            return Err(InvalidPosition);
        }
        let (timestamp, sequence) = text.split_at(POSITION_DIGITS);
        let millis = timestamp.parse().map_err(|_| InvalidPosition)?;
        let sequence = sequence.parse().map_err(|_| InvalidPosition)?;
        Ok(Self {
            timestamp: Timestamp::from_millis(millis),
            sequence,
        })
    }
}

/// An event as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Its place and identity.
    pub position: Position,
    /// The stream's name.
    pub stream: Arc<str>,
    /// When it came in.
    pub ingested_at: Timestamp,
    /// The line.
    pub message: String,
}

/// Which streams of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamFilter {
    /// All.
    All,
    /// Those with one of these names.
    Named(Vec<String>),
    /// Those whose names begin so.
    Prefix(String),
}

impl StreamFilter {
    fn admits(&self, stream: &str) -> bool {
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(|name| name == stream),
            Self::Prefix(prefix) => stream.starts_with(prefix),
        }
    }
}

/// From where to read, and which way. Events come in ascending order either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The first events, or those after a position.
    Forward(Option<Position>),
    /// The last events, or those before a position.
    Backward(Option<Position>),
}

/// Whether a message is wanted.
pub type MessageFilter = Arc<dyn Fn(&str) -> bool + Send + Sync>;

/// What to read.
#[derive(Clone)]
pub struct LogQuery {
    /// The group.
    pub group: LogGroupKey,
    /// The streams.
    pub streams: StreamFilter,
    /// No events from before this time.
    pub start: Option<Timestamp>,
    /// No events from this time on.
    pub end: Option<Timestamp>,
    /// Where to begin, and which way to go.
    pub direction: Direction,
    /// Events in a page, at most.
    pub events_max: usize,
    /// Bytes of messages in a page, at most; a larger event comes alone.
    pub bytes_max: usize,
    /// `None` for every message.
    pub matching: Option<MessageFilter>,
}

impl fmt::Debug for LogQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogQuery")
            .field("group", &self.group)
            .field("streams", &self.streams)
            .field("range", &(self.start, self.end))
            .field("direction", &self.direction)
            .finish_non_exhaustive()
    }
}

impl LogQuery {
    /// Whether an event at this place is asked for.
    fn admits(&self, position: Position) -> bool {
        let beyond = match self.direction {
            Direction::Forward(after) => after.is_none_or(|after| position > after),
            Direction::Backward(before) => before.is_none_or(|before| position < before),
        };
        beyond
            && self.start.is_none_or(|start| position.timestamp >= start)
            && self.end.is_none_or(|end| position.timestamp < end)
    }
}

/// A page of events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogPage {
    /// In ascending order of their positions.
    pub events: Vec<LogEvent>,
    /// Where the next page begins, in the direction of the query; `None` when nothing more is
    /// there now. A page may be empty and yet have a next: one call reads only so much.
    pub next: Option<Position>,
}

/// What is known of a stream's events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamStats {
    /// The earliest event's time.
    pub first_event_at: Timestamp,
    /// The latest event's time.
    pub last_event_at: Timestamp,
    /// When the last event came in.
    pub last_ingested_at: Timestamp,
    /// Events that are kept.
    pub events: u64,
    /// Bytes that they take.
    pub stored_bytes: u64,
}

/// Why log events could not be taken or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The events break a rule of the store, and always will. Nothing was taken.
    #[error("the log store refuses the events: {0}")]
    Refused(&'static str),
    /// Nothing was taken; later it may be. A full disk ends here.
    #[error("the log store cannot {doing} now")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the system or the database said.
        #[source]
        source: BoxError,
    },
    /// The disk failed to keep what it was given: the process must end.
    #[error("the disk failed to keep log events")]
    Fatal(#[source] BoxError),
}

/// Where log events are kept.
///
/// Cheap to clone; clones are the same store.
#[derive(Clone, Debug)]
pub struct LogStore {
    kind: Kind,
    requests: Requests,
}

#[derive(Clone, Debug)]
enum Kind {
    Files(Arc<FileLogs>),
    Postgres(Arc<PostgresLogs>),
}

/// Runs the same method on whichever store this is.
macro_rules! on_either {
    ($self:ident, $logs:ident => $call:expr) => {
        match &$self.kind {
            Kind::Files($logs) => $call,
            Kind::Postgres($logs) => $call,
        }
    };
}

impl LogStore {
    /// Opens the log events beside the [`crate::Store`] of this location, which is open already.
    ///
    /// # Errors
    /// When the files or the database cannot be read.
    pub async fn open(location: &Location, limits: LogLimits) -> Result<Self, OpenError> {
        match location {
            Location::Embedded { data_dir } => Self::open_embedded(data_dir, limits).await,
            Location::Postgres { url, schema } => Self::open_postgres(url, schema, limits).await,
        }
    }

    /// Opens the log events in a data directory, which the [`crate::Store`] there has locked.
    ///
    /// # Errors
    /// When the files cannot be read.
    pub async fn open_embedded(data_dir: &Path, limits: LogLimits) -> Result<Self, OpenError> {
        let (requests, waiting) = Requests::channel();
        let logs = FileLogs::open(data_dir, limits, waiting).await?;
        let kind = Kind::Files(Arc::new(logs));
        Ok(Self { kind, requests })
    }

    /// Opens the log events in a database. Servers may share it; any of them may read, and the
    /// one that leads writes.
    ///
    /// # Errors
    /// When the database does not answer, or a newer Berth made its schema.
    pub async fn open_postgres(
        url: &str,
        schema: &str,
        limits: LogLimits,
    ) -> Result<Self, OpenError> {
        let (requests, waiting) = Requests::channel();
        let logs = PostgresLogs::open(url, schema, limits, waiting).await?;
        let kind = Kind::Postgres(Arc::new(logs));
        Ok(Self { kind, requests })
    }

    /// Takes events of one stream, in this order; when this returns `Ok`, they are on disk.
    /// Concurrent callers share the disk's work.
    pub async fn put(
        &self,
        stream: &LogStreamKey,
        events: Vec<NewLogEvent>,
        ingested_at: Timestamp,
    ) -> Result<(), LogError> {
        if events.iter().any(|event| event.timestamp.as_millis() < 0) {
            return Err(LogError::Refused("an event is from before 1970"));
        }
        if events
            .iter()
            .any(|event| event.message.len() > MESSAGE_BYTES_MAX)
        {
            return Err(LogError::Refused("an event is too large"));
        }
        if events.iter().any(|event| event.message.contains('\0')) {
            return Err(LogError::Refused("an event holds U+0000"));
        }
        let task = Task::Put {
            stream: stream.name.as_ref().into(),
            events,
            ingested_at,
        };
        self.requests.ask(&stream.group, task).await
    }

    /// Takes events of another store, with the positions that they have there.
    pub(crate) async fn import(
        &self,
        group: &LogGroupKey,
        events: Vec<LogEvent>,
    ) -> Result<(), LogError> {
        self.requests.ask(group, Task::Import { events }).await
    }

    /// The groups that have events, in order of their keys.
    pub(crate) async fn groups(&self) -> Result<Vec<LogGroupKey>, LogError> {
        on_either!(self, logs => logs.groups().await)
    }

    /// The streams that have events, in order of their keys.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn streams(&self) -> Result<Vec<LogStreamKey>, LogError> {
        on_either!(self, logs => logs.streams().await)
    }

    /// Reads one page. An unknown group has no events.
    pub async fn read(&self, query: LogQuery) -> Result<LogPage, LogError> {
        on_either!(self, logs => logs.read(query).await)
    }

    /// What is known of the streams of a group that have events, in order of their names.
    pub async fn stats(
        &self,
        group: &LogGroupKey,
    ) -> Result<Vec<(Arc<str>, StreamStats)>, LogError> {
        on_either!(self, logs => logs.stats(group).await)
    }

    /// Forgets a stream's events.
    pub async fn delete_stream(&self, stream: &LogStreamKey) -> Result<(), LogError> {
        let name = stream.name.as_ref().into();
        let task = Task::DeleteStream { stream: name };
        self.requests.ask(&stream.group, task).await
    }

    /// Forgets a group's events.
    pub async fn delete_group(&self, group: &LogGroupKey) -> Result<(), LogError> {
        self.requests.ask(group, Task::DeleteGroup).await
    }

    /// Removes what is wholly from before `before`. What shares a piece with newer events stays
    /// for now: readers leave it out by [`LogQuery::start`].
    pub async fn expire(&self, group: &LogGroupKey, before: Timestamp) -> Result<(), LogError> {
        self.requests.ask(group, Task::Expire { before }).await
    }
}

/// A call reads about this much before it answers with what it found so far.
const READ_BYTES_MAX: u64 = 64 << 20;

/// A piece past this is closed. Small enough to be read whole for one page of a file, large
/// enough that pieces stay few.
const PIECE_BYTES_MAX: u64 = 4 << 20;

/// A group is cut in at least this many pieces, so that dropping one drops little of it.
const PIECES_PER_GROUP: u64 = 8;

/// The longest message: Amazon's limit is 1 MiB per event, with its overhead.
pub const MESSAGE_BYTES_MAX: usize = 1 << 20;
