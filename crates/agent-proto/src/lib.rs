//! The messages between a server and its agents, and the rules of a session on either end.
//!
//! An agent opens two WebSockets to the server: ACS, over which work comes down, and TCS, over
//! which telemetry goes up. The messages are Amazon's, so that a stock agent works with our
//! server and ours with any server that speaks to a stock one.
//!
//! Rules kept here:
//! - no I/O, no clock and no dice: time comes in as milliseconds of a monotonic clock that the
//!   caller reads, chance as a seed; so both ends can be joined in one test without sockets;
//! - input never panics, and what a peer can make us remember is bounded;
//! - what Amazon's messages lack is in [`extra`], and nowhere else.
//!
//! Sockets, signatures, TLS and the HTTP calls of the agent are not here.

pub mod acs;
pub mod agent;
mod chance;
pub mod envelope;
pub mod extra;
pub mod network;
pub mod server;
pub mod task;
pub mod tcs;

pub use chance::Chance;
