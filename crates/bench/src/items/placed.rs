//! (a) and (c): tasks placed and saved, with agents that ack and do not report.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;

use crate::items::Bench;
use crate::load::{self, Until};
use crate::postgres::Postgres;
use crate::report::{Goal, Run};
use crate::stage::{Setting, Stage, TASKS_PER_CALL, run_task, tell_faults};

/// Calls a second of (c).
const CALLS_PER_SECOND: u64 = 400;

fn stage<'a>(bench: &Bench, postgres: Option<&'a Postgres>) -> Result<Stage<'a>> {
    let tasks = bench.size(100_000, 2_000);
    bench.say(&format!("a server with {tasks} live tasks"));
    let setting = Setting {
        flags: &[],
        agents: bench.size(5_000, 200),
        tasks,
        environment: json!([]),
    };
    Stage::set(bench, postgres, &setting)
}

/// (a) How many tasks a second are placed and saved, as fast as it goes.
pub(super) fn throughput(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let stage = stage(bench, postgres)?;
    let goal = if postgres.is_some() { 4_000.0 } else { 5_000.0 };
    let time = bench.size(Duration::from_secs(30), Duration::from_secs(4));
    bench.say("RunTask as fast as it goes");
    let call = run_task(stage.address())?;
    let (before, watch) = (stage.tasks()?, stage.watch()?);
    let answers = load::as_fast_as_it_goes(stage.address(), &[call], &Until::Passed(time))?;
    let placed = stage.tasks()? - before;
    let mut run = Run::default();
    let rate = placed / answers.lasted.as_secs_f64();
    run.figure(
        "tasks placed and saved",
        rate,
        "tasks/s",
        Goal::AtLeast(goal),
    );
    run.tell("RunTask p50", answers.latency_ms(0.5), "ms");
    run.tell("RunTask p99", answers.latency_ms(0.99), "ms");
    stage.told(watch, &mut run)?;
    run.tell("tasks placed", placed, "");
    tell_faults(&mut run, "RunTask", &answers);
    if placed as u64 != answers.good() * TASKS_PER_CALL {
        run.note(format!(
            "{} calls were answered, {placed} tasks are there",
            answers.good()
        ));
    }
    Ok(run)
}

/// (c) How long RunTask takes at a rate that the server can bear.
pub(super) fn latency(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let stage = stage(bench, postgres)?;
    let goal = if postgres.is_some() { 35.0 } else { 20.0 };
    let time = bench.size(Duration::from_secs(30), Duration::from_secs(4));
    bench.say("RunTask on a schedule");
    let call = run_task(stage.address())?;
    let watch = stage.watch()?;
    let answers = load::on_schedule(stage.address(), &[call], CALLS_PER_SECOND, time)?;
    let mut run = Run::default();
    let p99 = answers.latency_ms(0.99);
    run.tell("RunTask p50", answers.latency_ms(0.5), "ms");
    run.figure("RunTask p99", p99, "ms", Goal::AtMost(goal));
    run.tell("RunTask p99.9", answers.latency_ms(0.999), "ms");
    let late = load::quantile(&answers.delays, 0.99) / 1000.0;
    run.tell("sent late, p99", late, "ms");
    run.tell("calls answered", answers.per_second(), "1/s");
    let disk = stage.told(watch, &mut run)?;
    let ratio = p99 / disk.p99_ms.max(0.001);
    run.figure(
        "RunTask p99 over fdatasync p99",
        ratio,
        "×",
        Goal::AtMost(4.0),
    );
    tell_faults(&mut run, "RunTask", &answers);
    Ok(run)
}
