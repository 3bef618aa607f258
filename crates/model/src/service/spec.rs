//! What is wanted of a service.

use serde::{Deserialize, Serialize};

use crate::cluster::StrategyItem;
use crate::scheduler::{DeploymentId, HookAction, Stage, Weight};
use crate::task::{LaunchType, PlacementConstraint};
use crate::text::Text;

/// How a service counts its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Scheduling {
    /// As many as the desired count says.
    Replica,
    /// One on each instance that can take it.
    Daemon,
}

impl Scheduling {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replica => "REPLICA",
            Self::Daemon => "DAEMON",
        }
    }
}

/// Who deploys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Controller {
    /// The services controller.
    Ecs,
    /// AWS CodeDeploy, through task sets.
    CodeDeploy,
    /// The user, through task sets.
    External,
}

impl Controller {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ecs => "ECS",
            Self::CodeDeploy => "CODE_DEPLOY",
            Self::External => "EXTERNAL",
        }
    }
}

/// On what a service's tasks run.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ServiceCapacity {
    /// A launch type.
    Launch(LaunchType),
    /// Capacity providers with their shares.
    Strategy(Vec<StrategyItem>),
}

/// Which labels a service's tasks get when they start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Propagate {
    /// None of these.
    #[default]
    None,
    /// The task definition's.
    TaskDefinition,
    /// The service's.
    Service,
}

impl Propagate {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::TaskDefinition => "TASK_DEFINITION",
            Self::Service => "SERVICE",
        }
    }
}

/// A placement strategy as the API spells it. `placement` says what it means.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PlacementStrategy {
    /// `random`, `spread` or `binpack`.
    pub kind: Text,
    /// The field, if the type has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<Text>,
}

/// What a circuit breaker's threshold is made of (reference §7.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ThresholdKind {
    /// A fixed count.
    Count,
    /// A percentage of the desired count, at least 3 and at most 200.
    BoundedPercent,
    /// A percentage of the desired count.
    UnboundedPercent,
}

/// How many failed tasks are too many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Threshold {
    /// What `value` means.
    pub kind: ThresholdKind,
    /// The count or the percentage.
    pub value: u32,
}

impl Default for Threshold {
    fn default() -> Self {
        Self {
            kind: ThresholdKind::BoundedPercent,
            value: 50,
        }
    }
}

fn yes() -> bool {
    true
}

/// Whether a deployment whose tasks fail is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CircuitBreaker {
    /// Whether.
    pub enable: bool,
    /// And the one before brought back.
    pub rollback: bool,
    /// Whether a healthy task sets the count of failed ones to zero.
    #[serde(default = "yes")]
    pub reset_on_healthy: bool,
    /// How many failed tasks are too many.
    #[serde(default)]
    pub threshold: Threshold,
}

impl Default for CircuitBreaker {
    fn default() -> Self {
        Self {
            enable: false,
            rollback: false,
            reset_on_healthy: true,
            threshold: Threshold::default(),
        }
    }
}

/// Alarms that fail a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alarms {
    /// Their names.
    pub names: Vec<Text>,
    /// Whether they count.
    pub enable: bool,
    /// Whether the deployment before is brought back.
    pub rollback: bool,
}

/// How traffic moves, part by part.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepDeployment {
    /// The share of each step, or of the canary.
    pub weight: Weight,
    /// Minutes after each step.
    pub bake_minutes: u32,
}

/// How a new revision takes the place of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Strategy {
    /// Task by task.
    Rolling,
    /// All at once, beside the one before.
    BlueGreen,
    /// In equal steps.
    Linear(StepDeployment),
    /// A small part, then the rest.
    Canary(StepDeployment),
}

impl Strategy {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rolling => "ROLLING",
            Self::BlueGreen => "BLUE_GREEN",
            Self::Linear(_) => "LINEAR",
            Self::Canary(_) => "CANARY",
        }
    }
}

/// What is asked at a stage of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HookTarget {
    /// A function, by ARN, called with this role and these details.
    Lambda {
        /// The function's ARN.
        arn: Text,
        /// The role's ARN.
        role: Option<Text>,
        /// `hookDetails` as given.
        details: Option<serde_json::Value>,
    },
    /// Somebody who calls ContinueServiceDeployment.
    Pause,
}

/// A hook of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LifecycleHook {
    /// Whom it asks.
    pub target: HookTarget,
    /// At which stages.
    pub stages: Vec<Stage>,
    /// Minutes until `timeout_action`.
    pub timeout_minutes: u32,
    /// What to do then.
    pub timeout_action: HookAction,
}

/// How a service deploys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentConfiguration {
    /// Percent of the desired count that must stay healthy, rounded up.
    pub minimum_healthy: u32,
    /// Percent of the desired count that may run and start at once, rounded down.
    pub maximum: u32,
    /// Whether a deployment whose tasks fail is given up.
    #[serde(default)]
    pub breaker: CircuitBreaker,
    /// Alarms that fail a deployment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alarms: Option<Alarms>,
    /// How a new revision takes the place of the one before.
    pub strategy: Strategy,
    /// Minutes that both run side by side after the traffic moved.
    #[serde(default)]
    pub bake_minutes: u32,
    /// What is asked at its stages.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hooks: Vec<LifecycleHook>,
}

/// What is wanted of a service. All but `scheduling` can be changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ServiceSpec {
    /// How many tasks; not used by daemons.
    pub desired: u32,
    /// How tasks are counted.
    pub scheduling: Scheduling,
    /// Who deploys.
    pub controller: Controller,
    /// The revision to run, for the controller `ECS`; the primary task set for the others, if
    /// there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<DeploymentId>,
    /// On what new tasks run.
    pub capacity: ServiceCapacity,
    /// How it deploys.
    pub deployment: DeploymentConfiguration,
    /// Seconds after its start in which a task's failed health checks do not count.
    #[serde(default)]
    pub grace_seconds: u32,
    /// Rules about instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<PlacementConstraint>,
    /// Preferences about instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategy: Vec<PlacementStrategy>,
    /// Whether tasks move until zones are even.
    #[serde(default)]
    pub zone_rebalancing: bool,
    /// Whether tasks get ECS's own labels.
    #[serde(default)]
    pub managed_tags: bool,
    /// Which other labels tasks get.
    #[serde(default)]
    pub propagate: Propagate,
    /// Whether ExecuteCommand was asked for.
    #[serde(default)]
    pub execute_command: bool,
    /// The role as given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Text>,
}
