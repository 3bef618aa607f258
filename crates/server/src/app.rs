//! One term of leadership: everything that exists while this server leads.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use berth_ops::Context;
use berth_state::State;

use crate::accounts::Access;
use crate::contacts::Contacts;
use crate::gateway::Gateway;
use crate::metrics::{Metrics, MetricsDetail};
use crate::rates::Rates;
use crate::roles::RoleKey;
use crate::telemetry::Telemetry;
use crate::worlds::Worlds;

/// What requests are served with while this server leads.
pub(crate) struct App {
    /// What operations work with.
    pub(crate) cx: Arc<Context>,
    /// The last saved state.
    pub(crate) newest: Arc<ArcSwap<State>>,
    /// The agents' sessions.
    pub(crate) gateway: Arc<Gateway>,
    /// What agents told lately.
    pub(crate) telemetry: Arc<Telemetry>,
}

/// What lasts as long as the process.
pub(crate) struct Front {
    /// Whom the server lets in.
    pub(crate) access: Access,
    /// What the sessions of roles are sealed under.
    pub(crate) roles: RoleKey,
    /// Whether foreign Hosts and browsers are kept out, as in `berth dev`.
    pub(crate) local_only: bool,
    /// Whether the listener speaks TLS.
    pub(crate) tls: bool,
    /// How much each account may ask for.
    pub(crate) rates: Rates,
    /// What `/metrics` tells of what runs.
    pub(crate) metrics_detail: MetricsDetail,
    /// Agents that were refused or failed lately.
    pub(crate) contacts: Arc<Contacts>,
    /// Counters.
    pub(crate) metrics: Arc<Metrics>,
    /// The worlds that are open, in `berth dev`.
    pub(crate) worlds: Worlds,
    /// What the server is doing.
    pub(crate) phase: ArcSwap<Phase>,
    /// Why `/health` says that the server is not ready although it leads; cleared by the owner.
    pub(crate) not_ready: ArcSwapOption<&'static str>,
}

/// What the server is doing.
pub(crate) enum Phase {
    /// Not ready yet, or no longer, and why.
    Waiting(&'static str),
    /// It led until it lost its database, and knows of nobody else who leads: it answers what can
    /// be answered from the last state.
    Reading(Arc<App>),
    /// It leads and serves.
    Leading(Arc<App>),
}

/// Why a server that only reads is not healthy.
const READING: &str = "the database cannot be reached";

impl Front {
    /// The term of leadership, if this server leads.
    pub(crate) fn app(&self) -> Result<Arc<App>, &'static str> {
        match &**self.phase.load() {
            Phase::Waiting(why) => Err(why),
            Phase::Reading(_) => Err(READING),
            Phase::Leading(app) => Ok(app.clone()),
        }
    }

    /// What answers API calls: the term of leadership, or the last one while its database is
    /// gone. Writes are refused by its writer, which has ended.
    pub(crate) fn readable(&self) -> Result<Arc<App>, &'static str> {
        match &**self.phase.load() {
            Phase::Waiting(why) => Err(why),
            Phase::Reading(app) | Phase::Leading(app) => Ok(app.clone()),
        }
    }
}
