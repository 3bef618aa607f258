//! Task sets: the parts of a service whose deployments others control.

use serde::{Deserialize, Serialize};

use crate::name::{DefinitionKey, ServiceKey};
use crate::scheduler::{DeploymentId, Stability, Throttle};
use crate::service::spec::ServiceCapacity;
use crate::tags::Tags;
use crate::task::{ClientToken, NetworkConfiguration};
use crate::text::Text;
use crate::time::Timestamp;

/// Where a task set is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TaskSetStatus {
    /// Serves; the service shows its definition.
    Primary,
    /// Does not serve.
    Active,
    /// Deleted; some tasks are not yet stopped.
    Draining,
}

impl TaskSetStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "PRIMARY",
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
        }
    }
}

/// A task set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSet {
    /// The service.
    pub service: ServiceKey,
    /// The id.
    pub id: DeploymentId,
    /// The caller's own name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Text>,
    /// What its tasks run.
    pub definition: DefinitionKey,
    /// Where.
    pub capacity: ServiceCapacity,
    /// The platform version as given, on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<Text>,
    /// Where its tasks' addresses should be, in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Box<NetworkConfiguration>>,
    /// How much of the service's desired count it should have, in thousandths of a percent: 0 to
    /// 100,000.
    pub scale_millipercent: u32,
    /// Where it is in its life.
    pub status: TaskSetStatus,
    /// Whether it has what it should have.
    pub stability: Stability,
    /// Since when.
    pub stability_at: Timestamp,
    /// Back-off of its starts.
    #[serde(default)]
    pub throttle: Throttle,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The token of the CreateTaskSet that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<ClientToken>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl TaskSet {
    /// How many tasks it should have, of a service that wants `desired` (reference §2.5).
    #[must_use]
    pub fn computed_desired(&self, desired: u32) -> u32 {
        let share = u64::from(desired) * u64::from(self.scale_millipercent);
        u32::try_from(share.div_ceil(100_000)).unwrap_or(u32::MAX)
    }
}
