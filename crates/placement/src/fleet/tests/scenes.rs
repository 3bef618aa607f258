//! Scenes in a few words: a fleet, requests, and where the tasks went.
//!
//! One line is one step:
//!
//! ```text
//! host a1 cpu=4 memory=4 zone=a        an instance registers; its first letters name it
//! run 3 web cpu=1 spread=host          RunTask, three times; `cluster=`, `launch=`, … as needed
//! start b1 web cpu=1                   StartTask on one instance
//! stop a1                              the oldest task of an instance stops
//! gone a1 / back a1 / drain a1         its agent disconnects, connects; it drains
//! ```

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{Attribute, EXTERNAL_ATTRIBUTE, InstanceStatus, Offer, ZONE_ATTRIBUTE};
use berth_model::name::ClusterKey;
use berth_model::resources::{Capacity, Demand, HostPort, Transport};
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use expect_test::{Expect, expect};

use crate::{Fleet, Host, Occupant, Refusal, Request, SpreadField, Strategy};

/// The words after the first ones of a line: `name=value`, or a name alone.
struct Words<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Words<'a> {
    fn of(raw: &'a str) -> Self {
        let pair = |word: &'a str| word.split_once('=').unwrap_or((word, ""));
        Self(raw.split_whitespace().map(pair).collect())
    }

    fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(other, _)| *other == name);
        named.map(|(_, value)| *value)
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.all(name).next()
    }

    fn number(&self, name: &str) -> u32 {
        self.get(name).map_or(0, |value| value.parse().unwrap())
    }

    fn list(&self, name: &str) -> Vec<Text> {
        let values = self.get(name).filter(|value| !value.is_empty());
        values
            .iter()
            .flat_map(|value| value.split(','))
            .map(Text::new)
            .collect()
    }

    /// Ports as `80` or `53/udp`.
    fn ports(&self, name: &str) -> Vec<HostPort> {
        let port = |raw: &Text| match raw.strip_suffix("/udp") {
            Some(port) => HostPort {
                transport: Transport::Udp,
                port: port.parse().unwrap(),
            },
            None => HostPort {
                transport: Transport::Tcp,
                port: raw.parse().unwrap(),
            },
        };
        self.list(name).iter().map(port).collect()
    }

    fn cluster(&self) -> ClusterKey {
        let name = self.get("cluster").unwrap_or("default");
        format!("000000000001/r-1/{name}").parse().unwrap()
    }
}

fn id_of(name: &str) -> InstanceId {
    let mut bytes = [0; 16];
    bytes[..name.len()].copy_from_slice(name.as_bytes());
    InstanceId::from_bytes(bytes)
}

fn name_of(id: InstanceId) -> String {
    let bytes = id.as_bytes().iter().take_while(|byte| **byte != 0);
    bytes.map(|byte| char::from(*byte)).collect()
}

#[derive(Default)]
struct Scene {
    fleet: Fleet,
    hosts: BTreeMap<String, Host>,
    tasks: Vec<Occupant>,
    count: u16,
    told: String,
}

