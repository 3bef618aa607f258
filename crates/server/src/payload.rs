//! Payloads: from a task's record and its definition to the task that a `PayloadMessage` carries.
//!
//! Rules kept here:
//! - only what an agent's parser takes is written: one wrong type makes a stock agent drop the
//!   whole message without a word, one unknown value makes it refuse the task (agent protocol
//!   reference §4.3, pitfalls 12, 13 and 28);
//! - overrides are merged into the fields before they are sent;
//! - what a stock agent reads from Docker's own configuration alone (user, privileges, limits,
//!   health check, log driver, network mode) is written there, and our agent reads it from the
//!   same place (pitfalls 25 to 27);
//! - everything here follows from its arguments: the same task gives the same bytes.
//!
//! When a payload is due, and its sequence number, are the gateway's business.

mod container;
mod docker;
mod volume;

use berth_agent_proto::extra::Awsvpc;
use berth_agent_proto::task::{self as proto, Association, AssociationContent};
use berth_api::ecs;
use berth_model::definition::{DefinitionFacts, NetworkMode, TaskDefinition};
use berth_model::instance::ContainerInstance;
use berth_model::task::{Desired, Task};
use berth_model::text::Text;

/// CPU units of one vCPU: the wire has the task's limit in vCPU.
const CPU_UNITS_PER_VCPU: f64 = 1024.0;

/// The prefix of the attributes that only our own agent registers.
const OWN_ATTRIBUTES: &str = "berth.";

/// Which agent a payload is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AgentKind {
    /// Amazon's.
    Stock,
    /// Ours: ships `awslogs` itself and makes the networks of `awsvpc` tasks.
    Berth,
}

impl AgentKind {
    /// The agent that registered this instance.
    #[must_use]
    pub(crate) fn of(instance: &ContainerInstance) -> AgentKind {
        let own = |name: &str| name.starts_with(OWN_ATTRIBUTES);
        match instance.attributes.iter().any(|a| own(&a.name)) {
            true => AgentKind::Berth,
            false => AgentKind::Stock,
        }
    }
}

/// Where the `awslogs` driver of a stock agent's Docker finds CloudWatch Logs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LogRoute {
    /// The URL of the service; Amazon's when absent.
    pub(crate) endpoint: Option<String>,
    /// The path at 169.254.170.2 that gives the driver its credentials; Docker's own environment
    /// when absent.
    pub(crate) credentials_path: Option<String>,
}

/// What a payload needs to know beyond the task and its definition.
#[derive(Clone, Debug)]
pub(crate) struct PayloadContext {
    /// Which agent it is for.
    pub(crate) agent: AgentKind,
    /// Where a stock agent's Docker sends `awslogs`. Our agent ships to its own server.
    pub(crate) logs: LogRoute,
    /// The availability zone of the instance.
    pub(crate) zone: Option<String>,
    /// The digests that the task's deployment settled on, in the order of its containers.
    pub(crate) digests: Vec<Option<Text>>,
    /// Credentials of the task role, for the containers.
    pub(crate) role_credentials: Option<proto::Credentials>,
    /// Credentials of the execution role, for the agent.
    pub(crate) execution_role_credentials: Option<proto::Credentials>,
    /// Credentials for the log driver of a stock agent's Docker, of a task without an execution
    /// role. They travel in that role's place; nothing else of the task uses them.
    pub(crate) log_credentials: Option<proto::Credentials>,
}

/// Why a task cannot be sent. Either one means that the record is damaged: registration and
/// RunTask accept neither.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unrenderable {
    /// A stock agent would spin for ever (pitfall 14).
    #[error("the task definition has no containers")]
    NoContainers,
    /// The saved overrides are not the API's JSON.
    #[error("could not read the task's overrides")]
    Overrides(#[source] serde_json::Error),
}

/// The task as its agent is told to run it, or to stop it when that is what is wanted.
///
/// # Errors
/// When the record is damaged; a stop can always be rendered.
pub(crate) fn render(
    task: &Task,
    definition: &TaskDefinition,
    body: &ecs::TaskDefinition,
    cx: &PayloadContext,
) -> Result<proto::Task, Unrenderable> {
    match task.desired {
        Desired::Running => start(task, definition, body, cx),
        Desired::Stopped => Ok(stop(task)),
    }
}

/// The order to stop a task. The agent needs no more than the ARN of a task that it knows, and
/// every further field would only have to parse (reference §5.2).
#[must_use]
pub(crate) fn stop(task: &Task) -> proto::Task {
    proto::Task {
        arn: task.spec.cluster.task_arn(task.id),
        desired_status: Desired::Stopped.as_str().to_owned(),
        ..proto::Task::default()
    }
}

