//! Stopped tasks that are no longer in the state, and are shown as they were last.

use berth_api::ecs;
use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_model::task::Task;
use berth_state::State;
use berth_wire::json::WriteJson;
use futures_util::future::BoxFuture;

use crate::context::DefinitionCache;
use crate::ecs::tasks::render::{Moment, View};
use crate::error::ApiError;

/// Why the history could not be asked.
#[derive(Debug, thiserror::Error)]
#[error("the history of tasks cannot be read")]
pub struct HistoryFailure(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Where stopped tasks are kept that are no longer in the state.
pub trait TaskHistory: Send + Sync {
    /// What [`shown`] made of those of the cluster's tasks that are kept; in any order.
    fn find(
        &self,
        cluster: ClusterKey,
        ids: Vec<TaskId>,
    ) -> BoxFuture<'_, Result<Vec<(TaskId, String)>, HistoryFailure>>;
}

/// A task as DescribeTasks shows it with its tags, as JSON: what is kept of it. Its definition and
/// its instance may be gone by the time that it is asked for.
///
/// # Errors
/// A server fault when its definition is not there, which the state rules out.
pub fn shown(
    state: &State,
    definitions: &DefinitionCache,
    task: &Task,
) -> Result<String, ApiError> {
    let cluster = &task.spec.cluster;
    let view = View::new(state, definitions, cluster, Moment::Later, true);
    let mut json = Vec::new();
    view.task(task)?.write_json(&mut json);
    String::from_utf8(json).map_err(ApiError::internal)
}

/// What [`shown`] made of a task.
///
/// # Errors
/// A server fault when it does not read.
pub(crate) fn read(json: &str, tags: bool) -> Result<ecs::Task, ApiError> {
    let mut task: ecs::Task = serde_json::from_str(json).map_err(ApiError::internal)?;
    if !tags {
        task.tags = Some(Vec::new());
    }
    Ok(task)
}
