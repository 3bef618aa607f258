//! What Amazon ECS refuses of one container of a definition (reference §2.3).

use berth_api::ecs::{self, LogDriver, NetworkMode};

use super::draft::{self, name};
use crate::ecs::fault::client;
use crate::ecs::sizes;
use crate::error::ApiError;

/// The most environment files of a container.
const ENVIRONMENT_FILES_MAX: usize = 10;
/// The greatest port.
const PORT_MAX: i32 = 65_535;
/// What the numbers of a health check may be: seconds, seconds, tries, seconds.
const HEALTH_INTERVAL: (i32, i32) = (5, 300);
const HEALTH_TIMEOUT: (i32, i32) = (2, 60);
const HEALTH_RETRIES: (i32, i32) = (1, 10);
const HEALTH_START_PERIOD: (i32, i32) = (0, 300);
/// Seconds between restarts of one container.
const RESTART_PERIOD: (i32, i32) = (60, 1800);

/// Checks one container, sizes and dependencies aside.
///
/// # Errors
/// ClientException for the first thing that is wrong.
pub(super) fn check(
    container: &ecs::ContainerDefinition,
    definition: &ecs::TaskDefinition,
) -> Result<(), ApiError> {
    check_network(container, definition.network_mode.as_ref())?;
    for mapping in container.port_mappings.iter().flatten() {
        check_port(container, mapping, definition.network_mode.as_ref())?;
    }
    if let Some(health) = &container.health_check {
        check_health(container, health)?;
    }
    if let Some(restart) = &container.restart_policy
        && let Some(period) = restart.restart_attempt_period
        && !within(period, RESTART_PERIOD)
    {
        return Err(client(format!(
            "the 'restartAttemptPeriod' setting for container '{}' must be between {} and {}",
            name(container),
            RESTART_PERIOD.0,
            RESTART_PERIOD.1
        )));
    }
    for (seconds, moment) in [
        (container.start_timeout, "start"),
        (container.stop_timeout, "stop"),
    ] {
        if seconds.is_some_and(i32::is_negative) {
            return Err(draft::timeout_too_short(container, moment));
        }
    }
    check_logs(container, definition)?;
    check_secrets(container, definition)?;
    check_environment_files(container)?;
    check_mounts(container, definition)?;
    check_gpus(container)?;
    for ulimit in container.ulimits.iter().flatten() {
        // A negative hard limit means none.
        if let (Some(soft), Some(hard)) = (ulimit.soft_limit, ulimit.hard_limit)
            && hard >= 0
            && soft > hard
            && let Some(name) = &ulimit.name
        {
            return Err(client(format!(
                "Soft limit exceeds hard limit for ulimit {name}"
            )));
        }
    }
    Ok(())
}

fn within(number: i32, (least, greatest): (i32, i32)) -> bool {
    (least..=greatest).contains(&number)
}

/// Checks a container's sizes against each other and the task's.
///
/// # Errors
/// ClientException for the first thing that is wrong.
pub(super) fn check_sizes(
    container: &ecs::ContainerDefinition,
    task_memory: Option<u32>,
) -> Result<(), ApiError> {
    let name = name(container);
    if container.cpu.is_some_and(i32::is_negative) {
        return Err(client(format!(
            "Invalid 'cpu' setting for container '{name}'."
        )));
    }
    let (memory, reservation) = (container.memory, container.memory_reservation);
    for (size, member) in [(memory, "memory"), (reservation, "memoryReservation")] {
        if size.is_some_and(|mib| mib <= 0) {
            return Err(client(format!(
                "Invalid '{member}' setting for container '{name}'."
            )));
        }
    }
    if memory.is_none() && reservation.is_none() && task_memory.is_none() {
        return Err(client(format!(
            "Invalid setting for container '{name}'. At least one of 'memory' or \
             'memoryReservation' must be specified."
        )));
    }
    if let (Some(memory), Some(reservation)) = (memory, reservation)
        && memory < reservation
    {
        return Err(client(format!(
            "Invalid setting for container '{name}'. 'memory' must be greater than or equal to \
             'memoryReservation'."
        )));
    }
    if let (Some(memory), Some(task)) = (memory, task_memory)
        && i64::from(memory) > i64::from(task)
    {
        return Err(client(format!(
            "The 'memory' setting for container '{name}' is greater than for the task."
        )));
    }
    Ok(())
}

