//! Whatever a client sends: an answer or a fault of the client's, never a fault of ours.

mod caller;

use std::sync::LazyLock;

use berth_ops::SERVED;
use caller::{Bench, CALLER_ARN, SCOPE};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The names of members that operations read, so that garbage reaches deep.
const MEMBERS: &[&str] = &[
    "attributes",
    "base",
    "capacityProvider",
    "capacityProviders",
    "capabilities",
    "add",
    "cluster",
    "clusterName",
    "clusters",
    "command",
    "condition",
    "configuration",
    "containerDefinitions",
    "containerInstance",
    "containerInstances",
    "containerName",
    "containerPort",
    "containerPortRange",
    "cpu",
    "defaultCapacityProviderStrategy",
    "dependsOn",
    "efsVolumeConfiguration",
    "effectiveSettings",
    "environmentFiles",
    "ephemeralStorage",
    "essential",
    "executeCommandConfiguration",
    "executionRoleArn",
    "expression",
    "family",
    "familyPrefix",
    "healthCheck",
    "hostPort",
    "image",
    "include",
    "interval",
    "key",
    "launchType",
    "linuxParameters",
    "logConfiguration",
    "logDriver",
    "maxResults",
    "memory",
    "memoryReservation",
    "name",
    "networkMode",
    "nextToken",
    "options",
    "placementConstraints",
    "portMappings",
    "principalArn",
    "protocol",
    "requiresCompatibilities",
    "resourceArn",
    "resourceRequirements",
    "secrets",
    "settings",
    "sizeInGiB",
    "sort",
    "status",
    "stopTimeout",
    "tagKeys",
    "tags",
    "task",
    "taskDefinition",
    "taskDefinitions",
    "tasks",
    "type",
    "ulimits",
    "softLimit",
    "hardLimit",
    "value",
    "volumes",
    "weight",
];

/// Texts that mean something somewhere.
const TEXTS: &[&str] = &[
    "",
    "a",
    "default",
    "web",
    "web:1",
    "web:0",
    "web:99999999999",
    ":",
    "FARGATE",
    "EC2",
    "ACTIVE",
    "awsvpc",
    "bridge",
    "host",
    "containerInsights",
    "taskLongArnFormat",
    "enabled",
    "TAGS",
    "DESC",
    "256",
    ".25 vCPU",
    "1e400 vCPU",
    "512",
    "1GB",
    "80-90",
    "0-65536",
    "GPU",
    "awslogs",
    "nofile",
    "SUCCESS",
    "aws:x",
    "äöü",
    "a b",
    "memberOf",
    "attribute:a == b",
    "0123456789abcdef0123456789abcdef",
    "arn:",
    "arn:aws:ecs:us-east-1:123456789012:cluster/a",
    "arn:aws:ecs:us-east-1:123456789012:cluster/",
    "arn:aws:ecs:us-east-1:123456789012:task/a/0123456789abcdef0123456789abcdef",
    "arn:aws:ecs:us-east-1:123456789012:task-definition/web:1",
    "arn:aws:ecs:us-east-1:123456789012:task-definition/web",
    "arn:aws:ecs:us-east-1:999999999999:cluster/a",
    "arn:aws:iam::123456789012:role/r",
];

/// Numbers at the edges of ranges.
const NUMBERS: &[i64] = &[
    -1,
    0,
    1,
    2,
    64,
    100,
    65_535,
    65_536,
    i32::MAX as i64,
    i32::MIN as i64,
];

/// Members that are numbers, truths, structures, and lists of structures or texts; the others
/// are texts.
const NUMERIC: &[&str] = &[
    "base",
    "containerPort",
    "hostPort",
    "interval",
    "maxResults",
    "memory",
    "memoryReservation",
    "sizeInGiB",
    "softLimit",
    "hardLimit",
    "stopTimeout",
    "weight",
];
const TRUTHS: &[&str] = &["effectiveSettings", "essential"];
const STRUCTURES: &[&str] = &[
    "capabilities",
    "configuration",
    "efsVolumeConfiguration",
    "ephemeralStorage",
    "executeCommandConfiguration",
    "healthCheck",
    "linuxParameters",
    "logConfiguration",
    "options",
];
const STRUCTURE_LISTS: &[&str] = &[
    "attributes",
    "containerDefinitions",
    "defaultCapacityProviderStrategy",
    "dependsOn",
    "environmentFiles",
    "placementConstraints",
    "portMappings",
    "resourceRequirements",
    "secrets",
    "settings",
    "tags",
    "ulimits",
    "volumes",
];
const TEXT_LISTS: &[&str] = &[
    "add",
    "capacityProviders",
    "clusters",
    "command",
    "containerInstances",
    "include",
    "requiresCompatibilities",
    "tagKeys",
    "taskDefinitions",
    "tasks",
];

/// The value in the form that the member of this name has in most shapes, so that it gets past
/// the decoder.
fn formed(name: &str, value: Value) -> Value {
    if NUMERIC.contains(&name) {
        let number = value.as_i64().and_then(|number| i32::try_from(number).ok());
        Value::from(number.unwrap_or(64))
    } else if TRUTHS.contains(&name) {
        Value::from(value.as_bool().unwrap_or(false))
    } else if STRUCTURES.contains(&name) {
        structure(value)
    } else if STRUCTURE_LISTS.contains(&name) {
        Value::from_iter(list(value).into_iter().map(structure))
    } else if TEXT_LISTS.contains(&name) {
        Value::from_iter(list(value).into_iter().map(text))
    } else {
        text(value)
    }
}

