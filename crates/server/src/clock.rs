//! The one place that reads clocks and draws randomness.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use berth_model::time::Timestamp;

static STARTED: LazyLock<Instant> = LazyLock::new(instant);

#[expect(
    clippy::disallowed_methods,
    reason = "the server's one reader of the monotonic clock"
)]
fn instant() -> Instant {
    Instant::now()
}

/// The wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the server's one reader of the wall clock"
)]
pub(crate) fn system_time() -> SystemTime {
    SystemTime::now()
}

/// The wall clock, as records have it.
pub(crate) fn wall() -> Timestamp {
    let since = system_time().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(whole_ms(since))
}

/// Milliseconds, rounded up, so that nothing is older than the call that made it: Terraform takes a
/// deployment for its own only when it was created after the instant before its call, which it
/// knows to the nanosecond, and a call on one machine takes less than a millisecond.
fn whole_ms(since: Duration) -> i64 {
    let ms = since.as_nanos().div_ceil(1_000_000);
    i64::try_from(ms).unwrap_or(i64::MAX)
}

/// Milliseconds of the monotonic clock since the process first asked.
pub(crate) fn monotonic_ms() -> u64 {
    u64::try_from(instant().duration_since(*STARTED).as_millis()).unwrap_or(u64::MAX)
}

/// Nanoseconds of the monotonic clock since the process first asked.
pub(crate) fn monotonic_ns() -> u64 {
    u64::try_from(instant().duration_since(*STARTED).as_nanos()).unwrap_or(u64::MAX)
}

/// The instant of the monotonic clock that [`monotonic_ms`] calls `ms`.
pub(crate) fn at_monotonic_ms(ms: u64) -> tokio::time::Instant {
    // A due time of "never" must not overflow the clock.
    const FAR_MS: u64 = 24 * 60 * 60 * 1000;
    let ahead = ms.saturating_sub(monotonic_ms()).min(FAR_MS);
    tokio::time::Instant::now() + Duration::from_millis(ahead)
}

/// A request's id.
#[expect(
    clippy::disallowed_methods,
    reason = "request ids are not part of any replayed run"
)]
pub(crate) fn request_id() -> String {
    uuid::Uuid::new_v4().to_string()
}

/// Bytes from the operating system, good enough for secrets.
///
/// # Panics
/// When the operating system gives none: nothing can be kept secret then.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_record_is_older_than_the_call_that_made_it() {
        for (nanos, ms) in [(0, 0), (1, 1), (999_999, 1), (1_000_000, 1), (1_000_001, 2)] {
            assert_eq!(whole_ms(Duration::from_nanos(nanos)), ms, "{nanos}");
        }
    }
}
