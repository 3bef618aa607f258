//! How changes of records reach slots, machines and pools.

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::ClusterKey;
use berth_model::text::Text;

use super::slot::{GroupKey, Machine, Registration, Slot};
use super::{Fleet, PoolKey};
use crate::host::{Host, Occupant};

pub(super) fn group_key(cluster: &ClusterKey, group: &Text) -> GroupKey {
    (cluster.clone(), group.clone())
}

impl Fleet {
    pub(super) fn slot_of(&mut self, instance: InstanceId) -> u32 {
        if let Some(at) = self.by_instance.get(&instance) {
            return *at;
        }
        let at = self.slots.insert(Slot::new(instance));
        self.by_instance.insert(instance, at);
        at
    }

    /// Adds a task to its instance, and says where that is.
    pub(super) fn enter(&mut self, task: &Occupant) -> u32 {
        let group = self.groups.acquire(&group_key(&task.cluster, &task.group));
        let at = self.slot_of(task.instance);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.add(task, group);
        }
        at
    }

    /// Takes a task from its instance, and says where that is; `None` when it was not there.
    pub(super) fn exit(&mut self, task: &Occupant) -> Option<u32> {
        let group = self.groups.find(&group_key(&task.cluster, &task.group))?;
        let at = *self.by_instance.get(&task.instance)?;
        let was_there = self.slots.get_mut(at)?.subtract(task, group);
        was_there.then(|| {
            self.groups.release(group);
            at
        })
    }

    /// Forgets the slot if neither a record nor a task needs it.
    pub(super) fn drop_if_unused(&mut self, at: u32) {
        if let Some(slot) = self.slots.get(at).filter(|slot| slot.is_unused()) {
            self.by_instance.remove(&slot.instance);
            self.slots.remove(at);
        }
    }

    /// What tasks use on the instance changed.
    pub(super) fn used(&mut self, at: u32) {
        let registration = self
            .slots
            .get(at)
            .and_then(|slot| slot.registration.as_ref());
        if let Some(registration) = registration {
            self.machine_changed(registration.machine);
        }
    }

    /// Something about the machine changed: all its instances are to be looked at anew.
    fn machine_changed(&mut self, at: u32) {
        let Some(machine) = self.machines.get_mut(at) else {
            return;
        };
        machine.measure(&self.slots);
        for at in &machine.slots {
            let registration = self
                .slots
                .get(*at)
                .and_then(|slot| slot.registration.as_ref());
            for pool in registration
                .iter()
                .flat_map(|registration| &registration.pools)
            {
                if let Some(pool) = self.pools.get_mut(*pool) {
                    pool.changed(*at);
                }
            }
        }
    }

    pub(super) fn register(&mut self, host: &Host) {
        let at = self.slot_of(host.instance);
        let old = self
            .slots
            .get_mut(at)
            .and_then(|slot| slot.registration.take());
        let names = self.acquire_names(host);
        let machine = self.machine_of(&host.machine);
        let pools: Vec<u32> = PoolKey::all_of(host)
            .into_iter()
            .map(|key| self.join(key, host, at))
            .collect();
        self.epochs += 1;
        let registration = Registration {
            host: host.clone(),
            names,
            epoch: self.epochs,
            machine,
            pools,
        };
        if let Some(slot) = self.slots.get_mut(at) {
            slot.registration = Some(registration);
        }
        if let Some(machine) = self.machines.get_mut(machine)
            && let Err(place) = machine.slots.binary_search(&at)
        {
            machine.slots.insert(place, at);
        }
        if let Some(old) = old {
            self.withdraw(at, &old);
        }
        self.machine_changed(machine);
    }

    pub(super) fn unregister(&mut self, instance: InstanceId) {
        let Some(at) = self.by_instance.get(&instance).copied() else {
            return;
        };
        let old = self
            .slots
            .get_mut(at)
            .and_then(|slot| slot.registration.take());
        if let Some(old) = old {
            self.withdraw(at, &old);
        }
        self.drop_if_unused(at);
    }

    /// Takes an earlier registration out of everything that the present one is not in.
    fn withdraw(&mut self, at: u32, old: &Registration) {
        old.names.iter().for_each(|name| self.names.release(*name));
        let now = self
            .slots
            .get(at)
            .and_then(|slot| slot.registration.as_ref());
        let (machine, pools) = match now {
            Some(now) => (Some(now.machine), now.pools.clone()),
            None => (None, Vec::new()),
        };
        for left in old.pools.iter().filter(|pool| !pools.contains(pool)) {
            self.leave(*left, old.host.instance, at);
        }
        if machine == Some(old.machine) {
            return;
        }
        if let Some(machine) = self.machines.get_mut(old.machine) {
            machine.slots.retain(|slot| *slot != at);
            if machine.slots.is_empty() {
                self.by_machine.remove(&machine.name);
                self.machines.remove(old.machine);
            } else {
                self.machine_changed(old.machine);
            }
        }
    }

    fn acquire_names(&mut self, host: &Host) -> Box<[u32]> {
        let attributes = host.attributes.iter().chain(host.custom_attributes.iter());
        let mut names: Vec<u32> = attributes
            .map(|attribute| self.names.acquire(&attribute.name))
            .collect();
        names.sort_unstable();
        names.into_boxed_slice()
    }

    fn machine_of(&mut self, name: &Text) -> u32 {
        if let Some(at) = self.by_machine.get(name) {
            return *at;
        }
        let at = self.machines.insert(Machine::new(name.clone()));
        self.by_machine.insert(name.clone(), at);
        at
    }

    fn join(&mut self, key: PoolKey, host: &Host, at: u32) -> u32 {
        let number = match self.by_pool.get(&key) {
            Some(number) => *number,
            None => {
                let number = self.pools.insert(super::Pool::default());
                self.by_pool.insert(key, number);
                number
            }
        };
        if let Some(pool) = self.pools.get_mut(number) {
            pool.remove(host.instance);
            pool.insert(host.instance, at, host.status == InstanceStatus::Active);
        }
        number
    }

    fn leave(&mut self, number: u32, instance: InstanceId, at: u32) {
        let Some(pool) = self.pools.get_mut(number) else {
            return;
        };
        pool.remove(instance);
        pool.changed(at);
        if pool.is_empty() {
            let pool = self.pools.remove(number);
            self.by_pool.retain(|_, other| *other != number);
            for order in pool.into_iter().flat_map(|pool| pool.orders) {
                self.release(&order.criteria, order.shape.group);
            }
        }
    }
}
