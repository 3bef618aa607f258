//! Writing whole states: into the embedded store, and into a backup file.
//!
//! A backup file is a `state.db` with everything folded, and one table more, `backup`.

use std::path::Path;

use berth_model::time::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::fold::{folded, put_rows};
use super::{JOURNAL_DB, MigrateError, STATE_DB, SqliteStore, connect, fault, migrate};
use crate::error::{BoxError, LoadError, OpenError, StoreError, damaged, unavailable};
use crate::hand_out::{Flush, HandOut, RowSink, Waiting};
use crate::migration::SQLITE_STATE;
use crate::store::{Epoch, Loaded, LoadedRow};

/// Rows on their way into the tables of a SQLite database, in one transaction.
#[derive(Debug)]
pub(crate) struct SqliteSink {
    connection: SqliteConnection,
    waiting: Waiting,
}

impl SqliteSink {
    async fn begin(mut connection: SqliteConnection) -> Result<Self, sqlx::Error> {
        sqlx::query("BEGIN IMMEDIATE")
            .execute(&mut connection)
            .await?;
        Ok(Self {
            connection,
            waiting: Waiting::default(),
        })
    }

    /// Notes the revision and makes everything durable.
    async fn commit(mut self, loaded: &Loaded) -> Result<SqliteConnection, sqlx::Error> {
        sqlx::query("UPDATE folded SET revision = $1, at = $2")
            .bind(loaded.revision.cast_signed())
            .bind(loaded.at.as_millis())
            .execute(&mut self.connection)
            .await?;
        sqlx::query("COMMIT").execute(&mut self.connection).await?;
        Ok(self.connection)
    }
}

impl RowSink for SqliteSink {
    fn row(&mut self, row: LoadedRow<'_>) -> Result<(), BoxError> {
        self.waiting.push(row);
        Ok(())
    }

    fn flush(&mut self) -> Flush<'_> {
        Box::pin(async {
            let waiting = std::mem::take(&mut self.waiting);
            for (table, rows) in waiting.by_table() {
                put_rows(&mut self.connection, table, &rows).await?;
            }
            Ok(())
        })
    }
}

impl SqliteStore {
    /// Begins to write a whole state into an empty store.
    pub(crate) async fn sink(&self) -> Result<SqliteSink, StoreError> {
        let failed = unavailable("write the tables");
        let state = connect(self.dir.path(), STATE_DB, SqliteSynchronous::Full)
            .await
            .map_err(&failed)?;
        SqliteSink::begin(state).await.map_err(&failed)
    }

    /// Ends the writing. The lease row comes first: a crash between the two leaves a store that
    /// says that it is damaged, and not one that seems empty.
    pub(crate) async fn finish(
        &self,
        sink: SqliteSink,
        loaded: &Loaded,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let mut journal = connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(unavailable("open the journal"))?;
        sqlx::query("UPDATE lease SET revision = $1, at = $2, epoch = $3")
            .bind(loaded.revision.cast_signed())
            .bind(loaded.at.as_millis())
            .bind(epoch.0.cast_signed())
            .execute(&mut journal)
            .await
            .map_err(unavailable("write the lease row"))?;
        let state = sink
            .commit(loaded)
            .await
            .map_err(unavailable("write the tables"))?;
        super::close(state).await;
        super::close(journal).await;
        Ok(())
    }

    pub(crate) async fn lease_epoch(&self) -> Result<Epoch, StoreError> {
        let open = unavailable("read the lease row");
        let mut journal = connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(&open)?;
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM lease")
            .fetch_one(&mut journal)
            .await
            .map_err(&open)?;
        Ok(Epoch(epoch.cast_unsigned()))
    }
}

/// A backup file.
#[derive(Debug)]
pub(crate) struct BackupFile(SqliteConnection);

impl BackupFile {
    /// Makes a file, to be filled.
    pub(crate) async fn create(path: &Path) -> Result<SqliteSink, OpenError> {
        create_private(path).map_err(|error| OpenError::Unavailable {
            doing: "make the backup file",
            source: error.into(),
        })?;
        let mut connection = Self::connect(path).await?;
        migrate(&mut connection, SQLITE_STATE)
            .await
            .map_err(|error| on_migrate(path, error))?;
        let failed = |error| fault::on_open(&path.display().to_string(), error);
        sqlx::query("CREATE TABLE backup (epoch INTEGER NOT NULL)")
            .execute(&mut connection)
            .await
            .map_err(failed)?;
        SqliteSink::begin(connection).await.map_err(failed)
    }

    /// Ends the filling; the file is complete and durable.
    pub(crate) async fn finish(
        mut sink: SqliteSink,
        loaded: &Loaded,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let failed = unavailable("write the backup");
        sqlx::query("INSERT INTO backup (epoch) VALUES ($1)")
            .bind(epoch.0.cast_signed())
            .execute(&mut sink.connection)
            .await
            .map_err(&failed)?;
        let connection = sink.commit(loaded).await.map_err(&failed)?;
        connection.close().await.map_err(&failed)
    }

    /// Opens a complete file.
    pub(crate) async fn open(path: &Path) -> Result<Self, OpenError> {
        let mut connection = Self::connect(path).await?;
        // Brings an older Berth's backup up to date, and refuses a newer one's.
        migrate(&mut connection, SQLITE_STATE)
            .await
            .map_err(|error| on_migrate(path, error))?;
        Ok(Self(connection))
    }

    async fn connect(path: &Path) -> Result<SqliteConnection, OpenError> {
        SqliteConnectOptions::new()
            .filename(path)
            // One file, with nothing beside it.
            .journal_mode(SqliteJournalMode::Delete)
            .synchronous(SqliteSynchronous::Full)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|error| fault::on_open(&path.display().to_string(), error))
    }

    /// Hands out all that is in it, and the epoch of its time.
    pub(crate) async fn read<S: RowSink>(
        &mut self,
        tables: &[&'static str],
        sink: &mut S,
    ) -> Result<(Loaded, Epoch), LoadError> {
        use futures_util::TryStreamExt;
        let failed = unavailable("read the backup");
        let epoch: Option<i64> = sqlx::query_scalar("SELECT epoch FROM backup")
            .fetch_optional(&mut self.0)
            .await
            .map_err(&failed)?;
        let epoch = epoch.ok_or_else(|| damaged("the backup was never completed"))?;
        let (revision, at) = folded(&mut self.0).await?;
        let mut out = HandOut::to(sink);
        for table in tables {
            let select = format!("SELECT row, key, body FROM {table}");
            let mut stored = sqlx::query(&select).fetch(&mut self.0);
            while let Some(found) = stored.try_next().await.map_err(&failed)? {
                out.stored(table, found.get(0), found.try_get(1), found.try_get(2))
                    .await?;
            }
        }
        let rows = out.finish().await?;
        let loaded = Loaded {
            revision,
            at: Timestamp::from_millis(at),
            rows,
        };
        Ok((loaded, Epoch(epoch.cast_unsigned())))
    }
}

/// Makes an empty file that only its owner can read: task definitions may hold secrets.
fn create_private(path: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

fn on_migrate(path: &Path, error: MigrateError) -> OpenError {
    match error {
        MigrateError::Open(error) => error,
        MigrateError::Sql(error) => fault::on_open(&path.display().to_string(), error),
    }
}
