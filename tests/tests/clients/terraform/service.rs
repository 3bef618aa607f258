//! `aws_ecs_service` on instances, and its data source.

use berth_tests::{SOON, wait_for};
use serde_json::{Value, json};

use super::{Provider, Refused, operation_time, set, start, strategy, tags_in, tags_out};

impl Provider {
    /// `findService`.
    fn find_service(&mut self, arn: &str, cluster: &str, include: &Value) -> Option<Value> {
        let input = json!({ "cluster": cluster, "services": [arn], "include": include });
        let found = self.call("DescribeServices", &input);
        let missing = found["failures"].as_array().unwrap().iter();
        if missing
            .into_iter()
            .any(|failure| failure["reason"] == "MISSING")
        {
            return None;
        }
        assert_eq!(found["services"].as_array().map(Vec::len), Some(1));
        Some(found["services"][0].clone())
    }

    /// `findServiceByTwoPartKeyWaitForActive`.
    pub(super) fn read_service(&mut self, arn: &str, cluster: &str) -> Value {
        wait_for("the service to be ACTIVE", SOON, || {
            let found = self.find_service(arn, cluster, &json!(["TAGS"]))?;
            (found["status"] == "ACTIVE").then_some(found)
        })
    }

    /// `waitServiceStable`, for a service that was created or updated at `begun`; why not, when its
    /// deployment failed.
    pub(super) fn wait_until_stable(
        &mut self,
        arn: &str,
        cluster: &str,
        begun: f64,
    ) -> Result<(), String> {
        let (mut primary, mut deployment) = (None, None);
        wait_for("the service to be stable", SOON * 3, || {
            let service = self.find_service(arn, cluster, &json!([]))?;
            if service["status"] != "ACTIVE" {
                return None;
            }
            let deployments = service["deployments"].as_array().unwrap();
            // The first one that is seen, also when it is replaced while it fails.
            let seen = deployments.iter().find(|one| one["status"] == "PRIMARY");
            let primary = primary.get_or_insert_with(|| seen.unwrap().clone());
            let is_new = primary["createdAt"].as_f64().unwrap() > begun;
            if service["deploymentController"]["type"] != "ECS" || !is_new {
                let counts = service["desiredCount"] == service["runningCount"];
                return (deployments.len() == 1 && counts).then_some(Ok(()));
            }
            if deployment.is_none() {
                deployment = self.find_primary_deployment(primary, arn, cluster, begun);
            }
            self.outcome(deployment.as_ref()?)
        })
    }

    /// `findPrimaryDeploymentARN`: the service deployment to whose revision the digits of the
    /// primary deployment's id belong.
    fn find_primary_deployment(
        &mut self,
        primary: &Value,
        arn: &str,
        cluster: &str,
        begun: f64,
    ) -> Option<String> {
        let (_, digits) = primary["id"].as_str().unwrap().split_once('/').unwrap();
        let input = json!({
            "cluster": cluster,
            "service": arn.rsplit('/').next(),
            // The SDK writes milliseconds, and cuts off the rest.
            "createdAt": { "after": (begun * 1000.0).floor() / 1000.0 },
        });
        let listed = self.call("ListServiceDeployments", &input);
        let listed = listed["serviceDeployments"].as_array().unwrap().iter();
        let of_primary = |brief: &&Value| {
            let revision = brief["targetServiceRevisionArn"].as_str().unwrap();
            revision.contains(digits)
        };
        let found = listed.clone().find(of_primary)?;
        Some(found["serviceDeploymentArn"].as_str().unwrap().to_owned())
    }

    /// `findDeploymentStatus`.
    fn outcome(&mut self, deployment: &str) -> Option<Result<(), String>> {
        let input = json!({ "serviceDeploymentArns": [deployment] });
        let described = self.call("DescribeServiceDeployments", &input);
        let found = described["serviceDeployments"].get(0)?;
        match found["status"].as_str().unwrap() {
            "SUCCESSFUL" => Some(Ok(())),
            "STOPPED" | "ROLLBACK_FAILED" | "ROLLBACK_SUCCESSFUL" => {
                let reason = found["statusReason"].as_str();
                Some(Err(reason.unwrap_or("Deployment failed").to_owned()))
            }
            _ => None,
        }
    }

    /// `resourceServiceCreate` with `wait_for_steady_state`; the id.
    pub(super) fn create_service(&mut self, input: &Value) -> String {
        let begun = operation_time();
        let passes = |refused: &Refused| {
            refused.code == "ClusterNotFoundException"
                || (refused.code == "InvalidParameterException"
                    && [
                        "verify that the ECS service role being passed has the proper permissions",
                        "does not have an associated load balancer",
                        "Unable to assume the service linked role",
                    ]
                    .iter()
                    .any(|text| refused.message.contains(text)))
        };
        let created = self.retry("CreateService", input, passes);
        let arn = created["service"]["serviceArn"].as_str().unwrap();
        let cluster = input["cluster"].as_str().unwrap_or_default();
        self.wait_until_stable(arn, cluster, begun).unwrap();
        arn.to_owned()
    }

