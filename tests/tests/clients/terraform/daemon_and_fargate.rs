//! `aws_ecs_service` in its other kinds: daemons, Fargate, and a capacity provider strategy.

use serde_json::{Value, json};

use super::service::{attributes, plain, request};
use super::{operation_time, start};

#[test]
fn a_daemon_lives() {
    let (server, mut provider) = start();
    let definition = provider.definition("watch", &json!([]));
    let mut input = request("watch", &definition, 0);
    // With percents that the configuration does not name, none is sent; nor is a count.
    input["schedulingStrategy"] = json!("DAEMON");
    input["deploymentConfiguration"] = json!({});
    input.as_object_mut().unwrap().remove("desiredCount");
    let arn = provider.create_service(&input);
    let read = provider.read_service(&arn, "default");
    let mut configured = plain("watch", &definition, 2);
    for (name, value) in [
        ("availability_zone_rebalancing", json!("DISABLED")),
        // The provider suppresses the difference of these from its own 200 and 100.
        ("deployment_maximum_percent", json!(100)),
        ("deployment_minimum_healthy_percent", json!(0)),
        ("scheduling_strategy", json!("DAEMON")),
    ] {
        configured[name] = value;
    }
    assert_eq!(attributes(&read), configured);
    assert_eq!(read["runningCount"], 2, "one on each instance");

    let begun = operation_time();
    let update = json!({
        "cluster": "default",
        "service": arn,
        "deploymentConfiguration": { "minimumHealthyPercent": 50 },
        "forceNewDeployment": true,
    });
    provider.call("UpdateService", &update);
    provider.wait_until_stable(&arn, "default", begun).unwrap();
    configured["deployment_minimum_healthy_percent"] = json!(50);
    let read = provider.read_service(&arn, "default");
    assert_eq!(attributes(&read), configured);
    provider.delete_service(&arn, "default", false);
    server.finish();
}

fn on_fargate() -> Value {
    json!({
        "family": "fargate",
        "networkMode": "awsvpc",
        "cpu": "256",
        "memory": "512",
        "requiresCompatibilities": ["FARGATE"],
        "containerDefinitions": [{ "name": "app", "image": "none" }],
    })
}

fn network(subnets: &Value) -> Value {
    json!({ "awsvpcConfiguration": {
        "assignPublicIp": "DISABLED", "securityGroups": ["sg-2", "sg-1"], "subnets": subnets,
    } })
}

#[test]
fn a_service_on_fargate_lives() {
    let (server, mut provider) = start();
    let definition = provider.create_task_definition(&on_fargate());
    let mut input = request("far", &definition, 1);
    input["launchType"] = json!("FARGATE");
    input["networkConfiguration"] = network(&json!(["subnet-2", "subnet-1"]));
    let arn = provider.create_service(&input);
    let mut configured = plain("far", &definition, 1);
    for (name, value) in [
        ("launch_type", json!("FARGATE")),
        ("platform_version", json!("LATEST")),
        (
            "network_configuration",
            json!({
                "assign_public_ip": false,
                "security_groups": ["sg-1", "sg-2"],
                "subnets": ["subnet-1", "subnet-2"],
            }),
        ),
    ] {
        configured[name] = value;
    }
    let read = provider.read_service(&arn, "default");
    assert_eq!(attributes(&read), configured);

    let begun = operation_time();
    let update = json!({
        "cluster": "default",
        "service": arn,
        "networkConfiguration": network(&json!(["subnet-3"])),
    });
    provider.call("UpdateService", &update);
    provider.wait_until_stable(&arn, "default", begun).unwrap();
    configured["network_configuration"]["subnets"] = json!(["subnet-3"]);
    let read = provider.read_service(&arn, "default");
    assert_eq!(attributes(&read), configured);
    provider.delete_service(&arn, "default", true);
    server.finish();
}

#[test]
fn a_service_with_a_strategy_has_no_launch_type() {
    let (server, mut provider) = start();
    let definition = provider.create_task_definition(&on_fargate());
    let cluster = provider.create_cluster(&json!({ "clusterName": "mixed" }));
    let names = json!(["FARGATE", "FARGATE_SPOT"]);
    provider.put_capacity_providers("mixed", &names, &json!([]));
    let mut input = request("far", &definition, 1);
    input["cluster"] = json!(cluster);
    input["capacityProviderStrategy"] = json!([
        { "capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1 },
        { "capacityProvider": "FARGATE", "base": 1, "weight": 0 },
    ]);
    input["networkConfiguration"] = network(&json!(["subnet-1"]));
    let arn = provider.create_service(&input);
    let mut configured = plain("far", &definition, 1);
    for (name, value) in [
        ("launch_type", Value::Null),
        ("platform_version", json!("LATEST")),
        (
            "capacity_provider_strategy",
            json!([
                { "base": 0, "capacity_provider": "FARGATE_SPOT", "weight": 1 },
                { "base": 1, "capacity_provider": "FARGATE", "weight": 0 },
            ]),
        ),
        (
            "network_configuration",
            json!({
                "assign_public_ip": false,
                "security_groups": ["sg-1", "sg-2"],
                "subnets": ["subnet-1"],
            }),
        ),
    ] {
        configured[name] = value;
    }
    let read = provider.read_service(&arn, &cluster);
    assert_eq!(attributes(&read), configured);
    assert_eq!(read["clusterArn"], json!(cluster));

    // `capacityProviderStrategyCustomizeDiff` wants a new deployment with a new strategy.
    let begun = operation_time();
    let update = json!({
        "cluster": cluster,
        "service": arn,
        "capacityProviderStrategy":
            [{ "capacityProvider": "FARGATE", "base": 0, "weight": 1 }],
        "forceNewDeployment": true,
    });
    provider.call("UpdateService", &update);
    provider.wait_until_stable(&arn, &cluster, begun).unwrap();
    configured["capacity_provider_strategy"] =
        json!([{ "base": 0, "capacity_provider": "FARGATE", "weight": 1 }]);
    let read = provider.read_service(&arn, &cluster);
    assert_eq!(attributes(&read), configured);
    provider.delete_service(&arn, &cluster, true);
    provider.put_capacity_providers("mixed", &json!([]), &json!([]));
    provider.delete_cluster(&cluster);
    server.finish();
}
