//! Services, deployments and task sets as the API shows them (reference §2.4, §2.5, §7.3).

use berth_api::ecs;
use berth_model::id::ServiceDeploymentId;
use berth_model::name::ServiceKey;
use berth_model::scheduler::{DeploymentId, DeploymentStatus, RolloutState};
use berth_model::service::{
    Controller, Deployment, Scheduling, Service, ServiceCapacity, ServiceEvent, ServiceRevision,
    ServiceStatus, TaskSet,
};
use berth_model::task::{LaunchType, Membership, NetworkConfiguration, PlacementConstraint};
use berth_model::text::Text;
use berth_state::{DeploymentCounts, State};

use super::configuration;
use super::names::known_service;
use super::wanted::launch_of;
use crate::ecs::strategy;
use crate::ecs::tags::render_tags;
use crate::ecs::tasks::capacity::PLATFORM_LATEST;
use crate::ecs::tasks::render::{launch_type, seconds};
use crate::error::ApiError;

/// When a service is shown: a deployment that was just made shows no desired count yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// In the answer to the call that changed it.
    Changed,
    /// Later.
    Later,
}

/// How services are shown.
pub(super) struct View<'a> {
    state: &'a State,
    moment: Moment,
    tags: bool,
}

/// A count on the wire.
pub(super) fn count(number: u32) -> Option<i32> {
    Some(i32::try_from(number).unwrap_or(i32::MAX))
}

/// The two ways in which the API shows capacity: a launch type, or else a strategy.
pub(super) fn capacity(
    capacity: &ServiceCapacity,
) -> (
    Option<ecs::LaunchType>,
    Option<Vec<ecs::CapacityProviderStrategyItem>>,
) {
    match capacity {
        ServiceCapacity::Launch(launch) => (Some(launch_type(*launch)), None),
        ServiceCapacity::Strategy(items) => (None, Some(strategy::render(items))),
    }
}

/// A network configuration on the wire.
pub(super) fn network(network: &NetworkConfiguration) -> ecs::NetworkConfiguration {
    let texts = |ids: &[Text]| Some(ids.iter().map(Text::to_string).collect());
    ecs::NetworkConfiguration {
        awsvpc_configuration: Some(ecs::AwsVpcConfiguration {
            assign_public_ip: Some(if network.assign_public_ip {
                ecs::AssignPublicIp::Enabled
            } else {
                ecs::AssignPublicIp::Disabled
            }),
            security_groups: texts(&network.security_groups),
            subnets: texts(&network.subnets),
        }),
    }
}

/// The platform version that `LATEST` stands for, on Fargate.
pub(super) fn resolved_platform(given: Option<&Text>) -> Option<String> {
    given.map(|given| match given.as_str() {
        "LATEST" => PLATFORM_LATEST.to_owned(),
        version => version.to_owned(),
    })
}

/// `serviceConnectConfiguration` as it was given.
///
/// # Errors
/// A server fault when it does not read.
pub(super) fn service_connect(
    saved: Option<&serde_json::Value>,
) -> Result<Option<ecs::ServiceConnectConfiguration>, ApiError> {
    saved
        .map(|saved| serde_json::from_value(saved.clone()))
        .transpose()
        .map_err(ApiError::internal)
}

/// The counts of a deployment or task set.
pub(super) fn counts_of(state: &State, key: &ServiceKey, id: DeploymentId) -> DeploymentCounts {
    let member = Membership {
        service: key.name.clone(),
        deployment: id,
    };
    state
        .cluster_row(&key.cluster)
        .map(|row| state.tasks.deployment_counts(row, &member))
        .unwrap_or_default()
}

/// How many tasks a deployment is to have.
pub(super) fn desired_of(
    service: &Service,
    deployment: &Deployment,
    counts: DeploymentCounts,
) -> u32 {
    let wanted = counts.running + counts.pending;
    match (deployment.rollout.status, deployment.rollout.state) {
        (DeploymentStatus::Primary, RolloutState::Failed)
        | (DeploymentStatus::Active | DeploymentStatus::Inactive, _) => wanted,
        (DeploymentStatus::Primary, RolloutState::InProgress | RolloutState::Completed) => {
            match service.spec.scheduling {
                Scheduling::Replica => service.spec.desired,
                Scheduling::Daemon => wanted,
            }
        }
    }
}

