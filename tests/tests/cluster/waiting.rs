//! Tasks that wait for room, on agents without containers: what waits, what starts when an agent
//! joins, what a crash of the server leaves, and what `berth explain` says meanwhile.

use berth_tests::{Caller, Key, Process, SOON, Server, Spec, run_berth, wait_for};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A server that lets tasks wait, without any agent.
fn server(wait: &str) -> Server {
    let spec = Spec::serve(&["--wait-for-room", wait]);
    let server = Key::TESTS.taken_by(spec).start();
    call(&server, "CreateCluster", &json!({ "clusterName": "c" }));
    register(&server, "small", 256);
    register(&server, "big", 100_000);
    server
}

fn call(server: &Server, operation: &str, input: &Value) -> Value {
    Caller::of(server).call(operation, input)
}

fn register(server: &Server, family: &str, cpu: u32) {
    let container = json!({ "name": "app", "image": "none", "memory": 64, "cpu": cpu });
    let input = json!({ "family": family, "containerDefinitions": [container] });
    call(server, "RegisterTaskDefinition", &input);
}

fn run(server: &Server, family: &str, count: u32) -> Vec<String> {
    let input = json!({ "cluster": "c", "taskDefinition": family, "count": count });
    let started = call(server, "RunTask", &input);
    assert_eq!(started["failures"], json!([]));
    let tasks = started["tasks"].as_array().unwrap().iter();
    tasks
        .map(|task| task["taskArn"].as_str().unwrap().to_owned())
        .collect()
}

fn describe(server: &Server, task: &str) -> Value {
    let input = json!({ "cluster": "c", "tasks": [task] });
    call(server, "DescribeTasks", &input)["tasks"][0].clone()
}

/// Agents of 1024 CPU units each, in a process of their own.
fn join(server: &Server, folder: &TempDir, name: &str) -> Process {
    let data = folder.path().join(name).display().to_string();
    let log = folder.path().join("log");
    let url = server.url();
    let arguments = [
        "agent",
        "--server",
        &url,
        "--cluster",
        "c",
        "--data-dir",
        &data,
        "--runtime",
        "simulated",
        "--cpu",
        "1024",
        "--memory",
        "2048",
        "--zone",
        "us-east-1a",
    ];
    let keys = [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ];
    Process::start(&arguments, &keys, &log)
}

fn wait_for_status(server: &Server, task: &str, status: &str) -> Value {
    wait_for(&format!("{task} to be {status}"), SOON, || {
        let seen = describe(server, task);
        (seen["lastStatus"] == status).then_some(seen)
    })
}

/// What `berth explain` prints.
fn explain(server: &Server, what: &str, more: &[&str]) -> String {
    let url = server.url();
    let arguments = ["explain", what, "--cluster", "c", "--server", &url];
    let keys = [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ];
    let (code, text) = berth_tests::ended(&[&arguments[..], more].concat(), &keys);
    assert_eq!(code, 0, "{text}");
    text
}

#[test]
fn tasks_wait_until_an_agent_joins_across_crashes_of_the_server() {
    let mut server = server("10m");
    let folder = tempfile::tempdir().unwrap();
    let tasks = run(&server, "small", 5);
    for task in &tasks {
        let seen = describe(&server, task);
        assert_eq!(seen["lastStatus"], "PROVISIONING");
        assert_eq!(seen["containerInstanceArn"], Value::Null);
    }
    server.kill();
    server.restart();
    assert_eq!(describe(&server, &tasks[0])["lastStatus"], "PROVISIONING");
    let told = explain(&server, &tasks[0], &[]);
    assert!(
        told.contains("there is no container instance to choose from"),
        "{told}"
    );

    let _first = join(&server, &folder, "first");
    for task in &tasks[..4] {
        let seen = wait_for_status(&server, task, "RUNNING");
        assert!(seen["containerInstanceArn"].is_string(), "{seen}");
    }
    // The fifth has no room on the first machine, and says so.
    assert_eq!(describe(&server, &tasks[4])["lastStatus"], "PROVISIONING");
    let told = explain(&server, &tasks[4], &[]);
    assert!(
        told.contains("the one container instance cannot take it"),
        "{told}"
    );
    assert!(
        told.contains("in us-east-1a: it has 0 of 1024 CPU units left, and a task takes 256; 4"),
        "{told}"
    );
    let told = explain(&server, &tasks[4], &["--output", "json"]);
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["groups"][0]["reason"], "RESOURCE:CPU");
    let told = explain(&server, &tasks[0], &[]);
    assert!(told.contains("HERE: 1 of 1 container instances"), "{told}");

    server.kill();
    server.restart();
    let _second = join(&server, &folder, "second");
    wait_for_status(&server, &tasks[4], "RUNNING");
}

