//! Requests that almost make sense: valid ones of every served operation, changed at random, over
//! the real endpoint. Whatever comes back is an answer of the protocol, and never a defect's.
//!
//! `BERTH_TEST_FUZZ_SECONDS` says for how long (20 when it is not set), `BERTH_TEST_SEED` which.

mod services;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

use berth_tests::{Answer, Server, Spec, api_request, chance, exchange, project_root};
use serde_json::{Value, json};

/// What memory may grow by; the issue's own figure.
const GROWTH_MAX: u64 = 256 * 1024 * 1024;
/// Changes made to one request at most.
const CHANGES_MAX: u64 = 4;

/// The services by their name in the corpus, with what stands before an operation in the target
/// and the heading under which the page of served operations lists theirs.
const SERVICES: [(&str, &str, &str); 2] = [
    (
        "ecs",
        "AmazonEC2ContainerServiceV20141113",
        "Amazon EC2 Container Service",
    ),
    ("logs", "Logs_20140328", "Amazon CloudWatch Logs"),
];

fn number(name: &str, otherwise: u64) -> u64 {
    #[expect(clippy::disallowed_methods, reason = "how long to test is said there")]
    let named = std::env::var(name).ok();
    named.map_or(otherwise, |text| text.parse().expect("a number"))
}

struct Request {
    service: &'static str,
    operation: &'static str,
    input: Value,
}

