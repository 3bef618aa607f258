//! Log events: what was acknowledged is there once, whatever is killed meanwhile, and what was
//! deleted stays away.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use berth_tests::{Caller, Key, Postgres, SOON, Server, Spec, chance, wait_for};
use serde_json::{Value, json};

/// How often Postgres is killed, wholly or one of its processes.
const KILLS: u64 = 12;
/// Clients that write, each to a stream of its own.
const WRITERS: usize = 6;
/// Events of one call.
const EVENTS: u64 = 4;

fn serve(arguments: &[&str]) -> Server {
    Key::TESTS.taken_by(Spec::serve(arguments)).start()
}

fn stream(number: usize) -> String {
    format!("stream-{number}")
}

#[expect(
    clippy::disallowed_methods,
    reason = "events are taken when they are of about now"
)]
fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = since.expect("it is after 1970").as_millis();
    u64::try_from(millis).expect("milliseconds are few")
}

/// A call that must succeed once the server is not too busy for it.
fn logs(caller: &mut Caller, operation: &str, input: &Value) -> Value {
    let target = format!("Logs_20140328.{operation}");
    wait_for(operation, SOON, || {
        let answer = caller.ask(&target, input);
        let answer = answer.unwrap_or_else(|error| panic!("{operation}: {error}"));
        match answer.status {
            // Some answer with nothing at all.
            200 => Some(serde_json::from_str(&answer.body).unwrap_or(Value::Null)),
            503 => None,
            // The one before, which was told 503, went through.
            _ if answer.fault().0 == "ResourceAlreadyExistsException" => Some(Value::Null),
            _ => panic!("{operation}: {}", answer.body),
        }
    })
}

fn make(caller: &mut Caller, group: &str, streams: &[String]) {
    logs(caller, "CreateLogGroup", &json!({ "logGroupName": group }));
    for name in streams {
        let input = json!({ "logGroupName": group, "logStreamName": name });
        logs(caller, "CreateLogStream", &input);
    }
}

/// One call with these messages; whether it was acknowledged.
fn put(caller: &mut Caller, group: &str, stream: &str, messages: &[String]) -> bool {
    let at = now_ms();
    let events = messages
        .iter()
        .map(|message| json!({ "timestamp": at, "message": message }));
    let input = json!({ "logGroupName": group, "logStreamName": stream,
        "logEvents": events.collect::<Vec<_>>() });
    let answer = caller.ask("Logs_20140328.PutLogEvents", &input);
    answer.is_ok_and(|answer| answer.status == 200)
}

/// Every message of a stream, with how often it is there.
fn messages(caller: &mut Caller, group: &str, stream: &str) -> BTreeMap<String, u32> {
    let mut found = BTreeMap::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({ "logGroupName": group, "logStreamName": stream,
            "startFromHead": true });
        if !token.is_null() {
            input["nextToken"] = token.clone();
        }
        let page = logs(caller, "GetLogEvents", &input);
        for event in page["events"].as_array().into_iter().flatten() {
            let message = event["message"].as_str().expect("an event has a message");
            *found.entry(message.to_owned()).or_default() += 1;
        }
        // The same token again is the end.
        if page["nextForwardToken"] == token {
            return found;
        }
        token = page["nextForwardToken"].clone();
    }
}

/// What a writer sent, and whether it was acknowledged.
type Sent = Vec<(Vec<String>, bool)>;

