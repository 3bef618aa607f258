//! What is written is read back. Requests are put together from fragments, any of which go
//! together, so that every member of a resource is there in some and every two are in some
//! together; then
//! - every member that was sent is shown, in the answer and in later descriptions;
//! - what ECS fills in is there when nothing was said (reference §2.1–2.5);
//! - what was read back can be sent again, and changes nothing: clients such as Terraform compare
//!   the two for ever.

mod caller;

use caller::Bench;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Puts a fragment into a request: structures are merged, lists go on, the rest is replaced.
fn merge(into: &mut Value, fragment: Value) {
    match (into, fragment) {
        (Value::Object(into), Value::Object(fragment)) => {
            for (name, value) in fragment {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(into), Value::Array(fragment)) => into.extend(fragment),
        (into, fragment) => *into = fragment,
    }
}

/// `base` with any of the fragments.
fn any_of(base: Value, fragments: &[&str]) -> impl Strategy<Value = Value> + use<> {
    let fragments: Vec<Value> = fragments
        .iter()
        .map(|fragment| serde_json::from_str(fragment).expect("a fragment is JSON"))
        .collect();
    let count = fragments.len();
    prop::sample::subsequence(fragments, 0..=count).prop_map(move |chosen| {
        let mut request = base.clone();
        for fragment in chosen {
            merge(&mut request, fragment);
        }
        request
    })
}

/// The first place where `shown` does not hold what was sent.
fn missing(shown: &Value, sent: &Value, at: &str) -> Option<String> {
    match (shown, sent) {
        (Value::Object(shown), Value::Object(sent)) => sent.iter().find_map(|(name, sent)| {
            let at = format!("{at}/{name}");
            match shown.get(name) {
                Some(shown) => missing(shown, sent, &at),
                None => Some(format!("{at} is not shown")),
            }
        }),
        (Value::Array(shown), Value::Array(sent)) if shown.len() == sent.len() => shown
            .iter()
            .zip(sent)
            .enumerate()
            .find_map(|(n, (shown, sent))| missing(shown, sent, &format!("{at}/{n}"))),
        (Value::Number(shown), Value::Number(sent)) if shown.as_f64() == sent.as_f64() => None,
        (shown, sent) if shown == sent => None,
        (shown, sent) => Some(format!("{at}: {sent} was sent, {shown} is shown")),
    }
}

fn without(mut value: Value, names: &[&str]) -> Value {
    if let Value::Object(members) = &mut value {
        for name in names {
            members.remove(*name);
        }
    }
    value
}

fn call(bench: &Bench, operation: &str, request: &Value) -> Value {
    bench
        .call(operation, &request.to_string())
        .unwrap_or_else(|error| panic!("{operation} {request}: {}", error.0.message))
}

/// Labels of any text that is allowed, in the order of their keys.
fn tags() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(
        "[A-Za-z0-9 +=._:/@-]{1,20}".prop_filter("not Amazon's own", |key| {
            !key.to_ascii_lowercase().starts_with("aws:")
        }),
        "[A-Za-z0-9äß +=._:/@-]{0,20}",
        0..5,
    )
    .prop_map(|tags| {
        tags.into_iter()
            .map(|(key, value)| json!({"key": key, "value": value}))
            .collect()
    })
}

const CLUSTER: &[&str] = &[
    r#"{"settings": [{"name": "containerInsights", "value": "enhanced"}]}"#,
    r#"{"configuration": {"executeCommandConfiguration": {"kmsKeyId": "key"}}}"#,
    r#"{"configuration": {"executeCommandConfiguration": {"logging": "OVERRIDE",
        "logConfiguration": {"cloudWatchLogGroupName": "g", "cloudWatchEncryptionEnabled": true,
        "s3BucketName": "b", "s3EncryptionEnabled": false, "s3KeyPrefix": "p"}}}}"#,
    r#"{"configuration": {"managedStorageConfiguration": {"kmsKeyId": "k"}}}"#,
    r#"{"configuration": {"managedStorageConfiguration":
        {"fargateEphemeralStorageKmsKeyId": "f"}}}"#,
    r#"{"serviceConnectDefaults": {"namespace": "local"}}"#,
    r#"{"capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy":
        [{"capacityProvider": "FARGATE", "weight": 1, "base": 3}]}"#,
    r#"{"capacityProviders": ["FARGATE_SPOT"], "defaultCapacityProviderStrategy":
        [{"capacityProvider": "FARGATE_SPOT", "weight": 4}]}"#,
];

