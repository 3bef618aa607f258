//! boto3: its paginators and waiters, and what its retries make of rate limits.

use std::process::Command;

use berth_tests::{Spec, client, project_root, python, tool};
use serde_json::json;

#[test]
fn every_paginator_and_every_waiter() {
    let server = Spec::dev(&["--runtime", "simulated", "--agents", "2"]).start();
    let mut command = Command::new(tool("python"));
    command.arg(project_root().join("tests/clients/python/boto.py"));
    assert_eq!(
        client(&server.aws(), command),
        json!({
            "pages": {
                // Reference §9.1.
                "list_account_settings": [12, true],
                "list_attributes": [2, true],
                "list_clusters": [4, true],
                "list_container_instances": [2, true],
                "list_services": [3, true],
                "list_services_by_namespace": [3, true],
                "list_task_definition_families": [2, true],
                "list_task_definitions": [3, true],
                "list_tasks": [3, true],
            },
            "otherPaginators": [
                "list_gateway_cluster_associations",
                "list_gateway_routes",
                "list_gateways",
            ],
            "waiters": [
                "services_inactive",
                "services_stable",
                "tasks_running",
                "tasks_stopped",
            ],
            "left": [],
        })
    );
    server.finish();
}

/// Amazon's documentation of request throttling: DeleteTaskDefinitions has a bucket of 5 tokens,
/// which gets one each second. More calls than that at once, on many threads so that a slow machine
/// does not spread them over the seconds in which the tokens come back.
const MANY_CALLS: &str = r#"
import boto3, json
from botocore.config import Config
from botocore.exceptions import ClientError
from concurrent.futures import ThreadPoolExecutor

def at_once(count, attempts, region="us-east-1"):
    ecs = boto3.client("ecs", region_name=region, config=Config(
        max_pool_connections=count,
        retries={"mode": "standard", "total_max_attempts": attempts}))
    def call(_):
        try:
            return ecs.delete_task_definitions(taskDefinitions=["absent:1"])
        except ClientError as error:
            return error.response
    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))

impatient = at_once(24, 1)
patient = at_once(12, 15)
elsewhere = at_once(5, 1, "eu-west-1")
refused = [answer for answer in impatient if "Error" in answer]
print(json.dumps({
    "served": len(impatient) - len(refused),
    "refused": [[answer["Error"], answer["ResponseMetadata"]["HTTPStatusCode"]]
                for answer in refused],
    "patientRefused": sum("Error" in answer for answer in patient),
    "triedAgain": any(answer["ResponseMetadata"]["RetryAttempts"] for answer in patient),
    "elsewhereRefused": sum("Error" in answer for answer in elsewhere),
}))
"#;

#[test]
fn calls_beyond_the_rate_are_throttled_and_tried_again() {
    let limited = ["--runtime", "simulated", "--rate-limits", "ecs"];
    let server = Spec::dev(&limited).start();
    let seen = python(&server.aws(), MANY_CALLS);
    let served = seen["served"].as_u64().unwrap();
    assert!((5..24).contains(&served), "{seen}");
    let error = json!({ "Code": "ThrottlingException", "Message": "Rate exceeded" });
    for refused in seen["refused"].as_array().unwrap() {
        assert_eq!(refused, &json!([error, 400]));
    }
    assert_eq!(seen["patientRefused"], 0, "{seen}");
    assert_eq!(seen["triedAgain"], true, "{seen}");
    assert_eq!(seen["elsewhereRefused"], 0, "{seen}");
    server.finish();
}

#[test]
fn nobody_is_throttled_unless_the_operator_says_so() {
    let server = Spec::dev(&["--runtime", "simulated"]).start();
    let seen = python(&server.aws(), MANY_CALLS);
    assert_eq!(
        (&seen["served"], &seen["refused"]),
        (&json!(24), &json!([]))
    );
    server.finish();
}
