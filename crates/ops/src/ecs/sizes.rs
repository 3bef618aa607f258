//! Task sizes: how `cpu` and `memory` are spelled, and which pairs Fargate has (reference §3.1).

use berth_api::ecs;
use berth_model::resources::CPU_UNITS_PER_VCPU;

use crate::ecs::fault::client;
use crate::error::ApiError;

/// The least and the greatest CPU units of a task outside of Fargate.
const TASK_CPU: std::ops::RangeInclusive<u32> = 128..=196_608;
/// MiB in what users write as `1GB`.
const MIB_PER_GB: f64 = 1024.0;

/// CPU units: `256`, or `.25 vCPU`.
///
/// # Errors
/// ClientException when it is neither, or out of range.
pub(crate) fn cpu(given: &str) -> Result<u32, ApiError> {
    scaled(given, "vcpu", f64::from(CPU_UNITS_PER_VCPU))
        .filter(|units| TASK_CPU.contains(units))
        .ok_or_else(|| client("Invalid 'cpu' setting for task."))
}

/// Refuses a part of a GPU: Berth gives whole ones.
///
/// # Errors
/// ClientException, as for the other members that ECS no longer supports.
pub(crate) fn check_unshared(requirement: &ecs::ResourceRequirement) -> Result<(), ApiError> {
    match requirement.sharing_strategy {
        None => Ok(()),
        Some(_) => Err(client("Unsupported field 'sharingStrategy'")),
    }
}

/// MiB: `512`, or `0.5 GB`.
///
/// # Errors
/// ClientException when it is neither.
pub(crate) fn memory(given: &str) -> Result<u32, ApiError> {
    scaled(given, "gb", MIB_PER_GB).ok_or_else(|| client("Invalid 'memory' setting for task."))
}

/// A whole number above 0, or a decimal one with a unit of `scale`.
fn scaled(given: &str, unit: &str, scale: f64) -> Option<u32> {
    /// The greatest number taken, so that sums of a few stay far from the type's end.
    const MAX: f64 = i32::MAX as f64;
    let lower = given.trim().to_ascii_lowercase();
    let number = match lower.strip_suffix(unit) {
        Some(number) => number.trim().parse::<f64>().ok()? * scale,
        None => f64::from(lower.parse::<u32>().ok()?),
    };
    // Exact: the range is checked, and a rounded number is whole.
    let whole = number.round();
    (1.0..=MAX).contains(&whole).then_some(whole as u32)
}

/// One row of Fargate's table: CPU units, the least and the greatest MiB, the step between.
struct Row {
    cpu: u32,
    memory: (u32, u32),
    step: u32,
    windows: bool,
}

const fn row(cpu: u32, least: u32, greatest: u32, step: u32, windows: bool) -> Row {
    Row {
        cpu,
        memory: (least, greatest),
        step,
        windows,
    }
}

const FARGATE: [Row; 7] = [
    row(256, 512, 1024, 512, false),
    row(512, 1024, 4096, 1024, false),
    row(1024, 2048, 8192, 1024, true),
    row(2048, 4096, 16_384, 1024, true),
    row(4096, 8192, 30_720, 1024, true),
    row(8192, 16_384, 61_440, 4096, false),
    row(16_384, 32_768, 122_880, 8192, false),
];

/// Pairs that no row of the table has.
const FARGATE_SINGLE: [(u32, u32); 4] = [
    (256, 2048),
    (32_768, 61_440),
    (32_768, 122_880),
    (32_768, 249_856),
];

/// Refuses sizes that Fargate does not have.
///
/// # Errors
/// ClientException, as ECS words it.
pub(crate) fn check_fargate(cpu: u32, memory: u32, windows: bool) -> Result<(), ApiError> {
    if fargate_has(cpu, memory, windows) {
        return Ok(());
    }
    Err(client(format!(
        "No Fargate configuration exists for given values: {cpu} CPU, {memory} memory. See the \
         Amazon ECS documentation for the valid values."
    )))
}

/// Whether Fargate has tasks of this size.
fn fargate_has(cpu: u32, memory: u32, windows: bool) -> bool {
    let in_row = FARGATE.iter().any(|row| {
        let (least, greatest) = row.memory;
        row.cpu == cpu
            && (row.windows || !windows)
            && (least..=greatest).contains(&memory)
            && (memory - least).is_multiple_of(row.step)
    });
    in_row || (!windows && FARGATE_SINGLE.contains(&(cpu, memory)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_or_carry_a_unit() {
        for (given, units) in [
            ("256", 256),
            (".5 vCPU", 512),
            ("1 vcpu", 1024),
            ("2vCPU", 2048),
        ] {
            assert_eq!(cpu(given).ok(), Some(units), "{given}");
        }
        for (given, mib) in [("512", 512), ("1GB", 1024), ("0.5 gb", 512)] {
            assert_eq!(memory(given).ok(), Some(mib), "{given}");
        }
        for bad in [
            "",
            "0",
            "-1",
            "64",
            "x",
            "NaN vCPU",
            "inf vcpu",
            "1e30 vcpu",
        ] {
            assert!(cpu(bad).is_err(), "{bad}");
        }
        for bad in ["", "0", "-1", "4294967296", "1e300GB", "GB"] {
            assert!(memory(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn fargate_has_the_sizes_of_its_table_and_no_other() {
        let sizes = |cpu, windows| -> Vec<u32> {
            (0..=250_000)
                .filter(|mib| fargate_has(cpu, *mib, windows))
                .collect()
        };
        assert_eq!(sizes(256, false), [512, 1024, 2048]);
        assert_eq!(sizes(512, false), [1024, 2048, 3072, 4096]);
        assert_eq!(sizes(16_384, false).len(), 12);
        assert_eq!(sizes(32_768, false), [61_440, 122_880, 249_856]);
        assert_eq!(sizes(300, false), Vec::<u32>::new());
        assert_eq!(sizes(256, true), Vec::<u32>::new());
        assert_eq!(sizes(4096, true).len(), 23);
    }
}
