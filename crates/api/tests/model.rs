//! The generated types and checks against the models that they were generated from.
//!
//! For each operation an input is made from its model with every member filled, then each
//! constraint in it is broken in turn. The models are read here anew, without the generator.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use berth_api::validation::{Constraint, Path, Validate};
use berth_api::{Operation, decode_json, ecs, logs, sts};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// What texts are made of: it fits every pattern of the models.
const FILL: &str = "1";

/// How deep an input is filled: deeper than any shape that does not hold itself.
const DEPTH_MAX: usize = 12;

struct Model(Value);

impl Model {
    fn read(service: &str) -> Self {
        let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../../api-models");
        let text = std::fs::read_to_string(root.join(service).join("model.json")).unwrap();
        Self(serde_json::from_str(&text).unwrap())
    }

    fn shape(&self, name: &str) -> &Value {
        let shape = &self.0["shapes"][name];
        assert!(shape.is_object(), "no shape {name}");
        shape
    }

    /// The shape that a use of one names.
    fn used<'a>(&'a self, usage: &'a Value) -> &'a str {
        usage.as_str().or(usage["shape"].as_str()).unwrap()
    }

    fn of_operation(&self, operation: &str, part: &str) -> Option<&str> {
        let usage = &self.0["operations"][operation][part];
        (!usage.is_null()).then(|| self.used(usage))
    }

    /// A value that breaks nothing, with every member there.
    fn filled(&self, name: &str, depth: usize) -> Value {
        let shape = self.shape(name);
        let min = shape["min"].as_f64().unwrap_or(0.0);
        match shape["type"].as_str().unwrap() {
            "structure" if shape["document"] == true => json!({"free": [1, "form", null]}),
            "structure" => {
                let mut members = Map::new();
                for (member, usage) in shape["members"].as_object().into_iter().flatten() {
                    if depth < DEPTH_MAX || is_required(shape, member) {
                        let value = self.filled(self.used(usage), depth + 1);
                        members.insert(member.clone(), value);
                    }
                }
                Value::Object(members)
            }
            "list" => {
                let element = self.filled(self.used(&shape["member"]), depth + 1);
                Value::Array(vec![element; (min as usize).max(1)])
            }
            "map" => {
                let key = self.filled(self.used(&shape["key"]), depth + 1);
                let value = self.filled(self.used(&shape["value"]), depth + 1);
                let key = key.as_str().unwrap();
                let keys =
                    (0..(min as usize).max(1)).map(|more| key.to_owned() + &FILL.repeat(more));
                keys.map(|key| (key, value.clone())).collect()
            }
            "string" => match shape["enum"][0].as_str() {
                Some(value) => value.into(),
                None => FILL.repeat((min as usize).max(1)).into(),
            },
            "integer" | "long" => (shape["min"].as_f64().unwrap_or(7.0) as i64).into(),
            "float" | "double" => (min + 0.5).into(),
            "boolean" => true.into(),
            "timestamp" => 1_789_573_438.905.into(),
            "blob" => "aGVsbG8=".into(),
            other => panic!("{name} is a {other}"),
        }
    }

