//! ACS on the server.
//!
//! Rules kept here:
//! - what is due is the caller's to say (it follows from stored state); the session only
//!   remembers what it sent on this connection, so that the same thing is not sent twice, and
//!   asks again when an ack stays out for [`RESEND_AFTER_MS`];
//! - every payload's `seqNum` and every manifest's `timeline` come from one rising number;
//! - a manifest waits until no payload is unacknowledged (pitfall 33);
//! - a roll call is a manifest without tasks: the agent names every task that it keeps running as a
//!   stop candidate, and none of them is stopped for it. What it does not name it does not have;
//! - a stop candidate is stopped only when the caller confirms it, and only in answer to the
//!   newest manifest, once.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use berth_model::id::TaskId;
use berth_model::task::Desired;

use super::pulse::{Beat, CLOSE_GONE, CLOSE_POLICY, CLOSE_TOO_BIG, Close, Pulse};
use crate::acs::{
    Heartbeat, ManifestTask, Payload, RoleCredentials, StopVerificationAck, TaskManifest, ToAgent,
    ToServer,
};
use crate::envelope::DecodeError;
use crate::task::{Credentials, Task};

/// The most tasks in one payload. One task that the agent cannot read leaves the whole payload
/// without an ack (pitfall 20), and the agent stores a payload in one go; ten keeps both small
/// and spares most of the per-message cost.
pub const PAYLOAD_TASKS_MAX: usize = 10;

/// How long an ack may stay out before the caller is asked again, in milliseconds. A healthy
/// agent acks within milliseconds; one minute leaves room for a slow disk.
pub const RESEND_AFTER_MS: u64 = 60_000;

/// What a session must know from the start.
#[derive(Clone, Debug)]
pub struct AcsConfig {
    /// The ARN of the cluster, put into each message.
    pub cluster_arn: String,
    /// The ARN of the instance, put into each message.
    pub instance_arn: String,
    /// The epoch of the leading server: the upper half of every number sent.
    pub epoch: u32,
    /// Where the lower half goes on: what [`AcsSession::counter`] of the instance's session
    /// before gave, or 0 for its first in this epoch.
    pub counter: u32,
    /// What `sendCredentials` in the upgrade said: whether the agent has lost all credentials.
    pub send_credentials: bool,
    /// Spreads timers; different for each session.
    pub seed: u64,
}

/// A task to send.
#[derive(Clone, Debug)]
pub struct DueTask {
    /// Its id.
    pub id: TaskId,
    /// What is wanted of it; must agree with the wire form.
    pub desired: Desired,
    /// Its wire form.
    pub task: Task,
}

/// What the caller shall do.
#[derive(Clone, Debug, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "outputs live for one call, and most are messages"
)]
pub enum AcsOutput {
    /// Send this as one text frame.
    Send(ToAgent),
    /// Send a WebSocket ping.
    Ping,
    /// Close the socket; the session says nothing more.
    Close(Close),
    /// Bring credentials for every live task of the instance by [`AcsSession::credentials`].
    /// Without them, containers get 503 after a restart of their agent (pitfall 29).
    CredentialsWanted,
    /// The agent has stored these tasks.
    Acked(Vec<(TaskId, Desired)>),
    /// No ack came for these for long; what of them is still due may be delivered again.
    Overdue(Vec<TaskId>),
    /// Nothing is unacknowledged, and a manifest was asked for: bring one made from newest
    /// state by [`AcsSession::manifest`].
    ManifestDue,
    /// The agent would stop these, by ARN, because the manifest does not have them. Confirm
    /// those that shall by [`AcsSession::confirm_stops`].
    StopCandidates {
        /// The manifest that it answers.
        manifest: Receipt,
        /// Tasks by ARN, as the agent spells them.
        tasks: Vec<String>,
    },
    /// The agent has none of these tasks any more, which were called up by
    /// [`AcsSession::roll_call`]: they ended, or it lost its memory of them.
    Missing(Vec<TaskId>),
    /// The agent took these credentials, by their id.
    CredentialsAcked(String),
    /// An update was refused, or a message came that cannot be used: worth a line in the log.
    Ignored(String),
}

