//! The network: calls with their answers, and the messages of sessions.

use berth_agent_proto::acs::ToAgent;
use berth_agent_proto::agent::Ended;
use berth_agent_proto::server::HealthReport;
use berth_model::id::InstanceId;
use berth_model::task::Health;
use serde_json::Value;

use super::{Http, World};
use crate::agent::Act;
use crate::gateway::{Down, task_id};
use crate::mutant::Mutant;
use crate::term::{Answer, Who};
use crate::watch;

impl World {
    /// Sends a call over the network.
    pub(super) fn post(&mut self, who: Who, operation: &'static str, mut body: Value) {
        self.notes
            .log(|| format!("{who:?} calls {operation} {body}"));
        if self.settings.mutant == Some(Mutant::IgnoresToken)
            && operation == "RunTask"
            && let Some(body) = body.as_object_mut()
        {
            let token = body["clientToken"].as_str().unwrap_or_default().to_owned();
            // The token is there for the watch to see, and is never the same twice.
            body.insert("startedBy".into(), Value::from(token));
            body.remove("clientToken");
        }
        if self.dice(self.weather.lost) {
            self.notes.cover("fault: call lost");
            return;
        }
        let copies = if self.dice(self.weather.doubled) {
            self.notes.cover("fault: call doubled");
            2
        } else {
            1
        };
        for _ in 0..copies {
            let delay = if self.dice(self.weather.delayed) {
                self.notes.cover("fault: call delayed");
                self.chance.between(500, 10_000)
            } else {
                self.chance.between(1, 20)
            };
            let answers = !self.dice(self.weather.lost);
            if let Who::User(number) = who {
                self.users.opened(number);
            }
            self.http.push(Http {
                at: self.now + delay,
                who: who.clone(),
                operation,
                body: body.clone(),
                answers,
            });
        }
    }

    pub(super) fn deliver_calls(&mut self) {
        let now = self.now;
        let (due, later): (Vec<Http>, Vec<Http>) = std::mem::take(&mut self.http)
            .into_iter()
            .partition(|http| http.at <= now);
        self.http = later;
        for http in due {
            let reachable = match http.who {
                Who::Agent(which, ..) => self.agents[which].is_reachable(now),
                Who::User(_) | Who::Nobody(_) | Who::Server | Who::Session(_) => true,
            };
            let Some(term) = self.term.as_mut().filter(|_| reachable) else {
                if let Who::User(number) = http.who {
                    self.users.closed(number);
                }
                continue;
            };
            let loses = self.settings.mutant == Some(Mutant::LosesReports)
                && http.operation == "SubmitTaskStateChange"
                && self.chance.between(0, 20) == 0;
            if loses {
                if let Who::Agent(which, operation, number) = http.who {
                    let answer = Ok(serde_json::json!({}));
                    self.agents[which].answered(now, operation, number, &answer);
                }
                continue;
            }
            let who = match http.who {
                who if http.answers => who,
                Who::User(number) => Who::Nobody(Some(number)),
                Who::Agent(..) | Who::Nobody(_) | Who::Server | Who::Session(_) => {
                    Who::Nobody(None)
                }
            };
            if !http.answers {
                self.notes.cover("fault: answer lost");
            }
            term.call(who, http.operation, &http.body);
        }
    }

    pub(super) fn hear(&mut self, answers: Vec<(Who, Answer)>) {
        for (who, answer) in answers {
            let Answer::Call(answer) = answer else {
                continue;
            };
            self.notes.log(|| match &answer {
                Ok(_) => format!("{who:?} is answered"),
                Err(error) => format!("{who:?} is refused: {error}"),
            });
            if let Who::User(number) | Who::Nobody(Some(number)) = who {
                self.users.closed(number);
            }
            match who {
                Who::User(number) => self.users.answered(number, &answer, &self.notes),
                Who::Agent(which, operation, number) => {
                    let agent = &mut self.agents[which];
                    if agent.is_reachable(self.now) {
                        agent.answered(self.now, operation, number, &answer);
                    }
                }
                Who::Nobody(_) | Who::Server | Who::Session(_) => {}
            }
        }
    }

