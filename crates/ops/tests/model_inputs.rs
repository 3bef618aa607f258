//! Requests made from the model. For each operation that is served there is one valid request; to
//! that each member of the operation's input is added alone, and then each constraint of that
//! member is broken in turn. Whatever comes, the fault is one that the model gives the operation,
//! and never one of ours.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod caller;
mod plane;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use plane::{Plane, VALID};
use serde_json::{Map, Value, json};

/// What texts are made of: it fits every pattern of the model.
const FILL: &str = "1";

/// What fits the member of a name, so that a request gets past its decoding.
const FITTING: &[(&str, &str)] = &[
    ("cluster", "default"),
    ("containerInstance", "$instance"),
    ("service", "svc"),
    ("subnets", "subnet-1"),
    ("taskDefinition", "web"),
];

/// The model of Amazon ECS, and what of it is ours to say.
struct Model {
    model: Value,
    manifest: Value,
}

/// One member of an operation's input, in a request that has it.
struct Member {
    /// Where it stands, as a JSON pointer.
    pointer: String,
    shape: String,
    required: bool,
    request: Value,
}

impl Model {
    fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api-models/ecs");
        let read = |name: &str| {
            let text = std::fs::read_to_string(root.join(name)).unwrap();
            serde_json::from_str(&text).unwrap()
        };
        Self {
            model: read("model.json"),
            manifest: read("manifest.json"),
        }
    }

    fn shape(&self, name: &str) -> &Value {
        &self.model["shapes"][name]
    }

    fn input(&self, operation: &str) -> Option<&str> {
        self.model["operations"][operation]["input"].as_str()
    }

    /// The faults that the model gives an operation.
    fn faults(&self, operation: &str) -> BTreeSet<&str> {
        let errors = self.model["operations"][operation]["errors"].as_array();
        errors.unwrap().iter().filter_map(Value::as_str).collect()
    }

    /// The fault of a request that breaks a constraint of the model.
    fn invalid(&self, operation: &str) -> &str {
        let invalid = &self.manifest["invalidInput"];
        let own = invalid["codeOf"][operation].as_str();
        own.or(invalid["code"].as_str()).unwrap()
    }

    /// A value of a shape for the member `name`, with nothing in it that is not required.
    fn sample(&self, name: &str, shape: &str, above: &mut Vec<String>) -> Value {
        let body = self.shape(shape);
        let min = body["min"].as_u64().unwrap_or(0);
        match body["type"].as_str().unwrap() {
            "structure" => {
                let mut members = Map::new();
                above.push(shape.to_owned());
                let union = body["union"] == true;
                for (at, (member, usage)) in entries(&body["members"]).enumerate() {
                    if is_required(body, member) || (union && at == 0) {
                        let value = self.sample(member, used(usage), above);
                        members.insert(member.clone(), value);
                    }
                }
                above.pop();
                Value::Object(members)
            }
            "list" => {
                let element = self.sample(name, used(&body["member"]), above);
                Value::from(vec![element; usize::try_from(min).unwrap().max(1)])
            }
            "map" => json!({ FILL: FILL }),
            "string" => match body["enum"][0].as_str() {
                Some(value) => json!(value),
                None => {
                    let fitting = FITTING.iter().find(|(of, _)| *of == name);
                    let fill = FILL.repeat(usize::try_from(min).unwrap().max(1));
                    fitting.map_or(json!(fill), |(_, text)| json!(text))
                }
            },
            "integer" | "long" => json!(body["min"].as_i64().unwrap_or(1)),
            "float" | "double" => json!(body["min"].as_f64().unwrap_or(0.0) + 0.5),
            "boolean" => json!(true),
            "timestamp" => json!(1_704_067_200),
            "blob" => json!("aGVsbG8="),
            other => panic!("{shape} is a {other}"),
        }
    }

    /// Every member of an operation's input.
    fn members(&self, operation: &str, valid: &Value) -> Vec<Member> {
        let mut found = Vec::new();
        if let Some(input) = self.input(operation) {
            self.walk(input, "", valid, &mut vec![input.to_owned()], &mut found);
        }
        found
    }

    fn walk(
        &self,
        shape: &str,
        pointer: &str,
        request: &Value,
        above: &mut Vec<String>,
        found: &mut Vec<Member>,
    ) {
        let body = self.shape(shape);
        if body["document"] == true {
            return;
        }
        let inner: Vec<(&str, &str, bool)> = match body["type"].as_str().unwrap() {
            "structure" => entries(&body["members"])
                .map(|(name, usage)| (name.as_str(), used(usage), is_required(body, name)))
                .collect(),
            "list" => vec![("0", used(&body["member"]), false)],
            _ => Vec::new(),
        };
        for (name, inner, required) in inner {
            if above.iter().any(|known| known == inner) {
                continue;
            }
            let pointer = format!("{pointer}/{name}");
            let mut request = request.clone();
            if request.pointer(&pointer).is_none() {
                let value = self.sample(name, inner, above);
                set(&mut request, &pointer, Some(value));
            }
            found.push(Member {
                pointer: pointer.clone(),
                shape: inner.to_owned(),
                required,
                request: request.clone(),
            });
            above.push(inner.to_owned());
            self.walk(inner, &pointer, &request, above, found);
            above.pop();
        }
    }

    /// The values that break a constraint of a shape, each with the constraint's name; `None` takes
    /// the member away.
    fn broken(&self, member: &Member) -> Vec<(&'static str, Option<Value>)> {
        let body = self.shape(&member.shape);
        let kind = body["type"].as_str().unwrap();
        let mut broken = Vec::new();
        if member.required {
            broken.push(("required", None));
        }
        if body["enum"].is_array() {
            broken.push(("enum", Some(json!("NO_SUCH_VALUE"))));
        }
        if let Some(pattern) = body["pattern"].as_str() {
            let whole = regex::Regex::new(&format!("^(?:{pattern})$"));
            let text = ["\t", ":", "*"].into_iter().find(|text| {
                let whole = whole.as_ref().expect("a pattern of the model");
                !whole.is_match(text)
            });
            broken.extend(text.map(|text| ("pattern", Some(json!(text)))));
        }
        let value = member.request.pointer(&member.pointer).unwrap();
        if let Some(max) = body["max"]
            .as_i64()
            .filter(|max| *max < i64::from(i32::MAX))
        {
            let many = usize::try_from(max + 1).unwrap_or_default();
            broken.push((
                "max",
                Some(match kind {
                    "string" => json!(FILL.repeat(many)),
                    "list" => Value::from(vec![value[0].clone(); many]),
                    _ => json!(max + 1),
                }),
            ));
        }
        if let Some(min) = body["min"].as_i64() {
            let few = usize::try_from(min - 1).ok();
            match (kind, few) {
                ("string", Some(few)) => broken.push(("min", Some(json!(FILL.repeat(few))))),
                ("list", Some(_)) => broken.push(("min", Some(json!([])))),
                ("integer" | "long" | "double" | "float", _) => {
                    broken.push(("min", Some(json!(min - 1))));
                }
                _ => {}
            }
        }
        let wrong = match value {
            Value::String(_) => json!(5),
            Value::Object(_) => json!(["text"]),
            _ => json!("text"),
        };
        if body["document"] != true {
            broken.push(("type", Some(wrong)));
        }
        broken
    }
}

