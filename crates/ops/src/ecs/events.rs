//! Events of the bus, as EventBridge delivers Amazon ECS's (reference §4.6).
//!
//! What an event says of a task or an instance is what DescribeTasks and
//! DescribeContainerInstances say, with instants as text and without what only those calls add.
//! Which changes make an event, and who hears of it, is the server's business.

use std::cell::OnceCell;

use berth_model::instance::ContainerInstance;
use berth_model::name::Scope;
use berth_model::service::{Notice, NoticeKind, ServiceNotice};
use berth_model::task::Task;
use berth_model::time::Timestamp;
use berth_state::State;
use serde_json::{Map, Value, json};

use crate::context::DefinitionCache;
use crate::ecs::instances::render::{Include, View as Instances};
use crate::ecs::tasks::render::{Moment, View as Tasks};
use crate::error::ApiError;

/// What DescribeTasks adds to what an event says of a task.
const NOT_OF_TASKS: [&str; 4] = [
    "fargateEphemeralStorage",
    "healthStatus",
    "platformFamily",
    "tags",
];
/// What DescribeContainerInstances adds to what an event says of an instance.
const NOT_OF_INSTANCES: [&str; 2] = ["attachments", "tags"];

/// What an event is about: its `detail-type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// A task changed.
    Task,
    /// A container instance changed.
    Instance,
    /// A service did something.
    ServiceAction,
    /// A deployment began or ended.
    Deployment,
}

impl EventKind {
    /// All of them.
    pub const ALL: [EventKind; 4] = [
        Self::Task,
        Self::Instance,
        Self::ServiceAction,
        Self::Deployment,
    ];

    /// The `detail-type`.
    #[must_use]
    pub fn detail_type(self) -> &'static str {
        match self {
            Self::Task => "ECS Task State Change",
            Self::Instance => "ECS Container Instance State Change",
            Self::ServiceAction => "ECS Service Action",
            Self::Deployment => "ECS Deployment State Change",
        }
    }

    /// The kind of what a service tells.
    #[must_use]
    pub fn of_notice(kind: NoticeKind) -> Self {
        match kind {
            NoticeKind::ActionInfo | NoticeKind::ActionWarn | NoticeKind::ActionError => {
                Self::ServiceAction
            }
            NoticeKind::DeploymentInfo | NoticeKind::DeploymentError => Self::Deployment,
        }
    }
}

/// The envelope around a `detail`.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    /// The event's id.
    pub id: &'a str,
    /// When it happened.
    pub at: Timestamp,
    /// Account and region.
    pub scope: &'a Scope,
}

impl Envelope<'_> {
    /// The whole event.
    #[must_use]
    pub fn around(
        &self,
        (source, detail_type): (&str, &str),
        resources: &[String],
        detail: Value,
    ) -> Value {
        json!({
            "version": "0",
            "id": self.id,
            "detail-type": detail_type,
            "source": source,
            "account": self.scope.account.to_string(),
            "time": self.at.to_rfc3339_seconds(),
            "region": self.scope.region.to_string(),
            "resources": resources,
            "detail": detail,
        })
    }

    /// A task's, an instance's and a service's event have one resource.
    fn of_ecs(&self, kind: EventKind, resource: String, detail: Value) -> Value {
        self.around(("aws.ecs", kind.detail_type()), &[resource], detail)
    }

    /// `ECS Service Action` and `ECS Deployment State Change`.
    #[must_use]
    pub fn service(&self, told: &ServiceNotice) -> Value {
        let Notice {
            kind,
            name,
            deployment,
            tasks,
            instances,
            providers,
            reason,
        } = &told.notice;
        let event_type = match kind {
            NoticeKind::ActionInfo | NoticeKind::DeploymentInfo => "INFO",
            NoticeKind::ActionWarn => "WARN",
            NoticeKind::ActionError | NoticeKind::DeploymentError => "ERROR",
        };
        let event_kind = EventKind::of_notice(*kind);
        let cluster = &told.service.cluster;
        let mut detail = Map::new();
        let mut add = |name: &str, value: Value| detail.insert(name.to_owned(), value);
        add("eventType", event_type.into());
        add("eventName", (*name).into());
        add("clusterArn", cluster.arn().into());
        let at = Value::from(told.at.to_rfc3339());
        match event_kind {
            EventKind::Deployment => {
                add("updatedAt", at);
                if let Some(id) = deployment {
                    add("deploymentId", id.to_string().into());
                }
            }
            EventKind::Task | EventKind::Instance | EventKind::ServiceAction => {
                add("createdAt", at);
                let sets = deployment.iter().map(|id| told.service.task_set_arn(*id));
                let scope = &cluster.scope;
                let mut list = |name: &str, arns: Vec<String>| {
                    if !arns.is_empty() {
                        add(name, arns.into());
                    }
                };
                list("taskSetArns", sets.collect());
                let tasks = tasks.iter().map(|id| cluster.task_arn(*id));
                list("taskArns", tasks.collect());
                let instances = instances.iter().map(|id| cluster.instance_arn(*id));
                list("containerInstanceArns", instances.collect());
                let providers = providers
                    .iter()
                    .map(|name| scope.capacity_provider_arn(name));
                list("capacityProviderArns", providers.collect());
            }
        }
        if let Some(reason) = reason {
            detail.insert("reason".to_owned(), reason.as_str().into());
        }
        self.of_ecs(event_kind, told.service.arn(), detail.into())
    }

    /// The detail with its own instant, and every instant in it as text.
    fn dated(&self, mut detail: Map<String, Value>) -> Value {
        detail.insert("updatedAt".to_owned(), self.at.to_rfc3339().into());
        let mut detail = Value::Object(detail);
        date(&mut detail);
        detail
    }
}

