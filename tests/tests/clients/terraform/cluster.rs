//! `aws_ecs_cluster` and its data source, `aws_ecs_tag`.

use berth_tests::{SOON, wait_for};
use serde_json::{Value, json};

use super::{Provider, Refused, set, start, tags_in, tags_out};

impl Provider {
    /// `findClusterByNameOrARN`: one that is INACTIVE or missing is none.
    pub(super) fn find_cluster(&mut self, name_or_arn: &str) -> Option<Value> {
        let input = json!({
            "clusters": [name_or_arn],
            "include": ["TAGS", "CONFIGURATIONS", "SETTINGS"],
        });
        let found = self.call("DescribeClusters", &input);
        let clusters = found["clusters"].as_array().unwrap();
        assert!(clusters.len() < 2, "{found}");
        let cluster = clusters.first().cloned();
        cluster.filter(|cluster| cluster["status"] != "INACTIVE")
    }

    /// `waitClusterAvailable`.
    pub(super) fn wait_for_cluster(&mut self, name_or_arn: &str) {
        wait_for("the cluster to be ACTIVE", SOON, || {
            let found = self.find_cluster(name_or_arn).unwrap();
            let status = found["status"].as_str().unwrap();
            assert!(["PROVISIONING", "ACTIVE"].contains(&status), "{found}");
            (status == "ACTIVE").then_some(())
        });
    }

    /// `resourceClusterCreate`; the id.
    pub(super) fn create_cluster(&mut self, input: &Value) -> String {
        let unready = |refused: &Refused| {
            let text = "Unable to assume the service linked role";
            refused.code == "InvalidParameterException" && refused.message.contains(text)
        };
        let created = self.retry("CreateCluster", input, unready);
        let arn = created["cluster"]["clusterArn"].as_str().unwrap();
        self.wait_for_cluster(arn);
        arn.to_owned()
    }

    /// `resourceClusterDelete`.
    pub(super) fn delete_cluster(&mut self, arn: &str) {
        let in_use = |refused: &Refused| {
            [
                "ClusterContainsContainerInstancesException",
                "ClusterContainsServicesException",
                "ClusterContainsTasksException",
                "UpdateInProgressException",
            ]
            .contains(&refused.code.as_str())
        };
        self.retry("DeleteCluster", &json!({ "cluster": arn }), in_use);
        wait_for("the cluster to be gone", SOON, || {
            self.find_cluster(arn).is_none().then_some(())
        });
    }
}

/// `resourceClusterRead`.
fn attributes(cluster: &Value) -> Value {
    let exec = &cluster["configuration"]["executeCommandConfiguration"];
    let log = &exec["logConfiguration"];
    let storage = &cluster["configuration"]["managedStorageConfiguration"];
    json!({
        "name": cluster["clusterName"],
        "configuration": cluster.get("configuration").map(|_| json!({
            "kms_key_id": exec["kmsKeyId"],
            "logging": exec["logging"],
            "log_configuration": exec.get("logConfiguration").map(|_| json!({
                "cloud_watch_log_group_name": log["cloudWatchLogGroupName"],
                "cloud_watch_encryption_enabled": log["cloudWatchEncryptionEnabled"] == true,
                "s3_bucket_encryption_enabled": log["s3EncryptionEnabled"] == true,
                "s3_bucket_name": log["s3BucketName"],
            })),
            "fargate_ephemeral_storage_kms_key_id": storage["fargateEphemeralStorageKmsKeyId"],
        })),
        "service_connect_defaults": cluster["serviceConnectDefaults"]["namespace"],
        "setting": set(&cluster["settings"]),
        "tags": tags_out(&cluster["tags"]),
    })
}

