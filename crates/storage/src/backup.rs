//! Backups, restoring them, and moving from one store to another.
//!
//! A backup is the state as of one revision, taken beside a server that goes on, and, where the
//! log store is given, the log events that were there then. Secrets are not in it.
//!
//! A target is marked before the first row goes in, and the mark goes with the last one: a store
//! that was filled by half does not open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::data_dir::sync_dir;
use crate::error::{BoxError, LoadError, OpenError, StoreError};
use crate::hand_out::{Flush, RowSink};
use crate::log::{Exported, LogError, LogStore};
use crate::postgres::{PostgresSink, PostgresStore};
use crate::sqlite::{BackupFile, SqliteSink, SqliteStore};
use crate::store::{Epoch, Kind, Loaded, LoadedRow, Store};

/// By how much a restored or moved state is ahead of the epoch it comes from. The server that
/// the backup was taken of may have started again since, and what it told agents under later
/// epochs must be older than what the restored one tells them. A million starts, at one per
/// minute, are two years; and agents' sequence numbers have room for two thousand restores.
const EPOCH_LEAP: u64 = 1_000_000;

/// Why a backup, restore or move failed.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target holds data already.
    #[error("the target is not empty: it is at revision {revision}")]
    NotEmpty {
        /// Its revision.
        revision: u64,
    },
    /// The backup file cannot be opened or made.
    #[error("could not open {file}")]
    File {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: Box<OpenError>,
    },
    /// The system refused something with the file.
    #[error("could not {doing} {file}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// The file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Reading, or handing on what was read, failed.
    #[error("could not copy the state")]
    Copy(#[from] LoadError),
    /// The target failed.
    #[error("could not write to the target")]
    Target(#[from] StoreError),
    /// Log events could not be read, or not be taken.
    #[error("could not copy the log events")]
    Logs(#[from] LogError),
}

impl Store {
    /// Writes the state as of now into one file, beside all other work. The file is there only
    /// when it is complete; one of that name is replaced.
    pub async fn backup(&self, file: &Path) -> Result<Loaded, BackupError> {
        self.write_backup(None, file).await
    }

    /// As [`Store::backup`], with the log events.
    pub async fn backup_with_logs(
        &self,
        logs: &LogStore,
        file: &Path,
    ) -> Result<Loaded, BackupError> {
        self.write_backup(Some(logs), file).await
    }

    async fn write_backup(
        &self,
        logs: Option<&LogStore>,
        file: &Path,
    ) -> Result<Loaded, BackupError> {
        let unfinished = with_suffix(file, ".unfinished");
        let io = |doing| {
            let file = unfinished.clone();
            move |source| BackupError::Io {
                doing,
                file,
                source,
            }
        };
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io("remove")(error));
            }
            _ => {}
        }
        let mut sink =
            BackupFile::create(&unfinished)
                .await
                .map_err(|source| BackupError::File {
                    file: unfinished.clone(),
                    source: Box::new(source),
                })?;
        let epoch = self.lease_epoch().await?;
        let loaded = self.load_into(&mut sink).await?;
        if let Some(logs) = logs {
            let mut exported = Exported::of(logs).await?;
            while let Some((group, events)) = exported.next().await? {
                sink.put_events(&group, &events).await?;
            }
        }
        BackupFile::finish(sink, &loaded, epoch).await?;
        fs::rename(&unfinished, file).map_err(io("rename"))?;
        let parent = file
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        sync_dir(parent.unwrap_or(Path::new("."))).map_err(io("make durable"))?;
        Ok(loaded)
    }

    /// Copies the state as of now into an empty store, such as from a laptop's files to
    /// Postgres. What is committed here afterwards is not there: stop the server before.
    pub async fn move_to(&self, target: &Store) -> Result<Loaded, BackupError> {
        self.move_parts(target, None).await
    }

    /// As [`Store::move_to`], with the log events.
    pub async fn move_with_logs(
        &self,
        logs: &LogStore,
        target: &Store,
        target_logs: &LogStore,
    ) -> Result<Loaded, BackupError> {
        self.move_parts(target, Some((logs, target_logs))).await
    }

    async fn move_parts(
        &self,
        target: &Store,
        logs: Option<(&LogStore, &LogStore)>,
    ) -> Result<Loaded, BackupError> {
        let mut sink = target.begin_filling("move").await?;
        let epoch = self.lease_epoch().await?;
        let loaded = self.load_into(&mut sink).await?;
        if let Some((from, to)) = logs {
            let mut exported = Exported::of(from).await?;
            while let Some((group, events)) = exported.next().await? {
                to.import(&group, events).await?;
            }
        }
        target.finish_filling(sink, &loaded, epoch).await?;
        Ok(loaded)
    }

    async fn load_into<S: RowSink>(&self, sink: &mut S) -> Result<Loaded, LoadError> {
        match &self.0 {
            Kind::Sqlite(store) => store.load(sink).await,
            Kind::Postgres(store) => store.load(sink).await,
        }
    }

    async fn lease_epoch(&self) -> Result<Epoch, StoreError> {
        match &self.0 {
            Kind::Sqlite(store) => store.lease_epoch().await,
            Kind::Postgres(store) => store.lease_epoch().await,
        }
    }

    async fn begin_filling(&self, what: &str) -> Result<Sink, BackupError> {
        let revision = self.load(|_| Ok(())).await?.revision;
        if revision > 0 {
            return Err(BackupError::NotEmpty { revision });
        }
        match &self.0 {
            Kind::Sqlite(store) => store.mark_filling(what).await?,
            Kind::Postgres(store) => store.mark_filling(what).await?,
        }
        Ok(match &self.0 {
            Kind::Sqlite(store) => Sink::Sqlite(store.clone(), store.sink().await?),
            Kind::Postgres(store) => Sink::Postgres(store.clone(), store.sink().await?),
        })
    }

    async fn finish_filling(
        &self,
        sink: Sink,
        loaded: &Loaded,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let epoch = Epoch(epoch.0 + EPOCH_LEAP);
        match sink {
            Sink::Sqlite(store, sink) => store.finish(sink, loaded, epoch).await,
            Sink::Postgres(store, sink) => store.finish(sink, loaded, epoch).await,
        }
    }
}

