//! What must pass before a change is handed in.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::{edges, generate};

/// Runs every check, the quick ones first.
///
/// # Errors
/// The first check that fails.
pub fn run(root: &Path) -> Result<()> {
    edges::check(root)?;
    generate::check(root)?;
    cargo(root, &["fmt", "--all", "--check"])?;
    cargo(
        root,
        &[
            "clippy",
            "-q",
            "--workspace",
            "--all-targets",
            "--",
            "-D",
            "warnings",
        ],
    )?;
    println!("all checks passed");
    Ok(())
}

fn cargo(root: &Path, arguments: &[&str]) -> Result<()> {
    let status = Command::new("cargo")
        .args(arguments)
        .current_dir(root)
        .status()
        .context("cargo could not be started")?;
    ensure!(status.success(), "failed: cargo {}", arguments.join(" "));
    Ok(())
}
