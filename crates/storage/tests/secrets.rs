//! What must hold of a server's secrets.
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use berth_storage::{Secrets, SecretsError};
use support::Place;
use support::postgres::Cluster;

struct Server {
    dir: tempfile::TempDir,
    place: Place,
}

impl Server {
    fn new(place: Place) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { dir, place }
    }

    fn secret_file(&self, content: &str) -> PathBuf {
        let file = self.dir.path().join("shared");
        std::fs::write(&file, content).unwrap();
        file
    }

    async fn with(&self, content: &str, data_dir: &str) -> Result<Secrets, SecretsError> {
        let file = self.secret_file(content);
        let data_dir = self.dir.path().join(data_dir);
        Secrets::open(&self.place.location, &data_dir, Some(&file)).await
    }
}

const SHARED: &str = "a secret of thirty-two letters..";

#[tokio::test]
async fn a_data_directory_keeps_its_secrets_for_its_owner_alone() {
    let server = Server::new(Place::sqlite());
    let data_dir = server.dir.path().join("data");
    let open = || Secrets::open(&server.place.location, &data_dir, None);
    let secrets = open().await.unwrap();
    let key = secrets.access_key("000000000000").await.unwrap();
    assert_eq!(
        (key.access_key_id.len(), key.secret_access_key.len()),
        (20, 40)
    );
    let again = open().await.unwrap();
    assert_eq!(again.access_key("111111111111").await.unwrap(), key);
    assert_eq!(again.page_key(), secrets.page_key());
    let keys = [
        secrets.page_key(),
        secrets.session_key(),
        secrets.credential_key(),
    ];
    assert!(keys[0] != keys[1] && keys[1] != keys[2] && keys[0] != keys[2]);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&data_dir).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            entry.metadata().unwrap().permissions().mode() & 0o777,
            0o600
        );
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["access-key.json", "page-key"]);
    let shown = format!("{key:?} {secrets:?}");
    assert!(!shown.contains(&key.secret_access_key));
}

#[tokio::test]
async fn damaged_secrets_are_not_replaced() {
    let server = Server::new(Place::sqlite());
    let data_dir = server.dir.path().join("data");
    let open = || Secrets::open(&server.place.location, &data_dir, None);
    let secrets = open().await.unwrap();
    std::fs::write(data_dir.join("access-key.json"), "{").unwrap();
    let error = secrets.access_key("000000000000").await.unwrap_err();
    assert!(matches!(error, SecretsError::Damaged { .. }), "{error:?}");
    std::fs::write(data_dir.join("page-key"), "short").unwrap();
    let error = open().await.unwrap_err();
    assert!(matches!(error, SecretsError::Damaged { .. }), "{error:?}");
    assert_eq!(std::fs::read(data_dir.join("page-key")).unwrap(), b"short");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_together_use_the_same_secrets() {
    for place in [Place::sqlite(), Place::postgres()] {
        let server = Server::new(place);
        let file = server.secret_file(SHARED);
        let starts = (0..8).map(|_| {
            let (location, file) = (server.place.location.clone(), file.clone());
            let data_dir = server.dir.path().join("data");
            tokio::spawn(async move {
                let secrets = Secrets::open(&location, &data_dir, Some(&file)).await;
                let secrets = secrets.unwrap();
                let key = secrets.access_key("000000000000").await.unwrap();
                (secrets.page_key(), key)
            })
        });
        let mut made = Vec::new();
        for start in starts.collect::<Vec<_>>() {
            made.push(start.await.unwrap());
        }
        assert!(made.windows(2).all(|two| two[0] == two[1]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_gives_its_secrets_to_whoever_has_the_secret_file_alone() {
    let server = Server::new(Place::postgres());
    let first = server.with(SHARED, "one").await.unwrap();
    let key = first.access_key("000000000000").await.unwrap();
    // Another machine, and a line end that an editor added.
    let second = server.with(&format!("{SHARED}\n"), "two").await.unwrap();
    assert_eq!(second.page_key(), first.page_key());
    assert_eq!(second.access_key("000000000000").await.unwrap(), key);

    let error = server.with("another secret of the same kind", "two").await;
    let error = error.unwrap_err();
    assert!(matches!(error, SecretsError::Sealed { .. }), "{error:?}");
    let error = server.with("short", "two").await.unwrap_err();
    assert!(
        matches!(error, SecretsError::SecretFile { .. }),
        "{error:?}"
    );

    let schema = server.place.schema();
    let psql = |sql: &str| Cluster::shared().psql(sql);
    let dump = psql(&format!(
        "SELECT encode(sealed, 'escape') FROM {schema}.secret"
    ));
    assert!(!dump.is_empty() && !dump.contains(&key.secret_access_key));
    // One secret cannot be passed off as another.
    psql(&format!(
        "UPDATE {schema}.secret a SET sealed = b.sealed FROM {schema}.secret b \
         WHERE a.name = 'page-key' AND b.name = 'access-key.json'"
    ));
    let error = server.with(SHARED, "one").await.unwrap_err();
    assert!(matches!(error, SecretsError::Sealed { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_sealed_secrets_is_not_used_without_the_secret_file() {
    let server = Server::new(Place::postgres());
    let data_dir = server.dir.path().join("one");
    let location = &server.place.location;
    let alone = Secrets::open(location, &data_dir, None).await.unwrap();
    server.with(SHARED, "one").await.unwrap();
    let error = Secrets::open(location, &data_dir, None).await.unwrap_err();
    assert!(
        matches!(error, SecretsError::SecretFile { .. }),
        "{error:?}"
    );
    // What the server made for itself before is still its own.
    let kept = std::fs::read(data_dir.join("page-key")).unwrap();
    assert_eq!(kept.len(), 32);
    drop(alone);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_carried_from_a_data_directory_into_a_database() {
    let server = Server::new(Place::postgres());
    let location = &server.place.location;
    let data_dir = server.dir.path().join("laptop");
    let embedded = berth_storage::Location::Embedded {
        data_dir: data_dir.clone(),
    };
    let made = Secrets::made_access_key(&embedded, &data_dir, None);
    assert_eq!(made.await.unwrap(), None);
    assert!(!data_dir.exists(), "asking makes nothing");
    let own = Secrets::open(&embedded, &data_dir, None).await.unwrap();
    let key = own.access_key("000000000000").await.unwrap();

    let file = server.secret_file(SHARED);
    for _ in 0..2 {
        Secrets::carry(&data_dir, location, &file).await.unwrap();
    }
    let shared = server.with(SHARED, "elsewhere").await.unwrap();
    assert_eq!(shared.page_key(), own.page_key());
    let made = Secrets::made_access_key(location, &data_dir, Some(&file));
    assert_eq!(made.await.unwrap(), Some(key));

    let other = server.dir.path().join("other");
    Secrets::open(&embedded, &other, None).await.unwrap();
    let error = Secrets::carry(&other, location, &file).await.unwrap_err();
    assert!(matches!(error, SecretsError::Other { .. }), "{error:?}");
    assert_eq!(
        server.with(SHARED, "one").await.unwrap().page_key(),
        own.page_key()
    );
}
