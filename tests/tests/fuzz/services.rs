//! Valid requests of the operations on services and what belongs to them.

use serde_json::{Value, json};

/// The operations, over a service `service`, one of an outside controller `external`, and a task.
pub(super) fn requests(task: &str, tags: &Value) -> Vec<(&'static str, Value)> {
    let revision = "arn:aws:ecs:us-east-1:000000000000:service-revision/default/service/1";
    let deployment = "arn:aws:ecs:us-east-1:000000000000:service-deployment/default/service/aaaaaaaaaaaaaaaaaaaaa";
    let configuration = json!({
        "maximumPercent": 150, "minimumHealthyPercent": 50, "strategy": "ROLLING",
        "bakeTimeInMinutes": 1,
        "deploymentCircuitBreaker": { "enable": true, "rollback": true },
        "alarms": { "alarmNames": ["a"], "enable": true, "rollback": false },
    });
    let placement = json!([{ "type": "spread", "field": "attribute:ecs.availability-zone" }]);
    let constraints =
        json!([{ "type": "memberOf", "expression": "attribute:ecs.os-type == linux" }]);
    let provider = json!({
        "autoScalingGroupArn":
            "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:1:autoScalingGroupName/g",
        "managedScaling": {
            "status": "ENABLED", "targetCapacity": 90, "minimumScalingStepSize": 1,
            "maximumScalingStepSize": 10, "instanceWarmupPeriod": 5,
        },
        "managedTerminationProtection": "DISABLED", "managedDraining": "ENABLED",
    });
    let scale = json!({ "value": 50.0, "unit": "PERCENT" });
    let mut services = vec![
        (
            "CreateService",
            json!({
                "cluster": "default", "serviceName": "made", "taskDefinition": "family:1",
                "desiredCount": 1, "launchType": "EC2", "schedulingStrategy": "REPLICA",
                "clientToken": "t", "tags": tags, "propagateTags": "SERVICE",
                "enableECSManagedTags": true, "healthCheckGracePeriodSeconds": 3,
                "deploymentConfiguration": configuration, "deploymentController": { "type": "ECS" },
                "placementStrategy": placement, "placementConstraints": constraints,
                "availabilityZoneRebalancing": "ENABLED",
            }),
        ),
        (
            "CreateService",
            json!({ "serviceName": "daemon", "taskDefinition": "family:1",
                "schedulingStrategy": "DAEMON" }),
        ),
        (
            "UpdateService",
            json!({
                "cluster": "default", "service": "service", "desiredCount": 2,
                "taskDefinition": "family:3", "forceNewDeployment": true,
                "deploymentConfiguration": configuration, "placementStrategy": placement,
                "placementConstraints": constraints,
            }),
        ),
        (
            "DescribeServices",
            json!({ "services": ["service", "external"], "include": ["TAGS"] }),
        ),
        (
            "ListServices",
            json!({ "launchType": "EC2", "schedulingStrategy": "REPLICA", "maxResults": 3 }),
        ),
        (
            "ListServicesByNamespace",
            json!({ "namespace": "arn:aws:servicediscovery:us-east-1:000000000000:namespace/ns-1" }),
        ),
        (
            "DescribeServiceRevisions",
            json!({ "serviceRevisionArns": [revision] }),
        ),
        (
            "DescribeServiceDeployments",
            json!({ "serviceDeploymentArns": [deployment] }),
        ),
        (
            "ListServiceDeployments",
            json!({ "service": "service", "status": ["SUCCESSFUL", "IN_PROGRESS"],
                "createdAt": { "before": 4_000_000_000.5, "after": 1 }, "maxResults": 3 }),
        ),
        (
            "StopServiceDeployment",
            json!({ "serviceDeploymentArn": deployment, "stopType": "ROLLBACK" }),
        ),
        (
            "ContinueServiceDeployment",
            json!({ "serviceDeploymentArn": deployment, "hookId": "ecs-PAUSE-1",
                "action": "CONTINUE" }),
        ),
        (
            "DeleteService",
            json!({ "cluster": "default", "service": "made", "force": true }),
        ),
    ];
    services.extend([
        (
            "CreateTaskSet",
            json!({ "cluster": "default", "service": "external", "taskDefinition": "family:1",
                "externalId": "e", "launchType": "EC2", "scale": scale, "clientToken": "t" }),
        ),
        (
            "DescribeTaskSets",
            json!({ "cluster": "default", "service": "external", "include": ["TAGS"] }),
        ),
        (
            "UpdateTaskSet",
            json!({ "cluster": "default", "service": "external", "taskSet": "ecs-svc/1",
                "scale": scale }),
        ),
        (
            "UpdateServicePrimaryTaskSet",
            json!({ "cluster": "default", "service": "external",
                "primaryTaskSet": "ecs-svc/1" }),
        ),
        (
            "DeleteTaskSet",
            json!({ "cluster": "default", "service": "external", "taskSet": "ecs-svc/1",
                "force": true }),
        ),
        (
            "GetTaskProtection",
            json!({ "cluster": "default", "tasks": [task] }),
        ),
        (
            "UpdateTaskProtection",
            json!({ "cluster": "default", "tasks": [task], "protectionEnabled": true,
                "expiresInMinutes": 5 }),
        ),
        (
            "CreateCapacityProvider",
            json!({ "name": "made", "autoScalingGroupProvider": provider, "tags": tags }),
        ),
        (
            "UpdateCapacityProvider",
            json!({ "name": "made", "autoScalingGroupProvider": {
                "managedScaling": { "status": "DISABLED" }, "managedDraining": "DISABLED",
            } }),
        ),
        (
            "DeleteCapacityProvider",
            json!({ "capacityProvider": "made" }),
        ),
    ]);
    services
}
