//! Server and agent over TLS, with an authority of one's own.

use std::fs;

use berth_tests::{Aws, Docker, IMAGE, Key, Process, SOON, ended, make_certificates, wait_for};
use serde_json::json;

const KEYS: [(&str, &str); 4] = [
    ("BERTH_ACCESS_KEY_ID", Key::TESTS.id),
    ("BERTH_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
    ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
];

#[test]
fn an_agent_works_over_tls_and_believes_only_its_authority() {
    let docker = Docker::get();
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (data, leaf, key, ca) = (at("data"), at("leaf.pem"), at("leaf.key"), at("ca.pem"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
    let tls = ["--tls-cert", &leaf, "--tls-key", &key];
    let _server = Process::start(
        &[&serve[..], &tls].concat(),
        &KEYS,
        &folder.path().join("server"),
    );
    let url = wait_for("the endpoint to be recorded", SOON, || {
        let text = fs::read_to_string(at("data/endpoint")).ok()?;
        text.ends_with('\n').then(|| text.trim().to_owned())
    });
    assert!(url.starts_with("https://"), "{url}");
    let aws = Aws::new(&url).key(Key::TESTS.id, Key::TESTS.secret);
    let aws = aws.trusting(&folder.path().join("ca.pem"));
    wait_for("a cluster", SOON, || {
        aws.try_run(&["ecs", "create-cluster", "--cluster-name", "c"])
            .ok()
    });

    let own = at("agent");
    let agent = [
        "agent",
        "--server",
        &url,
        "--cluster",
        "c",
        "--data-dir",
        &own,
    ];
    let agent = [&agent[..], &["--image-pull-behavior", "prefer-cached"]].concat();
    let environment = [&KEYS[..], &[("DOCKER_HOST", docker.host())]].concat();
    // Without the authority, nobody is believed.
    let log = folder.path().join("distrustful");
    let mut distrustful = Process::start(&agent, &environment, &log);
    wait_for("the certificate to be refused", SOON, || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        said.contains("could not register").then(|| {
            assert!(said.contains("certificate"), "{said}");
        })
    });
    assert!(distrustful.is_running(), "it may yet be mended");
    distrustful.kill();
    let instances = || {
        let list = aws.run(&["ecs", "list-container-instances", "--cluster", "c"]);
        list["containerInstanceArns"].as_array().unwrap().len()
    };
    assert_eq!(instances(), 0);

    let trusting = [&agent[..], &["--ca-file", &ca]].concat();
    let _agent = Process::start(&trusting, &environment, &folder.path().join("agent.log"));
    wait_for("the instance", SOON, || (instances() == 1).then_some(()));
    let options = json!({ "awslogs-group": "g", "awslogs-region": "us-east-1",
        "awslogs-create-group": "true", "awslogs-stream-prefix": "t" });
    let container = json!([{ "name": "main", "image": IMAGE, "memory": 32,
        "command": ["sh", "-c", "echo over tls; exit 3"],
        "logConfiguration": { "logDriver": "awslogs", "options": options } }]);
    let definitions = container.to_string();
    let register = ["ecs", "register-task-definition", "--family", "f"];
    let _ = aws.run(&[&register[..], &["--container-definitions", &definitions]].concat());
    // Work comes by the websocket, and what became of it goes back by calls.
    let run = [
        "ecs",
        "run-task",
        "--cluster",
        "c",
        "--task-definition",
        "f",
    ];
    let ran = aws.run(&run);
    let task = ran["tasks"][0]["taskArn"]
        .as_str()
        .unwrap_or_else(|| panic!("{ran}"));
    let stopped = wait_for("the task to be over", SOON, || {
        let seen = aws.run(&["ecs", "describe-tasks", "--cluster", "c", "--tasks", task]);
        let seen = seen["tasks"][0].clone();
        (seen["lastStatus"] == "STOPPED").then_some(seen)
    });
    assert_eq!(stopped["containers"][0]["exitCode"], 3, "{stopped}");
    let line = wait_for("the line", SOON, || {
        let seen = aws
            .try_run(&["logs", "filter-log-events", "--log-group-name", "g"])
            .ok()?;
        seen["events"][0]["message"].as_str().map(str::to_owned)
    });
    assert_eq!(line, "over tls");
}

#[test]
fn a_file_without_certificates_is_an_error_of_usage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("empty.pem");
    fs::write(&file, "nothing\n").unwrap();
    let data = folder.path().join("data").display().to_string();
    for path in [file, folder.path().join("missing.pem")] {
        let path = path.display().to_string();
        let arguments = [
            "agent",
            "--server",
            "https://127.0.0.1:9",
            "--cluster",
            "c",
            "--runtime",
            "simulated",
            "--data-dir",
            &data,
            "--ca-file",
            &path,
        ];
        let (code, said) = ended(&arguments, &KEYS);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(&path), "{said}");
    }
}