fn entries(members: &Value) -> impl Iterator<Item = (&String, &Value)> {
    members.as_object().into_iter().flatten()
}

fn used(usage: &Value) -> &str {
    usage.as_str().or(usage["shape"].as_str()).unwrap()
}

fn is_required(shape: &Value, member: &str) -> bool {
    let mut required = shape["required"].as_array().into_iter().flatten();
    required.any(|name| name == member)
}

/// Puts a value at a pointer whose parent is there, or takes it away.
fn set(request: &mut Value, pointer: &str, value: Option<Value>) {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    match (request.pointer_mut(parent).unwrap(), value) {
        (Value::Object(members), Some(value)) => {
            members.insert(name.to_owned(), value);
        }
        (Value::Object(members), None) => {
            members.remove(name);
        }
        (Value::Array(elements), Some(value)) => match elements.get_mut(0) {
            Some(first) => *first = value,
            None => elements.push(value),
        },
        (other, _) => panic!("{pointer} within {other}"),
    }
}

#[test]
fn every_operation_has_a_valid_request() {
    for served in berth_ops::SERVED {
        if served.service.name == "ecs" {
            let plane = Plane::default();
            let outcome = plane.call(served.operation, &plane::valid(served.operation));
            // There is never an update (reference §5.4).
            if served.operation == "UpdateContainerAgent" {
                assert_eq!(outcome.unwrap_err().0, "NoUpdateAvailableException");
                continue;
            }
            assert!(outcome.is_ok(), "{}: {outcome:?}", served.operation);
        }
    }
    assert_eq!(
        VALID.len(),
        berth_ops::SERVED
            .iter()
            .filter(|s| s.service.name == "ecs")
            .count()
    );
}

