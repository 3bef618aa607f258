//! Whatever happens to a fleet, it answers as a full scan of the records does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{Attribute, EXTERNAL_ATTRIBUTE, InstanceStatus, Offer, ZONE_ATTRIBUTE};
use berth_model::name::ClusterKey;
use berth_model::resources::{Capacity, Demand, HostPort, Transport};
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Strategy as Generator;

use super::naive::Naive;
use crate::{BinpackField, Fleet, Host, Occupant, Refusal, Request, SpreadField, Strategy};

fn instance(number: u8) -> InstanceId {
    // Neither rising with the number nor all in the first byte.
    let mut bytes = [number; 16];
    bytes[0] = number.wrapping_mul(89);
    InstanceId::from_bytes(bytes)
}

fn task(number: u16) -> TaskId {
    let mut bytes = [0; 16];
    bytes[..2].copy_from_slice(&number.to_be_bytes());
    TaskId::from_bytes(bytes)
}

fn cluster(number: u8) -> ClusterKey {
    let names = [
        "000000000001/r-1/blue",
        "000000000001/r-1/green",
        "000000000002/r-1/blue",
    ];
    names[usize::from(number) % names.len()].parse().unwrap()
}

fn clusters() -> impl Generator<Value = ClusterKey> {
    prop_oneof![6 => Just(0_u8), 2 => Just(1), 1 => Just(2)].prop_map(cluster)
}

fn ports() -> impl Generator<Value = Vec<HostPort>> {
    let port = (
        select(vec![Transport::Tcp, Transport::Udp]),
        select(vec![22_u16, 53, 80]),
    );
    let port = port.prop_map(|(transport, port)| HostPort { transport, port });
    let some = prop::collection::btree_set(port, 0..3).prop_map(|set| set.into_iter().collect());
    let many = Just(
        (1000..1060)
            .map(|port| HostPort {
                transport: Transport::Udp,
                port,
            })
            .collect(),
    );
    prop_oneof![5 => Just(Vec::new()), 4 => some, 1 => many]
}

fn gpus() -> impl Generator<Value = Vec<Text>> {
    let ids = prop::sample::subsequence(vec!["gpu-a", "gpu-b", "gpu-c"], 0..=3);
    prop_oneof![3 => Just(Vec::new()), 1 => ids.prop_map(|ids| ids.into_iter().map(Text::new).collect())]
}

fn attributes() -> impl Generator<Value = Vec<Attribute>> {
    let choice = |name: &'static str, values: Vec<Option<&'static str>>| {
        prop::option::of(select(values)).prop_map(move |value| {
            value.map(|value| Attribute {
                name: name.into(),
                value: value.map(Text::new),
            })
        })
    };
    (
        choice(ZONE_ATTRIBUTE, vec![Some("z-a"), Some("z-b"), Some("z-c")]),
        choice("rack", vec![Some("1"), Some("2"), Some(""), None]),
        choice("ssd", vec![None]),
        prop::option::weighted(
            0.15,
            Just(Attribute {
                name: EXTERNAL_ATTRIBUTE.into(),
                value: None,
            }),
        ),
    )
        .prop_map(|(zone, rack, ssd, external)| {
            [zone, rack, ssd, external].into_iter().flatten().collect()
        })
}

fn host() -> impl Generator<Value = Host> {
    let status = prop_oneof![
        8 => Just(InstanceStatus::Active),
        1 => Just(InstanceStatus::Draining),
        1 => Just(InstanceStatus::Inactive),
    ];
    let offer = select(vec![
        (true, false),
        (true, false),
        (true, false),
        (true, true),
        (false, true),
    ]);
    let capacity = (0..10_u32, 0..10_u32, gpus(), ports());
    let machine = prop::option::weighted(0.3, 0..2_u8);
    (
        0..7_u8,
        clusters(),
        status,
        prop::bool::weighted(0.85),
        offer,
        machine,
        capacity,
        attributes(),
        any::<bool>(),
    )
        .prop_map(
            |(
                number,
                cluster,
                status,
                connected,
                offer,
                machine,
                capacity,
                mut attributes,
                custom,
            )| {
                let (cpu, memory, gpus, ports) = capacity;
                let custom = if custom {
                    attributes.split_off(attributes.len() / 2)
                } else {
                    Vec::new()
                };
                Host {
                    instance: instance(number),
                    cluster,
                    status,
                    connected,
                    offer: Offer {
                        instance: offer.0,
                        fargate: offer.1,
                    },
                    machine: machine
                        .map_or(format!("own-{number}"), |shared| format!("shared-{shared}"))
                        .into(),
                    capacity: Arc::new(Capacity {
                        cpu,
                        memory,
                        gpus,
                        reserved_ports: ports.into_iter().collect(),
                    }),
                    attributes: attributes.into(),
                    custom_attributes: custom.into(),
                    agent_version: Some(format!("1.{number}.0").into()),
                    machine_id: Some(format!("i-{number}").into()),
                    registered_at: Timestamp::from_millis(i64::from(number) * 1000),
                }
            },
        )
}

