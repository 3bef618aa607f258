//! What an agent is told. Every value is explicit; the binary spells them out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::task::Task;

use crate::http::KeySource;
use crate::runtime::{PullBehavior, TaskNetwork};

/// What a machine is offered as; at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capacity {
    /// As a container instance of its cluster.
    pub instance: bool,
    /// As Fargate capacity of its account and region.
    pub fargate: bool,
}

impl Capacity {
    /// The value of the registration attribute.
    #[must_use]
    pub fn attribute(self) -> &'static str {
        match (self.instance, self.fargate) {
            (true, true) => "instance,fargate",
            (false, true) => "fargate",
            (_, false) => "instance",
        }
    }
}

/// Gives the base of a task's metadata URLs, without a final slash: an address that its
/// containers can reach, which depends on their network.
pub type MetadataBase = Arc<dyn Fn(&Task, Option<&TaskNetwork>) -> Option<String> + Send + Sync>;

/// What one agent is told.
#[derive(Clone)]
pub struct AgentConfig {
    /// Which of the process's agents it is; its entries in the journal carry it.
    pub number: u32,
    /// The cluster to join, by name.
    pub cluster: String,
    /// The region to sign for.
    pub region: String,
    /// Keys to sign with.
    pub keys: Arc<dyn KeySource>,
    /// What the machine is offered as.
    pub capacity: Capacity,
    /// The machine's id in place of the runtime's: agents of the same one share its CPU, memory
    /// and ports.
    pub machine: Option<String>,
    /// The availability zone.
    pub zone: Option<String>,
    /// Custom attributes.
    pub attributes: BTreeMap<String, String>,
    /// CPU units in place of the machine's.
    pub cpu_units: Option<i64>,
    /// MiB in place of the machine's.
    pub memory_mib: Option<i64>,
    /// Host ports that tasks must not use: those of the machine's own services.
    pub reserved_ports: Vec<u16>,
    /// How long stopped containers are kept.
    pub cleanup_wait: Duration,
    /// Time between stop signal and kill where the container says nothing.
    pub stop_timeout: Duration,
    /// When the registry is asked for an image.
    pub pull_behavior: PullBehavior,
    /// Told the server as the agent's version.
    pub version: String,
    /// Told the server as the agent's hash.
    pub hash: String,
    /// Spreads timers; different for each agent.
    pub seed: u64,
    /// Whether containers are measured and metrics published.
    pub metrics: bool,
    /// Whether task states are reported. Only simulated fleets that measure the server turn
    /// this off.
    pub reports: bool,
    /// Where containers reach the metadata endpoints; `None` when there are none.
    pub metadata_base: Option<MetadataBase>,
}

impl AgentConfig {
    /// Whether the agent makes its cluster when it is missing: only the default one, as the stock
    /// agent does when no cluster was named.
    pub(crate) fn makes_cluster(&self) -> bool {
        self.cluster == "default"
    }
}

impl std::fmt::Debug for AgentConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AgentConfig")
            .field("number", &self.number)
            .field("cluster", &self.cluster)
            .field("region", &self.region)
            .finish_non_exhaustive()
    }
}