#[test]
fn a_member_alone_or_empty_is_taken_or_refused_with_a_fault_of_the_operations_own() {
    let model = Model::read();
    let mut count = 0;
    for (operation, _) in VALID {
        let faults = model.faults(operation);
        let mut plane = Plane::default();
        for member in model.members(operation, &plane::valid(operation)) {
            count += 1;
            let mut empty = member.request.clone();
            let nothing = match member.request.pointer(&member.pointer) {
                Some(Value::Array(_)) => json!([]),
                Some(Value::Object(_)) => json!({}),
                Some(Value::String(_)) => json!(""),
                _ => json!(0),
            };
            let is_number = nothing.is_number();
            set(&mut empty, &member.pointer, Some(nothing));
            for request in [&member.request, &empty] {
                match plane.call(operation, request) {
                    Ok(_) => plane = Plane::default(),
                    // Not every number is whole, and a truth is none.
                    Err((code, _)) if is_number && code == "SerializationException" => {}
                    Err((code, message)) => assert!(
                        faults.contains(&*code) && code != "ServerException",
                        "{operation} {request}: {code}: {message}"
                    ),
                }
                assert_eq!(plane.panics(), 0, "{operation} {request}");
            }
        }
    }
    assert!(count > 700, "{count} members");
}

#[test]
fn each_constraint_broken_alone_is_refused_with_the_operations_own_fault() {
    let model = Model::read();
    let mut met: BTreeMap<&str, usize> = BTreeMap::new();
    for (operation, _) in VALID {
        let mut faults = model.faults(operation);
        faults.remove("ServerException");
        faults.insert(model.invalid(operation));
        let plane = Plane::default();
        for member in model.members(operation, &plane::valid(operation)) {
            for (constraint, value) in model.broken(&member) {
                let mut request = member.request.clone();
                set(&mut request, &member.pointer, value);
                *met.entry(constraint).or_default() += 1;
                match plane.call(operation, &request) {
                    Err((code, message)) if constraint == "type" => assert_eq!(
                        code, "SerializationException",
                        "{operation} {request}: {message}"
                    ),
                    Err((code, message)) => assert!(
                        faults.contains(&*code) && !message.is_empty(),
                        "{operation} {request} ({constraint}): {code}: {message}"
                    ),
                    Ok(answer) => panic!("{operation} took {request} ({constraint}): {answer}"),
                }
                assert_eq!(plane.panics(), 0, "{operation} {request}");
            }
        }
    }
    for constraint in ["required", "enum", "max", "min", "type"] {
        assert!(met.contains_key(constraint), "{constraint}: {met:?}");
    }
}

#[test]
fn what_nobody_knows_is_passed_over_and_null_is_absent() {
    let model = Model::read();
    for (operation, _) in VALID {
        let valid = plane::valid(operation);
        let outcome = Plane::default().call(operation, &valid);
        let mut with_unknown = valid.clone();
        set(
            &mut with_unknown,
            "/noSuchMember",
            Some(json!({"a": [1, {"b": null}]})),
        );
        // RunTask's token is of the body as it came, but this request has none.
        assert_eq!(
            Plane::default().call(operation, &with_unknown),
            outcome,
            "{operation} {with_unknown}"
        );
        for member in model.members(operation, &valid) {
            if member.pointer.ends_with("/0") || member.pointer.matches('/').count() > 2 {
                continue;
            }
            let (mut null, mut absent) = (member.request.clone(), member.request);
            set(&mut null, &member.pointer, Some(Value::Null));
            set(&mut absent, &member.pointer, None);
            assert_eq!(
                Plane::default().call(operation, &null),
                Plane::default().call(operation, &absent),
                "{operation} {null}"
            );
        }
    }
}

