//! Revisions of a service, and how they are rolled out.

use serde::{Deserialize, Serialize};

use crate::id::{DeploymentId, ServiceDeploymentId};
use crate::name::{DefinitionKey, ServiceKey};
use crate::service::spec::{DeploymentConfiguration, HookAction, ServiceCapacity};
use crate::task::NetworkConfiguration;
use crate::text::Text;
use crate::time::Timestamp;

/// What a service's tasks are, as of one CreateService or UpdateService. Nothing in it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceRevision {
    /// The service.
    pub service: ServiceKey,
    /// The id, which the deployment shares.
    pub id: DeploymentId,
    /// What tasks run.
    pub definition: DefinitionKey,
    /// Where.
    pub capacity: ServiceCapacity,
    /// The platform version as given, on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<Text>,
    /// Where tasks' addresses should be, in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Box<NetworkConfiguration>>,
    /// `serviceConnectConfiguration` as given, in the API's own JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect: Option<serde_json::Value>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The API's `status` of an entry of `deployments`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DeploymentStatus {
    /// The one that is wanted.
    Primary,
    /// One that others take the place of.
    Active,
}

impl DeploymentStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Active => "ACTIVE",
        }
    }
}

/// How far a deployment came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RolloutState {
    /// Under way.
    InProgress,
    /// All its tasks are healthy, and no others are left.
    Completed,
    /// Given up.
    Failed,
}

impl RolloutState {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "IN_PROGRESS",
            Self::Completed => "COMPLETED",
            Self::Failed => "FAILED",
        }
    }
}

/// Waiting before the next task is started, because the last ones failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackOff {
    /// How many failed starts in a row.
    pub failures: u32,
    /// Nothing is started before this.
    pub until: Timestamp,
}

/// A deployment: an entry of the API's `deployments`. It goes when it is not primary and has no
/// task left.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Deployment {
    /// The service.
    pub service: ServiceKey,
    /// The id, which its revision shares.
    pub id: DeploymentId,
    /// Whether it is the one that is wanted.
    pub status: DeploymentStatus,
    /// How many tasks it is to have.
    pub desired: u32,
    /// How far it came.
    pub rollout: RolloutState,
    /// The API's `rolloutStateReason`.
    pub reason: Text,
    /// Failed tasks that count for the circuit breaker.
    #[serde(default)]
    pub failed_tasks: u32,
    /// Whether a task of it was ever healthy, or RUNNING: the breaker's second stage.
    #[serde(default)]
    pub ran: bool,
    /// The last stopped task that was counted: when it stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted_until: Option<Timestamp>,
    /// Waiting before the next start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_off: Option<BackOff>,
    /// The images' digests as the first task reported them, in the order of the definition's
    /// containers; empty until then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub digests: Vec<Option<Text>>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// How far a service deployment came (reference §7.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceDeploymentStatus {
    /// Not begun.
    Pending,
    /// Under way.
    InProgress,
    /// Somebody asked to stop it where it is.
    StopRequested,
    /// Stopped where it was.
    Stopped,
    /// Done.
    Successful,
    /// Somebody or something asked to bring the revision before back.
    RollbackRequested,
    /// The revision before is being brought back.
    RollbackInProgress,
    /// The revision before is back.
    RollbackSuccessful,
    /// It could not be brought back.
    RollbackFailed,
}

impl ServiceDeploymentStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::InProgress => "IN_PROGRESS",
            Self::StopRequested => "STOP_REQUESTED",
            Self::Stopped => "STOPPED",
            Self::Successful => "SUCCESSFUL",
            Self::RollbackRequested => "ROLLBACK_REQUESTED",
            Self::RollbackInProgress => "ROLLBACK_IN_PROGRESS",
            Self::RollbackSuccessful => "ROLLBACK_SUCCESSFUL",
            Self::RollbackFailed => "ROLLBACK_FAILED",
        }
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Stopped | Self::Successful | Self::RollbackSuccessful | Self::RollbackFailed => {
                true
            }
            Self::Pending
            | Self::InProgress
            | Self::StopRequested
            | Self::RollbackRequested
            | Self::RollbackInProgress => false,
        }
    }
}

/// Whether something watches a deployment, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Monitor {
    /// Nothing does.
    #[default]
    Disabled,
    /// It watches.
    Monitoring,
    /// It watched to the end.
    MonitoringComplete,
    /// It failed the deployment.
    Triggered,
}

impl Monitor {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "DISABLED",
            Self::Monitoring => "MONITORING",
            Self::MonitoringComplete => "MONITORING_COMPLETE",
            Self::Triggered => "TRIGGERED",
        }
    }
}

