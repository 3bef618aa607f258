//! How requests name services and what belongs to them (reference §1.8, §1.9).

use std::sync::Arc;

use berth_api::ecs::Fault;
use berth_model::arn::is_arn;
use berth_model::name::{ClusterKey, Scope, ServiceKey};
use berth_model::service::{Service, ServiceStatus};
use berth_state::State;

use crate::ecs::fault::invalid;
use crate::ecs::names::own_arn;
use crate::error::ApiError;

/// The service that a request names within `cluster`, by name or ARN.
///
/// # Errors
/// InvalidParameterException for what can be no service's name, and for an ARN of something else
/// or from elsewhere.
pub(crate) fn service_key(cluster: &ClusterKey, given: &str) -> Result<ServiceKey, ApiError> {
    let name = if is_arn(given) {
        let arn = own_arn(&cluster.scope, given, &["service"])?;
        match arn.rest.split_once('/') {
            Some((named, _)) if named != cluster.name.as_str() => {
                return Err(invalid(format!(
                    "Invalid identifier: Identifier is for cluster {named}. Your cluster is {}",
                    cluster.name
                )));
            }
            Some((_, name)) => name,
            None => arn.rest,
        }
    } else {
        given
    };
    let parsed = name.parse().map_err(|_| {
        invalid(format!(
            r"Service name must match ^[a-zA-Z0-9\-_]{{1,255}}$, but was {name}"
        ))
    })?;
    Ok(ServiceKey {
        cluster: cluster.clone(),
        name: parsed,
    })
}

/// A service that is there, whatever its status.
///
/// # Errors
/// ServiceNotFoundException, whose message is empty (reference §1.2).
pub(crate) fn known_service<'a>(
    state: &'a State,
    key: &ServiceKey,
) -> Result<&'a Arc<Service>, ApiError> {
    let service = state.services.get(key);
    service.ok_or_else(|| ApiError::client(Fault::ServiceNotFound, ""))
}

/// A service that is in use.
///
/// # Errors
/// ServiceNotFoundException when there is none, ServiceNotActiveException when it was deleted.
pub(super) fn active_service<'a>(
    state: &'a State,
    key: &ServiceKey,
) -> Result<&'a Arc<Service>, ApiError> {
    let service = known_service(state, key)?;
    match service.status {
        ServiceStatus::Active => Ok(service),
        ServiceStatus::Draining | ServiceStatus::Inactive => Err(ApiError::client(
            Fault::ServiceNotActive,
            "Service was not ACTIVE.",
        )),
    }
}

/// The service and the last part of an ARN `…:<kind>/<cluster>/<service>/<id>`; `None` when it is
/// no such ARN.
///
/// # Errors
/// InvalidParameterException for an ARN of another account or region.
pub(super) fn part_of_service<'a>(
    scope: &Scope,
    given: &'a str,
    kind: &str,
) -> Result<Option<(ServiceKey, &'a str)>, ApiError> {
    let parsed = berth_model::arn::EcsArn::parse(given);
    if parsed.is_none_or(|arn| arn.kind != kind) {
        return Ok(None);
    }
    let arn = own_arn(scope, given, &[kind])?;
    let Some((cluster, rest)) = arn.rest.split_once('/') else {
        return Ok(None);
    };
    let Some((service, id)) = rest.split_once('/') else {
        return Ok(None);
    };
    let (Ok(cluster), Ok(name)) = (cluster.parse(), service.parse()) else {
        return Ok(None);
    };
    let cluster = ClusterKey {
        scope: scope.clone(),
        name: cluster,
    };
    Ok(Some((ServiceKey { cluster, name }, id)))
}
