//! When to connect, when to give a connection up, and when to come back (reference §3.3, §3.4).

use std::ops::RangeInclusive;

use crate::chance::Chance;

/// How long a connection may bring no message, in milliseconds; each picks one value of this.
pub const IDLE_MS: RangeInclusive<u64> = 60_000..=120_000;

/// How old a connection may become, in milliseconds; each picks one value of this.
pub const AGE_MS: RangeInclusive<u64> = 1_800_000..=2_100_000;

/// What goes with close code 1000 when a connection has become too old.
pub const CLOSE_EXPIRED: &str = "ConnectionExpired: Reconnect to continue";

/// How long the peer may take to answer our close before the socket is dropped.
const CLOSE_WAIT_MS: u64 = 10_000;

/// A connection that ends sooner than this after it was made counts as a failed attempt, so
/// that a server that accepts and closes does not see a storm. The stock agent has no such
/// rule (pitfall 10).
const SHORT_LIVED_MS: u64 = 1_000;

/// How soon a lost server is looked for again at first, in milliseconds: one that was only
/// restarted is back within a second, and tasks wait for their agents. A machine of one's own
/// that nobody listens on, or a server that loads its state, hardly notices.
const QUICK_MS: RangeInclusive<u64> = 30..=100;

/// How often a lost server is looked for so soon: over the first second, about. After these, and
/// for whoever is refused, the waits of [`LinkRules`] hold.
const QUICK_TRIES: u64 = 15;

/// How long a connection must have lasted for each of those attempts, in milliseconds. Only a
/// server that served deserves them: one that ends each connection at once sees few, and one that
/// is killed again and again is still found soon.
const LIVED_PER_TRY_MS: u64 = SHORT_LIVED_MS / QUICK_TRIES;

/// How a connection, or an attempt at one, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The peer sent a close frame, or answered ours.
    Closed {
        /// Its code.
        code: u16,
        /// Its text.
        reason: String,
    },
    /// The stream ended or broke without a close frame.
    Lost,
    /// No connection came about: the server's answer to discovery or to the upgrade, with its
    /// text and body, or what else was wrong.
    Failed(String),
    /// Nobody was there, or somebody who is not ready to serve yet (HTTP 503), with the text: the
    /// server is between two lives.
    Away(String),
}

impl Ended {
    /// Whether the server says that the instance is not to come back soon: the name of its
    /// exception anywhere in an error's text, but not with a normal close.
    pub(crate) fn is_inactive(&self) -> bool {
        const NAME: &str = "InactiveInstanceException";
        match self {
            Self::Closed { reason, .. } => !self.comes_back_at_once() && reason.contains(NAME),
            Self::Failed(text) | Self::Away(text) => text.contains(NAME),
            Self::Lost => false,
        }
    }

    /// Whether the server says that it does not know the instance, as one does whose store was
    /// restored from before the registration.
    pub(crate) fn is_unknown(&self) -> bool {
        const NAME: &str = "InvalidInstanceException";
        match self {
            Self::Failed(text) | Self::Away(text) => text.contains(NAME),
            Self::Closed { .. } | Self::Lost => false,
        }
    }

    fn comes_back_at_once(&self) -> bool {
        match self {
            Self::Closed { code, .. } => matches!(code, 1000 | 1001 | 1006 | 1011),
            Self::Lost => true,
            Self::Failed(_) | Self::Away(_) => false,
        }
    }
}

/// What the link wants done with the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// Connect, and tell by `connected` or `ended` how that went.
    Connect,
    /// Send a close frame with code 1000 and [`CLOSE_EXPIRED`], then tell by `ended` what came.
    Close,
    /// Drop the socket without a close frame. Nothing needs to be told.
    Drop,
}

/// What differs between the channels.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkRules {
    /// The first wait, in milliseconds.
    pub(super) first_ms: u64,
    /// Each wait is this many times the one before, in tenths.
    pub(super) growth_tenths: u64,
    /// The longest wait, in milliseconds.
    pub(super) longest_ms: u64,
    /// Whether an idle connection is closed with a frame (TCS) or dropped (ACS).
    pub(super) closes_when_idle: bool,
}

#[derive(Debug)]
enum Phase {
    Waiting {
        until: u64,
    },
    Connecting,
    Open {
        since: u64,
        idle_ms: u64,
        idle_at: u64,
        expires_at: u64,
        stable_at: u64,
    },
    Closing {
        until: u64,
    },
}

#[derive(Debug)]
pub(super) struct Link {
    rules: LinkRules,
    chance: Chance,
    phase: Phase,
    wait_ms: u64,
    /// How many quick attempts are left.
    quick: u64,
}

impl Link {
    /// A link that connects at `start`.
    pub(super) fn new(rules: LinkRules, seed: u64, start: u64) -> Self {
        Self {
            rules,
            chance: Chance::new(seed),
            phase: Phase::Waiting { until: start },
            wait_ms: rules.first_ms,
            quick: QUICK_TRIES,
        }
    }

