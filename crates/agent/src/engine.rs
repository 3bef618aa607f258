//! The task engine: decides what shall happen to containers, as a step machine without I/O.
//!
//! The shell tells it what the server wants, what the runtime saw and how each piece of work
//! ended; the engine answers with [`Effect`]s. After each input it looks at the whole task anew,
//! so a lost or doubled input costs time and never correctness.
//!
//! Rules kept here:
//! - what is wanted of a task only leads forward, and a known ARN changes nothing else;
//! - a task starts once: what was created is remembered, found again and never made twice;
//! - a starting task passes a check of the machine's resources, first come first served;
//! - containers start in the order of their dependencies and stop in the reverse;
//! - reports of one task are strictly serial, and each says what was not reported before.

mod check;
mod decide;
mod report;
mod saved;
mod task;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::Chance;
use berth_agent_proto::task::Task;

use crate::directory::TaskView;
use crate::runtime::{
    Health, Pulled, RuntimeError, RuntimeEvent, RuntimeId, Snapshot, TaskNetwork,
};

pub use check::{Refused, Resources};
pub use report::{ContainerChange, LastStatus, Report, ReportOutcome};
pub use saved::{Saved, SavedState};
pub(crate) use task::TaskRun;

/// What the engine must know from the start.
#[derive(Clone, Debug)]
pub struct EngineConfig {
    /// What the machine was registered with.
    pub capacity: Resources,
    /// How long a stopped task's containers are kept.
    pub cleanup_wait: Duration,
    /// Time between stop signal and kill where the container says nothing.
    pub stop_timeout: Duration,
    /// Spreads timers.
    pub seed: u64,
}

/// A piece of work for the runtime. The outcome comes back by [`Engine::done`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Make volumes and network.
    SetUp,
    /// Pull the container's image.
    Pull(usize),
    /// Create the container.
    Create(usize),
    /// Start it.
    Start(usize),
    /// Stop it.
    Stop(usize, Duration),
    /// Look at it.
    Inspect(usize),
    /// Remove it.
    Remove(usize),
    /// Remove volumes and network.
    TearDown,
}

/// How a piece of work ended.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Volumes and network are there.
    SetUp(Option<TaskNetwork>),
    /// The image is there.
    Pulled(Pulled),
    /// The container is there.
    Created(RuntimeId),
    /// How the container looks after a start, stop or inspection; `None` when it is gone.
    Looked(Option<Snapshot>),
    /// It is removed or torn down.
    Removed,
    /// It failed.
    Failed(RuntimeError),
}

/// What the shell shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Do this piece of work.
    Work(Arc<str>, Work),
    /// Give up the pull under way, whose outcome is not awaited any more.
    AbandonPull(Arc<str>, usize),
    /// Report this; the answer comes back by [`Engine::reported`].
    Report(Box<Report>),
    /// The task's saved form changed.
    Save(Arc<str>),
    /// The task looks different to the process, though there is nothing to save.
    Show(Arc<str>),
    /// The task is forgotten.
    Forget(Arc<str>),
    /// The task's credentials are no longer needed.
    DropCredentials(Arc<str>),
    /// Something that the operator may want to know.
    Note(Arc<str>, String),
}

/// What became of a task of a payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It is new, and must be saved before the payload is acked.
    New,
    /// It was known.
    Known,
    /// It cannot be used; its STOPPED report is on the way, and the payload is not acked.
    Invalid(String),
}

/// The tasks of one agent.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    chance: Chance,
    tasks: BTreeMap<Arc<str>, TaskRun>,
    by_runtime_id: HashMap<RuntimeId, (Arc<str>, usize)>,
    /// Tasks that wait for resources, oldest first.
    queue: VecDeque<Arc<str>>,
    used: Resources,
    timers: BTreeSet<(u64, Arc<str>)>,
}

impl Engine {
    /// An engine without tasks.
    #[must_use]
    pub fn new(config: EngineConfig) -> Self {
        Self {
            chance: Chance::new(config.seed),
            config,
            tasks: BTreeMap::new(),
            by_runtime_id: HashMap::new(),
            queue: VecDeque::new(),
            used: Resources::default(),
            timers: BTreeSet::new(),
        }
    }

