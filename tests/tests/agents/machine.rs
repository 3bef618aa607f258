//! One machine with agents in several processes: what it has is counted once.

use berth_tests::{Caller, Docker, Process};
use serde_json::{Value, json};

use crate::{Field, begin, scripted};

/// Adds an agent process of cluster `d` to a field; its log is its own.
fn beside(field: &Field, arguments: &[&str]) -> Process {
    Caller::of(&field.server).call("CreateCluster", &json!({ "clusterName": "d" }));
    let url = field.server.url();
    let data = field.folder.path().join("second").display().to_string();
    let usual = ["agent", "--server", &url, "--data-dir", &data];
    let arguments: Vec<String> = [&usual, arguments]
        .concat()
        .iter()
        .map(|a| (*a).to_owned())
        .collect();
    begin(
        &arguments,
        &field.environment,
        &field.folder.path().join("second.log"),
    )
}

fn resource(instance: &Value, name: &str) -> i64 {
    let resources = instance["remainingResources"].as_array().unwrap();
    let found = resources.iter().find(|resource| resource["name"] == name);
    found.unwrap()["integerValue"].as_i64().unwrap()
}

/// Two agents of one machine, in clusters `c` and `d`: a task of `c` takes more than half of the
/// machine and a port of it, so that none like it fits in `d` until it has ended.
fn is_counted_once(mut field: Field, second: &[&str]) {
    let mut second = beside(&field, second);
    field.wait_for_connections(2.0);
    let memory = resource(&field.instances()[0], "MEMORY");
    let mut container = scripted(&[]);
    container[0]["memory"] = json!(memory / 2 + 64);
    container[0]["image"] = json!(berth_tests::IMAGE);
    container[0]["command"] = json!(["sleep", "600"]);
    container[0]["stopTimeout"] = json!(2);
    field.register("half", &container, &json!({}));
    let mut ported = container.clone();
    ported[0]["memory"] = json!(32);
    ported[0]["portMappings"] = json!([{ "containerPort": 80, "hostPort": 18_080 }]);
    field.register("ported", &ported, &json!({}));

    let half = field.run("half", &json!({}));
    let port = field.run("ported", &json!({}));
    field.wait_until(&half, "RUNNING");
    let refused = |family: &str| {
        let answer = field.try_run(family, &json!({ "cluster": "d" }));
        answer["failures"][0]["reason"]
            .as_str()
            .unwrap_or("placed")
            .to_owned()
    };
    assert_eq!(refused("half"), "RESOURCE:MEMORY");
    assert_eq!(refused("ported"), "RESOURCE:PORTS");

    for task in [&half, &port] {
        field.stop(task);
        field.wait_until(task, "STOPPED");
    }
    let task = field.run("half", &json!({ "cluster": "d" }));
    field.wait_until(&task, "RUNNING");
    let answer = field.try_run("half", &json!({}));
    assert_eq!(
        answer["failures"][0]["reason"], "RESOURCE:MEMORY",
        "{answer}"
    );
    field.call("StopTask", &json!({ "cluster": "d", "task": task }));
    field.wait_until(&task, "STOPPED");
    assert!(second.is_running());
    second.kill();
    field.finish();
}

#[test]
fn two_processes_with_one_docker_are_one_machine() {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    is_counted_once(
        field,
        &["--cluster", "d", "--image-pull-behavior", "prefer-cached"],
    );
}

#[test]
fn two_processes_that_name_one_machine_are_one() {
    let field = Field::simulated(&["--machine", "rack-7"]);
    is_counted_once(
        field,
        &[
            "--cluster",
            "d",
            "--runtime",
            "simulated",
            "--machine",
            "rack-7",
        ],
    );
}

#[test]
fn simulated_agents_that_name_no_machine_are_machines_of_their_own() {
    let mut field = Field::simulated(&[]);
    let mut second = beside(&field, &["--cluster", "d", "--runtime", "simulated"]);
    field.wait_for_connections(2.0);
    let memory = resource(&field.instances()[0], "MEMORY");
    let mut container = scripted(&[]);
    container[0]["memory"] = json!(memory);
    field.register("whole", &container, &json!({}));
    field.run("whole", &json!({}));
    field.run("whole", &json!({ "cluster": "d" }));
    second.kill();
    field.finish();
}
