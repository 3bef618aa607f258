//! Leadership among servers that share a database.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::Row;

use super::PostgresStore;
use crate::error::{StoreError, unavailable};
use crate::store::Epoch;

/// `now()` is when the statement's transaction began, which is after the caller sent it: so the
/// lease lasts at least until `ttl` after the sending, however long the row's lock took.
const ACQUIRE: &str = "UPDATE lease SET epoch = epoch + 1, holder = $1, \
     expires_at = now() + $3 * INTERVAL '1 millisecond' \
     WHERE expires_at < now() OR holder LIKE '%#' || $2 RETURNING epoch";

impl PostgresStore {
    pub(crate) async fn lead(&self) -> Result<Epoch, StoreError> {
        let row = sqlx::query(
            "UPDATE lease SET epoch = epoch + 1, holder = $1, expires_at = now() RETURNING epoch",
        )
        .bind(self.holder("alone"))
        .fetch_one(&self.pool)
        .await
        .map_err(unavailable("raise the epoch"))?;
        Ok(self.led(row.get(0)))
    }

    pub(crate) async fn acquire_lease(
        &self,
        holder: &str,
        ttl: Duration,
    ) -> Result<Option<Epoch>, StoreError> {
        let row = sqlx::query(ACQUIRE)
            .bind(self.holder(holder))
            .bind(&self.token)
            .bind(millis(ttl))
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable("take the lease"))?;
        Ok(row.map(|row| self.led(row.get(0))))
    }

    pub(crate) async fn renew_lease(&self, ttl: Duration) -> Result<(), StoreError> {
        // By the holder, not the epoch: that may be raised, after a commit of unknown outcome,
        // while this waits for a connection.
        let renewed = sqlx::query(
            "UPDATE lease SET expires_at = now() + $2 * INTERVAL '1 millisecond' \
             WHERE holder LIKE '%#' || $1",
        )
        .bind(&self.token)
        .bind(millis(ttl))
        .execute(&self.pool)
        .await
        .map_err(unavailable("renew the lease"))?;
        if renewed.rows_affected() == 0 {
            Err(StoreError::Deposed)
        } else {
            Ok(())
        }
    }

    pub(crate) async fn release_lease(&self) -> Result<(), StoreError> {
        let release = "UPDATE lease SET expires_at = now() - INTERVAL '1 second' \
             WHERE holder LIKE '%#' || $1";
        sqlx::query(release)
            .bind(&self.token)
            .execute(&self.pool)
            .await
            .map_err(unavailable("give the lease back"))?;
        Ok(())
    }

    /// The lease row's holder: a name for people, and the token that tells this opening apart.
    fn holder(&self, name: &str) -> String {
        format!("{name}#{}", self.token)
    }

    fn led(&self, epoch: i64) -> Epoch {
        let epoch = epoch.cast_unsigned();
        self.epoch.store(epoch, Ordering::Release);
        Epoch(epoch)
    }
}

fn millis(ttl: Duration) -> i64 {
    i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX)
}
