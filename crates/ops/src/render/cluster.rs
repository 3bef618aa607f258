//! Clusters as the API shows them (reference §2.1).

use berth_api::ecs;
use berth_model::cluster::{Cluster, ClusterSpec};
use berth_model::instance::InstanceStatus;
use berth_state::{ClusterCounts, ServiceCounts, State};

use crate::ecs::strategy;
use crate::ecs::tags::render_tags;
use crate::error::ApiError;

/// Which of a cluster's parts an answer has; the others are empty or absent.
#[derive(Clone, Copy, Default)]
pub(crate) struct Parts {
    /// `attachments`.
    pub(crate) attachments: bool,
    /// `configuration`.
    pub(crate) configuration: bool,
    /// `settings`.
    pub(crate) settings: bool,
    /// `statistics`.
    pub(crate) statistics: bool,
    /// `tags`.
    pub(crate) tags: bool,
}

/// A cluster with the parts asked for.
///
/// # Errors
/// A server fault when the saved configuration does not read.
pub(crate) fn cluster(
    state: &State,
    cluster: &Cluster,
    parts: Parts,
) -> Result<ecs::Cluster, ApiError> {
    with_spec(state, cluster, &cluster.spec, parts)
}

/// A cluster as its CreateCluster made it, which a repeat of that call answers.
///
/// # Errors
/// A server fault when the saved configuration does not read.
pub(crate) fn cluster_as_created(
    state: &State,
    cluster: &Cluster,
) -> Result<ecs::Cluster, ApiError> {
    let parts = Parts {
        configuration: true,
        settings: true,
        ..Parts::default()
    };
    let mut created = with_spec(state, cluster, &cluster.created_as, parts)?;
    created.tags = Some(render_tags(&cluster.created_tags));
    Ok(created)
}

fn with_spec(
    state: &State,
    cluster: &Cluster,
    spec: &ClusterSpec,
    parts: Parts,
) -> Result<ecs::Cluster, ApiError> {
    let ClusterSpec {
        container_insights,
        configuration,
        service_connect_namespace,
        providers,
        default_strategy,
    } = spec;
    let configuration = configuration
        .as_ref()
        .filter(|_| parts.configuration)
        .map(|saved| serde_json::from_value(saved.clone()))
        .transpose()
        .map_err(ApiError::internal)?;
    let setting = || ecs::ClusterSetting {
        name: Some(ecs::ClusterSettingName::ContainerInsights),
        value: Some(container_insights.to_string()),
    };
    let counts = state
        .cluster_row(&cluster.key)
        .map(|row| state.tasks.cluster_counts(row))
        .unwrap_or_default();
    let services = state.services.counts(&cluster.key);
    let attachments = parts.attachments.then(Vec::new);
    Ok(ecs::Cluster {
        active_services_count: Some(total(services.active)),
        attachments,
        // Only providers that scale machines have attachments.
        attachments_status: None,
        capacity_providers: Some(providers.iter().map(ToString::to_string).collect()),
        cluster_arn: Some(cluster.key.arn()),
        cluster_name: Some(cluster.key.name.to_string()),
        configuration,
        default_capacity_provider_strategy: Some(strategy::render(default_strategy)),
        pending_tasks_count: Some(total(counts.pending)),
        registered_container_instances_count: Some(registered_instances(state, cluster)),
        running_tasks_count: Some(total(counts.running)),
        service_connect_defaults: service_connect_namespace.as_ref().map(|namespace| {
            ecs::ClusterServiceConnectDefaults {
                namespace: Some(namespace.to_string()),
            }
        }),
        settings: Some(parts.settings.then(setting).into_iter().collect()),
        statistics: Some(if parts.statistics {
            statistics(&counts, &services)
        } else {
            Vec::new()
        }),
        status: Some(cluster.status.as_str().to_owned()),
        tags: Some(if parts.tags {
            render_tags(&cluster.tags)
        } else {
            Vec::new()
        }),
    })
}

/// How many container instances of the cluster are not deregistered. A machine that is Fargate
/// capacity alone is nobody's container instance.
pub(crate) fn registered_instances(state: &State, cluster: &Cluster) -> i32 {
    let registered = state
        .instances_of(&cluster.key)
        .filter(|instance| instance.status != InstanceStatus::Inactive && instance.offer.instance)
        .count();
    i32::try_from(registered).unwrap_or(i32::MAX)
}

fn total(counts: [u32; 3]) -> i32 {
    let sum = counts.into_iter().fold(0, u32::saturating_add);
    i32::try_from(sum).unwrap_or(i32::MAX)
}

/// The sixteen numbers in the order in which Amazon ECS gives them. There are no managed
/// instances.
fn statistics(counts: &ClusterCounts, services: &ServiceCounts) -> Vec<ecs::KeyValuePair> {
    let [active_ec2, active_fargate, active_external] = services.active;
    let [draining_ec2, draining_fargate, draining_external] = services.draining;
    let [running_ec2, running_fargate, running_external] = counts.running;
    let [pending_ec2, pending_fargate, pending_external] = counts.pending;
    [
        ("runningEC2TasksCount", running_ec2),
        ("runningFargateTasksCount", running_fargate),
        ("pendingEC2TasksCount", pending_ec2),
        ("pendingFargateTasksCount", pending_fargate),
        ("runningExternalTasksCount", running_external),
        ("pendingExternalTasksCount", pending_external),
        ("runningManagedInstancesTasksCount", 0),
        ("pendingManagedInstancesTasksCount", 0),
        ("activeEC2ServiceCount", active_ec2),
        ("activeFargateServiceCount", active_fargate),
        ("drainingEC2ServiceCount", draining_ec2),
        ("drainingFargateServiceCount", draining_fargate),
        ("activeExternalServiceCount", active_external),
        ("drainingExternalServiceCount", draining_external),
        ("activeManagedInstancesServiceCount", 0),
        ("drainingManagedInstancesServiceCount", 0),
    ]
    .into_iter()
    .map(|(name, value)| ecs::KeyValuePair {
        name: Some(name.to_owned()),
        value: Some(value.to_string()),
    })
    .collect()
}
