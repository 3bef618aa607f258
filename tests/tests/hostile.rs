//! Those who mean harm, and those who are broken in the same way: sockets that never say
//! anything, and agents that lie, repeat themselves or flood. Requests that almost make sense are in
//! `fuzz.rs`, bodies that make none in `cluster/bad_input.rs`.
//!
//! Every test ends with the same demands: no panic was counted, memory stayed within bounds, and
//! the server still serves.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use berth_tests::{AgentSocket, Caller, Key, Server, Spec, api_request, exchange, wait_for};
use serde_json::{Value, json};

/// What memory may grow by; the issue's own figure.
const GROWTH_MAX: u64 = 256 * 1024 * 1024;
/// Sockets that say nothing, or not all.
const HALF_OPEN: usize = 10_000;
/// File descriptors that a test needs beside those sockets.
const OWN_FILES: u64 = 200;
/// How long the server may keep a socket that does not say what it wants: its own time-out of
/// 10 s for a head, a busy machine, and sockets that all end at once.
const PATIENCE_MAX: Duration = Duration::from_secs(60);
/// The protocol's close for those who break its rules.
const CLOSE_POLICY: u16 = 1008;
/// The protocol's close for what is too long.
const CLOSE_TOO_BIG: u16 = 1009;

/// A server under attack.
struct Target {
    server: Server,
    idle_bytes: u64,
}

impl Target {
    fn start(spec: Spec) -> Target {
        let server = Key::TESTS.taken_by(spec).start();
        Caller::of(&server).call("CreateCluster", &json!({}));
        let idle_bytes = server.resident_bytes();
        Target { server, idle_bytes }
    }

    fn caller(&self) -> Caller {
        Caller::of(&self.server)
    }

    fn check_memory(&self) {
        let grown = self.server.resident_bytes().saturating_sub(self.idle_bytes);
        assert!(grown < GROWTH_MAX, "memory grew by {} MiB", grown >> 20);
    }

    fn end(self) {
        self.check_memory();
        self.caller().call("ListClusters", &json!({}));
        self.caller()
            .call("CreateCluster", &json!({ "clusterName": "last" }));
        self.server.finish();
    }

    /// An instance of the default cluster.
    fn register(&self, token: &str) -> Instance {
        let registered = self
            .caller()
            .call("RegisterContainerInstance", &registration(token));
        Instance {
            arn: text(&registered["containerInstance"]["containerInstanceArn"]),
            address: self.server.address().to_owned(),
            cluster: cluster_arn(),
        }
    }

    /// A task on this instance, which its agent has not been told of yet.
    fn task(&self, instance: &Instance) -> String {
        let mut caller = self.caller();
        caller.call("RegisterTaskDefinition", &definition());
        let input = json!({ "taskDefinition": "family", "containerInstances": [instance.arn] });
        let started = caller.call("StartTask", &input);
        text(&started["tasks"][0]["taskArn"])
    }

    fn described(&self, task: &str) -> Value {
        let found = self
            .caller()
            .call("DescribeTasks", &json!({ "tasks": [task] }));
        found["tasks"][0].clone()
    }
}

struct Instance {
    arn: String,
    address: String,
    cluster: String,
}

