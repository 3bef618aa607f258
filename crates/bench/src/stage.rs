//! What the items have in common: a server with a cluster, agents and tasks, and a watch over the
//! CPU, the writer and the disk while something is measured.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use crate::calls::{ACCESS_KEY_ID, Api, REGION, SECRET_ACCESS_KEY, signed};
use crate::clock;
use crate::disk::{DiskProbe, DiskTimes};
use crate::fleet::READY;
use crate::items::Bench;
use crate::load::{self, Answers, Until};
use crate::postgres::Postgres;
use crate::process::{Process, cpu_seconds_of, wait_until};
use crate::report::Run;
use crate::server::{Metrics, Server, Store};

/// The cluster that everything runs in.
pub(crate) const CLUSTER: &str = "bench";
/// The task definition's family.
pub(crate) const FAMILY: &str = "bench";
/// What each agent offers: as much as any figure can fill, so that nothing is refused for want
/// of room. A million tasks on 5,000 agents are 200 each.
pub(crate) const AGENT_CPU: i32 = 10_000_000;
/// In MiB.
pub(crate) const AGENT_MEMORY: i32 = 10_000_000;
/// Tasks of each RunTask: as many as ECS allows.
pub(crate) const TASKS_PER_CALL: u64 = 10;
/// How long all agents may take to connect.
const CONNECT_MAX: Duration = Duration::from_secs(180);
/// The writer's lanes, as its metrics call them.
const LANES: [&str; 3] = ["agents", "api", "controllers"];

/// A server and what is in it. Fields are dropped in order: agents, then the server, then its
/// files.
pub(crate) struct Stage<'a> {
    pub(crate) agents: Option<Process>,
    pub(crate) server: Server,
    pub(crate) store: Store<'a>,
    /// How long placing the live tasks took.
    pub(crate) placed_in: Duration,
    postgres: Option<&'a Postgres>,
}

/// How a stage is set.
pub(crate) struct Setting<'s> {
    /// Flags for the server.
    pub(crate) flags: &'s [&'s str],
    /// Agents that ack and do not report.
    pub(crate) agents: u32,
    /// Live tasks.
    pub(crate) tasks: u64,
    /// The container's environment.
    pub(crate) environment: Value,
}

impl<'a> Stage<'a> {
    /// Starts the server and sets it.
    pub(crate) fn set(
        bench: &Bench,
        postgres: Option<&'a Postgres>,
        setting: &Setting<'_>,
    ) -> Result<Self> {
        let store = Store::fresh(&bench.folder, postgres)?;
        let server = Server::start(&bench.berth, &store, setting.flags)?;
        let mut stage = Self {
            agents: None,
            server,
            store,
            placed_in: Duration::ZERO,
            postgres,
        };
        let mut api = stage.server.api()?;
        api.call("CreateCluster", &json!({ "clusterName": CLUSTER }))?;
        api.call("RegisterTaskDefinition", &definition(&setting.environment))?;
        if setting.agents > 0 {
            stage.agents = Some(stage.start_agents(bench, setting.agents)?);
        }
        let begun = clock::now();
        stage.run_tasks(setting.tasks)?;
        stage.placed_in = begun.elapsed();
        Ok(stage)
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }

    fn start_agents(&self, bench: &Bench, count: u32) -> Result<Process> {
        bench.say(&format!("connecting {count} agents"));
        let mut command = Command::new(&bench.this);
        command
            .args(["agents", "--server", &self.address().to_string()])
            .args(["--count", &count.to_string(), "--cluster", CLUSTER])
            .args(["--cpu", &AGENT_CPU.to_string()])
            .args(["--memory", &AGENT_MEMORY.to_string()])
            .stdout(Stdio::piped());
        let log = self.store.folder.join("agents.log");
        let mut agents = Process::start("the agents", command, &log)?;
        let mut line = String::new();
        BufReader::new(agents.take_output()?).read_line(&mut line)?;
        if line.trim() != READY {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            anyhow::bail!("the agents have ended: {log}");
        }
        wait_until("all agents to be connected", CONNECT_MAX, || {
            Ok(self.server.metrics()?.get("berth_agents_connected") >= f64::from(count))
        })?;
        Ok(agents)
    }

    /// Starts `count` agents of the product itself, with simulated containers.
    pub(crate) fn start_simulated(&mut self, bench: &Bench, count: u32) -> Result<()> {
        self.agents = Some(self.simulated(bench, count, "agent", count)?);
        Ok(())
    }

