//! What placement takes from an instance for a task is what the stock agent takes for it: a task
//! that the agent thinks does not fit waits there in silence, and all that come after it wait
//! too (agent protocol reference §5.3).
//!
//! The agent's own arithmetic is written down here once more, over the payload as it was sent.

use std::collections::BTreeSet;

use berth_tests::{AgentSocket, Caller, Key, Spec, chance, transcript::Event};
use serde_json::{Value, json};

/// How many definitions are tried.
const CASES: u64 = 250;
const MIB: u64 = 1024 * 1024;

#[test]
fn placement_takes_for_a_task_what_the_stock_agent_takes() {
    let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    let mut caller = Caller::of(&server);
    caller.call("CreateCluster", &json!({ "clusterName": "default" }));
    let instance = register(&mut caller);
    let mut agent =
        AgentSocket::acs(server.address(), Key::TESTS, "default", &instance).expect("it is ours");
    let mut random = chance(20_261_120);
    let mut compared = 0;
    for case in 0..CASES {
        let (definition, overrides) = (definition(&mut random), overrides(&mut random));
        let about = || format!("case {case}: {definition} with {overrides}");
        let registered = caller.ask("RegisterTaskDefinition", &definition).unwrap();
        if registered.status != 200 {
            continue;
        }
        let input = json!({ "taskDefinition": "sized", "overrides": overrides });
        let answer = caller.ask("RunTask", &input).unwrap();
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        if answer.status != 200 || body["tasks"] == json!([]) {
            continue;
        }
        let payload = agent.expect("PayloadMessage");
        let ack = json!({ "messageId": payload["messageId"] });
        agent.send("AckRequest", &ack);
        let seen = resources(&mut caller, &instance, "remainingResources");
        let had = resources(&mut caller, &instance, "registeredResources");
        let agents = of_payload(&payload["tasks"][0]);
        let taken = Taken {
            cpu: had.cpu - seen.cpu,
            memory: had.memory - seen.memory,
            tcp: seen.tcp.difference(&had.tcp).copied().collect(),
            udp: seen.udp.difference(&had.udp).copied().collect(),
        };
        assert_eq!(taken, agents, "{}", about());
        let stopped = json!({ "task": body["tasks"][0]["taskArn"], "status": "STOPPED" });
        caller.call("SubmitTaskStateChange", &stopped);
        let left = resources(&mut caller, &instance, "remainingResources");
        assert_eq!(left, had, "{}", about());
        compared += 1;
    }
    assert!(compared * 3 > CASES, "only {compared} could be compared");
    server.finish();
}

/// What a task takes.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    cpu: u64,
    memory: u64,
    tcp: BTreeSet<u64>,
    udp: BTreeSet<u64>,
}

/// The agent's sum over a task.
fn of_payload(task: &Value) -> Taken {
    let containers = task["containers"].as_array().unwrap();
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let own = |container: &Value| {
        let text = container["dockerConfig"]["hostConfig"].as_str().unwrap();
        let host: Value = serde_json::from_str(text).unwrap();
        match number(&host["MemoryReservation"]) {
            0 => number(&container["memory"]),
            bytes => bytes / MIB,
        }
    };
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "as the agent cuts it"
    )]
    let cpu = (task["cpu"].as_f64().unwrap_or_default() * 1024.0) as u64;
    let ports = |protocol: &str| {
        let mappings = containers
            .iter()
            .flat_map(|c| c["portMappings"].as_array().into_iter().flatten());
        let of = mappings.filter(|mapping| mapping["protocol"] == protocol);
        let ports = of.map(|mapping| number(&mapping["hostPort"]));
        ports.filter(|port| *port > 0).collect()
    };
    Taken {
        cpu: match cpu {
            0 => containers.iter().map(|c| number(&c["cpu"])).sum(),
            whole => whole,
        },
        memory: match number(&task["memory"]) {
            0 => containers.iter().map(own).sum(),
            whole => whole,
        },
        tcp: ports("tcp"),
        udp: ports("udp"),
    }
}

