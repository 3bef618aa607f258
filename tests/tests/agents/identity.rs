//! Who an agent is to its server: after the server has lost its memory, and after an operator has
//! sent the instance away.

use std::fs;

use berth_tests::{Caller, Docker, IMAGE, SOON, run_berth, wait_for};
use serde_json::{Value, json};

use crate::{Field, scripted};

/// Gives the server an empty store, as if it had been set up anew under the same address.
fn forget_everything(field: &mut Field) {
    field.server.kill();
    fs::remove_dir_all(field.server.data_dir()).unwrap();
    field.server.restart();
    Caller::of(&field.server).call("CreateCluster", &json!({ "clusterName": "c" }));
}

fn arn(instance: &Value) -> &str {
    instance["containerInstanceArn"].as_str().unwrap()
}

#[test]
fn an_instance_that_the_server_has_forgotten_registers_again_with_its_arn() {
    let mut field = Field::simulated(&["--attribute", "rack=7"]);
    let before = field.instances();
    field.register("web", &scripted(&[]), &json!({}));
    let task = field.run("web", &json!({}));
    field.wait_until(&task, "RUNNING");

    forget_everything(&mut field);
    let after = wait_for("the instance to be back", SOON, || {
        let instances = field.instances();
        (!instances.is_empty()).then_some(instances)
    });
    assert_eq!(arn(&after[0]), arn(&before[0]));
    let attributes = after[0]["attributes"].as_array().unwrap();
    assert!(
        attributes.contains(&json!({ "name": "rack", "value": "7" })),
        "{attributes:?}"
    );
    field.wait_for_connections(1.0);
    field.register("web", &scripted(&[]), &json!({}));
    let task = field.run("web", &json!({}));
    field.wait_until(&task, "RUNNING");
    field.finish();
}

/// A field with Docker, and a task of it that runs: its container's id, and what it looks like.
fn with_container() -> (std::sync::Arc<Docker>, Field, String) {
    let docker = Docker::get();
    let field = Field::with_docker(&docker, &[]);
    let container = json!([{ "name": "main", "image": IMAGE, "memory": 32,
        "command": ["sleep", "600"], "stopTimeout": 2 }]);
    field.register("lasting", &container, &json!({}));
    let task = field.run("lasting", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    let id = running["containers"][0]["runtimeId"].as_str().unwrap();
    (docker, field, id.to_owned())
}

fn life(docker: &Docker, id: &str) -> String {
    let format = "{{.State.Running}} {{.State.StartedAt}}";
    docker.run(&["inspect", "--format", format, id])
}

#[test]
fn containers_outlive_the_servers_memory() {
    let (docker, mut field, id) = with_container();
    let before = life(&docker, &id);
    forget_everything(&mut field);
    field.wait_for_connections(1.0);
    // Work goes on, so the manifest of the new server has been heard as well.
    let container = json!([{ "name": "main", "image": IMAGE, "memory": 32, "command": ["true"] }]);
    field.register("short", &container, &json!({}));
    let task = field.run("short", &json!({}));
    field.wait_until(&task, "STOPPED");
    assert_eq!(life(&docker, &id), before);
    let _ = docker.run(&["rm", "--force", &id]);
    field.finish();
}

#[test]
fn a_deregistered_instance_stays_away_and_keeps_its_containers() {
    let (docker, mut field, id) = with_container();
    let before = life(&docker, &id);
    let instance = arn(&field.instances()[0]).to_owned();
    let input = json!({ "cluster": "c", "containerInstance": instance, "force": true });
    field.call("DeregisterContainerInstance", &input);
    field.wait_for_connections(0.0);
    wait_for("the agent to know that it is not wanted", SOON, || {
        field
            .log()
            .contains("wants this instance away")
            .then_some(())
    });
    assert_eq!(life(&docker, &id), before);
    let seen = field.instances_named(&[json!(instance)]);
    assert_eq!(seen[0]["status"], "INACTIVE", "{seen:?}");
    assert_eq!(seen[0]["agentConnected"], false);

    // A new start of the agent is the operator's word that it shall come back.
    field.kill_agent();
    field.restart_agent();
    field.wait_for_connections(1.0);
    let seen = field.instances();
    assert_eq!(
        (arn(&seen[0]), &seen[0]["status"]),
        (&*instance, &json!("ACTIVE"))
    );
    let _ = docker.run(&["rm", "--force", &id]);
    field.finish();
}

/// A server restored from a backup, in place of the field's: it finds out what ended since.
#[test]
fn a_restored_server_learns_what_ended_after_the_backup() {
    let mut field = Field::simulated(&[]);
    field.register("lasting", &scripted(&[]), &json!({}));
    let (lasting, stopped) = (
        field.run("lasting", &json!({})),
        field.run("lasting", &json!({})),
    );
    for task in [&lasting, &stopped] {
        field.wait_until(task, "RUNNING");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("backup").display().to_string();
    let data = field.server.data_dir();
    let saved = run_berth(&["backup", "--data-dir", &data, &file]);
    assert!(saved.status.success(), "{saved:?}");
    let new = field.run("lasting", &json!({}));
    field.wait_until(&new, "RUNNING");
    field.stop(&stopped);
    let told = field.wait_until(&stopped, "STOPPED");

    field.server.kill();
    fs::remove_dir_all(&data).unwrap();
    let filled = run_berth(&["restore", "--data-dir", &data, &file]);
    assert!(filled.status.success(), "{filled:?}");
    field.server.restart();
    field.wait_for_connections(1.0);
    field.wait_until(&stopped, "STOPPED");
    // Our agent still knows how it ended, and tells it once more.
    let again = wait_for("the agent's own word", SOON, || {
        let seen = field.describe(&stopped);
        (!seen["containers"][0]["exitCode"].is_null()).then_some(seen)
    });
    assert_eq!(
        again["containers"][0]["exitCode"],
        told["containers"][0]["exitCode"]
    );
    assert_eq!(field.describe(&lasting)["lastStatus"], "RUNNING");
    field.register("after", &scripted(&[]), &json!({}));
    let next = field.run("after", &json!({}));
    field.wait_until(&next, "RUNNING");
    assert_eq!(field.describe(&lasting)["lastStatus"], "RUNNING");
    field.finish();
}
