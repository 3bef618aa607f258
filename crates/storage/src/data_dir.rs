//! The data directory, and the lock that keeps a second server out of it.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::OpenError;

const LOCK_FILE: &str = "lock";

/// A data directory that is this process's alone while this lives.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// The operating system frees the lock when the file is closed, also by `kill -9`.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, for the owner alone, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        let unavailable = |doing| {
            move |error: std::io::Error| OpenError::Unavailable {
                doing,
                source: Box::new(error),
            }
        };
        make_private_dir(path).map_err(unavailable("make the data directory"))?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(LOCK_FILE))
            .map_err(unavailable("open the data directory's lock file"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse {
                path: path.to_owned(),
            }),
            Err(TryLockError::Error(error)) => Err(unavailable("lock the data directory")(error)),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

/// Makes a directory that only its owner can enter; one that exists is left as it is.
pub(crate) fn make_private_dir(path: &Path) -> std::io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(path)
}

/// Makes the entries of a directory durable: files made, renamed or removed in it.
pub(crate) fn sync_dir(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}
