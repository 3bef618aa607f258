//! (h): from a RunTask's request to RUNNING seen, beside plain `docker run -d`.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::calls::{ACCESS_KEY_ID, Api, REGION, SECRET_ACCESS_KEY};
use crate::clock;
use crate::items::Bench;
use crate::process::{Process, wait_until};
use crate::report::{Goal, Run, median};
use crate::stage::{CLUSTER, Setting, Stage};

/// The image that `make up` makes as well.
const IMAGE: &str = "berth/busybox:local";
const FAMILY: &str = "docker";
const MEMORY_MIB: u32 = 64;
/// Docker's own default, so that both ways have the same.
const CPU_SHARES: u32 = 128;
/// How often the task is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(5);
const TASK_MAX: Duration = Duration::from_secs(60);

/// Why this cannot be measured here, if so.
pub(super) fn cannot() -> Option<String> {
    let version = Command::new("docker").arg("version").output();
    match version {
        Ok(output) if output.status.success() => None,
        Ok(output) => Some(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        Err(error) => Some(format!("docker does not start: {error}")),
    }
}

pub(super) fn beside_docker(bench: &Bench) -> Result<Run> {
    make_image(&bench.folder)?;
    let setting = Setting {
        flags: &[],
        agents: 0,
        tasks: 0,
        environment: json!([]),
    };
    let mut stage = Stage::set(bench, None, &setting)?;
    let mut api = stage.server.api()?;
    api.call("RegisterTaskDefinition", &definition())?;
    start_agent(&mut stage, bench)?;
    let (mut berth, mut docker) = (Vec::new(), Vec::new());
    bench.say("RunTask and docker run, in turn");
    // The first of each finds caches cold and does not count.
    for round in 0..=bench.size(30, 3) {
        let (task, plain) = (run_task(&mut api)?, docker_run()?);
        if round > 0 {
            berth.push(task);
            docker.push(plain);
        }
    }
    let (berth, docker) = (median(berth), median(docker));
    let mut run = Run::default();
    run.tell("RunTask to RUNNING", berth, "ms");
    run.tell("docker run -d", docker, "ms");
    run.figure("ratio", berth / docker, "×", Goal::AtMost(1.3));
    Ok(run)
}

fn definition() -> Value {
    json!({
        "family": FAMILY,
        "networkMode": "bridge",
        "containerDefinitions": [{
            "name": "app",
            "image": IMAGE,
            "cpu": CPU_SHARES,
            "memory": MEMORY_MIB,
            "command": ["sleep", "3600"],
            "stopTimeout": 2,
            "linuxParameters": { "initProcessEnabled": false },
        }],
    })
}

fn start_agent(stage: &mut Stage<'_>, bench: &Bench) -> Result<()> {
    let mut command = Command::new(&bench.berth);
    command
        .args(["agent", "--server", &format!("http://{}", stage.address())])
        .args([
            "--cluster",
            CLUSTER,
            "--runtime",
            "docker",
            "--region",
            REGION,
        ])
        .args([
            "--image-pull-behavior",
            "prefer-cached",
            "--cleanup-wait",
            "1s",
        ])
        .arg("--data-dir")
        .arg(stage.store.folder.join("agent"))
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("BERTH_LOG", "warn")
        .stdout(Stdio::null());
    let log = stage.store.folder.join("agents.log");
    let mut agent = Process::start("the agent", command, &log)?;
    let connected = wait_until("the agent to be connected", TASK_MAX, || {
        if agent.has_ended()? {
            bail!("the agent has ended");
        }
        Ok(stage.server.metrics()?.get("berth_agents_connected") >= 1.0)
    });
    if let Err(error) = connected {
        let log = fs::read_to_string(log).unwrap_or_default();
        return Err(error.context(format!("the agent says:\n{log}")));
    }
    stage.agents = Some(agent);
    Ok(())
}

/// Milliseconds from the request until DescribeTasks says RUNNING; the task is stopped then.
fn run_task(api: &mut Api) -> Result<f64> {
    let begun = clock::now();
    let answer = api.call(
        "RunTask",
        &json!({ "cluster": CLUSTER, "taskDefinition": FAMILY }),
    )?;
    let arn = answer["tasks"][0]["taskArn"].as_str();
    let arn = arn
        .with_context(|| format!("no task: {answer}"))?
        .to_owned();
    let named = json!({ "cluster": CLUSTER, "tasks": [arn] });
    let mut status = |wanted: &str| -> Result<()> {
        let since = clock::now();
        loop {
            let answer = api.call("DescribeTasks", &named)?;
            let task = &answer["tasks"][0];
            match task["lastStatus"].as_str() {
                Some(seen) if seen == wanted => return Ok(()),
                Some("STOPPED") => bail!("the task stopped: {task}"),
                _ if since.elapsed() > TASK_MAX => bail!("the task is not {wanted}: {task}"),
                _ => std::thread::sleep(LOOK_EVERY),
            }
        }
    };
    status("RUNNING")?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let named = json!({ "cluster": CLUSTER, "task": arn });
    api.call("StopTask", &named)?;
    let named = json!({ "cluster": CLUSTER, "tasks": [arn] });
    wait_until("the task to stop", TASK_MAX, || {
        let answer = api.call("DescribeTasks", &named)?;
        Ok(answer["tasks"][0]["lastStatus"] == "STOPPED")
    })?;
    Ok(took)
}

/// Milliseconds that `docker run -d` takes; the container is removed then.
fn docker_run() -> Result<f64> {
    let begun = clock::now();
    let id = docker(&[
        "run",
        "--detach",
        "--memory",
        &format!("{MEMORY_MIB}m"),
        "--cpu-shares",
        &CPU_SHARES.to_string(),
        IMAGE,
        "sleep",
        "3600",
    ])?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    docker(&["rm", "--force", id.trim()])?;
    Ok(took)
}

fn docker(arguments: &[&str]) -> Result<String> {
    let output = Command::new("docker").args(arguments).output()?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        bail!("docker {}: {errors}", arguments.join(" "));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Makes the image from the machine's static busybox, unless it is there.
fn make_image(folder: &Path) -> Result<()> {
    if docker(&["image", "inspect", IMAGE]).is_ok() {
        return Ok(());
    }
    let root = folder.join("image");
    fs::create_dir_all(root.join("bin"))?;
    let busybox = ["/bin/busybox", "/usr/bin/busybox"];
    let busybox = busybox.into_iter().find(|path| Path::new(path).exists());
    fs::copy(
        busybox.context("no busybox to make an image from")?,
        root.join("bin/busybox"),
    )?;
    for name in ["sh", "sleep"] {
        symlink("busybox", root.join("bin").join(name))?;
    }
    let archive = folder.join("image.tar");
    let mut tar = Command::new("tar");
    let packed = tar
        .arg("-C")
        .arg(&root)
        .arg("-cf")
        .arg(&archive)
        .arg(".")
        .status()?;
    if !packed.success() {
        bail!("tar could not pack the image");
    }
    let archive = archive.to_str().context("the folder's name")?;
    docker(&["import", "--change", "ENV PATH=/bin", archive, IMAGE])?;
    Ok(())
}
