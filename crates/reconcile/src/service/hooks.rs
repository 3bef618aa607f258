//! Life-cycle hooks of a stage: begun once, waited for, and given up at their time's end.
//!
//! What a hook's target answers, and what a user says to a pause, comes as
//! [`HookRun::answer`](berth_model::scheduler::HookRun); who calls targets is not here.

use berth_model::scheduler::{HookAction, HookAnswer, HookRun, HookStatus, Stage};
use berth_model::text::Text;

use super::draft::Draft;
use super::view::{Hook, HookTarget};

/// How the hooks of a stage stand together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Some have no answer yet.
    Wait,
    /// All let it go on.
    Pass,
    /// One says to go back; the text is the service deployment's `statusReason`.
    Back(Text),
}

/// Begins the stage's hooks if that has not been done, and says how they stand.
pub(super) fn of_stage(draft: &mut Draft<'_, '_, '_>, stage: Stage, rollback: bool) -> Verdict {
    let hooks = draft.view.hooks;
    let mut waits = false;
    let mut back = None;
    for (at, hook) in (0_u32..).zip(hooks) {
        if !hook.stages.contains(&stage) {
            continue;
        }
        let Some(run) = &draft.run else { break };
        let same =
            |run: &&HookRun| run.hook == at && run.stage == stage && run.rollback == rollback;
        let Some(known) = run.hooks.iter().find(same).cloned() else {
            begin(draft, at, hook, stage, rollback);
            waits = true;
            continue;
        };
        let over = draft.is_past(known.expires_at);
        let status = after(hook, &known, over);
        match status {
            HookStatus::AwaitingAction | HookStatus::InProgress => waits = true,
            HookStatus::Succeeded => {}
            HookStatus::TimedOut if hook.on_timeout == HookAction::Continue => {}
            HookStatus::Failed | HookStatus::TimedOut => {
                back.get_or_insert_with(|| reason(hook, &known, status));
            }
        }
        let held = draft.run.iter_mut().flat_map(|run| run.hooks.iter_mut());
        for held in held.filter(|held| held.id == known.id) {
            held.status = status;
        }
    }
    match (back, waits) {
        (Some(reason), _) => Verdict::Back(reason),
        (None, true) => Verdict::Wait,
        (None, false) => Verdict::Pass,
    }
}

fn begin(draft: &mut Draft<'_, '_, '_>, at: u32, hook: &Hook, stage: Stage, rollback: bool) {
    let now = draft.now();
    let id = draft.ids.chance();
    let status = match hook.target {
        HookTarget::Pause => HookStatus::AwaitingAction,
        HookTarget::Call(_) => HookStatus::InProgress,
    };
    let begun = HookRun {
        hook: at,
        id,
        stage,
        rollback,
        status,
        started_at: now,
        expires_at: now + hook.timeout,
        answer: None,
    };
    draft.is_past(begun.expires_at);
    if let HookTarget::Call(_) = hook.target {
        draft.plan.calls.push(begun.clone());
    }
    if let Some(run) = &mut draft.run {
        run.hooks.push(begun);
    }
}

fn after(hook: &Hook, run: &HookRun, over: bool) -> HookStatus {
    match (run.status, &run.answer) {
        (HookStatus::Succeeded | HookStatus::Failed | HookStatus::TimedOut, _) => run.status,
        (_, Some(HookAnswer::Continue)) => HookStatus::Succeeded,
        (_, Some(HookAnswer::Rollback(_))) => HookStatus::Failed,
        (_, None) if over => HookStatus::TimedOut,
        (_, None) => match hook.target {
            HookTarget::Pause => HookStatus::AwaitingAction,
            HookTarget::Call(_) => HookStatus::InProgress,
        },
    }
}

fn reason(hook: &Hook, run: &HookRun, status: HookStatus) -> Text {
    let stage = run.stage.as_str();
    let begin = "Service deployment rolled back because";
    let text = match (&run.answer, &hook.target) {
        (Some(HookAnswer::Rollback(said)), _) if !said.is_empty() => return said.clone(),
        (_, HookTarget::Pause) if status == HookStatus::TimedOut => {
            format!("{begin} {stage} pause hook timed out.")
        }
        (_, HookTarget::Pause) => "Service deployment rolled back by user.".to_owned(),
        (_, HookTarget::Call(_)) if status == HookStatus::TimedOut => {
            format!("{begin} {stage} lifecycle hook(s) timed out.")
        }
        (_, HookTarget::Call(arn)) => format!(
            "{begin} {stage} lifecycle hook(s) failed. Lifecycle hook target {arn} returned \
             FAILED status."
        ),
    };
    Text::from(text)
}
