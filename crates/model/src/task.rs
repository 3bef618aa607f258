//! Tasks: what was asked for, what was seen, and which changes lead forward.
//!
//! Rules kept here:
//! - `spec` never changes; `desired` and `stop` are intent, written by operations and
//!   controllers; `last` and `seen` are observation, written by agents' reports;
//! - a status never goes back, and a report that comes twice, late or out of order changes
//!   nothing;
//! - `version` rises by one with every change that a user can see.

mod report;
mod spec;

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::definition::{DefinitionFacts, NetworkMode};
use crate::id::{ContainerId, InstanceId, TaskId};
use crate::resources::{Demand, Transport};
use crate::tags::Tags;
use crate::text::Text;
use crate::time::Timestamp;

pub use report::{ContainerReport, ReportedStatus, TaskReport};
pub use spec::{
    ClientToken, ContainerOverride, LaunchType, Membership, NetworkConfiguration,
    PlacementConstraint, TaskOverrides, TaskSpec,
};

/// Where a task is in its life, as last seen. The order is the order of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum LastStatus {
    /// Work before the agent's: a network address, or waiting for room.
    Provisioning,
    /// With the agent: pulling and creating.
    Pending,
    /// Started, not yet in service.
    Activating,
    /// Every container has been started.
    Running,
    /// Taken out of service before the stop signal.
    Deactivating,
    /// The stop was handed to the agent.
    Stopping,
    /// Network and volumes are being removed.
    Deprovisioning,
    /// Ended.
    Stopped,
}

impl LastStatus {
    /// Where a task is once it has an instance and its agent has not spoken of it yet.
    #[must_use]
    pub fn once_placed(mode: NetworkMode) -> Self {
        match mode {
            NetworkMode::Awsvpc => Self::Provisioning,
            NetworkMode::Bridge | NetworkMode::Host | NetworkMode::None => Self::Pending,
        }
    }

    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "PROVISIONING",
            Self::Pending => "PENDING",
            Self::Activating => "ACTIVATING",
            Self::Running => "RUNNING",
            Self::Deactivating => "DEACTIVATING",
            Self::Stopping => "STOPPING",
            Self::Deprovisioning => "DEPROVISIONING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What is wanted of a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Desired {
    /// To run.
    Running,
    /// To be stopped.
    Stopped,
}

impl Desired {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// The `stoppedReason` of a task that ended while its server was away or was restored from a
/// backup, so that its end was told to nobody.
pub const ENDED_UNSEEN: &str = "Task ended while the server could not hear of it";

/// Why a task stops: the API's `stopCode` (reference §4.4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum StopCode {
    /// It ended before every container had started.
    TaskFailedToStart,
    /// A container whose end is the task's end stopped.
    EssentialContainerExited,
    /// StopTask, or a forced deregistration.
    UserInitiated,
    /// A service no longer wants it.
    ServiceSchedulerInitiated,
    /// Spot capacity was taken back.
    SpotInterruption,
    /// The machine was lost.
    TerminationNotice,
}

impl StopCode {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TaskFailedToStart => "TaskFailedToStart",
            Self::EssentialContainerExited => "EssentialContainerExited",
            Self::UserInitiated => "UserInitiated",
            Self::ServiceSchedulerInitiated => "ServiceSchedulerInitiated",
            Self::SpotInterruption => "SpotInterruption",
            Self::TerminationNotice => "TerminationNotice",
        }
    }
}

/// The decision that a task stops.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stop {
    /// The API's `stopCode`.
    pub code: StopCode,
    /// The API's `stoppedReason`.
    pub reason: Text,
    /// The API's `stoppingAt`.
    pub at: Timestamp,
}

/// Where a container is in its life, as the API has it.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ContainerLast {
    /// Not started.
    #[default]
    Pending,
    /// Started.
    Running,
    /// Ended, or never to be started.
    Stopped,
}

