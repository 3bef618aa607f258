//! The folder's loop: the journal goes into the tables at least every second.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::error::LoadError;
use crate::store::Store;

/// How often the journal is folded. What a start has to read from the journal, and what the
/// journal takes on disk, is about this much work.
pub const FOLD_PERIOD: Duration = Duration::from_secs(1);

/// Journal rows in one folding transaction, and the bytes of their changes after which a batch
/// ends: the memory that a batch needs, and how long it keeps the tables locked.
pub(crate) const FOLD_COMMITS_MAX: i64 = 1024;
pub(crate) const FOLD_BYTES_MAX: usize = 4 << 20;

/// While folding fails, how often to say so.
const COMPLAIN_PERIOD: Duration = Duration::from_secs(60);

/// What one folding did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Folded {
    /// Records written or removed.
    pub rows: usize,
    /// The tables now hold the state as of this revision.
    pub up_to_revision: u64,
    /// There was more in the journal than one batch takes.
    pub more: bool,
}

/// Folds until `cancel`, between batches, ends it. Failures are logged and tried again. `told`
/// hears of each batch how long it took and what it did.
pub async fn run_folder(
    store: Store,
    cancel: CancellationToken,
    told: impl Fn(Duration, Folded) + Send,
) {
    let mut ticks = interval(FOLD_PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut complained: Option<Instant> = None;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match fold_all(&store, &cancel, &told).await {
            Ok(()) => {
                if complained.take().is_some() {
                    tracing::info!("the journal is being folded again");
                }
            }
            Err(error) => {
                if complained.is_none_or(|at| at.elapsed() >= COMPLAIN_PERIOD) {
                    tracing::warn!(?error, "could not fold the journal; trying on");
                    complained = Some(Instant::now());
                }
            }
        }
    }
}

async fn fold_all(
    store: &Store,
    cancel: &CancellationToken,
    told: &(impl Fn(Duration, Folded) + Send),
) -> Result<(), LoadError> {
    loop {
        let begun = Instant::now();
        let folded = store.fold_once().await?;
        told(begun.elapsed(), folded);
        if !folded.more || cancel.is_cancelled() {
            return Ok(());
        }
    }
}
