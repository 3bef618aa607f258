//! DeleteService (reference §2.4, §7.10).

use berth_api::ecs::{self, op};
use berth_model::service::{Controller, Scheduling, Service, ServiceStatus};

use super::names::{known_service, service_key};
use super::render::{Moment, View};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// Begins to delete a service; doing so again is no error. Its controller stops the tasks.
pub(crate) async fn delete_service(
    call: Call,
    input: ecs::DeleteServiceRequest,
) -> Result<ecs::DeleteServiceResponse, ApiError> {
    call.check::<op::DeleteService>(&input)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&call.snapshot(), &cluster)?;
    let key = service_key(&cluster, input.service.as_deref().unwrap_or_default())?;
    let force = input.force.unwrap_or(false);
    let asked = key.clone();
    call.transact(move |tx| {
        let service = known_service(tx.state(), &asked)?;
        if service.status != ServiceStatus::Active {
            return Ok(());
        }
        let replicas = service.spec.scheduling == Scheduling::Replica;
        if replicas && service.spec.desired > 0 && !force {
            return Err(invalid(
                "The service cannot be stopped while it is scaled above 0.",
            ));
        }
        let by_others = service.spec.controller != Controller::Ecs;
        if by_others && !force && tx.state().services.task_sets(&asked).next().is_some() {
            return Err(invalid(
                "The service cannot be stopped while deployments are active.",
            ));
        }
        let mut service = Service::clone(service);
        service.status = ServiceStatus::Draining;
        service.spec.desired = 0;
        tx.put_service(service);
        Ok(())
    })
    .await?;
    let state = call.snapshot();
    let view = View::new(&state, Moment::Changed, false);
    Ok(ecs::DeleteServiceResponse {
        service: Some(view.named(&key)?),
    })
}
