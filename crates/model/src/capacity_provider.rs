//! Capacity providers that users make. `FARGATE` and `FARGATE_SPOT` are there without a record.

use serde::{Deserialize, Serialize};

use crate::name::Scope;
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// A capacity provider's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProviderKey {
    /// The account and region.
    pub scope: Scope,
    /// The name, 1 to 255 letters, digits, `-` and `_`.
    pub name: Text,
}

/// Whether a provider can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProviderStatus {
    /// In use.
    Active,
    /// Deleted; describable for a while, and its name may be used again.
    Inactive,
}

impl ProviderStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// What the last change of a provider came to: the API's `updateStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProviderUpdate {
    /// It was changed.
    UpdateComplete,
    /// It was deleted.
    DeleteComplete,
    /// It could not be deleted.
    DeleteFailed,
}

impl ProviderUpdate {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UpdateComplete => "UPDATE_COMPLETE",
            Self::DeleteComplete => "DELETE_COMPLETE",
            Self::DeleteFailed => "DELETE_FAILED",
        }
    }
}

/// A capacity provider: a named group of container instances. An instance belongs to the one
/// that it names by its attribute [`PROVIDER_ATTRIBUTE`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityProvider {
    /// Scope and name.
    pub key: ProviderKey,
    /// Whether it can be used.
    pub status: ProviderStatus,
    /// `autoScalingGroupProvider` with the API's defaults filled in, in the API's own JSON.
    pub group: serde_json::Value,
    /// What the last change came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<ProviderUpdate>,
    /// Why the last change failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_reason: Option<Text>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// When it was made, or made again after deletion.
    pub created_at: Timestamp,
}

/// The attribute by which an instance says which provider's group it is of.
pub const PROVIDER_ATTRIBUTE: &str = "berth.capacity-provider";

/// The expression, in the cluster query language, that the instances of a provider's group meet.
#[must_use]
pub fn membership(provider: &Text) -> Text {
    Text::from(format!("attribute:{PROVIDER_ATTRIBUTE} == {provider}"))
}
