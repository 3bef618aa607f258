//! A container as Docker shows it, in our words.

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, HealthStatusEnum,
};

use super::config::LABEL_PORTS;
use super::failure::one_line;
use super::instant::parse_millis;
use super::ports::Published;
use crate::runtime::{Health, Labels, RuntimeId, Snapshot, Status};

/// The longest message of a health check that is passed on. The stock agent's number.
const HEALTH_MESSAGE_CHARS_MAX: usize = 1024;

/// `None` when Docker left out the id, which it never does.
pub(super) fn snapshot(seen: &ContainerInspectResponse) -> Option<Snapshot> {
    let id: RuntimeId = seen.id.as_deref()?.into();
    let empty = ContainerState::default();
    let state = seen.state.as_ref().unwrap_or(&empty);
    let status = status(state);
    let ended = status == Status::Exited;
    let exit_code = state.exit_code.and_then(|code| i32::try_from(code).ok());
    let bindings = published(seen).iter().map(Published::binding).collect();
    Some(Snapshot {
        id,
        task_arn: label(seen, Labels::TASK).to_owned(),
        name: label(seen, Labels::CONTAINER).to_owned(),
        token: label(seen, Labels::TOKEN).into(),
        status,
        started_at: state.started_at.as_deref().and_then(parse_millis),
        finished_at: state
            .finished_at
            .as_deref()
            .and_then(parse_millis)
            .filter(|_| ended),
        exit_code: exit_code.filter(|_| ended),
        oom_killed: ended && state.oom_killed == Some(true),
        health: health(state),
        bindings: match status {
            Status::Running => bindings,
            Status::Created | Status::Exited => Vec::new(),
        },
    })
}

/// Docker's states in ours. A container that is paused, restarting or being removed has not
/// ended; a dead one has.
fn status(state: &ContainerState) -> Status {
    use ContainerStateStatusEnum as S;
    match state.status {
        Some(S::CREATED) => Status::Created,
        Some(S::RUNNING | S::PAUSED | S::RESTARTING | S::REMOVING | S::STOPPING) => Status::Running,
        Some(S::EXITED | S::DEAD) => Status::Exited,
        Some(S::EMPTY) | None => match state.running {
            Some(true) => Status::Running,
            Some(false) | None => Status::Exited,
        },
    }
}

/// What the health check says. Before the first verdict, and once the container has ended, it
/// says nothing.
pub(super) fn health(state: &ContainerState) -> Health {
    let status = state.health.as_ref().and_then(|health| health.status);
    match status {
        Some(HealthStatusEnum::HEALTHY) => Health::Healthy,
        Some(HealthStatusEnum::UNHEALTHY) => Health::Unhealthy,
        Some(HealthStatusEnum::EMPTY | HealthStatusEnum::NONE | HealthStatusEnum::STARTING)
        | None => Health::Unknown,
    }
}

/// What the last check wrote.
pub(super) fn health_message(state: &ContainerState) -> Option<String> {
    let log = state.health.as_ref()?.log.as_ref()?;
    let output = one_line(log.last()?.output.as_deref()?);
    let cut: String = output.chars().take(HEALTH_MESSAGE_CHARS_MAX).collect();
    (!cut.is_empty()).then_some(cut)
}

/// A label of the container, empty when it has none of that name.
pub(super) fn label<'a>(seen: &'a ContainerInspectResponse, key: &str) -> &'a str {
    let labels = seen
        .config
        .as_ref()
        .and_then(|config| config.labels.as_ref());
    labels
        .and_then(|labels| labels.get(key))
        .map_or("", |value| value)
}

/// The ports that were picked for the container when it was made.
pub(super) fn published(seen: &ContainerInspectResponse) -> Vec<Published> {
    // Absent without ports; a label that somebody broke is as good as none.
    serde_json::from_str(label(seen, LABEL_PORTS)).unwrap_or_default()
}
