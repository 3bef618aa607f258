//! What the storage tests share: a store to open, commits to make, and a model to compare with.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    reason = "each test binary uses a part of it, and a panic is a failed test"
)]

pub mod postgres;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};

use berth_model::time::Timestamp;
use berth_storage::{Change, Commit, Loaded, Location, Store, TABLES};
use serde_json::value::RawValue;

use self::postgres::Cluster;

/// A place for one test's store.
pub struct Place {
    pub location: Location,
    /// Removed with the place.
    pub dir: Option<tempfile::TempDir>,
}

impl Place {
    pub fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let location = Location::Embedded {
            data_dir: dir.path().join("data"),
        };
        Self {
            location,
            dir: Some(dir),
        }
    }

    pub fn postgres() -> Self {
        Self::on(Cluster::shared())
    }

    pub fn on(cluster: &Cluster) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let schema = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        Self {
            location: Location::Postgres {
                url: cluster.url(),
                schema,
            },
            dir: None,
        }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.location, &TABLES).await.unwrap()
    }

    pub fn schema(&self) -> &str {
        match &self.location {
            Location::Postgres { schema, .. } => schema,
            Location::Embedded { .. } => panic!("SQLite has no schemas"),
        }
    }
}

/// Makes each generic test a test on either store.
#[macro_export]
macro_rules! on_both_stores {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::support::Place::sqlite()).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                super::$name(super::support::Place::postgres()).await;
            })*
        }
    };
}

pub fn body(text: &str) -> Option<Box<RawValue>> {
    Some(RawValue::from_string(text.to_owned()).unwrap())
}

pub fn put(table: &'static str, row: i64, text: &str) -> Change {
    Change {
        table,
        row,
        key: format!("{table}/{row}"),
        body: body(text),
    }
}

pub fn remove(table: &'static str, row: i64) -> Change {
    Change {
        table,
        row,
        key: format!("{table}/{row}"),
        body: None,
    }
}

pub fn commit(revision: u64, changes: Vec<Change>) -> Commit {
    Commit {
        revision,
        at: at(revision),
        changes,
    }
}

/// Revisions are a second apart.
pub fn at(revision: u64) -> Timestamp {
    Timestamp::from_millis(i64::try_from(revision).unwrap() * 1000)
}

/// Records by table and row: key, and body as a value (Postgres renders it its own way).
pub type Records = BTreeMap<(String, i64), (String, serde_json::Value)>;

pub async fn load(store: &Store) -> (Loaded, Records) {
    let mut records = Records::new();
    let loaded = store
        .load(|row| {
            let value = serde_json::from_str(row.body)?;
            let before =
                records.insert((row.table.to_owned(), row.row), (row.key.to_owned(), value));
            assert!(before.is_none(), "{} {} came twice", row.table, row.row);
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(loaded.rows, u64::try_from(records.len()).unwrap());
    (loaded, records)
}

pub fn apply(model: &mut Records, commit: &Commit) {
    for change in &commit.changes {
        let id = (change.table.to_owned(), change.row);
        match &change.body {
            Some(body) => {
                let value = serde_json::from_str(body.get()).unwrap();
                model.insert(id, (change.key.clone(), value));
            }
            None => {
                model.remove(&id);
            }
        }
    }
}

/// Waits until something holds.
pub async fn until(patience: std::time::Duration, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + patience;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "it never happened");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}

pub async fn fold_all(store: &Store) {
    while store.fold_once().await.unwrap().more {}
}

/// How many migrations there are: the newest version that this program knows.
pub fn newest_version() -> u32 {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/postgres");
    let files = std::fs::read_dir(folder).expect("the folder of migrations");
    u32::try_from(files.count()).expect("not so many")
}
