//! Control-plane state: immutable snapshots, the indexes over them, transactions, and the one
//! writer as a step machine.
//!
//! Rules kept here:
//! - every change goes through the writer; what it accepted is saved before anybody sees it;
//! - a snapshot is cheap to take and never changes;
//! - secondary indexes belong to the tables, not to callers, and are rebuilt at load;
//! - time, ids and chance come from the transaction, so that a run can be replayed.
//!
//! This crate owns no task, channel or clock: the server runs the writer, and `storage` saves
//! what it hands out.

mod handle;
mod ids;
mod lanes;
mod load;
mod record;
mod services;
mod snapshot;
mod table;
mod tasks;
mod tx;
mod writer;

pub use handle::{Failure, Handle, Inbox};
pub use ids::Ids;
pub use lanes::{Job, Lane, LaneLimits, Lanes, Verdict};
pub use load::{BadRecord, Loader};
pub use record::{Change, Commit, TABLES};
pub use services::{ServiceCounts, Services};
pub use snapshot::{Connection, Hold, State};
pub use table::{Row, Table};
pub use tasks::{ClusterCounts, DeploymentCounts, InstanceCounts, TaskFilter, Tasks, WaitingKey};
pub use tx::{Changed, Tx};
pub use writer::{Gathered, Outcome, Published, Writer};