/// The entries of `deployments`, the primary one first and the newest before older ones.
pub(super) fn listed<'a>(state: &'a State, key: &ServiceKey) -> Vec<&'a Deployment> {
    let mut listed: Vec<&Deployment> = state
        .services
        .deployments(key)
        .map(|deployment| &**deployment)
        .filter(|deployment| deployment.rollout.status != DeploymentStatus::Inactive)
        .collect();
    listed.sort_by_key(|d| {
        let primary = d.rollout.status == DeploymentStatus::Primary;
        std::cmp::Reverse((primary, d.created_at, d.id))
    });
    listed
}

/// The service deployment that has not ended.
pub(super) fn current_run(state: &State, key: &ServiceKey) -> Option<ServiceDeploymentId> {
    let under_way = state.services.runs(key);
    let mut under_way = under_way.filter(|run| !run.run.status.is_terminal());
    under_way.next().map(|run| run.id)
}

impl<'a> View<'a> {
    /// A view that shows labels if `tags`.
    pub(super) fn new(state: &'a State, moment: Moment, tags: bool) -> Self {
        Self {
            state,
            moment,
            tags,
        }
    }

    /// The service of this key.
    ///
    /// # Errors
    /// ServiceNotFoundException when it is gone.
    pub(super) fn named(&self, key: &ServiceKey) -> Result<ecs::Service, ApiError> {
        self.service(known_service(self.state, key)?)
    }

    /// The service as the API shows it.
    ///
    /// # Errors
    /// A server fault for a record that does not read.
    pub(super) fn service(&self, service: &Service) -> Result<ecs::Service, ApiError> {
        let Service {
            key,
            status,
            spec,
            memory: _,
            tags,
            client_token: _,
            created_by,
            created_at,
            ended_at: _,
        } = service;
        let counts = self
            .state
            .cluster_row(&key.cluster)
            .map(|row| self.state.tasks.service_counts(row, &key.name))
            .unwrap_or_default();
        let listed = listed(self.state, key);
        let template = self.template(service);
        let (launch, strategy) = capacity(&spec.capacity);
        let is_fargate = launch_of(&spec.capacity) == LaunchType::Fargate;
        let desired = match (status, spec.scheduling) {
            (ServiceStatus::Draining | ServiceStatus::Inactive, _) => 0,
            (ServiceStatus::Active, Scheduling::Replica) => spec.desired,
            (ServiceStatus::Active, Scheduling::Daemon) => counts.running + counts.pending,
        };
        let tags = (self.tags && !tags.is_empty()).then(|| render_tags(tags));
        let current_run = current_run(self.state, key);
        let current_run = current_run.filter(|_| self.moment == Moment::Later);
        let template_network = template.as_ref().and_then(|t| t.network.as_deref());
        let mut deployments = Vec::with_capacity(listed.len());
        for deployment in listed.iter().filter(|_| *status != ServiceStatus::Inactive) {
            deployments.push(self.deployment(service, deployment)?);
        }
        Ok(ecs::Service {
            availability_zone_rebalancing: Some(if spec.zone_rebalancing {
                ecs::AvailabilityZoneRebalancing::Enabled
            } else {
                ecs::AvailabilityZoneRebalancing::Disabled
            }),
            capacity_provider_strategy: strategy,
            cluster_arn: Some(key.cluster.arn()),
            created_at: Some(seconds(*created_at)),
            created_by: Some(created_by.to_string()),
            current_service_deployment: current_run.map(|id| key.deployment_arn(id)),
            current_service_revisions: Some(self.current_revisions(service, &listed)),
            deployment_configuration: Some(configuration::render(&spec.deployment)),
            deployment_controller: Some(ecs::DeploymentController {
                r#type: Some(spec.controller.as_str().into()),
            }),
            deployments: Some(deployments),
            desired_count: count(desired),
            enable_ecs_managed_tags: Some(spec.managed_tags),
            enable_execute_command: Some(spec.execute_command),
            events: Some(self.events(key)),
            health_check_grace_period_seconds: count(spec.grace_seconds),
            launch_type: launch,
            load_balancers: Some(Vec::new()),
            network_configuration: template_network.map(network),
            pending_count: count(counts.pending),
            placement_constraints: Some(spec.constraints.iter().map(constraint).collect()),
            placement_strategy: Some(spec.strategy.iter().map(placement_strategy).collect()),
            platform_family: is_fargate.then(|| "Linux".to_owned()),
            platform_version: template
                .as_ref()
                .and_then(|t| t.platform_version.as_ref())
                .map(Text::to_string),
            propagate_tags: Some(spec.propagate.as_str().into()),
            resource_management_type: Some(ecs::ResourceManagementType::Customer),
            role_arn: self.role(service, template_network.is_some()),
            running_count: count(counts.running),
            scheduling_strategy: Some(spec.scheduling.as_str().into()),
            service_arn: Some(key.arn()),
            service_name: Some(key.name.to_string()),
            service_registries: Some(Vec::new()),
            status: Some(status.as_str().to_owned()),
            tags,
            task_definition: template.map(|t| t.definition.arn()),
            task_sets: match spec.controller {
                Controller::Ecs => None,
                Controller::CodeDeploy | Controller::External => Some(self.task_sets(service)),
            },
        })
    }

