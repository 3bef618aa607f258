//! The output of `awslogs` containers, shipped to CloudWatch Logs by the agent itself.
//!
//! Docker keeps what a container writes in files; one task per container follows them and sends
//! batches, in order, within the service's limits. Docker's own `awslogs` driver is not used: it
//! loses what it holds in memory when Docker ends, and what the service does not take in time.
//!
//! Rules kept here:
//! - the position moves only after the service's acknowledgement, and outlives the agent;
//! - what was sent and not acknowledged — the agent, the server or the network died — is counted
//!   at the service before it is sent again (see [`position`]);
//! - a container is removed only after its output was shipped, or after a good wait for that.
//!
//! Lost are lines beyond the files' limits while the server is away, and lines that were
//! written before the clock of the machine was set back by more than ten seconds and not yet
//! shipped when the agent ended.

mod assemble;
mod client;
mod position;
mod settings;
mod shipper;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum};
use tokio::sync::watch;
use tokio::task::AbortHandle;

pub use self::client::{LogEvent, LogsApi, LogsError, ServerLogs, StreamName};
use self::position::PositionFile;
pub(super) use self::settings::LogSettings;
use self::shipper::Shipper;
use super::{Inner, config, look};
use crate::runtime::{ErrorKind, RuntimeError};

/// How long the removal of a container waits for its output to be shipped. It may be removed
/// hours after its end, so only a server that has been away since then makes it wait at all.
const FINISH_MAX: Duration = Duration::from_secs(10);
/// How long a start waits for the stream to be made, so that a missing group is told at once. A
/// server that does not answer by then is no reason not to start.
const PREPARE_MAX: Duration = Duration::from_secs(5);

/// The tasks that ship.
pub(super) struct Shippers {
    folder: PathBuf,
    running: Mutex<HashMap<String, Running>>,
    /// Containers that were made and never started.
    new: Mutex<HashMap<String, LogSettings>>,
}

struct Running {
    task: AbortHandle,
    /// Set when the container was started (again), so that the task looks once more before it
    /// ends.
    again: Arc<AtomicBool>,
    /// Turns true when all is shipped.
    done: watch::Receiver<bool>,
}

impl Shippers {
    pub(super) fn open(data_dir: &Path) -> Result<Self, RuntimeError> {
        let folder = data_dir.join("logs");
        std::fs::create_dir_all(&folder).map_err(|error| {
            let detail = format!("{}: {error}", folder.display());
            RuntimeError::new(ErrorKind::ResourceInitialization, detail)
        })?;
        Ok(Self {
            folder,
            running: Mutex::default(),
            new: Mutex::default(),
        })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Shippers {
    fn drop(&mut self) {
        for (_, running) in self.lock().drain() {
            running.task.abort();
        }
    }
}

/// What an `awslogs` container's label says.
fn settings_of(seen: &ContainerInspectResponse) -> Option<LogSettings> {
    serde_json::from_str(look::label(seen, config::LABEL_LOGS)).ok()
}

fn stream_name(settings: &LogSettings, id: &str) -> StreamName {
    StreamName {
        region: settings.region.clone(),
        group: settings.group.clone(),
        stream: settings.stream.clone().unwrap_or_else(|| id.to_owned()),
    }
}

impl Inner {
    /// Notes a container that was made and never started.
    pub(super) fn note_new(&self, id: &str, label: &str) {
        if let Ok(settings) = serde_json::from_str(label) {
            let mut new = self
                .shippers
                .new
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            new.insert(id.to_owned(), settings);
        }
    }

    /// Makes the stream of a container that is to be started for the first time.
    ///
    /// # Errors
    /// When the service refuses it, as Docker's own driver would at this point.
    pub(super) async fn prepare_shipping(&self, id: &str) -> Result<(), RuntimeError> {
        let new = {
            let mut new = self
                .shippers
                .new
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            new.remove(id)
        };
        let (Some(settings), Some(api)) = (new, &self.settings.logs) else {
            return Ok(());
        };
        let name = stream_name(&settings, id);
        let made = make_stream(&**api, &settings, &name);
        match tokio::time::timeout(PREPARE_MAX, made).await {
            Ok(Err(LogsError::Missing(detail) | LogsError::Refused(detail))) => {
                Err(RuntimeError::new(
                    ErrorKind::CannotStartContainer,
                    format!(
                        "failed to initialize logging driver: failed to create Cloudwatch log \
                         stream: {detail}"
                    ),
                ))
            }
            // A server that is away is asked again by the shipper.
            Ok(Ok(_) | Err(LogsError::Busy(_) | LogsError::Unknown(_))) | Err(_) => Ok(()),
        }
    }

    /// Ships what a container wrote and writes; does nothing for one that has another log
    /// driver, was never started, or is being shipped.
    pub(super) fn ship_output(self: &Arc<Self>, seen: &ContainerInspectResponse) {
        let (Some(settings), Some(id)) = (settings_of(seen), seen.id.clone()) else {
            return;
        };
        let state = seen.state.clone().unwrap_or_default();
        let Some(api) = self.settings.logs.clone() else {
            return;
        };
        if state.status == Some(ContainerStateStatusEnum::CREATED) {
            self.note_new(&id, look::label(seen, config::LABEL_LOGS));
            return;
        }
        let file = PositionFile::new(&self.shippers.folder, &id);
        let saved = match file.read() {
            Ok(saved) => saved,
            Err(error) => {
                tracing::error!(container = %id, %error, "the position of a log cannot be read; it is shipped from the start");
                None
            }
        };
        let ended = state.running != Some(true);
        let complete = saved.as_ref().and_then(|saved| saved.complete.as_ref());
        if ended && complete.is_some() && complete == state.finished_at.as_ref() {
            return;
        }
        let mut running = self.shippers.lock();
        if let Some(there) = running.get(&id) {
            there.again.store(true, Ordering::Release);
            return;
        }
        let (done_sender, done) = watch::channel(false);
        let again = Arc::new(AtomicBool::new(false));
        let shipper = Shipper::new(Arc::downgrade(self), api, settings, id.clone(), file, saved);
        let ship = shipper.run(Arc::clone(&again), done_sender);
        let task = tokio::spawn(ship).abort_handle();
        let entry = Running { task, again, done };
        running.insert(id, entry);
    }

    /// Waits, not for ever, until the output of a container that has ended is shipped.
    pub(super) async fn finish_shipping(&self, id: &str) {
        let done = self
            .shippers
            .lock()
            .get(id)
            .map(|running| running.done.clone());
        if let Some(mut done) = done {
            let finished = done.wait_for(|done| *done);
            if tokio::time::timeout(FINISH_MAX, finished).await.is_err() {
                tracing::warn!(container = %id, "removing a container whose output was not shipped in full");
            }
        }
    }

    /// Forgets how far a removed container's output was shipped.
    pub(super) fn forget_shipping(&self, id: &str) {
        if let Some(running) = self.shippers.lock().remove(id) {
            running.task.abort();
        }
        let mut new = self
            .shippers
            .new
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        new.remove(id);
        PositionFile::new(&self.shippers.folder, id).remove();
    }
}

async fn make_stream(
    api: &dyn LogsApi,
    settings: &LogSettings,
    name: &StreamName,
) -> Result<bool, LogsError> {
    match api.create_stream(name).await {
        Err(LogsError::Missing(_)) if settings.create_group => {
            api.create_group(name).await?;
            api.create_stream(name).await
        }
        outcome => outcome,
    }
}
