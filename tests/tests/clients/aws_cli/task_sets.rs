//! Task sets of a service whose deployments somebody else controls.

use berth_tests::{Cli, SOON, wait_for};
use serde_json::{Value, json};

use super::{register, service, text};

pub(super) fn live(cli: &mut Cli) {
    let definition = register(cli, "sets", &json!([]));
    let create = [
        "ecs",
        "create-service",
        "--service-name",
        "sets",
        "--desired-count",
        "2",
        "--deployment-controller",
        "type=EXTERNAL",
    ];
    let created = cli.run(&create);
    assert_eq!(created["service"]["taskSets"], json!([]));
    let of = ["--cluster", "default", "--service", "sets"];
    let make = ["ecs", "create-task-set", "--task-definition", &definition];
    let rest = ["--external-id", "blue", "--launch-type", "EC2", "--scale"];
    let scale = ["value=100,unit=PERCENT"];
    let made = cli.run(&[&make[..], &of[..], &rest[..], &scale[..]].concat());
    assert_eq!(made["taskSet"]["status"], "ACTIVE");
    assert_eq!(made["taskSet"]["computedDesiredCount"], 2);
    let id = text(&made, "/taskSet/id").to_owned();
    let set = ["--task-set", id.as_str()];
    wait_for_set(cli, &id, |seen| {
        seen["stabilityStatus"] == "STEADY_STATE" && seen["runningCount"] == 2
    });

    let primary = ["ecs", "update-service-primary-task-set"];
    let rest = ["--primary-task-set", id.as_str()];
    let made_primary = cli.run(&[&primary[..], &of[..], &rest[..]].concat());
    assert_eq!(made_primary["taskSet"]["status"], "PRIMARY");
    assert_eq!(text(&service(cli, "sets"), "/taskDefinition"), definition);
    let update = ["ecs", "update-task-set", "--scale", "value=50,unit=PERCENT"];
    let updated = cli.run(&[&update[..], &of[..], &set[..]].concat());
    assert_eq!(updated["taskSet"]["computedDesiredCount"], 1);
    let delete = ["ecs", "delete-task-set"];
    assert_eq!(
        cli.refused(&[&delete[..], &of[..], &set[..]].concat()),
        "InvalidParameterException"
    );
    let deleted = cli.run(&[&delete[..], &of[..], &set[..], &["--force"]].concat());
    assert_eq!(deleted["taskSet"]["status"], "DRAINING");
    wait_for("the task set to be gone", SOON, || {
        let seen = cli.run(&[&["ecs", "describe-task-sets"], &of[..]].concat());
        (seen["taskSets"] == json!([])).then_some(())
    });
    let _ = cli.run(&["ecs", "delete-service", "--force", "--service", "sets"]);
    let wait = ["ecs", "wait", "services-inactive", "--services", "sets"];
    let _ = cli.run(&wait);
}

fn wait_for_set(cli: &mut Cli, id: &str, is: impl Fn(&Value) -> bool) {
    let describe = [
        "ecs",
        "describe-task-sets",
        "--cluster",
        "default",
        "--service",
        "sets",
        "--task-sets",
        id,
    ];
    wait_for("the task set to be steady", SOON, || {
        let described = cli.run(&describe);
        is(&described["taskSets"][0]).then_some(())
    });
}
