//! Tasks that wait for room: placed when there is some, oldest first, and given up in the end.
//!
//! Rules kept here:
//! - the oldest is tried first; one that is too big for what is free does not hold up smaller ones
//!   behind it, and of tasks that are alike the older is placed before the younger;
//! - a look tries [`TRIED_MAX`] tasks at most, and none that is like one refused in it before; the
//!   next look goes on where it ended, so that every task has its turn;
//! - for one that has waited long an instance is kept free by turns ([`hold`]), so that what is big
//!   is not starved;
//! - a task without a service that has waited too long is stopped with the reason why it found no
//!   room; one of a service waits for as long as its service wants it.
//!
//! Who may wait is said in `berth_model::waiting`; when to look is said by [`Queue`].

pub mod hold;
mod queue;

use std::sync::Arc;

use berth_model::id::TaskId;
use berth_model::name::ClusterKey;
use berth_model::task::{ContainerOverride, Stop, StopCode, Task, TaskOverrides, TaskSpec};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_placement::{Placement, Refusal, Wanted};
use berth_state::{State, Tx, WaitingKey};

pub use queue::{Queue, Turn};

/// Tasks tried in one look: placing them keeps the writer for a few milliseconds.
pub const TRIED_MAX: usize = 100;

/// What a look at the waiting tasks of a cluster should do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Tasks to place if there is room, in this order.
    pub tries: Vec<Try>,
    /// Where the next look goes on: this one did not come to the end.
    pub after: Option<WaitingKey>,
    /// When the first of these tasks will have waited too long.
    pub again_at: Option<Timestamp>,
}

/// A task to place if there is room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// Which.
    pub id: TaskId,
    /// Whether it has waited too long: without room now it is stopped.
    pub last: bool,
}

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Where the next look goes on, at once.
    pub after: Option<WaitingKey>,
    /// When to look again even if nothing changes.
    pub again_at: Option<Timestamp>,
}

/// Looks at the waiting tasks of a cluster, and places or gives up what can be.
pub fn look(tx: &mut Tx<'_>, turn: &Turn, setting: WaitForRoom) -> Looked {
    let plan = decide(tx.state(), &turn.cluster, turn.after, tx.now(), setting);
    carry_out(tx, &plan);
    hold::release(tx, &turn.cluster);
    if turn.holds {
        hold::begin(tx, &turn.cluster);
    }
    Looked {
        after: plan.after,
        again_at: plan.again_at,
    }
}

/// What a look at the waiting tasks of a cluster that come after `after` should do.
#[must_use]
pub fn decide(
    state: &State,
    cluster: &ClusterKey,
    after: Option<WaitingKey>,
    now: Timestamp,
    setting: WaitForRoom,
) -> Plan {
    let mut plan = Plan::default();
    let Some(row) = state.cluster_row(cluster) else {
        return plan;
    };
    let mut last = None;
    for task in state.tasks.waiting(row, after) {
        if plan.tries.len() == TRIED_MAX {
            plan.after = last;
            break;
        }
        last = Some((task.spec.created_at, task.id));
        let until = task.spec.created_at + setting.limit();
        let ends = task.spec.service.is_none();
        if ends && now < until {
            plan.again_at = Some(plan.again_at.map_or(until, |at| at.min(until)));
        }
        plan.tries.push(Try {
            id: task.id,
            last: ends && now >= until,
        });
    }
    plan
}

/// Places what has room, and stops what has waited too long.
pub fn carry_out(tx: &mut Tx<'_>, plan: &Plan) {
    let mut refused: Vec<Arc<TaskSpec>> = Vec::new();
    for Try { id, last } in &plan.tries {
        let Some(task) = tx.state().tasks.get(*id).cloned() else {
            continue;
        };
        let hopeless = refused.iter().any(|spec| are_alike(spec, &task.spec));
        if !hopeless && place(tx, &task) {
            continue;
        }
        if !hopeless {
            refused.push(task.spec.clone());
        }
        if *last {
            give_up(tx, &task);
        }
    }
}

/// Whether what has no room for one has none for the other.
fn are_alike(one: &TaskSpec, other: &TaskSpec) -> bool {
    one.definition == other.definition
        && one.launch_type == other.launch_type
        && one.capacity_provider == other.capacity_provider
        && one.group == other.group
        && one.constraints == other.constraints
        && sizes(one.overrides.as_deref()) == sizes(other.overrides.as_deref())
}

type Sizes<'a> = (Option<u32>, Option<u32>, &'a [ContainerOverride]);

fn sizes(overrides: Option<&TaskOverrides>) -> Sizes<'_> {
    overrides.map_or((None, None, &[]), |o| (o.cpu, o.memory, &o.containers))
}

/// Gives a task an instance. Answers whether there was room.
fn place(tx: &mut Tx<'_>, task: &Task) -> bool {
    let Some(facts) = tx.state().facts(task).cloned() else {
        return false;
    };
    let strategy = tx.state().strategy_of(&task.spec).to_vec();
    let wanted = Wanted::of(&task.spec, &facts, &strategy);
    let seed = tx.ids().chance();
    let request = wanted.request(None, seed);
    let held = tx.state().held_for(task.id);
    let held = held.filter(|id| tx.fleet().check(*id, &request).is_ok());
    let found = match held {
        Some(instance) => Some(Placement {
            instance,
            gpus: tx.fleet().free_gpus(instance, request.demand.gpus),
        }),
        None => tx.fleet().find(&request),
    };
    let placed = found.and_then(|p| task.placed(p.instance, p.gpus, facts.network_mode));
    placed.is_some_and(|placed| {
        tx.put_task(placed);
        true
    })
}

fn give_up(tx: &mut Tx<'_>, task: &Task) {
    let Some(facts) = tx.state().facts(task).cloned() else {
        return;
    };
    let strategy = tx.state().strategy_of(&task.spec).to_vec();
    let wanted = Wanted::of(&task.spec, &facts, &strategy);
    let seed = tx.ids().chance();
    // What found no room a moment ago finds none now; placement says why.
    let Err(refusal) = tx.fleet().place(&wanted.request(None, seed)) else {
        return;
    };
    let stop = Stop {
        code: StopCode::TaskFailedToStart,
        reason: reason(&refusal, &task.spec),
        at: tx.now(),
    };
    if let Some(stopped) = task.stopping(stop) {
        tx.put_task(stopped);
    }
}

/// The `stoppedReason` of a task that waited in vain (reference §4.4).
fn reason(refusal: &Refusal, spec: &TaskSpec) -> Text {
    match refusal.closest() {
        Some((_, reason)) => Text::from(format!("TaskFailedToStart: {reason}")),
        None if spec.capacity_provider.is_some() => {
            Text::new("TaskFailedToStart: EMPTY CAPACITY PROVIDER")
        }
        None => Text::new("TaskFailedToStart: No Container Instances were found in your cluster."),
    }
}

#[cfg(test)]
mod tests;
