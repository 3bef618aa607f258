//! `cargo xtask`: code generation and the checks that hold the repository together.
//!
//! - `import-model` reduces a published service model to its facts (`api-models/`);
//! - `gen` turns those into the checked-in sources of `crates/api`;
//! - `check` runs what must pass before a change is handed in.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Code generation and repository checks")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Reduce a published service model to `api-models/<service>/model.json`.
    ImportModel {
        /// An unpacked botocore package: the folder that holds `data/`, or its parent.
        botocore: PathBuf,
        /// The service's folder name under `data/`, such as `ecs`.
        service: String,
    },
    /// Generate `crates/api/src/services` from `api-models/`.
    Gen {
        /// Change nothing; fail when a generated file is out of date.
        #[arg(long)]
        check: bool,
    },
    /// Formatting, lints, generated code and crate edges.
    Check,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = repository();
    match command {
        Command::ImportModel { botocore, service } => {
            xtask::import::run(&root, &botocore, &service)
        }
        Command::Gen { check: false } => xtask::generate::write(&root),
        Command::Gen { check: true } => xtask::generate::check(&root),
        Command::Check => xtask::check::run(&root),
    }
}

/// The repository's root, two folders above this crate.
fn repository() -> PathBuf {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
    crates
        .and_then(Path::parent)
        .expect("this crate lies in crates/xtask")
        .to_path_buf()
}
