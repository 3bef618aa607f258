//! The fleet: every instance and what runs on it, in order for the requests that come.
//!
//! Rules kept here:
//! - the fleet is derived from the state's records: the state tells every change of a record, and
//!   telling a change with `before` and `after` swapped undoes it exactly;
//! - changes may come in any order: tasks before their instance, instances before their tasks;
//! - what a machine has is counted once, however many instances it is registered as;
//! - orders are made when first asked for, brought up to date when used, and dropped when there
//!   are too many; they never decide what is true, only how fast it is found.

mod change;
mod choose;
mod criteria;
mod ids;
mod order;
mod pool;
mod ranked;
mod slot;

use std::collections::HashMap;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::{ClusterKey, Scope};
use berth_model::resources::{Demand, HostPort};
use berth_model::task::LaunchType;
use berth_model::text::Text;

use crate::host::{Host, Occupant};
use crate::query::Expression;
use crate::refusal::{Reason, Refusal};
use crate::request::{Placement, Request};
use change::group_key;
use choose::{choose_gpus, diagnose, disfavour, placement, refusal};
use ids::{Interner, Slab};
use pool::Pool;
use ranked::Room;
use slot::{GroupKey, Machine, Slot, View};

/// The most orders kept. Looking for the right one among them takes a few microseconds at most.
const ORDERS_MAX: usize = 512;
/// The most instances noted in all orders together: some 50 MB. With 5,000 instances in one
/// cluster that is fifty orders; one more drops the one not used for longest, and making it again
/// takes a few milliseconds.
const NOTES_MAX: usize = 250_000;
/// The most expressions kept compiled besides those of orders.
const EXPRESSIONS_MAX: usize = 1024;

/// How much of a demand is not free, in thousandths of it: CPU and memory together.
fn lacking((cpu, memory): (i64, i64), demand: &Demand) -> i64 {
    let share = |wanted: u32, free: i64| {
        let wanted = i64::from(wanted);
        (wanted - free).max(0) * 1000 / wanted.max(1)
    };
    share(demand.cpu, cpu) + share(demand.memory, memory)
}

/// What is left of a machine, as DescribeContainerInstances shows it (reference §5.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remaining {
    /// CPU units; negative where more is taken than there is.
    pub cpu: i64,
    /// MiB; negative where more is taken than there is.
    pub memory: i64,
    /// GPUs that no task holds.
    pub gpus: Vec<Text>,
    /// Host ports that are taken, by the machine itself or by tasks.
    pub ports: Vec<HostPort>,
}

/// What there is to say of an instance about a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Examined {
    /// The instance.
    pub instance: InstanceId,
    /// Why it cannot take the task now; `None` when it can.
    pub refusal: Option<Reason>,
    /// How many tasks of the request's group are on it.
    pub of_group: u32,
}

/// Which instances a request chooses from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum PoolKey {
    Ec2(ClusterKey),
    External(ClusterKey),
    Fargate(Scope),
}

impl PoolKey {
    fn of(cluster: &ClusterKey, launch: LaunchType) -> PoolKey {
        match launch {
            LaunchType::Ec2 => Self::Ec2(cluster.clone()),
            LaunchType::External => Self::External(cluster.clone()),
            LaunchType::Fargate => Self::Fargate(cluster.scope.clone()),
        }
    }

    /// An external instance is in two: its owner may as well ask for plain instances.
    fn all_of(host: &Host) -> Vec<PoolKey> {
        let listed = match host.status {
            InstanceStatus::Active | InstanceStatus::Draining => true,
            InstanceStatus::Inactive => false,
        };
        let instance = host.offer.instance.then_some(LaunchType::Ec2);
        let external = (host.offer.instance && host.is_external()).then_some(LaunchType::External);
        let fargate = host.offer.fargate.then_some(LaunchType::Fargate);
        let launches = instance.into_iter().chain(external).chain(fargate);
        launches
            .filter(|_| listed)
            .map(|launch| PoolKey::of(&host.cluster, launch))
            .collect()
    }
}