    /// What the service shows as its own: the primary revision's, or the primary task set's.
    fn template(&self, service: &Service) -> Option<super::wanted::Template> {
        let id = service.spec.primary?;
        let services = &self.state.services;
        match service.spec.controller {
            Controller::Ecs => services
                .revision(&service.key, id)
                .map(|revision| super::wanted::Template::of(revision)),
            Controller::CodeDeploy | Controller::External => services
                .task_set(&service.key, id)
                .map(|set| super::wanted::Template::of_task_set(set)),
        }
    }

    /// A given role; or the service-linked one, where ECS would need it.
    fn role(&self, service: &Service, awsvpc: bool) -> Option<String> {
        let account = &service.key.cluster.scope.account;
        match &service.spec.role {
            Some(role) if role.starts_with("arn:") => Some(role.to_string()),
            Some(role) => Some(format!("arn:aws:iam::{account}:role/{role}")),
            None if awsvpc => Some(format!(
                "arn:aws:iam::{account}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS"
            )),
            None => None,
        }
    }

    fn events(&self, key: &ServiceKey) -> Vec<ecs::ServiceEvent> {
        let one = |event: &std::sync::Arc<ServiceEvent>| ecs::ServiceEvent {
            created_at: Some(seconds(event.at)),
            id: Some(event.id.to_uuid_text()),
            message: Some(event.message.to_string()),
        };
        self.state.services.events(key).rev().map(one).collect()
    }

    fn current_revisions(
        &self,
        service: &Service,
        listed: &[&Deployment],
    ) -> Vec<ecs::ServiceCurrentRevisionSummary> {
        let one = |deployment: &&Deployment| {
            let counts = counts_of(self.state, &service.key, deployment.id);
            ecs::ServiceCurrentRevisionSummary {
                arn: Some(service.key.revision_arn(deployment.id)),
                pending_task_count: count(counts.pending),
                requested_task_count: count(desired_of(service, deployment, counts)),
                running_task_count: count(counts.running),
            }
        };
        listed.iter().map(one).collect()
    }

    fn deployment(
        &self,
        service: &Service,
        deployment: &Deployment,
    ) -> Result<ecs::Deployment, ApiError> {
        let key = &service.key;
        let revision: &ServiceRevision = self
            .state
            .services
            .revision(key, deployment.id)
            .ok_or_else(|| ApiError::internal("a deployment without its revision"))?;
        let counts = counts_of(self.state, key, deployment.id);
        let replaces = self.moment == Moment::Changed
            && deployment.created_at == self.state.at
            && service.created_at != deployment.created_at;
        let draining = service.status != ServiceStatus::Active;
        let desired = if replaces || draining {
            0
        } else {
            desired_of(service, deployment, counts)
        };
        let (launch, strategy) = capacity(&revision.capacity);
        let is_fargate = launch_of(&revision.capacity) == LaunchType::Fargate;
        Ok(ecs::Deployment {
            capacity_provider_strategy: strategy,
            created_at: Some(seconds(deployment.created_at)),
            desired_count: count(desired),
            failed_tasks: count(deployment.rollout.failed_tasks),
            id: Some(deployment.id.to_string()),
            launch_type: launch,
            network_configuration: revision.network.as_deref().map(network),
            pending_count: count(counts.pending),
            platform_family: is_fargate.then(|| "Linux".to_owned()),
            platform_version: resolved_platform(revision.platform_version.as_ref()),
            rollout_state: Some(deployment.rollout.state.as_str().into()),
            rollout_state_reason: Some(deployment.rollout.reason.to_string()),
            running_count: count(counts.running),
            service_connect_configuration: service_connect(revision.service_connect.as_ref())?,
            status: Some(deployment.rollout.status.as_str().to_owned()),
            task_definition: Some(revision.definition.arn()),
            updated_at: Some(seconds(deployment.rollout.updated_at)),
            ..ecs::Deployment::default()
        })
    }