    pub(super) fn due(&self) -> u64 {
        match &self.phase {
            Phase::Waiting { until } | Phase::Closing { until } => *until,
            Phase::Connecting => u64::MAX,
            Phase::Open {
                idle_at,
                expires_at,
                stable_at,
                ..
            } => (*idle_at).min(*expires_at).min(*stable_at),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    pub(super) fn poll(&mut self, now: u64) -> Option<Dial> {
        match &mut self.phase {
            Phase::Waiting { until } if now >= *until => {
                self.phase = Phase::Connecting;
                Some(Dial::Connect)
            }
            Phase::Closing { until } if now >= *until => {
                self.phase = Phase::Waiting { until: now };
                Some(Dial::Drop)
            }
            Phase::Open {
                idle_at,
                expires_at,
                stable_at,
                ..
            } => {
                if now >= *stable_at {
                    self.wait_ms = self.rules.first_ms;
                    self.quick = QUICK_TRIES;
                    *stable_at = u64::MAX;
                }
                let (idle, expired) = (now >= *idle_at, now >= *expires_at);
                if idle && !self.rules.closes_when_idle {
                    self.back_off(now);
                    return Some(Dial::Drop);
                }
                if idle || expired {
                    let until = now + CLOSE_WAIT_MS;
                    self.phase = Phase::Closing { until };
                    return Some(Dial::Close);
                }
                None
            }
            Phase::Waiting { .. } | Phase::Connecting | Phase::Closing { .. } => None,
        }
    }

    pub(super) fn connected(&mut self, now: u64) {
        let idle_ms = self.chance.between(*IDLE_MS.start(), *IDLE_MS.end());
        self.phase = Phase::Open {
            since: now,
            idle_ms,
            idle_at: now + idle_ms,
            expires_at: now + self.chance.between(*AGE_MS.start(), *AGE_MS.end()),
            stable_at: now + self.chance.between(*IDLE_MS.start(), *IDLE_MS.end()),
        };
    }

    /// A message came in that shows that the server is there.
    pub(super) fn active(&mut self, now: u64) {
        if let Phase::Open {
            idle_ms, idle_at, ..
        } = &mut self.phase
        {
            *idle_at = now + *idle_ms;
        }
    }

    pub(super) fn ended(&mut self, now: u64, how: &Ended) {
        match &self.phase {
            // A late word about a socket that was already given up.
            Phase::Waiting { .. } => return,
            Phase::Closing { .. } => {
                self.begin_anew(now);
                return;
            }
            Phase::Open { since, .. } if how.comes_back_at_once() => {
                let lived = now.saturating_sub(*since);
                if lived >= SHORT_LIVED_MS {
                    self.begin_anew(now);
                    return;
                }
                let earned = self.quick + lived / LIVED_PER_TRY_MS;
                self.quick = earned.min(QUICK_TRIES);
                self.come_soon(now);
                return;
            }
            Phase::Open { .. } | Phase::Connecting => {}
        }
        match how {
            Ended::Away(_) => self.come_soon(now),
            Ended::Closed { .. } | Ended::Lost | Ended::Failed(_) => self.back_off(now),
        }
    }

    /// Stays away until `until`. True when there is a socket to drop.
    pub(super) fn stay_away(&mut self, until: u64) -> bool {
        let had_socket = !matches!(self.phase, Phase::Waiting { .. });
        self.phase = Phase::Waiting { until };
        had_socket
    }

    /// What kept the attempts from succeeding is out of the way: cuts a wait short.
    pub(super) fn hurry(&mut self, now: u64) {
        if let Phase::Waiting { .. } = &self.phase {
            self.begin_anew(now);
        }
    }

    /// Connects now, as if nothing had failed so far.
    fn begin_anew(&mut self, now: u64) {
        self.wait_ms = self.rules.first_ms;
        self.quick = QUICK_TRIES;
        self.phase = Phase::Waiting { until: now };
    }

    /// Comes back soon while there are quick attempts left.
    fn come_soon(&mut self, now: u64) {
        let Some(left) = self.quick.checked_sub(1) else {
            return self.back_off(now);
        };
        self.quick = left;
        let wait = self.chance.between(*QUICK_MS.start(), *QUICK_MS.end());
        self.phase = Phase::Waiting { until: now + wait };
    }

    fn back_off(&mut self, now: u64) {
        let jitter = self.chance.between(0, self.wait_ms / 5);
        let until = now + self.wait_ms + jitter;
        self.phase = Phase::Waiting { until };
        self.wait_ms = (self.wait_ms * self.rules.growth_tenths / 10).min(self.rules.longest_ms);
    }
}

#[cfg(test)]
mod tests;
