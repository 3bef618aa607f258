//! Images: bringing them, and forgetting those that no container has used for long.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::CreateImageInfo;
use bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, RemoveImageOptions,
};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::Inner;
use super::failure::{LOOK_MAX, NOT_FOUND, chain, describe, one_line, status, within};
use super::registry::{self, ImageName};
use crate::clock::Clock;
use crate::runtime::{ErrorKind, PullBehavior, PullRequest, Pulled, RuntimeError};

/// All of a pull. The stock agent's number.
const PULL_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// How long a pull may show no progress at all. The stock agent's number.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// How often a pull is tried when the registry does not answer as it should; each begins where
/// the last ended, for Docker keeps finished layers.
const ATTEMPTS: u32 = 3;
const ATTEMPT_WAIT: Duration = Duration::from_secs(1);
/// How often progress is logged.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// How often unused images are looked for. The stock agent's number.
const CLEANUP_EVERY: Duration = Duration::from_secs(30 * 60);
/// Images removed at one look. The stock agent's number: removing is heavy on the disk.
const CLEANUP_IMAGES_MAX: usize = 5;

/// When the images that this agent pulled were last used, kept in a file.
pub(super) struct ImageBook {
    path: PathBuf,
    used: Mutex<BTreeMap<String, UsedImage>>,
    /// One pull of a name at a time: the second finds the image there.
    pulling: Mutex<HashMap<String, Weak<tokio::sync::Mutex<()>>>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct UsedImage {
    /// Milliseconds since the epoch.
    used_at: i64,
}

impl ImageBook {
    pub(super) fn open(folder: &Path) -> Result<Self, RuntimeError> {
        let kind = ErrorKind::ResourceInitialization;
        let failed = |error: std::io::Error| {
            RuntimeError::new(kind, format!("{}: {error}", folder.display()))
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let path = folder.join("images.json");
        let used = match std::fs::read(&path) {
            // A file cut short by a crash only makes the images pulled before count as others'.
            Ok(text) => serde_json::from_slice(&text).unwrap_or_default(),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(failed(error)),
        };
        Ok(Self {
            path,
            used: Mutex::new(used),
            pulling: Mutex::default(),
        })
    }

    /// Notes that a container is made of the image, when it is one that the agent pulled.
    pub(super) fn used(&self, image: &str, clock: &Clock) {
        let name = ImageName::parse(image).full();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = used.get_mut(&name) {
            entry.used_at = clock.wall_ms(clock.now());
            self.save(&used);
        }
    }

    fn pulled(&self, name: &ImageName, clock: &Clock) {
        let used_at = clock.wall_ms(clock.now());
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(name.full(), UsedImage { used_at });
        self.save(&used);
    }

    fn forget(&self, name: &str) {
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.remove(name);
        self.save(&used);
    }

    fn was_pulled(&self, name: &ImageName) -> bool {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.contains_key(&name.full())
    }

    fn unused_since(&self, before: i64) -> Vec<String> {
        let used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        let old = used.iter().filter(|(_, image)| image.used_at < before);
        let mut old: Vec<_> = old
            .map(|(name, image)| (image.used_at, name.clone()))
            .collect();
        old.sort();
        old.into_iter().map(|(_, name)| name).collect()
    }

    fn save(&self, used: &BTreeMap<String, UsedImage>) {
        let saved = serde_json::to_vec(used).map_err(std::io::Error::from);
        let saved = saved.and_then(|text| std::fs::write(&self.path, text));
        if let Err(error) = saved {
            tracing::warn!(path = %self.path.display(), %error, "could not note the use of an image");
        }
    }

    fn turn(&self, name: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut pulling = self.pulling.lock().unwrap_or_else(PoisonError::into_inner);
        pulling.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = pulling.get(name).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::default();
        pulling.insert(name.to_owned(), Arc::downgrade(&turn));
        turn
    }
}

impl Inner {
    pub(super) async fn pull(&self, request: &PullRequest) -> Result<Pulled, RuntimeError> {
        let image = &request.container().image;
        let name = ImageName::parse(image);
        let turn = self.images.turn(&name.full());
        let _turn = turn.lock().await;
        let there = match request.behavior {
            PullBehavior::Default | PullBehavior::Always => None,
            PullBehavior::Once if !self.images.was_pulled(&name) => None,
            PullBehavior::Once | PullBehavior::PreferCached => self.find_image(&name).await?,
        };
        if let Some(found) = there {
            self.images.used(image, &self.clock);
            return Ok(found);
        }
        let failure = match self.bring(request, &name).await {
            Ok(()) => {
                self.images.pulled(&name, &self.clock);
                let found = self.find_image(&name).await?;
                return found.ok_or_else(|| {
                    let detail = format!("{image} was pulled, and is not there");
                    RuntimeError::new(ErrorKind::CannotPullContainer, detail)
                });
            }
            Err(failure) => failure,
        };
        if request.behavior == PullBehavior::Always {
            return Err(failure);
        }
        match self.find_image(&name).await? {
            Some(mut found) => {
                tracing::warn!(%image, error = %failure, "pull failed; using the image that is there");
                found.note = Some(failure.to_string());
                Ok(found)
            }
            None => Err(failure),
        }
    }

