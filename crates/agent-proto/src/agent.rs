//! The agent's end of the sessions: step machines that own no socket and no clock.
//!
//! Unlike the server's, which live as long as one connection, these live as long as the agent
//! and say when to connect. The caller carries out outputs, tells how each attempt and each
//! connection ended, and calls `poll` at the time that `due` gives.

mod acs;
mod link;
mod tcs;

pub use acs::{AcsOutput, AcsSession, INACTIVE_WAIT_MS, PayloadReceipt};
pub use link::{AGE_MS, CLOSE_EXPIRED, Dial, Ended, IDLE_MS};
pub use tcs::{TcsOutput, TcsSession};
