//! Deleting a service: every task is stopped, then it is INACTIVE (reference §2.4, §7.10).

use berth_model::scheduler::{DeploymentStatus, Stability};
use berth_model::task::{Desired, LastStatus};

use super::draft::Draft;
use super::look::Condition;
use super::plan::{StopReason, TaskSetChange};

/// One look at a service that is DRAINING.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>) {
    // Protection keeps a task from scaling in, not from its service's end.
    for seen in draft.look.live.clone() {
        if seen.task.desired == Desired::Running && draft.can_stop() {
            let lost = seen.condition == Condition::Lost;
            let why = if lost {
                StopReason::InstanceLost
            } else {
                StopReason::Scaling
            };
            draft.stop(&seen, why);
        }
    }
    let busy = draft.look.live.iter().any(|seen| {
        let ends = seen.task.last >= LastStatus::Deactivating || seen.condition == Condition::Lost;
        seen.task.desired == Desired::Running || !ends
    });
    if busy {
        return;
    }
    draft.plan.inactive = true;
    let now = draft.now();
    for rollout in draft.rollouts.values_mut() {
        rollout.status = DeploymentStatus::Inactive;
    }
    if let Some(run) = &mut draft.run
        && !run.status.is_terminal()
    {
        *run = run.superseded(now);
    }
    for set in draft.view.task_sets.iter().flatten() {
        draft.plan.task_sets.push(TaskSetChange {
            id: set.id,
            stability: Stability::SteadyState,
            throttle: set.throttle,
            gone: true,
        });
    }
}
