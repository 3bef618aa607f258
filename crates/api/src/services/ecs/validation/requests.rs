//! ecs: the constraints of structures; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for AssociateGatewayWithClusterRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.gateway, "gateway", path)?;
        Ok(())
    }
}

impl Validate for ContinueServiceDeploymentRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.action, "action", path, validation::known)?;
        validation::required(&self.hook_id, "hookId", path)?;
        validation::required(&self.service_deployment_arn, "serviceDeploymentArn", path)?;
        Ok(())
    }
}

impl Validate for CreateCapacityProviderRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.auto_scaling_group_provider,
            "autoScalingGroupProvider",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.managed_instances_provider,
            "managedInstancesProvider",
            path,
            Validate::validate,
        )?;
        validation::required(&self.name, "name", path)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateClusterRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.configuration,
            "configuration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.default_capacity_provider_strategy,
            "defaultCapacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        validation::member(
            &self.service_connect_defaults,
            "serviceConnectDefaults",
            path,
            Validate::validate,
        )?;
        validation::member(&self.settings, "settings", path, check_cluster_settings)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateDaemonRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.capacity_provider_arns, "capacityProviderArns", path)?;
        validation::required(&self.daemon_name, "daemonName", path)?;
        validation::required(
            &self.daemon_task_definition_arn,
            "daemonTaskDefinitionArn",
            path,
        )?;
        validation::member(
            &self.deployment_configuration,
            "deploymentConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateExpressGatewayServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.cpu_architecture,
            "cpuArchitecture",
            path,
            validation::known,
        )?;
        validation::required(&self.infrastructure_role_arn, "infrastructureRoleArn", path)?;
        validation::member(
            &self.primary_container,
            "primaryContainer",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.scaling_target,
            "scalingTarget",
            path,
            Validate::validate,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateGatewayRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.configuration, "configuration", path)?;
        validation::member(
            &self.configuration,
            "configuration",
            path,
            Validate::validate,
        )?;
        validation::required(&self.infrastructure_role_arn, "infrastructureRoleArn", path)?;
        validation::required(&self.name, "name", path)?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for CreateServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.availability_zone_rebalancing,
            "availabilityZoneRebalancing",
            path,
            validation::known,
        )?;
        validation::member(
            &self.capacity_provider_strategy,
            "capacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        validation::member(
            &self.deployment_configuration,
            "deploymentConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.deployment_controller,
            "deploymentController",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.gateway_connectors,
            "gatewayConnectors",
            path,
            check_gateway_connector_list,
        )?;
        validation::member(&self.launch_type, "launchType", path, validation::known)?;
        validation::member(&self.monitoring, "monitoring", path, Validate::validate)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.placement_constraints,
            "placementConstraints",
            path,
            check_placement_constraints,
        )?;
        validation::member(
            &self.placement_strategy,
            "placementStrategy",
            path,
            check_placement_strategies,
        )?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::member(
            &self.scheduling_strategy,
            "schedulingStrategy",
            path,
            validation::known,
        )?;
        validation::member(
            &self.service_connect_configuration,
            "serviceConnectConfiguration",
            path,
            Validate::validate,
        )?;
        validation::required(&self.service_name, "serviceName", path)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::member(
            &self.volume_configurations,
            "volumeConfigurations",
            path,
            check_service_volume_configurations,
        )?;
        validation::member(
            &self.vpc_lattice_configurations,
            "vpcLatticeConfigurations",
            path,
            check_vpc_lattice_configurations,
        )?;
        Ok(())
    }
}

impl Validate for CreateTaskSetRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.capacity_provider_strategy,
            "capacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        validation::required(&self.cluster, "cluster", path)?;
        validation::member(&self.launch_type, "launchType", path, validation::known)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.scale, "scale", path, Validate::validate)?;
        validation::required(&self.service, "service", path)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::required(&self.task_definition, "taskDefinition", path)?;
        Ok(())
    }
}

impl Validate for DeleteAccountSettingRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::member(&self.name, "name", path, validation::known)?;
        Ok(())
    }
}

