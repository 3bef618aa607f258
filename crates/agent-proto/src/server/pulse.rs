//! What both channels share: heartbeats, pings, and a limit on what a peer may send.

use crate::chance::Chance;

/// The longest time between two heartbeats, in milliseconds. An agent gives a connection up
/// after 60 s at the earliest (reference §3.3), so one heartbeat may be 15 s late.
pub const HEARTBEAT_MS_MAX: u64 = 45_000;

/// The shortest time between two heartbeats; the room up to the longest spreads a fleet that
/// connected at one moment.
const HEARTBEAT_MS_MIN: u64 = 30_000;

/// How often the socket is pinged, in milliseconds.
pub const PING_EVERY_MS: u64 = 5_000;

/// How many pings in a row may bring no sign of life.
pub const MISSES_MAX: u32 = 2;

/// How many frames a peer may send per second in the long run. An agent answers each payload
/// with one ack and one per set of credentials, so this is far above what is needed.
pub const INBOUND_PER_SECOND: u64 = 500;

/// How many frames a peer may send at once: the answers to all that a session can have in
/// flight after a reconnect.
pub const INBOUND_BURST: u64 = 5_000;

/// What a frame that cannot be read costs, in frames. A healthy agent never sends one.
const BAD_FRAME_COST: u64 = 50;

/// Close code: normal end; the agent comes back at once (reference §3.4).
pub const CLOSE_GONE: u16 = 1001;

/// Close code: broke the rules; the agent comes back after a back-off.
pub const CLOSE_POLICY: u16 = 1008;

/// Close code: a frame was too long; the agent comes back after a back-off.
pub const CLOSE_TOO_BIG: u16 = 1009;

/// How a session wants its socket closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close {
    /// The WebSocket close code.
    pub code: u16,
    /// The text that goes with it. It never contains `InactiveInstanceException` by accident,
    /// which would silence a stock agent for an hour (pitfall 11).
    pub reason: &'static str,
}

/// What the clock asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    Heartbeat,
    Ping,
    Dead,
}

/// Timers and inbound budget of one socket.
#[derive(Debug)]
pub(super) struct Pulse {
    chance: Chance,
    heartbeat_at: u64,
    ping_at: u64,
    unanswered: u32,
    budget: u64,
    budget_at: u64,
}

/// The budget counts in thousandths of a frame, so that a millisecond adds a whole number.
const MILLI: u64 = 1_000;

impl Pulse {
    pub(super) fn new(now: u64, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let heartbeat_at = now + chance.between(1_000, HEARTBEAT_MS_MAX);
        let ping_at = now + chance.between(1, PING_EVERY_MS);
        Self {
            chance,
            heartbeat_at,
            ping_at,
            unanswered: 0,
            budget: INBOUND_BURST * MILLI,
            budget_at: now,
        }
    }

    /// When something falls due next.
    pub(super) fn due(&self) -> u64 {
        self.heartbeat_at.min(self.ping_at)
    }

    /// The next thing that is due, if any; call until there is none.
    pub(super) fn beat(&mut self, now: u64) -> Option<Beat> {
        if now >= self.ping_at {
            if self.unanswered >= MISSES_MAX {
                return Some(Beat::Dead);
            }
            // From now and not from when it was due: after a pause of this process, pings that
            // went unsent are no misses of the peer.
            self.ping_at = now + PING_EVERY_MS;
            self.unanswered += 1;
            return Some(Beat::Ping);
        }
        if now >= self.heartbeat_at {
            self.heartbeat_at = now + self.chance.between(HEARTBEAT_MS_MIN, HEARTBEAT_MS_MAX);
            return Some(Beat::Heartbeat);
        }
        None
    }

    /// A frame of any kind came in. False when the peer has sent more than it may.
    #[must_use]
    pub(super) fn frame(&mut self, now: u64) -> bool {
        self.unanswered = 0;
        self.spend(now, 1)
    }

    /// The frame could not be read. False when that was once too often.
    #[must_use]
    pub(super) fn bad_frame(&mut self, now: u64) -> bool {
        self.spend(now, BAD_FRAME_COST)
    }

    fn spend(&mut self, now: u64, frames: u64) -> bool {
        let passed = now.saturating_sub(self.budget_at);
        self.budget_at = self.budget_at.max(now);
        self.budget = passed
            .saturating_mul(INBOUND_PER_SECOND)
            .saturating_add(self.budget)
            .min(INBOUND_BURST * MILLI);
        match self.budget.checked_sub(frames * MILLI) {
            Some(rest) => {
                self.budget = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the pulse for `seconds`, answering each ping or none; what happened and when.
    fn run(seconds: u64, answers: bool) -> Vec<(u64, Beat)> {
        let mut pulse = Pulse::new(0, 5);
        let mut seen = Vec::new();
        while pulse.due() < seconds * 1_000 {
            let now = pulse.due();
            while let Some(beat) = pulse.beat(now) {
                seen.push((now, beat));
                if beat == Beat::Dead {
                    return seen;
                }
                if answers && beat == Beat::Ping {
                    assert!(pulse.frame(now));
                }
            }
        }
        seen
    }

    #[test]
    fn a_peer_that_answers_gets_a_heartbeat_at_least_every_45_s_and_never_dies() {
        let seen = run(3_600, true);
        assert!(seen.iter().all(|(_, beat)| *beat != Beat::Dead));
        let beats: Vec<u64> = seen
            .iter()
            .filter(|(_, beat)| *beat == Beat::Heartbeat)
            .map(|(at, _)| *at)
            .collect();
        assert!(beats[0] <= HEARTBEAT_MS_MAX);
        assert!(beats.windows(2).all(|w| w[1] - w[0] <= HEARTBEAT_MS_MAX));
        assert!(beats.windows(2).any(|w| w[1] - w[0] != beats[1] - beats[0]));
    }

    #[test]
    fn a_silent_peer_is_dead_after_two_misses() {
        let seen = run(60, false);
        let pings = seen.iter().filter(|(_, b)| *b == Beat::Ping).count();
        let (at, last) = seen.last().copied().expect("it died");
        assert_eq!((pings, last), (2, Beat::Dead));
        assert!(at <= 3 * PING_EVERY_MS, "{at}");
    }

    #[test]
    fn a_pause_of_this_process_is_no_miss_of_the_peer() {
        let mut pulse = Pulse::new(0, 5);
        let mut at_once = Vec::new();
        while let Some(beat) = pulse.beat(600_000) {
            at_once.push(beat);
        }
        assert_eq!(at_once, [Beat::Ping, Beat::Heartbeat]);
    }

    #[test]
    fn ten_thousand_frames_a_second_exhaust_the_budget_within_a_second() {
        let mut pulse = Pulse::new(0, 5);
        let refused = (0..10_000).position(|i| !pulse.frame(i / 10));
        assert!(
            refused.is_some_and(|i| (4_000..7_000).contains(&i)),
            "{refused:?}"
        );
    }

    #[test]
    fn a_steady_stream_within_the_limit_never_exhausts_it() {
        let mut pulse = Pulse::new(0, 5);
        let gap = 1_000 / INBOUND_PER_SECOND;
        assert!((0..100_000).all(|i| pulse.frame(i * gap)));
    }
}
