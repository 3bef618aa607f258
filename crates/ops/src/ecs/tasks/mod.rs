//! Tasks: run, start, stop, describe and list.

mod capacity;
mod describe;
mod draft;
mod list;
mod network;
mod overrides;
mod placing;
pub(crate) mod render;
mod run;
mod start;
mod stop;

pub(crate) use describe::describe_tasks;
pub(crate) use list::list_tasks;
pub(crate) use run::run_task;
pub(crate) use start::start_task;
pub(crate) use stop::stop_task;
