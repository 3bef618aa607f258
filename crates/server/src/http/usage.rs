//! `GetUsage`: what the clusters, services and tasks of the caller's account use, in all regions,
//! for `berth top`.

use berth_model::id::AccountId;
use berth_model::name::{ClusterKey, ClusterName, ServiceName};
use berth_model::task::Task;
use berth_model::time::Timestamp;
use berth_ops::{ApiError, MetricMinute, MetricSource, MetricSubject, StatisticSet};
use berth_state::State;
use berth_wire::Fault;
use serde::{Deserialize, Serialize};

use crate::app::App;
use crate::telemetry::{
    Amounts, ClusterUse, Moment, RowFilter, ServiceUse, TaskRow, percent, rows,
};

/// The most tasks in one answer, and how many there are when the caller does not say.
const TASKS_MAX: usize = 1_000;
const TASKS_USUAL: usize = 100;
/// The most services and clusters in one answer: more than a terminal scrolls through.
const SUBJECTS_MAX: usize = 1_000;

/// What is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Input {
    /// A cluster's name.
    cluster: Option<ClusterName>,
    /// A service's name.
    service: Option<ServiceName>,
    sort: Sort,
    /// How many tasks at most.
    tasks: Option<usize>,
    /// Whether to tell the minutes of the last hour.
    minutes: bool,
}

/// Answers what is used.
///
/// # Errors
/// For an input that does not read.
pub(super) async fn get_usage(
    app: std::sync::Arc<App>,
    account: AccountId,
    body: &[u8],
) -> Result<Vec<u8>, ApiError> {
    let input: Input = serde_json::from_slice(body)
        .map_err(|error| Fault::client("SerializationException", error.to_string()))?;
    // Summing up many tasks takes longer than a worker of the runtime should be held.
    let summing =
        tokio::task::spawn_blocking(move || serde_json::to_vec(&usage(&app, account, &input)));
    let usage = summing.await.map_err(ApiError::internal)?;
    usage.map_err(ApiError::internal)
}

/// How what is shown is sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Sort {
    #[default]
    Cpu,
    Memory,
    Name,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Usage {
    /// When, in seconds since the epoch.
    at: f64,
    clusters: Vec<Cluster>,
    services: Vec<Service>,
    tasks: Vec<OneTask>,
    left_out: LeftOut,
}

/// How many there are beyond those shown.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LeftOut {
    clusters: usize,
    services: usize,
    tasks: usize,
}

/// Whose it is.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    region: String,
    cluster: String,
}

/// CPU in units or memory in MiB.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Figure {
    #[serde(skip_serializing_if = "Option::is_none")]
    registered: Option<f64>,
    reserved: f64,
    /// Absent when nobody said.
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<f64>,
    /// In percent, as Amazon CloudWatch has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    utilization: Option<f64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Cluster {
    #[serde(flatten)]
    place: Place,
    cluster_arn: String,
    instances: u32,
    connected_instances: u32,
    services: u32,
    running: u32,
    pending: u32,
    cpu: Figure,
    memory: Figure,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    minutes: Vec<Minute>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Service {
    #[serde(flatten)]
    place: Place,
    service: String,
    service_arn: String,
    desired: u32,
    running: u32,
    pending: u32,
    cpu: Figure,
    memory: Figure,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    minutes: Vec<Minute>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct OneTask {
    #[serde(flatten)]
    place: Place,
    task: String,
    task_arn: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    /// Family and revision.
    task_definition: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    container_instance: Option<String>,
    last_status: &'static str,
    health_status: &'static str,
    cpu: Figure,
    memory: Figure,
    #[serde(skip_serializing_if = "Option::is_none")]
    network: Option<Network>,
    #[serde(skip_serializing_if = "Option::is_none")]
    storage: Option<Storage>,
}

/// Bytes in a second.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Network {
    received_per_second: f64,
    sent_per_second: f64,
}

/// Bytes in a second.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Storage {
    read_per_second: f64,
    written_per_second: f64,
}

/// One minute of the last hour.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Minute {
    at: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu: Option<Statistics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Statistics>,
}

/// Percents.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Statistics {
    average: f64,
    minimum: f64,
    maximum: f64,
    sample_count: u32,
}

fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact until the year 287396")]
    let seconds = at.as_millis() as f64 / 1_000.0;
    seconds
}

