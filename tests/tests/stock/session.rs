//! The server's side of a transcript, against our own agent's session: what a stock agent
//! answered is what ours answers.

use berth_agent_proto::acs::ToServer;
use berth_agent_proto::agent::{AcsOutput, AcsSession};
use berth_tests::transcript::{Channel, Event, Side};
use serde_json::{Value, json};

/// A session that does at once what it is told to do.
struct Ours {
    session: AcsSession,
    /// The tasks that are to run, by ARN.
    running: Vec<String>,
    said: Vec<Value>,
}

/// Plays each ACS connection of a transcript; how many messages were answered. Panics when the
/// answers of a connection are others than the stock agent's. They are compared in order, each
/// kind for itself: a stock agent writes acks and credentials' acks from different threads.
pub(crate) fn against_our_agent(name: &str, events: &[Event]) -> usize {
    let mut answered = 0;
    let mut ours = Ours {
        session: AcsSession::new(7, -1, 0),
        running: Vec::new(),
        said: Vec::new(),
    };
    let mut theirs: Vec<Value> = Vec::new();
    for event in events {
        match event {
            Event::Message {
                channel: Channel::Acs,
                by: Side::Server,
                kind,
                message,
            } => ours.receive(&json!({ "type": kind, "message": message })),
            Event::Message {
                channel: Channel::Acs,
                by: Side::Agent,
                kind,
                message,
            } => theirs.push(json!({ "type": kind, "message": message })),
            Event::Call {
                by_agent: true,
                operation,
                input,
                ..
            } if operation == "SubmitTaskStateChange" && input["status"] == "STOPPED" => {
                ours.running.retain(|arn| input["task"] != **arn);
            }
            Event::Call { .. } | Event::Message { .. } | Event::Open { .. } => {}
            Event::Close { .. } => {}
        }
    }
    for kind in [
        "AckRequest",
        "HeartbeatAckRequest",
        "IAMRoleCredentialsAckRequest",
        "TaskStopVerificationMessage",
        "NackRequest",
    ] {
        let of_kind = |said: &[Value]| -> Vec<Value> {
            let of = said.iter().filter(|message| message["type"] == kind);
            let mut of: Vec<Value> = of.cloned().collect();
            // A stock agent writes each ack from a thread of its own.
            of.sort_by_key(|message| message["message"]["messageId"].to_string());
            of
        };
        let (theirs, ours) = (of_kind(&theirs), of_kind(&ours.said));
        assert_eq!(ours, theirs, "{name}: {kind}");
        answered += ours.len();
    }
    answered
}

impl Ours {
    fn receive(&mut self, frame: &Value) {
        let mut out = Vec::new();
        self.session.received(1, &frame.to_string(), &mut out);
        let mut at = 0;
        while let Some(output) = out.get(at).cloned() {
            at += 1;
            match output {
                AcsOutput::Send(message) => self.said.push(value_of(&message)),
                AcsOutput::Store(receipt, payload) => {
                    for task in payload.tasks {
                        self.running.retain(|arn| *arn != task.arn);
                        if task.desired_status == "RUNNING" {
                            self.running.push(task.arn);
                        }
                    }
                    self.session.stored(receipt, &mut out);
                }
                AcsOutput::Credentials(message) => {
                    self.session.credentials_kept(&message, &mut out);
                }
                AcsOutput::Manifest(manifest) => {
                    let running = self.running.iter().map(String::as_str);
                    self.session.manifest_saved(&manifest, running, &mut out);
                }
                AcsOutput::Stop(arns) => self.running.retain(|arn| !arns.contains(arn)),
                AcsOutput::HeartbeatSeen => {}
                AcsOutput::Ignored(what) => panic!("ignored: {what}: {frame}"),
                AcsOutput::Dial { .. } | AcsOutput::StayAway(_) | AcsOutput::Register => {
                    panic!("not asked for: {output:?}");
                }
            }
        }
    }
}

fn value_of(message: &ToServer) -> Value {
    serde_json::from_str(&message.encode()).unwrap()
}