    fn task_sets(&self, service: &Service) -> Vec<ecs::TaskSet> {
        let mut sets: Vec<_> = self.state.services.task_sets(&service.key).collect();
        sets.sort_by_key(|set| (set.created_at, set.id));
        let shown = sets.into_iter().map(|set| self.task_set(service, set));
        shown.collect()
    }

    /// A task set as the API shows it; its labels only when they are asked for.
    pub(super) fn task_set(&self, service: &Service, set: &TaskSet) -> ecs::TaskSet {
        let counts = counts_of(self.state, &set.service, set.id);
        let (launch, strategy) = capacity(&set.capacity);
        let is_fargate = launch_of(&set.capacity) == LaunchType::Fargate;
        let scale = f64::from(set.scale_millipercent) / 1000.0;
        ecs::TaskSet {
            capacity_provider_strategy: strategy,
            cluster_arn: Some(set.service.cluster.arn()),
            computed_desired_count: count(set.computed_desired(service.spec.desired)),
            created_at: Some(seconds(set.created_at)),
            external_id: set.external_id.as_ref().map(Text::to_string),
            id: Some(set.id.to_string()),
            launch_type: launch,
            load_balancers: Some(Vec::new()),
            network_configuration: set.network.as_deref().map(network),
            pending_count: count(counts.pending),
            platform_family: is_fargate.then(|| "Linux".to_owned()),
            platform_version: resolved_platform(set.platform_version.as_ref()),
            running_count: count(counts.running),
            scale: Some(ecs::Scale {
                unit: Some(ecs::ScaleUnit::Percent),
                value: Some(scale),
            }),
            service_arn: Some(set.service.arn()),
            service_registries: Some(Vec::new()),
            stability_status: Some(set.stability.as_str().into()),
            stability_status_at: Some(seconds(set.stability_at)),
            status: Some(set.status.as_str().to_owned()),
            tags: Some(if self.tags {
                render_tags(&set.tags)
            } else {
                Vec::new()
            }),
            task_definition: Some(set.definition.arn()),
            task_set_arn: Some(set.service.task_set_arn(set.id)),
            updated_at: Some(seconds(set.updated_at)),
            ..ecs::TaskSet::default()
        }
    }

    /// The images of a revision, with the digests that were found for them.
    pub(super) fn images(&self, revision: &ServiceRevision) -> Vec<ecs::ContainerImage> {
        let definition = self.state.definitions.get(&revision.definition);
        let services = &self.state.services;
        let deployment = services.deployment(&revision.service, revision.id);
        let digest = |at: usize| deployment.and_then(|d| d.digests.get(at).cloned().flatten());
        let containers = definition.iter().flat_map(|d| d.facts.containers.iter());
        containers
            .enumerate()
            .map(|(at, container)| ecs::ContainerImage {
                container_name: Some(container.name.to_string()),
                image: Some(container.image.to_string()),
                image_digest: digest(at).map(|digest| digest.to_string()),
            })
            .collect()
    }
}

fn constraint(constraint: &PlacementConstraint) -> ecs::PlacementConstraint {
    match constraint {
        PlacementConstraint::DistinctInstance => ecs::PlacementConstraint {
            expression: None,
            r#type: Some(ecs::PlacementConstraintType::DistinctInstance),
        },
        PlacementConstraint::MemberOf(expression) => ecs::PlacementConstraint {
            expression: Some(expression.to_string()),
            r#type: Some(ecs::PlacementConstraintType::MemberOf),
        },
    }
}

fn placement_strategy(
    strategy: &berth_model::service::PlacementStrategy,
) -> ecs::PlacementStrategy {
    ecs::PlacementStrategy {
        field: strategy.field.as_ref().map(Text::to_string),
        r#type: Some(strategy.kind.as_str().into()),
    }
}
