//! What the server is told of a task, and what it knows already (reference §2.4).

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::task::{ContainerRun, TaskRun};
use crate::directory::Known;
use crate::runtime::{Binding, TaskNetwork};

/// A status as it is reported. The order is the order of life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LastStatus {
    /// Nothing was reported.
    None,
    /// `PENDING`: the image is known, nothing runs yet.
    Pending,
    /// `RUNNING`.
    Running,
    /// `STOPPED`.
    Stopped,
}

impl LastStatus {
    /// The spelling in the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None | Self::Pending => "PENDING",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// One SubmitTaskStateChange. Times are milliseconds since the epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The task.
    pub task: Arc<str>,
    /// Its status.
    pub status: LastStatus,
    /// Why it could not be run at all; usually empty.
    pub reason: String,
    /// Containers that changed.
    pub containers: Vec<ContainerChange>,
    /// When the first pull began.
    pub pull_started_at: Option<i64>,
    /// When the last pull ended.
    pub pull_stopped_at: Option<i64>,
    /// When an essential container ended, or the stop was asked for.
    pub execution_stopped_at: Option<i64>,
    /// The network that the agent made for it.
    pub network: Option<TaskNetwork>,
}

/// What is reported of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct ContainerChange {
    /// Its place in the task.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: LastStatus,
    /// Its id in the runtime.
    pub runtime_id: Option<Arc<str>>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// Why it stopped, or a note on how it started.
    pub reason: Option<String>,
    /// Its image's digest.
    pub image_digest: Option<String>,
    /// Its ports on the host.
    pub bindings: Vec<Binding>,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportOutcome {
    /// The server has stored it.
    Stored,
    /// The server will never take it; it is dropped for this process's life.
    Refused,
    /// It was not sent, or nobody knows: it goes out again.
    GivenUp,
}

impl ContainerRun {
    fn status(&self) -> LastStatus {
        match self.known {
            Known::Stopped => LastStatus::Stopped,
            Known::Running => LastStatus::Running,
            // Waits for a restart, which is not reported.
            Known::Created if self.has_started() => LastStatus::Running,
            Known::None | Known::Pulled | Known::Created if self.digest.is_some() => {
                LastStatus::Pending
            }
            Known::None | Known::Pulled | Known::Created => LastStatus::None,
        }
    }
}

impl TaskRun {
    /// What is to be reported now. `flush` brings container changes along that would otherwise
    /// wait.
    pub(super) fn next_report(&self, flush: bool) -> Option<Report> {
        let status = if self.running_seen && self.reported < LastStatus::Running {
            // Comes first even if it is over: the server wants to know that it ran.
            LastStatus::Running
        } else if self.is_stopped() {
            LastStatus::Stopped
        } else if self.running_seen {
            LastStatus::Running
        } else if self.containers.iter().any(|c| c.digest.is_some()) {
            LastStatus::Pending
        } else {
            LastStatus::None
        };
        if status <= self.reported && !(flush && self.has_unreported_change()) {
            return None;
        }
        let containers = if self.failure.is_some() {
            Vec::new()
        } else {
            self.changes()
        };
        Some(Report {
            task: Arc::clone(&self.arn),
            status: status.max(self.reported),
            reason: self.failure.clone().unwrap_or_default(),
            containers,
            pull_started_at: self.pull_started_at,
            pull_stopped_at: self.pull_stopped_at,
            execution_stopped_at: self
                .execution_stopped_at
                .filter(|_| status == LastStatus::Stopped),
            network: self.network.clone(),
        })
    }

    /// Whether a container changed in a way that the server does not know.
    pub(super) fn has_unreported_change(&self) -> bool {
        self.failure.is_none()
            && self
                .containers
                .iter()
                .any(|c| c.status() > c.reported.max(LastStatus::Pending))
    }

    fn changes(&self) -> Vec<ContainerChange> {
        let named = self.task.containers.iter().zip(&self.containers);
        named
            .enumerate()
            .filter(|(_, (_, container))| container.status() > container.reported)
            .map(|(index, (spec, container))| ContainerChange {
                index,
                name: spec.name.clone(),
                status: container.status(),
                runtime_id: container.runtime_id.clone(),
                exit_code: container
                    .exit_code
                    .filter(|_| container.status() == LastStatus::Stopped),
                reason: container.reason.clone(),
                image_digest: container.digest.clone(),
                bindings: container.bindings.clone(),
            })
            .collect()
    }
}
