//! When two texts of `container_definitions` are the same to the provider
//! (`containerDefinitionsAreEquivalent`): after sorting what the API may reorder, dropping what is
//! empty, and filling in the defaults that it knows of. Any other default that a server fills in
//! is a replacement of the task definition at every plan.

use serde_json::{Map, Value};

/// Lists that are nothing when they are empty.
const LISTS: [&str; 18] = [
    "command",
    "credentialSpecs",
    "dependsOn",
    "dnsSearchDomains",
    "dnsServers",
    "dockerSecurityOptions",
    "entryPoint",
    "environment",
    "environmentFiles",
    "extraHosts",
    "links",
    "mountPoints",
    "portMappings",
    "resourceRequirements",
    "secrets",
    "systemControls",
    "ulimits",
    "volumesFrom",
];

/// Container definitions in the form in which the provider compares them (`reduce`).
pub(super) fn reduced(containers: &Value, is_awsvpc: bool) -> Value {
    let containers = containers.as_array().into_iter().flatten();
    let mut all: Vec<Value> = containers.map(|one| reduce(one, is_awsvpc)).collect();
    all.sort_by_key(|one| one["name"].to_string());
    Value::Array(all)
}

fn reduce(container: &Value, is_awsvpc: bool) -> Value {
    let mut container = container.as_object().unwrap().clone();
    container.retain(|_, value| !value.is_null());
    container.entry("essential").or_insert(Value::Bool(true));
    // An SDK's number without a null: absent is 0.
    container.entry("cpu").or_insert(Value::from(0));
    if let Some(Value::Object(check)) = container.get_mut("healthCheck") {
        for (name, value) in [("interval", 30), ("retries", 3), ("timeout", 5)] {
            check.entry(name).or_insert(Value::from(value));
        }
    }
    for list in ["environment", "secrets"] {
        if let Some(Value::Array(list)) = container.get_mut(list) {
            list.sort_by_key(|item| item["name"].to_string());
        }
    }
    if let Some(Value::Array(ports)) = container.get_mut("portMappings") {
        for port in ports {
            reduce_port(port.as_object_mut().unwrap(), is_awsvpc);
        }
    }
    let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
    container.retain(|name, value| !(LISTS.contains(&name.as_str()) && is_empty(value)));
    Value::Object(container)
}

fn reduce_port(port: &mut Map<String, Value>, is_awsvpc: bool) {
    if port
        .get("protocol")
        .is_some_and(|protocol| protocol == "tcp")
    {
        port.remove("protocol");
    }
    if port.get("hostPort").is_some_and(|host| host == 0) {
        port.remove("hostPort");
    }
    if is_awsvpc && let Some(container) = port.get("containerPort").cloned() {
        port.entry("hostPort").or_insert(container);
    }
}
