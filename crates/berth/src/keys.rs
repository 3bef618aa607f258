//! Which keys a server lets in and signs with: what the store's `Secrets` keep, and where the
//! command line says that they are.

use std::path::Path;

use berth_server::{Location, MadeAccessKey, Secrets, SecretsError};

use crate::exit::Failure;
use crate::server;

/// Opens a server's secrets, which are made at its first start.
///
/// # Errors
/// When they cannot be read or kept.
pub(crate) async fn open(
    location: &Location,
    data_dir: &Path,
    secret_file: Option<&Path>,
) -> Result<Secrets, Failure> {
    let opened = Secrets::open(location, data_dir, secret_file).await;
    opened.map_err(failure)
}

/// The access key that a server made, if one did: in the database where both it and the secret
/// file are named, else in the data directory.
///
/// # Errors
/// When it cannot be read.
pub(crate) async fn made(
    data_dir: &Path,
    database_url: Option<&str>,
    secret_file: Option<&Path>,
) -> Result<Option<MadeAccessKey>, Failure> {
    let location = match (database_url, secret_file) {
        (Some(url), Some(_)) => server::postgres(url),
        // Without the file nothing in the database could be read.
        (Some(_), None) | (None, _) => Location::Embedded {
            data_dir: data_dir.to_owned(),
        },
    };
    let made = Secrets::made_access_key(&location, data_dir, secret_file).await;
    made.map_err(failure)
}

/// What it means for a command that secrets cannot be had.
pub(crate) fn failure(error: SecretsError) -> Failure {
    match error {
        SecretsError::SecretFile { .. }
        | SecretsError::Sealed { .. }
        | SecretsError::Other { .. } => Failure::Usage(error.into()),
        SecretsError::Damaged { .. } => Failure::Data(error.into()),
        SecretsError::Open(error) => server::open_failure(&error)(error.into()),
        SecretsError::Unavailable { .. } => Failure::Retry(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[tokio::test]
    async fn a_key_is_made_once_and_asking_for_it_makes_none() {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = folder.path().join("data");
        assert_eq!(made(&data_dir, None, None).await.unwrap(), None);
        let location = Location::Embedded {
            data_dir: data_dir.clone(),
        };
        let secrets = open(&location, &data_dir, None).await.unwrap();
        assert_eq!(made(&data_dir, None, None).await.unwrap(), None);
        let key = secrets.access_key("123456789012").await.unwrap();
        assert_eq!(made(&data_dir, None, None).await.unwrap(), Some(key));
        let file = data_dir.join("access-key.json");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        std::fs::write(&file, "{").unwrap();
        let damaged = made(&data_dir, None, None).await.unwrap_err();
        assert!(matches!(damaged, Failure::Data(_)), "{damaged}");
    }
}
