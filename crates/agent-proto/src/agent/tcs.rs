//! TCS on the agent.

use super::link::{Dial, Ended, Link, LinkRules};
use crate::chance::Chance;
use crate::tcs::{PUBLISH_EVERY_MS, ToAgent};

/// The stock agent waits up to 1 min; see the same place of ACS for why ours does not.
const RULES: LinkRules = LinkRules {
    first_ms: 1_000,
    growth_tenths: 20,
    longest_ms: 10_000,
    closes_when_idle: true,
};

/// What the caller shall do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcsOutput {
    /// Handle the socket.
    Dial(Dial),
    /// Publish metrics (an idle note when there are none) and health now. Nothing is queued
    /// while there is no connection: each publication says how things are, so a later one
    /// makes up for those left out.
    Publish {
        /// Whether the instance's status goes along.
        instance_status: bool,
    },
}

/// The agent's end of TCS, over all connections of the process.
#[derive(Debug)]
pub struct TcsSession {
    link: Link,
    publish_at: u64,
    chance: Chance,
    instance_status_due: bool,
}

impl TcsSession {
    /// A session that connects at `start`.
    #[must_use]
    pub fn new(seed: u64, start: u64) -> Self {
        Self {
            link: Link::new(RULES, seed, start),
            publish_at: u64::MAX,
            chance: Chance::new(!seed),
            instance_status_due: true,
        }
    }

    /// When [`poll`](Self::poll) must be called at the latest.
    #[must_use]
    pub fn due(&self) -> u64 {
        if self.link.is_open() {
            self.link.due().min(self.publish_at)
        } else {
            self.link.due()
        }
    }

    /// Whether there is a connection.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.link.is_open()
    }

    /// Does what the time asks for.
    pub fn poll(&mut self, now: u64, out: &mut Vec<TcsOutput>) {
        while let Some(dial) = self.link.poll(now) {
            out.push(TcsOutput::Dial(dial));
        }
        if self.link.is_open() && now >= self.publish_at {
            self.publish_at = now + PUBLISH_EVERY_MS;
            let instance_status = std::mem::take(&mut self.instance_status_due);
            out.push(TcsOutput::Publish { instance_status });
        }
    }

    /// The connection is there.
    pub fn connected(&mut self, now: u64) {
        self.link.connected(now);
        // Anywhere in the interval, so that a fleet that came back together does not publish
        // together.
        self.publish_at = now + self.chance.between(0, PUBLISH_EVERY_MS);
    }

    /// The attempt or the connection ended.
    pub fn ended(&mut self, now: u64, how: &Ended) {
        self.link.ended(now, how);
    }

    /// A heartbeat came in on ACS: the instance's status goes with the next publication.
    pub fn want_instance_status(&mut self) {
        self.instance_status_due = true;
    }

    /// Something changed that should be known soon, such as a container's health: publish
    /// within `within_ms`.
    pub fn want_publication(&mut self, now: u64, within_ms: u64) {
        self.publish_at = self.publish_at.min(now + within_ms);
    }

    /// Stays away until `until`, as ACS was told.
    pub fn stay_away(&mut self, until: u64, out: &mut Vec<TcsOutput>) {
        if self.link.stay_away(until) {
            out.push(TcsOutput::Dial(Dial::Drop));
        }
    }

    /// The instance is registered again: connects at once.
    pub fn registered(&mut self, now: u64) {
        self.link.hurry(now);
    }

    /// A text frame came in. Only what the stock agent counts as activity re-arms the timer
    /// (reference §6.1); nothing is answered.
    pub fn received(&mut self, now: u64, frame: &str) {
        match ToAgent::decode(frame) {
            Ok(
                ToAgent::HeartbeatMessage(_)
                | ToAgent::AckPublishMetric(_)
                | ToAgent::AckPublishHealth(_)
                | ToAgent::AckPublishInstanceStatus(_),
            ) => self.link.active(now),
            Ok(ToAgent::StopTelemetrySessionMessage(_) | ToAgent::Unknown(_)) | Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests;
