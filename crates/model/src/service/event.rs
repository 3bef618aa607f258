//! What a service tells its users, in their own table.

use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::name::ServiceKey;
use crate::text::Text;
use crate::time::Timestamp;

/// How many events of a service are kept (reference §9.3).
pub const EVENTS_MAX: u64 = 100;

/// One event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// The service.
    pub service: ServiceKey,
    /// Counted up within the service.
    pub number: u64,
    /// The id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened, in ECS's own words (reference §7.8).
    pub message: Text,
}