fn demand() -> impl Generator<Value = Demand> {
    (
        0..4_u32,
        0..4_u32,
        prop_oneof![4 => Just(0_u32), 1 => 1..3_u32],
        ports(),
        0..2_u32,
    )
        .prop_map(|(cpu, memory, gpus, ports, dynamic_ports)| Demand {
            cpu,
            memory,
            gpus,
            ports,
            dynamic_ports,
        })
}

fn group() -> impl Generator<Value = Text> {
    select(vec!["family:a", "family:b", "service:c"]).prop_map(Text::new)
}

fn occupant() -> impl Generator<Value = Occupant> {
    (
        0..12_u16,
        0..8_u8,
        clusters(),
        group(),
        demand(),
        gpus(),
        ports(),
        any::<bool>(),
    )
        .prop_map(
            |(number, on, cluster, group, demand, mut gpus, reported_ports, running)| {
                gpus.truncate(demand.gpus as usize);
                Occupant {
                    task: task(number),
                    instance: instance(on),
                    cluster,
                    group,
                    demand: Arc::new(demand),
                    gpus,
                    reported_ports,
                    running,
                }
            },
        )
}

/// A request that owns what it says.
#[derive(Clone, Debug)]
struct Asked {
    cluster: ClusterKey,
    launch: LaunchType,
    group: Text,
    demand: Demand,
    required: Vec<Text>,
    member_of: Vec<Text>,
    distinct: bool,
    strategy: Vec<Strategy>,
    zones: Option<Vec<Text>>,
    seed: u64,
}

impl Asked {
    fn request(&self) -> Request<'_> {
        Request {
            cluster: &self.cluster,
            launch: self.launch,
            group: &self.group,
            demand: &self.demand,
            required_attributes: &self.required,
            member_of: &self.member_of,
            distinct_instance: self.distinct,
            strategy: &self.strategy,
            zones: self.zones.as_deref(),
            seed: self.seed,
        }
    }
}

fn texts(from: Vec<&'static str>, most: usize) -> impl Generator<Value = Vec<Text>> {
    let some = prop::sample::subsequence(from, 0..=most);
    some.prop_map(|texts| texts.into_iter().map(Text::new).collect())
}

fn strategies() -> impl Generator<Value = Vec<Strategy>> {
    let attribute = |name: &str| Strategy::Spread(SpreadField::Attribute(name.into()));
    let one = select(vec![
        attribute(ZONE_ATTRIBUTE),
        attribute(ZONE_ATTRIBUTE),
        attribute("rack"),
        Strategy::Spread(SpreadField::InstanceId),
        Strategy::Binpack(BinpackField::Cpu),
        Strategy::Binpack(BinpackField::Memory),
        Strategy::Random,
    ]);
    prop::collection::vec(one, 0..7)
}

fn asked() -> impl Generator<Value = Asked> {
    let launch = prop_oneof![
        6 => Just(LaunchType::Ec2),
        1 => Just(LaunchType::External),
        2 => Just(LaunchType::Fargate),
    ];
    let required = prop_oneof![2 => Just(Vec::new()), 1 => texts(vec!["rack", "ssd", "none"], 2)];
    let expressions = vec![
        "attribute:rack in [1, 2]",
        "attribute:rack != 1",
        "task:group == service:c",
        "not (task:group =~ family:.*)",
        "runningTasksCount < 2",
        "agentVersion > 1.2 or ec2InstanceId == i-0",
        "not an expression",
    ];
    let member_of = prop_oneof![2 => Just(Vec::new()), 1 => texts(expressions, 2)];
    let zones = prop::option::weighted(0.2, texts(vec!["z-a", "z-b"], 2));
    let hard = (
        demand(),
        required,
        member_of,
        prop::bool::weighted(0.2),
        zones,
    );
    (
        clusters(),
        launch,
        group(),
        hard,
        strategies(),
        any::<u64>(),
    )
        .prop_map(
            |(
                cluster,
                launch,
                group,
                (demand, required, member_of, distinct, zones),
                strategy,
                seed,
            )| Asked {
                cluster,
                launch,
                group,
                demand,
                required,
                member_of,
                distinct,
                strategy,
                zones,
                seed,
            },
        )
}

