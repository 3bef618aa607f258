//! Services on agents without containers, through the aws CLI.

use berth_tests::{Aws, SOON, Server, Spec, wait_for};
use serde_json::{Value, json};

fn two_agents() -> Server {
    Spec::dev(&["--runtime", "simulated", "--agents", "2"]).start()
}

/// A task definition whose container runs until it is stopped, or ends as `environment` says.
fn register(aws: &Aws, family: &str, environment: &Value) {
    let containers = json!([{
        "name": "app", "image": "none", "memory": 64, "cpu": 64, "environment": environment,
    }]);
    let containers = containers.to_string();
    let arguments = ["ecs", "register-task-definition", "--family", family];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

fn service(aws: &Aws, name: &str) -> Value {
    let described = aws.run(&["ecs", "describe-services", "--services", name]);
    assert_eq!(described["failures"], json!([]), "{described}");
    described["services"][0].clone()
}

fn create(aws: &Aws, name: &str, definition: &str, count: &str) -> Value {
    let arguments = ["ecs", "create-service", "--service-name", name];
    let rest = ["--task-definition", definition, "--desired-count", count];
    aws.run(&[&arguments[..], &rest[..]].concat())["service"].clone()
}

fn messages(service: &Value) -> Vec<String> {
    let events = service["events"].as_array().unwrap().iter();
    events
        .map(|event| event["message"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_service_starts_rolls_scales_and_goes() {
    let server = two_agents();
    let aws = server.aws();
    register(&aws, "web", &json!([]));
    let created = create(&aws, "web", "web", "2");
    assert_eq!(created["status"], "ACTIVE");
    assert_eq!(created["deployments"][0]["rolloutState"], "IN_PROGRESS");

    let _ = aws.run(&["ecs", "wait", "services-stable", "--services", "web"]);
    let first = wait_for("the first deployment to complete", SOON, || {
        let seen = service(&aws, "web");
        (seen["deployments"][0]["rolloutState"] == "COMPLETED").then_some(seen)
    });
    assert_eq!(first["runningCount"], 2);
    let told = messages(&first).join("\n");
    assert!(told.contains("has reached a steady state."), "{told}");
    assert!(told.contains("has started 2 tasks:"), "{told}");

    register(&aws, "web", &json!([]));
    let update = ["ecs", "update-service", "--service", "web"];
    let updated = aws.run(&[&update[..], &["--task-definition", "web"]].concat());
    let deployments = updated["service"]["deployments"].as_array().unwrap().len();
    assert_eq!(deployments, 2, "{updated}");
    let second = wait_for("the second deployment to complete", SOON, || {
        let seen = service(&aws, "web");
        let alone = seen["deployments"].as_array().unwrap().len() == 1;
        (alone && seen["deployments"][0]["rolloutState"] == "COMPLETED").then_some(seen)
    });
    let definition = second["taskDefinition"].as_str().unwrap();
    assert!(definition.ends_with("/web:2"), "{definition}");
    assert_eq!(second["runningCount"], 2);
    let history = aws.run(&["ecs", "list-service-deployments", "--service", "web"]);
    let statuses: Vec<&Value> = history["serviceDeployments"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| &run["status"])
        .collect();
    assert_eq!(statuses, ["SUCCESSFUL", "SUCCESSFUL"]);

    let _ = aws.run(&[&update[..], &["--desired-count", "5"]].concat());
    wait_for("five tasks", SOON, || {
        (service(&aws, "web")["runningCount"] == 5).then_some(())
    });
    let _ = aws.run(&[&update[..], &["--desired-count", "1"]].concat());
    wait_for("one task", SOON, || {
        (service(&aws, "web")["runningCount"] == 1).then_some(())
    });

    let deleted = aws.run(&["ecs", "delete-service", "--service", "web", "--force"]);
    assert_eq!(deleted["service"]["status"], "DRAINING");
    wait_for("the service to be INACTIVE", SOON, || {
        (service(&aws, "web")["status"] == "INACTIVE").then_some(())
    });
    let again = create(&aws, "web", "web", "1");
    assert_eq!(again["status"], "ACTIVE");
    wait_for("a task of the service made anew", SOON, || {
        (service(&aws, "web")["runningCount"] == 1).then_some(())
    });
}

#[test]
fn a_bad_deployment_is_rolled_back_by_the_circuit_breaker() {
    is_rolled_back(&json!([{ "name": "BERTH_SIM_FAIL", "value": "pull" }]));
}

/// In `berth dev` a task counts as healthy as soon as it runs; one that ends right then must not.
#[test]
fn a_deployment_whose_tasks_end_at_once_is_rolled_back_by_the_circuit_breaker() {
    is_rolled_back(&json!([
        { "name": "BERTH_SIM_RUN_MS", "value": "300" },
        { "name": "BERTH_SIM_EXIT_CODE", "value": "1" },
    ]));
}

/// Deploys what `environment` breaks over what works, and waits until that is back.
fn is_rolled_back(environment: &Value) {
    let server = two_agents();
    let aws = server.aws();
    register(&aws, "web", &json!([]));
    let arguments = ["ecs", "create-service", "--service-name", "web"];
    let rest = ["--task-definition", "web:1", "--desired-count", "1"];
    let breaker = [
        "--deployment-configuration",
        "deploymentCircuitBreaker={enable=true,rollback=true}",
    ];
    let _ = aws.run(&[&arguments[..], &rest[..], &breaker[..]].concat());
    wait_for("the first deployment to complete", SOON, || {
        let seen = service(&aws, "web");
        (seen["deployments"][0]["rolloutState"] == "COMPLETED").then_some(())
    });
    register(&aws, "web", environment);
    let update = ["ecs", "update-service", "--service", "web"];
    let _ = aws.run(&[&update[..], &["--task-definition", "web:2"]].concat());
    let back = wait_for("the deployment to be rolled back", SOON * 3, || {
        let seen = service(&aws, "web");
        let alone = seen["deployments"].as_array().unwrap().len() == 1;
        let first = seen["taskDefinition"].as_str().unwrap().ends_with("/web:1");
        (alone && first && seen["deployments"][0]["rolloutState"] == "COMPLETED").then_some(seen)
    });
    assert_eq!(back["runningCount"], 1);
    let history = aws.run(&["ecs", "list-service-deployments", "--service", "web"]);
    assert_eq!(
        history["serviceDeployments"][0]["status"],
        "ROLLBACK_SUCCESSFUL"
    );
}
