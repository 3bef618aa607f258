//! ecs: the constraints of scalars, lists and maps; generated from `api-models/ecs` by `cargo xtask gen`.
#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]

use super::*;
use crate::validation::{self, Invalid, Path, Pattern, Validate};

mod parts_a_d;
mod parts_e_m;
mod parts_n_t;
mod parts_u_v;
mod requests;

fn check_accelerator_manufacturer_set(
    value: &Vec<AcceleratorManufacturer>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_accelerator_name_set(
    value: &Vec<AcceleratorName>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_accelerator_type_set(
    value: &Vec<AcceleratorType>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_access_type_list(value: &Vec<AccessType>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(2)), path)?;
    validation::elements(value, path, validation::known)?;
    Ok(())
}

static ALLOWED_INSTANCE_TYPE: Pattern =
    Pattern::new("[a-zA-Z0-9\\.\\*\\-]+", "^(?:[a-zA-Z0-9\\.\\*\\-]+)$");

fn check_allowed_instance_type(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(30)), path)?;
    validation::pattern(value, &ALLOWED_INSTANCE_TYPE, path)?;
    Ok(())
}

fn check_allowed_instance_type_set(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(400)), path)?;
    validation::elements(value, path, check_allowed_instance_type)?;
    Ok(())
}

fn check_attachment_state_changes(
    value: &Vec<AttachmentStateChange>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_attributes(value: &Vec<Attribute>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_capacity_provider_field_list(
    value: &Vec<CapacityProviderField>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_capacity_provider_strategy(
    value: &Vec<CapacityProviderStrategyItem>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_capacity_provider_strategy_item_base(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(100000)), path)?;
    Ok(())
}

fn check_capacity_provider_strategy_item_weight(
    value: &i32,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(1000)), path)?;
    Ok(())
}

fn check_cluster_field_list(value: &Vec<ClusterField>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_cluster_settings(value: &Vec<ClusterSetting>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_compatibility_list(value: &Vec<Compatibility>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_container_definitions(
    value: &Vec<ContainerDefinition>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_container_dependencies(
    value: &Vec<ContainerDependency>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_container_instance_field_list(
    value: &Vec<ContainerInstanceField>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_container_overrides(
    value: &Vec<ContainerOverride>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_container_state_changes(
    value: &Vec<ContainerStateChange>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_cpu_manufacturer_set(
    value: &Vec<CpuManufacturer>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_daemon_container_definition_list(
    value: &Vec<DaemonContainerDefinition>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_daemon_deployment_status_list(
    value: &Vec<DaemonDeploymentStatus>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_daemon_drain_percent(value: &f64, path: &mut Path) -> Result<(), Invalid> {
    validation::range_of_fraction(f64::from(*value), (Some(0), Some(100)), path)?;
    Ok(())
}

fn check_daemon_volume_list(value: &Vec<DaemonVolume>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_deployment_lifecycle_hook_duration(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(20160)), path)?;
    Ok(())
}

fn check_deployment_lifecycle_hook_list(
    value: &Vec<DeploymentLifecycleHook>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_deployment_lifecycle_hook_stage_list(
    value: &Vec<DeploymentLifecycleHookStage>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_device_cgroup_permissions(
    value: &Vec<DeviceCgroupPermission>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_devices_list(value: &Vec<Device>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_duration(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(2147483647)), path)?;
    Ok(())
}

fn check_ebs_tag_specifications(
    value: &Vec<EBSTagSpecification>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_environment_files(value: &Vec<EnvironmentFile>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

static EXCLUDED_INSTANCE_TYPE: Pattern =
    Pattern::new("[a-zA-Z0-9\\.\\*\\-]+", "^(?:[a-zA-Z0-9\\.\\*\\-]+)$");

fn check_excluded_instance_type(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(30)), path)?;
    validation::pattern(value, &EXCLUDED_INSTANCE_TYPE, path)?;
    Ok(())
}

fn check_excluded_instance_type_set(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(400)), path)?;
    validation::elements(value, path, check_excluded_instance_type)?;
    Ok(())
}

fn check_express_gateway_service_include_list(
    value: &Vec<ExpressGatewayServiceInclude>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_gateway_cluster_association_status_list(
    value: &Vec<GatewayClusterAssociationStatus>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(3)), path)?;
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_gateway_connector_deregistration_delay_timeout_seconds_integer(
    value: &i32,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(3600)), path)?;
    Ok(())
}

fn check_gateway_connector_list(
    value: &Vec<GatewayConnector>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(1)), path)?;
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_gateway_route_status_list(
    value: &Vec<GatewayRouteStatus>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(7)), path)?;
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_gateway_status_list(value: &Vec<GatewayStatus>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(5)), path)?;
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_healthy_percent_integer(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(100)), path)?;
    Ok(())
}

fn check_host_entry_list(value: &Vec<HostEntry>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_inference_accelerators(
    value: &Vec<InferenceAccelerator>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_instance_generation_set(
    value: &Vec<InstanceGeneration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_local_storage_type_set(
    value: &Vec<LocalStorageType>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_managed_agent_state_changes(
    value: &Vec<ManagedAgentStateChange>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_managed_scaling_instance_warmup_period(
    value: &i32,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(10000)), path)?;
    Ok(())
}

fn check_managed_scaling_step_size(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(10000)), path)?;
    Ok(())
}

fn check_managed_scaling_target_capacity(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(100)), path)?;
    Ok(())
}

fn check_metric_configuration_list(
    value: &Vec<MetricConfiguration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(5)), path)?;
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_metric_name(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(255)), path)?;
    Ok(())
}

