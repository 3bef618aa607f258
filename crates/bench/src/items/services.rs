//! (i): services from nothing to a steady state, and back to it after machines have died.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::calls::Api;
use crate::clock;
use crate::items::Bench;
use crate::postgres::Postgres;
use crate::process::wait_until;
use crate::report::{Goal, Run};
use crate::stage::{CLUSTER, FAMILY, Setting, Stage};

/// How long each of the two may take before it is given up.
const STEADY_MAX: Duration = Duration::from_secs(30 * 60);
/// How long agents are missed before their tasks are replaced, in seconds.
const LOST_AFTER_SECONDS: f64 = 15.0;
/// As many services as one DescribeServices takes.
const PAGE: usize = 10;
/// How often the cluster's counts are asked for.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How large it is.
struct Size {
    agents: u32,
    /// Those of the agents that die.
    doomed: u32,
    services: u32,
    tasks: u32,
}

pub(super) fn services(bench: &Bench, postgres: Option<&Postgres>) -> Result<Run> {
    let size = Size {
        agents: bench.size(5_000, 50),
        doomed: bench.size(500, 5),
        services: bench.size(1_000, 10),
        tasks: bench.size(100, 10),
    };
    let lost_after = format!("{LOST_AFTER_SECONDS}s");
    let setting = Setting {
        // Amazon's wait for tasks without a check would be most of what is measured.
        flags: &[
            "--service-healthy-after",
            "0s",
            "--instance-lost-after",
            &lost_after,
        ],
        agents: 0,
        tasks: 0,
        environment: json!([]),
    };
    let mut stage = Stage::set(bench, postgres, &setting)?;
    stage.start_simulated(bench, size.agents - size.doomed)?;
    let doomed = stage.more_simulated(bench, size.doomed, size.agents)?;
    let mut api = stage.server.api()?;
    let mut run = Run::default();

    let watch = stage.watch()?;
    bench.say("creating services");
    let begun = clock::now();
    let names: Vec<String> = (0..size.services).map(|n| format!("s{n:05}")).collect();
    for name in &names {
        api.call(
            "CreateService",
            &json!({
                "cluster": CLUSTER, "serviceName": name, "taskDefinition": FAMILY,
                "desiredCount": size.tasks,
            }),
        )?;
    }
    run.tell("services created after", begun.elapsed().as_secs_f64(), "s");
    let wanted = f64::from(size.services * size.tasks);
    wait_for_running(&mut api, wanted)?;
    run.tell(
        "all tasks running after",
        begun.elapsed().as_secs_f64(),
        "s",
    );
    wait_until_steady(&mut api, &names)?;
    run.tell(
        "steady state from nothing after",
        begun.elapsed().as_secs_f64(),
        "s",
    );
    stage.told(watch, &mut run)?;

    bench.say(&format!("{} agents die", size.doomed));
    // Stopped tasks stay in memory, so that every replacement is one more.
    let before = stage.tasks()?;
    doomed.kill()?;
    let died = clock::now();
    // The dead ones' tasks count as running until they are given up.
    wait_until("tasks to be given up", STEADY_MAX, || {
        thread::sleep(LOOK_EVERY);
        Ok(stage.tasks()? > before)
    })?;
    run.figure(
        "first task replaced after agents died",
        died.elapsed().as_secs_f64(),
        "s",
        Goal::AtMost(LOST_AFTER_SECONDS + 5.0),
    );
    wait_for_running(&mut api, wanted)?;
    wait_until_steady(&mut api, &names)?;
    let seconds = died.elapsed().as_secs_f64();
    run.tell("all tasks re-placed after agents died", seconds, "s");
    run.tell(
        "of these, after they were given up",
        seconds - LOST_AFTER_SECONDS,
        "s",
    );
    run.tell(
        "tasks that were to be re-placed",
        stage.tasks()? - before,
        "",
    );
    Ok(run)
}

fn wait_for_running(api: &mut Api, wanted: f64) -> Result<()> {
    wait_until("all tasks to run", STEADY_MAX, || {
        thread::sleep(LOOK_EVERY);
        let answer = api.call("DescribeClusters", &json!({ "clusters": [CLUSTER] }))?;
        let running = answer["clusters"][0]["runningTasksCount"].as_f64();
        Ok(running.context("no count of tasks")? == wanted)
    })?;
    Ok(())
}

/// Waits until every service is as `aws ecs wait services-stable` would have it.
fn wait_until_steady(api: &mut Api, names: &[String]) -> Result<()> {
    for page in names.chunks(PAGE) {
        wait_until("services to be steady", STEADY_MAX, || {
            let body = json!({ "cluster": CLUSTER, "services": page });
            let answer = api.call("DescribeServices", &body)?;
            let services = answer["services"].as_array().context("no services")?;
            let steady = services.len() == page.len() && services.iter().all(is_steady);
            if !steady {
                thread::sleep(LOOK_EVERY);
            }
            Ok(steady)
        })?;
    }
    Ok(())
}

fn is_steady(service: &Value) -> bool {
    let deployments = service["deployments"].as_array().map_or(0, Vec::len);
    deployments == 1
        && service["runningCount"] == service["desiredCount"]
        && service["deployments"][0]["rolloutState"] == "COMPLETED"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_steady_when_its_one_deployment_has_completed() {
        let service = |running: u32, state: &str| {
            json!({
                "desiredCount": 3, "runningCount": running,
                "deployments": [{ "rolloutState": state }],
            })
        };
        assert!(is_steady(&service(3, "COMPLETED")));
        assert!(!is_steady(&service(2, "COMPLETED")));
        assert!(!is_steady(&service(3, "IN_PROGRESS")));
    }
}
