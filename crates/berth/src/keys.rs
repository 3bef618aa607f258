//! Secrets that a server makes at its first start, stored for their owner alone: the access key
//! that it lets in, and the secret under its page tokens.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The file in the data directory.
const KEY_FILE: &str = "access-key.json";
/// The file with the secret under page tokens.
const PAGE_KEY_FILE: &str = "page-key";
/// Amazon's own lengths, which some clients check: 20 and 40 characters.
const ID_LETTERS: usize = 16;
const SECRET_LETTERS: usize = 40;
/// A shorter shared secret could be guessed: 16 bytes are 128 bits.
const SECRET_BYTES_MIN: usize = 16;

/// An access key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredKey {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
    pub(crate) account: String,
}

/// Never shows the secret.
impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey")
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}

/// The key of the data directory, if a server made one there.
///
/// # Errors
/// When it cannot be read.
pub(crate) fn stored(data_dir: &Path) -> Result<Option<StoredKey>> {
    let path = data_dir.join(KEY_FILE);
    match fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .with_context(|| format!("{} is not an access key", path.display()))
            .map(Some),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
    }
}

/// The key of the data directory; one is made if there is none.
///
/// # Errors
/// When the folder cannot be read or written, or the system has no random bytes.
pub(crate) fn stored_or_made(data_dir: &Path, account: &str) -> Result<StoredKey> {
    if let Some(key) = stored(data_dir)? {
        return Ok(key);
    }
    let key = StoredKey {
        access_key_id: format!(
            "AKIA{}",
            letters(ID_LETTERS, b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")?
        ),
        secret_access_key: letters(
            SECRET_LETTERS,
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
        )?,
        account: account.to_owned(),
    };
    write_private(&data_dir.join(KEY_FILE), &serde_json::to_vec_pretty(&key)?)?;
    Ok(key)
}

/// The secret under page tokens: of the file that servers share, else the data directory's own,
/// which is made if there is none.
///
/// # Errors
/// When a file cannot be read or written, or the system has no random bytes.
pub(crate) fn page_key(data_dir: &Path, shared: Option<&Path>) -> Result<[u8; 32]> {
    let path = match shared {
        Some(shared) => shared.to_owned(),
        None => data_dir.join(PAGE_KEY_FILE),
    };
    let secret = match fs::read(&path) {
        Ok(secret) => secret,
        Err(error) if error.kind() == ErrorKind::NotFound && shared.is_none() => {
            let secret = random_bytes(32)?;
            write_private(&path, &secret)?;
            secret
        }
        Err(error) => {
            return Err(error).with_context(|| format!("could not read {}", path.display()));
        }
    };
    ensure!(
        secret.len() >= SECRET_BYTES_MIN,
        "{} is too short for a secret: at least {SECRET_BYTES_MIN} bytes",
        path.display()
    );
    // The shared secret is no key itself: other keys are made from it in the same way.
    let derived = Sha256::new()
        .chain_update("berth page tokens\n")
        .chain_update(secret);
    Ok(derived.finalize().into())
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, content: &[u8]) -> Result<()> {
    let fresh = path.with_extension("new");
    let write = || -> std::io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&fresh)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    write().with_context(|| format!("could not write {}", path.display()))
}

fn random_bytes(count: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system has no random bytes: {error}"))?;
    Ok(bytes)
}

/// Random letters; the alphabet's length divides 256, so that none is likelier than another.
fn letters(count: usize, alphabet: &[u8]) -> Result<String> {
    debug_assert_eq!(256 % alphabet.len(), 0);
    let letter = |byte: u8| char::from(alphabet[usize::from(byte) % alphabet.len()]);
    Ok(random_bytes(count)?.into_iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(stored(folder.path()).unwrap(), None);
        let made = stored_or_made(folder.path(), "000000000000").unwrap();
        assert_eq!(stored_or_made(folder.path(), "111111111111").unwrap(), made);
        assert_eq!(
            (made.access_key_id.len(), made.secret_access_key.len()),
            (20, 40)
        );
        let metadata = fs::metadata(folder.path().join(KEY_FILE)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_does_not_show_its_secret() {
        let folder = tempfile::tempdir().unwrap();
        let made = stored_or_made(folder.path(), "000000000000").unwrap();
        assert!(!format!("{made:?}").contains(&made.secret_access_key));
    }

    #[test]
    fn a_damaged_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(KEY_FILE), "{").unwrap();
        assert!(stored_or_made(folder.path(), "000000000000").is_err());
    }

    #[test]
    fn servers_that_share_a_secret_share_their_page_key() {
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let own = page_key(one.path(), None).unwrap();
        assert_eq!(page_key(one.path(), None).unwrap(), own);
        assert_ne!(page_key(two.path(), None).unwrap(), own);
        let shared = one.path().join("shared");
        fs::write(&shared, "sixteen letters, and more").unwrap();
        assert_eq!(
            page_key(one.path(), Some(&shared)).unwrap(),
            page_key(two.path(), Some(&shared)).unwrap()
        );
        fs::write(&shared, "short").unwrap();
        assert!(page_key(one.path(), Some(&shared)).is_err());
        assert!(page_key(one.path(), Some(&one.path().join("gone"))).is_err());
    }
}
