//! Terms of leadership: wait for the lease, load, lead until it ends, and again.

use std::sync::Arc;
use std::time::Duration;

use berth_ops::{Context, DefinitionCache, Limits, PageTokens};
use berth_state::{Handle, Ids, Loader, Writer};
use berth_storage::{
    BoxError, Epoch, LoadError, LoadedRow, LogStore, Store, StoreError, run_folder,
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Front, Phase};
use crate::clock;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::logs::Logs;
use crate::loops;
use crate::run::RunError;
use crate::writer::{Ended, WriterInbox, WriterTask};

/// How long a lease lasts without being renewed.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(10);
/// How often a standby asks for the lease, and a leader renews it: three times within a lease.
pub(crate) const LEASE_EVERY: Duration = Duration::from_secs(3);

/// Leads term after term, until `stop`.
pub(crate) async fn run(
    config: Config,
    store: Store,
    logs: LogStore,
    front: Arc<Front>,
    stop: CancellationToken,
) -> Result<(), RunError> {
    let ground = Ground {
        config,
        store,
        logs,
        front,
        stop,
    };
    let outcome = ground.terms().await;
    let Ground { store, front, .. } = ground;
    front
        .phase
        .store(Arc::new(Phase::Waiting("the server is stopping")));
    if let Err(error) = store.release_lease().await {
        tracing::warn!(?error, "lease not released");
    }
    store.close().await;
    outcome
}

/// What every term stands on.
struct Ground {
    config: Config,
    store: Store,
    logs: LogStore,
    front: Arc<Front>,
    stop: CancellationToken,
}

impl Ground {
    async fn terms(&self) -> Result<(), RunError> {
        loop {
            let (epoch, asked_at) = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                lease = wait_for_lease(&self.config, &self.store, &self.front) => lease,
            };
            let Some(writer) = load(&self.store, &self.front).await? else {
                continue;
            };
            match self.lead(writer, epoch, asked_at).await {
                Ended::Cancelled if self.stop.is_cancelled() => return Ok(()),
                Ended::Cancelled | Ended::Deposed => {
                    tracing::warn!("this server no longer leads");
                }
                Ended::Fatal => return Err(RunError::DiskFailed),
            }
        }
    }

    /// Leads until it is told to stop, or no longer leads.
    async fn lead(&self, writer: Writer, epoch: Epoch, asked_at: u64) -> Ended {
        let Self {
            config,
            store,
            logs,
            front,
            stop,
        } = self;
        // Sessions and loops end first; the writer ends when they have handed in their last.
        let (users, writing) = (CancellationToken::new(), CancellationToken::new());
        let inbox = WriterInbox::new();
        let newest = writer.newest();
        let cx = Arc::new(Context {
            state: Handle::new(inbox.clone(), newest.clone()),
            definitions: DefinitionCache::default(),
            pages: PageTokens::new(config.page_key),
            logs: Arc::new(Logs(logs.clone())),
            limits: Limits {
                advertise_url: config.advertise_url.clone(),
            },
            wall: clock::wall,
        });
        // The agents' numbers have room for 31 bits of epoch: a server would have to start more
        // than twice a second for thirty years to use them up.
        let number = u32::try_from(epoch.0 & 0x7fff_ffff).unwrap_or(0);
        let gateway = Gateway::new(cx.clone(), number, front.metrics.clone(), users.clone());
        let told = gateway.clone();
        let task = WriterTask {
            writer,
            inbox,
            store: store.clone(),
            metrics: front.metrics.clone(),
            follower: Box::new(move |changes| told.dispatch(changes)),
            panics_told: 0,
        };
        let mut written = spawn_writer(task, writing.clone());
        let loops = TaskTracker::new();
        loops.spawn(run_folder(store.clone(), users.clone()));
        loops.spawn(loops::housekeeping(
            cx.clone(),
            gateway.clone(),
            config.clone(),
            users.clone(),
        ));
        loops.spawn(loops::expire_logs(cx.clone(), logs.clone(), users.clone()));
        let lease_lost = CancellationToken::new();
        loops.spawn(loops::keep_lease(
            store.clone(),
            asked_at,
            lease_lost.clone(),
            users.clone(),
        ));
        loops.close();
        let app = App {
            cx,
            newest,
            gateway,
        };
        front.phase.store(Arc::new(Phase::Leading(Arc::new(app))));
        tracing::info!(epoch = epoch.0, "this server leads");
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            () = lease_lost.cancelled() => None,
            ended = &mut written => Some(ended),
        };
        if ended.is_some() || lease_lost.is_cancelled() {
            front
                .phase
                .store(Arc::new(Phase::Waiting("this server no longer leads")));
        }
        users.cancel();
        loops.wait().await;
        writing.cancel();
        let ended = match ended {
            Some(ended) => ended,
            None => written.await,
        };
        if let Err(error) = store.fold_once().await {
            tracing::warn!(?error, "the last changes stay in the journal");
        }
        ended.unwrap_or_else(|error| {
            tracing::error!(%error, "the writer ended badly");
            Ended::Fatal
        })
    }
}

/// Waits until this server leads; answers its epoch and when, in monotonic milliseconds, the
/// lease was asked for.
async fn wait_for_lease(config: &Config, store: &Store, front: &Front) -> (Epoch, u64) {
    loop {
        let asked_at = clock::monotonic_ms();
        match store.acquire_lease(&config.holder, LEASE_TTL).await {
            Ok(Some(epoch)) => return (epoch, asked_at),
            Ok(None) => front
                .phase
                .store(Arc::new(Phase::Waiting("another server leads"))),
            Err(error) => {
                tracing::warn!(?error, "the lease cannot be asked for");
                front
                    .phase
                    .store(Arc::new(Phase::Waiting("the database cannot be reached")));
            }
        }
        tokio::time::sleep(LEASE_EVERY).await;
    }
}

/// Loads the state. `None` when the database went away meanwhile.
async fn load(store: &Store, front: &Front) -> Result<Option<Writer>, RunError> {
    front
        .phase
        .store(Arc::new(Phase::Waiting("the state is being loaded")));
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
        .map_err(|defect| RunError::Damaged(defect.into()))?;
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(error @ LoadError::CorruptRow { .. }) => return Err(RunError::Damaged(error.into())),
        Err(LoadError::Store(error @ StoreError::Damaged { .. })) => {
            return Err(RunError::Damaged(error.into()));
        }
        Err(LoadError::Store(error @ (StoreError::Unavailable { .. } | StoreError::Deposed))) => {
            tracing::warn!(?error, "the state could not be loaded; trying again");
            return Ok(None);
        }
    };
    let (state, fleet) = loader.finish(loaded.revision, loaded.at);
    let ms = clock::monotonic_ms() - begun;
    tracing::info!(
        revision = loaded.revision,
        rows = loaded.rows,
        ms,
        "state loaded"
    );
    Ok(Some(Writer::new(
        state,
        fleet,
        Ids::from_seed(clock::random_bytes()),
    )))
}

fn take(loader: &mut Loader, row: LoadedRow<'_>) -> Result<(), BoxError> {
    let taken = loader.record(row.table, row.row, row.key, row.body);
    taken.map_err(|bad| Box::new(bad.cause) as BoxError)
}

/// Runs the writer on a thread of its own: its closures are short, but never yield.
fn spawn_writer(task: WriterTask, cancel: CancellationToken) -> JoinHandle<Ended> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(task.run(cancel)))
}
