//! Records as the API shows them.
//!
//! Which members stand in an answer although they are empty is Amazon ECS's choice, shape by
//! shape (reference §1.1): an empty list and an absent one are not the same to clients.

pub(crate) mod cluster;
pub(crate) mod definition;
