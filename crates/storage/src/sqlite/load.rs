//! Loading: the tables, and the journal after them laid over.

use std::borrow::Cow;

use berth_model::time::Timestamp;
use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteSynchronous};
use sqlx::{Connection, Row};

use super::{JOURNAL_DB, STATE_DB, SqliteStore, close, connect, fold, lease_revision};
use crate::error::{LoadError, unavailable};
use crate::hand_out::{HandOut, RowSink};
use crate::overlay::Overlay;
use crate::store::{Loaded, Tail};
use crate::tail::{Collected, TAIL_COMMITS_MAX};

impl SqliteStore {
    pub(crate) async fn load<S: RowSink>(&self, sink: &mut S) -> Result<Loaded, LoadError> {
        let open = unavailable("open the databases");
        let dir = self.dir.path();
        let mut journal = connect(dir, JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(&open)?;
        let mut state = connect(dir, STATE_DB, SqliteSynchronous::Full)
            .await
            .map_err(&open)?;
        let loaded = load(&mut journal, &mut state, self.tables, sink).await;
        close(journal).await;
        close(state).await;
        loaded
    }

    pub(crate) async fn tail(&self, after: u64) -> Result<Tail, LoadError> {
        let failed = unavailable("read the journal");
        let mut journal = connect(self.dir.path(), JOURNAL_DB, SqliteSynchronous::Full)
            .await
            .map_err(&failed)?;
        let mut snapshot = journal.begin().await.map_err(&failed)?;
        let committed = lease_revision(&mut snapshot).await?;
        let mut collected = Collected::after(after);
        let rows = sqlx::query(
            "SELECT revision, epoch, at, changes FROM journal WHERE revision > $1 \
             ORDER BY revision LIMIT $2",
        )
        .bind(after.cast_signed())
        .bind(TAIL_COMMITS_MAX)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(&failed)?;
        for row in rows {
            let changes = changes_of(&row, 3).map_err(&failed)?;
            collected.push((row.get(0), row.get(1), row.get(2)), &changes, self.tables)?;
        }
        collected.finish(committed)
    }
}

async fn load<S: RowSink>(
    journal: &mut SqliteConnection,
    state: &mut SqliteConnection,
    tables: &[&'static str],
    sink: &mut S,
) -> Result<Loaded, LoadError> {
    let failed = unavailable("read the databases");
    // The journal's snapshot comes first. If the folder goes on between the two, the tables are
    // ahead of this journal, which then has nothing to add. The other way round, journal rows
    // that our tables lack might be gone.
    let mut journal = journal.begin().await.map_err(&failed)?;
    let committed = lease_revision(&mut journal).await?;
    let mut state = state.begin().await.map_err(&failed)?;
    let (folded, at) = fold::folded(&mut state).await?;

    let mut overlay = Overlay::after(folded, at, tables);
    read_journal(&mut journal, &mut overlay).await?;
    overlay.must_reach(committed)?;

    let mut out = HandOut::to(sink);
    for (table, changed) in overlay.tables() {
        let select = format!("SELECT row, key, body FROM {table}");
        let mut stored = sqlx::query(&select).fetch(&mut *state);
        while let Some(found) = stored.try_next().await.map_err(&failed)? {
            let row = found.get(0);
            if !changed.contains_key(&row) {
                out.stored(table, row, found.try_get(1), found.try_get(2))
                    .await?;
            }
        }
        out.changed(table, changed).await?;
    }
    let rows = out.finish().await?;
    Ok(Loaded {
        revision: overlay.revision,
        at: Timestamp::from_millis(overlay.at),
        rows,
    })
}

/// Lays all journal rows after the overlay's revision over it.
async fn read_journal(
    journal: &mut SqliteConnection,
    overlay: &mut Overlay,
) -> Result<(), LoadError> {
    let failed = unavailable("read the journal");
    let mut rows = sqlx::query(
        "SELECT revision, at, changes FROM journal WHERE revision > $1 ORDER BY revision",
    )
    .bind(overlay.revision.cast_signed())
    .fetch(journal);
    while let Some(row) = rows.try_next().await.map_err(&failed)? {
        let revision: i64 = row.get(0);
        let changes = changes_of(&row, 2).map_err(&failed)?;
        overlay.push(revision.cast_unsigned(), row.get(1), &changes)?;
    }
    Ok(())
}

/// The text of a journal row's changes. Where it is not UTF-8, it is not JSON either, and the
/// parser will say so.
pub(super) fn changes_of(row: &SqliteRow, column: usize) -> Result<Cow<'_, str>, sqlx::Error> {
    Ok(String::from_utf8_lossy(row.try_get_unchecked(column)?))
}
