//! What must hold of log events, in files and on Postgres.
#![allow(clippy::unwrap_used, reason = "a failed test is what a panic is for")]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::name::Scope;
use berth_model::time::Timestamp;
use berth_storage::{
    Direction, Location, LogError, LogLimits, LogPage, LogQuery, LogStore, NewLogEvent, Position,
    StreamFilter,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use support::Place;
use support::postgres::Cluster;

on_both_stores!(
    events_read_back_in_order_after_a_restart,
    ranges_prefixes_and_filters_choose,
    pages_of_any_size_in_either_direction_give_every_event_once,
    what_came_after_a_position_is_found_by_it,
    deleted_streams_and_groups_stay_deleted,
    the_oldest_goes_when_it_is_too_much_or_too_old,
    many_callers_at_once_lose_nothing,
    what_cannot_be_kept_is_refused,
    a_long_search_ends_and_goes_on_where_it_was,
    events_go_into_backups_and_move_with_their_positions,
);

const ROOMY: LogLimits = LogLimits {
    group_bytes_max: 1 << 30,
    all_bytes_max: 1 << 30,
};

async fn open(place: &Place, limits: LogLimits) -> LogStore {
    LogStore::open(&place.location, limits).await.unwrap()
}

fn group(name: &str) -> LogGroupKey {
    let account = "123456789012".parse().unwrap();
    let region = "eu-central-1".parse().unwrap();
    LogGroupKey {
        scope: Scope { account, region },
        name: name.into(),
    }
}

fn stream(group: &LogGroupKey, name: &str) -> LogStreamKey {
    LogStreamKey {
        group: group.clone(),
        name: name.into(),
    }
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn event(millis: i64, message: &str) -> NewLogEvent {
    NewLogEvent {
        timestamp: at(millis),
        message: message.to_owned(),
    }
}

fn all(group: &LogGroupKey) -> LogQuery {
    LogQuery {
        group: group.clone(),
        streams: StreamFilter::All,
        start: None,
        end: None,
        direction: Direction::Forward(None),
        events_max: 10_000,
        bytes_max: 1 << 20,
        matching: None,
    }
}

fn named(group: &LogGroupKey, stream: &str) -> LogQuery {
    LogQuery {
        streams: StreamFilter::Named(vec![stream.to_owned()]),
        ..all(group)
    }
}

fn lines(page: &LogPage) -> Vec<&str> {
    page.events
        .iter()
        .map(|event| event.message.as_str())
        .collect()
}

async fn events_read_back_in_order_after_a_restart(place: Place) {
    let web = group("/ecs/web");
    let logs = open(&place, ROOMY).await;
    let one = stream(&web, "a/1");
    logs.put(
        &one,
        vec![
            event(10, "first"),
            event(10, "same time"),
            event(30, "third"),
        ],
        at(40),
    )
    .await
    .unwrap();
    logs.put(&stream(&web, "a/2"), vec![event(20, "zweite — ü")], at(41))
        .await
        .unwrap();
    logs.put(
        &stream(&group("other"), "a/1"),
        vec![event(15, "not ours")],
        at(41),
    )
    .await
    .unwrap();
    let before = logs.read(all(&web)).await.unwrap();
    drop(logs);

    let logs = open(&place, ROOMY).await;
    let page = logs.read(all(&web)).await.unwrap();
    assert_eq!(lines(&page), ["first", "same time", "zweite — ü", "third"]);
    assert_eq!(page, before);
    assert_eq!(page.next, None);
    assert_eq!(page.events[0].ingested_at, at(40));
    logs.put(&one, vec![event(10, "late")], at(41))
        .await
        .unwrap();
    let page = logs.read(named(&web, "a/1")).await.unwrap();
    assert_eq!(lines(&page), ["first", "same time", "late", "third"]);
    let stats = logs.stats(&web).await.unwrap();
    assert_eq!(
        stats.iter().map(|(name, _)| &**name).collect::<Vec<_>>(),
        ["a/1", "a/2"]
    );
    let (first, last) = (stats[0].1.first_event_at, stats[0].1.last_event_at);
    assert_eq!(
        (first, last, stats[0].1.last_ingested_at),
        (at(10), at(30), at(41))
    );
    assert_eq!(stats[0].1.events, 4);
    assert!(
        logs.read(all(&group("unknown")))
            .await
            .unwrap()
            .events
            .is_empty()
    );
}

async fn ranges_prefixes_and_filters_choose(place: Place) {
    let web = group("web");
    let logs = open(&place, ROOMY).await;
    for (name, millis, text) in [("a1", 1, "x ERROR"), ("a2", 2, "y"), ("b1", 3, "z ERROR")] {
        logs.put(&stream(&web, name), vec![event(millis, text)], at(5))
            .await
            .unwrap();
    }
    let range = LogQuery {
        start: Some(at(2)),
        end: Some(at(3)),
        ..all(&web)
    };
    assert_eq!(lines(&logs.read(range).await.unwrap()), ["y"]);
    let prefix = LogQuery {
        streams: StreamFilter::Prefix("a".into()),
        ..all(&web)
    };
    assert_eq!(lines(&logs.read(prefix).await.unwrap()), ["x ERROR", "y"]);
    let matching = Some(Arc::new(|line: &str| line.contains("ERROR")) as _);
    let filter = LogQuery {
        matching,
        ..all(&web)
    };
    assert_eq!(
        lines(&logs.read(filter).await.unwrap()),
        ["x ERROR", "z ERROR"]
    );
}

/// Any events, in any order, over many small segments: pages in either direction, of any size,
/// put together give exactly the sorted events.
async fn pages_of_any_size_in_either_direction_give_every_event_once(place: Place) {
    let mut runner = TestRunner::default();
    let small = LogLimits {
        // Small pieces, and yet more room than the most that a round writes.
        group_bytes_max: 8 * 2048,
        all_bytes_max: 1 << 30,
    };
    let logs = open(&place, small).await;
    for round in 0..12 {
        let web = group(&format!("web-{round}"));
        let batches = prop::collection::vec(
            (
                0..3_usize,
                prop::collection::vec((0_i64..50, 0_usize..60), 1..6),
            ),
            1..12,
        );
        let mut written = 0;
        for (name, events) in batches.new_tree(&mut runner).unwrap().current() {
            let events: Vec<_> = events
                .iter()
                .map(|(time, length)| event(*time, &"x".repeat(*length)))
                .collect();
            written += events.len();
            logs.put(&stream(&web, ["a", "b", "c"][name]), events, at(60))
                .await
                .unwrap();
        }
        let whole = logs.read(all(&web)).await.unwrap().events;
        assert_eq!(whole.len(), written);
        assert!(whole.is_sorted_by(|one, other| one.position < other.position));
        for (events_max, bytes_max) in [(1, 1000), (3, 1000), (100, 1), (100, 70)] {
            let sized = LogQuery {
                events_max,
                bytes_max,
                ..all(&web)
            };
            let mut forward = Vec::new();
            let mut from = None;
            loop {
                let query = LogQuery {
                    direction: Direction::Forward(from),
                    ..sized.clone()
                };
                let page = logs.read(query).await.unwrap();
                assert!(page.events.len() <= events_max);
                forward.extend(page.events);
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            assert_eq!(forward, whole);
            let mut backward = Vec::new();
            loop {
                let query = LogQuery {
                    direction: Direction::Backward(from),
                    ..sized.clone()
                };
                let page = logs.read(query).await.unwrap();
                backward.extend(page.events.into_iter().rev());
                from = page.next;
                if from.is_none() {
                    break;
                }
            }
            backward.reverse();
            assert_eq!(backward, whole);
        }
    }
}

async fn what_came_after_a_position_is_found_by_it(place: Place) {
    let web = group("web");
    let logs = open(&place, ROOMY).await;
    let one = stream(&web, "a");
    logs.put(&one, vec![event(5, "old")], at(5)).await.unwrap();
    let last = logs.read(all(&web)).await.unwrap().events[0].position;
    let text = last.to_string();
    assert_eq!(text.parse::<Position>().unwrap(), last);
    let after = LogQuery {
        direction: Direction::Forward(Some(last)),
        ..all(&web)
    };
    assert!(logs.read(after.clone()).await.unwrap().events.is_empty());
    logs.put(&one, vec![event(5, "new")], at(5)).await.unwrap();
    assert_eq!(lines(&logs.read(after).await.unwrap()), ["new"]);
    for bad in ["", "12", "x".repeat(40).as_str(), "9".repeat(40).as_str()] {
        assert!(bad.parse::<Position>().is_err(), "{bad}");
    }
}

#[tokio::test]
async fn a_torn_tail_is_dropped_and_writing_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let web = group("web");
    let one = stream(&web, "a");
    let logs = LogStore::open_embedded(dir.path(), ROOMY).await.unwrap();
    logs.put(&one, vec![event(1, "whole")], at(1))
        .await
        .unwrap();
    logs.put(&one, vec![event(2, "torn")], at(2)).await.unwrap();
    drop(logs);
    let file = segments(dir.path()).pop().unwrap();
    let length = std::fs::metadata(&file).unwrap().len();
    std::fs::OpenOptions::new()
        .write(true)
        .open(&file)
        .unwrap()
        .set_len(length - 3)
        .unwrap();
    for round in 0..2 {
        let logs = LogStore::open_embedded(dir.path(), ROOMY).await.unwrap();
        if round == 0 {
            assert_eq!(lines(&logs.read(all(&web)).await.unwrap()), ["whole"]);
            logs.put(&one, vec![event(3, "next")], at(3)).await.unwrap();
        }
        assert_eq!(
            lines(&logs.read(all(&web)).await.unwrap()),
            ["whole", "next"]
        );
    }
}

async fn deleted_streams_and_groups_stay_deleted(place: Place) {
    let (web, small) = (
        group("web"),
        LogLimits {
            group_bytes_max: 8 * 200,
            ..ROOMY
        },
    );
    let (one, two) = (stream(&web, "one"), stream(&web, "two"));
    let mut logs = open(&place, small).await;
    for n in 0..4 {
        // Each fills a segment.
        logs.put(&one, vec![event(n, &"x".repeat(200))], at(n))
            .await
            .unwrap();
    }
    logs.put(&two, vec![event(9, "stays")], at(9))
        .await
        .unwrap();
    logs.delete_stream(&one).await.unwrap();
    logs.put(&one, vec![event(0, "anew")], at(9)).await.unwrap();
    for _ in 0..2 {
        assert_eq!(
            lines(&logs.read(all(&web)).await.unwrap()),
            ["anew", "stays"]
        );
        let stats = logs.stats(&web).await.unwrap();
        assert_eq!((stats[0].1.events, stats[1].1.events), (1, 1));
        drop(logs);
        logs = open(&place, small).await;
    }
    logs.delete_group(&web).await.unwrap();
    logs.delete_group(&web).await.unwrap();
    assert!(logs.read(all(&web)).await.unwrap().events.is_empty());
    nothing_is_left(&place).await;
    logs.put(&two, vec![event(1, "new life")], at(1))
        .await
        .unwrap();
    drop(logs);
    let logs = open(&place, small).await;
    assert_eq!(lines(&logs.read(all(&web)).await.unwrap()), ["new life"]);
}

async fn the_oldest_goes_when_it_is_too_much_or_too_old(place: Place) {
    let limits = LogLimits {
        group_bytes_max: 16_000,
        all_bytes_max: 24_000,
    };
    let logs = open(&place, limits).await;
    let groups = [group("a"), group("b"), group("c")];
    for n in 0..200 {
        for group in &groups[..2] {
            let line = format!("{n:03}{}", "x".repeat(300));
            logs.put(&stream(group, "s"), vec![event(n, &line)], at(n))
                .await
                .unwrap();
        }
    }
    let kept = async |group: &LogGroupKey| {
        let page = logs.read(all(group)).await.unwrap();
        page.events
            .iter()
            .map(|e| e.position.timestamp.as_millis())
            .collect::<Vec<_>>()
    };
    for group in &groups[..2] {
        let kept = kept(group).await;
        // The newest, without holes.
        assert_eq!(kept, (kept[0]..200).collect::<Vec<_>>());
        assert!(kept.len() > 20 && kept.len() < 60, "{}", kept.len());
    }
    // On Postgres the oldest goes right after the answer to what was one too many.
    let deadline = tokio::time::Instant::now() + Duration::from_secs(10);
    loop {
        let stored = stored_bytes(&place, &logs, &groups).await;
        if stored <= 24_000 {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "{stored}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    logs.put(&stream(&groups[2], "s"), vec![event(0, "small")], at(0))
        .await
        .unwrap();
    let before = kept(&groups[0]).await;
    logs.expire(&groups[0], at(190)).await.unwrap();
    let after = kept(&groups[0]).await;
    assert!(after.len() < before.len() && after.contains(&190) && after.contains(&199));
    logs.expire(&groups[0], at(1000)).await.unwrap();
    assert!(kept(&groups[0]).await.is_empty());
    logs.put(&stream(&groups[0], "s"), vec![event(1, "again")], at(1))
        .await
        .unwrap();
    assert_eq!(kept(&groups[0]).await, [1]);
}

async fn many_callers_at_once_lose_nothing(place: Place) {
    let logs = open(&place, ROOMY).await;
    let callers = (0..40).map(|caller| {
        let logs = logs.clone();
        tokio::spawn(async move {
            let group = group(["a", "b", "c"][caller % 3]);
            let stream = stream(&group, &format!("s{caller}"));
            for n in 0..10 {
                logs.put(&stream, vec![event(n, &format!("{n}"))], at(n))
                    .await
                    .unwrap();
            }
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        caller.await.unwrap();
    }
    for caller in 0..40 {
        let query = named(&group(["a", "b", "c"][caller % 3]), &format!("s{caller}"));
        let page = logs.read(query).await.unwrap();
        assert_eq!(
            lines(&page),
            ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]
        );
    }
}

async fn what_cannot_be_kept_is_refused(place: Place) {
    let logs = open(&place, ROOMY).await;
    let one = stream(&group("web"), "a");
    let large = "x".repeat(berth_storage::MESSAGE_BYTES_MAX + 1);
    for bad in [event(-1, "before 1970"), event(1, &large), event(1, "\0")] {
        let error = logs
            .put(&one, vec![event(1, "fine"), bad], at(1))
            .await
            .unwrap_err();
        assert!(matches!(error, LogError::Refused(_)), "{error:?}");
    }
    assert!(logs.read(all(&one.group)).await.unwrap().events.is_empty());
}

async fn events_go_into_backups_and_move_with_their_positions(place: Place) {
    let store = place.open().await;
    store.lead().await.unwrap();
    let record = support::put("task", 1, "{}");
    store
        .commit(&support::commit(1, vec![record]))
        .await
        .unwrap();
    let logs = open(&place, ROOMY).await;
    let groups = [group("a"), group("b")];
    let day = 24 * 60 * 60 * 1000;
    for (n, group) in (0..40).zip(groups.iter().cycle()) {
        let late = event(1000 - n, &format!("{n} {}", "x".repeat(1000)));
        let stream = stream(group, ["s", "t", "u"][usize::try_from(n).unwrap() % 3]);
        // Over two days, the second half first by their own time.
        let arrival = at(n / 20 * day + n);
        logs.put(&stream, vec![late, event(5, "same")], arrival)
            .await
            .unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db");
    store.backup_with_logs(&logs, &file).await.unwrap();

    for target in [Place::sqlite(), Place::postgres()] {
        let (restored, events) = (target.open().await, open(&target, ROOMY).await);
        berth_storage::restore_with_logs(&file, &restored, &events)
            .await
            .unwrap();
        drop((restored, events));
        let (restored, events) = (target.open().await, open(&target, ROOMY).await);
        let other = match &target.location {
            Location::Embedded { .. } => Place::postgres(),
            Location::Postgres { .. } => Place::sqlite(),
        };
        let (moved, moved_events) = (other.open().await, open(&other, ROOMY).await);
        restored
            .move_with_logs(&events, &moved, &moved_events)
            .await
            .unwrap();
        for group in &groups {
            let expected = logs.read(all(group)).await.unwrap();
            assert_eq!(expected.events.len(), 40);
            assert_eq!(events.read(all(group)).await.unwrap(), expected);
            assert_eq!(moved_events.read(all(group)).await.unwrap(), expected);
            let before = logs.stats(group).await.unwrap();
            let after = moved_events.stats(group).await.unwrap();
            let counts = |stats: &[(Arc<str>, berth_storage::StreamStats)]| {
                let count = |(name, stats): &(Arc<str>, berth_storage::StreamStats)| {
                    (name.clone(), stats.events, stats.last_ingested_at)
                };
                stats.iter().map(count).collect::<Vec<_>>()
            };
            assert_eq!(counts(&after), counts(&before));
        }
        // Numbering goes on after what came along.
        let last = events.read(all(&groups[0])).await.unwrap().events.pop();
        let same_time = last.unwrap().position.timestamp;
        let next = stream(&groups[0], "s");
        let late = NewLogEvent {
            timestamp: same_time,
            message: "next".into(),
        };
        events.put(&next, vec![late], at(0)).await.unwrap();
        let page = events.read(all(&groups[0])).await.unwrap();
        assert_eq!(lines(&page).last(), Some(&"next"));
    }
}

/// Messages that nobody wants, more of them than one call reads.
async fn a_long_search_ends_and_goes_on_where_it_was(place: Place) {
    let logs = open(&place, ROOMY).await;
    let web = group("web");
    let one = stream(&web, "a");
    let filler = "x".repeat(1 << 20);
    logs.put(&one, vec![event(0, "needle")], at(0))
        .await
        .unwrap();
    for n in 1..=80 {
        logs.put(&one, vec![event(n, &filler)], at(n))
            .await
            .unwrap();
    }
    logs.put(&one, vec![event(81, "needle")], at(81))
        .await
        .unwrap();
    let matching = Some(Arc::new(|line: &str| line == "needle") as _);
    for start in [Direction::Forward(None), Direction::Backward(None)] {
        let mut query = LogQuery {
            matching: matching.clone(),
            direction: start,
            ..all(&web)
        };
        let (mut found, mut calls) = (0, 0);
        loop {
            let page = logs.read(query.clone()).await.unwrap();
            found += page.events.len();
            calls += 1;
            let Some(next) = page.next else { break };
            query.direction = match start {
                Direction::Forward(_) => Direction::Forward(Some(next)),
                Direction::Backward(_) => Direction::Backward(Some(next)),
            };
        }
        assert_eq!(found, 2);
        assert!((2..10).contains(&calls), "{calls}");
    }
}

/// Waits until no event takes room any more.
async fn nothing_is_left(place: &Place) {
    match &place.location {
        Location::Embedded { data_dir } => assert!(segments(data_dir).is_empty()),
        Location::Postgres { schema, .. } => {
            let count = format!(
                "SELECT (SELECT COUNT(*) FROM {schema}.log_event) \
                 + (SELECT COUNT(*) FROM {schema}.event_stream) \
                 + (SELECT COUNT(*) FROM {schema}.event_group)"
            );
            support::until(Duration::from_secs(20), || {
                Cluster::shared().psql(&count) == "0"
            })
            .await;
        }
    }
}

async fn stored_bytes(place: &Place, logs: &LogStore, groups: &[LogGroupKey]) -> u64 {
    if let Location::Embedded { data_dir } = &place.location {
        let length = |file| std::fs::metadata(file).unwrap().len();
        return segments(data_dir).iter().map(length).sum();
    }
    let mut all = 0;
    for group in groups {
        let stats = logs.stats(group).await.unwrap();
        all += stats
            .iter()
            .map(|(_, stats)| stats.stored_bytes)
            .sum::<u64>();
    }
    all
}

fn segments(dir: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for group in std::fs::read_dir(dir.join("logs")).unwrap() {
        for file in std::fs::read_dir(group.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "log") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
