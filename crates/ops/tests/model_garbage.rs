//! Requests of the model's own shapes with any values, to operations on a control plane that has
//! something of everything: an answer or a fault of the client's, never a fault of ours.

mod caller;

use caller::{Bench, CALLER_ARN, SCOPE};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The operations on tasks, instances and logs, and what a report of an agent's can carry.
const OPERATIONS: &[&str] = &[
    "DeleteAttributes",
    "DeregisterContainerInstance",
    "DescribeContainerInstances",
    "DescribeTasks",
    "DiscoverPollEndpoint",
    "ListAttributes",
    "ListContainerInstances",
    "ListTasks",
    "PutAttributes",
    "RegisterContainerInstance",
    "RunTask",
    "StartTask",
    "StopTask",
    "SubmitAttachmentStateChanges",
    "SubmitContainerStateChange",
    "SubmitTaskStateChange",
    "UpdateContainerAgent",
    "UpdateContainerInstancesState",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:DeleteLogGroup",
    "logs:DeleteLogStream",
    "logs:DeleteRetentionPolicy",
    "logs:DescribeLogGroups",
    "logs:DescribeLogStreams",
    "logs:FilterLogEvents",
    "logs:GetLogEvents",
    "logs:ListTagsForResource",
    "logs:PutLogEvents",
    "logs:PutRetentionPolicy",
    "logs:TagResource",
    "logs:UntagResource",
];

/// Texts that mean something somewhere; `$task` and the like stand for what is there.
const TEXTS: &[&str] = &[
    "",
    "a",
    "default",
    "$task",
    "$task",
    "$instance",
    "$instance",
    "web",
    "web",
    "vpc:1",
    "app",
    "g",
    "s",
    "PENDING",
    "RUNNING",
    "STOPPED",
    "DRAINING",
    "0123456789abcdef0123456789abcdef",
    "01234567-89ab-cdef-0123-456789abcdef",
    "arn:aws:ecs:us-east-1:123456789012:task/default/",
    "arn:aws:logs:us-east-1:123456789012:log-group:g",
    "arn:",
    "CPU",
    "MEMORY",
    "PORTS",
    "22",
    "65536",
    "1-65535",
    "65535-1",
    "0-0",
    "subnet-1",
    "sg-1",
    "256",
    "1e999 vCPU",
    "attribute:a =~ (a*)*",
    "not (not (task:group == web))",
    "cpu",
    "attribute:x",
    "ERROR ?x -y \"z",
    "f/00000000000000000000000170406720000000000000000000000001/s",
    "b/00000000000000000000000000000000000099999999999999999999/s",
    "LATEST",
    "ä\u{1F600}\u{0}",
    "berth.capacity",
    "fargate",
];

/// What fits the member of a name: given most of the time, so that requests get far.
const FITTING: &[(&str, &str)] = &[
    ("cluster", "default"),
    ("containerInstance", "$instance"),
    ("containerInstances", "$instance"),
    ("containerName", "app"),
    ("logGroupName", "g"),
    ("logStreamName", "s"),
    ("name", "app"),
    (
        "resourceArn",
        "arn:aws:logs:us-east-1:123456789012:log-group:g",
    ),
    ("subnets", "subnet-1"),
    ("targetId", "$instance"),
    ("task", "$task"),
    ("taskDefinition", "web"),
    ("tasks", "$task"),
];

/// Numbers at the edges of ranges.
const NUMBERS: &[i64] = &[
    0,
    1,
    2,
    3,
    10,
    100,
    1_704_067_200_000,
    65_535,
    65_536,
    -1,
    i32::MAX as i64,
    i32::MIN as i64,
    i64::MAX,
    i64::MIN,
];

/// Choices, made beforehand so that a failing case shrinks; when they run out, the first one.
struct Choices<'a>(std::slice::Iter<'a, u16>);

