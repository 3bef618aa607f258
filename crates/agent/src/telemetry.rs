//! What goes up over TCS: metrics, health, the instance's status (reference §6.3, §6.4).

use std::collections::HashMap;
use std::sync::Arc;

use berth_agent_proto::tcs::{
    ContainerHealth, ContainerMetric, CounterSet, HealthMetadata, InstanceStatus,
    InstanceStatusMetadata, MetricsMetadata, NetworkStatsSet, PAGE_TASKS_MAX, PublishHealth,
    PublishInstanceStatus, PublishMetrics, RestartStatsSet, StatsSet, StorageStatsSet, TaskHealth,
    TaskMetric, ToServer,
};

use crate::engine::HealthLine;
use crate::runtime::{RuntimeId, Usage};

/// The figures of one container at one look.
#[derive(Debug)]
pub(crate) struct Measured {
    pub(crate) task: Arc<berth_agent_proto::task::Task>,
    pub(crate) container: usize,
    pub(crate) id: RuntimeId,
    pub(crate) restarts: u32,
    pub(crate) usage: Usage,
}

/// Turns figures into messages; remembers what rates are worked out from.
#[derive(Debug)]
pub(crate) struct Telemetry {
    cluster: String,
    instance: String,
    cpu_units: i64,
    before: HashMap<RuntimeId, (u64, Usage, u32)>,
    sent: u64,
}

impl Telemetry {
    pub(crate) fn new(cluster: &str, instance: &str, cpu_units: i64) -> Self {
        Self {
            cluster: cluster.to_owned(),
            instance: instance.to_owned(),
            cpu_units: cpu_units.max(1),
            before: HashMap::new(),
            sent: 0,
        }
    }

    /// The pages of one publication of metrics. `now` is of the monotonic clock, `at` in seconds
    /// since the epoch.
    pub(crate) fn metrics(
        &mut self,
        now: u64,
        at: f64,
        idle: bool,
        measured: Vec<Measured>,
    ) -> Vec<ToServer> {
        let message_id = self.next_id();
        let mut before = std::mem::take(&mut self.before);
        let mut tasks: Vec<TaskMetric> = Vec::new();
        for one in measured {
            let metric = self.container(now, &one, before.remove(&one.id));
            let arn = &one.task.arn;
            match tasks.last_mut().filter(|task| task.task_arn == *arn) {
                Some(task) => task.container_metrics.push(metric),
                None => tasks.push(TaskMetric {
                    task_arn: arn.clone(),
                    task_definition_family: one.task.family.clone(),
                    task_definition_version: one.task.version.clone(),
                    cluster_arn: None,
                    container_metrics: vec![metric],
                    volume_metrics: Vec::new(),
                }),
            }
            self.before.insert(one.id, (now, one.usage, one.restarts));
        }
        let page = |task_metrics: Vec<TaskMetric>, fin| {
            ToServer::PublishMetricsRequest(PublishMetrics {
                metadata: MetricsMetadata {
                    cluster: self.cluster.clone(),
                    container_instance: self.instance.clone(),
                    message_id: message_id.clone(),
                    idle,
                    fin,
                },
                task_metrics,
                instance_metrics: None,
                timestamp: at,
            })
        };
        if tasks.is_empty() {
            return vec![page(Vec::new(), true)];
        }
        let last = tasks.len().div_ceil(PAGE_TASKS_MAX) - 1;
        let pages = tasks.chunks(PAGE_TASKS_MAX).enumerate();
        pages
            .map(|(n, tasks)| page(tasks.to_vec(), n == last))
            .collect()
    }

