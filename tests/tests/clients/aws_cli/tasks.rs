//! Tasks, and the waiters for them.

use berth_tests::Cli;
use serde_json::{Value, json};

use super::{register, text, texts};

pub(super) fn live(cli: &mut Cli) {
    let definition = register(cli, "job", &json!([]));
    let run = [
        "ecs",
        "run-task",
        "--task-definition",
        &definition,
        "--count",
        "2",
        "--overrides",
        r#"{"containerOverrides":[{"name":"app","command":["sleep","600"]}]}"#,
        "--tags",
        "key=team,value=blue",
    ];
    let ran = cli.run(&run);
    assert_eq!(ran["failures"], json!([]));
    let tasks = arns(&ran);
    let named: Vec<&str> = tasks.iter().map(String::as_str).collect();
    let _ = cli.run(&[&["ecs", "wait", "tasks-running", "--tasks"], &named[..]].concat());
    let describe = ["ecs", "describe-tasks", "--include", "TAGS", "--tasks"];
    let described = cli.run(&[&describe[..], &named[..]].concat());
    for at in 0..2 {
        let status = format!("/tasks/{at}/lastStatus");
        assert_eq!(text(&described, &status), "RUNNING");
    }
    assert_eq!(
        described["tasks"][0]["tags"],
        json!([{ "key": "team", "value": "blue" }])
    );
    let list = ["ecs", "list-tasks", "--family", "job", "--page-size", "1"];
    let listed = cli.run(&list);
    assert_eq!(sorted(texts(&listed["taskArns"])), sorted(named.clone()));

    let instance = text(&described, "/tasks/0/containerInstanceArn").to_owned();
    let start = ["ecs", "start-task", "--task-definition", &definition];
    let on = ["--container-instances", &instance, "--started-by", "hand"];
    let started = cli.run(&[&start[..], &on[..]].concat());
    let third = text(&started, "/tasks/0/taskArn").to_owned();
    let stop = |task: &str| {
        let stop = ["ecs", "stop-task", "--task", task, "--reason", "enough"];
        stop.map(str::to_owned)
    };
    let all: Vec<&str> = named.iter().copied().chain([third.as_str()]).collect();
    for task in &all {
        let command = stop(task);
        let stopped = cli.run(&command.each_ref().map(String::as_str));
        assert_eq!(stopped["task"]["desiredStatus"], "STOPPED");
    }
    let _ = cli.run(&[&["ecs", "wait", "tasks-stopped", "--tasks"], &all[..]].concat());
    let described = cli.run(&[&describe[..], &all[..]].concat());
    for at in 0..3 {
        let code = format!("/tasks/{at}/stopCode");
        assert_eq!(text(&described, &code), "UserInitiated");
    }
    // The waiter gives up on a task that has stopped.
    let wait = ["ecs", "wait", "tasks-running", "--tasks", &third];
    let refused = cli.try_run(&wait).unwrap_err().text;
    assert!(refused.contains("terminal failure state"), "{refused}");
}

fn arns(ran: &Value) -> Vec<String> {
    let tasks = ran["tasks"].as_array().into_iter().flatten();
    tasks
        .map(|task| text(task, "/taskArn").to_owned())
        .collect()
}

fn sorted(mut texts: Vec<&str>) -> Vec<&str> {
    texts.sort_unstable();
    texts
}
