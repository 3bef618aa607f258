//! The history of stopped tasks: written before they leave the state, read on a miss, trimmed by
//! age.
//!
//! Rules kept here:
//! - a task leaves the state only once it is kept, so that a crash between the two keeps it twice
//!   and loses none;
//! - nothing of it is part of a commit.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_ops::Context;
use berth_ops::history::{HistoryFailure, TaskHistory, shown};
use berth_state::State;
use berth_storage::{PastTask, Store, StoreError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// How often what is too old is forgotten.
const TRIM_EVERY: Duration = Duration::from_secs(60);
/// Tasks forgotten in one statement, and how long the database has for others in between.
const TRIM_MAX: u32 = 1000;
const TRIM_PAUSE: Duration = Duration::from_millis(50);

/// The history behind the operations' own trait.
pub(crate) struct History(pub(crate) Store);

impl TaskHistory for History {
    fn find(
        &self,
        cluster: ClusterKey,
        ids: Vec<TaskId>,
    ) -> BoxFuture<'_, Result<Vec<(TaskId, String)>, HistoryFailure>> {
        async move {
            let keys: Vec<String> = ids.iter().map(TaskId::to_string).collect();
            let found = self.0.history(&cluster.to_string(), &keys).await;
            let found = found.map_err(|error| HistoryFailure(Box::new(error)))?;
            let by_id = |(key, body): (String, String)| Some((key.parse().ok()?, body));
            Ok(found.into_iter().filter_map(by_id).collect())
        }
        .boxed()
    }
}

/// Keeps tasks that are about to leave the state. Answers those that may.
///
/// # Errors
/// When the database does not take them now: they stay in the state.
pub(crate) async fn keep(
    store: &Store,
    cx: &Context,
    state: &State,
    ids: &[TaskId],
) -> Result<BTreeSet<TaskId>, StoreError> {
    let mut kept = Vec::with_capacity(ids.len());
    for task in ids.iter().filter_map(|id| state.tasks.get(*id)) {
        match shown(state, &cx.definitions, task) {
            Ok(body) => kept.push(PastTask {
                key: task.id.to_string(),
                cluster: task.spec.cluster.to_string(),
                stopped_at: task.seen.stopped_at.unwrap_or_default(),
                body,
            }),
            // Nothing could show it later either.
            Err(error) => tracing::warn!(task = %task.id, ?error, "task not kept"),
        }
    }
    store.keep_history(&kept).await?;
    Ok(ids.iter().copied().collect())
}

/// Forgets what stopped longer than `age` ago.
pub(crate) async fn trim(store: Store, age: Duration, cancel: CancellationToken) {
    loop {
        let mut removed = u64::from(TRIM_MAX);
        while removed == u64::from(TRIM_MAX) && !cancel.is_cancelled() {
            let trimmed = store.trim_history(clock::wall() - age, TRIM_MAX).await;
            removed = trimmed.unwrap_or_else(|error| {
                tracing::warn!(?error, "the history of tasks is not trimmed");
                0
            });
            tokio::time::sleep(TRIM_PAUSE).await;
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(TRIM_EVERY) => {}
        }
    }
}
