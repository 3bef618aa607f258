//! One commit: the lease row, then the journal row.

use std::sync::atomic::Ordering;

use super::{SqliteStore, fault};
use crate::change::{Commit, encode};
use crate::error::CommitError;

/// All of a commit as one request to SQLite's thread: every further one would cost two changes
/// of threads. `changes()` is what the UPDATE just before it changed. A row comes back when this
/// server leads. When a statement fails, the connection goes, and the transaction with it.
const COMMIT: &str = "BEGIN IMMEDIATE; \
     UPDATE lease SET revision = $1, at = $2 WHERE epoch = $3 AND revision = $1 - 1; \
     INSERT INTO journal (revision, epoch, at, changes) \
     SELECT $1, $3, $2, $4 WHERE changes() = 1 RETURNING revision; \
     COMMIT";

/// Journalled changes that are not folded yet. Past this, whoever commits folds first, so that
/// the journal's file stays within about this size however fast commits come.
const BACKLOG_BYTES_MAX: u64 = 64 << 20;

impl SqliteStore {
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let changes = encode(&commit.changes);
        let bytes = u64::try_from(changes.len()).unwrap_or(u64::MAX);
        self.keep_backlog_within_limit().await;

        let mut slot = self.writer.lock().await;
        let mut connection = self
            .take_writer(&mut slot)
            .await
            .map_err(|error| CommitError::Unavailable(Box::new(error)))?;
        let claimed = sqlx::query(COMMIT)
            .bind(commit.revision.cast_signed())
            .bind(commit.at.as_millis())
            .bind(self.epoch().0.cast_signed())
            .bind(changes)
            .fetch_all(&mut connection)
            .await
            .map_err(fault::on_commit)?;
        *slot = Some(connection);
        if claimed.is_empty() {
            return Err(CommitError::Deposed);
        }
        self.backlog_bytes.fetch_add(bytes, Ordering::Relaxed);
        Ok(())
    }

    async fn keep_backlog_within_limit(&self) {
        while self.backlog_bytes.load(Ordering::Relaxed) > BACKLOG_BYTES_MAX {
            match self.fold_once().await {
                Ok(folded) if folded.more => {}
                // All is folded; or the folder says what is wrong, and the commit goes on.
                Ok(_) | Err(_) => return,
            }
        }
    }
}
