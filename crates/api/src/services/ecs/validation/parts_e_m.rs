//! ecs: the constraints of structures; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for EBSTagSpecification {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.propagate_tags,
            "propagateTags",
            path,
            validation::known,
        )?;
        validation::required(&self.resource_type, "resourceType", path)?;
        validation::member(&self.resource_type, "resourceType", path, validation::known)?;
        validation::member(&self.tags, "tags", path, check_tags)?;
        Ok(())
    }
}

impl Validate for EFSAuthorizationConfig {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.iam, "iam", path, validation::known)?;
        Ok(())
    }
}

impl Validate for EFSVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.authorization_config,
            "authorizationConfig",
            path,
            Validate::validate,
        )?;
        validation::required(&self.file_system_id, "fileSystemId", path)?;
        validation::member(
            &self.transit_encryption,
            "transitEncryption",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for EnvironmentFile {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        validation::required(&self.value, "value", path)?;
        Ok(())
    }
}

impl Validate for EphemeralStorage {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.size_in_gi_b, "sizeInGiB", path)?;
        Ok(())
    }
}

impl Validate for ExecuteCommandConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.logging, "logging", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ExpressGatewayContainer {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.aws_logs_configuration,
            "awsLogsConfiguration",
            path,
            Validate::validate,
        )?;
        validation::required(&self.image, "image", path)?;
        validation::member(&self.secrets, "secrets", path, check_secret_list)?;
        Ok(())
    }
}

impl Validate for ExpressGatewayScalingTarget {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.auto_scaling_metric,
            "autoScalingMetric",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for ExpressGatewayServiceAwsLogsConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_group, "logGroup", path)?;
        validation::required(&self.log_stream_prefix, "logStreamPrefix", path)?;
        Ok(())
    }
}

impl Validate for FSxWindowsFileServerAuthorizationConfig {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.credentials_parameter, "credentialsParameter", path)?;
        validation::required(&self.domain, "domain", path)?;
        Ok(())
    }
}

impl Validate for FSxWindowsFileServerVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.authorization_config, "authorizationConfig", path)?;
        validation::member(
            &self.authorization_config,
            "authorizationConfig",
            path,
            Validate::validate,
        )?;
        validation::required(&self.file_system_id, "fileSystemId", path)?;
        validation::required(&self.root_directory, "rootDirectory", path)?;
        Ok(())
    }
}

impl Validate for FirelensConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for GatewayAlbTestTrafficRules {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.header, "header", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for GatewayConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.host_shared_alb,
            "hostSharedAlb",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for GatewayConnector {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.deregistration_delay,
            "deregistrationDelay",
            path,
            Validate::validate,
        )?;
        validation::member(&self.filters, "filters", path, Validate::validate)?;
        validation::member(&self.health_check, "healthCheck", path, Validate::validate)?;
        validation::required(&self.port_name, "portName", path)?;
        Ok(())
    }
}

impl Validate for GatewayConnectorDeregistrationDelay {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.timeout_seconds,
            "timeoutSeconds",
            path,
            check_gateway_connector_deregistration_delay_timeout_seconds_integer,
        )?;
        Ok(())
    }
}

impl Validate for GatewayConnectorFilters {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.access_types,
            "accessTypes",
            path,
            check_access_type_list,
        )?;
        Ok(())
    }
}

impl Validate for GatewayConnectorHealthCheck {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.health_check_protocol,
            "healthCheckProtocol",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for GatewayElbAccessLogConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.destination, "destination", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for GatewayElbAccessLogDestination {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.s3, "s3", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for GatewayElbAccessLogS3Destination {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.bucket, "bucket", path)?;
        Ok(())
    }
}

impl Validate for GatewayElbNetworkConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.ip_address_type,
            "ipAddressType",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for GatewayTestTrafficHeader {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::required(&self.values, "values", path)?;
        Ok(())
    }
}

impl Validate for HealthCheck {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.command, "command", path)?;
        Ok(())
    }
}

impl Validate for HostEntry {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.hostname, "hostname", path)?;
        validation::required(&self.ip_address, "ipAddress", path)?;
        Ok(())
    }
}

impl Validate for HostSharedAlbConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.access_logs, "accessLogs", path, Validate::validate)?;
        validation::member(&self.http_desync, "httpDesync", path, validation::known)?;
        validation::member(
            &self.network_configuration,
            "networkConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.protocol, "protocol", path, validation::known)?;
        validation::member(&self.scheme, "scheme", path, validation::known)?;
        validation::member(
            &self.test_traffic_rules,
            "testTrafficRules",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for InferenceAccelerator {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.device_name, "deviceName", path)?;
        validation::required(&self.device_type, "deviceType", path)?;
        Ok(())
    }
}

