//! What the controllers want changed: plain functions of what is, an instant and settings.
//!
//! Each controller is a `decide` that answers a plan of plain data, and a `carry_out` that makes
//! no choices. Both run in one transaction, so no plan is ever stale. They trust the state and
//! not messages: a lost or doubled wake-up costs time, never correctness.

pub mod absence;
pub mod purge;
pub mod service;
pub mod services;
pub mod waiting;