impl Instance {
    fn connect(&self) -> AgentSocket {
        let opened = AgentSocket::acs(&self.address, Key::TESTS, &self.cluster, &self.arn);
        opened.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    fn refused(&self) -> (u16, String) {
        refusal(AgentSocket::acs(
            &self.address,
            Key::TESTS,
            &self.cluster,
            &self.arn,
        ))
    }
}

fn cluster_arn() -> String {
    "arn:aws:ecs:us-east-1:000000000000:cluster/default".to_owned()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

fn definition() -> Value {
    let container = json!({ "name": "main", "image": "image", "memory": 8 });
    json!({ "family": "family", "containerDefinitions": [container] })
}

fn registration(token: &str) -> Value {
    let resource = |name: &str| json!({ "name": name, "type": "INTEGER", "integerValue": 4096 });
    json!({
        "cluster": "default",
        "clientToken": token,
        "totalResources": [
            resource("CPU"),
            resource("MEMORY"),
            { "name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"] },
            { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
        ],
        "versionInfo": { "agentVersion": "1.90.0", "agentHash": "0", "dockerVersion": "25" },
    })
}

/// Status and exception of an upgrade that must be refused.
fn refusal(opened: Result<AgentSocket, berth_tests::Refusal>) -> (u16, String) {
    match opened {
        Ok(_) => panic!("the socket was opened"),
        Err(refusal) => {
            let body: Value = serde_json::from_str(&refusal.body).expect("a refusal is JSON");
            (refusal.status, text(&body["type"]))
        }
    }
}

/// Lets this process hold so many files, or says why not.
fn allow_files(count: u64) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_some_and(|current| current < count) {
        let wanted = Rlimit {
            current: Some(count),
            maximum,
        };
        setrlimit(Resource::Nofile, wanted)
            .unwrap_or_else(|error| panic!("{count} files, of {maximum:?}: {error}"));
    }
}

#[test]
fn ten_thousand_half_open_sockets_do_not_keep_others_out() {
    let target = Target::start(Spec::serve(&[]));
    allow_files(HALF_OPEN as u64 + OWN_FILES);
    let mut sockets = Vec::with_capacity(HALF_OPEN);
    for number in 0..HALF_OPEN {
        let mut socket = TcpStream::connect(target.server.address()).expect("it listens");
        // Some say nothing, some a part of a head, some a head without its body.
        let part: &[u8] = match number % 3 {
            0 => b"",
            1 => b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Amz-Tar",
            _ => b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n{\"",
        };
        socket.write_all(part).expect("the server reads");
        sockets.push(socket);
        if number % 1000 == 999 {
            #[expect(clippy::disallowed_methods, reason = "others are not kept waiting")]
            let begun = Instant::now();
            target.caller().call("ListClusters", &json!({}));
            let took = begun.elapsed();
            assert!(took < Duration::from_secs(2), "{number} sockets: {took:?}");
            target.check_memory();
        }
    }
    // The server hangs up on all of them by itself.
    wait_for("the server to let go of them", PATIENCE_MAX, || {
        let open = target.server.metric("berth_connections");
        (open < 10.0).then_some(())
    });
    drop(sockets);
    target.end();
}

#[test]
fn heads_and_bodies_that_trickle_are_cut_off() {
    let target = Target::start(Spec::serve(&[]));
    let head = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n";
    for (what, said, more) in [
        ("a head", "POST / HTTP/1.1\r\nX-Long: ".to_owned(), "y"),
        ("headers", "POST / HTTP/1.1\r\n".to_owned(), "X-A: b\r\n"),
        ("a body", format!("{head}\r\n"), " "),
    ] {
        let mut socket = TcpStream::connect(target.server.address()).expect("it listens");
        socket
            .set_read_timeout(Some(Duration::from_millis(200)))
            .expect("it can be set");
        socket.write_all(said.as_bytes()).expect("the server reads");
        // One byte now and then, so that it never is silent for long.
        wait_for(&format!("the end of {what}"), PATIENCE_MAX, || {
            let written = socket.write_all(more.as_bytes());
            let mut answer = [0; 1024];
            let read = socket.read(&mut answer);
            let ended = matches!(read, Ok(0)) || written.is_err();
            let broken = read.is_err_and(|error| {
                !matches!(
                    error.kind(),
                    std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
                )
            });
            (ended || broken).then_some(())
        });
    }
    target.end();
}

#[test]
fn heads_of_too_many_or_too_long_headers_are_refused() {
    let target = Target::start(Spec::serve(&[]));
    let many: String = (0..100_000).map(|n| format!("X-{n}: y\r\n")).collect();
    let long = format!("X-Long: {}\r\n", "y".repeat(8 << 20));
    for header in [many, long] {
        let request = format!("POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n{header}\r\n");
        if let Ok(answer) = exchange(target.server.address(), request.as_bytes()) {
            assert_eq!(answer.status, 431, "{}", answer.head);
        }
    }
    target.end();
}

#[test]
fn garbage_behind_a_request_ends_its_connection_alone() {
    let target = Target::start(Spec::serve(&[]));
    let good = api_request("ListClusters", &[("Connection", "keep-alive")], b"{}");
    for garbage in [
        b"\0\x01\x02\x03 garbage \xff\xfe\r\n\r\n".as_slice(),
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let mut socket = TcpStream::connect(target.server.address()).expect("it listens");
        socket
            .set_read_timeout(Some(PATIENCE_MAX))
            .expect("it can be set");
        let _ = socket.write_all(&[good.as_slice(), good.as_slice(), garbage].concat());
        let mut answers = Vec::new();
        let _ = socket.read_to_end(&mut answers);
        let answers = String::from_utf8_lossy(&answers);
        let count = answers.matches("HTTP/1.1 ").count();
        assert!(
            (2..=3).contains(&count),
            "{count} answers to two requests: {answers}"
        );
    }
    target.end();
}

#[test]
fn an_instance_that_is_not_the_callers_opens_no_socket() {
    let target = Target::start(Spec::serve(&[]));
    let own = target.register("own");
    let named = |arn: &str| Instance {
        arn: arn.to_owned(),
        address: own.address.clone(),
        cluster: own.cluster.clone(),
    };
    let id = own.arn.rsplit('/').next().expect("an ARN has parts");
    let unknown = own.arn.replace(id, &"0".repeat(32));
    let account = own.arn.replace("000000000000", "111111111111");
    let region = own.arn.replace("us-east-1", "eu-west-1");
    let long = format!("{}{}", own.arn, "a".repeat(5_000));
    for (what, arn, status, name) in [
        ("unknown", unknown.as_str(), 400, "InvalidInstanceException"),
        ("of another account", &account, 400, "AccessDeniedException"),
        ("of another region", &region, 400, "AccessDeniedException"),
        ("no ARN", "nonsense", 400, "InvalidInstanceException"),
        ("empty", "", 400, "InvalidInstanceException"),
        ("a cluster", &cluster_arn(), 400, "InvalidInstanceException"),
        ("endless", &long, 400, "InvalidInstanceException"),
    ] {
        assert_eq!(named(arn).refused(), (status, name.to_owned()), "{what}");
    }
    for key in [
        Key {
            id: "AKIANOBODYSKEY000000",
            ..Key::TESTS
        },
        Key {
            secret: "forged",
            ..Key::TESTS
        },
    ] {
        let opened = AgentSocket::acs(&own.address, key, &own.cluster, &own.arn);
        assert_eq!(refusal(opened), (403, "AccessDeniedException".to_owned()));
    }

    let mut socket = own.connect();
    let gone = json!({ "containerInstance": own.arn, "force": true });
    target.caller().call("DeregisterContainerInstance", &gone);
    let (code, reason) = socket.end().expect("a close");
    assert_eq!(code, CLOSE_POLICY);
    assert!(reason.contains("InactiveInstanceException"), "{reason}");
    let again = own.refused();
    assert_eq!(again, (400, "InactiveInstanceException".to_owned()));
    let tcs = AgentSocket::tcs(&own.address, Key::TESTS, &own.cluster, &own.arn);
    assert_eq!(refusal(tcs), (400, "InactiveInstanceException".to_owned()));
    target.end();
}

#[test]
fn the_newer_of_two_sockets_counts() {
    let target = Target::start(Spec::serve(&[]));
    let instance = target.register("one");
    let mut old = instance.connect();
    old.expect("TaskManifestMessage");
    let mut new = instance.connect();
    new.expect("TaskManifestMessage");
    let (code, _) = old.end().expect("a close");
    assert_eq!(code, CLOSE_POLICY);
    // The end of the older one does not count as the instance's.
    let task = target.task(&instance);
    let payload = new.expect("PayloadMessage");
    assert_eq!(payload["tasks"][0]["arn"], json!(task));
    assert_eq!(target.server.metric("berth_agents_connected"), 1.0);
    let query = json!({ "containerInstances": [instance.arn] });
    let found = target.caller().call("DescribeContainerInstances", &query);
    assert_eq!(found["containerInstances"][0]["agentConnected"], true);
    target.end();
}

#[test]
fn messages_that_are_stale_repeated_or_made_up_change_nothing() {
    let target = Target::start(Spec::serve(&[]));
    let instance = target.register("one");
    let task = target.task(&instance);
    let mut socket = instance.connect();
    let payload = socket.expect("PayloadMessage");
    let message_id = payload["messageId"].clone();
    let ack = |id: &Value| {
        json!({
            "messageId": id, "cluster": instance.cluster, "containerInstance": instance.arn,
        })
    };
    for id in [
        message_id.clone(),
        message_id.clone(),
        json!("0"),
        json!("-1"),
        json!("nonsense"),
        json!("9223372036854775808"),
        json!(""),
        Value::Null,
    ] {
        assert!(socket.send("AckRequest", &ack(&id)));
        assert!(socket.send("NackRequest", &ack(&id)));
        assert!(socket.send("HeartbeatAckRequest", &json!({ "messageId": id })));
        let credentials = json!({ "messageId": id, "credentialsId": "x", "expiration": "never" });
        assert!(socket.send("IAMRoleCredentialsAckRequest", &credentials));
        // Stopping what nobody asked to be stopped, by manifests that were never sent.
        let candidates = json!({
            "messageId": id, "stopCandidates": [{ "taskArn": task, "desiredStatus": "STOPPED" }],
        });
        assert!(socket.send("TaskStopVerificationMessage", &candidates));
    }
    // A manifest that was sent; its answer asks to stop what shall run, and confirms nothing.
    let manifest = socket.expect("TaskManifestMessage");
    let foreign = "arn:aws:ecs:eu-west-1:111111111111:task/other/0123456789abcdef0123456789abcdef";
    let candidates = json!({
        "messageId": manifest["messageId"],
        "stopCandidates": [
            { "taskArn": task }, { "taskArn": foreign }, { "taskArn": "nonsense" },
            { "taskArn": "" }, {},
        ],
    });
    assert!(socket.send("TaskStopVerificationMessage", &candidates));
    let confirmed = socket.expect("TaskStopVerificationAck");
    assert_eq!(confirmed["stopTasks"], json!([]), "{confirmed}");
    assert_eq!(target.described(&task)["desiredStatus"], "RUNNING");
    target.end();
}

#[test]
fn frames_that_are_no_messages_are_borne_for_a_while() {
    let target = Target::start(Spec::serve(&[]));
    let instance = target.register("one");
    let other = target.register("two");
    let mut bystander = other.connect();
    bystander.expect("TaskManifestMessage");

    let deep = format!(
        "{{\"type\":\"AckRequest\",\"message\":{}",
        "[".repeat(100_000)
    );
    let mut socket = instance.connect();
    for frame in [
        "",
        "{",
        "null",
        "[]",
        "\"text\"",
        "{}",
        "{\"type\":1}",
        "{\"type\":\"NoSuchType\"}",
        "{\"type\":\"AckRequest\",\"message\":7}",
        "{\"type\":\"AckRequest\",\"message\":[]}",
        "{\"type\":\"AckRequest\",\"message\":{\"messageId\":{}}}",
        deep.as_str(),
    ] {
        assert!(socket.send_text(frame), "{frame:.60}");
    }
    assert!(socket.send_bytes(b"\xff\xfe\0"));
    // It still listens.
    let task = target.task(&instance);
    let payload = socket.expect("PayloadMessage");
    assert_eq!(payload["tasks"][0]["arn"], json!(task));

    // Nothing but garbage, as fast as it goes, is too much.
    let mut socket = instance.connect();
    while socket.send_text("garbage") {}
    let end = socket.end();
    assert!(end.is_none_or(|(code, _)| code == CLOSE_POLICY));

    // So is a frame of many megabytes.
    let mut socket = instance.connect();
    let long = json!({ "messageId": "x".repeat(16 << 20) });
    let _ = socket.send("AckRequest", &long);
    let end = socket.end();
    assert!(end.is_none_or(|(code, _)| code == CLOSE_TOO_BIG));

    let task = target.task(&other);
    let payload = bystander.expect("PayloadMessage");
    assert_eq!(payload["tasks"][0]["arn"], json!(task));
    target.end();
}

#[test]
fn an_agent_that_floods_is_closed_and_others_do_not_notice() {
    let target = Target::start(Spec::serve(&[]));
    let (instance, other) = (target.register("one"), target.register("two"));
    let mut bystander = other.connect();
    bystander.expect("TaskManifestMessage");
    let mut flooding = instance.connect();
    let message = json!({ "messageId": "1", "cluster": "c", "containerInstance": "i" });
    let mut sent = 0_u64;
    // At least 10,000 messages each second; the server gives up on it well before the last.
    while sent < 200_000 && flooding.send("AckRequest", &message) {
        sent += 1;
    }
    assert!(sent < 200_000, "nobody minded {sent} messages");
    if let Some((code, _)) = flooding.end() {
        assert_eq!(code, CLOSE_POLICY);
    }
    let task = target.task(&other);
    let payload = bystander.expect("PayloadMessage");
    assert_eq!(payload["tasks"][0]["arn"], json!(task));
    // It may come back, and is treated like any other.
    instance.connect().expect("TaskManifestMessage");
    target.end();
}

#[test]
fn a_flood_of_telemetry_is_closed_too() {
    let target = Target::start(Spec::serve(&[]));
    let instance = target.register("one");
    let opened = AgentSocket::tcs(
        &instance.address,
        Key::TESTS,
        &instance.cluster,
        &instance.arn,
    );
    let mut socket = opened.unwrap_or_else(|refusal| panic!("{refusal:?}"));
    let message = json!({ "metadata": { "messageId": "m" }, "taskMetrics": [] });
    let mut sent = 0_u64;
    while sent < 200_000 && socket.send("PublishMetricsRequest", &message) {
        sent += 1;
    }
    assert!(sent < 200_000, "nobody minded {sent} messages");
    if let Some((code, _)) = socket.end() {
        assert_eq!(code, CLOSE_POLICY);
    }
    target.end();
}

/// A report for this task.
fn report(target: &Target, task: &str, more: Value) -> berth_tests::Answer {
    let mut report = json!({ "cluster": "default", "task": task });
    let members = report.as_object_mut().expect("it is an object");
    members.extend(more.as_object().expect("it is an object").clone());
    let answer = target.caller().ask("SubmitTaskStateChange", &report);
    answer.expect("the server answers")
}

#[test]
fn an_agent_that_lies_about_tasks_only_gets_its_own_wrong() {
    let target = Target::start(Spec::serve(&[]));
    let instance = target.register("one");
    let task = target.task(&instance);

    // Tasks that are nobody's.
    let id = task.rsplit('/').next().expect("an ARN has parts");
    let invented = task.replace(id, &"f".repeat(32));
    for (arn, status) in [
        (invented.as_str(), 200),
        ("0123456789abcdef0123456789abcdef", 200),
        (
            "arn:aws:ecs:us-east-1:111111111111:task/default/0123456789abcdef0123456789abcdef",
            400,
        ),
        ("arn:aws:iam::000000000000:role/x", 400),
        ("arn:nonsense", 400),
        ("", 400),
    ] {
        let answer = report(&target, arn, json!({ "status": "RUNNING" }));
        assert_eq!(answer.status, status, "{arn}: {}", answer.body);
    }
    let endless = report(
        &target,
        &"t".repeat(100_000),
        json!({ "status": "RUNNING" }),
    );
    assert!(endless.status < 500, "{}", endless.body);

    // Ports beyond all ports, by the thousand.
    let ports: Vec<Value> = (0..20_000)
        .map(|n| json!({ "hostPort": n * 7 - 100, "containerPort": n, "protocol": "tcp" }))
        .collect();
    let mut ranges: Vec<Value> = (0..50)
        .map(|_| json!({ "hostPortRange": "1-65535", "containerPortRange": "1-65535" }))
        .collect();
    for range in ["65535-1", "-1-5", "0-99999999999", "x-y", "1-2-3", ""] {
        ranges.push(json!({ "hostPortRange": range, "containerPortRange": range }));
    }
    for bindings in [ports, ranges] {
        let containers = json!([{
            "containerName": "main", "status": "RUNNING", "networkBindings": bindings,
            "exitCode": 2_147_483_647, "runtimeId": "r".repeat(10_000),
            "reason": "x".repeat(100_000),
        }, { "containerName": "no such container", "status": "STOPPED", "exitCode": -1 }]);
        let answer = report(
            &target,
            &task,
            json!({ "status": "RUNNING", "containers": containers }),
        );
        assert!(answer.status < 500, "{}", answer.body);
    }
    let running = json!({
        "status": "RUNNING",
        "containers": [{ "containerName": "main", "status": "RUNNING" }],
        "pullStartedAt": -1e300, "pullStoppedAt": 1e300, "executionStoppedAt": 1e17,
    });
    let answer = report(&target, &task, running);
    assert!(answer.status < 500, "{}", answer.body);
    target.described(&task);

    // From the end there is no way back.
    let stopped = json!({
        "status": "STOPPED",
        "containers": [{ "containerName": "main", "status": "STOPPED", "exitCode": 3 }],
    });
    assert_eq!(report(&target, &task, stopped).status, 200);
    let ended = target.described(&task);
    assert_eq!(ended["lastStatus"], "STOPPED");
    for status in ["PENDING", "RUNNING", "STOPPED"] {
        let containers = json!([{ "containerName": "main", "status": status, "exitCode": 0 }]);
        let again = json!({ "status": status, "containers": containers, "reason": "undead" });
        assert_eq!(report(&target, &task, again).status, 200);
    }
    assert_eq!(target.described(&task), ended);
    target.end();
}

#[test]
fn registering_twice_is_registering_once() {
    let target = Target::start(Spec::serve(&[]));
    let first = target.register("token");
    for _ in 0..20 {
        assert_eq!(target.register("token").arn, first.arn);
    }
    let address = target.server.address().to_owned();
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let address = address.clone();
            std::thread::spawn(move || {
                let answer =
                    Caller::at(&address).call("RegisterContainerInstance", &registration("both"));
                text(&answer["containerInstance"]["containerInstanceArn"])
            })
        })
        .collect();
    let mut arns: Vec<String> = threads
        .into_iter()
        .map(|t| t.join().expect("no panic"))
        .collect();
    arns.dedup();
    assert_eq!(arns.len(), 1, "{arns:?}");
    let listed = target.caller().call("ListContainerInstances", &json!({}));
    assert_eq!(
        listed["containerInstanceArns"].as_array().map(Vec::len),
        Some(2)
    );
    let bad = json!([{ "name": "CPU", "type": "INTEGER", "integerValue": -5 }]);
    for (member, value) in [
        ("totalResources", bad),
        ("containerInstanceArn", json!("nonsense")),
        (
            "attributes",
            json!([{ "name": "n".repeat(1000), "value": "v" }]),
        ),
        ("cluster", json!("n".repeat(256))),
        (
            "versionInfo",
            json!({ "agentVersion": "v".repeat(500_000) }),
        ),
    ] {
        let mut input = registration("bad");
        input[member] = value;
        let answer = target.caller().ask("RegisterContainerInstance", &input);
        let answer = answer.expect("the server answers");
        assert!(answer.status < 500, "{member}: {}", answer.body);
    }
    target.end();
}

