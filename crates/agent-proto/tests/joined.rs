//! Both ends of ACS joined in memory, over a link that loses, doubles and reorders messages and
//! breaks: whatever happens, a task reaches the agent and its stop does too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use berth_agent_proto::task::Task;
use berth_agent_proto::{Chance, agent, server};
use berth_model::id::TaskId;
use berth_model::task::Desired;
use proptest::prelude::*;

/// What the link does to messages, in percent.
#[derive(Clone, Copy, Debug)]
struct Weather {
    lost: u64,
    doubled: u64,
    swapped: u64,
    broken: u64,
}

/// The server's records: what is wanted, and what the agent has reported (here: that it has the
/// task, which stands for a stored state change).
#[derive(Default)]
struct Records {
    wanted: BTreeMap<TaskId, Desired>,
    /// Reports that were stored.
    reported: BTreeMap<TaskId, Desired>,
}

impl Records {
    /// The outbox is a query: RUNNING is due while there is no report, STOPPED while there is no
    /// final one.
    fn due(&self) -> Vec<(TaskId, Desired)> {
        self.wanted
            .iter()
            .filter(|(id, desired)| match self.reported.get(id) {
                None => true,
                Some(seen) => **desired == Desired::Stopped && *seen != Desired::Stopped,
            })
            .map(|(id, desired)| (*id, *desired))
            .collect()
    }
}

struct World {
    chance: Chance,
    weather: Weather,
    now: u64,
    records: Records,
    counter: u32,
    server: Option<server::AcsSession>,
    agent: agent::AcsSession,
    to_agent: VecDeque<String>,
    to_server: VecDeque<String>,
    /// What the agent has stored: desired status by ARN.
    stored: BTreeMap<String, Desired>,
    starts: BTreeMap<String, u32>,
    numbers: Vec<i64>,
}

fn arn(id: TaskId) -> String {
    format!("arn:aws:ecs:r:1:task/c/{id}")
}

fn id_of(arn: &str) -> TaskId {
    let last = arn.rsplit('/').next().expect("a split has a last part");
    last.parse().expect("made by `arn`")
}

impl World {
    fn new(seed: u64, weather: Weather) -> Self {
        Self {
            chance: Chance::new(seed),
            weather,
            now: 0,
            records: Records::default(),
            counter: 0,
            server: None,
            agent: agent::AcsSession::new(seed, -1, 0),
            to_agent: VecDeque::new(),
            to_server: VecDeque::new(),
            stored: BTreeMap::new(),
            starts: BTreeMap::new(),
            numbers: Vec::new(),
        }
    }

    fn chance_of(&mut self, percent: u64) -> bool {
        self.chance.between(0, 99) < percent
    }

    fn carry(&mut self, down: bool, text: String) {
        if self.chance_of(self.weather.lost) {
            return;
        }
        let doubled = self.chance_of(self.weather.doubled);
        let swapped = self.chance_of(self.weather.swapped);
        let queue = if down {
            &mut self.to_agent
        } else {
            &mut self.to_server
        };
        if doubled {
            queue.push_back(text.clone());
        }
        if swapped {
            queue.push_front(text);
        } else {
            queue.push_back(text);
        }
    }

