//! What the credentials of one agent may do, and machines that are several instances.

mod caller;

use berth_ops::{AgentRights, Caller, Principal};
use caller::{Bench, Outcome, SCOPE};
use serde_json::{Value, json};

const DEFINITION: &str = r#"{"family": "web", "containerDefinitions":
    [{"name": "app", "image": "i", "cpu": 256, "memory": 512, "logConfiguration":
        {"logDriver": "awslogs", "options":
            {"awslogs-group": "/ecs/web", "awslogs-region": "us-east-1"}}}]}"#;

fn text(value: &Value, pointer: &str) -> String {
    let part = value.pointer(pointer).and_then(Value::as_str);
    part.unwrap_or_else(|| panic!("no {pointer} in {value}"))
        .to_owned()
}

/// Registers a machine; `machine` names what it shares with others.
fn register(bench: &Bench, cluster: &str, machine: Option<&str>) -> String {
    let named = ["logging-driver.awslogs", "docker-remote-api.1.19"];
    let named = named.map(|name| json!({"name": format!("com.amazonaws.ecs.capability.{name}")}));
    let machine = machine.map(|machine| json!({"name": "berth.machine", "value": machine}));
    let attributes: Vec<Value> = named.into_iter().chain(machine).collect();
    let body = json!({
        "cluster": cluster,
        "attributes": attributes,
        "totalResources": [
            {"name": "CPU", "integerValue": 1024},
            {"name": "MEMORY", "integerValue": 2048},
        ],
    });
    let answer = bench.call("RegisterContainerInstance", &body.to_string());
    text(
        &answer.expect("a machine registers"),
        "/containerInstance/containerInstanceArn",
    )
}

/// Calls with the credentials of the agent of `instance`.
fn as_agent(bench: &Bench, instance: &str, operation: &str, body: &Value) -> Outcome {
    let id = instance.rsplit('/').next().unwrap_or_default();
    let caller = Caller {
        scope: SCOPE.parse().expect("a scope"),
        arn: format!("arn:aws:sts::123456789012:assumed-role/agent/{id}"),
        user_id: "AROAEXAMPLE".to_owned(),
        principal: Principal::Agent(AgentRights {
            instance: id.parse().expect("an instance id"),
            cluster: format!("{SCOPE}/default").parse().expect("a cluster"),
            fargate: false,
        }),
        base_url: "http://127.0.0.1:7070".to_owned(),
    };
    bench
        .call_by(caller, operation, &body.to_string())
        .expect("the operation is served")
}

fn code(outcome: Outcome) -> String {
    match outcome {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.0.code.into_owned(),
    }
}

#[test]
fn an_agent_acts_for_its_own_instance_alone() {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").unwrap();
    bench.call("RegisterTaskDefinition", DEFINITION).unwrap();
    let own = register(&bench, "default", None);
    let start = json!({"taskDefinition": "web", "containerInstances": [own]});
    let started = bench.call("StartTask", &start.to_string()).unwrap();
    let task = text(&started, "/tasks/0/taskArn");
    let other = register(&bench, "default", None);
    let report = json!({"task": task, "status": "STOPPED"});
    let container = json!({"task": task, "containerName": "app", "status": "STOPPED"});
    let drain = json!({"containerInstances": [own], "status": "DRAINING"});
    let deregister = json!({"containerInstance": own, "force": true});
    let again = json!({"containerInstanceArn": own});
    let tags = json!({"resourceArn": task});
    let own_tags = json!({"resourceArn": own});
    let protection = json!({"cluster": "default", "tasks": [task]});
    let protect = json!({"cluster": "default", "tasks": [task], "protectionEnabled": true});
    let discover = json!({"containerInstance": own});
    let group = json!({"logGroupName": "/ecs/web"});
    let stream = json!({"logGroupName": "/ecs/web", "logStreamName": "s"});
    let event = json!({"logGroupName": "/ecs/web", "logStreamName": "s",
        "logEvents": [{"timestamp": 1_704_067_200_000_u64, "message": "m"}]});
    let calls = [
        ("DiscoverPollEndpoint", &discover),
        ("ListTagsForResource", &tags),
        ("ListTagsForResource", &own_tags),
        ("GetTaskProtection", &protection),
        ("UpdateTaskProtection", &protect),
        ("logs:CreateLogGroup", &group),
        ("logs:CreateLogStream", &stream),
        ("logs:PutLogEvents", &event),
        ("logs:GetLogEvents", &stream),
        ("SubmitContainerStateChange", &container),
        ("SubmitTaskStateChange", &report),
        ("RegisterContainerInstance", &again),
        ("UpdateContainerInstancesState", &drain),
        ("DeregisterContainerInstance", &deregister),
    ];
    for (operation, body) in calls {
        let outcome = as_agent(&bench, &other, operation, body);
        assert_eq!(code(outcome), "AccessDeniedException", "{operation}");
    }
    let described = bench.call("DescribeTasks", &json!({"tasks": [task]}).to_string());
    assert_eq!(text(&described.unwrap(), "/tasks/0/lastStatus"), "PENDING");
    for (operation, body) in calls {
        assert_eq!(
            code(as_agent(&bench, &own, operation, body)),
            "ok",
            "{operation}"
        );
    }
}

