//! What must hold of the embedded store alone: its files, its lock, its disk.
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::name::Scope;
use berth_storage::{
    CommitError, LoadError, Location, LogError, LogLimits, LogStore, NewLogEvent, OpenError, Store,
    TABLES,
};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use sqlx::{ConnectOptions, Row, SqliteConnection};
use support::{Place, Records, apply, at, commit, fold_all, load, newest_version, put};

fn data_dir(place: &Place) -> &Path {
    let Location::Embedded { data_dir } = &place.location else {
        panic!()
    };
    data_dir
}

async fn database(place: &Place, file: &str) -> SqliteConnection {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(data_dir(place).join(file));
    options.connect().await.unwrap()
}

#[tokio::test]
async fn a_second_server_on_the_same_directory_is_refused_until_the_first_is_gone() {
    let place = Place::sqlite();
    let first = place.open().await;
    let error = Store::open(&place.location, &TABLES).await.unwrap_err();
    assert!(
        matches!(&error, OpenError::InUse { path } if path == data_dir(&place)),
        "{error:?}"
    );
    drop(first);
    place.open().await;
}

#[tokio::test]
async fn data_of_a_newer_version_is_refused_and_left_alone() {
    for file in ["journal.db", "state.db"] {
        let place = Place::sqlite();
        place.open().await.close().await;
        let mut other = database(&place, file).await;
        sqlx::query("INSERT INTO schema_version (version, written_by) VALUES (77, '8.1.0')")
            .execute(&mut other)
            .await
            .unwrap();
        let error = Store::open(&place.location, &TABLES).await.unwrap_err();
        let OpenError::Newer {
            found,
            known,
            written_by,
        } = &error
        else {
            panic!("{error:?}")
        };
        let seen = (*found, *known, written_by.as_str());
        assert_eq!(seen, (77, newest_version(), "8.1.0"));
    }
}

#[tokio::test]
async fn files_that_are_no_databases_or_no_pair_are_called_damaged() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.lead().await.unwrap();
    store
        .commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
    fold_all(&store).await;
    store.close().await;
    drop(store);
    let journal = data_dir(&place).join("journal.db");
    // The last connection to close takes the log into the file and removes it; one that was only
    // dropped closes a moment later.
    let log = data_dir(&place).join("journal.db-wal");
    let closed = async {
        while log.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let patience = Duration::from_secs(20);
    tokio::time::timeout(patience, closed).await.unwrap();
    let kept = std::fs::read(&journal).unwrap();

    std::fs::remove_file(&journal).unwrap();
    let error = Store::open(&place.location, &TABLES).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
    assert_eq!(
        error.to_string(),
        "the data is damaged: state.db holds revision 1, but journal.db was never past 0"
    );

    std::fs::write(&journal, vec![b'x'; kept.len()]).unwrap();
    let error = Store::open(&place.location, &TABLES).await.unwrap_err();
    assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");

    std::fs::write(&journal, kept).unwrap();
    assert_eq!(load(&place.open().await).await.0.revision, 1);
}

#[tokio::test]
async fn a_commit_that_cannot_be_read_is_named_and_can_be_set_aside() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.lead().await.unwrap();
    for revision in 1..=3 {
        let row = i64::try_from(revision).unwrap();
        store
            .commit(&commit(revision, vec![put("task", row, "{}")]))
            .await
            .unwrap();
    }
    let mut journal = database(&place, "journal.db").await;
    let damage = "UPDATE journal SET changes = CAST(x'5b22ff' AS TEXT) WHERE revision = 2";
    sqlx::query(damage).execute(&mut journal).await.unwrap();
    let error = store.load(|_| Ok(())).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        r#"the record "2" in table journal (row 2) cannot be read"#
    );
    assert!(matches!(
        store.fold_once().await,
        Err(LoadError::CorruptRow { .. })
    ));
    assert!(store.set_aside("journal", "2").await.unwrap());
    let (loaded, records) = load(&store).await;
    assert_eq!((loaded.revision, records.len()), (3, 2));
    let mut state = database(&place, "state.db").await;
    let kept = sqlx::query("SELECT CAST(body AS BLOB) FROM set_aside")
        .fetch_one(&mut state)
        .await;
    assert_eq!(kept.unwrap().get::<Vec<u8>, _>(0), b"[\"\xff");
}

