//! What Terraform's AWS provider does with its ECS resources: the same calls with the same
//! parameters, its waiters, and what it makes of the answers. The provider itself comes from a
//! registry of its own, which tests do without; what it does is read from its public source,
//! `internal/service/ecs` of version 6, and named here by function.
//!
//! Each resource is created, read, planned again (the plan must be empty: what is read is what was
//! configured), changed and destroyed.

mod account_setting;
mod capacity_providers;
mod cluster;
mod containers;
mod daemon_and_fargate;
mod service;
mod task_definition;
mod task_set;

use std::collections::BTreeMap;
use std::time::SystemTime;

use berth_tests::{Caller, SOON, Server, Spec, wait_for};
use serde_json::{Map, Value, json};

/// Two agents without containers, and the provider's connection.
fn start() -> (Server, Provider) {
    let server = Spec::dev(&["--runtime", "simulated", "--agents", "2"]).start();
    let provider = Provider(Caller::of(&server));
    (server, provider)
}

/// The provider.
struct Provider(Caller);

/// A call that was refused: the code and the text, which the provider both looks at.
#[derive(Debug)]
struct Refused {
    code: String,
    message: String,
}

impl Provider {
    fn call(&mut self, operation: &str, input: &Value) -> Value {
        self.0.call(operation, input)
    }

    fn try_call(&mut self, operation: &str, input: &Value) -> Result<Value, Refused> {
        let answer = self.0.ask(operation, input).unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        if answer.status == 200 {
            return Ok(body);
        }
        assert_eq!(answer.status, 400, "{operation}: {body}");
        Err(Refused {
            code: answer.fault().0,
            message: body["message"].as_str().unwrap_or_default().to_owned(),
        })
    }

    /// Tries again for as long as it is refused for a reason that passes (`tfresource.RetryWhen`).
    fn retry(
        &mut self,
        operation: &str,
        input: &Value,
        passes: impl Fn(&Refused) -> bool,
    ) -> Value {
        wait_for(operation, SOON, || match self.try_call(operation, input) {
            Ok(answer) => Some(answer),
            Err(refused) if passes(&refused) => None,
            Err(refused) => panic!("{operation}: {refused:?}"),
        })
    }

    /// Brings tags from old to new (`updateTags`): removes some, then adds some.
    fn update_tags(&mut self, arn: &str, old: &Value, new: &Value) {
        let (old, new) = (map_of(old), map_of(new));
        let removed: Vec<&String> = old.keys().filter(|key| !new.contains_key(*key)).collect();
        if !removed.is_empty() {
            let input = json!({ "resourceArn": arn, "tagKeys": removed });
            self.call("UntagResource", &input);
        }
        let updated: Map<String, Value> = new
            .into_iter()
            .filter(|(key, value)| old.get(key) != Some(value))
            .collect();
        if !updated.is_empty() {
            let input = json!({ "resourceArn": arn, "tags": tags_in(&Value::Object(updated)) });
            self.call("TagResource", &input);
        }
    }
}

fn map_of(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// A map of tags as the API has it.
fn tags_in(tags: &Value) -> Value {
    let pairs = map_of(tags).into_iter();
    pairs
        .map(|(key, value)| json!({ "key": key, "value": value }))
        .collect()
}

/// The API's tags as a map.
fn tags_out(tags: &Value) -> Value {
    let pairs = tags.as_array().into_iter().flatten();
    let map: BTreeMap<&str, &Value> = pairs
        .map(|tag| (tag["key"].as_str().unwrap(), &tag["value"]))
        .collect();
    json!(map)
}

/// A set, whose order means nothing.
fn set(list: &Value) -> Value {
    let mut list = list.as_array().cloned().unwrap_or_default();
    list.sort_by_key(Value::to_string);
    Value::Array(list)
}

/// Seconds since 1970, as the provider notes the begin of an operation.
#[expect(
    clippy::disallowed_methods,
    reason = "the provider compares its own clock with the server's"
)]
fn operation_time() -> f64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs_f64()
}

/// The strategy of a service, task set or cluster (`flattenCapacityProviderStrategyItems`).
fn strategy(items: &Value) -> Value {
    let items = items.as_array().into_iter().flatten();
    let flat = items.map(|item| {
        json!({
            "base": item["base"].as_i64().unwrap_or(0),
            "capacity_provider": item["capacityProvider"],
            "weight": item["weight"].as_i64().unwrap_or(0),
        })
    });
    set(&flat.collect())
}
