//! Joining by a token: the exchange for credentials of this machine's own, and their renewal.
//!
//! Rules kept here:
//! - what the machine calls itself is on disk before the token is used, so that a machine that
//!   did not hear the answer asks again as the same;
//! - a token that was used is remembered by its hash alone, so that the same command line serves
//!   every later start; another token joins anew;
//! - a server that is away or refuses to renew never ends the agent: its containers run on, and
//!   it asks again.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use berth_wire::sigv4::Signer;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::sync::watch;

use crate::clock::{Clock, secret_id};
use crate::http::{ApiClient, CallError, KeySource, Keys};

/// Where the joining is remembered, in the agent's data directory.
const FILE: &str = "joined.json";
/// The operations that are called, as `X-Amz-Target` has them.
const JOIN: &str = "Berth.Join";
const RENEW: &str = "Berth.RenewAgentCredentials";
/// The first and the longest wait before a call is tried again. Credentials last for hours.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5 * 60));
/// The longest wait while nobody has answered yet: somebody looks on.
const JOIN_WAIT_MAX: Duration = Duration::from_secs(10);

/// Why a machine is not joined.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It never joined, and no token is given.
    #[error("this machine has not joined yet, and there is no join token")]
    NoToken,
    /// The server will not have it.
    #[error("the server does not let this machine join")]
    Refused(#[source] CallError),
    /// What is to be remembered cannot be.
    #[error("could not use {0}")]
    File(String, #[source] std::io::Error),
}

/// Credentials as the server gives them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Granted {
    /// The instance that the credentials are for.
    pub container_instance_arn: String,
    /// The cluster to join.
    pub cluster: String,
    /// The region to sign for.
    pub region: String,
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session's token.
    pub session_token: String,
    /// When they end, in RFC 3339.
    pub expiration: String,
    /// After how many seconds new ones are to be asked for.
    pub renew_after_seconds: u64,
}

/// What is remembered.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    /// What the machine calls itself when it joins: a secret between it and the server.
    machine: String,
    /// SHA-256 of the token.
    token_hash: String,
    granted: Option<Granted>,
    /// When the credentials were given, in seconds since the epoch.
    #[serde(default)]
    granted_at: i64,
}

/// A machine that joined, and its credentials.
pub struct Joined {
    api: ApiClient,
    clock: Clock,
    file: PathBuf,
    memory: RwLock<Memory>,
    granted: watch::Sender<Granted>,
}

impl KeySource for Joined {
    fn keys(&self) -> Result<Keys, String> {
        Ok(keys_of(&self.granted.borrow()))
    }
}

/// Whether a machine with this data directory has joined, or began to.
#[must_use]
pub fn has_joined(data_dir: &Path) -> bool {
    data_dir.join(FILE).exists()
}

impl Joined {
    /// Joins with the token, unless this machine did so before. Waits for a server that is away.
    ///
    /// # Errors
    /// When the server refuses, there is no token, or nothing can be remembered.
    pub async fn open(
        api: ApiClient,
        clock: Clock,
        data_dir: &Path,
        token: Option<&str>,
    ) -> Result<Arc<Self>, JoinError> {
        let file = data_dir.join(FILE);
        let mut memory = read(&file)?.unwrap_or_default();
        let joined_before = memory
            .granted
            .clone()
            .filter(|_| token.is_none_or(|token| hash(token) == memory.token_hash));
        let granted = match (joined_before, token) {
            (Some(granted), _) => granted,
            (None, None) => return Err(JoinError::NoToken),
            (None, Some(token)) => {
                if hash(token) != memory.token_hash {
                    memory.machine = secret_id();
                    memory.token_hash = hash(token);
                    write(&file, &memory)?;
                }
                let granted = join(&api, token, &memory).await?;
                memory.granted_at = wall_seconds(&clock);
                memory.granted = Some(granted.clone());
                write(&file, &memory)?;
                tracing::info!(instance = %granted.container_instance_arn, "joined");
                granted
            }
        };
        Ok(Arc::new(Self {
            api,
            clock,
            file,
            memory: RwLock::new(memory),
            granted: watch::Sender::new(granted),
        }))
    }

    /// The credentials of now, and how to hear of newer ones.
    #[must_use]
    pub fn granted(&self) -> watch::Receiver<Granted> {
        self.granted.subscribe()
    }

    /// Renews the credentials whenever it is time, for ever.
    pub async fn keep_renewed(self: Arc<Self>) {
        let (mut wait, longest) = WAIT;
        loop {
            tokio::time::sleep(self.time_left()).await;
            match self.renew().await {
                Ok(()) => wait = WAIT.0,
                Err(why) => {
                    tracing::warn!(why, "credentials not renewed; trying again");
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(longest);
                }
            }
        }
    }

