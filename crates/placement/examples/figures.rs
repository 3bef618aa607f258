//! How many tasks per second are placed on 5,000 instances until 100,000 tasks are there, on one
//! thread, each placement told back to the index before the next.
//!
//! ```text
//! cargo run --release -p berth-placement --example figures
//! ```
//!
//! Prints a table for people and then one line of JSON for each row.

use std::sync::Arc;
use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{Attribute, InstanceStatus, Offer, ZONE_ATTRIBUTE};
use berth_model::name::ClusterKey;
use berth_model::resources::{Capacity, Demand, HostPort, Transport};
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::{Fleet, Host, Occupant, Request, Strategy};

const INSTANCES: u32 = 5_000;
const TASKS: u32 = 100_000;
/// Capabilities that a stock agent of today sends, more or less.
const CAPABILITIES: u32 = 60;
/// The middle of this many runs is shown.
const RUNS: usize = 3;

/// One kind of request, and how many task groups take turns.
struct Load {
    name: &'static str,
    groups: u32,
    /// How many tasks one group places before the next has its turn.
    turn: u32,
    required: u32,
    member_of: Vec<Text>,
    distinct: bool,
    port: bool,
    /// CPU units on top of what the other loads ask for.
    more_cpu: u32,
    strategy: Vec<Strategy>,
    /// The least tasks per second that will do, where a figure was promised.
    wanted: Option<f64>,
}

impl Load {
    fn plain(name: &'static str) -> Load {
        Load {
            name,
            groups: 1,
            turn: 1,
            required: 0,
            member_of: Vec::new(),
            distinct: false,
            port: false,
            more_cpu: 0,
            strategy: Strategy::run_task_default(),
            wanted: None,
        }
    }
}

fn strategy(kind: &str, field: &str) -> Strategy {
    Strategy::parse(kind, Some(field)).expect("the strategies here are ECS's own")
}

fn loads() -> Vec<Load> {
    let spread_and_binpack = || {
        vec![
            strategy("spread", "attribute:ecs.availability-zone"),
            strategy("binpack", "memory"),
        ]
    };
    let expression = "attribute:ecs.instance-type =~ m5.* and attribute:rack not_in [r7, r8]";
    vec![
        Load {
            wanted: Some(50_000.0),
            ..Load::plain("plain")
        },
        Load {
            strategy: Strategy::service_default(),
            ..Load::plain("service default")
        },
        Load {
            strategy: spread_and_binpack(),
            wanted: Some(25_000.0),
            ..Load::plain("spread + binpack")
        },
        Load {
            // Each group runs on as many instances as it has tasks.
            groups: 40,
            turn: 2500,
            required: 10,
            member_of: vec![expression.into()],
            distinct: true,
            wanted: Some(25_000.0),
            ..Load::plain("memberOf + distinctInstance + 10 attributes")
        },
        Load {
            groups: 40,
            turn: 10,
            required: 10,
            member_of: vec![expression.into()],
            distinct: true,
            strategy: spread_and_binpack(),
            ..Load::plain("all of it, 40 groups in turns of 10")
        },
        Load {
            groups: 40,
            turn: 10,
            ..Load::plain("plain, 40 groups in turns of 10")
        },
        Load {
            groups: 40,
            turn: 1,
            strategy: Strategy::service_default(),
            ..Load::plain("service default, 40 groups in turns of 1")
        },
        Load {
            groups: 300,
            turn: 10,
            strategy: Strategy::service_default(),
            ..Load::plain("service default, 300 groups in turns of 10")
        },
        Load {
            groups: 20,
            turn: 5000,
            port: true,
            ..Load::plain("static port of the group")
        },
        Load {
            member_of: vec![
                "not (task:group == service:database) and runningTasksCount < 50".into(),
            ],
            required: 10,
            ..Load::plain("memberOf about tasks")
        },
        Load {
            strategy: vec![strategy("spread", "attribute:own")],
            ..Load::plain("spread over 5,000 values")
        },
        Load {
            more_cpu: 1_000_000,
            ..Load::plain("refused, with 100 reasons each")
        },
    ]
}

/// Bits that look random, so that ids do not come in order.
fn scattered(number: u32) -> [u8; 16] {
    let low = u128::from(number) + 1;
    let mixed = low.wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
    (mixed ^ (mixed >> 64)).to_be_bytes()
}

fn host(number: u32, cluster: &ClusterKey) -> Host {
    let named = |name: &str, value: String| Attribute {
        name: name.into(),
        value: Some(value.into()),
    };
    let capabilities = (0..CAPABILITIES).map(|n| Attribute {
        name: capability(n),
        value: None,
    });
    let zone = ["us-east-1a", "us-east-1b", "us-east-1c"][number as usize % 3];
    let kind = ["m5.large", "m5.xlarge", "c5.large"][number as usize / 3 % 3];
    let attributes = capabilities.chain([
        named(ZONE_ATTRIBUTE, zone.into()),
        named("ecs.instance-type", kind.into()),
        named("rack", format!("r{}", number % 16)),
        named("own", format!("v{number}")),
    ]);
    let instance = InstanceId::from_bytes(scattered(number));
    Host {
        instance,
        cluster: cluster.clone(),
        status: InstanceStatus::Active,
        connected: true,
        offer: Offer {
            instance: true,
            fargate: false,
        },
        machine: instance.to_string().into(),
        capacity: Arc::new(Capacity {
            cpu: 16_384,
            memory: 65_536,
            ..Capacity::default()
        }),
        attributes: attributes.collect(),
        custom_attributes: Arc::new([]),
        agent_version: Some("1.105.1".into()),
        machine_id: None,
        registered_at: Timestamp::from_millis(0),
    }
}

