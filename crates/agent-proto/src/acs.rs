//! ACS, the channel over which work comes down (reference §3 and §4).

use serde::{Deserialize, Deserializer, Serialize};

use crate::envelope::messages;
use crate::network::{
    AttachInstanceNetworkInterfacesMessage, AttachTaskNetworkInterfacesMessage,
    ConfirmAttachmentMessage,
};
use crate::task::{Credentials, Task};

messages! {
    /// From the server to the agent.
    pub enum ToAgent {
        /// Shows that the server lives; re-arms the agent's inactivity timer.
        HeartbeatMessage(Heartbeat),
        /// Tasks to run or stop.
        PayloadMessage(Payload),
        /// New credentials of a task.
        IAMRoleCredentialsMessage(RoleCredentials),
        /// Which tasks the server wants to run.
        TaskManifestMessage(TaskManifest),
        /// Which stop candidates shall stop.
        TaskStopVerificationAck(StopVerificationAck),
        /// Interfaces of a task to await.
        AttachTaskNetworkInterfacesMessage(AttachTaskNetworkInterfacesMessage),
        /// Interfaces of the instance to await.
        AttachInstanceNetworkInterfacesMessage(AttachInstanceNetworkInterfacesMessage),
        /// A block device to await.
        ConfirmAttachmentMessage(ConfirmAttachmentMessage),
        /// A new agent to download.
        StageUpdateMessage(Update),
        /// Start the agent that was downloaded.
        PerformUpdateMessage(Update),
        /// Logged by agents, no more.
        CloseMessage(Notice),
        /// Logged by agents, no more.
        ErrorMessage(Notice),
    }
}

messages! {
    /// From the agent to the server.
    pub enum ToServer {
        /// The message was understood and, for a payload, stored.
        AckRequest(Ack),
        /// An update was refused.
        NackRequest(Nack),
        /// Answer to a heartbeat.
        HeartbeatAckRequest(HeartbeatAck),
        /// Credentials were taken.
        IAMRoleCredentialsAckRequest(CredentialsAck),
        /// Tasks that run and that the manifest does not want.
        TaskStopVerificationMessage(StopVerification),
    }
}

/// Reads JSON null as the absence of a value, as Go does.
pub(crate) fn null_as_absent<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// `HeartbeatMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Heartbeat {
    /// What the answer names.
    pub message_id: String,
    /// Ignored by agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// `PayloadMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Payload {
    /// What the ack names. Not used to tell repeats.
    pub message_id: String,
    /// The cluster; echoed in the ack, so never empty.
    pub cluster_arn: String,
    /// The instance; echoed in the ack, so never empty.
    pub container_instance_arn: String,
    /// Raises the agent's number for manifests; orders nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seq_num: Option<i64>,
    /// When it was made, in milliseconds since the epoch; not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<i64>,
    /// The tasks.
    pub tasks: Vec<Task>,
}

/// `IAMRoleCredentialsMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RoleCredentials {
    /// What the ack names.
    pub message_id: String,
    /// The task.
    pub task_arn: String,
    /// The task's cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_cluster_arn: Option<String>,
    /// `TaskApplication` or `TaskExecution`.
    pub role_type: String,
    /// The credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_credentials: Option<Credentials>,
}

/// `TaskManifestMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskManifest {
    /// What the ack and the stop verification name.
    pub message_id: String,
    /// The cluster.
    pub cluster_arn: String,
    /// The instance.
    pub container_instance_arn: String,
    /// When it was made; not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<i64>,
    /// Its number; dropped unless above every number seen so far (pitfall 31).
    pub timeline: i64,
    /// The tasks of the instance.
    pub tasks: Vec<ManifestTask>,
}

/// A task of a manifest or of a stop verification. In a manifest, ARN and status are both
/// required: a stock agent dies without (pitfall 32), so they are no options here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ManifestTask {
    /// The task.
    pub task_arn: String,
    /// Its cluster.
    pub task_cluster_arn: String,
    /// `RUNNING` or `STOPPED`.
    pub desired_status: String,
}

/// `TaskStopVerificationAck`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StopVerificationAck {
    /// The manifest's id.
    pub message_id: String,
    /// When it was made; not used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated_at: Option<i64>,
    /// The tasks to stop.
    pub stop_tasks: Vec<ManifestTask>,
}

/// `StageUpdateMessage` and `PerformUpdateMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Update {
    /// What the ack or nack names.
    pub message_id: String,
    /// The cluster.
    pub cluster_arn: String,
    /// The instance.
    pub container_instance_arn: String,
    /// What to download.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_info: Option<UpdateInfo>,
}

/// A new agent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct UpdateInfo {
    /// Where it is.
    pub location: String,
    /// SHA-256 of the file in hex.
    pub signature: String,
}

/// `CloseMessage`, `ErrorMessage` and whatever else carries text alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Notice {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `AckRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Ack {
    /// As in the message that is acked.
    #[serde(deserialize_with = "null_as_absent")]
    pub cluster: String,
    /// As in the message that is acked.
    #[serde(deserialize_with = "null_as_absent")]
    pub container_instance: String,
    /// The message that is acked.
    #[serde(deserialize_with = "null_as_absent")]
    pub message_id: String,
}

/// `NackRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Nack {
    /// As in the message that is refused.
    #[serde(deserialize_with = "null_as_absent")]
    pub cluster: String,
    /// As in the message that is refused.
    #[serde(deserialize_with = "null_as_absent")]
    pub container_instance: String,
    /// The message that is refused.
    #[serde(deserialize_with = "null_as_absent")]
    pub message_id: String,
    /// Why.
    #[serde(deserialize_with = "null_as_absent")]
    pub reason: String,
}

/// `HeartbeatAckRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HeartbeatAck {
    /// The heartbeat's id.
    #[serde(deserialize_with = "null_as_absent")]
    pub message_id: String,
}

/// `IAMRoleCredentialsAckRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CredentialsAck {
    /// The message in which they came.
    #[serde(deserialize_with = "null_as_absent")]
    pub message_id: String,
    /// Their id.
    #[serde(deserialize_with = "null_as_absent")]
    pub credentials_id: String,
    /// When they lapse, as it was sent.
    #[serde(deserialize_with = "null_as_absent")]
    pub expiration: String,
}

/// `TaskStopVerificationMessage`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StopVerification {
    /// The manifest's id.
    #[serde(deserialize_with = "null_as_absent")]
    pub message_id: String,
    /// Tasks that the agent would stop.
    #[serde(deserialize_with = "null_as_absent")]
    pub stop_candidates: Vec<ManifestTask>,
}