/// The parts of a definition's container that go together in any mode.
const CONTAINER: &[&str] = &[
    r#"{"cpu": 10}"#,
    r#"{"memoryReservation": 32}"#,
    r#"{"command": ["a", "b c"]}"#,
    r#"{"entryPoint": ["sh", "-c"]}"#,
    r#"{"environment": [{"name": "B", "value": "1"}, {"name": "A", "value": ""}]}"#,
    r#"{"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/a.env"}]}"#,
    r#"{"secrets": [{"name": "S", "valueFrom": "arn:aws:ssm:us-east-1:123456789012:parameter/p"}]}"#,
    r#"{"mountPoints": [{"sourceVolume": "data", "containerPath": "/data", "readOnly": true}]}"#,
    r#"{"repositoryCredentials": {"credentialsParameter": "arn:aws:secretsmanager:us-east-1:123456789012:secret:r"}}"#,
    r#"{"workingDirectory": "/w"}"#,
    r#"{"user": "1000:1000"}"#,
    r#"{"readonlyRootFilesystem": true}"#,
    r#"{"interactive": true, "pseudoTerminal": true}"#,
    r#"{"dockerLabels": {"b": "1", "a": "2"}}"#,
    r#"{"ulimits": [{"name": "nofile", "softLimit": 10, "hardLimit": 20}]}"#,
    r#"{"systemControls": [{"namespace": "net.core.somaxconn", "value": "1024"}]}"#,
    r#"{"healthCheck": {"command": ["CMD", "true"]}}"#,
    r#"{"healthCheck": {"command": ["now"], "interval": 10, "timeout": 3, "retries": 2,
        "startPeriod": 5}}"#,
    r#"{"startTimeout": 30, "stopTimeout": 60}"#,
    r#"{"restartPolicy": {"enabled": true, "ignoredExitCodes": [0, 3], "restartAttemptPeriod": 120}}"#,
    r#"{"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g",
        "awslogs-region": "us-east-1"}, "secretOptions": []}}"#,
    r#"{"linuxParameters": {"initProcessEnabled": true}}"#,
    r#"{"linuxParameters": {"capabilities": {"add": ["NET_ADMIN"], "drop": ["ALL"]}}}"#,
    r#"{"linuxParameters": {"devices": [{"hostPath": "/dev/null", "containerPath": "/dev/x",
        "permissions": ["read"]}], "sharedMemorySize": 64, "tmpfs": [{"containerPath": "/t",
        "size": 8, "mountOptions": ["rw"]}], "maxSwap": 10, "swappiness": 5}}"#,
    r#"{"privileged": true}"#,
    r#"{"versionConsistency": "disabled"}"#,
    r#"{"portMappings": [{"name": "http", "containerPort": 80, "hostPort": 80, "protocol": "tcp",
        "appProtocol": "http"}]}"#,
    r#"{"portMappings": [{"containerPortRange": "9000-9005", "protocol": "udp"}]}"#,
    r#"{"resourceRequirements": [{"type": "GPU", "value": "1"}]}"#,
    r#"{"dockerSecurityOptions": ["no-new-privileges"]}"#,
];

