//! Services: create, update, delete, describe and list; their deployments, revisions and task
//! sets; the protection of their tasks. What a service's tasks do is for its controller to decide.

mod configuration;
mod create;
mod delete;
mod deploy;
mod describe;
mod list;
mod names;
mod protection;
mod render;
mod rollouts;
mod task_sets;
mod update;
mod wanted;

pub(crate) use create::create_service;
pub(crate) use delete::delete_service;
pub(crate) use describe::describe_services;
pub(crate) use list::{list_services, list_services_by_namespace};
pub(crate) use names::{known_service, service_key};
pub(crate) use protection::{get_task_protection, update_task_protection};
pub(crate) use rollouts::{
    continue_service_deployment, describe_service_deployments, describe_service_revisions,
    list_service_deployments, stop_service_deployment,
};
pub(crate) use task_sets::{
    create_task_set, delete_task_set, describe_task_sets, update_service_primary_task_set,
    update_task_set,
};
pub(crate) use update::update_service;
