//! RegisterContainerInstance: new, again, and adopted (agent protocol reference §2.2).

use berth_api::ecs::{self, Fault, op};
use berth_model::arn::is_arn;
use berth_model::id::InstanceId;
use berth_model::instance::{
    AgentVersion, Attribute, CUSTOM_ATTRIBUTES_MAX, ContainerInstance, EXTERNAL_ATTRIBUTE,
    InstanceStatus, Offer,
};
use berth_model::name::ClusterKey;
use berth_model::tags::Tags;
use berth_model::text::Text;
use berth_state::{Connection, Tx};
use serde::Deserialize;

use crate::call::Call;
use crate::ecs::fault::{access_denied, invalid};
use crate::ecs::instances::registration::{self, Registration};
use crate::ecs::instances::render::{Include, View};
use crate::ecs::names::{active_cluster, cluster_key, instance_id};
use crate::ecs::tags::given_tags;
use crate::error::ApiError;

/// The most characters of a client token; agents send a UUID.
const TOKEN_LENGTH_MAX: usize = 64;
/// The most bytes of a version: the longest that agents have are commits, of 40.
const VERSION_LENGTH_MAX: usize = 128;
/// The attribute that says what kind of machine an instance is.
const TYPE_ATTRIBUTE: &str = "ecs.instance-type";

/// The member of the request that is not in the model.
#[derive(Default, Deserialize)]
struct Extra {
    #[serde(rename = "clientToken")]
    client_token: Option<String>,
}

/// A registration as parsed.
struct Register {
    cluster: ClusterKey,
    registration: Registration,
    tags: Tags,
    /// What the agent says of itself; stock agents do so on their websocket alone.
    version: Option<AgentVersion>,
    /// The instance that the agent says it is.
    known_as: Option<InstanceId>,
    token: Option<Text>,
    caller_arn: Text,
    /// The instance that the caller's credentials are for.
    caller_instance: Option<InstanceId>,
}

/// Makes a machine an instance of a cluster, or renews that it is one.
pub(crate) async fn register_container_instance(
    call: Call,
    input: ecs::RegisterContainerInstanceRequest,
) -> Result<ecs::RegisterContainerInstanceResponse, ApiError> {
    call.check::<op::RegisterContainerInstance>(&input)?;
    let register = parse(&call, &input)?;
    let id = call.transact(move |tx| register.put(tx)).await?;
    let state = call.snapshot();
    let instance = state.instances.get(&id);
    let instance = instance.ok_or_else(|| ApiError::internal("the instance was removed"))?;
    let include = Include {
        tags: true,
        health: None,
    };
    let view = View::new(&state, include);
    Ok(ecs::RegisterContainerInstanceResponse {
        container_instance: Some(view.instance(instance)),
    })
}

fn parse(call: &Call, input: &ecs::RegisterContainerInstanceRequest) -> Result<Register, ApiError> {
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let arn = input.container_instance_arn.as_deref();
    let known_as = match arn.filter(|arn| !arn.is_empty()) {
        Some(arn) if is_arn(arn) => Some(
            instance_id(&cluster, arn)?
                .ok_or_else(|| invalid(format!("Invalid identifier: {arn}")))?,
        ),
        Some(other) => return Err(invalid(format!("Invalid identifier: {other}"))),
        None => None,
    };
    // A body that decoded once decodes again, unless the token is no text.
    let extra: Extra = serde_json::from_slice(&call.body).unwrap_or_default();
    let token = extra.client_token.filter(|token| !token.is_empty());
    if token
        .as_ref()
        .is_some_and(|token| token.chars().count() > TOKEN_LENGTH_MAX)
    {
        return Err(invalid(format!(
            "idempotency token longer than {TOKEN_LENGTH_MAX}."
        )));
    }
    Ok(Register {
        registration: Registration::parse(input, &cluster.scope.region)?,
        cluster,
        version: input.version_info.as_ref().map(version),
        tags: given_tags(Fault::InvalidParameter, input.tags.as_deref())?,
        known_as,
        token: token.map(Text::from),
        caller_arn: Text::new(&call.caller.arn),
        caller_instance: call.caller.instance,
    })
}

fn version(given: &ecs::VersionInfo) -> AgentVersion {
    let short = |text: &Option<String>| {
        let text = text
            .as_deref()
            .filter(|text| text.len() <= VERSION_LENGTH_MAX);
        text.map(Text::new)
    };
    AgentVersion {
        agent: short(&given.agent_version),
        hash: short(&given.agent_hash),
        docker: short(&given.docker_version),
    }
}