/// The parts of a definition that go together on container instances.
const DEFINITION: &[&str] = &[
    r#"{"taskRoleArn": "arn:aws:iam::123456789012:role/task"}"#,
    r#"{"cpu": "512"}"#,
    r#"{"memory": "4096"}"#,
    r#"{"volumes": [{"name": "more"}]}"#,
    r#"{"volumes": [{"name": "host", "host": {"sourcePath": "/srv"}}]}"#,
    r#"{"volumes": [{"name": "docker", "dockerVolumeConfiguration": {"scope": "shared",
        "autoprovision": true, "driver": "local", "driverOpts": {"o": "1"}, "labels": {"l": "2"}}}]}"#,
    r#"{"volumes": [{"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-1",
        "rootDirectory": "/", "transitEncryption": "ENABLED", "transitEncryptionPort": 2999,
        "authorizationConfig": {"accessPointId": "fsap-1", "iam": "ENABLED"}}}]}"#,
    r#"{"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}]}"#,
    r#"{"requiresCompatibilities": ["EC2"]}"#,
    r#"{"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}"#,
    r#"{"pidMode": "host", "ipcMode": "task"}"#,
    r#"{"enableFaultInjection": true}"#,
];

fn definitions() -> impl Strategy<Value = Value> {
    let container = any_of(json!({"image": "nginx:1", "memory": 64}), CONTAINER);
    let mode = prop::sample::select(vec![None, Some("bridge"), Some("host"), Some("awsvpc")]);
    let whole = any_of(
        json!({"family": "web", "executionRoleArn": "arn:aws:iam::123456789012:role/e",
            "volumes": [{"name": "data"}]}),
        DEFINITION,
    );
    let essential = prop::option::of(Just(true));
    (
        whole,
        mode,
        prop::collection::vec((container, essential), 1..3),
    )
        .prop_map(|(mut request, mode, containers)| {
            if let Some(mode) = mode {
                request["networkMode"] = json!(mode);
            }
            let mut containers: Vec<Value> = containers
                .into_iter()
                .enumerate()
                .map(|(n, (mut container, essential))| {
                    container["name"] = json!(format!("c{n}"));
                    if let Some(essential) = essential {
                        container["essential"] = json!(essential);
                    }
                    // Ports and their names are the task's in some modes.
                    if n > 0 {
                        container = without(container, &["portMappings"]);
                    }
                    container
                })
                .collect();
            if let [first, second] = &mut containers[..] {
                second["dependsOn"] =
                    json!([{"containerName": first["name"], "condition": "START"}]);
            }
            request["containerDefinitions"] = Value::from(containers);
            request
        })
}

/// The parts of a definition's container that go together on Fargate.
const FARGATE_CONTAINER: &[&str] = &[
    r#"{"cpu": 64, "memory": 128}"#,
    r#"{"memoryReservation": 32}"#,
    r#"{"command": ["a"], "entryPoint": ["b"]}"#,
    r#"{"portMappings": [{"containerPort": 80, "name": "http"}]}"#,
    r#"{"environment": [{"name": "A", "value": "b"}]}"#,
    r#"{"secrets": [{"name": "S", "valueFrom": "arn:aws:secretsmanager:us-east-1:123456789012:secret:s"}]}"#,
    r#"{"logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": "g",
        "awslogs-stream-prefix": "p"}}}"#,
    r#"{"linuxParameters": {"capabilities": {"add": ["SYS_PTRACE"]}, "initProcessEnabled": true}}"#,
    r#"{"stopTimeout": 120, "startTimeout": 2}"#,
    r#"{"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]}"#,
    r#"{"healthCheck": {"command": ["CMD", "true"]}}"#,
    r#"{"readonlyRootFilesystem": true, "user": "1"}"#,
];

/// The parts of a definition that go together on Fargate.
const FARGATE_DEFINITION: &[&str] = &[
    r#"{"cpu": "1 vCPU", "memory": "2GB"}"#,
    r#"{"ephemeralStorage": {"sizeInGiB": 40}}"#,
    r#"{"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}}"#,
    r#"{"pidMode": "task"}"#,
    r#"{"taskRoleArn": "arn:aws:iam::123456789012:role/t"}"#,
    r#"{"volumes": [{"name": "efs", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]}"#,
    r#"{"proxyConfiguration": {"type": "APPMESH", "containerName": "c",
        "properties": [{"name": "ProxyIngressPort", "value": "15000"}]}}"#,
];