/// An instance as a stock agent registers it, but large.
pub(crate) fn register(caller: &mut Caller) -> String {
    let recorded = super::transcripts();
    let registration = recorded.iter().flat_map(|(_, events)| events);
    let registration = registration.filter_map(|event| match event {
        Event::Call {
            operation, input, ..
        } if operation == "RegisterContainerInstance" => Some(input.clone()),
        _ => None,
    });
    let mut input = registration.into_iter().next().unwrap();
    for resource in input["totalResources"].as_array_mut().unwrap() {
        if resource["type"] == "INTEGER" {
            resource["integerValue"] = json!(1_000_000);
        }
    }
    // What it says when it may set limits for whole tasks, and give roles.
    let limits = json!({ "name": "ecs.capability.task-cpu-mem-limit" });
    let roles = json!({ "name": "com.amazonaws.ecs.capability.task-iam-role" });
    let attributes = input["attributes"].as_array_mut().unwrap();
    attributes.extend([limits, roles]);
    let answer = caller.call("RegisterContainerInstance", &input);
    let arn = &answer["containerInstance"]["containerInstanceArn"];
    arn.as_str().unwrap().to_owned()
}

fn resources(caller: &mut Caller, instance: &str, which: &str) -> Taken {
    let input = json!({ "containerInstances": [instance] });
    let described = caller.call("DescribeContainerInstances", &input);
    let list = described["containerInstances"][0][which].clone();
    let named = |name: &str| {
        let list = list.as_array().unwrap();
        let found = list.iter().find(|resource| resource["name"] == name);
        found.unwrap().clone()
    };
    let ports = |name: &str| {
        let ports = named(name)["stringSetValue"].clone();
        let ports = ports.as_array().unwrap().clone();
        let ports = ports.iter().map(|port| port.as_str().unwrap().parse());
        ports.collect::<Result<BTreeSet<u64>, _>>().unwrap()
    };
    Taken {
        cpu: named("CPU")["integerValue"].as_u64().unwrap(),
        memory: named("MEMORY")["integerValue"].as_u64().unwrap(),
        tcp: ports("PORTS"),
        udp: ports("PORTS_UDP"),
    }
}

/// Puts one of these values at `key`, or nothing.
fn maybe(random: &mut impl FnMut(u64) -> u64, to: &mut Value, key: &str, values: &[Value]) {
    let choice = usize::try_from(random(values.len() as u64 + 1)).unwrap();
    if let Some(value) = values.get(choice) {
        to[key] = value.clone();
    }
}

fn definition(random: &mut impl FnMut(u64) -> u64) -> Value {
    let mode = ["bridge", "host", "none"][usize::try_from(random(3)).unwrap()];
    let containers = (0..=random(3)).map(|index| {
        let mut container = json!({ "name": format!("c{index}"), "image": "image" });
        let sizes = [json!(64), json!(100), json!(300)];
        maybe(
            random,
            &mut container,
            "cpu",
            &[json!(0), json!(1), json!(10), json!(300)],
        );
        maybe(random, &mut container, "memory", &sizes[1..]);
        maybe(random, &mut container, "memoryReservation", &sizes[..2]);
        let mut mappings = Vec::new();
        for number in 0..random(if mode == "none" { 1 } else { 3 }) {
            let port = 1_000 + index * 100 + number * 10;
            let mut mapping = json!({ "containerPort": port });
            match random(4) {
                0 if mode == "bridge" => {
                    mapping = json!({ "containerPortRange": format!("{port}-{}", port + 2) });
                }
                1 if mode == "bridge" => mapping["hostPort"] = json!(20_000 + port),
                2 => mapping["hostPort"] = json!(port),
                _ => {}
            }
            maybe(
                random,
                &mut mapping,
                "protocol",
                &[json!("udp"), json!("tcp")],
            );
            mappings.push(mapping);
        }
        container["portMappings"] = json!(mappings);
        container
    });
    let containers: Vec<Value> = containers.collect();
    let mut definition = json!({
        "family": "sized", "networkMode": mode, "containerDefinitions": containers,
    });
    maybe(
        random,
        &mut definition,
        "cpu",
        &[json!("512"), json!("700"), json!("2 vcpu")],
    );
    maybe(
        random,
        &mut definition,
        "memory",
        &[json!("2048"), json!("3000"), json!("4 GB")],
    );
    definition
}

fn overrides(random: &mut impl FnMut(u64) -> u64) -> Value {
    let mut overrides = json!({});
    if random(2) == 0 {
        return overrides;
    }
    maybe(
        random,
        &mut overrides,
        "cpu",
        &[json!("1024"), json!("333")],
    );
    maybe(
        random,
        &mut overrides,
        "memory",
        &[json!("3072"), json!("2500")],
    );
    let mut container = json!({ "name": "c0" });
    maybe(
        random,
        &mut container,
        "cpu",
        &[json!(0), json!(2), json!(77)],
    );
    maybe(random, &mut container, "memory", &[json!(128), json!(333)]);
    maybe(
        random,
        &mut container,
        "memoryReservation",
        &[json!(32), json!(90)],
    );
    overrides["containerOverrides"] = json!([container]);
    overrides
}
