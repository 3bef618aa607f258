//! Tasks one by one.

use std::collections::HashMap;
use std::sync::Arc;

use berth_model::id::{AccountId, TaskId};
use berth_model::name::{ClusterName, ServiceName};
use berth_model::task::{LastStatus, Task};
use berth_state::State;

use super::{Amounts, TaskUse};

/// A task that has been placed and has not stopped.
#[derive(Clone, Debug)]
pub(crate) struct TaskRow {
    /// The task.
    pub(crate) task: Arc<Task>,
    /// What it uses, if that is known.
    pub(crate) used: Option<TaskUse>,
}

impl TaskRow {
    /// CPU units and MiB in use; `None` when neither is known.
    pub(crate) fn amounts(&self) -> Option<Amounts> {
        let used = self
            .used
            .filter(|u| u.cpu.is_some() || u.memory.is_some())?;
        Some(Amounts {
            cpu: used.cpu.unwrap_or(0.0),
            memory: used.memory.unwrap_or(0.0),
        })
    }
}

/// Which tasks.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowFilter {
    /// Of this account.
    pub(crate) account: Option<AccountId>,
    /// Of clusters of this name.
    pub(crate) cluster: Option<ClusterName>,
    /// Of services of this name.
    pub(crate) service: Option<ServiceName>,
}

/// The tasks that pass, in the order of ids.
pub(crate) fn rows(
    state: &State,
    fresh: &HashMap<TaskId, TaskUse>,
    filter: &RowFilter,
) -> Vec<TaskRow> {
    let passes = |task: &&Arc<Task>| {
        let cluster = &task.spec.cluster;
        let service = task.spec.service.as_ref().map(|member| &member.service);
        task.instance.is_some()
            && task.last != LastStatus::Stopped
            && filter
                .account
                .is_none_or(|wanted| cluster.scope.account == wanted)
            && filter
                .cluster
                .as_ref()
                .is_none_or(|wanted| cluster.name == *wanted)
            && (filter.service.is_none() || filter.service.as_ref() == service)
    };
    let tasks = state.tasks.iter().filter(passes);
    tasks
        .map(|task| TaskRow {
            task: task.clone(),
            used: fresh.get(&task.id).copied(),
        })
        .collect()
}
