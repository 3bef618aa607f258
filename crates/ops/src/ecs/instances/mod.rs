//! Container instances: register, describe, list, drain and deregister, and their attributes.

mod register;
mod registration;
mod render;

pub(crate) use register::register_container_instance;
