//! One task and its containers: what is known, and what each outcome and event makes of it.
//! What to do next is decided in `decide`.

use std::sync::Arc;

use berth_agent_proto::task::{Container, Credentials, Task};

use super::report::{LastStatus, Report, ReportOutcome};
use super::{Now, Outcome, Work};
use crate::directory::{ContainerView, Known, TaskView};
use crate::runtime::{
    Binding, ErrorKind, Health, RuntimeError, RuntimeId, Snapshot, Status, TaskNetwork,
};

/// How long after the runtime did not answer the same is tried again, in milliseconds.
pub(super) const RETRY_AFTER_MS: u64 = 2_000;

/// How long a container must have run to be restarted when its policy does not say, in
/// milliseconds: the default of a task definition's `restartAttemptPeriod`.
const RESTART_PERIOD_MS: u64 = 300_000;

/// Volumes and network of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Setup {
    /// Not made yet, or to be tried again.
    Todo,
    /// Under way.
    Doing,
    /// Made.
    Done,
    /// Being removed.
    Removing,
    /// Removed.
    Removed,
}

/// One container of a task.
#[derive(Clone, Debug)]
pub(crate) struct ContainerRun {
    pub(crate) token: Arc<str>,
    pub(super) known: Known,
    /// What the server knows of it.
    pub(super) reported: LastStatus,
    /// The work under way for it; one piece at a time.
    pub(super) doing: Option<Work>,
    /// Not before this is anything done for it, after the runtime did not answer.
    pub(super) not_before: u64,
    pub(crate) runtime_id: Option<RuntimeId>,
    pub(super) digest: Option<String>,
    pub(super) exit_code: Option<i32>,
    pub(super) reason: Option<String>,
    pub(super) created_at: Option<i64>,
    pub(super) started_at: Option<i64>,
    pub(super) finished_at: Option<i64>,
    pub(super) started_mono: u64,
    /// When it was first wanted to start, for its start timeout.
    pub(super) begun_mono: Option<u64>,
    pub(super) health: Health,
    pub(super) health_since: Option<i64>,
    pub(super) health_message: Option<String>,
    pub(super) restarts: u32,
    pub(super) bindings: Vec<Binding>,
    /// An end was seen while it was being started: look again.
    pub(super) look_again: bool,
    pub(super) removed: bool,
}

impl ContainerRun {
    pub(super) fn new(token: Arc<str>) -> Self {
        Self {
            token,
            known: Known::None,
            reported: LastStatus::None,
            doing: None,
            not_before: 0,
            runtime_id: None,
            digest: None,
            exit_code: None,
            reason: None,
            created_at: None,
            started_at: None,
            finished_at: None,
            started_mono: 0,
            begun_mono: None,
            health: Health::Unknown,
            health_since: None,
            health_message: None,
            restarts: 0,
            bindings: Vec::new(),
            look_again: false,
            removed: false,
        }
    }

    /// Whether it was ever started.
    pub(super) fn has_started(&self) -> bool {
        self.started_at.is_some()
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.known == Known::Stopped
    }

    fn take_snapshot_times(&mut self, now: Now, snapshot: &Snapshot) {
        self.started_at = snapshot.started_at.or(self.started_at).or(Some(now.wall));
        if !snapshot.bindings.is_empty() {
            self.bindings.clone_from(&snapshot.bindings);
        }
        self.take_health(now, snapshot.health, None);
    }

    fn take_health(&mut self, now: Now, health: Health, message: Option<String>) {
        if self.health != health {
            self.health = health;
            self.health_since = Some(now.wall);
        }
        if message.is_some() {
            self.health_message = message;
        }
    }

    pub(super) fn stop_with(&mut self, now: Now, reason: Option<String>) {
        self.known = Known::Stopped;
        self.finished_at.get_or_insert(now.wall);
        if self.reason.is_none() {
            self.reason = reason;
        }
    }

