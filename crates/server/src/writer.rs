//! The task that runs the writer: takes jobs in, saves batches, tells followers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use berth_leader::{DOWN_FOR, Next, Outage, REPORTS_WAIT, Step, WriterPace};
use berth_state::{
    Changed, Commit, Failure, Gathered, Inbox, Job, Lane, LaneLimits, Lanes, Outcome, Published,
    Tx, Verdict, Writer,
};
use berth_storage::{CommitError, Resolved, Store};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use prometheus::Histogram;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::metrics::Metrics;

/// Jobs that may wait in each lane. At a few thousand changes a second this is a second or two
/// of work: a caller who would wait longer is better told to come back.
const WAITING_MAX: usize = 8192;
/// Jobs in one batch: large enough to share one fsync among all that arrive during the last
/// one, small enough that a batch of RunTask calls for ten tasks each takes some ten milliseconds.
const BATCH_MAX: usize = 512;
/// How often an unknown outcome is asked about.
const RESOLVE_EVERY: Duration = Duration::from_millis(250);

/// The way in to the writer's lanes.
pub(crate) struct WriterInbox {
    lanes: Mutex<Lanes>,
    arrived: Notify,
    /// Told whenever the writer has taken jobs, for agents' reports that wait for room.
    room: Notify,
    outage: Outage,
    stopped: AtomicBool,
    /// How long jobs waited, by lane.
    waits: [Histogram; 3],
}

/// A job that tells how long it waited for its first run.
struct Awaited {
    job: Box<dyn Job>,
    since_ns: u64,
    /// Whom to tell; `None` once told.
    told: Option<Histogram>,
}

impl Job for Awaited {
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        if let Some(waits) = self.told.take() {
            waits.observe(seconds(clock::monotonic_ns() - self.since_ns));
        }
        self.job.run(tx)
    }

    fn panicked(&mut self) {
        self.job.panicked();
    }

    fn finish(self: Box<Self>, verdict: Verdict) {
        self.job.finish(verdict);
    }
}

fn seconds(ns: u64) -> f64 {
    Duration::from_nanos(ns).as_secs_f64()
}

impl WriterInbox {
    /// Empty lanes.
    pub(crate) fn new(metrics: &Metrics) -> Arc<Self> {
        let limits = LaneLimits {
            waiting_max: WAITING_MAX,
            batch_max: BATCH_MAX,
        };
        Arc::new(Self {
            lanes: Mutex::new(Lanes::new(limits)),
            arrived: Notify::new(),
            room: Notify::new(),
            outage: Outage::default(),
            stopped: AtomicBool::new(false),
            waits: Lane::ALL.map(|lane| {
                metrics
                    .writer_wait_seconds
                    .with_label_values(&[lane.as_str()])
            }),
        })
    }

    fn lanes(&self) -> MutexGuard<'_, Lanes> {
        // A panic elsewhere leaves whole queues behind, so poison is no reason to stop.
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn offer(&self, lane: Lane, job: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        self.lanes().offer(lane, job)?;
        self.arrived.notify_one();
        Ok(())
    }

    async fn wait_for_room(&self, mut job: Box<dyn Job>) -> Result<(), Failure> {
        loop {
            let room = self.room.notified();
            match self.offer(Lane::Agents, job) {
                Ok(()) => return Ok(()),
                Err(back) => job = back,
            }
            room.await;
        }
    }
}

impl Inbox for WriterInbox {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
        if self.stopped.load(Ordering::Acquire) {
            return std::future::ready(Err(Failure::NotLeading)).boxed();
        }
        let job = Box::new(Awaited {
            job,
            since_ns: clock::monotonic_ns(),
            told: Some(self.waits[lane as usize].clone()),
        });
        if self.outage.refuses(lane, clock::monotonic_ms()) {
            return std::future::ready(Err(Failure::Unavailable)).boxed();
        }
        match lane {
            Lane::Api | Lane::Controllers => {
                let outcome = self.offer(lane, job).map_err(|_| Failure::Overloaded);
                std::future::ready(outcome).boxed()
            }
            Lane::Agents => async move {
                tokio::time::timeout(REPORTS_WAIT, self.wait_for_room(job))
                    .await
                    .unwrap_or(Err(Failure::Overloaded))
            }
            .boxed(),
        }
    }
}

/// Why the writer's task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// It was asked to.
    Cancelled,
    /// Another server leads.
    Deposed,
    /// The disk failed to keep what it was given; the process must end.
    Fatal,
}

/// Who is told of published changes. Called on the writer's task, so it only hands them on.
pub(crate) type Follower = Box<dyn Fn(&[Changed]) + Send>;

/// The writer with all that its task needs.
pub(crate) struct WriterTask {
    pub(crate) writer: Writer,
    pub(crate) inbox: Arc<WriterInbox>,
    pub(crate) store: Store,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) follower: Follower,
    /// How many of the writer's panics the metrics know of.
    pub(crate) panics_told: u64,
}

impl WriterTask {
    /// Runs until told to stop, or until this server no longer leads. Jobs that were handed in
    /// before are finished first.
    pub(crate) async fn run(mut self, cancel: CancellationToken) -> Ended {
        self.note_state();
        let ended = self.serve(&cancel).await;
        self.inbox.stopped.store(true, Ordering::Release);
        self.writer.stop(&mut self.inbox.lanes());
        self.inbox.room.notify_waiters();
        ended
    }