/// Names a manifest in the dialogue about what to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt(i64);

#[derive(Clone, Copy, Debug)]
struct Sent {
    desired: Desired,
    /// The number of the payload that holds it; 0 once it is acked.
    number: i64,
}

/// A roll call under way.
#[derive(Debug)]
struct RollCall {
    /// The manifest's number.
    number: i64,
    /// The tasks that the agent should have.
    expected: BTreeSet<TaskId>,
    /// The heartbeat that was sent once the manifest was acked. An agent without any task says
    /// nothing but the ack; it handles one message after the other (reference §5.3), so that its
    /// answer to this heartbeat tells that nothing more will come.
    fence: Option<String>,
}

/// The server's end of one ACS connection.
#[derive(Debug)]
pub struct AcsSession {
    config: AcsConfig,
    pulse: Pulse,
    counter: u32,
    sent: HashMap<TaskId, Sent>,
    /// Payloads without an ack, by number, with the time of sending.
    in_flight: BTreeMap<i64, (u64, Vec<TaskId>)>,
    manifest_wanted: bool,
    manifest_asked: bool,
    /// The manifest that may still be answered by stop candidates.
    open_manifest: Option<i64>,
    roll_call: Option<RollCall>,
    greeted: bool,
    closed: bool,
}

impl AcsSession {
    /// A session over a socket that was just opened.
    #[must_use]
    pub fn new(config: AcsConfig, now: u64) -> Self {
        Self {
            pulse: Pulse::new(now, config.seed),
            counter: config.counter,
            config,
            sent: HashMap::new(),
            in_flight: BTreeMap::new(),
            manifest_wanted: false,
            manifest_asked: false,
            open_manifest: None,
            roll_call: None,
            greeted: false,
            closed: false,
        }
    }

    /// Where the instance's next session of this epoch must go on counting.
    #[must_use]
    pub fn counter(&self) -> u32 {
        self.counter
    }