/// Valid requests of all operations that are served, over things of these names.
fn corpus(instance: &str, task: &str) -> Vec<Request> {
    let cluster = "arn:aws:ecs:us-east-1:000000000000:cluster/default";
    let tags = json!([{ "key": "k", "value": "v" }]);
    let strategy = json!([{ "capacityProvider": "FARGATE", "base": 1, "weight": 1 }]);
    let filter = json!({ "cluster": "default", "maxResults": 10 });
    let mut ecs = vec![
        (
            "CreateCluster",
            json!({
                "clusterName": "made", "tags": tags,
                "settings": [{ "name": "containerInsights", "value": "enabled" }],
                "configuration": { "executeCommandConfiguration": { "logging": "DEFAULT" } },
                "capacityProviders": ["FARGATE"], "defaultCapacityProviderStrategy": strategy,
            }),
        ),
        (
            "DescribeClusters",
            json!({
                "clusters": ["default", cluster],
                "include": ["ATTACHMENTS", "CONFIGURATIONS", "SETTINGS", "STATISTICS", "TAGS"],
            }),
        ),
        ("ListClusters", json!({ "maxResults": 2 })),
        (
            "UpdateCluster",
            json!({
                "cluster": "default",
                "settings": [{ "name": "containerInsights", "value": "disabled" }],
            }),
        ),
        (
            "UpdateClusterSettings",
            json!({
                "cluster": "default",
                "settings": [{ "name": "containerInsights", "value": "disabled" }],
            }),
        ),
        (
            "PutClusterCapacityProviders",
            json!({
                "cluster": "default", "capacityProviders": ["FARGATE", "FARGATE_SPOT"],
                "defaultCapacityProviderStrategy": strategy,
            }),
        ),
        (
            "DescribeCapacityProviders",
            json!({
                "capacityProviders": ["FARGATE"], "include": ["TAGS"], "maxResults": 5,
            }),
        ),
        ("DeleteCluster", json!({ "cluster": "made" })),
        ("RegisterTaskDefinition", full_definition(&tags)),
        (
            "DescribeTaskDefinition",
            json!({
                "taskDefinition": "family:1", "include": ["TAGS"],
            }),
        ),
        (
            "ListTaskDefinitions",
            json!({
                "familyPrefix": "family", "status": "ACTIVE", "sort": "DESC", "maxResults": 3,
            }),
        ),
        (
            "ListTaskDefinitionFamilies",
            json!({
                "familyPrefix": "f", "status": "ALL", "maxResults": 3,
            }),
        ),
        (
            "DeregisterTaskDefinition",
            json!({ "taskDefinition": "family:2" }),
        ),
        (
            "DeleteTaskDefinitions",
            json!({ "taskDefinitions": ["family:2"] }),
        ),
        (
            "RunTask",
            json!({
                "cluster": "default", "taskDefinition": "family", "count": 2, "launchType": "EC2",
                "clientToken": "t", "group": "g", "startedBy": "s", "tags": tags,
                "propagateTags": "TASK_DEFINITION", "enableECSManagedTags": true,
                "placementStrategy": [{ "type": "spread", "field": "attribute:ecs.availability-zone" }],
                "placementConstraints": [{
                    "type": "memberOf",
                    "expression": "attribute:ecs.os-type == linux and task:group != other",
                }],
                "overrides": {
                    "cpu": "64", "memory": "64",
                    "containerOverrides": [{
                        "name": "main", "command": ["a"], "cpu": 1, "memory": 8,
                        "environment": [{ "name": "A", "value": "b" }],
                    }],
                },
            }),
        ),
        (
            "RunTask",
            json!({
                "taskDefinition": "family", "capacityProviderStrategy": strategy,
                "platformVersion": "LATEST",
                "networkConfiguration": { "awsvpcConfiguration": {
                    "subnets": ["subnet-1"], "securityGroups": ["sg-1"], "assignPublicIp": "DISABLED",
                } },
            }),
        ),
        (
            "StartTask",
            json!({
                "taskDefinition": "family:1", "containerInstances": [instance], "startedBy": "s",
            }),
        ),
        ("StopTask", json!({ "task": task, "reason": "because" })),
        (
            "DescribeTasks",
            json!({ "tasks": [task], "include": ["TAGS"] }),
        ),
        (
            "ListTasks",
            json!({
                "family": "family", "desiredStatus": "RUNNING", "containerInstance": instance,
            }),
        ),
        ("ListTasks", filter.clone()),
        (
            "RegisterContainerInstance",
            json!({
                "cluster": "default", "clientToken": "again", "tags": tags,
                "totalResources": [
                    { "name": "CPU", "type": "INTEGER", "integerValue": 4096 },
                    { "name": "MEMORY", "type": "INTEGER", "integerValue": 4096 },
                    { "name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22"] },
                    { "name": "PORTS_UDP", "type": "STRINGSET", "stringSetValue": [] },
                ],
                "attributes": [{ "name": "ecs.os-type", "value": "linux" }],
                "versionInfo": { "agentVersion": "1.90.0", "agentHash": "0", "dockerVersion": "25" },
                "instanceIdentityDocument": "{\"instanceId\":\"i-1\",\"region\":\"us-east-1\"}",
            }),
        ),
        (
            "DescribeContainerInstances",
            json!({
                "containerInstances": [instance],
                "include": ["TAGS", "CONTAINER_INSTANCE_HEALTH"],
            }),
        ),
        (
            "ListContainerInstances",
            json!({
                "filter": "attribute:ecs.os-type == linux and registeredAt < 2030-01-01T00:00Z",
                "status": "ACTIVE", "maxResults": 10,
            }),
        ),
        (
            "UpdateContainerInstancesState",
            json!({
                "containerInstances": [instance], "status": "ACTIVE",
            }),
        ),
        (
            "UpdateContainerAgent",
            json!({ "containerInstance": instance }),
        ),
        (
            "DeregisterContainerInstance",
            json!({ "containerInstance": "nobody", "force": true }),
        ),
        (
            "PutAttributes",
            json!({
                "attributes": [{ "name": "a", "value": "v", "targetId": instance,
                    "targetType": "container-instance" }],
            }),
        ),
        (
            "ListAttributes",
            json!({
                "targetType": "container-instance", "attributeName": "a", "attributeValue": "v",
            }),
        ),
        (
            "DeleteAttributes",
            json!({ "attributes": [{ "name": "a", "targetId": instance }] }),
        ),
        (
            "TagResource",
            json!({ "resourceArn": cluster, "tags": tags }),
        ),
        (
            "UntagResource",
            json!({ "resourceArn": cluster, "tagKeys": ["k"] }),
        ),
        ("ListTagsForResource", json!({ "resourceArn": cluster })),
        (
            "PutAccountSetting",
            json!({ "name": "containerInsights", "value": "enabled" }),
        ),
        (
            "PutAccountSettingDefault",
            json!({ "name": "taskLongArnFormat", "value": "enabled" }),
        ),
        (
            "DeleteAccountSetting",
            json!({ "name": "containerInsights" }),
        ),
        (
            "ListAccountSettings",
            json!({
                "name": "containerInsights", "effectiveSettings": true, "maxResults": 3,
            }),
        ),
        (
            "DiscoverPollEndpoint",
            json!({ "containerInstance": instance, "cluster": "default" }),
        ),
        (
            "SubmitTaskStateChange",
            json!({
                "cluster": "default", "task": task, "status": "RUNNING", "reason": "r",
                "containers": [{
                    "containerName": "main", "status": "RUNNING", "exitCode": 0, "runtimeId": "r",
                    "imageDigest": "sha256:0",
                    "networkBindings": [{
                        "bindIP": "0.0.0.0", "containerPort": 80, "hostPort": 40000,
                        "protocol": "tcp", "containerPortRange": "1-2", "hostPortRange": "1-2",
                    }],
                }],
                "pullStartedAt": 1_700_000_000.5, "pullStoppedAt": 1_700_000_001,
                "executionStoppedAt": 1_700_000_002,
                "berthAddress": { "ip": "10.0.0.1", "mac": "02:00:00:00:00:01" },
            }),
        ),
        (
            "SubmitContainerStateChange",
            json!({
                "cluster": "default", "task": task, "containerName": "main", "status": "RUNNING",
                "exitCode": 0, "networkBindings": [],
            }),
        ),
        (
            "SubmitAttachmentStateChanges",
            json!({
                "cluster": "default",
                "attachments": [{ "attachmentArn": "arn:aws:ecs:::attachment/x", "status": "ATTACHED" }],
            }),
        ),
    ];
    ecs.extend(services::requests(task, &tags));
    let (group, stream) = ("group", "stream");
    let name = json!({ "logGroupName": group, "logStreamName": stream });
    let arn = "arn:aws:logs:us-east-1:000000000000:log-group:group";
    let logs = vec![
        (
            "CreateLogGroup",
            json!({ "logGroupName": "made", "tags": { "k": "v" } }),
        ),
        (
            "CreateLogStream",
            json!({ "logGroupName": group, "logStreamName": "made" }),
        ),
        ("DeleteLogGroup", json!({ "logGroupName": "made" })),
        (
            "DeleteLogStream",
            json!({ "logGroupName": group, "logStreamName": "made" }),
        ),
        (
            "DescribeLogGroups",
            json!({ "logGroupNamePrefix": "g", "limit": 5 }),
        ),
        (
            "DescribeLogStreams",
            json!({
                "logGroupName": group, "orderBy": "LastEventTime", "descending": true, "limit": 5,
            }),
        ),
        (
            "PutLogEvents",
            json!({
                "logGroupName": group, "logStreamName": stream,
                "logEvents": [{ "timestamp": 1_700_000_000_000_u64, "message": "line" }],
            }),
        ),
        (
            "GetLogEvents",
            json!({
                "logGroupName": group, "logStreamName": stream, "startTime": 0,
                "endTime": 4_000_000_000_000_u64, "startFromHead": true, "limit": 10,
            }),
        ),
        (
            "FilterLogEvents",
            json!({
                "logGroupName": group, "logStreamNames": [stream], "filterPattern": "\"a b\" ?c -d",
                "startTime": 0, "limit": 10,
            }),
        ),
        (
            "PutRetentionPolicy",
            json!({ "logGroupName": group, "retentionInDays": 30 }),
        ),
        ("DeleteRetentionPolicy", json!({ "logGroupName": group })),
        (
            "TagResource",
            json!({ "resourceArn": arn, "tags": { "k": "v" } }),
        ),
        (
            "UntagResource",
            json!({ "resourceArn": arn, "tagKeys": ["k"] }),
        ),
        ("ListTagsForResource", json!({ "resourceArn": arn })),
        ("CreateLogStream", name),
    ];
    let of = |service| {
        move |(operation, input)| Request {
            service,
            operation,
            input,
        }
    };
    let ecs = ecs.into_iter().map(of("ecs"));
    ecs.chain(logs.into_iter().map(of("logs"))).collect()
}