    /// It ended: stays stopped, or will be started again by its policy.
    fn ended(&mut self, now: Now, spec: &Container, wanted: bool, end: End) {
        self.exit_code = end.exit_code;
        self.finished_at = Some(end.at.unwrap_or(now.wall));
        if end.oom_killed {
            let text = "Container killed due to memory usage";
            let error = format!("OutOfMemoryError: {text}");
            self.reason = Some(error);
        }
        self.known = if wanted && self.restarts_after(now, spec) {
            self.restarts = self.restarts.saturating_add(1);
            Known::Created
        } else {
            Known::Stopped
        };
    }

    /// Whether the policy has the container started again: only one that ran for the whole
    /// period is, so that one that fails at once does not do so for ever.
    fn restarts_after(&self, now: Now, spec: &Container) -> bool {
        let Some(policy) = spec.restart_policy.as_ref().filter(|p| p.enabled) else {
            return false;
        };
        let ignored = self
            .exit_code
            .is_some_and(|code| policy.ignored_exit_codes.contains(&i64::from(code)));
        let seconds = policy.restart_attempt_period;
        let period = seconds.map_or(RESTART_PERIOD_MS, |s| {
            u64::try_from(s).unwrap_or(0).saturating_mul(1_000)
        });
        !ignored && now.mono.saturating_sub(self.started_mono) >= period
    }
}

/// How a container ended.
#[derive(Clone, Copy, Debug)]
struct End {
    exit_code: Option<i32>,
    oom_killed: bool,
    at: Option<i64>,
}

/// One task.
#[derive(Clone, Debug)]
pub(crate) struct TaskRun {
    pub(crate) arn: Arc<str>,
    pub(crate) task: Arc<Task>,
    pub(super) wanted: bool,
    /// Holds its share of the machine.
    pub(super) admitted: bool,
    pub(super) told_waiting: bool,
    pub(super) setup: Setup,
    pub(super) setup_not_before: u64,
    pub(crate) network: Option<TaskNetwork>,
    pub(crate) containers: Vec<ContainerRun>,
    /// What the server knows of it.
    pub(super) reported: LastStatus,
    pub(super) reporting: bool,
    /// When container changes without a task change go out.
    pub(super) flush_at: Option<u64>,
    pub(super) running_seen: bool,
    /// Why it could not be run at all.
    pub(super) failure: Option<String>,
    pub(super) pull_started_at: Option<i64>,
    pub(super) pull_stopped_at: Option<i64>,
    pub(super) execution_stopped_at: Option<i64>,
    pub(super) stopped_at: Option<i64>,
    pub(super) cleanup_at: Option<u64>,
    pub(super) credentials_dropped: bool,
    /// Changed since it was last saved.
    pub(super) dirty: bool,
    pub(super) forgotten: bool,
    /// Only what the removal needs is left of it.
    pub(super) let_go: bool,
    pub(super) timer: u64,
}

impl TaskRun {
    pub(super) fn new(arn: Arc<str>, task: Arc<Task>, token: &mut dyn FnMut() -> Arc<str>) -> Self {
        let containers = task.containers.iter();
        let containers = containers.map(|_| ContainerRun::new(token())).collect();
        Self {
            arn,
            wanted: task.desired_status != "STOPPED",
            admitted: false,
            told_waiting: false,
            setup: Setup::Todo,
            setup_not_before: 0,
            network: None,
            containers,
            reported: LastStatus::None,
            reporting: false,
            flush_at: None,
            running_seen: false,
            failure: None,
            pull_started_at: None,
            pull_stopped_at: None,
            execution_stopped_at: None,
            stopped_at: None,
            cleanup_at: None,
            credentials_dropped: false,
            dirty: true,
            forgotten: false,
            let_go: false,
            timer: u64::MAX,
            task,
        }
    }

    pub(super) fn is_stopped(&self) -> bool {
        !self.wanted && self.containers.iter().all(ContainerRun::is_stopped)
    }

