//! The commands and their exit codes, which scripts of others rely on.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::time::Duration;

use berth_tests::{Server, Spec, ended, run_berth};

fn code(arguments: &[&str]) -> Option<i32> {
    run_berth(arguments).status.code()
}

fn without_agents() -> Server {
    Spec::dev(&["--agents", "0"]).start()
}

#[test]
fn usage_errors_end_with_2_and_help_with_0() {
    assert_eq!(code(&["dev", "--no-such-flag"]), Some(2));
    assert_eq!(code(&["no-such-command"]), Some(2));
    assert_eq!(code(&["serve"]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["version"]), Some(0));
}

#[test]
fn dev_refuses_the_network_unless_told() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    let refused = run_berth(&["dev", "--listen", "0.0.0.0:0", "--data-dir", &data_dir]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--allow-remote"));
}

#[test]
fn a_busy_address_or_data_directory_ends_with_4() {
    let server = without_agents();
    let same_data = [
        "dev",
        "--agents",
        "0",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
    ];
    let data_dir = server.data_dir();
    assert_eq!(code(&[&same_data[..], &[&data_dir]].concat()), Some(4));
    let other = tempfile::tempdir().unwrap();
    let other = other.path().display().to_string();
    let same_address = [
        "dev",
        "--agents",
        "0",
        "--listen",
        server.address(),
        "--data-dir",
        &other,
    ];
    assert_eq!(code(&same_address), Some(4));
    server.finish();
}

#[test]
fn env_and_status_find_the_port_that_was_picked() {
    let server = without_agents();
    let data_dir = server.data_dir();
    let env = run_berth(&["env", "--data-dir", &data_dir, "--account", "123456789012"]);
    let exports = String::from_utf8_lossy(&env.stdout).into_owned();
    assert!(env.status.success());
    assert!(
        exports.contains(&format!("export AWS_ENDPOINT_URL={};", server.url())),
        "{exports}"
    );
    assert!(
        exports.contains("export AWS_ACCESS_KEY_ID=123456789012;"),
        "{exports}"
    );
    let status = run_berth(&["status", "--data-dir", &data_dir, "--output", "json"]);
    let status_json: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert!(status.status.success());
    assert_eq!(status_json["status"], "ok");
    assert_eq!(status_json["endpoint"], server.url());
    server.finish();
    // Nobody answers any more.
    assert_eq!(code(&["status", "--data-dir", &data_dir]), Some(1));
}

#[test]
fn env_says_so_when_no_server_used_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    assert_eq!(code(&["env", "--data-dir", &data_dir]), Some(1));
}

/// A Docker that tells its version and has no more to give; its address.
fn broken_docker() -> String {
    /// By then the server leads.
    const THINKING: Duration = Duration::from_secs(2);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            let mut lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let Some(asked) = lines.next() else { continue };
            lines.take_while(|line| !line.is_empty()).for_each(drop);
            let (status, body) = if asked.contains("/version") {
                ("200 OK", r#"{"ApiVersion":"1.41","Version":"20.10.0"}"#)
            } else {
                std::thread::sleep(THINKING);
                ("500 Internal Server Error", r#"{"message":"out of order"}"#)
            };
            let length = body.len();
            let _ = write!(
                &stream,
                "HTTP/1.1 {status}\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            );
        }
    });
    format!("tcp://{address}")
}

#[test]
fn agents_that_cannot_start_end_a_server_that_leads_already_with_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let data_dir = folder.path().display().to_string();
    let dev = ["dev", "--listen", "127.0.0.1:0", "--data-dir", &data_dir];
    let (code, said) = ended(&dev, &[("DOCKER_HOST", &broken_docker())]);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("out of order"), "{said}");
    assert!(said.contains("this server leads"), "{said}");
}

#[test]
fn damaged_data_ends_with_3() {
    let mut server = without_agents();
    let _ = server
        .aws()
        .run(&["ecs", "create-cluster", "--cluster-name", "kept"]);
    let _ = server.terminate();
    let data_dir = server.data_dir();
    fs::write(
        format!("{data_dir}/journal.db"),
        "this is no database, and never was one",
    )
    .unwrap();
    let again = [
        "dev",
        "--agents",
        "0",
        "--listen",
        "127.0.0.1:0",
        "--data-dir",
        &data_dir,
    ];
    let ended = run_berth(&again);
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(3), "{said}");
}

#[test]
fn serve_makes_a_key_that_only_its_owner_can_read_and_lets_nobody_else_in() {
    let server = Spec::serve(&[]).start();
    let env = run_berth(&["env", "--data-dir", &server.data_dir()]);
    let exports = String::from_utf8_lossy(&env.stdout).into_owned();
    let value = |name: &str| {
        let line = exports
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap().trim_end_matches(';').to_owned()
    };
    let (id, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
    let signed = server.aws().key(&id, &secret);
    assert_eq!(
        signed.run(&["ecs", "list-clusters"])["clusterArns"],
        serde_json::json!([])
    );
    let wrong_secret = server
        .aws()
        .key(&id, "wrong")
        .try_run(&["ecs", "list-clusters"]);
    assert_eq!(wrong_secret.unwrap_err().code, "InvalidSignatureException");
    let unknown = server
        .aws()
        .key("AKIAUNKNOWN", &secret)
        .try_run(&["ecs", "list-clusters"]);
    assert_eq!(unknown.unwrap_err().code, "UnrecognizedClientException");
    server.finish();
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash() {
    let mut server = without_agents();
    let aws = server.aws();
    for name in ["one", "two", "three"] {
        let _ = aws.run(&["ecs", "create-cluster", "--cluster-name", name]);
    }
    server.kill();
    server.restart();
    let clusters = aws.run(&["ecs", "list-clusters"]);
    assert_eq!(
        clusters["clusterArns"].as_array().unwrap().len(),
        3,
        "{clusters}"
    );
    server.finish();
}
