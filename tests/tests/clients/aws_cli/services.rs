//! A service from its creation to its end, the waiters for it, and protection of its tasks.

use berth_tests::Cli;
use serde_json::json;

use super::{register, service, text, texts, wait_for_service};

pub(super) fn live(cli: &mut Cli) {
    let first = register(cli, "web", &json!([]));
    let create = [
        "ecs",
        "create-service",
        "--service-name",
        "web",
        "--task-definition",
        &first,
        "--desired-count",
        "2",
        "--tags",
        "key=team,value=blue",
    ];
    let created = cli.run(&create);
    assert_eq!(created["service"]["status"], "ACTIVE");
    let arn = text(&created, "/service/serviceArn").to_owned();
    let _ = cli.run(&["ecs", "wait", "services-stable", "--services", "web"]);
    let seen = service(cli, "web");
    assert_eq!(seen["runningCount"], 2);
    let listed = cli.run(&["ecs", "list-services", "--launch-type", "EC2"]);
    assert_eq!(texts(&listed["serviceArns"]), [arn.as_str()]);
    let namespace = "arn:aws:servicediscovery:us-east-1:000000000000:namespace/ns-1";
    let by_namespace = ["ecs", "list-services-by-namespace", "--namespace"];
    let listed = cli.run(&[&by_namespace[..], &[namespace]].concat());
    assert_eq!(listed["serviceArns"], json!([]));

    let tasks = cli.run(&["ecs", "list-tasks", "--service-name", "web"]);
    let kept = text(&tasks, "/taskArns/0").to_owned();
    let of = ["--cluster", "default", "--tasks", kept.as_str()];
    let update = ["ecs", "update-task-protection", "--protection-enabled"];
    let protected = cli.run(&[&update[..], &of[..], &["--expires-in-minutes", "60"]].concat());
    assert_eq!(protected["failures"], json!([]), "{protected}");
    let get = ["ecs", "get-task-protection"];
    let shown = cli.run(&[&get[..], &of[..]].concat());
    assert_eq!(shown["protectedTasks"][0]["protectionEnabled"], true);

    // What is protected stays when the service shrinks.
    let update = ["ecs", "update-service", "--service", "web"];
    let _ = cli.run(&[&update[..], &["--desired-count", "1"]].concat());
    let _ = cli.run(&["ecs", "wait", "services-stable", "--services", "web"]);
    let left = cli.run(&["ecs", "list-tasks", "--service-name", "web"]);
    assert_eq!(texts(&left["taskArns"]), [kept.as_str()]);
    let unprotect = ["ecs", "update-task-protection", "--no-protection-enabled"];
    let _ = cli.run(&[&unprotect[..], &of[..]].concat());

    let second = register(cli, "web", &json!([]));
    let updated = cli.run(&[&update[..], &["--task-definition", "web"]].concat());
    assert_eq!(text(&updated, "/service/taskDefinition"), second);
    let _ = cli.run(&["ecs", "wait", "services-stable", "--services", "web"]);
    let rolled = wait_for_service(cli, "web", "the update to complete", |seen| {
        seen["deployments"][0]["rolloutState"] == "COMPLETED"
    });
    assert_eq!(rolled["deployments"].as_array().map(Vec::len), Some(1));

    let delete = ["ecs", "delete-service", "--service", "web"];
    assert_eq!(cli.refused(&delete), "InvalidParameterException");
    let deleted = cli.run(&[&delete[..], &["--force"]].concat());
    assert_eq!(deleted["service"]["status"], "DRAINING");
    let _ = cli.run(&["ecs", "wait", "services-inactive", "--services", "web"]);
    assert_eq!(service(cli, "web")["status"], "INACTIVE");
    let wait = ["ecs", "wait", "services-stable", "--services", "web"];
    let refused = cli.try_run(&wait).unwrap_err().text;
    assert!(refused.contains("terminal failure state"), "{refused}");
}
