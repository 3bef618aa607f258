//! Docker's events as ours, for one instance.
//!
//! When Docker goes away the watch waits for it to come back, subscribes anew from a moment
//! before, and sends [`RuntimeEvent::Gap`]: Docker keeps no events over a restart of its own.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, UNIX_EPOCH};

use bollard::Docker;
use bollard::models::{ContainerState, EventMessage};
use bollard::query_parameters::EventsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::mpsc;

use super::instant::parse_millis;
use super::{Inner, holder, look};
use crate::runtime::{Labels, RuntimeEvent, RuntimeId};

/// The first wait before Docker is tried again, and the longest: a restart of Docker takes a
/// second or two, and an agent that notices within as much loses nothing.
const RETRY_FIRST: Duration = Duration::from_millis(100);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// How far before its start a subscription looks back, for events that came while it was made.
/// Doubled events do no harm.
const LOOK_BACK: Duration = Duration::from_secs(2);

/// Runs until the receiver or the runtime is gone.
pub(super) async fn run(
    inner: Weak<Inner>,
    instance: Arc<str>,
    sender: mpsc::Sender<RuntimeEvent>,
) {
    let mut outlet = Outlet { sender, gap: false };
    let mut since = Some(Duration::ZERO);
    let mut wait = RETRY_FIRST;
    loop {
        let Some(strong) = inner.upgrade() else {
            return;
        };
        let docker = strong.docker.clone();
        let clock = strong.clock;
        drop(strong);
        let answers = tokio::time::timeout(RETRY_MAX, docker.ping()).await;
        if matches!(answers, Ok(Ok(_))) {
            wait = RETRY_FIRST;
            let now = clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
            // The first time nothing was lost: the agent lists after it subscribes.
            if since.replace(now) != Some(Duration::ZERO) {
                outlet.gap = true;
            }
            let from = now.saturating_sub(LOOK_BACK);
            if follow(&inner, &docker, &instance, from, &mut outlet)
                .await
                .is_none()
            {
                return;
            }
            tracing::warn!(%instance, "docker's events ended; waiting for docker");
        }
        tokio::select! {
            () = outlet.sender.closed() => return,
            () = tokio::time::sleep(wait) => {}
        }
        wait = (wait * 2).min(RETRY_MAX);
    }
}

/// Where events go. What does not fit is made up for by one gap.
struct Outlet {
    sender: mpsc::Sender<RuntimeEvent>,
    gap: bool,
}

impl Outlet {
    fn send(&mut self, event: RuntimeEvent) {
        if self.gap || self.sender.try_send(event).is_err() {
            self.gap = true;
        }
    }
}

/// Passes events on until Docker's stream ends; `None` when nobody listens any more.
async fn follow(
    inner: &Weak<Inner>,
    docker: &Docker,
    instance: &str,
    from: Duration,
    outlet: &mut Outlet,
) -> Option<()> {
    let filters = HashMap::from([
        ("type", vec!["container".to_owned()]),
        ("label", vec![format!("{}={instance}", Labels::INSTANCE)]),
    ]);
    let since = format!("{}.{:09}", from.as_secs(), from.subsec_nanos());
    let options = EventsOptionsBuilder::new()
        .since(&since)
        .filters(&filters)
        .build();
    let mut events = std::pin::pin!(docker.events(Some(options)));
    let sender = outlet.sender.clone();
    loop {
        tokio::select! {
            () = sender.closed() => return None,
            permit = sender.reserve(), if outlet.gap => {
                permit.ok()?.send(RuntimeEvent::Gap);
                outlet.gap = false;
            }
            event = events.next() => match event {
                Some(Ok(event)) => {
                    let strong = inner.upgrade()?;
                    if let Some(event) = translate(&strong, &event).await {
                        outlet.send(event);
                    }
                }
                Some(Err(_)) | None => return Some(()),
            }
        }
    }
}

async fn translate(inner: &Inner, event: &EventMessage) -> Option<RuntimeEvent> {
    let actor = event.actor.as_ref()?;
    let id: RuntimeId = actor.id.as_deref()?.into();
    let attributes = actor.attributes.as_ref();
    let attribute = |key: &str| attributes.and_then(|attributes| attributes.get(key));
    if attribute(holder::LABEL_ROLE).is_some() {
        return None;
    }
    let action = event.action.as_deref()?;
    if action == "die" {
        let seen = inner.look(&id).await.ok().flatten();
        let state = seen.and_then(|seen| seen.state).unwrap_or_default();
        let told = attribute("exitCode").and_then(|code| code.parse().ok());
        return Some(died(id, &state, told, event.time_nano.unwrap_or(0)));
    }
    if action.starts_with("health_status") {
        let seen = inner.look(&id).await.ok().flatten()?;
        let state = seen.state?;
        return Some(RuntimeEvent::Health {
            id,
            health: look::health(&state),
            message: look::health_message(&state),
        });
    }
    None
}

/// The event's own exit code goes first: a container that was restarted meanwhile shows another.
fn died(id: RuntimeId, state: &ContainerState, told: Option<i32>, nanos: i64) -> RuntimeEvent {
    const NANOS_PER_MILLI: i64 = 1_000_000;
    let shown = state.exit_code.and_then(|code| i32::try_from(code).ok());
    let finished = state.finished_at.as_deref().and_then(parse_millis);
    RuntimeEvent::Died {
        id,
        exit_code: told.or(shown),
        oom_killed: state.oom_killed == Some(true),
        at: finished.unwrap_or(nanos / NANOS_PER_MILLI),
    }
}
