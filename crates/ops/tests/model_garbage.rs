//! Requests of the model's own shapes with any values, to a control plane that has something of
//! everything, while the controller of services looks at what came of them: an answer or a fault
//! that the model gives the operation, never a fault of ours.

mod caller;
mod plane;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use plane::Plane;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Texts that mean something somewhere; `$task` and the like stand for what is there.
const TEXTS: &[&str] = &[
    "",
    "a",
    "default",
    "$task",
    "$task",
    "$instance",
    "$instance",
    "$set",
    "$run",
    "$revision",
    "$hook",
    "svc",
    "ext",
    "racks",
    "racks",
    "FARGATE",
    "local",
    "http",
    "ecs-svc/1",
    "PAUSE",
    "containerInsights",
    "enabled",
    "arn:aws:ecs:us-east-1:123456789012:service/default/svc",
    "arn:aws:ecs:us-east-1:123456789012:cluster/default",
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
    ("capacityProvider", "racks"),
    ("cluster", "default"),
    ("containerInstance", "$instance"),
    ("containerInstances", "$instance"),
    ("containerName", "app"),
    ("logGroupName", "g"),
    ("logStreamName", "s"),
    ("hookId", "$hook"),
    ("name", "app"),
    ("primaryTaskSet", "$set"),
    (
        "resourceArn",
        "arn:aws:logs:us-east-1:123456789012:log-group:g",
    ),
    ("service", "svc"),
    ("serviceDeploymentArn", "$run"),
    ("serviceDeploymentArns", "$run"),
    ("serviceRevisionArns", "$revision"),
    ("services", "svc"),
    ("subnets", "subnet-1"),
    ("targetId", "$instance"),
    ("task", "$task"),
    ("taskDefinition", "web"),
    ("taskSet", "$set"),
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

static MODELS: LazyLock<[Value; 2]> = LazyLock::new(|| [model("ecs"), model("logs")]);

/// The faults that the model gives an operation, and that of a request that is none.
fn faults<'m>(model: &'m Value, operation: &str) -> BTreeSet<&'m str> {
    let errors = model["operations"][operation]["errors"].as_array();
    let errors = errors.into_iter().flatten().filter_map(Value::as_str);
    errors.chain(["SerializationException"]).collect()
}

/// The control plane of the other suites, with a log stream and a definition with an address.
fn furnished() -> Plane {
    let plane = Plane::default();
    for (operation, request) in [
        (
            "RegisterTaskDefinition",
            json!({"family": "vpc", "networkMode": "awsvpc", "cpu": "256", "memory": "512",
                "containerDefinitions": [{"name": "app", "image": "i"}]}),
        ),
        ("logs:CreateLogGroup", json!({"logGroupName": "g"})),
        (
            "logs:CreateLogStream",
            json!({"logGroupName": "g", "logStreamName": "s"}),
        ),
    ] {
        plane.call(operation, &request).expect("the furniture fits");
    }
    plane
}

fn operations() -> impl Strategy<Value = String> {
    let served = berth_ops::SERVED.iter();
    let names: Vec<String> = served
        .filter_map(|served| match served.service.name {
            "ecs" => Some(served.operation.to_owned()),
            "logs" => Some(format!("logs:{}", served.operation)),
            _ => None,
        })
        .collect();
    prop::sample::select(names)
}

proptest! {
    #[test]
    fn a_request_of_the_models_shape_is_never_a_fault_of_ours(
        calls in prop::collection::vec(
            (operations(), prop::collection::vec(any::<u16>(), 0..150), any::<bool>()),
            1..20,
        ),
    ) {
        let models = &*MODELS;
        let plane = furnished();
        for (operation, choices, looks) in calls {
            let (model, bare) = match operation.strip_prefix("logs:") {
                Some(bare) => (&models[1], bare),
                None => (&models[0], &*operation),
            };
            let input = model["operations"][bare]["input"].as_str();
            let request = input.map_or(json!({}), |input| {
                value(model, ("", input), 0, &mut Choices(choices.iter()))
            });
            if let Err((code, message)) = plane.call(&operation, &request) {
                prop_assert!(
                    faults(model, bare).contains(&*code) && code != "ServerException",
                    "{operation} {request}: {code}: {message}"
                );
            }
            if looks {
                plane.scheduler_looks();
            }
            prop_assert_eq!(plane.panics(), 0, "{} {}", operation, request);
        }
        // What was saved reads back.
        plane.assert_reloads();
    }
}