/// What a call for tasks may say beside the definition.
const TASK: &[&str] = &[
    r#"{"group": "g"}"#,
    r#"{"startedBy": "me"}"#,
    r#"{"enableExecuteCommand": true}"#,
    r#"{"overrides": {"cpu": "128", "memory": "256"}}"#,
    r#"{"overrides": {"taskRoleArn": "arn:aws:iam::123456789012:role/o"}}"#,
    r#"{"overrides": {"executionRoleArn": "arn:aws:iam::123456789012:role/e"}}"#,
    r#"{"overrides": {"ephemeralStorage": {"sizeInGiB": 30}}}"#,
];

/// What it may say of a container.
const OVERRIDE: &[&str] = &[
    r#"{"command": ["x", "y"]}"#,
    r#"{"cpu": 5}"#,
    r#"{"memory": 20}"#,
    r#"{"memoryReservation": 10}"#,
    r#"{"environment": [{"name": "A", "value": "b"}]}"#,
    r#"{"environmentFiles": [{"type": "s3", "value": "arn:aws:s3:::bucket/o.env"}]}"#,
];

/// What ECS puts into a definition's container when nothing is said (reference §2.3).
fn filled_in(container: &Value) -> Value {
    let mut filled = json!({"cpu": 0, "essential": true, "environment": [], "mountPoints": [],
        "portMappings": [], "volumesFrom": [], "systemControls": []});
    merge(&mut filled, without(container.clone(), &[]));
    filled
}

const SERVICE: &[&str] = &[
    r#"{"desiredCount": 3}"#,
    r#"{"healthCheckGracePeriodSeconds": 30}"#,
    r#"{"propagateTags": "SERVICE"}"#,
    r#"{"enableECSManagedTags": true}"#,
    r#"{"enableExecuteCommand": true}"#,
    r#"{"availabilityZoneRebalancing": "DISABLED"}"#,
    r#"{"launchType": "EC2"}"#,
    r#"{"role": "arn:aws:iam::123456789012:role/service"}"#,
    r#"{"placementConstraints": [{"type": "distinctInstance"}]}"#,
    r#"{"placementConstraints": [{"type": "memberOf", "expression": "attribute:a == b"}]}"#,
    r#"{"placementStrategy": [{"type": "spread", "field": "instanceId"}]}"#,
    r#"{"placementStrategy": [{"type": "spread", "field": "attribute:rack"}]}"#,
    r#"{"placementStrategy": [{"type": "random"}]}"#,
    r#"{"deploymentConfiguration": {"maximumPercent": 180}}"#,
    r#"{"deploymentConfiguration": {"minimumHealthyPercent": 40}}"#,
    r#"{"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": true}}}"#,
    r#"{"deploymentConfiguration": {"deploymentCircuitBreaker": {"enable": true, "rollback": false,
        "resetOnHealthyTask": false, "thresholdConfiguration": {"type": "COUNT", "value": 5}}}}"#,
    r#"{"deploymentConfiguration": {"alarms": {"alarmNames": ["a"], "enable": true, "rollback": false}}}"#,
    r#"{"deploymentConfiguration": {"bakeTimeInMinutes": 3}}"#,
    r#"{"deploymentController": {"type": "ECS"}}"#,
    r#"{"schedulingStrategy": "REPLICA"}"#,
];

/// What a service is without a word (reference §2.4).
fn service_defaults() -> Value {
    json!({"launchType": "EC2", "schedulingStrategy": "REPLICA", "propagateTags": "NONE",
        "enableECSManagedTags": false, "enableExecuteCommand": false,
        "healthCheckGracePeriodSeconds": 0, "availabilityZoneRebalancing": "ENABLED",
        "deploymentController": {"type": "ECS"}, "placementConstraints": [],
        "placementStrategy": [], "loadBalancers": [], "serviceRegistries": [],
        "deploymentConfiguration": {"maximumPercent": 200, "minimumHealthyPercent": 100,
            "strategy": "ROLLING", "bakeTimeInMinutes": 0, "deploymentCircuitBreaker":
            {"enable": false, "rollback": false, "resetOnHealthyTask": true,
            "thresholdConfiguration": {"type": "BOUNDED_PERCENT", "value": 50}}}})
}

