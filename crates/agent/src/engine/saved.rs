//! The form in which a task outlives the process.

use std::sync::Arc;

use berth_agent_proto::task::Task;
use serde::{Deserialize, Serialize};

use super::Now;
use super::report::LastStatus;
use super::task::{ContainerRun, Setup, TaskRun};
use crate::directory::Known;
use crate::runtime::{Binding, TaskNetwork};

/// A task as it is saved. The server's part never changes and is kept apart from the rest, so
/// that it is written once.
#[derive(Clone, Debug)]
pub struct Saved {
    /// What the server sent, without credentials.
    pub task: Arc<Task>,
    /// What became of it.
    pub state: SavedState,
}

/// What became of a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SavedState {
    wanted: bool,
    admitted: bool,
    set_up: bool,
    running_seen: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    network: Option<TaskNetwork>,
    reported: LastStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pull_started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pull_stopped_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    execution_stopped_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stopped_at: Option<i64>,
    containers: Vec<SavedContainer>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct SavedContainer {
    token: Arc<str>,
    known: Known,
    reported: LastStatus,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
    #[serde(default)]
    restarts: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    bindings: Vec<Binding>,
}

impl TaskRun {
    pub(super) fn saved(&self) -> Saved {
        let containers = self.containers.iter().map(|c| SavedContainer {
            token: Arc::clone(&c.token),
            known: c.known,
            reported: c.reported,
            id: c.runtime_id.clone(),
            digest: c.digest.clone(),
            exit_code: c.exit_code,
            reason: c.reason.clone(),
            created_at: c.created_at,
            started_at: c.started_at,
            finished_at: c.finished_at,
            restarts: c.restarts,
            bindings: c.bindings.clone(),
        });
        let state = SavedState {
            wanted: self.wanted,
            admitted: self.admitted,
            set_up: matches!(self.setup, Setup::Done),
            running_seen: self.running_seen,
            failure: self.failure.clone(),
            network: self.network.clone(),
            reported: self.reported,
            pull_started_at: self.pull_started_at,
            pull_stopped_at: self.pull_stopped_at,
            execution_stopped_at: self.execution_stopped_at,
            stopped_at: self.stopped_at,
            containers: containers.collect(),
        };
        Saved {
            task: Arc::clone(&self.task),
            state,
        }
    }

    pub(super) fn restore(now: Now, saved: Saved) -> Self {
        let Saved { task, state } = saved;
        let mut containers = state.containers.into_iter();
        let arn: Arc<str> = task.arn.as_str().into();
        // Tokens of containers that the saved form lacks can only be those of a damaged line;
        // an empty one is never asked for.
        let mut run = Self::new(arn, task, &mut || "".into());
        for container in &mut run.containers {
            let Some(saved) = containers.next() else {
                break;
            };
            *container = ContainerRun {
                token: saved.token,
                known: saved.known,
                reported: saved.reported,
                runtime_id: saved.id,
                digest: saved.digest,
                exit_code: saved.exit_code,
                reason: saved.reason,
                created_at: saved.created_at,
                started_at: saved.started_at,
                finished_at: saved.finished_at,
                restarts: saved.restarts,
                bindings: saved.bindings,
                started_mono: now.mono,
                ..ContainerRun::new("".into())
            };
        }
        run.wanted = state.wanted;
        run.admitted = state.admitted;
        run.setup = if state.set_up {
            Setup::Done
        } else {
            Setup::Todo
        };
        run.running_seen = state.running_seen;
        run.failure = state.failure;
        run.network = state.network;
        run.reported = state.reported;
        run.pull_started_at = state.pull_started_at;
        run.pull_stopped_at = state.pull_stopped_at;
        run.execution_stopped_at = state.execution_stopped_at;
        run.stopped_at = state.stopped_at;
        run
    }
}