    /// Lets go of what the removal of a task that is over does not need. Of many short tasks,
    /// those that wait to be removed are nearly all.
    pub(super) fn let_go(&mut self) {
        self.let_go = true;
        let id_alone = |credentials: &Option<Credentials>| {
            credentials.as_ref().map(|credentials| Credentials {
                credentials_id: credentials.credentials_id.clone(),
                ..Credentials::default()
            })
        };
        let task = &self.task;
        let containers = task.containers.iter().map(|container| Container {
            name: container.name.clone(),
            essential: container.essential,
            ..Container::default()
        });
        self.task = Arc::new(Task {
            arn: task.arn.clone(),
            desired_status: task.desired_status.clone(),
            family: task.family.clone(),
            version: task.version.clone(),
            containers: containers.collect(),
            role_credentials: id_alone(&task.role_credentials),
            execution_role_credentials: id_alone(&task.execution_role_credentials),
            ..Task::default()
        });
        for container in &mut self.containers {
            container.digest = None;
            container.reason = None;
            container.health_message = None;
            container.bindings = Vec::new();
        }
    }

    /// It cannot be run at all; its report names no containers.
    pub(super) fn fail(&mut self, now: Now, reason: String) {
        self.wanted = false;
        self.failure = Some(reason);
        for container in &mut self.containers {
            container.stop_with(now, None);
        }
    }

    /// The server names a task to stop that this agent never saw.
    pub(super) fn stop_unstarted(&mut self, now: Now) {
        self.wanted = false;
        for container in &mut self.containers {
            container.stop_with(now, None);
        }
    }

    pub(super) fn want_stopped(&mut self, now: Now) {
        if self.wanted {
            self.wanted = false;
            self.execution_stopped_at.get_or_insert(now.wall);
            self.dirty = true;
        }
    }

    /// Takes the outcome of a piece of work. Gives the container whose id became known.
    pub(super) fn done(
        &mut self,
        now: Now,
        work: Work,
        outcome: Outcome,
    ) -> Option<(usize, RuntimeId)> {
        self.dirty = true;
        let index = match work {
            Work::SetUp => {
                self.set_up_done(now, outcome);
                return None;
            }
            Work::TearDown => {
                self.setup = match outcome {
                    Outcome::Failed(_) => {
                        self.setup_not_before = now.mono + RETRY_AFTER_MS;
                        Setup::Done
                    }
                    _ => Setup::Removed,
                };
                return None;
            }
            Work::Pull(i)
            | Work::Create(i)
            | Work::Start(i)
            | Work::Stop(i, _)
            | Work::Inspect(i)
            | Work::Remove(i) => i,
        };
        let container = self.containers.get_mut(index)?;
        // The word of work that was given up.
        if container.doing != Some(work) {
            return None;
        }
        container.doing = None;
        match outcome {
            Outcome::Failed(error) => {
                self.work_failed(now, index, work, error);
                None
            }
            Outcome::Pulled(pulled) => {
                container.known = container.known.max(Known::Pulled);
                container.digest = pulled.digest;
                container.reason = pulled.note;
                self.pull_stopped_at = Some(now.wall);
                None
            }
            Outcome::Created(id) => {
                container.known = container.known.max(Known::Created);
                container.created_at.get_or_insert(now.wall);
                container.runtime_id = Some(Arc::clone(&id));
                Some((index, id))
            }
            Outcome::Looked(snapshot) => {
                self.looked(now, index, work, snapshot.as_ref());
                None
            }
            Outcome::Removed => {
                container.removed = true;
                None
            }
            Outcome::SetUp(_) => None,
        }
    }

    fn set_up_done(&mut self, now: Now, outcome: Outcome) {
        match outcome {
            Outcome::SetUp(network) => {
                self.network = network;
                self.setup = Setup::Done;
            }
            Outcome::Failed(error) if error.kind == ErrorKind::Unavailable => {
                self.setup = Setup::Todo;
                self.setup_not_before = now.mono + RETRY_AFTER_MS;
            }
            Outcome::Failed(error) => {
                // What was made of it is removed with the rest.
                self.setup = Setup::Done;
                let reason = error.to_string();
                self.fail(now, reason);
            }
            _ => self.setup = Setup::Todo,
        }
    }

