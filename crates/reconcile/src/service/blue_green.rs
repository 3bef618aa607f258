//! BLUE_GREEN, LINEAR and CANARY deployments: green tasks beside the blue ones, traffic shifted in
//! stages, and back again when something says so (reference §7.7).
//!
//! Rules kept here:
//! - a look makes at most one step from stage to stage, so that each is seen;
//! - blue keeps its full count until the clean-up, and gets its traffic back before green loses
//!   a task;
//! - traffic is only wished for here ([`Run::traffic`](berth_model::scheduler::Run)); a stage ends
//!   when what is observed agrees;
//! - hooks cannot stop the way back.

use std::time::Duration;

use berth_model::scheduler::{DeploymentId, RolloutState, RunStatus, Stage, Traffic, Weight};

use super::draft::Draft;
use super::failure::{self, Failure};
use super::fill::{Fill, Hindrance, Mode, fill};
use super::hooks::{self, Verdict};
use super::look::Condition;
use super::rolling;
use super::steady;
use super::view::{RunView, Strategy};

/// Who is who in a deployment under way.
#[derive(Clone, Debug)]
struct Parties {
    green: DeploymentId,
    blue: Option<DeploymentId>,
    /// What else still has tasks.
    rest: Vec<DeploymentId>,
}

/// One look at a service with such a deployment under way.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>, desired: usize) {
    let fresh = draft
        .run
        .as_ref()
        .is_some_and(|run| run.status == RunStatus::Pending);
    rolling::begin(draft);
    let Some(parties) = parties(draft) else {
        return;
    };
    if fresh {
        let messy = parties.blue.is_some() && !parties.rest.is_empty();
        let first = if messy {
            Stage::ReconcileService
        } else {
            Stage::PreScaleUp
        };
        enter(draft, first);
    }
    rolling::settle_digests(draft);
    if let Some(failure) = failure::found(draft) {
        go_back(draft, &failure);
        return;
    }
    let Some(stage) = draft.run.as_ref().and_then(|run| run.stage) else {
        return;
    };
    let back = draft.run.as_ref().is_some_and(|run| run.rollback.is_some());
    bring(draft, &parties, stage, back, desired);
    if back {
        step_back(draft, &parties, stage, desired);
    } else {
        step(draft, &parties, stage, desired);
    }
    steady::tell(draft, desired);
}

fn parties(draft: &Draft<'_, '_, '_>) -> Option<Parties> {
    let run = draft.view.run.as_ref()?;
    // A source that left the list has no tasks, and nothing to be brought to order first.
    let (green, blue) = (run.target, run.source);
    let blue = blue.filter(|id| draft.rollouts.contains_key(id));
    let listed = draft
        .view
        .deployments
        .iter()
        .map(|deployment| deployment.id);
    let rest = listed
        .filter(|id| *id != green && Some(*id) != blue)
        .collect();
    Some(Parties { green, blue, rest })
}

fn enter(draft: &mut Draft<'_, '_, '_>, stage: Stage) {
    let now = draft.now();
    if let Some(run) = &mut draft.run {
        run.stage = Some(stage);
        run.stage_since = now;
    }
    draft.cut = true;
}

/// Fails the deployment; where there is a way back, its first stage is entered.
fn go_back(draft: &mut Draft<'_, '_, '_>, failure: &Failure) {
    failure::fail(draft, failure);
    if let Some(run) = &mut draft.run
        && run.status.is_terminal()
    {
        run.stage = None;
        return;
    }
    enter(draft, Stage::ProductionTrafficShift);
}

/// Keeps each side at its count for the stage.
fn bring(
    draft: &mut Draft<'_, '_, '_>,
    parties: &Parties,
    stage: Stage,
    back: bool,
    desired: usize,
) {
    let Parties { green, blue, rest } = parties;
    let blue_side: Vec<DeploymentId> = blue.iter().chain(rest).copied().collect();
    let green_side: Vec<DeploymentId> = std::iter::once(*green).chain(rest.clone()).collect();
    let mut hindrance = Hindrance::default();
    match (stage, back, blue) {
        (Stage::CleanUp, true, Some(blue)) => {
            hindrance = keep(draft, *blue, desired, &green_side);
        }
        (Stage::CleanUp, false, _) => hindrance = keep(draft, *green, desired, &blue_side),
        (_, _, blue) => {
            if let Some(blue) = blue {
                keep(draft, *blue, desired, rest);
            }
            if stage >= Stage::ScaleUp {
                keep(draft, *green, desired, &[]);
            }
        }
    }
    rolling::tell_hindrance(draft, *green, hindrance);
}

