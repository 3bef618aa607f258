//! The loop that looks at services. Whose turn it is says `leader`, what a look comes to
//! `reconcile`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_leader::{ServiceNews, Turns};
use berth_model::id::InstanceId;
use berth_model::name::ServiceKey;
use berth_ops::Context;
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{Changed, Failure, Lane};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alarms::InAlarm;
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

/// Looks at services until it is told to stop. `around` has the settings; who is lost, and which
/// alarms ring, is told.
pub(crate) async fn run(
    cx: Arc<Context>,
    bell: Arc<ServiceBell>,
    around: Surroundings,
    mut alarms: watch::Receiver<InAlarm>,
    cancel: CancellationToken,
) {
    let mut in_alarm = InAlarm::default();
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
        let rings = alarms.borrow_and_update().clone();
        if rings != in_alarm {
            let turned = rings.symmetric_difference(&in_alarm).cloned().collect();
            turns.alarms_turned(&state, &turned, now);
            in_alarm = rings;
        }
        for key in turns.next(&state, now) {
            let around = Surroundings {
                lost: lost.clone(),
                in_alarm: in_alarm.clone(),
                ..around.clone()
            };
            looks.spawn(step(cx.clone(), key, around));
        }
        drop(state);
        tokio::select! {
            () = cancel.cancelled() => break,
            () = bell.bell.notified() => {}
            Ok(()) = alarms.changed() => {}
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
