//! Tasks and containers as the metadata endpoint shows them (reference §7.1).

use std::collections::BTreeMap;

use berth_agent_proto::task::{Container, Task};
use serde_json::{Map, Value, json};

use super::Asker;
use crate::directory::{ContainerView, Known};
use crate::runtime::docker::instant::render_millis;
use crate::runtime::docker::{Details, DockerRuntime};
use crate::runtime::{Binding, Health, Labels, TaskNetwork};

/// The two forms that are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Without launch type, volumes and logs.
    V3,
    /// With everything.
    V4,
}

/// A time as the endpoint writes it.
pub(super) fn time(millis: i64) -> String {
    render_millis(millis)
}

/// An object whose absent members are left out.
#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.0.insert(key.to_owned(), value.into());
    }

    fn put_some(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }
}

/// The task, without tags.
pub(super) async fn task(docker: Option<&DockerRuntime>, asker: &Asker, form: Form) -> Value {
    let view = &asker.view;
    let task = &view.task;
    let mut object = Object::default();
    object.put("Cluster", asker.agent.directory.cluster());
    object.put("TaskARN", task.arn.as_str());
    object.put("Family", task.family.as_str());
    object.put("Revision", task.version.as_str());
    object.put(
        "DesiredStatus",
        if view.wanted { "RUNNING" } else { "STOPPED" },
    );
    object.put("KnownStatus", view.known.as_str());
    if task.cpu.is_some() || task.memory.is_some() {
        let mut limits = Object::default();
        limits.put_some("CPU", task.cpu);
        limits.put_some("Memory", task.memory);
        object.put("Limits", limits.0);
    }
    object.put_some("PullStartedAt", view.pull_started_at.map(time));
    object.put_some("PullStoppedAt", view.pull_stopped_at.map(time));
    object.put_some("ExecutionStoppedAt", view.execution_stopped_at.map(time));
    object.put_some("AvailabilityZone", asker.agent.zone.clone());
    if form == Form::V4 {
        object.put_some("ServiceName", task.service_name.clone());
        object.put_some("LaunchType", task.launch_type.clone());
        object.put("FaultInjectionEnabled", false);
    }
    let mut containers = Vec::new();
    for index in 0..task.containers.len() {
        containers.extend(container(docker, asker, index, form).await);
    }
    object.put("Containers", containers);
    Value::Object(object.0)
}

/// One container; `None` for one that the agent has not looked at yet.
pub(super) async fn container(
    docker: Option<&DockerRuntime>,
    asker: &Asker,
    index: usize,
    form: Form,
) -> Option<Value> {
    let task = &asker.view.task;
    let definition = task.containers.get(index)?;
    let view = asker.view.containers.get(index)?;
    let details = match (docker, &view.runtime_id) {
        // A Docker that is away takes nothing from what the agent itself knows.
        (Some(docker), Some(id)) => docker.details(id).await.ok().flatten(),
        (None, _) | (_, None) => None,
    };
    let details = details.unwrap_or_default();
    let mut object = Object::default();
    object.put("DockerId", view.runtime_id.as_deref().unwrap_or_default());
    object.put("Name", definition.name.as_str());
    object.put("DockerName", details.name.as_str());
    let image = definition.berth_image.as_ref();
    object.put("Image", image.unwrap_or(&definition.image).as_str());
    object.put("ImageID", details.image_id.as_str());
    if !view.bindings.is_empty() {
        object.put("Ports", ports(&view.bindings));
    }
    object.put("Labels", json!(labels(asker, definition, &details)));
    object.put(
        "DesiredStatus",
        if asker.view.wanted {
            "RUNNING"
        } else {
            "STOPPED"
        },
    );
    object.put("KnownStatus", view.known.as_str());
    object.put_some(
        "ExitCode",
        view.exit_code.filter(|_| view.known == Known::Stopped),
    );
    object.put(
        "Limits",
        json!({ "CPU": definition.cpu, "Memory": definition.memory }),
    );
    object.put_some("CreatedAt", view.created_at.map(time));
    object.put_some("StartedAt", view.started_at.map(time));
    object.put_some("FinishedAt", view.finished_at.map(time));
    object.put("Type", "NORMAL");
    object.put_some("Health", health(definition, view));
    if form == Form::V4 {
        if !details.mounts.is_empty() {
            object.put("Volumes", volumes(&details));
        }
        log(definition, &mut object);
        object.put_some("ContainerARN", definition.container_arn.clone());
    }
    object.put(
        "Networks",
        json!([network(task, asker.view.network.as_ref(), &details)]),
    );
    let restarted = definition
        .restart_policy
        .as_ref()
        .is_some_and(|policy| policy.enabled);
    object.put_some("RestartCount", restarted.then_some(view.restarts));
    Some(Value::Object(object.0))
}