#[test]
fn a_name_of_256_characters_is_refused_wherever_a_name_can_stand() {
    let target = Target::start(Spec::serve(&[]));
    let mut caller = target.caller();
    let name = "n".repeat(256);
    let container = json!([{ "name": "main", "image": "image", "memory": 8 }]);
    let invalid = ["InvalidParameterException", "ClientException"];
    for (operation, input) in [
        ("CreateCluster", json!({ "clusterName": name })),
        (
            "RegisterTaskDefinition",
            json!({ "family": name, "containerDefinitions": container }),
        ),
        (
            "RegisterTaskDefinition",
            json!({
                "family": "f",
                "containerDefinitions": [{ "name": name, "image": "image", "memory": 8 }],
            }),
        ),
        (
            "TagResource",
            json!({ "resourceArn": cluster_arn(), "tags": [{ "key": name, "value": "v" }] }),
        ),
        (
            "RunTask",
            json!({ "taskDefinition": "f", "startedBy": name }),
        ),
        (
            "RunTask",
            json!({ "taskDefinition": "f", "clientToken": name }),
        ),
    ] {
        let (code, status) = caller.refused(operation, &input);
        assert!(invalid.contains(&code.as_str()), "{operation}: {code}");
        assert_eq!(status, 400, "{operation}");
    }
    target.end();
}
