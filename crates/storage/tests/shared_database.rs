//! What must hold of Postgres alone: the lease, and connections and servers that die.
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod support;

use std::time::Duration;

use berth_storage::{
    CommitError, Epoch, LoadError, OpenError, Resolved, Store, StoreError, TABLES, Tail,
};
use support::postgres::Cluster;
use support::{Place, Records, apply, commit, fold_all, load, newest_version, put};

const LONG: Duration = Duration::from_secs(600);

#[tokio::test]
async fn one_server_leads_at_a_time_and_the_next_has_a_higher_epoch() {
    let place = Place::postgres();
    let (one, two) = (place.open().await, place.open().await);
    let first = one.acquire_lease("one", LONG).await.unwrap().unwrap();
    assert_eq!(two.acquire_lease("two", LONG).await.unwrap(), None);
    one.commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
    one.renew_lease(LONG).await.unwrap();
    assert!(matches!(
        two.renew_lease(LONG).await,
        Err(StoreError::Deposed)
    ));
    // Who holds it may take it again.
    let again = one.acquire_lease("one", LONG).await.unwrap().unwrap();
    assert!(again > first);

    one.release_lease().await.unwrap();
    let second = two
        .acquire_lease("two", Duration::ZERO)
        .await
        .unwrap()
        .unwrap();
    assert!(second > again);
    let error = one.commit(&commit(2, vec![])).await.unwrap_err();
    assert!(matches!(error, CommitError::Deposed), "{error:?}");
    assert!(matches!(
        one.renew_lease(LONG).await,
        Err(StoreError::Deposed)
    ));
    assert_eq!(one.resolve_unknown(2).await.unwrap(), Resolved::Deposed);
    // Releasing what is another's does nothing.
    one.release_lease().await.unwrap();
    two.commit(&commit(2, vec![])).await.unwrap();
    // The second lease ran out at once.
    assert!(one.acquire_lease("one", LONG).await.unwrap().unwrap() > second);
    assert!(matches!(
        two.commit(&commit(3, vec![])).await,
        Err(CommitError::Deposed)
    ));
}

#[tokio::test]
async fn a_standby_follows_while_the_leader_folds_and_takes_over_without_loading() {
    let place = Place::postgres();
    let (leader, standby) = (place.open().await, place.open().await);
    leader.acquire_lease("leader", LONG).await.unwrap().unwrap();
    let (mut known, mut records) = (load(&standby).await.0.revision, Records::new());
    for revision in 1..=20 {
        let change = put(
            "task",
            i64::try_from(revision % 3).unwrap(),
            &format!("[{revision}]"),
        );
        leader
            .commit(&commit(revision, vec![change]))
            .await
            .unwrap();
        fold_all(&leader).await;
        if revision % 5 == 0 {
            let Tail::Commits(commits) = standby.tail(known).await.unwrap() else {
                panic!()
            };
            for tailed in commits {
                known = tailed.revision;
                apply(&mut records, &commit(tailed.revision, tailed.changes));
            }
            assert_eq!((known, &records), (revision, &load(&leader).await.1));
        }
    }
    leader.release_lease().await.unwrap();
    standby
        .acquire_lease("standby", LONG)
        .await
        .unwrap()
        .unwrap();
    standby.commit(&commit(known + 1, vec![])).await.unwrap();
    // Rows that are gone from the journal are a gap.
    let remove = format!("DELETE FROM {}.journal WHERE revision < 10", place.schema());
    Cluster::shared().psql(&remove);
    assert!(matches!(standby.tail(5).await.unwrap(), Tail::Gap));
    assert!(matches!(standby.tail(9).await.unwrap(), Tail::Commits(_)));
}

