//! Amazon ECS: what its operations do, one module per resource.

pub(crate) mod names;
pub(crate) mod tags;
