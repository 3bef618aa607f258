//! DiscoverPollEndpoint (agent protocol reference §2.3).

use berth_api::ecs::{self, op};
use berth_model::arn::EcsArn;

use crate::access::Resource;
use crate::call::Call;
use crate::error::ApiError;

/// Where agents connect for work. An agent adds `/ws` and its own particulars.
const WORK_PATH: &str = "/acs";
/// Where agents connect to tell how their tasks are. Nothing else in the request tells the two
/// apart for certain, so the paths differ.
const TELEMETRY_PATH: &str = "/tcs";
/// Asked for only by tasks of Service Connect. Present because the API has it.
const SERVICE_CONNECT_PATH: &str = "/sc";

/// Where the agent is to connect: at one URL that stays, since agents keep it for 12 hours.
pub(crate) async fn discover_poll_endpoint(
    call: Call,
    input: ecs::DiscoverPollEndpointRequest,
) -> Result<ecs::DiscoverPollEndpointResponse, ApiError> {
    if let Some(own) = call.caller.instance() {
        let named = input.container_instance.unwrap_or_default();
        let id = EcsArn::parse(&named).map_or(named.as_str(), |arn| arn.last());
        let instance = if named.is_empty() {
            Some(own)
        } else {
            id.parse().ok()
        };
        call.authorize::<op::DiscoverPollEndpoint>(&Resource::Instance(instance), &named)?;
    }
    let advertised = call.cx.limits.advertise_url.as_ref();
    let base = advertised.unwrap_or(&call.caller.base_url);
    let base = base.trim_end_matches('/');
    Ok(ecs::DiscoverPollEndpointResponse {
        endpoint: Some(format!("{base}{WORK_PATH}")),
        telemetry_endpoint: Some(format!("{base}{TELEMETRY_PATH}")),
        service_connect_endpoint: Some(format!("{base}{SERVICE_CONNECT_PATH}")),
    })
}
