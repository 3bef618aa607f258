//! ACS on the agent.
//!
//! Rules kept here:
//! - a payload is acked only after the caller says that its tasks are stored;
//! - a manifest counts only above every number seen so far, and each may stop tasks once, after
//!   the server has confirmed (reference §4.6);
//! - anything that cannot be read is dropped without an answer, as the stock agent does.

use std::collections::BTreeSet;

use super::link::{Dial, Ended, Link, LinkRules};
use crate::acs::{
    Ack, CredentialsAck, HeartbeatAck, ManifestTask, Nack, Payload, RoleCredentials,
    StopVerification, TaskManifest, ToAgent, ToServer,
};
use crate::task::Credentials;

/// How long to stay away after `InactiveInstanceException` (reference §3.4), in milliseconds.
pub const INACTIVE_WAIT_MS: u64 = 3_600_000;

/// The stock agent waits up to 2 min. Ours comes back sooner: the servers are its owner's own,
/// and after one restarts, tasks wait for their agents.
const RULES: LinkRules = LinkRules {
    first_ms: 250,
    growth_tenths: 15,
    longest_ms: 10_000,
    closes_when_idle: false,
};

/// What the caller shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum AcsOutput {
    /// Handle the socket; a `Connect` is to carry `sendCredentials` with this value.
    Dial {
        /// What to do.
        dial: Dial,
        /// Whether the agent has no credentials yet.
        send_credentials: bool,
    },
    /// Send this as one text frame.
    Send(ToServer),
    /// Store the tasks of this payload durably, then call [`AcsSession::stored`]. With a task
    /// that cannot be used, store the others and leave the call out (reference §4.3).
    Store(PayloadReceipt, Payload),
    /// Keep these credentials if the task is known, then call
    /// [`AcsSession::credentials_kept`].
    Credentials(RoleCredentials),
    /// Save the manifest's number durably, then call [`AcsSession::manifest_saved`].
    Manifest(TaskManifest),
    /// Stop these tasks, by ARN: the server has confirmed.
    Stop(Vec<String>),
    /// The server asked for a sign of life; the instance's status is due on TCS.
    HeartbeatSeen,
    /// The server wants the instance away: TCS must stay away as well, until this time.
    StayAway(u64),
    /// The server does not know the instance: register it again under its ARN, then call
    /// [`AcsSession::registered`]. Asked for with each attempt that fails so; the stock agent
    /// has no such rule and has to be started again.
    Register,
    /// Something came that was not used: worth a line in the log.
    Ignored(String),
}

/// Stands for the ack of a payload.
#[derive(Clone, Debug, PartialEq)]
pub struct PayloadReceipt {
    ack: Ack,
    credentials: Vec<CredentialsAck>,
}

/// The agent's end of ACS, over all connections of the process.
#[derive(Debug)]
pub struct AcsSession {
    link: Link,
    connected_before: bool,
    latest_number: i64,
    /// The manifest whose stop verification may still be answered.
    open_manifest: Option<String>,
}

impl AcsSession {
    /// A session that connects at `start`. `latest_number` is the number of the last manifest
    /// that was saved, or −1.
    #[must_use]
    pub fn new(seed: u64, latest_number: i64, start: u64) -> Self {
        Self {
            link: Link::new(RULES, seed, start),
            connected_before: false,
            latest_number,
            open_manifest: None,
        }
    }

