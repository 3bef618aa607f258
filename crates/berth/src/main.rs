//! The `berth` program: a server, an agent, both at once, and the small commands around them.
//!
//! Here the command line and the environment become the configuration of the `server` and
//! `agent` crates, which read neither.

mod agent;
mod agents;
mod banner;
mod cli;
mod client;
mod control;
mod data_dir;
mod dev;
mod doctor;
mod doctor_agent;
mod duration;
mod env;
mod exit;
mod explain;
mod files;
mod keys;
mod local_agents;
mod logging;
mod probe;
mod serve;
mod server;
mod settings;
mod status;
mod strangers;
mod task_endpoints;
mod top;
mod upkeep;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::CommandFactory;

use crate::cli::{Cli, Command, DoctorWhat};
use crate::exit::Failure;

/// Answers are made of many small strings: a third of the time of a DescribeTasks of a hundred
/// tasks went into the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// How long work that outlasts a command may take to end: all that was acknowledged is on disk.
const LEFT_OVER_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let cli = match settings::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("berth: {failure}");
            failure.code()
        }
    }
}

fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Dev(dev) => {
            logging::start(&cli.log).map_err(Failure::Usage)?;
            serve_until_signal(dev::run(*dev))
        }
        Command::Serve(serve) => {
            logging::start(&cli.log).map_err(Failure::Usage)?;
            serve_until_signal(serve::run(*serve))
        }
        Command::Env(env) => wait_for(env::run(&env))?,
        Command::Status(status) => Ok(wait_for(status::run(&status))??),
        Command::Top(top) => wait_for(top::run(&top))?,
        Command::Completion { shell } => {
            let name = "berth";
            clap_complete::generate(shell, &mut Cli::command(), name, &mut std::io::stdout());
            Ok(())
        }
        Command::Version => {
            println!("berth {}", env!("CARGO_PKG_VERSION"));
            Ok(())
        }
        Command::Agent(agent) => {
            logging::start(&cli.log).map_err(Failure::Usage)?;
            serve_until_signal(agent::run(*agent))
        }
        Command::Doctor(doctor) => match &doctor.what {
            Some(DoctorWhat::Agent(agent)) => wait_for(doctor_agent::run(agent))?,
            None => wait_for(doctor::run(&doctor))?,
        },
        Command::Explain(explain) => wait_for(explain::run(&explain))?,
        Command::Backup(backup) => wait_for(upkeep::backup(&backup))?,
        Command::Restore(restore) => wait_for(upkeep::restore(&restore))?,
        Command::Move(moving) => wait_for(upkeep::move_to(&moving))?,
    }
}

/// Runs a small command's future on this thread.
fn wait_for<T>(future: impl Future<Output = T>) -> anyhow::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("could not start")?;
    Ok(runtime.block_on(future))
}

/// Runs a long-lived command's future on all cores.
fn serve_until_signal(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    files::allow_many();
    let runtime = tokio::runtime::Runtime::new().context("could not start")?;
    let ended = runtime.block_on(future);
    // What is still at work on a thread of its own must not keep the process, and the reason of
    // its end, from whoever waits for them.
    runtime.shutdown_timeout(LEFT_OVER_MAX);
    ended
}
