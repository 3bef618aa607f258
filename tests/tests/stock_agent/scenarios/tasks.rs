//! Tasks of every fate.

use std::time::Duration;

use berth_tests::wait_for;
use serde_json::{Value, json};

use crate::Setting;
use crate::field::{Field, PATIENCE, shell, text, with};

/// A line that runs until it is told to stop, and ends at once then.
pub(crate) const FOREVER: &str = "trap 'exit 0' TERM; sleep 100000 & wait";

pub(crate) fn register(setting: &Setting) {
    let field = Field::start(setting, &[("ECS_INSTANCE_ATTRIBUTES", r#"{"rack":"7"}"#)]);
    let instance = field.instance();
    assert_eq!(instance["agentConnected"], json!(true), "{instance}");
    assert_eq!(instance["status"], "ACTIVE");
    let version = text(&instance["versionInfo"]["agentVersion"]);
    assert!(version.starts_with("1."), "{instance}");
    let attributes = instance["attributes"].as_array().expect("it has some");
    let has = |name: &str| attributes.iter().find(|a| a["name"] == name);
    assert_eq!(has("rack").map(|a| text(&a["value"])), Some("7".into()));
    assert!(has("ecs.capability.external").is_some());
    assert!(has("berth.agent").is_none());
    wait_for("the instance's own health", PATIENCE, || {
        let log = field.agent_log();
        log.contains("PublishInstanceStatus").then_some(())
    });
    field.record("register");
    field.finish();
}

pub(crate) fn ten(setting: &Setting) {
    let field = Field::start(setting, &[]);
    field.register("ten", &json!([shell("main", FOREVER)]), &json!({}));
    let answer = field.call("RunTask", &json!({ "taskDefinition": "ten", "count": 10 }));
    let tasks = answer["tasks"].as_array().expect("tasks were placed");
    let tasks: Vec<String> = tasks.iter().map(|task| text(&task["taskArn"])).collect();
    assert_eq!(tasks.len(), 10, "{answer}");
    for task in &tasks {
        let seen = field.wait_until(task, "RUNNING");
        let container = &seen["containers"][0];
        assert_eq!(text(&container["runtimeId"]).len(), 64, "{container}");
    }
    assert_eq!(field.containers(&tasks).len(), 10);
    for task in &tasks {
        field.stop(task);
    }
    for task in &tasks {
        let seen = field.wait_until(task, "STOPPED");
        assert_eq!(seen["stopCode"], "UserInitiated", "{seen}");
        assert_eq!(seen["containers"][0]["exitCode"], 0, "{seen}");
    }
    field.record("ten-tasks");
    field.finish();
}

pub(crate) fn exit_codes(setting: &Setting) {
    let field = Field::start(setting, &[]);
    for (family, line, code) in [
        ("zero", "exit 0", 0),
        ("seven", "exit 7", 7),
        ("killed", "kill -9 $$; sleep 9", 137),
        ("later", "sleep 1; exit 3", 3),
    ] {
        // Process 1 of a container cannot kill itself.
        let line = format!("sh -c '{line}'; exit $?");
        field.register(family, &json!([shell("main", &line)]), &json!({}));
        let task = field.run(family);
        let seen = field.wait_until(&task, "STOPPED");
        assert_eq!(seen["containers"][0]["exitCode"], code, "{seen}");
        assert_eq!(seen["stopCode"], "EssentialContainerExited", "{seen}");
        field.note(&task);
    }
    let side = with(shell("side", "exit 5"), &json!({ "essential": false }));
    let main = shell("main", FOREVER);
    field.register("side", &json!([main, side]), &json!({}));
    let task = field.run("side");
    field.wait_until(&task, "RUNNING");
    let seen = wait_for("the side container's end to be told", PATIENCE, || {
        let seen = field.describe(&task);
        let side = container(&seen, "side");
        (side["exitCode"] == 5).then_some(seen)
    });
    assert_eq!(seen["lastStatus"], "RUNNING");
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.note(&task);
    field.record("exit-codes");
    field.finish();
}

pub(crate) fn ports(setting: &Setting) {
    let field = Field::start(setting, &[]);
    let ports = json!({ "portMappings": [
        { "containerPort": 80 },
        { "containerPort": 81, "hostPort": 18_081 },
        { "containerPort": 53, "protocol": "udp" },
        { "containerPortRange": "9000-9002" },
    ] });
    let main = with(shell("main", FOREVER), &ports);
    field.register("ports", &json!([main]), &json!({}));
    let first = field.run("ports");
    let seen = field.wait_until(&first, "RUNNING");
    let bindings = seen["containers"][0]["networkBindings"].clone();
    let bindings = bindings.as_array().expect("ports are bound").clone();
    let of = |port: u64| bindings.iter().find(|b| b["containerPort"] == port);
    assert_eq!(of(81).map(|b| b["hostPort"].clone()), Some(json!(18_081)));
    assert!(of(80).is_some_and(|b| b["hostPort"].as_u64() >= Some(32_768)));
    assert!(of(53).is_some_and(|b| b["protocol"] == "udp"));
    let range = bindings
        .iter()
        .find(|b| b["containerPortRange"] == "9000-9002");
    assert!(
        range.is_some_and(|b| b["hostPortRange"].is_string()),
        "{bindings:?}"
    );
    // The same fixed port again does not fit, and is not sent to the agent to wait there.
    let answer = field.call("RunTask", &json!({ "taskDefinition": "ports" }));
    assert_eq!(
        answer["failures"][0]["reason"], "RESOURCE:PORTS",
        "{answer}"
    );
    field.stop(&first);
    field.wait_until(&first, "STOPPED");
    let second = field.run("ports");
    field.wait_until(&second, "RUNNING");
    field.stop(&second);
    field.wait_until(&second, "STOPPED");
    field.record("ports");
    field.finish();
}

pub(crate) fn health(setting: &Setting) {
    let field = Field::start(setting, &[]);
    let check = json!({ "healthCheck": {
        "command": ["CMD-SHELL", "test ! -e /tmp/sick"],
        "interval": 5, "timeout": 2, "retries": 1, "startPeriod": 0,
    } });
    let line = "trap 'exit 0' TERM; sleep 45 & wait $!; touch /tmp/sick; sleep 100000 & wait";
    field.register(
        "checked",
        &json!([with(shell("main", line), &check)]),
        &json!({}),
    );
    let task = field.run("checked");
    field.wait_until(&task, "RUNNING");
    for status in ["HEALTHY", "UNHEALTHY"] {
        wait_for(&format!("health to be {status}"), PATIENCE * 2, || {
            let seen = field.describe(&task);
            let of_container = &container(&seen, "main")["healthStatus"];
            (seen["healthStatus"] == status && of_container == status).then_some(())
        });
    }
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.record("health-checks");
    field.finish();
}

pub(crate) fn metrics(setting: &Setting) {
    let field = Field::start(setting, &[]);
    let burn = shell("burn", "trap 'exit 0' TERM; while :; do :; done");
    let burn = with(burn, &json!({ "cpu": 256, "memory": 64 }));
    field.register("burn", &json!([burn, shell("rest", FOREVER)]), &json!({}));
    let task = field.run("burn");
    field.wait_until(&task, "RUNNING");
    let usage = wait_for("the use to be known", PATIENCE, || {
        let usage = field.usage();
        usage["tasks"][0]["cpu"]["used"]
            .is_number()
            .then_some(usage)
    });
    let of_task = &usage["tasks"][0];
    assert_eq!(text(&of_task["taskArn"]), task, "{usage}");
    // A loop has a core of its own unless others want it as well.
    let used = of_task["cpu"]["used"].as_f64().expect("it is a number");
    assert!((10.0..4096.0).contains(&used), "{usage}");
    let memory = of_task["memory"]["used"].as_f64().expect("it is a number");
    assert!((0.0..80.0).contains(&memory), "{usage}");
    let input = json!({ "containerInstances": [field.instance()["containerInstanceArn"]],
                        "include": ["CONTAINER_INSTANCE_HEALTH"] });
    wait_for("the instance to be well", PATIENCE * 2, || {
        let seen = field.ask("DescribeContainerInstances", &input);
        let health = &seen["containerInstances"][0]["healthStatus"];
        let well = health["overallStatus"] == "OK"
            && health["details"][0]["type"] == "CONTAINER_RUNTIME"
            && health["details"][0]["lastUpdated"].is_number();
        well.then_some(())
    });
    let (_, counted) = field.server.get("/metrics");
    assert!(
        !counted.contains("berth_telemetry_ignored_total{"),
        "{counted}"
    );
    field.stop(&task);
    field.wait_until(&task, "STOPPED");
    field.record("metrics");
    field.finish();
}

pub(crate) fn slow_stop(setting: &Setting) {
    let field = Field::start(setting, &[]);
    let main = with(
        shell("main", "trap '' TERM; while :; do sleep 1; done"),
        &json!({ "stopTimeout": 5 }),
    );
    field.register("slow", &json!([main]), &json!({}));
    let task = field.run("slow");
    field.wait_until(&task, "RUNNING");
    field.stop(&task);
    let stopping = field.describe(&task);
    assert_eq!(stopping["desiredStatus"], "STOPPED", "{stopping}");
    assert_ne!(stopping["lastStatus"], "STOPPED", "{stopping}");
    let seen = field.wait_until(&task, "STOPPED");
    assert_eq!(seen["containers"][0]["exitCode"], 137, "{seen}");
    field.note(&task);
    field.record("slow-stop");
    field.finish();
}

pub(crate) fn no_image(setting: &Setting) {
    let field = Field::start(setting, &[]);
    // Nothing listens there.
    let main = with(
        shell("main", FOREVER),
        &json!({ "image": "127.0.0.1:1/nobody/nothing:1" }),
    );
    field.register("unpullable", &json!([main]), &json!({}));
    let task = field.run("unpullable");
    let seen = wait_for("the task to be given up", Duration::from_secs(240), || {
        let seen = field.describe(&task);
        (seen["lastStatus"] == "STOPPED").then_some(seen)
    });
    let reason = text(&container(&seen, "main")["reason"]);
    // Newer agents ask for the manifest first, and say so.
    assert!(reason.starts_with("CannotPull"), "{seen}");
    assert_eq!(seen["stopCode"], "TaskFailedToStart", "{seen}");
    // What comes after is not held up.
    field.register("next", &json!([shell("main", "exit 0")]), &json!({}));
    let next = field.run("next");
    field.wait_until(&next, "STOPPED");
    field.note(&task);
    field.record("image-not-pullable");
    field.finish();
}

/// How many of the thousand are wanted at a time.
const AT_ONCE: usize = 10;

pub(crate) fn thousand(setting: &Setting) {
    let field = Field::start(setting, &[("ECS_ENGINE_TASK_CLEANUP_WAIT_DURATION", "1m")]);
    field.register("short", &json!([shell("main", "exit 0")]), &json!({}));
    let mut ended = 0;
    let mut live: Vec<String> = Vec::new();
    let mut started = 0;
    while ended < 1000 {
        while started < 1000 && live.len() < 50 {
            let count = AT_ONCE.min(1000 - started);
            let input = json!({ "taskDefinition": "short", "count": count });
            let answer = field.ask("RunTask", &input);
            assert_eq!(answer["failures"], json!([]));
            let tasks = answer["tasks"].as_array().expect("tasks were placed");
            live.extend(tasks.iter().map(|task| text(&task["taskArn"])));
            started += count;
        }
        let over = wait_for("some tasks to end", PATIENCE * 2, || {
            let described = field.ask("DescribeTasks", &json!({ "tasks": live }));
            let tasks = described["tasks"].as_array().expect("they are known");
            let over: Vec<Value> = tasks
                .iter()
                .filter(|task| task["lastStatus"] == "STOPPED")
                .cloned()
                .collect();
            (!over.is_empty()).then_some(over)
        });
        for task in over {
            assert_eq!(task["containers"][0]["exitCode"], 0, "{task}");
            assert_eq!(task["stopCode"], "EssentialContainerExited", "{task}");
            live.retain(|arn| *arn != text(&task["taskArn"]));
            ended += 1;
            if ended % 100 == 0 {
                println!("  {ended} tasks ended");
            }
        }
    }
    let instance = field.instance();
    assert_eq!(
        instance["remainingResources"],
        instance["registeredResources"]
    );
    field.finish();
}

pub(crate) fn container<'a>(task: &'a Value, name: &str) -> &'a Value {
    let containers = task["containers"].as_array().expect("it has containers");
    let found = containers
        .iter()
        .find(|container| container["name"] == name);
    found.unwrap_or(&Value::Null)
}