    /// When [`poll`](Self::poll) must be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.link.due()
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, now: u64, out: &mut Vec<AcsOutput>) {
        while let Some(dial) = self.link.poll(now) {
            out.push(self.dial(dial));
        }
    }

    /// The connection is there.
    pub fn connected(&mut self, now: u64) {
        self.connected_before = true;
        self.link.connected(now);
    }

    /// The attempt or the connection ended.
    pub fn ended(&mut self, now: u64, how: &Ended, out: &mut Vec<AcsOutput>) {
        self.link.ended(now, how);
        if how.is_inactive() {
            let until = now + INACTIVE_WAIT_MS;
            self.link.stay_away(until);
            out.push(AcsOutput::StayAway(until));
        } else if how.is_unknown() {
            out.push(AcsOutput::Register);
        }
    }

    /// The instance is registered again: connects at once. A server that had forgotten it may have
    /// begun to number its messages anew, so the number of the last manifest says nothing more.
    pub fn registered(&mut self, now: u64) {
        self.latest_number = -1;
        self.link.hurry(now);
    }

    /// A text frame came in.
    pub fn received(&mut self, now: u64, frame: &str, out: &mut Vec<AcsOutput>) {
        let message = match ToAgent::decode(frame) {
            // Not known, so no sign of activity (reference §3.2).
            Ok(ToAgent::Unknown(kind)) => {
                out.push(AcsOutput::Ignored(format!(
                    "unknown message type {kind:.40}"
                )));
                return;
            }
            Ok(message) => message,
            Err(error) => {
                out.push(AcsOutput::Ignored(error.to_string()));
                return;
            }
        };
        self.link.active(now);
        self.take(message, out);
    }

    /// The payload's tasks are stored: acks it.
    pub fn stored(&mut self, receipt: PayloadReceipt, out: &mut Vec<AcsOutput>) {
        let PayloadReceipt { ack, credentials } = receipt;
        out.push(AcsOutput::Send(ToServer::AckRequest(ack)));
        let acks = credentials.into_iter();
        out.extend(acks.map(|ack| AcsOutput::Send(ToServer::IAMRoleCredentialsAckRequest(ack))));
    }

    /// The credentials are kept: acks them.
    pub fn credentials_kept(&mut self, message: &RoleCredentials, out: &mut Vec<AcsOutput>) {
        if let Some(credentials) = &message.role_credentials {
            let ack = credentials_ack(&message.message_id, credentials);
            out.push(AcsOutput::Send(ToServer::IAMRoleCredentialsAckRequest(ack)));
        }
    }

    /// The manifest's number is saved: acks it and names the tasks that would stop. `running`
    /// are the ARNs of all tasks whose desired status is RUNNING.
    pub fn manifest_saved<'a>(
        &mut self,
        manifest: &TaskManifest,
        running: impl IntoIterator<Item = &'a str>,
        out: &mut Vec<AcsOutput>,
    ) {
        self.open_manifest = Some(manifest.message_id.clone());
        out.push(AcsOutput::Send(ToServer::AckRequest(Ack {
            cluster: manifest.cluster_arn.clone(),
            container_instance: manifest.container_instance_arn.clone(),
            message_id: manifest.message_id.clone(),
        })));
        let wanted: BTreeSet<&str> = manifest
            .tasks
            .iter()
            .filter(|task| task.desired_status == "RUNNING")
            .map(|task| task.task_arn.as_str())
            .collect();
        let stop_candidates: Vec<ManifestTask> = running
            .into_iter()
            .filter(|arn| !wanted.contains(arn))
            .map(|arn| ManifestTask {
                task_arn: arn.to_owned(),
                task_cluster_arn: manifest.cluster_arn.clone(),
                desired_status: "STOPPED".to_owned(),
            })
            .collect();
        if !stop_candidates.is_empty() {
            let message_id = manifest.message_id.clone();
            out.push(AcsOutput::Send(ToServer::TaskStopVerificationMessage(
                StopVerification {
                    message_id,
                    stop_candidates,
                },
            )));
        }
    }

    fn take(&mut self, message: ToAgent, out: &mut Vec<AcsOutput>) {
        match message {
            ToAgent::HeartbeatMessage(beat) => {
                out.push(AcsOutput::Send(ToServer::HeartbeatAckRequest(
                    HeartbeatAck {
                        message_id: beat.message_id,
                    },
                )));
                out.push(AcsOutput::HeartbeatSeen);
            }
            ToAgent::PayloadMessage(payload) => self.take_payload(payload, out),
            ToAgent::IAMRoleCredentialsMessage(message) => {
                let known_role = matches!(
                    message.role_type.as_str(),
                    "TaskApplication" | "TaskExecution"
                );
                let complete = message
                    .role_credentials
                    .as_ref()
                    .is_some_and(|credentials| !credentials.credentials_id.is_empty());
                if known_role && complete && !message.message_id.is_empty() {
                    out.push(AcsOutput::Credentials(message));
                } else {
                    out.push(AcsOutput::Ignored(
                        "incomplete credentials message".to_owned(),
                    ));
                }
            }
            ToAgent::TaskManifestMessage(manifest) => {
                if manifest.message_id.is_empty() || manifest.timeline <= self.latest_number {
                    out.push(AcsOutput::Ignored("stale task manifest".to_owned()));
                } else {
                    self.latest_number = manifest.timeline;
                    out.push(AcsOutput::Manifest(manifest));
                }
            }
            ToAgent::TaskStopVerificationAck(answer) => {
                if self.open_manifest.as_ref() == Some(&answer.message_id) {
                    self.open_manifest = None;
                    let stop = answer.stop_tasks.into_iter();
                    let stop: Vec<String> = stop
                        .filter(|task| task.desired_status == "STOPPED")
                        .map(|task| task.task_arn)
                        .collect();
                    if !stop.is_empty() {
                        out.push(AcsOutput::Stop(stop));
                    }
                } else {
                    let text = "answer to another stop verification".to_owned();
                    out.push(AcsOutput::Ignored(text));
                }
            }
            // The ack means "understood"; nothing of the kind exists on our machines, so the
            // wait that the server asks for ends in silence, as with the stock agent.
            ToAgent::AttachTaskNetworkInterfacesMessage(m) => {
                acknowledge(m.cluster_arn, m.container_instance_arn, m.message_id, out);
            }
            ToAgent::AttachInstanceNetworkInterfacesMessage(m) => {
                acknowledge(m.cluster_arn, m.container_instance_arn, m.message_id, out);
            }
            ToAgent::ConfirmAttachmentMessage(m) => {
                acknowledge(m.cluster_arn, m.container_instance_arn, m.message_id, out);
            }
            ToAgent::StageUpdateMessage(update) | ToAgent::PerformUpdateMessage(update) => {
                out.push(AcsOutput::Send(ToServer::NackRequest(Nack {
                    cluster: update.cluster_arn,
                    container_instance: update.container_instance_arn,
                    message_id: update.message_id,
                    reason: "Updates are disabled".to_owned(),
                })));
            }
            ToAgent::CloseMessage(notice) | ToAgent::ErrorMessage(notice) => {
                out.push(AcsOutput::Ignored(notice.message.unwrap_or_default()));
            }
            ToAgent::Unknown(_) => {}
        }
    }

    fn take_payload(&mut self, payload: Payload, out: &mut Vec<AcsOutput>) {
        let named = !payload.message_id.is_empty()
            && !payload.cluster_arn.is_empty()
            && !payload.container_instance_arn.is_empty();
        if !named {
            out.push(AcsOutput::Ignored("payload without ids".to_owned()));
            return;
        }
        if let Some(number) = payload.seq_num {
            self.latest_number = self.latest_number.max(number);
        }
        let sets = payload
            .tasks
            .iter()
            .flat_map(|task| [&task.role_credentials, &task.execution_role_credentials]);
        let receipt = PayloadReceipt {
            ack: Ack {
                cluster: payload.cluster_arn.clone(),
                container_instance: payload.container_instance_arn.clone(),
                message_id: payload.message_id.clone(),
            },
            credentials: sets
                .flatten()
                .map(|credentials| credentials_ack(&payload.message_id, credentials))
                .collect(),
        };
        out.push(AcsOutput::Store(receipt, payload));
    }

    fn dial(&self, dial: Dial) -> AcsOutput {
        AcsOutput::Dial {
            dial,
            send_credentials: !self.connected_before,
        }
    }
}

fn credentials_ack(message_id: &str, credentials: &Credentials) -> CredentialsAck {
    CredentialsAck {
        message_id: message_id.to_owned(),
        credentials_id: credentials.credentials_id.clone(),
        expiration: credentials.expiration.clone(),
    }
}

fn acknowledge(
    cluster: String,
    container_instance: String,
    message_id: String,
    out: &mut Vec<AcsOutput>,
) {
    if message_id.is_empty() {
        out.push(AcsOutput::Ignored("attachment without id".to_owned()));
        return;
    }
    out.push(AcsOutput::Send(ToServer::AckRequest(Ack {
        cluster,
        container_instance,
        message_id,
    })));
}

#[cfg(test)]
mod tests;
