//! Several agents without containers, through the aws CLI.

use std::collections::BTreeSet;

use berth_tests::{Aws, SOON, Server, Spec, wait_for};
use serde_json::{Value, json};

fn three_agents() -> Server {
    Spec::dev(&["--runtime", "simulated", "--agents", "3"]).start()
}

fn register(aws: &Aws, family: &str) {
    let containers = json!([{ "name": "app", "image": "none", "memory": 64, "cpu": 64 }]);
    let containers = containers.to_string();
    let arguments = ["ecs", "register-task-definition", "--family", family];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

/// The statuses of all tasks of the default cluster with this desired status.
fn statuses(aws: &Aws, desired: &str) -> Vec<String> {
    let listed = aws.run(&["ecs", "list-tasks", "--desired-status", desired]);
    let arns: Vec<&str> = texts(&listed["taskArns"]);
    if arns.is_empty() {
        return Vec::new();
    }
    let described = aws.run(&[&["ecs", "describe-tasks", "--tasks"], &arns[..]].concat());
    let tasks = described["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| task["lastStatus"].as_str().unwrap().to_owned())
        .collect()
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array()
        .unwrap()
        .iter()
        .map(|text| text.as_str().unwrap())
        .collect()
}

fn wait_for_all(aws: &Aws, desired: &str, status: &str, count: usize) {
    let what = format!("{count} tasks to be {status}");
    wait_for(&what, SOON, || {
        let seen = statuses(aws, desired);
        (seen.len() == count && seen.iter().all(|s| s == status)).then_some(())
    });
}

#[test]
fn agents_register_in_their_zones_and_tasks_live_and_stop() {
    let server = three_agents();
    let aws = server.aws();
    let listed = aws.run(&["ecs", "list-container-instances"]);
    let arns = texts(&listed["containerInstanceArns"]);
    assert_eq!(arns.len(), 3);
    let describe = [
        "ecs",
        "describe-container-instances",
        "--container-instances",
    ];
    let described = aws.run(&[&describe[..], &arns[..]].concat());
    let instances = described["containerInstances"].as_array().unwrap();
    assert!(
        instances
            .iter()
            .all(|instance| instance["agentConnected"] == true),
        "{described}"
    );
    let zones: BTreeSet<&str> = instances
        .iter()
        .flat_map(|instance| instance["attributes"].as_array().unwrap())
        .filter(|attribute| attribute["name"] == "ecs.availability-zone")
        .map(|attribute| attribute["value"].as_str().unwrap())
        .collect();
    assert_eq!(
        zones,
        BTreeSet::from(["us-east-1a", "us-east-1b", "us-east-1c"])
    );

    register(&aws, "web");
    let run = [
        "ecs",
        "run-task",
        "--task-definition",
        "web",
        "--count",
        "9",
    ];
    let spread = ["--placement-strategy", "type=spread,field=instanceId"];
    let started = aws.run(&[&run[..], &spread[..]].concat());
    assert_eq!(started["failures"], json!([]));
    let tasks = started["tasks"].as_array().unwrap();
    let on = |arn: &str| {
        tasks
            .iter()
            .filter(|task| task["containerInstanceArn"] == arn)
            .count()
    };
    assert_eq!(
        arns.iter().map(|arn| on(arn)).collect::<Vec<_>>(),
        [3, 3, 3]
    );
    wait_for_all(&aws, "RUNNING", "RUNNING", 9);

    let first = tasks[0]["taskArn"].as_str().unwrap();
    let _ = aws.run(&["ecs", "stop-task", "--task", first, "--reason", "enough"]);
    wait_for_all(&aws, "STOPPED", "STOPPED", 1);
    let described = aws.run(&["ecs", "describe-tasks", "--tasks", first]);
    let stopped = &described["tasks"][0];
    assert_eq!(stopped["stopCode"], "UserInitiated");
    assert_eq!(stopped["stoppedReason"], "enough");
    server.finish();
}

#[test]
fn a_task_that_fits_nowhere_says_why() {
    let server = three_agents();
    let aws = server.aws();
    let containers = json!([{ "name": "app", "image": "none", "memory": 1_000_000 }]).to_string();
    let register = ["ecs", "register-task-definition", "--family", "huge"];
    let _ = aws.run(&[&register[..], &["--container-definitions", &containers]].concat());
    let refused = aws.run(&["ecs", "run-task", "--task-definition", "huge"]);
    let reasons: BTreeSet<&str> = refused["failures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|failure| failure["reason"].as_str().unwrap())
        .collect();
    assert_eq!(reasons, BTreeSet::from(["RESOURCE:MEMORY"]));
    server.finish();
}

#[test]
fn every_account_and_region_is_a_world_with_the_same_agents() {
    let server = three_agents();
    for (account, region) in [("111111111111", "us-east-1"), ("111111111111", "eu-west-1")] {
        let aws = server.aws().key(account, "any").region(region);
        let clusters = aws.run(&["ecs", "list-clusters"]);
        let expected = format!("arn:aws:ecs:{region}:{account}:cluster/default");
        assert_eq!(clusters["clusterArns"], json!([expected]));
        let listed = aws.run(&["ecs", "list-container-instances"]);
        assert_eq!(texts(&listed["containerInstanceArns"]).len(), 3);
    }
    server.finish();
}

#[test]
fn a_crash_of_the_server_loses_no_task_and_starts_none_twice() {
    let mut server = three_agents();
    let aws = server.aws();
    register(&aws, "web");
    for _ in 0..2 {
        let started = aws.run(&[
            "ecs",
            "run-task",
            "--task-definition",
            "web",
            "--count",
            "10",
        ]);
        assert_eq!(started["failures"], json!([]));
    }
    wait_for_all(&aws, "RUNNING", "RUNNING", 20);
    let before = aws.run(&["ecs", "list-tasks"]);
    server.kill();
    server.restart();
    let after = aws.run(&["ecs", "list-tasks"]);
    let sorted = |listed: &Value| {
        let mut arns = texts(&listed["taskArns"])
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>();
        arns.sort();
        arns
    };
    assert_eq!(sorted(&before), sorted(&after));
    wait_for_all(&aws, "RUNNING", "RUNNING", 20);
    assert_eq!(statuses(&aws, "STOPPED"), Vec::<String>::new());
    server.finish();
}
