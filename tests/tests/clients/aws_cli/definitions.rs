//! Task definitions.

use berth_tests::Cli;
use serde_json::json;

use super::{register, text, texts};

pub(super) fn live(cli: &mut Cli) {
    let first = register(cli, "page", &json!([]));
    let second = register(cli, "page", &json!([{ "name": "A", "value": "b" }]));
    assert!(second.ends_with(":task-definition/page:2"), "{second}");

    // The skeleton that the CLI makes for an operation, filled in and given back.
    let skeleton = cli.run(&["ecs", "register-task-definition", "--generate-cli-skeleton"]);
    assert!(skeleton["containerDefinitions"].is_array(), "{skeleton}");
    let input = json!({
        "family": "from-json",
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "containerDefinitions": [{ "name": "app", "image": "none" }],
        "tags": [{ "key": "team", "value": "blue" }],
    });
    let command = ["ecs", "register-task-definition", "--cli-input-json"];
    let registered = cli.run(&[&command[..], &[&input.to_string()]].concat());
    assert_eq!(registered["tags"], input["tags"]);

    let describe = ["ecs", "describe-task-definition", "--task-definition"];
    let described = cli.run(&[&describe[..], &["page"]].concat());
    assert_eq!(described["taskDefinition"]["revision"], 2);
    let described = cli.run(&[&describe[..], &["from-json", "--include", "TAGS"]].concat());
    assert_eq!(described["tags"], input["tags"]);

    let list = ["ecs", "list-task-definitions", "--family-prefix", "page"];
    let listed = cli.run(&[&list[..], &["--sort", "DESC"]].concat());
    assert_eq!(
        texts(&listed["taskDefinitionArns"]),
        [second.as_str(), first.as_str()]
    );
    let families = ["ecs", "list-task-definition-families", "--status", "ACTIVE"];
    let listed = cli.run(&families);
    assert_eq!(texts(&listed["families"]), ["from-json", "page"]);

    let deregister = ["ecs", "deregister-task-definition", "--task-definition"];
    let gone = cli.run(&[&deregister[..], &[first.as_str()]].concat());
    assert_eq!(gone["taskDefinition"]["status"], "INACTIVE");
    let delete = ["ecs", "delete-task-definitions", "--task-definitions"];
    let deleted = cli.run(&[&delete[..], &[first.as_str(), second.as_str()]].concat());
    assert_eq!(
        text(&deleted, "/taskDefinitions/0/status"),
        "DELETE_IN_PROGRESS"
    );
    // Reference §1.7: one that is ACTIVE is a failure, not an error.
    assert_eq!(text(&deleted, "/failures/0/arn"), second);
}