fn keep(
    draft: &mut Draft<'_, '_, '_>,
    group: DeploymentId,
    target: usize,
    others: &[DeploymentId],
) -> Hindrance {
    let failed = draft
        .rollouts
        .get(&group)
        .is_none_or(|rollout| rollout.state == RolloutState::Failed);
    let may_start = !failed && rolling::may_start(draft, group);
    let capacity = draft.view.capacity;
    fill(
        draft,
        &Fill {
            group,
            target,
            others,
            mode: Mode::Replace,
            may_start,
            capacity,
        },
    )
}

/// Whether a side has all its tasks, healthy.
fn is_full(draft: &Draft<'_, '_, '_>, id: DeploymentId, desired: usize) -> bool {
    let counted = |condition: Condition| {
        let same = draft.look.of(id).filter(|seen| seen.condition == condition);
        same.count()
    };
    counted(Condition::Healthy) == desired
        && [
            Condition::Pending,
            Condition::Starting,
            Condition::Unhealthy,
        ]
        .into_iter()
        .all(|condition| counted(condition) == 0)
}

/// What the traffic is, as far as that can be seen.
fn seen_traffic(draft: &Draft<'_, '_, '_>) -> Traffic {
    let seen = draft
        .view
        .run
        .as_ref()
        .and_then(|run: &RunView<'_>| run.traffic);
    let wished = draft.run.as_ref().map(|run| run.traffic);
    seen.or(wished).unwrap_or_default()
}

fn wish(draft: &mut Draft<'_, '_, '_>, change: impl FnOnce(&mut Traffic)) {
    if let Some(run) = &mut draft.run {
        change(&mut run.traffic);
    }
}

/// One step forward, if the stage is done.
fn step(draft: &mut Draft<'_, '_, '_>, parties: &Parties, stage: Stage, desired: usize) {
    let acted = match stage {
        Stage::ReconcileService => {
            parties.blue.is_none() || parties.rest.iter().all(|id| draft.look.is_empty(*id))
        }
        Stage::ScaleUp => is_full(draft, parties.green, desired),
        Stage::TestTrafficShift => {
            wish(draft, |traffic| traffic.test = Weight::ALL);
            seen_traffic(draft).test == Weight::ALL
        }
        Stage::ProductionTrafficShift => shift_production(draft),
        Stage::BakeTime => is_baked(draft, parties),
        Stage::CleanUp => {
            let empty = |id: &DeploymentId| draft.look.is_empty(*id);
            let gone = parties.blue.iter().chain(&parties.rest).all(empty);
            if gone && is_full(draft, parties.green, desired) {
                end(draft, parties.green, &parties.blue_and_rest());
            }
            return;
        }
        Stage::PreScaleUp
        | Stage::PostScaleUp
        | Stage::PostTestTrafficShift
        | Stage::PreProductionTrafficShift
        | Stage::PostProductionTrafficShift => true,
    };
    match hooks::of_stage(draft, stage, false) {
        Verdict::Back(reason) => go_back(draft, &Failure::Hook(reason)),
        Verdict::Wait => {}
        Verdict::Pass if acted => enter(draft, next(stage)),
        Verdict::Pass => {}
    }
}

impl Parties {
    fn blue_and_rest(&self) -> Vec<DeploymentId> {
        self.blue.iter().chain(&self.rest).copied().collect()
    }
}

/// The stage after this one, forward.
fn next(stage: Stage) -> Stage {
    match stage {
        Stage::ReconcileService => Stage::PreScaleUp,
        Stage::PreScaleUp => Stage::ScaleUp,
        Stage::ScaleUp => Stage::PostScaleUp,
        Stage::PostScaleUp => Stage::TestTrafficShift,
        Stage::TestTrafficShift => Stage::PostTestTrafficShift,
        Stage::PostTestTrafficShift => Stage::PreProductionTrafficShift,
        Stage::PreProductionTrafficShift => Stage::ProductionTrafficShift,
        Stage::ProductionTrafficShift => Stage::PostProductionTrafficShift,
        Stage::PostProductionTrafficShift => Stage::BakeTime,
        Stage::BakeTime | Stage::CleanUp => Stage::CleanUp,
    }
}

/// Wishes for the next share of production traffic when its time has come. Answers whether all
/// of it is green's.
fn shift_production(draft: &mut Draft<'_, '_, '_>) -> bool {
    let now = draft.now();
    let Some(run) = &draft.run else { return false };
    let (wished, since) = (run.traffic.production, run.stage_since);
    if seen_traffic(draft).production != wished {
        return false;
    }
    if wished == Weight::ALL {
        return true;
    }
    let (share, wait) = match draft.view.strategy {
        Strategy::Rolling | Strategy::BlueGreen => (Weight::ALL, Duration::ZERO),
        Strategy::Linear { step, step_bake } => {
            // A step of nothing would never arrive.
            let more = wished.0.saturating_add(step.0.max(1));
            (Weight(more.min(Weight::ALL.0)), step_bake)
        }
        Strategy::Canary { first, first_bake } if wished == Weight::NONE => {
            (first.clamp(Weight(1), Weight::ALL), first_bake)
        }
        Strategy::Canary { first_bake, .. } => (Weight::ALL, first_bake),
    };
    // The first share needs no wait.
    if wished != Weight::NONE && !draft.is_past(since + wait) {
        return false;
    }
    if let Some(run) = &mut draft.run {
        run.traffic.production = share;
        run.stage_since = now;
    }
    draft.cut = true;
    false
}

/// Whether both sides have run long enough; a first deployment has nothing to compare with.
fn is_baked(draft: &mut Draft<'_, '_, '_>, parties: &Parties) -> bool {
    let Some(run) = &draft.run else { return true };
    let over = run.stage_since + draft.view.bake_time;
    parties.blue.is_none() || draft.is_past(over)
}

/// One step back, if the stage is done. What hooks say is heard, but nothing stops the way back.
fn step_back(draft: &mut Draft<'_, '_, '_>, parties: &Parties, stage: Stage, desired: usize) {
    let had = draft
        .run
        .as_ref()
        .map(|run| run.traffic)
        .unwrap_or_default();
    match stage {
        Stage::ProductionTrafficShift => {
            wish(draft, |traffic| traffic.production = Weight::NONE);
            let begun = draft.run.as_ref().is_some_and(|run| {
                run.hooks
                    .iter()
                    .any(|hook| hook.rollback && hook.stage == stage)
            });
            let needed = had.production != Weight::NONE || begun;
            let heard = !needed || hooks::of_stage(draft, stage, true) != Verdict::Wait;
            if heard && seen_traffic(draft).production == Weight::NONE {
                enter(draft, Stage::TestTrafficShift);
            }
        }
        Stage::TestTrafficShift => {
            wish(draft, |traffic| traffic.test = Weight::NONE);
            let begun = draft.run.as_ref().is_some_and(|run| {
                run.hooks
                    .iter()
                    .any(|hook| hook.rollback && hook.stage == stage)
            });
            let needed = had.test != Weight::NONE || begun;
            let heard = !needed || hooks::of_stage(draft, stage, true) != Verdict::Wait;
            if heard && seen_traffic(draft).test == Weight::NONE {
                enter(draft, Stage::CleanUp);
            }
        }
        Stage::CleanUp => {
            let Some(blue) = parties.blue else { return };
            let mut others = parties.rest.clone();
            others.push(parties.green);
            let gone = others.iter().all(|id| draft.look.is_empty(*id));
            if gone && is_full(draft, blue, desired) {
                end(draft, blue, &others);
            }
        }
        Stage::ReconcileService
        | Stage::PreScaleUp
        | Stage::ScaleUp
        | Stage::PostScaleUp
        | Stage::PostTestTrafficShift
        | Stage::PreProductionTrafficShift
        | Stage::PostProductionTrafficShift
        | Stage::BakeTime => enter(draft, Stage::ProductionTrafficShift),
    }
}

/// Ends the service deployment: `stays` is COMPLETED, the others leave the list.
fn end(draft: &mut Draft<'_, '_, '_>, stays: DeploymentId, others: &[DeploymentId]) {
    for id in others {
        draft.rollout(*id, |rollout| {
            rollout.status = berth_model::scheduler::DeploymentStatus::Inactive;
        });
    }
    rolling::mark_completed(draft, stays);
}
