//! ecs: the constraints of structures; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for AttachmentStateChange {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.attachment_arn, "attachmentArn", path)?;
        validation::required(&self.status, "status", path)?;
        Ok(())
    }
}

impl Validate for Attribute {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.name, "name", path)?;
        validation::member(&self.target_type, "targetType", path, validation::known)?;
        Ok(())
    }
}

impl Validate for AutoRepairConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.actions_status,
            "actionsStatus",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for AutoScalingGroupProvider {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.auto_scaling_group_arn, "autoScalingGroupArn", path)?;
        validation::member(
            &self.managed_draining,
            "managedDraining",
            path,
            validation::known,
        )?;
        validation::member(
            &self.managed_scaling,
            "managedScaling",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.managed_termination_protection,
            "managedTerminationProtection",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for AutoScalingGroupProviderUpdate {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.managed_draining,
            "managedDraining",
            path,
            validation::known,
        )?;
        validation::member(
            &self.managed_scaling,
            "managedScaling",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.managed_termination_protection,
            "managedTerminationProtection",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for AwsVpcConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.assign_public_ip,
            "assignPublicIp",
            path,
            validation::known,
        )?;
        validation::required(&self.subnets, "subnets", path)?;
        Ok(())
    }
}

impl Validate for CapacityProviderStrategyItem {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.base,
            "base",
            path,
            check_capacity_provider_strategy_item_base,
        )?;
        validation::required(&self.capacity_provider, "capacityProvider", path)?;
        validation::member(
            &self.weight,
            "weight",
            path,
            check_capacity_provider_strategy_item_weight,
        )?;
        Ok(())
    }
}

impl Validate for CapacityReservationRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.reservation_preference,
            "reservationPreference",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for ClusterConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.execute_command_configuration,
            "executeCommandConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for ClusterServiceConnectDefaultsRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.namespace, "namespace", path)?;
        Ok(())
    }
}

impl Validate for ClusterSetting {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.name, "name", path, validation::known)?;
        Ok(())
    }
}

impl Validate for ContainerDefinition {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.depends_on,
            "dependsOn",
            path,
            check_container_dependencies,
        )?;
        validation::member(
            &self.environment_files,
            "environmentFiles",
            path,
            check_environment_files,
        )?;
        validation::member(&self.extra_hosts, "extraHosts", path, check_host_entry_list)?;
        validation::member(
            &self.firelens_configuration,
            "firelensConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.health_check, "healthCheck", path, Validate::validate)?;
        validation::member(
            &self.linux_parameters,
            "linuxParameters",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.log_configuration,
            "logConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.port_mappings,
            "portMappings",
            path,
            check_port_mapping_list,
        )?;
        validation::member(
            &self.repository_credentials,
            "repositoryCredentials",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.resource_requirements,
            "resourceRequirements",
            path,
            check_resource_requirements,
        )?;
        validation::member(
            &self.restart_policy,
            "restartPolicy",
            path,
            Validate::validate,
        )?;
        validation::member(&self.secrets, "secrets", path, check_secret_list)?;
        validation::member(&self.ulimits, "ulimits", path, check_ulimit_list)?;
        validation::member(
            &self.version_consistency,
            "versionConsistency",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for ContainerDependency {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.condition, "condition", path)?;
        validation::member(&self.condition, "condition", path, validation::known)?;
        validation::required(&self.container_name, "containerName", path)?;
        Ok(())
    }
}

impl Validate for ContainerOverride {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.environment_files,
            "environmentFiles",
            path,
            check_environment_files,
        )?;
        validation::member(
            &self.resource_requirements,
            "resourceRequirements",
            path,
            check_resource_requirements,
        )?;
        Ok(())
    }
}

impl Validate for ContainerRestartPolicy {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.enabled, "enabled", path)?;
        Ok(())
    }
}