impl Scene {
    fn line(&mut self, line: &str) {
        let (verb, rest) = line.split_once(' ').unwrap();
        let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        match verb {
            "host" => self.change(name, |_| Some(host(name, &Words::of(rest)))),
            "remove" => self.change(name, |_| None),
            "gone" => self.change(name, |host| {
                host.map(|host| Host {
                    connected: false,
                    ..host
                })
            }),
            "back" => self.change(name, |host| {
                host.map(|host| Host {
                    connected: true,
                    ..host
                })
            }),
            "drain" => self.change(name, |host| {
                host.map(|host| Host {
                    status: InstanceStatus::Draining,
                    ..host
                })
            }),
            "stop" => self.stop(name),
            "report" => self.report(name, &Words::of(rest)),
            "run" => {
                let (group, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                self.run(name.parse().unwrap(), group, &Words::of(rest));
            }
            "start" => {
                let (group, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                self.start(name, group, &Words::of(rest));
            }
            _ => panic!("no such step: {line}"),
        }
    }

    fn change(&mut self, name: &str, change: impl FnOnce(Option<Host>) -> Option<Host>) {
        let before = self.hosts.remove(name);
        let after = change(before.clone());
        self.fleet.host_changed(before.as_ref(), after.as_ref());
        self.hosts.extend(after.map(|host| (name.to_owned(), host)));
    }

    fn stop(&mut self, name: &str) {
        let oldest = self
            .tasks
            .iter()
            .position(|task| task.instance == id_of(name));
        let task = self.tasks.remove(oldest.unwrap());
        self.fleet.task_changed(Some(&task), None);
    }

    /// The newest task of the instance runs, and its agent tells its ports.
    fn report(&mut self, name: &str, words: &Words<'_>) {
        let task = self
            .tasks
            .iter_mut()
            .rfind(|task| task.instance == id_of(name))
            .unwrap();
        let before = task.clone();
        task.running = true;
        task.reported_ports = words.ports("ports");
        self.fleet.task_changed(Some(&before), Some(task));
    }

    fn run(&mut self, count: u32, group: &str, words: &Words<'_>) {
        for _ in 0..count {
            let asked = Asked::of(group, words, self.count);
            match self.fleet.place(&asked.request()) {
                Ok(placement) => {
                    let gpus: String = placement.gpus.iter().map(|gpu| format!(" {gpu}")).collect();
                    writeln!(
                        self.told,
                        "{group} on {}{gpus}",
                        name_of(placement.instance)
                    )
                    .unwrap();
                    self.add(asked, placement.instance, placement.gpus);
                }
                Err(Refusal::NoInstances) => writeln!(self.told, "{group}: no instances").unwrap(),
                Err(Refusal::Rejected { reasons, .. }) => {
                    let reasons = reasons
                        .iter()
                        .map(|(id, reason)| format!("{} {reason}", name_of(*id)));
                    let reasons: Vec<String> = reasons.collect();
                    writeln!(self.told, "{group}: {}", reasons.join(", ")).unwrap();
                }
            }
        }
    }

    fn start(&mut self, name: &str, group: &str, words: &Words<'_>) {
        let asked = Asked::of(group, words, self.count);
        match self.fleet.check(id_of(name), &asked.request()) {
            Ok(()) => {
                writeln!(self.told, "{group} on {name}").unwrap();
                let gpus = self.fleet.free_gpus(id_of(name), asked.demand.gpus);
                self.add(asked, id_of(name), gpus);
            }
            Err(reason) => writeln!(self.told, "{group}: {name} {reason}").unwrap(),
        }
    }

    fn add(&mut self, asked: Asked, instance: InstanceId, gpus: Vec<Text>) {
        self.count += 1;
        let task = Occupant {
            task: TaskId::from_bytes(u128::from(self.count).to_be_bytes()),
            instance,
            cluster: asked.cluster,
            group: asked.group,
            demand: Arc::new(asked.demand),
            gpus,
            reported_ports: Vec::new(),
            running: false,
        };
        self.fleet.task_changed(None, Some(&task));
        self.tasks.push(task);
    }
}

fn host(name: &str, words: &Words<'_>) -> Host {
    let attribute = |(name, value): &(&str, &str)| {
        let name = match *name {
            "zone" => ZONE_ATTRIBUTE,
            "external" => EXTERNAL_ATTRIBUTE,
            other => other.strip_prefix('+')?,
        };
        let value = Some(*value).filter(|value| !value.is_empty());
        Some(Attribute {
            name: name.into(),
            value: value.map(Text::new),
        })
    };
    let offer = words.get("offer").unwrap_or("instance");
    Host {
        instance: id_of(name),
        cluster: words.cluster(),
        status: InstanceStatus::Active,
        connected: true,
        offer: Offer {
            instance: offer.contains("instance"),
            fargate: offer.contains("fargate"),
        },
        machine: words.get("machine").unwrap_or(name).into(),
        capacity: Arc::new(Capacity {
            cpu: words.number("cpu"),
            memory: words.number("memory"),
            gpus: words.list("gpus"),
            reserved_ports: words.ports("ports").into_iter().collect(),
        }),
        attributes: words.0.iter().filter_map(attribute).collect(),
        custom_attributes: Arc::new([]),
        agent_version: None,
        machine_id: None,
        registered_at: Timestamp::from_millis(0),
    }
}

/// A request that owns what it says.
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
    fn of(group: &str, words: &Words<'_>, seed: u16) -> Asked {
        let strategy = |(kind, field): &(&str, &str)| match *kind {
            "spread" if *field == "zone" => Some(Strategy::Spread(SpreadField::Attribute(
                ZONE_ATTRIBUTE.into(),
            ))),
            "spread" | "binpack" => Some(Strategy::parse(kind, Some(field)).unwrap()),
            "random" => Some(Strategy::Random),
            _ => None,
        };
        Asked {
            cluster: words.cluster(),
            launch: match words.get("launch") {
                Some("external") => LaunchType::External,
                Some("fargate") => LaunchType::Fargate,
                _ => LaunchType::Ec2,
            },
            group: group.into(),
            demand: Demand {
                cpu: words.number("cpu"),
                memory: words.number("memory"),
                gpus: words.number("gpus"),
                ports: words.ports("ports"),
                dynamic_ports: words.number("dynamic"),
            },
            required: words.list("requires"),
            member_of: words
                .all("member")
                .map(|raw| raw.replace('_', " ").into())
                .collect(),
            distinct: words.get("distinct").is_some(),
            strategy: words.0.iter().filter_map(strategy).collect(),
            zones: words.get("zones").map(|_| words.list("zones")),
            seed: u64::from(seed),
        }
    }

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

fn check(scene: &str, expected: &Expect) {
    let mut told = Scene::default();
    for line in scene.lines().map(str::trim).filter(|line| !line.is_empty()) {
        told.line(line);
    }
    expected.assert_eq(&told.told);
}

#[test]
fn spread_over_zones_takes_the_zone_with_the_fewest_tasks_of_the_group() {
    check(
        "host a1 cpu=9 memory=9 zone=a
         host b1 cpu=9 memory=9 zone=b
         host b2 cpu=9 memory=9 zone=b
         run 2 other cpu=1 spread=zone
         run 4 web cpu=1 spread=zone spread=host",
        &expect![[r#"
            other on a1
            other on b1
            web on a1
            web on b1
            web on b2
            web on a1
        "#]],
    );
}

#[test]
fn spread_over_instances_counts_only_the_group() {
    check(
        "host a cpu=9 memory=9
         host b cpu=9 memory=9
         run 1 batch cpu=1 spread=host
         run 3 web cpu=1 spread=host
         stop b
         run 1 web cpu=1 spread=instanceId",
        &expect![[r#"
            batch on a
            web on a
            web on b
            web on a
            web on b
        "#]],
    );
}

#[test]
fn tasks_on_draining_instances_count_where_tasks_are_spread() {
    check(
        "host a1 cpu=9 memory=9 zone=a
         host a2 cpu=9 memory=9 zone=a
         host b1 cpu=9 memory=9 zone=b
         run 2 web cpu=1 spread=zone
         drain a1
         run 2 web cpu=1 spread=zone",
        &expect![[r#"
            web on a1
            web on b1
            web on a2
            web on b1
        "#]],
    );
}

#[test]
fn instances_without_the_attribute_are_a_value_of_their_own() {
    check(
        "host a1 cpu=9 memory=9 zone=a
         host n1 cpu=9 memory=9
         host n2 cpu=9 memory=9
         run 4 web cpu=1 spread=zone",
        &expect![[r#"
            web on a1
            web on n1
            web on a1
            web on n1
        "#]],
    );
}

#[test]
fn binpack_takes_the_least_that_still_fits() {
    check(
        "host big cpu=8 memory=8
         host mid cpu=4 memory=8
         host tiny cpu=1 memory=8
         run 4 web cpu=2 binpack=cpu
         run 1 web cpu=1 binpack=cpu",
        &expect![[r#"
            web on mid
            web on mid
            web on big
            web on big
            web on tiny
        "#]],
    );
}

#[test]
fn a_later_strategy_breaks_the_ties_of_an_earlier() {
    check(
        "host a1 cpu=8 memory=8 zone=a
         host a2 cpu=4 memory=4 zone=a
         host b1 cpu=4 memory=2 zone=b
         host b2 cpu=4 memory=8 zone=b
         run 4 web cpu=1 memory=1 spread=zone binpack=memory
         run 2 job cpu=1 memory=1 binpack=cpu binpack=memory spread=zone",
        &expect![[r#"
            web on b1
            web on a2
            web on b1
            web on a2
            job on a2
            job on a2
        "#]],
    );
}

#[test]
fn chance_decides_between_equals_alone() {
    check(
        "host a1 cpu=9 memory=9 zone=a
         host a2 cpu=9 memory=9 zone=a
         host a3 cpu=9 memory=9 zone=a
         host b1 cpu=9 memory=9 zone=b
         run 6 web cpu=1 spread=zone random",
        &expect![[r#"
            web on b1
            web on a2
            web on a2
            web on b1
            web on b1
            web on a2
        "#]],
    );
}

#[test]
fn more_values_than_are_compared_at_once_are_filled_evenly() {
    let mut scene = Scene::default();
    for number in 0..300 {
        scene.line(&format!("host h{number:03} cpu=9 memory=9 +rack={number}"));
    }
    scene.line("run 200 other cpu=1 spread=attribute:rack");
    scene.line("run 600 web cpu=1 spread=attribute:rack");
    let of_web = |id| {
        let there = scene.tasks.iter().filter(move |task| task.instance == id);
        there.filter(|task| task.group == "web").count()
    };
    assert!(scene.hosts.keys().all(|name| of_web(id_of(name)) == 2));
}

#[test]
fn orders_are_few_and_right_after_they_were_dropped() {
    let mut scene = Scene::default();
    for name in ["a", "b", "c"] {
        scene.line(&format!("host {name} cpu=9999 memory=9"));
    }
    for group in 0..600 {
        scene.line(&format!("run 1 g{group} cpu=1 spread=host"));
    }
    let pools = scene.fleet.pools.iter();
    let orders: usize = pools.map(|(_, pool)| pool.orders.len()).sum();
    assert_eq!(orders, crate::fleet::ORDERS_MAX);
    scene.told.clear();
    scene.line("run 2 g0 cpu=1 spread=host");
    assert_eq!(scene.told, "g0 on b\ng0 on c\n");
}

#[test]
fn an_order_that_slept_through_many_changes_is_right() {
    let mut scene = Scene::default();
    for line in [
        "host a cpu=9 memory=9",
        "host b cpu=9 memory=9",
        "run 1 web cpu=1 spread=host",
    ] {
        scene.line(line);
    }
    for _ in 0..3000 {
        scene.line("run 2 other cpu=1 spread=host");
        scene.line("stop b");
        let other = scene
            .tasks
            .iter()
            .position(|task| task.group == "other")
            .unwrap();
        let task = scene.tasks.remove(other);
        scene.fleet.task_changed(Some(&task), None);
    }
    scene.told.clear();
    scene.line("run 3 web cpu=1 spread=host");
    assert_eq!(scene.told, "web on b\nweb on a\nweb on b\n");
}

#[test]
fn chance_is_fair() {
    let mut scene = Scene::default();
    for line in [
        "host a cpu=9 memory=9",
        "host b cpu=9 memory=9",
        "host c cpu=9 memory=9",
    ] {
        scene.line(line);
    }
    let mut counts = BTreeMap::new();
    for seed in 0..300 {
        let mut asked = Asked::of("web", &Words::of("random"), 0);
        asked.seed = seed;
        let placement = scene.fleet.place(&asked.request()).unwrap();
        *counts.entry(name_of(placement.instance)).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 3);
    assert!(
        counts.values().all(|count| (70..130).contains(count)),
        "{counts:?}"
    );
}

#[test]
fn every_resource_has_its_own_refusal() {
    check(
        "host a cpu=2 memory=2 gpus=g1 ports=22
         run 1 web cpu=3
         run 1 web memory=3
         run 1 web gpus=2
         run 1 web ports=22
         run 1 web ports=53/udp
         run 1 web ports=53/udp
         run 1 web ports=53
         run 1 web gpus=1
         run 1 web gpus=1",
        &expect![[r#"
            web: a RESOURCE:CPU
            web: a RESOURCE:MEMORY
            web: a RESOURCE:GPU
            web: a RESOURCE:PORTS
            web on a
            web: a RESOURCE:PORTS_UDP
            web on a
            web on a g1
            web: a RESOURCE:GPU
        "#]],
    );
}

#[test]
fn every_rejected_instance_gives_its_reason() {
    check(
        "host a cpu=1 memory=9 zone=a +ssd
         host b cpu=9 memory=1 zone=a +ssd
         host c cpu=9 memory=9 zone=a
         host d cpu=9 memory=9 zone=a +ssd
         host e cpu=9 memory=9 zone=b +ssd
         host f cpu=9 memory=9 zone=a +ssd +stack=test
         host g cpu=9 memory=9 zone=a +ssd +stack=prod
         gone d
         start g web cpu=1
         run 1 web cpu=2 memory=2 requires=ssd zones=a member=attribute:stack_==_prod distinct",
        &expect![[r#"
            web on g
            web: a RESOURCE:CPU, b RESOURCE:MEMORY, c ATTRIBUTE, d AGENT, e LOCATION, f MemberOf placement constraint unsatisfied., g DistinctInstance placement constraint unsatisfied.
        "#]],
    );
}

#[test]
fn a_cluster_without_active_instances_has_none() {
    check(
        "run 1 web cpu=1
         host a cpu=9 memory=9
         run 1 web cpu=1 cluster=other
         drain a
         run 1 web cpu=1",
        &expect![[r#"
            web: no instances
            web: no instances
            web: no instances
        "#]],
    );
}

#[test]
fn ports_that_agents_picked_are_taken_but_not_counted() {
    let many: Vec<String> = (1000..1098).map(|port| port.to_string()).collect();
    let many = many.join(",");
    check(
        &format!(
            "host a cpu=9 memory=9 ports=22
             run 1 web dynamic=2
             report a ports=40000,40001/udp
             run 1 web ports=40001/udp
             run 1 web ports=40001
             run 1 web ports={many}
             run 1 web ports=80
             run 1 web dynamic=1
             stop a
             stop a
             run 1 web ports=40000"
        ),
        &expect![[r#"
            web on a
            web: a RESOURCE:PORTS_UDP
            web on a
            web on a
            web: a RESOURCE:PORTS
            web on a
            web on a
        "#]],
    );
}

#[test]
fn instances_that_share_a_machine_share_its_resources() {
    check(
        "host a cpu=4 memory=4 machine=m cluster=blue gpus=g1,g2
         host b cpu=4 memory=6 machine=m cluster=green gpus=g1,g2
         run 1 web cpu=3 memory=1 ports=80 gpus=1 cluster=blue
         run 1 web cpu=2 cluster=green
         run 1 web ports=80 cluster=green
         run 1 web cpu=1 memory=5 gpus=1 cluster=green
         run 1 web gpus=1 cluster=blue
         stop a
         run 1 web cpu=3 ports=80 gpus=1 cluster=green",
        &expect![[r#"
            web on a g1
            web: b RESOURCE:CPU
            web: b RESOURCE:PORTS
            web on b g2
            web: a RESOURCE:GPU
            web on b g1
        "#]],
    );
}

#[test]
fn launch_types_have_instances_of_their_own() {
    check(
        "host a cpu=9 memory=9
         host f cpu=9 memory=9 offer=fargate
         host x cpu=9 memory=9 external
         host y cpu=9 memory=9 offer=instance,fargate cluster=other
         run 1 web cpu=1
         run 1 web cpu=1 launch=external
         run 3 web cpu=1 launch=fargate spread=host
         run 1 web cpu=1 cluster=other
         start f web cpu=1",
        &expect![[r#"
            web on a
            web on x
            web on f
            web on y
            web on f
            web on y
            web: f MISSING
        "#]],
    );
}

#[test]
fn start_task_tells_why_the_named_instance_will_not_do() {
    check(
        "host a cpu=2 memory=2
         host b cpu=2 memory=2 cluster=other
         start a web cpu=1
         start a web cpu=2
         start b web cpu=1
         start z web cpu=1
         gone a
         start a web cpu=1
         back a
         drain a
         start a web cpu=1",
        &expect![[r#"
            web on a
            web: a RESOURCE:CPU
            web: b MISSING
            web: z MISSING
            web: a AGENT
            web: a INACTIVE
        "#]],
    );
}

#[test]
fn a_constraint_may_ask_what_else_runs_there() {
    check(
        "host a cpu=9 memory=9
         host b cpu=9 memory=9
         run 1 db cpu=1
         run 2 web cpu=1 member=not_(task:group_==_db) spread=host
         run 1 cache cpu=1 member=task:group_==_db distinct
         run 1 cache cpu=1 member=task:group_==_db distinct
         report b
         run 1 job cpu=1 member=runningTasksCount_>_0
         stop a
         run 1 web cpu=1 member=not_(task:group_==_db) spread=host",
        &expect![[r#"
            db on a
            web on b
            web on b
            cache on a
            cache: a DistinctInstance placement constraint unsatisfied., b MemberOf placement constraint unsatisfied.
            job on b
            web on a
        "#]],
    );
}

#[test]
fn only_the_first_hundred_candidates_are_explained() {
    let mut scene = Scene::default();
    for number in 0..150 {
        scene.line(&format!("host h{number:03} cpu=1 memory=1"));
    }
    let words = Words::of("cpu=2");
    let asked = Asked::of("web", &words, 0);
    let refusal = scene.fleet.place(&asked.request()).unwrap_err();
    assert_eq!(refusal.closest(), Some((id_of("h000"), crate::Reason::Cpu)));
    let Refusal::Rejected {
        reasons,
        candidates,
    } = refusal
    else {
        panic!("there are candidates");
    };
    assert_eq!((reasons.len(), candidates), (crate::REFUSALS_MAX, 150));
    assert_eq!(name_of(reasons[99].0), "h099");
}

#[test]
fn what_is_left_of_a_machine_is_told() {
    let mut scene = Scene::default();
    for line in [
        "host a cpu=4 memory=4 gpus=g2,g1 ports=22",
        "run 1 web cpu=1 memory=2 gpus=1 ports=80",
        "report a ports=40000/udp",
    ] {
        scene.line(line);
    }
    let left = scene.fleet.remaining(id_of("a")).unwrap();
    assert_eq!((left.cpu, left.memory), (3, 2));
    assert_eq!(left.gpus, [Text::new("g2")]);
    assert_eq!(
        left.ports,
        Words::of("ports=22,80,40000/udp").ports("ports")
    );
    assert_eq!(scene.fleet.remaining(id_of("b")), None);
}
