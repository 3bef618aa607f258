//! The server's own secrets: one root from which its keys are derived, and the access key that
//! it lets in.
//!
//! Rules kept here:
//! - they live in the data directory, in files for their owner alone; or, for servers that share
//!   a database, in its table `secret`, sealed under a file that these servers share, so that the
//!   database alone gives nothing away;
//! - each is made once: of servers that start together, all use what one of them made;
//! - what cannot be read is never replaced, and a server without the secret file does not start
//!   on a database that holds sealed secrets: it would let in other keys than its peers.

mod files;
mod sealed;

use std::path::Path;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use self::files::SecretFiles;
use self::sealed::SealedRows;
use crate::error::{BoxError, OpenError};
use crate::store::Location;

const ROOT: &str = "page-key";
const ACCESS_KEY: &str = "access-key.json";

/// Bytes of a root: as many as of the keys that are derived from it.
const ROOT_BYTES: usize = 32;

/// Amazon's own lengths, which some clients check: `AKIA` and 16 letters, and 40 letters.
const ID_LETTERS: usize = 16;
const SECRET_LETTERS: usize = 40;

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file that servers share cannot be used.
    #[error("the secret file cannot be used: {what}")]
    SecretFile {
        /// What is wrong, in a few words.
        what: String,
    },
    /// The secret is there, but under another secret file, or damaged.
    #[error("the secret {name:?} does not open with this secret file")]
    Sealed {
        /// The secret's name.
        name: String,
    },
    /// Secrets were to be carried to where there are others.
    #[error("the database holds another secret {name:?} already")]
    Other {
        /// The secret's name.
        name: String,
    },
    /// The secret is there, but is not what it should be.
    #[error("the secret {name:?} is damaged")]
    Damaged {
        /// The secret's name.
        name: String,
        /// What is wrong.
        #[source]
        source: BoxError,
    },
    /// The database did not open.
    #[error("could not open the database")]
    Open(#[source] OpenError),
    /// The disk, the database or the system's source of chance did not do what it should.
    #[error("could not {doing}")]
    Unavailable {
        /// What was being done.
        doing: &'static str,
        /// What the system or the database said.
        #[source]
        source: BoxError,
    },
}

/// An access key that a server made.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MadeAccessKey {
    /// Its public name.
    pub access_key_id: String,
    /// What requests are signed with.
    pub secret_access_key: String,
    /// The account that its requests are of.
    pub account: String,
}

/// Never shows the secret.
impl std::fmt::Debug for MadeAccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MadeAccessKey")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// Where secrets are kept.
enum Vault {
    Files(SecretFiles),
    Sealed(SealedRows),
}

/// A server's secrets.
pub struct Secrets {
    vault: Vault,
    root: [u8; ROOT_BYTES],
}

