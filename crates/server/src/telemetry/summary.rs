//! What services and clusters use, in the terms of Amazon CloudWatch's namespace AWS/ECS.
//!
//! - A service's utilization is over its tasks: each is a sample, in percent of what is reserved
//!   for it; a task that reserves nothing is none.
//! - A cluster's utilization is what its tasks on container instances use, in percent of what its
//!   instances registered; its reservation is what is reserved on them, likewise.
//! - What has no running task has no utilization, rather than one of zero.

use std::collections::{BTreeMap, HashMap};

use berth_model::cluster::ClusterStatus;
use berth_model::id::TaskId;
use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::service::{Scheduling, ServiceStatus};
use berth_model::task::{LastStatus, LaunchType, Task};
use berth_ops::StatisticSet;
use berth_state::State;

use super::TaskUse;

/// CPU units and MiB.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Amounts {
    /// CPU units.
    pub(crate) cpu: f64,
    /// MiB.
    pub(crate) memory: f64,
}

impl Amounts {
    /// What a task reserves.
    pub(crate) fn reserved_by(state: &State, task: &Task) -> Self {
        let demand = state.facts(task).map(|facts| task.demand(facts));
        demand.map_or_else(Self::default, |demand| Self {
            cpu: demand.cpu.into(),
            memory: demand.memory.into(),
        })
    }

    fn add(&mut self, more: Self) {
        self.cpu += more.cpu;
        self.memory += more.memory;
    }
}

/// A cluster.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ClusterUse {
    /// Tasks that run.
    pub(crate) running: u32,
    /// Tasks that start.
    pub(crate) pending: u32,
    /// Services that are ACTIVE.
    pub(crate) services: u32,
    /// Container instances that are not deregistered.
    pub(crate) instances: u32,
    /// Those whose agents are connected.
    pub(crate) connected: u32,
    /// What the instances registered.
    pub(crate) registered: Amounts,
    /// What tasks reserve on them.
    pub(crate) reserved: Amounts,
    /// What all tasks of the cluster use.
    pub(crate) used: Amounts,
    /// Of how many tasks that is known.
    pub(crate) heard: u32,
    /// What tasks on the instances use.
    used_on_instances: Option<Amounts>,
    /// `CPUUtilization`.
    pub(crate) cpu: Option<StatisticSet>,
    /// `MemoryUtilization`.
    pub(crate) memory: Option<StatisticSet>,
}

/// A service.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct ServiceUse {
    /// Tasks that it should have.
    pub(crate) desired: u32,
    /// Tasks that run.
    pub(crate) running: u32,
    /// Tasks that start.
    pub(crate) pending: u32,
    /// What its tasks reserve.
    pub(crate) reserved: Amounts,
    /// What its tasks use.
    pub(crate) used: Amounts,
    /// Of how many tasks that is known.
    pub(crate) heard: u32,
    /// `CPUUtilization`.
    pub(crate) cpu: Option<StatisticSet>,
    /// `MemoryUtilization`.
    pub(crate) memory: Option<StatisticSet>,
}

/// All clusters and services that are there to be used.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Summary {
    pub(crate) clusters: BTreeMap<ClusterKey, ClusterUse>,
    pub(crate) services: BTreeMap<ServiceKey, ServiceUse>,
}

impl Summary {
    /// Sums up what `fresh` says of tasks.
    pub(super) fn of(state: &State, fresh: &HashMap<TaskId, TaskUse>) -> Self {
        let mut summary = Self {
            clusters: clusters(state),
            services: services(state),
        };
        let tasks = state.tasks.iter();
        for task in tasks.filter(|task| task.last != LastStatus::Stopped) {
            summary.add(state, task, fresh.get(&task.id));
        }
        for cluster in summary.clusters.values_mut() {
            let used = cluster.used_on_instances;
            let all = cluster.registered;
            cluster.cpu = used
                .and_then(|used| percent(used.cpu, all.cpu))
                .map(StatisticSet::one);
            let memory = used.and_then(|used| percent(used.memory, all.memory));
            cluster.memory = memory.map(StatisticSet::one);
        }
        summary
    }

