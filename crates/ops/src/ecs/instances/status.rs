//! UpdateContainerInstancesState and UpdateContainerAgent (reference §1.7, §5.3).

use berth_api::Operation;
use berth_api::ecs::{self, Fault, op};
use berth_model::instance::{ContainerInstance, InstanceStatus};
use berth_model::name::ClusterKey;
use berth_state::Tx;

use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::instances::named::{Named, not_found};
use crate::ecs::instances::render::{Include, View};
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// The most instances of one call (reference §1.5).
const INSTANCES_MAX: usize = 10;

/// Drains instances, or takes them back into use.
pub(crate) async fn update_container_instances_state(
    call: Call,
    input: ecs::UpdateContainerInstancesStateRequest,
) -> Result<ecs::UpdateContainerInstancesStateResponse, ApiError> {
    let status = match &input.status {
        Some(ecs::ContainerInstanceStatus::Active) => InstanceStatus::Active,
        Some(ecs::ContainerInstanceStatus::Draining) => InstanceStatus::Draining,
        Some(
            ecs::ContainerInstanceStatus::Registering
            | ecs::ContainerInstanceStatus::Deregistering
            | ecs::ContainerInstanceStatus::RegistrationFailed
            | ecs::ContainerInstanceStatus::Unknown(_),
        )
        | None => {
            return Err(invalid(
                "Container instance status should be one of [ACTIVE, DRAINING]",
            ));
        }
    };
    call.check::<op::UpdateContainerInstancesState>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let given = input.container_instances.as_deref();
    let named = Named::parse_all(&cluster, given, INSTANCES_MAX)?;
    for named in &named {
        named.check_own(&call, op::UpdateContainerInstancesState::NAME)?;
    }
    let (changed, failures) = call
        .transact(move |tx| update(tx, &cluster, &named, status))
        .await?;
    let state = call.snapshot();
    let include = Include {
        tags: false,
        health: None,
    };
    let view = View::new(&state, include);
    let shown = changed.iter().map(|instance| view.instance(instance));
    Ok(ecs::UpdateContainerInstancesStateResponse {
        container_instances: Some(shown.collect()),
        failures: Some(failures),
    })
}

type Updated = (Vec<ContainerInstance>, Vec<ecs::Failure>);

fn update(
    tx: &mut Tx<'_>,
    cluster: &ClusterKey,
    named: &[Named],
    status: InstanceStatus,
) -> Result<Updated, ApiError> {
    active_cluster(tx.state(), cluster)?;
    let (mut changed, mut failures) = (Vec::new(), Vec::new());
    for named in named {
        let Some(instance) = named.find(tx.state(), cluster).cloned() else {
            failures.push(named.failure("MISSING"));
            continue;
        };
        if instance.status == InstanceStatus::Inactive {
            failures.push(named.failure("INACTIVE"));
            continue;
        }
        let mut instance = (*instance).clone();
        if instance.status != status {
            instance.status = status;
            instance.version += 1;
            tx.put_instance(instance.clone());
        }
        changed.push(instance);
    }
    Ok((changed, failures))
}

/// Agents are updated by whoever installed them: there is never an update here.
pub(crate) async fn update_container_agent(
    call: Call,
    input: ecs::UpdateContainerAgentRequest,
) -> Result<ecs::UpdateContainerAgentResponse, ApiError> {
    call.check::<op::UpdateContainerAgent>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let given = input.container_instance.as_deref().unwrap_or_default();
    let named = Named::parse(&cluster, given)?;
    named.find(&state, &cluster).ok_or_else(not_found)?;
    Err(ApiError::client(
        Fault::NoUpdateAvailable,
        "There is no update available for this container agent.",
    ))
}
