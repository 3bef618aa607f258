//! What must hold on SQLite and on Postgres alike.
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod support;

use std::error::Error;

use berth_storage::{
    CommitError, Epoch, LoadError, OpenError, PastTask, Resolved, Store, StoreError, TABLES, Tail,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::{Place, Records, apply, at, commit, fold_all, load, put, remove};

on_both_stores! {
    an_empty_store_loads_as_revision_zero,
    what_was_committed_is_there_after_a_restart,
    tables_come_in_the_order_asked_for,
    tables_of_others_are_refused,
    an_epoch_is_never_given_twice,
    a_writer_of_an_older_epoch_is_deposed_and_leaves_nothing,
    a_revision_out_of_turn_is_refused,
    resolving_tells_applied_from_not_applied,
    random_commits_folds_and_restarts_load_as_the_model_says,
    a_large_backlog_folds_in_bounded_batches,
    folding_goes_on_beside_commits_and_loads,
    a_record_that_cannot_be_read_is_named_and_can_be_set_aside,
    a_standby_follows_the_journal_or_is_told_of_the_gap,
    a_dropped_commit_is_whole_or_absent,
    the_folders_loop_folds_and_ends_when_told,
    a_backup_taken_beside_commits_restores_to_one_revision_anywhere,
    stopped_tasks_are_kept_found_and_trimmed,
    history_is_written_beside_commits_and_foldings,
}

async fn an_empty_store_loads_as_revision_zero(place: Place) {
    let store = place.open().await;
    let (loaded, records) = load(&store).await;
    assert_eq!((loaded.revision, loaded.at.as_millis()), (0, 0));
    assert!(records.is_empty());
    assert_eq!(store.epoch(), Epoch(0));
}

async fn what_was_committed_is_there_after_a_restart(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let odd = r#"{"text":"\"é\\n\u0001 😀","big":9007199254740993,"none":null,"nested":[[],{}]}"#;
    let first = commit(1, vec![put("task", 1, odd), put("cluster", -5, "{}")]);
    let second = commit(2, vec![put("task", 2, r#"{"n":2}"#), remove("cluster", -5)]);
    store.commit(&first).await.unwrap();
    store.commit(&second).await.unwrap();
    let mut model = Records::new();
    apply(&mut model, &first);
    apply(&mut model, &second);
    let unfolded = load(&store).await;
    assert_eq!(unfolded.1, model);
    drop(store);

    let store = place.open().await;
    assert_eq!(load(&store).await, unfolded);
    fold_all(&store).await;
    let (loaded, records) = load(&store).await;
    assert_eq!((loaded.revision, loaded.at), (2, at(2)));
    assert_eq!(records, model);
    store.close().await;
    drop(store);
    assert_eq!(load(&place.open().await).await, unfolded);
}

async fn tables_come_in_the_order_asked_for(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let all = TABLES
        .iter()
        .rev()
        .map(|table| put(table, 1, "{}"))
        .collect();
    store.commit(&commit(1, all)).await.unwrap();
    fold_all(&store).await;
    let again = TABLES
        .iter()
        .rev()
        .map(|table| put(table, 2, "{}"))
        .collect();
    store.commit(&commit(2, again)).await.unwrap();
    let mut order = Vec::new();
    store
        .load(|row| {
            order.push(row.table);
            Ok(())
        })
        .await
        .unwrap();
    let twice: Vec<_> = TABLES.iter().flat_map(|table| [*table, *table]).collect();
    assert_eq!(order, twice);
}

async fn tables_of_others_are_refused(place: Place) {
    let error = Store::open(&place.location, &["cluster", "moon"])
        .await
        .unwrap_err();
    assert!(matches!(error, OpenError::Tables(_)), "{error:?}");
}

async fn an_epoch_is_never_given_twice(place: Place) {
    let store = place.open().await;
    let first = store.lead().await.unwrap();
    let second = store.lead().await.unwrap();
    assert!(second > first);
    drop(store);
    let store = place.open().await;
    assert!(store.lead().await.unwrap() > second);
    assert!(store.epoch() > second);
}

async fn a_writer_of_an_older_epoch_is_deposed_and_leaves_nothing(place: Place) {
    let store = place.open().await;
    // It never led in this process.
    store.lead().await.unwrap();
    drop(store);
    let store = place.open().await;
    let error = store
        .commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap_err();
    assert!(matches!(error, CommitError::Deposed), "{error:?}");
    assert_eq!(load(&store).await.0.revision, 0);
    store.lead().await.unwrap();
    store
        .commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
}

async fn a_revision_out_of_turn_is_refused(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    store.commit(&commit(1, vec![])).await.unwrap();
    for revision in [0, 1, 3] {
        let error = store.commit(&commit(revision, vec![])).await.unwrap_err();
        assert!(matches!(error, CommitError::Deposed), "{error:?}");
    }
    store
        .commit(&commit(2, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
    assert_eq!(load(&store).await.0.revision, 2);
}

async fn resolving_tells_applied_from_not_applied(place: Place) {
    let store = place.open().await;
    let before = store.lead().await.unwrap();
    store.commit(&commit(1, vec![])).await.unwrap();
    assert_eq!(store.resolve_unknown(1).await.unwrap(), Resolved::Applied);
    assert_eq!(
        store.resolve_unknown(2).await.unwrap(),
        Resolved::NotApplied
    );
    assert_eq!(store.resolve_unknown(3).await.unwrap(), Resolved::Deposed);
    assert!(store.epoch() > before);
    store.commit(&commit(2, vec![])).await.unwrap();
}

/// One step of a store's life.
#[derive(Clone, Debug)]
enum Step {
    /// Changes as (table, row, body's number; `None` removes).
    Commit(Vec<(usize, i64, Option<u8>)>),
    Fold,
    /// Drops the store without closing it.
    Crash,
    Close,
    Load,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let change = (
        0..TABLES.len(),
        0_i64..6,
        proptest::option::weighted(0.7, any::<u8>()),
    );
    prop::collection::vec(
        prop_oneof![
            6 => prop::collection::vec(change, 0..6).prop_map(Step::Commit),
            2 => Just(Step::Fold),
            1 => Just(Step::Crash),
            1 => Just(Step::Close),
            1 => Just(Step::Load),
        ],
        1..25,
    )
}

async fn random_commits_folds_and_restarts_load_as_the_model_says(place: Place) {
    let mut runner = TestRunner::default();
    let (mut model, mut revision) = (Records::new(), 0);
    let mut store = place.open().await;
    store.lead().await.unwrap();
    for _ in 0..20 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        for step in &steps {
            match step {
                Step::Commit(changes) => {
                    revision += 1;
                    let changes = changes.iter().map(|(table, row, number)| match number {
                        Some(number) => put(TABLES[*table], *row, &format!("{{\"n\":{number}}}")),
                        None => remove(TABLES[*table], *row),
                    });
                    let commit = commit(revision, changes.collect());
                    store.commit(&commit).await.unwrap();
                    apply(&mut model, &commit);
                }
                Step::Fold => {
                    let folded = store.fold_once().await.unwrap();
                    assert_eq!(folded.up_to_revision, revision);
                }
                Step::Crash | Step::Close => {
                    if matches!(step, Step::Close) {
                        store.close().await;
                    }
                    drop(store);
                    store = place.open().await;
                    store.lead().await.unwrap();
                }
                Step::Load => {}
            }
            let (loaded, records) = load(&store).await;
            assert_eq!(loaded.revision, revision, "after {step:?} of {steps:?}");
            assert_eq!(records, model, "after {step:?} of {steps:?}");
        }
    }
}

async fn a_large_backlog_folds_in_bounded_batches(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let mut model = Records::new();
    // Random digits, so that nothing shrinks them.
    let mut runner = TestRunner::deterministic();
    let digits = prop::collection::vec(0..10_u8, 1 << 20);
    for revision in 1..=11 {
        let digits = digits.new_tree(&mut runner).unwrap().current();
        let text: String = digits.iter().map(|d| char::from(b'0' + d)).collect();
        let row = i64::try_from(revision).unwrap() % 4;
        let commit = commit(
            revision,
            vec![put("task", row, &format!("{{\"t\":\"{text}\"}}"))],
        );
        store.commit(&commit).await.unwrap();
        apply(&mut model, &commit);
    }
    let mut batches = 1;
    while store.fold_once().await.unwrap().more {
        batches += 1;
        assert_eq!(load(&store).await.1, model);
    }
    assert!(batches > 2, "{batches}");
    assert_eq!(load(&store).await.1, model);
    assert_eq!(store.fold_once().await.unwrap().rows, 0);
}

async fn folding_goes_on_beside_commits_and_loads(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let committing = store.clone();
    let last = 400;
    let writer = tokio::spawn(async move {
        for revision in 1..=last {
            let row = i64::try_from(revision % 7).unwrap();
            let change = put("task", row, &format!("{{\"n\":{revision}}}"));
            committing
                .commit(&commit(revision, vec![change]))
                .await
                .unwrap();
        }
    });
    // Whatever instant a load sees, it is one revision's state and no mixture.
    while !writer.is_finished() {
        store.fold_once().await.unwrap();
        let (loaded, records) = load(&store).await;
        for ((_, row), (_, value)) in &records {
            let newest = (0..=loaded.revision)
                .rev()
                .find(|revision| i64::try_from(revision % 7).unwrap() == *row)
                .unwrap();
            assert_eq!(
                value["n"], newest,
                "row {row} at revision {}",
                loaded.revision
            );
        }
    }
    writer.await.unwrap();
    assert_eq!(load(&store).await.0.revision, last);
}

async fn a_record_that_cannot_be_read_is_named_and_can_be_set_aside(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let good = put("task", 1, r#"{"n":1}"#);
    store
        .commit(&commit(1, vec![good, put("task", 2, r#"{"n":"bad"}"#)]))
        .await
        .unwrap();
    let load_numbers = async |store: &Store| {
        let numbers = |row: berth_storage::LoadedRow<'_>| {
            let value: serde_json::Value = serde_json::from_str(row.body)?;
            value["n"].as_u64().ok_or("n is not a number")?;
            Ok(())
        };
        store.load(numbers).await
    };
    for folded in [false, true] {
        if folded {
            fold_all(&store).await;
        }
        let error = load_numbers(&store).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"the record "task/2" in table task (row 2) cannot be read"#
        );
        assert_eq!(error.source().unwrap().to_string(), "n is not a number");
    }
    assert!(!store.set_aside("task", "task/3").await.unwrap());
    assert!(
        !store
            .set_aside("moon; DROP TABLE task", "task/2")
            .await
            .unwrap()
    );
    assert!(!store.set_aside("journal", "99").await.unwrap());
    assert!(store.set_aside("task", "task/2").await.unwrap());
    assert_eq!(load_numbers(&store).await.unwrap().rows, 1);
    assert!(!store.set_aside("task", "task/2").await.unwrap());
}

async fn a_standby_follows_the_journal_or_is_told_of_the_gap(place: Place) {
    let store = place.open().await;
    let epoch = store.lead().await.unwrap();
    let Tail::Commits(none) = store.tail(0).await.unwrap() else {
        panic!()
    };
    assert!(none.is_empty());
    let last = 300;
    for revision in 1..=last {
        let change = put("task", 1, &format!("{{\"n\": {revision}}}"));
        store
            .commit(&commit(revision, vec![change, remove("cluster", 9)]))
            .await
            .unwrap();
    }
    // From anywhere, in bounded pieces, to the end.
    for start in [0, 17, last] {
        let mut known = start;
        loop {
            let Tail::Commits(commits) = store.tail(known).await.unwrap() else {
                panic!()
            };
            if commits.is_empty() {
                break;
            }
            for tailed in commits {
                known += 1;
                assert_eq!(
                    (tailed.revision, tailed.epoch, tailed.at),
                    (known, epoch, at(known))
                );
                let [task, cluster] = &tailed.changes[..] else {
                    panic!("{tailed:?}")
                };
                assert_eq!(
                    (task.table, task.row, task.key.as_str()),
                    ("task", 1, "task/1")
                );
                let body: serde_json::Value =
                    serde_json::from_str(task.body.as_ref().unwrap().get()).unwrap();
                assert_eq!(body["n"], known);
                assert!(cluster.body.is_none());
            }
        }
        assert_eq!(known, last);
    }
    // More than there is: the database was restored.
    assert!(matches!(store.tail(last + 1).await.unwrap(), Tail::Gap));
}

async fn a_dropped_commit_is_whole_or_absent(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let (mut model, mut revision) = (Records::new(), 0);
    for polls in 0..60 {
        let next = commit(
            revision + 1,
            vec![put("task", 1, &format!("{{\"n\":{polls}}}"))],
        );
        let done = {
            let mut committing = Box::pin(store.commit(&next));
            let mut done = false;
            for _ in 0..polls {
                let yielding = std::pin::pin!(tokio::task::yield_now());
                match futures_util::future::select(committing.as_mut(), yielding).await {
                    futures_util::future::Either::Left((result, _)) => {
                        result.unwrap();
                        done = true;
                        break;
                    }
                    futures_util::future::Either::Right(_) => {}
                }
            }
            done
        };
        let resolved = store.resolve_unknown(revision + 1).await.unwrap();
        assert!(!done || resolved == Resolved::Applied);
        if resolved == Resolved::Applied {
            revision += 1;
            apply(&mut model, &next);
        }
        let (loaded, records) = load(&store).await;
        assert_eq!((loaded.revision, &records), (revision, &model));
    }
}

async fn the_folders_loop_folds_and_ends_when_told(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    store
        .commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
    let cancel = tokio_util::sync::CancellationToken::new();
    let folder = tokio::spawn(berth_storage::run_folder(
        store.clone(),
        cancel.clone(),
        |_, _| {},
    ));
    let folded = async { while store.folded_revision().await.unwrap() < 1 {} };
    tokio::time::timeout(std::time::Duration::from_secs(20), folded)
        .await
        .unwrap();
    cancel.cancel();
    tokio::time::timeout(std::time::Duration::from_secs(20), folder)
        .await
        .unwrap()
        .unwrap();
}

/// Every future can be spawned; this need not run, only compile.
#[allow(dead_code, reason = "the compiler's proof is all that is wanted")]
fn futures_are_send(store: &Store, place: &Place) {
    fn send(_: impl Send) {}
    let commit = commit(1, vec![]);
    send(Store::open(&place.location, &TABLES));
    send(store.load(|_| Ok(())));
    send(store.lead());
    send(store.acquire_lease("", std::time::Duration::ZERO));
    send(store.commit(&commit));
    send(store.resolve_unknown(1));
    send(store.fold_once());
    send(store.tail(1));
    send(store.set_aside("", ""));
    send(store.backup(std::path::Path::new("")));
    send(store.move_to(store));
    send(berth_storage::restore(std::path::Path::new(""), store));
    send(store.close());
}

#[test]
fn errors_name_what_failed_and_keep_the_cause() {
    let cause = StoreError::Unavailable {
        doing: "read the journal",
        source: "no route".into(),
    };
    let error = LoadError::from(cause);
    assert_eq!(error.to_string(), "could not read the journal");
    assert_eq!(error.source().unwrap().to_string(), "no route");
}

async fn a_backup_taken_beside_commits_restores_to_one_revision_anywhere(place: Place) {
    let store = place.open().await;
    let epoch = store.lead().await.unwrap();
    let mut states = vec![Records::new()];
    let commits: Vec<_> = (1..=120)
        .map(|revision| {
            let row = i64::try_from(revision % 9).unwrap();
            let commit = match revision % 4 {
                0 => commit(revision, vec![remove("task", row)]),
                _ => commit(
                    revision,
                    vec![put("task", row, &format!("{{\"n\":{revision}}}"))],
                ),
            };
            let mut state = states.last().unwrap().clone();
            apply(&mut state, &commit);
            states.push(state);
            commit
        })
        .collect();
    let committing = store.clone();
    let writer = tokio::spawn(async move {
        for commit in commits {
            committing.commit(&commit).await.unwrap();
            if commit.revision % 10 == 0 {
                committing.fold_once().await.unwrap();
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    while !writer.is_finished() {
        store.backup(&file).await.unwrap();
    }
    writer.await.unwrap();
    let last = store.backup(&file).await.unwrap();
    assert_eq!(last.revision, 120);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "one file, nothing beside it"
    );

    for target in [Place::sqlite(), Place::postgres()] {
        let restored = target.open().await;
        assert_eq!(
            berth_storage::restore(&file, &restored).await.unwrap(),
            last
        );
        drop(restored);
        let restored = target.open().await;
        let (loaded, records) = load(&restored).await;
        assert_eq!(loaded, last);
        assert_eq!(&records, states.last().unwrap());
        assert!(restored.lead().await.unwrap() > Epoch(epoch.0 + 1000));
        restored
            .commit(&commit(121, vec![put("task", 1, "{}")]))
            .await
            .unwrap();
        let error = berth_storage::restore(&file, &restored).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the target is not empty: it is at revision 121"
        );

        let moved = Place::postgres().open().await;
        restored.move_to(&moved).await.unwrap();
        assert_eq!(load(&moved).await, load(&restored).await);
    }
}

fn past(n: u64, cluster: &str) -> PastTask {
    PastTask {
        key: format!("{n:032x}"),
        cluster: cluster.to_owned(),
        stopped_at: at(n),
        body: format!(r#"{{"taskArn": "{n}", "reason": "\"é\n😀"}}"#),
    }
}

fn keys(numbers: impl IntoIterator<Item = u64>) -> Vec<String> {
    numbers.into_iter().map(|n| past(n, "").key).collect()
}

/// The numbers of the tasks that are found.
async fn found(store: &Store, cluster: &str, asked: &[String]) -> Vec<u64> {
    let found = store.history(cluster, asked).await.unwrap();
    let mut numbers: Vec<u64> = found
        .iter()
        .map(|(key, body)| {
            let body: serde_json::Value = serde_json::from_str(body).unwrap();
            let number: u64 = body["taskArn"].as_str().unwrap().parse().unwrap();
            assert_eq!(body["reason"], "\"é\n😀");
            assert_eq!(*key, past(number, "").key);
            number
        })
        .collect();
    numbers.sort_unstable();
    numbers
}

async fn stopped_tasks_are_kept_found_and_trimmed(place: Place) {
    let store = place.open().await;
    let all: Vec<PastTask> = (1..=200).map(|n| past(n, "a")).collect();
    store.keep_history(&all).await.unwrap();
    store.keep_history(&[past(300, "b")]).await.unwrap();
    store.keep_history(&[]).await.unwrap();
    // Again, as one does who has not heard how it ended.
    store.keep_history(&all[50..150]).await.unwrap();
    drop(store);

    let store = place.open().await;
    assert_eq!(found(&store, "a", &keys(1..=200)).await.len(), 200);
    assert_eq!(found(&store, "a", &keys([7, 300, 999])).await, [7]);
    assert_eq!(found(&store, "b", &keys([7, 300])).await, [300]);
    assert!(found(&store, "a", &[]).await.is_empty());
    // The oldest go first, a bounded number at a time.
    assert_eq!(store.trim_history(at(101), 60).await.unwrap(), 60);
    assert_eq!(found(&store, "a", &keys([60, 61])).await, [61]);
    assert_eq!(store.trim_history(at(101), 60).await.unwrap(), 40);
    assert_eq!(store.trim_history(at(101), 60).await.unwrap(), 0);
    assert_eq!(found(&store, "a", &keys([100, 101])).await, [101]);
    store.close().await;
}

async fn history_is_written_beside_commits_and_foldings(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let keeping = async {
        for batch in 0..20_u64 {
            let first = batch * 50 + 1;
            let some: Vec<PastTask> = (first..first + 50).map(|n| past(n, "a")).collect();
            store.keep_history(&some).await.unwrap();
            assert_eq!(found(&store, "a", &keys([first])).await, [first]);
        }
    };
    let committing = async {
        for revision in 1..=100 {
            let row = i64::try_from(revision).unwrap();
            let change = put("task", row, r#"{"n":1}"#);
            store.commit(&commit(revision, vec![change])).await.unwrap();
            if revision % 10 == 0 {
                store.fold_once().await.unwrap();
            }
        }
    };
    tokio::join!(keeping, committing);
    assert_eq!(found(&store, "a", &keys(1..=1000)).await.len(), 1000);
    assert_eq!(load(&store).await.0.revision, 100);
    store.close().await;
}
