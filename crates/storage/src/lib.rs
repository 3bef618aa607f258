//! Where Berth keeps what must survive: the journal of control-plane commits and the tables that
//! it is folded into, on SQLite and on Postgres; the leader's lease; log events; secrets.
//!
//! Rules kept here:
//! - a commit is one journal row and the lease row, in one transaction that first proves that
//!   this server still leads; nothing else is written while callers wait;
//! - a commit that was answered with `Ok` is on disk;
//! - every failure says whether the commit may have been applied ([`CommitError`]);
//! - no method decides anything about records: they are a key and a JSON body here.
//!
//! Only this crate names `sqlx`. SQL text lives here and in `migrations/`.

mod backup;
mod change;
mod data_dir;
mod error;
mod folder;
mod hand_out;
mod history;
mod log;
mod migration;
mod overlay;
mod postgres;
mod secrets;
mod sqlite;
mod store;
mod tail;

pub use backup::{BackupError, restore, restore_with_logs};
pub use change::{Change, Commit, TABLES};
pub use error::{BoxError, CommitError, LoadError, OpenError, StoreError};
pub use folder::{FOLD_PERIOD, Folded, run_folder};
pub use history::PastTask;
pub use log::{
    Direction, InvalidPosition, LogError, LogEvent, LogLimits, LogPage, LogQuery, LogStore,
    MESSAGE_BYTES_MAX, MessageFilter, NewLogEvent, Position, StreamFilter, StreamStats,
};
pub use secrets::{MadeAccessKey, Secrets, SecretsError};
pub use store::{Epoch, Loaded, LoadedRow, Location, Resolved, Store, Tail, TailedCommit};
