//! `berth events` beside real clients: what it prints of what they do.

use std::collections::HashMap;
use std::path::PathBuf;

use berth_tests::{Aws, Process, SOON, Server, Spec, ended, run_berth, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

const TASK: &str = "ECS Task State Change";
const INSTANCE: &str = "ECS Container Instance State Change";
const ACTION: &str = "ECS Service Action";
const DEPLOYMENT: &str = "ECS Deployment State Change";

/// A `berth events --follow` and what it printed.
struct Follower {
    _process: Process,
    folder: TempDir,
}

impl Follower {
    fn start(server: &Server, more: &[&str]) -> Follower {
        let folder = tempfile::tempdir().unwrap();
        let data_dir = server.data_dir();
        let own = ["events", "--follow", "--data-dir", &data_dir];
        let (output, log) = (folder.path().join("events"), folder.path().join("log"));
        let arguments = [&own[..], more].concat();
        Follower {
            _process: Process::start_printing(&arguments, &[], &output, &log),
            folder,
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("events")
    }

    /// Everything that was printed so far, whole lines only.
    fn events(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.path()).unwrap();
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().map(serde_json::from_str);
        lines.map(|event| event.expect("JSON")).collect()
    }

    fn wait_for(&self, what: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        wait_for(what, SOON, || self.events().into_iter().find(&is_it))
    }
}

fn register(aws: &Aws) {
    let containers = json!([{ "name": "app", "image": "none", "memory": 64, "cpu": 64 }]);
    let containers = containers.to_string();
    let arguments = ["ecs", "register-task-definition", "--family", "web"];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

fn run_task(aws: &Aws) -> String {
    let ran = aws.run(&["ecs", "run-task", "--task-definition", "web"]);
    assert_eq!(ran["failures"], json!([]), "{ran}");
    ran["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

/// Whether the event says that this task has this status.
fn is_status(event: &Value, task: &str, status: &str) -> bool {
    event["detail-type"] == TASK
        && event["resources"] == json!([task])
        && event["detail"]["lastStatus"] == status
}

#[test]
fn what_clients_do_is_told_to_who_follows() {
    let server = Spec::dev(&["--runtime", "simulated", "--agents", "2"]).start();
    let aws = server.aws();
    let all = Follower::start(&server, &[]);
    let deployments = Follower::start(&server, &["--type", "deployment", "--cluster", "default"]);
    let elsewhere = Follower::start(&server, &["--cluster", "other"]);
    register(&aws);
    let create = ["ecs", "create-service", "--service-name", "web"];
    let rest = ["--task-definition", "web", "--desired-count", "2"];
    let created = aws.run(&[&create[..], &rest[..]].concat());
    let arn = created["service"]["serviceArn"].clone();
    let named = |event: &Value, name: &str| {
        event["detail"]["eventName"] == name && event["resources"] == json!([arn])
    };
    let steady = all.wait_for("the steady state", |e| named(e, "SERVICE_STEADY_STATE"));
    assert_eq!(steady["detail-type"], ACTION);
    assert_eq!(steady["source"], "aws.ecs");
    assert_eq!(steady["detail"]["eventType"], "INFO");
    for name in [
        "SERVICE_DEPLOYMENT_IN_PROGRESS",
        "SERVICE_DEPLOYMENT_COMPLETED",
    ] {
        let event = deployments.wait_for(name, |e| named(e, name));
        assert_eq!(event["detail-type"], DEPLOYMENT);
        let expected = &created["service"]["deployments"][0]["id"];
        assert_eq!(&event["detail"]["deploymentId"], expected);
    }
    let started = all.wait_for("the start of tasks", |e| named(e, "TASKS_STARTED"));
    let task = started["detail"]["taskArns"][0].as_str().unwrap();
    let running = all.wait_for("a running task", |e| is_status(e, task, "RUNNING"));
    let described = aws.run(&["ecs", "describe-tasks", "--tasks", task]);
    let described = &described["tasks"][0];
    for member in ["version", "containerInstanceArn", "group", "startedBy"] {
        assert_eq!(running["detail"][member], described[member], "{member}");
    }
    let instance = described["containerInstanceArn"].as_str().unwrap();
    let drain = [
        "ecs",
        "update-container-instances-state",
        "--status",
        "DRAINING",
    ];
    let _ = aws.run(&[&drain[..], &["--container-instances", instance]].concat());
    all.wait_for("the drained instance", |event| {
        event["resources"] == json!([instance]) && event["detail"]["status"] == "DRAINING"
    });
    all.wait_for("the moved task's end", |e| is_status(e, task, "STOPPED"));

    let events = all.events();
    let mut versions: HashMap<String, u64> = HashMap::new();
    for event in events.iter().filter(|e| {
        [TASK, INSTANCE]
            .map(Value::from)
            .contains(&e["detail-type"])
    }) {
        let resource = event["resources"][0].as_str().unwrap().to_owned();
        let version = event["detail"]["version"].as_u64().unwrap();
        let before = versions.insert(resource, version);
        assert!(before < Some(version), "{event} after version {before:?}");
    }
    let types = deployments.events();
    assert!(
        types.iter().all(|e| e["detail-type"] == DEPLOYMENT),
        "{types:?}"
    );
    assert_eq!(elsewhere.events(), Vec::<Value>::new());

    // Who does not follow is told what the server remembers, with the same ids.
    let data_dir = server.data_dir();
    let looked = run_berth(&[
        "events",
        "--data-dir",
        &data_dir,
        "--type",
        "service,deployment",
    ]);
    assert!(looked.status.success());
    let looked = String::from_utf8_lossy(&looked.stdout).into_owned();
    let looked: Vec<Value> = looked
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(looked.contains(&steady), "{looked:?}");
    server.finish();
}

#[test]
fn who_follows_outlives_a_kill_of_the_server() {
    let mut server = Spec::dev(&["--runtime", "simulated", "--agents", "1"]).start();
    let aws = server.aws();
    register(&aws);
    let follower = Follower::start(&server, &["--type", "task"]);
    let first = run_task(&aws);
    follower.wait_for("the first task", |e| is_status(e, &first, "RUNNING"));
    server.kill();
    server.restart();
    let second = wait_for("a task", SOON, || {
        let ran = aws
            .try_run(&["ecs", "run-task", "--task-definition", "web"])
            .ok()?;
        ran["tasks"][0]["taskArn"].as_str().map(str::to_owned)
    });
    follower.wait_for("the second task", |e| is_status(e, &second, "RUNNING"));
    let ids: Vec<Value> = follower.events().iter().map(|e| e["id"].clone()).collect();
    let mut once = ids.clone();
    once.sort_by_key(Value::to_string);
    once.dedup();
    assert_eq!(once.len(), ids.len(), "an event was told twice");
    server.finish();
}

#[test]
fn events_are_told_to_who_has_the_key_alone() {
    let server = Spec::serve(&[]).start();
    let url = server.url();
    let data_dir = server.data_dir();
    let own = ended(&["events", "--data-dir", &data_dir], &[]);
    assert_eq!(own, (0, String::new()));
    let stranger = [
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
    ];
    let (code, said) = ended(&["events", "--follow", "--server", &url], &stranger);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("UnrecognizedClientException"), "{said}");
    assert_eq!(server.get("/events").0, 400, "without a signature");
    server.finish();
}