fn capability(number: u32) -> Text {
    format!("com.amazonaws.ecs.capability.number-{number}").into()
}

fn run(load: &Load) -> (u32, Duration) {
    let cluster: ClusterKey = "000000000001/us-east-1/figures"
        .parse()
        .expect("a cluster's key");
    let mut fleet = Fleet::new();
    for number in 0..INSTANCES {
        fleet.host_changed(None, Some(&host(number, &cluster)));
    }
    let groups: Vec<Text> = (0..load.groups)
        .map(|n| format!("service:{n}").into())
        .collect();
    let demands: Vec<Arc<Demand>> = (0..load.groups)
        .map(|n| {
            let port = u16::try_from(1000 + n).expect("there are few groups");
            let port = HostPort {
                transport: Transport::Tcp,
                port,
            };
            Arc::new(Demand {
                cpu: 128 + 64 * (n % 3) + load.more_cpu,
                memory: 256 + 128 * (n % 5),
                ports: load.port.then_some(port).into_iter().collect(),
                ..Demand::default()
            })
        })
        .collect();
    let required: Vec<Text> = (0..load.required).map(|n| capability(n * 5)).collect();
    let began = now();
    let mut placed = 0;
    for number in 0..TASKS {
        let turn = (number / load.turn % load.groups) as usize;
        let request = Request {
            cluster: &cluster,
            launch: LaunchType::Ec2,
            group: &groups[turn],
            demand: &demands[turn],
            required_attributes: &required,
            member_of: &load.member_of,
            distinct_instance: load.distinct,
            strategy: &load.strategy,
            zones: None,
            seed: u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15),
        };
        if let Ok(placement) = fleet.place(&request) {
            placed += 1;
            fleet.task_changed(
                None,
                Some(&Occupant {
                    task: TaskId::from_bytes(scattered(number)),
                    instance: placement.instance,
                    cluster: cluster.clone(),
                    group: groups[turn].clone(),
                    demand: demands[turn].clone(),
                    gpus: placement.gpus,
                    reported_ports: Vec::new(),
                    running: false,
                }),
            );
        }
    }
    (placed, began.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "a measurement needs a clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

fn main() {
    println!("{:>9}  {:>9}  {:>7}  load", "tries/s", "wanted", "placed");
    let mut lines = Vec::new();
    for load in loads() {
        let mut runs: Vec<(u32, Duration)> = (0..RUNS).map(|_| run(&load)).collect();
        runs.sort_by_key(|(_, took)| *took);
        let (placed, took) = runs[RUNS / 2];
        let rate = f64::from(TASKS) / took.as_secs_f64();
        let (wanted, name) = (load.wanted, load.name);
        let shown = wanted.map_or("-".into(), |wanted| format!("{wanted:.0}"));
        println!("{rate:>9.0}  {shown:>9}  {placed:>7}  {name}");
        lines.push(serde_json::json!({
            "load": name,
            "instances": INSTANCES,
            "tries": TASKS,
            "placed": placed,
            "tries_per_second": rate.round(),
            "wanted": wanted,
        }));
    }
    let mut loads: Vec<Duration> = (0..RUNS).map(|_| tell_all()).collect();
    loads.sort();
    let told = loads[RUNS / 2];
    println!("{told:>9.0?}  to tell {INSTANCES} instances and {TASKS} tasks at start");
    lines.push(serde_json::json!({
        "load": "tell all at start",
        "instances": INSTANCES,
        "tasks": TASKS,
        "milliseconds": told.as_millis(),
    }));
    for line in lines {
        println!("{line}");
    }
}

/// How long a fleet takes to be told everything, as when a server starts.
fn tell_all() -> Duration {
    let cluster: ClusterKey = "000000000001/us-east-1/figures"
        .parse()
        .expect("a cluster's key");
    let hosts: Vec<Host> = (0..INSTANCES)
        .map(|number| host(number, &cluster))
        .collect();
    let demand = Arc::new(Demand {
        cpu: 128,
        memory: 256,
        ..Demand::default()
    });
    let groups: Vec<Text> = (0..40).map(|n| format!("service:{n}").into()).collect();
    let tasks: Vec<Occupant> = (0..TASKS)
        .map(|number| Occupant {
            task: TaskId::from_bytes(scattered(number)),
            instance: hosts[(number % INSTANCES) as usize].instance,
            cluster: cluster.clone(),
            group: groups[number as usize % groups.len()].clone(),
            demand: demand.clone(),
            gpus: Vec::new(),
            reported_ports: Vec::new(),
            running: true,
        })
        .collect();
    let began = now();
    let mut fleet = Fleet::new();
    hosts
        .iter()
        .for_each(|host| fleet.host_changed(None, Some(host)));
    tasks
        .iter()
        .for_each(|task| fleet.task_changed(None, Some(task)));
    began.elapsed()
}
