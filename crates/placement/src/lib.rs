//! Placement: which container instance a task fits on, and why not.
//!
//! Rules kept here:
//! - everything is a plain function of what the caller told: no clock, no dice, no I/O;
//! - constraints are hard, strategies are best effort, and both mean what the Amazon ECS API
//!   says they mean (reference §6);
//! - no machine is ever given more than it has, and no host port twice;
//! - placing one task never looks at every instance: the [`Fleet`] keeps instances in order for
//!   the kinds of request that come;
//! - every refusal has a reason for each instance that was looked at, in ECS's own words.
//!
//! The [`Fleet`] is derived from the state's records and never saved. How failures appear on the
//! wire is the business of `ops`.

mod fleet;
mod host;
mod query;
mod refusal;
mod request;
mod strategy;
mod wanted;

pub use fleet::{Examined, Fleet, Remaining};
pub use host::{Host, Occupant};
pub use query::{EXPRESSION_LENGTH_MAX, Expression, Facts, InstanceFacts, InvalidExpression};
pub use refusal::{REFUSALS_MAX, Reason, Refusal};
pub use request::{Launch, Placement, Request};
pub use strategy::{
    BinpackField, CONSTRAINTS_MAX, InvalidStrategy, STRATEGIES_MAX, SpreadField, Strategy,
};
pub use wanted::Wanted;
