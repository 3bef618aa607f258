//! `aws_ecs_capacity_provider` and `aws_ecs_cluster_capacity_providers`.

use berth_tests::{SOON, wait_for};
use serde_json::{Value, json};

use super::{Provider, Refused, set, start, strategy, tags_in, tags_out};

const GROUP: &str = "arn:aws:autoscaling:us-east-1:000000000000:autoScalingGroup:\
                     1f6a1d43-ddb5-4f66-b4a6-b2a5f2d6c8f1:autoScalingGroupName/shop";

impl Provider {
    /// `findCapacityProviderByARN`: one that is INACTIVE is none.
    fn find_capacity_provider(&mut self, arn: &str) -> Option<Value> {
        let input = json!({ "capacityProviders": [arn], "include": ["TAGS"] });
        let found = self.call("DescribeCapacityProviders", &input);
        let found = found["capacityProviders"].as_array().unwrap().first();
        found.filter(|found| found["status"] != "INACTIVE").cloned()
    }

    /// `resourceCapacityProviderCreate`; the id.
    pub(super) fn create_capacity_provider(&mut self, input: &Value) -> String {
        let created = self.call("CreateCapacityProvider", input);
        let arn = &created["capacityProvider"]["capacityProviderArn"];
        arn.as_str().unwrap().to_owned()
    }

    /// `resourceCapacityProviderDelete`.
    pub(super) fn delete_capacity_provider(&mut self, arn: &str) {
        let input = json!({ "capacityProvider": arn });
        self.call("DeleteCapacityProvider", &input);
        wait_for("the capacity provider to be gone", SOON, || {
            let Some(found) = self.find_capacity_provider(arn) else {
                return Some(());
            };
            assert_ne!(found["updateStatus"], "DELETE_FAILED", "{found}");
            None
        });
    }

    /// `resourceClusterCapacityProvidersPut`.
    pub(super) fn put_capacity_providers(
        &mut self,
        cluster: &str,
        providers: &Value,
        items: &Value,
    ) {
        let input = json!({
            "cluster": cluster,
            "capacityProviders": providers,
            "defaultCapacityProviderStrategy": items,
        });
        let busy = |refused: &Refused| match refused.code.as_str() {
            "ClientException" => refused.message.contains("Cluster was not ACTIVE"),
            code => ["ResourceInUseException", "UpdateInProgressException"].contains(&code),
        };
        self.retry("PutClusterCapacityProviders", &input, busy);
        self.wait_for_cluster(cluster);
    }
}

/// `flattenAutoScalingGroupProvider`, and the rest of `resourceCapacityProviderRead`.
fn attributes(provider: &Value) -> Value {
    let group = &provider["autoScalingGroupProvider"];
    let scaling = &group["managedScaling"];
    json!({
        "name": provider["name"],
        "cluster": provider["cluster"],
        "auto_scaling_group_arn": group["autoScalingGroupArn"],
        "managed_draining": group["managedDraining"],
        "managed_termination_protection": group["managedTerminationProtection"],
        "instance_warmup_period": scaling["instanceWarmupPeriod"],
        "maximum_scaling_step_size": scaling["maximumScalingStepSize"],
        "minimum_scaling_step_size": scaling["minimumScalingStepSize"],
        "status": scaling["status"],
        "target_capacity": scaling["targetCapacity"],
        "managed_instances_provider": provider["managedInstancesProvider"],
        "tags": tags_out(&provider["tags"]),
    })
}

