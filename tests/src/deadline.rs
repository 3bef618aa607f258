//! Waiting for a condition.

use std::time::{Duration, Instant};

/// How long things may take that need no work but a few messages. Generous, because two cores
/// are shared with everything else that is under test.
pub const SOON: Duration = Duration::from_secs(30);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(25);

/// Waits until `look` finds something.
///
/// # Panics
/// After `patience`, naming `what`.
#[expect(
    clippy::disallowed_methods,
    reason = "a deadline is measured on the real clock"
)]
pub fn wait_for<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            begun.elapsed() < patience,
            "gave up waiting for {what} after {patience:?}"
        );
        std::thread::sleep(LOOK_EVERY);
    }
}