#[test]
fn a_task_that_stops_makes_room_and_one_that_waits_can_be_stopped() {
    let server = server("10m");
    let folder = tempfile::tempdir().unwrap();
    let _agent = join(&server, &folder, "agent");
    let first = run(&server, "small", 4);
    for task in &first {
        wait_for_status(&server, task, "RUNNING");
    }
    let later = run(&server, "small", 2);
    let stop = |task: &str| {
        let input = json!({ "cluster": "c", "task": task, "reason": "enough" });
        call(&server, "StopTask", &input)
    };
    let stopped = stop(&later[0]);
    assert_eq!(stopped["task"]["lastStatus"], "STOPPED");
    assert_eq!(stopped["task"]["stoppedReason"], "enough");
    stop(&first[0]);
    wait_for_status(&server, &later[1], "RUNNING");
}

#[test]
fn a_task_that_waits_too_long_is_given_up() {
    let server = server("2s");
    let folder = tempfile::tempdir().unwrap();
    let _agent = join(&server, &folder, "agent");
    let small = run(&server, "small", 1);
    wait_for_status(&server, &small[0], "RUNNING");
    let big = run(&server, "big", 1);
    let seen = wait_for_status(&server, &big[0], "STOPPED");
    assert_eq!(seen["stopCode"], "TaskFailedToStart");
    assert_eq!(seen["stoppedReason"], "TaskFailedToStart: RESOURCE:CPU");
}

#[test]
fn a_services_tasks_wait_and_start_and_the_service_says_why() {
    let server = server("10m");
    let folder = tempfile::tempdir().unwrap();
    let input = json!({
        "cluster": "c", "serviceName": "web", "taskDefinition": "small", "desiredCount": 5,
    });
    call(&server, "CreateService", &input);
    let service = || {
        let input = json!({ "cluster": "c", "services": ["web"] });
        call(&server, "DescribeServices", &input)["services"][0].clone()
    };
    wait_for("five tasks to wait", SOON, || {
        (service()["pendingCount"] == 5).then_some(())
    });
    let told = service()["events"].to_string();
    assert!(told.contains("was unable to place a task"), "{told}");
    let told = explain(&server, "web", &[]);
    assert!(
        told.contains("wants 5 tasks: 0 run, 0 are starting, 5 wait for room."),
        "{told}"
    );
    let _first = join(&server, &folder, "first");
    wait_for("four tasks to run", SOON, || {
        let seen = service();
        (seen["runningCount"] == 4 && seen["pendingCount"] == 1).then_some(())
    });
    let _second = join(&server, &folder, "second");
    wait_for("the service to be steady", SOON, || {
        let seen = service();
        (seen["deployments"][0]["rolloutState"] == "COMPLETED").then_some(())
    });
}