#[derive(Clone, Debug)]
enum Step {
    Host(Host),
    NoHost(u8),
    Task(Occupant),
    NoTask(u16),
    Runs(u16, bool),
    Place(Asked),
    /// Takes back this many of the last changes, as a failed transaction does.
    Undo(usize),
}

fn steps() -> impl Generator<Value = Vec<Step>> {
    // Few requests, asked again and again, so that orders live through the changes between.
    prop::collection::vec(asked(), 1..5).prop_flat_map(|requests| {
        let step = prop_oneof![
            5 => host().prop_map(Step::Host),
            1 => (0..7_u8).prop_map(Step::NoHost),
            3 => occupant().prop_map(Step::Task),
            3 => (0..12_u16).prop_map(Step::NoTask),
            2 => (0..60_u16, any::<bool>()).prop_map(|(number, runs)| Step::Runs(number, runs)),
            10 => select(requests).prop_map(Step::Place),
            1 => (1..6_usize).prop_map(Step::Undo),
        ];
        prop::collection::vec(step, 1..60)
    })
}

enum Change {
    Host(Option<Host>, Option<Host>),
    Task(Option<Occupant>, Option<Occupant>),
}

/// A fleet with the records that it was told of, and every change so far.
#[derive(Default)]
struct World {
    fleet: Fleet,
    naive: Naive,
    changes: Vec<Change>,
    placed: u16,
}

fn set<K: Ord + Copy, V: Clone>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) -> Option<V> {
    match value {
        Some(value) => map.insert(key, value),
        None => map.remove(&key),
    }
}

impl World {
    fn host(&mut self, id: InstanceId, after: Option<Host>) {
        let before = set(&mut self.naive.hosts, id, after.clone());
        self.fleet.host_changed(before.as_ref(), after.as_ref());
        self.changes.push(Change::Host(before, after));
    }

    fn task(&mut self, id: TaskId, after: Option<Occupant>) {
        let before = set(&mut self.naive.tasks, id, after.clone());
        self.fleet.task_changed(before.as_ref(), after.as_ref());
        self.changes.push(Change::Task(before, after));
    }

    fn undo(&mut self) {
        match self.changes.pop() {
            Some(Change::Host(before, after)) => {
                let id = before.as_ref().or(after.as_ref()).map(|host| host.instance);
                id.and_then(|id| set(&mut self.naive.hosts, id, before.clone()));
                self.fleet.host_changed(after.as_ref(), before.as_ref());
            }
            Some(Change::Task(before, after)) => {
                let id = before.as_ref().or(after.as_ref()).map(|task| task.task);
                id.and_then(|id| set(&mut self.naive.tasks, id, before.clone()));
                self.fleet.task_changed(after.as_ref(), before.as_ref());
            }
            None => {}
        }
    }

