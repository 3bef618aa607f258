//! Amazon CloudWatch Logs, as far as containers' output needs it: groups, streams, events.
//!
//! Rules kept here:
//! - groups and streams are records of the state; events are bulk data and go to [`LogEvents`];
//! - an event that was accepted is on disk, and is in the group's order from then on.

mod events;
mod fault;
mod filter;
mod get;
mod groups;
mod names;
mod none;
mod pattern;
mod put;
mod retention;
mod streams;
mod tags;

pub use events::{
    LogDirection, LogEntry, LogEvents, LogFailure, LogPage, LogPlace, LogQuery, LogStats,
    LogStreamStats, LogStreams, MessageFilter, NewLogEntry,
};
pub(crate) use filter::filter_log_events;
pub(crate) use get::get_log_events;
pub(crate) use groups::{create_log_group, delete_log_group, describe_log_groups};
pub use none::NoLogs;
pub(crate) use put::put_log_events;
pub(crate) use retention::{delete_retention_policy, put_retention_policy};
pub(crate) use streams::{create_log_stream, delete_log_stream, describe_log_streams};
pub(crate) use tags::{list_tags_for_resource, tag_resource, untag_resource};