/// Whatever was copied at one instant of the files, as a crash of the machine may leave them,
/// holds at least what was acknowledged before and nothing by halves.
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_between_folding_and_deleting_repeats_nothing() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.lead().await.unwrap();
    let mut model = Records::new();
    for revision in 1..=5 {
        let commit = commit(
            revision,
            vec![put("task", 1, &format!("{{\"n\":{revision}}}"))],
        );
        store.commit(&commit).await.unwrap();
        apply(&mut model, &commit);
    }
    store.close().await;
    drop(store);
    let unfolded = std::fs::read(data_dir(&place).join("journal.db")).unwrap();
    let store = place.open().await;
    fold_all(&store).await;
    store.close().await;
    drop(store);
    // The tables are folded, the journal still has every row.
    std::fs::write(data_dir(&place).join("journal.db"), unfolded).unwrap();
    let store = place.open().await;
    assert_eq!(load(&store).await.1, model);
    store.lead().await.unwrap();
    let next = commit(6, vec![put("task", 2, "{}")]);
    store.commit(&next).await.unwrap();
    apply(&mut model, &next);
    assert_eq!(store.fold_once().await.unwrap().rows, 1);
    assert_eq!(load(&store).await.1, model);
}

/// However fast commits come, and also when nobody folds beside them.
#[tokio::test(flavor = "multi_thread")]
async fn the_journal_stays_within_bounds_and_becomes_small_again() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.lead().await.unwrap();
    let large = format!("\"{}\"", "x".repeat(1 << 20));
    let length = |file: &str| {
        let path = data_dir(&place).join(file);
        std::fs::metadata(path).map_or(0, |metadata| metadata.len())
    };
    for revision in 1..=200 {
        let row = i64::try_from(revision % 5).unwrap();
        let change = put("task", row, &large);
        store.commit(&commit(revision, vec![change])).await.unwrap();
        let journal = length("journal.db") + length("journal.db-wal");
        assert!(
            journal < 200 << 20,
            "{journal} bytes at revision {revision}"
        );
        assert!(length("journal.db") < 80 << 20);
    }
    fold_all(&store).await;
    assert_eq!(load(&store).await.1.len(), 5);
    // The checkpoint after the last one finds the file shorter.
    store.fold_once().await.unwrap();
    assert!(length("journal.db") < 20 << 20, "{}", length("journal.db"));
    assert_eq!(load(&store).await.0.revision, 200);
}

#[tokio::test]
async fn a_store_that_was_filled_by_half_is_called_so() {
    let source = Place::sqlite();
    let store = source.open().await;
    store.lead().await.unwrap();
    for revision in 1..=3 {
        let change = put("task", i64::try_from(revision).unwrap(), "{}");
        store.commit(&commit(revision, vec![change])).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    store.backup(&file).await.unwrap();
    // A row that no store takes: the restore ends in the middle.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file);
    let mut backup = options.connect().await.unwrap();
    sqlx::query("UPDATE task SET body = CAST(x'ff' AS TEXT) WHERE row = 3")
        .execute(&mut backup)
        .await
        .unwrap();
    drop(backup);
    for place in [Place::sqlite(), Place::postgres()] {
        let target = place.open().await;
        berth_storage::restore(&file, &target).await.unwrap_err();
        target.close().await;
        drop(target);
        let error = Store::open(&place.location, &TABLES).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the data is damaged: a restore into it was never finished; \
             empty it, and start that again"
        );
    }
}

/// Set in the process that a test starts to be killed, or to have a small disk.
const CHILD: &str = "BERTH_STORAGE_TEST_CHILD";