    fn do_server(&mut self, out: Vec<server::AcsOutput>) {
        for output in out {
            match output {
                server::AcsOutput::Send(message) => {
                    if let berth_agent_proto::acs::ToAgent::PayloadMessage(payload) = &message {
                        self.numbers.extend(payload.seq_num);
                    }
                    let text = message.encode();
                    self.carry(true, text);
                }
                server::AcsOutput::Overdue(_) | server::AcsOutput::Acked(_) => self.offer(),
                server::AcsOutput::Ping => {
                    // The socket's own pong, which no message has to carry.
                    let now = self.now;
                    if let Some(session) = &mut self.server {
                        session.sign_of_life(now, &mut Vec::new());
                    }
                }
                server::AcsOutput::ManifestDue => {
                    let tasks = self.records.wanted.iter();
                    let tasks = tasks.map(|(id, desired)| (arn(*id), *desired)).collect();
                    let mut more = Vec::new();
                    if let Some(session) = &mut self.server {
                        session.manifest(tasks, &mut more);
                    }
                    self.do_server(more);
                }
                server::AcsOutput::StopCandidates { manifest, tasks } => {
                    let stopped = tasks
                        .into_iter()
                        .filter(|arn| {
                            self.records.wanted.get(&id_of(arn)) == Some(&Desired::Stopped)
                        })
                        .collect();
                    let mut more = Vec::new();
                    if let Some(session) = &mut self.server {
                        session.confirm_stops(manifest, stopped, &mut more);
                    }
                    self.do_server(more);
                }
                server::AcsOutput::Close(close) => panic!("closed a peer that obeys: {close:?}"),
                server::AcsOutput::CredentialsWanted
                | server::AcsOutput::Missing(_)
                | server::AcsOutput::CredentialsAcked(_)
                | server::AcsOutput::Ignored(_) => {}
            }
        }
    }

    /// Offers all that is due to the session, as the gateway does after each change.
    fn offer(&mut self) {
        let Some(session) = &mut self.server else {
            return;
        };
        let tasks = self
            .records
            .due()
            .into_iter()
            .map(|(id, desired)| server::DueTask {
                id,
                desired,
                task: Task {
                    arn: arn(id),
                    desired_status: desired.as_str().to_owned(),
                    ..Task::default()
                },
            })
            .collect();
        let mut out = Vec::new();
        session.deliver(self.now, tasks, &mut out);
        self.do_server(out);
    }

    fn do_agent(&mut self, out: Vec<agent::AcsOutput>) {
        for output in out {
            match output {
                agent::AcsOutput::Dial { dial, .. } => match dial {
                    agent::Dial::Connect => self.connect(),
                    agent::Dial::Close | agent::Dial::Drop => self.hang_up(),
                },
                agent::AcsOutput::Send(message) => self.carry(false, message.encode()),
                agent::AcsOutput::Store(receipt, payload) => {
                    for task in payload.tasks {
                        self.take_task(&task);
                    }
                    let mut more = Vec::new();
                    self.agent.stored(receipt, &mut more);
                    self.do_agent(more);
                }
                agent::AcsOutput::Manifest(manifest) => {
                    let stored = self.stored.iter();
                    let running: Vec<String> = stored
                        .filter(|(_, desired)| **desired == Desired::Running)
                        .map(|(arn, _)| arn.clone())
                        .collect();
                    let mut more = Vec::new();
                    let names = running.iter().map(String::as_str);
                    self.agent.manifest_saved(&manifest, names, &mut more);
                    self.do_agent(more);
                }
                agent::AcsOutput::Stop(arns) => {
                    for arn in arns {
                        self.stop(&arn);
                    }
                }
                agent::AcsOutput::Credentials(_)
                | agent::AcsOutput::HeartbeatSeen
                | agent::AcsOutput::Register
                | agent::AcsOutput::StayAway(_)
                | agent::AcsOutput::Ignored(_) => {}
            }
        }
    }

    fn take_task(&mut self, task: &Task) {
        if task.desired_status == "STOPPED" {
            self.stop(&task.arn);
        } else if !self.stored.contains_key(&task.arn) {
            self.stored.insert(task.arn.clone(), Desired::Running);
            *self.starts.entry(task.arn.clone()).or_default() += 1;
            self.report(&task.arn, Desired::Running);
        }
    }

    fn stop(&mut self, arn: &str) {
        assert_eq!(
            self.records.wanted.get(&id_of(arn)),
            Some(&Desired::Stopped),
            "stopped a task that is wanted"
        );
        self.stored.insert(arn.to_owned(), Desired::Stopped);
        self.report(arn, Desired::Stopped);
    }

    /// A state change by API; the agent repeats those until they succeed, so they do.
    fn report(&mut self, arn: &str, seen: Desired) {
        let id = id_of(arn);
        if self.records.reported.get(&id) != Some(&Desired::Stopped) {
            self.records.reported.insert(id, seen);
        }
        let mut out = Vec::new();
        if let Some(session) = &mut self.server {
            session.settled(id, seen, &mut out);
        }
        self.do_server(out);
    }

