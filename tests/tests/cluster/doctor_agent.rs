//! `berth doctor agent`: why agents do not come up, from the server's side.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use berth_tests::{
    AgentSocket, Caller, Key, Process, SOON, Server, Spec, ended, exchange, signed, wait_for,
};
use serde_json::{Value, json};

/// Three pings of five seconds each, on a busy machine.
const UNANSWERED: Duration = Duration::from_secs(60);

fn start() -> Server {
    let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    Caller::of(&server).call("CreateCluster", &json!({}));
    server
}

fn keys() -> [(&'static str, &'static str); 2] {
    [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ]
}

fn doctor(server: &Server, more: &[&str]) -> String {
    let arguments = ["doctor", "agent", "--data-dir", &server.data_dir()];
    let (code, said) = ended(&[&arguments[..], more].concat(), &keys());
    assert_eq!(code, 0, "{said}");
    said
}

/// Waits until the doctor says it.
fn says(server: &Server, text: &str) -> String {
    wait_for(&format!("the doctor to say {text:?}"), SOON, || {
        let said = doctor(server, &[]);
        said.contains(text).then_some(said)
    })
}

/// A registration, signed at some time.
fn register(server: &Server, key: (&str, &str), at: SystemTime, input: &Value) -> u16 {
    let body = input.to_string();
    let operation = "RegisterContainerInstance";
    let headers = signed(server.address(), operation, body.as_bytes(), key, at);
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().unwrap());
    }
    let length = body.len();
    request += &format!(
        "content-type: application/x-amz-json-1.1\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    );
    exchange(server.address(), request.as_bytes())
        .unwrap()
        .status
}

