//! Many agents in one process.

use std::collections::HashMap;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::agent::{self, AgentError, Outlook, Shared};
use crate::config::AgentConfig;
use crate::kept::Kept;

/// Runs agents until they are cancelled or one ends by itself; then the others are cancelled as
/// well, and the first error is given.
///
/// `kept` is what the journal holds, by agent. `outlooks` go with the agents in order; agents
/// beyond them have none, which spares memory in a large fleet.
///
/// # Errors
/// The first agent's that ended with one.
pub async fn run(
    agents: Vec<AgentConfig>,
    shared: &Shared,
    mut kept: HashMap<u32, Kept>,
    outlooks: Vec<Outlook>,
    cancel: CancellationToken,
) -> Result<(), AgentError> {
    let cancel = cancel.child_token();
    let mut running = JoinSet::new();
    let mut outlooks = outlooks.into_iter();
    for config in agents {
        let kept = kept.remove(&config.number).unwrap_or_default();
        let run = agent::run(
            config,
            shared.clone(),
            kept,
            outlooks.next(),
            cancel.clone(),
        );
        running.spawn(run);
    }
    let mut first = Ok(());
    while let Some(ended) = running.join_next().await {
        let result = match ended {
            Ok(result) => result,
            Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
            Err(_) => Ok(()),
        };
        if result.is_err() && first.is_ok() {
            first = result;
        }
        cancel.cancel();
    }
    first
}