    /// Every way to break one constraint below `pointer`.
    fn breaks(&self, name: &str, value: &Value, place: &Place, found: &mut Vec<Break>) {
        let shape = self.shape(name);
        let mut push = |place: &Place, replacement, expected| {
            found.push(Break {
                place: place.clone(),
                replacement,
                expected,
            });
        };
        let kind = shape["type"].as_str().unwrap();
        let sized = matches!(kind, "string" | "list" | "map");
        if let Some(max) = shape["max"].as_f64() {
            match kind {
                "string" => push(
                    place,
                    Some(FILL.repeat(max as usize + 1).into()),
                    Expected::LengthMax(max as u64),
                ),
                "list" => push(
                    place,
                    Some(Value::Array(vec![value[0].clone(); max as usize + 1])),
                    Expected::LengthMax(max as u64),
                ),
                "integer" if max as i64 == i64::from(i32::MAX) => {}
                "integer" | "long" if max < 9e18 => {
                    push(
                        place,
                        Some((max as i64 + 1).into()),
                        Expected::Max(max as i64),
                    );
                }
                "double" => push(place, Some((max + 0.5).into()), Expected::Max(max as i64)),
                _ => {}
            }
        }
        if let Some(min) = shape["min"].as_f64().filter(|min| !sized || *min > 0.0) {
            let expected = if sized {
                Expected::LengthMin(min as u64)
            } else {
                Expected::Min(min as i64)
            };
            match kind {
                "string" => push(place, Some(FILL.repeat(min as usize - 1).into()), expected),
                "list" => push(place, Some(json!([])), expected),
                "map" => push(place, Some(json!({})), expected),
                "integer" | "long" => push(place, Some((min as i64 - 1).into()), expected),
                "double" => push(place, Some((min - 0.5).into()), expected),
                _ => {}
            }
        }
        if shape["enum"].is_array() {
            push(place, Some("no such value".into()), Expected::OneOf);
        }
        if let Some(pattern) = shape["pattern"].as_str() {
            let min = shape["min"].as_u64().unwrap_or(0).max(1) as usize;
            let pattern_of_all = regex::Regex::new(&format!("^(?:{pattern})$")).unwrap();
            let texts = ["\t", ":", "*"].map(|text| text.repeat(min));
            let text = texts
                .into_iter()
                .find(|text| !pattern_of_all.is_match(text));
            let text = text.unwrap_or_else(|| panic!("{name} takes everything"));
            push(
                place,
                Some(text.into()),
                Expected::Pattern(pattern.to_owned()),
            );
        }
        self.breaks_below(shape, value, place, found);
    }

    fn breaks_below(&self, shape: &Value, value: &Value, place: &Place, found: &mut Vec<Break>) {
        match shape["type"].as_str().unwrap() {
            "structure" => {
                for (member, usage) in shape["members"].as_object().into_iter().flatten() {
                    let Some(value) = value.get(member) else {
                        continue;
                    };
                    let inner = place.below(member, member);
                    if is_required(shape, member) {
                        found.push(Break {
                            place: inner.clone(),
                            replacement: None,
                            expected: Expected::Required,
                        });
                    }
                    self.breaks(self.used(usage), value, &inner, found);
                }
            }
            "list" => {
                let inner = place.below("0", "1.member");
                self.breaks(self.used(&shape["member"]), &value[0], &inner, found);
            }
            "map" => {
                let key = value.as_object().unwrap().keys().next().unwrap();
                let inner = place.below(key, key);
                self.breaks(self.used(&shape["value"]), &value[key], &inner, found);
            }
            _ => {}
        }
    }
}

fn is_required(shape: &Value, member: &str) -> bool {
    shape["required"]
        .as_array()
        .is_some_and(|names| names.iter().any(|name| name == member))
}

/// Where a value stands: as a JSON pointer, and as the service names it.
#[derive(Clone, Debug, Default)]
struct Place {
    pointer: String,
    path: String,
}

impl Place {
    fn below(&self, step: &str, named: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self {
            pointer: format!("{}/{step}", self.pointer),
            path: format!("{}{dot}{named}", self.path),
        }
    }

    fn set(&self, root: &mut Value, replacement: Option<Value>) {
        match replacement {
            Some(value) => *root.pointer_mut(&self.pointer).unwrap() = value,
            None => {
                let (parent, member) = self.pointer.rsplit_once('/').unwrap();
                let parent = root.pointer_mut(parent).unwrap();
                parent.as_object_mut().unwrap().remove(member).unwrap();
            }
        }
    }
}

struct Break {
    place: Place,
    /// `None` takes the member away.
    replacement: Option<Value>,
    expected: Expected,
}

#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Required,
    OneOf,
    Pattern(String),
    LengthMin(u64),
    LengthMax(u64),
    Min(i64),
    Max(i64),
}

impl From<Constraint> for Expected {
    fn from(constraint: Constraint) -> Self {
        match constraint {
            Constraint::Required => Self::Required,
            Constraint::OneOf(_) => Self::OneOf,
            Constraint::Pattern(pattern) => Self::Pattern(pattern.to_owned()),
            Constraint::LengthMin(min) => Self::LengthMin(min),
            Constraint::LengthMax(max) => Self::LengthMax(max),
            Constraint::Min(min) => Self::Min(min),
            Constraint::Max(max) => Self::Max(max),
        }
    }
}

/// What is done with each operation.
trait Visit {
    fn visit<O: Operation>(&mut self, model: &Model);
}

