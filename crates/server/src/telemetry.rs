//! Telemetry: what agents say lately of their tasks' use and their machines' health.
//!
//! Rules kept here:
//! - nothing of it goes through the writer: it is kept in memory for as long as this server
//!   leads, and begins anew with every term;
//! - an agent is believed only about tasks of its own that have not stopped; what it says of
//!   others, and figures that cannot be, are counted and passed over;
//! - everything is bounded. A task has [`TASK_BYTES_MAX`] bytes in a table that is at most half
//!   empty, so ten thousand have 4.6 MB and the most that are kept, [`TASKS_MAX`], 37 MB; a service
//!   or cluster has [`SUBJECT_BYTES_MAX`], and the most that are kept,
//!   [`history::SUBJECTS_MAX`], 13 MB;
//! - a gap is not bridged: what was known before it is forgotten.
//!
//! Health of containers is not here: it is part of a task's record (`gateway/tcs`).

mod checks;
mod history;
mod intake;
mod rows;
mod samples;
mod summary;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use berth_agent_proto::tcs::{InstanceStatus, PublishMetrics};
use berth_model::id::{InstanceId, TaskId};
use berth_model::time::Timestamp;
use berth_ops::{InstanceCheck, MetricMinute, MetricSource, MetricSubject};
use berth_state::State;
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::metrics::Metrics;
use checks::Checks;
use history::History;
use intake::Refused;
use samples::TaskSamples;

pub(crate) use rows::{RowFilter, TaskRow, rows};
pub(crate) use samples::TaskUse;
pub(crate) use summary::{Amounts, ClusterUse, ServiceUse, Summary, percent};

/// The most tasks whose use is kept: what a server is built for. Samples of others are counted
/// and passed over.
const TASKS_MAX: usize = 100_000;
/// The most bytes that a task's samples take, held by a test.
#[cfg(test)]
const TASK_BYTES_MAX: usize = 280;
/// The most bytes that an hour of a service or cluster takes, held by a test.
#[cfg(test)]
const SUBJECT_BYTES_MAX: usize = 2_600;
/// How old a summary may be that is shown again: agents publish every 20 s, and summing up a
/// hundred thousand tasks takes a core for some hundred milliseconds.
const SUMMARY_MS_MAX: u64 = 2_000;
/// How often it is looked whether a minute is over.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One instant on both clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Milliseconds of the monotonic clock, by which ages are told.
    pub(crate) mono_ms: u64,
    /// What is shown.
    pub(crate) wall: Timestamp,
}

impl Moment {
    /// The present.
    pub(crate) fn now() -> Self {
        Self {
            mono_ms: clock::monotonic_ms(),
            wall: clock::wall(),
        }
    }
}

/// The telemetry of one term of leadership.
pub(crate) struct Telemetry {
    kept: Mutex<Kept>,
    /// The last summary, and when it was made.
    summary: Mutex<Option<(u64, Arc<Summary>)>>,
    metrics: Arc<Metrics>,
}

/// What is kept.
#[derive(Default)]
struct Kept {
    tasks: HashMap<TaskId, TaskSamples>,
    checks: Checks,
    history: History,
}

impl Telemetry {
    /// Nothing is known yet.
    pub(crate) fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            kept: Mutex::default(),
            summary: Mutex::default(),
            metrics,
        })
    }

    /// Takes in what the agent of `instance` says of its tasks.
    pub(crate) fn take_metrics(
        &self,
        state: &State,
        instance: InstanceId,
        message: &PublishMetrics,
        now: Moment,
    ) {
        let mut refused = Refused::default();
        let readings = intake::read(state, instance, message, &mut refused);
        let mut kept = self.kept();
        for (task, reading) in readings {
            let known = kept.tasks.len();
            match kept.tasks.get_mut(&task) {
                Some(samples) => samples.push(now.mono_ms, &reading),
                None if known >= TASKS_MAX => refused.too_many += 1,
                None => {
                    let mut samples = TaskSamples::default();
                    samples.push(now.mono_ms, &reading);
                    kept.tasks.insert(task, samples);
                }
            }
        }
        drop(kept);
        self.count(instance, &refused);
    }

    /// Takes in what the agent of `instance` says of its machine.
    pub(crate) fn take_status(
        &self,
        instance: InstanceId,
        statuses: &[InstanceStatus],
        now: Moment,
    ) {
        let refused = self.kept().checks.take(instance, statuses, now);
        self.count(instance, &refused);
    }

    /// What tasks, services and clusters use now.
    pub(crate) fn summary(&self, state: &State, now: Moment) -> Arc<Summary> {
        let mut last = self.summary.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, summary)) = &*last
            && now.mono_ms.saturating_sub(*at) < SUMMARY_MS_MAX
        {
            return summary.clone();
        }
        let fresh = self.fresh(now);
        let summary = Arc::new(Summary::of(state, &fresh));
        *last = Some((now.mono_ms, summary.clone()));
        summary
    }

    /// What each task uses now, of those that were heard of lately.
    pub(crate) fn fresh(&self, now: Moment) -> HashMap<TaskId, TaskUse> {
        let kept = self.kept();
        let fresh = kept.tasks.iter();
        fresh
            .filter_map(|(id, samples)| Some((*id, samples.lately(now.mono_ms)?)))
            .collect()
    }

    /// Notes the minute that has just ended, and forgets what is over.
    fn end_minute(&self, state: &State, now: Moment) {
        let summary = self.summary(state, now);
        let mut kept = self.kept();
        kept.history.end_minute(&summary, now.wall);
        kept.tasks.retain(|id, samples| {
            samples.lately(now.mono_ms).is_some() && intake::is_heard(state.tasks.get(*id))
        });
        kept.checks.forget_gone(state);
    }

    fn count(&self, instance: InstanceId, refused: &Refused) {
        for (reason, count) in refused.counts() {
            let counter = &self.metrics.telemetry_ignored;
            counter.with_label_values(&[reason]).inc_by(count);
            tracing::debug!(%instance, reason, count, "telemetry passed over");
        }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MetricSource for Telemetry {
    fn minutes(&self, subject: &MetricSubject) -> Vec<MetricMinute> {
        self.kept().history.minutes(subject)
    }

    fn instance_check(&self, instance: InstanceId) -> Option<InstanceCheck> {
        self.kept().checks.last(instance, clock::monotonic_ms())
    }
}

/// Notes each minute as it ends.
pub(crate) async fn run(
    telemetry: Arc<Telemetry>,
    newest: Arc<ArcSwap<State>>,
    cancel: CancellationToken,
) {
    let mut noted = history::minute_of(clock::wall());
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
        let now = Moment::now();
        if history::minute_of(now.wall) == noted {
            continue;
        }
        noted = history::minute_of(now.wall);
        let (telemetry, state) = (telemetry.clone(), newest.load_full());
        // It may take longer than a worker of the runtime should be held.
        let ended = tokio::task::spawn_blocking(move || telemetry.end_minute(&state, now));
        if let Err(error) = ended.await {
            tracing::error!(%error, "a minute of telemetry was lost");
        }
    }
}

#[cfg(test)]
mod tests;
