//! The fleet against a full scan, against its own inverse, and in scenes that a person can read.

mod full_scan;
mod naive;
mod scenes;

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Fleet;

impl Fleet {
    /// Drops every order, so that only what was told is left.
    fn without_orders(&mut self) {
        let pools: Vec<u32> = self.pools.iter().map(|(at, _)| at).collect();
        for at in pools {
            let orders = self
                .pools
                .get_mut(at)
                .map(|pool| std::mem::take(&mut pool.orders));
            for order in orders.into_iter().flatten() {
                self.release(&order.criteria, order.shape.group);
            }
        }
    }

    /// Everything that was told, as text, whatever numbers stand for it inside.
    fn told(&self) -> String {
        let mut text = String::new();
        let by_instance: BTreeMap<_, _> = self.by_instance.iter().collect();
        for (id, at) in by_instance {
            let slot = self.slots.get(*at).expect("an instance has a slot");
            let groups: BTreeMap<_, _> = slot
                .groups()
                .iter()
                .map(|(group, tasks)| (self.groups.key(*group), tasks))
                .collect();
            let machine = slot
                .registration
                .as_ref()
                .and_then(|r| self.machines.get(r.machine));
            let names = slot.registration.iter().flat_map(|r| &r.names);
            let names: Vec<_> = names.map(|name| self.names.key(*name)).collect();
            writeln!(text, "{id} {:?} {:?} {groups:?}", slot.host(), slot.usage).unwrap();
            let machine =
                machine.map(|m| (&m.name, m.room, m.free(), m.reserved_ports(), m.slots.len()));
            let mut names: Vec<_> = names.into_iter().flatten().collect();
            names.sort();
            writeln!(text, "  {machine:?} {names:?}").unwrap();
        }
        let pools: BTreeMap<_, _> = self
            .by_pool
            .iter()
            .map(|(key, at)| {
                (
                    format!("{key:?}"),
                    self.pools.get(*at).expect("a pool").told(),
                )
            })
            .collect();
        writeln!(text, "{pools:?}").unwrap();
        writeln!(text, "{:?} {:?}", self.groups.told(), self.names.told()).unwrap();
        text
    }
}
