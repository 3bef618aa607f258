//! The agent's and the client's side of a transcript, against a server.

use std::collections::BTreeMap;

use berth_tests::transcript::{Channel, Event, LOST, Side};
use berth_tests::{AgentSocket, Caller, Frame, Key, SOON, Server, Spec, encoded, wait_for};
use serde_json::{Value, json};

use crate::names::Names;

/// What an agent puts before each message on TCS. The upgrade's signature vouches for the socket.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 Credential=x\r\nHost: x\r\n\r\n";

/// Heartbeats come when they are due and not in any order; they are answered on the way.
const HEARTBEATS: [&str; 2] = ["HeartbeatMessage", "HeartbeatAckRequest"];

/// Plays a transcript; panics at the first difference.
pub(crate) fn against_server(name: &str, events: &[Event]) {
    let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    let mut replay = Replay {
        caller: Caller::of(&server),
        server: &server,
        names: Names::default(),
        sockets: BTreeMap::new(),
        newest: 0,
        cpu_units: 0.0,
        used: None,
    };
    for (number, event) in events.iter().enumerate() {
        let line = event.to_line();
        let at = format!("{name}:{}: {:.100}", number + 1, line);
        if let Err(difference) = replay.play(event) {
            panic!("{at}\n{difference}");
        }
    }
    drop(replay);
    let (_, counted) = server.get("/metrics");
    let refused = counted.lines().find(|line| {
        // Of a task that has stopped meanwhile an agent may still speak.
        line.starts_with("berth_telemetry_ignored_total{") && !line.contains("\"unknown_task\"")
    });
    assert_eq!(
        refused, None,
        "{name}: telemetry of a real agent was not believed"
    );
    server.finish();
}

struct Replay<'a> {
    server: &'a Server,
    caller: Caller,
    names: Names,
    sockets: BTreeMap<Channel, AgentSocket>,
    /// The number of the newest message of the server.
    newest: u64,
    /// The CPU units that the agent registered.
    cpu_units: f64,
    /// CPU units and bytes that the agent's last message says are in use.
    used: Option<[f64; 2]>,
}

