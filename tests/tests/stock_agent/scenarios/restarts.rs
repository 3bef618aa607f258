//! Ends and new beginnings on either side.

use berth_tests::{Caller, Key, Spec, run_berth, wait_for};
use serde_json::json;

use super::tasks::FOREVER;
use crate::Setting;
use crate::field::{Field, PATIENCE, shell, text};

/// What a task shows whose end nobody heard of.
const ENDED_UNSEEN: &str = "Task ended while the server could not hear of it";

pub(crate) fn agent_killed(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    field.register("stays", &json!([shell("main", FOREVER)]), &json!({}));
    field.register(
        "ends",
        &json!([shell("main", "sleep 8; exit 4")]),
        &json!({}),
    );
    let (stays, ends) = (field.run("stays"), field.run("ends"));
    field.wait_until(&stays, "RUNNING");
    field.wait_until(&ends, "RUNNING");
    let before = field.containers(std::slice::from_ref(&stays));
    let instance = field.instance();
    field.kill_agent();
    field.wait_away();
    wait_for("the short container to end", PATIENCE, || {
        field
            .containers(std::slice::from_ref(&ends))
            .is_empty()
            .then_some(())
    });
    // A task that is placed meanwhile is told to the agent when it is back.
    field.register("late", &json!([shell("main", "exit 6")]), &json!({}));
    let late = field.ask("RunTask", &json!({ "taskDefinition": "late" }));
    field.start_agent();
    field.wait_connected();
    let seen = field.wait_until(&ends, "STOPPED");
    assert_eq!(seen["containers"][0]["exitCode"], 4, "{seen}");
    if let Some(late) = late["tasks"][0]["taskArn"].as_str() {
        let seen = field.wait_until(late, "STOPPED");
        assert_eq!(seen["containers"][0]["exitCode"], 6, "{seen}");
    }
    assert_eq!(field.describe(&stays)["lastStatus"], "RUNNING");
    assert_eq!(field.containers(std::slice::from_ref(&stays)), before);
    assert_eq!(
        field.instance()["containerInstanceArn"],
        instance["containerInstanceArn"]
    );
    field.stop(&stays);
    field.wait_until(&stays, "STOPPED");
    if late["tasks"][0].is_null() {
        field.record("agent-killed");
    }
    field.finish();
}

pub(crate) fn server_killed(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    field.register("launched", &json!([shell("main", FOREVER)]), &json!({}));
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let answer = field.ask(
            "RunTask",
            &json!({ "taskDefinition": "launched", "count": 5 }),
        );
        let placed = answer["tasks"].as_array().expect("tasks were placed");
        tasks.extend(placed.iter().map(|task| text(&task["taskArn"])));
        // In the middle of what follows from it.
        field.server.kill();
        field.server.restart();
        field.wait_connected();
    }
    for task in &tasks {
        field.wait_until(task, "RUNNING");
    }
    assert_eq!(field.containers(&tasks).len(), tasks.len());
    assert_eq!(field.containers_of_family("launched").len(), tasks.len());
    for task in &tasks {
        field.stop(task);
    }
    for task in &tasks {
        field.wait_until(task, "STOPPED");
    }
    field.finish();
}

pub(crate) fn drain(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    field.register("drained", &json!([shell("main", FOREVER)]), &json!({}));
    let task = field.run("drained");
    field.wait_until(&task, "RUNNING");
    let arn = text(&field.instance()["containerInstanceArn"]);
    let input = json!({ "containerInstances": [arn], "status": "DRAINING" });
    field.call("UpdateContainerInstancesState", &input);
    let run = json!({ "taskDefinition": "drained" });
    let refused = Caller::of(&field.server).refused("RunTask", &run);
    assert_eq!(refused.0, "InvalidParameterException");
    assert_eq!(field.describe(&task)["lastStatus"], "RUNNING");
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    let input = json!({ "containerInstances": [arn], "status": "ACTIVE" });
    field.call("UpdateContainerInstancesState", &input);
    let again = field.run("drained");
    field.wait_until(&again, "RUNNING");
    let before = field.containers(std::slice::from_ref(&again));
    let input = json!({ "containerInstance": arn, "force": true });
    field.call("DeregisterContainerInstance", &input);
    field.wait_away();
    wait_for("the agent to be told", PATIENCE, || {
        field
            .agent_log()
            .contains("InactiveInstanceException")
            .then_some(())
    });
    // The agent stays up, and leaves the container alone.
    assert!(field.agent_runs());
    assert_eq!(field.containers(&[again]), before);
    field.record("drain");
    field.finish();
}

