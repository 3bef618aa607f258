//! Which task goes first when there are too many (reference §7.4): those that do not serve, those
//! of older deployments, then in the zone and on the instance with the most, the newest first.

use std::collections::BTreeMap;

use berth_model::id::InstanceId;
use berth_model::scheduler::DeploymentId;
use berth_model::text::Text;

use super::look::{Condition, Look, Seen};

/// How many tasks each zone and each instance would have, as victims are picked one by one.
pub(super) struct Crowd {
    zones: BTreeMap<Option<Text>, usize>,
    instances: BTreeMap<Option<InstanceId>, usize>,
    /// Deployments, newest first.
    order: Vec<DeploymentId>,
}

impl Crowd {
    /// The service's tasks that are wanted.
    pub(super) fn of(look: &Look<'_>, order: Vec<DeploymentId>) -> Crowd {
        let mut crowd = Crowd {
            zones: BTreeMap::new(),
            instances: BTreeMap::new(),
            order,
        };
        for seen in look.live.iter().filter(|seen| seen.is_alive()) {
            *crowd.zones.entry(seen.task.zone.clone()).or_default() += 1;
            *crowd.instances.entry(seen.task.instance).or_default() += 1;
        }
        crowd
    }

    fn rank(condition: Condition) -> u8 {
        match condition {
            Condition::Lost | Condition::Stopping | Condition::Pending => 0,
            Condition::Unhealthy => 1,
            Condition::Starting => 2,
            Condition::Healthy => 3,
        }
    }

    /// Takes the next to go out of `candidates`; protected ones are not to be among them.
    pub(super) fn take<'v>(&mut self, candidates: &mut Vec<Seen<'v>>) -> Option<Seen<'v>> {
        let place = |map: &BTreeMap<_, usize>, key| map.get(key).copied().unwrap_or(0);
        let best = candidates.iter().enumerate().min_by_key(|(_, seen)| {
            let age = self.order.iter().position(|id| *id == seen.task.deployment);
            (
                Self::rank(seen.condition),
                std::cmp::Reverse(age),
                std::cmp::Reverse(self.zones.get(&seen.task.zone).copied().unwrap_or(0)),
                std::cmp::Reverse(place(&self.instances, &seen.task.instance)),
                std::cmp::Reverse(seen.task.created_at),
                seen.id(),
            )
        });
        let (at, _) = best?;
        let seen = candidates.swap_remove(at);
        for count in self
            .zones
            .get_mut(&seen.task.zone)
            .into_iter()
            .chain(self.instances.get_mut(&seen.task.instance))
        {
            *count = count.saturating_sub(1);
        }
        Some(seen)
    }
}
