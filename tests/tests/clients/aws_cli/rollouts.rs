//! Service deployments: looked at, stopped half-way, and told to go on.

use berth_tests::{Cli, SOON, wait_for};
use serde_json::{Value, json};

use super::{register, text, wait_for_service};

pub(super) fn live(cli: &mut Cli) {
    let good = register(cli, "rolls", &json!([]));
    let slow = json!([{ "name": "BERTH_SIM_PULL_MS", "value": "600000" }]);
    let endless = register(cli, "rolls", &slow);
    let create = ["ecs", "create-service", "--service-name", "rolls"];
    let rest = ["--task-definition", &good, "--desired-count", "1"];
    let _ = cli.run(&[&create[..], &rest[..]].concat());
    wait_for_service(cli, "rolls", "the first deployment to complete", completed);
    let first = newest(cli, "rolls");
    assert_eq!(first["status"], "SUCCESSFUL");
    let describe = [
        "ecs",
        "describe-service-revisions",
        "--service-revision-arns",
    ];
    let revision = text(&first, "/targetServiceRevisionArn").to_owned();
    let described = cli.run(&[&describe[..], &[&revision]].concat());
    assert_eq!(text(&described, "/serviceRevisions/0/taskDefinition"), good);

    let update = ["ecs", "update-service", "--service", "rolls"];
    let _ = cli.run(&[&update[..], &["--task-definition", &endless]].concat());
    let under_way = newest(cli, "rolls");
    let arn = text(&under_way, "/serviceDeploymentArn").to_owned();
    let stop = [
        "ecs",
        "stop-service-deployment",
        "--stop-type",
        "ROLLBACK",
        "--service-deployment-arn",
        &arn,
    ];
    let stopped = cli.run(&stop);
    assert_eq!(text(&stopped, "/serviceDeploymentArn"), arn);
    let back = wait_for_deployment(cli, &arn, |seen| seen["status"] == "ROLLBACK_SUCCESSFUL");
    assert_eq!(text(&back, "/rollback/serviceRevisionArn"), revision);
    assert_eq!(cli.refused(&stop), "ConflictException");
    delete(cli, "rolls");

    goes_on_when_told(cli, &good);
}

/// A blue/green deployment that waits for somebody before it scales up.
fn goes_on_when_told(cli: &mut Cli, definition: &str) {
    let configuration = json!({
        "strategy": "BLUE_GREEN",
        "bakeTimeInMinutes": 0,
        "lifecycleHooks": [{ "targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"] }],
    });
    let configuration = configuration.to_string();
    let create = ["ecs", "create-service", "--service-name", "asks"];
    let rest = [
        "--task-definition",
        definition,
        "--desired-count",
        "1",
        "--deployment-configuration",
        &configuration,
        "--service-connect-configuration",
        "enabled=true,namespace=arn:aws:servicediscovery:us-east-1:000000000000:namespace/ns-1",
    ];
    let _ = cli.run(&[&create[..], &rest[..]].concat());
    let arn = text(&newest(cli, "asks"), "/serviceDeploymentArn").to_owned();
    let asked = wait_for_deployment(cli, &arn, |seen| {
        seen["lifecycleHookDetails"][0]["status"] == "AWAITING_ACTION"
    });
    let hook = text(&asked, "/lifecycleHookDetails/0/hookId").to_owned();
    let go_on = [
        "ecs",
        "continue-service-deployment",
        "--service-deployment-arn",
        &arn,
        "--hook-id",
        &hook,
    ];
    let told = cli.run(&go_on);
    assert_eq!(text(&told, "/serviceDeploymentArn"), arn);
    wait_for_deployment(cli, &arn, |seen| seen["status"] == "SUCCESSFUL");
    assert_eq!(cli.refused(&go_on), "InvalidParameterException");
    delete(cli, "asks");
}

fn completed(service: &Value) -> bool {
    service["deployments"][0]["rolloutState"] == "COMPLETED"
}

/// The service deployment that began last.
fn newest(cli: &mut Cli, service: &str) -> Value {
    let listed = cli.run(&["ecs", "list-service-deployments", "--service", service]);
    listed["serviceDeployments"][0].clone()
}

fn wait_for_deployment(cli: &mut Cli, arn: &str, is: impl Fn(&Value) -> bool) -> Value {
    let describe = [
        "ecs",
        "describe-service-deployments",
        "--service-deployment-arns",
        arn,
    ];
    wait_for(arn, SOON * 2, || {
        let seen = cli.run(&describe)["serviceDeployments"][0].clone();
        is(&seen).then_some(seen)
    })
}

fn delete(cli: &mut Cli, service: &str) {
    let delete = ["ecs", "delete-service", "--force", "--service", service];
    let _ = cli.run(&delete);
    let wait = ["ecs", "wait", "services-inactive", "--services", service];
    let _ = cli.run(&wait);
}
