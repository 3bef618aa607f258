//! The services; generated from `api-models/` by `cargo xtask gen`.

pub mod ecs;
pub mod logs;
pub mod sts;

/// Every service that has types here, by name.
pub const SERVICES: &[&crate::Service] = &[&ecs::SERVICE, &logs::SERVICE, &sts::SERVICE];