impl Validate for DeleteAttributesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.attributes, "attributes", path)?;
        validation::member(&self.attributes, "attributes", path, check_attributes)?;
        Ok(())
    }
}

impl Validate for DeleteCapacityProviderRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.capacity_provider, "capacityProvider", path)?;
        Ok(())
    }
}

impl Validate for DeleteClusterRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        Ok(())
    }
}

impl Validate for DeleteDaemonRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_arn, "daemonArn", path)?;
        Ok(())
    }
}

impl Validate for DeleteDaemonTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_task_definition, "daemonTaskDefinition", path)?;
        Ok(())
    }
}

impl Validate for DeleteExpressGatewayServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service_arn, "serviceArn", path)?;
        Ok(())
    }
}

impl Validate for DeleteGatewayRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.gateway, "gateway", path)?;
        Ok(())
    }
}

impl Validate for DeleteServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service, "service", path)?;
        Ok(())
    }
}

impl Validate for DeleteTaskDefinitionsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.task_definitions, "taskDefinitions", path)?;
        Ok(())
    }
}

impl Validate for DeleteTaskSetRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.service, "service", path)?;
        validation::required(&self.task_set, "taskSet", path)?;
        Ok(())
    }
}

impl Validate for DeregisterContainerInstanceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_instance, "containerInstance", path)?;
        Ok(())
    }
}

impl Validate for DeregisterTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.task_definition, "taskDefinition", path)?;
        Ok(())
    }
}

impl Validate for DescribeCapacityProvidersRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.include,
            "include",
            path,
            check_capacity_provider_field_list,
        )?;
        Ok(())
    }
}

impl Validate for DescribeClustersRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.include, "include", path, check_cluster_field_list)?;
        Ok(())
    }
}

impl Validate for DescribeContainerInstancesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_instances, "containerInstances", path)?;
        validation::member(
            &self.include,
            "include",
            path,
            check_container_instance_field_list,
        )?;
        Ok(())
    }
}

impl Validate for DescribeDaemonDeploymentsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_deployment_arns, "daemonDeploymentArns", path)?;
        Ok(())
    }
}

impl Validate for DescribeDaemonRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_arn, "daemonArn", path)?;
        Ok(())
    }
}

impl Validate for DescribeDaemonRevisionsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_revision_arns, "daemonRevisionArns", path)?;
        Ok(())
    }
}

impl Validate for DescribeDaemonTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_task_definition, "daemonTaskDefinition", path)?;
        Ok(())
    }
}

impl Validate for DescribeExpressGatewayServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.include,
            "include",
            path,
            check_express_gateway_service_include_list,
        )?;
        validation::required(&self.service_arn, "serviceArn", path)?;
        Ok(())
    }
}

impl Validate for DescribeGatewayRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.gateway, "gateway", path)?;
        Ok(())
    }
}

impl Validate for DescribeGatewayResourcesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.gateway, "gateway", path)?;
        Ok(())
    }
}

impl Validate for DescribeGatewayRouteRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.gateway_route_arn, "gatewayRouteArn", path)?;
        Ok(())
    }
}

impl Validate for DescribeServiceDeploymentsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service_deployment_arns, "serviceDeploymentArns", path)?;
        Ok(())
    }
}

impl Validate for DescribeServiceRevisionsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service_revision_arns, "serviceRevisionArns", path)?;
        Ok(())
    }
}

impl Validate for DescribeServicesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.include, "include", path, check_service_field_list)?;
        validation::required(&self.services, "services", path)?;
        Ok(())
    }
}

impl Validate for DescribeTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.include,
            "include",
            path,
            check_task_definition_field_list,
        )?;
        validation::required(&self.task_definition, "taskDefinition", path)?;
        Ok(())
    }
}

impl Validate for DescribeTaskSetsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::member(&self.include, "include", path, check_task_set_field_list)?;
        validation::required(&self.service, "service", path)?;
        Ok(())
    }
}

impl Validate for DescribeTasksRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.include, "include", path, check_task_field_list)?;
        validation::required(&self.tasks, "tasks", path)?;
        Ok(())
    }
}

impl Validate for DisassociateGatewayFromClusterRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.gateway, "gateway", path)?;
        Ok(())
    }
}

impl Validate for DiscoverPollEndpointRequest {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}

impl Validate for ExecuteCommandRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.command, "command", path)?;
        validation::required(&self.interactive, "interactive", path)?;
        validation::required(&self.task, "task", path)?;
        Ok(())
    }
}

impl Validate for GetTaskProtectionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        Ok(())
    }
}

impl Validate for ListAccountSettingsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.name, "name", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListAttributesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.target_type, "targetType", path)?;
        validation::member(&self.target_type, "targetType", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListClustersRequest {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}

impl Validate for ListContainerInstancesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.status, "status", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListDaemonDeploymentsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.daemon_arn, "daemonArn", path)?;
        validation::member(
            &self.status,
            "status",
            path,
            check_daemon_deployment_status_list,
        )?;
        Ok(())
    }
}

impl Validate for ListDaemonTaskDefinitionsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.revision, "revision", path, validation::known)?;
        validation::member(&self.sort, "sort", path, validation::known)?;
        validation::member(&self.status, "status", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListDaemonsRequest {
    fn validate(&self, _path: &mut Path) -> Result<(), Invalid> {
        Ok(())
    }
}

impl Validate for ListGatewayClusterAssociationsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.status,
            "status",
            path,
            check_gateway_cluster_association_status_list,
        )?;
        Ok(())
    }
}

impl Validate for ListGatewayRoutesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.status,
            "status",
            path,
            check_gateway_route_status_list,
        )?;
        Ok(())
    }
}

impl Validate for ListGatewaysRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.status, "status", path, check_gateway_status_list)?;
        Ok(())
    }
}

impl Validate for ListServiceDeploymentsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service, "service", path)?;
        validation::member(
            &self.status,
            "status",
            path,
            check_service_deployment_status_list,
        )?;
        Ok(())
    }
}

impl Validate for ListServicesByNamespaceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.namespace, "namespace", path)?;
        Ok(())
    }
}

impl Validate for ListServicesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.launch_type, "launchType", path, validation::known)?;
        validation::member(
            &self.resource_management_type,
            "resourceManagementType",
            path,
            validation::known,
        )?;
        validation::member(
            &self.scheduling_strategy,
            "schedulingStrategy",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for ListTagsForResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        Ok(())
    }
}

impl Validate for ListTaskDefinitionFamiliesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.status, "status", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListTaskDefinitionsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.sort, "sort", path, validation::known)?;
        validation::member(&self.status, "status", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ListTasksRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.desired_status,
            "desiredStatus",
            path,
            validation::known,
        )?;
        validation::member(&self.launch_type, "launchType", path, validation::known)?;
        Ok(())
    }
}

impl Validate for PutAccountSettingDefaultRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::member(&self.name, "name", path, validation::known)?;
        validation::required(&self.value, "value", path)?;
        Ok(())
    }
}

impl Validate for PutAccountSettingRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::member(&self.name, "name", path, validation::known)?;
        validation::required(&self.value, "value", path)?;
        Ok(())
    }
}

impl Validate for PutAttributesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.attributes, "attributes", path)?;
        validation::member(&self.attributes, "attributes", path, check_attributes)?;
        Ok(())
    }
}

impl Validate for PutClusterCapacityProvidersRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.capacity_providers, "capacityProviders", path)?;
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(
            &self.default_capacity_provider_strategy,
            "defaultCapacityProviderStrategy",
            path,
        )?;
        validation::member(
            &self.default_capacity_provider_strategy,
            "defaultCapacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        Ok(())
    }
}

impl Validate for RegisterContainerInstanceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.attributes, "attributes", path, check_attributes)?;
        validation::member(
            &self.platform_devices,
            "platformDevices",
            path,
            check_platform_devices,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for RegisterDaemonTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_definitions, "containerDefinitions", path)?;
        validation::member(
            &self.container_definitions,
            "containerDefinitions",
            path,
            check_daemon_container_definition_list,
        )?;
        validation::required(&self.family, "family", path)?;
        validation::member(&self.ipc_mode, "ipcMode", path, validation::known)?;
        validation::member(&self.pid_mode, "pidMode", path, validation::known)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::member(&self.volumes, "volumes", path, check_daemon_volume_list)?;
        Ok(())
    }
}