/// Every instance and what runs on it.
#[derive(Debug, Default)]
pub struct Fleet {
    slots: Slab<Slot>,
    by_instance: HashMap<InstanceId, u32>,
    machines: Slab<Machine>,
    by_machine: HashMap<Text, u32>,
    pools: Slab<Pool>,
    by_pool: HashMap<PoolKey, u32>,
    groups: Interner<GroupKey>,
    names: Interner<Text>,
    expressions: HashMap<Text, Option<Expression>>,
    /// Counts registrations and their changes, so that each has a number of its own.
    epochs: u64,
    /// Counts uses of orders.
    uses: u64,
}

impl Fleet {
    /// A fleet of nothing.
    #[must_use]
    pub fn new() -> Fleet {
        Fleet::default()
    }

    /// An instance's record, or whether its agent is connected, changed. `None` is no record.
    pub fn host_changed(&mut self, before: Option<&Host>, after: Option<&Host>) {
        if let Some(before) = before.filter(|b| after.is_none_or(|a| a.instance != b.instance)) {
            self.unregister(before.instance);
        }
        if let Some(after) = after {
            self.register(after);
        }
    }

    /// A task's record changed. `None` is a task that is on no instance: not yet placed, STOPPED
    /// or purged.
    pub fn task_changed(&mut self, before: Option<&Occupant>, after: Option<&Occupant>) {
        if before == after {
            return;
        }
        // Entered first, so that a group's number survives a change of its only task.
        let entered = after.map(|after| self.enter(after));
        let left = before.and_then(|before| self.exit(before));
        for at in [entered, left.filter(|at| Some(*at) != entered)] {
            at.into_iter().for_each(|at| self.used(at));
        }
        if let Some(left) = left {
            self.drop_if_unused(left);
        }
    }

    /// The best instance for a task. The caller tells the task with
    /// [`task_changed`](Self::task_changed) before it asks for the next.
    ///
    /// # Errors
    ///
    /// When no instance can take it, with a reason for each that was looked at.
    pub fn place(&mut self, request: &Request<'_>) -> Result<Placement, Refusal> {
        let (pool, order) = self.pool_and_order(request).ok_or(Refusal::NoInstances)?;
        if let Some(found) = self.best(pool, order, request) {
            return Ok(found);
        }
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let pool = self.pools.get(pool).ok_or(Refusal::NoInstances)?;
        Err(diagnose(view, pool, &pool.orders[order].criteria, request))
    }

    /// As [`place`](Self::place) without the reasons, which cost more than the search.
    pub fn find(&mut self, request: &Request<'_>) -> Option<Placement> {
        let (pool, order) = self.pool_and_order(request)?;
        self.best(pool, order, request)
    }

    fn pool_and_order(&mut self, request: &Request<'_>) -> Option<(u32, usize)> {
        let key = PoolKey::of(request.cluster, request.launch);
        let pool = self.by_pool.get(&key).copied()?;
        Some((pool, self.order_for(pool, request)))
    }

    fn best(&mut self, pool: u32, order: usize, request: &Request<'_>) -> Option<Placement> {
        let group = self.groups.find(&group_key(request.cluster, request.group));
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let pool = self.pools.get_mut(pool)?;
        pool.catch_up(order, view);
        let order = &pool.orders[order];
        let need = Room {
            cpu: request.demand.cpu,
            memory: request.demand.memory,
            gpus: request.demand.gpus,
        };
        let best = order.best(need, group, request.seed)?;
        placement(view, best, request)
    }

    /// The instance's machine is kept free, or no longer: nothing is placed there but by name,
    /// through [`check`](Self::check).
    pub fn hold(&mut self, instance: InstanceId, held: bool) {
        let at = self.slot_of(instance);
        if let Some(slot) = self.slots.get_mut(at) {
            slot.held = held;
        }
        self.used(at);
        self.drop_if_unused(at);
    }

