//! What the tasks of a service amount to at an instant.
//!
//! Rules kept here:
//! - a healthy task is RUNNING with all its checks passed; without any it has run for the
//!   setting's time (reference §7.1);
//! - an unhealthy check counts for nothing within the grace period;
//! - a task on a lost instance counts for nothing at all.

use berth_model::id::TaskId;
use berth_model::scheduler::DeploymentId;
use berth_model::task::{Desired, Health, LastStatus};
use berth_model::time::Timestamp;

use super::view::{InstanceView, ServiceView, TargetHealth, TaskView};

/// What a task is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Condition {
    /// Its instance is lost.
    Lost,
    /// A stop was decided; it may still run.
    Stopping,
    /// It has not come to RUNNING.
    Pending,
    /// A check fails.
    Unhealthy,
    /// It runs, and its health is not known yet.
    Starting,
    /// It serves.
    Healthy,
}

/// A task that has not stopped.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen<'v> {
    /// The task.
    pub task: &'v TaskView,
    /// What it is good for.
    pub condition: Condition,
    /// Whether its instance is draining, and if so whether its other tasks still run.
    pub draining: Option<bool>,
    /// Whether it may not be scaled in now.
    pub protected: bool,
}

impl Seen<'_> {
    /// Whether it is wanted and may come to serve.
    pub(super) fn is_alive(&self) -> bool {
        match self.condition {
            Condition::Lost | Condition::Stopping => false,
            Condition::Pending
            | Condition::Unhealthy
            | Condition::Starting
            | Condition::Healthy => true,
        }
    }

    /// Whether it counts towards what is to be kept: alive, not failing, and not to be moved.
    pub(super) fn is_good(&self) -> bool {
        self.is_alive() && self.condition != Condition::Unhealthy && self.draining.is_none()
    }

    /// Whether it serves.
    pub(super) fn is_healthy(&self) -> bool {
        self.condition == Condition::Healthy
    }

    /// Whether it takes room: everything that may still run on an instance that is there.
    pub(super) fn takes_room(&self) -> bool {
        self.condition != Condition::Lost
    }

    /// Whether it is to run and no instance has had room for it yet.
    pub(super) fn waits_for_room(&self) -> bool {
        self.condition == Condition::Pending && self.task.instance.is_none()
    }

    /// The id.
    pub(super) fn id(&self) -> TaskId {
        self.task.id
    }
}

/// The tasks of a service at an instant.
#[derive(Debug)]
pub(super) struct Look<'v> {
    /// The instant.
    pub now: Timestamp,
    /// Tasks that have not stopped, by id.
    pub live: Vec<Seen<'v>>,
    /// Tasks that stopped and are not counted yet, by the instant and id.
    pub stopped: Vec<&'v TaskView>,
    /// When a task becomes healthy, or its grace ends, by time alone.
    pub wake: Option<Timestamp>,
}

impl<'v> Look<'v> {
    /// Looks at the view's tasks.
    pub(super) fn at(view: &'v ServiceView<'_>, now: Timestamp) -> Look<'v> {
        let mut look = Look {
            now,
            live: Vec::with_capacity(view.tasks.len()),
            stopped: Vec::new(),
            wake: None,
        };
        for task in &view.tasks {
            if task.last == LastStatus::Stopped {
                look.stopped.push(task);
                continue;
            }
            let instance = task.instance.map(|id| view.instances.get(&id));
            let draining = match instance {
                Some(Some(InstanceView::Draining { busy })) => Some(*busy),
                Some(Some(InstanceView::Active | InstanceView::Lost) | None) | None => None,
            };
            let lost = matches!(instance, Some(None | Some(InstanceView::Lost)));
            let condition = if lost {
                Condition::Lost
            } else {
                look.condition(view, task)
            };
            look.live.push(Seen {
                task,
                condition,
                draining,
                protected: task.protected_until.is_some_and(|until| now < until),
            });
        }
        look.live.sort_by_key(Seen::id);
        look.stopped.sort_by_key(|task| (task.stopped_at, task.id));
        look
    }

    fn condition(&mut self, view: &ServiceView<'_>, task: &TaskView) -> Condition {
        if task.desired == Desired::Stopped {
            return Condition::Stopping;
        }
        match task.last {
            LastStatus::Provisioning | LastStatus::Pending | LastStatus::Activating => {
                return Condition::Pending;
            }
            LastStatus::Deactivating
            | LastStatus::Stopping
            | LastStatus::Deprovisioning
            | LastStatus::Stopped => return Condition::Stopping,
            LastStatus::Running => {}
        }
        let started = task.started_at.unwrap_or(task.created_at);
        let fails = (task.has_check && task.health == Health::Unhealthy)
            || matches!(task.targets, TargetHealth::Unhealthy { .. });
        if fails {
            return if self.is_past(started + view.grace) {
                Condition::Unhealthy
            } else {
                Condition::Starting
            };
        }
        let waits = (task.has_check && task.health == Health::Unknown)
            || task.targets == TargetHealth::Waiting;
        if waits {
            return Condition::Starting;
        }
        let unchecked = !task.has_check && task.targets == TargetHealth::None;
        if unchecked && !self.is_past(started + view.counts_healthy_after(task)) {
            return Condition::Starting;
        }
        Condition::Healthy
    }

    /// Whether `due` has come; if not, it is one more reason to look again.
    pub(super) fn is_past(&mut self, due: Timestamp) -> bool {
        if due <= self.now {
            return true;
        }
        earlier(&mut self.wake, due);
        false
    }

    /// The live tasks of one deployment.
    pub(super) fn of(&self, id: DeploymentId) -> impl Iterator<Item = &Seen<'v>> {
        self.live
            .iter()
            .filter(move |seen| seen.task.deployment == id)
    }

    /// Whether a deployment has no task left that takes room, or that is still wanted.
    pub(super) fn is_empty(&self, id: DeploymentId) -> bool {
        let wanted = |seen: &Seen<'_>| seen.task.desired == Desired::Running;
        !self.of(id).any(|seen| seen.takes_room() || wanted(seen))
    }
}

/// Moves `at` to `due` if that is earlier.
pub(super) fn earlier(at: &mut Option<Timestamp>, due: Timestamp) {
    *at = Some(at.map_or(due, |at| at.min(due)));
}

/// The instant since which a task has been healthy, as well as can be told: checks leave no
/// instant behind, so a checked task counts from its start.
pub(super) fn healthy_since(view: &ServiceView<'_>, seen: &Seen<'_>) -> Option<Timestamp> {
    if !seen.is_healthy() {
        return None;
    }
    let started = seen.task.started_at?;
    Some(if seen.task.has_check {
        started
    } else {
        started + view.counts_healthy_after(seen.task)
    })
}
