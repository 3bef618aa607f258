//! The instances that one kind of request chooses from, and the orders kept over them.

use std::collections::BTreeMap;

use berth_model::id::InstanceId;

use super::order::Order;
use super::slot::View;

/// Instances of one cluster and launch type, or the Fargate capacity of one scope.
#[derive(Debug, Default)]
pub(super) struct Pool {
    /// All of them, DRAINING ones too, for their tasks count where tasks are spread.
    members: BTreeMap<InstanceId, u32>,
    /// Those that are ACTIVE: the candidates.
    active: BTreeMap<InstanceId, u32>,
    pub(super) orders: Vec<Order>,
    /// Instances that changed, oldest first, so that orders can catch up.
    log: Vec<u32>,
    /// How many changes were dropped from the log's beginning.
    dropped: u64,
}

/// A log shorter than this is kept whole.
const LOG_FLOOR: usize = 1024;

impl Pool {
    pub(super) fn insert(&mut self, instance: InstanceId, slot: u32, active: bool) {
        self.members.insert(instance, slot);
        if active {
            self.active.insert(instance, slot);
        }
    }

    pub(super) fn remove(&mut self, instance: InstanceId) {
        self.members.remove(&instance);
        self.active.remove(&instance);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// All of them in order of their ids, DRAINING ones too.
    pub(super) fn members(&self) -> &BTreeMap<InstanceId, u32> {
        &self.members
    }

    /// The candidates in order of their ids.
    pub(super) fn active(&self) -> &BTreeMap<InstanceId, u32> {
        &self.active
    }

    /// Notes that the instance changed.
    pub(super) fn changed(&mut self, slot: u32) {
        if self.orders.is_empty() || self.log.last() == Some(&slot) && self.nobody_saw_the_last() {
            return;
        }
        // An order that fell further behind than this looks at everything anew, which costs less.
        if self.log.len() >= LOG_FLOOR.max(2 * self.members.len()) {
            let half = self.log.len() / 2;
            self.log.drain(..half);
            self.dropped += half as u64;
        }
        self.log.push(slot);
    }

    fn log_end(&self) -> u64 {
        self.dropped + self.log.len() as u64
    }

    fn nobody_saw_the_last(&self) -> bool {
        let end = self.log_end();
        self.orders.iter().all(|order| order.seen < end)
    }

    /// Adds an order over all instances, and says where it is.
    pub(super) fn add_order(&mut self, mut order: Order, view: View<'_>) -> usize {
        order.rebuild(view, self.members.values().copied());
        order.seen = self.log_end();
        self.orders.push(order);
        self.orders.len() - 1
    }

    /// Brings an order up to date.
    pub(super) fn catch_up(&mut self, order: usize, view: View<'_>) {
        let end = self.log_end();
        let order = &mut self.orders[order];
        if order.seen < self.dropped || order.is_stale() {
            order.rebuild(view, self.members.values().copied());
        } else {
            let from = usize::try_from(order.seen - self.dropped).unwrap_or(self.log.len());
            for slot in &self.log[from..] {
                order.look(view, *slot);
            }
        }
        order.seen = end;
    }
}

#[cfg(test)]
impl Pool {
    /// Its instances, and those that are candidates.
    pub(super) fn told(&self) -> (Vec<InstanceId>, Vec<InstanceId>) {
        let ids = |map: &BTreeMap<InstanceId, u32>| map.keys().copied().collect();
        (ids(&self.members), ids(&self.active))
    }
}