fn start(
    task: &Task,
    definition: &TaskDefinition,
    body: &ecs::TaskDefinition,
    cx: &PayloadContext,
) -> Result<proto::Task, Unrenderable> {
    let overrides = given_overrides(task)?;
    let containers = container::render_all(task, definition, body, &overrides, cx);
    if containers.is_empty() {
        return Err(Unrenderable::NoContainers);
    }
    let sizes = task.spec.overrides.as_deref();
    let facts = &definition.facts;
    let cpu = sizes.and_then(|o| o.cpu).or(facts.cpu);
    let memory = sizes.and_then(|o| o.memory).or(facts.memory);
    let own_network = facts.network_mode == NetworkMode::Awsvpc && cx.agent == AgentKind::Berth;
    Ok(proto::Task {
        arn: task.spec.cluster.task_arn(task.id),
        desired_status: Desired::Running.as_str().to_owned(),
        family: definition.key.family.to_string(),
        version: definition.key.revision.to_string(),
        containers,
        overrides: Some("{}".to_owned()),
        volumes: volume::render_all(body),
        cpu: cpu.map(|units| f64::from(units) / CPU_UNITS_PER_VCPU),
        memory: memory.map(i64::from),
        network_mode: Some(network_mode(facts.network_mode).to_owned()),
        role_credentials: cx.role_credentials.clone(),
        execution_role_credentials: cx
            .execution_role_credentials
            .clone()
            .or_else(|| cx.log_credentials.clone()),
        elastic_network_interfaces: Vec::new(),
        pid_mode: body.pid_mode.as_ref().map(ToString::to_string),
        ipc_mode: body.ipc_mode.as_ref().map(ToString::to_string),
        associations: gpu_associations(task, facts),
        proxy_configuration: body.proxy_configuration.as_ref().map(proxy),
        attachments: Vec::new(),
        launch_type: Some(task.spec.launch_type.as_str().to_owned()),
        service_name: task.spec.service.as_ref().map(|m| m.service.to_string()),
        group: Some(task.spec.group.to_string()),
        enable_fault_injection: body.enable_fault_injection,
        task_cluster_arn: Some(task.spec.cluster.arn()),
        task_definition_account_id: Some(definition.key.scope.account.to_string()),
        zone: cx.zone.clone(),
        berth_awsvpc: own_network.then(Awsvpc::default),
    })
}

/// The overrides as the caller gave them; none is the same as an empty structure.
fn given_overrides(task: &Task) -> Result<ecs::TaskOverride, Unrenderable> {
    match &task.spec.overrides {
        Some(overrides) => serde_json::from_str(&overrides.given).map_err(Unrenderable::Overrides),
        None => Ok(ecs::TaskOverride::default()),
    }
}

fn network_mode(mode: NetworkMode) -> &'static str {
    match mode {
        NetworkMode::Bridge => "bridge",
        NetworkMode::Host => "host",
        NetworkMode::Awsvpc => "awsvpc",
        NetworkMode::None => "none",
    }
}

/// Hands the GPUs that placement chose to the containers that ask for some, in their order. Each
/// GPU belongs to exactly one container.
fn gpu_associations(task: &Task, facts: &DefinitionFacts) -> Vec<Association> {
    let sizes = task.spec.overrides.as_deref();
    let owners = facts.containers.iter().flat_map(|container| {
        let over = sizes.and_then(|o| o.container(&container.name));
        let wanted = over.and_then(|o| o.gpus).unwrap_or(container.gpus);
        (0..wanted).map(|_| container.name.to_string())
    });
    let associate = |(gpu, owner): (String, String)| Association {
        name: gpu,
        kind: "gpu".to_owned(),
        containers: vec![owner],
        content: AssociationContent {
            encoding: "base64".to_owned(),
            value: String::new(),
        },
    };
    let gpus = task.gpus.iter().map(ToString::to_string);
    gpus.zip(owners).map(associate).collect()
}

/// An agent takes no other kind than `APPMESH`, and dies of a missing one.
fn proxy(proxy: &ecs::ProxyConfiguration) -> proto::ProxyConfiguration {
    let ecs::ProxyConfiguration {
        container_name,
        properties,
        r#type,
    } = proxy;
    proto::ProxyConfiguration {
        kind: r#type
            .as_ref()
            .map_or_else(|| "APPMESH".to_owned(), ToString::to_string),
        container_name: container_name.clone().unwrap_or_default(),
        properties: container::pairs(properties.as_deref()).collect(),
    }
}

#[cfg(test)]
mod tests;
