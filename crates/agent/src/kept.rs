//! What agents keep in the journal, and how it is named there.

use std::collections::HashMap;
use std::sync::Arc;

use berth_agent_proto::task::{Credentials, Task};
use serde::{Deserialize, Serialize};

use crate::engine::{Saved, SavedState};
use crate::journal::{Change, Loaded};

/// Who an agent is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The cluster that it registered in.
    pub cluster: String,
    /// The ARN that it was given.
    pub instance: Arc<str>,
    /// The number of the last manifest; −1 before the first.
    pub manifest: i64,
}

/// What the journal holds of one agent.
#[derive(Debug, Default)]
pub struct Kept {
    /// Who it is; `None` before its first registration.
    pub identity: Option<Identity>,
    /// Its tasks.
    pub tasks: Vec<Saved>,
}

/// Sorts what a journal held by agent. Entries that cannot be read are left out with a warning:
/// their containers stay, labelled, and are left alone.
#[must_use]
pub fn by_agent(loaded: &Loaded) -> HashMap<u32, Kept> {
    let mut kept: HashMap<u32, Kept> = HashMap::new();
    for (name, value) in loaded {
        let Some((number, what, arn)) = parse(name) else {
            continue;
        };
        let read = match what {
            "self" => serde_json::from_str(value.get())
                .map(|identity| kept.entry(number).or_default().identity = Some(identity)),
            "task" => serde_json::from_str::<Task>(value.get()).and_then(|task| {
                let state = loaded.get(&state_name(number, arn));
                // A task without a state was never looked at; it starts from the beginning.
                let Some(state) = state else {
                    return Ok(());
                };
                let state = serde_json::from_str::<SavedState>(state.get())?;
                let task = Arc::new(task);
                kept.entry(number)
                    .or_default()
                    .tasks
                    .push(Saved { task, state });
                Ok(())
            }),
            _ => Ok(()),
        };
        if let Err(error) = read {
            tracing::warn!(%name, %error, "an entry of the agent's journal cannot be read");
        }
    }
    for agent in kept.values_mut() {
        // The journal has no order; the queue for resources should have the same each time.
        agent.tasks.sort_by(|a, b| a.task.arn.cmp(&b.task.arn));
    }
    kept
}

fn parse(name: &str) -> Option<(u32, &str, &str)> {
    let mut parts = name.strip_prefix("agent/")?.splitn(3, '/');
    let number = parts.next()?.parse().ok()?;
    Some((number, parts.next()?, parts.next().unwrap_or_default()))
}

fn task_name(number: u32, arn: &str) -> String {
    format!("agent/{number}/task/{arn}")
}

fn state_name(number: u32, arn: &str) -> String {
    format!("agent/{number}/state/{arn}")
}

pub(crate) fn keep_identity(number: u32, identity: &Identity) -> Change {
    Change::put(format!("agent/{number}/self"), identity)
}

/// Keeps what the server sent, without secrets: of credentials only whose they are and their
/// id, which containers know them by.
pub(crate) fn keep_task(number: u32, task: &Task) -> Change {
    let mut task = task.clone();
    for credentials in [
        &mut task.role_credentials,
        &mut task.execution_role_credentials,
    ]
    .into_iter()
    .flatten()
    {
        *credentials = Credentials {
            credentials_id: std::mem::take(&mut credentials.credentials_id),
            role_arn: std::mem::take(&mut credentials.role_arn),
            ..Credentials::default()
        };
    }
    Change::put(task_name(number, &task.arn), &task)
}

pub(crate) fn keep_state(number: u32, arn: &str, state: &SavedState) -> Change {
    Change::put(state_name(number, arn), state)
}

pub(crate) fn forget(number: u32, arn: &str) -> [Change; 2] {
    [
        Change::Delete(task_name(number, arn)),
        Change::Delete(state_name(number, arn)),
    ]
}