fn full_definition(tags: &Value) -> Value {
    let mut main = container();
    let members = main.as_object_mut().expect("it is an object");
    members.extend(
        more_of_container()
            .as_object()
            .expect("it is an object")
            .clone(),
    );
    json!({
        "family": "family", "networkMode": "bridge", "requiresCompatibilities": ["EC2"],
        "cpu": "128", "memory": "256", "tags": tags, "pidMode": "task", "ipcMode": "none",
        "taskRoleArn": "arn:aws:iam::000000000000:role/r",
        "placementConstraints": [{ "type": "memberOf", "expression": "attribute:a =~ b.*" }],
        "volumes": [
            { "name": "data", "host": { "sourcePath": "/data" } },
            { "name": "docker", "dockerVolumeConfiguration": {
                "scope": "shared", "autoprovision": true, "driver": "local",
                "driverOpts": { "a": "b" }, "labels": { "c": "d" },
            } },
        ],
        "containerDefinitions": [main, { "name": "side", "image": "image", "memory": 16, "essential": false }],
    })
}

fn container() -> Value {
    json!({
            "name": "main", "image": "image:tag", "cpu": 10, "memory": 64,
            "memoryReservation": 32, "essential": true, "entryPoint": ["a"], "command": ["b"],
            "portMappings": [
                { "containerPort": 80, "hostPort": 0, "protocol": "tcp", "name": "http" },
                { "containerPortRange": "100-110", "protocol": "udp" },
            ],
            "environment": [{ "name": "A", "value": "b" }],
            "environmentFiles": [{ "type": "s3", "value": "arn:aws:s3:::bucket/file.env" }],
            "mountPoints": [{ "sourceVolume": "data", "containerPath": "/d", "readOnly": true }],
            "volumesFrom": [{ "sourceContainer": "side", "readOnly": false }]})
}

