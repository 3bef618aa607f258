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
/// which gets one each second; the SDKs try again by themselves.
const SIX_CALLS: &str = r#"
import boto3, json
from botocore.config import Config
from botocore.exceptions import ClientError

def client(attempts, region="us-east-1"):
    return boto3.client("ecs", region_name=region,
        config=Config(retries={"mode": "standard", "total_max_attempts": attempts}))

def call(ecs):
    return ecs.delete_task_definitions(taskDefinitions=["absent:1"])["ResponseMetadata"]

impatient = client(1)
fast, refused = 0, None
while refused is None and fast < 30:
    try:
        call(impatient)
        fast += 1
    except ClientError as error:
        refused = error.response
patient = call(client(10))
elsewhere = [call(client(1, "eu-west-1"))["HTTPStatusCode"] for _ in range(5)]
print(json.dumps({
    "fast": fast,
    "error": refused and refused["Error"],
    "status": refused and refused["ResponseMetadata"]["HTTPStatusCode"],
    "patient": patient["HTTPStatusCode"],
    "triedAgain": patient["RetryAttempts"] > 0,
    "elsewhere": elsewhere,
}))
"#;

#[test]
fn calls_beyond_the_rate_are_throttled_and_tried_again() {
    let limited = ["--runtime", "simulated", "--rate-limits", "ecs"];
    let server = Spec::dev(&limited).start();
    let seen = python(&server.aws(), SIX_CALLS);
    assert_eq!(
        seen["error"],
        json!({ "Code": "ThrottlingException", "Message": "Rate exceeded" })
    );
    assert_eq!(seen["status"], 400);
    // Tokens come back while the calls are made, one a second.
    let fast = seen["fast"].as_u64().unwrap();
    assert!((5..30).contains(&fast), "{seen}");
    assert_eq!(seen["patient"], 200);
    assert_eq!(seen["triedAgain"], true);
    assert_eq!(seen["elsewhere"], json!([200, 200, 200, 200, 200]));
    server.finish();
}

#[test]
fn nobody_is_throttled_unless_the_operator_says_so() {
    let server = Spec::dev(&["--runtime", "simulated"]).start();
    let seen = python(&server.aws(), SIX_CALLS);
    assert_eq!((&seen["fast"], &seen["error"]), (&json!(30), &json!(null)));
    server.finish();
}