#[test]
fn a_capacity_provider_lives() {
    let (server, mut provider) = start();
    let tags = json!({ "team": "blue" });
    let arn = provider.create_capacity_provider(&json!({
        "name": "shop",
        "autoScalingGroupProvider": {
            "autoScalingGroupArn": GROUP,
            // A block in the configuration always has a period in the request, and 0 when it
            // names none: it must be read back as it was sent.
            "managedScaling": { "instanceWarmupPeriod": 0, "status": "ENABLED",
                                "targetCapacity": 90 },
        },
        "tags": tags_in(&tags),
    }));
    let mut configured = json!({
        "name": "shop",
        "cluster": null,
        "auto_scaling_group_arn": GROUP,
        "managed_draining": "ENABLED",
        "managed_termination_protection": "DISABLED",
        "instance_warmup_period": 0,
        "maximum_scaling_step_size": 10_000,
        "minimum_scaling_step_size": 1,
        "status": "ENABLED",
        "target_capacity": 90,
        "managed_instances_provider": null,
        "tags": tags,
    });
    let read =
        |provider: &mut Provider| attributes(&provider.find_capacity_provider(&arn).unwrap());
    assert_eq!(read(&mut provider), configured);

    // `resourceCapacityProviderUpdate` names it by its name, with all that was read before.
    let input = json!({
        "name": "shop",
        "autoScalingGroupProvider": {
            "managedDraining": "DISABLED",
            "managedScaling": {
                "instanceWarmupPeriod": 60, "maximumScalingStepSize": 10,
                "minimumScalingStepSize": 2, "status": "ENABLED", "targetCapacity": 50,
            },
            "managedTerminationProtection": "DISABLED",
        },
    });
    let in_progress = |refused: &Refused| refused.code == "UpdateInProgressException";
    provider.retry("UpdateCapacityProvider", &input, in_progress);
    // `waitCapacityProviderUpdated` knows these two and fails on every other.
    wait_for("the capacity provider to be updated", SOON, || {
        let found = provider.find_capacity_provider(&arn).unwrap();
        let status = found["updateStatus"].as_str().unwrap();
        assert!(
            ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"].contains(&status),
            "{found}"
        );
        (status == "UPDATE_COMPLETE").then_some(())
    });
    let tags = json!({ "stage": "test" });
    provider.update_tags(&arn, &configured["tags"], &tags);
    for (name, value) in [
        ("managed_draining", json!("DISABLED")),
        ("instance_warmup_period", json!(60)),
        ("maximum_scaling_step_size", json!(10)),
        ("minimum_scaling_step_size", json!(2)),
        ("target_capacity", json!(50)),
        ("tags", tags),
    ] {
        configured[name] = value;
    }
    assert_eq!(read(&mut provider), configured);

    provider.delete_capacity_provider(&arn);
    // Deleting what is gone already is what the provider wants anyway.
    let absent = json!({ "capacityProvider": arn.replace("shop", "absent") });
    let refused = provider.try_call("DeleteCapacityProvider", &absent);
    let refused = refused.unwrap_err();
    assert_eq!(refused.code, "ClientException");
    assert!(
        refused.message.contains("capacity provider does not exist"),
        "{refused:?}"
    );
    server.finish();
}

#[test]
fn a_clusters_capacity_providers_live() {
    let (server, mut provider) = start();
    let group = json!({ "autoScalingGroupArn": GROUP });
    let own = json!({ "name": "own", "autoScalingGroupProvider": group });
    let own = provider.create_capacity_provider(&own);
    let cluster = provider.create_cluster(&json!({ "clusterName": "mixed" }));
    let read = |provider: &mut Provider| {
        let found = provider.find_cluster("mixed").unwrap();
        json!({
            "cluster_name": found["clusterName"],
            "capacity_providers": set(&found["capacityProviders"]),
            "default_capacity_provider_strategy":
                strategy(&found["defaultCapacityProviderStrategy"]),
        })
    };
    let items = json!([{ "capacityProvider": "own", "base": 1, "weight": 100 }]);
    provider.put_capacity_providers("mixed", &json!(["own", "FARGATE"]), &items);
    assert_eq!(
        read(&mut provider),
        json!({
            "cluster_name": "mixed",
            "capacity_providers": ["FARGATE", "own"],
            "default_capacity_provider_strategy":
                [{ "base": 1, "capacity_provider": "own", "weight": 100 }],
        })
    );
    // Destroyed in the wrong order, it fails with the reason that is read here.
    let delete = json!({ "capacityProvider": own });
    provider.call("DeleteCapacityProvider", &delete);
    let failed = wait_for("the deletion to fail", SOON, || {
        let found = provider.find_capacity_provider(&own).unwrap();
        (found["updateStatus"] == "DELETE_FAILED").then_some(found)
    });
    let reason = failed["updateStatusReason"].as_str().unwrap();
    let text = "it is associated with cluster: mixed.";
    assert!(reason.contains(text), "{reason}");

    // A change at once after another: what is refused for the first one's sake is tried again.
    let items = json!([
        { "capacityProvider": "FARGATE", "base": 0, "weight": 3 },
        { "capacityProvider": "FARGATE_SPOT", "base": 0, "weight": 1 },
    ]);
    let names = json!(["FARGATE_SPOT", "FARGATE"]);
    provider.put_capacity_providers("mixed", &names, &items);
    assert_eq!(
        read(&mut provider),
        json!({
            "cluster_name": "mixed",
            "capacity_providers": ["FARGATE", "FARGATE_SPOT"],
            "default_capacity_provider_strategy": [
                { "base": 0, "capacity_provider": "FARGATE", "weight": 3 },
                { "base": 0, "capacity_provider": "FARGATE_SPOT", "weight": 1 },
            ],
        })
    );
    // `resourceClusterCapacityProvidersDelete`.
    provider.put_capacity_providers("mixed", &json!([]), &json!([]));
    let left = read(&mut provider);
    assert_eq!(left["capacity_providers"], json!([]));
    assert_eq!(left["default_capacity_provider_strategy"], json!([]));
    provider.delete_capacity_provider(&own);
    provider.delete_cluster(&cluster);
    server.finish();
}
