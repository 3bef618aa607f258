//! (g): the server is killed under load; agents and tasks go on.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::clock;
use crate::connection::Connection;
use crate::items::Bench;
use crate::items::lives::live;
use crate::postgres::Postgres;
use crate::process::wait_until;
use crate::report::{Goal, Run};
use crate::server::Server;
use crate::stage::{CLUSTER, Setting, Stage, run_task};

/// Callers of the load, and how long each waits between calls: some 40 calls, or 400 tasks, a
/// second.
const CALLERS: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// How long the sessions are waited for.
const BACK_MAX: Duration = Duration::from_secs(180);

pub(super) fn killed(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let setting = Setting {
        flags: &[],
        agents: 0,
        tasks: 0,
        environment: json!([]),
    };
    let count = bench.size(5_000, 200);
    let mut stage = Stage::set(bench, postgres, &setting)?;
    stage.start_simulated(bench, count)?;
    let (stop, good) = (AtomicBool::new(false), AtomicU64::new(0));
    let address = stage.address();
    let call = run_task(address)?;
    thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| keep_calling(address, &call, &stop, &good));
        }
        let run = kill_and_start(bench, stage, count, &good, &stop);
        stop.store(true, Ordering::Relaxed);
        run
    })
}

/// Calls until told to stop, whatever becomes of the server.
fn keep_calling(address: SocketAddr, call: &[u8], stop: &AtomicBool, good: &AtomicU64) {
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        connection = connection.or_else(|| Connection::open(address).ok());
        match connection.as_mut().map(|open| open.call(call)) {
            Some(Ok(answer)) if answer.status == 200 => {
                good.fetch_add(tasks_in(answer.body), Ordering::Relaxed);
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => connection = None,
        }
        thread::sleep(PAUSE);
    }
}

/// How many tasks an answer to RunTask has: while agents are away, it may have failures instead.
fn tasks_in(answer: &[u8]) -> u64 {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    answer["tasks"].as_array().map_or(0, Vec::len) as u64
}

fn kill_and_start(
    bench: &Bench,
    stage: Stage<'_>,
    count: u32,
    good: &AtomicU64,
    stop: &AtomicBool,
) -> Result<Run> {
    // Kept to the end, and dropped in this order: the agents before their server's files.
    let Stage {
        agents,
        server,
        store,
        ..
    } = stage;
    let spell = bench.size(Duration::from_secs(15), Duration::from_secs(2));
    bench.say("RunTask goes on; the server is killed and started again");
    thread::sleep(spell);
    let port = server.address.port();
    let before_mb = server.process.rss_mb()?;
    server.process.kill()?;
    let killed = clock::now();
    let mut server = Server::launch_at(&bench.berth, &store, &[], port)?;
    server.wait_until_healthy()?;
    let answered = killed.elapsed();
    let mut most_mb: f64 = before_mb;
    wait_until("all sessions to be back", BACK_MAX, || {
        most_mb = most_mb.max(server.process.rss_mb()?);
        Ok(server.metrics()?.get("berth_agents_connected") >= f64::from(count))
    })?;
    let back = killed.elapsed();
    let since = clock::now();
    while since.elapsed() < spell {
        most_mb = most_mb.max(server.process.rss_mb()?);
        thread::sleep(PAUSE);
    }
    stop.store(true, Ordering::Relaxed);
    // The callers end within a pause and an answer.
    thread::sleep(PAUSE * 3);
    let mut api = server.api()?;
    let stopped = api.call(
        "ListTasks",
        &json!({ "cluster": CLUSTER, "desiredStatus": "STOPPED" }),
    )?;
    let stopped = stopped["taskArns"].as_array().context("no list of tasks")?;
    let (good, live) = (good.load(Ordering::Relaxed) as f64, live(&mut api)?);
    if server.process.has_ended()? {
        bail!("the server has ended");
    }
    drop(agents);
    let mut run = Run::default();
    let seconds = |time: Duration| time.as_secs_f64();
    run.tell("the server answers again after", seconds(answered), "s");
    run.figure(
        "all sessions back after",
        seconds(back),
        "s",
        Goal::AtMost(30.0),
    );
    run.figure("tasks stopped", stopped.len() as f64, "", Goal::AtMost(0.0));
    run.figure(
        "acknowledged tasks lost",
        (good - live).max(0.0),
        "",
        Goal::AtMost(0.0),
    );
    run.tell("tasks acknowledged", good, "");
    run.figure(
        "memory of the server, at most",
        most_mb,
        "MB",
        Goal::AtMost(300.0),
    );
    Ok(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_no_acknowledged_task() {
        assert_eq!(tasks_in(br#"{"failures":[],"tasks":[{},{}]}"#), 2);
        assert_eq!(
            tasks_in(br#"{"failures":[{"reason":"AGENT"}],"tasks":[]}"#),
            0
        );
        assert_eq!(tasks_in(b"no JSON"), 0);
    }
}
