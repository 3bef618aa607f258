//! DiscoverPollEndpoint (agent protocol reference §2.3).

use berth_api::ecs::{self, op};

use crate::access::Resource;
use crate::call::Call;
use crate::ecs::names::{cluster_key, instance_id};
use crate::error::ApiError;

/// Where agents connect for work. An agent adds `/ws` and its own particulars.
const WORK_PATH: &str = "/acs";
/// Where agents connect to tell how their tasks are. Nothing else in the request tells the two
/// apart for certain, so the paths differ.
const TELEMETRY_PATH: &str = "/tcs";
/// Asked for only by tasks of Service Connect. Present because the API has it.
const SERVICE_CONNECT_PATH: &str = "/sc";

/// Where the agent is to connect: at one URL that stays, since agents keep it for 12 hours. It is
/// the same for every instance, so that the request's only has to be one that can be.
pub(crate) async fn discover_poll_endpoint(
    call: Call,
    input: ecs::DiscoverPollEndpointRequest,
) -> Result<ecs::DiscoverPollEndpointResponse, ApiError> {
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let given = input.container_instance.as_deref();
    let given = given.filter(|given| !given.is_empty());
    let instance = match given {
        Some(given) => instance_id(&cluster, given)?,
        None => call.caller.instance(),
    };
    let (resource, arn) = (Resource::Instance(instance), given.unwrap_or_default());
    call.authorize::<op::DiscoverPollEndpoint>(&resource, arn)?;
    let advertised = call.cx.limits.advertise_url.as_ref();
    let base = advertised.unwrap_or(&call.caller.base_url);
    let base = base.trim_end_matches('/');
    Ok(ecs::DiscoverPollEndpointResponse {
        endpoint: Some(format!("{base}{WORK_PATH}")),
        telemetry_endpoint: Some(format!("{base}{TELEMETRY_PATH}")),
        service_connect_endpoint: Some(format!("{base}{SERVICE_CONNECT_PATH}")),
    })
}
