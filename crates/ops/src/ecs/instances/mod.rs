//! Container instances: register, describe, list, drain and deregister, and their attributes.

mod attributes;
mod deregister;
mod describe;
mod list;
mod named;
mod register;
mod registration;
pub(crate) mod render;
mod status;

pub(crate) use attributes::{delete_attributes, list_attributes, put_attributes};
pub(crate) use deregister::deregister_container_instance;
pub(crate) use describe::describe_container_instances;
pub(crate) use list::list_container_instances;
pub(crate) use register::register_container_instance;
pub(crate) use status::{update_container_agent, update_container_instances_state};
