//! What an instance must be and have for a request, and the reason when it is not or has not.
//!
//! The checks come in the order of reference §6.1: agent, attributes, resources, zone, constraints.

use berth_model::instance::InstanceStatus;
use berth_model::resources::{Demand, HostPort, Transport};
use berth_model::text::Text;

use super::slot::{Machine, Registration, Slot, SlotFacts, View};
use crate::query::Expression;
use crate::refusal::Reason;

/// The most host ports that may be reserved on one machine at a time, TCP and UDP together,
/// those of the machine itself included (AWS API reference, PortMapping).
const RESERVED_PORTS_MAX: usize = 100;

/// The hard side of a request, compiled.
#[derive(Debug)]
pub(super) struct Criteria {
    /// The numbers of the names of required attributes.
    pub(super) required: Box<[u32]>,
    /// `None` stands for a text that is no expression: nothing satisfies it.
    pub(super) member_of: Box<[Option<Expression>]>,
    pub(super) zones: Option<Box<[Text]>>,
    pub(super) ports: Box<[HostPort]>,
    /// The group of which no task may be there.
    pub(super) distinct_from: Option<u32>,
}

impl Criteria {
    /// Whether a `memberOf` expression asks about tasks.
    pub(super) fn depends_on_tasks(&self) -> bool {
        let mut expressions = self.member_of.iter().flatten();
        expressions.any(Expression::depends_on_tasks)
    }

    /// The part of the criteria that can change only with the instance's registration, unless
    /// [`depends_on_tasks`](Self::depends_on_tasks).
    pub(super) fn suits(&self, view: View<'_>, slot: &Slot, registration: &Registration) -> bool {
        registration.host.status == InstanceStatus::Active
            && registration.host.connected
            && self.has_attributes(registration)
            && self.is_in_zone(registration)
            && self.is_member(view, slot, registration)
    }

    /// The part of the criteria that changes as tasks come and go, sizes aside.
    pub(super) fn admits(&self, view: View<'_>, slot: &Slot, machine: &Machine) -> bool {
        !machine.held && self.port_refusal(view, machine).is_none() && self.is_distinct(slot)
    }

    /// Why the instance cannot take the demand; `None` when it can.
    pub(super) fn refusal(
        &self,
        view: View<'_>,
        slot: &Slot,
        registration: &Registration,
        machine: &Machine,
        demand: &Demand,
    ) -> Option<Reason> {
        if registration.host.status != InstanceStatus::Active {
            return Some(Reason::Inactive);
        }
        if !registration.host.connected {
            return Some(Reason::Agent);
        }
        if !self.has_attributes(registration) {
            return Some(Reason::Attribute);
        }
        if let Some(reason) = size_refusal(machine, demand) {
            return Some(reason);
        }
        if let Some(reason) = self.port_refusal(view, machine) {
            return Some(reason);
        }
        if !self.is_in_zone(registration) {
            return Some(Reason::Location);
        }
        if !self.is_member(view, slot, registration) {
            return Some(Reason::MemberOf);
        }
        (!self.is_distinct(slot)).then_some(Reason::DistinctInstance)
    }

    fn has_attributes(&self, registration: &Registration) -> bool {
        let has = |name: &u32| registration.names.binary_search(name).is_ok();
        self.required.iter().all(has)
    }

    fn is_in_zone(&self, registration: &Registration) -> bool {
        let Some(zones) = &self.zones else {
            return true;
        };
        let zone = registration.host.zone();
        zone.is_some_and(|zone| zones.contains(zone))
    }

    fn is_member(&self, view: View<'_>, slot: &Slot, registration: &Registration) -> bool {
        let facts = SlotFacts {
            host: &registration.host,
            slot,
            groups: view.groups,
        };
        let satisfied = |one: &Option<Expression>| one.as_ref().is_some_and(|e| e.matches(&facts));
        self.member_of.iter().all(satisfied)
    }

    fn is_distinct(&self, slot: &Slot) -> bool {
        self.distinct_from
            .is_none_or(|group| slot.tasks_of(group) == 0)
    }

    fn port_refusal(&self, view: View<'_>, machine: &Machine) -> Option<Reason> {
        let of = |transport| {
            self.ports
                .iter()
                .filter(move |port| port.transport == transport)
        };
        let room = RESERVED_PORTS_MAX.saturating_sub(machine.reserved_ports());
        for (transport, reason) in [
            (Transport::Tcp, Reason::Ports),
            (Transport::Udp, Reason::PortsUdp),
        ] {
            let taken = of(transport).any(|port| machine.takes_port(view.slots, *port));
            if taken {
                return Some(reason);
            }
            if self.ports.len() > room && of(transport).next().is_some() {
                return Some(reason);
            }
        }
        None
    }
}

fn size_refusal(machine: &Machine, demand: &Demand) -> Option<Reason> {
    let (cpu, memory) = machine.free();
    if i64::from(demand.cpu) > cpu {
        return Some(Reason::Cpu);
    }
    if i64::from(demand.memory) > memory {
        return Some(Reason::Memory);
    }
    let gpus = machine.room.map_or(0, |room| room.gpus);
    (demand.gpus > gpus).then_some(Reason::Gpu)
}
