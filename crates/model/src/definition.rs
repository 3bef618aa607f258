//! Task definitions: an opaque body as registered, and the facts that placement and task life
//! read from it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::name::DefinitionKey;
use crate::resources::{ContainerSize, Demand, HostPort};
use crate::tags::Tags;
use crate::task::TaskOverrides;
use crate::text::Text;
use crate::time::Timestamp;

/// Whether a revision can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum DefinitionStatus {
    /// New tasks may use it.
    Active,
    /// Deregistered: what runs goes on, nothing new may use it.
    Inactive,
    /// DeleteTaskDefinitions was called; it goes when nothing refers to it.
    DeleteInProgress,
}

impl DefinitionStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Inactive => "INACTIVE",
            Self::DeleteInProgress => "DELETE_IN_PROGRESS",
        }
    }
}

/// How a task's containers reach the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NetworkMode {
    /// Docker's bridge; what an absent `networkMode` means on Linux.
    #[default]
    Bridge,
    /// The machine's own network.
    Host,
    /// An address of the task's own.
    Awsvpc,
    /// No network.
    None,
}

/// What placement and task life need to know of one container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerFacts {
    /// The name, unique in the task definition.
    pub name: Text,
    /// The image as registered.
    pub image: Text,
    /// Whether its end is the task's end.
    pub essential: bool,
    /// CPU units.
    #[serde(default)]
    pub cpu: u32,
    /// Hard limit in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Soft limit in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u32>,
    /// Whole GPUs.
    #[serde(default)]
    pub gpus: u32,
    /// Host ports that the definition fixes, in the host and bridge modes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<HostPort>,
    /// How many ports the agent picks.
    #[serde(default)]
    pub dynamic_ports: u32,
    /// Whether the definition has a health check; the image's own does not count.
    #[serde(default)]
    pub health_check: bool,
    /// Whether its image's tag is not resolved to a digest: `versionConsistency` is `disabled`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keeps_tag: bool,
}

/// What placement and task life read from a task definition. All of it follows from the body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefinitionFacts {
    /// Task-level CPU units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Task-level MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// The network mode in effect.
    pub network_mode: NetworkMode,
    /// Launch types that the definition can run on: `EC2`, `EXTERNAL`, `FARGATE`, ….
    pub compatibilities: Vec<Text>,
    /// Attributes that an instance must have.
    pub requires_attributes: Vec<Text>,
    /// Cluster-query expressions of the definition's `memberOf` constraints.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub member_of: Vec<Text>,
    /// The containers, in the order of the definition.
    pub containers: Vec<ContainerFacts>,
    /// Whether a task role is set, which ExecuteCommand needs.
    #[serde(default)]
    pub task_role: bool,
}

impl DefinitionFacts {
    /// What a task of this definition takes from its machine, with `overrides` applied.
    ///
    /// A task in awsvpc mode has an address of its own and takes no host port.
    #[must_use]
    pub fn demand(&self, overrides: Option<&TaskOverrides>) -> Demand {
        let sizes = self.containers.iter().map(|container| {
            let over = overrides.and_then(|o| o.container(&container.name));
            ContainerSize {
                cpu: over.and_then(|o| o.cpu).unwrap_or(container.cpu),
                memory: over.and_then(|o| o.memory).or(container.memory),
                memory_reservation: over
                    .and_then(|o| o.memory_reservation)
                    .or(container.memory_reservation),
                gpus: over.and_then(|o| o.gpus).unwrap_or(container.gpus),
            }
        });
        let mut demand = Demand::of_sizes(
            overrides.and_then(|o| o.cpu).or(self.cpu),
            overrides.and_then(|o| o.memory).or(self.memory),
            sizes,
        );
        match self.network_mode {
            NetworkMode::Bridge | NetworkMode::Host => {
                for container in &self.containers {
                    demand.ports.extend(container.ports.iter().copied());
                    demand.dynamic_ports += container.dynamic_ports;
                }
                demand.ports.sort_unstable();
                demand.ports.dedup();
            }
            NetworkMode::Awsvpc | NetworkMode::None => {}
        }
        demand
    }

    /// The container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerFacts> {
        self.containers
            .iter()
            .find(|container| container.name.as_str() == name)
    }
}

/// One revision of a family.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct TaskDefinition {
    /// Scope, family and revision.
    pub key: DefinitionKey,
    /// Whether it can be used.
    pub status: DefinitionStatus,
    /// The definition as DescribeTaskDefinition shows it, but for ARN, revision, status and
    /// times: JSON of the API's own shape, parsed only when a call needs it.
    pub body: Arc<RawValue>,
    /// What placement and task life read from the body.
    pub facts: Arc<DefinitionFacts>,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The ARN of who registered it.
    pub registered_by: Text,
    /// When it was deregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    /// When its deletion was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delete_requested_at: Option<Timestamp>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
}

/// The last revision ever used of a family: numbers are never used twice, not even after a
/// revision is deleted (reference §2.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyCounter {
    /// Scope and family, with the last revision given out.
    pub last: DefinitionKey,
}
