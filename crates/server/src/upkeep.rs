//! Looking after a store: copying it, moving it, reading it through, and taking out what cannot
//! be read.
//!
//! All but [`Backups`] open the store themselves, so an embedded one must not be in use.

use std::path::Path;

use berth_model::task::{Stop, StopCode, Task};
use berth_model::time::Timestamp;
use berth_state::{Change, Commit, Loader, TABLES};
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
    /// What may have run since the backup was made could not be kept from running again.
    #[error("could not settle what was about to start")]
    Settle(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It could not be read.
    #[error("could not read the store")]
    Read(#[source] LoadError),
}

impl UpkeepError {
    fn settle(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Settle(error.into())
    }
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
    let settled = match copied {
        Ok(copied) => settle(&store).await.map(|()| copied.into()),
        Err(error) => Err(UpkeepError::Copy(error)),
    };
    store.close().await;
    settled
}

/// The `stoppedReason` of a task that waited for room when the backup was made.
const NOT_KNOWN: &str = "Restored from a backup: whether the task ran since then is not known";

/// Makes sure that nothing is started which may have run since the backup was made: an agent
/// forgets what it ran after hours, and would run it again. A task that was about to start counts
/// as started, and its agent, when it is back, says whether it has it; one that waited for room
/// is ended, for any agent may have had it.
async fn settle(store: &Store) -> Result<(), UpkeepError> {
    let mut tasks = Vec::new();
    let loaded = store
        .load(|row| {
            if row.table == TASK_TABLE {
                let task: Task = serde_json::from_str(row.body)?;
                if task.start_due() || task.is_waiting() {
                    tasks.push((row.row, row.key.to_owned(), task));
                }
            }
            Ok(())
        })
        .await;
    let loaded = loaded.map_err(UpkeepError::Read)?;
    if tasks.is_empty() {
        return Ok(());
    }
    let at = loaded.at.next();
    let change = |(row, key, task): (i64, String, Task)| {
        let body = serde_json::value::to_raw_value(&settled(task, at));
        Ok(Change {
            table: TASK_TABLE,
            row,
            key,
            body: Some(body.map_err(UpkeepError::settle)?),
        })
    };
    let changes = tasks
        .into_iter()
        .map(change)
        .collect::<Result<_, UpkeepError>>()?;
    store.lead().await.map_err(UpkeepError::settle)?;
    let commit = Commit {
        revision: loaded.revision + 1,
        at,
        changes,
    };
    store.commit(&commit).await.map_err(UpkeepError::settle)
}

const TASK_TABLE: &str = "task";

fn settled(mut task: Task, at: Timestamp) -> Task {
    let stop = Stop {
        code: StopCode::TaskFailedToStart,
        reason: NOT_KNOWN.into(),
        at,
    };
    match task.is_waiting() {
        true => task.stopping(stop).unwrap_or(task),
        false => {
            task.seen.reported = true;
            task
        }
    }
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
