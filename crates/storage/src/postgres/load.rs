//! Loading: the tables, and the journal after them laid over, all as of one instant.

use berth_model::time::Timestamp;
use futures_util::TryStreamExt;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::time::timeout;

use super::copy::CopiedRows;
use super::{CONNECT_TIMEOUT, PostgresStore};
use crate::error::{LoadError, StoreError, unavailable};
use crate::hand_out::{HandOut, RowSink};
use crate::overlay::Overlay;
use crate::store::{Loaded, Tail};
use crate::tail::{Collected, TAIL_COMMITS_MAX};

const ONE_INSTANT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

impl PostgresStore {
    pub(crate) async fn load<S: RowSink>(&self, sink: &mut S) -> Result<Loaded, LoadError> {
        let failed = unavailable("read the database");
        // A connection of its own: one on which a copy was cut short is good for nothing.
        let connected = timeout(CONNECT_TIMEOUT, self.options.connect()).await;
        let late = |_| StoreError::Unavailable {
            doing: "read the database",
            source: "the database did not answer in time".into(),
        };
        let mut connection = connected.map_err(late)?.map_err(&failed)?;
        let mut snapshot = connection.begin_with(ONE_INSTANT).await.map_err(&failed)?;
        let committed = committed_revision(&mut snapshot).await?;
        let (folded, at): (i64, i64) = sqlx::query_as("SELECT revision, at FROM folded")
            .fetch_one(&mut *snapshot)
            .await
            .map_err(&failed)?;

        let mut overlay = Overlay::after(folded.cast_unsigned(), at, self.tables);
        read_journal(&mut snapshot, &mut overlay).await?;
        overlay.must_reach(committed)?;

        let mut out = HandOut::to(sink);
        for (table, changed) in overlay.tables() {
            let copy = format!(
                "COPY (SELECT row, key, body::text FROM {table}) TO STDOUT (FORMAT binary)"
            );
            let mut messages = snapshot.copy_out_raw(&copy).await.map_err(&failed)?;
            let mut stored = CopiedRows::default();
            while let Some(message) = messages.try_next().await.map_err(&failed)? {
                stored.feed(&message);
                while let Some(found) = stored.next_row()? {
                    if !changed.contains_key(&found.row) {
                        out.stored(table, found.row, text(found.key), text(found.body))
                            .await?;
                    }
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

    pub(crate) async fn tail(&self, after: u64) -> Result<Tail, LoadError> {
        let failed = unavailable("read the journal");
        let mut snapshot = self.pool.begin_with(ONE_INSTANT).await.map_err(&failed)?;
        let committed = committed_revision(&mut snapshot).await?;
        let mut collected = Collected::after(after);
        let rows = sqlx::query(
            "SELECT revision, epoch, at, changes::text FROM journal WHERE revision > $1 \
             ORDER BY revision LIMIT $2",
        )
        .bind(after.cast_signed())
        .bind(TAIL_COMMITS_MAX)
        .fetch_all(&mut *snapshot)
        .await
        .map_err(&failed)?;
        for row in rows {
            collected.push(
                (row.get(0), row.get(1), row.get(2)),
                row.get(3),
                self.tables,
            )?;
        }
        collected.finish(committed)
    }
}

fn text(bytes: &[u8]) -> Result<&str, sqlx::Error> {
    str::from_utf8(bytes).map_err(|error| sqlx::Error::Decode(error.into()))
}

async fn committed_revision(connection: &mut PgConnection) -> Result<u64, StoreError> {
    let revision: i64 = sqlx::query_scalar("SELECT revision FROM lease")
        .fetch_one(connection)
        .await
        .map_err(unavailable("read the lease row"))?;
    Ok(revision.cast_unsigned())
}

/// Lays all journal rows after the overlay's revision over it.
async fn read_journal(
    connection: &mut PgConnection,
    overlay: &mut Overlay,
) -> Result<(), LoadError> {
    let failed = unavailable("read the journal");
    let mut rows = sqlx::query(
        "SELECT revision, at, changes::text FROM journal WHERE revision > $1 ORDER BY revision",
    )
    .bind(overlay.revision.cast_signed())
    .fetch(connection);
    while let Some(row) = rows.try_next().await.map_err(&failed)? {
        overlay.push(row.get::<i64, _>(0).cast_unsigned(), row.get(1), row.get(2))?;
    }
    Ok(())
}
