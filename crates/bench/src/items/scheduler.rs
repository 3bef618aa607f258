//! (j): what a look at a service and a change of one task cost, by how many other services there
//! are; in this process, so that allocations can be counted.

use std::time::Duration;

use anyhow::{Result, ensure};
use berth_model::name::ServiceKey;

use crate::allocations;
use crate::clock;
use crate::items::Bench;
use crate::plane::{Plane, Size};
use crate::report::{Goal, Run, median};

/// How often each is measured, at services spread over all of them.
const SAMPLES: usize = 200;
/// How much more it may cost among ten times as many services.
const RATIO_MAX: f64 = 1.2;

/// What something cost, in the median.
#[derive(Clone, Copy, Debug)]
struct Cost {
    microseconds: f64,
    allocations: f64,
}

/// Costs among one number of services.
struct Costs {
    services: u32,
    idle: Cost,
    change: Cost,
}

pub(super) fn scheduler(bench: &Bench) -> Result<Run> {
    let few = bench.size(100, 10);
    let instances = bench.size(5_000, 50);
    let tasks = bench.size(100, 10);
    let measured: Result<Vec<Costs>> = [few, few * 10]
        .into_iter()
        .map(|services| {
            bench.say(&format!("{services} services of {tasks} tasks in memory"));
            let size = Size {
                instances,
                services,
                tasks,
            };
            costs(size)
        })
        .collect();
    let measured = measured?;
    let mut run = Run::default();
    for costs in &measured {
        let services = costs.services;
        for (what, cost) in [
            ("no-op pass", costs.idle),
            ("one-task change", costs.change),
        ] {
            let name = format!("{what}, {services} services");
            run.tell(name.clone(), cost.microseconds, "µs");
            run.tell(name + ", allocations", cost.allocations, "");
        }
    }
    if let [few, many] = &measured[..] {
        for (what, few, many) in [
            ("no-op pass", few.idle, many.idle),
            ("one-task change", few.change, many.change),
        ] {
            let goal = Goal::AtMost(RATIO_MAX);
            let ratio = many.allocations / few.allocations.max(1.0);
            run.figure(
                format!("{what}, allocations, ×10 services"),
                ratio,
                "×",
                goal,
            );
            let ratio = many.microseconds / few.microseconds.max(f64::MIN_POSITIVE);
            run.figure(format!("{what}, time, ×10 services"), ratio, "×", goal);
        }
    }
    Ok(run)
}

fn costs(size: Size) -> Result<Costs> {
    let mut plane = Plane::at_rest(size)?;
    let every = plane.services().len().max(1);
    let spread: Vec<ServiceKey> = (0..SAMPLES)
        .map(|nth| plane.services()[nth * 7 % every].clone())
        .collect();
    let mut idle = Vec::with_capacity(SAMPLES);
    for key in &spread {
        let revision = plane.revision();
        idle.push(cost(|| plane.look(key).map(drop))?);
        ensure!(plane.revision() == revision, "{key} was not at rest");
    }
    let mut change = Vec::with_capacity(SAMPLES);
    for key in &spread {
        plane.pass_the_sweep()?;
        let task = plane.a_task_of(key)?;
        change.push(cost(|| {
            plane.end_task(task)?;
            plane.come_to_rest()
        })?);
        ensure!(plane.a_task_of(key)? != task, "{key} has not replaced it");
    }
    Ok(Costs {
        services: size.services,
        idle: middle(&idle),
        change: middle(&change),
    })
}

fn cost(act: impl FnOnce() -> Result<()>) -> Result<Cost> {
    let (allocations, begun) = (allocations::count(), clock::now());
    act()?;
    let (took, allocations): (Duration, u64) =
        (begun.elapsed(), allocations::count() - allocations);
    Ok(Cost {
        microseconds: took.as_secs_f64() * 1e6,
        allocations: allocations as f64,
    })
}

fn middle(costs: &[Cost]) -> Cost {
    Cost {
        microseconds: median(costs.iter().map(|cost| cost.microseconds).collect()),
        allocations: median(costs.iter().map(|cost| cost.allocations).collect()),
    }
}
