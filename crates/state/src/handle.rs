//! What the rest of the server holds of the state: snapshots to read, and a way to write.

use std::sync::Arc;

use arc_swap::ArcSwap;
use futures_channel::oneshot;
use futures_util::future::BoxFuture;

use crate::lanes::{Job, Lane, Verdict};
use crate::snapshot::State;
use crate::tx::Tx;

/// Why a change was not saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The lane is full: try again later.
    #[error("too many changes are waiting")]
    Overloaded,
    /// The database cannot be written now; nothing was changed.
    #[error("the database cannot be written")]
    Unavailable,
    /// The database refused this very change as data; nothing was changed.
    #[error("the database refused the change")]
    Refused,
    /// The closure panicked; nothing was changed.
    #[error("the change failed by a defect")]
    Panicked,
    /// Another server leads, or this one is stopping.
    #[error("this server does not lead")]
    NotLeading,
}

/// Where jobs are handed in; the server's writer task is behind it.
pub trait Inbox: Send + Sync {
    /// Hands a job in, waiting for room as the lane's rules say.
    ///
    /// On failure the job is dropped, and with it the caller's channel.
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>>;
}

/// A cheap, shared way to the state.
#[derive(Clone)]
pub struct Handle {
    inbox: Arc<dyn Inbox>,
    newest: Arc<ArcSwap<State>>,
}

impl Handle {
    /// A handle on `inbox`; the writer's owner keeps `newest` at the last saved state.
    #[must_use]
    pub fn new(inbox: Arc<dyn Inbox>, newest: Arc<ArcSwap<State>>) -> Self {
        Self { inbox, newest }
    }

    /// The last saved state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<State> {
        self.newest.load_full()
    }

    /// Runs `change` on the writer against the newest state and answers once what it changed is
    /// saved. An `Err` changes nothing. The closure may run more than once, so it must compute
    /// its answer from `tx` and what it captured, and keep nothing of an earlier run.
    ///
    /// # Errors
    /// The closure's own error, or a [`Failure`] turned into one.
    pub async fn transact<T, E, F>(&self, lane: Lane, change: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Failure> + Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Closure {
            change,
            outcome: None,
            answer,
        };
        self.inbox.submit(lane, Box::new(job)).await?;
        // A dropped channel means that the writer stopped with the job in its queue.
        answered
            .await
            .unwrap_or_else(|_| Err(Failure::NotLeading.into()))
    }
}

struct Closure<F, T, E> {
    change: F,
    /// What the last run answered; `None` before the first, and after a panic.
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Closure<F, T, E>
where
    T: Send,
    E: From<Failure> + Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, E> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        self.outcome.insert((self.change)(tx)).is_ok()
    }

    fn panicked(&mut self) {
        self.outcome = Some(Err(Failure::Panicked.into()));
    }

    fn finish(self: Box<Self>, verdict: Verdict) {
        let result = match verdict {
            Verdict::Saved => self
                .outcome
                .unwrap_or_else(|| Err(Failure::NotLeading.into())),
            // Even a refusal may rest on changes of the same batch that were not saved.
            Verdict::Failed(failure) => Err(failure.into()),
        };
        // The caller may have gone away; its change stands all the same.
        let _ = self.answer.send(result);
    }
}
