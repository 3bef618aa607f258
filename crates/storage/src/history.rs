//! Stopped tasks that are no longer in the state, kept for as long as asked.
//!
//! Rules kept here:
//! - what [`Store::keep_history`] was answered `Ok` for is on disk; keeping the same again changes
//!   nothing, so that whoever does not know how it ended does it again;
//! - nothing here takes part in a commit: it has connections of its own, and writes in batches;
//! - backups and moves leave it out, as it is no part of the state.

use berth_model::time::Timestamp;

use crate::error::StoreError;
use crate::store::{Kind, Store};

/// A stopped task as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PastTask {
    /// Its id.
    pub key: String,
    /// The cluster's key: account, region and name.
    pub cluster: String,
    /// When it stopped.
    pub stopped_at: Timestamp,
    /// What is shown of it, as JSON.
    pub body: String,
}

impl Store {
    /// Keeps stopped tasks, all of them or none.
    ///
    /// # Errors
    /// When the database does not take them now.
    pub async fn keep_history(&self, tasks: &[PastTask]) -> Result<(), StoreError> {
        if tasks.is_empty() {
            return Ok(());
        }
        match &self.0 {
            Kind::Sqlite(store) => store.keep_history(tasks).await,
            Kind::Postgres(store) => store.keep_history(tasks).await,
        }
    }

    /// What is shown of those of `keys` that are kept of the cluster, by key; in no order.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn history(
        &self,
        cluster: &str,
        keys: &[String],
    ) -> Result<Vec<(String, String)>, StoreError> {
        match &self.0 {
            Kind::Sqlite(store) => store.history(cluster, keys).await,
            Kind::Postgres(store) => store.history(cluster, keys).await,
        }
    }

    /// Forgets tasks that stopped before `before`, at most `max` of them. Answers how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn trim_history(&self, before: Timestamp, max: u32) -> Result<u64, StoreError> {
        match &self.0 {
            Kind::Sqlite(store) => store.trim_history(before, max).await,
            Kind::Postgres(store) => store.trim_history(before, max).await,
        }
    }
}
