//! Agents in processes of their own against a real server: what they can do, what they survive,
//! and what the API shows of it. Without containers where none are needed, else with real Docker.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod capabilities;
mod containers;
mod definition;
mod fargate;
mod gpus;
mod identity;
mod joining;
mod limits;
mod logs;
mod machine;
mod restarts;
mod tls;

use std::path::PathBuf;

use berth_tests::{Caller, Docker, Key, Process, SOON, Server, Spec, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server with one agent process.
struct Field {
    server: Server,
    agent: Process,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    folder: TempDir,
}

impl Field {
    /// An agent of cluster `c` without containers, with these further arguments.
    fn simulated(arguments: &[&str]) -> Field {
        let simulated = ["--runtime", "simulated", "--cluster", "c"];
        Field::start(&[&simulated, arguments].concat(), &[])
    }

    /// An agent of cluster `c` with this Docker and these further arguments. Images are the local
    /// ones: there is no registry to ask.
    fn with_docker(docker: &Docker, arguments: &[&str]) -> Field {
        let usual = ["--cluster", "c", "--image-pull-behavior", "prefer-cached"];
        let host = [("DOCKER_HOST", docker.host())];
        Field::start(&[&usual, arguments].concat(), &host)
    }

    fn start(arguments: &[&str], environment: &[(&str, &str)]) -> Field {
        let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
        Caller::of(&server).call("CreateCluster", &json!({ "clusterName": "c" }));
        let folder = tempfile::tempdir().expect("a folder can be made");
        let url = server.url();
        let data = folder.path().join("agent").display().to_string();
        let usual = ["agent", "--server", &url, "--data-dir", &data];
        let arguments = usual.iter().chain(arguments).map(|text| (*text).to_owned());
        let keys = [
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
        ];
        let environment = keys.iter().chain(environment);
        let environment = environment.map(|(name, value)| ((*name).into(), (*value).into()));
        let arguments: Vec<String> = arguments.collect();
        let environment: Vec<(String, String)> = environment.collect();
        let log = folder.path().join("log");
        let agent = begin(&arguments, &environment, &log);
        let mut field = Field {
            server,
            agent,
            arguments,
            environment,
            folder,
        };
        field.wait_for_connections(1.0);
        field
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// Ends the agent as a crash would.
    fn kill_agent(&mut self) {
        self.agent.kill();
    }

    /// Starts the agent again, on the same data.
    fn restart_agent(&mut self) {
        self.agent = begin(&self.arguments, &self.environment, &self.log_path());
    }

    fn wait_for_connections(&mut self, count: f64) {
        let log = self.log_path();
        wait_for("the agents to be connected, or not", SOON, || {
            let said = || std::fs::read_to_string(&log).unwrap_or_default();
            assert!(self.agent.is_running(), "the agent ended: {}", said());
            (self.server.metric("berth_agents_connected") == count).then_some(())
        });
    }

    fn call(&self, operation: &str, input: &Value) -> Value {
        Caller::of(&self.server).call(operation, input)
    }

    /// Registers a task definition of one family, with `more` beside its containers.
    fn register(&self, family: &str, containers: &Value, more: &Value) {
        let mut input = json!({ "family": family, "containerDefinitions": containers });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("RegisterTaskDefinition", &input);
    }

    /// Runs a task that must be placed; its ARN.
    fn run(&self, family: &str, more: &Value) -> String {
        let answer = self.try_run(family, more);
        assert_eq!(answer["failures"], json!([]), "{family}");
        answer["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
    }

    fn try_run(&self, family: &str, more: &Value) -> Value {
        let mut input = json!({ "cluster": "c", "taskDefinition": family });
        for (name, value) in more.as_object().into_iter().flatten() {
            input[name] = value.clone();
        }
        self.call("RunTask", &input)
    }

    fn describe(&self, task: &str) -> Value {
        let cluster = task.rsplit('/').nth(1).unwrap();
        let input = json!({ "cluster": cluster, "tasks": [task] });
        self.call("DescribeTasks", &input)["tasks"][0].clone()
    }

    fn stop(&self, task: &str) {
        self.call("StopTask", &json!({ "cluster": "c", "task": task }));
    }

    fn wait_until(&self, task: &str, status: &str) -> Value {
        wait_for(&format!("the task to be {status}"), SOON, || {
            let seen = self.describe(task);
            let over = seen["lastStatus"] == "STOPPED";
            assert!(!over || status == "STOPPED", "it stopped: {seen}");
            (seen["lastStatus"] == status).then_some(seen)
        })
    }

    /// The cluster's active instances, described.
    fn instances(&self) -> Vec<Value> {
        let listed = self.call("ListContainerInstances", &json!({ "cluster": "c" }));
        match listed["containerInstanceArns"]
            .as_array()
            .unwrap()
            .as_slice()
        {
            [] => Vec::new(),
            arns => self.instances_named(arns),
        }
    }

    fn instances_named(&self, arns: &[Value]) -> Vec<Value> {
        let input = json!({ "cluster": "c", "containerInstances": arns });
        let described = self.call("DescribeContainerInstances", &input);
        described["containerInstances"].as_array().unwrap().clone()
    }

    fn finish(self) {
        let log = self.log();
        let panicked = log.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panicked, None, "the agent panicked");
        self.server.finish();
    }
}

fn begin(arguments: &[String], environment: &[(String, String)], log: &std::path::Path) -> Process {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let environment = environment.iter();
    let environment: Vec<(&str, &str)> = environment
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    Process::start(&arguments, &environment, log)
}

/// A container without an image that matters, with variables that script its simulated life.
fn scripted(variables: &[(&str, &str)]) -> Value {
    let environment = variables.iter();
    let environment: Vec<Value> = environment
        .map(|(name, value)| json!({ "name": name, "value": value }))
        .collect();
    json!([{ "name": "main", "image": "image", "memory": 64, "environment": environment }])
}
