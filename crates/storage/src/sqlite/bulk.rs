//! Writing whole states: into the embedded store, and into a backup file.
//!
//! A backup file is a `state.db` with everything folded, the log events, and one table more,
//! `backup`.

use std::path::Path;

use berth_model::log::LogGroupKey;
use berth_model::time::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Row};

use super::fold::{folded, put_rows};
use super::{JOURNAL_DB, MigrateError, STATE_DB, SqliteStore, connect, fault, migrate};
use crate::error::{BoxError, LoadError, OpenError, StoreError, damaged, unavailable};
use crate::hand_out::{Flush, HandOut, RowSink, Waiting};
use crate::log::{LogEvent, Position};
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

/// Log events per statement.
const EVENTS_PER_INSERT: usize = 64;

/// Log events, and the bytes of their messages, that reading a backup hands out at once.
const EVENTS_READ_MAX: usize = 20_000;
const EVENT_BYTES_READ_MAX: usize = 8 << 20;

impl SqliteSink {
    /// Adds log events of a group.
    pub(crate) async fn put_events(
        &mut self,
        group: &LogGroupKey,
        events: &[LogEvent],
    ) -> Result<(), StoreError> {
        let failed = unavailable("write log events");
        let key = serde_json::to_string(group).expect("a key is plain strings");
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO event_group (id, key) VALUES \
             ((SELECT id FROM event_group WHERE key = $1), $1) \
             ON CONFLICT (id) DO UPDATE SET key = excluded.key RETURNING id",
        )
        .bind(key)
        .fetch_one(&mut self.connection)
        .await
        .map_err(&failed)?;
        for events in events.chunks(EVENTS_PER_INSERT) {
            let insert = format!(
                "INSERT INTO log_event (group_id, at, sequence, stream, ingested_at, message) \
                 VALUES {}",
                vec!["(?, ?, ?, ?, ?, ?)"; events.len()].join(", ")
            );
            let mut query = sqlx::query(&insert);
            for event in events {
                query = query
                    .bind(id)
                    .bind(event.position.timestamp.as_millis())
                    .bind(event.position.sequence.cast_signed())
                    .bind(event.stream.as_ref())
                    .bind(event.ingested_at.as_millis())
                    .bind(event.message.as_str());
            }
            query.execute(&mut self.connection).await.map_err(&failed)?;
        }
        Ok(())
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

    /// Notes durably that this store is being filled: until that is over, it does not open.
    pub(crate) async fn mark_filling(&self, what: &str) -> Result<(), StoreError> {
        let failed = unavailable("mark the store as being filled");
        let mut journal = connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(&failed)?;
        sqlx::query("INSERT OR REPLACE INTO filling (id, what) VALUES (1, $1)")
            .bind(what)
            .execute(&mut journal)
            .await
            .map_err(&failed)?;
        super::close(journal).await;
        Ok(())
    }

    /// Ends the writing: the tables first, then the lease row and the end of the mark.
    pub(crate) async fn finish(
        &self,
        sink: SqliteSink,
        loaded: &Loaded,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let failed = unavailable("write the lease row");
        let mut journal = connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(unavailable("open the journal"))?;
        let state = sink
            .commit(loaded)
            .await
            .map_err(unavailable("write the tables"))?;
        let mut tx = journal
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&failed)?;
        sqlx::query("UPDATE lease SET revision = $1, at = $2, epoch = $3")
            .bind(loaded.revision.cast_signed())
            .bind(loaded.at.as_millis())
            .bind(epoch.0.cast_signed())
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        sqlx::query("DELETE FROM filling")
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
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

impl BackupFile {
    /// The log events after row `next`, which then becomes the last of them: some of one group;
    /// `None` at the end.
    pub(crate) async fn next_events(
        &mut self,
        next: &mut i64,
    ) -> Result<Option<(LogGroupKey, Vec<LogEvent>)>, StoreError> {
        use futures_util::TryStreamExt;
        let failed = unavailable("read the backup's log events");
        let mut rows = sqlx::query(
            "SELECT e.rowid, e.group_id, g.key, at, sequence, stream, ingested_at, message \
             FROM log_event e JOIN event_group g ON g.id = e.group_id \
             WHERE e.rowid > $1 ORDER BY e.rowid LIMIT $2",
        )
        .bind(*next)
        .bind(i64::try_from(EVENTS_READ_MAX).unwrap_or(i64::MAX))
        .fetch(&mut self.0);
        let mut of: Option<(i64, LogGroupKey)> = None;
        let mut events = Vec::new();
        let mut bytes = 0;
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let group: i64 = row.get(1);
            match &of {
                Some((first, _)) if *first != group => break,
                Some(_) => {}
                None => {
                    let key = serde_json::from_str(row.get(2));
                    let key = key.map_err(|error| StoreError::Damaged {
                        what: format!("the key of the log group in row {group}"),
                        source: Some(Box::new(error)),
                    })?;
                    of = Some((group, key));
                }
            }
            let message: String = row.try_get(7).map_err(&failed)?;
            bytes += message.len();
            *next = row.get(0);
            events.push(LogEvent {
                position: Position {
                    timestamp: Timestamp::from_millis(row.get(3)),
                    sequence: row.get::<i64, _>(4).cast_unsigned(),
                },
                stream: row.try_get::<&str, _>(5).map_err(&failed)?.into(),
                ingested_at: Timestamp::from_millis(row.get(6)),
                message,
            });
            if bytes >= EVENT_BYTES_READ_MAX {
                break;
            }
        }
        Ok(of.map(|(_, key)| (key, events)))
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