impl ContainerLast {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// What the health checks say. The order is the one in which a task takes its state from its
/// containers' (reference §4.3).
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Health {
    /// Every check passes.
    Healthy,
    /// Not yet known, or there is no check.
    #[default]
    Unknown,
    /// A check fails.
    Unhealthy,
}

impl Health {
    /// The spelling of the ECS API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "HEALTHY",
            Self::Unknown => "UNKNOWN",
            Self::Unhealthy => "UNHEALTHY",
        }
    }
}

/// A port, or a range of ports, of a container that the host passes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkBinding {
    /// The host's address that it is bound on.
    pub bind_ip: Text,
    /// The transport.
    pub transport: Transport,
    /// First and last port of the container; equal for a single port.
    pub container: (u16, u16),
    /// First and last port of the host; equal for a single port.
    pub host: (u16, u16),
    /// Whether the API shows it as a range.
    pub range: bool,
}

/// What was seen of one container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerSeen {
    /// Where it is in its life.
    #[serde(rename = "s")]
    pub last: ContainerLast,
    /// The container runtime's id.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub runtime_id: Option<Box<str>>,
    /// The exit code.
    #[serde(rename = "x", default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// Why it stopped or could not start.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// The image's digest.
    #[serde(rename = "d", default, skip_serializing_if = "Option::is_none")]
    pub image_digest: Option<Text>,
    /// Ports on the host; `None` until reported.
    #[serde(rename = "b", default, skip_serializing_if = "Option::is_none")]
    pub bindings: Option<Vec<NetworkBinding>>,
    /// What its health check says.
    #[serde(rename = "h", default)]
    pub health: Health,
}

/// The address of a task in awsvpc mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskAddress {
    /// The address, which all containers of the task share.
    pub ip: IpAddr,
    /// The interface's hardware address.
    pub mac: Text,
}

/// What was seen of a task.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whether its agent has ever reported it: until then it has to be told again to start it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reported: bool,
    /// When the first image pull began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_started_at: Option<Timestamp>,
    /// When the last image pull ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_stopped_at: Option<Timestamp>,
    /// When it became RUNNING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When its containers had stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution_stopped_at: Option<Timestamp>,
    /// When it became STOPPED.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<Timestamp>,
    /// One entry for each container, in the order of the task definition.
    pub containers: Vec<ContainerSeen>,
    /// Its own address, in awsvpc mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<TaskAddress>,
}

/// A task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The id.
    pub id: TaskId,
    /// What was asked for; shared by the tasks of one call.
    pub spec: Arc<TaskSpec>,
    /// Where it was placed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<InstanceId>,
    /// The GPUs of the machine that placement gave it, by id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gpus: Vec<Text>,
    /// Labels.
    #[serde(default, skip_serializing_if = "Tags::is_empty")]
    pub tags: Tags,
    /// What is wanted.
    pub desired: Desired,
    /// Why it stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop: Option<Stop>,
    /// Until when its service may not choose it for a stop; see [`Task::is_protected`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protected_until: Option<Timestamp>,
    /// Where it was last seen to be.
    pub last: LastStatus,
    /// What was seen of it.
    pub seen: Seen,
    /// Raised by every change that a user can see.
    pub version: u32,
}

/// What can happen to a task's [`LastStatus`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TaskEvent {
    /// It was given an instance.
    Placed,
    /// The agent has it: images are being pulled.
    Accepted,
    /// Every container has been started.
    Started,
    /// The stop was handed to the agent.
    StopSent,
    /// Every container has stopped.
    Ended,
}

