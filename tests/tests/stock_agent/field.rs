//! A server, a wire, an agent and Docker.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use berth_tests::transcript::{Event, events_of, to_text};
use berth_tests::{Caller, Docker, IMAGE, Key, Link, Server, Spec, ended, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Setting;

/// How long an agent may take for what needs no more than messages: it batches reports of single
/// containers for up to 30 s.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// The lines of the agent's log that a failed scenario shows.
const LOG_LINES_SHOWN: usize = 15;

/// All that a scenario plays with.
pub(crate) struct Field {
    pub(crate) server: Server,
    pub(crate) link: Link,
    pub(crate) docker: Arc<Docker>,
    agent: Option<Child>,
    binary: std::path::PathBuf,
    environment: Vec<(String, String)>,
    folder: TempDir,
    clients: RefCell<Vec<(Instant, Event)>>,
    record: Option<std::path::PathBuf>,
}

impl Field {
    /// Everything started, and the agent connected, with these further settings of the agent.
    pub(crate) fn start(setting: &Setting, environment: &[(&str, &str)]) -> Field {
        let docker = Docker::get();
        let host = docker.host().to_owned();
        let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
        let link = Link::to(server.address());
        let folder = tempfile::tempdir().expect("a folder can be made");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).expect("a folder can be made");
        let url = format!("http://{}", link.address());
        let folder_text = folder.path().display().to_string();
        let data_text = data.display().to_string();
        let usual = [
            ("ECS_BACKEND_HOST", url.as_str()),
            ("ECS_EXTERNAL", "true"),
            ("AWS_DEFAULT_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
            ("ECS_DATADIR", &data_text),
            ("ECS_HOST_DATA_DIR", &folder_text),
            ("ECS_AUDIT_LOGFILE_DISABLED", "true"),
            ("ECS_LOGLEVEL", "debug"),
            ("ECS_ENABLE_TASK_CPU_MEM_LIMIT", "false"),
            // There is no registry to ask.
            ("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached"),
            ("DOCKER_HOST", &host),
        ];
        let mut all: BTreeMap<&str, &str> = usual.into_iter().collect();
        all.extend(environment.iter().copied());
        let all = all.into_iter();
        let mut field = Field {
            server,
            link,
            docker,
            agent: None,
            binary: setting.agent.clone(),
            environment: all.map(|(n, v)| (n.to_owned(), v.to_owned())).collect(),
            folder,
            clients: RefCell::default(),
            record: setting.record.clone(),
        };
        field.start_agent();
        field.wait_connected();
        field
    }

    /// Starts the agent, again after [`Field::kill_agent`].
    pub(crate) fn start_agent(&mut self) {
        let environment = self.environment.iter();
        let environment = environment.map(|(name, value)| (name.as_str(), value.as_str()));
        self.agent = Some(spawn(&self.binary, environment, self.folder.path()));
    }

    /// Ends the agent as a crash would.
    pub(crate) fn kill_agent(&mut self) {
        if let Some(mut child) = self.agent.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Whether the agent's process is still the one that was started.
    pub(crate) fn agent_runs(&mut self) -> bool {
        let child = self.agent.as_mut().expect("it was started");
        child.try_wait().expect("the process is ours").is_none()
    }

    pub(crate) fn agent_log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    pub(crate) fn wait_connected(&mut self) {
        wait_for("the agent to connect", Duration::from_secs(200), || {
            assert!(self.agent_runs(), "the agent ended");
            (self.server.metric("berth_agents_connected") >= 1.0).then_some(())
        });
    }

    pub(crate) fn wait_away(&self) {
        wait_for("the agent to be away", PATIENCE, || {
            (self.server.metric("berth_agents_connected") == 0.0).then_some(())
        });
    }

    /// A client's call that must succeed. It becomes part of the transcript.
    #[expect(
        clippy::disallowed_methods,
        reason = "a transcript is in order of time"
    )]
    pub(crate) fn call(&self, operation: &str, input: &Value) -> Value {
        let begun = Instant::now();
        let answer = Caller::of(&self.server).call(operation, input);
        let event = Event::Call {
            by_agent: false,
            operation: operation.to_owned(),
            input: input.clone(),
            status: 200,
            answer: answer.clone(),
        };
        self.clients.borrow_mut().push((begun, event));
        answer
    }

    /// A call for the test alone.
    pub(crate) fn ask(&self, operation: &str, input: &Value) -> Value {
        Caller::of(&self.server).call(operation, input)
    }

    pub(crate) fn register(&self, family: &str, containers: &Value, more: &Value) {
        let mut input = json!({ "family": family, "containerDefinitions": containers });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("RegisterTaskDefinition", &input);
    }

    /// Runs one task that must be placed; its ARN.
    pub(crate) fn run(&self, family: &str) -> String {
        let answer = self.call("RunTask", &json!({ "taskDefinition": family }));
        assert_eq!(answer["failures"], json!([]), "{family}");
        text(&answer["tasks"][0]["taskArn"])
    }

    pub(crate) fn stop(&self, task: &str) {
        self.call("StopTask", &json!({ "task": task }));
    }

    pub(crate) fn describe(&self, task: &str) -> Value {
        self.ask("DescribeTasks", &json!({ "tasks": [task] }))["tasks"][0].clone()
    }

    /// What became of the task, as part of the transcript.
    pub(crate) fn note(&self, task: &str) {
        self.call("DescribeTasks", &json!({ "tasks": [task] }));
    }

    pub(crate) fn wait_until(&self, task: &str, status: &str) -> Value {
        wait_for(&format!("the task to be {status}"), PATIENCE, || {
            let seen = self.describe(task);
            let over = seen["lastStatus"] == "STOPPED";
            assert!(!over || status == "STOPPED", "it stopped: {seen}");
            (seen["lastStatus"] == status).then_some(seen)
        })
    }

    /// The cluster's one instance.
    pub(crate) fn instance(&self) -> Value {
        let listed = self.ask("ListContainerInstances", &json!({}));
        let input = json!({ "containerInstances": listed["containerInstanceArns"] });
        let described = self.ask("DescribeContainerInstances", &input);
        described["containerInstances"][0].clone()
    }

    /// Docker's id and time of start of the containers of these tasks, in order.
    pub(crate) fn containers(&self, tasks: &[String]) -> Vec<String> {
        let label = "com.amazonaws.ecs.task-arn";
        let ids = |task: &String| {
            let filter = format!("label={label}={task}");
            self.docker
                .run(&["ps", "-q", "--no-trunc", "--filter", &filter])
        };
        let ids: Vec<String> = tasks.iter().map(ids).collect();
        let started = |id: &String| {
            let form = "{{.Id}} {{.State.StartedAt}} {{.RestartCount}}";
            self.docker.run(&["inspect", "--format", form, id])
        };
        ids.iter()
            .filter(|id| !id.is_empty())
            .map(started)
            .collect()
    }

    /// What `berth top` shows.
    pub(crate) fn usage(&self) -> Value {
        let data_dir = self.server.data_dir();
        let top = ["top", "--data-dir", &data_dir, "--output", "json"];
        let keys = [
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
        ];
        let (code, said) = ended(&top, &keys);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&said).expect("it is JSON")
    }

    /// How many containers the tasks of this family ever had.
    pub(crate) fn containers_of_family(&self, family: &str) -> Vec<String> {
        let filter = format!("label=com.amazonaws.ecs.task-definition-family={family}");
        let lines = self.docker.run(&["ps", "-aq", "--filter", &filter]);
        lines.lines().map(str::to_owned).collect()
    }

    /// Writes down what was said, if that is wanted.
    pub(crate) fn record(&self, name: &str) {
        let Some(folder) = &self.record else { return };
        let mut events = events_of(&self.link.tapes());
        events.extend(self.clients.borrow().iter().cloned());
        events.sort_by_key(|(at, _)| *at);
        let events: Vec<Event> = events.into_iter().map(|(_, event)| event).collect();
        std::fs::write(folder.join(format!("{name}.jsonl")), to_text(&events))
            .expect("the transcript can be written");
    }

    /// Stops what runs, and puts everything away.
    pub(crate) fn finish(mut self) {
        assert!(self.agent_runs(), "the agent ended");
        self.kill_agent();
        let log = self.agent_log();
        let panicked = log.lines().find(|line| line.starts_with("panic:"));
        assert_eq!(panicked, None, "the agent panicked");
        self.remove_containers();
        assert_eq!(self.server.metric("berth_panics_total"), 0.0);
    }

    fn remove_containers(&self) {
        let ids = self
            .docker
            .run(&["ps", "-aq", "--filter", "label=com.amazonaws.ecs.task-arn"]);
        for id in ids.lines() {
            let _ = self.docker.run(&["rm", "-f", id]);
        }
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        self.kill_agent();
        if std::thread::panicking() {
            let log = self.agent_log();
            let lines: Vec<&str> = log
                .lines()
                .filter(|line| !line.contains("level=debug") && line.starts_with("level="))
                .collect();
            let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
            eprintln!("--- the agent's log:\n{}", lines[from..].join("\n"));
            if let Some(folder) = &self.record {
                let _ = std::fs::write(folder.join("failed-agent.log"), log);
            }
        }
    }
}

