//! The access key that a server makes at its first start, stored for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize};

/// The file in the data directory.
const KEY_FILE: &str = "access-key.json";
/// Amazon's own lengths, which some clients check: 20 and 40 characters.
const ID_LETTERS: usize = 16;
const SECRET_LETTERS: usize = 40;

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
    let path = data_dir.join(KEY_FILE);
    store(&path, &key).with_context(|| format!("could not write {}", path.display()))?;
    Ok(key)
}

/// Writes the key where only its owner can read it, whole or not at all.
fn store(path: &Path, key: &StoredKey) -> Result<()> {
    let fresh = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = options.open(&fresh)?;
    file.write_all(&serde_json::to_vec_pretty(key)?)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    Ok(())
}

/// Random letters; the alphabet's length divides 256, so that none is likelier than another.
fn letters(count: usize, alphabet: &[u8]) -> Result<String> {
    debug_assert_eq!(256 % alphabet.len(), 0);
    let mut bytes = vec![0; count];
    getrandom::fill(&mut bytes)
        .map_err(|error| anyhow!("the system has no random bytes: {error}"))?;
    let letter = |byte: u8| char::from(alphabet[usize::from(byte) % alphabet.len()]);
    Ok(bytes.into_iter().map(letter).collect())
}

#[cfg(test)]
mod tests {
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
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(KEY_FILE))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600);
        }
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
}
