//! Suites of the clients that people use, each against a whole server.

// A task definition with every argument is one long `json!`.
#![recursion_limit = "256"]
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod aws_cli;
mod boto;
mod sdks;
mod terraform;
