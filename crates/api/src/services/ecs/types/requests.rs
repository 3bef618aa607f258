//! ecs: what operations take; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    AssociateGatewayWithClusterRequest {
        cluster: String = "cluster",
        gateway: String = "gateway",
    }
    ContinueServiceDeploymentRequest {
        action: DeploymentLifecycleHookAction = "action",
        hook_id: String = "hookId",
        service_deployment_arn: String = "serviceDeploymentArn",
    }
    CreateCapacityProviderRequest {
        auto_scaling_group_provider: AutoScalingGroupProvider = "autoScalingGroupProvider",
        cluster: String = "cluster",
        managed_instances_provider: CreateManagedInstancesProviderConfiguration = "managedInstancesProvider",
        name: String = "name",
        tags: Vec<Tag> = "tags",
    }
    CreateClusterRequest {
        capacity_providers: Vec<String> = "capacityProviders",
        cluster_name: String = "clusterName",
        configuration: ClusterConfiguration = "configuration",
        default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "defaultCapacityProviderStrategy",
        service_connect_defaults: ClusterServiceConnectDefaultsRequest = "serviceConnectDefaults",
        settings: Vec<ClusterSetting> = "settings",
        tags: Vec<Tag> = "tags",
    }
    CreateDaemonRequest {
        capacity_provider_arns: Vec<String> = "capacityProviderArns",
        client_token: String = "clientToken",
        cluster_arn: String = "clusterArn",
        critical: bool = "critical",
        daemon_name: String = "daemonName",
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
        deployment_configuration: DaemonDeploymentConfiguration = "deploymentConfiguration",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        propagate_tags: DaemonPropagateTags = "propagateTags",
        tags: Vec<Tag> = "tags",
    }
    CreateExpressGatewayServiceRequest {
        cluster: String = "cluster",
        cpu: String = "cpu",
        cpu_architecture: ExpressCpuArchitecture = "cpuArchitecture",
        execution_role_arn: String = "executionRoleArn",
        health_check_path: String = "healthCheckPath",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        memory: String = "memory",
        network_configuration: ExpressGatewayServiceNetworkConfiguration = "networkConfiguration",
        primary_container: ExpressGatewayContainer = "primaryContainer",
        scaling_target: ExpressGatewayScalingTarget = "scalingTarget",
        service_name: String = "serviceName",
        tags: Vec<Tag> = "tags",
        task_definition_arn: String = "taskDefinitionArn",
        task_role_arn: String = "taskRoleArn",
    }
    CreateGatewayRequest {
        client_token: String = "clientToken",
        configuration: GatewayConfiguration = "configuration",
        deletion_protection: bool = "deletionProtection",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        name: String = "name",
        propagate_tags: PropagateGatewayTags = "propagateTags",
        tags: Vec<Tag> = "tags",
    }
    CreateServiceRequest {
        availability_zone_rebalancing: AvailabilityZoneRebalancing = "availabilityZoneRebalancing",
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        client_token: String = "clientToken",
        cluster: String = "cluster",
        deployment_configuration: DeploymentConfiguration = "deploymentConfiguration",
        deployment_controller: DeploymentController = "deploymentController",
        desired_count: i32 = "desiredCount",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        gateway_connectors: Vec<GatewayConnector> = "gatewayConnectors",
        health_check_grace_period_seconds: i32 = "healthCheckGracePeriodSeconds",
        launch_type: LaunchType = "launchType",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        monitoring: MonitoringConfiguration = "monitoring",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_version: String = "platformVersion",
        propagate_tags: PropagateTags = "propagateTags",
        role: String = "role",
        scheduling_strategy: SchedulingStrategy = "schedulingStrategy",
        service_connect_configuration: ServiceConnectConfiguration = "serviceConnectConfiguration",
        service_name: String = "serviceName",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        volume_configurations: Vec<ServiceVolumeConfiguration> = "volumeConfigurations",
        vpc_lattice_configurations: Vec<VpcLatticeConfiguration> = "vpcLatticeConfigurations",
    }
    CreateTaskSetRequest {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        client_token: String = "clientToken",
        cluster: String = "cluster",
        external_id: String = "externalId",
        launch_type: LaunchType = "launchType",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        platform_version: String = "platformVersion",
        scale: Scale = "scale",
        service: String = "service",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
    }
    DeleteAccountSettingRequest {
        name: SettingName = "name",
        principal_arn: String = "principalArn",
    }
    DeleteAttributesRequest {
        attributes: Vec<Attribute> = "attributes",
        cluster: String = "cluster",
    }
    DeleteCapacityProviderRequest {
        capacity_provider: String = "capacityProvider",
        cluster: String = "cluster",
    }
    DeleteClusterRequest {
        cluster: String = "cluster",
    }
    DeleteDaemonRequest {
        daemon_arn: String = "daemonArn",
    }
    DeleteDaemonTaskDefinitionRequest {
        daemon_task_definition: String = "daemonTaskDefinition",
    }
    DeleteExpressGatewayServiceRequest {
        service_arn: String = "serviceArn",
    }
    DeleteGatewayRequest {
        gateway: String = "gateway",
    }
    DeleteServiceRequest {
        cluster: String = "cluster",
        force: bool = "force",
        service: String = "service",
    }
    DeleteTaskDefinitionsRequest {
        task_definitions: Vec<String> = "taskDefinitions",
    }
    DeleteTaskSetRequest {
        cluster: String = "cluster",
        force: bool = "force",
        service: String = "service",
        task_set: String = "taskSet",
    }
    DeregisterContainerInstanceRequest {
        cluster: String = "cluster",
        container_instance: String = "containerInstance",
        force: bool = "force",
    }
    DeregisterTaskDefinitionRequest {
        task_definition: String = "taskDefinition",
    }
    DescribeCapacityProvidersRequest {
        capacity_providers: Vec<String> = "capacityProviders",
        cluster: String = "cluster",
        include: Vec<CapacityProviderField> = "include",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
    }
    DescribeClustersRequest {
        clusters: Vec<String> = "clusters",
        include: Vec<ClusterField> = "include",
    }
    DescribeContainerInstancesRequest {
        cluster: String = "cluster",
        container_instances: Vec<String> = "containerInstances",
        include: Vec<ContainerInstanceField> = "include",
    }
    DescribeDaemonDeploymentsRequest {
        daemon_deployment_arns: Vec<String> = "daemonDeploymentArns",
    }
    DescribeDaemonRequest {
        daemon_arn: String = "daemonArn",
    }
    DescribeDaemonRevisionsRequest {
        daemon_revision_arns: Vec<String> = "daemonRevisionArns",
    }
    DescribeDaemonTaskDefinitionRequest {
        daemon_task_definition: String = "daemonTaskDefinition",
    }
    DescribeExpressGatewayServiceRequest {
        include: Vec<ExpressGatewayServiceInclude> = "include",
        service_arn: String = "serviceArn",
    }
    DescribeGatewayRequest {
        gateway: String = "gateway",
    }
    DescribeGatewayResourcesRequest {
        gateway: String = "gateway",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
    }
    DescribeGatewayRouteRequest {
        gateway_route_arn: String = "gatewayRouteArn",
    }
    DescribeServiceDeploymentsRequest {
        service_deployment_arns: Vec<String> = "serviceDeploymentArns",
    }
    DescribeServiceRevisionsRequest {
        service_revision_arns: Vec<String> = "serviceRevisionArns",
    }
    DescribeServicesRequest {
        cluster: String = "cluster",
        include: Vec<ServiceField> = "include",
        services: Vec<String> = "services",
    }
    DescribeTaskDefinitionRequest {
        include: Vec<TaskDefinitionField> = "include",
        task_definition: String = "taskDefinition",
    }
    DescribeTaskSetsRequest {
        cluster: String = "cluster",
        include: Vec<TaskSetField> = "include",
        service: String = "service",
        task_sets: Vec<String> = "taskSets",
    }
    DescribeTasksRequest {
        cluster: String = "cluster",
        include: Vec<TaskField> = "include",
        tasks: Vec<String> = "tasks",
    }
    DisassociateGatewayFromClusterRequest {
        cluster: String = "cluster",
        gateway: String = "gateway",
    }
    DiscoverPollEndpointRequest {
        cluster: String = "cluster",
        container_instance: String = "containerInstance",
    }
    ExecuteCommandRequest {
        cluster: String = "cluster",
        command: String = "command",
        container: String = "container",
        interactive: bool = "interactive",
        task: String = "task",
    }
    GetTaskProtectionRequest {
        cluster: String = "cluster",
        tasks: Vec<String> = "tasks",
    }
    ListAccountSettingsRequest {
        effective_settings: bool = "effectiveSettings",
        max_results: i32 = "maxResults",
        name: SettingName = "name",
        next_token: String = "nextToken",
        principal_arn: String = "principalArn",
        value: String = "value",
    }
    ListAttributesRequest {
        attribute_name: String = "attributeName",
        attribute_value: String = "attributeValue",
        cluster: String = "cluster",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        target_type: TargetType = "targetType",
    }
    ListClustersRequest {
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
    }
    ListContainerInstancesRequest {
        cluster: String = "cluster",
        filter: String = "filter",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        status: ContainerInstanceStatus = "status",
    }
    ListDaemonDeploymentsRequest {
        created_at: CreatedAt = "createdAt",
        daemon_arn: String = "daemonArn",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        status: Vec<DaemonDeploymentStatus> = "status",
    }
    ListDaemonTaskDefinitionsRequest {
        family: String = "family",
        family_prefix: String = "familyPrefix",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        revision: DaemonTaskDefinitionRevisionFilter = "revision",
        sort: SortOrder = "sort",
        status: DaemonTaskDefinitionStatusFilter = "status",
    }
    ListDaemonsRequest {
        capacity_provider_arns: Vec<String> = "capacityProviderArns",
        cluster_arn: String = "clusterArn",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
    }
    ListGatewayClusterAssociationsRequest {
        cluster: String = "cluster",
        gateway: String = "gateway",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        status: Vec<GatewayClusterAssociationStatus> = "status",
    }
    ListGatewayRoutesRequest {
        cluster: String = "cluster",
        gateway: String = "gateway",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        service: String = "service",
        service_container_port_name: String = "serviceContainerPortName",
        status: Vec<GatewayRouteStatus> = "status",
    }
    ListGatewaysRequest {
        max_results: i32 = "maxResults",
        names: Vec<String> = "names",
        next_token: String = "nextToken",
        status: Vec<GatewayStatus> = "status",
    }
    ListServiceDeploymentsRequest {
        cluster: String = "cluster",
        created_at: CreatedAt = "createdAt",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        service: String = "service",
        status: Vec<ServiceDeploymentStatus> = "status",
    }
    ListServicesByNamespaceRequest {
        max_results: i32 = "maxResults",
        namespace: String = "namespace",
        next_token: String = "nextToken",
    }
    ListServicesRequest {
        cluster: String = "cluster",
        launch_type: LaunchType = "launchType",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        resource_management_type: ResourceManagementType = "resourceManagementType",
        scheduling_strategy: SchedulingStrategy = "schedulingStrategy",
    }
    ListTagsForResourceRequest {
        resource_arn: String = "resourceArn",
    }
    ListTaskDefinitionFamiliesRequest {
        family_prefix: String = "familyPrefix",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        status: TaskDefinitionFamilyStatus = "status",
    }
    ListTaskDefinitionsRequest {
        family_prefix: String = "familyPrefix",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        sort: SortOrder = "sort",
        status: TaskDefinitionStatus = "status",
    }
    ListTasksRequest {
        cluster: String = "cluster",
        container_instance: String = "containerInstance",
        daemon_name: String = "daemonName",
        desired_status: DesiredStatus = "desiredStatus",
        family: String = "family",
        launch_type: LaunchType = "launchType",
        max_results: i32 = "maxResults",
        next_token: String = "nextToken",
        service_name: String = "serviceName",
        started_by: String = "startedBy",
    }
    PutAccountSettingDefaultRequest {
        name: SettingName = "name",
        value: String = "value",
    }
    PutAccountSettingRequest {
        name: SettingName = "name",
        principal_arn: String = "principalArn",
        value: String = "value",
    }
    PutAttributesRequest {
        attributes: Vec<Attribute> = "attributes",
        cluster: String = "cluster",
    }
    PutClusterCapacityProvidersRequest {
        capacity_providers: Vec<String> = "capacityProviders",
        cluster: String = "cluster",
        default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "defaultCapacityProviderStrategy",
    }
    RegisterContainerInstanceRequest {
        attributes: Vec<Attribute> = "attributes",
        cluster: String = "cluster",
        container_instance_arn: String = "containerInstanceArn",
        instance_identity_document: String = "instanceIdentityDocument",
        instance_identity_document_signature: String = "instanceIdentityDocumentSignature",
        platform_devices: Vec<PlatformDevice> = "platformDevices",
        tags: Vec<Tag> = "tags",
        total_resources: Vec<Resource> = "totalResources",
        version_info: VersionInfo = "versionInfo",
    }
    RegisterDaemonTaskDefinitionRequest {
        container_definitions: Vec<DaemonContainerDefinition> = "containerDefinitions",
        cpu: String = "cpu",
        execution_role_arn: String = "executionRoleArn",
        family: String = "family",
        ipc_mode: DaemonIpcMode = "ipcMode",
        memory: String = "memory",
        pid_mode: DaemonPidMode = "pidMode",
        tags: Vec<Tag> = "tags",
        task_role_arn: String = "taskRoleArn",
        volumes: Vec<DaemonVolume> = "volumes",
    }
    RegisterTaskDefinitionRequest {
        container_definitions: Vec<ContainerDefinition> = "containerDefinitions",
        cpu: String = "cpu",
        enable_fault_injection: bool = "enableFaultInjection",
        ephemeral_storage: EphemeralStorage = "ephemeralStorage",
        execution_role_arn: String = "executionRoleArn",
        family: String = "family",
        inference_accelerators: Vec<InferenceAccelerator> = "inferenceAccelerators",
        ipc_mode: IpcMode = "ipcMode",
        memory: String = "memory",
        network_mode: NetworkMode = "networkMode",
        pid_mode: PidMode = "pidMode",
        placement_constraints: Vec<TaskDefinitionPlacementConstraint> = "placementConstraints",
        proxy_configuration: ProxyConfiguration = "proxyConfiguration",
        requires_compatibilities: Vec<Compatibility> = "requiresCompatibilities",
        runtime_platform: RuntimePlatform = "runtimePlatform",
        tags: Vec<Tag> = "tags",
        task_role_arn: String = "taskRoleArn",
        trusted_execution_configuration: TrustedExecutionConfiguration = "trustedExecutionConfiguration",
        volumes: Vec<Volume> = "volumes",
    }
    RunTaskRequest {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        client_token: String = "clientToken",
        cluster: String = "cluster",
        count: i32 = "count",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        group: String = "group",
        launch_type: LaunchType = "launchType",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        overrides: TaskOverride = "overrides",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_version: String = "platformVersion",
        propagate_tags: PropagateTags = "propagateTags",
        reference_id: String = "referenceId",
        started_by: String = "startedBy",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        volume_configurations: Vec<TaskVolumeConfiguration> = "volumeConfigurations",
    }
    StartTaskRequest {
        cluster: String = "cluster",
        container_instances: Vec<String> = "containerInstances",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        group: String = "group",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        overrides: TaskOverride = "overrides",
        propagate_tags: PropagateTags = "propagateTags",
        reference_id: String = "referenceId",
        started_by: String = "startedBy",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        volume_configurations: Vec<TaskVolumeConfiguration> = "volumeConfigurations",
    }
    StopServiceDeploymentRequest {
        service_deployment_arn: String = "serviceDeploymentArn",
        stop_type: StopServiceDeploymentStopType = "stopType",
    }
    StopTaskRequest {
        cluster: String = "cluster",
        reason: String = "reason",
        task: String = "task",
    }
    SubmitAttachmentStateChangesRequest {
        attachments: Vec<AttachmentStateChange> = "attachments",
        cluster: String = "cluster",
    }
    SubmitContainerStateChangeRequest {
        cluster: String = "cluster",
        container_name: String = "containerName",
        exit_code: i32 = "exitCode",
        network_bindings: Vec<NetworkBinding> = "networkBindings",
        reason: String = "reason",
        runtime_id: String = "runtimeId",
        status: String = "status",
        task: String = "task",
    }
    SubmitTaskStateChangeRequest {
        attachments: Vec<AttachmentStateChange> = "attachments",
        cluster: String = "cluster",
        containers: Vec<ContainerStateChange> = "containers",
        execution_stopped_at: ::berth_wire::EpochSeconds = "executionStoppedAt",
        managed_agents: Vec<ManagedAgentStateChange> = "managedAgents",
        pull_started_at: ::berth_wire::EpochSeconds = "pullStartedAt",
        pull_stopped_at: ::berth_wire::EpochSeconds = "pullStoppedAt",
        reason: String = "reason",
        status: String = "status",
        task: String = "task",
    }
    TagResourceRequest {
        resource_arn: String = "resourceArn",
        tags: Vec<Tag> = "tags",
    }
    UntagResourceRequest {
        resource_arn: String = "resourceArn",
        tag_keys: Vec<String> = "tagKeys",
    }
    UpdateCapacityProviderRequest {
        auto_scaling_group_provider: AutoScalingGroupProviderUpdate = "autoScalingGroupProvider",
        cluster: String = "cluster",
        managed_instances_provider: UpdateManagedInstancesProviderConfiguration = "managedInstancesProvider",
        name: String = "name",
    }
    UpdateClusterRequest {
        cluster: String = "cluster",
        configuration: ClusterConfiguration = "configuration",
        service_connect_defaults: ClusterServiceConnectDefaultsRequest = "serviceConnectDefaults",
        settings: Vec<ClusterSetting> = "settings",
    }
    UpdateClusterSettingsRequest {
        cluster: String = "cluster",
        settings: Vec<ClusterSetting> = "settings",
    }
    UpdateContainerAgentRequest {
        cluster: String = "cluster",
        container_instance: String = "containerInstance",
    }
    UpdateContainerInstancesStateRequest {
        cluster: String = "cluster",
        container_instances: Vec<String> = "containerInstances",
        status: ContainerInstanceStatus = "status",
    }
    UpdateDaemonRequest {
        capacity_provider_arns: Vec<String> = "capacityProviderArns",
        critical: bool = "critical",
        daemon_arn: String = "daemonArn",
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
        deployment_configuration: DaemonDeploymentConfiguration = "deploymentConfiguration",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        propagate_tags: DaemonPropagateTags = "propagateTags",
    }
    UpdateExpressGatewayServiceRequest {
        cpu: String = "cpu",
        cpu_architecture: ExpressCpuArchitecture = "cpuArchitecture",
        execution_role_arn: String = "executionRoleArn",
        health_check_path: String = "healthCheckPath",
        memory: String = "memory",
        network_configuration: ExpressGatewayServiceNetworkConfiguration = "networkConfiguration",
        primary_container: ExpressGatewayContainer = "primaryContainer",
        scaling_target: ExpressGatewayScalingTarget = "scalingTarget",
        service_arn: String = "serviceArn",
        task_definition_arn: String = "taskDefinitionArn",
        task_role_arn: String = "taskRoleArn",
    }
    UpdateGatewayRequest {
        configuration: UpdateGatewayConfiguration = "configuration",
        deletion_protection: bool = "deletionProtection",
        gateway: String = "gateway",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        propagate_tags: PropagateGatewayTags = "propagateTags",
    }
    UpdateServicePrimaryTaskSetRequest {
        cluster: String = "cluster",
        primary_task_set: String = "primaryTaskSet",
        service: String = "service",
    }
    UpdateServiceRequest {
        availability_zone_rebalancing: AvailabilityZoneRebalancing = "availabilityZoneRebalancing",
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster: String = "cluster",
        deployment_configuration: DeploymentConfiguration = "deploymentConfiguration",
        deployment_controller: DeploymentController = "deploymentController",
        desired_count: i32 = "desiredCount",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        force_new_deployment: bool = "forceNewDeployment",
        gateway_connectors: Vec<GatewayConnector> = "gatewayConnectors",
        health_check_grace_period_seconds: i32 = "healthCheckGracePeriodSeconds",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        monitoring: MonitoringConfiguration = "monitoring",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_version: String = "platformVersion",
        propagate_tags: PropagateTags = "propagateTags",
        service: String = "service",
        service_connect_configuration: ServiceConnectConfiguration = "serviceConnectConfiguration",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        task_definition: String = "taskDefinition",
        volume_configurations: Vec<ServiceVolumeConfiguration> = "volumeConfigurations",
        vpc_lattice_configurations: Vec<VpcLatticeConfiguration> = "vpcLatticeConfigurations",
    }
    UpdateTaskProtectionRequest {
        cluster: String = "cluster",
        expires_in_minutes: i32 = "expiresInMinutes",
        protection_enabled: bool = "protectionEnabled",
        tasks: Vec<String> = "tasks",
    }
    UpdateTaskSetRequest {
        cluster: String = "cluster",
        scale: Scale = "scale",
        service: String = "service",
        task_set: String = "taskSet",
    }
}
