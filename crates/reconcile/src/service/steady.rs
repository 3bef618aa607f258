//! Whether a service has come to rest, and telling so.

use berth_model::scheduler::{DeploymentStatus, RolloutState, Trouble};
use berth_model::task::Desired;

use super::draft::Draft;
use super::events::TELL_AGAIN;
use super::look::Condition;
use super::plan::{Place, StartTask};
use super::settle::was_refused;

/// Whether nothing of the service moves: every task that takes room is healthy, in its place,
/// and there are `target` of them.
pub(super) fn at_rest(draft: &Draft<'_, '_, '_>, target: usize) -> bool {
    let all_serve = draft.look.live.iter().all(|seen| match seen.condition {
        Condition::Lost => seen.task.desired == Desired::Stopped,
        Condition::Healthy => seen.draining.is_none(),
        Condition::Stopping | Condition::Pending | Condition::Unhealthy | Condition::Starting => {
            false
        }
    });
    let serving = draft.look.live.iter().filter(|seen| seen.is_healthy());
    // A daemon's instance that had no room is tried again and again; what becomes of it is seen
    // when there is a task.
    let is_try = |start: &StartTask| match start.place {
        Place::Instance(instance) => was_refused(&draft.memory, instance),
        Place::Any | Place::Zone(_) => false,
    };
    all_serve
        && serving.count() == target
        && draft.plan.stops.is_empty()
        && draft.plan.starts.iter().all(is_try)
}

/// Tells of the steady state when it is new, and every six hours.
pub(super) fn tell(draft: &mut Draft<'_, '_, '_>, target: usize) {
    let listed = draft
        .rollouts
        .values()
        .filter(|rollout| rollout.status != DeploymentStatus::Inactive);
    // A deployment that bakes is not done, though its tasks are all there.
    let under_way = draft.rollouts.values().any(|rollout| {
        rollout.status == DeploymentStatus::Primary && rollout.state == RolloutState::InProgress
    });
    let steady = listed.count() <= 1 && !under_way && at_rest(draft, target);
    if !steady {
        draft.memory.steady_told_at = None;
        return;
    }
    draft.memory.told.remove(&Trouble::Percents);
    draft.memory.told.remove(&Trouble::Protection);
    let due = match draft.memory.steady_told_at {
        None => true,
        Some(told) => draft.is_past(told + TELL_AGAIN),
    };
    if due {
        let now = draft.now();
        draft.memory.steady_told_at = Some(now);
        let event = draft.teller().steady();
        draft.plan.events.push(event);
        let providers = draft.view.capacity.iter();
        let providers: Vec<_> = providers.map(|item| item.provider.clone()).collect();
        if !providers.is_empty() {
            let event = draft.teller().providers_steady(providers);
            draft.plan.events.push(event);
        }
        draft.is_past(now + TELL_AGAIN);
    }
}
