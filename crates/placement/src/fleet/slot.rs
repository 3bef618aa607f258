//! What is known of each instance and each machine: the truth that orders are derived from.

use std::collections::BTreeMap;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::name::ClusterKey;
use berth_model::resources::{Capacity, Demand, HostPort};
use berth_model::text::Text;
use berth_model::time::Timestamp;

use super::ids::{Interner, Slab};
use super::ranked::Room;
use crate::host::{Host, Occupant};
use crate::query::Facts;

/// A task group is a group of its cluster.
pub(super) type GroupKey = (ClusterKey, Text);

/// An instance's record, with what is derived from it.
#[derive(Debug)]
pub(super) struct Registration {
    pub(super) host: Host,
    /// The numbers of its attributes' names, sorted.
    pub(super) names: Box<[u32]>,
    /// Different for every registration and every change of one.
    pub(super) epoch: u64,
    pub(super) machine: u32,
    /// The pools that it belongs to.
    pub(super) pools: Vec<u32>,
}

/// What tasks use on one instance.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Usage {
    pub(super) tasks: u32,
    pub(super) running: u32,
    cpu: u64,
    memory: u64,
    /// GPUs demanded by tasks that do not say which they have.
    unnamed_gpus: u64,
    /// How many tasks hold each GPU; more than one only if a caller made a mistake.
    gpus: BTreeMap<Text, u32>,
    /// How many tasks name each port in their definition.
    static_ports: BTreeMap<HostPort, u32>,
    /// How many tasks reported each port.
    reported_ports: BTreeMap<HostPort, u32>,
}

impl Usage {
    fn add(&mut self, occupant: &Occupant) {
        let demand = &occupant.demand;
        self.tasks += 1;
        self.running += u32::from(occupant.running);
        self.cpu += u64::from(demand.cpu);
        self.memory += u64::from(demand.memory);
        self.unnamed_gpus += unnamed_gpus(occupant);
        occupant
            .gpus
            .iter()
            .for_each(|gpu| raise(&mut self.gpus, gpu));
        demand
            .ports
            .iter()
            .for_each(|port| raise(&mut self.static_ports, port));
        let reported = occupant.reported_ports.iter();
        reported.for_each(|port| raise(&mut self.reported_ports, port));
    }

    /// The exact inverse of [`add`](Self::add).
    fn subtract(&mut self, occupant: &Occupant) {
        let demand = &occupant.demand;
        self.tasks = self.tasks.saturating_sub(1);
        self.running = self.running.saturating_sub(u32::from(occupant.running));
        self.cpu = self.cpu.saturating_sub(u64::from(demand.cpu));
        self.memory = self.memory.saturating_sub(u64::from(demand.memory));
        self.unnamed_gpus = self.unnamed_gpus.saturating_sub(unnamed_gpus(occupant));
        occupant
            .gpus
            .iter()
            .for_each(|gpu| lower(&mut self.gpus, gpu));
        demand
            .ports
            .iter()
            .for_each(|port| lower(&mut self.static_ports, port));
        let reported = occupant.reported_ports.iter();
        reported.for_each(|port| lower(&mut self.reported_ports, port));
    }

    fn takes_port(&self, port: HostPort) -> bool {
        self.static_ports.contains_key(&port) || self.reported_ports.contains_key(&port)
    }
}

fn unnamed_gpus(occupant: &Occupant) -> u64 {
    u64::from(occupant.demand.gpus).saturating_sub(occupant.gpus.len() as u64)
}

fn raise<K: Ord + Clone>(counts: &mut BTreeMap<K, u32>, key: &K) {
    match counts.get_mut(key) {
        Some(count) => *count += 1,
        None => {
            counts.insert(key.clone(), 1);
        }
    }
}

fn lower<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// An instance: its record, or tasks that name it, or both. Tasks may be told before their
/// instance, and may outlive it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) instance: InstanceId,
    pub(super) registration: Option<Registration>,
    pub(super) usage: Usage,
    groups: Vec<(u32, u32)>,
    /// Whether its machine is kept free for a task that waits.
    pub(super) held: bool,
}

impl Slot {
    pub(super) fn new(instance: InstanceId) -> Self {
        Self {
            instance,
            registration: None,
            usage: Usage::default(),
            groups: Vec::new(),
            held: false,
        }
    }

    pub(super) fn is_unused(&self) -> bool {
        self.registration.is_none() && self.usage.tasks == 0 && !self.held
    }

    pub(super) fn host(&self) -> Option<&Host> {
        self.registration
            .as_ref()
            .map(|registration| &registration.host)
    }