fn more_of_container() -> Value {
    json!({"linuxParameters": {
            "capabilities": { "add": ["NET_ADMIN"], "drop": ["ALL"] }, "initProcessEnabled": true,
            "devices": [{ "hostPath": "/dev/null", "permissions": ["read"] }],
            "sharedMemorySize": 64, "maxSwap": 64, "swappiness": 10,
            "tmpfs": [{ "containerPath": "/t", "size": 8, "mountOptions": ["rw"] }],
        },
        "dependsOn": [{ "containerName": "side", "condition": "START" }],
        "startTimeout": 10, "stopTimeout": 10, "hostname": "h", "user": "1:1",
        "workingDirectory": "/", "privileged": false, "readonlyRootFilesystem": true,
        "dnsServers": ["10.0.0.1"], "dnsSearchDomains": ["a.b"],
        "extraHosts": [{ "hostname": "h", "ipAddress": "10.0.0.2" }],
        "dockerSecurityOptions": ["no-new-privileges"], "interactive": true,
        "pseudoTerminal": true, "dockerLabels": { "a": "b" },
        "ulimits": [{ "name": "nofile", "softLimit": 10, "hardLimit": 20 }],
        "logConfiguration": { "logDriver": "awslogs", "options": {
            "awslogs-group": "g", "awslogs-region": "us-east-1", "awslogs-stream-prefix": "p",
        } },
        "healthCheck": {
            "command": ["CMD-SHELL", "true"], "interval": 5, "timeout": 2, "retries": 1,
            "startPeriod": 1,
        },
        "systemControls": [{ "namespace": "net.core.somaxconn", "value": "1" }],
        "resourceRequirements": [{ "type": "GPU", "value": "1" }],
        "restartPolicy": { "enabled": true, "ignoredExitCodes": [0], "restartAttemptPeriod": 60 },
    })
}

/// Numbers below a bound.
type Chance<'a> = &'a mut dyn FnMut(u64) -> u64;

fn pick(chance: Chance<'_>, count: usize) -> usize {
    usize::try_from(chance(count as u64)).expect("a small number")
}

