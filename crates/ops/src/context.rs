//! What operations work with: the state, bounded caches, keys and limits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use berth_api::ecs;
use berth_model::definition::TaskDefinition;
use berth_model::name::DefinitionKey;
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_state::Handle;

use crate::error::ApiError;
use crate::history::TaskHistory;
use crate::logs::LogEvents;
use crate::page::PageTokens;
use crate::telemetry::MetricSource;

/// What operations work with.
pub struct Context {
    /// The state.
    pub state: Handle,
    /// Parsed bodies of task definitions.
    pub definitions: DefinitionCache,
    /// Where containers' output is kept.
    pub logs: Arc<dyn LogEvents>,
    /// What agents told lately.
    pub metrics: Arc<dyn MetricSource>,
    /// Where stopped tasks are kept that are no longer in the state; `None` for nowhere.
    pub history: Option<Arc<dyn TaskHistory>>,
    /// Makes and reads `nextToken`.
    pub pages: PageTokens,
    /// What the binary's settings say.
    pub limits: Limits,
    /// The wall clock, for answers that depend on the present; changes take their time from the
    /// transaction.
    pub wall: fn() -> Timestamp,
}

/// What the binary's settings say.
#[derive(Clone, Debug)]
pub struct Limits {
    /// The URL that agents are told to poll; `None` means the one of their own request.
    pub advertise_url: Option<String>,
    /// Which tasks wait when there is no room for them.
    pub wait_for_room: WaitForRoom,
}

/// How many parsed task definitions are kept: a definition is at most 64 KiB of JSON and
/// usually 2, so this is a few megabytes, and far more families than run hot at once.
const DEFINITIONS_MAX: usize = 1024;

/// Parsed bodies of task definitions. A body never changes, so an entry is right for ever.
#[derive(Default)]
pub struct DefinitionCache(Mutex<Parsed>);

#[derive(Default)]
struct Parsed {
    bodies: HashMap<DefinitionKey, Arc<ecs::TaskDefinition>>,
    /// Keys in the order of their coming; the oldest goes first.
    order: VecDeque<DefinitionKey>,
}

impl DefinitionCache {
    /// The body in the API's own shape.
    ///
    /// # Errors
    /// A server fault when the saved body does not read, which load would have refused.
    pub fn body(&self, definition: &TaskDefinition) -> Result<Arc<ecs::TaskDefinition>, ApiError> {
        let cached = {
            let parsed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            parsed.bodies.get(&definition.key).cloned()
        };
        if let Some(body) = cached {
            return Ok(body);
        }
        let body: Arc<ecs::TaskDefinition> =
            Arc::new(serde_json::from_str(definition.body.get()).map_err(ApiError::internal)?);
        let mut parsed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if parsed
            .bodies
            .insert(definition.key.clone(), body.clone())
            .is_none()
        {
            parsed.order.push_back(definition.key.clone());
        }
        if parsed.order.len() > DEFINITIONS_MAX
            && let Some(oldest) = parsed.order.pop_front()
        {
            parsed.bodies.remove(&oldest);
        }
        Ok(body)
    }
}
