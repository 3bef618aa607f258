//! Keeping up with the server that leads, so as to lead without loading.

use berth_model::time::Timestamp;
use berth_state::{BadRecord, Loader};
use berth_storage::{
    BoxError, LoadError, Loaded, LoadedRow, Store, StoreError, Tail, TailedCommit,
};

use crate::clock;
use crate::run::RunError;

/// The state as of some revision, to be led on from.
pub(crate) struct Warm {
    /// All records.
    pub(crate) loader: Loader,
    /// As of this revision.
    pub(crate) revision: u64,
    /// The time of its transaction.
    pub(crate) at: Timestamp,
}

/// Brings `warm` up to the last commit; loads anew when there is none, or when the journal no
/// longer reaches back to it. `None` when the database cannot be reached now.
pub(crate) async fn catch_up(store: &Store, warm: Option<Warm>) -> Result<Option<Warm>, RunError> {
    let mut warm = match warm {
        Some(warm) => warm,
        None => match load(store).await? {
            Some(warm) => warm,
            None => return Ok(None),
        },
    };
    loop {
        match store.tail(warm.revision).await {
            Ok(Tail::Commits(commits)) if commits.is_empty() => return Ok(Some(warm)),
            Ok(Tail::Commits(commits)) => {
                for commit in commits {
                    warm.take(commit)
                        .map_err(|bad| RunError::Damaged(bad.into()))?;
                }
            }
            Ok(Tail::Gap) => match load(store).await? {
                Some(fresh) => warm = fresh,
                None => return Ok(None),
            },
            Err(error) => return unreachable_or_damaged(error).map(|()| None),
        }
    }
}

impl Warm {
    fn take(&mut self, commit: TailedCommit) -> Result<(), BadRecord> {
        for change in &commit.changes {
            match &change.body {
                Some(body) => {
                    self.loader
                        .record(change.table, change.row, &change.key, body.get())?;
                }
                None => self.loader.removed(change.table, change.row),
            }
        }
        self.revision = commit.revision;
        self.at = commit.at;
        Ok(())
    }
}

/// Reads the whole state. `None` when the database went away meanwhile.
async fn load(store: &Store) -> Result<Option<Warm>, RunError> {
    let begun = clock::monotonic_ms();
    let runtime = tokio::runtime::Handle::current();
    let reading = store.clone();
    // Parsing takes whole seconds of a large state, so it does not hold up the other tasks.
    let loading = tokio::task::spawn_blocking(move || {
        let mut loader = Loader::new();
        let loaded = runtime.block_on(reading.load(|row| take(&mut loader, row)));
        (loaded, loader)
    });
    let (loaded, loader) = loading
        .await
        .map_err(|defect| RunError::Defect(defect.into()))?;
    match loaded {
        Ok(Loaded { revision, at, rows }) => {
            let ms = clock::monotonic_ms() - begun;
            tracing::info!(revision, rows, ms, "state loaded");
            Ok(Some(Warm {
                loader,
                revision,
                at,
            }))
        }
        Err(error) => unreachable_or_damaged(error).map(|()| None),
    }
}

fn take(loader: &mut Loader, row: LoadedRow<'_>) -> Result<(), BoxError> {
    let taken = loader.record(row.table, row.row, row.key, row.body);
    taken.map_err(|bad| Box::new(bad.cause) as BoxError)
}

/// `Ok` for what passes by itself.
fn unreachable_or_damaged(error: LoadError) -> Result<(), RunError> {
    match error {
        error @ LoadError::CorruptRow { .. } => Err(RunError::Damaged(error.into())),
        LoadError::Store(error @ StoreError::Damaged { .. }) => {
            Err(RunError::Damaged(error.into()))
        }
        LoadError::Store(error @ (StoreError::Unavailable { .. } | StoreError::Deposed)) => {
            tracing::warn!(?error, "the state could not be read; trying again");
            Ok(())
        }
    }
}
