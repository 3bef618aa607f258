//! Telemetry from end to end: what agents publish is in `berth top`, in `/metrics` and in the
//! API's health, and lies are in none of them.

use std::time::Duration;

use berth_tests::{AgentSocket, Caller, Docker, IMAGE, Key, SOON, Server, Spec, ended, wait_for};
use serde_json::{Value, json};

/// Agents publish every 20 s, and the use of CPU is known from the second time on.
const TWO_PUBLICATIONS: Duration = Duration::from_secs(90);
/// A check each five seconds, one retry, and a publication; on a busy machine a check takes long.
const FLAP: Duration = Duration::from_secs(180);

/// `berth top` of this server, as a program reads it.
fn top(server: &Server, more: &[&str]) -> Value {
    let arguments = ["top", "--data-dir", &server.data_dir(), "--output", "json"];
    let (code, said) = ended(&[&arguments[..], more].concat(), &own_key());
    assert_eq!(code, 0, "{said}");
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}: {said}"))
}

fn own_key() -> [(&'static str, &'static str); 2] {
    [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
    ]
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("no text: {value}"))
        .to_owned()
}

/// A metric with these labels, if there is one.
fn metric(server: &Server, name: &str, labels: &[&str]) -> Option<f64> {
    let (_, said) = server.get("/metrics");
    let is_meant = |line: &&str| {
        line.starts_with(&format!("{name}{{")) && labels.iter().all(|label| line.contains(label))
    };
    let line = said.lines().find(is_meant)?;
    line.rsplit(' ').next()?.parse().ok()
}

#[test]
fn a_container_that_burns_cpu_shows_up() {
    let docker = Docker::get();
    let spec = Spec::dev(&["--agent-cpu", "1024", "--agent-memory", "1024"]);
    let server = docker
        .serving(spec.env("BERTH_METRICS_DETAIL", "task"))
        .start();
    let aws = server.aws();
    let containers = json!([{
        "name": "burn", "image": IMAGE, "cpu": 256, "memory": 64,
        "command": ["sh", "-c", "trap 'exit 0' TERM; while :; do :; done"], "stopTimeout": 2,
    }, {
        "name": "rest", "image": IMAGE, "memory": 32, "stopTimeout": 2,
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
    }]);
    let register = ["ecs", "register-task-definition", "--family", "burn"];
    let _ = aws.run(
        &[
            &register[..],
            &["--container-definitions", &containers.to_string()],
        ]
        .concat(),
    );
    let create = [
        "ecs",
        "create-service",
        "--service-name",
        "hot",
        "--task-definition",
        "burn",
    ];
    let _ = aws.run(
        &[
            &create[..],
            &["--desired-count", "1", "--launch-type", "EC2"],
        ]
        .concat(),
    );

    let usage = wait_for("the use to be known", TWO_PUBLICATIONS, || {
        let usage = top(&server, &[]);
        let known = usage["tasks"][0]["cpu"]["used"].is_number()
            && usage["services"][0]["cpu"]["utilization"].is_number();
        known.then_some(usage)
    });
    let (task, service) = (&usage["tasks"][0], &usage["services"][0]);
    let cluster = &usage["clusters"][0];
    assert_eq!(task["service"], "hot", "{usage}");
    assert_eq!(
        (&service["service"], &service["desired"]),
        (&json!("hot"), &json!(1))
    );
    assert_eq!(
        (&cluster["cluster"], &cluster["running"]),
        (&json!("default"), &json!(1))
    );
    assert_eq!(task["cpu"]["reserved"], json!(256.0));
    // A loop has a core of its own unless others want it as well: on a busy machine a hundredth.
    let used = task["cpu"]["used"].as_f64().unwrap();
    assert!((10.0..4096.0).contains(&used), "{usage}");
    let memory = task["memory"]["used"].as_f64().unwrap();
    assert!((0.1..96.0).contains(&memory), "{usage}");
    let utilization = service["cpu"]["utilization"].as_f64().unwrap();
    assert!(utilization > 3.9, "{usage}");
    assert!(task["network"]["receivedPerSecond"].is_number(), "{usage}");

    let (code, said) = ended(&["top", "--data-dir", &server.data_dir()], &[]);
    assert_eq!(code, 0, "{said}");
    let starts = |word: &str| said.lines().any(|line| line.starts_with(word));
    assert!(
        starts("CLUSTER") && starts("default") && starts("hot"),
        "{said}"
    );
    let other = top(&server, &["--service", "cold"]);
    assert_eq!(
        (&other["services"], &other["tasks"]),
        (&json!([]), &json!([]))
    );

    let labels = ["cluster=\"default\"", "service=\"hot\""];
    let percent = metric(&server, "berth_service_cpu_utilization_percent", &labels);
    assert!(percent.is_some_and(|percent| percent > 3.9), "{percent:?}");
    let running = [&labels[..], &["status=\"running\""]].concat();
    assert_eq!(metric(&server, "berth_service_tasks", &running), Some(1.0));
    let id = format!("task=\"{}\"", text(&task["task"]));
    let bytes = metric(&server, "berth_task_memory_used_bytes", &[&id]);
    assert!(bytes.is_some_and(|bytes| bytes > 100_000.0), "{bytes:?}");

    let update = [
        "ecs",
        "update-service",
        "--service",
        "hot",
        "--desired-count",
        "0",
    ];
    let _ = aws.run(&update);
    wait_for("the task to be gone", SOON, || {
        (top(&server, &[])["tasks"] == json!([])).then_some(())
    });
    server.finish();
}

