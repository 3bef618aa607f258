//! CI's share of the simulation: seeds that hold, what they cover, and bugs that they find.

use std::collections::BTreeMap;

use berth_sim::{Coverage, Log, Mutant, run};

/// What happens within the first hundred seeds: every kind of fault, and every branch of the
/// reconcilers worth a name.
const COVERED: &[&str] = &[
    "absence: disconnected",
    "absence: instance lost",
    "absence: mass loss waited out",
    "absence: task without service given up",
    "deployment: brought back",
    "deployment: completed",
    "deployment: failed",
    "deployment: retired",
    "deployment: starts throttled",
    "fault: agent restarted",
    "fault: answer lost",
    "fault: batch refused as data",
    "fault: call delayed",
    "fault: call doubled",
    "fault: call lost",
    "fault: clock ahead",
    "fault: clock back",
    "fault: database away",
    "fault: health flapped",
    "fault: machine without power",
    "fault: many cut together",
    "fault: message delayed",
    "fault: message doubled",
    "fault: message lost",
    "fault: network cut",
    "fault: server crashed after a commit",
    "fault: server crashed before a commit",
    "fault: server crashed between steps",
    "fault: server crashed within a step",
    "fault: slow commit",
    "fault: task ended by itself",
    "fault: task failed to start",
    "fault: task hung",
    "fault: task slow",
    "fault: unknown outcome, applied",
    "fault: unknown outcome, not applied",
    "gateway: inactive instance sent away",
    "gateway: payload sent again",
    "gateway: silent agent given up",
    "gateway: stop candidates verified",
    "purge: deleted service",
    "purge: deregistered instance",
    "purge: stopped task",
    "run: circuit breaker tripped",
    "run: nothing to roll back to",
    "run: rolled back",
    "run: stage entered",
    "run: stopped",
    "run: successful",
    "run: traffic shifted",
    "services: daemon started",
    "services: deleted",
    "services: drained",
    "services: lost replaced",
    "services: moved for balance",
    "services: moved over",
    "services: no room",
    "services: pending scaled in",
    "services: replaced by a deployment",
    "services: replica started",
    "services: room again",
    "services: scaled in",
    "services: steady",
    "services: stopped by delete",
    "services: told of failing starts",
    "services: told of percents",
    "services: told of placement",
    "services: told of protection",
    "services: unhealthy stopped",
    "services: zones out of balance",
    "waiting: given up",
    "waiting: instance held",
    "waiting: service's task placed",
    "waiting: task placed",
];

/// Calls of users that happen within the first hundred seeds.
const CALLED: &[&str] = &[
    "CreateService",
    "CreateTaskSet",
    "DeleteService",
    "DeleteTaskSet",
    "DeregisterContainerInstance",
    "RunTask",
    "StopServiceDeployment",
    "StopTask",
    "UpdateContainerInstancesState",
    "UpdateService",
    "UpdateServicePrimaryTaskSet",
    "UpdateTaskProtection",
    "UpdateTaskSet",
];

fn check(seeds: std::ops::Range<u64>) -> Coverage {
    let mut coverage: Coverage = BTreeMap::new();
    for seed in seeds {
        let report = run(seed, None, Log::Dropped);
        if let Some(broken) = report.violation {
            panic!(
                "seed {seed} breaks \"{}\" after {} steps: {}\nreplay: cargo run -p berth-sim -- --seed {seed}",
                broken.invariant, report.steps, broken.what
            );
        }
        assert!(
            report.steps >= 300,
            "seed {seed} has {} steps",
            report.steps
        );
        for (what, count) in report.coverage {
            *coverage.entry(what).or_default() += count;
        }
    }
    coverage
}

#[test]
fn a_hundred_seeds_hold_and_cover_every_fault_and_branch() {
    let coverage = check(0..100);
    let missing: Vec<&&str> = COVERED
        .iter()
        .chain(CALLED)
        .filter(|what| !coverage.contains_key(**what))
        .collect();
    assert!(
        missing.is_empty(),
        "never happened: {missing:?}\n{coverage:#?}"
    );
}

#[test]
fn more_seeds_hold() {
    check(100..160);
}

#[test]
fn a_seed_replays_exactly() {
    let (first, again) = (run(7, None, Log::Kept), run(7, None, Log::Kept));
    assert!(first.log.len() > 300);
    assert_eq!(first.log, again.log);
}

/// Seeds that broke an invariant, each before its fix; see `docs/bugs.md`.
#[test]
fn seeds_that_found_bugs_hold() {
    for seed in [63, 132, 347, 2492] {
        check(seed..seed + 1);
    }
}

#[test]
fn planted_bugs_are_found() {
    // The rest is `make sim-mutants`: these are found within a few seeds.
    let quick = [
        (Mutant::PlacesPortTwice, 12),
        (Mutant::StopsBelowMinimum, 12),
        (Mutant::StartsAboveMaximum, 12),
        (Mutant::LosesAtOnce, 12),
        (Mutant::LosesCommit, 12),
        (Mutant::RevivesTask, 12),
        (Mutant::PassesOver, 40),
    ];
    for (mutant, seeds) in quick {
        let found =
            (0..seeds).any(|seed| run(seed, Some(mutant), Log::Dropped).violation.is_some());
        assert!(found, "{} is not found", mutant.name());
    }
}