fn check_metric_names_list(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (Some(1), Some(5)), path)?;
    validation::elements(value, path, check_metric_name)?;
    Ok(())
}

fn check_metric_resolution_seconds(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(20), Some(60)), path)?;
    Ok(())
}

fn check_network_bindings(value: &Vec<NetworkBinding>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_nvidia_mps_allocation_max_compute_percent_integer(
    value: &i32,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), Some(100)), path)?;
    Ok(())
}

fn check_nvidia_mps_allocation_memory_integer(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), None), path)?;
    Ok(())
}

fn check_placement_constraints(
    value: &Vec<PlacementConstraint>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_placement_strategies(
    value: &Vec<PlacementStrategy>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_platform_devices(value: &Vec<PlatformDevice>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_port_mapping_list(value: &Vec<PortMapping>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_port_number(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(0), Some(65535)), path)?;
    Ok(())
}

fn check_resource_requirements(
    value: &Vec<ResourceRequirement>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_secret_list(value: &Vec<Secret>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_service_connect_client_alias_list(
    value: &Vec<ServiceConnectClientAlias>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_service_connect_container_configurations(
    value: &Vec<ServiceConnectContainerConfiguration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(10)), path)?;
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_service_connect_service_list(
    value: &Vec<ServiceConnectService>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_service_deployment_status_list(
    value: &Vec<ServiceDeploymentStatus>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_service_field_list(value: &Vec<ServiceField>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_service_volume_configurations(
    value: &Vec<ServiceVolumeConfiguration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

static TAG_KEY: Pattern = Pattern::new(
    "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)",
    "^(?:([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*))$",
);

fn check_tag_key(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (Some(1), Some(128)), path)?;
    validation::pattern(value, &TAG_KEY, path)?;
    Ok(())
}

fn check_tag_keys(value: &Vec<String>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, check_tag_key)?;
    Ok(())
}

static TAG_VALUE: Pattern = Pattern::new(
    "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)",
    "^(?:([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*))$",
);

fn check_tag_value(value: &String, path: &mut Path) -> Result<(), Invalid> {
    validation::length(value, (None, Some(256)), path)?;
    validation::pattern(value, &TAG_VALUE, path)?;
    Ok(())
}

fn check_tags(value: &Vec<Tag>, path: &mut Path) -> Result<(), Invalid> {
    validation::count(value.len(), (None, Some(50)), path)?;
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_task_definition_field_list(
    value: &Vec<TaskDefinitionField>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_task_definition_placement_constraints(
    value: &Vec<TaskDefinitionPlacementConstraint>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_task_field_list(value: &Vec<TaskField>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_task_set_field_list(value: &Vec<TaskSetField>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, validation::known)?;
    Ok(())
}

fn check_task_volume_configurations(
    value: &Vec<TaskVolumeConfiguration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_task_volume_storage_gi_b(value: &i32, path: &mut Path) -> Result<(), Invalid> {
    validation::range(i64::from(*value), (Some(1), None), path)?;
    Ok(())
}

fn check_tmpfs_list(value: &Vec<Tmpfs>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_ulimit_list(value: &Vec<Ulimit>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_volume_list(value: &Vec<Volume>, path: &mut Path) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}

fn check_vpc_lattice_configurations(
    value: &Vec<VpcLatticeConfiguration>,
    path: &mut Path,
) -> Result<(), Invalid> {
    validation::elements(value, path, Validate::validate)?;
    Ok(())
}