impl Validate for ContainerStateChange {
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

impl Validate for CreateManagedInstancesProviderConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.auto_repair_configuration,
            "autoRepairConfiguration",
            path,
            Validate::validate,
        )?;
        validation::required(&self.infrastructure_role_arn, "infrastructureRoleArn", path)?;
        validation::required(
            &self.instance_launch_template,
            "instanceLaunchTemplate",
            path,
        )?;
        validation::member(
            &self.instance_launch_template,
            "instanceLaunchTemplate",
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

impl Validate for DaemonContainerDefinition {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.depends_on,
            "dependsOn",
            path,
            check_container_dependencies,
        )?;
        validation::member(
            &self.environment_files,
            "environmentFiles",
            path,
            check_environment_files,
        )?;
        validation::member(
            &self.firelens_configuration,
            "firelensConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(&self.health_check, "healthCheck", path, Validate::validate)?;
        validation::required(&self.image, "image", path)?;
        validation::member(
            &self.linux_parameters,
            "linuxParameters",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.log_configuration,
            "logConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.repository_credentials,
            "repositoryCredentials",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.restart_policy,
            "restartPolicy",
            path,
            Validate::validate,
        )?;
        validation::member(&self.secrets, "secrets", path, check_secret_list)?;
        validation::member(&self.ulimits, "ulimits", path, check_ulimit_list)?;
        Ok(())
    }
}

impl Validate for DaemonDeploymentConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.drain_percent,
            "drainPercent",
            path,
            check_daemon_drain_percent,
        )?;
        Ok(())
    }
}

impl Validate for DaemonLinuxParameters {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.devices, "devices", path, check_devices_list)?;
        validation::member(&self.tmpfs, "tmpfs", path, check_tmpfs_list)?;
        Ok(())
    }
}

impl Validate for DaemonVolume {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.log_driver_volume_configuration,
            "logDriverVolumeConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for DeploymentAlarms {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.alarm_names, "alarmNames", path)?;
        validation::required(&self.enable, "enable", path)?;
        validation::required(&self.rollback, "rollback", path)?;
        Ok(())
    }
}

impl Validate for DeploymentCircuitBreaker {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.enable, "enable", path)?;
        validation::required(&self.rollback, "rollback", path)?;
        validation::member(
            &self.threshold_configuration,
            "thresholdConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for DeploymentConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.alarms, "alarms", path, Validate::validate)?;
        validation::member(
            &self.deployment_circuit_breaker,
            "deploymentCircuitBreaker",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.early_success_criteria,
            "earlySuccessCriteria",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.lifecycle_hooks,
            "lifecycleHooks",
            path,
            check_deployment_lifecycle_hook_list,
        )?;
        validation::member(&self.strategy, "strategy", path, validation::known)?;
        Ok(())
    }
}

impl Validate for DeploymentController {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.r#type, "type", path)?;
        validation::member(&self.r#type, "type", path, validation::known)?;
        Ok(())
    }
}

impl Validate for DeploymentEarlySuccessCriteria {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.enable, "enable", path)?;
        validation::member(
            &self.healthy_percent,
            "healthyPercent",
            path,
            check_healthy_percent_integer,
        )?;
        validation::member(
            &self.source_service_revision_cleanup,
            "sourceServiceRevisionCleanup",
            path,
            validation::known,
        )?;
        Ok(())
    }
}

impl Validate for DeploymentLifecycleHook {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.lifecycle_stages,
            "lifecycleStages",
            path,
            check_deployment_lifecycle_hook_stage_list,
        )?;
        validation::member(&self.target_type, "targetType", path, validation::known)?;
        validation::member(
            &self.timeout_configuration,
            "timeoutConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for DeploymentLifecycleHookTimeoutConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.action, "action", path, validation::known)?;
        validation::member(
            &self.timeout_in_minutes,
            "timeoutInMinutes",
            path,
            check_deployment_lifecycle_hook_duration,
        )?;
        Ok(())
    }
}

impl Validate for Device {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.host_path, "hostPath", path)?;
        validation::member(
            &self.permissions,
            "permissions",
            path,
            check_device_cgroup_permissions,
        )?;
        Ok(())
    }
}

impl Validate for DockerVolumeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.scope, "scope", path, validation::known)?;
        Ok(())
    }
}
