//! DescribeServices (reference §1.5, §2.4).

use berth_api::ecs::{self, op};

use super::names::service_key;
use super::render::{Moment, View};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// The most services of one call (reference §1.5).
const SERVICES_MAX: usize = 10;

/// Describes services in the order in which they are named, each once.
pub(crate) async fn describe_services(
    call: Call,
    input: ecs::DescribeServicesRequest,
) -> Result<ecs::DescribeServicesResponse, ApiError> {
    let named = input.services.as_deref().unwrap_or_default();
    if named.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if named.len() > SERVICES_MAX {
        // Amazon's words, as reported in aws/aws-toolkit-vscode#2362.
        return Err(invalid(format!(
            "service names can have at most {SERVICES_MAX} items."
        )));
    }
    call.check::<op::DescribeServices>(&input)?;
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    active_cluster(&state, &cluster)?;
    let tags = ecs::ServiceField::Tags;
    let tags = input.include.iter().flatten().any(|field| *field == tags);
    let view = View::new(&state, Moment::Later, tags);
    let mut seen = Vec::with_capacity(named.len());
    let mut services = Vec::with_capacity(named.len());
    let mut failures = Vec::new();
    for given in named {
        let key = service_key(&cluster, given)?;
        if seen.contains(&key) {
            continue;
        }
        match state.services.get(&key) {
            Some(service) => services.push(view.service(service)?),
            None => failures.push(ecs::Failure {
                arn: Some(key.arn()),
                reason: Some("MISSING".to_owned()),
                detail: None,
            }),
        }
        seen.push(key);
    }
    Ok(ecs::DescribeServicesResponse {
        failures: Some(failures),
        services: Some(services),
    })
}
