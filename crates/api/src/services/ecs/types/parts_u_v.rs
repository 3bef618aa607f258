//! ecs: structures that others hold; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(unused_imports)]

use super::super::*;

crate::shape::structures! {
    Ulimit {
        hard_limit: i32 = "hardLimit",
        name: UlimitName = "name",
        soft_limit: i32 = "softLimit",
    }
    UpdateGatewayAlbConfiguration {
        access_logs: GatewayElbAccessLogConfiguration = "accessLogs",
        http_desync: GatewayAlbDesyncMitigationMode = "httpDesync",
        max_alb_count: i32 = "maxAlbCount",
        network_configuration: UpdateGatewayNetworkConfiguration = "networkConfiguration",
        test_traffic_rules: GatewayAlbTestTrafficRules = "testTrafficRules",
        web_acl_arn: String = "webACLArn",
    }
    UpdateGatewayConfiguration {
        host_shared_alb: UpdateGatewayAlbConfiguration = "hostSharedAlb",
    }
    UpdateGatewayNetworkConfiguration {
        inbound_security_group: String = "inboundSecurityGroup",
    }
    UpdateManagedInstancesProviderConfiguration {
        auto_repair_configuration: AutoRepairConfiguration = "autoRepairConfiguration",
        infrastructure_optimization: InfrastructureOptimization = "infrastructureOptimization",
        infrastructure_role_arn: String = "infrastructureRoleArn",
        instance_launch_template: InstanceLaunchTemplateUpdate = "instanceLaunchTemplate",
        propagate_tags: PropagateMITags = "propagateTags",
    }
    UpdatedExpressGatewayService {
        cluster: String = "cluster",
        created_at: ::berth_wire::EpochSeconds = "createdAt",
        service_arn: String = "serviceArn",
        service_name: String = "serviceName",
        status: ExpressGatewayServiceStatus = "status",
        target_configuration: ExpressGatewayServiceConfiguration = "targetConfiguration",
        updated_at: ::berth_wire::EpochSeconds = "updatedAt",
    }
    VCpuCountRangeRequest {
        max: i32 = "max",
        min: i32 = "min",
    }
    VersionInfo {
        agent_hash: String = "agentHash",
        agent_version: String = "agentVersion",
        docker_version: String = "dockerVersion",
    }
    Volume {
        configured_at_launch: bool = "configuredAtLaunch",
        docker_volume_configuration: DockerVolumeConfiguration = "dockerVolumeConfiguration",
        efs_volume_configuration: EFSVolumeConfiguration = "efsVolumeConfiguration",
        fsx_windows_file_server_volume_configuration: FSxWindowsFileServerVolumeConfiguration = "fsxWindowsFileServerVolumeConfiguration",
        host: HostVolumeProperties = "host",
        name: String = "name",
        s3files_volume_configuration: S3FilesVolumeConfiguration = "s3filesVolumeConfiguration",
    }
    VolumeFrom {
        read_only: bool = "readOnly",
        source_container: String = "sourceContainer",
    }
    VpcLatticeAdvancedConfiguration {
        alternate_target_group_arn: String = "alternateTargetGroupArn",
        production_listener_rule: String = "productionListenerRule",
        test_listener_rule: String = "testListenerRule",
    }
    VpcLatticeConfiguration {
        advanced_configuration: VpcLatticeAdvancedConfiguration = "advancedConfiguration",
        port_name: String = "portName",
        role_arn: String = "roleArn",
        target_group_arn: String = "targetGroupArn",
    }
}