/// A server that lost everything: the agent goes on, and comes back with its name when started
/// again.
pub(crate) fn emptied(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    field.register("kept", &json!([shell("main", FOREVER)]), &json!({}));
    let task = field.run("kept");
    field.wait_until(&task, "RUNNING");
    let before = field.containers(std::slice::from_ref(&task));
    let arn = text(&field.instance()["containerInstanceArn"]);
    let empty = Key::TESTS.taken_by(Spec::serve(&[])).start();
    field.link.point_to(empty.address());
    field.server = empty;
    wait_for("the agent to be refused", PATIENCE, || {
        field
            .agent_log()
            .contains("InvalidInstanceException")
            .then_some(())
    });
    assert!(field.agent_runs());
    assert_eq!(field.containers(std::slice::from_ref(&task)), before);
    field.kill_agent();
    field.ask("CreateCluster", &json!({ "clusterName": "default" }));
    field.start_agent();
    field.wait_connected();
    assert_eq!(text(&field.instance()["containerInstanceArn"]), arn);
    field.register("after", &json!([shell("main", "exit 0")]), &json!({}));
    let next = field.run("after");
    field.wait_until(&next, "STOPPED");
    assert_eq!(field.containers(&[task]), before);
    field.finish();
}

/// A server restored from a backup of yesterday.
pub(crate) fn restored(setting: &Setting) {
    let mut field = Field::start(setting, &[]);
    field.register("old", &json!([shell("main", FOREVER)]), &json!({}));
    let (old, stopped) = (field.run("old"), field.run("old"));
    field.wait_until(&old, "RUNNING");
    field.wait_until(&stopped, "RUNNING");
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("backup").display().to_string();
    let data = field.server.data_dir();
    let saved = run_berth(&["backup", "--data-dir", &data, &file]);
    assert!(
        saved.status.success(),
        "{}",
        String::from_utf8_lossy(&saved.stderr)
    );
    // After the backup: one task more, and one less.
    let new = field.run("old");
    field.wait_until(&new, "RUNNING");
    field.stop(&stopped);
    field.wait_until(&stopped, "STOPPED");
    let before = field.containers(&[old.clone(), new.clone()]);
    field.server.kill();
    let data = folder.path().join("data").display().to_string();
    let filled = run_berth(&["restore", "--data-dir", &data, &file]);
    assert!(
        filled.status.success(),
        "{}",
        String::from_utf8_lossy(&filled.stderr)
    );
    let restored = Key::TESTS
        .taken_by(Spec::serve(&[]))
        .data_dir(&data)
        .start();
    field.link.point_to(restored.address());
    field.server = restored;
    field.wait_connected();
    assert_eq!(field.describe(&old)["lastStatus"], "RUNNING");
    field.register("after", &json!([shell("main", "exit 0")]), &json!({}));
    let next = field.run("after");
    field.wait_until(&next, "STOPPED");
    // Known and unknown, both run on.
    assert_eq!(field.containers(&[old.clone(), new]), before);
    assert!(field.agent_runs());
    // What the agent has long stopped, and the backup says runs, is found out.
    let seen = field.wait_until(&stopped, "STOPPED");
    assert_eq!(seen["stoppedReason"], ENDED_UNSEEN, "{seen}");
    field.stop(&old);
    field.wait_until(&old, "STOPPED");
    field.finish();
}
