//! An agent over TLS with an authority of one's own, on a URL without a port: the agent puts a
//! port into the name that it asks the server to prove, and no certificate has such a name.

use std::collections::BTreeMap;
use std::fs;

use berth_tests::{Aws, Docker, IMAGE, Key, Process, SOON, make_certificates, wait_for};
use serde_json::json;

use crate::Setting;
use crate::field::{PATIENCE, spawn};

const KEYS: [(&str, &str); 2] = [
    ("BERTH_ACCESS_KEY_ID", Key::TESTS.id),
    ("BERTH_SECRET_ACCESS_KEY", Key::TESTS.secret),
];

pub(crate) fn over_tls(setting: &Setting) {
    let docker = Docker::get();
    let folder = tempfile::tempdir().expect("a folder can be made");
    make_certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (data, leaf, key, ca) = (at("server"), at("leaf.pem"), at("leaf.key"), at("ca.pem"));
    // The port that a URL without one means; root alone may listen there.
    let serve = ["serve", "--listen", "127.0.0.1:443", "--data-dir", &data];
    let tls = ["--tls-cert", &leaf, "--tls-key", &key];
    let log = folder.path().join("server-log");
    let mut server = Process::start(&[&serve[..], &tls].concat(), &KEYS, &log);
    let aws = Aws::new("https://127.0.0.1").key(Key::TESTS.id, Key::TESTS.secret);
    let aws = aws.trusting(&folder.path().join("ca.pem"));
    wait_for("the server to serve", SOON, || {
        let said = fs::read_to_string(&log).unwrap_or_default();
        assert!(server.is_running(), "{said}");
        aws.try_run(&["ecs", "list-clusters"]).ok()
    });
    fs::create_dir(folder.path().join("data")).expect("a folder can be made");
    let (own, host) = (at("data"), at(""));
    let environment = BTreeMap::from([
        ("ECS_BACKEND_HOST", "https://127.0.0.1"),
        ("ECS_EXTERNAL", "true"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
        ("SSL_CERT_FILE", &ca),
        ("ECS_DATADIR", &own),
        ("ECS_HOST_DATA_DIR", &host),
        ("ECS_AUDIT_LOGFILE_DISABLED", "true"),
        ("ECS_ENABLE_TASK_CPU_MEM_LIMIT", "false"),
        ("ECS_IMAGE_PULL_BEHAVIOR", "prefer-cached"),
        ("DOCKER_HOST", docker.host()),
    ]);
    let mut agent = spawn(&setting.agent, environment.into_iter(), folder.path());
    let outcome = std::panic::catch_unwind(|| {
        wait_for("the agent to register", PATIENCE, || {
            let list = aws.try_run(&["ecs", "list-container-instances"]).ok()?;
            list["containerInstanceArns"].get(0).cloned()
        });
        let container = json!([{ "name": "main", "image": IMAGE, "memory": 16,
            "command": ["sh", "-c", "exit 3"] }]);
        let definitions = container.to_string();
        let register = ["ecs", "register-task-definition", "--family", "f"];
        let _ = aws.run(&[&register[..], &["--container-definitions", &definitions]].concat());
        let task = aws.run(&["ecs", "run-task", "--task-definition", "f"]);
        let task = task["tasks"][0]["taskArn"].as_str().expect("it is placed");
        wait_for("the task to end", PATIENCE, || {
            let seen = aws.run(&["ecs", "describe-tasks", "--tasks", task]);
            (seen["tasks"][0]["containers"][0]["exitCode"] == 3).then_some(())
        });
    });
    let _ = agent.kill();
    let _ = agent.wait();
    if let Err(failure) = outcome {
        let said = fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        let lines: Vec<&str> = said.lines().filter(|l| l.contains("level=error")).collect();
        eprintln!("--- the agent's log:\n{}", lines.join("\n"));
        std::panic::resume_unwind(failure);
    }
}
