//! What clusters, services and tasks use, as gauges made anew for each scrape.
//!
//! `/metrics` is not signed, so whoever may not read names is kept from it by [`MetricsDetail`].

use prometheus::core::Collector;
use prometheus::proto::MetricFamily;
use prometheus::{GaugeVec, Opts};

use berth_model::name::{ClusterKey, ServiceKey};
use berth_state::State;

use crate::telemetry::{Amounts, ClusterUse, ServiceUse, Summary, TaskRow, percent};

/// The most clusters in one answer: each has 13 series.
const CLUSTERS_MAX: usize = 500;
/// The most services in one answer, as many as ECS allows in a cluster: each has 7 series.
const SERVICES_MAX: usize = 5_000;
/// The most tasks in one answer: each has 4 series, of names that never come again.
const TASKS_MAX: usize = 10_000;
const BYTES_PER_MIB: f64 = 1024.0 * 1024.0;

const CLUSTER: [&str; 3] = ["account", "region", "cluster"];
const SERVICE: [&str; 4] = ["account", "region", "cluster", "service"];
const TASK: [&str; 6] = ["account", "region", "cluster", "service", "family", "task"];

/// What `/metrics` tells of what runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum MetricsDetail {
    /// No names: only figures of the server itself.
    Server,
    /// Clusters and services by name.
    Service,
    /// Tasks as well.
    Task,
}