    /// Starts `count` more of them, in a process of their own; with those before, all are then
    /// `connected`.
    pub(crate) fn more_simulated(
        &self,
        bench: &Bench,
        count: u32,
        connected: u32,
    ) -> Result<Process> {
        self.simulated(bench, count, "more-agents", connected)
    }

    fn simulated(
        &self,
        bench: &Bench,
        count: u32,
        folder: &str,
        connected: u32,
    ) -> Result<Process> {
        bench.say(&format!(
            "connecting {count} agents with simulated containers"
        ));
        let mut command = Command::new(&bench.berth);
        command
            .args(["agent", "--server", &format!("http://{}", self.address())])
            .args(["--cluster", CLUSTER, "--runtime", "simulated"])
            // Agents that remember every task for hours would be a figure of their own.
            .args(["--cleanup-wait", "10s"])
            .args(["--count", &count.to_string(), "--region", REGION])
            .args(["--cpu", &AGENT_CPU.to_string()])
            .args(["--memory", &AGENT_MEMORY.to_string(), "--data-dir"])
            .arg(self.store.folder.join(folder))
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("BERTH_LOG", "warn")
            .stdout(Stdio::null());
        let log = self.store.folder.join(format!("{folder}.log"));
        let mut agents = Process::start("the agents", command, &log)?;
        let all = wait_until("all agents to be connected", CONNECT_MAX, || {
            ensure!(!agents.has_ended()?, "the agents have ended");
            Ok(self.server.metrics()?.get("berth_agents_connected") >= f64::from(connected))
        });
        if let Err(error) = all {
            let log = std::fs::read_to_string(log).unwrap_or_default();
            return Err(error.context(format!("the agents say:\n{log}")));
        }
        Ok(agents)
    }

    /// Runs so many tasks, as fast as it goes.
    pub(crate) fn run_tasks(&self, count: u64) -> Result<()> {
        if count == 0 {
            return Ok(());
        }
        let before = self.tasks()?;
        let call = run_task(self.address())?;
        let answers = load::as_fast_as_it_goes(
            self.address(),
            &[call],
            &Until::Answered(count / TASKS_PER_CALL),
        )?;
        ensure!(answers.bad() == 0, "RunTask: {:?}", answers.faults);
        let placed = self.tasks()? - before;
        ensure!(
            placed as u64 == count / TASKS_PER_CALL * TASKS_PER_CALL,
            "{placed} tasks placed"
        );
        Ok(())
    }

    /// Tasks in the server's memory.
    pub(crate) fn tasks(&self) -> Result<f64> {
        self.server.tasks()
    }

    /// Begins to watch.
    pub(crate) fn watch(&self) -> Result<Watch> {
        Ok(Watch {
            begun: clock::now(),
            cpu: self.cpu()?,
            metrics: self.server.metrics()?,
            disk: DiskProbe::begin(&self.store.folder)?,
        })
    }

    /// Tells what was seen since; gives the disk's times.
    pub(crate) fn told(&self, watch: Watch, run: &mut Run) -> Result<DiskTimes> {
        let Watch {
            begun,
            cpu: before,
            metrics,
            disk,
        } = watch;
        let (passed, after, now) = (begun.elapsed(), self.cpu()?, self.server.metrics()?);
        let seconds = passed.as_secs_f64();
        run.tell(
            "CPU of the server",
            (after.server - before.server) / seconds,
            "cores",
        );
        run.tell(
            "CPU of this generator",
            (after.this - before.this) / seconds,
            "cores",
        );
        if self.agents.is_some() {
            run.tell(
                "CPU of the agents",
                (after.agents - before.agents) / seconds,
                "cores",
            );
        }
        if let Some((before, after)) = before.postgres.zip(after.postgres) {
            run.tell("CPU of Postgres", (after - before) / seconds, "cores");
        }
        let share = |name: &str| 100.0 * (now.get(name) - metrics.get(name)) / 1e9 / seconds;
        for lane in LANES {
            let name = format!("berth_writer_busy_nanoseconds_total{{lane=\"{lane}\"}}");
            run.tell(format!("writer busy, lane {lane}"), share(&name), "%");
        }
        run.tell(
            "writer saving",
            share("berth_writer_saving_nanoseconds_total"),
            "%",
        );
        let commits = now.get("berth_commits_total") - metrics.get("berth_commits_total");
        run.tell("commits", commits / seconds, "1/s");
        let changes = now.get("berth_changes_total") - metrics.get("berth_changes_total");
        run.tell("changes in a commit", changes / commits.max(1.0), "");
        tell_times(&metrics, &now, run);
        let disk = disk.end()?;
        run.tell("fdatasync p50", disk.p50_ms, "ms");
        run.tell("fdatasync p99", disk.p99_ms, "ms");
        run.tell("memory of the server", self.server.process.rss_mb()?, "MB");
        if now.get("berth_panics_total") > 0.0 {
            run.note(format!(
                "the server caught {} panics",
                now.get("berth_panics_total")
            ));
        }
        Ok(disk)
    }

