//! TCS, the channel over which telemetry goes up (reference §6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::acs::null_as_absent;
use crate::envelope::messages;

/// How often the agent publishes, in milliseconds (reference §6.3).
pub const PUBLISH_EVERY_MS: u64 = 20_000;

/// The most tasks in one page of metrics or health (reference §6.3).
pub const PAGE_TASKS_MAX: usize = 10;

messages! {
    /// From the agent to the server. On the wire each frame has a signed header block in front:
    /// see [`join_signed`] and [`split_signed`].
    pub enum ToServer {
        /// Metrics of tasks.
        PublishMetricsRequest(PublishMetrics),
        /// Health of containers: the only way in which it is reported (pitfall 24).
        PublishHealthRequest(PublishHealth),
        /// Health of the instance.
        PublishInstanceStatusRequest(PublishInstanceStatus),
    }
}

messages! {
    /// From the server to the agent.
    pub enum ToAgent {
        /// Metrics were taken.
        AckPublishMetric(Text),
        /// Health was taken.
        AckPublishHealth(Text),
        /// Instance status was taken.
        AckPublishInstanceStatus(Text),
        /// Shows that the server lives; not answered.
        HeartbeatMessage(Heartbeat),
        /// Logged by agents, no more.
        StopTelemetrySessionMessage(Text),
    }
}

/// What goes between the headers and the JSON of a frame.
const HEADERS_END: &str = "\r\n\r\n";

/// A frame from the agent with the given headers in front, in the order given.
///
/// The headers are those of the signature: `Authorization`, `Host`, `X-Amz-Date` and, with
/// session credentials, `X-Amz-Security-Token`.
#[must_use]
pub fn join_signed(headers: &[(&str, &str)], json: &str) -> String {
    let length: usize = headers.iter().map(|(n, v)| n.len() + v.len() + 4).sum();
    let mut frame = String::with_capacity(length + 2 + json.len());
    for (name, value) in headers {
        frame.push_str(name);
        frame.push_str(": ");
        frame.push_str(value);
        frame.push_str("\r\n");
    }
    frame.push_str("\r\n");
    frame.push_str(json);
    frame
}

/// The header block (empty when there is none) and the JSON of a frame from the agent.
///
/// A frame that begins with `{` is all JSON; another is cut at its first empty line, and has
/// none when it lacks that.
#[must_use]
pub fn split_signed(frame: &str) -> Option<(&str, &str)> {
    if frame.starts_with('{') {
        return Some(("", frame));
    }
    frame.split_once(HEADERS_END)
}

/// An answer, with a text that nobody reads.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Text {
    /// The text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `HeartbeatMessage` of this channel.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Heartbeat {
    /// Ignored by agents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
}

/// `PublishMetricsRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishMetrics {
    /// Who says it, and which page it is.
    #[serde(deserialize_with = "null_as_absent")]
    pub metadata: MetricsMetadata,
    /// At most [`PAGE_TASKS_MAX`].
    #[serde(
        deserialize_with = "null_as_absent",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub task_metrics: Vec<TaskMetric>,
    /// Metrics of the instance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance_metrics: Option<InstanceMetrics>,
    /// Seconds since the epoch.
    pub timestamp: f64,
}

/// Metadata of [`PublishMetrics`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricsMetadata {
    /// The cluster, as the agent is configured.
    pub cluster: String,
    /// The instance's ARN.
    pub container_instance: String,
    /// The same on all pages of one publication.
    pub message_id: String,
    /// Whether no task runs.
    pub idle: bool,
    /// Whether this is the last page.
    pub fin: bool,
}

/// Metrics of one task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskMetric {
    /// The task.
    pub task_arn: String,
    /// Its definition's family.
    pub task_definition_family: String,
    /// Its definition's revision.
    pub task_definition_version: String,
    /// Its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_arn: Option<String>,
    /// Its containers.
    #[serde(deserialize_with = "null_as_absent")]
    pub container_metrics: Vec<ContainerMetric>,
    /// Its volumes.
    #[serde(
        deserialize_with = "null_as_absent",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub volume_metrics: Vec<VolumeMetric>,
}

/// Metrics of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerMetric {
    /// The container's name.
    pub container_name: String,
    /// Percent of the whole host; of a part of one, where the agent registered no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_stats_set: Option<StatsSet>,
    /// MiB in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_stats_set: Option<StatsSet>,
    /// Network counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_stats_set: Option<NetworkStatsSet>,
    /// Block device counters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_stats_set: Option<StorageStatsSet>,
    /// Restarts by the agent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart_stats_set: Option<RestartStatsSet>,
}