    fn place(&mut self, asked: &Asked) -> Result<(), TestCaseError> {
        let request = asked.request();
        for host in self.naive.hosts.values() {
            let expected = if Naive::is_of_pool(host, &request) {
                self.naive.refusal(host, &request)
            } else if host.status == InstanceStatus::Inactive && host.cluster == asked.cluster {
                Some(crate::Reason::Inactive)
            } else {
                Some(crate::Reason::Missing)
            };
            prop_assert_eq!(self.fleet.check(host.instance, &request).err(), expected);
        }
        let candidates: Vec<&Host> = self.naive.candidates(&request).collect();
        let fits = |host: &&&Host| self.naive.refusal(host, &request).is_none();
        let ranked = candidates
            .iter()
            .filter(fits)
            .map(|host| (self.naive.rank(host, &request), host.instance));
        let best = ranked.clone().min();
        match self.fleet.place(&request) {
            Ok(placement) => {
                let (best_rank, best_id) = best.expect("what the scan finds no place for has none");
                let chance = asked
                    .strategy
                    .iter()
                    .take(5)
                    .any(|s| *s == Strategy::Random);
                if chance {
                    let rank = ranked.clone().find(|(_, id)| *id == placement.instance);
                    prop_assert_eq!(rank.map(|(rank, _)| rank), Some(best_rank));
                } else {
                    prop_assert_eq!(placement.instance, best_id);
                }
                prop_assert_eq!(placement.gpus.len(), asked.demand.gpus as usize);
                self.placed += 1;
                let id = task(1000 + self.placed);
                let occupant = Occupant {
                    task: id,
                    instance: placement.instance,
                    cluster: asked.cluster.clone(),
                    group: asked.group.clone(),
                    demand: Arc::new(asked.demand.clone()),
                    gpus: placement.gpus,
                    reported_ports: Vec::new(),
                    running: false,
                };
                self.task(id, Some(occupant));
            }
            Err(Refusal::NoInstances) => prop_assert!(candidates.is_empty()),
            Err(Refusal::Rejected {
                reasons,
                candidates: count,
            }) => {
                prop_assert_eq!(count, candidates.len());
                let expected: Vec<_> = candidates
                    .iter()
                    .filter_map(|host| Some((host.instance, self.naive.refusal(host, &request)?)))
                    .collect();
                prop_assert_eq!(&reasons, &expected);
                prop_assert_eq!(reasons.len(), count, "an instance would have fitted");
            }
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Host(host) => self.host(host.instance, Some(host)),
            Step::NoHost(number) => self.host(instance(number), None),
            Step::Task(occupant) => self.task(occupant.task, Some(occupant)),
            Step::NoTask(number) => self.task(task(number), None),
            Step::Runs(number, running) => {
                let id = task(if number < 12 {
                    number
                } else {
                    1000 + number - 12
                });
                if let Some(occupant) = self.naive.tasks.get(&id).cloned() {
                    self.task(
                        id,
                        Some(Occupant {
                            running,
                            ..occupant
                        }),
                    );
                }
            }
            Step::Place(asked) => self.place(&asked)?,
            Step::Undo(count) => (0..count).for_each(|_| self.undo()),
        }
        Ok(())
    }

    /// A fleet that is told what there is and nothing of how it came about.
    fn fresh(&self) -> Fleet {
        let mut fleet = Fleet::new();
        self.naive
            .tasks
            .values()
            .for_each(|task| fleet.task_changed(None, Some(task)));
        self.naive
            .hosts
            .values()
            .for_each(|host| fleet.host_changed(None, Some(host)));
        fleet
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn the_fleet_answers_as_a_full_scan_does(steps in steps()) {
        let mut world = World::default();
        for step in steps {
            world.step(step)?;
        }
    }

    #[test]
    fn changes_taken_back_leave_nothing_behind(steps in steps(), kept in 0..30_usize) {
        let mut world = World::default();
        for step in steps {
            world.step(step)?;
        }
        while world.changes.len() > kept {
            world.undo();
        }
        world.fleet.without_orders();
        prop_assert_eq!(world.fleet.told(), world.fresh().told());
        while !world.changes.is_empty() {
            world.undo();
        }
        prop_assert_eq!(world.fleet.told(), Fleet::new().told());
    }

    #[test]
    fn nothing_is_given_twice(
        hosts in prop::collection::vec(host(), 1..7),
        requests in prop::collection::vec(asked(), 1..30),
    ) {
        let mut world = World::default();
        hosts.into_iter().for_each(|host| world.host(host.instance, Some(host)));
        for asked in requests.iter().cycle().take(60) {
            world.place(asked)?;
        }
        for host in world.naive.hosts.values() {
            let (cpu, memory, _) = world.naive.left(host);
            let on_machine: Vec<&Occupant> = world.naive.tasks_beside(host).collect();
            prop_assert!(on_machine.is_empty() || (cpu >= 0 && memory >= 0));
            let ports: Vec<&HostPort> = on_machine.iter().flat_map(|task| &task.demand.ports).collect();
            prop_assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
            let gpus: Vec<&Text> = on_machine.iter().flat_map(|task| &task.gpus).collect();
            prop_assert_eq!(gpus.iter().collect::<BTreeSet<_>>().len(), gpus.len());
        }
    }
}
