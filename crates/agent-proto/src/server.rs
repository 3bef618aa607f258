//! The server's end of a session: step machines that own no socket and no clock.
//!
//! The gateway feeds a session what the socket brings and the time, and carries out the
//! [`Output`](AcsOutput)s that the session appends to the list it is given. `poll` must be
//! called at [`AcsSession::due`] at the latest; calling it earlier or more often is harmless.

mod acs;
mod pulse;
mod tcs;

pub use acs::{
    AcsConfig, AcsOutput, AcsSession, DueTask, PAYLOAD_TASKS_MAX, RESEND_AFTER_MS, Receipt,
};
pub use pulse::{
    CLOSE_GONE, CLOSE_POLICY, CLOSE_TOO_BIG, Close, HEARTBEAT_MS_MAX, INBOUND_BURST,
    INBOUND_PER_SECOND, MISSES_MAX, PING_EVERY_MS,
};
pub use tcs::{HealthReport, TcsOutput, TcsSession};