    fn add(&mut self, state: &State, task: &Task, used: Option<&TaskUse>) {
        if task.instance.is_none() {
            return;
        }
        let reserved = Amounts::reserved_by(state, task);
        let amounts = used.map(|used| Amounts {
            cpu: used.cpu.unwrap_or(0.0),
            memory: used.memory.unwrap_or(0.0),
        });
        if let Some(cluster) = self.clusters.get_mut(&task.spec.cluster) {
            if let Some(amounts) = amounts {
                cluster.used.add(amounts);
                cluster.heard += 1;
            }
            match task.spec.launch_type {
                LaunchType::Fargate => {}
                LaunchType::Ec2 | LaunchType::External => {
                    cluster.reserved.add(reserved);
                    if let Some(amounts) = amounts {
                        let sum = cluster.used_on_instances.get_or_insert_default();
                        sum.add(amounts);
                    }
                }
            }
        }
        let key = task.spec.service.as_ref().map(|member| ServiceKey {
            cluster: task.spec.cluster.clone(),
            name: member.service.clone(),
        });
        let Some(service) = key.and_then(|key| self.services.get_mut(&key)) else {
            return;
        };
        service.reserved.add(reserved);
        let Some(used) = used else { return };
        service.used.add(amounts.unwrap_or_default());
        service.heard += 1;
        let cpu = used.cpu.and_then(|cpu| percent(cpu, reserved.cpu));
        note(&mut service.cpu, cpu);
        let memory = used.memory.and_then(|mib| percent(mib, reserved.memory));
        note(&mut service.memory, memory);
    }
}

/// A part in percent of a whole, if there is one.
pub(crate) fn percent(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole * 100.0)
}

fn note(set: &mut Option<StatisticSet>, sample: Option<f64>) {
    if let Some(sample) = sample {
        *set = Some(set.map_or_else(|| StatisticSet::one(sample), |set| set.and(sample)));
    }
}

fn clusters(state: &State) -> BTreeMap<ClusterKey, ClusterUse> {
    let active = state
        .clusters
        .iter()
        .filter(|(_, cluster)| cluster.status == ClusterStatus::Active);
    active
        .map(|(key, _)| {
            let counts = state
                .cluster_row(key)
                .map(|row| state.tasks.cluster_counts(row));
            let counts = counts.unwrap_or_default();
            let mut used = ClusterUse {
                running: total(counts.running),
                pending: total(counts.pending),
                services: total(state.services.counts(key).active),
                ..ClusterUse::default()
            };
            for instance in state.instances_of(key) {
                if instance.status == InstanceStatus::Inactive || !instance.offer.instance {
                    continue;
                }
                used.instances += 1;
                used.connected += u32::from(state.is_connected(instance.id));
                used.registered.add(Amounts {
                    cpu: instance.capacity.cpu.into(),
                    memory: instance.capacity.memory.into(),
                });
            }
            (key.clone(), used)
        })
        .collect()
}

fn services(state: &State) -> BTreeMap<ServiceKey, ServiceUse> {
    let there = state
        .services
        .iter()
        .filter(|service| service.status != ServiceStatus::Inactive);
    there
        .map(|service| {
            let row = state.cluster_row(&service.key.cluster);
            let counts = row.map(|row| state.tasks.service_counts(row, &service.key.name));
            let counts = counts.unwrap_or_default();
            // As DescribeServices has it.
            let desired = match (service.status, service.spec.scheduling) {
                (ServiceStatus::Draining | ServiceStatus::Inactive, _) => 0,
                (ServiceStatus::Active, Scheduling::Replica) => service.spec.desired,
                (ServiceStatus::Active, Scheduling::Daemon) => counts.running + counts.pending,
            };
            let used = ServiceUse {
                desired,
                running: counts.running,
                pending: counts.pending,
                ..ServiceUse::default()
            };
            (service.key.clone(), used)
        })
        .collect()
}

fn total(counts: [u32; 3]) -> u32 {
    counts.into_iter().fold(0, u32::saturating_add)
}
