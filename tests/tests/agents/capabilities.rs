//! What an agent registers is what placement goes by: tasks that it can run find it, others are
//! refused when they are placed and not when they are started.

use berth_tests::{Docker, IMAGE};
use serde_json::{Value, json};

use crate::Field;

/// Task definitions by what they need: of a container, and of the task.
fn supported() -> Vec<(&'static str, Value, Value)> {
    let none = || json!({});
    let local = |driver: &str| json!({ "logConfiguration": { "logDriver": driver } });
    let awslogs = json!({ "logDriver": "awslogs", "options": {
        "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-create-group": "true",
        "awslogs-stream-prefix": "p" } });
    let volume = json!({ "volumes": [{ "name": "v",
        "dockerVolumeConfiguration": { "driver": "local", "scope": "task" } }] });
    vec![
        ("plain", none(), none()),
        ("reserved", json!({ "memoryReservation": 16 }), none()),
        ("privileged", json!({ "privileged": true }), none()),
        (
            "health",
            json!({ "healthCheck": { "command": ["CMD", "true"] } }),
            none(),
        ),
        (
            "ordered",
            json!({ "stopTimeout": 2, "startTimeout": 20 }),
            none(),
        ),
        (
            "restarts",
            json!({ "restartPolicy": { "enabled": true } }),
            none(),
        ),
        (
            "range",
            json!({ "portMappings": [{ "containerPortRange": "80-81" }] }),
            none(),
        ),
        ("json-file", local("json-file"), none()),
        (
            "awslogs",
            json!({ "logConfiguration": awslogs }),
            json!({ "executionRoleArn": "arn:aws:iam::000000000000:role/e" }),
        ),
        (
            "role",
            none(),
            json!({ "taskRoleArn": "arn:aws:iam::000000000000:role/t" }),
        ),
        (
            "role-host",
            none(),
            json!({ "taskRoleArn": "arn:aws:iam::000000000000:role/t", "networkMode": "host" }),
        ),
        (
            "namespaces",
            none(),
            json!({ "pidMode": "task", "ipcMode": "task" }),
        ),
        ("sized", none(), json!({ "cpu": "256", "memory": "128" })),
        (
            "volume",
            json!({ "mountPoints": [{ "sourceVolume": "v", "containerPath": "/v" }] }),
            volume,
        ),
        ("awsvpc", none(), json!({ "networkMode": "awsvpc" })),
    ]
}

/// What needs AWS itself.
fn refused() -> Vec<(&'static str, Value, Value)> {
    let secret = |from: &str| json!({ "secrets": [{ "name": "S", "valueFrom": from }] });
    let none = || json!({});
    let efs = json!({ "volumes": [{ "name": "v", "efsVolumeConfiguration":
        { "fileSystemId": "fs-12345678" } }] });
    vec![
        (
            "ssm",
            secret("arn:aws:ssm:us-east-1:000000000000:parameter/p"),
            none(),
        ),
        (
            "asm",
            secret("arn:aws:secretsmanager:us-east-1:000000000000:secret:s"),
            none(),
        ),
        (
            "registry",
            json!({ "repositoryCredentials": { "credentialsParameter":
            "arn:aws:secretsmanager:us-east-1:000000000000:secret:s" } }),
            none(),
        ),
        (
            "firelens",
            json!({ "firelensConfiguration": { "type": "fluentbit" } }),
            none(),
        ),
        (
            "efs",
            json!({ "mountPoints": [{ "sourceVolume": "v", "containerPath": "/v" }] }),
            efs,
        ),
    ]
}

fn register(field: &Field, (family, container, task): &(&str, Value, Value)) {
    let mut whole = json!({ "name": "main", "image": IMAGE, "memory": 32, "cpu": 16,
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"] });
    for (name, value) in container.as_object().unwrap() {
        whole[name] = value.clone();
    }
    let mut task = task.clone();
    task["executionRoleArn"] = json!("arn:aws:iam::000000000000:role/e");
    field.register(family, &json!([whole]), &task);
}

/// Runs one of each, and expects of every one what the list says. Those of `placed_only` need not
/// start: what a machine grants that is a container itself differs.
fn check(field: &Field, placed_only: &[&str]) {
    for case in supported() {
        register(field, &case);
        let network = json!({ "networkConfiguration": { "awsvpcConfiguration": {
            "subnets": ["subnet-0123456789abcdef0"] } } });
        let more = if case.0 == "awsvpc" {
            network
        } else {
            json!({})
        };
        println!("placing {}", case.0);
        let task = field.run(case.0, &more);
        if !placed_only.contains(&case.0) {
            field.wait_until(&task, "RUNNING");
        }
        field.stop(&task);
        field.wait_until(&task, "STOPPED");
    }
    for case in refused() {
        register(field, &case);
        let answer = field.try_run(case.0, &json!({}));
        let reason = answer["failures"][0]["reason"].as_str();
        assert_eq!(reason, Some("ATTRIBUTE"), "{}: {answer}", case.0);
    }
}

#[test]
fn a_simulated_machine_takes_what_it_pretends_and_nothing_else() {
    let field = Field::simulated(&[]);
    check(&field, &[]);
    field.finish();
}

#[test]
fn a_machine_with_docker_takes_what_it_can_and_nothing_else() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    check(&field, &["privileged"]);
    field.finish();
}
