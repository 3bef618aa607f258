//! Tasks: run, start, stop, describe and list.

pub(crate) mod capacity;
mod describe;
mod draft;
mod list;
pub(crate) mod network;
mod overrides;
pub(crate) mod placing;
pub(crate) mod render;
mod run;
mod start;
mod stop;

pub(crate) use describe::describe_tasks;
pub(crate) use list::list_tasks;
pub(crate) use run::run_task;
pub(crate) use start::start_task;
pub(crate) use stop::stop_task;
