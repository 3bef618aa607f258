//! Terms of leadership: wait for the lease, load, lead until it ends, and again.

use std::sync::Arc;
use std::time::Duration;

use berth_ops::history::TaskHistory;
use berth_ops::{Context, DefinitionCache, Limits, PageTokens};
use berth_reconcile::services::Surroundings;
use berth_state::{Handle, Ids, Writer};
use berth_storage::{Epoch, Folded, LogStore, Store, run_folder};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::app::{App, Front, Phase};
use crate::clock;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::history::{self, History};
use crate::logs::{Logs, finish_deletions};
use crate::loops;
use crate::run::RunError;
use crate::services::{self, ServiceBell};
use crate::standby::{Warm, catch_up};
use crate::telemetry::{self, Telemetry};
use crate::waiting::{self, WaitingNews};
use crate::writer::{Ended, WriterInbox, WriterTask};

/// How long a lease lasts without being renewed.
pub(crate) const LEASE_TTL: Duration = Duration::from_secs(10);
/// How often a leader renews its lease: three times while it lasts.
pub(crate) const LEASE_EVERY: Duration = Duration::from_secs(3);
/// How often a standby asks for the lease and reads on in the journal.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);

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
            let (warm, epoch, asked_at) = tokio::select! {
                () = self.stop.cancelled() => return Ok(()),
                lease = self.wait_for_lease() => lease?,
            };
            let Warm {
                loader,
                revision,
                at,
            } = warm;
            let (state, fleet) = loader.finish(revision, at);
            let writer = Writer::new(state, fleet, Ids::from_seed(clock::random_bytes()));
            match self.lead(writer, epoch, asked_at).await {
                Ended::Cancelled if self.stop.is_cancelled() => return Ok(()),
                Ended::Cancelled | Ended::Deposed => {
                    tracing::warn!("this server no longer leads");
                }
                Ended::Fatal => return Err(RunError::DiskFailed),
            }
        }
    }

    /// Waits until this server leads, keeping up with the one that does. Answers the state to
    /// lead on from, the epoch, and when, in monotonic milliseconds, the lease was asked for.
    async fn wait_for_lease(&self) -> Result<(Warm, Epoch, u64), RunError> {
        let mut warm = None;
        // A database that is away is told of once, not twice a second.
        let mut told = false;
        loop {
            let asked_at = clock::monotonic_ms();
            match self
                .store
                .acquire_lease(&self.config.holder, LEASE_TTL)
                .await
            {
                Ok(Some(epoch)) => {
                    // Nobody else can commit any more, so this is the last word.
                    if let Some(warm) = catch_up(&self.store, warm.take()).await? {
                        return Ok((warm, epoch, asked_at));
                    }
                }
                Ok(None) => {
                    told = false;
                    self.wait_because("another server leads");
                    warm = catch_up(&self.store, warm.take()).await?;
                }
                Err(error) => {
                    match told {
                        false => tracing::warn!(?error, "the lease cannot be asked for"),
                        true => tracing::debug!(?error, "the lease cannot be asked for"),
                    }
                    told = true;
                    let reading = matches!(&**self.front.phase.load(), Phase::Reading(_));
                    if !reading {
                        self.wait_because("the database cannot be reached");
                    }
                }
            }
            tokio::time::sleep(FOLLOW_EVERY).await;
        }
    }

    fn wait_because(&self, why: &'static str) {
        self.front.phase.store(Arc::new(Phase::Waiting(why)));
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
        let inbox = WriterInbox::new(&front.metrics);
        let newest = writer.newest();
        let telemetry = Telemetry::new(front.metrics.clone());
        let cx = Arc::new(Context {
            state: Handle::new(inbox.clone(), newest.clone()),
            definitions: DefinitionCache::default(),
            history: history_of(config, store),
            pages: PageTokens::new(config.page_key),
            logs: Arc::new(Logs(logs.clone())),
            metrics: telemetry.clone(),
            limits: Limits {
                advertise_url: config.advertise_url.clone(),
                wait_for_room: config.wait_for_room,
            },
            wall: clock::wall,
        });
        // The agents' numbers have room for 31 bits of epoch: a server would have to start more
        // than twice a second for thirty years to use them up.
        let number = u32::try_from(epoch.0 & 0x7fff_ffff).unwrap_or(0);
        let gateway = Gateway::new(
            cx.clone(),
            number,
            front.roles.clone(),
            front.metrics.clone(),
            telemetry.clone(),
            front.contacts.clone(),
            users.clone(),
        );
        let told = gateway.clone();
        let news = Arc::new(ServiceBell::default());
        let service_news = news.clone();
        let waiting_news = Arc::new(WaitingNews::default());
        let (told_of_waiting, saved) = (waiting_news.clone(), newest.clone());
        let task = WriterTask {
            writer,
            inbox,
            store: store.clone(),
            metrics: front.metrics.clone(),
            follower: Box::new(move |changes| {
                told.dispatch(changes);
                service_news.changed(changes);
                told_of_waiting.changed(&saved.load(), changes);
            }),
            panics_told: 0,
        };
        let mut written = spawn_writer(task, writing.clone());
        let loops = TaskTracker::new();
        let metrics = front.metrics.clone();
        let folded = move |took: Duration, folded: Folded| {
            // A look that found nothing to do is no folding.
            if folded.rows > 0 {
                metrics.fold_seconds.observe(took.as_secs_f64());
                metrics.folded_rows.inc_by(folded.rows as u64);
            }
        };
        loops.spawn(run_folder(store.clone(), users.clone(), folded));
        loops.spawn(loops::housekeeping(
            cx.clone(),
            gateway.clone(),
            news.clone(),
            (config.clone(), store.clone()),
            users.clone(),
        ));
        loops.spawn(history::trim(
            store.clone(),
            config.task_history,
            users.clone(),
        ));
        loops.spawn(services::run(
            cx.clone(),
            news,
            Surroundings {
                healthy_after: config.service_healthy_after,
                move_over: config.move_over,
                wait_for_room: config.wait_for_room,
                ..Surroundings::default()
            },
            users.clone(),
        ));
        loops.spawn(waiting::run(
            cx.clone(),
            waiting_news,
            config.wait_for_room,
            users.clone(),
        ));
        loops.spawn(loops::expire_logs(cx.clone(), logs.clone(), users.clone()));
        loops.spawn(telemetry::run(
            telemetry.clone(),
            newest.clone(),
            users.clone(),
        ));
        let lease_lost = CancellationToken::new();
        loops.spawn(loops::keep_lease(
            store.clone(),
            asked_at,
            lease_lost.clone(),
            users.clone(),
        ));
        loops.close();
        // The lease is renewed meanwhile, and nobody is served yet.
        if let Err(error) = finish_deletions(logs, &newest.load_full()).await {
            tracing::warn!(?error, "events of deleted log groups may be left over");
        }
        let app = Arc::new(App {
            cx,
            newest,
            gateway,
            telemetry,
        });
        front.phase.store(Arc::new(Phase::Leading(app.clone())));
        tracing::info!(epoch = epoch.0, "this server leads");
        let ended = tokio::select! {
            () = stop.cancelled() => None,
            () = lease_lost.cancelled() => None,
            ended = &mut written => Some(ended),
        };
        if ended.is_some() {
            self.wait_because("this server no longer leads");
        } else if lease_lost.is_cancelled() {
            // Whether anybody else leads is found out by asking for the lease, next. Until the
            // database answers, reading goes on.
            front.phase.store(Arc::new(Phase::Reading(app)));
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

/// Where DescribeTasks looks for what is no longer in the state.
fn history_of(config: &Config, store: &Store) -> Option<Arc<dyn TaskHistory>> {
    let kept = !config.task_history.is_zero();
    kept.then(|| Arc::new(History(store.clone())) as Arc<dyn TaskHistory>)
}

/// Runs the writer on a thread of its own: its closures are short, but never yield.
fn spawn_writer(task: WriterTask, cancel: CancellationToken) -> JoinHandle<Ended> {
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || runtime.block_on(task.run(cancel)))
}
