//! What a definition must be to run on Fargate (reference §2.3, §3).

use berth_api::ecs::{self, Compatibility, NetworkMode, PidMode};

use super::draft::{self, is_windows};
use crate::ecs::fault::client;
use crate::ecs::sizes;
use crate::error::ApiError;

/// Log drivers that Fargate has.
const LOG_DRIVERS: [ecs::LogDriver; 3] = [
    ecs::LogDriver::Awslogs,
    ecs::LogDriver::Splunk,
    ecs::LogDriver::Awsfirelens,
];
/// The only kernel capability that Fargate lets a container add.
const CAPABILITY: &str = "SYS_PTRACE";
/// The most seconds that a container may take to start or to stop.
const TIMEOUT_MAX: i32 = 120;
/// GiB of storage that a task may ask for; less is what every task has.
const STORAGE_GIB: std::ops::RangeInclusive<i32> = 21..=200;

/// Whether tasks of a definition could run on Fargate; sizes may still be absent.
pub(super) fn could_run(definition: &ecs::TaskDefinition) -> bool {
    check_sizes_given(definition).is_ok() && check_members(definition).is_ok()
}

/// Checks a definition that `requiresCompatibilities` says is for Fargate.
///
/// # Errors
/// ClientException for the first thing that Fargate does not have.
pub(super) fn check(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    let wanted = definition.requires_compatibilities.as_deref();
    if !wanted.is_some_and(|kinds| kinds.contains(&Compatibility::Fargate)) {
        return Ok(());
    }
    for (size, name) in [(&definition.cpu, "cpu"), (&definition.memory, "memory")] {
        if size.is_none() {
            return Err(client(format!(
                "Fargate requires that '{name}' be defined at the task level."
            )));
        }
    }
    check_sizes_given(definition)?;
    check_members(definition)
}

fn check_sizes_given(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    let (Some(cpu), Some(memory)) = (&definition.cpu, &definition.memory) else {
        return Ok(());
    };
    sizes::check_fargate(
        sizes::cpu(cpu)?,
        sizes::memory(memory)?,
        is_windows(definition),
    )
}

fn unsupported(member: &str) -> Result<(), ApiError> {
    Err(client(format!(
        "Fargate compatible task definitions do not support {member}"
    )))
}

fn is_given<T>(list: &Option<Vec<T>>) -> bool {
    list.as_ref().is_some_and(|list| !list.is_empty())
}

fn check_members(definition: &ecs::TaskDefinition) -> Result<(), ApiError> {
    if definition.network_mode != Some(NetworkMode::Awsvpc) {
        return Err(client("Fargate only supports network mode ‘awsvpc’."));
    }
    if definition.pid_mode == Some(PidMode::Host) {
        return Err(client(
            "Tasks using the Fargate launch type do not support pidMode 'host'. The supported \
             value for pidMode is 'task'.",
        ));
    }
    if definition.ipc_mode.is_some() {
        return unsupported("ipcMode");
    }
    if is_given(&definition.placement_constraints) {
        return unsupported("constraints");
    }
    let storage = definition.ephemeral_storage.as_ref();
    if let Some(gib) = storage.and_then(|storage| storage.size_in_gi_b)
        && !STORAGE_GIB.contains(&gib)
    {
        return Err(client(format!(
            "Ephemeral storage must be between {} and {} GiB.",
            STORAGE_GIB.start(),
            STORAGE_GIB.end()
        )));
    }
    for volume in definition.volumes.iter().flatten() {
        check_volume(volume)?;
    }
    for container in definition.container_definitions.iter().flatten() {
        check_container(container)?;
        check_execution_role(definition, container)?;
    }
    Ok(())
}

fn check_volume(volume: &ecs::Volume) -> Result<(), ApiError> {
    if volume.docker_volume_configuration.is_some() {
        return unsupported("dockerVolumeConfiguration");
    }
    let host = volume.host.as_ref();
    if host.is_some_and(|host| host.source_path.is_some()) {
        return unsupported("sourcePath");
    }
    Ok(())
}

fn check_container(container: &ecs::ContainerDefinition) -> Result<(), ApiError> {
    if container.privileged == Some(true) {
        return Err(client(
            "Fargate requires that the 'privileged' setting be 'false'.",
        ));
    }
    if is_given(&container.docker_security_options) {
        return unsupported("dockerSecurityOptions");
    }
    if let Some(linux) = &container.linux_parameters {
        check_linux(linux)?;
    }
    let resources = container.resource_requirements.iter().flatten();
    if resources.count() > 0 {
        return unsupported("resourceRequirements");
    }
    check_timeout(container, container.start_timeout, "start")?;
    check_timeout(container, container.stop_timeout, "stop")?;
    let logs = container.log_configuration.as_ref();
    let Some(driver) = logs.and_then(|logs| logs.log_driver.as_ref()) else {
        return Ok(());
    };
    if !LOG_DRIVERS.contains(driver) {
        return Err(client(format!(
            "{driver} is not a valid log driver. Must be one of [awslogs, splunk, awsfirelens]"
        )));
    }
    Ok(())
}

fn check_timeout(
    container: &ecs::ContainerDefinition,
    seconds: Option<i32>,
    moment: &str,
) -> Result<(), ApiError> {
    match seconds {
        Some(seconds) if seconds > TIMEOUT_MAX => Err(client(format!(
            "Tasks using the Fargate launch type must have a container {moment} timeout of less \
             than {TIMEOUT_MAX} seconds."
        ))),
        Some(seconds) if seconds < draft::TIMEOUT_MIN => {
            Err(draft::timeout_too_short(container, moment))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_linux(linux: &ecs::LinuxParameters) -> Result<(), ApiError> {
    let given = [
        (is_given(&linux.devices), "devices"),
        (linux.shared_memory_size.is_some(), "sharedMemorySize"),
        (is_given(&linux.tmpfs), "tmpfs"),
        (linux.max_swap.is_some(), "maxSwap"),
        (linux.swappiness.is_some(), "swappiness"),
    ];
    if let Some((_, member)) = given.iter().find(|(given, _)| *given) {
        return unsupported(member);
    }
    let capabilities = linux.capabilities.as_ref();
    let mut added = capabilities.iter().flat_map(|c| c.add.iter().flatten());
    match added.find(|capability| *capability != CAPABILITY) {
        Some(capability) => Err(client(format!("{capability} is not allowed on Fargate."))),
        None => Ok(()),
    }
}

fn check_execution_role(
    definition: &ecs::TaskDefinition,
    container: &ecs::ContainerDefinition,
) -> Result<(), ApiError> {
    if definition.execution_role_arn.is_some() {
        return Ok(());
    }
    let needs = |what: &str| {
        Err(client(format!(
            "Fargate requires task definition to have execution role ARN to support {what}."
        )))
    };
    if draft::is_ecr_image(container.image.as_deref().unwrap_or_default()) {
        return needs("ECR images");
    }
    if draft::log_driver(container) == Some(&ecs::LogDriver::Awslogs) {
        return needs("log driver awslogs");
    }
    Ok(())
}
