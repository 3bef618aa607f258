//! What each API operation does: one function per operation.
//!
//! An operation is three steps: parse the input, transact (or read a snapshot), render the
//! answer. The middle is a plain function of the transaction or the snapshot. What needs more is
//! usually a controller's work.
//!
//! Rules kept here:
//! - inputs and answers are the generated types of `api`; records never reach the wire;
//! - a rule that ECS states in words of its own is checked here, with those words; the model's
//!   own constraints are checked by [`Call::check`];
//! - an operation that is not in [`SERVED`] is answered in one place, by the server.

mod call;
mod context;
mod ecs;
mod error;
pub mod explain;
pub mod history;
mod logs;
mod page;
mod render;
mod served;
mod sts;
mod telemetry;

pub use call::{Call, Caller};
pub use context::{Context, DefinitionCache, Limits};
pub use error::ApiError;
pub use logs::{
    LogDirection, LogEntry, LogEvents, LogFailure, LogPage, LogPlace, LogQuery, LogStats,
    LogStreamStats, LogStreams, MessageFilter, NewLogEntry, NoLogs,
};
pub use page::PageTokens;
pub use served::{SERVED, Served, find};
pub use telemetry::{
    CheckStatus, InstanceCheck, MetricMinute, MetricSource, MetricSubject, NoMetrics, StatisticSet,
};