#[tokio::test]
async fn what_the_database_refuses_as_data_is_refused_whole() {
    let place = Place::postgres();
    let store = place.open().await;
    store.lead().await.unwrap();
    let bad = commit(
        1,
        vec![put("task", 1, "{}"), put("task", 2, r#"{"t":"\u0000"}"#)],
    );
    for _ in 0..2 {
        let error = store.commit(&bad).await.unwrap_err();
        assert!(matches!(error, CommitError::Refused(_)), "{error:?}");
    }
    assert_eq!(load(&store).await.0.revision, 0);
    store
        .commit(&commit(1, vec![put("task", 1, "{}")]))
        .await
        .unwrap();
    fold_all(&store).await;
    assert_eq!(load(&store).await.0.rows, 1);
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let place = Place::postgres();
    place.open().await;
    let schema = place.schema();
    let newer = format!("INSERT INTO {schema}.schema_version VALUES (77, '8.1.0')");
    Cluster::shared().psql(&newer);
    let error = Store::open(&place.location, &TABLES).await.unwrap_err();
    let OpenError::Newer { found, known, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!((*found, *known), (77, newest_version()));
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_start_together_share_one_schema() {
    let place = Place::postgres();
    let opened = (0..16).map(|_| {
        let location = place.location.clone();
        tokio::spawn(async move { Store::open(&location, &TABLES).await.unwrap() })
    });
    for store in opened.collect::<Vec<_>>() {
        load(&store.await.unwrap()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn resolving_waits_for_the_doubtful_transaction() {
    let place = Place::postgres();
    let store = place.open().await;
    let epoch = store.lead().await.unwrap();
    // A commit as the store makes it, that takes its time before it ends.
    let schema = place.schema().to_owned();
    let slow = format!(
        "BEGIN; UPDATE {schema}.lease SET revision = 1, at = 1000 WHERE revision = 0; \
         INSERT INTO {schema}.journal VALUES (1, {}, 1000, '[]'); SELECT pg_sleep(1.5); COMMIT",
        epoch.0
    );
    let doubtful = tokio::task::spawn_blocking(move || Cluster::shared().psql(&slow));
    let under_way = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%{schema}.journal%' \
         AND wait_event = 'PgSleep'",
        schema = place.schema()
    );
    while Cluster::shared().psql(&under_way) != "1" {}
    assert_eq!(store.resolve_unknown(1).await.unwrap(), Resolved::Applied);
    doubtful.await.unwrap();
    assert!(store.epoch() > epoch);
}

/// Commits, and does what a server does about each outcome, until `last`. Answers the model.
async fn commit_through_trouble(store: &Store, last: u64) -> Records {
    let (mut model, mut revision) = (Records::new(), 0);
    let deadline = tokio::time::Instant::now() + Duration::from_secs(120);
    while revision < last {
        assert!(
            tokio::time::Instant::now() < deadline,
            "stuck at revision {revision}"
        );
        let change = put(
            "task",
            i64::try_from(revision % 50).unwrap(),
            &format!("[{revision}]"),
        );
        let next = commit(revision + 1, vec![change]);
        let applied = match store.commit(&next).await {
            Ok(()) => true,
            Err(CommitError::Unavailable(_)) => false,
            Err(CommitError::Unknown(_)) => loop {
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "stuck at revision {revision}"
                );
                match store.resolve_unknown(revision + 1).await {
                    Ok(Resolved::Applied) => break true,
                    Ok(Resolved::NotApplied) => break false,
                    Ok(Resolved::Deposed) => panic!("nobody else leads"),
                    Err(_) => tokio::task::yield_now().await,
                }
            },
            Err(error) => panic!("{error:?}"),
        };
        if applied {
            revision += 1;
            apply(&mut model, &next);
        }
    }
    model
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_die_in_mid_commit_lose_and_double_nothing() {
    let cluster = Cluster::start();
    let store = Place::on(&cluster).open().await;
    store.acquire_lease("one", LONG).await.unwrap().unwrap();
    let committing = store.clone();
    let writer = tokio::spawn(async move { commit_through_trouble(&committing, 1500).await });
    let mut killed = 0;
    while !writer.is_finished() {
        let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                    WHERE application_name = 'berth' AND state = 'active'";
        killed += cluster.psql(kill).parse::<u32>().unwrap();
    }
    let model = writer.await.unwrap();
    assert!(killed > 0, "no connection was ever hit");
    let (loaded, records) = load(&store).await;
    assert_eq!((loaded.revision, records), (1500, model));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_killed_and_returns_is_found_again() {
    let mut cluster = Cluster::start();
    let store = Place::on(&cluster).open().await;
    assert_eq!(store.lead().await.unwrap(), Epoch(1));
    let committing = store.clone();
    let writer = tokio::spawn(async move { commit_through_trouble(&committing, 2500).await });
    for round in 1..=3 {
        while load(&store).await.0.revision < round * 300 {}
        cluster.kill();
        let error = store.load(|_| Ok(())).await.unwrap_err();
        assert!(
            matches!(error, LoadError::Store(StoreError::Unavailable { .. })),
            "{error:?}"
        );
        cluster.run();
        while store.load(|_| Ok(())).await.is_err() {}
    }
    let model = writer.await.unwrap();
    fold_all(&store).await;
    let (loaded, records) = load(&store).await;
    assert_eq!((loaded.revision, records), (2500, model));
}