fn usage(app: &App, account: AccountId, wanted: &Input) -> Usage {
    let (state, now) = (app.newest.load_full(), Moment::now());
    let summary = app.telemetry.summary(&state, now);
    let filter = RowFilter {
        account: Some(account),
        cluster: wanted.cluster.clone(),
        service: wanted.service.clone(),
    };
    let passes = |key: &ClusterKey| {
        key.scope.account == account && filter.cluster.as_ref().is_none_or(|c| key.name == *c)
    };
    let minutes = |subject: &dyn Fn() -> MetricSubject| match wanted.minutes {
        true => minutes(app.telemetry.minutes(&subject())),
        false => Vec::new(),
    };
    let clusters = summary.clusters.iter().filter(|(key, _)| passes(key));
    let mut clusters: Vec<Cluster> = clusters
        .map(|(key, used)| {
            let minutes = minutes(&|| MetricSubject::Cluster(key.clone()));
            cluster(key, used, minutes)
        })
        .collect();
    let services = summary.services.iter().filter(|(key, _)| {
        passes(&key.cluster) && filter.service.as_ref().is_none_or(|name| key.name == *name)
    });
    let mut services: Vec<Service> = services
        .map(|(key, used)| Service {
            place: place(&key.cluster),
            service: key.name.to_string(),
            service_arn: key.arn(),
            desired: used.desired,
            running: used.running,
            pending: used.pending,
            cpu: service_figure(used, |amounts| amounts.cpu, used.cpu),
            memory: service_figure(used, |amounts| amounts.memory, used.memory),
            minutes: minutes(&|| MetricSubject::Service(key.clone())),
        })
        .collect();
    let fresh = app.telemetry.fresh(now);
    let mut tasks: Vec<OneTask> = rows(&state, &fresh, &filter)
        .iter()
        .map(|row| one_task(&state, row))
        .collect();
    sort(&mut clusters, wanted.sort, |one| (&one.cpu, &one.memory));
    sort(&mut services, wanted.sort, |one| (&one.cpu, &one.memory));
    sort(&mut tasks, wanted.sort, |one| (&one.cpu, &one.memory));
    Usage {
        at: seconds(now.wall),
        left_out: LeftOut {
            clusters: cut(&mut clusters, SUBJECTS_MAX),
            services: cut(&mut services, SUBJECTS_MAX),
            tasks: cut(
                &mut tasks,
                wanted.tasks.unwrap_or(TASKS_USUAL).min(TASKS_MAX),
            ),
        },
        clusters,
        services,
        tasks,
    }
}

/// The most first; what is equal, and all when sorted by name, stays in the order of names.
fn sort<T>(all: &mut [T], by: Sort, figures: impl Fn(&T) -> (&Figure, &Figure)) {
    let used = |one: &T| {
        let (cpu, memory) = figures(one);
        match by {
            Sort::Cpu => cpu.used.unwrap_or(-1.0),
            Sort::Memory => memory.used.unwrap_or(-1.0),
            Sort::Name => 0.0,
        }
    };
    all.sort_by(|one, other| used(other).total_cmp(&used(one)));
}

fn cut<T>(all: &mut Vec<T>, most: usize) -> usize {
    let over = all.len().saturating_sub(most);
    all.truncate(most);
    over
}

fn place(key: &ClusterKey) -> Place {
    Place {
        region: key.scope.region.to_string(),
        cluster: key.name.to_string(),
    }
}

fn cluster(key: &ClusterKey, used: &ClusterUse, minutes: Vec<Minute>) -> Cluster {
    let figure = |of: fn(&Amounts) -> f64, set: Option<StatisticSet>| Figure {
        registered: Some(of(&used.registered)),
        reserved: of(&used.reserved),
        used: (used.heard > 0).then(|| of(&used.used)),
        utilization: set.map(|set| set.average()),
    };
    Cluster {
        place: place(key),
        cluster_arn: key.arn(),
        instances: used.instances,
        connected_instances: used.connected,
        services: used.services,
        running: used.running,
        pending: used.pending,
        cpu: figure(|amounts| amounts.cpu, used.cpu),
        memory: figure(|amounts| amounts.memory, used.memory),
        minutes,
    }
}

fn service_figure(used: &ServiceUse, of: fn(&Amounts) -> f64, set: Option<StatisticSet>) -> Figure {
    Figure {
        registered: None,
        reserved: of(&used.reserved),
        used: (used.heard > 0).then(|| of(&used.used)),
        utilization: set.map(|set| set.average()),
    }
}

fn one_task(state: &State, row: &TaskRow) -> OneTask {
    let task: &Task = &row.task;
    let spec = &task.spec;
    let reserved = Amounts::reserved_by(state, task);
    let figure = |reserved: f64, used: Option<f64>| Figure {
        registered: None,
        reserved,
        used,
        utilization: used.and_then(|used| percent(used, reserved)),
    };
    let used = row.used.unwrap_or_default();
    let definition = &spec.definition;
    OneTask {
        place: place(&spec.cluster),
        task: task.id.to_string(),
        task_arn: spec.cluster.task_arn(task.id),
        service: spec
            .service
            .as_ref()
            .map(|member| member.service.to_string()),
        task_definition: format!("{}:{}", definition.family, definition.revision),
        container_instance: task.instance.map(|instance| instance.to_string()),
        last_status: task.last.as_str(),
        health_status: state
            .facts(task)
            .map_or("UNKNOWN", |facts| task.health(facts).as_str()),
        cpu: figure(reserved.cpu, used.cpu),
        memory: figure(reserved.memory, used.memory),
        network: used.network.map(|[received, sent]| Network {
            received_per_second: received,
            sent_per_second: sent,
        }),
        storage: used.storage.map(|[read, written]| Storage {
            read_per_second: read,
            written_per_second: written,
        }),
    }
}

fn minutes(all: Vec<MetricMinute>) -> Vec<Minute> {
    let statistics = |set: StatisticSet| Statistics {
        average: set.average(),
        minimum: set.minimum,
        maximum: set.maximum,
        sample_count: set.samples,
    };
    let shown = |minute: MetricMinute| Minute {
        at: seconds(minute.at),
        cpu: minute.cpu.map(statistics),
        memory: minute.memory.map(statistics),
    };
    all.into_iter().map(shown).collect()
}
