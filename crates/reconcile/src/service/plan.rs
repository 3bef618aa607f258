//! What a look at a service found should change: plain data, no handles.

use berth_model::id::{InstanceId, TaskId};
use berth_model::scheduler::{
    DeploymentId, HookRun, Refused, Rollout, Run, ServiceMemory, Stability, Throttle,
};
use berth_model::task::StopCode;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::Refusal;

use super::events::Event;

/// What one look at a service found should change. Everything is carried out in the transaction
/// of the look, in the order of the fields; then [`settle`](super::settle) is asked what
/// placement's answers mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ServicePlan {
    /// Tasks to stop.
    pub stops: Vec<StopTask>,
    /// Tasks to place and start, in this order.
    pub starts: Vec<StartTask>,
    /// Deployments whose scheduler's part changes. `rollout.status` INACTIVE takes one out of
    /// the list. One that was out of the list comes back into it by a rollback.
    pub rollouts: Vec<(DeploymentId, Rollout)>,
    /// The new scheduler's part of the service deployment under way.
    pub run: Option<Run>,
    /// Hook targets to call, outside the transaction; the answer goes to [`HookRun::answer`].
    pub calls: Vec<HookRun>,
    /// Deployments whose images' digests are to be taken from what was reported of this task.
    pub digests: Vec<(DeploymentId, TaskId)>,
    /// Task sets whose scheduler's part changes.
    pub task_sets: Vec<TaskSetChange>,
    /// Whether the service is now INACTIVE.
    pub inactive: bool,
    /// What to remember, when it changes. [`settle`](super::settle) may change it once more.
    pub memory: Option<ServiceMemory>,
    /// What to tell, oldest first.
    pub events: Vec<Event>,
    /// When to look again even if nothing changes, such as the end of a back-off.
    pub look_again_at: Option<Timestamp>,
}

/// A task to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTask {
    /// Its id.
    pub id: TaskId,
    /// For which deployment or task set: the API's `startedBy`.
    pub deployment: DeploymentId,
    /// On which capacity provider's instances; `None` for the launch type's.
    pub provider: Option<Text>,
    /// Where.
    pub place: Place,
    /// Why.
    pub why: StartReason,
}

/// Where a task may go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where the service's constraints and strategies let it.
    Any,
    /// On this instance alone: a daemon's.
    Instance(InstanceId),
    /// In this zone alone: for balance.
    Zone(Text),
}

/// Why a task is started. Events tell some of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartReason {
    /// There are too few.
    Missing,
    /// For an unhealthy one.
    ReplacesUnhealthy,
    /// For balance between zones.
    Rebalance,
}

/// A task to stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopTask {
    /// Which.
    pub id: TaskId,
    /// Of which deployment or task set.
    pub deployment: DeploymentId,
    /// Why.
    pub why: StopReason,
    /// The task's `stoppedReason`; its `stopCode` follows from [`StopReason::code`].
    pub text: Text,
}

/// Why a task is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum StopReason {
    /// Too many, replaced, drained, or the service is deleted.
    Scaling,
    /// Its health checks fail.
    Unhealthy,
    /// For balance between zones.
    Rebalance,
    /// Its instance is lost. The task's agent cannot be told until it is back.
    InstanceLost,
}

impl StopReason {
    /// The task's `stopCode`.
    #[must_use]
    pub fn code(self) -> StopCode {
        match self {
            Self::Scaling | Self::Unhealthy | Self::Rebalance => {
                StopCode::ServiceSchedulerInitiated
            }
            Self::InstanceLost => StopCode::TerminationNotice,
        }
    }
}

/// A task set's part that the scheduler writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskSetChange {
    /// Which.
    pub id: DeploymentId,
    /// Its new stability; `stabilityStatusAt` is the look's instant when it differs.
    pub stability: Stability,
    /// Its new back-off.
    pub throttle: Throttle,
    /// Whether it is empty and deleted.
    pub gone: bool,
}

/// What placement made of a [`StartTask`].
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It is placed.
    Placed,
    /// No room: it waits in PROVISIONING. Only for [`Place::Any`]: what has one place alone is
    /// tried again by the scheduler.
    Waits(Refusal),
    /// No room: there is no such task.
    Refused(Refusal),
    /// No room, and too many of the cluster's tasks wait for it already: there is no such task.
    Crowded,
    /// It could not be made, for this reason: an event's text after `failed to launch a task with
    /// (error `.
    Failed(Text),
}

/// What placement's answers lead to, to be written in the same transaction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// What to remember, in place of what the plan says.
    pub memory: Option<ServiceMemory>,
    /// The placements that were refused: none once there was room.
    pub refused: Option<Refused>,
    /// What to tell, after the plan's.
    pub events: Vec<Event>,
    /// When to look again, at the latest; the earlier of this and the plan's holds.
    pub look_again_at: Option<Timestamp>,
}
