//! ecs: structures that others hold; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    EBSTagSpecification {
        propagate_tags: PropagateTags = "propagateTags",
        resource_type: EBSResourceType = "resourceType",
        tags: Vec<Tag> = "tags",
    }
    ECSExpressGatewayService {
        active_configurations: Vec<ExpressGatewayServiceConfiguration> = "activeConfigurations",
        cluster: String = "cluster",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        current_deployment: String = "currentDeployment",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        service_arn: String = "serviceArn",
        service_name: String = "serviceName",
        status: ExpressGatewayServiceStatus = "status",
        tags: Vec<Tag> = "tags",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ECSManagedResources {
        auto_scaling: ManagedAutoScaling = "autoScaling",
        gateway_connections: Vec<GatewayConnection> = "gatewayConnections",
        ingress_paths: Vec<ManagedIngressPath> = "ingressPaths",
        log_groups: Vec<ManagedLogGroup> = "logGroups",
        metric_alarms: Vec<ManagedMetricAlarm> = "metricAlarms",
        service_security_groups: Vec<ManagedSecurityGroup> = "serviceSecurityGroups",
    }
    EFSAuthorizationConfig {
        access_point_id: String = "accessPointId",
        iam: EFSAuthorizationConfigIAM = "iam",
    }
    EFSVolumeConfiguration {
        authorization_config: EFSAuthorizationConfig = "authorizationConfig",
        file_system_id: String = "fileSystemId",
        root_directory: String = "rootDirectory",
        transit_encryption: EFSTransitEncryption = "transitEncryption",
        transit_encryption_port: i32 = "transitEncryptionPort",
    }
    ElbGatewayResources {
        gateway_route_arns: Vec<String> = "gatewayRouteArns",
        listener_arn: String = "listenerArn",
        load_balancer_arn: String = "loadBalancerArn",
        security_group: String = "securityGroup",
    }
    EnvironmentFile {
        r#type: EnvironmentFileType = "type",
        value: String = "value",
    }
    EphemeralStorage {
        size_in_gi_b: i32 = "sizeInGiB",
    }
    ExecuteCommandConfiguration {
        kms_key_id: String = "kmsKeyId",
        log_configuration: ExecuteCommandLogConfiguration = "logConfiguration",
        logging: ExecuteCommandLogging = "logging",
    }
    ExecuteCommandLogConfiguration {
        cloud_watch_encryption_enabled: bool = "cloudWatchEncryptionEnabled",
        cloud_watch_log_group_name: String = "cloudWatchLogGroupName",
        s3_bucket_name: String = "s3BucketName",
        s3_encryption_enabled: bool = "s3EncryptionEnabled",
        s3_key_prefix: String = "s3KeyPrefix",
    }
    ExpressGatewayContainer {
        aws_logs_configuration: ExpressGatewayServiceAwsLogsConfiguration = "awsLogsConfiguration",
        command: Vec<String> = "command",
        container_port: i32 = "containerPort",
        environment: Vec<KeyValuePair> = "environment",
        image: String = "image",
        repository_credentials: ExpressGatewayRepositoryCredentials = "repositoryCredentials",
        secrets: Vec<Secret> = "secrets",
    }
    ExpressGatewayRepositoryCredentials {
        credentials_parameter: String = "credentialsParameter",
    }
    ExpressGatewayScalingTarget {
        auto_scaling_metric: ExpressGatewayServiceScalingMetric = "autoScalingMetric",
        auto_scaling_target_value: i32 = "autoScalingTargetValue",
        max_task_count: i32 = "maxTaskCount",
        min_task_count: i32 = "minTaskCount",
    }
    ExpressGatewayServiceAwsLogsConfiguration {
        log_group: String = "logGroup",
        log_stream_prefix: String = "logStreamPrefix",
    }
    ExpressGatewayServiceConfiguration {
        cpu: String = "cpu",
        cpu_architecture: ExpressCpuArchitecture = "cpuArchitecture",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        execution_role_arn: String = "executionRoleArn",
        health_check_path: String = "healthCheckPath",
        ingress_paths: Vec<IngressPathSummary> = "ingressPaths",
        memory: String = "memory",
        network_configuration: ExpressGatewayServiceNetworkConfiguration = "networkConfiguration",
        primary_container: ExpressGatewayContainer = "primaryContainer",
        scaling_target: ExpressGatewayScalingTarget = "scalingTarget",
        service_revision_arn: String = "serviceRevisionArn",
        task_definition_arn: String = "taskDefinitionArn",
        task_role_arn: String = "taskRoleArn",
    }
    ExpressGatewayServiceNetworkConfiguration {
        security_groups: Vec<String> = "securityGroups",
        subnets: Vec<String> = "subnets",
    }
    ExpressGatewayServiceStatus {
        status_code: ExpressGatewayServiceStatusCode = "statusCode",
        status_reason: String = "statusReason",
    }
    FSxWindowsFileServerAuthorizationConfig {
        credentials_parameter: String = "credentialsParameter",
        domain: String = "domain",
    }
    FSxWindowsFileServerVolumeConfiguration {
        authorization_config: FSxWindowsFileServerAuthorizationConfig = "authorizationConfig",
        file_system_id: String = "fileSystemId",
        root_directory: String = "rootDirectory",
    }
    Failure {
        arn: String = "arn",
        detail: String = "detail",
        reason: String = "reason",
    }
    FirelensConfiguration {
        options: ::std::collections::BTreeMap<String, String> = "options",
        r#type: FirelensConfigurationType = "type",
    }
    Gateway {
        access_type: AccessType = "accessType",
        configuration: DescribeGatewayConfiguration = "configuration",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        deletion_protection: bool = "deletionProtection",
        failures: Vec<GatewayResourceFailure> = "failures",
        gateway_arn: String = "gatewayArn",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        name: String = "name",
        propagate_tags: PropagateGatewayTags = "propagateTags",
        status: GatewayStatus = "status",
        status_reason: String = "statusReason",
        tags: Vec<Tag> = "tags",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    GatewayAlbTestTrafficRules {
        header: GatewayTestTrafficHeader = "header",
    }
    GatewayClusterAssociationSummary {
        cluster_arn: String = "clusterArn",
        gateway_arn: String = "gatewayArn",
        status: GatewayClusterAssociationStatus = "status",
    }
    GatewayConfiguration {
        host_shared_alb: HostSharedAlbConfiguration = "hostSharedAlb",
    }
    GatewayConnection {
        access_type: AccessType = "accessType",
        gateway_arn: String = "gatewayArn",
        gateway_route_arn: String = "gatewayRouteArn",
        port_name: String = "portName",
        resources: GatewayConnectionResources = "resources",
        service_url: String = "serviceUrl",
        status: GatewayRouteStatus = "status",
    }
    GatewayConnectionAlbResources {
        acm_certificate_arn: String = "acmCertificateArn",
        alternate_target_group_arn: String = "alternateTargetGroupArn",
        listener_arn: String = "listenerArn",
        listener_rule_arn: String = "listenerRuleArn",
        load_balancer_arn: String = "loadBalancerArn",
        load_balancer_security_group_arns: Vec<String> = "loadBalancerSecurityGroupArns",
        target_group_arn: String = "targetGroupArn",
        test_listener_rule_arn: String = "testListenerRuleArn",
    }
    GatewayConnectionResources {
        host_shared_alb: Vec<GatewayConnectionAlbResources> = "hostSharedAlb",
    }
    GatewayConnector {
        deregistration_delay: GatewayConnectorDeregistrationDelay = "deregistrationDelay",
        filters: GatewayConnectorFilters = "filters",
        health_check: GatewayConnectorHealthCheck = "healthCheck",
        port_name: String = "portName",
    }
    GatewayConnectorDeregistrationDelay {
        timeout_seconds: i32 = "timeoutSeconds",
    }
    GatewayConnectorFilters {
        access_types: Vec<AccessType> = "accessTypes",
    }
    GatewayConnectorHealthCheck {
        health_check_interval_seconds: i32 = "healthCheckIntervalSeconds",
        health_check_path: String = "healthCheckPath",
        health_check_port: i32 = "healthCheckPort",
        health_check_protocol: GatewayConnectorHealthCheckProtocol = "healthCheckProtocol",
        health_check_timeout_seconds: i32 = "healthCheckTimeoutSeconds",
        healthy_threshold_count: i32 = "healthyThresholdCount",
        matcher: GatewayConnectorHealthCheckMatcher = "matcher",
        unhealthy_threshold_count: i32 = "unhealthyThresholdCount",
    }
    GatewayConnectorHealthCheckMatcher {
        grpc_code: String = "grpcCode",
        http_code: String = "httpCode",
    }
    GatewayElbAccessLogConfiguration {
        destination: GatewayElbAccessLogDestination = "destination",
    }
    GatewayElbAccessLogDestination {
        s3: GatewayElbAccessLogS3Destination = "s3",
    }
    GatewayElbAccessLogS3Destination {
        bucket: String = "bucket",
        prefix: String = "prefix",
    }
    GatewayElbNetworkConfiguration {
        inbound_security_group: String = "inboundSecurityGroup",
        ip_address_type: GatewayElbIpAddressType = "ipAddressType",
        subnets: Vec<String> = "subnets",
    }
    GatewayInfrastructureResources {
        host_shared_alb: Vec<ElbGatewayResources> = "hostSharedAlb",
    }
    GatewayOperationError {
        code: String = "code",
        message: String = "message",
        operation: String = "operation",
    }
    GatewayResourceFailure {
        arn: String = "arn",
        errors: Vec<GatewayOperationError> = "errors",
    }
    GatewayResources {
        gateway_arn: String = "gatewayArn",
        resources: GatewayInfrastructureResources = "resources",
    }
    GatewayRoute {
        gateway_route_arn: String = "gatewayRouteArn",
        resources: GatewayRouteResources = "resources",
        service_arn: String = "serviceArn",
        service_container_port_name: String = "serviceContainerPortName",
        service_url: String = "serviceUrl",
        status: GatewayRouteStatus = "status",
    }
    GatewayRouteAlbResources {
        acm_certificate_arn: String = "acmCertificateArn",
        listener_arn: String = "listenerArn",
        listener_rule_arn: String = "listenerRuleArn",
        load_balancer_arn: String = "loadBalancerArn",
        load_balancer_security_groups: Vec<GatewayRouteLoadBalancerSecurityGroup> = "loadBalancerSecurityGroups",
        service_security_group_arn: String = "serviceSecurityGroupArn",
        test_listener_rule_arns: Vec<String> = "testListenerRuleArns",
    }
    GatewayRouteLoadBalancerSecurityGroup {
        arn: String = "arn",
        rule_arns: Vec<String> = "ruleArns",
    }
    GatewayRouteResources {
        host_shared_alb: Vec<GatewayRouteAlbResources> = "hostSharedAlb",
    }
    GatewayRouteSummary {
        cluster_arn: String = "clusterArn",
        gateway_arn: String = "gatewayArn",
        gateway_route_arn: String = "gatewayRouteArn",
        service_arn: String = "serviceArn",
        service_container_port_name: String = "serviceContainerPortName",
        status: GatewayRouteStatus = "status",
    }
    GatewaySummary {
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        gateway_arn: String = "gatewayArn",
        name: String = "name",
        status: GatewayStatus = "status",
    }
    GatewayTestTrafficHeader {
        name: String = "name",
        values: Vec<String> = "values",
    }
    GpuDevice {
        container_count: i32 = "containerCount",
        gpu_id: String = "gpuId",
        remaining_memory_in_mi_b: i32 = "remainingMemoryInMiB",
        sharing_mode: GpuSharingMode = "sharingMode",
        total_memory_in_mi_b: i32 = "totalMemoryInMiB",
    }
    HealthCheck {
        command: Vec<String> = "command",
        interval: i32 = "interval",
        retries: i32 = "retries",
        start_period: i32 = "startPeriod",
        timeout: i32 = "timeout",
    }
    HostEntry {
        hostname: String = "hostname",
        ip_address: String = "ipAddress",
    }
    HostSharedAlbConfiguration {
        access_logs: GatewayElbAccessLogConfiguration = "accessLogs",
        http_desync: GatewayAlbDesyncMitigationMode = "httpDesync",
        max_alb_count: i32 = "maxAlbCount",
        network_configuration: GatewayElbNetworkConfiguration = "networkConfiguration",
        port: i32 = "port",
        protocol: GatewayAlbProtocol = "protocol",
        scheme: GatewayElbScheme = "scheme",
        test_traffic_rules: GatewayAlbTestTrafficRules = "testTrafficRules",
        web_acl_arn: String = "webACLArn",
    }
    HostVolumeProperties {
        source_path: String = "sourcePath",
    }
    InferenceAccelerator {
        device_name: String = "deviceName",
        device_type: String = "deviceType",
    }
    InferenceAcceleratorOverride {
        device_name: String = "deviceName",
        device_type: String = "deviceType",
    }
    InfrastructureOptimization {
        scale_in_after: i32 = "scaleInAfter",
    }
    IngressPathSummary {
        access_type: AccessType = "accessType",
        endpoint: String = "endpoint",
    }
    InstanceHealthCheckResult {
        last_status_change: ::berth_wire::EpochSeconds = "lastStatusChange",
        last_updated: ::berth_wire::EpochSeconds = "lastUpdated",
        status: InstanceHealthCheckState = "status",
        status_reason: String = "statusReason",
        r#type: InstanceHealthCheckType = "type",
    }
    InstanceLaunchTemplate {
        capacity_option_type: CapacityOptionType = "capacityOptionType",
        capacity_reservations: CapacityReservationRequest = "capacityReservations",
        ec2_instance_profile_arn: String = "ec2InstanceProfileArn",
        fips_enabled: bool = "fipsEnabled",
        instance_metadata_tags_propagation: bool = "instanceMetadataTagsPropagation",
        instance_requirements: InstanceRequirementsRequest = "instanceRequirements",
        local_storage_configuration: ManagedInstancesLocalStorageConfiguration = "localStorageConfiguration",
        monitoring: ManagedInstancesMonitoringOptions = "monitoring",
        network_configuration: ManagedInstancesNetworkConfiguration = "networkConfiguration",
        nitro_enclaves_enabled: bool = "nitroEnclavesEnabled",
        storage_configuration: ManagedInstancesStorageConfiguration = "storageConfiguration",
    }
    InstanceLaunchTemplateUpdate {
        capacity_reservations: CapacityReservationRequest = "capacityReservations",
        ec2_instance_profile_arn: String = "ec2InstanceProfileArn",
        instance_metadata_tags_propagation: bool = "instanceMetadataTagsPropagation",
        instance_requirements: InstanceRequirementsRequest = "instanceRequirements",
        local_storage_configuration: ManagedInstancesLocalStorageConfiguration = "localStorageConfiguration",
        monitoring: ManagedInstancesMonitoringOptions = "monitoring",
        network_configuration: ManagedInstancesNetworkConfiguration = "networkConfiguration",
        storage_configuration: ManagedInstancesStorageConfiguration = "storageConfiguration",
    }
    InstanceRequirementsRequest {
        accelerator_count: AcceleratorCountRequest = "acceleratorCount",
        accelerator_manufacturers: Vec<AcceleratorManufacturer> = "acceleratorManufacturers",
        accelerator_names: Vec<AcceleratorName> = "acceleratorNames",
        accelerator_total_memory_mi_b: AcceleratorTotalMemoryMiBRequest = "acceleratorTotalMemoryMiB",
        accelerator_types: Vec<AcceleratorType> = "acceleratorTypes",
        allowed_instance_types: Vec<String> = "allowedInstanceTypes",
        bare_metal: BareMetal = "bareMetal",
        baseline_ebs_bandwidth_mbps: BaselineEbsBandwidthMbpsRequest = "baselineEbsBandwidthMbps",
        burstable_performance: BurstablePerformance = "burstablePerformance",
        cpu_manufacturers: Vec<CpuManufacturer> = "cpuManufacturers",
        excluded_instance_types: Vec<String> = "excludedInstanceTypes",
        instance_generations: Vec<InstanceGeneration> = "instanceGenerations",
        local_storage: LocalStorage = "localStorage",
        local_storage_types: Vec<LocalStorageType> = "localStorageTypes",
        max_spot_price_as_percentage_of_optimal_on_demand_price: i32 = "maxSpotPriceAsPercentageOfOptimalOnDemandPrice",
        memory_gi_b_per_v_cpu: MemoryGiBPerVCpuRequest = "memoryGiBPerVCpu",
        memory_mi_b: MemoryMiBRequest = "memoryMiB",
        network_bandwidth_gbps: NetworkBandwidthGbpsRequest = "networkBandwidthGbps",
        network_interface_count: NetworkInterfaceCountRequest = "networkInterfaceCount",
        on_demand_max_price_percentage_over_lowest_price: i32 = "onDemandMaxPricePercentageOverLowestPrice",
        require_hibernate_support: bool = "requireHibernateSupport",
        spot_max_price_percentage_over_lowest_price: i32 = "spotMaxPricePercentageOverLowestPrice",
        total_local_storage_gb: TotalLocalStorageGBRequest = "totalLocalStorageGB",
        v_cpu_count: VCpuCountRangeRequest = "vCpuCount",
    }
    KernelCapabilities {
        add: Vec<String> = "add",
        drop: Vec<String> = "drop",
    }
    KeyValuePair {
        name: String = "name",
        value: String = "value",
    }
    LinearConfiguration {
        step_bake_time_in_minutes: i32 = "stepBakeTimeInMinutes",
        step_percent: f64 = "stepPercent",
    }
    LinuxParameters {
        capabilities: KernelCapabilities = "capabilities",
        devices: Vec<Device> = "devices",
        init_process_enabled: bool = "initProcessEnabled",
        max_swap: i32 = "maxSwap",
        shared_memory_size: i32 = "sharedMemorySize",
        swappiness: i32 = "swappiness",
        tmpfs: Vec<Tmpfs> = "tmpfs",
    }
    LoadBalancer {
        advanced_configuration: AdvancedConfiguration = "advancedConfiguration",
        container_name: String = "containerName",
        container_port: i32 = "containerPort",
        load_balancer_name: String = "loadBalancerName",
        target_group_arn: String = "targetGroupArn",
    }
    LogConfiguration {
        log_driver: LogDriver = "logDriver",
        options: ::std::collections::BTreeMap<String, String> = "options",
        secret_options: Vec<Secret> = "secretOptions",
    }
    LogDriverVolumeConfiguration {
        driver: LogDriver = "driver",
    }
    ManagedAgent {
        last_started_at: ::berth_wire::EpochSeconds = "lastStartedAt",
        last_status: String = "lastStatus",
        name: ManagedAgentName = "name",
        reason: String = "reason",
    }
    ManagedAgentStateChange {
        container_name: String = "containerName",
        managed_agent_name: ManagedAgentName = "managedAgentName",
        reason: String = "reason",
        status: String = "status",
    }
    ManagedApplicationAutoScalingPolicy {
        arn: String = "arn",
        metric: String = "metric",
        policy_type: String = "policyType",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        target_value: f64 = "targetValue",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedAutoScaling {
        application_auto_scaling_policies: Vec<ManagedApplicationAutoScalingPolicy> = "applicationAutoScalingPolicies",
        scalable_target: ManagedScalableTarget = "scalableTarget",
    }
    ManagedCertificate {
        arn: String = "arn",
        domain_name: String = "domainName",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedIngressPath {
        access_type: AccessType = "accessType",
        certificate: ManagedCertificate = "certificate",
        endpoint: String = "endpoint",
        listener: ManagedListener = "listener",
        load_balancer: ManagedLoadBalancer = "loadBalancer",
        load_balancer_security_groups: Vec<ManagedSecurityGroup> = "loadBalancerSecurityGroups",
        rule: ManagedListenerRule = "rule",
        target_groups: Vec<ManagedTargetGroup> = "targetGroups",
    }
    ManagedInstancesLocalStorageConfiguration {
        use_local_storage: bool = "useLocalStorage",
    }
    ManagedInstancesNetworkConfiguration {
        security_groups: Vec<String> = "securityGroups",
        subnets: Vec<String> = "subnets",
    }
    ManagedInstancesProvider {
        auto_repair_configuration: AutoRepairConfiguration = "autoRepairConfiguration",
        infrastructure_optimization: InfrastructureOptimization = "infrastructureOptimization",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        instance_launch_template: InstanceLaunchTemplate = "instanceLaunchTemplate",
        propagate_tags: PropagateMITags = "propagateTags",
    }
    ManagedInstancesStorageConfiguration {
        storage_size_gi_b: i32 = "storageSizeGiB",
    }
    ManagedListener {
        arn: String = "arn",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedListenerRule {
        arn: String = "arn",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedLoadBalancer {
        arn: String = "arn",
        scheme: String = "scheme",
        security_group_ids: Vec<String> = "securityGroupIds",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        subnet_ids: Vec<String> = "subnetIds",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedLogGroup {
        arn: String = "arn",
        log_group_name: String = "logGroupName",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedMetricAlarm {
        arn: String = "arn",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedScalableTarget {
        arn: String = "arn",
        max_capacity: i32 = "maxCapacity",
        min_capacity: i32 = "minCapacity",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedScaling {
        instance_warmup_period: i32 = "instanceWarmupPeriod",
        maximum_scaling_step_size: i32 = "maximumScalingStepSize",
        minimum_scaling_step_size: i32 = "minimumScalingStepSize",
        status: ManagedScalingStatus = "status",
        target_capacity: i32 = "targetCapacity",
    }
    ManagedSecurityGroup {
        arn: String = "arn",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    ManagedStorageConfiguration {
        fargate_ephemeral_storage_kms_key_id: String = "fargateEphemeralStorageKmsKeyId",
        kms_key_id: String = "kmsKeyId",
    }
    ManagedTargetGroup {
        arn: String = "arn",
        health_check_path: String = "healthCheckPath",
        health_check_port: i32 = "healthCheckPort",
        port: i32 = "port",
        status: ManagedResourceStatus = "status",
        status_reason: String = "statusReason",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    MemoryGiBPerVCpuRequest {
        max: f64 = "max",
        min: f64 = "min",
    }
    MemoryMiBRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    MetricConfiguration {
        metric_names: Vec<String> = "metricNames",
        resolution_seconds: i32 = "resolutionSeconds",
    }
    MonitoringConfiguration {
        metric_configurations: Vec<MetricConfiguration> = "metricConfigurations",
    }
    MountPoint {
        container_path: String = "containerPath",
        read_only: bool = "readOnly",
        source_volume: String = "sourceVolume",
    }
}
