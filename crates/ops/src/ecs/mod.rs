//! Amazon ECS: what its operations do, one module per resource.

pub(crate) mod agents;
pub(crate) mod clusters;
pub(crate) mod definitions;
pub(crate) mod fault;
pub(crate) mod instances;
pub(crate) mod names;
pub(crate) mod paging;
pub(crate) mod services;
pub(crate) mod settings;
pub(crate) mod sizes;
pub(crate) mod strategy;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod token;
