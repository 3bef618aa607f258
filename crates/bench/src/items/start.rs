//! (f): how soon a server answers, and what memory it holds, by the number of tasks.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::calls::signed;
use crate::connection::Connection;
use crate::items::Bench;
use crate::postgres::{Postgres, free_port};
use crate::process::wait_until;
use crate::report::{Goal, Run, median};
use crate::server::Server;
use crate::stage::{CLUSTER, Setting, Stage};

/// Starts of which the median counts.
const STARTS: usize = 5;
/// After so long a server that nobody asks has settled.
const SETTLED_AFTER: Duration = Duration::from_secs(3);
/// How long the first answer is waited for.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// The nightly run's tasks, and the seconds in which they are to be placed.
const MILLION: u64 = 1_000_000;
const MILLION_PLACED_IN_SECONDS: f64 = 240.0;
/// Instances that the tasks lie on.
const AGENTS: u32 = 100;

pub(super) fn starts(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let mut run = Run::default();
    if bench.quick {
        start(bench, postgres, &mut run, 0, 300.0, 50.0)?;
        start(bench, postgres, &mut run, 1_000, 300.0, 200.0)?;
        return Ok(run);
    }
    start(bench, postgres, &mut run, 0, 300.0, 50.0)?;
    start(bench, postgres, &mut run, 10_000, 300.0, 200.0)?;
    start(bench, postgres, &mut run, 100_000, 2_500.0, 200.0)?;
    if bench.million {
        // No time is promised for a million tasks; a minute is what an operator might bear.
        start(bench, postgres, &mut run, MILLION, 60_000.0, 1_500.0)?;
    }
    Ok(run)
}

fn start(
    bench: &Bench,
    postgres: Option<&Postgres>,
    run: &mut Run,
    tasks: u64,
    time_goal_ms: f64,
    memory_goal_mb: f64,
) -> Result<()> {
    bench.say(&format!("a server with {tasks} tasks"));
    let setting = Setting {
        flags: &[],
        agents: if tasks > 0 { AGENTS } else { 0 },
        tasks,
        environment: json!([]),
    };
    let Stage {
        agents,
        server,
        store,
        placed_in,
        ..
    } = Stage::set(bench, postgres, &setting)?;
    let loaded = server.process.rss_mb()?;
    drop(agents);
    server.stop()?;
    bench.say("starting it again");
    let (mut times, mut settled) = (Vec::new(), 0.0);
    for _ in 0..bench.size(STARTS, 2) {
        let port = free_port()?;
        let address = ([127, 0, 0, 1], port).into();
        let body = json!({ "cluster": CLUSTER, "maxResults": 10 });
        let request = signed(address, "ListTasks", &body)?;
        let server = Server::launch_at(&bench.berth, &store, &[], port)?;
        let waited = wait_until("the first answer", ANSWER_MAX, || {
            let Ok(mut connection) = Connection::open(address) else {
                return Ok(false);
            };
            Ok(connection
                .call(&request)
                .is_ok_and(|answer| answer.status == 200))
        })?;
        times.push(waited.as_secs_f64() * 1000.0);
        ensure!(server.tasks()? as u64 == tasks, "tasks are missing");
        thread::sleep(SETTLED_AFTER);
        settled = server.process.rss_mb()?;
        server.stop()?;
    }
    let name = |what: &str| format!("{what}, {tasks} tasks");
    run.figure(
        name("first answer"),
        median(times),
        "ms",
        Goal::AtMost(time_goal_ms),
    );
    run.figure(
        name("memory at rest"),
        settled,
        "MB",
        Goal::AtMost(memory_goal_mb),
    );
    run.tell(name("memory after placing them"), loaded, "MB");
    let placed_in = placed_in.as_secs_f64();
    if tasks == MILLION {
        let goal = Goal::AtMost(MILLION_PLACED_IN_SECONDS);
        run.figure(name("placing them"), placed_in, "s", goal);
    } else {
        run.tell(name("placing them"), placed_in, "s");
    }
    Ok(())
}