    /// When [`poll`](Self::poll) must be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.timers.first().map_or(u64::MAX, |(at, _)| *at)
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some((at, arn)) = self.timers.first().cloned() {
            if at > now.mono {
                break;
            }
            self.timers.remove(&(at, Arc::clone(&arn)));
            if let Some(task) = self.tasks.get_mut(&arn) {
                task.timer = u64::MAX;
            }
            self.look(now, &arn, out);
        }
    }

    /// How many tasks are known, and how many of them wait for resources.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        (self.tasks.len(), self.queue.len())
    }

    /// ARNs of all tasks that are wanted to run.
    pub fn wanted(&self) -> impl Iterator<Item = &str> {
        let tasks = self.tasks.iter();
        tasks.filter(|(_, t)| t.wanted).map(|(arn, _)| &**arn)
    }

    /// Whether a task is known.
    #[must_use]
    pub fn knows(&self, arn: &str) -> bool {
        self.tasks.contains_key(arn)
    }

    /// What the server sent of a task.
    #[must_use]
    pub fn task(&self, arn: &str) -> Option<&Arc<Task>> {
        self.tasks.get(arn).map(|run| &run.task)
    }

    /// Takes a task of a payload. `token` makes unguessable ids for metadata URLs.
    pub fn accept(
        &mut self,
        now: Now,
        task: Task,
        token: &mut dyn FnMut() -> Arc<str>,
        out: &mut Vec<Effect>,
    ) -> Accepted {
        let stop = task.desired_status == "STOPPED";
        if let Some(known) = self.tasks.get_mut(task.arn.as_str()) {
            if stop && known.wanted {
                let arn = Arc::clone(&known.arn);
                self.want_stopped(now, &arn, out);
            } else if stop && known.tell_end_again() {
                let arn = Arc::clone(&known.arn);
                self.look(now, &arn, out);
            }
            return Accepted::Known;
        }
        if task.arn.is_empty() {
            return Accepted::Invalid("task without an ARN".to_owned());
        }
        let refused = check::refuse(&task);
        let arn: Arc<str> = task.arn.as_str().into();
        let mut run = TaskRun::new(Arc::clone(&arn), Arc::new(task), token);
        let accepted = match refused {
            Some(Refused::Unreadable(reason)) => {
                run.fail(
                    now,
                    format!("UnrecogniedTaskError: Error loading task - {reason}"),
                );
                Accepted::Invalid(reason)
            }
            Some(Refused::Impossible(reason)) => {
                run.fail(now, reason);
                Accepted::New
            }
            None if stop => {
                run.stop_unstarted(now);
                Accepted::New
            }
            None => Accepted::New,
        };
        let starts = run.wanted;
        self.tasks.insert(Arc::clone(&arn), run);
        if starts {
            self.queue.push_back(Arc::clone(&arn));
            self.admit(now, out);
        }
        self.look(now, &arn, out);
        accepted
    }

    /// The server wants the task stopped.
    pub fn want_stopped(&mut self, now: Now, arn: &str, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(arn) else {
            return;
        };
        task.want_stopped(now);
        let arn = Arc::clone(&task.arn);
        self.look(now, &arn, out);
    }

    /// A piece of work ended.
    pub fn done(
        &mut self,
        now: Now,
        arn: &Arc<str>,
        work: Work,
        outcome: Outcome,
        out: &mut Vec<Effect>,
    ) {
        let Some(task) = self.tasks.get_mut(arn) else {
            return;
        };
        if let Outcome::Failed(error) = &outcome {
            out.push(Effect::Note(Arc::clone(arn), format!("{work:?}: {error}")));
        }
        if let Some((index, id)) = task.done(now, work, outcome) {
            self.by_runtime_id.insert(id, (Arc::clone(arn), index));
        }
        self.look(now, arn, out);
    }

    /// The runtime saw something.
    pub fn event(&mut self, now: Now, event: &RuntimeEvent, out: &mut Vec<Effect>) {
        let (RuntimeEvent::Died { id, .. } | RuntimeEvent::Health { id, .. }) = event else {
            return;
        };
        let Some((arn, index)) = self.by_runtime_id.get(id).cloned() else {
            return;
        };
        let Some(task) = self.tasks.get_mut(&arn) else {
            return;
        };
        match event {
            RuntimeEvent::Died {
                exit_code,
                oom_killed,
                at,
                ..
            } => task.died(now, index, *exit_code, *oom_killed, *at),
            RuntimeEvent::Health {
                health, message, ..
            } => task.health(now, index, *health, message.clone()),
            RuntimeEvent::Gap => {}
        }
        self.look(now, &arn, out);
    }

    /// What the runtime lists: after a restart of the agent, or when events were lost. Containers
    /// of tasks that are not known are left alone; their number is given back.
    pub fn listed(&mut self, now: Now, snapshots: Vec<Snapshot>, out: &mut Vec<Effect>) -> usize {
        let mut unknown = 0;
        let mut found: BTreeMap<Arc<str>, Vec<Snapshot>> = BTreeMap::new();
        for snapshot in snapshots {
            match self.tasks.get(snapshot.task_arn.as_str()) {
                Some(task) => found
                    .entry(Arc::clone(&task.arn))
                    .or_default()
                    .push(snapshot),
                None => unknown += 1,
            }
        }
        let arns: Vec<Arc<str>> = self.tasks.keys().map(Arc::clone).collect();
        for arn in arns {
            let Some(task) = self.tasks.get_mut(&arn) else {
                continue;
            };
            let snapshots = found.remove(&arn).unwrap_or_default();
            for (index, id) in task.adopt(now, &snapshots) {
                self.by_runtime_id.insert(id, (Arc::clone(&arn), index));
            }
            self.look(now, &arn, out);
        }
        unknown
    }

    /// The server answered a report.
    pub fn reported(
        &mut self,
        now: Now,
        report: &Report,
        outcome: ReportOutcome,
        out: &mut Vec<Effect>,
    ) {
        let Some(task) = self.tasks.get_mut(&*report.task) else {
            return;
        };
        task.reported(report, outcome);
        let arn = Arc::clone(&task.arn);
        self.look(now, &arn, out);
    }

    /// Takes up a task that was saved, before the runtime's containers are listed.
    pub fn restore(&mut self, now: Now, saved: Saved) {
        let run = TaskRun::restore(now, saved);
        let arn = Arc::clone(&run.arn);
        for (index, container) in run.containers.iter().enumerate() {
            if let Some(id) = &container.runtime_id {
                let at = (Arc::clone(&arn), index);
                self.by_runtime_id.insert(Arc::clone(id), at);
            }
        }
        if run.admitted {
            self.used.add(&check::demand(&run.task));
        } else if run.wanted {
            self.queue.push_back(Arc::clone(&arn));
        }
        self.tasks.insert(arn, run);
    }

    /// The form of a task to save.
    #[must_use]
    pub fn saved(&self, arn: &str) -> Option<Saved> {
        self.tasks.get(arn).map(TaskRun::saved)
    }

    /// How a task looks to the process.
    #[must_use]
    pub fn view(&self, arn: &str) -> Option<TaskView> {
        self.tasks.get(arn).map(TaskRun::view)
    }

    /// What the request to create a container needs to know.
    pub(crate) fn run(&self, arn: &str) -> Option<&TaskRun> {
        self.tasks.get(arn)
    }

    /// Every task that has not ended.
    pub(crate) fn live(&self) -> impl Iterator<Item = &TaskRun> {
        self.tasks.values().filter(|task| !task.is_stopped())
    }

    /// The health of containers whose task definition has a check: task, container, health,
    /// since when.
    #[must_use]
    pub fn health(&self) -> Vec<HealthLine<'_>> {
        let mut lines = Vec::new();
        for run in self.live() {
            for (container, seen) in run.task.containers.iter().zip(&run.containers) {
                if container.health_check_type.as_deref() == Some("docker") && seen.has_started() {
                    lines.push(HealthLine {
                        task: &run.task,
                        container: &container.name,
                        health: seen.health,
                        since: seen.health_since,
                        message: seen.health_message.as_deref(),
                    });
                }
            }
        }
        lines
    }

    /// Looks at one task and decides what is next.
    fn look(&mut self, now: Now, arn: &Arc<str>, out: &mut Vec<Effect>) {
        let Some(task) = self.tasks.get_mut(arn) else {
            return;
        };
        task.look(now, &self.config, &mut self.chance, out);
        let freed = task.admitted && task.is_stopped();
        if freed {
            task.admitted = false;
            self.used.subtract(&check::demand(&task.task));
        }
        let left_queue = !freed && !task.wanted && self.queue.contains(arn);
        if task.forgotten {
            let task = self.tasks.remove(arn).expect("looked at above");
            for id in task.containers.iter().filter_map(|c| c.runtime_id.as_ref()) {
                self.by_runtime_id.remove(id);
            }
            self.timers.remove(&(task.timer, Arc::clone(arn)));
            out.push(Effect::Forget(Arc::clone(arn)));
        } else {
            let due = task.next_due(now);
            if due != task.timer {
                self.timers.remove(&(task.timer, Arc::clone(arn)));
                if due != u64::MAX {
                    self.timers.insert((due, Arc::clone(arn)));
                }
                task.timer = due;
            }
        }
        if left_queue {
            self.queue.retain(|other| other != arn);
        }
        if freed || left_queue {
            self.admit(now, out);
        }
    }

    /// Lets waiting tasks in while they fit, in order: a big one at the head is not overtaken,
    /// or it might wait for ever.
    fn admit(&mut self, now: Now, out: &mut Vec<Effect>) {
        while let Some(arn) = self.queue.front().map(Arc::clone) {
            let Some(task) = self.tasks.get_mut(&arn) else {
                self.queue.pop_front();
                continue;
            };
            let demand = check::demand(&task.task);
            if let Some(lacking) = self.used.lacks(&self.config.capacity, &demand) {
                if !std::mem::replace(&mut task.told_waiting, true) {
                    let text = format!("waits for {lacking}, and later tasks with it");
                    out.push(Effect::Note(Arc::clone(&arn), text));
                }
                return;
            }
            self.queue.pop_front();
            self.used.add(&demand);
            task.admitted = true;
            self.look(now, &arn, out);
        }
    }
}

/// The time, by both clocks: the machine's that never goes back, and the calendar's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds of a monotonic clock.
    pub mono: u64,
    /// Milliseconds since the epoch.
    pub wall: i64,
}

/// The health of one container.
#[derive(Clone, Copy, Debug)]
pub struct HealthLine<'a> {
    /// The task.
    pub task: &'a Task,
    /// The container's name.
    pub container: &'a str,
    /// What its check says.
    pub health: Health,
    /// Since when, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// What the last check wrote.
    pub message: Option<&'a str>,
}

#[cfg(test)]
mod tests;
