//! The embedded store: two SQLite databases in the data directory.
//!
//! Rules kept here:
//! - `journal.db` holds the journal and the lease row, `state.db` the tables and how far the
//!   journal is folded into them; no transaction spans both;
//! - folding writes `state.db` durably first and removes journal rows after, so that after a
//!   crash between the two the journal repeats what the tables already have: readers skip it;
//! - the commit's connection waits for nothing but its own disk writes, and for the folder's
//!   deletions and checkpoints, which take turns with it for moments and never for a folding;
//! - a connection on which anything failed is dropped: what SQLite rolled back by itself, and
//!   what not, differs from error to error.

mod bulk;
mod commit;
mod fault;
mod fold;
mod history;
mod load;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, Row};
use tokio::sync::Mutex;

pub(crate) use self::bulk::{BackupFile, SqliteSink};
use self::fold::Folder;
use crate::data_dir::DataDir;
use crate::error::{OpenError, StoreError, filled_by_half, unavailable};
use crate::migration::{
    BERTH_VERSION, CREATE_SCHEMA_VERSION, Migration, NEWEST_VERSION, NOTE_VERSION, SQLITE_JOURNAL,
    SQLITE_STATE, still_to_run,
};
use crate::store::{Epoch, Resolved};

const JOURNAL_DB: &str = "journal.db";
const STATE_DB: &str = "state.db";

/// How long a statement waits for another connection of ours to release a lock. They hold it for
/// milliseconds; this only ends when the disk hangs.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

/// A write-ahead log that grew past this is cut when it starts over. Below, its blocks are written
/// again, which is faster than to allocate others.
const WAL_BYTES_KEPT: &str = "33554432";

/// Rows that SQLite's thread may read ahead of us: enough that loading does not wait for a
/// change of threads at every row.
const ROWS_AHEAD: usize = 2048;

/// The embedded store. See the module's comment.
#[derive(Debug)]
pub(crate) struct SqliteStore {
    dir: DataDir,
    tables: &'static [&'static str],
    epoch: AtomicU64,
    /// Bytes of changes that were committed here and not folded since, about.
    backlog_bytes: AtomicU64,
    /// The commit's connection; `None` after a failure, until the next use.
    writer: Mutex<Option<SqliteConnection>>,
    /// The folder's connections; likewise.
    folder: Mutex<Option<Folder>>,
    /// The connection for stopped tasks that are no longer in the state; likewise.
    history: Mutex<Option<SqliteConnection>>,
}

impl SqliteStore {
    pub(crate) async fn open(
        path: &Path,
        tables: &'static [&'static str],
    ) -> Result<Self, OpenError> {
        let dir = DataDir::open(path)?;
        let writer = open_database(dir.path(), JOURNAL_DB, SQLITE_JOURNAL).await?;
        let state = open_database(dir.path(), STATE_DB, SQLITE_STATE).await?;
        let folder = Folder::new(dir.path(), state).await?;
        let store = Self {
            dir,
            tables,
            epoch: AtomicU64::new(0),
            backlog_bytes: AtomicU64::new(0),
            writer: Mutex::new(Some(writer)),
            folder: Mutex::new(Some(folder)),
            history: Mutex::new(None),
        };
        store.check_pair().await?;
        Ok(store)
    }

    /// The two databases belong together: nothing is folded that was not committed.
    async fn check_pair(&self) -> Result<(), OpenError> {
        let mut writer = self.writer.lock().await;
        let mut folder = self.folder.lock().await;
        let (Some(journal), Some(folder)) = (writer.as_mut(), folder.as_mut()) else {
            unreachable!("both were opened just before and nobody else has them yet");
        };
        let filling: Option<String> = sqlx::query_scalar("SELECT what FROM filling")
            .fetch_optional(&mut *journal)
            .await
            .map_err(unavailable("read the journal"))?;
        if let Some(what) = filling {
            return Err(filled_by_half(&what));
        }
        let committed = lease_revision(journal).await?;
        let folded = folder.folded_revision().await?;
        if folded > committed {
            return Err(OpenError::Damaged {
                what: format!(
                    "{STATE_DB} holds revision {folded}, but {JOURNAL_DB} was never past {committed}"
                ),
                source: None,
            });
        }
        Ok(())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    pub(crate) async fn lead(&self) -> Result<Epoch, StoreError> {
        let mut slot = self.writer.lock().await;
        let mut connection = self.take_writer(&mut slot).await?;
        let raised = sqlx::query("UPDATE lease SET epoch = epoch + 1 RETURNING epoch")
            .fetch_one(&mut connection)
            .await
            .map_err(unavailable("raise the epoch"))?;
        let epoch = raised.get::<i64, _>(0).cast_unsigned();
        self.epoch.store(epoch, Ordering::Release);
        *slot = Some(connection);
        Ok(Epoch(epoch))
    }

    pub(crate) async fn resolve_unknown(&self, revision: u64) -> Result<Resolved, StoreError> {
        // The data directory is ours alone, so nobody can have deposed us in between.
        self.lead().await?;
        let mut slot = self.writer.lock().await;
        let mut connection = self.take_writer(&mut slot).await?;
        let committed = lease_revision(&mut connection).await?;
        *slot = Some(connection);
        Ok(match revision.checked_sub(committed) {
            Some(0) => Resolved::Applied,
            Some(1) => Resolved::NotApplied,
            _ => Resolved::Deposed,
        })
    }

    /// The commit's connection. The caller puts it back once all went well; otherwise, and when
    /// the caller's future is dropped half-way, the next one opens another.
    async fn take_writer(
        &self,
        slot: &mut Option<SqliteConnection>,
    ) -> Result<SqliteConnection, StoreError> {
        match slot.take() {
            Some(connection) => Ok(connection),
            None => connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
                .await
                .map_err(unavailable("open the journal")),
        }
    }

    pub(crate) async fn close(&self) {
        if let Some(history) = self.history.lock().await.take() {
            close(history).await;
        }
        if let Some(folder) = self.folder.lock().await.take() {
            folder.close().await;
        }
        if let Some(writer) = self.writer.lock().await.take() {
            close(writer).await;
        }
    }
}