    pub(super) fn add(&mut self, occupant: &Occupant, group: u32) {
        self.usage.add(occupant);
        match self.groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, count)) => *count += 1,
            None => self.groups.push((group, 1)),
        }
    }

    /// The exact inverse of [`add`](Self::add); `false` if there is no task of the group.
    pub(super) fn subtract(&mut self, occupant: &Occupant, group: u32) -> bool {
        let found = self.groups.iter().position(|(other, _)| *other == group);
        let Some(at) = found else {
            return false;
        };
        self.usage.subtract(occupant);
        self.groups[at].1 -= 1;
        if self.groups[at].1 == 0 {
            self.groups.swap_remove(at);
        }
        true
    }

    /// How many tasks of the group are on it.
    pub(super) fn tasks_of(&self, group: u32) -> u32 {
        let found = self.groups.iter().find(|(other, _)| *other == group);
        found.map_or(0, |(_, count)| *count)
    }

    /// How many tasks of each group are on it, by the group's number; in no order.
    pub(super) fn groups(&self) -> &[(u32, u32)] {
        &self.groups
    }
}

/// A machine: what it has, counted once however many instances it is.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) name: Text,
    /// Its instances, sorted.
    pub(super) slots: Vec<u32>,
    /// What is free on it; `None` where more is taken than there is, so that nothing fits.
    pub(super) room: Option<Room>,
    free: (i64, i64),
    /// How many host ports are reserved: those that the registrations name and those that task
    /// definitions name. Ports that agents picked do not count (AWS API
    /// reference, PortMapping).
    reserved_ports: usize,
    /// Whether it is kept free for a task that waits.
    pub(super) held: bool,
}

impl Machine {
    pub(super) fn new(name: Text) -> Self {
        Self {
            name,
            slots: Vec::new(),
            room: None,
            free: (0, 0),
            reserved_ports: 0,
            held: false,
        }
    }

    /// CPU units and MiB that are free; negative where more is taken than there is.
    pub(super) fn free(&self) -> (i64, i64) {
        self.free
    }

    pub(super) fn reserved_ports(&self) -> usize {
        self.reserved_ports
    }

    /// Reckons anew what is free, from the machine's instances: nearly always one.
    pub(super) fn measure(&mut self, slots: &Slab<Slot>) {
        let (mut cpu, mut memory, mut cpu_used, mut memory_used) = (0_u32, 0_u32, 0_u64, 0_u64);
        for slot in self.slots.iter().filter_map(|at| slots.get(*at)) {
            cpu_used += slot.usage.cpu;
            memory_used += slot.usage.memory;
            if let Some(capacity) = capacity_of(slot) {
                cpu = cpu.max(capacity.cpu);
                memory = memory.max(capacity.memory);
            }
        }
        self.free = (less(cpu, cpu_used), less(memory, memory_used));
        let gpus = self.free_gpus(slots).len() as u64;
        let unnamed: u64 = self.usages(slots).map(|usage| usage.unnamed_gpus).sum();
        let gpus = u32::try_from(gpus.saturating_sub(unnamed)).unwrap_or(u32::MAX);
        self.room = match (u32::try_from(self.free.0), u32::try_from(self.free.1)) {
            (Ok(cpu), Ok(memory)) => Some(Room { cpu, memory, gpus }),
            _ => None,
        };
        self.reserved_ports = self.count_reserved_ports(slots);
        let mut held = self.slots.iter().filter_map(|at| slots.get(*at));
        self.held = held.any(|slot| slot.held);
    }

    /// Whether a task of this demand would fit if nothing else ran on it.
    pub(super) fn could_take(&self, slots: &Slab<Slot>, demand: &Demand) -> bool {
        let most = |of: fn(&Capacity) -> u32| self.capacities(slots).map(of).max().unwrap_or(0);
        let mut gpus: Vec<&Text> = self.capacities(slots).flat_map(|c| &c.gpus).collect();
        gpus.sort_unstable();
        gpus.dedup();
        let reserved = |port| {
            let mut all = self.capacities(slots);
            all.any(|c| c.reserved_ports.contains(port))
        };
        demand.cpu <= most(|c| c.cpu)
            && demand.memory <= most(|c| c.memory)
            && demand.gpus as usize <= gpus.len()
            && !demand.ports.iter().any(reserved)
    }

    fn usages<'a>(&'a self, slots: &'a Slab<Slot>) -> impl Iterator<Item = &'a Usage> {
        let found = self.slots.iter().filter_map(|at| slots.get(*at));
        found.map(|slot| &slot.usage)
    }