fn list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(elements) => elements,
        other => vec![other],
    }
}

fn structure(value: Value) -> Value {
    let members = match value {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let formed = members.into_iter().map(|(name, value)| {
        let value = formed(&name, value);
        (name, value)
    });
    Value::Object(formed.collect())
}

fn text(value: Value) -> Value {
    match value {
        Value::String(_) => value,
        other => Value::from(TEXTS[other.to_string().len() % TEXTS.len()]),
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        8 => prop::sample::select(TEXTS).prop_map(str::to_owned),
        1 => ".{0,300}",
    ]
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        8 => texts().prop_map(Value::from),
        2 => any::<bool>().prop_map(Value::from),
        4 => prop::sample::select(NUMBERS).prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

fn member_map(value: impl Strategy<Value = Value> + 'static) -> BoxedStrategy<Value> {
    prop::collection::vec((prop::sample::select(MEMBERS), value), 0..8)
        .prop_map(|members| {
            let named = members
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value));
            Value::Object(named.collect::<Map<_, _>>())
        })
        .boxed()
}

/// A request: formed nine times in ten.
fn requests() -> impl Strategy<Value = Value> {
    (member_map(garbage()), prop::bool::weighted(0.9)).prop_map(|(members, well_formed)| {
        if well_formed {
            structure(members)
        } else {
            members
        }
    })
}

fn garbage() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(5, 64, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            member_map(inner),
        ]
    })
}

/// A definition that is nearly one, so that the checks behind the first are reached.
fn nearly_definition() -> impl Strategy<Value = Value> {
    (requests(), prop::collection::vec(requests(), 1..3)).prop_map(|(mut top, containers)| {
        let containers = containers
            .into_iter()
            .enumerate()
            .map(|(nth, mut container)| {
                container["name"] = json!(format!("c{nth}"));
                container["image"] = json!("i");
                container
            });
        top["family"] = json!("web");
        top["containerDefinitions"] = Value::from_iter(containers);
        top
    })
}

fn ecs_operations() -> impl Strategy<Value = &'static str> {
    let names: Vec<&str> = SERVED
        .iter()
        .filter(|served| served.service.name == "ecs")
        .map(|served| served.operation)
        .collect();
    prop::sample::select(names)
}

static MODEL: LazyLock<Value> = LazyLock::new(|| {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../api-models/ecs");
    let text = std::fs::read_to_string(root.join("model.json")).expect("the model");
    serde_json::from_str(&text).expect("the model is JSON")
});

/// Calls an operation: a fault is one that the model gives it, or that of a body that is none.
fn check(bench: &Bench, operation: &str, body: &str) -> Result<(), TestCaseError> {
    let scope = SCOPE.parse().expect("a scope");
    let outcome = bench
        .call_as(&scope, CALLER_ARN, operation, body)
        .expect("the operation is served");
    if let Err(error) = outcome {
        let known = MODEL["operations"][operation]["errors"].as_array();
        let mut known = known.into_iter().flatten().filter_map(Value::as_str);
        let code = &*error.0.code;
        prop_assert!(
            (400..500).contains(&error.0.status)
                && (code == "SerializationException" || known.any(|known| known == code)),
            "{operation} {body}: {error:?}"
        );
    }
    prop_assert_eq!(bench.world.panics(), 0, "{} {}", operation, body);
    Ok(())
}

proptest! {
    #[test]
    fn garbage_is_never_a_fault_of_ours(
        calls in prop::collection::vec((ecs_operations(), requests()), 1..12),
    ) {
        let bench = Bench::default();
        for body in [r#"{"clusterName": "a"}"#, "{}"] {
            check(&bench, "CreateCluster", body)?;
        }
        for (operation, body) in calls {
            check(&bench, operation, &body.to_string())?;
        }
        let (now, later) = (bench.world.snapshot(), bench.world.reloaded());
        prop_assert_eq!(format!("{:?}", now.clusters), format!("{:?}", later.clusters));
        prop_assert_eq!(format!("{:?}", now.settings), format!("{:?}", later.settings));
        prop_assert_eq!(format!("{:?}", now.instances), format!("{:?}", later.instances));
        prop_assert_eq!(now.tasks.len(), later.tasks.len());
    }

    #[test]
    fn nearly_a_definition_is_never_a_fault_of_ours(
        definitions in prop::collection::vec(nearly_definition(), 1..12),
    ) {
        let bench = Bench::default();
        for definition in definitions {
            check(&bench, "RegisterTaskDefinition", &definition.to_string())?;
        }
        for (operation, body) in [
            ("DescribeTaskDefinition", r#"{"taskDefinition": "web"}"#),
            ("ListTaskDefinitions", "{}"),
            ("ListTaskDefinitionFamilies", "{}"),
        ] {
            check(&bench, operation, body)?;
        }
        let (now, later) = (bench.world.snapshot(), bench.world.reloaded());
        prop_assert_eq!(
            format!("{:?}", now.definitions),
            format!("{:?}", later.definitions)
        );
    }

    #[test]
    fn bytes_that_are_no_json_are_the_clients_fault(
        operation in ecs_operations(),
        body in "[{\\[\"a:1,\\]} ]{0,40}",
    ) {
        check(&Bench::default(), operation, &body)?;
    }
}
