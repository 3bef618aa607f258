//! The loop that looks at services. Whose turn it is says `leader`, what a look comes to
//! `reconcile`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth_leader::{ServiceNews, Turns};
use berth_model::id::InstanceId;
use berth_model::name::ServiceKey;
use berth_ops::Context;
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{Changed, Failure, Lane};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::clock;

/// Where the rest of the server tells the loop what changed.
#[derive(Default)]
pub(crate) struct ServiceBell {
    news: Mutex<ServiceNews>,
    bell: Notify,
}

impl ServiceBell {
    fn news(&self) -> MutexGuard<'_, ServiceNews> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a commit changed.
    pub(crate) fn changed(&self, changes: &[Changed]) {
        if self.news().changed(changes) {
            self.bell.notify_one();
        }
    }

    /// Takes in which instances are given up.
    pub(crate) fn lost(&self, lost: BTreeSet<InstanceId>) {
        if self.news().lost(lost) {
            self.bell.notify_one();
        }
    }
}

/// Looks at services until it is told to stop.
pub(crate) async fn run(
    cx: Arc<Context>,
    bell: Arc<ServiceBell>,
    healthy_after: Duration,
    cancel: CancellationToken,
) {
    let mut turns = Turns::default();
    let mut looks: JoinSet<(ServiceKey, Result<Looked, Failure>)> = JoinSet::new();
    loop {
        let now = clock::monotonic_ms();
        let (told, lost) = {
            let mut news = bell.news();
            (news.take(), news.given_up().clone())
        };
        // Taken after the news, so that it has what they tell of.
        let state = cx.state.snapshot();
        turns.hear(&state, &told, now);
        for key in turns.next(&state, now) {
            let around = Surroundings {
                healthy_after,
                lost: lost.clone(),
            };
            looks.spawn(step(cx.clone(), key, around));
        }
        drop(state);
        tokio::select! {
            () = cancel.cancelled() => break,
            () = bell.bell.notified() => {}
            () = tokio::time::sleep_until(clock::at_monotonic_ms(turns.due())) => {}
            Some(done) = looks.join_next() => match done {
                Ok((key, Ok(looked))) => {
                    turns.looked(key, looked, clock::monotonic_ms(), clock::wall());
                }
                Ok((key, Err(error))) => {
                    turns.dropped();
                    tracing::warn!(service = %key, %error, "service not looked at");
                }
                Err(error) => {
                    turns.dropped();
                    tracing::error!(%error, "a look at a service ended badly");
                }
            }
        }
    }
    // A look that was handed in is carried out: steps end.
    while looks.join_next().await.is_some() {}
}

async fn step(
    cx: Arc<Context>,
    key: ServiceKey,
    around: Surroundings,
) -> (ServiceKey, Result<Looked, Failure>) {
    let looked_at = key.clone();
    let looked = cx
        .state
        .transact(Lane::Controllers, move |tx| {
            Ok::<_, Failure>(look(tx, &looked_at, &around))
        })
        .await;
    (key, looked)
}