    pub(super) fn carry_out(&mut self, which: usize, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Connect => self.connect(which),
                Act::HangUp => self.drop_link(which),
                Act::Send(frame) => {
                    let at = self.arrival();
                    for at in at {
                        self.agents[which].up.push((at, frame.clone()));
                    }
                }
                Act::Call(operation, body, number) => {
                    self.post(Who::Agent(which, operation, number), operation, body);
                }
                Act::Health(arn, container, healthy) => {
                    if !healthy {
                        self.notes.cover("fault: health flapped");
                    }
                    let agent = &self.agents[which];
                    if agent.is_reachable(self.now)
                        && agent.generation.is_some()
                        && let (Some(term), Some((instance, _))) = (&mut self.term, &agent.instance)
                    {
                        let report = HealthReport {
                            task_arn: arn,
                            container,
                            health: match healthy {
                                true => Health::Healthy,
                                false => Health::Unhealthy,
                            },
                            since: None,
                        };
                        term.health(*instance, report);
                    }
                }
                Act::Fault(what) => self.notes.cover(what),
                Act::Began(arn) => self.check_began(which, &arn),
                Act::Told(arn, well) => self.check_told(which, &arn, well),
            }
        }
    }

    pub(super) fn check_began(&mut self, which: usize, arn: &str) {
        let others = self.agents.iter().filter(|agent| agent.number != which);
        for other in others {
            if other.held.contains_key(arn) {
                let what = format!("{arn} on machines {} and {which}", other.number);
                self.notes.broken(watch::TWO_INSTANCES, what);
            }
        }
    }

    /// A container is stopped only when its record says so.
    pub(super) fn check_told(&mut self, which: usize, arn: &str, well: bool) {
        self.notes
            .log(|| format!("machine {which} stops {arn}, well: {well}"));
        let Some(term) = &self.term else { return };
        let state = term.snapshot();
        let task = task_id(arn).and_then(|id| state.tasks.get(id));
        if task.is_some_and(|task| task.desired == berth_model::task::Desired::Running) {
            self.notes
                .broken(watch::OUTAGE, format!("{arn} is wanted and was stopped"));
        }
    }

    /// When a message arrives: never, once or twice.
    pub(super) fn arrival(&mut self) -> Vec<u64> {
        if self.dice(self.weather.lost) {
            self.notes.cover("fault: message lost");
            return Vec::new();
        }
        let mut at = vec![self.now];
        if self.dice(self.weather.doubled) {
            self.notes.cover("fault: message doubled");
            at.push(self.now + self.chance.between(0, 2_000));
        }
        if self.dice(self.weather.delayed) {
            self.notes.cover("fault: message delayed");
            at[0] = self.now + self.chance.between(100, 5_000);
        }
        at
    }

    pub(super) fn connect(&mut self, which: usize) {
        let agent = &mut self.agents[which];
        let Some((instance, _)) = agent.instance.clone() else {
            return;
        };
        let reachable = agent.is_reachable(self.now) && self.now >= agent.redial_at;
        let Some(term) = self.term.as_mut().filter(|_| reachable) else {
            agent.ended(self.now, &Ended::Failed("no route".to_owned()));
            return;
        };
        match term.enter(instance, self.now, self.chance.next_u64()) {
            Ok(generation) => {
                agent.generation = Some(generation);
                agent.excuse = None;
                agent.session.connected(self.now);
                self.notes.cover("gateway: session opened");
                self.notes
                    .log(|| format!("agent {which} connects as {instance}"));
            }
            Err(why) => agent.ended(self.now, &Ended::Failed(why.to_owned())),
        }
    }

    pub(super) fn send_down(&mut self, down: Vec<Down>) {
        for one in down {
            let (Down::Message(id, session, _)
            | Down::Ping(id, session)
            | Down::Close(id, session, ..)) = &one;
            let (id, session) = (*id, *session);
            let agent = self.agents.iter().position(|agent| {
                agent.instance.as_ref().is_some_and(|i| i.0 == id)
                    && agent.generation == Some(session)
            });
            let Some(which) = agent else { continue };
            let reachable = self.agents[which].is_reachable(self.now);
            match one {
                Down::Message(_, _, message) => {
                    self.check_number(id, &message);
                    let frame = message.encode();
                    for at in self.arrival() {
                        self.agents[which].down.push((at, frame.clone()));
                    }
                }
                Down::Ping(_, session) => {
                    if let Some(term) = self.term.as_mut().filter(|_| reachable) {
                        term.pong(session);
                    }
                }
                Down::Close(_, _, code, reason) => {
                    if reachable {
                        self.agents[which].ended(self.now, &Ended::Closed { code, reason });
                    }
                }
            }
        }
    }

    /// What numbers the agent goes by rise, over sessions and over servers.
    fn check_number(&mut self, instance: InstanceId, message: &ToAgent) {
        let number = match message {
            ToAgent::PayloadMessage(payload) => payload.seq_num,
            ToAgent::TaskManifestMessage(manifest) => Some(manifest.timeline),
            _ => None,
        };
        let Some(number) = number else { return };
        let last = self.numbers.insert(instance, number);
        if let Some(last) = last.filter(|last| *last >= number) {
            let what = format!("{instance} got number {number} after {last}");
            self.notes.broken(watch::NUMBERS, what);
        }
    }

    pub(super) fn deliver_down(&mut self, which: usize) {
        let agent = &mut self.agents[which];
        let now = self.now;
        let due: Vec<(u64, String)> = agent.down.extract_if(.., |(at, _)| *at <= now).collect();
        for (_, frame) in due {
            // What is on its way when the network is cut is lost.
            if !self.agents[which].is_reachable(now) {
                continue;
            }
            let acts = self.agents[which].received(now, &frame, &mut self.chance, &self.weather);
            self.carry_out(which, acts);
        }
    }

    pub(super) fn deliver_up(&mut self, which: usize) {
        let agent = &mut self.agents[which];
        let now = self.now;
        let due: Vec<(u64, String)> = agent.up.extract_if(.., |(at, _)| *at <= now).collect();
        let Some(session) = agent.generation else {
            return;
        };
        let reachable = agent.is_reachable(now);
        for (_, frame) in due {
            if let Some(term) = self.term.as_mut().filter(|_| reachable) {
                term.received(session, frame);
            }
        }
    }
}