fn check_network(
    container: &ecs::ContainerDefinition,
    mode: Option<&NetworkMode>,
) -> Result<(), ApiError> {
    fn given<T>(list: &Option<Vec<T>>) -> bool {
        list.as_ref().is_some_and(|list| !list.is_empty())
    }
    match mode {
        Some(NetworkMode::Awsvpc) => {
            if given(&container.links) {
                return Err(client("Links are not supported when networkMode=awsvpc."));
            }
            for (given, what) in [
                (given(&container.dns_servers), "DNS servers"),
                (given(&container.dns_search_domains), "DNS search domains"),
                (container.hostname.is_some(), "Hostname"),
                (given(&container.extra_hosts), "Extra hosts"),
            ] {
                if given {
                    let verb = if what == "Hostname" { "is" } else { "are" };
                    return Err(client(format!(
                        "{what} {verb} not supported on container when networkMode=awsvpc"
                    )));
                }
            }
            Ok(())
        }
        Some(NetworkMode::None) if given(&container.port_mappings) => Err(client(
            "Port mappings are not supported when networkMode=none.",
        )),
        Some(NetworkMode::Host | NetworkMode::None) if given(&container.links) => {
            Err(client("Links are only supported when networkMode=bridge."))
        }
        Some(_) | None => Ok(()),
    }
}

/// The container ports that a mapping names; `None` when it names none that there are.
pub(super) fn port_range(mapping: &ecs::PortMapping) -> Option<(i32, i32)> {
    let port = |raw: &str| {
        raw.trim()
            .parse()
            .ok()
            .filter(|port| within(*port, (1, PORT_MAX)))
    };
    match (&mapping.container_port_range, mapping.container_port) {
        (Some(range), _) => {
            let (first, last) = range.split_once('-')?;
            let range = (port(first)?, port(last)?);
            (range.0 <= range.1).then_some(range)
        }
        (None, Some(one)) => within(one, (1, PORT_MAX)).then_some((one, one)),
        (None, None) => None,
    }
}

