//! The one place where this crate reads clocks and draws random numbers.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Milliseconds since the process began to count, which never go back, and the wall clock.
///
/// Both advance with tokio's clock, so that tests can hold it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    wall_at_start: Duration,
}

impl Clock {
    /// A clock that starts now.
    #[must_use]
    pub fn start() -> Self {
        #[expect(
            clippy::disallowed_methods,
            reason = "the agent's reports and signatures carry the time of day"
        )]
        let wall = SystemTime::now();
        Self {
            start: Instant::now(),
            wall_at_start: wall.duration_since(UNIX_EPOCH).unwrap_or_default(),
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// The instant that many milliseconds after the start.
    #[must_use]
    pub fn instant(&self, at: u64) -> Instant {
        // Beyond a century is as good as never, and cannot overflow.
        const CENTURY_MS: u64 = 3_155_760_000_000;
        self.start + Duration::from_millis(at.min(CENTURY_MS))
    }

    /// The time of day, for signatures.
    #[must_use]
    pub fn wall(&self) -> SystemTime {
        #[expect(
            clippy::disallowed_methods,
            reason = "signatures follow corrections of the time of day, which the monotonic clock does not see"
        )]
        let now = SystemTime::now();
        now
    }

    /// Milliseconds since the epoch at the given reading of [`now`](Self::now).
    #[must_use]
    pub fn wall_ms(&self, at: u64) -> i64 {
        let since_epoch = self.wall_at_start + Duration::from_millis(at);
        i64::try_from(since_epoch.as_millis()).unwrap_or(i64::MAX)
    }
}

/// An id that nobody can guess, 32 hexadecimal digits.
///
/// # Panics
/// When the operating system gives no random bytes; nothing can be secret then.
#[must_use]
pub(crate) fn secret_id() -> String {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    let mut text = String::with_capacity(32);
    for byte in bytes {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