impl Register {
    fn put(&self, tx: &mut Tx<'_>) -> Result<InstanceId, ApiError> {
        active_cluster(tx.state(), &self.cluster)?;
        let by_token = || {
            let token = self.token.as_ref()?;
            let found = tx.state().instance_by_token(&self.cluster, token)?;
            Some(found.id)
        };
        let known = self.known_as.or_else(by_token);
        if self.caller_instance.is_some() && self.caller_instance != known {
            let arn = known.map_or_else(|| self.cluster.arn(), |id| self.cluster.instance_arn(id));
            let operation = "RegisterContainerInstance";
            return Err(access_denied(&self.caller_arn, operation, &arn));
        }
        let before = known.and_then(|id| tx.state().instances.get(&id).cloned());
        let instance = match before {
            Some(before) => self.renewed(&before)?,
            None => {
                let id = known.unwrap_or_else(|| tx.ids().instance());
                self.fresh(id, tx)?
            }
        };
        let (id, now) = (instance.id, tx.now());
        tx.put_instance(instance);
        // Counts as connected until the server knows better, so that tasks can be placed at once.
        if !tx.state().is_connected(id) {
            tx.set_connection(
                id,
                Some(Connection {
                    connected: true,
                    since: now,
                }),
            );
        }
        Ok(id)
    }

    fn fresh(&self, id: InstanceId, tx: &Tx<'_>) -> Result<ContainerInstance, ApiError> {
        let registration = &self.registration;
        check_custom(&registration.custom_attributes)?;
        Ok(ContainerInstance {
            id,
            cluster: self.cluster.clone(),
            status: InstanceStatus::Active,
            offer: Offer::of_attributes(&registration.attributes),
            capacity: registration.capacity.clone(),
            attributes: registration.attributes.as_slice().into(),
            custom_attributes: registration.custom_attributes.clone(),
            machine_id: registration.machine_id.clone(),
            version_info: self.version.clone().unwrap_or_default(),
            registered_at: tx.now(),
            deregistered_at: None,
            client_token: self.token.clone(),
            registered_by: Some(self.caller_arn.clone()),
            tags: self.tags.clone(),
            version: 1,
        })
    }

    /// The instance once more: what the agent says is new, what users put stays.
    fn renewed(&self, before: &ContainerInstance) -> Result<ContainerInstance, ApiError> {
        if before.cluster != self.cluster {
            return Err(invalid("The container instance is not of this cluster."));
        }
        let registration = &self.registration;
        if changes_type(before, &registration.attributes) {
            return Err(invalid(
                "Container instance type changes are not supported.",
            ));
        }
        let mut instance = before.clone();
        if instance.status == InstanceStatus::Inactive {
            instance.status = InstanceStatus::Active;
            instance.deregistered_at = None;
        }
        instance.offer = Offer::of_attributes(&registration.attributes);
        instance.capacity = registration.capacity.clone();
        instance.attributes = registration.attributes.as_slice().into();
        for attribute in &registration.custom_attributes {
            registration::set(&mut instance.custom_attributes, attribute.clone());
        }
        check_custom(&instance.custom_attributes)?;
        for (key, value) in self.tags.iter() {
            instance.tags.set(key.clone(), value.clone());
        }
        if registration.machine_id.is_some() {
            instance.machine_id = registration.machine_id.clone();
        }
        if self.token.is_some() {
            instance.client_token = self.token.clone();
        }
        if let Some(version) = &self.version {
            instance.version_info = version.clone();
        }
        instance.registered_by = Some(self.caller_arn.clone());
        instance.version += 1;
        Ok(instance)
    }
}

fn check_custom(attributes: &[Attribute]) -> Result<(), ApiError> {
    if attributes.len() <= CUSTOM_ATTRIBUTES_MAX {
        return Ok(());
    }
    // The operation has no AttributeLimitExceededException, as PutAttributes has.
    Err(invalid(format!(
        "An instance can have at most {CUSTOM_ATTRIBUTES_MAX} custom attributes."
    )))
}

/// Whether the machine would become one of another kind, to which its tasks do not belong.
fn changes_type(before: &ContainerInstance, after: &[Attribute]) -> bool {
    let find = |list: &[Attribute], name: &str| {
        let found = list.iter().find(|attribute| attribute.name == name);
        found.map(|attribute| attribute.value.clone())
    };
    let before = &before.attributes;
    let external = |list: &[Attribute]| find(list, EXTERNAL_ATTRIBUTE).is_some();
    let (old, new) = (find(before, TYPE_ATTRIBUTE), find(after, TYPE_ATTRIBUTE));
    external(before) != external(after) || (old.is_some() && new.is_some() && old != new)
}
