//! Events as EventBridge has them, and the versions that they tell apart. Shapes are those of
//! Amazon's samples of task, container instance, service action and deployment events.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod caller;

use berth_model::name::Scope;
use berth_model::service::{Notice, NoticeKind, ServiceNotice};
use berth_model::time::Timestamp;
use berth_ops::{DefinitionCache, Envelope, EventView};
use berth_state::{Connection, Failure, Lane, Tx};
use caller::{Bench, SCOPE};
use futures_util::FutureExt;
use serde_json::{Value, json};

const DEFINITION: &str = r#"{"family": "web", "containerDefinitions":
    [{"name": "app", "image": "nginx", "cpu": 256, "memory": 512}]}"#;
const MACHINE: &str = r#"{"totalResources": [
    {"name": "CPU", "integerValue": 1024}, {"name": "MEMORY", "integerValue": 2048}]}"#;

fn text(value: &Value, pointer: &str) -> String {
    let part = value.pointer(pointer).and_then(Value::as_str);
    part.unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

/// A cluster with one machine, and a task on it.
struct Scene {
    bench: Bench,
    instance: String,
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::default();
        bench.call("CreateCluster", "{}").unwrap();
        bench.call("RegisterTaskDefinition", DEFINITION).unwrap();
        let registered = bench.call("RegisterContainerInstance", MACHINE).unwrap();
        let instance = text(&registered, "/containerInstance/containerInstanceArn");
        Self { bench, instance }
    }

    fn run_task(&self) -> String {
        let run = r#"{"taskDefinition": "web", "tags": [{"key": "k", "value": "v"}],
            "overrides": {"cpu": "512"}}"#;
        text(
            &self.bench.call("RunTask", run).unwrap(),
            "/tasks/0/taskArn",
        )
    }

    fn report(&self, task: &str, status: &str, more: &Value) {
        let mut container = json!({"containerName": "app", "status": status});
        if let (Some(container), Some(more)) = (container.as_object_mut(), more.as_object()) {
            container.extend(more.clone());
        }
        let body = json!({"task": task, "status": status, "containers": [container]});
        let outcome = self.bench.call("SubmitTaskStateChange", &body.to_string());
        outcome.expect("the report is taken");
    }

    /// The version that DescribeContainerInstances shows.
    fn version(&self) -> u64 {
        let body = json!({"containerInstances": [self.instance]}).to_string();
        let described = self.bench.call("DescribeContainerInstances", &body);
        described.unwrap()["containerInstances"][0]["version"]
            .as_u64()
            .expect("a version")
    }

    /// By how much `change` raises the version.
    fn raised(&self, change: impl FnOnce(&Self)) -> u64 {
        let before = self.version();
        change(self);
        self.version() - before
    }
}

