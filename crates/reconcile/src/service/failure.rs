//! Deployments that fail: what trips them, and what is gone back to.
//!
//! Rules kept here:
//! - the circuit breaker counts to ECS's threshold; alarms count unless they rang before the
//!   deployment began; both only on the way forward;
//! - a deployment that goes back makes the last completed one PRIMARY again, under its own id
//!   (reference §7.5);
//! - where there is nothing to go back to, the failed one stays PRIMARY and FAILED.

use berth_model::scheduler::{
    DeploymentId, DeploymentStatus, MonitorStatus, Rollback, RolloutState, RunStatus, StopType,
};
use berth_model::text::Text;

use super::draft::Draft;
use super::percents::breaker_threshold;
use super::view::{Strategy, Target};

/// Why a deployment fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Too many of its tasks failed.
    Breaker,
    /// These alarms went off.
    Alarms(Vec<Text>),
    /// A user stopped it.
    Asked(StopType),
    /// A life-cycle hook says so; the text is the `statusReason`.
    Hook(Text),
}

impl Failure {
    /// What follows `deployment failed: ` in the event.
    fn event_text(&self) -> String {
        match self {
            Self::Breaker => "tasks failed to start.".to_owned(),
            Self::Alarms(_) => "alarm detected.".to_owned(),
            Self::Asked(_) => "stopped by user.".to_owned(),
            Self::Hook(reason) => reason.to_string(),
        }
    }

    fn rollout_reason(&self) -> Text {
        match self {
            Self::Breaker => Text::new("ECS deployment circuit breaker: tasks failed to start."),
            Self::Alarms(_) => Text::new("ECS deployment failed: alarm detected."),
            Self::Asked(_) => Text::new("ECS deployment failed: stopped by user."),
            Self::Hook(reason) => Text::from(format!("ECS deployment failed: {reason}")),
        }
    }

    /// The `rolloutStateReason` of what is gone back to.
    fn rolling_back(&self, to: DeploymentId) -> Text {
        let by = match self {
            Self::Breaker => "circuit breaker",
            Self::Alarms(_) => "alarm",
            Self::Asked(_) | Self::Hook(_) => "rollback",
        };
        Text::from(format!(
            "ECS deployment {by}: rolling back to deploymentId {to}."
        ))
    }

    /// The service deployment's `statusReason`.
    fn status_reason(&self, back: bool) -> Text {
        let verb = if back { "rolled back" } else { "stopped" };
        match self {
            Self::Breaker => Text::from(format!(
                "Service deployment {verb} because the circuit breaker threshold was exceeded."
            )),
            Self::Alarms(_) => Text::from(format!(
                "Service deployment {verb} because alarm was detected."
            )),
            Self::Asked(_) => Text::from(format!("Service deployment {verb} by user.")),
            Self::Hook(reason) => reason.clone(),
        }
    }

    fn goes_back(&self, draft: &Draft<'_, '_, '_>) -> bool {
        match self {
            Self::Breaker => draft.view.breaker.rollback,
            Self::Alarms(_) => draft.view.alarms.is_some_and(|alarms| alarms.rollback),
            Self::Asked(StopType::Rollback) | Self::Hook(_) => true,
            Self::Asked(StopType::Abort) => false,
        }
    }
}

/// Whether a deployment that fails for this reason goes back. One that shifts traffic always does:
/// where the traffic is, tasks must stay.
fn wants_back(draft: &Draft<'_, '_, '_>, failure: &Failure) -> bool {
    let shifts = match draft.view.strategy {
        Strategy::Rolling => false,
        Strategy::BlueGreen | Strategy::Linear { .. } | Strategy::Canary { .. } => true,
    };
    failure.goes_back(draft)
        || (shifts && draft.view.run.as_ref().is_some_and(|r| r.source.is_some()))
}

