//! Folding the journal into the tables, within the database.

use std::time::Duration;

use sqlx::{PgConnection, Row};
use tokio::time::Instant;

use super::PostgresStore;
use crate::error::{LoadError, StoreError, unavailable};
use crate::folder::{FOLD_BYTES_MAX, FOLD_COMMITS_MAX, Folded};

/// Folded journal rows stay this long, for standbys that follow it. One that looks less often
/// loads anew.
const KEPT_FOR_STANDBYS: Duration = Duration::from_secs(30);

impl PostgresStore {
    pub(crate) async fn fold_once(&self) -> Result<Folded, LoadError> {
        let failed = unavailable("fold the journal");
        let mut tx = self.pool.begin().await.map_err(&failed)?;
        // The row's lock keeps a second folder out, such as that of a server just deposed.
        let folded: i64 = sqlx::query_scalar("SELECT revision FROM folded FOR UPDATE")
            .fetch_one(&mut *tx)
            .await
            .map_err(&failed)?;
        let batch = next_batch(&mut tx, folded).await.map_err(&failed)?;
        let mut rows = 0;
        if let Some(last) = batch.last {
            let done: i64 = sqlx::query_scalar(&fold_statement(self.tables))
                .bind(folded)
                .bind(last)
                .fetch_one(&mut *tx)
                .await
                .map_err(&failed)?;
            rows = usize::try_from(done).unwrap_or(0);
        }
        tx.commit().await.map_err(&failed)?;

        let up_to = batch.last.unwrap_or(folded).cast_unsigned();
        self.remove_old(up_to)
            .await
            .map_err(unavailable("remove folded journal rows"))?;
        Ok(Folded {
            rows,
            up_to_revision: up_to,
            more: batch.more,
        })
    }

    pub(crate) async fn folded_revision(&self) -> Result<u64, StoreError> {
        let revision: i64 = sqlx::query_scalar("SELECT revision FROM folded")
            .fetch_one(&self.pool)
            .await
            .map_err(unavailable("read how far the journal is folded"))?;
        Ok(revision.cast_unsigned())
    }

    async fn remove_old(&self, up_to: u64) -> Result<(), sqlx::Error> {
        let mut folded = self.folded.lock().await;
        let now = Instant::now();
        if folded.back().is_none_or(|(_, last)| *last < up_to) {
            folded.push_back((now, up_to));
        }
        let old = folded
            .iter()
            .take_while(|(at, _)| now - *at >= KEPT_FOR_STANDBYS)
            .count();
        let Some((_, revision)) = folded.iter().take(old).next_back().copied() else {
            return Ok(());
        };
        sqlx::query("DELETE FROM journal WHERE revision <= $1")
            .bind(revision.cast_signed())
            .execute(&self.pool)
            .await?;
        folded.drain(..old);
        Ok(())
    }

    pub(crate) async fn set_aside(&self, table: &str, key: &str) -> Result<bool, LoadError> {
        let failed = unavailable("set a record aside");
        if table == "journal" {
            let Ok(revision) = key.parse::<i64>() else {
                return Ok(false);
            };
            let kept = sqlx::query(
                "WITH emptied AS (\
                 UPDATE journal SET changes = '[]' FROM journal was \
                 WHERE journal.revision = $1 AND was.revision = $1 RETURNING was.changes) \
                 INSERT INTO set_aside (table_name, row, key, body, revision) \
                 SELECT 'journal', $1, $2, changes, (SELECT revision FROM folded) FROM emptied",
            )
            .bind(revision)
            .bind(key)
            .execute(&self.pool)
            .await
            .map_err(&failed)?;
            return Ok(kept.rows_affected() > 0);
        }
        if !self.tables.contains(&table) {
            return Ok(false);
        }
        // The unreadable form may still be in the journal alone.
        while self.fold_once().await?.more {}
        let kept = sqlx::query(&format!(
            "WITH gone AS (DELETE FROM {table} WHERE key = $2 RETURNING row, key, body) \
             INSERT INTO set_aside (table_name, row, key, body, revision) \
             SELECT $1, row, key, body, (SELECT revision FROM folded) FROM gone"
        ))
        .bind(table)
        .bind(key)
        .execute(&self.pool)
        .await
        .map_err(&failed)?;
        Ok(kept.rows_affected() > 0)
    }
}

/// The journal rows of one folding: up to which revision, and whether more follow.
struct Batch {
    last: Option<i64>,
    more: bool,
}

async fn next_batch(connection: &mut PgConnection, folded: i64) -> Result<Batch, sqlx::Error> {
    let sizes = sqlx::query(
        "SELECT revision, pg_column_size(changes) FROM journal WHERE revision > $1 \
         ORDER BY revision LIMIT $2",
    )
    .bind(folded)
    .bind(FOLD_COMMITS_MAX)
    .fetch_all(connection)
    .await?;
    let mut bytes = 0;
    let taken = sizes.iter().take_while(|row| {
        let full = bytes >= FOLD_BYTES_MAX;
        bytes += usize::try_from(row.get::<i32, _>(1)).unwrap_or(0);
        !full
    });
    let revisions: Vec<i64> = taken.map(|row| row.get(0)).collect();
    let stopped_early = revisions.len() < sizes.len();
    let full = i64::try_from(sizes.len()).is_ok_and(|count| count == FOLD_COMMITS_MAX);
    Ok(Batch {
        last: revisions.last().copied(),
        more: stopped_early || full,
    })
}

/// One statement that folds the revisions after `$1` up to `$2` and answers how many records
/// that touched. `newest` is the last form of each record in that range.
fn fold_statement(tables: &[&str]) -> String {
    let mut sql = String::from(
        "WITH newest AS MATERIALIZED (\
         SELECT DISTINCT ON (entry->>0, (entry->>1)::bigint) entry->>0 AS table_name, \
         (entry->>1)::bigint AS row, entry->>2 AS key, entry->3 AS body \
         FROM journal, jsonb_array_elements(changes) WITH ORDINALITY AS e (entry, place) \
         WHERE revision > $1 AND revision <= $2 \
         ORDER BY entry->>0, (entry->>1)::bigint, revision DESC, place DESC)",
    );
    for table in tables {
        sql.push_str(&format!(
            ", removed_{table} AS (DELETE FROM {table} USING newest n \
             WHERE n.table_name = '{table}' AND n.row = {table}.row \
             AND jsonb_typeof(n.body) = 'null'), \
             put_{table} AS (INSERT INTO {table} (row, key, body) \
             SELECT row, key, body FROM newest \
             WHERE table_name = '{table}' AND jsonb_typeof(body) <> 'null' \
             ON CONFLICT (row) DO UPDATE SET key = excluded.key, body = excluded.body)"
        ));
    }
    sql.push_str(
        ", noted AS (UPDATE folded SET revision = $2, \
         at = (SELECT at FROM journal WHERE revision = $2)) \
         SELECT COUNT(*) FROM newest",
    );
    sql
}
