//! One commit: the lease row, then the journal row.

use sqlx::Connection;

use super::{SqliteStore, fault};
use crate::change::{Commit, encode};
use crate::error::CommitError;

const CLAIM: &str =
    "UPDATE lease SET revision = $1, at = $2 WHERE epoch = $3 AND revision = $1 - 1";
const APPEND: &str = "INSERT INTO journal (revision, epoch, at, changes) VALUES ($1, $2, $3, $4)";

impl SqliteStore {
    pub(crate) async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let changes = encode(&commit.changes);
        let revision = commit.revision.cast_signed();
        let epoch = self.epoch().0.cast_signed();
        let at = commit.at.as_millis();

        let mut slot = self.writer.lock().await;
        let mut connection = self
            .take_writer(&mut slot)
            .await
            .map_err(|error| CommitError::Unavailable(Box::new(error)))?;
        let mut tx = connection
            .begin_with("BEGIN IMMEDIATE")
            .await
            .map_err(fault::on_commit)?;
        let claimed = sqlx::query(CLAIM)
            .bind(revision)
            .bind(at)
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(fault::on_commit)?;
        if claimed.rows_affected() == 0 {
            return Err(CommitError::Deposed);
        }
        sqlx::query(APPEND)
            .bind(revision)
            .bind(epoch)
            .bind(at)
            .bind(changes)
            .execute(&mut *tx)
            .await
            .map_err(fault::on_commit)?;
        tx.commit().await.map_err(fault::on_commit)?;
        *slot = Some(connection);
        Ok(())
    }
}
