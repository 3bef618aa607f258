//! The clocks: measuring time is what this program is for, and it reads them here alone.

use std::time::{Instant, SystemTime};

/// Now, on the clock that durations are measured with.
#[expect(clippy::disallowed_methods, reason = "durations are what is measured")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Now, on the clock that requests are signed with.
#[expect(clippy::disallowed_methods, reason = "requests are signed for now")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}
