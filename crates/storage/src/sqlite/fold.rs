//! Folding the journal into the tables of `state.db`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::Ordering;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};
use sqlx::{Connection, Row, SqliteTransaction};
use tokio::sync::Mutex;

use super::load::changes_of;
use super::{JOURNAL_DB, STATE_DB, SqliteStore, close, connect};
use crate::error::{LoadError, OpenError, StoreError, damaged, unavailable};
use crate::folder::{FOLD_BYTES_MAX, FOLD_COMMITS_MAX, Folded};
use crate::overlay::{Newest, Overlay};

/// Records per statement: few statements for a large folding, and not many kinds of them.
const UPSERT_SIZES: [usize; 3] = [64, 8, 1];

/// Journal rows deleted in one transaction. A commit may wait for one such. Nothing is synced, but
/// each page of a row is looked at: with rows of ten pages this is half a millisecond.
const DELETED_AT_ONCE: i64 = 16;

/// A write-ahead log past this many pages (of 4 KiB) is made to start over, also while commits
/// never pause. Commits wait for the end of that: a moment's copying and a sync.
const WAL_PAGES_MAX: i64 = 4096;

/// Free pages in `journal.db` from which on it is made small again, and how many pages in use are
/// few enough for that: they are copied while commits wait.
const FREE_PAGES_MAX: i64 = 4096;
const PAGES_TO_COPY_MAX: i64 = 1024;

/// What the folder and the commits take turns in: writing to `journal.db`. SQLite's own lock would
/// keep them apart as well, but whoever waits for that sleeps and looks again, ever longer; here
/// the next in the queue goes on at once.
type Gate = Mutex<Option<SqliteConnection>>;

/// The folder's own connections.
#[derive(Debug)]
pub(super) struct Folder {
    /// Does not sync: the deletions that it makes become durable with the next commit, and
    /// deleting again after a crash does no harm.
    journal: SqliteConnection,
    state: SqliteConnection,
}

impl Folder {
    pub(super) async fn new(dir: &Path, state: SqliteConnection) -> Result<Self, OpenError> {
        let journal = connect(dir, JOURNAL_DB, SqliteSynchronous::Normal)
            .await
            .map_err(unavailable("open the journal"))?;
        Ok(Self { journal, state })
    }

    async fn reopen(dir: &Path) -> Result<Self, StoreError> {
        let open = unavailable("open the folder's databases");
        let journal = connect(dir, JOURNAL_DB, SqliteSynchronous::Normal)
            .await
            .map_err(&open)?;
        let state = connect(dir, STATE_DB, SqliteSynchronous::Full)
            .await
            .map_err(&open)?;
        Ok(Self { journal, state })
    }

    pub(super) async fn close(self) {
        close(self.journal).await;
        close(self.state).await;
    }

    pub(super) async fn folded_revision(&mut self) -> Result<u64, StoreError> {
        Ok(folded(&mut self.state).await?.0)
    }

    /// Folds one batch; also answers how many bytes of changes that was.
    async fn fold(
        &mut self,
        tables: &[&'static str],
        gate: &Gate,
    ) -> Result<(Folded, u64), LoadError> {
        let (revision, at) = folded(&mut self.state).await?;
        let mut overlay = Overlay::after(revision, at, tables);
        let (bytes, more) = self.read_batch(&mut overlay).await?;
        if overlay.revision > revision {
            self.write_batch(&overlay)
                .await
                .map_err(unavailable("write the tables"))?;
        }
        self.delete_folded(overlay.revision, gate)
            .await
            .map_err(unavailable("remove folded journal rows"))?;
        let rows = overlay.rows();
        let folded = Folded {
            rows,
            up_to_revision: overlay.revision,
            more,
        };
        Ok((folded, bytes))
    }

    /// Reads the next journal rows: their bytes, and whether there are more than a batch takes.
    async fn read_batch(&mut self, overlay: &mut Overlay) -> Result<(u64, bool), LoadError> {
        let failed = unavailable("read the journal");
        let mut rows = sqlx::query(
            "SELECT revision, at, changes FROM journal WHERE revision > $1 \
             ORDER BY revision LIMIT $2",
        )
        .bind(overlay.revision.cast_signed())
        .bind(FOLD_COMMITS_MAX)
        .fetch(&mut self.journal);
        let (mut count, mut bytes) = (0, 0);
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            let changes = changes_of(&row, 2).map_err(&failed)?;
            overlay.push(row.get::<i64, _>(0).cast_unsigned(), row.get(1), &changes)?;
            count += 1;
            bytes += changes.len();
            if bytes >= FOLD_BYTES_MAX {
                break;
            }
        }
        let more = bytes >= FOLD_BYTES_MAX || count == FOLD_COMMITS_MAX;
        Ok((u64::try_from(bytes).unwrap_or(u64::MAX), more))
    }

