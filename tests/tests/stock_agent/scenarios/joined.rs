//! A machine that joins with the stock agent by a token, kept running by `berth join --stock`:
//! its credentials, the rules for 169.254.170.2, and what Docker's own log driver ships by them.

use std::process::Command;
use std::sync::Arc;
use std::time::SystemTime;

use berth_tests::{Caller, Docker, Key, Process, Server, Spec, ended, wait_for};
use serde_json::{Value, json};

use crate::Setting;
use crate::field::{PATIENCE, shell, text, with};

/// The log group of the scenario's tasks.
const GROUP: &str = "/stock/joined";

pub(crate) fn joined(setting: &Setting) {
    let docker = Docker::get();
    let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    Caller::of(&server).call("CreateCluster", &json!({ "clusterName": "default" }));
    let folder = tempfile::tempdir().expect("a folder can be made");
    let data = folder.path().join("agent").display().to_string();
    let log = folder.path().join("log");
    let token = token(&server);
    let (url, agent) = (server.url(), setting.agent.display().to_string());
    let usual = ["join", "--stock", "--foreground", "--stock-agent", &agent];
    let own = [
        "--server",
        &url,
        "--data-dir",
        &data,
        "--join-token",
        &token,
    ];
    let settings = [
        ("DOCKER_HOST", docker.host()),
        ("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached"),
        ("ECS_LOGLEVEL", "debug"),
    ];
    let mut join = Process::start(&[usual.as_slice(), &own].concat(), &settings, &log);
    let told = || std::fs::read_to_string(&log).unwrap_or_default();
    let connected = |join: &mut Process, count: f64| {
        wait_for("the agent to be connected, or not", PATIENCE, || {
            assert!(join.is_running() || count == 0.0, "it ended: {}", told());
            (server.metric("berth_agents_connected") == count).then_some(())
        });
    };
    connected(&mut join, 1.0);
    let instance = instance(&server);

    // The line is shipped by Docker, and what it says was found at 169.254.170.2.
    let line = "wget -qO- $ECS_CONTAINER_METADATA_URI_V4/task; echo; echo shipped";
    run_and_read(&server, line, &["shipped", "TaskARN"]);

    // An agent that crashes is started again, as the same instance.
    let first = child(&join);
    signal("-KILL", &first);
    wait_for("the agent to be started again", PATIENCE, || {
        let now = child(&join);
        (!now.is_empty() && now != first).then_some(())
    });
    connected(&mut join, 1.0);
    assert_eq!(self::instance(&server), instance);
    run_and_read(&server, "echo again", &["again"]);

    signal("-TERM", &join.pid().to_string());
    wait_for("both to end", PATIENCE, || {
        (!join.is_running()).then_some(())
    });
    connected(&mut join, 0.0);
    let rules = Command::new("iptables-save").output().expect("it starts");
    let rules = String::from_utf8_lossy(&rules.stdout).into_owned();
    assert!(
        !rules.contains("BERTH-ECS-AGENT"),
        "rules are left: {rules}"
    );
    remove_containers(&docker);
    server.finish();
}

/// A token, asked for as a user does.
fn token(server: &Server) -> String {
    let url = server.url();
    let create = ["join-token", "create", "--cluster", "default", "--stock"];
    let asked = ["--server", &url, "--output", "json"];
    let keys = [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ];
    let (code, said) = ended(&[create.as_slice(), &asked].concat(), &keys);
    assert_eq!(code, 0, "{said}");
    let made: Value = serde_json::from_str(&said).expect("it is JSON");
    text(&made["token"])
}

fn instance(server: &Server) -> String {
    let listed = Caller::of(server).call("ListContainerInstances", &json!({}));
    text(&listed["containerInstanceArns"][0])
}

/// Runs a line of shell as a task whose output goes through Docker's `awslogs`, and waits until
/// all that is `expected` is in its log stream.
fn run_and_read(server: &Server, line: &str, expected: &[&str]) {
    let mut caller = Caller::of(server);
    let options = json!({
        "awslogs-group": GROUP, "awslogs-region": "us-east-1", "awslogs-create-group": "true",
        "awslogs-stream-prefix": "t",
    });
    let logs = json!({ "logConfiguration": { "logDriver": "awslogs", "options": options } });
    let container = with(shell("main", line), &logs);
    let definition = json!({ "family": "logged", "containerDefinitions": [container] });
    caller.call("RegisterTaskDefinition", &definition);
    let answer = caller.call("RunTask", &json!({ "taskDefinition": "logged" }));
    assert_eq!(answer["failures"], json!([]));
    let task = text(&answer["tasks"][0]["taskArn"]);
    let seen = wait_for("the task to be STOPPED", PATIENCE, || {
        let described = caller.call("DescribeTasks", &json!({ "tasks": [task] }));
        let seen = described["tasks"][0].clone();
        (seen["lastStatus"] == "STOPPED").then_some(seen)
    });
    assert_eq!(seen["containers"][0]["exitCode"], 0, "{seen}");
    let id = task.rsplit('/').next().unwrap_or_default();
    let stream = format!("t/main/{id}");
    let read = lines(
        server,
        &json!({ "logGroupName": GROUP, "logStreamName": stream }),
    );
    for part in expected {
        assert!(read.contains(part), "{part} is not in: {read}");
    }
}

/// The stream's lines.
#[expect(clippy::disallowed_methods, reason = "a signature is of its time")]
fn lines(server: &Server, input: &Value) -> String {
    use berth_wire::sigv4::{Signer, Unsigned};
    let body = input.to_string();
    let signer = Signer {
        access_key_id: Key::TESTS.id.to_owned(),
        secret_access_key: Key::TESTS.secret.to_owned(),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: "logs".to_owned(),
    };
    let mut headers = http::HeaderMap::new();
    let address = server.address();
    headers.insert("host", address.parse().expect("it is a header"));
    let target = "Logs_20140328.GetLogEvents".parse();
    headers.insert("x-amz-target", target.expect("it is a header"));
    let unsigned = Unsigned {
        method: &http::Method::POST,
        path_and_query: "/",
        headers: &headers,
        body: body.as_bytes(),
    };
    let signed = signer.sign(&unsigned, SystemTime::now());
    headers.extend(signed.expect("the request can be signed"));
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().expect("it is text"));
    }
    request += &format!(
        "content-type: application/x-amz-json-1.1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let answer = berth_tests::exchange(address, request.as_bytes()).expect("it answers");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let read: Value = serde_json::from_str(&answer.body).expect("it is JSON");
    let events = read["events"].as_array().expect("there are events").iter();
    events.map(|event| text(&event["message"]) + "\n").collect()
}

/// The process id of the agent.
fn child(join: &Process) -> String {
    let pid = join.pid();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    children.unwrap_or_default().trim().to_owned()
}

fn signal(which: &str, pid: &str) {
    let told = Command::new("kill").args([which, pid]).status();
    assert!(told.is_ok_and(|status| status.success()), "no {pid}");
}

fn remove_containers(docker: &Arc<Docker>) {
    let filter = "label=com.amazonaws.ecs.task-arn";
    for id in docker.run(&["ps", "-aq", "--filter", filter]).lines() {
        let _ = docker.run(&["rm", "-f", id]);
    }
}
