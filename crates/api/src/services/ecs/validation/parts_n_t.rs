//! ecs: the constraints of structures; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for NetworkBinding {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.protocol, "protocol", path, validation::known)?;
        Ok(())
    }
}

impl Validate for NetworkConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.awsvpc_configuration,
            "awsvpcConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for NvidiaMpsAllocation {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.max_compute_percent,
            "maxComputePercent",
            path,
            check_nvidia_mps_allocation_max_compute_percent_integer,
        )?;
        validation::required(&self.memory, "memory", path)?;
        validation::member(
            &self.memory,
            "memory",
            path,
            check_nvidia_mps_allocation_memory_integer,
        )?;
        Ok(())
    }
}

impl Validate for PlacementConstraint {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for PlacementStrategy {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for PlatformDevice {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.id, "id", path)?;
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for PortMapping {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.app_protocol, "appProtocol", path, validation::known)?;
        validation::member(&self.protocol, "protocol", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ProxyConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_name, "containerName", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for RepositoryCredentials {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.credentials_parameter, "credentialsParameter", path)?;
        Ok(())
    }
}

impl Validate for ResourceRequirement {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.sharing_strategy,
            "sharingStrategy",
            path,
            Validate::validate,
        )?;
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for RuntimePlatform {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.cpu_architecture,
            "cpuArchitecture",
            path,
            validation::known,
        )?;
        validation::member(
            &self.operating_system_family,
            "operatingSystemFamily",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for S3FilesVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.file_system_arn, "fileSystemArn", path)?;
        Ok(())
    }
}

impl Validate for Scale {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.unit, "unit", path, validation::known)?;
        Ok(())
    }
}

impl Validate for Secret {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::required(&self.value_from, "valueFrom", path)?;
        Ok(())
    }
}

impl Validate for ServiceConnectAccessLogConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.format, "format", path)?;
        validation::member(&self.format, "format", path, validation::known)?;
        validation::member(
            &self.include_query_parameters,
            "includeQueryParameters",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for ServiceConnectClientAlias {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.port, "port", path)?;
        validation::member(&self.port, "port", path, check_port_number)?;
        validation::member(
            &self.test_traffic_rules,
            "testTrafficRules",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for ServiceConnectConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.access_log_configuration,
            "accessLogConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.container_configurations,
            "containerConfigurations",
            path,
            check_service_connect_container_configurations,
        )?;
        validation::required(&self.enabled, "enabled", path)?;
        validation::member(
            &self.log_configuration,
            "logConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.services,
            "services",
            path,
            check_service_connect_service_list,
        )?;
        Ok(())
    }
}

impl Validate for ServiceConnectContainerConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.log_level, "logLevel", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ServiceConnectService {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.client_aliases,
            "clientAliases",
            path,
            check_service_connect_client_alias_list,
        )?;
        validation::member(
            &self.ingress_port_override,
            "ingressPortOverride",
            path,
            check_port_number,
        )?;
        validation::required(&self.port_name, "portName", path)?;
        validation::member(&self.timeout, "timeout", path, Validate::validate)?;
        validation::member(&self.tls, "tls", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for ServiceConnectTestTrafficHeaderMatchRules {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.exact, "exact", path)?;
        Ok(())
    }
}

impl Validate for ServiceConnectTestTrafficHeaderRules {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::member(&self.value, "value", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for ServiceConnectTestTrafficRules {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.header, "header", path)?;
        validation::member(&self.header, "header", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for ServiceConnectTlsConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(
            &self.issuer_certificate_authority,
            "issuerCertificateAuthority",
            path,
        )?;
        Ok(())
    }
}

impl Validate for ServiceManagedEBSVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.filesystem_type,
            "filesystemType",
            path,
            validation::known,
        )?;
        validation::required(&self.role_arn, "roleArn", path)?;
        validation::member(
            &self.tag_specifications,
            "tagSpecifications",
            path,
            check_ebs_tag_specifications,
        )?;
        Ok(())
    }
}

impl Validate for ServiceVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.managed_ebs_volume,
            "managedEBSVolume",
            path,
            Validate::validate,
        )?;
        validation::required(&self.name, "name", path)?;
        Ok(())
    }
}

impl Validate for SharingStrategy {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.nvidia_mps, "nvidiaMps", path, Validate::validate)?;
        Ok(())
    }
}

impl Validate for Tag {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.key, "key", path, check_tag_key)?;
        validation::member(&self.value, "value", path, check_tag_value)?;
        Ok(())
    }
}

impl Validate for TaskDefinitionPlacementConstraint {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for TaskManagedEBSVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.filesystem_type,
            "filesystemType",
            path,
            validation::known,
        )?;
        validation::required(&self.role_arn, "roleArn", path)?;
        validation::member(
            &self.tag_specifications,
            "tagSpecifications",
            path,
            check_ebs_tag_specifications,
        )?;
        validation::member(
            &self.termination_policy,
            "terminationPolicy",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for TaskManagedEBSVolumeTerminationPolicy {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.delete_on_termination, "deleteOnTermination", path)?;
        Ok(())
    }
}

impl Validate for TaskOverride {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.container_overrides,
            "containerOverrides",
            path,
            check_container_overrides,
        )?;
        validation::member(
            &self.ephemeral_storage,
            "ephemeralStorage",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for TaskVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.managed_ebs_volume,
            "managedEBSVolume",
            path,
            Validate::validate,
        )?;
        validation::required(&self.name, "name", path)?;
        Ok(())
    }
}

impl Validate for ThresholdConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        validation::required(&self.value, "value", path)?;
        Ok(())
    }
}

impl Validate for TimeoutConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.idle_timeout_seconds,
            "idleTimeoutSeconds",
            path,
            check_duration,
        )?;
        validation::member(
            &self.per_request_timeout_seconds,
            "perRequestTimeoutSeconds",
            path,
            check_duration,
        )?;
        Ok(())
    }
}

impl Validate for Tmpfs {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.container_path, "containerPath", path)?;
        validation::required(&self.size, "size", path)?;
        Ok(())
    }
}

impl Validate for TrustedExecutionConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.isolation_mode, "isolationMode", path)?;
        validation::member(
            &self.isolation_mode,
            "isolationMode",
            path,
            validation::known,
        )?;
        Ok(())
    }
}
