//! The wire, or the server, away for a while.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use super::tasks::FOREVER;
use crate::Setting;
use crate::field::{Field, shell};

/// Tasks that run, and one that ends during the outage.
struct Before {
    tasks: Vec<String>,
    ends: String,
    containers: Vec<String>,
}

fn before(field: &Field) -> Before {
    field.register("runs", &json!([shell("main", FOREVER)]), &json!({}));
    field.register(
        "ends",
        &json!([shell("main", "sleep 20; exit 9")]),
        &json!({}),
    );
    let tasks: Vec<String> = (0..3).map(|_| field.run("runs")).collect();
    for task in &tasks {
        field.wait_until(task, "RUNNING");
    }
    let ends = field.run("ends");
    field.wait_until(&ends, "RUNNING");
    Before {
        containers: field.containers(&tasks),
        tasks,
        ends,
    }
}

/// Everything is as before, and works.
fn after(field: &mut Field, before: &Before) {
    field.wait_connected();
    let seen = berth_tests::wait_for("the end to be told", Duration::from_secs(900), || {
        let seen = field.describe(&before.ends);
        (seen["lastStatus"] == "STOPPED").then_some(seen)
    });
    assert_eq!(seen["containers"][0]["exitCode"], 9, "{seen}");
    for task in &before.tasks {
        assert_eq!(field.describe(task)["lastStatus"], "RUNNING");
    }
    assert_eq!(field.containers(&before.tasks), before.containers);
    assert_eq!(field.containers_of_family("runs").len(), before.tasks.len());
    let next = field.run("ends");
    field.wait_until(&next, "STOPPED");
    for task in &before.tasks {
        field.stop(task);
        field.wait_until(task, "STOPPED");
    }
}

/// Lets time pass: the outage itself is what is tested.
fn pass(seconds: u64) {
    std::thread::sleep(Duration::from_secs(seconds));
}

pub(crate) fn cut(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    let known = before(&field);
    field.link.hold();
    pass(120);
    field.link.release();
    after(&mut field, &known);
    field.finish();
}

pub(crate) fn stopped(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    let known = before(&field);
    signal(field.server.pid(), "STOP");
    pass(60);
    signal(field.server.pid(), "CONT");
    after(&mut field, &known);
    field.finish();
}

pub(crate) fn outage(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    let known = before(&field);
    field.server.kill();
    pass(600);
    field.server.restart();
    after(&mut field, &known);
    field.finish();
}

/// One connection over several heartbeats: neither end gives it up.
#[expect(
    clippy::disallowed_methods,
    reason = "how long a connection lasts is what is tested"
)]
pub(crate) fn heartbeats(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(200) {
        pass(1);
        assert_eq!(field.server.metric("berth_agents_connected"), 1.0);
    }
    assert!(field.agent_runs());
    let opened = field
        .link
        .tapes()
        .iter()
        .filter(|t| is_upgrade(&t.up.bytes))
        .count();
    assert_eq!(opened, 2, "one connection for each of ACS and TCS");
    field.record("heartbeats");
    field.finish();
}

fn is_upgrade(bytes: &[u8]) -> bool {
    bytes.starts_with(b"GET ")
}

fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill")
        .args([&format!("-{name}"), &pid.to_string()])
        .status();
    assert!(sent.is_ok_and(|status| status.success()), "kill works");
}
