//! The aws CLI: every command whose operation is served, and every waiter, in one life of one
//! server with two agents without containers.

mod agents;
mod clusters;
mod definitions;
mod instances;
mod logs;
mod rollouts;
mod services;
mod settings;
mod task_sets;
mod tasks;

use std::collections::BTreeSet;

use berth_tests::{Cli, SOON, Spec, project_root, wait_for};
use serde_json::{Value, json};

#[test]
fn every_served_operation_has_a_command_that_works() {
    let server = Spec::dev(&["--runtime", "simulated", "--agents", "2"]).start();
    let mut cli = Cli::of(&server);
    let caller = cli.run(&["sts", "get-caller-identity"]);
    assert_eq!(caller["Account"], "000000000000");

    clusters::live(&mut cli);
    definitions::live(&mut cli);
    settings::live(&mut cli);
    instances::live(&mut cli);
    agents::live(&mut cli);
    tasks::live(&mut cli);
    services::live(&mut cli);
    rollouts::live(&mut cli);
    task_sets::live(&mut cli);
    logs::live(&mut cli);

    let without: Vec<String> = served().difference(cli.called()).cloned().collect();
    assert_eq!(
        without,
        Vec::<String>::new(),
        "served, and without a command in tests/clients/aws_cli"
    );
    let waiters = [
        "services-inactive",
        "services-stable",
        "tasks-running",
        "tasks-stopped",
    ];
    assert_eq!(
        cli.waited().iter().collect::<Vec<_>>(),
        waiters.iter().collect::<Vec<_>>()
    );
    server.finish();
}

/// The operations that `docs/compatibility.md` calls served, as the CLI names them: `ecs:RunTask`.
fn served() -> BTreeSet<String> {
    let text = std::fs::read_to_string(project_root().join("docs/compatibility.md")).unwrap();
    let mut service = "";
    let mut served = BTreeSet::new();
    for line in text.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            service = command_of(title);
        }
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        if let ["", operation, "yes", ""] = cells[..] {
            served.insert(format!("{service}:{operation}"));
        }
    }
    assert!(served.len() > 70, "the list was not understood: {served:?}");
    served
}

/// What the CLI calls the service of this title.
fn command_of(title: &str) -> &'static str {
    match title {
        "Amazon EC2 Container Service" => "ecs",
        "Amazon CloudWatch Logs" => "logs",
        "AWS Security Token Service" => "sts",
        other => panic!("how does the CLI call {other}? Say so here, and write its commands"),
    }
}

/// The text at a path, such as `/cluster/status`.
fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    let found = value.pointer(path).and_then(Value::as_str);
    found.unwrap_or_else(|| panic!("no text at {path} in {value}"))
}

/// The texts of a list.
fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().into_iter().flatten();
    list.filter_map(Value::as_str).collect()
}

/// Registers a definition of one container for instances; its ARN.
fn register(cli: &mut Cli, family: &str, environment: &Value) -> String {
    let containers = json!([{
        "name": "app", "image": "none", "memory": 64, "cpu": 64, "environment": environment,
    }]);
    let registered = cli.run(&[
        "ecs",
        "register-task-definition",
        "--family",
        family,
        "--container-definitions",
        &containers.to_string(),
    ]);
    text(&registered, "/taskDefinition/taskDefinitionArn").to_owned()
}

/// A service, as it is described.
fn service(cli: &mut Cli, name: &str) -> Value {
    let described = cli.run(&["ecs", "describe-services", "--services", name]);
    assert_eq!(described["failures"], json!([]), "{described}");
    described["services"][0].clone()
}

/// Waits until a service is as asked.
fn wait_for_service(cli: &mut Cli, name: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_for(what, SOON * 2, || {
        let seen = service(cli, name);
        is(&seen).then_some(seen)
    })
}
