//! Rolling deployments: the primary deployment grows, older ones shrink, within the percents,
//! until the circuit breaker, an alarm or a user says otherwise.
//!
//! Rules kept here:
//! - one deployment is PRIMARY; a deployment without tasks that is not leaves the list;
//! - a deployment is COMPLETED when its tasks are all healthy and alone, and never after it
//!   FAILED, so that a rolled-back one does not look successful;
//! - a failed deployment starts no more tasks.

use std::time::Duration;

use berth_model::scheduler::{
    DeploymentId, DeploymentStatus, MonitorStatus, RolloutState, RunStatus, Stage, Trouble,
};
use berth_model::text::Text;

use super::daemon::{self, Daemons};
use super::draft::Draft;
use super::events::worth_telling;
use super::failure;
use super::fill::{Fill, Hindrance, Mode, fill};
use super::view::Target;
use super::{move_over, rebalance, steady};

/// One look at a service whose deployments are rolling, or that has none under way.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>) {
    begin(draft);
    if let Some(failure) = failure::found(draft) {
        failure::fail(draft, &failure);
    }
    let Some(primary) = primary(draft) else {
        return;
    };
    settle_digests(draft);
    let (target, hindrance) = bring(draft, primary);
    tell_hindrance(draft, primary, hindrance);
    retire(draft, primary);
    complete(draft, primary, target);
    rebalance::decide(draft, target);
    move_over::decide(draft, target);
    steady::tell(draft, target);
}

/// The PRIMARY deployment, as this look has left it so far.
pub(super) fn primary(draft: &Draft<'_, '_, '_>) -> Option<DeploymentId> {
    let mut all = draft.rollouts.iter();
    all.find(|(_, rollout)| rollout.status == DeploymentStatus::Primary)
        .map(|(id, _)| *id)
}

/// Other deployments that are listed, newest first.
pub(super) fn others(draft: &Draft<'_, '_, '_>, primary: DeploymentId) -> Vec<DeploymentId> {
    let listed = draft
        .view
        .deployments
        .iter()
        .map(|deployment| deployment.id);
    listed
        .filter(|id| *id != primary)
        .filter(|id| draft.rollouts[id].status != DeploymentStatus::Inactive)
        .collect()
}

/// Begins the service deployment that an operation made.
pub(super) fn begin(draft: &mut Draft<'_, '_, '_>) {
    let now = draft.now();
    let view = draft.view;
    let Some(run) = &mut draft.run else { return };
    if run.status != RunStatus::Pending {
        return;
    }
    let monitored = |on: bool| {
        if on {
            MonitorStatus::Monitoring
        } else {
            MonitorStatus::Disabled
        }
    };
    run.status = RunStatus::InProgress;
    run.started_at = Some(now);
    run.stage_since = now;
    run.breaker = monitored(view.breaker.enabled);
    run.alarms = monitored(view.alarms.is_some());
    run.alarms_ignored = view
        .alarms
        .map_or_else(Vec::new, |alarms| alarms.in_alarm.to_vec());
    if let Some(target) = view.run.as_ref().map(|run| run.target) {
        let reason = format!("ECS deployment {target} in progress.");
        let event = draft.teller().deployment_began(target, &reason);
        draft.plan.events.push(event);
    }
}

/// Takes a deployment's image digests from the first task that reported them.
pub(super) fn settle_digests(draft: &mut Draft<'_, '_, '_>) {
    for deployment in draft.view.deployments.iter().filter(|d| !d.digests_known) {
        let reported = draft
            .look
            .of(deployment.id)
            .filter(|seen| seen.task.has_digests);
        let first = reported.min_by_key(|seen| (seen.task.created_at, seen.id()));
        if let Some(seen) = first {
            draft.plan.digests.push((deployment.id, seen.id()));
        }
    }
}

