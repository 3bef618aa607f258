//! Looking after a store: copying it, moving it, reading it through, and taking out what cannot
//! be read.
//!
//! All but [`Backups`] open the store themselves, so an embedded one must not be in use.

use std::path::Path;

use berth_state::{Loader, TABLES};
use berth_storage::{
    BackupError, LoadError, Loaded, Location, LogLimits, LogStore, OpenError, Store,
    restore_with_logs,
};

/// What was copied or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extent {
    /// The revision of the state.
    pub revision: u64,
    /// How many records it has.
    pub records: u64,
}

impl From<Loaded> for Extent {
    fn from(loaded: Loaded) -> Self {
        let Loaded {
            revision,
            at: _,
            rows,
        } = loaded;
        Self {
            revision,
            records: rows,
        }
    }
}

/// Why a store could not be looked after.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    /// The store did not open.
    #[error("could not open the store")]
    Open(#[source] OpenError),
    /// It could not be copied.
    #[error("could not copy the store")]
    Copy(#[source] BackupError),
    /// It could not be read.
    #[error("could not read the store")]
    Read(#[source] LoadError),
}

/// Takes backups of a running server.
#[derive(Clone)]
pub struct Backups(pub(crate) Store, pub(crate) LogStore);

impl Backups {
    /// Writes the state as of now and the log events into a file, beside all other work.
    ///
    /// # Errors
    /// When the store cannot be read, or the file not be written.
    pub async fn take(&self, file: &Path) -> Result<Extent, UpkeepError> {
        let copied = self.0.backup_with_logs(&self.1, file).await;
        let copied = copied.map_err(UpkeepError::Copy)?;
        Ok(copied.into())
    }
}

async fn open(location: &Location) -> Result<Store, UpkeepError> {
    let opened = Store::open(location, &TABLES).await;
    opened.map_err(UpkeepError::Open)
}

/// Copies lose nothing; the server that opens them next keeps to its own limits.
const NO_LIMITS: LogLimits = LogLimits {
    group_bytes_max: u64::MAX,
    all_bytes_max: u64::MAX,
};

async fn open_logs(location: &Location) -> Result<LogStore, UpkeepError> {
    let opened = LogStore::open(location, NO_LIMITS).await;
    opened.map_err(UpkeepError::Open)
}

/// Writes the state and the log events of a store into a file.
///
/// # Errors
/// When the store cannot be opened or read, or the file not be written.
pub async fn backup(location: &Location, file: &Path) -> Result<Extent, UpkeepError> {
    let store = open(location).await?;
    let logs = open_logs(location).await?;
    let copied = Backups(store.clone(), logs).take(file).await;
    store.close().await;
    copied
}

/// Fills an empty store from a backup.
///
/// # Errors
/// When the store cannot be opened, is not empty, or the file is no backup.
pub async fn restore(file: &Path, location: &Location) -> Result<Extent, UpkeepError> {
    let store = open(location).await?;
    let logs = open_logs(location).await?;
    let copied = restore_with_logs(file, &store, &logs).await;
    store.close().await;
    Ok(copied.map_err(UpkeepError::Copy)?.into())
}

/// Copies the state and the log events of a store that no server uses into an empty one.
///
/// # Errors
/// When either cannot be opened, or the target is not empty.
pub async fn move_to(from: &Location, to: &Location) -> Result<Extent, UpkeepError> {
    let source = open(from).await?;
    let target = open(to).await?;
    let (logs, target_logs) = (open_logs(from).await?, open_logs(to).await?);
    let copied = source.move_with_logs(&logs, &target, &target_logs).await;
    target.close().await;
    source.close().await;
    Ok(copied.map_err(UpkeepError::Copy)?.into())
}

/// Reads every record, as a server does when it starts.
///
/// # Errors
/// When the store cannot be opened, or a record not be read: it is named.
pub async fn read_through(location: &Location) -> Result<Extent, UpkeepError> {
    let store = open(location).await?;
    let mut loader = Loader::new();
    let read = store
        .load(|row| {
            let taken = loader.record(row.table, row.row, row.key, row.body);
            taken.map_err(|bad| Box::new(bad.cause) as _)
        })
        .await;
    store.close().await;
    Ok(read.map_err(UpkeepError::Read)?.into())
}

/// Takes a record that cannot be read out of its table; `false` when there is none of that key.
///
/// # Errors
/// When the store cannot be opened, or does not answer.
pub async fn set_aside(location: &Location, table: &str, key: &str) -> Result<bool, UpkeepError> {
    let store = open(location).await?;
    let done = store.set_aside(table, key).await;
    store.close().await;
    done.map_err(UpkeepError::Read)
}