    /// The image as it is on this machine.
    async fn find_image(&self, name: &ImageName) -> Result<Option<Pulled>, RuntimeError> {
        let full = name.full();
        let seen = within(
            LOOK_MAX,
            ErrorKind::CannotPullContainer,
            "inspected",
            async {
                match self.docker.inspect_image(&full).await {
                    Ok(seen) => Ok(Some(seen)),
                    Err(error) if status(&error) == Some(NOT_FOUND) => Ok(None),
                    Err(error) => Err(error),
                }
            },
        )
        .await?;
        Ok(seen.map(|seen| Pulled {
            digest: digest(name, &seen.repo_digests.unwrap_or_default()),
            note: None,
        }))
    }

    async fn bring(&self, request: &PullRequest, name: &ImageName) -> Result<(), RuntimeError> {
        self.check_disk().await?;
        // Docker's configuration stands for Amazon's registries as well; secrets of ECS's own
        // this agent cannot look up.
        let wanted = request.container().registry_authentication.as_ref();
        if let Some(wanted) = wanted.filter(|wanted| wanted.kind != "ecr") {
            return Err(RuntimeError::new(
                ErrorKind::CannotPullContainerAuth,
                format!("this agent has no credentials of kind {}", wanted.kind),
            ));
        }
        let config = self.settings.registry_config.as_deref();
        let credentials = registry::credentials(config, &name.registry).await;
        let credentials = credentials
            .map_err(|detail| RuntimeError::new(ErrorKind::CannotPullContainerAuth, detail))?;
        let mut attempt = 1;
        loop {
            let work = self.pull_once(name, credentials.clone());
            let outcome = match tokio::time::timeout(PULL_MAX, work).await {
                Ok(outcome) => outcome,
                Err(_) => return Err(super::failure::timed_out("pulled", PULL_MAX)),
            };
            match outcome {
                Ok(()) => return Ok(()),
                Err(Trouble::Lasting(error)) => return Err(error),
                Err(Trouble::Passing(error)) if attempt == ATTEMPTS => {
                    return Err(RuntimeError::new(
                        error.kind,
                        format!(
                            "pull image manifest has been retried {} time(s): {}",
                            attempt - 1,
                            error.detail
                        ),
                    ));
                }
                Err(Trouble::Passing(error)) => {
                    tracing::warn!(image = %name.full(), %error, "pull failed; trying again");
                    tokio::time::sleep(ATTEMPT_WAIT * attempt).await;
                    attempt += 1;
                }
            }
        }
    }

    async fn pull_once(
        &self,
        name: &ImageName,
        credentials: Option<DockerCredentials>,
    ) -> Result<(), Trouble> {
        let options = CreateImageOptionsBuilder::new()
            .from_image(&name.repository)
            .tag(&name.tag)
            .build();
        let stream = self.docker.create_image(Some(options), None, credentials);
        let mut stream = std::pin::pin!(stream);
        let mut progress = Progress::start(name.full());
        loop {
            match tokio::time::timeout(SILENCE_MAX, stream.next()).await {
                Ok(Some(Ok(info))) => progress.note(&info),
                Ok(Some(Err(error))) => return Err(Trouble::of(name, &error)),
                Ok(None) => {
                    progress.done();
                    return Ok(());
                }
                Err(_) => {
                    return Err(Trouble::Passing(RuntimeError::new(
                        ErrorKind::CannotPullContainer,
                        format!("no progress for {}s", SILENCE_MAX.as_secs()),
                    )));
                }
            }
        }
    }

    /// Refuses to pull when the disk is nearly full: a full one harms every container of the
    /// machine.
    async fn check_disk(&self) -> Result<(), RuntimeError> {
        const MIB: u64 = 1024 * 1024;
        let kind = ErrorKind::CannotPullContainer;
        let info = within(LOOK_MAX, kind, "inspected", self.docker.info()).await?;
        let root = info.docker_root_dir.unwrap_or_default();
        // Of a Docker on another machine nothing can be said.
        let Ok(disk) = rustix::fs::statvfs(root.as_str()) else {
            return Ok(());
        };
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        let least = self.settings.disk_free_bytes_min;
        if free >= least {
            return Ok(());
        }
        Err(RuntimeError::new(
            kind,
            format!(
                "no space left on device: {root} has {} MiB free, and no image is pulled below {} MiB",
                free / MIB,
                least / MIB
            ),
        ))
    }