/// Plans starts and stops. Answers how many tasks there are to be, and what stood in the way.
fn bring(draft: &mut Draft<'_, '_, '_>, primary: DeploymentId) -> (usize, Hindrance) {
    let others = others(draft, primary);
    let failed = draft.rollouts[&primary].state == RolloutState::Failed;
    let kept = others
        .iter()
        .copied()
        .find(|id| draft.rollouts[id].state == RolloutState::Completed);
    let mut rest = others.clone();
    // Those of a deployment that left the list while its machine was lost, and is back.
    for seen in &draft.look.live {
        let id = seen.task.deployment;
        if id != primary && !rest.contains(&id) {
            rest.push(id);
        }
    }
    let (group, mode) = match kept.filter(|_| failed) {
        Some(kept) => {
            rest.retain(|id| *id != kept);
            rest.push(primary);
            (kept, Mode::Hold)
        }
        None => (primary, Mode::Replace),
    };
    let may_start = draft.rollouts[&group].state != RolloutState::Failed && may_start(draft, group);
    let view = draft.view;
    match &view.target {
        Target::Daemon { eligible } => {
            let hold = mode == Mode::Hold;
            let daemons = Daemons {
                group,
                may_start,
                hold,
                eligible,
            };
            daemon::bring(draft, &daemons)
        }
        Target::Replica { desired } => {
            let target = *desired as usize;
            let hindrance = fill(
                draft,
                &Fill {
                    group,
                    target,
                    others: &rest,
                    mode,
                    may_start,
                    capacity: view.capacity,
                },
            );
            (target, hindrance)
        }
    }
}

/// Whether the back-off of the deployment's starts is over.
pub(super) fn may_start(draft: &mut Draft<'_, '_, '_>, id: DeploymentId) -> bool {
    let until = draft.rollouts[&id].throttle.until;
    until.is_none_or(|until| draft.is_past(until))
}

pub(super) fn tell_hindrance(
    draft: &mut Draft<'_, '_, '_>,
    group: DeploymentId,
    hindrance: Hindrance,
) {
    let now = draft.now();
    if hindrance.percents && worth_telling(&mut draft.memory, Trouble::Percents, now) {
        let event = draft.teller().percents_in_the_way();
        draft.plan.events.push(event);
    }
    if hindrance.protected > 0 && worth_telling(&mut draft.memory, Trouble::Protection, now) {
        let event = draft.teller().protected(group, hindrance.protected);
        draft.plan.events.push(event);
    }
}

/// Takes deployments without tasks out of the list.
pub(super) fn retire(draft: &mut Draft<'_, '_, '_>, primary: DeploymentId) {
    let failed = draft.rollouts[&primary].state == RolloutState::Failed;
    for id in others(draft, primary) {
        // What a failed deployment left running is kept, also while none of it runs.
        let kept = failed && draft.rollouts[&id].state == RolloutState::Completed;
        if !kept && draft.look.is_empty(id) {
            draft.rollout(id, |rollout| rollout.status = DeploymentStatus::Inactive);
        }
    }
}

/// Completes the primary deployment when its tasks are all there, healthy and alone.
fn complete(draft: &mut Draft<'_, '_, '_>, primary: DeploymentId, target: usize) {
    let in_progress = draft.rollouts[&primary].state == RolloutState::InProgress;
    let alone = others(draft, primary).is_empty();
    if !in_progress || !alone || !steady::at_rest(draft, target) || !is_baked(draft) {
        return;
    }
    mark_completed(draft, primary);
}

/// Marks a deployment COMPLETED, tells so, and ends the service deployment.
pub(super) fn mark_completed(draft: &mut Draft<'_, '_, '_>, id: DeploymentId) {
    let reason = Text::from(format!("ECS deployment {id} completed."));
    let event = draft.teller().deployment_completed(id, &reason);
    draft.plan.events.push(event);
    draft.rollout(id, |rollout| {
        rollout.state = RolloutState::Completed;
        rollout.reason = reason;
    });
    end_run(draft);
}

/// Whether the bake time, in which alarms are still watched, is over.
fn is_baked(draft: &mut Draft<'_, '_, '_>) -> bool {
    let now = draft.now();
    let bake = draft.view.bake_time;
    let Some(run) = &mut draft.run else {
        return true;
    };
    if bake == Duration::ZERO || run.rollback.is_some() {
        return true;
    }
    if run.stage != Some(Stage::BakeTime) {
        run.stage = Some(Stage::BakeTime);
        run.stage_since = now;
    }
    let since = run.stage_since;
    draft.is_past(since + bake)
}

/// Ends the service deployment well: it arrived, or it is back.
fn end_run(draft: &mut Draft<'_, '_, '_>) {
    let now = draft.now();
    let Some(run) = &mut draft.run else { return };
    run.finished_at = Some(now);
    run.stage = None;
    if run.rollback.is_some() {
        run.status = RunStatus::RollbackSuccessful;
        return;
    }
    run.status = RunStatus::Successful;
    for monitor in [&mut run.breaker, &mut run.alarms] {
        if *monitor == MonitorStatus::Monitoring {
            *monitor = MonitorStatus::Complete;
        }
    }
}
