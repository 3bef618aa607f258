//! The sentences of explanations.

use std::collections::BTreeMap;
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, InstanceStatus, ZONE_ATTRIBUTE};
use berth_model::resources::{HostPort, Transport};
use berth_model::text::Text;
use berth_placement::{
    Examined, Expression, InstanceFacts, Reason, Remaining, SpreadField, Strategy, Wanted,
};
use berth_state::{State, Tx};

use super::{Candidate, Standing};

/// Values of an attribute that a sentence names.
const VALUES_MAX: usize = 10;

/// A span as people read it: `12 s`, `3 min`, `2 h`.
pub(super) fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

/// What a task takes.
pub(super) fn demand(wanted: &Wanted<'_>) -> String {
    let demand = wanted.demand();
    let mut parts = vec![
        format!("{} CPU units", demand.cpu),
        format!("{} MiB", demand.memory),
    ];
    if demand.gpus > 0 {
        parts.push(format!("{} GPUs", demand.gpus));
    }
    parts.extend(demand.ports.iter().map(|port| port_name(*port)));
    format!("A task takes {}.", parts.join(", "))
}

fn port_name(port: HostPort) -> String {
    let transport = match port.transport {
        Transport::Tcp => "TCP",
        Transport::Udp => "UDP",
    };
    format!("{transport} host port {}", port.port)
}

/// What decides between instances that can take a task.
pub(super) fn strategy(wanted: &Wanted<'_>) -> String {
    let parts = wanted.strategy().iter().map(|strategy| match strategy {
        Strategy::Random => "any".to_owned(),
        Strategy::Spread(SpreadField::InstanceId) => {
            "the one with the fewest tasks of its group".to_owned()
        }
        Strategy::Spread(SpreadField::Attribute(name)) => {
            format!("one whose value of {name} has the fewest tasks of its group")
        }
        Strategy::Binpack(_) => format!(
            "the one with the least {} left",
            strategy.field().unwrap_or_default()
        ),
    });
    let parts: Vec<String> = parts.collect();
    format!(
        "Of the instances that can take it, placement chooses {}.",
        parts.join(", and of those ")
    )
}

/// How many tasks of the group each value of the attributes has that are spread over.
pub(super) fn spread(state: &State, wanted: &Wanted<'_>, examined: &[Examined]) -> Vec<String> {
    let mut notes = Vec::new();
    for strategy in wanted.strategy() {
        let Strategy::Spread(SpreadField::Attribute(name)) = strategy else {
            continue;
        };
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for one in examined {
            let instance = state.instances.get(&one.instance);
            let value = instance.and_then(|i| i.attribute(name)).flatten();
            let value = value.map_or_else(|| "none".to_owned(), Text::to_string);
            *counts.entry(value).or_default() += one.of_group;
        }
        let told = counts.iter().take(VALUES_MAX);
        let told: Vec<String> = told.map(|(v, n)| format!("{v} has {n}")).collect();
        if !told.is_empty() {
            notes.push(format!(
                "Of the tasks of its group, by {name}: {}.",
                told.join(", ")
            ));
        }
    }
    notes
}

/// An instance by id and zone.
pub(super) fn instance(
    id: InstanceId,
    record: Option<&std::sync::Arc<ContainerInstance>>,
) -> String {
    match record.and_then(|record| zone(record)) {
        Some(zone) => format!("container instance {id} in {zone}"),
        None => format!("container instance {id}"),
    }
}

fn zone(instance: &ContainerInstance) -> Option<String> {
    let zone = instance.attribute(ZONE_ATTRIBUTE).flatten();
    zone.map(Text::to_string)
}

/// What is to be said of one instance.
pub(super) fn candidate(
    tx: &mut Tx<'_>,
    wanted: &Wanted<'_>,
    examined: &Examined,
    standing: Standing,
) -> Option<Candidate> {
    let id = examined.instance;
    let left = tx.fleet().remaining(id);
    let state = tx.state();
    let record = state.instances.get(&id)?;
    let mut sentence = match standing {
        Standing::Here => "it is here".to_owned(),
        Standing::Room => "it has room".to_owned(),
        Standing::Refuses(std::cmp::Reverse(reason)) => {
            refusal(state, wanted, record, left.as_ref(), reason)
        }
    };
    if examined.of_group > 0 {
        sentence.push_str(&format!("; {} of the group's tasks", examined.of_group));
        sentence.push_str(if examined.of_group == 1 {
            " is on it"
        } else {
            " are on it"
        });
    }
    sentence.push('.');
    Some(Candidate {
        container_instance_arn: record.cluster.instance_arn(id),
        availability_zone: zone(record),
        sentence,
    })
}

fn refusal(
    state: &State,
    wanted: &Wanted<'_>,
    record: &ContainerInstance,
    left: Option<&Remaining>,
    reason: Reason,
) -> String {
    let request = wanted.request(None, 0);
    let demand = request.demand;
    let (cpu, memory) = left.map_or((0, 0), |left| (left.cpu, left.memory));
    match reason {
        Reason::Missing => "it is not registered".to_owned(),
        Reason::Inactive if record.status == InstanceStatus::Draining => {
            "it is draining".to_owned()
        }
        Reason::Inactive => "it is not active".to_owned(),
        Reason::Agent => "its agent is not connected".to_owned(),
        Reason::Attribute => {
            let lacks = |name: &&Text| record.attribute(name).is_none();
            let required = request.required_attributes.iter();
            let lacking: Vec<&str> = required.filter(lacks).map(Text::as_str).collect();
            format!("it lacks {}", lacking.join(", "))
        }
        Reason::Cpu => format!(
            "it has {cpu} of {} CPU units left, and a task takes {}",
            record.capacity.cpu, demand.cpu
        ),
        Reason::Memory => format!(
            "it has {memory} of {} MiB left, and a task takes {}",
            record.capacity.memory, demand.memory
        ),
        Reason::Gpu => format!(
            "it has {} of {} GPUs left, and a task takes {}",
            left.map_or(0, |left| left.gpus.len()),
            record.capacity.gpus.len(),
            demand.gpus
        ),
        Reason::Ports | Reason::PortsUdp => {
            let taken = |port: &&HostPort| left.is_some_and(|left| left.ports.contains(port));
            match demand.ports.iter().find(taken) {
                Some(port) => format!("its {} is taken", port_name(*port)),
                None => "too many of its host ports are reserved".to_owned(),
            }
        }
        Reason::Location => "it is in none of the zones asked for".to_owned(),
        Reason::MemberOf => {
            let unmet = request
                .member_of
                .iter()
                .find(|raw| !satisfies(state, record, raw));
            match unmet {
                Some(raw) => format!("it does not satisfy {raw}"),
                None => "it does not satisfy a placement constraint".to_owned(),
            }
        }
        Reason::Held => "it is kept free for a task that has waited longer".to_owned(),
        Reason::DistinctInstance => {
            "it has a task of the group, and each is to be on an instance of its own".to_owned()
        }
    }
}

fn satisfies(state: &State, instance: &ContainerInstance, raw: &str) -> bool {
    let live = state.tasks.on_instance(instance.id);
    let live = live.filter(|task| task.last != berth_model::task::LastStatus::Stopped);
    let groups: Vec<Text> = live.map(|task| task.spec.group.clone()).collect();
    let facts = InstanceFacts {
        instance,
        connected: state.is_connected(instance.id),
        running_tasks: state.tasks.instance_counts(instance.id).running,
        groups: &groups,
    };
    Expression::parse(raw).is_ok_and(|expression| expression.matches(&facts))
}
