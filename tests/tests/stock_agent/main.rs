//! A real Amazon ECS agent against the built server and real Docker. The agent is no part of the
//! project: `BERTH_STOCK_AGENT` names its binary, and without it nothing is run here.
//!
//! Arguments choose scenarios by parts of their names; `--long` lets in those that take minutes.
//! `BERTH_STOCK_RECORD` names a folder for transcripts of the scenarios that have one.

mod field;
mod scenarios;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;

/// One run through with an agent.
struct Scenario {
    name: &'static str,
    /// Takes minutes.
    long: bool,
    run: fn(&Setting),
}

/// What all scenarios are told.
struct Setting {
    /// The agent's binary.
    agent: PathBuf,
    /// Where transcripts go.
    record: Option<PathBuf>,
}

fn main() -> ExitCode {
    let Some(agent) = std::env::var_os("BERTH_STOCK_AGENT") else {
        println!("BERTH_STOCK_AGENT names no agent: nothing is run");
        return ExitCode::SUCCESS;
    };
    let setting = Setting {
        agent: agent.into(),
        record: std::env::var_os("BERTH_STOCK_RECORD").map(PathBuf::from),
    };
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let long = arguments.iter().any(|argument| argument == "--long");
    let wanted: Vec<&String> = arguments.iter().filter(|a| !a.starts_with("--")).collect();
    let mut failed = Vec::new();
    for scenario in scenarios::ALL {
        let named = wanted.iter().any(|part| scenario.name.contains(*part));
        if !(named || wanted.is_empty() && (long || !scenario.long)) {
            continue;
        }
        println!("{} ...", scenario.name);
        match catch_unwind(AssertUnwindSafe(|| (scenario.run)(&setting))) {
            Ok(()) => println!("{} ok", scenario.name),
            Err(_) => {
                println!("{} FAILED", scenario.name);
                failed.push(scenario.name);
            }
        }
    }
    if failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("failed: {}", failed.join(", "));
    ExitCode::FAILURE
}