    fn connect(&mut self) {
        self.hang_up_server();
        let config = server::AcsConfig {
            cluster_arn: "arn:aws:ecs:r:1:cluster/c".to_owned(),
            instance_arn: "arn:aws:ecs:r:1:container-instance/c/0".to_owned(),
            epoch: 2,
            counter: self.counter,
            send_credentials: false,
            seed: self.chance.next_u64(),
        };
        let mut session = server::AcsSession::new(config, self.now);
        let mut out = Vec::new();
        session.want_manifest(&mut out);
        self.server = Some(session);
        self.agent.connected(self.now);
        self.offer();
        self.do_server(out);
    }

    fn hang_up_server(&mut self) {
        if let Some(session) = self.server.take() {
            self.counter = session.counter();
        }
        self.to_agent.clear();
        self.to_server.clear();
    }

    fn hang_up(&mut self) {
        self.hang_up_server();
        let mut out = Vec::new();
        self.agent.ended(self.now, &agent::Ended::Lost, &mut out);
        self.do_agent(out);
    }

    /// One step: timers, then a message each way.
    fn step(&mut self) {
        self.now += 250;
        let mut out = Vec::new();
        self.agent.poll(self.now, &mut out);
        self.do_agent(out);
        let mut out = Vec::new();
        if let Some(session) = &mut self.server {
            session.poll(self.now, &mut out);
        }
        self.do_server(out);
        if self.chance_of(self.weather.broken) {
            self.hang_up();
        }
        while let Some(text) = self.to_agent.pop_front() {
            let mut out = Vec::new();
            self.agent.received(self.now, &text, &mut out);
            self.do_agent(out);
        }
        while let Some(text) = self.to_server.pop_front() {
            let mut out = Vec::new();
            if let Some(session) = &mut self.server {
                session.received(self.now, &text, &mut out);
            }
            self.do_server(out);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_task_starts_once_and_every_stop_arrives(
        seed in any::<u64>(),
        lost in 0_u64..30,
        doubled in 0_u64..30,
        swapped in 0_u64..30,
        broken in 0_u64..3,
        tasks in 1_u8..40,
    ) {
        let weather = Weather { lost, doubled, swapped, broken };
        let mut world = World::new(seed, weather);
        let mut stops = BTreeSet::new();
        for n in 0..tasks {
            let id = TaskId::from_bytes([n; 16]);
            world.records.wanted.insert(id, Desired::Running);
            world.offer();
            for _ in 0..4 {
                world.step();
            }
            if n % 3 == 0 {
                world.records.wanted.insert(id, Desired::Stopped);
                stops.insert(id);
                world.offer();
            }
        }
        // Then the weather clears; what was lost is made up for within the resend time.
        world.weather = Weather { lost: 0, doubled: 0, swapped: 0, broken: 0 };
        let deadline = world.now + 4 * server::RESEND_AFTER_MS;
        while !world.records.due().is_empty() && world.now < deadline {
            world.step();
        }
        prop_assert_eq!(world.records.due(), vec![]);
        prop_assert!(world.starts.values().all(|starts| *starts == 1), "{:?}", world.starts);
        for (id, desired) in &world.records.wanted {
            let stored = world.stored.get(&arn(*id));
            prop_assert_eq!(stored, Some(desired));
            prop_assert_eq!(stops.contains(id), *desired == Desired::Stopped);
        }
        prop_assert!(world.numbers.windows(2).all(|w| w[0] < w[1]));
    }

    #[test]
    fn no_text_makes_either_end_panic(frames in prop::collection::vec(any::<String>(), 0..40)) {
        let mut server = server::TcsSession::new(1, 0);
        let mut agent = agent::AcsSession::new(1, -1, 0);
        for frame in frames {
            server.received(0, &frame, &mut Vec::new());
            agent.received(0, &frame, &mut Vec::new());
            let wrapped = format!(r#"{{"type":"PayloadMessage","message":{frame}}}"#);
            agent.received(0, &wrapped, &mut Vec::new());
        }
    }
}