/// Fills an empty store from a backup file, without its log events.
pub async fn restore(file: &Path, target: &Store) -> Result<Loaded, BackupError> {
    restore_parts(file, target, None).await
}

/// As [`restore`], with the log events.
pub async fn restore_with_logs(
    file: &Path,
    target: &Store,
    logs: &LogStore,
) -> Result<Loaded, BackupError> {
    restore_parts(file, target, Some(logs)).await
}

async fn restore_parts(
    file: &Path,
    target: &Store,
    logs: Option<&LogStore>,
) -> Result<Loaded, BackupError> {
    let mut backup = BackupFile::open(file)
        .await
        .map_err(|source| BackupError::File {
            file: file.to_owned(),
            source: Box::new(source),
        })?;
    let mut sink = target.begin_filling("restore").await?;
    let (loaded, epoch) = backup.read(&crate::TABLES, &mut sink).await?;
    if let Some(logs) = logs {
        let mut next = 0;
        while let Some((group, events)) = backup.next_events(&mut next).await? {
            logs.import(&group, events).await?;
        }
    }
    target.finish_filling(sink, &loaded, epoch).await?;
    Ok(loaded)
}

/// Rows on their way into a store.
enum Sink {
    Sqlite(Arc<SqliteStore>, SqliteSink),
    Postgres(Arc<PostgresStore>, PostgresSink),
}

impl RowSink for Sink {
    fn row(&mut self, row: LoadedRow<'_>) -> Result<(), BoxError> {
        match self {
            Self::Sqlite(_, sink) => sink.row(row),
            Self::Postgres(_, sink) => sink.row(row),
        }
    }

    fn flush(&mut self) -> Flush<'_> {
        match self {
            Self::Sqlite(_, sink) => sink.flush(),
            Self::Postgres(_, sink) => sink.flush(),
        }
    }
}

fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
