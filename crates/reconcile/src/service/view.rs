//! What a look at a service sees: plain data, built from the indexes of the state in time
//! proportional to the service's own tasks.
//!
//! Everything here is owned or borrowed for the length of one look. Text is borrowed from the
//! records; nothing is parsed again.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::scheduler::{
    DeploymentId, DeploymentStatus, HookAction, Refused, Rollout, RolloutState, Run, ServiceMemory,
    Stability, Stage, Traffic, Weight,
};
use berth_model::task::{Desired, Health, LastStatus, StopCode};
use berth_model::text::Text;
use berth_model::time::Timestamp;

/// A service, as one look sees it.
#[derive(Clone, Debug, PartialEq)]
pub struct ServiceView<'a> {
    /// The service's name, for events.
    pub name: &'a str,
    /// Whether it is being deleted.
    pub draining: bool,
    /// What is to be kept.
    pub target: Target,
    /// The API's `minimumHealthyPercent`.
    pub minimum_percent: u32,
    /// The API's `maximumPercent`.
    pub maximum_percent: u32,
    /// The API's `healthCheckGracePeriodSeconds`, counted from a task's RUNNING.
    pub grace: Duration,
    /// How long after RUNNING a task counts as healthy when nothing checks it:
    /// `--service-healthy-after`.
    pub healthy_after: Duration,
    /// Whether availability-zone rebalancing is on. False where the service's placement rules it
    /// out (reference §7.9), which the builder of the view knows.
    pub rebalances: bool,
    /// The zones in which the service's tasks may run, sorted: those of the ACTIVE instances of
    /// its cluster, or of its Fargate subnets. Needed only when it rebalances.
    pub zones: &'a [Text],
    /// Capacity that tasks are split over, in the order of the strategy; empty with a launch type.
    pub capacity: &'a [CapacityItem],
    /// The circuit breaker.
    pub breaker: Breaker,
    /// The alarms of the deployment configuration; `None` when off.
    pub alarms: Option<Alarms<'a>>,
    /// How deployments go over.
    pub strategy: Strategy,
    /// The API's `bakeTimeInMinutes`.
    pub bake_time: Duration,
    /// The configured life-cycle hooks, in order.
    pub hooks: &'a [Hook],
    /// Deployments that are not INACTIVE, newest first. Empty under the EXTERNAL controller.
    pub deployments: Vec<DeploymentView>,
    /// The service deployment that has not ended, if any.
    pub run: Option<RunView<'a>>,
    /// Task sets; `Some` under the EXTERNAL controller only.
    pub task_sets: Option<Vec<TaskSetView>>,
    /// The service's tasks whose last status is not STOPPED, and those that stopped after
    /// [`ServiceMemory::counted_until`], in any order.
    pub tasks: Vec<TaskView>,
    /// The instances that those tasks are on. One that is not here is gone.
    pub instances: BTreeMap<InstanceId, InstanceView>,
    /// What the scheduler remembered.
    pub memory: &'a ServiceMemory,
    /// An instance that has room and at least two tasks of the service fewer than another, when
    /// the server's setting moves tasks over.
    pub roomier: Option<Roomier>,
    /// The placements that were refused, if the last ones were.
    pub refused: Option<Refused>,
}

/// Two instances between which a task may move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roomier {
    /// The fuller.
    pub from: InstanceId,
    /// The one with room, in the same zone or in one that has fewer of the service's tasks.
    pub to: InstanceId,
}

/// What a service keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// REPLICA: this many tasks.
    Replica {
        /// The API's `desiredCount`.
        desired: u32,
    },
    /// DAEMON: one task on each of these instances: ACTIVE, and meeting the constraints of the
    /// newest deployment. Those with no room are among them; placement says so when it is tried.
    /// A running daemon task on an instance that is not here is stopped, unless the instance is
    /// draining, which [`ServiceView::instances`] tells.
    Daemon {
        /// Sorted by id.
        eligible: Vec<InstanceId>,
    },
}

/// How long a task without checks has to run at least, to count as healthy in a deployment that
/// the circuit breaker watches. Where tasks count as healthy at once, one that ends at once would
/// never count as failed, the breaker would never trip, and the deployment would be done before
/// its tasks are down. Most programs that cannot start say so within this time.
pub(super) const WATCHED_HEALTHY_AFTER: Duration = Duration::from_secs(5);

impl ServiceView<'_> {
    /// How long after RUNNING this task counts as healthy when nothing checks it. What was healthy
    /// before a watched deployment began stays so.
    pub(super) fn counts_healthy_after(&self, task: &TaskView) -> Duration {
        let brought = self.deployments.iter().any(|deployment| {
            task.deployment == deployment.id
                && deployment.rollout.status == DeploymentStatus::Primary
                && deployment.rollout.state == RolloutState::InProgress
        });
        match self.breaker.enabled && brought {
            true => self.healthy_after.max(WATCHED_HEALTHY_AFTER),
            false => self.healthy_after,
        }
    }
}

/// One item of a capacity-provider strategy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapacityItem {
    /// The provider.
    pub provider: Text,
    /// The API's `base`.
    pub base: u32,
    /// The API's `weight`.
    pub weight: u32,
}

/// The circuit breaker's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// Whether it is on.
    pub enabled: bool,
    /// Whether a failed deployment is rolled back.
    pub rollback: bool,
    /// Whether a healthy task sets the count back to zero.
    pub reset_on_healthy: bool,
    /// At how many failures it trips.
    pub threshold: Threshold,
}

