//! `overrides`: changes to the definition for the tasks of one call (reference §2.7).

use berth_api::ecs;
use berth_model::definition::DefinitionFacts;
use berth_model::task::{ContainerOverride, TaskOverrides};
use berth_model::text::Text;

use crate::ecs::fault::{client, invalid};
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
    let mut containers = Vec::new();
    for container in given.container_overrides.iter().flatten() {
        containers.push(parse_container(facts, container)?);
    }
    Ok(Some(Box::new(TaskOverrides {
        cpu: given.cpu.as_deref().map(parse_cpu).transpose()?,
        memory: given.memory.as_deref().map(parse_memory).transpose()?,
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

/// CPU units: `256`, or `.25 vCPU`.
fn parse_cpu(given: &str) -> Result<u32, ApiError> {
    let units = scaled(
        given,
        "vcpu",
        f64::from(berth_model::resources::CPU_UNITS_PER_VCPU),
    );
    units
        .filter(|units| *units <= CPU_MAX)
        .ok_or_else(|| client("Invalid 'cpu' setting for task."))
}

/// MiB: `512`, or `0.5 GB`.
fn parse_memory(given: &str) -> Result<u32, ApiError> {
    let mib = scaled(given, "gb", 1024.0);
    mib.filter(|mib| *mib <= MEMORY_MAX)
        .ok_or_else(|| client("Invalid 'memory' setting for task."))
}

/// A whole number, or a decimal one with a unit of `scale`.
fn scaled(given: &str, unit: &str, scale: f64) -> Option<u32> {
    let lower = given.trim().to_ascii_lowercase();
    let Some(number) = lower.strip_suffix(unit) else {
        return lower.parse().ok().filter(|number| *number > 0);
    };
    let number: f64 = number.trim().parse().ok()?;
    let scaled = (number * scale).round();
    // The conversion is exact: the range is checked, and a rounded number is whole.
    (1.0..=f64::from(u32::MAX))
        .contains(&scaled)
        .then_some(scaled as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_may_carry_units() {
        for (given, units) in [("256", 256), (".5 vCPU", 512), ("1vcpu", 1024)] {
            assert_eq!(parse_cpu(given).unwrap(), units);
        }
        for (given, mib) in [("512", 512), ("1GB", 1024), ("0.5 gb", 512)] {
            assert_eq!(parse_memory(given).unwrap(), mib);
        }
        for bad in [
            "",
            "0",
            "-1",
            "x",
            "NaN vcpu",
            "inf vcpu",
            "1e99 vcpu",
            "9999999",
        ] {
            assert!(parse_cpu(bad).is_err(), "{bad}");
        }
    }
}
