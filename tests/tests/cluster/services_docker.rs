//! Services in real containers, through the aws CLI, with the server killed in between.

use berth_tests::{Aws, Docker, IMAGE, SOON, Spec, wait_for};
use serde_json::{Value, json};

/// A definition of a container that says `word` and then does as the line of shell says.
fn register(aws: &Aws, word: &str, line: &str) {
    let line = format!("trap 'exit 0' TERM; echo {word}; {line}");
    let containers = json!([{
        "name": "app", "image": IMAGE, "memory": 16, "command": ["sh", "-c", line],
        "dockerLabels": { "word": word }, "stopTimeout": 2,
    }]);
    let containers = containers.to_string();
    let arguments = ["ecs", "register-task-definition", "--family", "web"];
    let _ = aws.run(&[&arguments[..], &["--container-definitions", &containers]].concat());
}

const STAYS: &str = "while :; do sleep 0.1; done";

fn update(aws: &Aws, change: [&str; 2]) {
    let command = ["ecs", "update-service", "--service", "web"];
    let _ = aws.run(&[&command[..], &change[..]].concat());
}

fn service(aws: &Aws) -> Value {
    aws.run(&["ecs", "describe-services", "--services", "web"])["services"][0].clone()
}

/// Waits until the service has one deployment, of this revision, that completed with `count` tasks.
fn settled(aws: &Aws, revision: &str, count: u64) -> Value {
    wait_for("the deployment to complete", SOON * 4, || {
        let seen = service(aws);
        let deployments = seen["deployments"].as_array()?;
        let done = deployments.len() == 1
            && deployments[0]["rolloutState"] == "COMPLETED"
            && seen["taskDefinition"].as_str()?.ends_with(revision)
            && seen["runningCount"] == count
            && seen["desiredCount"] == count;
        done.then_some(seen)
    })
}

/// The ids of the running containers with this word, sorted.
fn containers(docker: &Docker, word: &str) -> Vec<String> {
    let filter = format!("label=word={word}");
    let listed = docker.run(&["ps", "--no-trunc", "--quiet", "--filter", &filter]);
    let mut ids: Vec<String> = listed.lines().map(str::to_owned).collect();
    ids.sort();
    ids
}

#[test]
fn a_service_deploys_goes_back_and_scales_in_containers_while_the_server_is_killed() {
    let docker = Docker::get();
    // A task that ends at once must not have counted as healthy before, also where Docker takes
    // some seconds to say that it ended.
    let spec = Spec::dev(&[
        "--agent-cpu",
        "4096",
        "--agent-memory",
        "1024",
        "--service-healthy-after",
        "10s",
    ]);
    let mut server = docker.serving(spec).start();
    let aws = server.aws();
    register(&aws, "svc-one", STAYS);
    let _ = aws.run(&[
        "ecs",
        "create-service",
        "--service-name",
        "web",
        "--task-definition",
        "web:1",
        "--desired-count",
        "3",
        "--deployment-configuration",
        "deploymentCircuitBreaker={enable=true,rollback=true}",
    ]);
    let _ = aws.run(&["ecs", "wait", "services-stable", "--services", "web"]);
    let first = containers(&docker, "svc-one");
    assert_eq!(first.len(), 3);

    // A crash: the containers do not notice, and the service knows them.
    server.kill();
    server.restart();
    let _ = settled(&aws, "/web:1", 3);
    assert_eq!(containers(&docker, "svc-one"), first);

    // A deployment with a crash in the middle.
    register(&aws, "svc-two", STAYS);
    update(&aws, ["--task-definition", "web:2"]);
    server.kill();
    server.restart();
    let _ = settled(&aws, "/web:2", 3);
    wait_for("the old containers to end", SOON, || {
        containers(&docker, "svc-one").is_empty().then_some(())
    });
    let second = containers(&docker, "svc-two");
    assert_eq!(second.len(), 3);

    // A bad one: its tasks end at once, and what ran before goes on untouched.
    register(&aws, "svc-bad", "exit 3");
    update(&aws, ["--task-definition", "web:3"]);
    server.kill();
    server.restart();
    let back = settled(&aws, "/web:2", 3);
    assert_eq!(containers(&docker, "svc-two"), second, "{back}");
    let history = aws.run(&["ecs", "list-service-deployments", "--service", "web"]);
    assert_eq!(
        history["serviceDeployments"][0]["status"],
        "ROLLBACK_SUCCESSFUL"
    );

    // Out and in again.
    update(&aws, ["--desired-count", "20"]);
    let _ = settled(&aws, "/web:2", 20);
    assert_eq!(containers(&docker, "svc-two").len(), 20);
    update(&aws, ["--desired-count", "1"]);
    let _ = settled(&aws, "/web:2", 1);
    wait_for("one container to be left", SOON, || {
        (containers(&docker, "svc-two").len() == 1).then_some(())
    });

    let _ = aws.run(&["ecs", "delete-service", "--service", "web", "--force"]);
    wait_for("the service to be INACTIVE", SOON, || {
        (service(&aws)["status"] == "INACTIVE").then_some(())
    });
    wait_for("no container to be left", SOON, || {
        containers(&docker, "svc-two").is_empty().then_some(())
    });
    server.finish();
}
