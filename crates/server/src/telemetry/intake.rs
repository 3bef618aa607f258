//! What agents publish, as far as it can be believed.

use std::sync::Arc;

use berth_agent_proto::tcs::{
    ContainerMetric, CounterSet, PAGE_TASKS_MAX, PublishMetrics, StatsSet, TaskMetric,
};
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::ContainerInstance;
use berth_model::task::{LastStatus, Task};
use berth_state::State;

/// The most percent of its machine that a container can use. An agent of ours may offer a part
/// of a machine and tells percents of that part, which is 128 CPU units at least; this is a
/// machine of 128 vCPUs in such a part.
const CPU_PERCENT_MAX: f64 = 102_400.0;
/// The most MiB that a container can use: 64 TiB, more than machines have.
const MEMORY_MIB_MAX: f64 = 64.0 * 1024.0 * 1024.0;
/// The most samples in a set: agents take one or two a second for 20 s, and queue sets for up to
/// five minutes.
const SAMPLES_MAX: i64 = 10_000;
/// What a sum of numbers may be off by, relative to the largest.
const ROUNDING: f64 = 1e-6;
/// What the agent's own containers of a task are called by, such as that of an awsvpc network.
const INTERNAL: &str = "~internal~";

/// What was not believed, counted by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    /// The message names another instance than its socket.
    pub(super) foreign_instance: u64,
    /// The task is another instance's.
    pub(super) foreign_task: u64,
    /// The task is not known, or has stopped.
    pub(super) unknown_task: u64,
    /// The task has no such container, or the container came twice.
    pub(super) unknown_container: u64,
    /// A figure that cannot be.
    pub(super) bad_figure: u64,
    /// More than a message may hold, or than is kept.
    pub(super) too_many: u64,
    /// A check or a status that is not known.
    pub(super) unknown_check: u64,
}

impl Refused {
    /// The reasons that there were, by the names of the counter's label.
    pub(super) fn counts(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let Self {
            foreign_instance,
            foreign_task,
            unknown_task,
            unknown_container,
            bad_figure,
            too_many,
            unknown_check,
        } = *self;
        [
            ("foreign_instance", foreign_instance),
            ("foreign_task", foreign_task),
            ("unknown_task", unknown_task),
            ("unknown_container", unknown_container),
            ("bad_figure", bad_figure),
            ("too_many", too_many),
            ("unknown_check", unknown_check),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
    }
}

/// What one publication says of a task: sums over its containers.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Reading {
    /// When it was published, in seconds since the epoch by the agent's clock.
    pub(super) at: f64,
    /// CPU units in use.
    pub(super) cpu: Option<f64>,
    /// MiB in use.
    pub(super) memory: Option<f64>,
    /// Bytes received and sent since the containers started.
    pub(super) network: Option<[u64; 2]>,
    /// Bytes read and written since the containers started.
    pub(super) storage: Option<[u64; 2]>,
}

/// Whether telemetry of this task is of interest.
pub(super) fn is_heard(task: Option<&Arc<Task>>) -> bool {
    task.is_some_and(|task| task.last != LastStatus::Stopped)
}

/// What a message of the agent of `instance` says.
pub(super) fn read(
    state: &State,
    instance: InstanceId,
    message: &PublishMetrics,
    refused: &mut Refused,
) -> Vec<(TaskId, Reading)> {
    let Some(record) = state.instances.get(&instance) else {
        return Vec::new();
    };
    if message.metadata.container_instance != record.cluster.instance_arn(instance) {
        refused.foreign_instance += 1;
        return Vec::new();
    }
    let mut readings: Vec<(TaskId, Reading)> = Vec::new();
    for metric in &message.task_metrics {
        if readings.len() >= PAGE_TASKS_MAX {
            refused.too_many += 1;
            continue;
        }
        let Some(task) = own_task(state, instance, &metric.task_arn, refused) else {
            continue;
        };
        if readings.iter().any(|(known, _)| *known == task.id) {
            refused.too_many += 1;
            continue;
        }
        let reading = of_task(state, record, task, metric, refused);
        readings.push((
            task.id,
            Reading {
                at: message.timestamp,
                ..reading
            },
        ));
    }
    readings
}

