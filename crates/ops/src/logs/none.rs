//! No store of log events, for control planes in which no container writes a line.

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;
use futures_util::future::{BoxFuture, ready};

use super::{LogEvents, LogFailure, LogPage, LogQuery, LogStreamStats, NewLogEntry};

/// A store of log events that refuses everything.
pub struct NoLogs;

fn none<T: Send + 'static>() -> BoxFuture<'static, Result<T, LogFailure>> {
    Box::pin(ready(Err(LogFailure::Refused("nothing is logged here"))))
}

impl LogEvents for NoLogs {
    fn put(
        &self,
        _: LogStreamKey,
        _: Vec<NewLogEntry>,
        _: Timestamp,
    ) -> BoxFuture<'_, Result<(), LogFailure>> {
        none()
    }

    fn read(&self, _: LogQuery) -> BoxFuture<'_, Result<LogPage, LogFailure>> {
        none()
    }

    fn stats(&self, _: LogGroupKey) -> BoxFuture<'_, Result<LogStreamStats, LogFailure>> {
        none()
    }

    fn delete_stream(&self, _: LogStreamKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        none()
    }

    fn delete_group(&self, _: LogGroupKey) -> BoxFuture<'_, Result<(), LogFailure>> {
        none()
    }
}
