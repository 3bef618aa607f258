//! What machines have and tasks need: CPU, memory, GPUs and host ports.
//!
//! The arithmetic is the Amazon ECS agent's own, because an agent that thinks a task does not fit
//! waits in silence and blocks every task after it (agent protocol reference §5.3):
//! - a task's own `cpu` and `memory` count when they are set, else the sum of its containers';
//! - a container's memory is its `memoryReservation` when that is set, else its `memory`;
//! - no size anywhere counts as 0.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::text::Text;

/// CPU units that make one vCPU.
pub const CPU_UNITS_PER_VCPU: u32 = 1024;

/// A transport that a host port is taken on.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, Default,
)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// TCP, the default of a port mapping.
    #[default]
    Tcp,
    /// UDP.
    Udp,
}

/// A port on the host's own address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// The transport.
    #[serde(rename = "t")]
    pub transport: Transport,
    /// The port, 1 to 65535.
    #[serde(rename = "p")]
    pub port: u16,
}

/// What one machine offered when its agent registered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// CPU units; 1024 are one vCPU.
    pub cpu: u32,
    /// MiB, less what the agent keeps back for the machine itself.
    pub memory: u32,
    /// Ids of the GPUs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Text>,
    /// Host ports that no task may take, such as the machine's own sshd.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub reserved_ports: BTreeSet<HostPort>,
}

/// What one task takes from the machine it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Demand {
    /// CPU units.
    pub cpu: u32,
    /// MiB.
    pub memory: u32,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Host ports that the definition names. Dynamic ports are picked by the agent and become
    /// used when it reports them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<HostPort>,
    /// How many host ports the agent will pick itself: they count towards the instance's limit.
    #[serde(default)]
    pub dynamic_ports: u32,
}

/// What one container asks for, with overrides already applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContainerSize {
    /// CPU units.
    pub cpu: u32,
    /// Hard limit in MiB.
    pub memory: Option<u32>,
    /// Soft limit in MiB, which counts before the hard one.
    pub memory_reservation: Option<u32>,
    /// Whole GPUs.
    pub gpus: u32,
}

impl Demand {
    /// The demand of a task with these task-level sizes and containers, ports aside.
    #[must_use]
    pub fn of_sizes(
        task_cpu: Option<u32>,
        task_memory: Option<u32>,
        containers: impl IntoIterator<Item = ContainerSize>,
    ) -> Demand {
        let mut sum = Demand::default();
        for container in containers {
            let memory = container
                .memory_reservation
                .filter(|mib| *mib > 0)
                .or(container.memory);
            sum.cpu = sum.cpu.saturating_add(container.cpu);
            sum.memory = sum.memory.saturating_add(memory.unwrap_or(0));
            sum.gpus = sum.gpus.saturating_add(container.gpus);
        }
        // The agent reads 0 as "not set".
        sum.cpu = task_cpu.filter(|units| *units > 0).unwrap_or(sum.cpu);
        sum.memory = task_memory.filter(|mib| *mib > 0).unwrap_or(sum.memory);
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn container(cpu: u32, memory: Option<u32>, memory_reservation: Option<u32>) -> ContainerSize {
        ContainerSize {
            cpu,
            memory,
            memory_reservation,
            gpus: 0,
        }
    }

    #[test]
    fn containers_add_up_when_the_task_names_no_size() {
        let demand = Demand::of_sizes(
            None,
            None,
            [
                container(128, Some(256), None),
                container(0, Some(512), Some(100)),
            ],
        );
        assert_eq!((demand.cpu, demand.memory), (128, 356));
    }

    #[test]
    fn the_task_size_counts_before_the_containers() {
        let demand = Demand::of_sizes(Some(256), Some(512), [container(999, Some(999), None)]);
        assert_eq!((demand.cpu, demand.memory), (256, 512));
    }

    #[test]
    fn a_size_of_zero_is_no_size() {
        let demand = Demand::of_sizes(Some(0), Some(0), [container(10, Some(20), Some(0))]);
        assert_eq!((demand.cpu, demand.memory), (10, 20));
    }
}
