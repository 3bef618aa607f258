//! Tasks in real containers, through the aws CLI.

use std::sync::Arc;

use berth_tests::{Aws, Docker, IMAGE, SOON, Server, Spec, wait_for};
use serde_json::{Value, json};

fn server() -> (Arc<Docker>, Server) {
    let docker = Docker::get();
    // Small machines run several of these at once.
    let spec = Spec::dev(&["--agent-cpu", "2048", "--agent-memory", "1024"]);
    let server = docker.serving(spec).start();
    (docker, server)
}

fn register(aws: &Aws, family: &str, containers: &Value) {
    let containers = containers.to_string();
    let arguments = ["ecs", "register-task-definition", "--family", family];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

/// A container that runs a line of shell, with its output in a log group of the family's name.
fn shell(name: &str, line: &str, group: &str) -> Value {
    json!({
        "name": name, "image": IMAGE, "memory": 32, "command": ["sh", "-c", line],
        // A shell that is process 1 ignores SIGTERM.
        "stopTimeout": 2,
        "logConfiguration": { "logDriver": "awslogs", "options": {
            "awslogs-group": group, "awslogs-create-group": "true",
            "awslogs-region": "us-east-1", "awslogs-stream-prefix": "t",
        } },
    })
}

fn run(aws: &Aws, family: &str) -> String {
    let started = aws.run(&["ecs", "run-task", "--task-definition", family]);
    assert_eq!(started["failures"], json!([]));
    started["tasks"][0]["taskArn"].as_str().unwrap().to_owned()
}

fn describe(aws: &Aws, task: &str) -> Value {
    aws.run(&["ecs", "describe-tasks", "--tasks", task])["tasks"][0].clone()
}

fn wait_until(aws: &Aws, task: &str, status: &str) -> Value {
    wait_for(&format!("the task to be {status}"), SOON, || {
        let seen = describe(aws, task);
        let over = seen["lastStatus"] == "STOPPED";
        assert!(!over || status == "STOPPED", "it stopped: {seen}");
        (seen["lastStatus"] == status).then_some(seen)
    })
}

fn log_lines(aws: &Aws, group: &str, container: &str, task: &str) -> Vec<String> {
    let stream = format!("t/{container}/{}", task.rsplit('/').next().unwrap());
    let get = [
        "logs",
        "get-log-events",
        "--start-from-head",
        "--log-group-name",
        group,
    ];
    let Ok(events) = aws.try_run(&[&get[..], &["--log-stream-name", &stream]].concat()) else {
        return Vec::new();
    };
    let events = events["events"].as_array().unwrap();
    events
        .iter()
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_task_runs_logs_and_is_stopped() {
    let (_docker, server) = server();
    let aws = server.aws();
    register(
        &aws,
        "web",
        &json!([shell("app", "echo up; exec sleep 600", "/t/web")]),
    );
    let task = run(&aws, "web");
    let running = wait_until(&aws, &task, "RUNNING");
    assert_eq!(running["containers"][0]["lastStatus"], "RUNNING");
    let runtime_id = running["containers"][0]["runtimeId"].as_str().unwrap();
    assert_eq!(runtime_id.len(), 64);
    wait_for("the log line", SOON, || {
        (log_lines(&aws, "/t/web", "app", &task) == ["up"]).then_some(())
    });
    let _ = aws.run(&["ecs", "stop-task", "--task", &task, "--reason", "enough"]);
    let stopped = wait_until(&aws, &task, "STOPPED");
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert_eq!(stopped["stoppedReason"], "enough");
    assert_eq!(stopped["containers"][0]["lastStatus"], "STOPPED");
    assert!(
        stopped["containers"][0]["exitCode"].is_number(),
        "{stopped}"
    );
    server.finish();
}

#[test]
fn a_container_that_ends_tells_its_exit_code_and_all_its_lines() {
    let (_docker, server) = server();
    let aws = server.aws();
    let line = "i=1; while [ $i -le 500 ]; do echo line $i; i=$((i+1)); done; exit 3";
    register(&aws, "count", &json!([shell("app", line, "/t/count")]));
    let task = run(&aws, "count");
    let stopped = wait_until(&aws, &task, "STOPPED");
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    assert_eq!(stopped["containers"][0]["exitCode"], 3);
    let expected: Vec<String> = (1..=500).map(|n| format!("line {n}")).collect();
    wait_for("all lines", SOON, || {
        let lines = log_lines(&aws, "/t/count", "app", &task);
        assert!(lines.len() <= 500, "a line came twice");
        (lines == expected).then_some(())
    });
    server.finish();
}

#[test]
fn a_crash_of_the_server_does_not_touch_containers() {
    let (docker, mut server) = server();
    let aws = server.aws();
    let line = "i=1; while :; do echo tick $i; i=$((i+1)); sleep 0.2; done";
    register(&aws, "tick", &json!([shell("app", line, "/t/tick")]));
    let task = run(&aws, "tick");
    let before = wait_until(&aws, &task, "RUNNING");
    let runtime_id = before["containers"][0]["runtimeId"].as_str().unwrap();
    let look = [
        "inspect",
        "--format",
        "{{.State.Running}} {{.State.StartedAt}} {{.RestartCount}}",
    ];
    let state = || docker.run(&[&look[..], &[runtime_id]].concat());
    let alive = state();
    wait_for("the first lines", SOON, || {
        (log_lines(&aws, "/t/tick", "app", &task).len() > 3).then_some(())
    });
    for _ in 0..2 {
        server.kill();
        assert_eq!(state(), alive);
        server.restart();
        let after = wait_until(&aws, &task, "RUNNING");
        assert_eq!(after["containers"][0]["runtimeId"], runtime_id);
        assert_eq!(after["startedAt"], before["startedAt"]);
    }
    assert_eq!(state(), alive);
    // What was written meanwhile is there as well, every line once and in order.
    let seen = log_lines(&aws, "/t/tick", "app", &task).len();
    let lines = wait_for("later lines", SOON, || {
        let lines = log_lines(&aws, "/t/tick", "app", &task);
        (lines.len() > seen + 5).then_some(lines)
    });
    let expected: Vec<String> = (1..=lines.len()).map(|n| format!("tick {n}")).collect();
    assert_eq!(lines, expected);
    let _ = aws.run(&["ecs", "stop-task", "--task", &task]);
    wait_until(&aws, &task, "STOPPED");
    server.finish();
}

#[test]
fn an_image_that_is_nowhere_fails_the_task_with_its_reason() {
    let (_docker, server) = server();
    let aws = server.aws();
    let image = "127.0.0.1:1/no/such:image";
    register(
        &aws,
        "gone",
        &json!([{ "name": "app", "image": image, "memory": 32 }]),
    );
    let task = run(&aws, "gone");
    let stopped = wait_until(&aws, &task, "STOPPED");
    assert_eq!(stopped["stopCode"], "TaskFailedToStart");
    let reason = stopped["stoppedReason"].as_str().unwrap();
    assert!(reason.starts_with("CannotPullContainerError"), "{reason}");
    server.finish();
}