#[test]
fn killing_postgres_loses_and_doubles_no_acknowledged_event() {
    let mut postgres = Postgres::start();
    let url = postgres.url();
    let server = serve(&["--database-url", &url]);
    let streams: Vec<String> = (0..WRITERS).map(stream).collect();
    make(&mut Caller::of(&server), "group", &streams);
    let stop = AtomicBool::new(false);
    let acknowledged = AtomicU64::new(0);
    let sent: Vec<Mutex<Sent>> = streams.iter().map(|_| Mutex::default()).collect();
    let mut chance = chance(7);
    std::thread::scope(|scope| {
        for (name, sent) in streams.iter().zip(&sent) {
            let (server, stop, acknowledged) = (&server, &stop, &acknowledged);
            scope.spawn(move || {
                let mut caller = Caller::of(server);
                let mut number = 0;
                while !stop.load(Ordering::Relaxed) {
                    // Each message is sent once: what had no answer is not sent again.
                    let batch = (number..number + EVENTS).map(|n| format!("{name} event {n}"));
                    let batch: Vec<String> = batch.collect();
                    number += EVENTS;
                    let taken = put(&mut caller, "group", name, &batch);
                    if taken {
                        acknowledged.fetch_add(EVENTS, Ordering::Relaxed);
                    }
                    let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                    sent.push((batch, taken));
                }
            });
        }
        for kill in 0..KILLS {
            // Some instants are early in the recovery, most are under load.
            let before = acknowledged.load(Ordering::Relaxed);
            let more = chance(120);
            wait_for("events to be acknowledged again", SOON, || {
                (acknowledged.load(Ordering::Relaxed) > before + more).then_some(())
            });
            if kill % 3 == 2 {
                postgres.kill_backend(chance(1000));
            } else {
                postgres.kill();
                postgres.run();
            }
        }
        let before = acknowledged.load(Ordering::Relaxed);
        wait_for("events to be acknowledged at the end", SOON, || {
            (acknowledged.load(Ordering::Relaxed) > before + 100).then_some(())
        });
        stop.store(true, Ordering::Relaxed);
    });
    let (mut taken, mut open) = (0, 0);
    let mut caller = Caller::of(&server);
    for (name, sent) in streams.iter().zip(&sent) {
        let mut found = messages(&mut caller, "group", name);
        let sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
        for (batch, acknowledged) in sent.iter() {
            let counts: Vec<u32> = batch
                .iter()
                .map(|message| found.remove(message).unwrap_or(0))
                .collect();
            let whole = counts.iter().all(|count| *count == counts[0]);
            assert!(whole, "a call was taken by half: {batch:?} {counts:?}");
            match acknowledged {
                true => assert_eq!(counts[0], 1, "acknowledged, and there so often: {batch:?}"),
                false => assert!(counts[0] <= 1, "there so often: {batch:?} {counts:?}"),
            }
            *if *acknowledged { &mut taken } else { &mut open } += counts.len();
        }
        assert!(found.is_empty(), "nobody sent {found:?}");
    }
    println!("{taken} events acknowledged, {open} without an answer");
    assert!(open > 0, "no kill hit a call");
    server.finish();
}

/// What a server leaves behind that ends between saving a deletion and carrying it out: the
/// records are gone, and the events are there.
fn assert_deleted_events_stay_away(server: &mut Server, forget: impl FnOnce(&Server)) {
    let mut caller = Caller::of(server);
    let names = ["kept", "gone"].map(str::to_owned);
    for group in ["whole", "part"] {
        make(&mut caller, group, &names);
        for name in &names {
            let message = [format!("{group} {name}")];
            wait_for("an event to be taken", SOON, || {
                put(&mut caller, group, name, &message).then_some(())
            });
        }
    }
    assert!(server.terminate().success());
    forget(server);
    server.restart();

    let mut caller = Caller::of(server);
    let groups = logs(&mut caller, "DescribeLogGroups", &json!({}));
    assert_eq!(
        groups["logGroups"].as_array().map(Vec::len),
        Some(1),
        "{groups}"
    );
    make(&mut caller, "whole", &names);
    let again = json!({ "logGroupName": "part", "logStreamName": "gone" });
    logs(&mut caller, "CreateLogStream", &again);
    for (group, name, count) in [
        ("whole", "kept", 0),
        ("whole", "gone", 0),
        ("part", "gone", 0),
        ("part", "kept", 1),
    ] {
        let found = messages(&mut caller, group, name);
        assert_eq!(found.len(), count, "{group} {name}: {found:?}");
    }
}

#[test]
fn events_of_a_deletion_that_a_crash_cut_short_do_not_come_back() {
    let mut server = serve(&[]);
    assert_deleted_events_stay_away(&mut server, |server| {
        for statement in FORGET {
            let output = Command::new("sqlite3")
                .arg(format!("{}/state.db", server.data_dir()))
                .arg(statement)
                .output()
                .expect("sqlite3 starts: make test installs it");
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{statement}: {said}");
        }
    });
    server.finish();
}

#[test]
fn events_of_a_deletion_that_a_crash_cut_short_do_not_come_back_from_postgres() {
    let postgres = Postgres::start();
    let mut server = serve(&["--database-url", &postgres.url()]);
    assert_deleted_events_stay_away(&mut server, |_| {
        for statement in FORGET {
            let _ = postgres.sql(&format!("SET search_path TO berth; {statement}"));
        }
    });
    server.finish();
}

const FORGET: [&str; 3] = [
    "DELETE FROM log_group WHERE key LIKE '%whole%'",
    "DELETE FROM log_stream WHERE key LIKE '%whole%'",
    "DELETE FROM log_stream WHERE key LIKE '%part%gone%'",
];