/// Never shows a secret.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// Opens the secrets of a server, making them if they are not there: those in the database
    /// where one is used with a secret file, else those of the data directory.
    ///
    /// A secret file should hold 32 random bytes or more; their protection is no better than it
    /// is hard to guess.
    ///
    /// # Errors
    /// When files or database cannot be read, or hold what this secret file does not open.
    pub async fn open(
        location: &Location,
        data_dir: &Path,
        secret_file: Option<&Path>,
    ) -> Result<Self, SecretsError> {
        let vault = Vault::of(location, data_dir, secret_file).await?;
        let mut fresh = [0; ROOT_BYTES];
        fill_random(&mut fresh)?;
        let kept = vault.get_or_put(ROOT, &fresh).await?;
        let root = kept
            .as_slice()
            .try_into()
            .map_err(|error| damaged(ROOT, error))?;
        Ok(Self { vault, root })
    }

    /// The key under page tokens.
    #[must_use]
    pub fn page_key(&self) -> [u8; 32] {
        self.derive("page tokens")
    }

    /// The key that signs session tokens.
    #[must_use]
    pub fn session_key(&self) -> [u8; 32] {
        self.derive("session tokens")
    }

    /// The key of the HMAC that makes a task's credential id from its task id.
    #[must_use]
    pub fn credential_key(&self) -> [u8; 32] {
        self.derive("task credentials")
    }

    /// The access key that was made by a server before, if one was. Makes nothing.
    ///
    /// # Errors
    /// As [`Secrets::open`].
    pub async fn made_access_key(
        location: &Location,
        data_dir: &Path,
        secret_file: Option<&Path>,
    ) -> Result<Option<MadeAccessKey>, SecretsError> {
        let vault = Vault::of(location, data_dir, secret_file).await?;
        let kept = vault.get(ACCESS_KEY).await?;
        kept.map(|kept| read_access_key(&kept)).transpose()
    }

    /// Copies the secrets of a data directory into a database, sealed under the secret file. What
    /// was copied before is left as it is, so that it can be tried again.
    ///
    /// # Errors
    /// When either cannot be read, or the database holds others.
    pub async fn carry(
        data_dir: &Path,
        to: &Location,
        secret_file: &Path,
    ) -> Result<(), SecretsError> {
        let from = SecretFiles::at(data_dir);
        let to = Vault::of(to, data_dir, Some(secret_file)).await?;
        for name in [ROOT, ACCESS_KEY] {
            if let Some(secret) = from.get(name)?
                && to.get_or_put(name, &secret).await? != secret
            {
                return Err(SecretsError::Other {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }

    fn derive(&self, purpose: &str) -> [u8; 32] {
        keyed_hash(&self.root, purpose.as_bytes())
    }

    /// The access key that was made here; one is made for `account` if there is none.
    ///
    /// # Errors
    /// When it cannot be read or kept.
    pub async fn access_key(&self, account: &str) -> Result<MadeAccessKey, SecretsError> {
        let kept = match self.vault.get(ACCESS_KEY).await? {
            Some(kept) => kept,
            None => {
                let fresh = make_access_key(account)?;
                let json = serde_json::to_vec_pretty(&fresh)
                    .map_err(|error| damaged(ACCESS_KEY, error))?;
                self.vault.get_or_put(ACCESS_KEY, &json).await?
            }
        };
        read_access_key(&kept)
    }
}

fn read_access_key(kept: &[u8]) -> Result<MadeAccessKey, SecretsError> {
    serde_json::from_slice(kept).map_err(|error| damaged(ACCESS_KEY, error))
}

impl Vault {
    async fn of(
        location: &Location,
        data_dir: &Path,
        secret_file: Option<&Path>,
    ) -> Result<Self, SecretsError> {
        match (location, secret_file) {
            (Location::Postgres { url, schema }, Some(file)) => {
                Ok(Self::Sealed(SealedRows::open(url, schema, file).await?))
            }
            (Location::Postgres { url, schema }, None) => {
                sealed::must_be_empty(url, schema).await?;
                Ok(Self::Files(SecretFiles::at(data_dir)))
            }
            (Location::Embedded { .. }, _) => Ok(Self::Files(SecretFiles::at(data_dir))),
        }
    }

    async fn get(&self, name: &str) -> Result<Option<Vec<u8>>, SecretsError> {
        match self {
            Self::Files(files) => files.get(name),
            Self::Sealed(rows) => rows.get(name).await,
        }
    }

    /// What is kept under this name: `fresh`, unless there was something before.
    async fn get_or_put(&self, name: &str, fresh: &[u8]) -> Result<Vec<u8>, SecretsError> {
        if let Some(kept) = self.get(name).await? {
            return Ok(kept);
        }
        match self {
            Self::Files(files) => files.put_first(name, fresh)?,
            Self::Sealed(rows) => rows.put_first(name, fresh).await?,
        }
        let kept = self.get(name).await?;
        kept.ok_or_else(|| damaged(name, "it went away as soon as it was there"))
    }
}

fn damaged(name: &str, source: impl Into<BoxError>) -> SecretsError {
    SecretsError::Damaged {
        name: name.to_owned(),
        source: source.into(),
    }
}

/// HMAC-SHA-256.
fn keyed_hash(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut hash = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    hash.update(message);
    hash.finalize().into_bytes().into()
}

fn make_access_key(account: &str) -> Result<MadeAccessKey, SecretsError> {
    let id = letters(ID_LETTERS, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")?;
    let secret = letters(
        SECRET_LETTERS,
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
    )?;
    Ok(MadeAccessKey {
        access_key_id: format!("AKIA{id}"),
        secret_access_key: secret,
        account: account.to_owned(),
    })
}

/// Random letters; the alphabet's length divides 256, so that none is likelier than another.
fn letters<const N: usize>(count: usize, alphabet: &[u8; N]) -> Result<String, SecretsError> {
    const { assert!(256 % N == 0) }
    let mut bytes = vec![0; count];
    fill_random(&mut bytes)?;
    let letter = |byte: u8| char::from(alphabet[usize::from(byte) % N]);
    Ok(bytes.into_iter().map(letter).collect())
}

fn fill_random(bytes: &mut [u8]) -> Result<(), SecretsError> {
    getrandom::fill(bytes).map_err(|error| SecretsError::Unavailable {
        doing: "get random bytes",
        source: error.to_string().into(),
    })
}
