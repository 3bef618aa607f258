//! What placement knows of a container instance and of a task on one.

use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{
    Attribute, ContainerInstance, EXTERNAL_ATTRIBUTE, InstanceStatus, Offer, ZONE_ATTRIBUTE,
};
use berth_model::name::ClusterKey;
use berth_model::resources::{Capacity, Demand, HostPort};
use berth_model::text::Text;
use berth_model::time::Timestamp;

/// A container instance, as far as placement cares.
#[derive(Clone, Debug, PartialEq)]
pub struct Host {
    /// The id.
    pub instance: InstanceId,
    /// The cluster it registered with.
    pub cluster: ClusterKey,
    /// Whether it takes tasks.
    pub status: InstanceStatus,
    /// Whether its agent is connected.
    pub connected: bool,
    /// What it is offered as.
    pub offer: Offer,
    /// The machine whose resources its tasks use. Instances may share one.
    pub machine: Text,
    /// What its agent registered. A machine has the most that any registration says.
    pub capacity: Arc<Capacity>,
    /// Attributes from the agent and the server.
    pub attributes: Arc<[Attribute]>,
    /// Attributes that users put, which come before the agent's.
    pub custom_attributes: Arc<[Attribute]>,
    /// The agent's version, once known.
    pub agent_version: Option<Text>,
    /// The cloud machine's or external machine's id, if known.
    pub machine_id: Option<Text>,
    /// When it registered first.
    pub registered_at: Timestamp,
}

impl Host {
    /// What placement knows of this instance; `connected` is volatile and not in the record.
    #[must_use]
    pub fn of(instance: &ContainerInstance, connected: bool) -> Host {
        Host {
            instance: instance.id,
            cluster: instance.cluster.clone(),
            status: instance.status,
            connected,
            offer: instance.offer,
            machine: instance.machine(),
            capacity: Arc::new(instance.capacity.clone()),
            attributes: instance.attributes.clone(),
            custom_attributes: instance.custom_attributes.as_slice().into(),
            agent_version: instance.version_info.agent.clone(),
            machine_id: instance.machine_id.clone(),
            registered_at: instance.registered_at,
        }
    }

    /// The attribute of this name: `None` when absent, `Some(None)` when it has no value.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Option<&Text>> {
        self.custom_attributes
            .iter()
            .chain(self.attributes.iter())
            .find(|attribute| attribute.name.as_str() == name)
            .map(|attribute| attribute.value.as_ref())
    }

    /// Whether its tasks are of launch type `EXTERNAL`.
    #[must_use]
    pub fn is_external(&self) -> bool {
        self.attribute(EXTERNAL_ATTRIBUTE).is_some()
    }

    pub(crate) fn zone(&self) -> Option<&Text> {
        self.attribute(ZONE_ATTRIBUTE).flatten()
    }
}

/// A task that has an instance and is not STOPPED.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// The task.
    pub task: TaskId,
    /// Where it is.
    pub instance: InstanceId,
    /// The task's cluster, which on Fargate need not be the instance's.
    pub cluster: ClusterKey,
    /// The task group.
    pub group: Text,
    /// What it takes.
    pub demand: Arc<Demand>,
    /// The GPUs it was given at placement. Where there are fewer than it demands, the rest are
    /// counted as taken without saying which.
    pub gpus: Vec<Text>,
    /// Host ports that its agent reported, static ones included or not.
    pub reported_ports: Vec<HostPort>,
    /// Whether it was last seen RUNNING, which is what `runningTasksCount` counts.
    pub running: bool,
}
