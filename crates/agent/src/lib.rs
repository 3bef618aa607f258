//! The agent: runs the tasks that a server gives it, on one machine.
//!
//! It speaks the same protocol as Amazon's agent: it registers a container instance, holds the
//! ACS and TCS websockets, and reports state changes by API calls.
//!
//! - [`runtime`]: what is needed of the thing that runs containers;
//! - [`directory`]: what the process may know of the agent's tasks;
//! - the task engine decides, as a step machine without I/O, what shall happen to containers;
//! - the journal keeps what must outlive the process.

pub mod agent;
pub mod clock;
pub mod config;
pub mod directory;
pub mod ecs;
pub mod engine;
pub mod fleet;
pub mod http;
pub mod joined;
pub mod journal;
pub mod kept;
pub mod metadata;
mod reach;
mod register;
pub mod runtime;
mod socket;
mod telemetry;