/// Changes the state behind the API's back.
fn change(scene: &Scene, change: impl FnOnce(&mut Tx<'_>) + Send + 'static) {
    let handle = scene.bench.world.handle();
    let mut change = Some(change);
    let changed = handle.transact(Lane::Controllers, move |tx| {
        if let Some(change) = change.take() {
            change(tx);
        }
        Ok::<(), Failure>(())
    });
    changed
        .now_or_never()
        .expect("nothing waits")
        .expect("it is saved");
}

fn scope() -> Scope {
    SCOPE.parse().unwrap()
}

/// The event of the only task or the only instance, as of 2024-01-01T00:01:40.250Z.
fn event(scene: &Scene, of_task: bool) -> Value {
    let (state, definitions) = (scene.bench.world.snapshot(), DefinitionCache::default());
    let view = EventView::new(&state, &definitions);
    let scope = scope();
    let envelope = Envelope {
        id: "3317b2af-7005-947d-b652-f55e762e571a",
        at: Timestamp::from_millis(1_704_067_300_250),
        scope: &scope,
    };
    let made = match of_task {
        true => view.task(&envelope, state.tasks.iter().next().unwrap()),
        false => {
            let (_, instance) = state.instances.iter().next().unwrap();
            view.instance(&envelope, instance)
        }
    };
    made.unwrap()
}

#[test]
fn a_task_is_told_of_as_it_is_described() {
    let scene = Scene::new();
    let task = scene.run_task();
    let seen = json!({"runtimeId": "abc", "imageDigest": "sha256:1234",
        "networkBindings": [{"bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 32768,
            "protocol": "tcp"}]});
    scene.report(&task, "RUNNING", &seen);
    let described = json!({"tasks": [task]}).to_string();
    let described = scene.bench.call("DescribeTasks", &described).unwrap();
    let described = &described["tasks"][0];

    let event = event(&scene, true);
    assert_eq!(event["version"], "0");
    assert_eq!(event["id"], "3317b2af-7005-947d-b652-f55e762e571a");
    assert_eq!(event["detail-type"], "ECS Task State Change");
    assert_eq!(event["source"], "aws.ecs");
    assert_eq!(event["account"], "123456789012");
    assert_eq!(event["time"], "2024-01-01T00:01:40Z");
    assert_eq!(event["region"], "us-east-1");
    assert_eq!(event["resources"], json!([task]));
    let detail = event["detail"].as_object().unwrap();
    for same in [
        "attachments",
        "availabilityZone",
        "clusterArn",
        "containerInstanceArn",
        "cpu",
        "desiredStatus",
        "group",
        "lastStatus",
        "launchType",
        "memory",
        "taskArn",
        "taskDefinitionArn",
        "version",
        "connectivity",
    ] {
        assert_eq!(detail.get(same), described.get(same), "{same}");
    }
    assert_eq!(detail["lastStatus"], "RUNNING");
    assert_eq!(
        detail["overrides"],
        json!({"containerOverrides": [{"name": "app"}]})
    );
    // The world's clock stands still but for a millisecond with each change.
    for (at, expected) in [
        ("createdAt", "2024-01-01T00:00:00.003Z"),
        ("startedAt", "2024-01-01T00:00:00.004Z"),
        ("updatedAt", "2024-01-01T00:01:40.250Z"),
    ] {
        assert_eq!(detail[at], expected, "{at}");
    }
    let mut container = described["containers"][0].clone();
    container.as_object_mut().unwrap().remove("healthStatus");
    assert_eq!(detail["containers"], json!([container]));
    for absent in ["healthStatus", "tags", "platformFamily", "stoppedAt"] {
        assert!(!detail.contains_key(absent), "{absent}");
    }
}

#[test]
fn an_instance_is_told_of_with_what_it_has_left() {
    let scene = Scene::new();
    scene.run_task();
    let event = event(&scene, false);
    assert_eq!(event["detail-type"], "ECS Container Instance State Change");
    assert_eq!(event["resources"], json!([scene.instance]));
    let detail = &event["detail"];
    assert_eq!(detail["agentConnected"], true);
    assert_eq!(
        detail["clusterArn"],
        "arn:aws:ecs:us-east-1:123456789012:cluster/default"
    );
    assert_eq!(detail["containerInstanceArn"], json!(scene.instance));
    assert_eq!(detail["status"], "ACTIVE");
    assert_eq!(detail["version"], json!(scene.version()));
    assert_eq!(detail["registeredAt"], "2024-01-01T00:00:00.002Z");
    assert_eq!(detail["updatedAt"], "2024-01-01T00:01:40.250Z");
    let resources = |cpu, memory| {
        json!([
            {"name": "CPU", "type": "INTEGER", "integerValue": cpu},
            {"name": "MEMORY", "type": "INTEGER", "integerValue": memory},
            {"name": "PORTS", "type": "STRINGSET", "stringSetValue": []},
            {"name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": []},
        ])
    };
    assert_eq!(detail["registeredResources"], resources(1024, 2048));
    assert_eq!(detail["remainingResources"], resources(512, 1536));
    assert!(detail.get("tags").is_none() && detail.get("attachments").is_none());
}

#[test]
fn each_change_of_an_instance_raises_its_version_by_one() {
    let scene = Scene::new();
    assert_eq!(scene.version(), 1);
    let mut task = String::new();
    assert_eq!(scene.raised(|scene| task = scene.run_task()), 1, "placed");
    assert_eq!(scene.raised(|s| s.report(&task, "RUNNING", &json!({}))), 1);
    assert_eq!(
        scene.raised(|s| s.report(&task, "RUNNING", &json!({}))),
        0,
        "again"
    );
    assert_eq!(
        scene.raised(|s| s.report(&task, "STOPPED", &json!({"exitCode": 0}))),
        1
    );
    let call = |operation: &'static str, body: Value| {
        scene.raised(move |scene| drop(scene.bench.call(operation, &body.to_string()).unwrap()))
    };
    let instance = &scene.instance;
    let attribute = json!({"attributes": [{"name": "a", "value": "b", "targetId": instance}]});
    assert_eq!(call("PutAttributes", attribute), 1);
    let tags = json!({"resourceArn": instance, "tags": [{"key": "k", "value": "v"}]});
    assert_eq!(call("TagResource", tags), 1);
    let drain = json!({"containerInstances": [instance], "status": "DRAINING"});
    assert_eq!(call("UpdateContainerInstancesState", drain.clone()), 1);
    assert_eq!(call("UpdateContainerInstancesState", drain), 0);
}