    /// `resourceServiceDelete`.
    pub(super) fn delete_service(&mut self, arn: &str, cluster: &str, force: bool) {
        let service = self.find_service(arn, cluster, &json!([])).unwrap();
        let is_daemon = service["schedulingStrategy"] == "DAEMON";
        if service["status"] != "DRAINING" && !is_daemon && !force {
            let input = json!({ "cluster": cluster, "desiredCount": 0, "service": arn });
            self.call("UpdateService", &input);
        }
        let input = json!({ "cluster": cluster, "force": force, "service": arn });
        let active = |refused: &Refused| {
            let text = "The service cannot be stopped while deployments are active.";
            refused.code == "InvalidParameterException" && refused.message.contains(text)
        };
        self.retry("DeleteService", &input, active);
        wait_for("the service to be INACTIVE", SOON, || {
            let found = self.find_service(arn, cluster, &json!([]));
            let found = found.expect("one that is INACTIVE can be described");
            let status = found["status"].as_str().unwrap();
            assert!(["ACTIVE", "DRAINING", "INACTIVE"].contains(&status));
            (status == "INACTIVE").then_some(())
        });
    }

    /// A definition of one container without a network of its own.
    pub(super) fn definition(&mut self, family: &str, environment: &Value) -> String {
        self.create_task_definition(&json!({
            "family": family,
            // Wanted by services with `enable_execute_command`.
            "taskRoleArn": "arn:aws:iam::000000000000:role/task",
            "containerDefinitions": [{
                "name": "app", "image": "none", "memory": 64, "environment": environment,
                "portMappings": [{ "containerPort": 80 }],
            }],
        }))
    }
}

/// `resourceServiceRead`.
pub(super) fn attributes(service: &Value) -> Value {
    let configuration = &service["deploymentConfiguration"];
    let breaker = &configuration["deploymentCircuitBreaker"];
    let vpc = &service["networkConfiguration"]["awsvpcConfiguration"];
    let primary = service["deployments"].as_array().unwrap().iter();
    let primary = primary.clone().find(|one| one["status"] == "PRIMARY");
    let primary = primary.unwrap_or(&Value::Null);
    json!({
        "alarms": configuration["alarms"],
        "availability_zone_rebalancing": service["availabilityZoneRebalancing"],
        "capacity_provider_strategy": strategy(&service["capacityProviderStrategy"]),
        "deployment_circuit_breaker": [breaker["enable"], breaker["rollback"]],
        "deployment_controller": service["deploymentController"]["type"],
        "deployment_maximum_percent": configuration["maximumPercent"],
        "deployment_minimum_healthy_percent": configuration["minimumHealthyPercent"],
        "desired_count": service["desiredCount"],
        "enable_ecs_managed_tags": service["enableECSManagedTags"],
        "enable_execute_command": service["enableExecuteCommand"],
        "health_check_grace_period_seconds": service["healthCheckGracePeriodSeconds"],
        "launch_type": service["launchType"],
        "load_balancer": set(&service["loadBalancers"]),
        "name": service["serviceName"],
        "network_configuration": vpc.as_object().map(|_| json!({
            "assign_public_ip": vpc["assignPublicIp"] == "ENABLED",
            "security_groups": set(&vpc["securityGroups"]),
            "subnets": set(&vpc["subnets"]),
        })),
        "ordered_placement_strategy": placement_strategy(&service["placementStrategy"]),
        "placement_constraints": set(&service["placementConstraints"]),
        "platform_version": service["platformVersion"],
        "propagate_tags": service["propagateTags"],
        "scheduling_strategy": service["schedulingStrategy"],
        "service_connect_configuration": primary["serviceConnectConfiguration"],
        "service_registries": service["serviceRegistries"],
        "strategy": configuration["strategy"],
        "tags": tags_out(&service["tags"]),
        "task_definition": service["taskDefinition"],
        "volume_configuration": primary["volumeConfigurations"],
        "vpc_lattice_configurations": primary["vpcLatticeConfigurations"],
    })
}

/// `flattenPlacementStrategy`: Amazon writes some fields in capitals.
fn placement_strategy(items: &Value) -> Value {
    let mut items = items.clone();
    for item in items.as_array_mut().into_iter().flatten() {
        if item["field"] == "MEMORY" || item["field"] == "CPU" {
            item["field"] = json!(item["field"].as_str().unwrap().to_lowercase());
        }
    }
    items
}