fn check_port(
    container: &ecs::ContainerDefinition,
    mapping: &ecs::PortMapping,
    mode: Option<&NetworkMode>,
) -> Result<(), ApiError> {
    let name = name(container);
    let host_port = mapping.host_port;
    if mapping.container_port_range.is_some() {
        if mapping.container_port.is_some() || host_port.is_some_and(|port| port != 0) {
            return Err(client("cannot specify both single port and port range"));
        }
        if port_range(mapping).is_none() {
            return Err(client(format!(
                "Invalid 'containerPortRange' setting for container '{name}'."
            )));
        }
        return Ok(());
    }
    if port_range(mapping).is_none() {
        return Err(client(format!(
            "Invalid 'containerPort' setting for container '{name}'."
        )));
    }
    if host_port.is_some_and(|port| !within(port, (0, PORT_MAX))) {
        return Err(client(format!(
            "Invalid 'hostPort' setting for container '{name}'."
        )));
    }
    let host_port = host_port.filter(|port| *port != 0);
    match mode {
        Some(mode @ (NetworkMode::Awsvpc | NetworkMode::Host))
            if host_port.is_some() && host_port != mapping.container_port =>
        {
            Err(client(format!(
                "When networkMode={mode}, the host ports and container ports in port mappings \
                 must match."
            )))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_health(
    container: &ecs::ContainerDefinition,
    health: &ecs::HealthCheck,
) -> Result<(), ApiError> {
    if health.command.as_ref().is_some_and(Vec::is_empty) {
        return Err(client(format!(
            "The health check command of container '{}' can not be empty.",
            name(container)
        )));
    }
    for (number, range, what) in [
        (health.interval, HEALTH_INTERVAL, "interval"),
        (health.timeout, HEALTH_TIMEOUT, "timeout"),
        (health.retries, HEALTH_RETRIES, "retries"),
        (health.start_period, HEALTH_START_PERIOD, "startPeriod"),
    ] {
        if number.is_some_and(|number| !within(number, range)) {
            return Err(client(format!(
                "The health check {what} of container '{}' must be between {} and {}.",
                name(container),
                range.0,
                range.1
            )));
        }
    }
    Ok(())
}

fn check_logs(
    container: &ecs::ContainerDefinition,
    definition: &ecs::TaskDefinition,
) -> Result<(), ApiError> {
    if draft::log_driver(container) != Some(&LogDriver::Awslogs) {
        return Ok(());
    }
    let fargate = ecs::Compatibility::Fargate;
    let on_fargate = definition
        .requires_compatibilities
        .as_deref()
        .is_some_and(|kinds| kinds.contains(&fargate));
    let options = container.log_configuration.as_ref();
    let options = options.and_then(|logs| logs.options.as_ref());
    let required = [
        ("awslogs-group", true),
        ("awslogs-stream-prefix", on_fargate),
    ];
    let missing: Vec<&str> = required
        .into_iter()
        .filter(|(option, required)| {
            *required && !options.is_some_and(|options| options.contains_key(*option))
        })
        .map(|(option, _)| option)
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(client(format!(
        "Log driver awslogs requires options: {}",
        missing.join(", ")
    )))
}

fn check_secrets(
    container: &ecs::ContainerDefinition,
    definition: &ecs::TaskDefinition,
) -> Result<(), ApiError> {
    let log_secrets = container
        .log_configuration
        .as_ref()
        .and_then(|logs| logs.secret_options.as_ref());
    let mut secrets = container.secrets.iter().chain(log_secrets).flatten();
    if secrets.next().is_some() && definition.execution_role_arn.is_none() {
        return Err(client(
            "When you are specifying container secrets, you must also specify a value for \
             'executionRoleArn'.",
        ));
    }
    Ok(())
}

fn check_environment_files(container: &ecs::ContainerDefinition) -> Result<(), ApiError> {
    let files = container.environment_files.as_deref().unwrap_or_default();
    if files.len() > ENVIRONMENT_FILES_MAX {
        return Err(client(format!(
            "Container '{}' cannot have more than {ENVIRONMENT_FILES_MAX} environment files.",
            name(container)
        )));
    }
    for file in files {
        let value = file.value.as_deref().unwrap_or_default();
        let object = value.strip_prefix("arn:").and_then(|rest| {
            let (_partition, object) = rest.split_once(":s3:::")?;
            object.split_once('/')
        });
        let is_env_file =
            object.is_some_and(|(bucket, key)| !bucket.is_empty() && key.ends_with(".env"));
        if !is_env_file {
            return Err(client(format!(
                "The environment file of container '{}' must be the ARN of an Amazon S3 object \
                 whose name ends in .env.",
                name(container)
            )));
        }
    }
    Ok(())
}

fn check_mounts(
    container: &ecs::ContainerDefinition,
    definition: &ecs::TaskDefinition,
) -> Result<(), ApiError> {
    for mount in container.mount_points.iter().flatten() {
        let source = mount.source_volume.as_deref().unwrap_or_default();
        let mut volumes = definition.volumes.iter().flatten();
        if !volumes.any(|volume| volume.name.as_deref() == Some(source)) {
            return Err(client(format!("Unknown volume '{source}'.")));
        }
    }
    Ok(())
}

/// How many whole GPUs a container asks for; `None` when it asks for what is no number.
pub(super) fn gpus(container: &ecs::ContainerDefinition) -> Option<u32> {
    let mut sum: u32 = 0;
    for requirement in container.resource_requirements.iter().flatten() {
        if requirement.r#type == Some(ecs::ResourceType::Gpu) {
            let count: u32 = requirement.value.as_deref()?.parse().ok()?;
            sum = sum.checked_add(count).filter(|_| count > 0)?;
        }
    }
    Some(sum)
}

fn check_gpus(container: &ecs::ContainerDefinition) -> Result<(), ApiError> {
    for requirement in container.resource_requirements.iter().flatten() {
        sizes::check_unshared(requirement)?;
    }
    if gpus(container).is_some() {
        return Ok(());
    }
    Err(client(format!(
        "Invalid setting for container '{}'. The value of a GPU requirement must be a whole \
         number above 0.",
        name(container)
    )))
}
