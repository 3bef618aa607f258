//! Balance between zones: once a service is at rest, tasks move from the fullest zone to the
//! emptiest, each started there before one is stopped here (reference §7.9).

use std::collections::BTreeMap;

use berth_model::scheduler::{RolloutState, Trouble};
use berth_model::text::Text;

use super::draft::Draft;
use super::events::worth_telling;
use super::fill::order;
use super::look::Seen;
use super::percents::{bounds, next_capacity};
use super::plan::{Place, StartReason, StopReason};
use super::rolling::may_start;
use super::scale_in::Crowd;
use super::steady::at_rest;

/// How many healthy tasks each zone has, empty zones too.
fn by_zone(draft: &Draft<'_, '_, '_>) -> BTreeMap<Text, usize> {
    let mut zones: BTreeMap<Text, usize> = draft
        .view
        .zones
        .iter()
        .map(|zone| (zone.clone(), 0))
        .collect();
    for seen in draft.look.live.iter().filter(|seen| seen.is_good()) {
        if let Some(zone) = &seen.task.zone {
            *zones.entry(zone.clone()).or_default() += 1;
        }
    }
    zones
}

/// Starts a task in the emptiest zone, when the service is at rest and out of balance.
pub(super) fn decide(draft: &mut Draft<'_, '_, '_>, target: usize) {
    let primary = draft.view.deployments.first();
    let Some(primary) = primary.filter(|_| draft.view.rebalances && !draft.view.draining) else {
        stop(draft);
        return;
    };
    let id = primary.id;
    let calm = draft
        .rollouts
        .get(&id)
        .is_some_and(|rollout| match rollout.state {
            RolloutState::Completed => true,
            RolloutState::InProgress | RolloutState::Failed => false,
        });
    if !calm {
        stop(draft);
        return;
    }
    if !at_rest(draft, target) {
        return;
    }
    let zones = by_zone(draft);
    let least = zones.iter().min_by_key(|(_, count)| **count);
    let most = zones.values().max();
    let (Some((zone, least)), Some(most)) = (least, most) else {
        return;
    };
    let counts: Vec<(&Text, usize)> = zones.iter().map(|(zone, count)| (zone, *count)).collect();
    if most - least <= 1 {
        if draft.memory.rebalancing {
            draft.memory.rebalancing = false;
            let event = draft.teller().balanced(&counts);
            draft.plan.events.push(event);
        }
        draft.memory.told.remove(&Trouble::Zones);
        return;
    }
    let again = draft.memory.rebalance_again_at;
    let cap = bounds(
        target,
        draft.view.minimum_percent,
        draft.view.maximum_percent,
    )
    .cap;
    let movable = draft.look.live.iter().any(|seen| {
        !seen.protected
            && seen
                .task
                .zone
                .as_ref()
                .is_some_and(|zone| zones[zone] == *most)
    });
    if cap <= target
        || !movable
        || !may_start(draft, id)
        || again.is_some_and(|due| !draft.is_past(due))
    {
        return;
    }
    draft.memory.rebalance_again_at = None;
    draft.memory.rebalancing = true;
    let now = draft.now();
    if worth_telling(&mut draft.memory, Trouble::Zones, now) {
        let event = draft.teller().not_balanced(&counts);
        draft.plan.events.push(event);
    }
    let counts = draft.counts_by_provider(id, draft.view.capacity);
    let provider = next_capacity(draft.view.capacity, &counts)
        .map(|at| draft.view.capacity[at].provider.clone());
    let place = Place::Zone(zone.clone());
    draft.start_at(id, provider, place, StartReason::Rebalance);
}

/// Something else goes before balance.
fn stop(draft: &mut Draft<'_, '_, '_>) {
    if std::mem::take(&mut draft.memory.rebalancing) {
        draft.memory.told.remove(&Trouble::Zones);
        let event = draft.teller().rebalancing_stopped();
        draft.plan.events.push(event);
    }
}

/// Stops a task of the fullest zone once `good`, one more than the target, all serve.
pub(super) fn finish_move(draft: &mut Draft<'_, '_, '_>, good: &[Seen<'_>], target: usize) {
    let healthy = good.iter().filter(|seen| seen.is_healthy()).count();
    if healthy <= target || !draft.can_stop() {
        return;
    }
    let zones = by_zone(draft);
    let most = zones.values().max().copied().unwrap_or(0);
    let full = |seen: &&Seen<'_>| {
        seen.task
            .zone
            .as_ref()
            .is_some_and(|zone| zones[zone] == most)
            && !seen.protected
    };
    let mut candidates: Vec<Seen<'_>> = good.iter().filter(full).copied().collect();
    let mut crowd = Crowd::of(&draft.look, order(draft));
    if let Some(seen) = crowd.take(&mut candidates) {
        draft.stop(&seen, StopReason::Rebalance);
    }
}