impl Choices<'_> {
    fn below(&mut self, count: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % count.max(1)
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

/// How deep a structure nests before its members are left out.
const DEPTH_MAX: usize = 5;

/// A value of `shape` for the member called `name`.
fn value(
    model: &Value,
    (name, shape): (&str, &str),
    depth: usize,
    choices: &mut Choices<'_>,
) -> Value {
    let fitting = FITTING.iter().find(|(of, _)| *of == name);
    let fitting = fitting
        .filter(|_| choices.below(20) < 19)
        .map(|(_, text)| *text);
    let shape = &model["shapes"][shape];
    // A member is its shape's name, or a structure that has it.
    let inner = |member: &Value| {
        let named = member.as_str().or(member["shape"].as_str());
        named.expect("a member has a shape").to_owned()
    };
    match shape["type"].as_str().unwrap_or_default() {
        "structure" if depth < DEPTH_MAX => {
            let mut members = Map::new();
            for (name, member) in shape["members"].as_object().into_iter().flatten() {
                let fits = FITTING.iter().any(|(of, _)| of == name);
                if choices.below(20) < if fits { 19 } else { 3 } {
                    let value = value(model, (name, &inner(member)), depth + 1, choices);
                    members.insert(name.clone(), value);
                }
            }
            Value::Object(members)
        }
        "structure" => json!({}),
        "list" => {
            let element = inner(&shape["member"]);
            let count = *choices.of(&[0, 1, 1, 2, 12]);
            let each = |_| value(model, (name, &element), depth + 1, choices);
            Value::from_iter((0..count).map(each).collect::<Vec<_>>())
        }
        "map" => json!({ *choices.of(TEXTS): *choices.of(TEXTS) }),
        "boolean" => json!(choices.below(2) == 0),
        "integer" => json!(i32::try_from(*choices.of(NUMBERS)).unwrap_or(7)),
        "long" => json!(*choices.of(NUMBERS)),
        "float" | "double" | "timestamp" => {
            json!(*choices.of(&[0.0, -1.5, 1_704_067_200.25, 2e11]))
        }
        "string" | "blob" => match shape["enum"].as_array() {
            Some(known) if choices.below(10) > 0 => choices.of(known).clone(),
            Some(_) | None => {
                let any = *choices.of(TEXTS);
                json!(fitting.unwrap_or(any))
            }
        },
        other => panic!("{other} is a new kind of shape"),
    }
}

fn model(service: &str) -> Value {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api-models");
    let raw = std::fs::read_to_string(folder.join(service).join("model.json"));
    let raw = raw.expect("the model is there");
    serde_json::from_str(&raw).expect("the model is JSON")
}

/// A control plane with a cluster, definitions, an instance, a task and a log stream.
fn furnished() -> (Bench, String, String) {
    let bench = Bench::default();
    for (operation, body) in [
        ("CreateCluster", r#"{"capacityProviders": ["FARGATE"]}"#),
        (
            "RegisterTaskDefinition",
            r#"{"family": "web", "containerDefinitions": [{"name": "app", "image": "i",
                "memory": 1, "portMappings": [{"containerPort": 80}]}]}"#,
        ),
        (
            "RegisterTaskDefinition",
            r#"{"family": "vpc", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
                "containerDefinitions": [{"name": "app", "image": "i"}]}"#,
        ),
        ("logs:CreateLogGroup", r#"{"logGroupName": "g"}"#),
        (
            "logs:CreateLogStream",
            r#"{"logGroupName": "g", "logStreamName": "s"}"#,
        ),
    ] {
        bench.call(operation, body).expect("the furniture fits");
    }
    let registered = bench.call(
        "RegisterContainerInstance",
        r#"{"totalResources": [{"name": "CPU", "integerValue": 4096},
            {"name": "MEMORY", "integerValue": 8192}]}"#,
    );
    let instance =
        registered.expect("a machine registers")["containerInstance"]["containerInstanceArn"]
            .clone();
    let started = bench.call("RunTask", r#"{"taskDefinition": "web"}"#);
    let task = started.expect("there is room")["tasks"][0]["taskArn"].clone();
    let text = |value: Value| value.as_str().expect("an ARN").to_owned();
    (bench, text(task), text(instance))
}

proptest! {
    #[test]
    fn a_request_of_the_models_shape_is_never_a_fault_of_ours(
        calls in prop::collection::vec(
            (prop::sample::select(OPERATIONS), prop::collection::vec(any::<u16>(), 0..150)),
            1..20,
        ),
    ) {
        let models = [model("ecs"), model("logs")];
        let (bench, task, instance) = furnished();
        let scope = SCOPE.parse().unwrap();
        for (operation, choices) in calls {
            let (model, bare) = match operation.strip_prefix("logs:") {
                Some(bare) => (&models[1], bare),
                None => (&models[0], operation),
            };
            let input = model["operations"][bare]["input"].as_str().unwrap();
            let body = value(model, ("", input), 0, &mut Choices(choices.iter()));
            let body = body.to_string().replace("$task", &task).replace("$instance", &instance);
            let outcome = bench.call_as(&scope, CALLER_ARN, operation, &body).unwrap();
            if let Err(error) = outcome {
                prop_assert!(
                    (400..500).contains(&error.0.status),
                    "{operation} {body}: {error:?}"
                );
            }
            prop_assert_eq!(bench.world.panics(), 0, "{} {}", operation, body);
        }
        // What was saved reads back.
        prop_assert_eq!(bench.world.reloaded().revision, bench.world.snapshot().revision);
    }
}
