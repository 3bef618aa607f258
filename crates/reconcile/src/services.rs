//! A look at one service, in one transaction: the view is gathered from the state's indexes,
//! [`service::decide`](crate::service::decide) decides, and the plan is carried out.
//!
//! Rules kept here:
//! - nothing is read but the service's own records, its own tasks and the instances they are on;
//!   a daemon's look alone goes through the instances of its cluster;
//! - no choices: what a plan means is decided in [`service`](crate::service), where a task lands
//!   in placement.

mod carry_out;
mod gather;
mod task;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::name::{Scope, ServiceKey};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_model::waiting::WaitForRoom;
use berth_state::Tx;

use crate::service;

/// What a look needs to know beside the state.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// How long after RUNNING a task counts as healthy when nothing checks it.
    pub healthy_after: Duration,
    /// Instances whose agents have been away for so long that their tasks are replaced.
    pub lost: BTreeSet<InstanceId>,
    /// Alarms that are in ALARM, by name: whoever evaluates metrics says which.
    pub in_alarm: Arc<BTreeSet<(Scope, Text)>>,
    /// Whether tasks move onto instances that have fewer of their service: `--move-over`.
    pub move_over: bool,
    /// Which tasks wait when there is no room for them. Those of a service wait for as long as it
    /// wants them; the controller of waiting tasks places them.
    pub wait_for_room: WaitForRoom,
}

/// What a look came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// When to look again even if nothing changes.
    pub again_at: Option<Timestamp>,
}

/// Looks at a service and does what it needs; a service that is gone or INACTIVE needs nothing.
pub fn look(tx: &mut Tx<'_>, key: &ServiceKey, around: &Surroundings) -> Looked {
    let Some(mut material) = gather::Material::of(tx, key, around) else {
        return Looked::default();
    };
    if around.move_over {
        material.look_for_room_elsewhere(tx);
    }
    let view = material.view();
    let now = tx.now();
    let plan = service::decide(&view, now, tx.ids());
    let outcomes = carry_out::carry_out(tx, &material, &plan, around.wait_for_room);
    let settled = service::settle(&view, &plan, &outcomes, now);
    let again_at = [plan.look_again_at, settled.look_again_at];
    carry_out::write_down(tx, &material, plan, settled);
    Looked {
        again_at: again_at.into_iter().flatten().min(),
    }
}
