//! Secrets in the data directory: one file each, for its owner alone.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::{SecretsError, fill_random};
use crate::data_dir::{make_private_dir, sync_dir};

/// The data directory's secrets.
pub(super) struct SecretFiles {
    dir: PathBuf,
}

impl SecretFiles {
    /// Those of this directory, which is made when the first is kept.
    pub(super) fn at(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
        }
    }

    pub(super) fn get(&self, name: &str) -> Result<Option<Vec<u8>>, SecretsError> {
        match fs::read(self.dir.join(name)) {
            Ok(secret) => Ok(Some(secret)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(cannot("read a secret")(error)),
        }
    }

    /// Keeps a secret unless there is one of that name.
    pub(super) fn put_first(&self, name: &str, secret: &[u8]) -> Result<(), SecretsError> {
        make_private_dir(&self.dir).map_err(cannot("make the data directory"))?;
        let mut token = [0; 8];
        fill_random(&mut token)?;
        let token = u64::from_le_bytes(token);
        let unfinished = self.dir.join(format!("{name}.{token:016x}.new"));
        let put = self.link_first(&unfinished, &self.dir.join(name), secret);
        // It has its name by now, or is of no use.
        let _ = fs::remove_file(&unfinished);
        put.map_err(cannot("keep a secret"))
    }

    /// A link gives the file its name only when it is whole, and only if nobody was first.
    fn link_first(&self, unfinished: &Path, path: &Path, secret: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(unfinished)?;
        file.write_all(secret)?;
        file.sync_all()?;
        match fs::hard_link(unfinished, path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_dir(&self.dir),
        }
    }
}

fn cannot(doing: &'static str) -> impl Fn(io::Error) -> SecretsError {
    move |error| SecretsError::Unavailable {
        doing,
        source: error.into(),
    }
}
