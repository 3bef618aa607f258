//! Log events in memory, as plainly as can be.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;
use berth_ops::{
    LogDirection, LogEntry, LogEvents, LogFailure, LogPage, LogPlace, LogQuery, LogStats,
    LogStreamStats, LogStreams, NewLogEntry,
};
use futures_util::future::{BoxFuture, ready};

type Kept = BTreeMap<(LogGroupKey, LogPlace), LogEntry>;

/// Every event there is, by group and place.
#[derive(Default)]
pub(crate) struct MemoryLogs(Mutex<Kept>);

impl MemoryLogs {
    fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Kept) -> T,
    ) -> BoxFuture<'_, Result<T, LogFailure>> {
        let done = work(&mut self.0.lock().expect("no test panics in here"));
        Box::pin(ready(Ok(done)))
    }
}

fn admits(query: &LogQuery, event: &LogEntry) -> bool {
    let place = event.place;
    let stream = match &query.streams {
        LogStreams::All => true,
        LogStreams::Named(names) => names.iter().any(|name| **name == *event.stream),
        LogStreams::Prefix(prefix) => event.stream.starts_with(prefix),
    };
    let beyond = match query.direction {
        LogDirection::Forward(after) => after.is_none_or(|after| place > after),
        LogDirection::Backward(before) => before.is_none_or(|before| place < before),
    };
    stream
        && beyond
        && query.start.is_none_or(|start| place.timestamp >= start)
        && query.end.is_none_or(|end| place.timestamp < end)
        && query
            .matching
            .as_ref()
            .is_none_or(|matching| matching(&event.message))
}

impl LogEvents for MemoryLogs {
    fn put(
        &self,
        stream: LogStreamKey,
        events: Vec<NewLogEntry>,
        ingested_at: Timestamp,
    ) -> BoxFuture<'_, Result<(), LogFailure>> {
        self.with(|kept| {
            for event in events {
                let place = LogPlace {
                    timestamp: event.timestamp,
                    sequence: kept.len() as u64 + 1,
                };
                let entry = LogEntry {
                    place,
                    stream: stream.name.as_str().into(),
                    ingested_at,
                    message: event.message,
                };
                kept.insert((stream.group.clone(), place), entry);
            }
        })
    }

    fn read(&self, query: LogQuery) -> BoxFuture<'_, Result<LogPage, LogFailure>> {
        self.with(|kept| {
            let mut events: Vec<LogEntry> = kept
                .iter()
                .filter(|((group, _), event)| *group == query.group && admits(&query, event))
                .map(|(_, event)| event.clone())
                .collect();
            let more = events.len() > query.events_max;
            let next = match query.direction {
                LogDirection::Forward(_) => {
                    events.truncate(query.events_max);
                    events.last()
                }
                LogDirection::Backward(_) => {
                    events.drain(..events.len().saturating_sub(query.events_max));
                    events.first()
                }
            };
            let next = next.map(|event| event.place).filter(|_| more);
            LogPage { events, next }
        })
    }

    fn stats(&self, group: LogGroupKey) -> BoxFuture<'_, Result<LogStreamStats, LogFailure>> {
        self.with(|kept| {
            let mut stats: BTreeMap<Arc<str>, LogStats> = BTreeMap::new();
            for ((_, place), event) in kept.iter().filter(|((of, _), _)| *of == group) {
                let fresh = LogStats {
                    first_event_at: place.timestamp,
                    last_event_at: place.timestamp,
                    last_ingested_at: event.ingested_at,
                    stored_bytes: 0,
                };
                let stats = stats.entry(event.stream.clone()).or_insert(fresh);
                stats.last_event_at = stats.last_event_at.max(place.timestamp);
                stats.last_ingested_at = stats.last_ingested_at.max(event.ingested_at);
                stats.stored_bytes += event.message.len() as u64;
            }
            stats.into_iter().collect()
        })
    }

    fn delete_stream(&self, stream: LogStreamKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        self.with(|kept| {
            kept.retain(|(group, _), event| {
                *group != stream.group || *event.stream != *stream.name
            });
        })
    }

    fn delete_group(&self, group: LogGroupKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        self.with(|kept| kept.retain(|(of, _), _| *of != group))
    }
}
