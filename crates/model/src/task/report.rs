//! What an agent reports of a task, and what that makes of the record.

use crate::definition::DefinitionFacts;
use crate::task::{
    ContainerLast, Desired, NetworkBinding, Seen, Stop, StopCode, Task, TaskAddress, TaskEvent,
};
use crate::text::Text;
use crate::time::Timestamp;

/// The task status in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReportedStatus {
    /// The agent has it.
    Pending,
    /// Every container has been started.
    Running,
    /// Every container has stopped, or none will be started.
    Stopped,
}

/// What an agent says of one container. One report may hold several entries for a container, in
/// the order in which things happened (agent protocol reference §2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerReport {
    /// The container's name.
    pub name: Text,
    /// Its status.
    pub status: ContainerLast,
    /// The exit code, if it has ended.
    pub exit_code: Option<i32>,
    /// Why it stopped or could not start. May accompany RUNNING and is then no error.
    pub reason: Option<Text>,
    /// The container runtime's id.
    pub runtime_id: Option<String>,
    /// The image's digest.
    pub image_digest: Option<Text>,
    /// Ports on the host; empty when the agent named none.
    pub bindings: Vec<NetworkBinding>,
}

/// What an agent says of one task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskReport {
    /// The task's status.
    pub status: ReportedStatus,
    /// Why it stopped, usually empty.
    pub reason: Option<Text>,
    /// Containers that changed.
    pub containers: Vec<ContainerReport>,
    /// When the first pull began.
    pub pull_started_at: Option<Timestamp>,
    /// When the last pull ended.
    pub pull_stopped_at: Option<Timestamp>,
    /// When the containers had stopped.
    pub execution_stopped_at: Option<Timestamp>,
    /// The task's own address, in awsvpc mode.
    pub address: Option<TaskAddress>,
}

impl Task {
    /// The task after `report`, or `None` when the report is stale or a repeat.
    ///
    /// Containers that the definition does not name are ignored: an agent adds helpers of its own.
    #[must_use]
    pub fn after_report(
        &self,
        facts: &DefinitionFacts,
        report: &TaskReport,
        now: Timestamp,
    ) -> Option<Task> {
        if self.ended_by_report() {
            return None;
        }
        let mut task = self.clone();
        task.seen.reported = true;
        task.seen.take_times(report);
        for entry in &report.containers {
            task.seen.take_container(facts, entry);
        }
        let event = match report.status {
            ReportedStatus::Pending => TaskEvent::Accepted,
            ReportedStatus::Running => TaskEvent::Started,
            ReportedStatus::Stopped => TaskEvent::Ended,
        };
        if let Some(last) = task.last.after(event) {
            task.last = last;
            match event {
                TaskEvent::Started => task.seen.started_at = Some(now),
                TaskEvent::Ended => task.end(facts, report, now),
                TaskEvent::Placed | TaskEvent::Accepted | TaskEvent::StopSent => {}
            }
        } else if event == TaskEvent::Ended {
            // It was declared lost before; this is its agent's late final word.
            task.seen.all_containers_stopped();
        }
        if task.last == self.last && task.seen == self.seen {
            return None;
        }
        task.version += 1;
        Some(task)
    }

    /// Fills in what STOPPED means: times, container states, and why, unless a stop was decided.
    fn end(&mut self, facts: &DefinitionFacts, report: &TaskReport, now: Timestamp) {
        self.seen.all_containers_stopped();
        self.seen.stopped_at = Some(now);
        self.desired = Desired::Stopped;
        if self.stop.is_none() {
            let (code, reason) = self.why_it_ended(facts, report);
            self.stop = Some(Stop {
                code,
                reason,
                at: now,
            });
        }
    }

    /// The stop code and reason of a task that ended by itself (reference §4.4).
    fn why_it_ended(&self, facts: &DefinitionFacts, report: &TaskReport) -> (StopCode, Text) {
        // Before the task was RUNNING, an essential container that says why and has no exit code is
        // one that could not be started: others may have run and were stopped for it.
        let mut seen = facts.containers.iter().zip(&self.seen.containers);
        let failed = seen.any(|(container, seen)| {
            container.essential && seen.reason.is_some() && seen.exit_code.is_none()
        });
        let mut containers = self.seen.containers.iter();
        let ended = containers.any(|container| container.exit_code.is_some());
        if self.seen.started_at.is_some() || (ended && !failed) {
            return (
                StopCode::EssentialContainerExited,
                Text::new("Essential container in task exited"),
            );
        }
        let essential_first = |essential: bool| {
            facts
                .containers
                .iter()
                .zip(&self.seen.containers)
                .filter(move |(container, _)| container.essential == essential)
                .find_map(|(_, seen)| seen.reason.clone())
        };
        let reason = report
            .reason
            .clone()
            .filter(|reason| !reason.is_empty())
            .or_else(|| essential_first(true))
            .or_else(|| essential_first(false))
            .unwrap_or_else(|| Text::new("Task failed to start"));
        (StopCode::TaskFailedToStart, reason)
    }
}

impl Seen {
    fn all_containers_stopped(&mut self) {
        for container in &mut self.containers {
            container.last = ContainerLast::Stopped;
        }
    }

    fn take_times(&mut self, report: &TaskReport) {
        // The first word counts: an agent that restarted may tell later times.
        self.pull_started_at = self.pull_started_at.or(report.pull_started_at);
        self.pull_stopped_at = self.pull_stopped_at.or(report.pull_stopped_at);
        self.execution_stopped_at = self.execution_stopped_at.or(report.execution_stopped_at);
        if let Some(address) = &report.address {
            self.address = Some(address.clone());
        }
    }

    fn take_container(&mut self, facts: &DefinitionFacts, entry: &ContainerReport) {
        let at = facts
            .containers
            .iter()
            .position(|container| container.name == entry.name);
        let Some(seen) = at.and_then(|at| self.containers.get_mut(at)) else {
            return;
        };
        if entry.status < seen.last {
            return;
        }
        seen.last = entry.status;
        if let Some(runtime_id) = &entry.runtime_id {
            seen.runtime_id = Some(runtime_id.as_str().into());
        }
        seen.exit_code = entry.exit_code.or(seen.exit_code);
        if let Some(reason) = entry.reason.as_ref().filter(|reason| !reason.is_empty()) {
            seen.reason = Some(reason.clone());
        }
        if let Some(digest) = &entry.image_digest {
            seen.image_digest = Some(digest.clone());
        }
        if !entry.bindings.is_empty() {
            seen.bindings = Some(entry.bindings.clone());
        } else if seen.runtime_id.is_some() && seen.bindings.is_none() {
            seen.bindings = Some(Vec::new());
        }
    }
}
