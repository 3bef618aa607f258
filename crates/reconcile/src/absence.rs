//! Agents that are away: when an instance stops counting as connected, and when its tasks are
//! given up.
//!
//! Rules kept here:
//! - time counts on the monotonic clock, only while this server leads, and from zero when it
//!   begins to lead: an agent that has not been back since then has longer;
//! - when many instances vanish at once, the fault is more likely ours or the network's, and
//!   nothing is given up for a while;
//! - tasks without a service are only shown as disconnected until the setting's time is over.

use std::collections::BTreeSet;
use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::task::{Desired, LastStatus, Stop, StopCode};
use berth_model::text::Text;
use berth_state::{Connection, State, Tx};

/// How long an agent that has not been back since this server began to lead is waited for: a
/// stock agent redials after at most 2 min 24 s (agent protocol reference §3.3).
pub const FIRST_RETURN: Duration = Duration::from_secs(150);
/// How long a newly registered instance counts as connected before its agent opened a session.
pub const REGISTERED_GRACE: Duration = Duration::from_secs(60);
/// How long nothing is given up after many instances vanished together.
pub const MASS_PAUSE: Duration = Duration::from_secs(150);
/// Within which time vanishing counts as together.
pub const MASS_WINDOW: Duration = Duration::from_secs(60);
/// Tasks given up in one step: a step stays below a few milliseconds of the writer.
pub const STEP_MAX: usize = 512;

/// One instance whose agent has no session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Absent {
    /// The instance.
    pub instance: InstanceId,
    /// For how long this server has missed it.
    pub away: Duration,
    /// Whether it had a session since this server began to lead.
    pub seen: bool,
}

/// What the settings say.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// After which time the tasks of services are replaced.
    pub instance_lost_after: Duration,
    /// After which time tasks without a service are given up; `None` for never.
    pub task_lost_after: Option<Duration>,
}

/// What is to be done about agents that are away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Instances that no longer count as connected.
    pub disconnect: Vec<InstanceId>,
    /// Tasks to give up.
    pub lost: Vec<TaskId>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.disconnect.is_empty() && self.lost.is_empty()
    }
}

/// Whether so many instances vanished within [`MASS_WINDOW`] that nothing is to be given up:
/// more than a third of those that were connected.
#[must_use]
pub fn is_mass_loss(connected_before: usize, vanished: usize) -> bool {
    // One of two may well be one dead machine; a third needs some to be a third of.
    vanished >= 3 && vanished * 3 > connected_before
}

/// The instances whose service tasks are to be replaced. `paused` says that a mass loss is being
/// waited out.
#[must_use]
pub fn lost(absent: &[Absent], patience: &Patience, paused: bool) -> BTreeSet<InstanceId> {
    let is_lost = |one: &&Absent| one.away >= patience_with(one, patience.instance_lost_after);
    let lost = absent.iter().filter(is_lost).filter(|_| !paused);
    lost.map(|one| one.instance).collect()
}

/// How long an agent is waited for: longer when it has not been back since this server leads.
fn patience_with(one: &Absent, limit: Duration) -> Duration {
    if one.seen {
        limit
    } else {
        limit.max(FIRST_RETURN)
    }
}

/// What is to be done about `absent`. `paused` says that a mass loss is being waited out.
#[must_use]
pub fn decide(state: &State, absent: &[Absent], patience: &Patience, paused: bool) -> Plan {
    let mut plan = Plan::default();
    for one in absent {
        if state.is_connected(one.instance) && one.away >= REGISTERED_GRACE {
            plan.disconnect.push(one.instance);
        }
        let Some(limit) = patience.task_lost_after.filter(|_| !paused) else {
            continue;
        };
        if one.away < patience_with(one, limit) {
            continue;
        }
        let lost = state
            .tasks
            .on_instance(one.instance)
            .filter(|task| task.spec.service.is_none() && task.last != LastStatus::Stopped)
            .map(|task| task.id);
        plan.lost.extend(lost.take(STEP_MAX - plan.lost.len()));
    }
    plan
}

/// Does what the plan says.
pub fn carry_out(tx: &mut Tx<'_>, plan: &Plan) {
    let now = tx.now();
    for instance in &plan.disconnect {
        tx.set_connection(
            *instance,
            Some(Connection {
                connected: false,
                since: now,
            }),
        );
    }
    for id in &plan.lost {
        let Some(task) = tx.state().tasks.get(*id).cloned() else {
            continue;
        };
        let machine = task.instance.map(|id| id.to_string()).unwrap_or_default();
        let stop = Stop {
            code: StopCode::TerminationNotice,
            reason: Text::new(&format!(
                "Host (container-instance {machine}) stopped/terminated."
            )),
            at: now,
        };
        // A stop that somebody decided before keeps its own reason.
        if let Some(lost) = task.lost(stop) {
            debug_assert_eq!(lost.desired, Desired::Stopped);
            tx.put_task(lost);
        }
    }
}