    /// Whether the session has asked for its socket to be closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// When [`poll`](Self::poll) must be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        if !self.greeted {
            return 0;
        }
        let overdue = self
            .in_flight
            .values()
            .next()
            .map(|(at, _)| at + RESEND_AFTER_MS);
        overdue.unwrap_or(u64::MAX).min(self.pulse.due())
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, now: u64, out: &mut Vec<AcsOutput>) {
        if self.closed {
            return;
        }
        if !std::mem::replace(&mut self.greeted, true) && self.config.send_credentials {
            out.push(AcsOutput::CredentialsWanted);
        }
        while let Some(beat) = self.pulse.beat(now) {
            match beat {
                Beat::Ping => out.push(AcsOutput::Ping),
                Beat::Heartbeat => {
                    let message_id = self.next_number().to_string();
                    out.push(AcsOutput::Send(ToAgent::HeartbeatMessage(Heartbeat {
                        message_id,
                        healthy: Some(true),
                    })));
                }
                Beat::Dead => {
                    self.close(CLOSE_GONE, "no answer to pings", out);
                    return;
                }
            }
        }
        self.expire(now, out);
        self.ask_for_manifest(out);
    }

    /// A text frame came in (or a binary one whose content is text).
    pub fn received(&mut self, now: u64, frame: &str, out: &mut Vec<AcsOutput>) {
        if !self.count_frame(now, out) {
            return;
        }
        match ToServer::decode(frame) {
            Ok(message) => self.take(message, out),
            Err(DecodeError::TooLong(_)) => self.close(CLOSE_TOO_BIG, "message too long", out),
            Err(error) => {
                if self.pulse.bad_frame(now) {
                    out.push(AcsOutput::Ignored(error.to_string()));
                } else {
                    self.close(CLOSE_POLICY, "too many bad messages", out);
                }
            }
        }
        self.ask_for_manifest(out);
    }

    /// A pong, a ping or any other frame without a message came in.
    pub fn sign_of_life(&mut self, now: u64, out: &mut Vec<AcsOutput>) {
        self.count_frame(now, out);
    }

    /// Whether delivering this task would send something: not when it was already sent on this
    /// connection, nor when a stop was. Spares the caller making the wire form.
    #[must_use]
    pub fn wants(&self, id: TaskId, desired: Desired) -> bool {
        !self.closed
            && match self.sent.get(&id) {
                None => true,
                Some(sent) => sent.desired == Desired::Running && desired == Desired::Stopped,
            }
    }

    /// Sends what of `tasks` was not sent before, in payloads of at most
    /// [`PAYLOAD_TASKS_MAX`].
    pub fn deliver(&mut self, now: u64, tasks: Vec<DueTask>, out: &mut Vec<AcsOutput>) {
        let mut batch = Vec::new();
        for due in tasks {
            if self.wants(due.id, due.desired) && !batch.iter().any(|b: &DueTask| b.id == due.id) {
                batch.push(due);
            }
            if batch.len() == PAYLOAD_TASKS_MAX {
                self.send_payload(now, std::mem::take(&mut batch), out);
            }
        }
        if !batch.is_empty() {
            self.send_payload(now, batch, out);
        }
    }

    /// Nothing is due for this task any more: a report of it was stored, or it is gone.
    ///
    /// Forgets a stopped task wholly; of a running one it keeps that it was sent.
    pub fn settled(&mut self, id: TaskId, desired: Desired, out: &mut Vec<AcsOutput>) {
        let Some(sent) = self.sent.get(&id).copied() else {
            return;
        };
        if sent.desired == Desired::Stopped && desired == Desired::Running {
            return;
        }
        self.leave_flight(sent.number, id);
        if desired == Desired::Stopped {
            self.sent.remove(&id);
        } else {
            self.sent.insert(id, Sent { desired, number: 0 });
        }
        self.ask_for_manifest(out);
    }

    /// Sends credentials of a task's role; `role_type` is `TaskApplication` or
    /// `TaskExecution`. An agent that does not know the task gives no ack.
    pub fn credentials(
        &mut self,
        task_arn: &str,
        role_type: &str,
        credentials: Credentials,
        out: &mut Vec<AcsOutput>,
    ) {
        if self.closed {
            return;
        }
        let message = RoleCredentials {
            message_id: self.next_number().to_string(),
            task_arn: task_arn.to_owned(),
            task_cluster_arn: Some(self.config.cluster_arn.clone()),
            role_type: role_type.to_owned(),
            role_credentials: Some(credentials),
        };
        out.push(AcsOutput::Send(ToAgent::IAMRoleCredentialsMessage(message)));
    }

    /// Asks for a manifest to be sent as soon as nothing is unacknowledged; then comes
    /// [`AcsOutput::ManifestDue`].
    pub fn want_manifest(&mut self, out: &mut Vec<AcsOutput>) {
        self.manifest_wanted = true;
        self.ask_for_manifest(out);
    }

    /// Sends a manifest, in answer to [`AcsOutput::ManifestDue`]: the ARNs of the instance's
    /// tasks, each with what is wanted of it. Does nothing when payloads went out meanwhile; the
    /// question is then put again.
    pub fn manifest(&mut self, tasks: Vec<(String, Desired)>, out: &mut Vec<AcsOutput>) {
        if self.may_send_manifest() {
            self.send_manifest(tasks, out);
        }
    }

    /// Sends a manifest that names no task, in answer to [`AcsOutput::ManifestDue`]; then comes
    /// [`AcsOutput::Missing`] with those of `expected` that the agent does not keep running, if
    /// there are any. `expected` are tasks that the agent has reported and has not ended.
    pub fn roll_call(&mut self, expected: Vec<TaskId>, out: &mut Vec<AcsOutput>) {
        if !self.may_send_manifest() {
            return;
        }
        let number = self.send_manifest(Vec::new(), out);
        self.roll_call = Some(RollCall {
            number,
            expected: expected.into_iter().collect(),
            fence: None,
        });
    }

    fn may_send_manifest(&mut self) -> bool {
        let asked = !self.closed && std::mem::take(&mut self.manifest_asked);
        asked && self.in_flight.is_empty()
    }

    fn send_manifest(&mut self, tasks: Vec<(String, Desired)>, out: &mut Vec<AcsOutput>) -> i64 {
        self.manifest_wanted = false;
        self.roll_call = None;
        let number = self.next_number();
        self.open_manifest = Some(number);
        let tasks = tasks
            .into_iter()
            .map(|(arn, desired)| self.manifest_task(arn, desired))
            .collect();
        out.push(AcsOutput::Send(ToAgent::TaskManifestMessage(
            TaskManifest {
                message_id: number.to_string(),
                cluster_arn: self.config.cluster_arn.clone(),
                container_instance_arn: self.config.instance_arn.clone(),
                generated_at: None,
                timeline: number,
                tasks,
            },
        )));
        number
    }

    /// Tells the agent which of its stop candidates shall stop. An empty list is sent as well;
    /// the agent then stops none.
    pub fn confirm_stops(
        &mut self,
        manifest: Receipt,
        tasks: Vec<String>,
        out: &mut Vec<AcsOutput>,
    ) {
        if self.closed {
            return;
        }
        let stop_tasks = tasks
            .into_iter()
            .map(|arn| self.manifest_task(arn, Desired::Stopped))
            .collect();
        out.push(AcsOutput::Send(ToAgent::TaskStopVerificationAck(
            StopVerificationAck {
                message_id: manifest.0.to_string(),
                generated_at: None,
                stop_tasks,
            },
        )));
    }

    fn take(&mut self, message: ToServer, out: &mut Vec<AcsOutput>) {
        match message {
            ToServer::AckRequest(ack) => self.acked(&ack.message_id, out),
            ToServer::NackRequest(nack) => {
                let text = format!("agent refused message {}: {}", nack.message_id, nack.reason);
                out.push(AcsOutput::Ignored(text));
            }
            // Any frame is a sign of life, so the answer to a heartbeat says nothing more, unless
            // it is waited for.
            ToServer::HeartbeatAckRequest(ack) => self.fence_passed(&ack.message_id, out),
            ToServer::IAMRoleCredentialsAckRequest(ack) => {
                out.push(AcsOutput::CredentialsAcked(ack.credentials_id));
            }
            ToServer::TaskStopVerificationMessage(question) => {
                let number = question.message_id.parse().ok();
                match self.open_manifest {
                    Some(open) if number == Some(open) => {
                        self.open_manifest = None;
                        let present = question.stop_candidates.iter();
                        let present = present.filter_map(|one| task_id(&one.task_arn)).collect();
                        self.roll_called(open, &present, out);
                        out.push(AcsOutput::StopCandidates {
                            manifest: Receipt(open),
                            tasks: question
                                .stop_candidates
                                .into_iter()
                                .map(|candidate| candidate.task_arn)
                                .collect(),
                        });
                    }
                    Some(_) | None => {
                        out.push(AcsOutput::Ignored("stale stop verification".to_owned()));
                    }
                }
            }
            ToServer::Unknown(kind) => {
                out.push(AcsOutput::Ignored(format!(
                    "unknown message type {kind:.40}"
                )));
            }
        }
    }

    fn acked(&mut self, message_id: &str, out: &mut Vec<AcsOutput>) {
        let number: Option<i64> = message_id.parse().ok();
        self.manifest_acked(number, out);
        // Acks of manifests and attachments, repeats and inventions are not in flight.
        let payload = number.and_then(|number| self.in_flight.remove(&number));
        let Some((_, ids)) = payload else {
            return;
        };
        let mut tasks = Vec::with_capacity(ids.len());
        for id in ids {
            if let Some(sent) = self.sent.get_mut(&id) {
                sent.number = 0;
                tasks.push((id, sent.desired));
            }
        }
        out.push(AcsOutput::Acked(tasks));
    }

    /// The agent has the roll call, and has answered it or will at once.
    fn manifest_acked(&mut self, number: Option<i64>, out: &mut Vec<AcsOutput>) {
        let open = self.roll_call.as_ref();
        if open.is_none_or(|open| number != Some(open.number) || open.fence.is_some()) {
            return;
        }
        let message_id = self.next_number().to_string();
        if let Some(open) = &mut self.roll_call {
            open.fence = Some(message_id.clone());
        }
        out.push(AcsOutput::Send(ToAgent::HeartbeatMessage(Heartbeat {
            message_id,
            healthy: Some(true),
        })));
    }

    fn fence_passed(&mut self, message_id: &str, out: &mut Vec<AcsOutput>) {
        let open = self.roll_call.as_ref();
        let open = open.filter(|open| open.fence.as_deref() == Some(message_id));
        if let Some(number) = open.map(|open| open.number) {
            self.roll_called(number, &BTreeSet::new(), out);
        }
    }

    /// The agent has said which tasks it has, in answer to the manifest of this number.
    fn roll_called(&mut self, number: i64, present: &BTreeSet<TaskId>, out: &mut Vec<AcsOutput>) {
        let Some(call) = self.roll_call.take_if(|call| call.number == number) else {
            return;
        };
        let missing: Vec<TaskId> = call.expected.difference(present).copied().collect();
        if !missing.is_empty() {
            out.push(AcsOutput::Missing(missing));
        }
    }

    fn send_payload(&mut self, now: u64, batch: Vec<DueTask>, out: &mut Vec<AcsOutput>) {
        let number = self.next_number();
        let mut ids = Vec::with_capacity(batch.len());
        let mut tasks = Vec::with_capacity(batch.len());
        for due in batch {
            let sent = Sent {
                desired: due.desired,
                number,
            };
            if let Some(before) = self.sent.insert(due.id, sent) {
                self.leave_flight(before.number, due.id);
            }
            ids.push(due.id);
            tasks.push(due.task);
        }
        self.in_flight.insert(number, (now, ids));
        out.push(AcsOutput::Send(ToAgent::PayloadMessage(Payload {
            message_id: number.to_string(),
            cluster_arn: self.config.cluster_arn.clone(),
            container_instance_arn: self.config.instance_arn.clone(),
            seq_num: Some(number),
            generated_at: None,
            tasks,
        })));
    }

    /// The payload of this number no longer answers for the task.
    fn leave_flight(&mut self, number: i64, id: TaskId) {
        if let Some((_, ids)) = self.in_flight.get_mut(&number) {
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                self.in_flight.remove(&number);
            }
        }
    }

    /// Forgets payloads whose ack stays out, and asks the caller about their tasks.
    fn expire(&mut self, now: u64, out: &mut Vec<AcsOutput>) {
        let mut overdue = Vec::new();
        while let Some(oldest) = self.in_flight.first_entry() {
            if oldest.get().0 + RESEND_AFTER_MS > now {
                break;
            }
            let (_, ids) = oldest.remove();
            for id in ids {
                self.sent.remove(&id);
                overdue.push(id);
            }
        }
        if !overdue.is_empty() {
            out.push(AcsOutput::Overdue(overdue));
        }
    }

    fn ask_for_manifest(&mut self, out: &mut Vec<AcsOutput>) {
        let quiet = self.in_flight.is_empty() && !self.closed;
        if self.manifest_wanted && !self.manifest_asked && quiet {
            self.manifest_asked = true;
            out.push(AcsOutput::ManifestDue);
        }
    }

    fn manifest_task(&self, task_arn: String, desired: Desired) -> ManifestTask {
        ManifestTask {
            task_arn,
            task_cluster_arn: self.config.cluster_arn.clone(),
            desired_status: desired.as_str().to_owned(),
        }
    }

    fn next_number(&mut self) -> i64 {
        // A session would have to live for years to count through 32 bits.
        self.counter = self.counter.saturating_add(1);
        (i64::from(self.config.epoch & 0x7fff_ffff) << 32) | i64::from(self.counter)
    }

    fn count_frame(&mut self, now: u64, out: &mut Vec<AcsOutput>) -> bool {
        if self.closed {
            return false;
        }
        let within = self.pulse.frame(now);
        if !within {
            self.close(CLOSE_POLICY, "too many messages", out);
        }
        within
    }

    fn close(&mut self, code: u16, reason: &'static str, out: &mut Vec<AcsOutput>) {
        if !std::mem::replace(&mut self.closed, true) {
            out.push(AcsOutput::Close(Close { code, reason }));
        }
    }
}

fn task_id(arn: &str) -> Option<TaskId> {
    arn.rsplit('/').next()?.parse().ok()
}

#[cfg(test)]
mod tests;
