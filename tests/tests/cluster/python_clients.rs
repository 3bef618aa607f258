//! boto3, with its waiters, against real containers.

use berth_tests::{Docker, IMAGE, Spec, python};
use serde_json::json;

#[test]
fn boto3_waits_for_a_task_to_run_and_to_stop() {
    let docker = Docker::get();
    let spec = Spec::dev(&["--agent-cpu", "2048", "--agent-memory", "1024"]);
    let server = docker.serving(spec).start();
    let script = format!(
        r#"
import boto3, json
ecs = boto3.client("ecs")
patience = {{"Delay": 1, "MaxAttempts": 60}}
definition = ecs.register_task_definition(
    family="py",
    containerDefinitions=[
        {{"name": "app", "image": "{IMAGE}", "memory": 32, "command": ["sleep", "600"]}},
        {{"name": "side", "image": "{IMAGE}", "memory": 32, "essential": False,
          "command": ["sh", "-c", "exit 7"],
          "dependsOn": [{{"containerName": "app", "condition": "START"}}]}},
    ],
)["taskDefinition"]
task = ecs.run_task(
    taskDefinition=definition["taskDefinitionArn"],
    overrides={{"containerOverrides": [
        {{"name": "app", "environment": [{{"name": "A", "value": "b"}}]}}]}},
    tags=[{{"key": "team", "value": "blue"}}],
)["tasks"][0]["taskArn"]
ecs.get_waiter("tasks_running").wait(tasks=[task], WaiterConfig=patience)
running = ecs.describe_tasks(tasks=[task], include=["TAGS"])["tasks"][0]
ecs.stop_task(task=task)
ecs.get_waiter("tasks_stopped").wait(tasks=[task], WaiterConfig=patience)
stopped = ecs.describe_tasks(tasks=[task])["tasks"][0]
pages = ecs.get_paginator("list_tasks").paginate(
    desiredStatus="STOPPED", PaginationConfig={{"PageSize": 1}})
try:
    ecs.describe_clusters(clusters=["default"], include=["NONSENSE"])
    refused = None
except ecs.exceptions.InvalidParameterException as error:
    refused = error.response["Error"]["Code"]
print(json.dumps({{
    "status": running["lastStatus"],
    "tags": running["tags"],
    "started": running["startedAt"].year > 2000,
    "codes": sorted(c.get("exitCode", -1) for c in stopped["containers"] if c["name"] == "side"),
    "stopCode": stopped["stopCode"],
    "listed": [arn for page in pages for arn in page["taskArns"]] == [task],
    "refused": refused,
}}))
"#
    );
    let seen = python(&server.aws(), &script);
    assert_eq!(
        seen,
        json!({
            "status": "RUNNING",
            "tags": [{ "key": "team", "value": "blue" }],
            "started": true,
            "codes": [7],
            "stopCode": "UserInitiated",
            "listed": true,
            "refused": "InvalidParameterException",
        })
    );
    server.finish();
}