    /// How long until new credentials are to be asked for. A clock that was set back does not
    /// put it off.
    fn time_left(&self) -> Duration {
        let memory = self.memory.read().unwrap_or_else(PoisonError::into_inner);
        let after = self.granted.borrow().renew_after_seconds;
        let age = wall_seconds(&self.clock).saturating_sub(memory.granted_at);
        match u64::try_from(age) {
            Ok(age) => Duration::from_secs(after.saturating_sub(age)),
            Err(_) => Duration::ZERO,
        }
    }

    async fn renew(&self) -> Result<(), String> {
        let before = self.granted.borrow().clone();
        let signer = keys_of(&before).signer(&before.region, "ecs");
        let answer = self.api.call_target(&signer, RENEW, b"{}".to_vec()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        let granted: Granted =
            serde_json::from_value(answer).map_err(|error| format!("the answer: {error}"))?;
        let remembered = {
            let mut memory = self.memory.write().unwrap_or_else(PoisonError::into_inner);
            memory.granted = Some(granted.clone());
            memory.granted_at = wall_seconds(&self.clock);
            memory.clone()
        };
        self.granted.send_replace(granted);
        // Those in memory are good whether or not they are on disk; the next start renews older ones.
        write(&self.file, &remembered).map_err(|error| error.to_string())
    }
}

fn keys_of(granted: &Granted) -> Keys {
    Keys {
        access_key_id: granted.access_key_id.clone(),
        secret_access_key: granted.secret_access_key.clone(),
        session_token: Some(granted.session_token.clone()),
    }
}

async fn join(api: &ApiClient, token: &str, memory: &Memory) -> Result<Granted, JoinError> {
    // The server looks at no signature here; the client always makes one.
    let signer = Signer {
        access_key_id: "join".to_owned(),
        secret_access_key: "join".to_owned(),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: "ecs".to_owned(),
    };
    let was = memory.granted.as_ref().map(|g| &g.container_instance_arn);
    let body = json!({ "token": token, "machine": memory.machine, "containerInstance": was });
    let mut wait = WAIT.0;
    loop {
        let answer = api.call_target(&signer, JOIN, body.to_string().into_bytes());
        match answer.await {
            Ok(answer) => {
                return serde_json::from_value(answer).map_err(|error| {
                    JoinError::Refused(CallError::Failed(format!("the answer: {error}")))
                });
            }
            Err(error) if error.is_away() || error.is("ThrottlingException") => {
                tracing::warn!(%error, "could not join; trying again");
            }
            Err(error) => return Err(JoinError::Refused(error)),
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(JOIN_WAIT_MAX);
    }
}

fn wall_seconds(clock: &Clock) -> i64 {
    let wall = clock.wall().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(wall.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.trim().as_bytes());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(file: &Path) -> Result<Option<Memory>, JoinError> {
    let failed = |error| JoinError::File(file.display().to_string(), error);
    match std::fs::read(file) {
        Ok(bytes) => {
            let memory = serde_json::from_slice(&bytes).map_err(std::io::Error::other);
            memory.map(Some).map_err(failed)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

fn write(file: &Path, memory: &Memory) -> Result<(), JoinError> {
    let bytes = serde_json::to_vec_pretty(memory).map_err(std::io::Error::other);
    let written = bytes.and_then(|bytes| replace(file, &bytes));
    written.map_err(|error| JoinError::File(file.display().to_string(), error))
}

/// Writes a file for its owner alone, so that it is the old one or the new one after a crash.
///
/// # Errors
/// The disk's.
pub fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = file.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut written = options.open(&beside)?;
    written.write_all(bytes)?;
    written.sync_all()?;
    std::fs::rename(&beside, file)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn what_is_remembered_is_its_owners_alone_and_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        assert!(!has_joined(folder.path()));
        let file = folder.path().join(FILE);
        assert!(read(&file).unwrap().is_none());
        let memory = Memory {
            machine: "m".to_owned(),
            token_hash: hash(" bj_x "),
            ..Memory::default()
        };
        write(&file, &memory).unwrap();
        write(&file, &memory).unwrap();
        assert!(has_joined(folder.path()));
        let again = read(&file).unwrap().unwrap();
        assert_eq!(again.machine, "m");
        assert_eq!(again.token_hash, hash("bj_x"));
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::write(&file, "{").unwrap();
        assert!(matches!(read(&file), Err(JoinError::File(..))));
    }
}
