//! TCS on the server.

use super::pulse::{Beat, CLOSE_GONE, CLOSE_POLICY, CLOSE_TOO_BIG, Close, Pulse};
use crate::envelope::DecodeError;
use crate::tcs::{
    Heartbeat, InstanceStatus, PublishMetrics, TaskHealth, Text, ToAgent, ToServer, split_signed,
};
use berth_model::task::Health;

/// What the caller shall do.
#[derive(Clone, Debug, PartialEq)]
pub enum TcsOutput {
    /// Send this as one text frame.
    Send(ToAgent),
    /// Send a WebSocket ping.
    Ping,
    /// Close the socket; the session says nothing more.
    Close(Close),
    /// Health of containers.
    Health(Vec<HealthReport>),
    /// Metrics of tasks, as they came.
    Metrics(PublishMetrics),
    /// Health of the instance.
    InstanceStatus(Vec<InstanceStatus>),
    /// A message came that cannot be used: worth a line in the log.
    Ignored(String),
}

/// What a health check says of one container.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    /// The task, as the agent spells it.
    pub task_arn: String,
    /// The container's name.
    pub container: String,
    /// What its check says.
    pub health: Health,
    /// Since when, in seconds since the epoch, by the agent's clock.
    pub since: Option<f64>,
}

/// The server's end of one TCS connection.
#[derive(Debug)]
pub struct TcsSession {
    pulse: Pulse,
    closed: bool,
}

impl TcsSession {
    /// A session over a socket that was just opened. `seed` spreads its timers.
    #[must_use]
    pub fn new(seed: u64, now: u64) -> Self {
        Self {
            pulse: Pulse::new(now, seed),
            closed: false,
        }
    }

    /// Whether the session has asked for its socket to be closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// When [`poll`](Self::poll) must be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        self.pulse.due()
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, now: u64, out: &mut Vec<TcsOutput>) {
        if self.closed {
            return;
        }
        while let Some(beat) = self.pulse.beat(now) {
            match beat {
                Beat::Ping => out.push(TcsOutput::Ping),
                Beat::Heartbeat => {
                    let healthy = Some(true);
                    out.push(TcsOutput::Send(ToAgent::HeartbeatMessage(Heartbeat {
                        healthy,
                    })));
                }
                Beat::Dead => {
                    self.close(CLOSE_GONE, "no answer to pings", out);
                    return;
                }
            }
        }
    }

    /// A text frame came in, with or without a signed header block. The signature of the
    /// upgrade request vouches for the socket, so those of single frames are not looked at.
    pub fn received(&mut self, now: u64, frame: &str, out: &mut Vec<TcsOutput>) {
        if !self.count_frame(now, out) {
            return;
        }
        let decoded = match split_signed(frame) {
            Some((_, json)) => ToServer::decode(json).map_err(Some),
            None => Err(None),
        };
        match decoded {
            Ok(message) => self.take(message, out),
            Err(Some(DecodeError::TooLong(_))) => {
                self.close(CLOSE_TOO_BIG, "message too long", out);
            }
            Err(error) => {
                let text = error.map_or_else(
                    || "frame without a message".to_owned(),
                    |error| error.to_string(),
                );
                if self.pulse.bad_frame(now) {
                    out.push(TcsOutput::Ignored(text));
                } else {
                    self.close(CLOSE_POLICY, "too many bad messages", out);
                }
            }
        }
    }

    /// A pong, a ping or any other frame without a message came in.
    pub fn sign_of_life(&mut self, now: u64, out: &mut Vec<TcsOutput>) {
        self.count_frame(now, out);
    }

    fn take(&mut self, message: ToServer, out: &mut Vec<TcsOutput>) {
        let ok = Text {
            message: Some("ok".to_owned()),
        };
        match message {
            ToServer::PublishMetricsRequest(metrics) => {
                out.push(TcsOutput::Send(ToAgent::AckPublishMetric(ok)));
                if !metrics.task_metrics.is_empty() || metrics.instance_metrics.is_some() {
                    out.push(TcsOutput::Metrics(metrics));
                }
            }
            ToServer::PublishHealthRequest(health) => {
                out.push(TcsOutput::Send(ToAgent::AckPublishHealth(ok)));
                let reports: Vec<_> = health.tasks.into_iter().flat_map(reports).collect();
                if !reports.is_empty() {
                    out.push(TcsOutput::Health(reports));
                }
            }
            ToServer::PublishInstanceStatusRequest(status) => {
                out.push(TcsOutput::Send(ToAgent::AckPublishInstanceStatus(ok)));
                out.push(TcsOutput::InstanceStatus(status.statuses));
            }
            ToServer::Unknown(kind) => {
                out.push(TcsOutput::Ignored(format!(
                    "unknown message type {kind:.40}"
                )));
            }
        }
    }

    fn count_frame(&mut self, now: u64, out: &mut Vec<TcsOutput>) -> bool {
        if self.closed {
            return false;
        }
        let within = self.pulse.frame(now);
        if !within {
            self.close(CLOSE_POLICY, "too many messages", out);
        }
        within
    }

    fn close(&mut self, code: u16, reason: &'static str, out: &mut Vec<TcsOutput>) {
        if !std::mem::replace(&mut self.closed, true) {
            out.push(TcsOutput::Close(Close { code, reason }));
        }
    }
}

/// One task's share of a health publication. A word that is not known means unknown.
fn reports(task: TaskHealth) -> Vec<HealthReport> {
    let TaskHealth {
        task_arn,
        containers,
        ..
    } = task;
    containers
        .into_iter()
        .map(|container| HealthReport {
            task_arn: task_arn.clone(),
            container: container.container_name,
            health: match container.health_status.as_str() {
                "HEALTHY" => Health::Healthy,
                "UNHEALTHY" => Health::Unhealthy,
                _ => Health::Unknown,
            },
            since: container.status_since,
        })
        .collect()
}

#[cfg(test)]
mod tests;
