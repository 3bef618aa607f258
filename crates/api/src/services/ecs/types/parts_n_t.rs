//! ecs: structures that others hold; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    NetworkBandwidthGbpsRequest {
        max: f64 = "max",
        min: f64 = "min",
    }
    NetworkBinding {
        bind_ip: String = "bindIP",
        container_port: i32 = "containerPort",
        container_port_range: String = "containerPortRange",
        host_port: i32 = "hostPort",
        host_port_range: String = "hostPortRange",
        protocol: TransportProtocol = "protocol",
    }
    NetworkConfiguration {
        awsvpc_configuration: AwsVpcConfiguration = "awsvpcConfiguration",
    }
    NetworkInterface {
        attachment_id: String = "attachmentId",
        ipv6_address: String = "ipv6Address",
        private_ipv4_address: String = "privateIpv4Address",
    }
    NetworkInterfaceCountRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    NvidiaMpsAllocation {
        max_compute_percent: i32 = "maxComputePercent",
        memory: i32 = "memory",
    }
    PlacementConstraint {
        expression: String = "expression",
        r#type: PlacementConstraintType = "type",
    }
    PlacementStrategy {
        field: String = "field",
        r#type: PlacementStrategyType = "type",
    }
    PlatformDevice {
        id: String = "id",
        r#type: PlatformDeviceType = "type",
    }
    PortMapping {
        app_protocol: ApplicationProtocol = "appProtocol",
        container_port: i32 = "containerPort",
        container_port_range: String = "containerPortRange",
        host_port: i32 = "hostPort",
        name: String = "name",
        protocol: TransportProtocol = "protocol",
    }
    ProtectedTask {
        expiration_date: ::berth_wire::EpochSeconds = "expirationDate",
        protection_enabled: bool = "protectionEnabled",
        task_arn: String = "taskArn",
    }
    ProxyConfiguration {
        container_name: String = "containerName",
        properties: Vec<KeyValuePair> = "properties",
        r#type: ProxyConfigurationType = "type",
    }
    RepositoryCredentials {
        credentials_parameter: String = "credentialsParameter",
    }
    ResolvedConfiguration {
        load_balancers: Vec<ServiceRevisionLoadBalancer> = "loadBalancers",
        vpc_lattice_configurations: Vec<ServiceRevisionVpcLatticeConfiguration> = "vpcLatticeConfigurations",
    }
    Resource {
        double_value: f64 = "doubleValue",
        integer_value: i32 = "integerValue",
        long_value: i64 = "longValue",
        name: String = "name",
        string_set_value: Vec<String> = "stringSetValue",
        r#type: String = "type",
    }
    ResourceRequirement {
        sharing_strategy: SharingStrategy = "sharingStrategy",
        r#type: ResourceType = "type",
        value: String = "value",
    }
    Rollback {
        reason: String = "reason",
        service_revision_arn: String = "serviceRevisionArn",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
    }
    RuntimePlatform {
        cpu_architecture: CPUArchitecture = "cpuArchitecture",
        operating_system_family: OSFamily = "operatingSystemFamily",
    }
    RuntimePlatformOverride {
        cpu_architecture: String = "cpuArchitecture",
    }
    S3FilesVolumeConfiguration {
        access_point_arn: String = "accessPointArn",
        file_system_arn: String = "fileSystemArn",
        root_directory: String = "rootDirectory",
        transit_encryption_port: i32 = "transitEncryptionPort",
    }
    Scale {
        unit: ScaleUnit = "unit",
        value: f64 = "value",
    }
    Secret {
        name: String = "name",
        value_from: String = "valueFrom",
    }
    Service {
        availability_zone_rebalancing: AvailabilityZoneRebalancing = "availabilityZoneRebalancing",
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        created_by: String = "createdBy",
        current_service_deployment: String = "currentServiceDeployment",
        current_service_revisions: Vec<ServiceCurrentRevisionSummary> = "currentServiceRevisions",
        deployment_configuration: DeploymentConfiguration = "deploymentConfiguration",
        deployment_controller: DeploymentController = "deploymentController",
        deployments: Vec<Deployment> = "deployments",
        desired_count: i32 = "desiredCount",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        events: Vec<ServiceEvent> = "events",
        health_check_grace_period_seconds: i32 = "healthCheckGracePeriodSeconds",
        launch_type: LaunchType = "launchType",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        pending_count: i32 = "pendingCount",
        placement_constraints: Vec<PlacementConstraint> = "placementConstraints",
        placement_strategy: Vec<PlacementStrategy> = "placementStrategy",
        platform_family: String = "platformFamily",
        platform_version: String = "platformVersion",
        propagate_tags: PropagateTags = "propagateTags",
        resource_management_type: ResourceManagementType = "resourceManagementType",
        role_arn: String = "roleArn",
        running_count: i32 = "runningCount",
        scheduling_strategy: SchedulingStrategy = "schedulingStrategy",
        service_arn: String = "serviceArn",
        service_name: String = "serviceName",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        status: String = "status",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        task_sets: Vec<TaskSet> = "taskSets",
    }
    ServiceConnectAccessLogConfiguration {
        format: ServiceConnectAccessLoggingFormat = "format",
        include_query_parameters: ServiceConnectIncludeQueryParameters = "includeQueryParameters",
    }
    ServiceConnectClientAlias {
        dns_name: String = "dnsName",
        port: i32 = "port",
        test_traffic_rules: ServiceConnectTestTrafficRules = "testTrafficRules",
    }
    ServiceConnectConfiguration {
        access_log_configuration: ServiceConnectAccessLogConfiguration = "accessLogConfiguration",
        container_configurations: Vec<ServiceConnectContainerConfiguration> = "containerConfigurations",
        enabled: bool = "enabled",
        log_configuration: LogConfiguration = "logConfiguration",
        namespace: String = "namespace",
        services: Vec<ServiceConnectService> = "services",
    }
    ServiceConnectContainerConfiguration {
        log_level: ServiceConnectContainerLogLevel = "logLevel",
    }
    ServiceConnectService {
        client_aliases: Vec<ServiceConnectClientAlias> = "clientAliases",
        discovery_name: String = "discoveryName",
        ingress_port_override: i32 = "ingressPortOverride",
        port_name: String = "portName",
        timeout: TimeoutConfiguration = "timeout",
        tls: ServiceConnectTlsConfiguration = "tls",
    }
    ServiceConnectServiceResource {
        discovery_arn: String = "discoveryArn",
        discovery_name: String = "discoveryName",
    }
    ServiceConnectTestTrafficHeaderMatchRules {
        exact: String = "exact",
    }
    ServiceConnectTestTrafficHeaderRules {
        name: String = "name",
        value: ServiceConnectTestTrafficHeaderMatchRules = "value",
    }
    ServiceConnectTestTrafficRules {
        header: ServiceConnectTestTrafficHeaderRules = "header",
    }
    ServiceConnectTlsCertificateAuthority {
        aws_pca_authority_arn: String = "awsPcaAuthorityArn",
    }
    ServiceConnectTlsConfiguration {
        issuer_certificate_authority: ServiceConnectTlsCertificateAuthority = "issuerCertificateAuthority",
        kms_key: String = "kmsKey",
        role_arn: String = "roleArn",
    }
    ServiceCurrentRevisionSummary {
        arn: String = "arn",
        pending_task_count: i32 = "pendingTaskCount",
        requested_task_count: i32 = "requestedTaskCount",
        running_task_count: i32 = "runningTaskCount",
    }
    ServiceDeployment {
        alarms: ServiceDeploymentAlarms = "alarms",
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        deployment_circuit_breaker: ServiceDeploymentCircuitBreaker = "deploymentCircuitBreaker",
        deployment_configuration: DeploymentConfiguration = "deploymentConfiguration",
        finished_at: ::berth_wire::EpochSeconds = "finishedAt",
        lifecycle_hook_details: Vec<DeploymentLifecycleHookDetail> = "lifecycleHookDetails",
        lifecycle_stage: ServiceDeploymentLifecycleStage = "lifecycleStage",
        rollback: Rollback = "rollback",
        service_arn: String = "serviceArn",
        service_deployment_arn: String = "serviceDeploymentArn",
        source_service_revisions: Vec<ServiceRevisionSummary> = "sourceServiceRevisions",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
        status: ServiceDeploymentStatus = "status",
        status_reason: String = "statusReason",
        stopped_at: ::berth_wire::EpochSeconds = "stoppedAt",
        target_service_revision: ServiceRevisionSummary = "targetServiceRevision",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ServiceDeploymentAlarms {
        alarm_names: Vec<String> = "alarmNames",
        status: ServiceDeploymentRollbackMonitorsStatus = "status",
        triggered_alarm_names: Vec<String> = "triggeredAlarmNames",
    }
    ServiceDeploymentBrief {
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        finished_at: ::berth_wire::EpochSeconds = "finishedAt",
        service_arn: String = "serviceArn",
        service_deployment_arn: String = "serviceDeploymentArn",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
        status: ServiceDeploymentStatus = "status",
        status_reason: String = "statusReason",
        target_service_revision_arn: String = "targetServiceRevisionArn",
    }
    ServiceDeploymentCircuitBreaker {
        failure_count: i32 = "failureCount",
        status: ServiceDeploymentRollbackMonitorsStatus = "status",
        threshold: i32 = "threshold",
    }
    ServiceEvent {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        id: String = "id",
        message: String = "message",
    }
    ServiceManagedEBSVolumeConfiguration {
        encrypted: bool = "encrypted",
        filesystem_type: TaskFilesystemType = "filesystemType",
        iops: i32 = "iops",
        kms_key_id: String = "kmsKeyId",
        role_arn: String = "roleArn",
        size_in_gi_b: i32 = "sizeInGiB",
        snapshot_id: String = "snapshotId",
        tag_specifications: Vec<EBSTagSpecification> = "tagSpecifications",
        throughput: i32 = "throughput",
        volume_initialization_rate: i32 = "volumeInitializationRate",
        volume_type: String = "volumeType",
    }
    ServiceRegistry {
        container_name: String = "containerName",
        container_port: i32 = "containerPort",
        port: i32 = "port",
        registry_arn: String = "registryArn",
    }
    ServiceRevision {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster_arn: String = "clusterArn",
        container_images: Vec<ContainerImage> = "containerImages",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        ecs_managed_resources: ECSManagedResources = "ecsManagedResources",
        fargate_ephemeral_storage: DeploymentEphemeralStorage = "fargateEphemeralStorage",
        gateway_connectors: Vec<GatewayConnector> = "gatewayConnectors",
        guard_duty_enabled: bool = "guardDutyEnabled",
        launch_type: LaunchType = "launchType",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        monitoring: MonitoringConfiguration = "monitoring",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        overrides: ServiceRevisionOverrides = "overrides",
        platform_family: String = "platformFamily",
        platform_version: String = "platformVersion",
        resolved_configuration: ResolvedConfiguration = "resolvedConfiguration",
        service_arn: String = "serviceArn",
        service_connect_configuration: ServiceConnectConfiguration = "serviceConnectConfiguration",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        service_revision_arn: String = "serviceRevisionArn",
        task_definition: String = "taskDefinition",
        volume_configurations: Vec<ServiceVolumeConfiguration> = "volumeConfigurations",
        vpc_lattice_configurations: Vec<VpcLatticeConfiguration> = "vpcLatticeConfigurations",
    }
    ServiceRevisionLoadBalancer {
        production_listener_rule: String = "productionListenerRule",
        target_group_arn: String = "targetGroupArn",
    }
    ServiceRevisionOverrides {
        runtime_platform: RuntimePlatformOverride = "runtimePlatform",
    }
    ServiceRevisionSummary {
        arn: String = "arn",
        pending_task_count: i32 = "pendingTaskCount",
        requested_production_traffic_weight: f64 = "requestedProductionTrafficWeight",
        requested_task_count: i32 = "requestedTaskCount",
        requested_test_traffic_weight: f64 = "requestedTestTrafficWeight",
        running_task_count: i32 = "runningTaskCount",
    }
    ServiceRevisionVpcLatticeConfiguration {
        production_listener_rule: String = "productionListenerRule",
        target_group_arn: String = "targetGroupArn",
    }
    ServiceVolumeConfiguration {
        managed_ebs_volume: ServiceManagedEBSVolumeConfiguration = "managedEBSVolume",
        name: String = "name",
    }
    Session {
        session_id: String = "sessionId",
        stream_url: String = "streamUrl",
        token_value: String = "tokenValue",
    }
    Setting {
        name: SettingName = "name",
        principal_arn: String = "principalArn",
        r#type: SettingType = "type",
        value: String = "value",
    }
    SharingStrategy {
        nvidia_mps: NvidiaMpsAllocation = "nvidiaMps",
    }
    SystemControl {
        namespace: String = "namespace",
        value: String = "value",
    }
    Tag {
        key: String = "key",
        value: String = "value",
    }
    Task {
        attachments: Vec<Attachment> = "attachments",
        attributes: Vec<Attribute> = "attributes",
        availability_zone: String = "availabilityZone",
        capacity_provider_name: String = "capacityProviderName",
        cluster_arn: String = "clusterArn",
        connectivity: Connectivity = "connectivity",
        connectivity_at: ::berth_wire::EpochSeconds = "connectivityAt",
        container_instance_arn: String = "containerInstanceArn",
        containers: Vec<Container> = "containers",
        cpu: String = "cpu",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        desired_status: String = "desiredStatus",
        enable_execute_command: bool = "enableExecuteCommand",
        ephemeral_storage: EphemeralStorage = "ephemeralStorage",
        execution_stopped_at: ::berth_wire::EpochSeconds = "executionStoppedAt",
        fargate_ephemeral_storage: TaskEphemeralStorage = "fargateEphemeralStorage",
        group: String = "group",
        health_status: HealthStatus = "healthStatus",
        inference_accelerators: Vec<InferenceAccelerator> = "inferenceAccelerators",
        last_status: String = "lastStatus",
        launch_type: LaunchType = "launchType",
        memory: String = "memory",
        overrides: TaskOverride = "overrides",
        platform_family: String = "platformFamily",
        platform_version: String = "platformVersion",
        pull_started_at: ::berth_wire::EpochSeconds = "pullStartedAt",
        pull_stopped_at: ::berth_wire::EpochSeconds = "pullStoppedAt",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
        started_by: String = "startedBy",
        stop_code: TaskStopCode = "stopCode",
        stopped_at: ::berth_wire::EpochSeconds = "stoppedAt",
        stopped_reason: String = "stoppedReason",
        stopping_at: ::berth_wire::EpochSeconds = "stoppingAt",
        tags: Vec<Tag> = "tags",
        task_arn: String = "taskArn",
        task_definition_arn: String = "taskDefinitionArn",
        trusted_execution_summary: TrustedExecutionSummary = "trustedExecutionSummary",
        version: i64 = "version",
    }
    TaskDefinition {
        compatibilities: Vec<Compatibility> = "compatibilities",
        container_definitions: Vec<ContainerDefinition> = "containerDefinitions",
        cpu: String = "cpu",
        delete_requested_at: ::berth_wire::EpochSeconds = "deleteRequestedAt",
        deregistered_at: ::berth_wire::EpochSeconds = "deregisteredAt",
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
        registered_at: ::berth_wire::EpochSeconds = "registeredAt",
        registered_by: String = "registeredBy",
        requires_attributes: Vec<Attribute> = "requiresAttributes",
        requires_compatibilities: Vec<Compatibility> = "requiresCompatibilities",
        revision: i32 = "revision",
        runtime_platform: RuntimePlatform = "runtimePlatform",
        status: TaskDefinitionStatus = "status",
        task_definition_arn: String = "taskDefinitionArn",
        task_role_arn: String = "taskRoleArn",
        trusted_execution_configuration: TrustedExecutionConfiguration = "trustedExecutionConfiguration",
        volumes: Vec<Volume> = "volumes",
    }
    TaskDefinitionPlacementConstraint {
        expression: String = "expression",
        r#type: TaskDefinitionPlacementConstraintType = "type",
    }
    TaskEphemeralStorage {
        kms_key_id: String = "kmsKeyId",
        size_in_gi_b: i32 = "sizeInGiB",
    }
    TaskManagedEBSVolumeConfiguration {
        encrypted: bool = "encrypted",
        filesystem_type: TaskFilesystemType = "filesystemType",
        iops: i32 = "iops",
        kms_key_id: String = "kmsKeyId",
        role_arn: String = "roleArn",
        size_in_gi_b: i32 = "sizeInGiB",
        snapshot_id: String = "snapshotId",
        tag_specifications: Vec<EBSTagSpecification> = "tagSpecifications",
        termination_policy: TaskManagedEBSVolumeTerminationPolicy = "terminationPolicy",
        throughput: i32 = "throughput",
        volume_initialization_rate: i32 = "volumeInitializationRate",
        volume_type: String = "volumeType",
    }
    TaskManagedEBSVolumeTerminationPolicy {
        delete_on_termination: bool = "deleteOnTermination",
    }
    TaskOverride {
        container_overrides: Vec<ContainerOverride> = "containerOverrides",
        cpu: String = "cpu",
        ephemeral_storage: EphemeralStorage = "ephemeralStorage",
        execution_role_arn: String = "executionRoleArn",
        inference_accelerator_overrides: Vec<InferenceAcceleratorOverride> = "inferenceAcceleratorOverrides",
        memory: String = "memory",
        task_role_arn: String = "taskRoleArn",
    }
    TaskSet {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        cluster_arn: String = "clusterArn",
        computed_desired_count: i32 = "computedDesiredCount",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        external_id: String = "externalId",
        fargate_ephemeral_storage: DeploymentEphemeralStorage = "fargateEphemeralStorage",
        id: String = "id",
        launch_type: LaunchType = "launchType",
        load_balancers: Vec<LoadBalancer> = "loadBalancers",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        pending_count: i32 = "pendingCount",
        platform_family: String = "platformFamily",
        platform_version: String = "platformVersion",
        running_count: i32 = "runningCount",
        scale: Scale = "scale",
        service_arn: String = "serviceArn",
        service_registries: Vec<ServiceRegistry> = "serviceRegistries",
        stability_status: StabilityStatus = "stabilityStatus",
        stability_status_at: ::berth_wire::EpochSeconds = "stabilityStatusAt",
        started_by: String = "startedBy",
        status: String = "status",
        tags: Vec<Tag> = "tags",
        task_definition: String = "taskDefinition",
        task_set_arn: String = "taskSetArn",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    TaskVolumeConfiguration {
        managed_ebs_volume: TaskManagedEBSVolumeConfiguration = "managedEBSVolume",
        name: String = "name",
    }
    ThresholdConfiguration {
        r#type: ThresholdType = "type",
        value: i32 = "value",
    }
    TimeoutConfiguration {
        idle_timeout_seconds: i32 = "idleTimeoutSeconds",
        per_request_timeout_seconds: i32 = "perRequestTimeoutSeconds",
    }
    Tmpfs {
        container_path: String = "containerPath",
        mount_options: Vec<String> = "mountOptions",
        size: i32 = "size",
    }
    TotalLocalStorageGBRequest {
        max: f64 = "max",
        min: f64 = "min",
    }
    TrustedExecutionConfiguration {
        attestation_policy: String = "attestationPolicy",
        isolation_mode: IsolationMode = "isolationMode",
    }
    TrustedExecutionSummary {
        attestation_policy_status: AttestationPolicyStatus = "attestationPolicyStatus",
        isolation_mode: IsolationMode = "isolationMode",
    }
}
