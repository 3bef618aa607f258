//! Clusters.

use serde::{Deserialize, Serialize};

use crate::name::ClusterKey;
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// Capacity providers that every account has without making them.
pub const BUILT_IN_PROVIDERS: [&str; 2] = ["FARGATE", "FARGATE_SPOT"];

/// Whether a cluster can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ClusterStatus {
    /// In use.
    Active,
    /// Deleted; describable, and its name may be used again.
    Inactive,
}

impl ClusterStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// One item of a capacity-provider strategy.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct StrategyItem {
    /// The provider's short name.
    pub provider: Text,
    /// Share of the tasks beyond `base`, 0 to 1000.
    pub weight: u32,
    /// Tasks that go here before weights count, 0 to 100000.
    pub base: u32,
}

/// What a user asked a cluster to be. Kept apart from the record so that a repeated
/// CreateCluster can be compared with the first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClusterSpec {
    /// `containerInsights`: `disabled`, `enabled` or `enhanced`.
    pub container_insights: Text,
    /// The `configuration` member as given, in the API's own JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration: Option<serde_json::Value>,
    /// The `serviceConnectDefaults` namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_connect_namespace: Option<Text>,
    /// Associated capacity providers, by short name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub providers: Vec<Text>,
    /// What RunTask and CreateService use when they name neither launch type nor strategy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub default_strategy: Vec<StrategyItem>,
}

/// A cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Scope and name.
    pub key: ClusterKey,
    /// Whether it can be used.
    pub status: ClusterStatus,
    /// What it is now.
    pub spec: ClusterSpec,
    /// What the CreateCluster that made it asked for: its spec and tags.
    pub created_as: ClusterSpec,
    /// The tags of that CreateCluster.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub created_tags: Tags,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// When it was made, or made again after deletion.
    pub created_at: Timestamp,
}
