//! Names of what the agent makes in Docker: `ecs-<family>-<version>-<name>-<20 hex digits>`, as
//! the stock agent's. The digits follow from instance, task and name, so that asking twice finds
//! what is there.

use berth_agent_proto::task::{Task, Volume};
use sha2::{Digest, Sha256};

/// The longest family or name that goes into a name: ECS allows 255 characters each, Docker as
/// many as a file's name may have.
const PART_CHARS_MAX: usize = 80;

/// A container's name in Docker.
pub(super) fn container(instance: &str, task: &Task, name: &str) -> String {
    named(instance, task, name, "container")
}

/// The name of the container that holds the namespaces of a task.
pub(super) fn holder(instance: &str, task_arn: &str) -> String {
    format!("berth-holder-{}", digits(&[instance, task_arn, "holder"]))
}

/// A volume's name in Docker: its own when it is shared, else one of the task's.
pub(super) fn volume(instance: &str, task: &Task, volume: &Volume) -> String {
    let docker = volume.docker_volume_configuration.as_ref();
    match docker {
        Some(docker) if docker.scope == "shared" => volume.name.clone(),
        _ => named(instance, task, &volume.name, "volume"),
    }
}

fn named(instance: &str, task: &Task, name: &str, kind: &str) -> String {
    let digits = digits(&[instance, &task.arn, name, kind]);
    format!(
        "ecs-{}-{}-{}-{digits}",
        cut(&task.family),
        cut(&task.version),
        cut(name)
    )
}

/// The characters that Docker takes in a name, as many as fit.
fn cut(text: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    text.chars().filter(plain).take(PART_CHARS_MAX).collect()
}

fn digits(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part.as_bytes());
    }
    let bytes = hash.finalize();
    bytes
        .iter()
        .take(10)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