/// A number sampled several times.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StatsSet {
    /// The least.
    pub min: f64,
    /// The most.
    pub max: f64,
    /// All of them together.
    pub sum: f64,
    /// How many.
    pub sample_count: i64,
}

/// A counter sampled several times. Parts above 2⁶³−1 stand in the `overflow` fields.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CounterSet {
    /// The least.
    pub min: i64,
    /// The most.
    pub max: i64,
    /// All of them together.
    pub sum: i64,
    /// How many.
    pub sample_count: i64,
    /// What of the least goes beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow_min: Option<i64>,
    /// What of the most goes beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow_max: Option<i64>,
    /// What of the sum goes beyond.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overflow_sum: Option<i64>,
}

/// Network counters: cumulative, and two rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkStatsSet {
    /// Bytes received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes: Option<CounterSet>,
    /// Packets received.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_packets: Option<CounterSet>,
    /// Incoming packets dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_dropped: Option<CounterSet>,
    /// Incoming packets with errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_errors: Option<CounterSet>,
    /// Bytes sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes: Option<CounterSet>,
    /// Packets sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_packets: Option<CounterSet>,
    /// Outgoing packets dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_dropped: Option<CounterSet>,
    /// Outgoing packets with errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_errors: Option<CounterSet>,
    /// Bytes received per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rx_bytes_per_second: Option<StatsSet>,
    /// Bytes sent per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tx_bytes_per_second: Option<StatsSet>,
}

/// Block device counters, cumulative.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StorageStatsSet {
    /// Bytes read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read_size_bytes: Option<CounterSet>,
    /// Bytes written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write_size_bytes: Option<CounterSet>,
}

/// Restarts by the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RestartStatsSet {
    /// How many since the last publication.
    pub restart_count: i64,
}

/// Use of a volume.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct VolumeMetric {
    /// Its id.
    pub volume_id: String,
    /// Its name in the task definition.
    pub volume_name: String,
    /// What is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilized: Option<StatsSet>,
    /// What there is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<StatsSet>,
}

/// Metrics of the instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceMetrics {
    /// Percent of file systems in use, by `rootFilesystem` and `dataFilesystem`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub storage: BTreeMap<String, f64>,
}

/// `PublishHealthRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishHealth {
    /// Who says it, and which page it is.
    #[serde(deserialize_with = "null_as_absent")]
    pub metadata: HealthMetadata,
    /// At most [`PAGE_TASKS_MAX`].
    #[serde(deserialize_with = "null_as_absent")]
    pub tasks: Vec<TaskHealth>,
    /// Seconds since the epoch.
    pub timestamp: f64,
}

/// Metadata of [`PublishHealth`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HealthMetadata {
    /// The cluster, as the agent is configured.
    pub cluster: String,
    /// The instance's ARN.
    pub container_instance: String,
    /// The same on all pages of one publication.
    pub message_id: String,
    /// Whether this is the last page.
    pub fin: bool,
}

/// Health of one task's containers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskHealth {
    /// The task.
    pub task_arn: String,
    /// Its cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster_arn: Option<String>,
    /// Its definition's family.
    pub task_definition_family: String,
    /// Its definition's revision.
    pub task_definition_version: String,
    /// Containers with a health check.
    #[serde(deserialize_with = "null_as_absent")]
    pub containers: Vec<ContainerHealth>,
}

/// Health of one container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerHealth {
    /// The container's name.
    pub container_name: String,
    /// `HEALTHY`, `UNHEALTHY` or `UNKNOWN`.
    pub health_status: String,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_since: Option<f64>,
    /// What the last check wrote.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_message: Option<String>,
}

/// `PublishInstanceStatusRequest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PublishInstanceStatus {
    /// Who says it.
    #[serde(deserialize_with = "null_as_absent")]
    pub metadata: InstanceStatusMetadata,
    /// What is checked.
    #[serde(deserialize_with = "null_as_absent")]
    pub statuses: Vec<InstanceStatus>,
    /// Seconds since the epoch.
    pub timestamp: f64,
}

/// Metadata of [`PublishInstanceStatus`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatusMetadata {
    /// The cluster, as the agent is configured.
    pub cluster: String,
    /// The instance's ARN.
    pub container_instance: String,
    /// Different for each.
    pub request_id: String,
}

/// Health of one part of the instance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct InstanceStatus {
    /// `ContainerRuntime`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `OK`, `IMPAIRED`, `INSUFFICIENT_DATA` or `INITIALIZING`.
    pub status: String,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_updated: Option<f64>,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_status_change: Option<f64>,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_reason: Option<String>,
}
