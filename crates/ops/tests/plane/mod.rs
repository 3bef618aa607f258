//! A control plane that has something of everything, and one valid request for each operation.

use serde_json::Value;

use crate::caller::Bench;

/// A request that makes something, and names for parts of its answer.
type Furniture = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

/// What is there, in the order in which it is made.
const FURNITURE: &[Furniture] = &[
    (
        "CreateCapacityProvider",
        r#"{"name": "racks", "autoScalingGroupProvider": {"autoScalingGroupArn": "arn:racks"}}"#,
        &[],
    ),
    (
        "CreateCluster",
        r#"{"capacityProviders": ["FARGATE", "racks"]}"#,
        &[],
    ),
    (
        "RegisterTaskDefinition",
        r#"{"family": "old", "containerDefinitions": [{"name": "app", "image": "i", "memory": 1}]}"#,
        &[],
    ),
    (
        "DeregisterTaskDefinition",
        r#"{"taskDefinition": "old:1"}"#,
        &[],
    ),
    (
        "RegisterTaskDefinition",
        r#"{"family": "web", "taskRoleArn": "arn:aws:iam::123456789012:role/r",
            "containerDefinitions": [{"name": "app", "image": "i", "memory": 1,
            "portMappings": [{"name": "http", "containerPort": 80}]}]}"#,
        &[],
    ),
    (
        "RegisterContainerInstance",
        r#"{"totalResources": [{"name": "CPU", "integerValue": 4096},
            {"name": "MEMORY", "integerValue": 8192}],
            "attributes": [{"name": "com.amazonaws.ecs.capability.task-iam-role"}]}"#,
        &[("instance", "/containerInstance/containerInstanceArn")],
    ),
    (
        "RunTask",
        r#"{"taskDefinition": "web"}"#,
        &[("task", "/tasks/0/taskArn")],
    ),
    (
        "CreateService",
        r#"{"serviceName": "svc", "taskDefinition": "web", "desiredCount": 1,
            "serviceConnectConfiguration": {"enabled": true, "namespace": "local"},
            "deploymentConfiguration": {"strategy": "BLUE_GREEN", "lifecycleHooks":
            [{"targetType": "PAUSE", "lifecycleStages": ["PRE_SCALE_UP"]}]}}"#,
        &[("revision", "/service/currentServiceRevisions/0/arn")],
    ),
    (
        "CreateService",
        r#"{"serviceName": "ext", "desiredCount": 1, "deploymentController": {"type": "EXTERNAL"}}"#,
        &[],
    ),
    (
        "CreateTaskSet",
        r#"{"cluster": "default", "service": "ext", "taskDefinition": "web"}"#,
        &[("set", "/taskSet/id")],
    ),
    (
        "ListServiceDeployments",
        r#"{"service": "svc"}"#,
        &[("run", "/serviceDeployments/0/serviceDeploymentArn")],
    ),
];