#[test]
fn an_agent_may_do_nothing_that_agents_do_not_do() {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").unwrap();
    let own = register(&bench, "default", None);
    let attribute = json!({"attributes": [{"name": "a", "targetId": own}]});
    let calls = [
        ("CreateCluster", json!({"clusterName": "mine"})),
        (
            "DescribeContainerInstances",
            json!({"containerInstances": [own]}),
        ),
        ("ListTasks", json!({})),
        ("PutAttributes", attribute),
        ("RunTask", json!({"taskDefinition": "web"})),
        ("logs:DescribeLogGroups", json!({})),
    ];
    for (operation, body) in calls {
        let outcome = as_agent(&bench, &own, operation, &body);
        assert_eq!(code(outcome), "AccessDeniedException", "{operation}");
    }
}

#[test]
fn an_agent_registers_as_its_own_instance_and_in_its_own_cluster() {
    let bench = Bench::default();
    bench.call("CreateCluster", "{}").unwrap();
    let other = json!({"clusterName": "other"});
    bench.call("CreateCluster", &other.to_string()).unwrap();
    let own = "arn:aws:ecs:us-east-1:123456789012:container-instance/default/\
               0123456789abcdef0123456789abcdef";
    for first in [true, false] {
        let registered = as_agent(&bench, own, "RegisterContainerInstance", &json!({}));
        let arn = text(
            &registered.unwrap(),
            "/containerInstance/containerInstanceArn",
        );
        assert_eq!(arn, own, "for the first time: {first}");
    }
    let fargate = json!({"attributes": [{"name": "berth.capacity", "value": "fargate"}]});
    let elsewhere = json!({"cluster": "other"});
    for body in [fargate, elsewhere] {
        let refused = as_agent(&bench, own, "RegisterContainerInstance", &body);
        assert_eq!(code(refused), "AccessDeniedException", "{body}");
    }
}

#[test]
fn a_machine_that_is_two_instances_has_its_resources_once() {
    let bench = Bench::default();
    bench.call("RegisterTaskDefinition", DEFINITION).unwrap();
    let clusters = ["a", "b"].map(|name| {
        let create = json!({"clusterName": name});
        bench.call("CreateCluster", &create.to_string()).unwrap();
        (name, register(&bench, name, Some("m1")))
    });
    let run = json!({"cluster": "a", "taskDefinition": "web", "count": 3});
    let started = bench.call("RunTask", &run.to_string()).unwrap();
    assert_eq!(started["tasks"].as_array().unwrap().len(), 3);
    for (cluster, instance) in &clusters {
        let describe = json!({"cluster": cluster, "containerInstances": [instance]});
        let answer = bench.call("DescribeContainerInstances", &describe.to_string());
        let left = &answer.unwrap()["containerInstances"][0]["remainingResources"];
        assert_eq!(left[0]["integerValue"], 1024 - 3 * 256, "{cluster}");
        assert_eq!(left[1]["integerValue"], 2048 - 3 * 512, "{cluster}");
    }
    let run = json!({"cluster": "b", "taskDefinition": "web", "count": 2});
    let started = bench.call("RunTask", &run.to_string()).unwrap();
    assert_eq!(started["tasks"].as_array().unwrap().len(), 1);
    assert_eq!(text(&started, "/failures/0/reason"), "RESOURCE:CPU");
    assert_eq!(bench.world.panics(), 0);
}
