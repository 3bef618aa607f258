//! What containers of a task do to each other and to their task, as the API shows it.

use std::sync::Arc;
use std::time::Duration;

use berth_tests::{Docker, IMAGE, SOON, wait_for};
use serde_json::{Value, json};

use crate::Field;

/// How long a container takes to live for a minute, end, and be started again.
const RESTART_MAX: Duration = Duration::from_secs(90);

fn field() -> (Arc<Docker>, Field) {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    (docker, field)
}

fn container(name: &str, line: &str, more: &Value) -> Value {
    let mut container = json!({ "name": name, "image": IMAGE, "memory": 32, "stopTimeout": 2,
        "command": ["sh", "-c", line] });
    for (name, value) in more.as_object().unwrap() {
        container[name] = value.clone();
    }
    container
}

fn named<'a>(task: &'a Value, name: &str) -> &'a Value {
    let mut containers = task["containers"].as_array().unwrap().iter();
    containers
        .find(|container| container["name"] == name)
        .unwrap()
}

#[test]
fn a_container_waits_for_the_success_and_the_health_of_others() {
    let (docker, field) = field();
    let check = json!({ "command": ["CMD-SHELL", "test -e /ready"], "interval": 5, "retries": 10 });
    let first = container("first", "exit 0", &json!({ "essential": false }));
    let database = container(
        "database",
        "touch /ready; sleep 600",
        &json!({ "healthCheck": check }),
    );
    let web = container(
        "web",
        "sleep 600",
        &json!({ "dependsOn": [
        { "containerName": "first", "condition": "SUCCESS" },
        { "containerName": "database", "condition": "HEALTHY" },
    ] }),
    );
    field.register("ordered", &json!([first, database, web]), &json!({}));
    let task = field.run("ordered", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    let times = |name: &str| {
        let id = named(&running, name)["runtimeId"].as_str().unwrap();
        let format = "{{.State.StartedAt}} {{.State.FinishedAt}}";
        let text = docker.run(&["inspect", "--format", format, id]);
        let (started, finished) = text.split_once(' ').unwrap();
        (started.to_owned(), finished.to_owned())
    };
    // Docker's times have one form, so that their order is that of text.
    assert!(times("first").1 < times("web").0);
    assert_eq!(named(&running, "first")["exitCode"], 0, "{running}");
    wait_for("the task to be healthy", SOON, || {
        (field.describe(&task)["healthStatus"] == "HEALTHY").then_some(())
    });
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.finish();
}

#[test]
fn a_failed_dependency_stops_the_task() {
    let (_docker, field) = field();
    let first = container("first", "exit 4", &json!({ "essential": false }));
    let web = container(
        "web",
        "sleep 600",
        &json!({ "dependsOn": [
        { "containerName": "first", "condition": "SUCCESS" } ] }),
    );
    field.register("broken", &json!([first, web]), &json!({}));
    let task = field.run("broken", &json!({}));
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(named(&stopped, "first")["exitCode"], 4, "{stopped}");
    assert!(
        named(&stopped, "web")["runtimeId"].is_null()
            || named(&stopped, "web")["exitCode"].is_null(),
        "{stopped}"
    );
    field.finish();
}

#[test]
fn a_restart_policy_starts_a_container_again_once_its_period_is_over() {
    let (docker, field) = field();
    // 60 s is the shortest period that ECS takes.
    let policy = json!({ "enabled": true, "restartAttemptPeriod": 60 });
    let container = container(
        "main",
        "sleep 61; exit 1",
        &json!({ "restartPolicy": policy }),
    );
    field.register("restarts", &json!([container]), &json!({}));
    let [patient, hasty] = [(); 2].map(|()| field.run("restarts", &json!({})));
    let [first, second] = [&patient, &hasty].map(|task| {
        let running = field.wait_until(task, "RUNNING");
        named(&running, "main")["runtimeId"]
            .as_str()
            .unwrap()
            .to_owned()
    });
    // One that ends before its first period is over ends its task.
    let _ = docker.run(&["kill", &second]);
    let stopped = field.wait_until(&hasty, "STOPPED");
    assert_eq!(named(&stopped, "main")["exitCode"], 137, "{stopped}");
    let started = || docker.run(&["inspect", "--format", "{{.State.StartedAt}}", &first]);
    let before = started();
    wait_for("the container's second life", RESTART_MAX, || {
        (started() != before).then_some(())
    });
    assert_eq!(field.describe(&patient)["lastStatus"], "RUNNING");
    field.stop(&patient);
    field.wait_until(&patient, "STOPPED");
    field.finish();
}

#[test]
fn a_container_that_ignores_its_signal_is_killed_after_its_stop_timeout() {
    let (_docker, field) = field();
    let stubborn = container(
        "main",
        "trap '' TERM; while :; do sleep 0.1; done",
        &json!({}),
    );
    field.register("stubborn", &json!([stubborn]), &json!({}));
    let task = field.run("stubborn", &json!({}));
    field.wait_until(&task, "RUNNING");
    field.stop(&task);
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(named(&stopped, "main")["exitCode"], 137, "{stopped}");
    let seconds = |name: &str| stopped[name].as_f64().unwrap();
    let took = seconds("executionStoppedAt").max(seconds("stoppedAt")) - seconds("stoppingAt");
    assert!((1.5..15.0).contains(&took), "{took} s: {stopped}");
    field.finish();
}

#[test]
fn a_container_that_needs_too_much_memory_says_so() {
    let (_docker, field) = field();
    let greedy = "a=x; while :; do a=$a$a; done";
    field.register(
        "greedy",
        &json!([container("main", greedy, &json!({}))]),
        &json!({}),
    );
    let task = field.run("greedy", &json!({}));
    let stopped = field.wait_until(&task, "STOPPED");
    let main = named(&stopped, "main");
    assert_eq!(main["exitCode"], 137, "{stopped}");
    let reason = main["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("OutOfMemoryError: "), "{stopped}");
    field.finish();
}

#[test]
fn an_image_that_is_nowhere_stops_the_task_and_says_why() {
    let (_docker, field) = field();
    let image = json!({ "image": "127.0.0.1:9/no/such:image" });
    field.register(
        "nowhere",
        &json!([container("main", "true", &image)]),
        &json!({}),
    );
    let task = field.run("nowhere", &json!({}));
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(stopped["stopCode"], "TaskFailedToStart", "{stopped}");
    let reason = named(&stopped, "main")["reason"]
        .as_str()
        .unwrap_or_default();
    assert!(
        reason.starts_with("CannotPullContainerError: "),
        "{stopped}"
    );
    field.finish();
}
