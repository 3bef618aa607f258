//! ecs: the constraints of structures; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

impl Validate for Ulimit {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.hard_limit, "hardLimit", path)?;
        validation::required(&self.name, "name", path)?;
        validation::member(&self.name, "name", path, validation::known)?;
        validation::required(&self.soft_limit, "softLimit", path)?;
        Ok(())
    }
}

impl Validate for UpdateGatewayAlbConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(&self.access_logs, "accessLogs", path, Validate::validate)?;
        validation::member(&self.http_desync, "httpDesync", path, validation::known)?;
        validation::member(
            &self.test_traffic_rules,
            "testTrafficRules",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for UpdateGatewayConfiguration {
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

impl Validate for UpdateManagedInstancesProviderConfiguration {
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

impl Validate for VCpuCountRangeRequest {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.min, "min", path)?;
        Ok(())
    }
}

impl Validate for Volume {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::member(
            &self.docker_volume_configuration,
            "dockerVolumeConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.efs_volume_configuration,
            "efsVolumeConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.fsx_windows_file_server_volume_configuration,
            "fsxWindowsFileServerVolumeConfiguration",
            path,
            Validate::validate,
        )?;
        validation::member(
            &self.s3files_volume_configuration,
            "s3filesVolumeConfiguration",
            path,
            Validate::validate,
        )?;
        Ok(())
    }
}

impl Validate for VpcLatticeConfiguration {
    fn validate(&self, path: &mut Path) -> Result<(), Invalid> {
        validation::required(&self.port_name, "portName", path)?;
        validation::required(&self.role_arn, "roleArn", path)?;
        validation::required(&self.target_group_arn, "targetGroupArn", path)?;
        Ok(())
    }
}