/// A value that hardly anybody expects in place of this one; mostly of the same type, so that it
/// gets past the decoder.
fn odd(usual: &Value, chance: Chance<'_>) -> Value {
    let numbers = [
        json!(0),
        json!(-1),
        json!(1),
        json!(i32::MAX),
        json!(i32::MIN),
        json!(i64::MAX),
        json!(i64::MIN),
        json!(u64::MAX),
        json!(1e308),
        json!(-1e308),
        json!(0.1),
        json!(1e17),
    ];
    let texts = [
        "",
        " ",
        "*",
        ":",
        "/",
        "a/b/c",
        "default",
        "-",
        "\u{1}",
        "\u{feff}",
        "ümläut",
        "🦀",
        "../../etc/passwd",
        "0",
        "-1",
        "99999999999999999999",
        "1-65535",
        "65535-1",
        "null",
        "arn:aws:ecs:us-east-1:000000000000:cluster/",
        "arn:::::",
        "arn:aws:ecs:::task/a/b",
        "arn:aws:ecs:us-east-1:999999999999:task/x/0123456789abcdef0123456789abcdef",
        "attribute:a ==",
        "((((((((((",
        "not not not",
        "a =~ (x+x+)+y",
        "task:group in [",
        "family:0",
        "family:99999999999",
        "family:-1",
        ":1",
        "2030-01-01T00:00:00Z",
    ];
    let kind = match usual {
        Value::Bool(_) if chance(4) > 0 => 1,
        Value::Number(_) if chance(4) > 0 => 2,
        Value::String(_) if chance(8) > 0 => 4 + 2 * (chance(4) / 3),
        Value::Array(_) if chance(4) > 0 => 7,
        _ => chance(9),
    };
    match kind {
        0 => Value::Null,
        1 => json!(chance(2) == 0),
        2 | 3 => numbers[pick(chance, numbers.len())].clone(),
        4 | 5 => json!(texts[pick(chance, texts.len())]),
        6 => json!("x".repeat(pick(chance, 5000))),
        7 => json!(vec![texts[pick(chance, texts.len())]; pick(chance, 300)]),
        _ => json!({ texts[pick(chance, texts.len())]: numbers[pick(chance, numbers.len())] }),
    }
}

/// Changes one value somewhere within.
fn change(value: &mut Value, chance: Chance<'_>) {
    match value {
        Value::Object(members) if !members.is_empty() && chance(6) > 0 => {
            let index = pick(chance, members.len());
            let name = members
                .keys()
                .nth(index)
                .expect("it is below the length")
                .clone();
            match chance(12) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert(format!("{name}s"), odd(&Value::Null, chance))),
                _ => change(&mut members[&name], chance),
            }
        }
        Value::Array(values) if !values.is_empty() && chance(6) > 0 => {
            let index = pick(chance, values.len());
            match chance(12) {
                0 => drop(values.remove(index)),
                1 => {
                    let copies = pick(chance, 200);
                    let copied = values[index].clone();
                    values.extend(std::iter::repeat_n(copied, copies));
                }
                _ => change(&mut values[index], chance),
            }
        }
        value => *value = odd(value, chance),
    }
}

/// Changes bytes, as a broken link would.
fn garble(body: &mut Vec<u8>, chance: Chance<'_>) {
    for _ in 0..=chance(CHANGES_MAX) {
        if body.is_empty() {
            return;
        }
        let at = pick(chance, body.len());
        match chance(4) {
            0 => body.truncate(at),
            1 => drop(body.remove(at)),
            2 => body.insert(at, b"{}[]\",:\\0"[pick(chance, 9)]),
            _ => body[at] = u8::try_from(chance(256)).expect("it is below 256"),
        }
    }
}

fn send(server: &Server, request: &Request, body: &[u8]) -> Answer {
    let prefix = SERVICES.iter().find(|(name, ..)| *name == request.service);
    let (_, prefix, _) = prefix.expect("the corpus names services that are there");
    let target = format!("{prefix}.{}", request.operation);
    let whole = api_request(request.operation, &[("X-Amz-Target", &target)], body);
    exchange(server.address(), &whole).expect("the server answers")
}

/// What the page of served operations lists.
fn served(heading: &str) -> BTreeSet<String> {
    let page = fs::read_to_string(project_root().join("docs/compatibility.md"));
    let page = page.expect("the page is checked in");
    let section = page
        .split("\n## ")
        .find(|section| section.starts_with(heading));
    let rows = section.expect("the service has a section").lines();
    rows.filter_map(|row| Some(row.strip_prefix("| ")?.strip_suffix(" | yes |")?.to_owned()))
        .collect()
}

