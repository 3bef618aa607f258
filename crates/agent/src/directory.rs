//! What the agent shows of its tasks to others in the process: the endpoints that tasks call
//! (metadata, credentials, task protection) and the introspection endpoint.
//!
//! The agent writes, everybody else reads. A view is replaced whole when its task changes, so
//! readers never see half a change. Simulated fleets have no directory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use berth_agent_proto::task::{Credentials, Task};
use serde::{Deserialize, Serialize};

use crate::runtime::{Binding, Health, RuntimeId, TaskNetwork};

/// How a task or container stands, in the words of the metadata endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Known {
    /// Nothing was done yet.
    None,
    /// The image is there.
    Pulled,
    /// Made, not started.
    Created,
    /// Started.
    Running,
    /// Ended.
    Stopped,
}

impl Known {
    /// The spelling of the metadata endpoint.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Pulled => "PULLED",
            Self::Created => "CREATED",
            Self::Running => "RUNNING",
            Self::Stopped => "STOPPED",
        }
    }
}

/// A task as the agent sees it. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// What the server sent.
    pub task: Arc<Task>,
    /// Whether it is wanted to run.
    pub wanted: bool,
    /// How it stands.
    pub known: Known,
    /// When the first pull began.
    pub pull_started_at: Option<i64>,
    /// When the last pull ended.
    pub pull_stopped_at: Option<i64>,
    /// When an essential container ended, or the stop was asked for.
    pub execution_stopped_at: Option<i64>,
    /// Its own network.
    pub network: Option<TaskNetwork>,
    /// Its containers, in the order of [`TaskView::task`].
    pub containers: Vec<ContainerView>,
}

/// A container as the agent sees it. Times are milliseconds since the epoch.
#[derive(Clone, Debug)]
pub struct ContainerView {
    /// The id in its metadata URL.
    pub token: Arc<str>,
    /// How it stands.
    pub known: Known,
    /// Its id in the runtime.
    pub runtime_id: Option<RuntimeId>,
    /// The image's digest.
    pub image_digest: Option<String>,
    /// Its exit code.
    pub exit_code: Option<i32>,
    /// When it was made.
    pub created_at: Option<i64>,
    /// When it was last started.
    pub started_at: Option<i64>,
    /// When it ended.
    pub finished_at: Option<i64>,
    /// What its health check says.
    pub health: Health,
    /// Since when.
    pub health_since: Option<i64>,
    /// How often the agent restarted it.
    pub restarts: u32,
    /// Its ports on the host.
    pub bindings: Vec<Binding>,
}

/// What there is under a credentials id.
#[derive(Clone, Debug)]
pub enum CredentialsAnswer {
    /// These.
    Found(Credentials),
    /// The id is right, but the server has not sent them again since this agent started.
    NotYet,
    /// No task has this id (any more).
    Unknown,
}

#[derive(Debug, Default)]
struct Inner {
    tasks: BTreeMap<String, Arc<TaskView>>,
    by_token: HashMap<Arc<str>, (String, usize)>,
    credentials: HashMap<String, Option<Credentials>>,
}

/// The tasks of one agent, for readers.
#[derive(Debug)]
pub struct Directory {
    cluster: Arc<str>,
    instance: Arc<str>,
    inner: RwLock<Inner>,
}

impl Directory {
    pub(crate) fn new(cluster: Arc<str>, instance: Arc<str>) -> Self {
        Self {
            cluster,
            instance,
            inner: RwLock::default(),
        }
    }

    /// The cluster as configured.
    #[must_use]
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// The instance's ARN.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// The task of the container with this id in its metadata URL, and which container it is.
    #[must_use]
    pub fn by_token(&self, token: &str) -> Option<(Arc<TaskView>, usize)> {
        let inner = self.read();
        let (arn, index) = inner.by_token.get(token)?;
        Some((Arc::clone(inner.tasks.get(arn)?), *index))
    }

    /// The task with this ARN.
    #[must_use]
    pub fn task(&self, arn: &str) -> Option<Arc<TaskView>> {
        self.read().tasks.get(arn).map(Arc::clone)
    }

    /// Every task, by ARN.
    #[must_use]
    pub fn tasks(&self) -> Vec<Arc<TaskView>> {
        self.read().tasks.values().map(Arc::clone).collect()
    }

    /// The credentials with this id.
    #[must_use]
    pub fn credentials(&self, id: &str) -> CredentialsAnswer {
        match self.read().credentials.get(id) {
            Some(Some(found)) => CredentialsAnswer::Found(found.clone()),
            Some(None) => CredentialsAnswer::NotYet,
            None => CredentialsAnswer::Unknown,
        }
    }

    pub(crate) fn put(&self, view: TaskView) {
        let arn = view.task.arn.clone();
        let mut inner = self.write();
        for (index, container) in view.containers.iter().enumerate() {
            inner
                .by_token
                .insert(Arc::clone(&container.token), (arn.clone(), index));
        }
        inner.tasks.insert(arn, Arc::new(view));
    }

    pub(crate) fn remove(&self, arn: &str) {
        let mut inner = self.write();
        if let Some(view) = inner.tasks.remove(arn) {
            for container in &view.containers {
                inner.by_token.remove(&container.token);
            }
        }
    }

    /// Keeps credentials, or with `None` only that the id is known.
    pub(crate) fn put_credentials(&self, id: &str, credentials: Option<Credentials>) {
        let mut inner = self.write();
        let slot = inner.credentials.entry(id.to_owned()).or_default();
        if credentials.is_some() {
            *slot = credentials;
        }
    }

    pub(crate) fn remove_credentials(&self, id: &str) {
        self.write().credentials.remove(id);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Inner> {
        // Each change is one assignment or more that cannot panic half way.
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Inner> {
        self.inner.write().unwrap_or_else(PoisonError::into_inner)
    }
}
