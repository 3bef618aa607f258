//! What Berth knows: ids, names, ARNs, the records of control-plane state, and the state
//! machines that say how a record may change.
//!
//! Rules kept here:
//! - nothing in this crate reads a clock, rolls dice or does I/O;
//! - text is parsed once, at the edge; after that a value of the type is proof;
//! - a record holds no ARN, and nothing that its task definition already says;
//! - intent (`desired`, what operations and controllers want) and observation (`last`, what
//!   agents report) are separate fields, each with one writer.
//!
//! How records are kept, indexed and saved is the business of the `state` and `storage` crates.

pub mod arn;
pub mod capacity_provider;
pub mod cluster;
pub mod definition;
pub mod id;
pub mod instance;
pub mod joining;
pub mod log;
pub mod name;
pub mod resources;
pub mod scheduler;
pub mod service;
pub mod setting;
pub mod tags;
pub mod task;
pub mod text;
pub mod time;
pub mod waiting;