/// Bringing the revision before back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// Why.
    pub reason: Text,
    /// Since when.
    pub started_at: Timestamp,
    /// To which revision.
    pub to: DeploymentId,
}

/// The stages of a deployment beside the one before, in their order (reference §7.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LifecycleStage {
    /// More than one revision runs: they are brought down to one.
    ReconcileService,
    /// Before new tasks.
    PreScaleUp,
    /// New tasks start.
    ScaleUp,
    /// New tasks are healthy.
    PostScaleUp,
    /// Test traffic moves.
    TestTrafficShift,
    /// Test traffic moved.
    PostTestTrafficShift,
    /// Before traffic moves.
    PreProductionTrafficShift,
    /// Traffic moves.
    ProductionTrafficShift,
    /// Traffic moved.
    PostProductionTrafficShift,
    /// Both run side by side.
    BakeTime,
    /// Old tasks stop.
    CleanUp,
}

impl LifecycleStage {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReconcileService => "RECONCILE_SERVICE",
            Self::PreScaleUp => "PRE_SCALE_UP",
            Self::ScaleUp => "SCALE_UP",
            Self::PostScaleUp => "POST_SCALE_UP",
            Self::TestTrafficShift => "TEST_TRAFFIC_SHIFT",
            Self::PostTestTrafficShift => "POST_TEST_TRAFFIC_SHIFT",
            Self::PreProductionTrafficShift => "PRE_PRODUCTION_TRAFFIC_SHIFT",
            Self::ProductionTrafficShift => "PRODUCTION_TRAFFIC_SHIFT",
            Self::PostProductionTrafficShift => "POST_PRODUCTION_TRAFFIC_SHIFT",
            Self::BakeTime => "BAKE_TIME",
            Self::CleanUp => "CLEAN_UP",
        }
    }
}

/// How far a hook came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum HookStatus {
    /// Somebody has to call ContinueServiceDeployment.
    AwaitingAction,
    /// A function was asked.
    InProgress,
    /// It may go on.
    Succeeded,
    /// It may not.
    Failed,
    /// Nobody answered.
    TimedOut,
}

impl HookStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingAction => "AWAITING_ACTION",
            Self::InProgress => "IN_PROGRESS",
            Self::Succeeded => "SUCCEEDED",
            Self::Failed => "FAILED",
            Self::TimedOut => "TIMED_OUT",
        }
    }
}

/// A hook of the present stage. There are at most as many as the configuration has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookDetail {
    /// `ecs-<type>-<id>`.
    pub id: Text,
    /// Which hook of the configuration.
    pub hook: usize,
    /// How far it came.
    pub status: HookStatus,
    /// When nobody is waited for any more.
    pub expires_at: Timestamp,
    /// What to do then.
    pub timeout_action: HookAction,
    /// What somebody answered, for the controller to act on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<HookAction>,
}

/// Where a deployment beside the one before stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifecycle {
    /// The stage.
    pub stage: LifecycleStage,
    /// Since when.
    pub since: Timestamp,
    /// The hooks of this stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<HookDetail>,
    /// How much traffic the new revision has, in tenths of a percent.
    #[serde(default)]
    pub production_permille: u32,
    /// How much test traffic the new revision has, in tenths of a percent.
    #[serde(default)]
    pub test_permille: u32,
}

/// A service deployment: one roll-out of one revision, kept for its history.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceDeployment {
    /// The service.
    pub service: ServiceKey,
    /// The id.
    pub id: ServiceDeploymentId,
    /// The revisions that ran when it began.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<DeploymentId>,
    /// The revision that it rolls out.
    pub target: DeploymentId,
    /// How many tasks were asked for when it began.
    pub requested: u32,
    /// How it deploys, as of its beginning.
    pub configuration: DeploymentConfiguration,
    /// How far it came.
    pub status: ServiceDeploymentStatus,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// Where it stands, when it runs beside the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<Lifecycle>,
    /// Bringing the revision before back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Rollback>,
    /// What came of the circuit breaker.
    #[serde(default)]
    pub breaker: Monitor,
    /// Failed tasks that counted, and how many were too many.
    #[serde(default)]
    pub breaker_count: (u32, u32),
    /// What came of the alarms.
    #[serde(default)]
    pub alarms: Monitor,
    /// Alarms that were on when it began, which do not count; and those that failed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_alarms: Vec<Text>,
    /// Alarms that failed it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub triggered_alarms: Vec<Text>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it was over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// When somebody stopped it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// When it was last changed.
    pub updated_at: Timestamp,
}
