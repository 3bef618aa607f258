//! Log groups and streams: the names under which containers' output is kept. The events
//! themselves are bulk data and live elsewhere.

use serde::{Deserialize, Serialize};

use crate::name::Scope;
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// A log group's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogGroupKey {
    /// The account and region.
    pub scope: Scope,
    /// The name: 1 to 512 letters, digits and `_-/.#`.
    pub name: Text,
}

/// A log group.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogGroup {
    /// Scope and name.
    pub key: LogGroupKey,
    /// When it was made.
    pub created_at: Timestamp,
    /// Days that events are kept; `None` for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// A log stream's identity.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LogStreamKey {
    /// The group.
    pub group: LogGroupKey,
    /// The name: 1 to 512 characters without `:` and `*`.
    pub name: Text,
}

/// A log stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LogStream {
    /// Group and name.
    pub key: LogStreamKey,
    /// When it was made.
    pub created_at: Timestamp,
}