impl LastStatus {
    /// The status `event` leads to, or `None` when the event is stale or a repeat.
    #[must_use]
    pub fn after(self, event: TaskEvent) -> Option<LastStatus> {
        use LastStatus as S;
        use TaskEvent as E;
        match (self, event) {
            (S::Provisioning, E::Placed | E::Accepted) => Some(S::Pending),
            (S::Provisioning | S::Pending | S::Activating, E::Started) => Some(S::Running),
            (
                S::Provisioning | S::Pending | S::Activating | S::Running | S::Deactivating,
                E::StopSent,
            ) => Some(S::Stopping),
            (
                S::Provisioning
                | S::Pending
                | S::Activating
                | S::Running
                | S::Deactivating
                | S::Stopping
                | S::Deprovisioning,
                E::Ended,
            ) => Some(S::Stopped),
            // The agent repeats itself after a reconnect.
            (S::Pending | S::Activating, E::Placed | E::Accepted) => None,
            (
                S::Running | S::Deactivating | S::Stopping | S::Deprovisioning,
                E::Placed | E::Accepted | E::Started,
            ) => None,
            (S::Stopping | S::Deprovisioning, E::StopSent) => None,
            (S::Stopped, E::Placed | E::Accepted | E::Started | E::StopSent | E::Ended) => None,
        }
    }
}

impl Task {
    /// What it takes from its machine; nothing once it has stopped.
    #[must_use]
    pub fn demand(&self, facts: &DefinitionFacts) -> Demand {
        facts.demand(self.spec.overrides.as_deref())
    }

    /// The id of the container at this place of the task definition. It follows from the task's
    /// id, so nothing needs to be saved for it.
    #[must_use]
    pub fn container_id(&self, index: usize) -> ContainerId {
        let mut bytes = *self.id.as_bytes();
        // Distinct for each container and, being an exclusive-or, as unique as the task's id.
        bytes[14] ^= 0x5a;
        bytes[15] ^= u8::try_from(index).unwrap_or(u8::MAX).wrapping_add(1);
        // Version 4, variant 1, so that it reads as the random UUID that ECS shows.
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        ContainerId::from_bytes(bytes)
    }

    /// The id of the task's network attachment, in awsvpc mode.
    #[must_use]
    pub fn attachment_id(&self) -> ContainerId {
        self.container_id(usize::from(u8::MAX) - 1)
    }

    /// The task with a stop decided, or `None` when one was decided before.
    ///
    /// A task that was never placed has nothing to stop and ends at once.
    #[must_use]
    pub fn stopping(&self, stop: Stop) -> Option<Task> {
        if self.desired == Desired::Stopped || self.last == LastStatus::Stopped {
            return None;
        }
        let mut task = self.clone();
        task.desired = Desired::Stopped;
        task.version += 1;
        if task.instance.is_none() {
            task.last = LastStatus::Stopped;
            task.seen.stopped_at = Some(stop.at);
            for container in &mut task.seen.containers {
                container.last = ContainerLast::Stopped;
            }
        }
        task.stop = Some(stop);
        Some(task)
    }

