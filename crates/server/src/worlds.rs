//! The worlds of `berth dev`: accounts and regions that the local agents belong to.
//!
//! The first signed request of an account and region makes its `default` cluster and has the
//! local agents register there before it is answered.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use berth_model::name::Scope;
use futures_util::future::BoxFuture;
use tokio::sync::OnceCell;

/// Has the local agents join a world. It makes the default cluster too, through the API.
pub type WorldOpener = Arc<dyn Fn(Scope) -> BoxFuture<'static, ()> + Send + Sync>;

/// How long a request waits for the local agents: registering takes some ten milliseconds, and
/// a request must be answered even when the agents cannot register.
const OPENING_MAX: Duration = Duration::from_secs(10);
/// Worlds that may be open at once: each costs the local agents a registration and two sockets.
const WORLDS_MAX: usize = 64;

/// Which worlds are open.
pub(crate) struct Worlds {
    opener: OnceLock<WorldOpener>,
    open: Mutex<HashMap<Scope, Arc<OnceCell<()>>>>,
}

impl Worlds {
    /// No world is ever opened before [`Worlds::set_opener`].
    pub(crate) fn new() -> Self {
        Self {
            opener: OnceLock::new(),
            open: Mutex::new(HashMap::new()),
        }
    }

    /// From now on worlds are opened by `opener`. Only the first call counts.
    pub(crate) fn set_opener(&self, opener: WorldOpener) {
        let _ = self.opener.set(opener);
    }

    /// Waits until the world is open; opens it if nobody has.
    pub(crate) async fn open(&self, scope: &Scope) {
        let Some(opener) = self.opener.get() else {
            return;
        };
        let Some(world) = self.world(scope) else {
            return;
        };
        if world.initialized() {
            return;
        }
        let opening = world.get_or_init(|| opener(scope.clone()));
        if tokio::time::timeout(OPENING_MAX, opening).await.is_err() {
            tracing::warn!(%scope, "the local agents are slow to join");
        }
    }

    fn world(&self, scope: &Scope) -> Option<Arc<OnceCell<()>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(world) = open.get(scope) {
            return Some(world.clone());
        }
        if open.len() >= WORLDS_MAX {
            return None;
        }
        Some(open.entry(scope.clone()).or_default().clone())
    }
}