macro_rules! visit_ecs {
    ($($name:ident),*) => {
        fn visit_all_of_ecs(visit: &mut impl Visit, model: &Model) {
            $(visit.visit::<ecs::op::$name>(model);)*
        }
    };
}
berth_api::ecs_operations!(visit_ecs);

macro_rules! visit_logs {
    ($($name:ident),*) => {
        fn visit_all_of_logs(visit: &mut impl Visit, model: &Model) {
            $(visit.visit::<logs::op::$name>(model);)*
        }
    };
}
berth_api::logs_operations!(visit_logs);

fn visit_all(visit: &mut impl Visit) {
    visit_all_of_ecs(visit, &Model::read("ecs"));
    visit_all_of_logs(visit, &Model::read("logs"));
    visit.visit::<sts::op::GetCallerIdentity>(&Model::read("sts"));
}

fn filled_input<O: Operation>(model: &Model) -> Value {
    model
        .of_operation(O::NAME, "input")
        .map_or(json!({}), |shape| model.filled(shape, 0))
}

fn decode<O: Operation>(value: &Value) -> Result<O::Input, berth_wire::Fault> {
    decode_json::<O>(&serde_json::to_vec(value).unwrap())
}

#[test]
fn a_filled_input_passes_and_comes_back_as_it_was() {
    struct RoundTrip(usize);
    impl Visit for RoundTrip {
        fn visit<O: Operation>(&mut self, model: &Model) {
            let sent = filled_input::<O>(model);
            let input = decode::<O>(&sent).unwrap_or_else(|fault| panic!("{}: {fault}", O::NAME));
            assert_eq!(input.validate(&mut Path::default()), Ok(()), "{}", O::NAME);
            assert_eq!(serde_json::to_value(&input).unwrap(), sent, "{}", O::NAME);
            if let Some(output) = model.of_operation(O::NAME, "output") {
                let sent = model.filled(output, 0);
                let output: O::Output = serde_json::from_value(sent.clone())
                    .unwrap_or_else(|error| panic!("{}: {error}", O::NAME));
                assert_eq!(serde_json::to_value(&output).unwrap(), sent, "{}", O::NAME);
                let written = berth_wire::json::respond(&output, "r").into_body();
                assert_eq!(written, serde_json::to_vec(&output).unwrap(), "{}", O::NAME);
            }
            self.0 += 1;
        }
    }
    let mut visit = RoundTrip(0);
    visit_all(&mut visit);
    assert_eq!(visit.0, 88 + logs::GENERATED.len() + 1);
}

#[test]
fn each_constraint_broken_alone_is_the_one_reported() {
    struct Breaks(BTreeMap<String, usize>);
    impl Visit for Breaks {
        fn visit<O: Operation>(&mut self, model: &Model) {
            let Some(shape) = model.of_operation(O::NAME, "input") else {
                return;
            };
            let whole = model.filled(shape, 0);
            let mut breaks = Vec::new();
            model.breaks(shape, &whole, &Place::default(), &mut breaks);
            for Break {
                place,
                replacement,
                expected,
            } in breaks
            {
                let mut broken = whole.clone();
                place.set(&mut broken, replacement);
                let input = decode::<O>(&broken).unwrap();
                let invalid = input
                    .validate(&mut Path::default())
                    .expect_err(&format!("{} {place:?} {expected:?}", O::NAME));
                assert_eq!(invalid.path.to_string(), place.path, "{}", O::NAME);
                let kind = format!("{expected:?}");
                assert_eq!(Expected::from(invalid.constraint), expected, "{}", O::NAME);
                let fault = berth_api::validate::<O>(&input).unwrap_err();
                assert_eq!(fault.status, 400);
                assert!(!fault.message.is_empty());
                let kind = kind.split('(').next().unwrap().to_owned();
                *self.0.entry(kind).or_default() += 1;
            }
        }
    }
    let mut visit = Breaks(BTreeMap::new());
    visit_all(&mut visit);
    // Every kind of constraint was met, so none of the arms above is dead.
    let met: Vec<&str> = visit.0.keys().map(String::as_str).collect();
    assert_eq!(
        met,
        [
            "LengthMax",
            "LengthMin",
            "Max",
            "Min",
            "OneOf",
            "Pattern",
            "Required"
        ],
        "{:?}",
        visit.0
    );
    assert!(visit.0.values().sum::<usize>() > 800, "{:?}", visit.0);
}

