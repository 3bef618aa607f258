//! What agents call, which the CLI has commands for too.

use berth_tests::Cli;
use serde_json::json;

use super::{register, text, texts};

pub(super) fn live(cli: &mut Cli) {
    let _ = cli.run(&["ecs", "create-cluster", "--cluster-name", "hands"]);
    let at = ["--cluster", "hands"];
    let resources = json!([
        { "name": "CPU", "type": "INTEGER", "integerValue": 1024 },
        { "name": "MEMORY", "type": "INTEGER", "integerValue": 1024 },
        { "name": "PORTS", "type": "STRINGSET", "stringSetValue": [] },
        { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
    ]);
    let resources = resources.to_string();
    let register_instance = [
        "ecs",
        "register-container-instance",
        "--total-resources",
        &resources,
        "--attributes",
        "name=ecs.os-type,value=linux",
    ];
    let registered = cli.run(&[&register_instance[..], &at[..]].concat());
    assert_eq!(registered["containerInstance"]["status"], "ACTIVE");
    let instance = text(&registered, "/containerInstance/containerInstanceArn").to_owned();
    let on = ["--container-instance", instance.as_str()];
    let discover = ["ecs", "discover-poll-endpoint"];
    let endpoints = cli.run(&[&discover[..], &at[..], &on[..]].concat());
    for name in ["/endpoint", "/telemetryEndpoint"] {
        assert!(text(&endpoints, name).starts_with("http"), "{endpoints}");
    }

    // Nobody is there who would start the task: the CLI itself says what becomes of it.
    let definition = register(cli, "hands", &json!([]));
    let start = ["ecs", "start-task", "--task-definition", &definition];
    let instances = ["--container-instances", &instance];
    let started = cli.run(&[&start[..], &at[..], &instances[..]].concat());
    let task = text(&started, "/tasks/0/taskArn").to_owned();
    let submit = |cli: &mut Cli, what: &str, rest: &[&str]| {
        let answer = cli.run(&[&["ecs", what], &at[..], rest].concat());
        assert_eq!(answer["acknowledgment"], "ACK", "{what}");
    };
    let describe = ["ecs", "describe-tasks", "--tasks", &task];
    let describe = [&describe[..], &at[..]].concat();
    let of_task = ["--task", &task, "--status", "RUNNING"];
    let container = ["--container-name", "app", "--runtime-id", "one"];
    let rest = [&of_task[..], &container[..]].concat();
    submit(cli, "submit-container-state-change", &rest);
    submit(cli, "submit-task-state-change", &of_task);
    let seen = cli.run(&describe);
    assert_eq!(text(&seen, "/tasks/0/lastStatus"), "RUNNING");
    assert_eq!(text(&seen, "/tasks/0/containers/0/runtimeId"), "one");
    let of_task = ["--task", &task, "--status", "STOPPED", "--containers"];
    let container = ["containerName=app,status=STOPPED,exitCode=3"];
    let rest = [&of_task[..], &container[..]].concat();
    submit(cli, "submit-task-state-change", &rest);
    let seen = cli.run(&describe);
    assert_eq!(text(&seen, "/tasks/0/lastStatus"), "STOPPED");
    assert_eq!(seen["tasks"][0]["containers"][0]["exitCode"], 3);
    assert_eq!(text(&seen, "/tasks/0/stopCode"), "EssentialContainerExited");
    let attachment = format!("attachmentArn={task},status=ATTACHED");
    let rest = ["--attachments", &attachment];
    submit(cli, "submit-attachment-state-changes", &rest);

    let deregister = ["ecs", "deregister-container-instance", "--force"];
    let gone = cli.run(&[&deregister[..], &at[..], &on[..]].concat());
    assert_eq!(gone["containerInstance"]["status"], "INACTIVE");
    let left = cli.run(&[&["ecs", "list-container-instances"], &at[..]].concat());
    assert_eq!(texts(&left["containerInstanceArns"]), Vec::<&str>::new());
    let _ = cli.run(&[&["ecs", "delete-cluster"], &at[..]].concat());
}