#[test]
fn a_version_does_not_go_back_when_tasks_are_forgotten() {
    let scene = Scene::new();
    let task = scene.run_task();
    scene.report(&task, "STOPPED", &json!({"exitCode": 0}));
    let before = scene.version();
    let id = scene.bench.world.snapshot().tasks.iter().next().unwrap().id;
    change(&scene, move |tx| tx.remove_task(id));
    assert_eq!(scene.version(), before);
    let record = scene.bench.world.reloaded();
    let (_, instance) = record.instances.iter().next().unwrap();
    assert_eq!(u64::from(record.instance_version(instance)), before);
}

#[test]
fn an_agent_that_comes_and_goes_raises_the_version() {
    let scene = Scene::new();
    let id = *scene
        .bench
        .world
        .snapshot()
        .instances
        .iter()
        .next()
        .unwrap()
        .0;
    let turn = |connected| {
        scene.raised(|scene| {
            let since = scene.bench.world.now();
            let connection = Connection { connected, since };
            change(scene, move |tx| tx.set_connection(id, Some(connection)));
        })
    };
    assert_eq!(turn(false), 1);
    assert_eq!(turn(false), 0);
    assert_eq!(turn(true), 1);
}

fn told(notice: Notice) -> Value {
    let scope = scope();
    let envelope = Envelope {
        id: "1",
        at: Timestamp::from_millis(1_704_067_300_250),
        scope: &scope,
    };
    envelope.service(&ServiceNotice {
        service: format!("{SCOPE}/default/web").parse().unwrap(),
        at: envelope.at,
        notice,
    })
}

#[test]
fn services_are_told_of_in_the_words_of_amazons_samples() {
    let notice = Notice {
        kind: NoticeKind::ActionInfo,
        name: "SERVICE_STEADY_STATE",
        deployment: None,
        tasks: Vec::new(),
        instances: Vec::new(),
        providers: Vec::new(),
        reason: None,
    };
    let cluster = "arn:aws:ecs:us-east-1:123456789012:cluster/default";
    let steady = told(notice.clone());
    assert_eq!(
        steady,
        json!({
            "version": "0",
            "id": "1",
            "detail-type": "ECS Service Action",
            "source": "aws.ecs",
            "account": "123456789012",
            "time": "2024-01-01T00:01:40Z",
            "region": "us-east-1",
            "resources": ["arn:aws:ecs:us-east-1:123456789012:service/default/web"],
            "detail": {
                "eventType": "INFO",
                "eventName": "SERVICE_STEADY_STATE",
                "clusterArn": cluster,
                "createdAt": "2024-01-01T00:01:40.250Z",
            },
        })
    );
    let failure = told(Notice {
        kind: NoticeKind::ActionError,
        name: "SERVICE_TASK_PLACEMENT_FAILURE",
        providers: vec!["FARGATE".into()],
        reason: Some("RESOURCE:FARGATE".to_owned()),
        ..notice.clone()
    });
    assert_eq!(
        failure["detail"],
        json!({
            "eventType": "ERROR",
            "eventName": "SERVICE_TASK_PLACEMENT_FAILURE",
            "clusterArn": cluster,
            "capacityProviderArns":
                ["arn:aws:ecs:us-east-1:123456789012:capacity-provider/FARGATE"],
            "reason": "RESOURCE:FARGATE",
            "createdAt": "2024-01-01T00:01:40.250Z",
        })
    );
    let completed = told(Notice {
        kind: NoticeKind::DeploymentInfo,
        name: "SERVICE_DEPLOYMENT_COMPLETED",
        deployment: Some("ecs-svc/0000000000000000123".parse().unwrap()),
        reason: Some("ECS deployment ecs-svc/123 completed.".to_owned()),
        ..notice
    });
    assert_eq!(completed["detail-type"], "ECS Deployment State Change");
    assert_eq!(
        completed["detail"],
        json!({
            "eventType": "INFO",
            "eventName": "SERVICE_DEPLOYMENT_COMPLETED",
            "clusterArn": cluster,
            "deploymentId": "ecs-svc/0000000000000000123",
            "updatedAt": "2024-01-01T00:01:40.250Z",
            "reason": "ECS deployment ecs-svc/123 completed.",
        })
    );
}