    async fn serve(&mut self, cancel: &CancellationToken) -> Ended {
        let mut pace = WriterPace::default();
        loop {
            let step = match self.step().await {
                Ok(step) => step,
                Err(ended) => return ended,
            };
            let now = clock::monotonic_ms();
            match pace.after(step, &mut self.writer, &self.inbox.outage, now) {
                Next::GoOn => {}
                Next::Pause => tokio::time::sleep(DOWN_FOR).await,
                Next::Wait => {
                    if cancel.is_cancelled() {
                        return Ended::Cancelled;
                    }
                    tokio::select! {
                        () = self.inbox.arrived.notified() => {}
                        () = cancel.cancelled() => {}
                    }
                }
            }
        }
    }

    /// One batch.
    async fn step(&mut self) -> Result<Step, Ended> {
        let gathered = self.gather();
        self.inbox.room.notify_waiters();
        self.note_panics();
        match gathered {
            Gathered::Idle => Ok(Step::Idle),
            Gathered::Answered(published) => {
                self.published(&published);
                Ok(Step::Answered)
            }
            Gathered::Save(commit) => {
                let begun = clock::monotonic_ns();
                let outcome = self.save(&commit).await?;
                let took = clock::monotonic_ns() - begun;
                self.metrics.writer_saving_ns.inc_by(took);
                self.metrics.commit_seconds.observe(seconds(took));
                if outcome == Outcome::Saved {
                    self.metrics.commits.inc();
                    self.metrics.changes.inc_by(commit.changes.len() as u64);
                }
                let published = self.writer.outcome(outcome);
                let jobs: usize = published.jobs.iter().sum();
                if outcome == Outcome::Saved {
                    self.metrics.commit_jobs.observe(jobs as f64);
                }
                self.published(&published);
                match outcome {
                    Outcome::Saved | Outcome::Refused | Outcome::NotSaved => {
                        Ok(Step::Ended(outcome))
                    }
                    Outcome::Deposed => Err(Ended::Deposed),
                }
            }
        }
    }

    fn gather(&mut self) -> Gathered {
        let (inbox, metrics) = (&self.inbox, &self.metrics);
        let mut last = clock::monotonic_ns();
        let mut meter = |lane: Lane| {
            let now = clock::monotonic_ns();
            metrics
                .writer_busy_ns
                .with_label_values(&[lane.as_str()])
                .inc_by(now - last);
            last = now;
        };
        self.writer
            .gather(|| inbox.lanes().take_batch(), clock::wall(), &mut meter)
    }

    async fn save(&self, commit: &Commit) -> Result<Outcome, Ended> {
        match self.store.commit(commit).await {
            Ok(()) => Ok(Outcome::Saved),
            Err(CommitError::Refused(error)) => {
                tracing::error!(?error, "the database refuses a batch as data");
                Ok(Outcome::Refused)
            }
            Err(CommitError::Unavailable(error)) => {
                tracing::warn!(?error, "the database cannot be written");
                Ok(Outcome::NotSaved)
            }
            Err(CommitError::Deposed) => Ok(Outcome::Deposed),
            Err(CommitError::Fatal(error)) => {
                tracing::error!(?error, "the disk failed to keep a commit");
                Err(Ended::Fatal)
            }
            Err(CommitError::Unknown(error)) => {
                tracing::warn!(?error, "a commit's outcome is unknown");
                Ok(self.resolve(commit.revision).await)
            }
        }
    }

    /// Finds out what became of a commit. API calls are refused meanwhile, and reports wait.
    async fn resolve(&self, revision: u64) -> Outcome {
        loop {
            self.inbox.outage.began(clock::monotonic_ms());
            match self.store.resolve_unknown(revision).await {
                Ok(Resolved::Applied) => return Outcome::Saved,
                Ok(Resolved::NotApplied) => return Outcome::NotSaved,
                Ok(Resolved::Deposed) => return Outcome::Deposed,
                Err(error) => {
                    tracing::warn!(?error, "still unknown");
                    tokio::time::sleep(RESOLVE_EVERY).await;
                }
            }
        }
    }

    fn published(&self, published: &Published) {
        for (lane, jobs) in Lane::ALL.into_iter().zip(published.jobs) {
            self.metrics
                .writer_jobs
                .with_label_values(&[lane.as_str()])
                .inc_by(jobs as u64);
        }
        self.note_state();
        if !published.changes.is_empty() {
            (self.follower)(&published.changes);
        }
    }

    /// Shows how much there is, from the start on.
    fn note_state(&self) {
        let state = self.writer.newest().load_full();
        self.metrics
            .tasks
            .set(i64::try_from(state.tasks.len()).unwrap_or(i64::MAX));
        self.metrics
            .revision
            .set(i64::try_from(state.revision).unwrap_or(i64::MAX));
    }

    fn note_panics(&mut self) {
        let panics = self.writer.panics();
        self.metrics.panics.inc_by(panics - self.panics_told);
        self.panics_told = panics;
    }
}