fn own_task<'a>(
    state: &'a State,
    instance: InstanceId,
    arn: &str,
    refused: &mut Refused,
) -> Option<&'a Arc<Task>> {
    let id: Option<TaskId> = EcsArn::parse(arn).and_then(|arn| arn.last().parse().ok());
    let task = id.and_then(|id| state.tasks.get(id));
    let Some(task) = task.filter(|task| is_heard(Some(task))) else {
        refused.unknown_task += 1;
        return None;
    };
    if task.instance != Some(instance) || task.spec.cluster.task_arn(task.id) != arn {
        refused.foreign_task += 1;
        return None;
    }
    Some(task)
}

fn of_task(
    state: &State,
    instance: &ContainerInstance,
    task: &Task,
    metric: &TaskMetric,
    refused: &mut Refused,
) -> Reading {
    let mut sum = Reading::default();
    let Some(facts) = state.facts(task) else {
        return sum;
    };
    let mut told = vec![false; facts.containers.len()];
    for container in &metric.container_metrics {
        let name = container.container_name.as_str();
        if name.starts_with(INTERNAL) {
            continue;
        }
        let at = facts.containers.iter().position(|known| known.name == name);
        match at.filter(|at| !std::mem::replace(&mut told[*at], true)) {
            Some(_) => add(&mut sum, instance, container, refused),
            None => refused.unknown_container += 1,
        }
    }
    sum
}

/// Adds what is said of one container.
fn add(
    sum: &mut Reading,
    instance: &ContainerInstance,
    container: &ContainerMetric,
    refused: &mut Refused,
) {
    let ContainerMetric {
        container_name: _,
        cpu_stats_set,
        memory_stats_set,
        network_stats_set,
        storage_stats_set,
        // How often the agent restarts containers is not shown anywhere.
        restart_stats_set: _,
    } = container;
    let percent = mean(cpu_stats_set.as_ref(), CPU_PERCENT_MAX, refused);
    // Percent of what the agent registered (reference §6.4).
    let units = percent.map(|percent| percent / 100.0 * f64::from(instance.capacity.cpu));
    add_some(&mut sum.cpu, units);
    let memory = mean(memory_stats_set.as_ref(), MEMORY_MIB_MAX, refused);
    add_some(&mut sum.memory, memory);
    let network = network_stats_set.as_ref();
    let network = network.map(|set| [set.rx_bytes.as_ref(), set.tx_bytes.as_ref()]);
    add_counters(&mut sum.network, network, refused);
    let storage = storage_stats_set.as_ref();
    let storage = storage.map(|set| [set.read_size_bytes.as_ref(), set.write_size_bytes.as_ref()]);
    add_counters(&mut sum.storage, storage, refused);
}

fn add_some(sum: &mut Option<f64>, more: Option<f64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0.0) + more);
    }
}

fn add_counters(
    sum: &mut Option<[u64; 2]>,
    more: Option<[Option<&CounterSet>; 2]>,
    refused: &mut Refused,
) {
    let Some([Some(first), Some(second)]) = more else {
        return;
    };
    match (newest(first), newest(second)) {
        (Some(first), Some(second)) => {
            let [a, b] = sum.unwrap_or_default();
            *sum = Some([a.saturating_add(first), b.saturating_add(second)]);
        }
        (None, _) | (_, None) => refused.bad_figure += 1,
    }
}

/// The mean of a set that can be; a set of no samples says nothing.
fn mean(set: Option<&StatsSet>, most: f64, refused: &mut Refused) -> Option<f64> {
    let set = set.filter(|set| set.sample_count != 0)?;
    let StatsSet {
        min,
        max,
        sum,
        sample_count,
    } = *set;
    let slack = max.abs() * ROUNDING + ROUNDING;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand at most")]
    let mean = sum / sample_count as f64;
    let can_be = (1..=SAMPLES_MAX).contains(&sample_count)
        && [min, max, sum].iter().all(|figure| figure.is_finite())
        && min >= 0.0
        && max <= most
        && (min - slack..=max + slack).contains(&mean);
    if !can_be {
        refused.bad_figure += 1;
        return None;
    }
    Some(mean)
}

/// Where a counter stands: the most of its samples, with what went over. `None` when it cannot be.
fn newest(set: &CounterSet) -> Option<u64> {
    let most = u64::try_from(set.max).ok()?;
    let over = u64::try_from(set.overflow_max.unwrap_or(0)).ok()?;
    Some(most.saturating_add(over))
}
