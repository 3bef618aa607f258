//! One commit, and finding out what became of one.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;

use super::{CONNECT_TIMEOUT, PostgresStore, fault};
use crate::change::{Commit, encode};
use crate::error::{CommitError, StoreError, unavailable};
use crate::store::Resolved;

/// Past this, the connection counts as dead and the commit's outcome as unknown. Long enough for
/// a disk that struggles, short enough that a lost route does not hold callers for minutes.
const COMMIT_TIMEOUT: Duration = Duration::from_secs(20);

/// How long to wait for a doubtful transaction to let go of the lease row.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(20);

const COMMIT: &str = "WITH led AS (\
     UPDATE lease SET revision = $1, at = $2 WHERE epoch = $3 AND revision = $1 - 1 \
     RETURNING revision\
     ) INSERT INTO journal (revision, epoch, at, changes) \
     SELECT revision, $3, $2, $4::jsonb FROM led";

impl PostgresStore {
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let changes = encode(&commit.changes);
        let mut slot = self.writer.lock().await;
        let mut connection = self
            .take_writer(&mut slot)
            .await
            .map_err(CommitError::Unavailable)?;
        let statement = sqlx::query(COMMIT)
            .bind(commit.revision.cast_signed())
            .bind(commit.at.as_millis())
            .bind(self.epoch().0.cast_signed())
            .bind(changes)
            .execute(&mut connection);
        let done = timeout(COMMIT_TIMEOUT, statement)
            .await
            .map_err(|elapsed| CommitError::Unknown(elapsed.into()))?
            .map_err(fault::on_commit)?;
        *slot = Some(connection);
        if done.rows_affected() == 0 {
            return Err(CommitError::Deposed);
        }
        Ok(())
    }

    pub(crate) async fn resolve_unknown(&self, revision: u64) -> Result<Resolved, StoreError> {
        const DOING: &str = "find out what became of a commit";
        let late = |_| StoreError::Unavailable {
            doing: DOING,
            source: "the database did not answer in time".into(),
        };
        self.writer.lock().await.take();
        // A connection of its own: one from the pool might be as dead as the one that failed.
        let mut connection = timeout(CONNECT_TIMEOUT, self.options.connect())
            .await
            .map_err(late)?
            .map_err(unavailable(DOING))?;
        // By the holder, not the epoch: an earlier try may have raised the epoch unheard.
        let statement = sqlx::query(
            "UPDATE lease SET epoch = epoch + 1 WHERE holder LIKE '%#' || $1 \
             RETURNING epoch, revision",
        )
        .bind(&self.token)
        .fetch_optional(&mut connection);
        let row = timeout(RESOLVE_TIMEOUT, statement)
            .await
            .map_err(late)?
            .map_err(unavailable(DOING))?;
        let Some(row) = row else {
            return Ok(Resolved::Deposed);
        };
        self.epoch
            .store(row.get::<i64, _>(0).cast_unsigned(), Ordering::Release);
        let committed = row.get::<i64, _>(1).cast_unsigned();
        Ok(match revision.checked_sub(committed) {
            Some(0) => Resolved::Applied,
            Some(1) => Resolved::NotApplied,
            Some(_) | None => Resolved::Deposed,
        })
    }
}