    async fn write_batch(&mut self, overlay: &Overlay) -> Result<(), sqlx::Error> {
        let mut tx = self.state.begin_with("BEGIN IMMEDIATE").await?;
        for (table, rows) in overlay.tables() {
            remove_rows(&mut tx, table, rows).await?;
            let put: Vec<_> = rows
                .iter()
                .filter_map(|(row, n)| Some((*row, n.key.as_str(), n.body.as_deref()?)))
                .collect();
            put_rows(&mut tx, table, &put).await?;
        }
        sqlx::query("UPDATE folded SET revision = $1, at = $2")
            .bind(overlay.revision.cast_signed())
            .bind(overlay.at)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .fetch_one(&mut self.state)
            .await?;
        Ok(())
    }

    async fn delete_folded(&mut self, up_to: u64, gate: &Gate) -> Result<(), sqlx::Error> {
        loop {
            let _turn = gate.lock().await;
            let deleted = sqlx::query(
                "DELETE FROM journal WHERE revision <= $1 AND revision < \
                 (SELECT MIN(revision) FROM journal) + $2",
            )
            .bind(up_to.cast_signed())
            .bind(DELETED_AT_ONCE)
            .execute(&mut self.journal)
            .await?;
            if deleted.rows_affected() == 0 {
                break;
            }
        }
        self.give_back_free_pages(gate).await?;
        // Most of the copying is done beside the commits; only what came meanwhile holds them up.
        let wal = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)")
            .fetch_one(&mut self.journal)
            .await?;
        if wal.get::<i64, _>(1) > WAL_PAGES_MAX {
            let _turn = gate.lock().await;
            sqlx::query("PRAGMA wal_checkpoint(RESTART)")
                .fetch_one(&mut self.journal)
                .await?;
        }
        Ok(())
    }
}

impl Folder {
    /// The pages of deleted rows are used again; but after a burst there are too many.
    async fn give_back_free_pages(&mut self, gate: &Gate) -> Result<(), sqlx::Error> {
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count")
            .fetch_one(&mut self.journal)
            .await?;
        if free <= FREE_PAGES_MAX {
            return Ok(());
        }
        let all: i64 = sqlx::query_scalar("PRAGMA page_count")
            .fetch_one(&mut self.journal)
            .await?;
        if all - free <= PAGES_TO_COPY_MAX {
            let _turn = gate.lock().await;
            sqlx::query("VACUUM").execute(&mut self.journal).await?;
        }
        Ok(())
    }
}

pub(super) async fn folded(state: &mut SqliteConnection) -> Result<(u64, i64), StoreError> {
    let row = sqlx::query("SELECT revision, at FROM folded")
        .fetch_one(state)
        .await
        .map_err(unavailable("read how far the journal is folded"))?;
    Ok((row.get::<i64, _>(0).cast_unsigned(), row.get(1)))
}

async fn remove_rows(
    tx: &mut SqliteTransaction<'_>,
    table: &str,
    rows: &BTreeMap<i64, Newest>,
) -> Result<(), sqlx::Error> {
    let delete = format!("DELETE FROM {table} WHERE row = $1");
    for (row, _) in rows.iter().filter(|(_, newest)| newest.body.is_none()) {
        sqlx::query(&delete).bind(row).execute(&mut **tx).await?;
    }
    Ok(())
}

pub(super) async fn put_rows(
    tx: &mut SqliteConnection,
    table: &str,
    mut rest: &[(i64, &str, &str)],
) -> Result<(), sqlx::Error> {
    for size in UPSERT_SIZES {
        let insert = format!(
            "INSERT OR REPLACE INTO {table} (row, key, body) VALUES {}",
            vec!["(?, ?, ?)"; size].join(", ")
        );
        while rest.len() >= size {
            let (batch, after) = rest.split_at(size);
            let mut query = sqlx::query(&insert);
            for (row, key, body) in batch {
                query = query.bind(*row).bind(*key).bind(*body);
            }
            query.execute(&mut *tx).await?;
            rest = after;
        }
    }
    Ok(())
}