const PROVIDER: &[&str] = &[
    r#"{"managedScaling": {"status": "ENABLED"}}"#,
    r#"{"managedScaling": {"targetCapacity": 70}}"#,
    r#"{"managedScaling": {"minimumScalingStepSize": 2}}"#,
    r#"{"managedScaling": {"maximumScalingStepSize": 20}}"#,
    r#"{"managedScaling": {"instanceWarmupPeriod": 0}}"#,
    r#"{"managedTerminationProtection": "ENABLED"}"#,
    r#"{"managedDraining": "DISABLED"}"#,
];

const TASK_SET: &[&str] = &[
    r#"{"externalId": "blue"}"#,
    r#"{"launchType": "EC2"}"#,
    r#"{"scale": {"unit": "PERCENT", "value": 12.5}}"#,
];

fn assert_held(shown: &Value, sent: &Value) -> Result<(), TestCaseError> {
    let missing = missing(shown, sent, "");
    prop_assert!(missing.is_none(), "{missing:?} of {sent} in {shown}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_cluster_is_read_back(request in any_of(json!({"clusterName": "c"}), CLUSTER), tags in tags()) {
        let bench = Bench::default();
        let mut request = request;
        request["tags"] = tags;
        let created = call(&bench, "CreateCluster", &request)["cluster"].clone();
        let include = json!({"clusters": ["c"],
            "include": ["TAGS", "SETTINGS", "CONFIGURATIONS", "STATISTICS", "ATTACHMENTS"]});
        let described = call(&bench, "DescribeClusters", &include)["clusters"][0].clone();
        let mut expected = json!({"status": "ACTIVE", "capacityProviders": [],
            "settings": [{"name": "containerInsights", "value": "disabled"}],
            "defaultCapacityProviderStrategy": [], "activeServicesCount": 0,
            "registeredContainerInstancesCount": 0, "runningTasksCount": 0, "pendingTasksCount": 0});
        // A list that was sent takes the place of what it would have been.
        for (name, value) in request.as_object().into_iter().flatten() {
            expected[name] = value.clone();
        }
        assert_held(&described, &expected)?;
        assert_held(&created, &without(expected, &["configuration", "serviceConnectDefaults"]))?;
        // The same request again, and what was read back as a request, change nothing.
        call(&bench, "CreateCluster", &request);
        let again: Map<String, Value> = ["configuration", "settings", "serviceConnectDefaults"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), described.get(name)?.clone())))
            .collect();
        let mut again = Value::Object(again);
        again["cluster"] = json!("c");
        call(&bench, "UpdateCluster", &again);
        let later = call(&bench, "DescribeClusters", &include)["clusters"][0].clone();
        prop_assert_eq!(described, later);
    }

    #[test]
    fn a_definition_is_read_back(request in definitions(), tags in tags()) {
        let bench = Bench::default();
        let mut request = request;
        let tagged = tags.as_array().is_some_and(|tags| !tags.is_empty());
        if tagged {
            request["tags"] = tags.clone();
        }
        let registered = call(&bench, "RegisterTaskDefinition", &request);
        let include = json!({"taskDefinition": "web", "include": ["TAGS"]});
        let described = call(&bench, "DescribeTaskDefinition", &include);
        prop_assert_eq!(&described["taskDefinition"], &registered["taskDefinition"]);
        prop_assert_eq!(&described["tags"], &tags);
        prop_assert_eq!(registered.get("tags"), tagged.then_some(&tags));
        let mut expected = json!({"placementConstraints": [], "revision": 1, "status": "ACTIVE"});
        merge(&mut expected, without(request.clone(), &["tags"]));
        let containers = expected["containerDefinitions"].as_array().unwrap();
        let containers: Vec<Value> = containers.iter().map(filled_in).collect();
        expected["containerDefinitions"] = Value::from(containers);
        assert_held(&described["taskDefinition"], &expected)?;
        // What clients do to deploy: take what is there, and register it again.
        let server_side = ["compatibilities", "registeredAt", "registeredBy", "requiresAttributes",
            "revision", "status", "taskDefinitionArn"];
        let again = without(described["taskDefinition"].clone(), &server_side);
        let second = call(&bench, "RegisterTaskDefinition", &again)["taskDefinition"].clone();
        prop_assert_eq!(&second["compatibilities"], &described["taskDefinition"]["compatibilities"]);
        prop_assert_eq!(
            second.get("requiresAttributes"),
            described["taskDefinition"].get("requiresAttributes")
        );
        prop_assert_eq!(without(second, &server_side), again);
    }

    #[test]
    fn a_fargate_definition_is_read_back(
        request in any_of(json!({"family": "web", "requiresCompatibilities": ["FARGATE"],
            "networkMode": "awsvpc", "cpu": "256", "memory": "512",
            "executionRoleArn": "arn:aws:iam::123456789012:role/e"}), FARGATE_DEFINITION),
        container in any_of(json!({"name": "c", "image": "nginx"}), FARGATE_CONTAINER),
    ) {
        let bench = Bench::default();
        let mut request = request;
        request["containerDefinitions"] = json!([container]);
        let registered = call(&bench, "RegisterTaskDefinition", &request)["taskDefinition"].clone();
        let mut expected = json!({"placementConstraints": [], "volumes": []});
        merge(&mut expected, request.clone());
        // Sizes are digits, and a host port is the container's (reference §2.3).
        if request["cpu"] == "1 vCPU" {
            merge(&mut expected, json!({"cpu": "1024", "memory": "2048"}));
        }
        let mut container = filled_in(&container);
        if let Some(port) = container["portMappings"].get_mut(0) {
            merge(port, json!({"hostPort": 80, "protocol": "tcp"}));
        }
        expected["containerDefinitions"] = json!([container]);
        assert_held(&registered, &expected)?;
        let compatibilities = registered["compatibilities"].as_array().cloned();
        prop_assert!(compatibilities.is_some_and(|kinds| kinds.contains(&json!("FARGATE"))));
        let described = call(&bench, "DescribeTaskDefinition", &json!({"taskDefinition": "web"}));
        prop_assert_eq!(&described["taskDefinition"], &registered);
    }

    #[test]
    fn a_task_is_read_back(
        request in any_of(json!({"taskDefinition": "web", "cluster": "default"}), TASK),
        over in any_of(json!({"name": "b"}), OVERRIDE),
        overrides in any::<bool>(),
        named in any::<bool>(),
        tags in tags(),
    ) {
        let bench = Bench::default();
        call(&bench, "CreateCluster", &json!({}));
        call(&bench, "RegisterTaskDefinition", &json!({"family": "web", "taskRoleArn":
            "arn:aws:iam::123456789012:role/t", "containerDefinitions": [
            {"name": "a", "image": "i", "memory": 30}, {"name": "b", "image": "i", "memory": 30}]}));
        let instance = call(&bench, "RegisterContainerInstance", &json!({"totalResources":
            [{"name": "CPU", "integerValue": 1024}, {"name": "MEMORY", "integerValue": 1024}],
            "attributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}]}));
        let instance = instance["containerInstance"]["containerInstanceArn"].clone();
        let mut request = request;
        request["tags"] = tags;
        if overrides {
            merge(&mut request, json!({"overrides": {"containerOverrides": [over]}}));
        }
        let operation = if named { "StartTask" } else { "RunTask" };
        if named {
            request["containerInstances"] = json!([instance]);
        }
        let started = call(&bench, operation, &request);
        let started = &started["tasks"][0];
        // Every container stands in the overrides, in the definition's order (reference §2.7).
        let mut expected = json!({"group": "family:web", "enableExecuteCommand": false,
            "containerInstanceArn": instance, "launchType": "EC2", "desiredStatus": "RUNNING",
            "lastStatus": "PENDING", "version": 1, "attachments": [],
            "overrides": {"inferenceAcceleratorOverrides": []}});
        merge(&mut expected, without(request, &["taskDefinition", "cluster", "containerInstances"]));
        let second = if overrides { over } else { json!({"name": "b"}) };
        expected["overrides"]["containerOverrides"] = json!([{"name": "a"}, second]);
        assert_held(started, &expected)?;
        let include = json!({"tasks": [started["taskArn"]], "include": ["TAGS"]});
        let described = call(&bench, "DescribeTasks", &include)["tasks"][0].clone();
        assert_held(&described, &expected)?;
    }

    #[test]
    fn a_service_is_read_back(
        request in any_of(json!({"serviceName": "s", "taskDefinition": "web:1", "desiredCount": 1}), SERVICE),
        tags in tags(),
    ) {
        let bench = Bench::default();
        call(&bench, "CreateCluster", &json!({}));
        call(&bench, "RegisterTaskDefinition", &json!({"family": "web",
            "taskRoleArn": "arn:aws:iam::123456789012:role/r",
            "containerDefinitions": [{"name": "a", "image": "i", "memory": 1}]}));
        let mut request = request;
        request["tags"] = tags;
        let created = call(&bench, "CreateService", &request)["service"].clone();
        let include = json!({"services": ["s"], "include": ["TAGS"]});
        let described = call(&bench, "DescribeServices", &include)["services"][0].clone();
        let mut expected = service_defaults();
        merge(&mut expected, without(request.clone(), &["role", "taskDefinition", "tags"]));
        expected["tags"] = request["tags"].clone();
        expected["taskDefinition"] =
            json!("arn:aws:ecs:us-east-1:123456789012:task-definition/web:1");
        if let Some(role) = request.get("role") {
            expected["roleArn"] = role.clone();
        }
        // A service without tags shows none (reference §2.4).
        if request["tags"] == json!([]) {
            expected = without(expected, &["tags"]);
        }
        assert_held(&described, &expected)?;
        assert_held(&created, &expected)?;
        // What was read back, sent as an update, begins no deployment and changes nothing.
        let names = ["desiredCount", "taskDefinition", "healthCheckGracePeriodSeconds",
            "propagateTags", "enableECSManagedTags", "enableExecuteCommand",
            "availabilityZoneRebalancing", "placementConstraints", "placementStrategy",
            "deploymentConfiguration", "deploymentController"];
        let again = names
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), described.get(name)?.clone())));
        let mut again = Value::Object(again.collect());
        again["service"] = json!("s");
        call(&bench, "UpdateService", &again);
        let later = call(&bench, "DescribeServices", &include)["services"][0].clone();
        prop_assert_eq!(described, later);
    }

    #[test]
    fn a_capacity_provider_is_read_back(
        group in any_of(json!({"autoScalingGroupArn": "arn:racks"}), PROVIDER),
        tags in tags(),
    ) {
        let bench = Bench::default();
        let request = json!({"name": "racks", "autoScalingGroupProvider": group, "tags": tags});
        let created = call(&bench, "CreateCapacityProvider", &request)["capacityProvider"].clone();
        let include = json!({"capacityProviders": ["racks"], "include": ["TAGS"]});
        let described = call(&bench, "DescribeCapacityProviders", &include);
        let described = described["capacityProviders"][0].clone();
        prop_assert_eq!(&described, &created);
        // Managed scaling is on when anything is said of it, and off otherwise (reference §2.2).
        let status = if group.get("managedScaling").is_some() { "ENABLED" } else { "DISABLED" };
        let mut expected = json!({"autoScalingGroupProvider": {"managedScaling": {"status": status,
            "targetCapacity": 100, "minimumScalingStepSize": 1, "maximumScalingStepSize": 10000,
            "instanceWarmupPeriod": 300}, "managedTerminationProtection": "DISABLED",
            "managedDraining": "ENABLED"}, "status": "ACTIVE"});
        merge(&mut expected, request);
        assert_held(&described, &expected)?;
    }

    #[test]
    fn a_task_set_is_read_back(
        request in any_of(json!({"service": "ext", "cluster": "default", "taskDefinition": "web:1"}), TASK_SET),
        tags in tags(),
    ) {
        let bench = Bench::default();
        call(&bench, "CreateCluster", &json!({}));
        call(&bench, "RegisterTaskDefinition", &json!({"family": "web",
            "containerDefinitions": [{"name": "a", "image": "i", "memory": 1}]}));
        call(&bench, "CreateService", &json!({"serviceName": "ext", "desiredCount": 8,
            "deploymentController": {"type": "EXTERNAL"}}));
        let mut request = request;
        request["tags"] = tags;
        let created = call(&bench, "CreateTaskSet", &request)["taskSet"].clone();
        let include = json!({"cluster": "default", "service": "ext", "include": ["TAGS"]});
        let described = call(&bench, "DescribeTaskSets", &include)["taskSets"][0].clone();
        prop_assert_eq!(&described, &created);
        let mut expected = json!({"scale": {"unit": "PERCENT", "value": 0.0}, "launchType": "EC2",
            "status": "ACTIVE", "stabilityStatus": "STABILIZING", "loadBalancers": [],
            "serviceRegistries": []});
        merge(&mut expected, without(request, &["service", "cluster", "taskDefinition"]));
        assert_held(&described, &expected)?;
    }

    #[test]
    fn tags_are_read_back_as_they_were_put(first in tags(), second in tags(), gone in any::<prop::sample::Index>()) {
        let bench = Bench::default();
        let arn = call(&bench, "CreateCluster", &json!({"tags": first}))["cluster"]["clusterArn"].clone();
        call(&bench, "TagResource", &json!({"resourceArn": arn, "tags": second}));
        let mut expected = std::collections::BTreeMap::new();
        for tag in first.as_array().into_iter().chain(second.as_array()).flatten() {
            expected.insert(tag["key"].as_str().unwrap().to_owned(), tag["value"].clone());
        }
        if !expected.is_empty() {
            let key = expected.keys().nth(gone.index(expected.len())).unwrap().clone();
            call(&bench, "UntagResource", &json!({"resourceArn": arn, "tagKeys": [key]}));
            expected.remove(&key);
        }
        let listed = call(&bench, "ListTagsForResource", &json!({"resourceArn": arn}));
        let listed: std::collections::BTreeMap<String, Value> = listed["tags"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|tag| (tag["key"].as_str().unwrap().to_owned(), tag["value"].clone()))
            .collect();
        prop_assert_eq!(listed, expected);
    }

    #[test]
    fn settings_hold_by_the_nearest_that_was_put(
        own in prop::option::of(prop::sample::select(&["enabled", "disabled", "enhanced"][..])),
        account in prop::option::of(prop::sample::select(&["enabled", "disabled", "enhanced"][..])),
    ) {
        let bench = Bench::default();
        let put = |value| json!({"name": "containerInsights", "value": value});
        if let Some(value) = own {
            call(&bench, "PutAccountSetting", &put(value));
        }
        if let Some(value) = account {
            call(&bench, "PutAccountSettingDefault", &put(value));
        }
        let effective = json!({"name": "containerInsights", "effectiveSettings": true});
        let listed = call(&bench, "ListAccountSettings", &effective)["settings"][0].clone();
        prop_assert_eq!(&listed["value"], &json!(own.or(account).unwrap_or("disabled")));
        let principal = if own.is_some() {
            "arn:aws:iam::123456789012:user/admin"
        } else {
            "arn:aws:iam::123456789012:root"
        };
        prop_assert_eq!(&listed["principalArn"], &json!(principal));
        let cluster = call(&bench, "CreateCluster", &json!({}));
        prop_assert_eq!(&cluster["cluster"]["settings"][0]["value"], &listed["value"]);
        let explicit = call(&bench, "ListAccountSettings", &json!({}));
        let explicit = explicit["settings"].as_array().map(Vec::len);
        prop_assert_eq!(explicit, Some(usize::from(own.is_some())));
    }
}
