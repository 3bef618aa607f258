//! The loop that finds room for waiting tasks. Where and when to look is said by
//! `reconcile`'s queue, what a look does by its controller.

use std::sync::{Arc, Mutex, PoisonError};

use berth_model::name::ClusterKey;
use berth_model::waiting::WaitForRoom;
use berth_ops::Context;
use berth_reconcile::waiting::{Looked, Queue, Turn, look};
use berth_state::{Changed, Failure, Lane, State};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// What commits changed since the loop last looked.
#[derive(Default)]
pub(crate) struct WaitingNews {
    changes: Mutex<Vec<Changed>>,
    bell: Notify,
}

impl WaitingNews {
    /// Takes in what a commit changed. While no task waits, there is nothing to wake up for.
    pub(crate) fn changed(&self, state: &State, changes: &[Changed]) {
        if !state.tasks.any_waits() && state.holds.is_empty() {
            return;
        }
        let concerns = |change: &&Changed| match change {
            Changed::Task(..) | Changed::Instance(_) | Changed::Connection(_) => true,
            Changed::Cluster(_) | Changed::Definition(_) | Changed::Service(_) | Changed::Other => {
                false
            }
        };
        let mut told = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = told.len();
        told.extend(changes.iter().filter(concerns).cloned());
        if told.len() > before {
            self.bell.notify_one();
        }
    }

    fn take(&self) -> Vec<Changed> {
        std::mem::take(&mut *self.changes.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Finds room for waiting tasks until it is told to stop.
pub(crate) async fn run(
    cx: Arc<Context>,
    news: Arc<WaitingNews>,
    setting: WaitForRoom,
    cancel: CancellationToken,
) {
    let mut queue = Queue::default();
    let mut looks: JoinSet<(ClusterKey, Result<Looked, Failure>)> = JoinSet::new();
    loop {
        let now = clock::monotonic_ms();
        let changes = news.take();
        let state = cx.state.snapshot();
        queue.touch(&state, &changes, now);
        queue.sweep(&state, now);
        for turn in queue.take(now) {
            looks.spawn(step(cx.clone(), turn, setting));
        }
        let wake = clock::at_monotonic_ms(queue.next_due());
        tokio::select! {
            () = cancel.cancelled() => break,
            () = news.bell.notified() => {}
            () = tokio::time::sleep_until(wake) => {}
            Some(done) = looks.join_next() => {
                if let Ok((cluster, outcome)) = done {
                    note(&mut queue, &cluster, outcome);
                }
            }
        }
    }
    // A look that was handed in is carried out: steps end.
    while looks.join_next().await.is_some() {}
}

async fn step(
    cx: Arc<Context>,
    turn: Turn,
    setting: WaitForRoom,
) -> (ClusterKey, Result<Looked, Failure>) {
    let cluster = turn.cluster.clone();
    let looked = cx.state.transact(Lane::Controllers, move |tx| {
        Ok::<_, Failure>(look(tx, &turn, setting))
    });
    (cluster, looked.await)
}

fn note(queue: &mut Queue, cluster: &ClusterKey, outcome: Result<Looked, Failure>) {
    let looked = match outcome {
        Ok(looked) => Some(looked),
        Err(error) => {
            tracing::warn!(%cluster, %error, "waiting tasks not looked at");
            None
        }
    };
    let again_at = looked.as_ref().and_then(|looked| looked.again_at);
    let again_at = again_at.map(|at| {
        let in_ms = u64::try_from(at.since(clock::wall()).as_millis()).unwrap_or(u64::MAX);
        // A millisecond late is on time; one early would be a look for nothing.
        clock::monotonic_ms()
            .saturating_add(in_ms)
            .saturating_add(1)
    });
    queue.note(cluster, looked, again_at);
}