/// Starts an agent that logs to `log` in `folder`.
pub(crate) fn spawn<'a>(
    binary: &Path,
    environment: impl Iterator<Item = (&'a str, &'a str)>,
    folder: &Path,
) -> Child {
    let log = File::options()
        .create(true)
        .append(true)
        .open(folder.join("log"));
    let log = log.expect("the log can be written");
    let mut command = Command::new(binary);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        // What would send the agent elsewhere; one with a custom bundle does not even start.
        let aims = ["AWS_", "ECS_", "BERTH_"]
            .iter()
            .any(|prefix| name.starts_with(prefix));
        if aims || name.to_ascii_lowercase().ends_with("_proxy") {
            command.env_remove(&*name);
        }
    }
    let child = command
        .envs(environment)
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("the log can be shared"))
        .stderr(log)
        .spawn();
    child.expect("the agent starts")
}

/// A container that runs a line of shell.
pub(crate) fn shell(name: &str, line: &str) -> Value {
    json!({
        "name": name, "image": IMAGE, "memory": 16, "cpu": 1,
        "command": ["sh", "-c", line],
        // A shell that is process 1 ignores SIGTERM.
        "stopTimeout": 2,
    })
}

/// With these members besides.
pub(crate) fn with(mut container: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        container[name] = value.clone();
    }
    container
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
