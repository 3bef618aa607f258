//! (b): whole lives. Tasks are placed, run for a second on simulated agents, and are purged.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::calls::Api;
use crate::clock;
use crate::items::Bench;
use crate::load::{self, Until};
use crate::postgres::Postgres;
use crate::report::{Goal, Run};
use crate::stage::{CLUSTER, Setting, Stage, TASKS_PER_CALL, run_task, tell_faults};

/// How long each container runs.
const RUN_MS: u32 = 1_000;
/// How long stopped tasks are kept: short, so that the purge has to work all the time.
const RETENTION_SECONDS: f64 = 10.0;
/// Live tasks above which no more are started, so that the rate is one that can go on for ever.
const LIVE_MAX: f64 = 10_000.0;
/// How often live tasks are counted.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Seconds by which the purge may lag behind the retention.
const PURGE_LAG_SECONDS: f64 = 5.0;

/// What stood at one moment.
struct Counted {
    started: f64,
    live: f64,
    in_memory: f64,
}

impl Counted {
    /// Tasks whose STOPPED is stored.
    fn ended(&self) -> f64 {
        self.started - self.live
    }
}

pub(super) fn lives(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let retention = format!("{RETENTION_SECONDS}s");
    let setting = Setting {
        flags: &["--stopped-task-retention", &retention],
        agents: 0,
        tasks: 0,
        environment: json!([{ "name": "BERTH_SIM_RUN_MS", "value": RUN_MS.to_string() }]),
    };
    let mut stage = Stage::set(bench, postgres, &setting)?;
    stage.start_simulated(bench, bench.size(1_000, 100))?;
    let stage = &stage;
    // Until the first tasks are purged, the purge has nothing to do.
    let warm_up = Duration::from_secs_f64(bench.size(RETENTION_SECONDS + 5.0, 3.0));
    let time = bench.size(Duration::from_secs(60), Duration::from_secs(5));
    bench.say("RunTask, as many as live and end");
    let call = run_task(stage.address())?;
    let (stop, hold) = (&AtomicBool::new(false), &AtomicBool::new(false));
    thread::scope(|scope| {
        let told = Until::Told { stop, hold };
        let address = stage.address();
        let load = scope.spawn(move || load::as_fast_as_it_goes(address, &[call], &told));
        let keeper = scope.spawn(|| keep_in_bounds(stage, stop, hold));
        let measured = (|| {
            thread::sleep(warm_up);
            let (before, watch, begun) = (count(stage)?, stage.watch()?, clock::now());
            thread::sleep(time);
            let (after, seconds) = (count(stage)?, begun.elapsed().as_secs_f64());
            let mut run = Run::default();
            let rate = (after.ended() - before.ended()) / seconds;
            let goal = if postgres.is_some() { 1_200.0 } else { 1_500.0 };
            run.figure(
                "lives from RunTask to STOPPED stored",
                rate,
                "tasks/s",
                Goal::AtLeast(goal),
            );
            run.tell("live tasks at the end", after.live, "");
            let kept = (after.in_memory - after.live) / rate.max(1.0);
            let goal = Goal::AtMost(RETENTION_SECONDS + PURGE_LAG_SECONDS);
            run.figure("stopped tasks kept, in time", kept, "s", goal);
            stage.told(watch, &mut run)?;
            Ok::<Run, anyhow::Error>(run)
        })();
        stop.store(true, Ordering::Relaxed);
        keeper
            .join()
            .map_err(|_| anyhow!("the keeper panicked"))??;
        let answers = load.join().map_err(|_| anyhow!("the load panicked"))??;
        let mut run = measured?;
        tell_faults(&mut run, "RunTask", &answers);
        Ok(run)
    })
}

/// Holds the callers back while too many tasks live.
fn keep_in_bounds(stage: &Stage<'_>, stop: &AtomicBool, hold: &AtomicBool) -> Result<()> {
    let mut api = stage.server.api()?;
    while !stop.load(Ordering::Relaxed) {
        hold.store(live(&mut api)? > LIVE_MAX, Ordering::Relaxed);
        thread::sleep(LOOK_EVERY);
    }
    Ok(())
}

fn count(stage: &Stage<'_>) -> Result<Counted> {
    let live = live(&mut stage.server.api()?)?;
    let metrics = stage.server.metrics()?;
    let calls = "berth_api_calls_total{operation=\"RunTask\",outcome=\"ok\",service=\"ecs\"}";
    Ok(Counted {
        started: metrics.known(calls)? * TASKS_PER_CALL as f64,
        live,
        in_memory: stage.tasks()?,
    })
}

/// Tasks that are not stopped.
pub(super) fn live(api: &mut Api) -> Result<f64> {
    let answer = api.call("DescribeClusters", &json!({ "clusters": [CLUSTER] }))?;
    let cluster = &answer["clusters"][0];
    let number = |name: &str| cluster[name].as_f64().with_context(|| name.to_owned());
    Ok(number("runningTasksCount")? + number("pendingTasksCount")?)
}