impl Validate for InstanceLaunchTemplate {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.capacity_option_type,
            "capacityOptionType",
            path,
            validation::known,
        )?;
        validation::member(
            &self.capacity_reservations,
            "capacityReservations",
            path,
            Validate::validate,
        )?;
        validation::required(
            &self.ec2_instance_profile_arn,
            "ec2InstanceProfileArn",
            path,
        )?;
        validation::member(
            &self.instance_requirements,
            "instanceRequirements",
            path,
            Validate::validate,
        )?;
        validation::member(&self.monitoring, "monitoring", path, validation::known)?;
        validation::required(&self.network_configuration, "networkConfiguration", path)?;
        validation::member(
            &self.storage_configuration,
            "storageConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for InstanceLaunchTemplateUpdate {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.capacity_reservations,
            "capacityReservations",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.instance_requirements,
            "instanceRequirements",
            path,
            Validate::validate,
        )?;
        validation::member(&self.monitoring, "monitoring", path, validation::known)?;
        validation::member(
            &self.storage_configuration,
            "storageConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for InstanceRequirementsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.accelerator_manufacturers,
            "acceleratorManufacturers",
            path,
            check_accelerator_manufacturer_set,
        )?;
        validation::member(
            &self.accelerator_names,
            "acceleratorNames",
            path,
            check_accelerator_name_set,
        )?;
        validation::member(
            &self.accelerator_types,
            "acceleratorTypes",
            path,
            check_accelerator_type_set,
        )?;
        validation::member(
            &self.allowed_instance_types,
            "allowedInstanceTypes",
            path,
            check_allowed_instance_type_set,
        )?;
        validation::member(&self.bare_metal, "bareMetal", path, validation::known)?;
        validation::member(
            &self.burstable_performance,
            "burstablePerformance",
            path,
            validation::known,
        )?;
        validation::member(
            &self.cpu_manufacturers,
            "cpuManufacturers",
            path,
            check_cpu_manufacturer_set,
        )?;
        validation::member(
            &self.excluded_instance_types,
            "excludedInstanceTypes",
            path,
            check_excluded_instance_type_set,
        )?;
        validation::member(
            &self.instance_generations,
            "instanceGenerations",
            path,
            check_instance_generation_set,
        )?;
        validation::member(&self.local_storage, "localStorage", path, validation::known)?;
        validation::member(
            &self.local_storage_types,
            "localStorageTypes",
            path,
            check_local_storage_type_set,
        )?;
        validation::required(&self.memory_mi_b, "memoryMiB", path)?;
        validation::member(&self.memory_mi_b, "memoryMiB", path, Validate::validate)?;
        validation::required(&self.v_cpu_count, "vCpuCount", path)?;
        validation::member(&self.v_cpu_count, "vCpuCount", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for LinuxParameters {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.devices, "devices", path, check_devices_list)?;
        validation::member(&self.tmpfs, "tmpfs", path, check_tmpfs_list)?;
        Ok(())
    }
}

impl Validate for LogConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.log_driver, "logDriver", path)?;
        validation::member(&self.log_driver, "logDriver", path, validation::known)?;
        validation::member(
            &self.secret_options,
            "secretOptions",
            path,
            check_secret_list,
        )?;
        Ok(())
    }
}

impl Validate for LogDriverVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.driver, "driver", path)?;
        validation::member(&self.driver, "driver", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ManagedAgentStateChange {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_name, "containerName", path)?;
        validation::required(&self.managed_agent_name, "managedAgentName", path)?;
        validation::member(
            &self.managed_agent_name,
            "managedAgentName",
            path,
            validation::known,
        )?;
        validation::required(&self.status, "status", path)?;
        Ok(())
    }
}

impl Validate for ManagedInstancesStorageConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.storage_size_gi_b,
            "storageSizeGiB",
            path,
            check_task_volume_storage_gi_b,
        )?;
        Ok(())
    }
}

impl Validate for ManagedScaling {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.instance_warmup_period,
            "instanceWarmupPeriod",
            path,
            check_managed_scaling_instance_warmup_period,
        )?;
        validation::member(
            &self.maximum_scaling_step_size,
            "maximumScalingStepSize",
            path,
            check_managed_scaling_step_size,
        )?;
        validation::member(
            &self.minimum_scaling_step_size,
            "minimumScalingStepSize",
            path,
            check_managed_scaling_step_size,
        )?;
        validation::member(&self.status, "status", path, validation::known)?;
        validation::member(
            &self.target_capacity,
            "targetCapacity",
            path,
            check_managed_scaling_target_capacity,
        )?;
        Ok(())
    }
}

impl Validate for MemoryMiBRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.min, "min", path)?;
        Ok(())
    }
}

impl Validate for MetricConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.metric_names, "metricNames", path)?;
        validation::member(
            &self.metric_names,
            "metricNames",
            path,
            check_metric_names_list,
        )?;
        validation::required(&self.resolution_seconds, "resolutionSeconds", path)?;
        validation::member(
            &self.resolution_seconds,
            "resolutionSeconds",
            path,
            check_metric_resolution_seconds,
        )?;
        Ok(())
    }
}

impl Validate for MonitoringConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.metric_configurations,
            "metricConfigurations",
            path,
            check_metric_configuration_list,
        )?;
        Ok(())
    }
}