#[test]
fn requests_that_almost_make_sense_get_an_answer_of_the_protocol() {
    let seconds = number("BERTH_TEST_FUZZ_SECONDS", 20);
    let seed = number("BERTH_TEST_SEED", 7);
    println!("{seconds} s, seed {seed}");
    let server = Spec::dev(&["--agents", "0"]).start();
    let (instance, task) = furnish(&server);
    let corpus = corpus(&instance, &task);
    for (service, _, heading) in SERVICES {
        let of_service = corpus.iter().filter(|request| request.service == service);
        let covered: BTreeSet<String> = of_service.map(|r| r.operation.to_owned()).collect();
        assert_eq!(covered, served(heading), "operations of {service}");
    }
    let mut answers: BTreeMap<String, u64> = BTreeMap::new();
    // Unchanged, each is understood: most succeed, and the others are about what is not there.
    for request in &corpus {
        let answer = send(&server, request, request.input.to_string().as_bytes());
        let fault = answer.fault().0;
        assert!(
            answer.status == 200 || fault != "SerializationException",
            "{answer:?}"
        );
    }
    let idle_bytes = server.resident_bytes();
    let mut chance = chance(seed);
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is bounded by the real clock"
    )]
    let end = Instant::now() + Duration::from_secs(seconds);
    #[expect(
        clippy::disallowed_methods,
        reason = "the test is bounded by the real clock"
    )]
    while Instant::now() < end {
        let request = &corpus[pick(&mut chance, corpus.len())];
        let mut input = request.input.clone();
        for _ in 0..=chance(CHANGES_MAX) {
            change(&mut input, &mut chance);
        }
        let mut body = input.to_string().into_bytes();
        if chance(5) == 0 {
            garble(&mut body, &mut chance);
        }
        let answer = send(&server, request, &body);
        let named = || format!("{} {}", request.operation, String::from_utf8_lossy(&body));
        assert!(answer.status < 500, "{}: {answer:?}", named());
        let parsed: Result<Value, _> = serde_json::from_str(&answer.body);
        let understood = parsed.is_ok() || (answer.status == 200 && answer.body.is_empty());
        assert!(understood, "{}: {answer:?}", named());
        let said = if answer.status == 200 {
            "ok".to_owned()
        } else {
            answer.fault().0
        };
        assert!(!said.is_empty(), "{}: {answer:?}", named());
        *answers.entry(said).or_default() += 1;
    }
    println!("{answers:?}");
    let grown = server.resident_bytes().saturating_sub(idle_bytes);
    assert!(grown < GROWTH_MAX, "memory grew by {} MiB", grown >> 20);
    // What was taken in can be read back by the next process.
    let mut server = server;
    assert_eq!(server.metric("berth_panics_total"), 0.0);
    server.kill();
    server.restart();
    server.finish();
}

/// Makes an instance, a task on it, a log group and a stream; the ARNs of the first two.
fn furnish(server: &Server) -> (String, String) {
    let call = |service, operation, input: Value| -> Value {
        let request = Request {
            service,
            operation,
            input,
        };
        let answer = send(server, &request, request.input.to_string().as_bytes());
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        serde_json::from_str(&answer.body).unwrap_or_default()
    };
    call("ecs", "CreateCluster", json!({}));
    let found = corpus("none", "none");
    let register = found
        .into_iter()
        .find(|r| r.operation == "RegisterContainerInstance");
    let mut registration = register.expect("it is served").input;
    registration["clientToken"] = json!("first");
    let instance = call("ecs", "RegisterContainerInstance", registration);
    let instance = &instance["containerInstance"]["containerInstanceArn"];
    let simple = json!({
        "family": "family",
        "containerDefinitions": [{ "name": "main", "image": "image", "memory": 8 }],
    });
    for _ in 0..3 {
        call("ecs", "RegisterTaskDefinition", simple.clone());
    }
    let start = json!({ "taskDefinition": "family:1", "containerInstances": [instance] });
    let started = call("ecs", "StartTask", start);
    for service in [
        json!({ "serviceName": "service", "taskDefinition": "family:1", "desiredCount": 1 }),
        json!({ "serviceName": "external", "deploymentController": { "type": "EXTERNAL" } }),
    ] {
        call("ecs", "CreateService", service);
    }
    call("logs", "CreateLogGroup", json!({ "logGroupName": "group" }));
    let stream = json!({ "logGroupName": "group", "logStreamName": "stream" });
    call("logs", "CreateLogStream", stream);
    let text = |value: &Value| value.as_str().expect("an ARN").to_owned();
    (text(instance), text(&started["tasks"][0]["taskArn"]))
}
