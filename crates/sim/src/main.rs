//! `berth-sim`: runs seeds, replays one, or looks for planted bugs.

use std::process::ExitCode;

use berth_sim::{Coverage, Log, Mutant, Report, run};
use clap::Parser;

/// Runs Berth's control plane with simulated agents, clock and storage.
#[derive(Parser)]
struct Options {
    /// Replays this seed and prints its log.
    #[arg(long)]
    seed: Option<u64>,
    /// How many seeds to run.
    #[arg(long, default_value_t = 1000)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// Looks for every planted bug, with up to `--seeds` seeds for each.
    #[arg(long)]
    mutants: bool,
    /// Plants this bug.
    #[arg(long)]
    mutant: Option<String>,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let named = |name: &String| Mutant::ALL.iter().copied().find(|m| m.name() == name);
    let mutant = match &options.mutant {
        None => None,
        Some(name) => match named(name) {
            Some(mutant) => Some(mutant),
            None => {
                eprintln!("no planted bug is called {name}");
                return ExitCode::FAILURE;
            }
        },
    };
    if let Some(seed) = options.seed {
        return replay(seed, mutant);
    }
    if options.mutants {
        return find_mutants(options.seeds);
    }
    sweep(options.from, options.seeds, mutant)
}

fn replay(seed: u64, mutant: Option<Mutant>) -> ExitCode {
    let report = run(seed, mutant, Log::Kept);
    for line in &report.log {
        println!("{line}");
    }
    tell(&report);
    if report.violation.is_some() {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn tell(report: &Report) {
    match &report.violation {
        Some(broken) => println!(
            "seed {} breaks \"{}\" after {} steps: {}",
            report.seed, broken.invariant, report.steps, broken.what
        ),
        None => println!("seed {} holds for {} steps", report.seed, report.steps),
    }
}

fn sweep(from: u64, seeds: u64, mutant: Option<Mutant>) -> ExitCode {
    let mut coverage = Coverage::new();
    let (mut broken, mut steps) = (0, 0);
    for seed in from..from + seeds {
        let report = run(seed, mutant, Log::Dropped);
        steps += report.steps;
        if report.violation.is_some() {
            broken += 1;
            tell(&report);
        }
        for (what, count) in report.coverage {
            *coverage.entry(what).or_default() += count;
        }
    }
    for (what, count) in &coverage {
        println!("{count:>10}  {what}");
    }
    println!("{seeds} seeds, {steps} steps, {broken} broken");
    if broken > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

fn find_mutants(seeds: u64) -> ExitCode {
    let mut missed = 0;
    println!("{:<22} {:<22} {:>5}  invariant", "bug", "part", "seed");
    for mutant in Mutant::ALL {
        let found = (0..seeds).find_map(|seed| {
            let report = run(seed, Some(*mutant), Log::Dropped);
            report.violation.map(|broken| (seed, broken.invariant))
        });
        let (part, what) = mutant.about();
        match found {
            Some((seed, invariant)) => {
                println!("{:<22} {part:<22} {seed:>5}  {invariant}", mutant.name());
            }
            None => {
                missed += 1;
                println!("{:<22} {part:<22}     -  NOT FOUND: {what}", mutant.name());
            }
        }
    }
    println!("{} planted bugs, {missed} not found", Mutant::ALL.len());
    if missed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}