    fn capacities<'a>(&'a self, slots: &'a Slab<Slot>) -> impl Iterator<Item = &'a Capacity> {
        let found = self.slots.iter().filter_map(|at| slots.get(*at));
        found.filter_map(capacity_of)
    }

    /// The GPUs that no task holds, in order of their ids.
    pub(super) fn free_gpus<'a>(&'a self, slots: &'a Slab<Slot>) -> Vec<&'a Text> {
        let mut free: Vec<&Text> = self.capacities(slots).flat_map(|c| &c.gpus).collect();
        if free.is_empty() {
            return free;
        }
        free.sort_unstable();
        free.dedup();
        free.retain(|gpu| {
            self.usages(slots)
                .all(|usage| !usage.gpus.contains_key(*gpu))
        });
        free
    }

    /// Whether the machine itself or a task has the port.
    pub(super) fn takes_port(&self, slots: &Slab<Slot>, port: HostPort) -> bool {
        self.usages(slots).any(|usage| usage.takes_port(port))
            || self
                .capacities(slots)
                .any(|c| c.reserved_ports.contains(&port))
    }

    fn count_reserved_ports(&self, slots: &Slab<Slot>) -> usize {
        if let [only] = self.slots.as_slice() {
            let Some(slot) = slots.get(*only) else {
                return 0;
            };
            let Some(capacity) = capacity_of(slot) else {
                return 0;
            };
            let by_machine = &capacity.reserved_ports;
            let by_tasks = slot.usage.static_ports.keys();
            return by_machine.len() + by_tasks.filter(|port| !by_machine.contains(port)).count();
        }
        self.all_reserved_ports(slots).len()
    }

    /// Every port that is reserved, each once.
    pub(super) fn all_reserved_ports(
        &self,
        slots: &Slab<Slot>,
    ) -> std::collections::BTreeSet<HostPort> {
        let by_machine = self.capacities(slots).flat_map(|c| &c.reserved_ports);
        let by_tasks = self
            .usages(slots)
            .flat_map(|usage| usage.static_ports.keys());
        by_machine.chain(by_tasks).copied().collect()
    }

    /// Every port that is reserved or was reported in use, each once.
    pub(super) fn all_used_ports(
        &self,
        slots: &Slab<Slot>,
    ) -> std::collections::BTreeSet<HostPort> {
        let mut ports = self.all_reserved_ports(slots);
        ports.extend(
            self.usages(slots)
                .flat_map(|usage| usage.reported_ports.keys()),
        );
        ports
    }
}

/// What a registration adds to its machine; nothing once it is INACTIVE.
fn capacity_of(slot: &Slot) -> Option<&Capacity> {
    let host = slot.host()?;
    match host.status {
        InstanceStatus::Active | InstanceStatus::Draining => Some(&host.capacity),
        InstanceStatus::Inactive => None,
    }
}

fn less(capacity: u32, used: u64) -> i64 {
    i64::from(capacity).saturating_sub(i64::try_from(used).unwrap_or(i64::MAX))
}

/// Everything that is known, to read from.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) slots: &'a Slab<Slot>,
    pub(super) machines: &'a Slab<Machine>,
    pub(super) groups: &'a Interner<GroupKey>,
}

impl<'a> View<'a> {
    pub(super) fn machine(&self, registration: &Registration) -> Option<&'a Machine> {
        self.machines.get(registration.machine)
    }
}

/// A slot's instance, for the query language.
pub(super) struct SlotFacts<'a> {
    pub(super) host: &'a Host,
    pub(super) slot: &'a Slot,
    pub(super) groups: &'a Interner<GroupKey>,
}

impl Facts for SlotFacts<'_> {
    fn connected(&self) -> bool {
        self.host.connected
    }

    fn agent_version(&self) -> Option<&str> {
        self.host.agent_version.as_deref()
    }

    fn machine_id(&self) -> Option<&str> {
        self.host.machine_id.as_deref()
    }

    fn registered_at(&self) -> Timestamp {
        self.host.registered_at
    }

    fn running_tasks(&self) -> u32 {
        self.slot.usage.running
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.host
            .attribute(name)
            .map(|value| value.map(Text::as_str))
    }

    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        let names = self
            .slot
            .groups
            .iter()
            .filter_map(|(group, _)| self.groups.key(*group));
        let mut names = names.map(|(_, name)| name.as_str());
        names.any(test)
    }
}
