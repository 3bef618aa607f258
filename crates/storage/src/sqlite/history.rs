//! Stopped tasks kept in `state.db`, over a connection of their own.

use berth_model::time::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteSynchronous};
use sqlx::{Connection, QueryBuilder, Row, Sqlite};

use super::{STATE_DB, SqliteStore, connect};
use crate::error::{StoreError, unavailable};
use crate::history::PastTask;

/// Tasks per statement: four values each, well below what SQLite binds at once.
const PUT_AT_ONCE: usize = 64;

impl SqliteStore {
    pub(crate) async fn keep_history(&self, tasks: &[PastTask]) -> Result<(), StoreError> {
        let failed = unavailable("keep stopped tasks");
        let mut slot = self.history.lock().await;
        let mut connection = self.take_history(&mut slot).await?;
        let mut tx = connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(&failed)?;
        for some in tasks.chunks(PUT_AT_ONCE) {
            let mut put: QueryBuilder<'_, Sqlite> =
                QueryBuilder::new("INSERT INTO task_history (key, cluster, stopped_at, body) ");
            put.push_values(some, |mut row, task| {
                row.push_bind(&task.key)
                    .push_bind(&task.cluster)
                    .push_bind(task.stopped_at.as_millis())
                    .push_bind(&task.body);
            });
            put.push(
                " ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster, \
                 stopped_at = excluded.stopped_at, body = excluded.body",
            );
            put.build().execute(&mut *tx).await.map_err(&failed)?;
        }
        tx.commit().await.map_err(&failed)?;
        *slot = Some(connection);
        Ok(())
    }

    pub(crate) async fn history(
        &self,
        cluster: &str,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let failed = unavailable("look for stopped tasks");
        let mut slot = self.history.lock().await;
        let mut connection = self.take_history(&mut slot).await?;
        let mut find: QueryBuilder<'_, Sqlite> =
            QueryBuilder::new("SELECT key, body FROM task_history WHERE cluster = ");
        find.push_bind(cluster).push(" AND key IN (");
        let mut list = find.separated(", ");
        for key in keys {
            list.push_bind(key);
        }
        find.push(")");
        let rows = find.build().fetch_all(&mut connection).await;
        let rows = rows.map_err(&failed)?;
        *slot = Some(connection);
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    pub(crate) async fn trim_history(
        &self,
        before: Timestamp,
        max: u32,
    ) -> Result<u64, StoreError> {
        let mut slot = self.history.lock().await;
        let mut connection = self.take_history(&mut slot).await?;
        let removed = sqlx::query(
            "DELETE FROM task_history WHERE key IN (SELECT key FROM task_history \
             WHERE stopped_at < $1 ORDER BY stopped_at LIMIT $2)",
        )
        .bind(before.as_millis())
        .bind(i64::from(max))
        .execute(&mut connection)
        .await
        .map_err(unavailable("forget stopped tasks"))?;
        *slot = Some(connection);
        Ok(removed.rows_affected())
    }

    /// The connection, which the caller puts back once all went well.
    async fn take_history(
        &self,
        slot: &mut Option<SqliteConnection>,
    ) -> Result<SqliteConnection, StoreError> {
        match slot.take() {
            Some(connection) => Ok(connection),
            // The task is forgotten elsewhere once this is written, so it must be on disk.
            None => connect(self.dir.path(), STATE_DB, SqliteSynchronous::Full)
                .await
                .map_err(unavailable("open the history")),
        }
    }
}