    fn cpu(&self) -> Result<Cpu> {
        let agents = self.agents.as_ref().map(Process::cpu_seconds).transpose()?;
        Ok(Cpu {
            server: self.server.process.cpu_seconds()?,
            this: cpu_seconds_of(std::process::id())?,
            agents: agents.unwrap_or_default(),
            postgres: match self.postgres {
                Some(postgres) => postgres.cpu_seconds()?,
                None => None,
            },
        })
    }
}

/// Where the time of a change goes: in its lane, in its commit, and beside it in the folder. The
/// server counts in buckets, so each value is the end of one.
fn tell_times(before: &Metrics, now: &Metrics, run: &mut Run) {
    let mut tell = |what: &str, name: &str, labels: &str| {
        let counts = now.histogram_since(before, name, labels);
        if counts.all() == 0.0 {
            return;
        }
        for (share, q) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
            run.tell(format!("{what}, {share} ≤"), counts.bound(q) * 1000.0, "ms");
        }
    };
    for lane in LANES {
        let label = format!("lane=\"{lane}\"");
        tell(
            &format!("wait in lane {lane}"),
            "berth_writer_wait_seconds",
            &label,
        );
    }
    tell("commit", "berth_commit_seconds", "");
    tell("folding of a batch", "berth_fold_seconds", "");
    let batches = now.histogram_since(before, "berth_fold_seconds", "");
    run.tell("foldings", batches.all(), "");
    let jobs = now.histogram_since(before, "berth_commit_jobs", "");
    run.tell("calls in a commit, p99 ≤", jobs.bound(0.99), "");
}

/// What stood when the watch began.
pub(crate) struct Watch {
    begun: Instant,
    cpu: Cpu,
    metrics: Metrics,
    disk: DiskProbe,
}

/// CPU seconds used.
struct Cpu {
    server: f64,
    this: f64,
    agents: f64,
    postgres: Option<f64>,
}

/// A task definition as small as one can be.
fn definition(environment: &Value) -> Value {
    json!({
        "family": FAMILY,
        "networkMode": "bridge",
        "containerDefinitions": [{
            "name": "app",
            "image": "busybox",
            "cpu": 10,
            "memory": 16,
            "essential": true,
            "environment": environment,
        }],
    })
}

/// A RunTask of ten, signed.
pub(crate) fn run_task(address: SocketAddr) -> Result<Vec<u8>> {
    let body = json!({
        "cluster": CLUSTER,
        "taskDefinition": FAMILY,
        "count": TASKS_PER_CALL,
    });
    signed(address, "RunTask", &body)
}

/// The ARNs of up to `count` tasks.
pub(crate) fn task_arns(api: &mut Api, count: usize) -> Result<Vec<String>> {
    let mut arns = Vec::new();
    let mut token = Value::Null;
    while arns.len() < count {
        let mut body = json!({ "cluster": CLUSTER, "maxResults": 100 });
        if token.is_string() {
            body["nextToken"] = token;
        }
        let mut page = api.call("ListTasks", &body)?;
        let list = page["taskArns"].as_array().map_or(&[][..], Vec::as_slice);
        arns.extend(
            list.iter()
                .filter_map(|arn| arn.as_str().map(str::to_owned)),
        );
        token = page["nextToken"].take();
        if !token.is_string() {
            break;
        }
    }
    Ok(arns)
}

/// Tells calls that did not go well.
pub(crate) fn tell_faults(run: &mut Run, what: &str, answers: &Answers) {
    for (fault, count) in &answers.faults {
        run.note(format!("{what}: {count} × {fault}"));
    }
}