#[test]
fn a_stopped_task_is_found_in_the_history_once_it_has_left_memory() {
    let arguments = ["--stopped-task-retention", "1s", "--task-history", "1h"];
    let mut server = Key::TESTS.taken_by(Spec::serve(&arguments)).start();
    call(&server, "CreateCluster", &json!({ "clusterName": "c" }));
    register(&server, "small", 256);
    let folder = tempfile::tempdir().unwrap();
    let _agent = join(&server, &folder, "agent");
    let run_one = || {
        let tags = json!([{ "key": "team", "value": "blue" }]);
        let input = json!({ "cluster": "c", "taskDefinition": "small", "tags": tags });
        let started = Caller::of(&server).ask("RunTask", &input).unwrap();
        let started: Value = serde_json::from_str(&started.body).unwrap();
        started["tasks"][0]["taskArn"].as_str().map(str::to_owned)
    };
    let task = wait_for("an agent to take the task", SOON, run_one);
    wait_for_status(&server, &task, "RUNNING");
    let stop = json!({ "cluster": "c", "task": task, "reason": "enough" });
    call(&server, "StopTask", &stop);
    let shown = wait_for_status(&server, &task, "STOPPED");
    let listed = |server: &Server| {
        let input = json!({ "cluster": "c", "desiredStatus": "STOPPED" });
        call(server, "ListTasks", &input)["taskArns"].clone()
    };
    wait_for("the task to leave memory", SOON, || {
        (listed(&server) == json!([])).then_some(())
    });
    assert_eq!(describe(&server, &task), shown);
    let input = json!({ "cluster": "c", "tasks": [task], "include": ["TAGS"] });
    let tagged = call(&server, "DescribeTasks", &input);
    assert_eq!(
        tagged["tasks"][0]["tags"],
        json!([{ "key": "team", "value": "blue" }])
    );
    server.kill();
    server.restart();
    assert_eq!(describe(&server, &task), shown);
    let unknown = "0123456789abcdef0123456789abcdef";
    let input = json!({ "cluster": "c", "tasks": [unknown] });
    let missing = call(&server, "DescribeTasks", &input);
    assert_eq!(missing["failures"][0]["reason"], "MISSING");
}

#[test]
fn tasks_move_over_to_an_agent_that_joins() {
    let server = Key::TESTS.taken_by(Spec::serve(&["--move-over"])).start();
    call(&server, "CreateCluster", &json!({ "clusterName": "c" }));
    register(&server, "small", 256);
    let folder = tempfile::tempdir().unwrap();
    let _first = join(&server, &folder, "first");
    let input = json!({
        "cluster": "c", "serviceName": "web", "taskDefinition": "small", "desiredCount": 4,
    });
    call(&server, "CreateService", &input);
    let service = || {
        let input = json!({ "cluster": "c", "services": ["web"] });
        call(&server, "DescribeServices", &input)["services"][0].clone()
    };
    // Without the setting four tasks stay on the first agent, which has room for four.
    wait_for("the first deployment to complete", SOON * 2, || {
        (service()["deployments"][0]["rolloutState"] == "COMPLETED").then_some(())
    });
    let _second = join(&server, &folder, "second");
    wait_for("two tasks on each agent", SOON * 4, || {
        let listed = call(&server, "ListTasks", &json!({ "cluster": "c" }));
        let input = json!({ "cluster": "c", "tasks": listed["taskArns"] });
        let described = call(&server, "DescribeTasks", &input);
        let mut by_instance = std::collections::BTreeMap::new();
        for task in described["tasks"].as_array().unwrap() {
            let instance = task["containerInstanceArn"].to_string();
            *by_instance.entry(instance).or_insert(0) += 1;
        }
        (by_instance.values().copied().collect::<Vec<_>>() == [2, 2]).then_some(())
    });
    assert_eq!(service()["runningCount"], 4);
}

#[test]
fn explain_refuses_whom_the_server_does_not_know() {
    let server = server("10m");
    let url = server.url();
    let refused = run_berth(&["explain", "web", "--cluster", "c", "--server", &url]);
    assert_eq!(refused.status.code(), Some(1));
    let keys = [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ];
    let arguments = ["explain", "web", "--cluster", "c", "--server", &url];
    let (code, text) = berth_tests::ended(&arguments, &keys);
    assert_eq!(code, 1, "there is no such service: {text}");
    assert!(text.contains("ServiceNotFoundException"), "{text}");
}
