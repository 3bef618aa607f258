//! Machines offered as Fargate capacity, addresses of tasks, and machines that are offered twice.

use berth_tests::{Caller, Docker, IMAGE, Key, Spec};
use serde_json::{Value, json};

use crate::{Field, scripted};

fn network() -> Value {
    json!({ "launchType": "FARGATE", "networkConfiguration": { "awsvpcConfiguration": {
        "subnets": ["subnet-0123456789abcdef0"], "securityGroups": ["sg-0123456789abcdef0"],
        "assignPublicIp": "ENABLED" } } })
}

fn definition() -> Value {
    json!({ "networkMode": "awsvpc", "requiresCompatibilities": ["FARGATE"], "cpu": "256",
        "memory": "512" })
}

/// The task's own address, which its attachment and its containers must agree on.
fn address(task: &Value) -> String {
    let attachment = &task["attachments"][0];
    assert_eq!(attachment["type"], "ElasticNetworkInterface", "{task}");
    assert_eq!(attachment["status"], "ATTACHED", "{task}");
    let details = attachment["details"].as_array().unwrap();
    let detail = |name: &str| {
        let found = details.iter().find(|detail| detail["name"] == name);
        found.unwrap_or_else(|| panic!("no {name}: {task}"))["value"].clone()
    };
    assert_eq!(detail("subnetId"), "subnet-0123456789abcdef0");
    let address = detail("privateIPv4Address");
    let interfaces = &task["containers"][0]["networkInterfaces"];
    assert_eq!(interfaces[0]["privateIpv4Address"], address, "{task}");
    address.as_str().unwrap().to_owned()
}

#[test]
fn a_fargate_machine_is_no_instance_and_runs_tasks_of_every_cluster() {
    let field = Field::simulated(&["--capacity", "fargate"]);
    assert_eq!(field.instances(), Vec::<Value>::new());
    field.register("web", &scripted(&[]), &definition());
    field.call("CreateCluster", &json!({ "clusterName": "other" }));
    for cluster in ["c", "other"] {
        let mut more = network();
        more["cluster"] = json!(cluster);
        let task = field.run("web", &more);
        let running = field.wait_until(&task, "RUNNING");
        assert_eq!(running["launchType"], "FARGATE");
        assert!(running["containerInstanceArn"].is_null(), "{running}");
        address(&running);
    }
    // What is offered as Fargate alone takes no others.
    field.register("plain", &scripted(&[]), &json!({}));
    let input = json!({ "cluster": "c", "taskDefinition": "plain" });
    let refused = Caller::of(&field.server).refused("RunTask", &input);
    assert_eq!(refused, ("InvalidParameterException".to_owned(), 400));
    field.finish();
}

#[test]
fn the_address_in_the_attachment_is_the_one_inside_the_task() {
    let docker = Docker::get();
    let arguments = ["--capacity", "fargate", "--task-cidr", "10.214.77.0/24"];
    let field = Field::with_docker(&docker, &arguments);
    let sleep = |name: &str| {
        json!({ "name": name, "image": IMAGE, "command": ["sleep", "600"],
        "stopTimeout": 2 })
    };
    field.register("web", &json!([sleep("a"), sleep("b")]), &definition());
    let mut seen = Vec::new();
    for _ in 0..2 {
        let task = field.run("web", &network());
        let running = field.wait_until(&task, "RUNNING");
        let own = address(&running);
        assert!(own.starts_with("10.214.77."), "{own}");
        for container in running["containers"].as_array().unwrap() {
            let id = container["runtimeId"].as_str().unwrap();
            let inside = docker.run(&["exec", id, "ip", "-4", "addr"]);
            assert!(
                inside.contains(&format!("{own}/")),
                "{own} is not in {inside}"
            );
        }
        seen.push((task, own));
    }
    assert_ne!(seen[0].1, seen[1].1);
    for (task, _) in &seen {
        field.stop(task);
        field.wait_until(task, "STOPPED");
    }
    field.finish();
}

#[test]
fn a_machine_in_two_worlds_is_counted_once() {
    let arguments = ["--runtime", "simulated", "--agent-memory", "1000"];
    let server = Spec::dev(&arguments).start();
    let caller = |account| {
        Caller::of(&server).key(Key {
            id: account,
            secret: "any",
        })
    };
    let container = json!([{ "name": "main", "image": "image", "memory": 600 }]);
    let definition = json!({ "family": "large", "containerDefinitions": container });
    let run = |account| {
        let mut caller = caller(account);
        caller.call("RegisterTaskDefinition", &definition);
        caller.call("RunTask", &json!({ "taskDefinition": "large" }))
    };
    assert_eq!(run("111111111111")["failures"], json!([]));
    let second = run("222222222222");
    assert_eq!(
        second["failures"][0]["reason"], "RESOURCE:MEMORY",
        "{second}"
    );
    server.finish();
}