    /// Removes images that the agent pulled and that no container used for `age`.
    async fn remove_unused_images(&self, age: Duration) -> Result<(), RuntimeError> {
        let kind = ErrorKind::CannotInspectContainer;
        let options = ListContainersOptionsBuilder::new().all(true).build();
        let work = self.docker.list_containers(Some(options));
        let containers = within(LOOK_MAX, kind, "listed", work).await?;
        let in_use: Vec<String> = containers
            .into_iter()
            .filter_map(|one| one.image_id)
            .collect();
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let before = self.clock.wall_ms(self.clock.now()).saturating_sub(age);
        for name in self
            .images
            .unused_since(before)
            .into_iter()
            .take(CLEANUP_IMAGES_MAX)
        {
            let work = self.docker.inspect_image(&name);
            let id = match tokio::time::timeout(LOOK_MAX, work).await {
                Ok(Ok(seen)) => seen.id,
                Ok(Err(error)) if status(&error) == Some(NOT_FOUND) => {
                    self.images.forget(&name);
                    continue;
                }
                Ok(Err(_)) | Err(_) => continue,
            };
            if id.is_some_and(|id| in_use.contains(&id)) {
                self.images.used(&name, &self.clock);
                continue;
            }
            let work = self
                .docker
                .remove_image(&name, None::<RemoveImageOptions>, None);
            match within(super::failure::REMOVE_MAX, kind, "removed", work).await {
                Ok(_) => {
                    tracing::info!(image = %name, "removed an image that nothing used for long");
                    self.images.forget(&name);
                }
                Err(error) => tracing::warn!(image = %name, %error, "could not remove an image"),
            }
        }
        Ok(())
    }
}

/// Starts the loop that removes unused images; it ends with the runtime.
pub(super) fn spawn_image_cleanup(inner: &Arc<Inner>) {
    let Some(age) = inner.settings.image_age else {
        return;
    };
    let inner = Arc::downgrade(inner);
    tokio::spawn(async move {
        // An age below the usual interval is looked at as often.
        let every = CLEANUP_EVERY.min(age).max(Duration::from_secs(1));
        loop {
            tokio::time::sleep(every).await;
            let Some(inner) = inner.upgrade() else { return };
            if let Err(error) = inner.remove_unused_images(age).await {
                tracing::warn!(%error, "could not look for unused images");
            }
        }
    });
}

/// The digest under which the registry of the image's name knows it.
fn digest(name: &ImageName, repo_digests: &[String]) -> Option<String> {
    let pairs = repo_digests
        .iter()
        .filter_map(|entry| entry.split_once('@'));
    let own = pairs.filter(|(repository, _)| *repository == name.repository);
    let mut digests: Vec<&str> = own.map(|(_, digest)| digest).collect();
    // One image may have several; the one that was asked for is the one that tells.
    digests.sort_by_key(|digest| *digest == name.tag);
    digests.pop().map(str::to_owned)
}

/// Why a pull failed, and whether it is worth another try.
enum Trouble {
    Lasting(RuntimeError),
    Passing(RuntimeError),
}

impl Trouble {
    fn of(name: &ImageName, error: &Error) -> Self {
        let text = one_line(&chain(error));
        let lower = text.to_lowercase();
        let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
        let mut described = describe(ErrorKind::CannotPullContainer, error);
        if described.kind != ErrorKind::CannotPullContainer {
            return Self::Lasting(described);
        }
        described.detail = format!("{} ({})", described.detail, name.full());
        let refused = [
            "unauthorized",
            "authentication required",
            "no basic auth credentials",
        ];
        let refused_by_name = ["access denied", "denied:"];
        if has(&refused) {
            described.kind = ErrorKind::CannotPullContainerAuth;
            return Self::Lasting(described);
        }
        let missing = [
            "not found",
            "manifest unknown",
            "invalid reference",
            "no space left",
        ];
        match has(&missing) || has(&refused_by_name) {
            true => Self::Lasting(described),
            false => Self::Passing(described),
        }
    }
}

/// Logs how far a pull is, now and then.
struct Progress {
    image: String,
    started: Instant,
    logged: Instant,
    layers: HashMap<String, (i64, i64)>,
}

impl Progress {
    fn start(image: String) -> Self {
        let now = Instant::now();
        tracing::info!(%image, "pulling");
        Self {
            image,
            started: now,
            logged: now,
            layers: HashMap::new(),
        }
    }

    fn note(&mut self, info: &CreateImageInfo) {
        let downloading = info.status.as_deref() == Some("Downloading");
        let detail = info.progress_detail.as_ref().filter(|_| downloading);
        if let (Some(layer), Some(detail)) = (&info.id, detail) {
            let sizes = (detail.current.unwrap_or(0), detail.total.unwrap_or(0));
            self.layers.insert(layer.clone(), sizes);
        }
        if self.logged.elapsed() >= PROGRESS_EVERY {
            self.logged = Instant::now();
            let sum = |sizes: fn(&(i64, i64)) -> i64| self.layers.values().map(sizes).sum::<i64>();
            let (bytes, of_bytes) = (sum(|sizes| sizes.0), sum(|sizes| sizes.1));
            tracing::info!(image = %self.image, bytes, of_bytes, "still pulling");
        }
    }

    fn done(&self) {
        let seconds = self.started.elapsed().as_secs();
        tracing::info!(image = %self.image, seconds, "pulled");
    }
}