/// Gauges of the same labels, under construction.
struct Gauges<const N: usize> {
    labels: [&'static str; N],
    vectors: Vec<GaugeVec>,
}

impl<const N: usize> Gauges<N> {
    fn new(labels: [&'static str; N]) -> Self {
        Self {
            labels,
            vectors: Vec::new(),
        }
    }

    /// A gauge of these labels and one more.
    fn also(&mut self, name: &str, help: &str, more: Option<&'static str>) -> GaugeVec {
        let labels: Vec<&str> = self.labels.into_iter().chain(more).collect();
        let vector = GaugeVec::new(Opts::new(name, help), &labels);
        let vector = vector.expect("the metric's name is well formed");
        self.vectors.push(vector.clone());
        vector
    }

    fn plain(&mut self, name: &str, help: &str) -> GaugeVec {
        self.also(name, help, None)
    }

    fn collect(self, into: &mut Vec<MetricFamily>) {
        for vector in self.vectors {
            into.extend(vector.collect());
        }
    }
}

fn set(gauge: &GaugeVec, labels: &[&str], value: Option<f64>) {
    if let Some(value) = value {
        gauge.with_label_values(labels).set(value);
    }
}

fn set_with(gauge: &GaugeVec, labels: &[&str], more: &str, value: u32) {
    let labels: Vec<&str> = labels.iter().copied().chain([more]).collect();
    gauge.with_label_values(&labels).set(value.into());
}

/// The gauges of an answer.
pub(crate) fn families(summary: &Summary, tasks: &[TaskRow], state: &State) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    clusters(summary, &mut families);
    services(summary, &mut families);
    each_task(tasks, state, &mut families);
    let mut left_out = Gauges::new(["kind"]);
    let gauge = left_out.plain(
        "berth_metrics_left_out",
        "Clusters, services and tasks beyond the most that are shown here.",
    );
    for (kind, there, most) in [
        ("cluster", summary.clusters.len(), CLUSTERS_MAX),
        ("service", summary.services.len(), SERVICES_MAX),
        ("task", tasks.len(), TASKS_MAX),
    ] {
        let over = u32::try_from(there.saturating_sub(most)).unwrap_or(u32::MAX);
        set(&gauge, &[kind], Some(over.into()));
    }
    left_out.collect(&mut families);
    families
}

fn clusters(summary: &Summary, families: &mut Vec<MetricFamily>) {
    let mut all = Gauges::new(CLUSTER);
    let cpu = all.plain(
        "berth_cluster_cpu_utilization_percent",
        "CPUUtilization: CPU in use by tasks on container instances, of what these registered.",
    );
    let memory = all.plain(
        "berth_cluster_memory_utilization_percent",
        "MemoryUtilization: memory in use by tasks on container instances, of what these \
         registered.",
    );
    let cpu_reservation = all.plain(
        "berth_cluster_cpu_reservation_percent",
        "CPUReservation: CPU reserved on container instances, of what these registered.",
    );
    let memory_reservation = all.plain(
        "berth_cluster_memory_reservation_percent",
        "MemoryReservation: memory reserved on container instances, of what these registered.",
    );
    let used = Used::new(&mut all, "cluster");
    let services = all.plain("berth_cluster_services", "Services that are ACTIVE.");
    let tasks = all.also("berth_cluster_tasks", "Tasks.", Some("status"));
    let instances = all.also(
        "berth_cluster_container_instances",
        "Container instances.",
        Some("agent"),
    );
    for (key, cluster) in summary.clusters.iter().take(CLUSTERS_MAX) {
        let ClusterUse {
            registered,
            reserved,
            ..
        } = cluster;
        let labels = cluster_labels(key);
        let labels = &labels.each_ref().map(String::as_str);
        set(&cpu, labels, cluster.cpu.map(|set| set.average()));
        set(&memory, labels, cluster.memory.map(|set| set.average()));
        set(
            &cpu_reservation,
            labels,
            percent(reserved.cpu, registered.cpu),
        );
        let part = percent(reserved.memory, registered.memory);
        set(&memory_reservation, labels, part);
        used.set(labels, (cluster.heard > 0).then_some(cluster.used));
        set(&services, labels, Some(cluster.services.into()));
        set_with(&tasks, labels, "running", cluster.running);
        set_with(&tasks, labels, "pending", cluster.pending);
        set_with(&instances, labels, "connected", cluster.connected);
        let away = cluster.instances - cluster.connected;
        set_with(&instances, labels, "away", away);
    }
    all.collect(families);
}

fn services(summary: &Summary, families: &mut Vec<MetricFamily>) {
    let mut all = Gauges::new(SERVICE);
    let cpu = all.plain(
        "berth_service_cpu_utilization_percent",
        "CPUUtilization: CPU in use by the service's tasks, of what is reserved for them.",
    );
    let memory = all.plain(
        "berth_service_memory_utilization_percent",
        "MemoryUtilization: memory in use by the service's tasks, of what is reserved for them.",
    );
    let used = Used::new(&mut all, "service");
    let tasks = all.also("berth_service_tasks", "Tasks of a service.", Some("status"));
    for (key, service) in summary.services.iter().take(SERVICES_MAX) {
        let ServiceUse {
            desired,
            running,
            pending,
            ..
        } = service;
        let labels = service_labels(key);
        let labels = &labels.each_ref().map(String::as_str);
        set(&cpu, labels, service.cpu.map(|set| set.average()));
        set(&memory, labels, service.memory.map(|set| set.average()));
        used.set(labels, (service.heard > 0).then_some(service.used));
        set_with(&tasks, labels, "desired", *desired);
        set_with(&tasks, labels, "running", *running);
        set_with(&tasks, labels, "pending", *pending);
    }
    all.collect(families);
}

fn each_task(rows: &[TaskRow], state: &State, families: &mut Vec<MetricFamily>) {
    if rows.is_empty() {
        return;
    }
    let mut all = Gauges::new(TASK);
    let cpu = all.plain(
        "berth_task_cpu_utilization_percent",
        "CPU in use by a task, of what is reserved for it.",
    );
    let memory = all.plain(
        "berth_task_memory_utilization_percent",
        "Memory in use by a task, of what is reserved for it.",
    );
    let used = Used::new(&mut all, "task");
    for row in rows.iter().take(TASKS_MAX) {
        let spec = &row.task.spec;
        let [account, region, cluster] = cluster_labels(&spec.cluster);
        let service = spec.service.as_ref();
        let service = service.map_or_else(String::new, |member| member.service.to_string());
        let (family, id) = (spec.definition.family.to_string(), row.task.id.to_string());
        let labels = [account, region, cluster, service, family, id];
        let labels = &labels.each_ref().map(String::as_str);
        let Some(amounts) = row.amounts() else {
            continue;
        };
        let reserved = Amounts::reserved_by(state, &row.task);
        set(&cpu, labels, percent(amounts.cpu, reserved.cpu));
        set(&memory, labels, percent(amounts.memory, reserved.memory));
        used.set(labels, Some(amounts));
    }
    all.collect(families);
}

/// The gauges of what is used, in absolute figures.
struct Used {
    cpu: GaugeVec,
    memory: GaugeVec,
}

impl Used {
    fn new<const N: usize>(all: &mut Gauges<N>, of: &str) -> Self {
        let name = format!("berth_{of}_cpu_used_units");
        let help = "CPU units in use; 1024 are one vCPU.";
        let cpu = all.plain(&name, help);
        let name = format!("berth_{of}_memory_used_bytes");
        let memory = all.plain(&name, "Memory in use.");
        Self { cpu, memory }
    }

    fn set(&self, labels: &[&str], amounts: Option<Amounts>) {
        set(&self.cpu, labels, amounts.map(|amounts| amounts.cpu));
        let memory = amounts.map(|amounts| amounts.memory * BYTES_PER_MIB);
        set(&self.memory, labels, memory);
    }
}

fn cluster_labels(key: &ClusterKey) -> [String; 3] {
    let scope = &key.scope;
    [
        scope.account.to_string(),
        scope.region.to_string(),
        key.name.to_string(),
    ]
}

fn service_labels(key: &ServiceKey) -> [String; 4] {
    let [account, region, cluster] = cluster_labels(&key.cluster);
    [account, region, cluster, key.name.to_string()]
}
