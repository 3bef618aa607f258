//! What a service tells the event bus, in EventBridge's words (reference §4.6). Nothing of it is
//! saved: who is not listening has missed it.

use crate::id::{InstanceId, TaskId};
use crate::name::ServiceKey;
use crate::scheduler::DeploymentId;
use crate::text::Text;
use crate::time::Timestamp;

/// An event of the bus about a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceNotice {
    /// The service.
    pub service: ServiceKey,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub notice: Notice,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Its kind.
    pub kind: NoticeKind,
    /// The API's `eventName`.
    pub name: &'static str,
    /// The deployment, or for a service action the task set.
    pub deployment: Option<DeploymentId>,
    /// The tasks.
    pub tasks: Vec<TaskId>,
    /// The container instances.
    pub instances: Vec<InstanceId>,
    /// The capacity providers, by name.
    pub providers: Vec<Text>,
    /// The API's `reason`.
    pub reason: Option<String>,
}

/// `detail-type` and `eventType` of a [`Notice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// `ECS Service Action`, INFO.
    ActionInfo,
    /// `ECS Service Action`, WARN.
    ActionWarn,
    /// `ECS Service Action`, ERROR.
    ActionError,
    /// `ECS Deployment State Change`, INFO.
    DeploymentInfo,
    /// `ECS Deployment State Change`, ERROR.
    DeploymentError,
}
