//! Counters and gauges, shown by `GET /metrics` as Prometheus text.

mod usage;

use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts,
    Registry, TextEncoder,
};

pub use usage::MetricsDetail;
pub(crate) use usage::families as usage;

/// Upper bounds in seconds of the latency histograms: an API call takes from a fraction of a
/// millisecond (a read) to seconds (a full lane).
const LATENCY_BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Upper bounds in seconds for what the writer and the folder do: fine where a disk's sync lies,
/// so that a stall can be told from a slow disk.
const SAVING_BUCKETS: [f64; 18] = [
    0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15,
    0.25, 0.5, 1.0, 5.0,
];
/// Upper bounds of how many jobs a commit holds, up to the most that a batch takes.
const BATCH_BUCKETS: [f64; 10] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0];

/// Everything that is counted.
pub(crate) struct Metrics {
    registry: Registry,
    /// API calls by service, operation and outcome (`ok` or the fault's code).
    pub(crate) calls: IntCounterVec,
    /// Time to answer by operation.
    pub(crate) call_seconds: HistogramVec,
    /// Closures of the writer that panicked, and request handlers that did.
    pub(crate) panics: IntCounter,
    /// Commits saved.
    pub(crate) commits: IntCounter,
    /// Changes in saved commits.
    pub(crate) changes: IntCounter,
    /// Nanoseconds that the writer spent running closures, by lane.
    pub(crate) writer_busy_ns: IntCounterVec,
    /// Nanoseconds that the writer spent waiting for the database.
    pub(crate) writer_saving_ns: IntCounter,
    /// Jobs that the writer ran, by lane.
    pub(crate) writer_jobs: IntCounterVec,
    /// Time that jobs waited in a lane before they first ran.
    pub(crate) writer_wait_seconds: HistogramVec,
    /// Time that saving a commit took.
    pub(crate) commit_seconds: Histogram,
    /// Jobs that share a commit.
    pub(crate) commit_jobs: Histogram,
    /// Time that one batch of the folder took.
    pub(crate) fold_seconds: Histogram,
    /// Records that the folder wrote or removed.
    pub(crate) folded_rows: IntCounter,
    /// Connected agents.
    pub(crate) agents: IntGauge,
    /// Open connections.
    pub(crate) connections: IntGauge,
    /// Tasks in memory, stopped ones included.
    pub(crate) tasks: IntGauge,
    /// The revision of the last saved state.
    pub(crate) revision: IntGauge,
    /// Reports for tasks that are unknown or purged.
    pub(crate) stray_messages: IntCounter,
    /// What agents publish and is not believed, by reason.
    pub(crate) telemetry_ignored: IntCounterVec,
}

impl Metrics {
    /// Everything at zero.
    pub(crate) fn new() -> Self {
        let registry = Registry::new();
        Self {
            calls: counters(
                &registry,
                "berth_api_calls_total",
                "API calls answered.",
                &["service", "operation", "outcome"],
            ),
            call_seconds: histograms(
                &registry,
                "berth_api_call_seconds",
                "Time to answer an API call.",
                &LATENCY_BUCKETS,
                &["operation"],
            ),
            panics: counter(&registry, "berth_panics_total", "Defects that were caught."),
            commits: counter(&registry, "berth_commits_total", "Commits saved."),
            changes: counter(&registry, "berth_changes_total", "Changed records saved."),
            writer_busy_ns: counters(
                &registry,
                "berth_writer_busy_nanoseconds_total",
                "Time that the writer spent in closures.",
                &["lane"],
            ),
            writer_saving_ns: counter(
                &registry,
                "berth_writer_saving_nanoseconds_total",
                "Time that the writer waited for the database.",
            ),
            writer_jobs: counters(
                &registry,
                "berth_writer_jobs_total",
                "Closures that the writer ran.",
                &["lane"],
            ),
            writer_wait_seconds: histograms(
                &registry,
                "berth_writer_wait_seconds",
                "Time that closures waited for the writer.",
                &SAVING_BUCKETS,
                &["lane"],
            ),
            commit_seconds: histogram(
                &registry,
                "berth_commit_seconds",
                "Time that saving a commit took.",
                &SAVING_BUCKETS,
            ),
            commit_jobs: histogram(
                &registry,
                "berth_commit_jobs",
                "Closures that share a commit.",
                &BATCH_BUCKETS,
            ),
            fold_seconds: histogram(
                &registry,
                "berth_fold_seconds",
                "Time that folding a batch of the journal took.",
                &SAVING_BUCKETS,
            ),
            folded_rows: counter(
                &registry,
                "berth_folded_rows_total",
                "Records that folding wrote or removed.",
            ),
            agents: gauge(
                &registry,
                "berth_agents_connected",
                "Agents with an ACS session.",
            ),
            connections: gauge(&registry, "berth_connections", "Open connections."),
            tasks: gauge(
                &registry,
                "berth_tasks",
                "Tasks in memory, stopped ones included.",
            ),
            revision: gauge(
                &registry,
                "berth_revision",
                "Revision of the last saved state.",
            ),
            stray_messages: counter(
                &registry,
                "berth_agent_messages_ignored_total",
                "Agent messages that could not be used.",
            ),
            telemetry_ignored: counters(
                &registry,
                "berth_telemetry_ignored_total",
                "Parts of agents' telemetry that were not believed.",
                &["reason"],
            ),
            registry,
        }
    }

    /// The Prometheus text, with further metrics.
    pub(crate) fn render(&self, more: Vec<MetricFamily>) -> String {
        let mut text = Vec::new();
        let encoder = TextEncoder::new();
        let mut families = self.registry.gather();
        // What has no series has no place in the text.
        families.extend(
            more.into_iter()
                .filter(|family| !family.get_metric().is_empty()),
        );
        if let Err(error) = encoder.encode(&families, &mut text) {
            tracing::warn!(%error, "metrics do not render");
        }
        String::from_utf8_lossy(&text).into_owned()
    }
}

fn register(registry: &Registry, collector: impl prometheus::core::Collector + 'static) {
    registry
        .register(Box::new(collector))
        .expect("every metric has a name of its own");
}

fn counter(registry: &Registry, name: &str, help: &str) -> IntCounter {
    let counter = IntCounter::new(name, help).expect("the metric's name is well formed");
    register(registry, counter.clone());
    counter
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    let counters = IntCounterVec::new(Opts::new(name, help), labels)
        .expect("the metric's name is well formed");
    register(registry, counters.clone());
    counters
}

fn histogram(registry: &Registry, name: &str, help: &str, buckets: &[f64]) -> Histogram {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histogram = Histogram::with_opts(opts).expect("the histogram's description is well formed");
    register(registry, histogram.clone());
    histogram
}

fn histograms(
    registry: &Registry,
    name: &str,
    help: &str,
    buckets: &[f64],
    labels: &[&str],
) -> HistogramVec {
    let opts = HistogramOpts::new(name, help).buckets(buckets.to_vec());
    let histograms =
        HistogramVec::new(opts, labels).expect("the histogram's description is well formed");
    register(registry, histograms.clone());
    histograms
}

fn gauge(registry: &Registry, name: &str, help: &str) -> IntGauge {
    let gauge = IntGauge::new(name, help).expect("the metric's name is well formed");
    register(registry, gauge.clone());
    gauge
}
