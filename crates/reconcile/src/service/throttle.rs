//! Back-off of starts: tasks that stop before they ever ran are replaced later and later.
//!
//! Rules kept here:
//! - tasks made before a round of failures began belong to that round, so that a hundred tasks
//!   that fail together are one failure and not a hundred;
//! - a task that runs ends the back-off, as UpdateService does.

use std::time::Duration;

use berth_model::scheduler::Throttle;
use berth_model::time::Timestamp;

/// Rounds that are repeated without a wait. Amazon documents no figure; three let a passing
/// fault pass, and the circuit breaker of a small service trip at once (its least threshold).
pub const FREE_ROUNDS: u32 = 3;
/// The first wait.
pub const FIRST_WAIT: Duration = Duration::from_secs(10);
/// The longest wait (reference §7.5).
pub const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How long starts wait after that many rounds of failures.
#[must_use]
pub fn wait_after(rounds: u32) -> Duration {
    match rounds.checked_sub(FREE_ROUNDS + 1) {
        None => Duration::ZERO,
        Some(doublings) => FIRST_WAIT
            .saturating_mul(1_u32.checked_shl(doublings.min(16)).unwrap_or(u32::MAX))
            .min(LONGEST_WAIT),
    }
}

/// Notes that a task made at `created` stopped at `stopped` without having run. Answers whether
/// starts now wait that did not before this round.
pub(super) fn note_failure(
    throttle: &mut Throttle,
    created: Timestamp,
    stopped: Timestamp,
) -> bool {
    if throttle.failed_at.is_some_and(|began| created <= began) {
        return false;
    }
    throttle.rounds = throttle.rounds.saturating_add(1);
    throttle.failed_at = Some(stopped);
    let wait = wait_after(throttle.rounds);
    throttle.until = (!wait.is_zero()).then(|| stopped + wait);
    !wait.is_zero()
}

/// Notes that a task has run since `started`.
pub(super) fn note_success(throttle: &mut Throttle, started: Timestamp) {
    if throttle.failed_at.is_some_and(|began| started > began) {
        *throttle = Throttle::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let waits: Vec<u64> = (0..14).map(|rounds| wait_after(rounds).as_secs()).collect();
        assert_eq!(
            waits,
            [0, 0, 0, 0, 10, 20, 40, 80, 160, 320, 640, 900, 900, 900]
        );
        assert_eq!(wait_after(u32::MAX), LONGEST_WAIT);
    }

    #[test]
    fn tasks_that_fail_together_are_one_round() {
        let mut throttle = Throttle::default();
        for _ in 0..100 {
            note_failure(&mut throttle, at(1), at(5));
        }
        assert_eq!(throttle.rounds, 1);
        note_failure(&mut throttle, at(6), at(9));
        assert_eq!(throttle.rounds, 2);
    }

    #[test]
    fn a_task_that_runs_ends_the_waits() {
        let mut throttle = Throttle::default();
        for round in 0..5 {
            note_failure(&mut throttle, at(round * 10 + 1), at(round * 10 + 2));
        }
        assert!(throttle.until.is_some());
        note_success(&mut throttle, at(42));
        assert!(throttle.until.is_some(), "it ran before the last failure");
        note_success(&mut throttle, at(43));
        assert_eq!(throttle, Throttle::default());
    }
}