fn rerun(test: &str, argument: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", test, "--nocapture"])
        .env(CHILD, argument);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn every_acknowledged_commit_survives_kill_9() {
    if let Some(data_dir) = std::env::var_os(CHILD) {
        commit_until_killed(Path::new(&data_dir)).await;
    }
    let place = Place::sqlite();
    let mut runner = TestRunner::default();
    let mut acknowledged = 0;
    for _ in 0..25 {
        let acknowledgements = (0_usize..150).new_tree(&mut runner).unwrap().current();
        let mut child = rerun(
            "every_acknowledged_commit_survives_kill_9",
            data_dir(&place),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let revisions = lines.filter_map(|line| line.ok()?.strip_prefix("ack ")?.parse().ok());
        let mut last: Option<u64> = None;
        for (count, revision) in revisions.enumerate() {
            assert!(last.is_none_or(|last| revision == last + 1) && revision > acknowledged);
            last = Some(revision);
            if count == acknowledgements {
                child.kill().unwrap();
                // What it still said before the signal reached it counts, too.
            }
        }
        child.wait().unwrap();
        acknowledged = last.unwrap();

        let (loaded, records) = load(&place.open().await).await;
        assert!(
            loaded.revision >= acknowledged,
            "{} < {acknowledged}",
            loaded.revision
        );
        for revision in 1..=loaded.revision {
            let row = i64::try_from(revision).unwrap();
            assert_eq!(records[&("task".to_owned(), row)].1["n"], revision);
        }
    }
    assert!(acknowledged > 500);
}

async fn commit_until_killed(data_dir: &Path) -> ! {
    let location = Location::Embedded {
        data_dir: data_dir.to_owned(),
    };
    let store = Store::open(&location, &TABLES).await.unwrap();
    store.lead().await.unwrap();
    let mut revision = load(&store).await.0.revision;
    let folding = store.clone();
    tokio::spawn(async move {
        loop {
            folding.fold_once().await.unwrap();
            tokio::task::yield_now().await;
        }
    });
    loop {
        revision += 1;
        let row = i64::try_from(revision).unwrap();
        let change = put("task", row, &format!("{{\"n\":{revision}}}"));
        store.commit(&commit(revision, vec![change])).await.unwrap();
        println!("ack {revision}");
    }
}

/// Runs itself again in a mount namespace of its own, where it may make a small file system.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_until_there_is_room_again() {
    if let Some(dir) = std::env::var_os(CHILD) {
        return fill_a_small_disk(Path::new(&dir)).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let inner = rerun(
        "a_full_disk_refuses_writes_until_there_is_room_again",
        dir.path(),
    );
    let mut outer = Command::new("unshare");
    outer
        .args(["--map-root-user", "--mount"])
        .arg(inner.get_program())
        .args(inner.get_args());
    outer.env(CHILD, dir.path());
    let output = outer.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

fn mount(options: &str, dir: &Path) {
    let mut command = Command::new("mount");
    command
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(dir);
    assert!(command.status().unwrap().success());
}

async fn fill_a_small_disk(dir: &Path) {
    mount("size=3m", dir);
    let place = Place {
        location: Location::Embedded {
            data_dir: dir.join("data"),
        },
        dir: None,
    };
    let store = place.open().await;
    let limits = LogLimits {
        group_bytes_max: 1 << 30,
        all_bytes_max: 1 << 30,
    };
    let logs = LogStore::open_embedded(&dir.join("data"), limits)
        .await
        .unwrap();
    let account = "123456789012".parse().unwrap();
    let scope = Scope {
        account,
        region: "eu-central-1".parse().unwrap(),
    };
    let group = LogGroupKey {
        scope,
        name: "web".into(),
    };
    let stream = LogStreamKey {
        group: group.clone(),
        name: "a".into(),
    };
    let line = || {
        vec![NewLogEvent {
            timestamp: at(1),
            message: "x".repeat(100_000),
        }]
    };
    logs.put(&stream, line(), at(1)).await.unwrap();

    store.lead().await.unwrap();
    let (mut model, mut revision) = (Records::new(), 0);
    let next = |revision: u64| {
        let row = i64::try_from(revision).unwrap();
        commit(
            revision,
            vec![put("task", row, &format!("\"{}\"", "x".repeat(30_000)))],
        )
    };
    let refused = loop {
        let commit = next(revision + 1);
        match store.commit(&commit).await {
            Ok(()) => apply(&mut model, &commit),
            Err(error) => break error,
        }
        revision += 1;
        assert!(revision < 1000, "the disk never filled");
    };
    assert!(
        matches!(refused, CommitError::Unavailable(_)),
        "{refused:?}"
    );
    assert!(revision > 10);
    // Not a byte is left.
    let filler = dir.join("filler");
    let mut file = std::fs::File::create(&filler).unwrap();
    while file.write_all(&[0; 512]).is_ok() {}
    for _ in 0..3 {
        let error = store.commit(&next(revision + 1)).await.unwrap_err();
        assert!(matches!(error, CommitError::Unavailable(_)), "{error:?}");
        store.fold_once().await.unwrap_err();
        let error = logs.put(&stream, line(), at(1)).await.unwrap_err();
        assert!(matches!(error, LogError::Unavailable { .. }), "{error:?}");
        // Reading goes on.
        let (loaded, records) = load(&store).await;
        assert_eq!((loaded.revision, &records), (revision, &model));
        assert_eq!(logs.stats(&group).await.unwrap()[0].1.events, 1);
    }

    std::fs::remove_file(&filler).unwrap();
    mount("remount,size=30m", dir);
    for _ in 0..20 {
        revision += 1;
        let commit = next(revision);
        store.commit(&commit).await.unwrap();
        apply(&mut model, &commit);
    }
    fold_all(&store).await;
    logs.put(&stream, line(), at(1)).await.unwrap();
    drop(store);
    let store = place.open().await;
    assert_eq!(load(&store).await.1, model);
    assert_eq!(logs.stats(&group).await.unwrap()[0].1.events, 2);
}
