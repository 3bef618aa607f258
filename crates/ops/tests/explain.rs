//! Why a task waits, or where it went, in sentences.

mod caller;

use std::fmt::Write;
use std::time::Duration;

use berth_model::waiting::WaitForRoom;
use caller::Bench;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

const HOUR: WaitForRoom = WaitForRoom::new(Duration::from_secs(3600));

/// A cluster with a task definition of 512 CPU units, and machines of these CPU units.
fn cluster(machines: &[i32]) -> Bench {
    let bench = Bench::new(HOUR);
    call(&bench, "CreateCluster", &json!({}));
    let container = json!({"name": "app", "image": "app", "cpu": 512, "memory": 128});
    register(&bench, "half", &json!([container]));
    for (machine, zone) in machines.iter().zip(["a", "b", "c"].iter().cycle()) {
        let zone = json!({"name": "ecs.availability-zone", "value": format!("us-east-1{zone}")});
        let body = json!({
            "totalResources": [
                {"name": "CPU", "integerValue": machine},
                {"name": "MEMORY", "integerValue": 1024},
            ],
            "attributes": [zone],
        });
        call(&bench, "RegisterContainerInstance", &body);
    }
    bench
}

fn register(bench: &Bench, family: &str, containers: &Value) {
    let body = json!({"family": family, "containerDefinitions": containers});
    call(bench, "RegisterTaskDefinition", &body);
}

fn call(bench: &Bench, operation: &str, body: &Value) -> Value {
    bench
        .call(operation, &body.to_string())
        .unwrap_or_else(|error| panic!("{operation}: {}", error.0.message))
}

