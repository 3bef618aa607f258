//! Why a task could not be placed, in the words of the ECS API (reference §6.6).

use std::fmt;

use berth_model::id::InstanceId;

/// The most instances that one refusal gives a reason for. ECS names every rejected instance of
/// the cluster; a hundred tell a person as much, and bound what a flood of requests to a full
/// cluster of thousands can cost.
pub const REFUSALS_MAX: usize = 100;

/// Why one instance cannot take a task. The order is the order of the checks: an instance with
/// a later reason came closer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// There is no such instance in the cluster; only where the caller names the instance.
    Missing,
    /// It is draining or was deregistered; only where the caller names the instance.
    Inactive,
    /// Its agent is not connected.
    Agent,
    /// It lacks an attribute that the task definition requires.
    Attribute,
    /// Too few CPU units are left.
    Cpu,
    /// Too little memory is left.
    Memory,
    /// Too few GPUs are left.
    Gpu,
    /// A TCP host port is taken, or too many host ports are reserved.
    Ports,
    /// A UDP host port is taken, or too many host ports are reserved.
    PortsUdp,
    /// It is in none of the zones of the given subnets.
    Location,
    /// It does not satisfy a `memberOf` expression.
    MemberOf,
    /// It has a task of the group, and `distinctInstance` was asked for.
    DistinctInstance,
    /// It is kept free for a task that has waited long; to others, there is no room.
    Held,
}

impl Reason {
    /// The `reason` of an entry in `failures`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "MISSING",
            Self::Inactive => "INACTIVE",
            Self::Agent => "AGENT",
            Self::Attribute => "ATTRIBUTE",
            Self::Cpu | Self::Held => "RESOURCE:CPU",
            Self::Memory => "RESOURCE:MEMORY",
            Self::Gpu => "RESOURCE:GPU",
            Self::Ports => "RESOURCE:PORTS",
            Self::PortsUdp => "RESOURCE:PORTS_UDP",
            Self::Location => "LOCATION",
            Self::MemberOf => "MemberOf placement constraint unsatisfied.",
            Self::DistinctInstance => "DistinctInstance placement constraint unsatisfied.",
        }
    }
}

impl Reason {
    /// What a service's event says of the instance that came closest: `The closest matching
    /// (container-instance <id>) <this>.` (reference §7.8).
    #[must_use]
    pub fn event_text(self) -> String {
        match self {
            Self::Cpu | Self::Held => "has insufficient CPU units available".into(),
            Self::Memory => "has insufficient memory available".into(),
            Self::Ports | Self::PortsUdp => "is already using a port required by your task".into(),
            Self::Attribute => "is missing an attribute required by your task".into(),
            Self::Missing
            | Self::Inactive
            | Self::Agent
            | Self::Gpu
            | Self::Location
            | Self::MemberOf
            | Self::DistinctInstance => format!("encountered error \"{self}\""),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why no instance can take a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Nothing is registered and ACTIVE for this cluster and launch type; ECS answers RunTask
    /// with `No Container Instances were found in your cluster.` (reference §2.7).
    NoInstances,
    /// Every candidate was rejected.
    Rejected {
        /// The first [`REFUSALS_MAX`] candidates in order of their ids, each with its reason.
        reasons: Vec<(InstanceId, Reason)>,
        /// How many candidates there are in all.
        candidates: usize,
    },
}

impl Refusal {
    /// The named candidate that came closest, as service events tell it (reference §7.8): the
    /// one that failed the latest check, among equals the one with the least id.
    #[must_use]
    pub fn closest(&self) -> Option<(InstanceId, Reason)> {
        match self {
            Self::NoInstances => None,
            Self::Rejected { reasons, .. } => reasons
                .iter()
                .copied()
                .min_by_key(|(id, reason)| (std::cmp::Reverse(*reason), *id)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closest_candidate_failed_the_latest_check() {
        let id = |byte| InstanceId::from_bytes([byte; 16]);
        let refusal = Refusal::Rejected {
            reasons: vec![
                (id(1), Reason::Agent),
                (id(2), Reason::Memory),
                (id(3), Reason::Cpu),
                (id(4), Reason::Memory),
            ],
            candidates: 4,
        };
        assert_eq!(refusal.closest(), Some((id(2), Reason::Memory)));
        assert_eq!(Refusal::NoInstances.closest(), None);
    }

    #[test]
    fn events_tell_a_reason_in_words_or_by_its_code() {
        assert_eq!(
            Reason::Cpu.event_text(),
            "has insufficient CPU units available"
        );
        assert_eq!(Reason::Agent.event_text(), "encountered error \"AGENT\"");
    }
}