/// One valid request for each operation that is served.
#[allow(dead_code, reason = "not every suite calls every operation")]
pub(crate) const VALID: &[(&str, &str)] = &[
    (
        "ContinueServiceDeployment",
        r#"{"serviceDeploymentArn": "$run", "hookId": "$hook"}"#,
    ),
    (
        "CreateCapacityProvider",
        r#"{"name": "new", "autoScalingGroupProvider": {"autoScalingGroupArn": "arn:new"}}"#,
    ),
    ("CreateCluster", r#"{"clusterName": "new"}"#),
    (
        "CreateService",
        r#"{"serviceName": "new", "taskDefinition": "web", "desiredCount": 1}"#,
    ),
    (
        "CreateTaskSet",
        r#"{"cluster": "default", "service": "ext", "taskDefinition": "web"}"#,
    ),
    ("DeleteAccountSetting", r#"{"name": "containerInsights"}"#),
    (
        "DeleteAttributes",
        r#"{"attributes": [{"name": "a", "targetId": "$instance"}]}"#,
    ),
    ("DeleteCapacityProvider", r#"{"capacityProvider": "racks"}"#),
    ("DeleteCluster", r#"{"cluster": "spare"}"#),
    ("DeleteService", r#"{"service": "svc", "force": true}"#),
    ("DeleteTaskDefinitions", r#"{"taskDefinitions": ["old:1"]}"#),
    (
        "DeleteTaskSet",
        r#"{"cluster": "default", "service": "ext", "taskSet": "$set"}"#,
    ),
    (
        "DeregisterContainerInstance",
        r#"{"containerInstance": "$instance", "force": true}"#,
    ),
    ("DeregisterTaskDefinition", r#"{"taskDefinition": "web:1"}"#),
    ("DescribeCapacityProviders", "{}"),
    ("DescribeClusters", "{}"),
    (
        "DescribeContainerInstances",
        r#"{"containerInstances": ["$instance"]}"#,
    ),
    (
        "DescribeServiceDeployments",
        r#"{"serviceDeploymentArns": ["$run"]}"#,
    ),
    (
        "DescribeServiceRevisions",
        r#"{"serviceRevisionArns": ["$revision"]}"#,
    ),
    ("DescribeServices", r#"{"services": ["svc"]}"#),
    ("DescribeTaskDefinition", r#"{"taskDefinition": "web"}"#),
    (
        "DescribeTaskSets",
        r#"{"cluster": "default", "service": "ext"}"#,
    ),
    ("DescribeTasks", r#"{"tasks": ["$task"]}"#),
    ("DiscoverPollEndpoint", "{}"),
    (
        "GetTaskProtection",
        r#"{"cluster": "default", "tasks": ["$task"]}"#,
    ),
    ("ListAccountSettings", "{}"),
    ("ListAttributes", r#"{"targetType": "container-instance"}"#),
    ("ListClusters", "{}"),
    ("ListContainerInstances", "{}"),
    ("ListServiceDeployments", r#"{"service": "svc"}"#),
    ("ListServices", "{}"),
    ("ListServicesByNamespace", r#"{"namespace": "local"}"#),
    (
        "ListTagsForResource",
        r#"{"resourceArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default"}"#,
    ),
    ("ListTaskDefinitionFamilies", "{}"),
    ("ListTaskDefinitions", "{}"),
    ("ListTasks", "{}"),
    (
        "PutAccountSetting",
        r#"{"name": "containerInsights", "value": "enabled"}"#,
    ),
    (
        "PutAccountSettingDefault",
        r#"{"name": "containerInsights", "value": "enabled"}"#,
    ),
    (
        "PutAttributes",
        r#"{"attributes": [{"name": "a", "targetId": "$instance"}]}"#,
    ),
    (
        "PutClusterCapacityProviders",
        r#"{"cluster": "default", "capacityProviders": ["FARGATE"],
            "defaultCapacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}"#,
    ),
    (
        "RegisterContainerInstance",
        r#"{"totalResources": [{"name": "CPU", "integerValue": 1}]}"#,
    ),
    (
        "RegisterTaskDefinition",
        r#"{"family": "new", "containerDefinitions": [{"name": "app", "image": "i", "memory": 1}]}"#,
    ),
    ("RunTask", r#"{"taskDefinition": "web"}"#),
    (
        "StartTask",
        r#"{"taskDefinition": "web", "containerInstances": ["$instance"]}"#,
    ),
    (
        "StopServiceDeployment",
        r#"{"serviceDeploymentArn": "$run"}"#,
    ),
    ("StopTask", r#"{"task": "$task"}"#),
    (
        "SubmitAttachmentStateChanges",
        r#"{"attachments": [{"attachmentArn": "a", "status": "ATTACHED"}]}"#,
    ),
    (
        "SubmitContainerStateChange",
        r#"{"task": "$task", "containerName": "app", "status": "RUNNING"}"#,
    ),
    (
        "SubmitTaskStateChange",
        r#"{"task": "$task", "status": "RUNNING"}"#,
    ),
    (
        "TagResource",
        r#"{"resourceArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "tags": [{"key": "a", "value": "b"}]}"#,
    ),
    (
        "UntagResource",
        r#"{"resourceArn": "arn:aws:ecs:us-east-1:123456789012:cluster/default",
            "tagKeys": ["a"]}"#,
    ),
    (
        "UpdateCapacityProvider",
        r#"{"name": "racks", "autoScalingGroupProvider": {"managedDraining": "DISABLED"}}"#,
    ),
    ("UpdateCluster", r#"{"cluster": "default"}"#),
    (
        "UpdateClusterSettings",
        r#"{"cluster": "default", "settings": [{"name": "containerInsights", "value": "enabled"}]}"#,
    ),
    (
        "UpdateContainerAgent",
        r#"{"containerInstance": "$instance"}"#,
    ),
    (
        "UpdateContainerInstancesState",
        r#"{"containerInstances": ["$instance"], "status": "DRAINING"}"#,
    ),
    ("UpdateService", r#"{"service": "svc"}"#),
    (
        "UpdateServicePrimaryTaskSet",
        r#"{"cluster": "default", "service": "ext", "primaryTaskSet": "$set"}"#,
    ),
    (
        "UpdateTaskProtection",
        r#"{"cluster": "default", "tasks": ["$task"], "protectionEnabled": true}"#,
    ),
    (
        "UpdateTaskSet",
        r#"{"cluster": "default", "service": "ext", "taskSet": "$set",
            "scale": {"value": 10, "unit": "PERCENT"}}"#,
    ),
];

/// The valid request of an operation.
#[allow(dead_code, reason = "not every suite calls every operation")]
pub(crate) fn valid(operation: &str) -> Value {
    let found = VALID.iter().find(|(name, _)| *name == operation);
    let (_, request) = found.unwrap_or_else(|| panic!("{operation} has no valid request"));
    serde_json::from_str(request).expect("a request is JSON")
}

/// What a call came to: the answer, or the fault's code and text.
pub(crate) type Outcome = Result<Value, (String, String)>;

/// The control plane.
pub(crate) struct Plane {
    bench: Bench,
    names: Vec<(String, String)>,
}

impl Default for Plane {
    fn default() -> Self {
        let mut plane = Self {
            bench: Bench::default(),
            names: Vec::new(),
        };
        for (operation, request, named) in FURNITURE {
            let request = serde_json::from_str(request).expect("a request is JSON");
            plane.furnish(operation, &request, named);
        }
        let spare = serde_json::json!({"clusterName": "spare"});
        plane.furnish("CreateCluster", &spare, &[]);
        // The deployment comes to the hook at which it pauses.
        plane.bench.scheduler_looks();
        plane.bench.scheduler_looks();
        let run = serde_json::json!({"serviceDeploymentArns": ["$run"]});
        let hook = (
            "hook",
            "/serviceDeployments/0/lifecycleHookDetails/0/hookId",
        );
        plane.furnish("DescribeServiceDeployments", &run, &[hook]);
        plane
    }
}

impl Plane {
    fn furnish(&mut self, operation: &str, request: &Value, named: &[(&str, &str)]) {
        let answer = self.call(operation, request);
        let answer = answer.unwrap_or_else(|fault| panic!("{operation} {request}: {fault:?}"));
        for (name, pointer) in named {
            let part = answer.pointer(pointer).and_then(Value::as_str);
            let part = part.unwrap_or_else(|| panic!("no {pointer} in {answer}"));
            self.names.push((format!("${name}"), part.to_owned()));
        }
    }

    /// What a name such as `$task` stands for; any other text is itself.
    #[allow(dead_code, reason = "not every suite asks for names")]
    pub(crate) fn named(&self, text: &str) -> String {
        let named = self.names.iter().find(|(name, _)| name == text);
        named.map_or(text, |(_, part)| part).to_owned()
    }

    /// Calls an operation; `$task` and the like stand for what is there.
    pub(crate) fn call(&self, operation: &str, request: &Value) -> Outcome {
        let mut body = request.to_string();
        for (name, part) in &self.names {
            body = body.replace(&format!("\"{name}\""), &format!("\"{part}\""));
        }
        let outcome = self.bench.call(operation, &body);
        outcome.map_err(|error| (error.0.code.to_string(), error.0.message.to_string()))
    }

    /// Lets the controller of services do what each of them needs, once.
    #[allow(dead_code, reason = "not every suite goes on after a call")]
    pub(crate) fn scheduler_looks(&self) {
        self.bench.scheduler_looks();
    }

    /// Loads what was saved.
    ///
    /// # Panics
    /// When a record does not read back.
    #[allow(dead_code, reason = "not every suite goes on after a call")]
    pub(crate) fn assert_reloads(&self) {
        let world = &self.bench.world;
        assert_eq!(world.reloaded().revision, world.snapshot().revision);
    }

    /// How many closures have panicked on the writer.
    pub(crate) fn panics(&self) -> u64 {
        self.bench.world.panics()
    }
}