#[test]
fn a_cluster_lives() {
    let (server, mut provider) = start();
    let namespace = "arn:aws:servicediscovery:us-east-1:000000000000:namespace/ns-0123456789abcdef";
    let key = "arn:aws:kms:us-east-1:000000000000:key/1";
    let settings = |value: &str| json!([{ "name": "containerInsights", "value": value }]);
    let configuration = json!({
        "executeCommandConfiguration": {
            "kmsKeyId": key,
            "logging": "OVERRIDE",
            "logConfiguration": {
                "cloudWatchLogGroupName": "/exec", "cloudWatchEncryptionEnabled": true,
            },
        },
        "managedStorageConfiguration": { "fargateEphemeralStorageKmsKeyId": key },
    });
    let arn = provider.create_cluster(&json!({
        "clusterName": "shop",
        "configuration": configuration,
        "serviceConnectDefaults": { "namespace": namespace },
        "settings": settings("enabled"),
        "tags": tags_in(&json!({ "team": "blue", "stage": "test" })),
    }));
    let mut configured = json!({
        "name": "shop",
        "configuration": {
            "kms_key_id": key,
            "logging": "OVERRIDE",
            "log_configuration": {
                "cloud_watch_log_group_name": "/exec",
                "cloud_watch_encryption_enabled": true,
                "s3_bucket_encryption_enabled": false,
                "s3_bucket_name": null,
            },
            "fargate_ephemeral_storage_kms_key_id": key,
        },
        "service_connect_defaults": namespace,
        "setting": settings("enabled"),
        "tags": { "team": "blue", "stage": "test" },
    });
    assert_eq!(
        attributes(&provider.find_cluster(&arn).unwrap()),
        configured
    );

    // `resourceClusterUpdate` sends all three whatever of them has changed.
    let input = json!({
        "cluster": arn,
        "configuration": { "executeCommandConfiguration": { "logging": "NONE" } },
        "serviceConnectDefaults": { "namespace": namespace },
        "settings": settings("disabled"),
    });
    provider.call("UpdateCluster", &input);
    provider.wait_for_cluster(&arn);
    let tags = json!({ "team": "red" });
    provider.update_tags(&arn, &configured["tags"], &tags);
    configured["configuration"] = json!({
        "kms_key_id": null, "logging": "NONE", "log_configuration": null,
        "fargate_ephemeral_storage_kms_key_id": null,
    });
    configured["setting"] = settings("disabled");
    configured["tags"] = tags;
    assert_eq!(
        attributes(&provider.find_cluster(&arn).unwrap()),
        configured
    );

    provider.delete_cluster(&arn);
    assert!(provider.find_cluster("shop").is_none());
    server.finish();
}

#[test]
fn a_cluster_without_arguments_has_no_drift() {
    let (server, mut provider) = start();
    let arn = provider.create_cluster(&json!({ "clusterName": "plain" }));
    let read = attributes(&provider.find_cluster(&arn).unwrap());
    // `setting` is computed: whatever the server says is right, as long as it keeps to it.
    let expected = json!({
        "name": "plain",
        "configuration": null,
        "service_connect_defaults": null,
        "setting": [{ "name": "containerInsights", "value": "disabled" }],
        "tags": {},
    });
    assert_eq!(read, expected);
    provider.delete_cluster(&arn);
    server.finish();
}

#[test]
fn a_cluster_in_use_is_deleted_when_its_services_are_gone() {
    let (server, mut provider) = start();
    let arn = provider.create_cluster(&json!({ "clusterName": "used" }));
    let container = json!([{ "name": "app", "image": "none", "memory": 64 }]);
    let definition = json!({ "family": "used", "containerDefinitions": container });
    provider.call("RegisterTaskDefinition", &definition);
    let service = json!({
        "cluster": arn, "serviceName": "web", "taskDefinition": "used", "desiredCount": 1,
    });
    provider.call("CreateService", &service);
    let refused = provider.try_call("DeleteCluster", &json!({ "cluster": arn }));
    assert_eq!(
        refused.unwrap_err().code,
        "ClusterContainsServicesException"
    );
    let service = json!({ "cluster": arn, "service": "web", "force": true });
    provider.call("DeleteService", &service);
    provider.delete_cluster(&arn);
    server.finish();
}

/// `dataSourceClusterRead`, `resourceTagCreate` and what goes with them.
#[test]
fn its_data_source_and_single_tags() {
    let (server, mut provider) = start();
    let seen = provider.find_cluster("default").unwrap();
    assert_eq!(seen["registeredContainerInstancesCount"], 2);
    assert_eq!(seen["runningTasksCount"], 0);
    assert_eq!(seen["pendingTasksCount"], 0);
    let all = provider.call("ListClusters", &json!({}));
    assert_eq!(all["clusterArns"], json!([seen["clusterArn"]]));

    let arn = provider.create_cluster(&json!({ "clusterName": "tagged" }));
    let list = json!({ "resourceArn": arn });
    for value in ["one", "two"] {
        provider.update_tags(&arn, &json!({}), &json!({ "a": value }));
        let listed = provider.call("ListTagsForResource", &list);
        assert_eq!(tags_out(&listed["tags"]), json!({ "a": value }));
    }
    provider.update_tags(&arn, &json!({ "a": "two" }), &json!({}));
    let listed = provider.call("ListTagsForResource", &list);
    assert_eq!(listed["tags"], json!([]));
    // `listTags` takes this one for "there is no such resource any more".
    provider.delete_cluster(&arn);
    let refused = provider.try_call("ListTagsForResource", &list).unwrap_err();
    assert_eq!(refused.code, "InvalidParameterException");
    let text = "The specified cluster is inactive. Specify an active cluster and try again.";
    assert!(refused.message.contains(text), "{refused:?}");
    server.finish();
}