/// The id of a started task.
fn run(bench: &Bench, body: &Value) -> String {
    let started = call(bench, "RunTask", body);
    let arn = started["tasks"][0]["taskArn"]
        .as_str()
        .expect("a task")
        .to_owned();
    arn.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The explanation as text, with ids by the order of their coming.
fn check(bench: &Bench, question: &Value, expected: &Expect) {
    let answer = match bench.explain(question) {
        Ok(answer) => answer,
        Err(error) => {
            expected.assert_eq(&format!("{}: {}\n", error.0.code, error.0.message));
            return;
        }
    };
    let mut text = format!("{}\n", answer["summary"].as_str().unwrap_or_default());
    for note in answer["notes"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{}", note.as_str().unwrap_or_default());
    }
    let _ = writeln!(text, "of {}:", answer["instances"]);
    for group in answer["groups"].as_array().into_iter().flatten() {
        let _ = writeln!(text, "{} {}", group["count"], group["reason"]);
        for one in group["shown"].as_array().into_iter().flatten() {
            let zone = one["availabilityZone"].as_str().unwrap_or("no zone");
            let _ = writeln!(
                text,
                "  {zone}: {}",
                one["sentence"].as_str().unwrap_or_default()
            );
        }
    }
    let mut plain = String::new();
    let mut rest = text.as_str();
    while let Some(at) = rest.find(is_id_at(rest)) {
        plain.push_str(&rest[..at]);
        plain.push_str("<id>");
        rest = &rest[at + 32..];
    }
    plain.push_str(rest);
    expected.assert_eq(&plain);
}

/// The first id of 32 hexadecimal digits, as a pattern to look for.
fn is_id_at(text: &str) -> &str {
    let hex = |window: &&[u8]| window.iter().all(u8::is_ascii_hexdigit);
    let at = text.as_bytes().windows(32).position(|window| hex(&window));
    at.map_or("\0", |at| &text[at..at + 32])
}

#[test]
fn a_task_waits_and_every_instance_says_why() {
    let bench = cluster(&[600, 256]);
    run(&bench, &json!({"taskDefinition": "half"}));
    let waits = run(&bench, &json!({"taskDefinition": "half"}));
    bench.world.advance(Duration::from_secs(90));
    check(
        &bench,
        &json!({"task": waits}),
        &expect![[r#"
        task <id> has waited for room for 89 s: none of 2 container instances can take it.
        A task takes 512 CPU units, 128 MiB.
        It is given up when it has waited for 60 min.
        of 2:
        2 "RESOURCE:CPU"
          us-east-1a: it has 88 of 600 CPU units left, and a task takes 512; 1 of the group's tasks is on it.
          us-east-1b: it has 256 of 256 CPU units left, and a task takes 512.
    "#]],
    );
}

#[test]
fn a_placed_task_is_where_its_strategy_put_it() {
    let bench = cluster(&[1024, 1024]);
    let strategy = json!([{"type": "binpack", "field": "cpu"}]);
    let body = json!({"taskDefinition": "half", "placementStrategy": strategy});
    run(&bench, &body);
    let second = run(&bench, &body);
    check(
        &bench,
        &json!({"task": second}),
        &expect![[r#"
        task <id> is PENDING on container instance <id> in us-east-1a.
        A task takes 512 CPU units, 128 MiB.
        Of the instances that can take it, placement chooses the one with the least CPU left.
        of 2:
        1 "HERE"
          us-east-1a: it is here; 2 of the group's tasks are on it.
        1 "ROOM"
          us-east-1b: it has room.
    "#]],
    );
}

#[test]
fn constraints_attributes_and_ports_are_named() {
    let bench = cluster(&[1024]);
    let port = json!([{"containerPort": 80, "hostPort": 8080}]);
    let container = json!({"name": "app", "image": "app", "memory": 16, "portMappings": port});
    register(&bench, "ported", &json!([container]));
    run(&bench, &json!({"taskDefinition": "ported"}));
    let waits = run(&bench, &json!({"taskDefinition": "ported"}));
    check(
        &bench,
        &json!({"task": waits}),
        &expect![[r#"
        task <id> has waited for room for 0 s: the one container instance cannot take it.
        A task takes 0 CPU units, 16 MiB, TCP host port 8080.
        It is given up when it has waited for 60 min.
        of 1:
        1 "RESOURCE:PORTS"
          us-east-1a: its TCP host port 8080 is taken; 1 of the group's tasks is on it.
    "#]],
    );
    let constraint = json!([{"type": "memberOf", "expression": "attribute:rack == r1"}]);
    let body = json!({"taskDefinition": "half", "placementConstraints": constraint});
    let waits = run(&bench, &body);
    check(
        &bench,
        &json!({"task": waits}),
        &expect![[r#"
        task <id> has waited for room for 0 s: the one container instance cannot take it.
        A task takes 512 CPU units, 128 MiB.
        It is given up when it has waited for 60 min.
        of 1:
        1 "MemberOf placement constraint unsatisfied."
          us-east-1a: it does not satisfy attribute:rack == r1.
    "#]],
    );
    let gpu = json!([{"type": "GPU", "value": "1"}]);
    let container =
        json!({"name": "app", "image": "app", "memory": 16, "resourceRequirements": gpu});
    register(&bench, "gpu", &json!([container]));
    let waits = run(&bench, &json!({"taskDefinition": "gpu"}));
    check(
        &bench,
        &json!({"task": waits}),
        &expect![[r#"
        task <id> has waited for room for 0 s: the one container instance cannot take it.
        A task takes 0 CPU units, 16 MiB, 1 GPUs.
        It is given up when it has waited for 60 min.
        of 1:
        1 "RESOURCE:GPU"
          us-east-1a: it has 0 of 0 GPUs left, and a task takes 1.
    "#]],
    );
}

#[test]
fn a_service_says_what_it_lacks() {
    let bench = cluster(&[600]);
    let body = json!({"serviceName": "web", "taskDefinition": "half", "desiredCount": 2});
    call(&bench, "CreateService", &body);
    check(
        &bench,
        &json!({"service": "web"}),
        &expect![[r#"
        service web wants 2 tasks: 0 run, 0 are starting, 0 wait for room.
        A task takes 512 CPU units, 128 MiB.
        Of the instances that can take it, placement chooses one whose value of ecs.availability-zone has the fewest tasks of its group, and of those the one with the fewest tasks of its group.
        Of the tasks of its group, by ecs.availability-zone: us-east-1a has 0.
        of 1:
        1 "ROOM"
          us-east-1a: it has room.
    "#]],
    );
    let body = json!({"service": "web", "force": true});
    call(&bench, "DeleteService", &body);
    check(
        &bench,
        &json!({"service": "web"}),
        &expect![[r#"
        service web is being deleted.
        of 0:
    "#]],
    );
}

#[test]
fn a_large_cluster_is_told_in_groups_with_the_first_of_each() {
    let bench = cluster(&[100; 25]);
    let waits = run(&bench, &json!({"taskDefinition": "half"}));
    let answer = bench
        .explain(&json!({"task": waits}))
        .expect("it is explained");
    assert_eq!(answer["instances"], 25);
    let groups = answer["groups"].as_array().expect("groups");
    assert_eq!(groups.len(), 1);
    assert_eq!(groups[0]["count"], 25);
    assert_eq!(groups[0]["shown"].as_array().map(Vec::len), Some(10));
}

#[test]
fn what_is_not_there_and_what_is_no_question_is_refused() {
    let bench = cluster(&[]);
    for question in [
        json!({}),
        json!({"task": "0123456789abcdef0123456789abcdef", "service": "web"}),
        json!({"task": "0123456789abcdef0123456789abcdef"}),
        json!({"task": "nonsense"}),
        json!({"service": "web"}),
        json!({"cluster": "other", "service": "web"}),
        json!({"what": 1}),
    ] {
        assert!(bench.explain(&question).is_err(), "{question}");
    }
    let none = run(&bench, &json!({"taskDefinition": "half"}));
    check(
        &bench,
        &json!({"task": none}),
        &expect![[r#"
        task <id> has waited for room for 0 s: there is no container instance to choose from.
        A task takes 512 CPU units, 128 MiB.
        It is given up when it has waited for 60 min.
        of 0:
    "#]],
    );
    call(&bench, "StopTask", &json!({"task": none}));
    check(
        &bench,
        &json!({"task": none}),
        &expect![[r#"
        task <id> has stopped (UserInitiated): Task stopped by user.
        of 0:
    "#]],
    );
}