/// What a service on instances reads as when its configuration names nothing but what it must.
pub(super) fn plain(name: &str, definition: &str, desired: u32) -> Value {
    json!({
        "alarms": null,
        "availability_zone_rebalancing": "ENABLED",
        "capacity_provider_strategy": [],
        "deployment_circuit_breaker": [false, false],
        "deployment_controller": "ECS",
        "deployment_maximum_percent": 200,
        "deployment_minimum_healthy_percent": 100,
        "desired_count": desired,
        "enable_ecs_managed_tags": false,
        "enable_execute_command": false,
        "health_check_grace_period_seconds": 0,
        "launch_type": "EC2",
        "load_balancer": [],
        "name": name,
        "network_configuration": null,
        "ordered_placement_strategy": [],
        "placement_constraints": [],
        "platform_version": null,
        "propagate_tags": "NONE",
        "scheduling_strategy": "REPLICA",
        "service_connect_configuration": null,
        "service_registries": [],
        "strategy": "ROLLING",
        "tags": {},
        "task_definition": definition,
        "volume_configuration": null,
        "vpc_lattice_configurations": null,
    })
}

/// What `resourceServiceCreate` sends when the configuration names nothing but what it must.
pub(super) fn request(name: &str, definition: &str, desired: u32) -> Value {
    json!({
        "clientToken": format!("terraform-{name}"),
        "cluster": "default",
        "deploymentConfiguration": { "maximumPercent": 200, "minimumHealthyPercent": 100 },
        "desiredCount": desired,
        "schedulingStrategy": "REPLICA",
        "serviceName": name,
        "taskDefinition": definition,
    })
}

#[test]
fn a_service_lives() {
    let (server, mut provider) = start();
    let first = provider.definition("web", &json!([]));
    let mut input = request("web", &first, 2);
    let more = json!({
        "availabilityZoneRebalancing": "DISABLED",
        "enableECSManagedTags": true,
        "enableExecuteCommand": true,
        "launchType": "EC2",
        "placementConstraints": [{ "type": "memberOf", "expression": "agentConnected == true" }],
        "placementStrategy": [
            { "type": "spread", "field": "attribute:ecs.availability-zone" },
            { "type": "binpack", "field": "memory" },
        ],
        "propagateTags": "SERVICE",
        "tags": tags_in(&json!({ "team": "blue" })),
    });
    for (name, value) in more.as_object().unwrap() {
        input[name] = value.clone();
    }
    input["deploymentConfiguration"]["deploymentCircuitBreaker"] =
        json!({ "enable": true, "rollback": true });
    let arn = provider.create_service(&input);
    let mut configured = plain("web", &first, 2);
    for (name, value) in [
        ("availability_zone_rebalancing", json!("DISABLED")),
        ("deployment_circuit_breaker", json!([true, true])),
        ("enable_ecs_managed_tags", json!(true)),
        ("enable_execute_command", json!(true)),
        (
            "placement_constraints",
            input["placementConstraints"].clone(),
        ),
        (
            "ordered_placement_strategy",
            input["placementStrategy"].clone(),
        ),
        ("propagate_tags", json!("SERVICE")),
        ("tags", json!({ "team": "blue" })),
    ] {
        configured[name] = value;
    }
    assert_eq!(
        attributes(&provider.read_service(&arn, "default")),
        configured
    );

    // `resourceServiceUpdate` sends what has changed; an empty circuit breaker removes it.
    let second = provider.definition("web", &json!([]));
    let begun = operation_time();
    let update = json!({
        "cluster": "default",
        "service": arn,
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": { "enable": false, "rollback": false },
            "maximumPercent": 150, "minimumHealthyPercent": 50,
        },
        "desiredCount": 3,
        "enableExecuteCommand": false,
        "placementConstraints": [],
        "placementStrategy": [],
        "taskDefinition": second,
    });
    provider.call("UpdateService", &update);
    provider.wait_until_stable(&arn, "default", begun).unwrap();
    let tags = json!({ "stage": "test" });
    provider.update_tags(&arn, &configured["tags"], &tags);
    for (name, value) in [
        ("deployment_circuit_breaker", json!([false, false])),
        ("deployment_maximum_percent", json!(150)),
        ("deployment_minimum_healthy_percent", json!(50)),
        ("desired_count", json!(3)),
        ("enable_execute_command", json!(false)),
        ("placement_constraints", json!([])),
        ("ordered_placement_strategy", json!([])),
        ("tags", tags),
        ("task_definition", json!(second)),
    ] {
        configured[name] = value;
    }
    let read = provider.read_service(&arn, "default");
    assert_eq!(attributes(&read), configured);
    assert_eq!(read["runningCount"], 3);

    // A change without a new deployment is waited for by the counts.
    let begun = operation_time();
    let update = json!({ "cluster": "default", "service": arn, "desiredCount": 2 });
    provider.call("UpdateService", &update);
    provider.wait_until_stable(&arn, "default", begun).unwrap();
    assert_eq!(provider.read_service(&arn, "default")["runningCount"], 2);

    provider.delete_service(&arn, "default", false);
    // Created once more under the same name, as a replacement does.
    let arn = provider.create_service(&request("web", &second, 1));
    let read = provider.read_service(&arn, "default");
    assert_eq!(attributes(&read), plain("web", &second, 1));
    provider.delete_service(&arn, "default", true);
    server.finish();
}

