//! `overrides`: changes to the definition for the tasks of one call (reference §2.7).

use berth_api::ecs;
use berth_model::definition::DefinitionFacts;
use berth_model::task::{ContainerOverride, TaskOverrides};
use berth_model::text::Text;

use crate::ecs::fault::{client, invalid};
use crate::ecs::sizes;
use crate::error::ApiError;

/// The most characters of the overrides as JSON (reference §9.3).
const LENGTH_MAX: usize = 8192;
/// The most CPU units of a task (reference §3.1).
const CPU_MAX: u32 = 196_608;
/// The most MiB that are taken seriously: 1 PiB.
const MEMORY_MAX: u32 = 1 << 30;

/// The changes that a request asks for; `None` for none.
///
/// # Errors
/// InvalidParameterException for a container that the definition does not have, for a size that
/// cannot be, and for more than 8192 characters.
pub(super) fn parse_overrides(
    facts: &DefinitionFacts,
    given: Option<&ecs::TaskOverride>,
) -> Result<Option<Box<TaskOverrides>>, ApiError> {
    let Some(given) = given.filter(|given| **given != ecs::TaskOverride::default()) else {
        return Ok(None);
    };
    let text = serde_json::to_string(given).map_err(ApiError::internal)?;
    if text.chars().count() > LENGTH_MAX {
        return Err(invalid(format!(
            "Overrides can have at most {LENGTH_MAX} characters."
        )));
    }
    let accelerators = given.inference_accelerator_overrides.as_deref();
    if !accelerators.unwrap_or_default().is_empty() {
        return Err(client("Unsupported field 'inferenceAcceleratorOverrides'"));
    }
    let mut containers = Vec::new();
    for container in given.container_overrides.iter().flatten() {
        containers.push(parse_container(facts, container)?);
    }
    Ok(Some(Box::new(TaskOverrides {
        cpu: given.cpu.as_deref().map(sizes::cpu).transpose()?,
        memory: given.memory.as_deref().map(sizes::memory).transpose()?,
        containers,
        given: Text::new(&text),
    })))
}

fn parse_container(
    facts: &DefinitionFacts,
    given: &ecs::ContainerOverride,
) -> Result<ContainerOverride, ApiError> {
    let name = given.name.as_deref().unwrap_or_default();
    if facts.container(name).is_none() {
        return Err(invalid(format!(
            "Override for container named {name} is not a container in the TaskDefinition."
        )));
    }
    let size = |what: &str, value: Option<i32>, max: u32| {
        let parsed = value.map(|value| u32::try_from(value).ok().filter(|size| *size <= max));
        match parsed {
            None => Ok(None),
            Some(Some(size)) => Ok(Some(size)),
            Some(None) => Err(invalid(format!(
                "Invalid '{what}' override for container '{name}'."
            ))),
        }
    };
    let mut gpus = None;
    for requirement in given.resource_requirements.iter().flatten() {
        sizes::check_unshared(requirement)?;
        if requirement.r#type == Some(ecs::ResourceType::Gpu) {
            let count = requirement.value.as_deref().unwrap_or_default().parse();
            gpus =
                Some(count.map_err(|_| {
                    invalid(format!("Invalid 'GPU' override for container '{name}'."))
                })?);
        }
    }
    Ok(ContainerOverride {
        name: name.into(),
        cpu: size("cpu", given.cpu, CPU_MAX)?,
        memory: size("memory", given.memory, MEMORY_MAX)?,
        memory_reservation: size("memoryReservation", given.memory_reservation, MEMORY_MAX)?,
        gpus,
    })
}
