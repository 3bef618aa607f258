//! (e): placement alone, as its own crate measures it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::items::Bench;
use crate::report::{Goal, Run};

pub(super) fn placement(bench: &Bench) -> Result<Run> {
    bench.say("the figures of berth-placement");
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output = Command::new("cargo")
        .args(["run", "--quiet", "--release", "-p", "berth-placement"])
        .args(["--example", "figures"])
        .current_dir(project)
        .output()
        .context("could not start cargo")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{errors}");
    let text = String::from_utf8(output.stdout)?;
    let mut run = Run::default();
    for line in text.lines().filter(|line| line.starts_with('{')) {
        tell(&mut run, &serde_json::from_str(line)?)?;
    }
    Ok(run)
}

fn tell(run: &mut Run, line: &Value) -> Result<()> {
    let name = line["load"].as_str().context("a load without a name")?;
    match (line["tries_per_second"].as_f64(), line["wanted"].as_f64()) {
        (Some(rate), Some(goal)) => run.figure(name, rate, "tasks/s", Goal::AtLeast(goal)),
        (Some(rate), None) => run.tell(name, rate, "tasks/s"),
        (None, _) => {
            let time = line["milliseconds"].as_f64();
            run.tell(name, time.context("a load without a figure")?, "ms");
        }
    }
    Ok(())
}