impl SqliteStore {
    pub(crate) async fn fold_once(&self) -> Result<Folded, LoadError> {
        let mut slot = self.folder.lock().await;
        let mut folder = match slot.take() {
            Some(folder) => folder,
            None => Folder::reopen(self.dir.path()).await?,
        };
        // On failure, or when this future is dropped, the connections go with it.
        let (folded, bytes) = folder.fold(self.tables, &self.writer).await?;
        *slot = Some(folder);
        let less = |backlog: u64| Some(backlog.saturating_sub(bytes));
        let (set, fetch) = (Ordering::Relaxed, Ordering::Relaxed);
        // Always succeeds: `less` always answers.
        let _ = self.backlog_bytes.fetch_update(set, fetch, less);
        Ok(folded)
    }

    pub(crate) async fn folded_revision(&self) -> Result<u64, StoreError> {
        let mut state = connect(self.dir.path(), STATE_DB, SqliteSynchronous::Full)
            .await
            .map_err(unavailable("open the tables"))?;
        Ok(folded(&mut state).await?.0)
    }

    pub(crate) async fn set_aside(&self, table: &str, key: &str) -> Result<bool, LoadError> {
        let mut slot = self.folder.lock().await;
        let mut folder = match slot.take() {
            Some(folder) => folder,
            None => Folder::reopen(self.dir.path()).await?,
        };
        let found = folder
            .set_aside(self.tables, table, key, &self.writer)
            .await?;
        *slot = Some(folder);
        Ok(found)
    }
}

impl Folder {
    async fn set_aside(
        &mut self,
        tables: &[&'static str],
        table: &str,
        key: &str,
        gate: &Gate,
    ) -> Result<bool, LoadError> {
        if table == "journal" {
            return self.set_commit_aside(key).await;
        }
        if !tables.contains(&table) {
            return Ok(false);
        }
        // The unreadable form may still be in the journal alone.
        while self.fold(tables, gate).await?.0.more {}
        let failed = unavailable("set a record aside");
        let mut tx = self
            .state
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&failed)?;
        let kept = sqlx::query(&format!(
            "INSERT INTO set_aside (table_name, row, key, body, revision) \
             SELECT $1, row, key, body, (SELECT revision FROM folded) FROM {table} WHERE key = $2"
        ))
        .bind(table)
        .bind(key)
        .execute(&mut *tx)
        .await
        .map_err(&failed)?;
        sqlx::query(&format!("DELETE FROM {table} WHERE key = $1"))
            .bind(key)
            .execute(&mut *tx)
            .await
            .map_err(&failed)?;
        tx.commit().await.map_err(&failed)?;
        Ok(kept.rows_affected() > 0)
    }

    /// Keeps an unreadable commit's text, then makes it an empty commit. A crash between the two
    /// keeps the text twice, which harms nobody.
    async fn set_commit_aside(&mut self, revision: &str) -> Result<bool, LoadError> {
        let Ok(revision) = revision.parse::<i64>() else {
            return Ok(false);
        };
        let failed = unavailable("set a commit aside");
        let found = sqlx::query("SELECT changes FROM journal WHERE revision = $1")
            .bind(revision)
            .fetch_optional(&mut self.journal)
            .await
            .map_err(&failed)?;
        let Some(found) = found else { return Ok(false) };
        let changes: &[u8] = found
            .try_get_unchecked(0)
            .map_err(|_| damaged(format!("the changes of revision {revision} are not text")))?;
        sqlx::query(
            "INSERT INTO set_aside (table_name, row, key, body, revision) \
             SELECT 'journal', $1, $2, CAST($3 AS TEXT), revision FROM folded",
        )
        .bind(revision)
        .bind(revision.to_string())
        .bind(changes)
        .execute(&mut self.state)
        .await
        .map_err(&failed)?;
        sqlx::query("UPDATE journal SET changes = '[]' WHERE revision = $1")
            .bind(revision)
            .execute(&mut self.journal)
            .await
            .map_err(&failed)?;
        Ok(true)
    }
}
