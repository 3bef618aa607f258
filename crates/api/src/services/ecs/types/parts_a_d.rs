//! ecs: structures that others hold; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    AcceleratorCountRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    AcceleratorTotalMemoryMiBRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    AdvancedConfiguration {
        alternate_target_group_arn: String = "alternateTargetGroupArn",
        production_listener_rule: String = "productionListenerRule",
        role_arn: String = "roleArn",
        test_listener_rule: String = "testListenerRule",
    }
    Attachment {
        details: Vec<KeyValuePair> = "details",
        id: String = "id",
        status: String = "status",
        r#type: String = "type",
    }
    AttachmentStateChange {
        attachment_arn: String = "attachmentArn",
        status: String = "status",
    }
    Attribute {
        name: String = "name",
        target_id: String = "targetId",
        target_type: TargetType = "targetType",
        value: String = "value",
    }
    AutoRepairConfiguration {
        actions_status: AutoRepairActionsStatus = "actionsStatus",
    }
    AutoScalingGroupProvider {
        auto_scaling_group_arn: String = "autoScalingGroupArn",
        managed_draining: ManagedDraining = "managedDraining",
        managed_scaling: ManagedScaling = "managedScaling",
        managed_termination_protection: ManagedTerminationProtection = "managedTerminationProtection",
    }
    AutoScalingGroupProviderUpdate {
        managed_draining: ManagedDraining = "managedDraining",
        managed_scaling: ManagedScaling = "managedScaling",
        managed_termination_protection: ManagedTerminationProtection = "managedTerminationProtection",
    }
    AwsVpcConfiguration {
        assign_public_ip: AssignPublicIp = "assignPublicIp",
        security_groups: Vec<String> = "securityGroups",
        subnets: Vec<String> = "subnets",
    }
    BaselineEbsBandwidthMbpsRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    CanaryConfiguration {
        canary_bake_time_in_minutes: i32 = "canaryBakeTimeInMinutes",
        canary_percent: f64 = "canaryPercent",
    }
    CapacityProvider {
        auto_scaling_group_provider: AutoScalingGroupProvider = "autoScalingGroupProvider",
        capacity_provider_arn: String = "capacityProviderArn",
        cluster: String = "cluster",
        managed_instances_provider: ManagedInstancesProvider = "managedInstancesProvider",
        name: String = "name",
        status: CapacityProviderStatus = "status",
        tags: Vec<Tag> = "tags",
        r#type: CapacityProviderType = "type",
        update_status: CapacityProviderUpdateStatus = "updateStatus",
        update_status_reason: String = "updateStatusReason",
    }
    CapacityProviderStrategyItem {
        base: i32 = "base",
        capacity_provider: String = "capacityProvider",
        weight: i32 = "weight",
    }
    CapacityReservationRequest {
        reservation_group_arn: String = "reservationGroupArn",
        reservation_preference: CapacityReservationPreference = "reservationPreference",
    }
    Cluster {
        active_services_count: i32 = "activeServicesCount",
        attachments: Vec<Attachment> = "attachments",
        attachments_status: String = "attachmentsStatus",
        capacity_providers: Vec<String> = "capacityProviders",
        cluster_arn: String = "clusterArn",
        cluster_name: String = "clusterName",
        configuration: ClusterConfiguration = "configuration",
        default_capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "defaultCapacityProviderStrategy",
        pending_tasks_count: i32 = "pendingTasksCount",
        registered_container_instances_count: i32 = "registeredContainerInstancesCount",
        running_tasks_count: i32 = "runningTasksCount",
        service_connect_defaults: ClusterServiceConnectDefaults = "serviceConnectDefaults",
        settings: Vec<ClusterSetting> = "settings",
        statistics: Vec<KeyValuePair> = "statistics",
        status: String = "status",
        tags: Vec<Tag> = "tags",
    }
    ClusterConfiguration {
        execute_command_configuration: ExecuteCommandConfiguration = "executeCommandConfiguration",
        managed_storage_configuration: ManagedStorageConfiguration = "managedStorageConfiguration",
    }
    ClusterServiceConnectDefaults {
        namespace: String = "namespace",
    }
    ClusterServiceConnectDefaultsRequest {
        namespace: String = "namespace",
    }
    ClusterSetting {
        name: ClusterSettingName = "name",
        value: String = "value",
    }
    Container {
        container_arn: String = "containerArn",
        cpu: String = "cpu",
        exit_code: i32 = "exitCode",
        gpu_ids: Vec<String> = "gpuIds",
        gpu_sharing_strategy: SharingStrategy = "gpuSharingStrategy",
        health_status: HealthStatus = "healthStatus",
        image: String = "image",
        image_digest: String = "imageDigest",
        last_status: String = "lastStatus",
        managed_agents: Vec<ManagedAgent> = "managedAgents",
        memory: String = "memory",
        memory_reservation: String = "memoryReservation",
        name: String = "name",
        network_bindings: Vec<NetworkBinding> = "networkBindings",
        network_interfaces: Vec<NetworkInterface> = "networkInterfaces",
        neuron_device_ids: Vec<String> = "neuronDeviceIds",
        reason: String = "reason",
        runtime_id: String = "runtimeId",
        task_arn: String = "taskArn",
    }
    ContainerDefinition {
        command: Vec<String> = "command",
        cpu: i32 = "cpu",
        credential_specs: Vec<String> = "credentialSpecs",
        depends_on: Vec<ContainerDependency> = "dependsOn",
        disable_networking: bool = "disableNetworking",
        dns_search_domains: Vec<String> = "dnsSearchDomains",
        dns_servers: Vec<String> = "dnsServers",
        docker_labels: ::std::collections::BTreeMap<String, String> = "dockerLabels",
        docker_security_options: Vec<String> = "dockerSecurityOptions",
        entry_point: Vec<String> = "entryPoint",
        environment: Vec<KeyValuePair> = "environment",
        environment_files: Vec<EnvironmentFile> = "environmentFiles",
        essential: bool = "essential",
        extra_hosts: Vec<HostEntry> = "extraHosts",
        firelens_configuration: FirelensConfiguration = "firelensConfiguration",
        health_check: HealthCheck = "healthCheck",
        hostname: String = "hostname",
        image: String = "image",
        interactive: bool = "interactive",
        links: Vec<String> = "links",
        linux_parameters: LinuxParameters = "linuxParameters",
        log_configuration: LogConfiguration = "logConfiguration",
        memory: i32 = "memory",
        memory_reservation: i32 = "memoryReservation",
        mount_points: Vec<MountPoint> = "mountPoints",
        name: String = "name",
        port_mappings: Vec<PortMapping> = "portMappings",
        privileged: bool = "privileged",
        pseudo_terminal: bool = "pseudoTerminal",
        readonly_root_filesystem: bool = "readonlyRootFilesystem",
        repository_credentials: RepositoryCredentials = "repositoryCredentials",
        resource_requirements: Vec<ResourceRequirement> = "resourceRequirements",
        restart_policy: ContainerRestartPolicy = "restartPolicy",
        secrets: Vec<Secret> = "secrets",
        start_timeout: i32 = "startTimeout",
        stop_timeout: i32 = "stopTimeout",
        system_controls: Vec<SystemControl> = "systemControls",
        ulimits: Vec<Ulimit> = "ulimits",
        user: String = "user",
        version_consistency: VersionConsistency = "versionConsistency",
        volumes_from: Vec<VolumeFrom> = "volumesFrom",
        working_directory: String = "workingDirectory",
    }
    ContainerDependency {
        condition: ContainerCondition = "condition",
        container_name: String = "containerName",
    }
    ContainerImage {
        container_name: String = "containerName",
        image: String = "image",
        image_digest: String = "imageDigest",
    }
    ContainerInstance {
        agent_connected: bool = "agentConnected",
        agent_update_status: AgentUpdateStatus = "agentUpdateStatus",
        attachments: Vec<Attachment> = "attachments",
        attributes: Vec<Attribute> = "attributes",
        capacity_provider_name: String = "capacityProviderName",
        container_instance_arn: String = "containerInstanceArn",
        ec2_instance_id: String = "ec2InstanceId",
        gpu_devices: Vec<GpuDevice> = "gpuDevices",
        health_status: ContainerInstanceHealthStatus = "healthStatus",
        pending_tasks_count: i32 = "pendingTasksCount",
        registered_at: ::berth_wire::EpochSeconds = "registeredAt",
        registered_resources: Vec<Resource> = "registeredResources",
        remaining_resources: Vec<Resource> = "remainingResources",
        running_tasks_count: i32 = "runningTasksCount",
        status: String = "status",
        status_reason: String = "statusReason",
        tags: Vec<Tag> = "tags",
        version: i64 = "version",
        version_info: VersionInfo = "versionInfo",
    }
    ContainerInstanceHealthStatus {
        details: Vec<InstanceHealthCheckResult> = "details",
        overall_status: InstanceHealthCheckState = "overallStatus",
    }
    ContainerOverride {
        command: Vec<String> = "command",
        cpu: i32 = "cpu",
        environment: Vec<KeyValuePair> = "environment",
        environment_files: Vec<EnvironmentFile> = "environmentFiles",
        memory: i32 = "memory",
        memory_reservation: i32 = "memoryReservation",
        name: String = "name",
        resource_requirements: Vec<ResourceRequirement> = "resourceRequirements",
    }
    ContainerRestartPolicy {
        enabled: bool = "enabled",
        ignored_exit_codes: Vec<i32> = "ignoredExitCodes",
        restart_attempt_period: i32 = "restartAttemptPeriod",
    }
    ContainerStateChange {
        container_name: String = "containerName",
        exit_code: i32 = "exitCode",
        image_digest: String = "imageDigest",
        network_bindings: Vec<NetworkBinding> = "networkBindings",
        reason: String = "reason",
        runtime_id: String = "runtimeId",
        status: String = "status",
    }
    CreateManagedInstancesProviderConfiguration {
        auto_repair_configuration: AutoRepairConfiguration = "autoRepairConfiguration",
        infrastructure_optimization: InfrastructureOptimization = "infrastructureOptimization",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        instance_launch_template: InstanceLaunchTemplate = "instanceLaunchTemplate",
        propagate_tags: PropagateMITags = "propagateTags",
    }
    CreatedAt {
        after: ::berth_wire::EpochSeconds = "after",
        before: ::berth_wire::EpochSeconds = "before",
    }
    DaemonAlarmConfiguration {
        alarm_names: Vec<String> = "alarmNames",
        enable: bool = "enable",
    }
    DaemonCapacityProvider {
        arn: String = "arn",
        running_count: i32 = "runningCount",
        without_daemon_count: i32 = "withoutDaemonCount",
    }
    DaemonCircuitBreaker {
        failure_count: i32 = "failureCount",
        status: DaemonDeploymentRollbackMonitorsStatus = "status",
        threshold: i32 = "threshold",
    }
    DaemonContainerDefinition {
        command: Vec<String> = "command",
        cpu: i32 = "cpu",
        depends_on: Vec<ContainerDependency> = "dependsOn",
        entry_point: Vec<String> = "entryPoint",
        environment: Vec<KeyValuePair> = "environment",
        environment_files: Vec<EnvironmentFile> = "environmentFiles",
        essential: bool = "essential",
        firelens_configuration: FirelensConfiguration = "firelensConfiguration",
        health_check: HealthCheck = "healthCheck",
        image: String = "image",
        interactive: bool = "interactive",
        linux_parameters: DaemonLinuxParameters = "linuxParameters",
        log_configuration: LogConfiguration = "logConfiguration",
        memory: i32 = "memory",
        memory_reservation: i32 = "memoryReservation",
        mount_points: Vec<MountPoint> = "mountPoints",
        name: String = "name",
        privileged: bool = "privileged",
        pseudo_terminal: bool = "pseudoTerminal",
        readonly_root_filesystem: bool = "readonlyRootFilesystem",
        repository_credentials: RepositoryCredentials = "repositoryCredentials",
        restart_policy: ContainerRestartPolicy = "restartPolicy",
        secrets: Vec<Secret> = "secrets",
        start_timeout: i32 = "startTimeout",
        stop_timeout: i32 = "stopTimeout",
        system_controls: Vec<SystemControl> = "systemControls",
        ulimits: Vec<Ulimit> = "ulimits",
        user: String = "user",
        working_directory: String = "workingDirectory",
    }
    DaemonContainerImage {
        container_name: String = "containerName",
        image: String = "image",
        image_digest: String = "imageDigest",
    }
    DaemonDeployment {
        alarms: DaemonDeploymentAlarms = "alarms",
        circuit_breaker: DaemonCircuitBreaker = "circuitBreaker",
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_deployment_arn: String = "daemonDeploymentArn",
        deployment_configuration: DaemonDeploymentConfiguration = "deploymentConfiguration",
        finished_at: ::berth_wire::EpochSeconds = "finishedAt",
        rollback: DaemonRollback = "rollback",
        source_daemon_revisions: Vec<DaemonDeploymentRevisionDetail> = "sourceDaemonRevisions",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
        status: DaemonDeploymentStatus = "status",
        status_reason: String = "statusReason",
        stopped_at: ::berth_wire::EpochSeconds = "stoppedAt",
        target_daemon_revision: DaemonDeploymentRevisionDetail = "targetDaemonRevision",
    }
    DaemonDeploymentAlarms {
        alarm_names: Vec<String> = "alarmNames",
        status: DaemonDeploymentRollbackMonitorsStatus = "status",
        triggered_alarm_names: Vec<String> = "triggeredAlarmNames",
    }
    DaemonDeploymentCapacityProvider {
        arn: String = "arn",
        draining_instance_count: i32 = "drainingInstanceCount",
        running_instance_count: i32 = "runningInstanceCount",
        without_daemon_instance_count: i32 = "withoutDaemonInstanceCount",
    }
    DaemonDeploymentConfiguration {
        alarms: DaemonAlarmConfiguration = "alarms",
        bake_time_in_minutes: i32 = "bakeTimeInMinutes",
        drain_percent: f64 = "drainPercent",
    }
    DaemonDeploymentRevisionDetail {
        arn: String = "arn",
        capacity_providers: Vec<DaemonDeploymentCapacityProvider> = "capacityProviders",
        total_draining_instance_count: i32 = "totalDrainingInstanceCount",
        total_running_instance_count: i32 = "totalRunningInstanceCount",
        total_without_daemon_instance_count: i32 = "totalWithoutDaemonInstanceCount",
    }
    DaemonDeploymentSummary {
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_arn: String = "daemonArn",
        daemon_deployment_arn: String = "daemonDeploymentArn",
        finished_at: ::berth_wire::EpochSeconds = "finishedAt",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
        status: DaemonDeploymentStatus = "status",
        status_reason: String = "statusReason",
        stopped_at: ::berth_wire::EpochSeconds = "stoppedAt",
        target_daemon_revision_arn: String = "targetDaemonRevisionArn",
    }
    DaemonDetail {
        cluster_arn: String = "clusterArn",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        current_revisions: Vec<DaemonRevisionDetail> = "currentRevisions",
        daemon_arn: String = "daemonArn",
        deployment_arn: String = "deploymentArn",
        status: DaemonStatus = "status",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    DaemonLinuxParameters {
        capabilities: KernelCapabilities = "capabilities",
        devices: Vec<Device> = "devices",
        init_process_enabled: bool = "initProcessEnabled",
        tmpfs: Vec<Tmpfs> = "tmpfs",
    }
    DaemonRevision {
        cluster_arn: String = "clusterArn",
        container_images: Vec<DaemonContainerImage> = "containerImages",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        critical: bool = "critical",
        daemon_arn: String = "daemonArn",
        daemon_revision_arn: String = "daemonRevisionArn",
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
        enable_ecs_managed_tags: bool = "enableECSManagedTags",
        enable_execute_command: bool = "enableExecuteCommand",
        propagate_tags: DaemonPropagateTags = "propagateTags",
    }
    DaemonRevisionDetail {
        arn: String = "arn",
        capacity_providers: Vec<DaemonCapacityProvider> = "capacityProviders",
        total_running_count: i32 = "totalRunningCount",
        total_without_daemon_count: i32 = "totalWithoutDaemonCount",
    }
    DaemonRollback {
        reason: String = "reason",
        rollback_capacity_providers: Vec<String> = "rollbackCapacityProviders",
        rollback_target_daemon_revision_arn: String = "rollbackTargetDaemonRevisionArn",
        started_at: ::berth_wire::EpochSeconds = "startedAt",
    }
    DaemonSummary {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        daemon_arn: String = "daemonArn",
        status: DaemonStatus = "status",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    DaemonTaskDefinition {
        container_definitions: Vec<DaemonContainerDefinition> = "containerDefinitions",
        cpu: String = "cpu",
        daemon_task_definition_arn: String = "daemonTaskDefinitionArn",
        delete_requested_at: ::berth_wire::EpochSeconds = "deleteRequestedAt",
        execution_role_arn: String = "executionRoleArn",
        family: String = "family",
        ipc_mode: DaemonIpcMode = "ipcMode",
        memory: String = "memory",
        pid_mode: DaemonPidMode = "pidMode",
        registered_at: ::berth_wire::EpochSeconds = "registeredAt",
        registered_by: String = "registeredBy",
        revision: i32 = "revision",
        status: DaemonTaskDefinitionStatus = "status",
        task_role_arn: String = "taskRoleArn",
        volumes: Vec<DaemonVolume> = "volumes",
    }
    DaemonTaskDefinitionSummary {
        arn: String = "arn",
        delete_requested_at: ::berth_wire::EpochSeconds = "deleteRequestedAt",
        registered_at: ::berth_wire::EpochSeconds = "registeredAt",
        registered_by: String = "registeredBy",
        status: DaemonTaskDefinitionStatus = "status",
    }
    DaemonVolume {
        host: HostVolumeProperties = "host",
        log_driver_volume_configuration: LogDriverVolumeConfiguration = "logDriverVolumeConfiguration",
        name: String = "name",
    }
    Deployment {
        capacity_provider_strategy: Vec<CapacityProviderStrategyItem> = "capacityProviderStrategy",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        desired_count: i32 = "desiredCount",
        failed_tasks: i32 = "failedTasks",
        fargate_ephemeral_storage: DeploymentEphemeralStorage = "fargateEphemeralStorage",
        id: String = "id",
        launch_type: LaunchType = "launchType",
        network_configuration: NetworkConfiguration = "networkConfiguration",
        pending_count: i32 = "pendingCount",
        platform_family: String = "platformFamily",
        platform_version: String = "platformVersion",
        rollout_state: DeploymentRolloutState = "rolloutState",
        rollout_state_reason: String = "rolloutStateReason",
        running_count: i32 = "runningCount",
        service_connect_configuration: ServiceConnectConfiguration = "serviceConnectConfiguration",
        service_connect_resources: Vec<ServiceConnectServiceResource> = "serviceConnectResources",
        status: String = "status",
        task_definition: String = "taskDefinition",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
        volume_configurations: Vec<ServiceVolumeConfiguration> = "volumeConfigurations",
        vpc_lattice_configurations: Vec<VpcLatticeConfiguration> = "vpcLatticeConfigurations",
    }
    DeploymentAlarms {
        alarm_names: Vec<String> = "alarmNames",
        enable: bool = "enable",
        rollback: bool = "rollback",
    }
    DeploymentCircuitBreaker {
        enable: bool = "enable",
        reset_on_healthy_task: bool = "resetOnHealthyTask",
        rollback: bool = "rollback",
        threshold_configuration: ThresholdConfiguration = "thresholdConfiguration",
    }
    DeploymentConfiguration {
        alarms: DeploymentAlarms = "alarms",
        bake_time_in_minutes: i32 = "bakeTimeInMinutes",
        canary_configuration: CanaryConfiguration = "canaryConfiguration",
        deployment_circuit_breaker: DeploymentCircuitBreaker = "deploymentCircuitBreaker",
        early_success_criteria: DeploymentEarlySuccessCriteria = "earlySuccessCriteria",
        lifecycle_hooks: Vec<DeploymentLifecycleHook> = "lifecycleHooks",
        linear_configuration: LinearConfiguration = "linearConfiguration",
        maximum_percent: i32 = "maximumPercent",
        minimum_healthy_percent: i32 = "minimumHealthyPercent",
        strategy: DeploymentStrategy = "strategy",
    }
    DeploymentController {
        r#type: DeploymentControllerType = "type",
    }
    DeploymentEarlySuccessCriteria {
        enable: bool = "enable",
        healthy_percent: i32 = "healthyPercent",
        source_service_revision_cleanup: ServiceRevisionCleanup = "sourceServiceRevisionCleanup",
    }
    DeploymentEphemeralStorage {
        kms_key_id: String = "kmsKeyId",
    }
    DeploymentLifecycleHook {
        hook_details: ::berth_wire::Document = "hookDetails",
        hook_target_arn: String = "hookTargetArn",
        lifecycle_stages: Vec<DeploymentLifecycleHookStage> = "lifecycleStages",
        role_arn: String = "roleArn",
        target_type: DeploymentLifecycleHookTargetType = "targetType",
        timeout_configuration: DeploymentLifecycleHookTimeoutConfiguration = "timeoutConfiguration",
    }
    DeploymentLifecycleHookDetail {
        expires_at: ::berth_wire::EpochSeconds = "expiresAt",
        hook_id: String = "hookId",
        status: DeploymentLifecycleHookStatus = "status",
        target_arn: String = "targetArn",
        target_type: DeploymentLifecycleHookTargetType = "targetType",
        timeout_action: DeploymentLifecycleHookAction = "timeoutAction",
    }
    DeploymentLifecycleHookTimeoutConfiguration {
        action: DeploymentLifecycleHookAction = "action",
        timeout_in_minutes: i32 = "timeoutInMinutes",
    }
    DescribeGatewayAlbConfiguration {
        access_logs: GatewayElbAccessLogConfiguration = "accessLogs",
        current_alb_count: i32 = "currentAlbCount",
        http_desync: GatewayAlbDesyncMitigationMode = "httpDesync",
        max_alb_count: i32 = "maxAlbCount",
        network_configuration: GatewayElbNetworkConfiguration = "networkConfiguration",
        port: i32 = "port",
        protocol: GatewayAlbProtocol = "protocol",
        scheme: GatewayElbScheme = "scheme",
        test_traffic_rules: GatewayAlbTestTrafficRules = "testTrafficRules",
        web_acl_arn: String = "webACLArn",
    }
    DescribeGatewayConfiguration {
        host_shared_alb: DescribeGatewayAlbConfiguration = "hostSharedAlb",
    }
    Device {
        container_path: String = "containerPath",
        host_path: String = "hostPath",
        permissions: Vec<DeviceCgroupPermission> = "permissions",
    }
    DockerVolumeConfiguration {
        autoprovision: bool = "autoprovision",
        driver: String = "driver",
        driver_opts: ::std::collections::BTreeMap<String, String> = "driverOpts",
        labels: ::std::collections::BTreeMap<String, String> = "labels",
        scope: Scope = "scope",
    }
}
