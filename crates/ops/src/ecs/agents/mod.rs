//! What agents call: where to connect, and what became of tasks.

mod address;
mod poll;
mod report;

pub(crate) use poll::discover_poll_endpoint;
pub(crate) use report::{
    submit_attachment_state_changes, submit_container_state_change, submit_task_state_change,
};