#[test]
fn a_value_of_the_wrong_type_is_a_serialization_exception_anywhere() {
    /// Pointers to every value below the root.
    fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
        let children: Vec<(String, &Value)> = match value {
            Value::Array(items) => items
                .iter()
                .map(|item| ("0".to_owned(), item))
                .take(1)
                .collect(),
            Value::Object(members) => members.iter().map(|(k, v)| (k.clone(), v)).collect(),
            _ => Vec::new(),
        };
        for (step, child) in children {
            let pointer = format!("{at}/{step}");
            found.push(pointer.clone());
            pointers(child, &pointer, found);
        }
    }
    struct WrongTypes(usize);
    impl Visit for WrongTypes {
        fn visit<O: Operation>(&mut self, model: &Model) {
            let whole = filled_input::<O>(model);
            let mut found = Vec::new();
            pointers(&whole, "", &mut found);
            for pointer in found {
                if pointer.contains("/hookDetails") {
                    // A document takes any JSON.
                    continue;
                }
                let mut broken = whole.clone();
                let value = broken.pointer_mut(&pointer).unwrap();
                *value = match value {
                    Value::String(_) => json!(5),
                    Value::Number(_) | Value::Bool(_) | Value::Array(_) => json!("text"),
                    Value::Object(_) => json!(["text"]),
                    Value::Null => panic!("{pointer} is null"),
                };
                let fault = decode::<O>(&broken)
                    .err()
                    .unwrap_or_else(|| panic!("{} took {broken} at {pointer}", O::NAME));
                assert_eq!(
                    fault.code,
                    "SerializationException",
                    "{} {pointer}",
                    O::NAME
                );
                self.0 += 1;
            }
        }
    }
    let mut visit = WrongTypes(0);
    visit_all(&mut visit);
    assert!(visit.0 > 1000, "{}", visit.0);
}

#[test]
fn absent_null_unknown_and_doubled_members_are_taken() {
    let decoded = decode_json::<ecs::op::ListTasks>(
        br#"{"cluster":null,"noSuchMember":{"a":[1,{"b":null}]},"family":"x","family":"y"}"#,
    )
    .unwrap();
    let expected = ecs::ListTasksRequest {
        family: Some("y".to_owned()),
        ..Default::default()
    };
    assert_eq!(decoded, expected);
}

#[test]
fn a_structure_is_not_a_list() {
    for body in [&b"[]"[..], b"[null]", b"\"text\"", b"1", b"null"] {
        let fault = decode_json::<ecs::op::ListTasks>(body).unwrap_err();
        assert_eq!(fault.code, "SerializationException");
    }
    let fault = decode_json::<ecs::op::RunTask>(br#"{"overrides":[]}"#).unwrap_err();
    assert_eq!(fault.message, "Start of list found where not expected");
    let fault = decode_json::<ecs::op::RunTask>(br#"{"count":"10"}"#).unwrap_err();
    assert_eq!(
        fault.message,
        "STRING_VALUE can not be converted to an Integer"
    );
    let fault = decode_json::<ecs::op::RunTask>(br#"{"cluster":10}"#).unwrap_err();
    assert_eq!(
        fault.message,
        "NUMBER_VALUE can not be converted to a String"
    );
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[a-z]{1,8}", inner, 0..3)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_input_makes_an_operation_panic(
        replacements in prop::collection::vec((any::<prop::sample::Index>(), any_json()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        struct Fuzz<'a> {
            replacements: &'a [(prop::sample::Index, Value)],
            cut: prop::sample::Index,
        }
        impl Visit for Fuzz<'_> {
            fn visit<O: Operation>(&mut self, model: &Model) {
                let mut value = filled_input::<O>(model);
                if let Value::Object(members) = &mut value {
                    for (at, replacement) in self.replacements {
                        if !members.is_empty() {
                            let name = members.keys().nth(at.index(members.len())).unwrap().clone();
                            members.insert(name, replacement.clone());
                        }
                    }
                }
                let body = serde_json::to_vec(&value).unwrap();
                if let Ok(input) = decode_json::<O>(&body) {
                    let _ = berth_api::validate::<O>(&input);
                }
                let _ = decode_json::<O>(&body[..self.cut.index(body.len())]);
            }
        }
        visit_all(&mut Fuzz { replacements: &replacements, cut });
    }
}
