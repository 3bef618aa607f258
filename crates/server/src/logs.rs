//! The log store as operations see it: conversions, and what a deletion left behind.

use std::collections::BTreeSet;
use std::sync::Arc;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;
use berth_ops::{
    LogDirection, LogEntry, LogEvents, LogFailure, LogPage, LogPlace, LogQuery, LogStats,
    LogStreams, NewLogEntry,
};
use berth_state::State;
use berth_storage as storage;
use berth_storage::{LogError, LogStore};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;

/// A log store behind the operations' own trait.
pub(crate) struct Logs(pub(crate) LogStore);

impl LogEvents for Logs {
    fn put(
        &self,
        stream: LogStreamKey,
        events: Vec<NewLogEntry>,
        ingested_at: Timestamp,
    ) -> BoxFuture<'_, Result<(), LogFailure>> {
        let events = events
            .into_iter()
            .map(|NewLogEntry { timestamp, message }| storage::NewLogEvent { timestamp, message })
            .collect();
        async move {
            self.0
                .put(&stream, events, ingested_at)
                .await
                .map_err(failure)
        }
        .boxed()
    }

    fn read(&self, query: LogQuery) -> BoxFuture<'_, Result<LogPage, LogFailure>> {
        let LogQuery {
            group,
            streams,
            start,
            end,
            direction,
            events_max,
            bytes_max,
            matching,
        } = query;
        let query = storage::LogQuery {
            group,
            streams: match streams {
                LogStreams::All => storage::StreamFilter::All,
                LogStreams::Named(names) => storage::StreamFilter::Named(names),
                LogStreams::Prefix(prefix) => storage::StreamFilter::Prefix(prefix),
            },
            start,
            end,
            direction: match direction {
                LogDirection::Forward(after) => storage::Direction::Forward(after.map(position)),
                LogDirection::Backward(before) => {
                    storage::Direction::Backward(before.map(position))
                }
            },
            events_max,
            bytes_max,
            matching,
        };
        async move {
            let page = self.0.read(query).await.map_err(failure)?;
            Ok(LogPage {
                events: page.events.into_iter().map(entry).collect(),
                next: page.next.map(place),
            })
        }
        .boxed()
    }

    fn stats(
        &self,
        group: LogGroupKey,
    ) -> BoxFuture<'_, Result<Vec<(Arc<str>, LogStats)>, LogFailure>> {
        async move {
            let stats = self.0.stats(&group).await.map_err(failure)?;
            Ok(stats
                .into_iter()
                .map(|(name, stats)| (name, known(stats)))
                .collect())
        }
        .boxed()
    }

    fn delete_stream(&self, stream: LogStreamKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        async move { self.0.delete_stream(&stream).await.map_err(failure) }.boxed()
    }

    fn delete_group(&self, group: LogGroupKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        async move { self.0.delete_group(&group).await.map_err(failure) }.boxed()
    }
}

/// Removes events of groups and streams that the state does not have: their deletion was saved,
/// and the server ended before their events were gone. A group that is made anew would show them
/// again, so this comes before anything is served.
///
/// # Errors
/// When the log store does not answer.
pub(crate) async fn finish_deletions(logs: &LogStore, state: &State) -> Result<(), LogError> {
    let mut gone = BTreeSet::new();
    for stream in logs.streams().await? {
        if state.log_groups.get(&stream.group).is_none() {
            gone.insert(stream.group);
        } else if state.log_streams.get(&stream).is_none() {
            logs.delete_stream(&stream).await?;
        }
    }
    for group in gone {
        logs.delete_group(&group).await?;
    }
    Ok(())
}

fn position(place: LogPlace) -> storage::Position {
    storage::Position {
        timestamp: place.timestamp,
        sequence: place.sequence,
    }
}

fn place(position: storage::Position) -> LogPlace {
    LogPlace {
        timestamp: position.timestamp,
        sequence: position.sequence,
    }
}

fn entry(event: storage::LogEvent) -> LogEntry {
    let storage::LogEvent {
        position,
        stream,
        ingested_at,
        message,
    } = event;
    LogEntry {
        place: place(position),
        stream,
        ingested_at,
        message,
    }
}

fn known(stats: storage::StreamStats) -> LogStats {
    let storage::StreamStats {
        first_event_at,
        last_event_at,
        last_ingested_at,
        events: _,
        stored_bytes,
    } = stats;
    LogStats {
        first_event_at,
        last_event_at,
        last_ingested_at,
        stored_bytes,
    }
}

fn failure(error: LogError) -> LogFailure {
    match error {
        LogError::Refused(why) => LogFailure::Refused(why),
        error @ (LogError::Unavailable { .. } | LogError::Fatal(_)) => {
            LogFailure::Unavailable(Box::new(error))
        }
    }
}
