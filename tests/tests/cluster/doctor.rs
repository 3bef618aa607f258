//! `berth doctor` and `berth status`: what they see, also over TLS.

use std::path::Path;
use std::process::Command;

use berth_tests::{Docker, IMAGE, Process, SOON, Server, Spec, ended, wait_for};
use serde_json::json;

fn openssl(folder: &Path, arguments: &[&str]) {
    let output = Command::new("openssl")
        .args(arguments)
        .current_dir(folder)
        .output();
    let output = output.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments:?}: {said}");
}

/// An authority of one's own (`ca.pem`) and a server's certificate by it (`leaf.pem`, `leaf.key`).
fn make_certificates(folder: &Path) {
    const KEY: [&str; 5] = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let authority = [
        "-x509",
        "-subj",
        "/CN=tests",
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
    ];
    openssl(folder, &[&["req"], &KEY[..], &authority].concat());
    let request = [
        "-subj",
        "/CN=server",
        "-keyout",
        "leaf.key",
        "-out",
        "leaf.csr",
    ];
    openssl(folder, &[&["req"], &KEY[..], &request].concat());
    std::fs::write(folder.join("names"), "subjectAltName=IP:127.0.0.1\n").unwrap();
    let sign = [
        "-in", "leaf.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-out", "leaf.pem",
    ];
    let more = ["-CAcreateserial", "-extfile", "names"];
    openssl(folder, &[&["x509", "-req"], &sign[..], &more].concat());
}

#[test]
fn status_and_doctor_believe_an_authority_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    make_certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let data = at("data");
    let mut server = Process::start(
        &[
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &data,
            "--tls-cert",
            &at("leaf.pem"),
            "--tls-key",
            &at("leaf.key"),
        ],
        &[],
        &folder.path().join("log"),
    );
    let trusted = ["--data-dir", &data, "--ca-file", &at("ca.pem")];
    wait_for("the server to be healthy", SOON, || {
        assert!(server.is_running());
        let (code, said) = ended(&[&["status"], &trusted[..]].concat(), &[]);
        (code == 0).then(|| assert!(said.contains("https://127.0.0.1:"), "{said}"))
    });
    let (code, said) = ended(&["status", "--data-dir", &data], &[]);
    assert_eq!(code, 1, "a stranger was believed: {said}");
    let (code, said) = ended(&[&["doctor"], &trusted[..]].concat(), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("ok    server    healthy at https://"),
        "{said}"
    );
    server.kill();
    let (code, said) = ended(&[&["doctor"], &trusted[..]].concat(), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("ok    server    not running"), "{said}");
}

#[test]
fn doctor_lists_containers_of_tasks_that_the_server_does_not_know() {
    let docker = Docker::get();
    let spec = || docker.serving(Spec::dev(&["--agent-cpu", "1024", "--agent-memory", "512"]));
    let server = spec().start();
    let aws = server.aws();
    let container = json!([{ "name": "main", "image": IMAGE, "memory": 32,
        "command": ["sleep", "600"], "stopTimeout": 2 }]);
    let register = ["ecs", "register-task-definition", "--family", "known"];
    let definitions = ["--container-definitions", &container.to_string()];
    let _ = aws.run(&[&register[..], &definitions].concat());
    let started = aws.run(&["ecs", "run-task", "--task-definition", "known"]);
    let task = started["tasks"][0]["taskArn"].as_str().unwrap().to_owned();
    wait_for("the task to run", SOON, || {
        let seen = aws.run(&["ecs", "describe-tasks", "--tasks", &task]);
        (seen["tasks"][0]["lastStatus"] == "RUNNING").then_some(())
    });

    let ask = |server: &Server| {
        let doctor = ["doctor", "--data-dir", &server.data_dir()];
        let (code, said) = ended(&doctor, &[("DOCKER_HOST", docker.host())]);
        assert_eq!(code, 0, "{said}");
        said
    };
    let of_task = |said: &str| said.lines().filter(|line| line.contains(&task)).count();
    // Other tests may run tasks of their servers on this Docker.
    assert_eq!(of_task(&ask(&server)), 0);
    let other = Spec::dev(&["--agents", "0"]).start();
    let said = ask(&other);
    assert_eq!(of_task(&said), 1, "{said}");
    let line = said.lines().find(|line| line.contains(&task)).unwrap();
    assert!(line.starts_with("WARN  container"), "{line}");
    assert!(line.contains("does not know"), "{line}");
    // It is listed, and left alone.
    let seen = aws.run(&["ecs", "describe-tasks", "--tasks", &task]);
    assert_eq!(seen["tasks"][0]["lastStatus"], "RUNNING");
    let _ = aws.run(&["ecs", "stop-task", "--task", &task]);
    wait_for("the task to stop", SOON, || {
        let seen = aws.run(&["ecs", "describe-tasks", "--tasks", &task]);
        (seen["tasks"][0]["lastStatus"] == "STOPPED").then_some(())
    });
    other.finish();
    server.finish();
}