#[test]
fn health_that_flaps_is_followed() {
    let docker = Docker::get();
    let spec = Spec::dev(&["--agent-cpu", "1024", "--agent-memory", "512"]);
    let server = docker.serving(spec).start();
    let aws = server.aws();
    let containers = json!([{
        "name": "main", "image": IMAGE, "memory": 32, "stopTimeout": 2,
        "command": ["sh", "-c", "trap 'exit 0' TERM; sleep 600 & wait"],
        "healthCheck": { "command": ["CMD-SHELL", "test ! -e /tmp/sick"], "interval": 5,
                         "timeout": 60, "retries": 1, "startPeriod": 0 },
    }]);
    let register = ["ecs", "register-task-definition", "--family", "flap"];
    let _ = aws.run(
        &[
            &register[..],
            &["--container-definitions", &containers.to_string()],
        ]
        .concat(),
    );
    let started = aws.run(&["ecs", "run-task", "--task-definition", "flap"]);
    let task = text(&started["tasks"][0]["taskArn"]);
    let wait_until = |health: &str| {
        wait_for(&format!("the task to be {health}"), FLAP, || {
            let seen = aws.run(&["ecs", "describe-tasks", "--tasks", &task])["tasks"][0].clone();
            assert_ne!(seen["lastStatus"], "STOPPED", "{seen}");
            let container = &seen["containers"][0];
            let both = seen["healthStatus"] == health && container["healthStatus"] == health;
            both.then(|| text(&container["runtimeId"]))
        })
    };
    let container = wait_until("HEALTHY");
    for (command, health) in [
        ("touch", "UNHEALTHY"),
        ("rm", "HEALTHY"),
        ("touch", "UNHEALTHY"),
    ] {
        let _ = docker.run(&["exec", &container, command, "/tmp/sick"]);
        wait_until(health);
    }
    let _ = aws.run(&["ecs", "stop-task", "--task", &task]);
    server.finish();
}

/// A server with two instances and a task on each, which their agents have not been told of.
struct Field {
    server: Server,
    instances: Vec<String>,
    tasks: Vec<String>,
}

