//! Writing whole states into the tables.

use sqlx::Transaction;

use super::PostgresStore;
use crate::error::{BoxError, StoreError, unavailable};
use crate::hand_out::{Flush, RowSink, Waiting};
use crate::store::{Epoch, Loaded, LoadedRow};

/// Rows on their way into the tables, in one transaction.
#[derive(Debug)]
pub(crate) struct PostgresSink {
    tx: Transaction<'static, sqlx::Postgres>,
    waiting: Waiting,
}

impl RowSink for PostgresSink {
    fn row(&mut self, row: LoadedRow<'_>) -> Result<(), BoxError> {
        self.waiting.push(row);
        Ok(())
    }

    fn flush(&mut self) -> Flush<'_> {
        Box::pin(async {
            let waiting = std::mem::take(&mut self.waiting);
            for (table, rows) in waiting.by_table() {
                let numbers: Vec<i64> = rows.iter().map(|(row, _, _)| *row).collect();
                let keys: Vec<&str> = rows.iter().map(|(_, key, _)| *key).collect();
                let bodies: Vec<&str> = rows.iter().map(|(_, _, body)| *body).collect();
                let insert = format!(
                    "INSERT INTO {table} (row, key, body) SELECT row, key, body::jsonb \
                     FROM UNNEST($1::bigint[], $2::text[], $3::text[]) AS r (row, key, body)"
                );
                sqlx::query(&insert)
                    .bind(numbers)
                    .bind(keys)
                    .bind(bodies)
                    .execute(&mut *self.tx)
                    .await?;
            }
            Ok(())
        })
    }
}

impl PostgresStore {
    /// Begins to write a whole state into an empty store.
    pub(crate) async fn sink(&self) -> Result<PostgresSink, StoreError> {
        let tx = self
            .pool
            .begin()
            .await
            .map_err(unavailable("write the tables"))?;
        Ok(PostgresSink {
            tx,
            waiting: Waiting::default(),
        })
    }

    /// Notes durably that this store is being filled: until that is over, it does not open.
    pub(crate) async fn mark_filling(&self, what: &str) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO filling (id, what) VALUES (1, $1) \
             ON CONFLICT (id) DO UPDATE SET what = excluded.what",
        )
        .bind(what)
        .execute(&self.pool)
        .await
        .map_err(unavailable("mark the store as being filled"))?;
        Ok(())
    }

    /// Ends the writing: all rows are there, or none.
    pub(crate) async fn finish(
        &self,
        mut sink: PostgresSink,
        loaded: &Loaded,
        epoch: Epoch,
    ) -> Result<(), StoreError> {
        let failed = unavailable("write the tables");
        let at = loaded.at.as_millis();
        for statement in [
            "UPDATE folded SET revision = $1, at = $2 WHERE $3 >= 0",
            "UPDATE lease SET revision = $1, at = $2, epoch = $3",
            "DELETE FROM filling WHERE $1 + $2 + $3 IS NOT NULL",
        ] {
            sqlx::query(statement)
                .bind(loaded.revision.cast_signed())
                .bind(at)
                .bind(epoch.0.cast_signed())
                .execute(&mut *sink.tx)
                .await
                .map_err(&failed)?;
        }
        sink.tx.commit().await.map_err(&failed)
    }

    pub(crate) async fn lease_epoch(&self) -> Result<Epoch, StoreError> {
        let epoch: i64 = sqlx::query_scalar("SELECT epoch FROM lease")
            .fetch_one(&self.pool)
            .await
            .map_err(unavailable("read the lease row"))?;
        Ok(Epoch(epoch.cast_unsigned()))
    }
}
