//! Tasks that wait for room: which may, for how long, and how many.
//!
//! Amazon ECS lets a task wait in PROVISIONING when its capacity provider has managed scaling, and
//! refuses any other that finds no room. A server's setting lets all of them wait.

use std::time::Duration;

/// How long a task waits for the instances that its provider's managed scaling is expected to
/// bring: some 15 minutes (reference §8).
pub const SCALED_WAIT: Duration = Duration::from_secs(15 * 60);
/// The most tasks of one cluster that wait at a time (reference §9.3, quotas).
pub const WAITING_MAX: u32 = 500;

/// The server's setting `--wait-for-room`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WaitForRoom(Option<Duration>);

impl WaitForRoom {
    /// Every task waits, for this long; zero keeps to what Amazon ECS does.
    #[must_use]
    pub const fn new(limit: Duration) -> Self {
        match limit.is_zero() {
            true => Self(None),
            false => Self(Some(limit)),
        }
    }

    /// Whether every task waits, and not only those whose provider has managed scaling.
    #[must_use]
    pub fn is_for_all(self) -> bool {
        self.0.is_some()
    }

    /// How long a task without a service waits before it is given up.
    #[must_use]
    pub fn limit(self) -> Duration {
        self.0.unwrap_or(SCALED_WAIT)
    }
}