    fn work_failed(&mut self, now: Now, index: usize, work: Work, error: RuntimeError) {
        let container = &mut self.containers[index];
        let unavailable = error.kind == ErrorKind::Unavailable;
        match work {
            // Nothing says that the container has ended, so it is not given up.
            Work::Stop(..) | Work::Inspect(_) | Work::Remove(_) => {
                container.not_before = now.mono + RETRY_AFTER_MS;
                container.look_again |= matches!(work, Work::Inspect(_));
            }
            Work::Pull(_) | Work::Create(_) | Work::Start(_) if unavailable => {
                container.not_before = now.mono + RETRY_AFTER_MS;
            }
            Work::Pull(_) | Work::Create(_) | Work::Start(_) => {
                // In place of the note of a pull that failed and went on with an older image.
                container.reason = Some(error.to_string());
                container.stop_with(now, None);
                if matches!(work, Work::Pull(_)) {
                    self.pull_stopped_at = Some(now.wall);
                }
                self.container_stopped(now, index);
            }
            Work::SetUp | Work::TearDown => {}
        }
    }

    /// Takes how a container looks after a start, a stop or an inspection.
    fn looked(&mut self, now: Now, index: usize, work: Work, snapshot: Option<&Snapshot>) {
        let spec = &self.task.containers[index];
        let container = &mut self.containers[index];
        let Some(snapshot) = snapshot else {
            let reason = "CannotInspectContainerError: the container is gone";
            container.stop_with(now, Some(reason.to_owned()));
            self.container_stopped(now, index);
            return;
        };
        let end = End {
            exit_code: snapshot.exit_code,
            oom_killed: snapshot.oom_killed,
            at: snapshot.finished_at,
        };
        match (snapshot.status, work) {
            (Status::Running, Work::Start(_)) => {
                container.known = Known::Running;
                container.started_mono = now.mono;
                container.finished_at = None;
                container.exit_code = None;
                container.take_snapshot_times(now, snapshot);
            }
            (Status::Running, _) => container.take_snapshot_times(now, snapshot),
            (Status::Exited, Work::Start(_)) => {
                container.started_mono = now.mono;
                container.take_snapshot_times(now, snapshot);
                container.ended(now, spec, self.wanted, end);
                container.look_again = false;
                self.container_stopped(now, index);
            }
            (Status::Exited, _) => {
                // A word that was overtaken by the event of the same end.
                if container.known != Known::Stopped {
                    container.take_snapshot_times(now, snapshot);
                    container.ended(now, spec, self.wanted, end);
                    self.container_stopped(now, index);
                }
            }
            (Status::Created, Work::Stop(..)) => {
                container.stop_with(now, None);
                self.container_stopped(now, index);
            }
            (Status::Created, _) => {}
        }
    }

    /// An end was seen.
    pub(super) fn died(
        &mut self,
        now: Now,
        index: usize,
        exit_code: Option<i32>,
        oom_killed: bool,
        at: i64,
    ) {
        let wanted = self.wanted;
        let spec = &self.task.containers[index];
        let container = &mut self.containers[index];
        // It may be the end of an earlier run or of this one: the runtime knows.
        if matches!(container.doing, Some(Work::Start(_) | Work::Inspect(_))) {
            container.look_again = true;
            return;
        }
        let of_earlier_run = container.started_at.is_some_and(|started| at < started);
        if container.known != Known::Running || of_earlier_run {
            return;
        }
        let end = End {
            exit_code,
            oom_killed,
            at: Some(at),
        };
        container.ended(now, spec, wanted, end);
        self.dirty = true;
        self.container_stopped(now, index);
    }

    pub(super) fn health(
        &mut self,
        now: Now,
        index: usize,
        health: Health,
        message: Option<String>,
    ) {
        self.containers[index].take_health(now, health, message);
    }

    /// A container has stopped for good, or will be restarted; an essential one takes the task
    /// along.
    fn container_stopped(&mut self, now: Now, index: usize) {
        // What ran and ended between two looks has been running all the same.
        self.running_seen |= self.wanted && self.containers.iter().all(ContainerRun::has_started);
        if self.containers[index].is_stopped() && self.task.containers[index].essential {
            self.wanted = false;
            self.execution_stopped_at.get_or_insert(now.wall);
        }
        self.dirty = true;
    }