impl Field {
    fn start(spec: Spec) -> Field {
        let server = Key::TESTS.taken_by(spec).start();
        let mut caller = Caller::of(&server);
        caller.call("CreateCluster", &json!({}));
        let container = json!({ "name": "main", "image": "image", "cpu": 512, "memory": 64 });
        let definition = json!({ "family": "family", "containerDefinitions": [container] });
        caller.call("RegisterTaskDefinition", &definition);
        let (mut instances, mut tasks) = (Vec::new(), Vec::new());
        for token in ["one", "two"] {
            let resource =
                |name: &str| json!({ "name": name, "type": "INTEGER", "integerValue": 4096 });
            let registration = json!({
                "cluster": "default", "clientToken": token,
                "totalResources": [
                    resource("CPU"), resource("MEMORY"),
                    { "name": "PORTS", "type": "STRINGSET", "stringSetValue": [] },
                    { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
                ],
            });
            let answer = caller.call("RegisterContainerInstance", &registration);
            let instance = text(&answer["containerInstance"]["containerInstanceArn"]);
            let input = json!({ "taskDefinition": "family", "containerInstances": [instance] });
            let answer = caller.call("StartTask", &input);
            tasks.push(text(&answer["tasks"][0]["taskArn"]));
            instances.push(instance);
        }
        Field {
            server,
            instances,
            tasks,
        }
    }

    fn tcs(&self, instance: usize) -> AgentSocket {
        let (address, arn) = (self.server.address(), &self.instances[instance]);
        let opened = AgentSocket::tcs(address, Key::TESTS, "default", arn);
        opened.unwrap_or_else(|refusal| panic!("{refusal:?}"))
    }

    fn publish(&self, socket: &mut AgentSocket, instance: usize, tasks: &[Value]) {
        let message = json!({
            "metadata": { "cluster": "default", "containerInstance": self.instances[instance],
                          "messageId": "1", "idle": false, "fin": true },
            "taskMetrics": tasks, "timestamp": 1_700_000_000.5,
        });
        assert!(socket.send("PublishMetricsRequest", &message));
        socket.expect("AckPublishMetric");
    }

    fn ignored(&self, reason: &str) -> f64 {
        let label = format!("reason=\"{reason}\"");
        metric(&self.server, "berth_telemetry_ignored_total", &[&label]).unwrap_or(0.0)
    }

    fn health(&self, instance: usize) -> Value {
        let input = json!({ "containerInstances": [self.instances[instance]],
                            "include": ["CONTAINER_INSTANCE_HEALTH"] });
        let answer = Caller::of(&self.server).call("DescribeContainerInstances", &input);
        answer["containerInstances"][0]["healthStatus"].clone()
    }
}

fn used(task: &str, percent: f64) -> Value {
    let set = |value: f64| json!({ "min": value, "max": value, "sum": value, "sampleCount": 1 });
    json!({
        "taskArn": task, "taskDefinitionFamily": "family", "taskDefinitionVersion": "1",
        "containerMetrics": [{ "containerName": "main", "cpuStatsSet": set(percent),
                               "memoryStatsSet": set(48.0) }],
    })
}

#[test]
fn lies_are_counted_and_seen_nowhere() {
    let field = Field::start(Spec::serve(&[]));
    let mut liar = field.tcs(0);
    field.publish(&mut liar, 0, &[used(&field.tasks[1], 99.0)]);
    field.publish(&mut liar, 1, &[used(&field.tasks[0], 99.0)]);
    field.publish(&mut liar, 0, &[used(&field.tasks[0], -5.0)]);
    field.publish(&mut liar, 0, &vec![used("arn:aws:ecs:nowhere", 99.0); 500]);
    for (reason, count) in [
        ("foreign_task", 1.0),
        ("foreign_instance", 1.0),
        ("bad_figure", 1.0),
        ("unknown_task", 500.0),
    ] {
        assert_eq!(field.ignored(reason), count, "{reason}");
    }
    // Of what it said of its own task, the memory can be.
    let usage = top(&field.server, &[]);
    let tasks = usage["tasks"].as_array().unwrap();
    assert!(
        tasks.iter().all(|task| task["cpu"]["used"].is_null()),
        "{usage}"
    );
    assert_eq!(usage["clusters"][0]["memory"]["used"], json!(48.0));
    let mut honest = field.tcs(1);
    // 12.5 % of 4096 units are as much as is reserved.
    field.publish(&mut honest, 1, &[used(&field.tasks[1], 12.5)]);
    let usage = wait_for("the honest agent's figures", SOON, || {
        let usage = top(&field.server, &[]);
        (usage["clusters"][0]["cpu"]["used"] == json!(512.0)).then_some(usage)
    });
    assert_eq!(
        usage["tasks"][0]["cpu"]["utilization"],
        json!(100.0),
        "{usage}"
    );
    field.server.finish();
}

#[test]
fn the_health_of_an_instance_is_what_its_agent_says() {
    let field = Field::start(Spec::serve(&[]));
    let unknown = json!({ "overallStatus": "INSUFFICIENT_DATA",
        "details": [{ "type": "CONTAINER_RUNTIME", "status": "INSUFFICIENT_DATA" }] });
    assert_eq!(field.health(0), unknown);
    let (address, arn) = (field.server.address(), &field.instances[0]);
    let acs = AgentSocket::acs(address, Key::TESTS, "default", arn).unwrap();
    let mut tcs = field.tcs(0);
    for (status, reason) in [("OK", None), ("IMPAIRED", Some("docker hangs"))] {
        let message = json!({
            "metadata": { "cluster": "default", "containerInstance": arn, "requestId": "1" },
            "statuses": [{ "type": "ContainerRuntime", "status": status,
                "lastUpdated": 1_700_000_000.5, "lastStatusChange": 1_600_000_000.25,
                "statusReason": reason }],
            "timestamp": 1_700_000_000.5,
        });
        assert!(tcs.send("PublishInstanceStatusRequest", &message));
        tcs.expect("AckPublishInstanceStatus");
        let seen = wait_for("the instance's health", SOON, || {
            let seen = field.health(0);
            (seen["overallStatus"] == status).then_some(seen)
        });
        let detail = &seen["details"][0];
        assert_eq!(detail["type"], "CONTAINER_RUNTIME");
        assert_eq!(detail["lastUpdated"], json!(1_700_000_000.5));
        assert_eq!(detail["lastStatusChange"], json!(1_600_000_000.25));
        assert_eq!(detail["statusReason"], json!(reason));
    }
    drop(acs);
    wait_for("the agent to be away", SOON, || {
        (field.health(0) == unknown).then_some(())
    });
    field.server.finish();
}

#[test]
fn use_is_told_to_owners_and_names_to_whom_the_operator_likes() {
    let field = Field::start(Spec::serve(&["--metrics-detail", "server"]));
    let ask = [
        "top",
        "--data-dir",
        &field.server.data_dir(),
        "--output",
        "json",
    ];
    let wrong = [
        ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
        ("AWS_SECRET_ACCESS_KEY", "wrong"),
    ];
    let (code, said) = ended(&ask, &wrong);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("InvalidSignatureException"), "{said}");
    let (_, said) = field.server.get("/metrics");
    assert!(said.contains("berth_agents_connected"), "{said}");
    assert!(!said.contains("cluster=\""), "{said}");
    field.server.finish();
}