async fn close(connection: SqliteConnection) {
    if let Err(error) = connection.close().await {
        // Everything acknowledged is in the write-ahead log; the next start finds it there.
        tracing::warn!(?error, "could not close a database in good order");
    }
}

async fn lease_revision(journal: &mut SqliteConnection) -> Result<u64, StoreError> {
    let row = sqlx::query("SELECT revision FROM lease")
        .fetch_one(journal)
        .await
        .map_err(unavailable("read the lease row"))?;
    Ok(row.get::<i64, _>(0).cast_unsigned())
}

/// Opens a connection to a database that is there.
async fn connect(
    dir: &Path,
    file: &str,
    synchronous: SqliteSynchronous,
) -> Result<SqliteConnection, sqlx::Error> {
    options(dir, file, synchronous).connect().await
}

fn options(dir: &Path, file: &str, synchronous: SqliteSynchronous) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(dir.join(file))
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(synchronous)
        .busy_timeout(BUSY_TIMEOUT)
        // Checkpoints are the folder's business: none may fall into a commit.
        .pragma("wal_autocheckpoint", "0")
        .pragma("journal_size_limit", WAL_BYTES_KEPT)
        .row_buffer_size(ROWS_AHEAD)
        .disable_statement_logging()
}

/// Opens a database, making it when it is not there, and brings its schema up to date.
async fn open_database(
    dir: &Path,
    file: &str,
    known: &'static [Migration],
) -> Result<SqliteConnection, OpenError> {
    let mut connection = options(dir, file, SqliteSynchronous::Full)
        .create_if_missing(true)
        .connect()
        .await
        .map_err(|error| fault::on_open(file, error))?;
    migrate(&mut connection, known)
        .await
        .map_err(|error| match error {
            MigrateError::Open(error) => error,
            MigrateError::Sql(error) => fault::on_open(file, error),
        })?;
    // The files themselves, not only what is in them, must survive a power cut.
    crate::data_dir::sync_dir(dir).map_err(|error| OpenError::Unavailable {
        doing: "make the database files durable",
        source: Box::new(error),
    })?;
    Ok(connection)
}

enum MigrateError {
    Open(OpenError),
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn migrate(
    connection: &mut SqliteConnection,
    known: &'static [Migration],
) -> Result<(), MigrateError> {
    sqlx::query(CREATE_SCHEMA_VERSION)
        .execute(&mut *connection)
        .await?;
    let newest = sqlx::query_as(NEWEST_VERSION)
        .fetch_optional(&mut *connection)
        .await?;
    for migration in still_to_run(known, newest).map_err(MigrateError::Open)? {
        let mut tx = connection.begin_with("BEGIN IMMEDIATE").await?;
        (&mut *tx).execute(migration.sql).await?;
        sqlx::query(NOTE_VERSION)
            .bind(i64::from(migration.version))
            .bind(BERTH_VERSION)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    Ok(())
}
