//! Services: what the scheduler wants changed to keep what was asked for.
//!
//! [`decide`] looks at one service and answers a [`ServicePlan`]; the shell carries it out and
//! asks [`settle`] what placement's answers mean. Both are plain functions: the same view, instant
//! and ids give the same plan.
//!
//! Rules kept here:
//! - the view is built anew for each look, and everything that must outlast one look is in the
//!   blocks of `berth_model::scheduler`, which nobody else writes;
//! - a plan carried out leaves nothing to do until something changes or its time comes.
//!
//! Where a task lands is `placement`'s business; how a plan is carried out is the shell's.

mod blue_green;
mod daemon;
mod delete;
mod draft;
mod events;
mod failure;
mod fill;
mod hooks;
mod look;
mod move_over;
mod percents;
mod plan;
mod rebalance;
mod rolling;
mod scale_in;
mod settle;
mod steady;
mod stopped;
mod task_sets;
mod throttle;
mod view;

use berth_model::time::Timestamp;
use berth_state::Ids;

pub use draft::{STARTS_MAX, STOPS_MAX};
pub use events::{Event, TASKS_MAX, TELL_AGAIN};
pub(crate) use move_over::{Fullest, fullest};
pub use percents::{breaker_threshold, next_capacity, scaled};
pub use plan::{
    Outcome, Place, ServicePlan, Settled, StartReason, StartTask, StopReason, StopTask,
    TaskSetChange,
};
pub use settle::settle;
pub use throttle::{FIRST_WAIT, FREE_ROUNDS, LONGEST_WAIT, wait_after};
pub use view::{
    Alarms, Breaker, CapacityItem, DeploymentView, Hook, HookTarget, InstanceView, Roomier,
    RunView, ServiceView, Strategy, Target, TargetHealth, TaskSetView, TaskView, Threshold,
};

use draft::Draft;

/// What should change of a service.
#[must_use]
pub fn decide(view: &ServiceView<'_>, now: Timestamp, ids: &mut Ids) -> ServicePlan {
    let mut draft = Draft::new(view, now, ids);
    stopped::count(&mut draft);
    draft.note_room();
    let shifts = view.strategy != Strategy::Rolling && view.run.is_some();
    if view.draining {
        delete::decide(&mut draft);
    } else if view.task_sets.is_some() {
        task_sets::decide(&mut draft);
    } else if let (true, Target::Replica { desired }) = (shifts, &view.target) {
        blue_green::decide(&mut draft, *desired as usize);
    } else {
        rolling::decide(&mut draft);
    }
    draft.finish()
}

#[cfg(test)]
mod tests;
