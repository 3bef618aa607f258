//! An agent and its machine: the real session of the agent protocol over simulated containers.
//!
//! Rules kept here:
//! - what was stored is kept over a restart of the agent, and its containers go on without it;
//! - a machine that loses its power loses its containers, and the agent says so afterwards;
//! - a report is said again until it is answered.

use std::collections::{BTreeMap, VecDeque};

use berth_agent_proto::Chance;
use berth_agent_proto::agent::{AcsOutput, AcsSession, Dial, Ended};
use berth_agent_proto::task::Task;
use berth_model::id::InstanceId;
use serde_json::{Value, json};

use crate::weather::Weather;

/// How long an agent waits for the answer to a call, in milliseconds.
const ANSWER_WAIT_MS: u64 = 20_000;
/// How often health is told, in milliseconds.
const HEALTH_EVERY_MS: u64 = 5_000;
/// A time that never comes.
pub(crate) const NEVER: u64 = u64::MAX;

/// Where a simulated task is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Pulling,
    Running,
    Stopping,
    Stopped,
}

/// How a task's start goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Starts,
    Fails,
    Hangs,
}

/// A task that the agent has stored.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) phase: Phase,
    pub(crate) fate: Fate,
    /// When the phase ends.
    pub(crate) due: u64,
    container: String,
    image: String,
    checked: bool,
    pub(crate) unhealthy_until: u64,
    told_health: Option<bool>,
    started_at: u64,
}