/// Other ways to say what a member names (reference §1.8, §1.9), ARNs first.
fn forms(operation: &str, member: &str, value: &str) -> Vec<String> {
    let arn = |rest: String| format!("arn:aws:ecs:us-east-1:123456789012:{rest}");
    let id = value.rsplit('/').next().unwrap_or(value);
    match member {
        // Refused, whatever it names.
        "cluster" if operation.ends_with("CapacityProvider") => Vec::new(),
        // Passed over: the task's own ARN says where it is.
        "cluster" if operation.starts_with("Submit") => Vec::new(),
        "cluster" | "clusters" => vec![arn(format!("cluster/{value}"))],
        "service" | "services" => vec![
            arn(format!("service/default/{value}")),
            arn(format!("service/{value}")),
        ],
        "taskDefinition" if value.contains(':') => vec![arn(format!("task-definition/{value}"))],
        "taskDefinition" => vec![
            arn(format!("task-definition/{value}:1")),
            format!("{value}:1"),
            arn(format!("task-definition/{value}")),
        ],
        "task" | "tasks" => vec![
            arn(format!("task/default/{id}")),
            arn(format!("task/{id}")),
            id.to_owned(),
        ],
        "containerInstance" | "containerInstances" => vec![
            arn(format!("container-instance/default/{id}")),
            arn(format!("container-instance/{id}")),
            id.to_owned(),
        ],
        "taskSet" | "primaryTaskSet" => vec![arn(format!("task-set/default/ext/{value}"))],
        "capacityProvider" => vec![arn(format!("capacity-provider/{value}"))],
        "name" if operation == "UpdateCapacityProvider" => {
            vec![arn(format!("capacity-provider/{value}"))]
        }
        _ => Vec::new(),
    }
}

#[test]
fn every_form_of_a_name_is_the_same_name_and_one_from_elsewhere_is_none() {
    let model = Model::read();
    let mut count = 0;
    for (operation, _) in VALID {
        for member in model.members(operation, &plane::valid(operation)) {
            let path: Vec<&str> = member.pointer.split('/').skip(1).collect();
            let (name, is_value) = match path[..] {
                [name] => (name, member.request[name].is_string()),
                [name, "0"] => (name, true),
                _ => continue,
            };
            if !is_value {
                continue;
            }
            let plane = Plane::default();
            let value = member
                .request
                .pointer(&member.pointer)
                .and_then(Value::as_str);
            let value = plane.named(value.unwrap_or_default());
            let forms = forms(operation, name, &value);
            let outcome = plane.call(operation, &member.request);
            for form in &forms {
                count += 1;
                let mut request = member.request.clone();
                set(&mut request, &member.pointer, Some(json!(form)));
                assert_eq!(
                    Plane::default().call(operation, &request),
                    outcome,
                    "{operation} {request}"
                );
            }
            let Some(own) = forms.first() else { continue };
            for (from, to) in [("123456789012", "999999999999"), ("us-east-1", "eu-west-1")] {
                let mut request = member.request.clone();
                let elsewhere = own.replacen(from, to, 1);
                set(&mut request, &member.pointer, Some(json!(elsewhere)));
                let (code, message) = Plane::default()
                    .call(operation, &request)
                    .expect_err("a resource of elsewhere");
                assert_eq!(
                    code, "InvalidParameterException",
                    "{operation} {request}: {message}"
                );
                assert!(
                    message.starts_with("Invalid identifier: "),
                    "{operation}: {message}"
                );
            }
        }
    }
    assert!(count > 90, "{count} forms");
}
