//! A definition on its way from a request to a revision: what Amazon ECS fills in
//! (reference §2.3), and small questions that the checks share.

use berth_api::ecs::{self, NetworkMode, OSFamily};

use crate::ecs::fault::client;
use crate::ecs::sizes;
use crate::error::ApiError;

/// The least seconds of a start or stop timeout that can be granted.
pub(super) const TIMEOUT_MIN: i32 = 2;

/// What a health check has when the request does not say (seconds, seconds, tries).
const HEALTH_INTERVAL: i32 = 30;
const HEALTH_TIMEOUT: i32 = 5;
const HEALTH_RETRIES: i32 = 3;

/// The request as a definition, and its tags.
pub(super) fn of_request(
    input: ecs::RegisterTaskDefinitionRequest,
) -> (ecs::TaskDefinition, Option<Vec<ecs::Tag>>) {
    let ecs::RegisterTaskDefinitionRequest {
        container_definitions,
        cpu,
        enable_fault_injection,
        ephemeral_storage,
        execution_role_arn,
        family,
        inference_accelerators,
        ipc_mode,
        memory,
        network_mode,
        pid_mode,
        placement_constraints,
        proxy_configuration,
        requires_compatibilities,
        runtime_platform,
        tags,
        task_role_arn,
        trusted_execution_configuration,
        volumes,
    } = input;
    // An empty text is what some clients send for an absent one.
    let text = |text: Option<String>| text.filter(|text| !text.is_empty());
    let definition = ecs::TaskDefinition {
        container_definitions,
        cpu: text(cpu),
        enable_fault_injection,
        ephemeral_storage,
        execution_role_arn: text(execution_role_arn),
        family,
        inference_accelerators,
        ipc_mode,
        memory: text(memory),
        network_mode,
        pid_mode,
        placement_constraints,
        proxy_configuration,
        requires_compatibilities,
        runtime_platform,
        task_role_arn: text(task_role_arn),
        trusted_execution_configuration,
        volumes,
        ..ecs::TaskDefinition::default()
    };
    (definition, tags)
}

/// Puts in what Amazon ECS puts in, and nothing else: whatever else a server adds is a difference
/// that Terraform would want to undo for ever (reference §12.2).
///
/// # Errors
/// ClientException for task sizes that do not read.
pub(super) fn fill(definition: &mut ecs::TaskDefinition) -> Result<(), ApiError> {
    if let Some(cpu) = &definition.cpu {
        definition.cpu = Some(sizes::cpu(cpu)?.to_string());
    }
    if let Some(memory) = &definition.memory {
        definition.memory = Some(sizes::memory(memory)?.to_string());
    }
    definition.volumes.get_or_insert_default();
    definition.placement_constraints.get_or_insert_default();
    let mode = definition.network_mode.clone();
    for container in definition.container_definitions.iter_mut().flatten() {
        fill_container(container, mode.as_ref());
    }
    Ok(())
}

fn fill_container(container: &mut ecs::ContainerDefinition, mode: Option<&NetworkMode>) {
    container.cpu.get_or_insert(0);
    container.essential.get_or_insert(true);
    container.environment.get_or_insert_default();
    container.mount_points.get_or_insert_default();
    container.volumes_from.get_or_insert_default();
    container.system_controls.get_or_insert_default();
    for mapping in container.port_mappings.get_or_insert_default() {
        mapping.protocol.get_or_insert(ecs::TransportProtocol::Tcp);
        if mapping.container_port_range.is_some() {
            continue;
        }
        let same_port = matches!(mode, Some(NetworkMode::Awsvpc | NetworkMode::Host));
        let given = mapping.host_port.filter(|port| *port != 0);
        mapping.host_port = match given {
            Some(port) => Some(port),
            None if same_port => mapping.container_port,
            None => Some(0),
        };
    }
    if let Some(check) = &mut container.health_check {
        check.interval.get_or_insert(HEALTH_INTERVAL);
        check.timeout.get_or_insert(HEALTH_TIMEOUT);
        check.retries.get_or_insert(HEALTH_RETRIES);
    }
}

/// Whether the definition is for Windows.
pub(super) fn is_windows(definition: &ecs::TaskDefinition) -> bool {
    let platform = definition.runtime_platform.as_ref();
    let family = platform.and_then(|platform| platform.operating_system_family.as_ref());
    family.is_some_and(|family| *family != OSFamily::Linux)
}

/// Whether the image is in a private registry of Amazon ECR:
/// `<account>.dkr.ecr.<region>.amazonaws.com/…`.
pub(super) fn is_ecr_image(image: &str) -> bool {
    let Some((host, _)) = image.split_once('/') else {
        return false;
    };
    let host = host.strip_suffix(".cn").unwrap_or(host);
    host.ends_with(".amazonaws.com") && (host.contains(".dkr.ecr.") || host.contains(".dkr.ecr-"))
}

/// The container's log driver.
pub(super) fn log_driver(container: &ecs::ContainerDefinition) -> Option<&ecs::LogDriver> {
    container.log_configuration.as_ref()?.log_driver.as_ref()
}

/// The container's name, for messages.
pub(super) fn name(container: &ecs::ContainerDefinition) -> &str {
    container.name.as_deref().unwrap_or_default()
}

/// The refusal of a start or stop timeout that is too short.
pub(super) fn timeout_too_short(container: &ecs::ContainerDefinition, moment: &str) -> ApiError {
    client(format!(
        "Granular {moment} timeout on container '{}' must be at least {TIMEOUT_MIN} seconds.",
        name(container)
    ))
}