    /// The instance that could take a task if nothing else ran on it, and of which the least has
    /// to become free for that; none that is kept free already. It looks at every instance.
    pub fn could_take(&mut self, request: &Request<'_>) -> Option<InstanceId> {
        let key = PoolKey::of(request.cluster, request.launch);
        let pool = self.by_pool.get(&key).copied()?;
        let criteria = self.criteria(request);
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let lacking = |(id, at): (&InstanceId, &u32)| {
            let slot = view.slots.get(*at)?;
            let registration = slot.registration.as_ref()?;
            let machine = view.machine(registration)?;
            let suits = !machine.held
                && criteria.suits(view, slot, registration)
                && machine.could_take(view.slots, request.demand);
            suits.then(|| (lacking(machine.free(), request.demand), *id))
        };
        let active = self.pools.get(pool).map(Pool::active);
        let best = active.into_iter().flatten().filter_map(lacking).min();
        self.release(&criteria, None);
        best.map(|(_, id)| id)
    }

    /// What there is to say of each instance that a request chooses from, DRAINING ones too, in
    /// the order of ids and of no more than `max`; and how many there are. For people who ask why:
    /// it looks at every instance.
    pub fn examine(&mut self, request: &Request<'_>, max: usize) -> (Vec<Examined>, usize) {
        let key = PoolKey::of(request.cluster, request.launch);
        let Some(pool) = self.by_pool.get(&key).copied() else {
            return (Vec::new(), 0);
        };
        let criteria = self.criteria(request);
        let group = self.groups.find(&group_key(request.cluster, request.group));
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let members = self.pools.get(pool).map(Pool::members);
        let examine = |(id, at): (&InstanceId, &u32)| {
            let slot = view.slots.get(*at);
            Examined {
                instance: *id,
                refusal: disfavour(view, *at, &criteria, request),
                of_group: group
                    .zip(slot)
                    .map_or(0, |(group, slot)| slot.tasks_of(group)),
            }
        };
        let members = members.into_iter().flatten();
        let examined = members.take(max).map(examine).collect();
        let count = self.pools.get(pool).map_or(0, Pool::len);
        self.release(&criteria, None);
        (examined, count)
    }

    /// Whether this instance can take a task, as StartTask asks; preferences do not matter.
    ///
    /// # Errors
    ///
    /// The reason why not. An instance of another cluster or launch type is missing.
    pub fn check(&mut self, instance: InstanceId, request: &Request<'_>) -> Result<(), Reason> {
        let at = *self.by_instance.get(&instance).ok_or(Reason::Missing)?;
        let host = self
            .slots
            .get(at)
            .and_then(Slot::host)
            .ok_or(Reason::Missing)?;
        if host.status == InstanceStatus::Inactive && host.cluster == *request.cluster {
            return Err(Reason::Inactive);
        }
        if !PoolKey::all_of(host).contains(&PoolKey::of(request.cluster, request.launch)) {
            return Err(Reason::Missing);
        }
        let criteria = self.criteria(request);
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        let refusal = refusal(view, at, &criteria, request);
        self.release(&criteria, None);
        refusal.map_or(Ok(()), Err)
    }

    /// The GPUs that a task on this instance would get: as many as it demands, or as many as are
    /// free. For StartTask, after [`check`](Self::check).
    #[must_use]
    pub fn free_gpus(&self, instance: InstanceId, wanted: u32) -> Vec<Text> {
        let at = self.by_instance.get(&instance).copied();
        let view = View {
            slots: &self.slots,
            machines: &self.machines,
            groups: &self.groups,
        };
        at.map_or_else(Vec::new, |at| choose_gpus(view, at, wanted))
    }

    /// What is left of an instance's machine; `None` when the instance is not registered.
    #[must_use]
    pub fn remaining(&self, instance: InstanceId) -> Option<Remaining> {
        let slot = self.slots.get(*self.by_instance.get(&instance)?)?;
        let machine = self.machines.get(slot.registration.as_ref()?.machine)?;
        let (cpu, memory) = machine.free();
        let gpus = machine.free_gpus(&self.slots);
        Some(Remaining {
            cpu,
            memory,
            gpus: gpus.into_iter().cloned().collect(),
            ports: machine.all_used_ports(&self.slots).into_iter().collect(),
        })
    }
}

#[cfg(test)]
mod tests;