    /// The task with a place found for it, or `None` when it does not wait for one.
    #[must_use]
    pub fn placed(&self, instance: InstanceId, gpus: Vec<Text>, mode: NetworkMode) -> Option<Task> {
        self.is_waiting().then(|| Task {
            instance: Some(instance),
            gpus,
            last: LastStatus::once_placed(mode),
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// The task once its stop has been handed to the agent, or `None` when that changes nothing.
    #[must_use]
    pub fn stop_sent(&self) -> Option<Task> {
        let last = self.last.after(TaskEvent::StopSent)?;
        Some(Task {
            last,
            version: self.version + 1,
            ..self.clone()
        })
    }

    /// The task ended without its agent's word, because the machine is gone.
    #[must_use]
    pub fn lost(&self, stop: Stop) -> Option<Task> {
        let last = self.last.after(TaskEvent::Ended)?;
        let mut task = self.clone();
        task.last = last;
        task.desired = Desired::Stopped;
        task.seen.stopped_at = Some(stop.at);
        task.stop.get_or_insert(stop);
        task.version += 1;
        Some(task)
    }

    /// How often it has changed what its instance shows of itself: when it was placed, when it
    /// ran, when it stopped. The version of an instance counts these of all its tasks, so that
    /// placing a task writes the task's record alone.
    #[must_use]
    pub fn instance_changes(&self) -> u32 {
        let placed = u32::from(self.instance.is_some());
        let ran = u32::from(self.seen.started_at.is_some());
        let stopped = u32::from(self.last == LastStatus::Stopped);
        placed * (1 + ran + stopped)
    }

    /// The task ended, and its agent no longer knows how; `None` when that is no news. The agent
    /// is told to stop it, which brings forth its final word if it has one still.
    #[must_use]
    pub fn ended_unseen(&self, now: Timestamp) -> Option<Task> {
        if !self.is_with_agent() {
            return None;
        }
        let code = match self.seen.started_at {
            Some(_) => StopCode::EssentialContainerExited,
            None => StopCode::TaskFailedToStart,
        };
        self.lost(Stop {
            code,
            reason: Text::new(ENDED_UNSEEN),
            at: now,
        })
    }

    /// Whether its agent has it, as far as is known: it was reported, is wanted, and has not
    /// ended.
    #[must_use]
    pub fn is_with_agent(&self) -> bool {
        self.desired == Desired::Running
            && self.instance.is_some()
            && self.seen.reported
            && self.last != LastStatus::Stopped
    }

    /// Whether it is protected from scale-in and deployments at this instant.
    #[must_use]
    pub fn is_protected(&self, now: Timestamp) -> bool {
        self.last != LastStatus::Stopped && self.protected_until.is_some_and(|until| now < until)
    }

    /// Whether it is to run and waits for room: no instance was found for it yet.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.desired == Desired::Running
            && self.instance.is_none()
            && self.last == LastStatus::Provisioning
    }

    /// Whether the agent still has to be told to start it: it is wanted, it is placed, and no
    /// report of it is stored.
    #[must_use]
    pub fn start_due(&self) -> bool {
        self.desired == Desired::Running
            && self.instance.is_some()
            && !self.seen.reported
            && self.last < LastStatus::Running
    }

    /// Whether the agent still has to be told to stop it: a stop is decided, and the agent's
    /// final word is not stored. A task that was declared lost stays due until its agent is back.
    #[must_use]
    pub fn stop_due(&self) -> bool {
        self.desired == Desired::Stopped && self.instance.is_some() && !self.ended_by_report()
    }

    /// Whether the agent itself said that every container has stopped.
    #[must_use]
    pub fn ended_by_report(&self) -> bool {
        self.last == LastStatus::Stopped
            && self
                .seen
                .containers
                .iter()
                .all(|c| c.last == ContainerLast::Stopped)
    }

    /// What the health checks say of the whole task (reference §4.3): UNHEALTHY if an essential
    /// container is, HEALTHY if all essential containers with a check are, else UNKNOWN.
    #[must_use]
    pub fn health(&self, facts: &DefinitionFacts) -> Health {
        facts
            .containers
            .iter()
            .zip(&self.seen.containers)
            .filter(|(container, _)| container.essential && container.health_check)
            .map(|(_, seen)| seen.health)
            .max()
            .unwrap_or(Health::Unknown)
    }

    /// The task with new word of its containers' health, or `None` when nothing changed. Only
    /// containers whose definition has a check count.
    #[must_use]
    pub fn with_health(&self, facts: &DefinitionFacts, reports: &[(&str, Health)]) -> Option<Task> {
        if self.last == LastStatus::Stopped {
            return None;
        }
        let mut task = self.clone();
        for (name, health) in reports {
            let at = facts
                .containers
                .iter()
                .position(|c| c.name.as_str() == *name);
            let Some(at) = at.filter(|at| facts.containers[*at].health_check) else {
                continue;
            };
            if let Some(seen) = task.seen.containers.get_mut(at) {
                seen.health = *health;
            }
        }
        if task.seen == self.seen {
            return None;
        }
        task.version += 1;
        Some(task)
    }
}

#[cfg(test)]
mod tests;