/// What the world is to do for an agent.
#[derive(Debug)]
pub(crate) enum Act {
    Connect,
    HangUp,
    Send(String),
    /// Call an operation.
    Call(&'static str, Value, u64),
    /// Tell the health of a task's container.
    Health(String, String, bool),
    /// A payload began this task here.
    Began(String),
    /// The agent was told to stop this task, and whether it ran well.
    Told(String, bool),
    /// Something went wrong with a task here.
    Fault(&'static str),
}

/// An agent with its machine.
pub(crate) struct Agent {
    pub(crate) number: usize,
    pub(crate) zone: String,
    pub(crate) cpu: u32,
    pub(crate) memory: u32,
    pub(crate) gpus: u32,
    pub(crate) attributes: Vec<String>,
    pub(crate) instance: Option<(InstanceId, String)>,
    pub(crate) session: AcsSession,
    /// Which of the server's sessions it talks to.
    pub(crate) generation: Option<u64>,
    /// Frames on their way down and up, with the time of their arrival.
    pub(crate) down: Vec<(u64, String)>,
    pub(crate) up: Vec<(u64, String)>,
    pub(crate) held: BTreeMap<String, Held>,
    reports: VecDeque<Value>,
    /// The call whose answer is waited for, and until when.
    awaited: Option<(u64, u64)>,
    calls: u64,
    retry_at: u64,
    health_at: u64,
    /// The network to the server is cut until then.
    pub(crate) cut_until: u64,
    /// The machine has no power until then.
    pub(crate) off_until: u64,
    /// Since when it is away by a fault of its own or the network's.
    pub(crate) excuse: Option<u64>,
    saved_number: i64,
    /// Whether it is Amazon's, which takes minutes to redial after an outage of the server.
    pub(crate) stock: bool,
    pub(crate) redial_at: u64,
}

impl Agent {
    pub(crate) fn new(number: usize, chance: &mut Chance, zones: u64) -> Self {
        let zone = format!(
            "us-east-1{}",
            ["a", "b", "c"][(number as u64 % zones) as usize]
        );
        Self {
            number,
            zone,
            cpu: [1024, 2048, 4096][chance.between(0, 2) as usize],
            memory: [2048, 4096][chance.between(0, 1) as usize],
            gpus: u32::from(chance.between(0, 2) == 0) * 2,
            attributes: Vec::new(),
            instance: None,
            session: AcsSession::new(chance.next_u64(), -1, 0),
            generation: None,
            down: Vec::new(),
            up: Vec::new(),
            held: BTreeMap::new(),
            reports: VecDeque::new(),
            awaited: None,
            calls: 0,
            retry_at: 0,
            health_at: 0,
            cut_until: 0,
            off_until: 0,
            excuse: None,
            saved_number: -1,
            stock: chance.between(0, 2) == 0,
            redial_at: 0,
        }
    }

    /// Whether the server can be reached from it.
    pub(crate) fn is_reachable(&self, now: u64) -> bool {
        now >= self.cut_until && now >= self.off_until
    }

    /// Does what the time asks for.
    pub(crate) fn poll(&mut self, now: u64, chance: &mut Chance, weather: &Weather) -> Vec<Act> {
        let mut acts = Vec::new();
        if now < self.off_until {
            return acts;
        }
        self.age(now, chance, weather, &mut acts);
        if self.instance.is_none() {
            if self.is_free(now) {
                let number = self.begin_call(now);
                let body = self.registration();
                acts.push(Act::Call("RegisterContainerInstance", body, number));
            }
            return acts;
        }
        let mut out = Vec::new();
        self.session.poll(now, &mut out);
        self.carry_out(out, now, chance, weather, &mut acts);
        if let Some(report) = self.reports.front().cloned()
            && self.is_free(now)
        {
            let number = self.begin_call(now);
            acts.push(Act::Call("SubmitTaskStateChange", report, number));
        }
        if now >= self.health_at {
            self.health_at = now + HEALTH_EVERY_MS;
            self.tell_health(now, chance, weather, &mut acts);
        }
        acts
    }

    fn begin_call(&mut self, now: u64) -> u64 {
        self.calls += 1;
        self.awaited = Some((self.calls, now + ANSWER_WAIT_MS));
        self.calls
    }

    fn is_free(&mut self, now: u64) -> bool {
        if self.awaited.is_some_and(|(_, until)| now >= until) {
            self.awaited = None;
        }
        self.awaited.is_none() && now >= self.retry_at
    }

    fn registration(&self) -> Value {
        let gpus: Vec<String> = (0..self.gpus)
            .map(|n| format!("gpu-{}-{n}", self.number))
            .collect();
        let mut attributes: Vec<Value> =
            self.attributes.iter().map(|a| json!({"name": a})).collect();
        attributes.push(json!({"name": "ecs.availability-zone", "value": self.zone}));
        json!({
            "cluster": "sim",
            "clientToken": format!("machine-{}", self.number),
            "attributes": attributes,
            "totalResources": [
                {"name": "CPU", "type": "INTEGER", "integerValue": self.cpu},
                {"name": "MEMORY", "type": "INTEGER", "integerValue": self.memory},
                {"name": "PORTS", "type": "STRINGSET", "stringSetValue": ["22", "2375"]},
                {"name": "GPU", "type": "STRINGSET", "stringSetValue": gpus},
            ],
        })
    }

    /// A call of the agent was answered.
    pub(crate) fn answered(
        &mut self,
        now: u64,
        operation: &str,
        number: u64,
        answer: &Result<Value, String>,
    ) {
        // Another call's, or one after the wait was given up: the call is made again.
        if self.awaited.is_none_or(|(awaited, _)| awaited != number) {
            return;
        }
        self.awaited = None;
        let Ok(value) = answer else {
            self.retry_at = now + 1_000;
            return;
        };
        match operation {
            "RegisterContainerInstance" => {
                let arn = value["containerInstance"]["containerInstanceArn"].as_str();
                let arn = arn.unwrap_or_default().to_owned();
                let id = arn.rsplit('/').next().and_then(|id| id.parse().ok());
                self.instance = id.map(|id| (id, arn));
                self.session.registered(now);
            }
            _ => {
                self.reports.pop_front();
            }
        }
    }

    /// A frame came down.
    pub(crate) fn received(
        &mut self,
        now: u64,
        frame: &str,
        chance: &mut Chance,
        weather: &Weather,
    ) -> Vec<Act> {
        let (mut out, mut acts) = (Vec::new(), Vec::new());
        self.session.received(now, frame, &mut out);
        self.carry_out(out, now, chance, weather, &mut acts);
        acts
    }

    /// The connection or the attempt ended.
    pub(crate) fn ended(&mut self, now: u64, how: &Ended) {
        self.generation = None;
        self.down.clear();
        self.up.clear();
        let mut out = Vec::new();
        self.session.ended(now, how, &mut out);
    }

    /// The agent's process starts anew; containers go on.
    pub(crate) fn restart(&mut self, now: u64, chance: &mut Chance) {
        self.generation = None;
        self.down.clear();
        self.up.clear();
        self.awaited = None;
        self.session = AcsSession::new(chance.next_u64(), self.saved_number, now);
        for held in self.held.values_mut() {
            held.told_health = None;
        }
    }

    /// The machine is off until `until`: its containers end.
    pub(crate) fn power_off(&mut self, now: u64, until: u64, chance: &mut Chance) {
        self.restart(until, chance);
        self.off_until = until;
        self.excuse.get_or_insert(now);
        let arns: Vec<String> = self.held.keys().cloned().collect();
        for arn in arns {
            let phase = self.held[&arn].phase;
            if phase == Phase::Running || phase == Phase::Stopping {
                self.end(&arn, Some(137), "");
            }
        }
    }

    fn age(&mut self, now: u64, chance: &mut Chance, weather: &Weather, acts: &mut Vec<Act>) {
        let due: Vec<String> = self
            .held
            .iter()
            .filter(|(_, held)| {
                let unhung = weather.calm && held.phase == Phase::Pulling;
                held.due <= now || (unhung && held.due == NEVER)
            })
            .map(|(arn, _)| arn.clone())
            .collect();
        for arn in due {
            let Some(held) = self.held.get_mut(&arn) else {
                continue;
            };
            match held.phase {
                Phase::Pulling if held.fate == Fate::Fails && !weather.calm => {
                    acts.push(Act::Fault("fault: task failed to start"));
                    self.end(&arn, None, "CannotPullContainerError: no such image");
                }
                Phase::Pulling => {
                    held.phase = Phase::Running;
                    held.started_at = now;
                    let dies = !weather.calm && chance.between(0, 99) < weather.exits;
                    held.due = if dies {
                        now + chance.between(100, 60_000)
                    } else {
                        NEVER
                    };
                    let report = json!({
                        "cluster": "sim", "task": arn, "status": "RUNNING",
                        "containers": [{
                            "containerName": held.container, "status": "RUNNING",
                            "runtimeId": format!("r{}", chance.next_u64()),
                            "imageDigest": format!("sha256:{}", held.image.len()),
                        }],
                    });
                    self.reports.push_back(report);
                }
                Phase::Running if weather.calm => held.due = NEVER,
                Phase::Running => {
                    acts.push(Act::Fault("fault: task ended by itself"));
                    self.end(&arn, Some(1), "");
                }
                Phase::Stopping => self.end(&arn, Some(0), ""),
                Phase::Stopped => held.due = NEVER,
            }
        }
    }

    fn end(&mut self, arn: &str, code: Option<i32>, reason: &str) {
        let Some(held) = self.held.get_mut(arn) else {
            return;
        };
        held.phase = Phase::Stopped;
        held.due = NEVER;
        self.reports.push_back(json!({
            "cluster": "sim", "task": arn, "status": "STOPPED", "reason": reason,
            "containers": [{
                "containerName": held.container, "status": "STOPPED",
                "exitCode": code, "reason": reason,
            }],
        }));
    }

    fn tell_health(
        &mut self,
        now: u64,
        chance: &mut Chance,
        weather: &Weather,
        acts: &mut Vec<Act>,
    ) {
        for (arn, held) in &mut self.held {
            if !held.checked || held.phase != Phase::Running || now < held.started_at + 2_000 {
                continue;
            }
            if !weather.calm
                && now >= held.unhealthy_until
                && chance.between(0, 999) < weather.flaps
            {
                held.unhealthy_until = now + chance.between(1_000, 40_000);
            }
            if weather.calm {
                held.unhealthy_until = 0;
            }
            let healthy = now >= held.unhealthy_until;
            // Said again now and then, for it may be lost.
            if held.told_health != Some(healthy) || chance.between(0, 3) == 0 {
                held.told_health = Some(healthy);
                acts.push(Act::Health(arn.clone(), held.container.clone(), healthy));
            }
        }
    }

    fn carry_out(
        &mut self,
        out: Vec<AcsOutput>,
        now: u64,
        chance: &mut Chance,
        weather: &Weather,
        acts: &mut Vec<Act>,
    ) {
        for output in out {
            let mut more = Vec::new();
            match output {
                AcsOutput::Dial { dial, .. } => match dial {
                    Dial::Connect => acts.push(Act::Connect),
                    Dial::Close | Dial::Drop => acts.push(Act::HangUp),
                },
                AcsOutput::Send(message) => acts.push(Act::Send(message.encode())),
                AcsOutput::Store(receipt, payload) => {
                    for task in &payload.tasks {
                        self.take(task, now, chance, weather, acts);
                    }
                    self.session.stored(receipt, &mut more);
                }
                AcsOutput::Manifest(manifest) => {
                    self.saved_number = self.saved_number.max(manifest.timeline);
                    let running = self
                        .held
                        .iter()
                        .filter(|(_, held)| matches!(held.phase, Phase::Pulling | Phase::Running));
                    let names: Vec<&str> = running.map(|(arn, _)| arn.as_str()).collect();
                    self.session.manifest_saved(&manifest, names, &mut more);
                }
                AcsOutput::Stop(arns) => {
                    for arn in arns {
                        self.stop(&arn, now, chance, weather, acts);
                    }
                }
                AcsOutput::Credentials(_)
                | AcsOutput::HeartbeatSeen
                | AcsOutput::Register
                | AcsOutput::StayAway(_)
                | AcsOutput::Ignored(_) => {}
            }
            self.carry_out(more, now, chance, weather, acts);
        }
    }

    fn take(
        &mut self,
        task: &Task,
        now: u64,
        chance: &mut Chance,
        weather: &Weather,
        acts: &mut Vec<Act>,
    ) {
        if task.desired_status == "STOPPED" {
            if self.held.contains_key(&task.arn) {
                self.stop(&task.arn, now, chance, weather, acts);
            } else {
                // It never came; the final word is said all the same.
                self.hold(task, now, chance, weather);
                self.end(&task.arn, None, "never started");
            }
            return;
        }
        acts.push(Act::Began(task.arn.clone()));
        if !self.held.contains_key(&task.arn) {
            self.hold(task, now, chance, weather);
            let held = &self.held[&task.arn];
            if held.fate == Fate::Hangs {
                acts.push(Act::Fault("fault: task hung"));
            } else if held.due > now + 5_000 {
                acts.push(Act::Fault("fault: task slow"));
            }
        }
    }

    fn hold(&mut self, task: &Task, now: u64, chance: &mut Chance, weather: &Weather) {
        let container = task.containers.first();
        let image = container.map(|c| c.image.clone()).unwrap_or_default();
        let bad = image.starts_with("bad");
        let roll = chance.between(0, 99);
        let fate = if weather.calm {
            Fate::Starts
        } else if bad || roll < weather.fails {
            Fate::Fails
        } else if roll < weather.fails + weather.hangs {
            Fate::Hangs
        } else {
            Fate::Starts
        };
        let slow = !weather.calm && chance.between(0, 99) < weather.slow;
        let takes = if slow {
            chance.between(10_000, 60_000)
        } else {
            chance.between(50, 2_000)
        };
        let held = Held {
            phase: Phase::Pulling,
            fate,
            due: if fate == Fate::Hangs {
                NEVER
            } else {
                now + takes
            },
            container: container.map(|c| c.name.clone()).unwrap_or_default(),
            checked: container.is_some_and(|c| c.health_check_type.is_some()),
            image,
            unhealthy_until: 0,
            told_health: None,
            started_at: 0,
        };
        self.held.insert(task.arn.clone(), held);
    }

    fn stop(
        &mut self,
        arn: &str,
        now: u64,
        chance: &mut Chance,
        weather: &Weather,
        acts: &mut Vec<Act>,
    ) {
        let Some(held) = self.held.get_mut(arn) else {
            return;
        };
        let slow = !weather.calm && chance.between(0, 99) < weather.slow;
        let takes = if slow {
            30_000
        } else {
            chance.between(10, 3_000)
        };
        match held.phase {
            Phase::Pulling => {
                acts.push(Act::Told(arn.to_owned(), false));
                self.end(arn, None, "stopped before it ran");
            }
            Phase::Running => {
                let well = now >= held.unhealthy_until;
                held.phase = Phase::Stopping;
                held.due = now + takes;
                acts.push(Act::Told(arn.to_owned(), well));
            }
            Phase::Stopping => {}
            // It was told before, and says so once more.
            Phase::Stopped => {
                let said = self.reports.iter().any(|report| report["task"] == arn);
                if !said {
                    self.end(arn, None, "");
                }
            }
        }
    }
}