#[test]
fn a_service_whose_cluster_is_not_configured_is_of_the_default_one() {
    let (server, mut provider) = start();
    let definition = provider.definition("web", &json!([]));
    // Creating leaves it out, everything else names it by an empty text.
    let mut input = request("web", &definition, 1);
    input.as_object_mut().unwrap().remove("cluster");
    let arn = provider.create_service(&input);
    let read = provider.read_service(&arn, "");
    assert_eq!(attributes(&read), plain("web", &definition, 1));
    assert!(
        read["clusterArn"]
            .as_str()
            .unwrap()
            .ends_with(":cluster/default")
    );
    provider.delete_service(&arn, "", true);
    server.finish();
}

#[test]
fn a_deployment_that_the_circuit_breaker_ends_fails_with_its_reason() {
    let (server, mut provider) = start();
    let good = provider.definition("web", &json!([]));
    let bad = json!([{ "name": "BERTH_SIM_FAIL", "value": "pull" }]);
    let bad = provider.definition("web", &bad);
    let mut input = request("web", &good, 1);
    input["deploymentConfiguration"]["deploymentCircuitBreaker"] =
        json!({ "enable": true, "rollback": true });
    let arn = provider.create_service(&input);
    let begun = operation_time();
    let update = json!({ "cluster": "default", "service": arn, "taskDefinition": bad });
    provider.call("UpdateService", &update);
    let outcome = provider.wait_until_stable(&arn, "default", begun);
    let reason = outcome.unwrap_err();
    // Reference §7.5.
    assert!(reason.contains("circuit breaker"), "{reason}");
    let back = wait_for("the service to be rolled back", SOON, || {
        let read = provider.read_service(&arn, "default");
        (read["deployments"].as_array().map(Vec::len) == Some(1)).then_some(read)
    });
    assert_eq!(back["taskDefinition"], json!(good));
    provider.delete_service(&arn, "default", true);
    server.finish();
}

/// `rollbackRoutine`, with `sigint_rollback`: Ctrl-C while the service becomes stable.
#[test]
fn an_interrupted_deployment_is_rolled_back() {
    let (server, mut provider) = start();
    let good = provider.definition("web", &json!([]));
    let slow = json!([{ "name": "BERTH_SIM_PULL_MS", "value": "600000" }]);
    let slow = provider.definition("web", &slow);
    let arn = provider.create_service(&request("web", &good, 1));
    let begun = operation_time();
    let update = json!({ "cluster": "default", "service": arn, "taskDefinition": slow });
    provider.call("UpdateService", &update);
    let deployment = wait_for("the deployment to be listed", SOON, || {
        let read = provider.read_service(&arn, "default");
        let primary = &read["deployments"][0];
        provider.find_primary_deployment(primary, &arn, "default", begun)
    });
    let stop = json!({ "serviceDeploymentArn": deployment, "stopType": "ROLLBACK" });
    provider.call("StopServiceDeployment", &stop);
    let outcome = wait_for("the rollback to end", SOON, || {
        provider.outcome(&deployment)
    });
    outcome.unwrap_err();
    let read = provider.read_service(&arn, "default");
    assert_eq!(read["taskDefinition"], json!(good));
    provider.delete_service(&arn, "default", true);
    server.finish();
}

/// `dataSourceServiceRead`, and what is listed.
#[test]
fn its_data_source() {
    let (server, mut provider) = start();
    let definition = provider.definition("web", &json!([]));
    let mut input = request("web", &definition, 0);
    input["tags"] = tags_in(&json!({ "team": "blue" }));
    let arn = provider.create_service(&input);
    let cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
    let seen = provider
        .find_service("web", cluster, &json!(["TAGS"]))
        .unwrap();
    assert_eq!(seen["serviceArn"], json!(arn));
    assert_eq!(seen["clusterArn"], cluster);
    assert_eq!(seen["desiredCount"], 0);
    assert_eq!(seen["launchType"], "EC2");
    assert_eq!(seen["schedulingStrategy"], "REPLICA");
    assert_eq!(seen["taskDefinition"], json!(definition));
    assert_eq!(tags_out(&seen["tags"]), json!({ "team": "blue" }));
    let listed = provider.call("ListServices", &json!({ "cluster": cluster }));
    assert_eq!(listed["serviceArns"], json!([arn]));
    assert!(
        provider
            .find_service("absent", cluster, &json!([]))
            .is_none()
    );
    server.finish();
}