/// Whether the deployment under way is to fail now.
pub(super) fn found(draft: &mut Draft<'_, '_, '_>) -> Option<Failure> {
    let view = draft.view;
    let target = view.run.as_ref()?.target;
    let run = draft.run.as_ref()?;
    if run.rollback.is_some() || run.status.is_terminal() {
        return None;
    }
    if let Some(asked) = run.asked {
        return Some(Failure::Asked(asked));
    }
    let rings: Vec<Text> = view
        .alarms
        .map_or(&[] as &[Text], |alarms| alarms.in_alarm)
        .iter()
        .filter(|alarm| !run.alarms_ignored.contains(alarm))
        .cloned()
        .collect();
    if !rings.is_empty() {
        return Some(Failure::Alarms(rings));
    }
    let desired = match &view.target {
        Target::Replica { desired } => *desired as usize,
        Target::Daemon { eligible } => eligible.len(),
    };
    let threshold = breaker_threshold(view.breaker.threshold, desired);
    let rollout = draft.rollouts.get(&target)?;
    let trips = view.breaker.enabled
        && rollout.state == RolloutState::InProgress
        && rollout.failed_tasks >= threshold;
    trips.then_some(Failure::Breaker)
}

/// Fails the deployment under way, and goes back if that is wanted and possible.
pub(super) fn fail(draft: &mut Draft<'_, '_, '_>, failure: &Failure) {
    let view = draft.view;
    let Some(view_run) = &view.run else { return };
    let now = draft.now();
    let teller = draft.teller();
    let failed = view_run.target;
    let reason = failure.rollout_reason();
    draft.rollout(failed, |rollout| {
        rollout.state = RolloutState::Failed;
        rollout.reason = reason.clone();
    });
    let event = teller.deployment_failed(failed, &failure.event_text(), &reason);
    draft.plan.events.push(event);
    let wanted = wants_back(draft, failure);
    let to = view_run.source.filter(|to| wanted && *to != failed);
    if let Some(to) = to {
        go_back(draft, failure, failed, to);
    }
    let Some(run) = &mut draft.run else { return };
    let monitor = match failure {
        Failure::Breaker => Some(&mut run.breaker),
        Failure::Alarms(rings) => {
            run.alarms_triggered.clone_from(rings);
            Some(&mut run.alarms)
        }
        Failure::Asked(_) | Failure::Hook(_) => None,
    };
    if let Some(monitor) = monitor {
        *monitor = MonitorStatus::Triggered;
    }
    if to.is_some() {
        let reason = failure.status_reason(true);
        run.status = RunStatus::RollbackInProgress;
        run.reason = Some(reason.clone());
        run.rollback = Some(Rollback {
            reason,
            started_at: now,
            to,
        });
        return;
    }
    run.finished_at = Some(now);
    (run.status, run.reason) = if wanted {
        let none = "No rollback candidate was found to run the rollback.";
        (RunStatus::RollbackFailed, Some(Text::new(none)))
    } else {
        (RunStatus::Stopped, Some(failure.status_reason(false)))
    };
}

/// Makes `to` PRIMARY in place of `failed`.
fn go_back(
    draft: &mut Draft<'_, '_, '_>,
    failure: &Failure,
    failed: DeploymentId,
    to: DeploymentId,
) {
    let kept = draft
        .view
        .run
        .as_ref()
        .and_then(|run| run.source_kept.clone());
    if let (Some(kept), false) = (kept, draft.rollouts.contains_key(&to)) {
        draft.rollouts.insert(to, kept);
    }
    let reason = failure.rolling_back(to);
    let teller = draft.teller();
    draft.rollout(failed, |rollout| rollout.status = DeploymentStatus::Active);
    draft.rollout(to, |rollout| {
        rollout.status = DeploymentStatus::Primary;
        rollout.state = RolloutState::InProgress;
        rollout.reason = reason.clone();
        rollout.failed_tasks = 0;
        rollout.failed_at = None;
        rollout.throttle = berth_model::scheduler::Throttle::default();
    });
    draft.plan.events.push(teller.rolling_back(to));
    draft.plan.events.push(teller.deployment_began(to, &reason));
}
