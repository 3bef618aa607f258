//! What was asked for when a task was started. Nothing here ever changes.

use serde::{Deserialize, Serialize};

use crate::name::{ClusterKey, DefinitionKey, ServiceKey, ServiceName};
use crate::scheduler::DeploymentId;
use crate::service::PlacementStrategy;
use crate::text::Text;
use crate::time::Timestamp;

/// On what kind of capacity a task runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LaunchType {
    /// A container instance.
    Ec2,
    /// Capacity that is not listed as instances.
    Fargate,
    /// A container instance whose agent registered as external.
    External,
}

impl LaunchType {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ec2 => "EC2",
            Self::Fargate => "FARGATE",
            Self::External => "EXTERNAL",
        }
    }
}

/// A request's own id for itself, by which a repeat finds what the first one started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientToken {
    /// The token, at most 64 characters.
    pub token: Text,
    /// A hash of the request, as lower-case hexadecimal: the same token with another request is
    /// a conflict (reference §1.6).
    pub request: Text,
}

/// Changes to one container of the definition, for this task alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerOverride {
    /// The container's name.
    pub name: Text,
    /// CPU units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Hard limit in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Soft limit in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_reservation: Option<u32>,
    /// Whole GPUs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpus: Option<u32>,
}

/// Changes to the definition, for this task alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskOverrides {
    /// Task-level CPU units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u32>,
    /// Task-level MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u32>,
    /// Containers with changed sizes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerOverride>,
    /// The whole `overrides` member as given, in the API's own JSON: commands, environment,
    /// roles and what else placement does not read.
    pub given: Text,
}

impl TaskOverrides {
    /// The changed sizes of the container of this name.
    #[must_use]
    pub fn container(&self, name: &str) -> Option<&ContainerOverride> {
        self.containers
            .iter()
            .find(|container| container.name.as_str() == name)
    }
}

/// Where a task in awsvpc mode wants its address.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkConfiguration {
    /// Subnet ids; any well-formed one is accepted.
    pub subnets: Vec<Text>,
    /// Security-group ids; any well-formed one is accepted.
    #[serde(default)]
    pub security_groups: Vec<Text>,
    /// Whether a public address was asked for.
    #[serde(default)]
    pub assign_public_ip: bool,
}

/// A rule about instances that the request, not the definition, brings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PlacementConstraint {
    /// No two tasks of the group on one instance.
    DistinctInstance,
    /// The instance satisfies this expression of the cluster query language.
    MemberOf(Text),
}

/// Of which service a task is, and of which deployment or task set of it: their ids come from
/// one well, so that the id alone says which.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Membership {
    /// The service.
    pub service: ServiceName,
    /// The deployment, or the task set of a service whose deployments others control.
    pub deployment: DeploymentId,
}

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskSpec {
    /// The cluster.
    pub cluster: ClusterKey,
    /// The task definition.
    pub definition: DefinitionKey,
    /// The task group: `family:<family>` unless the caller named one.
    pub group: Text,
    /// The caller's mark.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_by: Option<Text>,
    /// The service that started it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Membership>,
    /// On what kind of capacity.
    pub launch_type: LaunchType,
    /// The provider, when a strategy chose the capacity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity_provider: Option<Text>,
    /// The resolved platform version, on Fargate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_version: Option<Text>,
    /// Changes to the definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overrides: Option<Box<TaskOverrides>>,
    /// Where its address should be, in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Box<NetworkConfiguration>>,
    /// Rules about instances.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<PlacementConstraint>,
    /// What the request preferred among instances. A service's tasks follow their service.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub strategy: Vec<PlacementStrategy>,
    /// Whether ExecuteCommand was asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub execute_command: bool,
    /// The request's token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<ClientToken>,
    /// When the request was accepted.
    pub created_at: Timestamp,
}

impl TaskSpec {
    /// The service that started it.
    #[must_use]
    pub fn service_key(&self) -> Option<ServiceKey> {
        self.service.as_ref().map(|member| ServiceKey {
            cluster: self.cluster.clone(),
            name: member.service.clone(),
        })
    }
}