/// The API's `thresholdConfiguration`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threshold {
    /// This many.
    Count(u32),
    /// This percentage of the desired count, at least 3 and at most 200.
    BoundedPercent(u32),
    /// This percentage of the desired count.
    UnboundedPercent(u32),
}

/// The alarms that a deployment watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alarms<'a> {
    /// Whether a deployment that they fail is rolled back.
    pub rollback: bool,
    /// Those of them that are in ALARM now.
    pub in_alarm: &'a [Text],
}

/// How a deployment goes over to the new revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// Task by task, within the percents.
    Rolling,
    /// All traffic at once.
    BlueGreen,
    /// Traffic in equal steps.
    Linear {
        /// A step.
        step: Weight,
        /// The wait after each step but the last.
        step_bake: Duration,
    },
    /// A little traffic first, then all.
    Canary {
        /// The little.
        first: Weight,
        /// The wait after it.
        first_bake: Duration,
    },
}

/// A life-cycle hook's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What it does.
    pub target: HookTarget,
    /// In which stages.
    pub stages: Vec<Stage>,
    /// How long an answer is waited for.
    pub timeout: Duration,
    /// What is done then.
    pub on_timeout: HookAction,
}

/// What a hook does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HookTarget {
    /// Waits for ContinueServiceDeployment.
    Pause,
    /// Something outside is asked: a function's ARN.
    Call(Text),
}

/// An entry of `deployments[]`.
#[derive(Clone, Debug, PartialEq)]
pub struct DeploymentView {
    /// The id, which also says in `TaskView::deployment` whose a task is.
    pub id: DeploymentId,
    /// What the scheduler wrote of it.
    pub rollout: Rollout,
    /// Whether the images' digests have been settled (version consistency), or need not be.
    pub digests_known: bool,
}

/// The service deployment under way.
#[derive(Clone, Debug, PartialEq)]
pub struct RunView<'a> {
    /// The deployment that it brings.
    pub target: DeploymentId,
    /// What it was at its beginning: the last COMPLETED deployment, to which it goes back. It
    /// must be kept (with its rollout) in [`ServiceView::deployments`], or in
    /// [`RunView::source_kept`], though it may have no tasks any more.
    pub source: Option<DeploymentId>,
    /// The source's rollout where it is no longer among the service's deployments.
    pub source_kept: Option<Rollout>,
    /// What the scheduler wrote of it.
    pub run: &'a Run,
    /// What the traffic is; `None` when nothing shifts traffic, so every wish holds at once.
    pub traffic: Option<Traffic>,
}

/// A task set of a service under the EXTERNAL controller.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskSetView {
    /// The id.
    pub id: DeploymentId,
    /// The API's `scale.value`, in thousandths of a percent, so that it has no rounding of its own.
    pub scale_millipercent: u32,
    /// Whether it is being deleted.
    pub draining: bool,
    /// Whether a new count is asked of it since the scheduler last looked, or it is new; a task
    /// set that is not steady shows STABILIZING.
    pub stability: Stability,
    /// Its own capacity, as in [`ServiceView::capacity`].
    pub capacity: Vec<CapacityItem>,
    /// Back-off of its starts.
    pub throttle: berth_model::scheduler::Throttle,
}

/// A task of the service.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskView {
    /// The id.
    pub id: TaskId,
    /// The deployment or task set that it belongs to.
    pub deployment: DeploymentId,
    /// What is wanted of it.
    pub desired: Desired,
    /// Where it was last seen to be.
    pub last: LastStatus,
    /// Where it was placed.
    pub instance: Option<InstanceId>,
    /// The availability zone, of the instance or the Fargate subnet.
    pub zone: Option<Text>,
    /// The capacity provider that it was started for.
    pub provider: Option<Text>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it became RUNNING.
    pub started_at: Option<Timestamp>,
    /// When its STOPPED was saved, by the transactions' time.
    pub stopped_at: Option<Timestamp>,
    /// Why it stops or stopped.
    pub stop_code: Option<StopCode>,
    /// Whether an essential container has a health check.
    pub has_check: bool,
    /// What those checks say together.
    pub health: Health,
    /// What load balancers and registries say of it.
    pub targets: TargetHealth,
    /// Until when it is protected from scaling in; a time that is over counts for nothing.
    pub protected_until: Option<Timestamp>,
    /// Whether the digests of its images were reported, as far as there are any.
    pub has_digests: bool,
}

/// What load balancers say of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetHealth {
    /// The service has none.
    None,
    /// Not registered, or first checks are running.
    Waiting,
    /// Every target is healthy.
    Healthy,
    /// A target is not. Both texts are ECS's own: that of the event after
    /// `(service <S>) (task <id>) `, and the task's `stoppedReason`.
    Unhealthy {
        /// Such as `(port 80) is unhealthy in (target-group <arn>) due to (reason Request timed out).`
        event: Text,
        /// Such as `Task failed ELB health checks in (target-group <arn>)`.
        stopped_reason: Text,
    },
}

/// An instance that a task of the service is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceView {
    /// ACTIVE, and heard of.
    Active,
    /// DRAINING.
    Draining {
        /// Whether tasks other than daemons' are on it that have not stopped: its daemon tasks
        /// stop after those. Of no account for a REPLICA service.
        busy: bool,
    },
    /// Not heard of for so long that its tasks are replaced (`--instance-lost-after`), or
    /// INACTIVE. Mass losses being waited out are for the builder of the view to leave out.
    Lost,
}