    fn container(
        &self,
        now: u64,
        one: &Measured,
        before: Option<(u64, Usage, u32)>,
    ) -> ContainerMetric {
        let usage = &one.usage;
        let seconds = before.as_ref().map(|(at, _, _)| {
            #[expect(clippy::cast_precision_loss, reason = "a time of minutes, as seconds")]
            let seconds = now.saturating_sub(*at) as f64 / 1_000.0;
            seconds
        });
        let seconds = seconds.filter(|seconds| *seconds > 0.0);
        // Percent of all that the agent registered, which is the whole machine for a stock agent.
        let cpu = before.as_ref().zip(seconds).map(|((_, old, _), seconds)| {
            let used = float(usage.cpu_ns.saturating_sub(old.cpu_ns)) / 1e9;
            #[expect(clippy::cast_precision_loss, reason = "CPU units of one machine")]
            let cores = self.cpu_units as f64 / 1_024.0;
            one_sample(used / seconds / cores * 100.0)
        });
        let restarts = before.as_ref().map_or(0, |(_, _, old)| *old);
        // Containers of an awsvpc task share one network: each has its part of what that carried,
        // as the stock agent tells it, so that the sum is right.
        let parts = match one.task.berth_awsvpc {
            Some(_) => one.task.containers.len().max(1) as u64,
            None => 1,
        };
        let network = usage.network.map(|n| {
            let old = before.as_ref().and_then(|(_, old, _)| old.network);
            let counter = |value: u64| counter(value / parts);
            let rate = |new: u64, old: Option<u64>| {
                let (old, seconds) = (old?, seconds?);
                let part = float(new.saturating_sub(old)) / float(parts);
                Some(one_sample(part / seconds))
            };
            NetworkStatsSet {
                rx_bytes: Some(counter(n.rx_bytes)),
                rx_packets: Some(counter(n.rx_packets)),
                rx_dropped: Some(counter(n.rx_dropped)),
                rx_errors: Some(counter(n.rx_errors)),
                tx_bytes: Some(counter(n.tx_bytes)),
                tx_packets: Some(counter(n.tx_packets)),
                tx_dropped: Some(counter(n.tx_dropped)),
                tx_errors: Some(counter(n.tx_errors)),
                rx_bytes_per_second: rate(n.rx_bytes, old.map(|o| o.rx_bytes)),
                tx_bytes_per_second: rate(n.tx_bytes, old.map(|o| o.tx_bytes)),
            }
        });
        ContainerMetric {
            container_name: one.task.containers[one.container].name.clone(),
            cpu_stats_set: cpu,
            memory_stats_set: Some(one_sample(float(usage.memory_bytes) / (1024.0 * 1024.0))),
            network_stats_set: network,
            storage_stats_set: usage.block.map(|(read, written)| StorageStatsSet {
                read_size_bytes: Some(counter(read)),
                write_size_bytes: Some(counter(written)),
            }),
            restart_stats_set: Some(RestartStatsSet {
                restart_count: one.restarts.saturating_sub(restarts).into(),
            }),
        }
    }

    /// The pages of one publication of health; none when no container has a check.
    pub(crate) fn health(&mut self, at: f64, lines: &[HealthLine<'_>]) -> Vec<ToServer> {
        let mut tasks: Vec<TaskHealth> = Vec::new();
        for line in lines {
            let container = ContainerHealth {
                container_name: line.container.to_owned(),
                health_status: line.health.as_str().to_owned(),
                status_since: line.since.map(seconds),
                status_message: line.message.map(str::to_owned),
            };
            match tasks.last_mut().filter(|t| t.task_arn == line.task.arn) {
                Some(task) => task.containers.push(container),
                None => tasks.push(TaskHealth {
                    task_arn: line.task.arn.clone(),
                    cluster_arn: None,
                    task_definition_family: line.task.family.clone(),
                    task_definition_version: line.task.version.clone(),
                    containers: vec![container],
                }),
            }
        }
        let message_id = self.next_id();
        let count = tasks.len().div_ceil(PAGE_TASKS_MAX);
        let pages = tasks.chunks(PAGE_TASKS_MAX).enumerate();
        pages
            .map(|(n, tasks)| {
                ToServer::PublishHealthRequest(PublishHealth {
                    metadata: HealthMetadata {
                        cluster: self.cluster.clone(),
                        container_instance: self.instance.clone(),
                        message_id: message_id.clone(),
                        fin: n + 1 == count,
                    },
                    tasks: tasks.to_vec(),
                    timestamp: at,
                })
            })
            .collect()
    }

    /// The instance's status: whether its runtime answers, as last seen.
    pub(crate) fn instance(&mut self, at: f64, runtime: Option<bool>, since: f64) -> ToServer {
        let request_id = self.next_id();
        let status = match runtime {
            Some(true) => "OK",
            Some(false) => "IMPAIRED",
            None => "INITIALIZING",
        };
        ToServer::PublishInstanceStatusRequest(PublishInstanceStatus {
            metadata: InstanceStatusMetadata {
                cluster: self.cluster.clone(),
                container_instance: self.instance.clone(),
                request_id,
            },
            statuses: vec![InstanceStatus {
                kind: "ContainerRuntime".to_owned(),
                status: status.to_owned(),
                last_updated: Some(at),
                last_status_change: Some(since),
                status_reason: None,
            }],
            timestamp: at,
        })
    }

    fn next_id(&mut self) -> String {
        self.sent += 1;
        self.sent.to_string()
    }
}

/// Milliseconds since the epoch as seconds.
pub(crate) fn seconds(at: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let seconds = at as f64 / 1_000.0;
    seconds
}

#[expect(clippy::cast_precision_loss, reason = "figures for a graph")]
fn float(value: u64) -> f64 {
    value as f64
}

fn one_sample(value: f64) -> StatsSet {
    StatsSet {
        min: value,
        max: value,
        sum: value,
        sample_count: 1,
    }
}

/// A counter of one sample; what does not fit goes to the overflow fields.
fn counter(value: u64) -> CounterSet {
    let fits = i64::try_from(value).unwrap_or(i64::MAX);
    let over = value - fits.unsigned_abs();
    let overflow = (over > 0).then(|| i64::try_from(over).unwrap_or(i64::MAX));
    CounterSet {
        min: fits,
        max: fits,
        sum: fits,
        sample_count: 1,
        overflow_min: overflow,
        overflow_max: overflow,
        overflow_sum: overflow,
    }
}
