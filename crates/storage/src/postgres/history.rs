//! Stopped tasks kept in a table of their own.

use berth_model::time::Timestamp;
use sqlx::Row;

use super::PostgresStore;
use crate::error::{StoreError, unavailable};
use crate::history::PastTask;

impl PostgresStore {
    pub(crate) async fn keep_history(&self, tasks: &[PastTask]) -> Result<(), StoreError> {
        let column = |value: fn(&PastTask) -> &str| -> Vec<String> {
            tasks.iter().map(|task| value(task).to_owned()).collect()
        };
        let times: Vec<i64> = tasks.iter().map(|t| t.stopped_at.as_millis()).collect();
        sqlx::query(
            "INSERT INTO task_history (key, cluster, stopped_at, body) \
             SELECT key, cluster, stopped_at, body::jsonb \
             FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::text[]) \
             AS t (key, cluster, stopped_at, body) \
             ON CONFLICT (key) DO UPDATE SET cluster = excluded.cluster, \
             stopped_at = excluded.stopped_at, body = excluded.body",
        )
        .bind(column(|task| &task.key))
        .bind(column(|task| &task.cluster))
        .bind(times)
        .bind(column(|task| &task.body))
        .execute(&self.pool)
        .await
        .map_err(unavailable("keep stopped tasks"))?;
        Ok(())
    }

    pub(crate) async fn history(
        &self,
        cluster: &str,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query(
            "SELECT key, body::text FROM task_history WHERE cluster = $1 AND key = ANY($2)",
        )
        .bind(cluster)
        .bind(keys)
        .fetch_all(&self.pool)
        .await
        .map_err(unavailable("look for stopped tasks"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    pub(crate) async fn trim_history(
        &self,
        before: Timestamp,
        max: u32,
    ) -> Result<u64, StoreError> {
        let removed = sqlx::query(
            "DELETE FROM task_history WHERE key IN (SELECT key FROM task_history \
             WHERE stopped_at < $1 ORDER BY stopped_at LIMIT $2)",
        )
        .bind(before.as_millis())
        .bind(i64::from(max))
        .execute(&self.pool)
        .await
        .map_err(unavailable("forget stopped tasks"))?;
        Ok(removed.rows_affected())
    }
}
