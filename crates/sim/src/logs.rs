//! No container writes a line in a simulation, so the store of log events refuses everything.

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::time::Timestamp;
use berth_ops::{LogEvents, LogFailure, LogPage, LogQuery, LogStreamStats, NewLogEntry};
use futures_util::future::{BoxFuture, ready};

/// A store that takes and has nothing.
pub(crate) struct NoLogs;

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
