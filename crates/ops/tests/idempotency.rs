//! Calls that are repeated with their token.

mod caller;

use std::time::Duration;

use caller::Bench;

#[test]
fn a_repeated_run_task_answers_with_its_tasks_in_the_same_order() {
    let bench = Bench::default();
    let call = |operation: &str, body: &str| {
        bench
            .call(operation, body)
            .unwrap_or_else(|error| panic!("{operation}: {}", error.0.message))
    };
    call("CreateCluster", "{}");
    call(
        "RegisterTaskDefinition",
        r#"{"family": "a", "containerDefinitions": [{"name": "a", "image": "a", "memory": 4}]}"#,
    );
    call(
        "RegisterContainerInstance",
        r#"{"totalResources": [{"name": "CPU", "integerValue": 1024},
            {"name": "MEMORY", "integerValue": 1024}]}"#,
    );
    let run = || {
        let answer = call(
            "RunTask",
            r#"{"taskDefinition": "a", "count": 10, "clientToken": "t"}"#,
        );
        let tasks = answer["tasks"].as_array().cloned().unwrap_or_default();
        let arns = tasks.iter().map(|task| task["taskArn"].to_string());
        arns.collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first.len(), 10);
    bench.world.advance(Duration::from_secs(60));
    assert_eq!(run(), first);
}