fn registration(token: &str) -> Value {
    let resource = |name: &str| json!({ "name": name, "type": "INTEGER", "integerValue": 4096 });
    json!({
        "cluster": "default", "clientToken": token,
        "totalResources": [
            resource("CPU"), resource("MEMORY"),
            { "name": "PORTS", "type": "STRINGSET", "stringSetValue": [] },
            { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
        ],
    })
}

fn instance(server: &Server, token: &str) -> String {
    let answer = Caller::of(server).call("RegisterContainerInstance", &registration(token));
    let arn = &answer["containerInstance"]["containerInstanceArn"];
    arn.as_str().unwrap().to_owned()
}

fn acs(server: &Server, arn: &str) -> AgentSocket {
    let opened = AgentSocket::acs(server.address(), Key::TESTS, "default", arn);
    opened.unwrap_or_else(|refusal| panic!("{refusal:?}"))
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "a signature is of the time at which it is made"
)]
fn refused_registrations_are_explained() {
    let server = start();
    assert!(doctor(&server, &[]).contains("does not reach this server"));
    let own = (Key::TESTS.id, Key::TESTS.secret);
    let now = SystemTime::now();
    let good = registration("a");
    let late = now - Duration::from_secs(3_660);
    assert_eq!(register(&server, own, late, &good), 400);
    assert_eq!(register(&server, (own.0, "wrong"), now, &good), 400);
    assert_eq!(
        register(&server, ("AKIASOMEBODYELSE0000", "x"), now, &good),
        400
    );
    let mut elsewhere = registration("b");
    elsewhere["cluster"] = json!("bleu");
    assert_eq!(register(&server, own, now, &elsewhere), 400);
    let mut strange = registration("c");
    let many: Vec<Value> = (0..600)
        .map(|n| json!({ "name": format!("a{n}") }))
        .collect();
    strange["attributes"] = json!(many);
    assert_eq!(register(&server, own, now, &strange), 400);

    let said = doctor(&server, &[]);
    for part in [
        "Its clock is 1 h 1 min behind this server's",
        "Its secret is not that of the access key AKIA…STS0.",
        "Its access key AKIA…0000 is not known here.",
        "There is no cluster bleu in us-east-1.",
        "There is: default.",
        "Its registration was refused: attributes can have at most 500 items.",
    ] {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
    assert!(!said.contains("AKIASOMEBODYELSE0000"), "{said}");
    let from_here: Value = serde_json::from_str(&doctor(
        &server,
        &["--machine", "127.0.0.1", "--output", "json"],
    ))
    .unwrap();
    assert_eq!(
        from_here["contacts"].as_array().unwrap().len(),
        5,
        "{from_here}"
    );
    let (_, said) = ended(
        &["doctor", "agent", "--data-dir", &server.data_dir()],
        &[
            ("AWS_ACCESS_KEY_ID", own.0),
            ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ],
    );
    assert!(said.contains("InvalidSignatureException"), "{said}");
    assert!(!said.contains("bleu"), "a stranger saw it: {said}");
    server.finish();
}

#[test]
fn wrong_doors_are_explained() {
    let server = start();
    let mut stream = TcpStream::connect(server.address()).unwrap();
    // The head of a TLS handshake record.
    stream.write_all(&[22, 3, 1, 0, 5, 1, 0, 0, 1, 3]).unwrap();
    let _ = stream.read(&mut [0; 16]);
    says(&server, "It spoke TLS, and this port speaks plain HTTP.");
    let path = "/berth/acs/ws?containerInstanceArn=x&clusterArn=default";
    let refused = AgentSocket::open(server.address(), Key::TESTS, path);
    assert!(refused.is_err());
    says(&server, "There is no socket at that path");
    let unknown = instance(&server, "a").replace("/default/", "/other/");
    let unknown = format!("{}{}", &unknown[..unknown.len() - 32], "0".repeat(32));
    let refused = AgentSocket::acs(server.address(), Key::TESTS, "default", &unknown);
    assert!(refused.is_err());
    says(
        &server,
        "a container instance that this server does not know",
    );
    server.finish();
}

#[test]
fn plain_http_to_a_port_with_tls_is_explained_to_both_sides() {
    let folder = tempfile::tempdir().unwrap();
    berth_tests::make_certificates(folder.path());
    let at = |name: &str| folder.path().join(name).display().to_string();
    let data = at("data");
    let _server = Process::start(
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
        (ended(&[&["status"], &trusted[..]].concat(), &[]).0 == 0).then_some(())
    });
    let url = std::fs::read_to_string(folder.path().join("data/endpoint")).unwrap();
    let address = url.trim().trim_start_matches("https://");
    let answer = exchange(address, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(answer.status, 400);
    assert!(answer.body.contains("use https"), "{}", answer.body);
    let (code, said) = ended(&[&["doctor", "agent"], &trusted[..]].concat(), &[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("It spoke plain HTTP, and this port speaks TLS."),
        "{said}"
    );
}

#[test]
fn sockets_that_are_missing_closed_or_contended_are_explained() {
    let server = start();
    let arn = instance(&server, "a");
    let id = arn.rsplit('/').next().unwrap();
    let said = says(&server, "has not opened ACS since this server leads");
    assert!(said.contains(id), "{said}");
    let first = acs(&server, &arn);
    says(&server, "TCS is not open");
    let tcs = AgentSocket::tcs(server.address(), Key::TESTS, "default", &arn).unwrap();
    says(&server, "TCS is open");
    let second = acs(&server, &arn);
    says(
        &server,
        "A newer connection took over as the same instance, from 127.0.0.1.",
    );
    drop(first);
    // Nobody reads here, so pings are not answered.
    wait_for("the silent socket to be closed", UNANSWERED, || {
        let said = doctor(&server, &[&arn]);
        let told =
            said.contains("pings were not answered") && said.contains("ACS has not been open");
        told.then_some(())
    });
    drop((second, tcs));
    let gone = json!({ "containerInstance": arn, "force": true });
    Caller::of(&server).call("DeregisterContainerInstance", &gone);
    let refused = AgentSocket::acs(server.address(), Key::TESTS, "default", &arn);
    assert!(refused.is_err());
    let said = doctor(&server, &[id]);
    assert!(said.contains("It is deregistered."), "{said}");
    assert!(said.contains("a stock agent is silent"), "{said}");
    server.finish();
}

#[test]
fn an_agent_of_ours_with_a_wrong_secret_is_found() {
    let server = start();
    let folder = tempfile::tempdir().unwrap();
    let (data, url) = (
        folder.path().join("data").display().to_string(),
        server.url(),
    );
    let _agent = Process::start(
        &[
            "agent",
            "--server",
            &url,
            "--cluster",
            "default",
            "--runtime",
            "simulated",
            "--data-dir",
            &data,
        ],
        &[
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", "wrong"),
        ],
        &folder.path().join("log"),
    );
    let said = says(&server, "Its secret is not that of the access key");
    assert!(said.contains("agent berth-agent/"), "{said}");
    server.finish();
}