impl Validate for RegisterTaskDefinitionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_definitions, "containerDefinitions", path)?;
        validation::member(
            &self.container_definitions,
            "containerDefinitions",
            path,
            check_container_definitions,
        )?;
        validation::member(
            &self.ephemeral_storage,
            "ephemeralStorage",
            path,
            Validate::validate,
        )?;
        validation::required(&self.family, "family", path)?;
        validation::member(
            &self.inference_accelerators,
            "inferenceAccelerators",
            path,
            check_inference_accelerators,
        )?;
        validation::member(&self.ipc_mode, "ipcMode", path, validation::known)?;
        validation::member(&self.network_mode, "networkMode", path, validation::known)?;
        validation::member(&self.pid_mode, "pidMode", path, validation::known)?;
        validation::member(
            &self.placement_constraints,
            "placementConstraints",
            path,
            check_task_definition_placement_constraints,
        )?;
        validation::member(
            &self.proxy_configuration,
            "proxyConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.requires_compatibilities,
            "requiresCompatibilities",
            path,
            check_compatibility_list,
        )?;
        validation::member(
            &self.runtime_platform,
            "runtimePlatform",
            path,
            Validate::validate,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::member(
            &self.trusted_execution_configuration,
            "trustedExecutionConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.volumes, "volumes", path, check_volume_list)?;
        Ok(())
    }
}

impl Validate for RunTaskRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.capacity_provider_strategy,
            "capacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        validation::member(&self.launch_type, "launchType", path, validation::known)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.overrides, "overrides", path, Validate::validate)?;
        validation::member(
            &self.placement_constraints,
            "placementConstraints",
            path,
            check_placement_constraints,
        )?;
        validation::member(
            &self.placement_strategy,
            "placementStrategy",
            path,
            check_placement_strategies,
        )?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::required(&self.task_definition, "taskDefinition", path)?;
        validation::member(
            &self.volume_configurations,
            "volumeConfigurations",
            path,
            check_task_volume_configurations,
        )?;
        Ok(())
    }
}

impl Validate for StartTaskRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_instances, "containerInstances", path)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.overrides, "overrides", path, Validate::validate)?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        validation::required(&self.task_definition, "taskDefinition", path)?;
        validation::member(
            &self.volume_configurations,
            "volumeConfigurations",
            path,
            check_task_volume_configurations,
        )?;
        Ok(())
    }
}

impl Validate for StopServiceDeploymentRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.service_deployment_arn, "serviceDeploymentArn", path)?;
        validation::member(&self.stop_type, "stopType", path, validation::known)?;
        Ok(())
    }
}

impl Validate for StopTaskRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.task, "task", path)?;
        Ok(())
    }
}

impl Validate for SubmitAttachmentStateChangesRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.attachments, "attachments", path)?;
        validation::member(
            &self.attachments,
            "attachments",
            path,
            check_attachment_state_changes,
        )?;
        Ok(())
    }
}

impl Validate for SubmitContainerStateChangeRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.network_bindings,
            "networkBindings",
            path,
            check_network_bindings,
        )?;
        Ok(())
    }
}

impl Validate for SubmitTaskStateChangeRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.attachments,
            "attachments",
            path,
            check_attachment_state_changes,
        )?;
        validation::member(
            &self.containers,
            "containers",
            path,
            check_container_state_changes,
        )?;
        validation::member(
            &self.managed_agents,
            "managedAgents",
            path,
            check_managed_agent_state_changes,
        )?;
        Ok(())
    }
}

impl Validate for TagResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        validation::required(&self.tags, "tags", path)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for UntagResourceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.resource_arn, "resourceArn", path)?;
        validation::required(&self.tag_keys, "tagKeys", path)?;
        validation::member(&self.tag_keys, "tagKeys", path, check_tag_keys)?;
        Ok(())
    }
}

