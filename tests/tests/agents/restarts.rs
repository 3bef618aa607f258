//! Agents, servers and Dockers that go away and come back.

use berth_tests::{Docker, IMAGE, SOON, wait_for};
use serde_json::{Value, json};

use crate::{Field, scripted};

fn shell(line: &str) -> Value {
    json!([{ "name": "main", "image": IMAGE, "memory": 32, "command": ["sh", "-c", line],
        "stopTimeout": 2 }])
}

fn containers_of(docker: &Docker, task: &str) -> Vec<String> {
    let label = format!("label=com.amazonaws.ecs.task-arn={task}");
    let listed = docker.run(&["ps", "--all", "--quiet", "--no-trunc", "--filter", &label]);
    listed.lines().map(str::to_owned).collect()
}

fn life(docker: &Docker, id: &str) -> String {
    let format = "{{.State.Running}} {{.State.StartedAt}} {{.RestartCount}}";
    docker.run(&["inspect", "--format", format, id])
}

#[test]
fn an_agent_killed_during_a_launch_goes_on_with_it() {
    let mut field = Field::simulated(&[]);
    let slow = [("BERTH_SIM_PULL_MS", "700"), ("BERTH_SIM_START_MS", "700")];
    field.register("slow", &scripted(&slow), &json!({}));
    for _ in 0..3 {
        let task = field.run("slow", &json!({}));
        // The payload is on the agent's disk, or not yet: either way the task runs once.
        field.kill_agent();
        field.restart_agent();
        field.wait_until(&task, "RUNNING");
    }
    field.finish();
}

#[test]
fn an_agent_killed_while_docker_works_for_it_makes_no_container_twice() {
    let docker = Docker::get();
    let mut field = Field::with_docker(&docker, &[]);
    field.register("lasting", &shell("sleep 600"), &json!({}));
    let tasks: Vec<String> = (0..4).map(|_| field.run("lasting", &json!({}))).collect();
    wait_for("the first container", SOON, || {
        let found = tasks
            .iter()
            .any(|task| !containers_of(&docker, task).is_empty());
        found.then_some(())
    });
    field.kill_agent();
    field.restart_agent();
    let mut lives = Vec::new();
    for task in &tasks {
        let running = field.wait_until(task, "RUNNING");
        let id = running["containers"][0]["runtimeId"].as_str().unwrap();
        assert_eq!(containers_of(&docker, task), [id]);
        lives.push((id.to_owned(), life(&docker, id)));
    }
    // While they run, neither a restart of the agent nor of the server touches them.
    field.kill_agent();
    field.restart_agent();
    field.wait_for_connections(1.0);
    field.server.kill();
    field.server.restart();
    field.wait_for_connections(1.0);
    for (id, before) in &lives {
        assert_eq!(life(&docker, id), *before);
    }
    for task in &tasks {
        field.stop(task);
    }
    for task in &tasks {
        field.wait_until(task, "STOPPED");
    }
    field.finish();
}

#[test]
fn a_server_killed_during_a_launch_learns_how_it_went() {
    let mut field = Field::simulated(&[]);
    let slow = [("BERTH_SIM_PULL_MS", "500"), ("BERTH_SIM_RUN_MS", "300")];
    field.register("short", &scripted(&slow), &json!({}));
    for _ in 0..3 {
        let task = field.run("short", &json!({}));
        field.server.kill();
        field.server.restart();
        let stopped = field.wait_until(&task, "STOPPED");
        assert_eq!(stopped["stopCode"], "EssentialContainerExited", "{stopped}");
        assert_eq!(stopped["containers"][0]["exitCode"], 0);
    }
    field.finish();
}

#[test]
fn an_exit_while_the_agent_was_down_is_reported_with_its_code() {
    let docker = Docker::get();
    let mut field = Field::with_docker(&docker, &[]);
    let line = "while [ ! -e /go ]; do sleep 0.05; done; exit 7";
    field.register("waits", &shell(line), &json!({}));
    let task = field.run("waits", &json!({}));
    let running = field.wait_until(&task, "RUNNING");
    let id = running["containers"][0]["runtimeId"].as_str().unwrap();
    field.kill_agent();
    let _ = docker.run(&["exec", id, "touch", "/go"]);
    wait_for("the container to end", SOON, || {
        life(&docker, id).starts_with("false").then_some(())
    });
    field.restart_agent();
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    assert_eq!(stopped["containers"][0]["exitCode"], 7, "{stopped}");
    field.finish();
}

#[test]
fn containers_that_end_with_their_docker_are_reported_with_their_codes() {
    let mut docker = Docker::alone();
    let field = Field::with_docker(&docker, &[]);
    // Docker ends a container by its signal when it ends itself.
    let line = "trap 'exit 9' TERM; while :; do sleep 0.05; done";
    field.register("lasting", &shell(line), &json!({}));
    let task = field.run("lasting", &json!({}));
    field.wait_until(&task, "RUNNING");
    docker.restart();
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(stopped["containers"][0]["exitCode"], 9, "{stopped}");
    assert_eq!(stopped["stopCode"], "EssentialContainerExited");
    // And it goes on working.
    let task = field.run("lasting", &json!({}));
    field.wait_until(&task, "RUNNING");
    field.stop(&task);
    let stopped = field.wait_until(&task, "STOPPED");
    assert_eq!(stopped["containers"][0]["exitCode"], 9, "{stopped}");
    field.finish();
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a time is what is measured")]
fn a_restarted_server_has_its_agents_back_at_once() {
    let mut field = Field::simulated(&[]);
    let mut waits: Vec<_> = (0..5)
        .map(|_| {
            field.server.kill();
            field.server.restart();
            let healthy = std::time::Instant::now();
            field.wait_for_connections(1.0);
            healthy.elapsed()
        })
        .collect();
    waits.sort();
    println!("agents were back after {waits:?}");
    // The median, for the machine may be busy with other tests.
    assert!(waits[2].as_millis() < 400, "{waits:?}");
    field.finish();
}