    /// Takes what the runtime lists of this task's containers. Gives ids that became known.
    pub(super) fn adopt(&mut self, now: Now, snapshots: &[Snapshot]) -> Vec<(usize, RuntimeId)> {
        let mut learnt = Vec::new();
        for index in 0..self.containers.len() {
            let name = &self.task.containers[index].name;
            let snapshot = snapshots.iter().find(|s| s.name == *name);
            let container = &mut self.containers[index];
            // Work under way brings newer word than this list.
            if container.doing.is_some() || container.is_stopped() {
                continue;
            }
            let Some(snapshot) = snapshot else {
                if container.runtime_id.is_some() {
                    self.looked(now, index, Work::Inspect(index), None);
                }
                continue;
            };
            self.dirty |= container.runtime_id.is_none();
            container.runtime_id = Some(Arc::clone(&snapshot.id));
            container.token = Arc::clone(&snapshot.token);
            learnt.push((index, Arc::clone(&snapshot.id)));
            let started_before = container.known == Known::Running;
            if container.known < Known::Created {
                container.known = Known::Created;
                container.created_at.get_or_insert(now.wall);
            }
            // One that ran before keeps its time of starting, for its restart policy.
            let work = if started_before {
                Work::Inspect(index)
            } else {
                Work::Start(index)
            };
            // A restart may have been decided and not yet done: it is still to be done.
            let restarting = container.known == Known::Created && container.has_started();
            if !(restarting && snapshot.status == Status::Exited) {
                self.looked(now, index, work, Some(snapshot));
            }
        }
        learnt
    }

    pub(super) fn reported(&mut self, report: &Report, outcome: ReportOutcome) {
        self.reporting = false;
        match outcome {
            ReportOutcome::Stored | ReportOutcome::Refused => {
                self.reported = self.reported.max(report.status);
                for change in &report.containers {
                    if let Some(container) = self.containers.get_mut(change.index) {
                        container.reported = container.reported.max(change.status);
                    }
                }
                // A refused report goes out once more after a restart of the agent, as with the
                // stock agent: it is not saved as reported.
                self.dirty |= outcome == ReportOutcome::Stored;
            }
            ReportOutcome::GivenUp => {}
        }
    }

    /// The server wants a task stopped whose end was told and taken: it has forgotten, as one that
    /// was restored from a backup has. The end is then told once more. Answers whether it is to be.
    pub(super) fn tell_end_again(&mut self) -> bool {
        if !self.is_stopped() || self.reporting || self.reported != LastStatus::Stopped {
            return false;
        }
        self.reported = LastStatus::Running;
        for container in &mut self.containers {
            container.reported = container.reported.min(LastStatus::Running);
        }
        true
    }

    pub(super) fn known(&self) -> Known {
        if self.is_stopped() {
            return Known::Stopped;
        }
        let least = self.containers.iter().map(|c| c.known).min();
        least.unwrap_or(Known::None).min(Known::Running)
    }

    pub(super) fn view(&self) -> TaskView {
        TaskView {
            task: Arc::clone(&self.task),
            wanted: self.wanted,
            known: self.known(),
            pull_started_at: self.pull_started_at,
            pull_stopped_at: self.pull_stopped_at,
            execution_stopped_at: self.execution_stopped_at,
            network: self.network.clone(),
            containers: self.containers.iter().map(ContainerRun::view).collect(),
        }
    }
}

impl ContainerRun {
    /// Its id while it runs.
    pub(crate) fn running_id(&self) -> Option<RuntimeId> {
        let running = self.known == Known::Running;
        self.runtime_id.clone().filter(|_| running)
    }

    /// How often it was restarted.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts
    }

    fn view(&self) -> ContainerView {
        ContainerView {
            token: Arc::clone(&self.token),
            known: self.known,
            runtime_id: self.runtime_id.clone(),
            image_digest: self.digest.clone(),
            exit_code: self.exit_code,
            created_at: self.created_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            health: self.health,
            health_since: self.health_since,
            restarts: self.restarts,
            bindings: self.bindings.clone(),
        }
    }
}