impl Validate for UpdateCapacityProviderRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.auto_scaling_group_provider,
            "autoScalingGroupProvider",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.managed_instances_provider,
            "managedInstancesProvider",
            path,
            Validate::validate,
        )?;
        validation::required(&self.name, "name", path)?;
        Ok(())
    }
}

impl Validate for UpdateClusterRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::member(
            &self.configuration,
            "configuration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.service_connect_defaults,
            "serviceConnectDefaults",
            path,
            Validate::validate,
        )?;
        validation::member(&self.settings, "settings", path, check_cluster_settings)?;
        Ok(())
    }
}

impl Validate for UpdateClusterSettingsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.settings, "settings", path)?;
        validation::member(&self.settings, "settings", path, check_cluster_settings)?;
        Ok(())
    }
}

impl Validate for UpdateContainerAgentRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_instance, "containerInstance", path)?;
        Ok(())
    }
}

impl Validate for UpdateContainerInstancesStateRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_instances, "containerInstances", path)?;
        validation::required(&self.status, "status", path)?;
        validation::member(&self.status, "status", path, validation::known)?;
        Ok(())
    }
}

impl Validate for UpdateDaemonRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.capacity_provider_arns, "capacityProviderArns", path)?;
        validation::required(&self.daemon_arn, "daemonArn", path)?;
        validation::required(
            &self.daemon_task_definition_arn,
            "daemonTaskDefinitionArn",
            path,
        )?;
        validation::member(
            &self.deployment_configuration,
            "deploymentConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for UpdateExpressGatewayServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.cpu_architecture,
            "cpuArchitecture",
            path,
            validation::known,
        )?;
        validation::member(
            &self.primary_container,
            "primaryContainer",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.scaling_target,
            "scalingTarget",
            path,
            Validate::validate,
        )?;
        validation::required(&self.service_arn, "serviceArn", path)?;
        Ok(())
    }
}

impl Validate for UpdateGatewayRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.configuration,
            "configuration",
            path,
            Validate::validate,
        )?;
        validation::required(&self.gateway, "gateway", path)?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for UpdateServicePrimaryTaskSetRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.primary_task_set, "primaryTaskSet", path)?;
        validation::required(&self.service, "service", path)?;
        Ok(())
    }
}

impl Validate for UpdateServiceRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.availability_zone_rebalancing,
            "availabilityZoneRebalancing",
            path,
            validation::known,
        )?;
        validation::member(
            &self.capacity_provider_strategy,
            "capacityProviderStrategy",
            path,
            check_capacity_provider_strategy,
        )?;
        validation::member(
            &self.deployment_configuration,
            "deploymentConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.deployment_controller,
            "deploymentController",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.gateway_connectors,
            "gatewayConnectors",
            path,
            check_gateway_connector_list,
        )?;
        validation::member(&self.monitoring, "monitoring", path, Validate::validate)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.placement_constraints,
            "placementConstraints",
            path,
            check_placement_constraints,
        )?;
        validation::member(
            &self.placement_strategy,
            "placementStrategy",
            path,
            check_placement_strategies,
        )?;
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::required(&self.service, "service", path)?;
        validation::member(
            &self.service_connect_configuration,
            "serviceConnectConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.volume_configurations,
            "volumeConfigurations",
            path,
            check_service_volume_configurations,
        )?;
        validation::member(
            &self.vpc_lattice_configurations,
            "vpcLatticeConfigurations",
            path,
            check_vpc_lattice_configurations,
        )?;
        Ok(())
    }
}

impl Validate for UpdateTaskProtectionRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.protection_enabled, "protectionEnabled", path)?;
        validation::required(&self.tasks, "tasks", path)?;
        Ok(())
    }
}

impl Validate for UpdateTaskSetRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.cluster, "cluster", path)?;
        validation::required(&self.scale, "scale", path)?;
        validation::member(&self.scale, "scale", path, Validate::validate)?;
        validation::required(&self.service, "service", path)?;
        validation::required(&self.task_set, "taskSet", path)?;
        Ok(())
    }
}