/// What events are made from: one state, for any number of them.
pub struct EventView<'a> {
    state: &'a State,
    definitions: &'a DefinitionCache,
    /// Made for the first instance: it takes a look at all of them.
    instances: OnceCell<Instances<'a>>,
}

impl<'a> EventView<'a> {
    /// A view of `state`.
    #[must_use]
    pub fn new(state: &'a State, definitions: &'a DefinitionCache) -> Self {
        Self {
            state,
            definitions,
            instances: OnceCell::new(),
        }
    }

    /// `ECS Task State Change`: the task as it is given, in its surroundings as they are.
    ///
    /// # Errors
    /// A server fault when the task's definition is not there, which the state rules out.
    pub fn task(&self, envelope: &Envelope<'_>, task: &Task) -> Result<Value, ApiError> {
        let cluster = &task.spec.cluster;
        let view = Tasks::new(self.state, self.definitions, cluster, Moment::Later, false);
        let mut detail = members(&view.task(task)?)?;
        for name in NOT_OF_TASKS {
            detail.remove(name);
        }
        if let Some(Value::Object(overrides)) = detail.get_mut("overrides") {
            overrides.retain(|name, _| name == "containerOverrides");
        }
        for container in objects(&mut detail, "containers") {
            container.remove("healthStatus");
        }
        for attachment in objects(&mut detail, "attachments") {
            attachment.insert("type".to_owned(), "eni".into());
        }
        let arn = cluster.task_arn(task.id);
        Ok(envelope.of_ecs(EventKind::Task, arn, envelope.dated(detail)))
    }

    /// `ECS Container Instance State Change`: the instance as it is given, with what its tasks
    /// hold of it now.
    ///
    /// # Errors
    /// A server fault when the answer cannot be written, which its type rules out.
    pub fn instance(
        &self,
        envelope: &Envelope<'_>,
        instance: &ContainerInstance,
    ) -> Result<Value, ApiError> {
        let cluster = &instance.cluster;
        let include = Include {
            tags: false,
            health: None,
        };
        let view = self
            .instances
            .get_or_init(|| Instances::new(self.state, include));
        let mut detail = members(&view.instance(instance))?;
        for name in NOT_OF_INSTANCES {
            detail.remove(name);
        }
        detail.insert("clusterArn".to_owned(), cluster.arn().into());
        for resources in ["registeredResources", "remainingResources"] {
            for resource in objects(&mut detail, resources) {
                // Only the member that its type names.
                let is_set = resource.get("type").is_some_and(|kind| kind == "STRINGSET");
                let value = if is_set {
                    "stringSetValue"
                } else {
                    "integerValue"
                };
                resource.retain(|name, _| [value, "name", "type"].contains(&name.as_str()));
            }
        }
        let arn = cluster.instance_arn(instance.id);
        Ok(envelope.of_ecs(EventKind::Instance, arn, envelope.dated(detail)))
    }
}

fn members(shown: &impl serde::Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(shown).map_err(ApiError::internal)? {
        Value::Object(members) => Ok(members),
        _ => Err(ApiError::internal(
            "a structure is not written as an object",
        )),
    }
}

/// The objects of a list.
fn objects<'a>(
    of: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let list = of.get_mut(name).and_then(Value::as_array_mut);
    let list = list.into_iter().flatten();
    list.filter_map(Value::as_object_mut)
}

/// Turns the API's numbers of seconds into text. Their names, and no others', end in `At`.
fn date(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                match member.as_f64().filter(|_| name.ends_with("At")) {
                    #[expect(clippy::cast_possible_truncation, reason = "years, not aeons, in ms")]
                    Some(seconds) => {
                        let at = Timestamp::from_millis((seconds * 1000.0).round() as i64);
                        *member = at.to_rfc3339().into();
                    }
                    None => date(member),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(date),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