impl Replay<'_> {
    fn play(&mut self, event: &Event) -> Result<(), String> {
        match event {
            Event::Call {
                operation,
                input,
                status,
                answer,
                by_agent,
            } => {
                let call = Call {
                    operation,
                    input: &self.names.translate(input),
                    status: *status,
                    answer,
                };
                self.call(&call, *by_agent)
            }
            Event::Open {
                channel,
                query,
                status,
            } => self.open(*channel, query, *status),
            Event::Message { kind, .. } if HEARTBEATS.contains(&&**kind) => Ok(()),
            Event::Message {
                channel,
                by: Side::Agent,
                kind,
                message,
            } => {
                let message = self.names.translate(message);
                let text = json!({ "type": kind, "message": message }).to_string();
                let signed = match channel {
                    Channel::Acs => text,
                    Channel::Tcs => format!("{SIGNED}{text}"),
                };
                if kind == "PublishMetricsRequest" {
                    self.used = used(&message, self.cpu_units);
                }
                let taken = self.socket(*channel)?.send_text(&signed);
                taken
                    .then_some(())
                    .ok_or_else(|| "the socket is gone".into())
            }
            Event::Message {
                channel,
                by: Side::Server,
                kind,
                message,
            } => {
                self.expect(*channel, kind, message)?;
                if kind == "AckPublishMetric" {
                    self.check_use();
                }
                Ok(())
            }
            Event::Close {
                channel,
                by: Side::Agent,
                code,
                reason,
            } => {
                // The answer to the server's close went out when that was read.
                let Some(mut socket) = self.sockets.remove(channel) else {
                    return Ok(());
                };
                if *code != LOST {
                    socket.close(*code, reason);
                }
                drop(socket);
                self.wait_away(*channel);
                Ok(())
            }
            Event::Close {
                channel,
                by: Side::Server,
                code,
                reason,
            } => match self.next(*channel)? {
                Frame::Closed(c, r) if c == *code && r == *reason => {
                    self.sockets.remove(channel);
                    Ok(())
                }
                other => Err(format!("came {other:?}")),
            },
        }
    }

    /// A call; a look at a task waits until it is as it was.
    fn call(&mut self, call: &Call<'_>, by_agent: bool) -> Result<(), String> {
        if call.operation == "RegisterContainerInstance" {
            let resources = call.input["totalResources"].as_array();
            let mut resources = resources.into_iter().flatten();
            let cpu = resources.find(|resource| resource["name"] == "CPU");
            self.cpu_units = cpu.map_or(0.0, |cpu| cpu["integerValue"].as_f64().unwrap_or(0.0));
        }
        if by_agent || !call.operation.starts_with("Describe") {
            return self.call_once(call);
        }
        let mut last = Ok(());
        let look = || {
            last = self.call_once(call);
            last.is_ok().then_some(())
        };
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_for("an answer as it was", SOON, look);
        }));
        found.map_err(|_| last.err().unwrap_or_default())
    }

    /// What was published is what the server shows.
    fn check_use(&mut self) {
        let Some(said) = self.used.take() else { return };
        let gauges = [
            "berth_cluster_cpu_used_units",
            "berth_cluster_memory_used_bytes",
        ];
        wait_for("what was published to be shown", SOON, || {
            let (_, text) = self.server.get("/metrics");
            let value = |gauge: &str| {
                let line = text
                    .lines()
                    .find(|line| line.starts_with(&format!("{gauge}{{")))?;
                line.rsplit(' ').next()?.parse::<f64>().ok()
            };
            let same = |gauge: &str, said: f64| {
                value(gauge).is_some_and(|shown| (shown - said).abs() <= said * 1e-5)
            };
            (same(gauges[0], said[0]) && same(gauges[1], said[1])).then_some(())
        });
    }

    fn call_once(&mut self, call: &Call<'_>) -> Result<(), String> {
        let came = self.caller.ask(call.operation, call.input);
        let came = came.map_err(|error| error.to_string())?;
        if came.status != call.status {
            return Err(format!("came {} {}", came.status, came.body));
        }
        let body: Value = serde_json::from_str(&came.body).map_err(|error| error.to_string())?;
        self.names.same(call.answer, &body, "answer")
    }

    fn open(
        &mut self,
        channel: Channel,
        query: &BTreeMap<String, String>,
        status: u16,
    ) -> Result<(), String> {
        let pairs = query.iter();
        let pairs = pairs.map(|(key, value)| {
            let value = self.names.translate_text(value);
            format!("{key}={}", encoded(&value))
        });
        let query = pairs.collect::<Vec<String>>().join("&");
        let path = match channel {
            Channel::Acs => format!("/acs/ws?{query}"),
            Channel::Tcs => format!("/tcs/ws?{query}"),
        };
        match AgentSocket::open(self.server.address(), Key::TESTS, &path) {
            Ok(socket) if status == 101 => {
                self.sockets.insert(channel, socket);
                Ok(())
            }
            Ok(_) => Err(format!("opened, and was refused with {status}")),
            Err(refusal) if refusal.status == status => Ok(()),
            Err(refusal) => Err(format!("came {refusal:?}")),
        }
    }

    fn expect(&mut self, channel: Channel, kind: &str, message: &Value) -> Result<(), String> {
        match self.next(channel)? {
            Frame::Message(came, content) if came == kind => {
                if channel == Channel::Acs {
                    self.check_number(kind, &content)?;
                }
                self.names.same(message, &content, kind)
            }
            other => Err(format!("came {other:?}")),
        }
    }

    /// Numbers rise from message to message, else an agent drops manifests. An answer carries
    /// the number of its question.
    fn check_number(&mut self, kind: &str, content: &Value) -> Result<(), String> {
        let number = content["messageId"].as_str().and_then(|id| id.parse().ok());
        let number: u64 = number.ok_or("a message without a number")?;
        for key in ["seqNum", "timeline"] {
            if !content[key].is_null() && content[key] != number {
                return Err(format!("{key} is {}, messageId {number}", content[key]));
            }
        }
        if kind != "TaskStopVerificationAck" {
            if number <= self.newest {
                return Err(format!("{number} came after {}", self.newest));
            }
            self.newest = number;
        }
        Ok(())
    }

    /// The next frame that is not a heartbeat.
    fn next(&mut self, channel: Channel) -> Result<Frame, String> {
        loop {
            let socket = self.socket(channel)?;
            match socket.receive() {
                Frame::Message(kind, content) if HEARTBEATS.contains(&&*kind) => {
                    if channel == Channel::Acs {
                        let ack = json!({ "messageId": content["messageId"] });
                        socket.send("HeartbeatAckRequest", &ack);
                    }
                }
                frame => return Ok(frame),
            }
        }
    }

    fn socket(&mut self, channel: Channel) -> Result<&mut AgentSocket, String> {
        let socket = self.sockets.get_mut(&channel);
        socket.ok_or_else(|| "no such socket is open".into())
    }

    /// What follows in a transcript knows that the agent is gone.
    fn wait_away(&self, channel: Channel) {
        if channel == Channel::Acs {
            wait_for("the agent to be away", SOON, || {
                (self.server.metric("berth_agents_connected") == 0.0).then_some(())
            });
        }
    }
}

/// CPU units and bytes that a message says are in use; `None` when it speaks of no CPU.
fn used(message: &Value, cpu_units: f64) -> Option<[f64; 2]> {
    let tasks = message["taskMetrics"].as_array()?;
    let containers = tasks
        .iter()
        .flat_map(|task| task["containerMetrics"].as_array().into_iter().flatten());
    let mean = |set: &Value| Some(set["sum"].as_f64()? / set["sampleCount"].as_f64()?);
    let (mut cpu, mut memory) = (None, 0.0);
    for container in containers {
        if let Some(percent) = mean(&container["cpuStatsSet"]) {
            *cpu.get_or_insert(0.0) += percent / 100.0 * cpu_units;
        }
        memory += mean(&container["memoryStatsSet"]).unwrap_or(0.0);
    }
    Some([cpu?, memory * 1024.0 * 1024.0])
}

/// A call as it was recorded, asked with the ids of this replay.
struct Call<'a> {
    operation: &'a str,
    input: &'a Value,
    status: u16,
    answer: &'a Value,
}
