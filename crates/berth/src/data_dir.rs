//! The folder where a command keeps its things, and the endpoint that a server records there.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The file that holds the URL of the server that uses the folder, as its whole content.
const ENDPOINT_FILE: &str = "endpoint";

/// The folder that was named, else `berth/<command>` in the user's data folder.
///
/// # Errors
/// When none was named and the user has no home.
pub(crate) fn resolve(named: Option<&Path>, command: &str) -> Result<PathBuf> {
    let path = match named {
        Some(named) => named.to_owned(),
        None => user_data_folder()?.join("berth").join(command),
    };
    std::path::absolute(&path).with_context(|| format!("{} cannot be used", path.display()))
}

/// `$XDG_DATA_HOME`, or `~/.local/share`.
#[expect(
    clippy::disallowed_methods,
    reason = "where the user keeps data is said by the environment alone"
)]
fn user_data_folder() -> Result<PathBuf> {
    let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    if let Some(data_home) = named("XDG_DATA_HOME") {
        return Ok(data_home.into());
    }
    match named("HOME") {
        Some(home) => Ok(PathBuf::from(home).join(".local/share")),
        None => bail!("HOME is not set: name a folder with --data-dir"),
    }
}

/// Notes the server's URL for `berth env` and `berth status`. Written whole or not at all.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn record_endpoint(data_dir: &Path, url: &str) -> Result<()> {
    let path = data_dir.join(ENDPOINT_FILE);
    let fresh = data_dir.join(format!("{ENDPOINT_FILE}.new"));
    let write = || -> std::io::Result<()> {
        fs::create_dir_all(data_dir)?;
        let mut file = fs::File::create(&fresh)?;
        writeln!(file, "{url}")?;
        fs::rename(&fresh, &path)
    };
    write().with_context(|| format!("could not record the endpoint in {}", path.display()))
}

/// The URL of the server that used the folder last.
///
/// # Errors
/// When no server did.
pub(crate) fn recorded_endpoint(data_dir: &Path) -> Result<String> {
    let path = data_dir.join(ENDPOINT_FILE);
    match fs::read_to_string(&path) {
        Ok(url) => Ok(url.trim().to_owned()),
        Err(error) if error.kind() == ErrorKind::NotFound => bail!(
            "no server has used {}: start one with berth dev, or name its folder with --data-dir",
            data_dir.display()
        ),
        Err(error) => Err(error).with_context(|| format!("could not read {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_found_where_it_was_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("new");
        assert!(recorded_endpoint(&data_dir).is_err());
        record_endpoint(&data_dir, "http://127.0.0.1:1").unwrap();
        record_endpoint(&data_dir, "http://127.0.0.1:2").unwrap();
        assert_eq!(recorded_endpoint(&data_dir).unwrap(), "http://127.0.0.1:2");
    }

    #[test]
    fn a_named_folder_is_taken_as_it_is() {
        let path = resolve(Some(Path::new("/x/y")), "dev").unwrap();
        assert_eq!(path, Path::new("/x/y"));
    }
}
