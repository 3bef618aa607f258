//! Container instances: machines whose agents registered with a cluster.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::id::InstanceId;
use crate::name::ClusterKey;
use crate::resources::Capacity;
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

/// The attribute by which our agent says what its machine is offered as: `instance`, `fargate`
/// or `instance,fargate`. Absent means `instance`, which is what a stock agent is.
pub const CAPACITY_ATTRIBUTE: &str = "berth.capacity";
/// The attribute by which registrations of one machine name it, so that its resources are
/// counted once although it is an instance of several accounts, regions or clusters.
pub const MACHINE_ATTRIBUTE: &str = "berth.machine";
/// The attribute that places an instance in an availability zone.
pub const ZONE_ATTRIBUTE: &str = "ecs.availability-zone";
/// The attribute of an agent in ECS Anywhere's mode, whose instances take `EXTERNAL` tasks.
pub const EXTERNAL_ATTRIBUTE: &str = "ecs.capability.external";
/// The most custom attributes that one instance may have (reference §5.2).
pub const CUSTOM_ATTRIBUTES_MAX: usize = 10;

/// A fact about an instance that placement can ask for; capabilities have no value.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attribute {
    /// The name, such as `ecs.os-type`.
    #[serde(rename = "n")]
    pub name: Text,
    /// The value, if it has one.
    #[serde(rename = "v", default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Text>,
}

/// Whether an instance takes tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum InstanceStatus {
    /// Takes tasks while its agent is connected.
    Active,
    /// Keeps what it runs and takes nothing new.
    Draining,
    /// Deregistered; describable for a while, hidden from lists.
    Inactive,
}

impl InstanceStatus {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Draining => "DRAINING",
            Self::Inactive => "INACTIVE",
        }
    }
}

/// What the machine is offered as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// As a container instance of its cluster, for launch types EC2 and EXTERNAL.
    pub instance: bool,
    /// As Fargate capacity for every cluster of its account and region.
    pub fargate: bool,
}

impl Offer {
    /// What the agent's attributes say; a stock agent's say nothing and mean an instance.
    #[must_use]
    pub fn of_attributes(attributes: &[Attribute]) -> Offer {
        let named = attributes
            .iter()
            .find(|attribute| attribute.name == CAPACITY_ATTRIBUTE)
            .and_then(|attribute| attribute.value.as_ref());
        let Some(named) = named else {
            return Offer {
                instance: true,
                fargate: false,
            };
        };
        let offers = |kind: &str| named.split(',').any(|part| part.trim() == kind);
        let fargate = offers("fargate");
        Offer {
            instance: offers("instance") || !fargate,
            fargate,
        }
    }
}

/// What the agent said of itself on its websocket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentVersion {
    /// Such as `1.105.1`.
    pub agent: Option<Text>,
    /// The commit it was built from.
    pub hash: Option<Text>,
    /// Such as `DockerVersion: 20.10.24`, prefix included.
    pub docker: Option<Text>,
}

/// A machine whose agent registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ContainerInstance {
    /// The id.
    pub id: InstanceId,
    /// The cluster it registered with.
    pub cluster: ClusterKey,
    /// Whether it takes tasks.
    pub status: InstanceStatus,
    /// What it is offered as.
    pub offer: Offer,
    /// What its agent registered.
    pub capacity: Capacity,
    /// Attributes from the agent and the server.
    pub attributes: Arc<[Attribute]>,
    /// Attributes that users put, at most [`CUSTOM_ATTRIBUTES_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub custom_attributes: Vec<Attribute>,
    /// The cloud machine's or external machine's id, if the agent named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_id: Option<Text>,
    /// Versions, known once the agent has connected.
    #[serde(default)]
    pub version_info: AgentVersion,
    /// When it registered first.
    pub registered_at: Timestamp,
    /// When it was deregistered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deregistered_at: Option<Timestamp>,
    /// The token of the registration, by which a repeat finds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_token: Option<Text>,
    /// Who registered it: the caller's ARN. Only this identity, or the account's own keys, may
    /// report for its tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered_by: Option<Text>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// Raised by every change of it that a user can see, and by its tasks' changes once they are
    /// forgotten. What is shown is more: the state adds the changes of the tasks that it has.
    pub version: u32,
}

impl ContainerInstance {
    /// The machine whose resources tasks on this instance use: usually the instance itself.
    #[must_use]
    pub fn machine(&self) -> Text {
        match self.attribute(MACHINE_ATTRIBUTE) {
            Some(Some(machine)) => machine.clone(),
            Some(None) | None => Text::new(&self.id.to_string()),
        }
    }

    /// The attribute of this name: `None` when absent, `Some(None)` when it has no value. A
    /// custom attribute comes before one of the agent's.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<Option<&Text>> {
        self.all_attributes()
            .find(|a| a.name.as_str() == name)
            .map(|a| a.value.as_ref())
    }

    /// Custom attributes, then the agent's and the server's.
    pub fn all_attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.custom_attributes.iter().chain(self.attributes.iter())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offer_of(value: Option<&str>) -> (bool, bool) {
        let attributes: Vec<Attribute> = value
            .map(|v| Attribute {
                name: CAPACITY_ATTRIBUTE.into(),
                value: Some(v.into()),
            })
            .into_iter()
            .collect();
        let offer = Offer::of_attributes(&attributes);
        (offer.instance, offer.fargate)
    }

    #[test]
    fn an_agent_that_says_nothing_is_an_instance() {
        assert_eq!(offer_of(None), (true, false));
        assert_eq!(offer_of(Some("nonsense")), (true, false));
    }

    #[test]
    fn an_agent_may_offer_both_kinds_of_capacity() {
        assert_eq!(offer_of(Some("instance,fargate")), (true, true));
        assert_eq!(offer_of(Some("fargate")), (false, true));
    }
}
