//! The requests, responses and faults of the AWS services, as types.
//!
//! Everything in [`services`](self) is generated from the published models in `api-models/` by
//! `cargo xtask gen`; what stands beside it is what all services share: how a structure is read
//! and written, how a model's constraints are checked, and how a broken one is worded.
//! What an operation does is not here, and neither is any rule that its model does not state.

pub mod compatibility;
mod operation;
mod refusal;
mod services;
mod shape;
pub mod validation;

pub use operation::{Operation, Protocol, Service, decode_form, decode_json, validate};
pub use refusal::{RefusalForm, Refusals};
pub use services::*;
pub use shape::{Empty, Enumeration};
