//! DescribeContainerInstances (reference §1.5, §1.7, §5.1).

use berth_api::ecs::{self, op};

use crate::call::Call;
use crate::ecs::instances::named::Named;
use crate::ecs::instances::render::{Include, View};
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// The most instances of one call (reference §1.5).
const INSTANCES_MAX: usize = 100;

/// The instances of these names; those that there are not are failures.
pub(crate) async fn describe_container_instances(
    call: Call,
    input: ecs::DescribeContainerInstancesRequest,
) -> Result<ecs::DescribeContainerInstancesResponse, ApiError> {
    let state = call.snapshot();
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let given = input.container_instances.as_deref();
    let named = Named::parse_all(&cluster, given, INSTANCES_MAX)?;
    call.check::<op::DescribeContainerInstances>(&input)?;
    active_cluster(&state, &cluster)?;
    let include = input.include.as_deref().unwrap_or_default();
    let health = include.contains(&ecs::ContainerInstanceField::ContainerInstanceHealth);
    let include = Include {
        tags: include.contains(&ecs::ContainerInstanceField::Tags),
        health: health.then_some(&*call.cx.metrics),
    };
    let view = View::new(&state, include);
    let (mut instances, mut failures) = (Vec::new(), Vec::new());
    for named in &named {
        match named.find(&state, &cluster) {
            Some(instance) => instances.push(view.instance(instance)),
            None => failures.push(named.failure("MISSING")),
        }
    }
    Ok(ecs::DescribeContainerInstancesResponse {
        container_instances: Some(instances),
        failures: Some(failures),
    })
}
