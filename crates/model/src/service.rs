//! Services: what is wanted of them, what their deployments came to, and what happened.
//!
//! Rules kept here:
//! - `spec` is intent, written by operations; `memory`, and the blocks of
//!   [`scheduler`](crate::scheduler) in the other records, are status, written by the services
//!   controller; a [`ServiceRevision`] never changes;
//! - one [`Deployment`] for each revision that has tasks or is to have some: an entry of the API's
//!   `deployments`; one [`ServiceDeployment`] for each time that a revision was rolled out;
//! - nothing here grows by appending: deployments, revisions, task sets and events are records
//!   of their own.

mod deployment;
mod event;
mod notice;
mod spec;
mod task_set;

use serde::{Deserialize, Serialize};

use crate::name::ServiceKey;
use crate::scheduler::ServiceMemory;
use crate::tags::Tags;
use crate::task::ClientToken;
use crate::text::Text;
use crate::time::Timestamp;

pub use deployment::{Deployment, ServiceDeployment, ServiceRevision};
pub use event::{EVENTS_MAX, ServiceEvent};
pub use notice::{Notice, NoticeKind, ServiceNotice};
pub use spec::{
    Alarms, CircuitBreaker, Controller, DeploymentConfiguration, HookTarget, LifecycleHook,
    PlacementStrategy, Propagate, Scheduling, ServiceCapacity, ServiceSpec, StepDeployment,
    Strategy, Threshold, ThresholdKind,
};
pub use task_set::{TaskSet, TaskSetStatus};

/// Where a service is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ServiceStatus {
    /// Keeps its tasks.
    Active,
    /// Deleted; some tasks are not yet stopped.
    Draining,
    /// Deleted; describable for a while, and its name may be used again.
    Inactive,
}

impl ServiceStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// A service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Cluster and name.
    pub key: ServiceKey,
    /// Where it is in its life.
    pub status: ServiceStatus,
    /// What is wanted of it.
    pub spec: ServiceSpec,
    /// What its controller remembers.
    #[serde(default)]
    pub memory: ServiceMemory,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// The token of the CreateService that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<ClientToken>,
    /// Who made it: the caller's ARN.
    pub created_by: Text,
    /// When it was made, or made again after deletion.
    pub created_at: Timestamp,
    /// When it became INACTIVE: it is forgotten some time after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
}
