//! Placement by looking at everything each time: short enough to be seen to be right.

use std::collections::{BTreeMap, BTreeSet};

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::resources::{HostPort, Transport};
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_model::time::Timestamp;

use crate::query::{Expression, Facts};
use crate::{BinpackField, Host, Occupant, Reason, Request, SpreadField, Strategy};

/// All records, and nothing derived.
#[derive(Clone, Debug, Default)]
pub(super) struct Naive {
    pub(super) hosts: BTreeMap<InstanceId, Host>,
    pub(super) tasks: BTreeMap<TaskId, Occupant>,
}

struct NaiveFacts<'a> {
    naive: &'a Naive,
    host: &'a Host,
}

impl Facts for NaiveFacts<'_> {
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
        let on_it = self.naive.tasks_on(self.host.instance);
        on_it.filter(|task| task.running).count() as u32
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.host
            .attribute(name)
            .map(|value| value.map(Text::as_str))
    }

    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.naive
            .tasks_on(self.host.instance)
            .any(|task| test(&task.group))
    }
}

impl Naive {
    pub(super) fn tasks_on(&self, instance: InstanceId) -> impl Iterator<Item = &Occupant> {
        self.tasks
            .values()
            .filter(move |task| task.instance == instance)
    }

    /// The registrations of the host's machine, INACTIVE ones left out.
    fn registrations<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Host> {
        let same = self
            .hosts
            .values()
            .filter(|other| other.machine == host.machine);
        same.filter(|other| other.status != InstanceStatus::Inactive)
    }

    /// The tasks on the host's machine.
    pub(super) fn tasks_beside<'a>(&'a self, host: &'a Host) -> impl Iterator<Item = &'a Occupant> {
        self.tasks.values().filter(move |task| {
            let there = self.hosts.get(&task.instance);
            there.is_some_and(|there| there.machine == host.machine)
        })
    }

    /// CPU, memory and GPUs left on the host's machine.
    pub(super) fn left(&self, host: &Host) -> (i64, i64, i64) {
        let cpu = self
            .registrations(host)
            .map(|h| h.capacity.cpu)
            .max()
            .unwrap_or(0);
        let memory = self
            .registrations(host)
            .map(|h| h.capacity.memory)
            .max()
            .unwrap_or(0);
        let mut gpus: BTreeSet<&Text> = self
            .registrations(host)
            .flat_map(|h| &h.capacity.gpus)
            .collect();
        let (mut cpu, mut memory, mut unnamed) = (i64::from(cpu), i64::from(memory), 0);
        for task in self.tasks_beside(host) {
            cpu -= i64::from(task.demand.cpu);
            memory -= i64::from(task.demand.memory);
            unnamed += i64::from(task.demand.gpus) - task.gpus.len() as i64;
            task.gpus.iter().for_each(|gpu| {
                gpus.remove(gpu);
            });
        }
        (cpu, memory, (gpus.len() as i64 - unnamed).max(0))
    }

    fn reserved_ports(&self, host: &Host) -> BTreeSet<HostPort> {
        let by_machine = self
            .registrations(host)
            .flat_map(|h| &h.capacity.reserved_ports);
        let by_tasks = self.tasks_beside(host).flat_map(|task| &task.demand.ports);
        by_machine.chain(by_tasks).copied().collect()
    }

    pub(super) fn is_of_pool(host: &Host, request: &Request<'_>) -> bool {
        let same_scope = host.cluster.scope == request.cluster.scope;
        let same_cluster = host.cluster == *request.cluster;
        let kind = match request.launch {
            LaunchType::Ec2 => host.offer.instance && same_cluster,
            LaunchType::External => host.offer.instance && host.is_external() && same_cluster,
            LaunchType::Fargate => host.offer.fargate && same_scope,
        };
        kind && host.status != InstanceStatus::Inactive
    }

    pub(super) fn candidates<'a>(
        &'a self,
        request: &'a Request<'_>,
    ) -> impl Iterator<Item = &'a Host> {
        let of_pool = self
            .hosts
            .values()
            .filter(|host| Self::is_of_pool(host, request));
        of_pool.filter(|host| host.status == InstanceStatus::Active)
    }

    fn group_tasks(&self, host: &Host, request: &Request<'_>) -> u32 {
        let on_it = self.tasks_on(host.instance);
        let of_group =
            |task: &&Occupant| task.group == *request.group && task.cluster == *request.cluster;
        on_it.filter(of_group).count() as u32
    }

    pub(super) fn refusal(&self, host: &Host, request: &Request<'_>) -> Option<Reason> {
        let demand = request.demand;
        let has = |name: &Text| host.attribute(name).is_some();
        let (cpu, memory, gpus) = self.left(host);
        let reserved = self.reserved_ports(host);
        let reported: BTreeSet<HostPort> = self
            .tasks_beside(host)
            .flat_map(|task| task.reported_ports.iter().copied())
            .collect();
        let over = reserved.len() + demand.ports.len() > 100;
        let bad_port = |transport| {
            let mut asked = demand
                .ports
                .iter()
                .filter(|port| port.transport == transport);
            asked.any(|port| over || reserved.contains(port) || reported.contains(port))
        };
        let facts = NaiveFacts { naive: self, host };
        let member = |raw: &Text| Expression::parse(raw).is_ok_and(|e| e.matches(&facts));
        let checks = [
            (host.status == InstanceStatus::Active, Reason::Inactive),
            (host.connected, Reason::Agent),
            (
                request.required_attributes.iter().all(has),
                Reason::Attribute,
            ),
            (i64::from(demand.cpu) <= cpu, Reason::Cpu),
            (i64::from(demand.memory) <= memory, Reason::Memory),
            // A machine with more taken than there is has no GPU to give either.
            (
                demand.gpus == 0 || i64::from(demand.gpus) <= gpus,
                Reason::Gpu,
            ),
            (!bad_port(Transport::Tcp), Reason::Ports),
            (!bad_port(Transport::Udp), Reason::PortsUdp),
            (
                request
                    .zones
                    .is_none_or(|zones| host.zone().is_some_and(|zone| zones.contains(zone))),
                Reason::Location,
            ),
            (request.member_of.iter().all(member), Reason::MemberOf),
            (
                !request.distinct_instance || self.group_tasks(host, request) == 0,
                Reason::DistinctInstance,
            ),
        ];
        checks
            .into_iter()
            .find(|(met, _)| !met)
            .map(|(_, reason)| reason)
    }

    /// How the strategies see the host, up to where chance takes over.
    pub(super) fn rank(&self, host: &Host, request: &Request<'_>) -> Vec<i64> {
        let mut rank = Vec::new();
        for strategy in request.strategy.iter().take(5) {
            rank.push(match strategy {
                Strategy::Random => break,
                Strategy::Spread(SpreadField::InstanceId) => {
                    i64::from(self.group_tasks(host, request))
                }
                Strategy::Spread(SpreadField::Attribute(name)) => {
                    let value = |host: &Host| {
                        host.attribute(name)
                            .map(|v| v.map_or(String::new(), |v| v.to_string()))
                    };
                    let of_pool = self
                        .hosts
                        .values()
                        .filter(|other| Self::is_of_pool(other, request));
                    let alike = of_pool.filter(|other| value(other) == value(host));
                    alike
                        .map(|other| i64::from(self.group_tasks(other, request)))
                        .sum()
                }
                Strategy::Binpack(BinpackField::Cpu) => self.left(host).0,
                Strategy::Binpack(BinpackField::Memory) => self.left(host).1,
            });
        }
        rank
    }
}
