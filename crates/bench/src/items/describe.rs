//! (d): DescribeTasks of 100 tasks, as fast as it goes and on a schedule.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use serde_json::json;

use crate::calls::signed;
use crate::items::Bench;
use crate::load::{self, Until};
use crate::postgres::Postgres;
use crate::report::{Goal, Run};
use crate::stage::{CLUSTER, Setting, Stage, task_arns, tell_faults};

/// Tasks of each call: as many as ECS allows.
const TASKS: usize = 100;
/// Different calls, each with other tasks.
const CALLS: usize = 32;
/// Calls a second of the part on a schedule.
const CALLS_PER_SECOND: u64 = 1_000;

pub(super) fn describe(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let setting = Setting {
        flags: &[],
        agents: bench.size(5_000, 200),
        tasks: bench.size(100_000, 4_000),
        environment: json!([]),
    };
    bench.say(&format!("a server with {} live tasks", setting.tasks));
    let stage = Stage::set(bench, postgres, &setting)?;
    let arns = task_arns(&mut stage.server.api()?, TASKS * CALLS)?;
    ensure!(
        arns.len() >= TASKS * CALLS,
        "only {} tasks are listed",
        arns.len()
    );
    let time = bench.size(Duration::from_secs(15), Duration::from_secs(3));
    let mut run = Run::default();

    bench.say("DescribeTasks as fast as it goes");
    let watch = stage.watch()?;
    let calls = calls(stage.address(), &arns)?;
    let answers = load::as_fast_as_it_goes(stage.address(), &calls, &Until::Passed(time))?;
    let goal = Goal::AtLeast(3_000.0);
    run.figure("DescribeTasks answered", answers.per_second(), "1/s", goal);
    run.tell("p99 meanwhile", answers.latency_ms(0.99), "ms");
    stage.told(watch, &mut run)?;
    tell_faults(&mut run, "as fast as it goes", &answers);

    bench.say("DescribeTasks on a schedule");
    let answers = load::on_schedule(stage.address(), &calls, CALLS_PER_SECOND, time)?;
    run.tell("on a schedule: p50", answers.latency_ms(0.5), "ms");
    run.figure(
        "on a schedule: p99",
        answers.latency_ms(0.99),
        "ms",
        Goal::AtMost(10.0),
    );
    let late = load::quantile(&answers.delays, 0.99) / 1000.0;
    run.tell("on a schedule: sent late, p99", late, "ms");
    run.tell("on a schedule: answered", answers.per_second(), "1/s");
    tell_faults(&mut run, "on a schedule", &answers);
    Ok(run)
}

fn calls(address: SocketAddr, arns: &[String]) -> Result<Vec<Vec<u8>>> {
    // Tasks that are listed together were not placed together: each call takes every n-th.
    let groups = (0..CALLS).map(|first| arns.iter().skip(first).step_by(CALLS).take(TASKS));
    groups
        .map(|tasks| {
            let tasks: Vec<&String> = tasks.collect();
            let body = json!({ "cluster": CLUSTER, "tasks": tasks });
            signed(address, "DescribeTasks", &body)
        })
        .collect()
}