/// The labels that the container has, or will have.
fn labels(asker: &Asker, definition: &Container, details: &Details) -> BTreeMap<String, String> {
    let task = &asker.view.task;
    let own = [
        (Labels::CLUSTER, asker.agent.directory.cluster()),
        (Labels::CONTAINER, &definition.name),
        (Labels::TASK, &task.arn),
        (Labels::FAMILY, &task.family),
        (Labels::REVISION, &task.version),
    ];
    let mut labels = details.labels.clone();
    let own = own.into_iter();
    labels.extend(own.map(|(key, value)| (key.to_owned(), value.to_owned())));
    labels
}

fn ports(bindings: &[Binding]) -> Vec<Value> {
    let each = bindings.iter().flat_map(|binding| {
        let ports = (binding.container.0..=binding.container.1).zip(binding.host.0..);
        ports.map(|(container, host)| {
            json!({
                "ContainerPort": container,
                "Protocol": binding.protocol,
                "HostPort": host,
                "HostIp": binding.bind_ip,
            })
        })
    });
    each.collect()
}

fn health(definition: &Container, view: &ContainerView) -> Option<Value> {
    definition.health_check_type.as_ref()?;
    let mut object = Object::default();
    object.put("status", view.health.as_str());
    let told = view.health != Health::Unknown;
    object.put_some("statusSince", view.health_since.filter(|_| told).map(time));
    Some(Value::Object(object.0))
}

fn volumes(details: &Details) -> Vec<Value> {
    let each = details.mounts.iter().map(|(name, source, destination)| {
        let mut object = Object::default();
        object.put_some("DockerName", name.clone());
        object.put("Source", source.as_str());
        object.put("Destination", destination.as_str());
        Value::Object(object.0)
    });
    each.collect()
}

/// The log driver of the definition, whatever the agent has in its place.
fn log(definition: &Container, object: &mut Object) {
    let text = definition.docker_config.as_ref();
    let text = text.and_then(|docker| docker.host_config.as_deref());
    let host: Value = text
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    if let Some(config) = host.get("LogConfig") {
        object.put_some("LogDriver", config.get("Type").cloned());
        object.put_some("LogOptions", config.get("Config").cloned());
    }
}

fn network(task: &Task, own: Option<&TaskNetwork>, details: &Details) -> Value {
    let mode = match task.network_mode.as_deref() {
        None | Some("" | "default") => "bridge",
        Some(mode) => mode,
    };
    let mut object = Object::default();
    object.put("NetworkMode", mode);
    match own {
        Some(own) => {
            object.put("IPv4Addresses", json!([own.ip]));
            object.put("AttachmentIndex", 0);
            object.put("MACAddress", own.mac.as_str());
            object.put("IPv4SubnetCIDRBlock", own.subnet.as_str());
            if let Some(gateway) = own.gateway {
                let length = own
                    .subnet
                    .split_once('/')
                    .map_or("32", |(_, length)| length);
                object.put("SubnetGatewayIpv4Address", format!("{gateway}/{length}"));
            }
        }
        None => {
            object.put("IPv4Addresses", details.addresses.0.clone());
            if !details.addresses.1.is_empty() {
                object.put("IPv6Addresses", details.addresses.1.clone());
            }
        }
    }
    Value::Object(object.0)
}
