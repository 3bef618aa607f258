//! The database is away: who is refused at once, and how long reports wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use berth_state::{Lane, Outcome, Writer};

use crate::ms;

/// How long agents' reports wait for room or for the database before they are refused: shorter
/// than the agents' own time-out of 42 s (agent protocol reference §1.2).
pub const REPORTS_WAIT: Duration = Duration::from_secs(30);
/// How long others are refused at once after the database failed, before one tries again; and how
/// long lies between two attempts for reports that wait.
pub const DOWN_FOR: Duration = Duration::from_millis(500);

/// Until when the database is taken to be away.
#[derive(Debug, Default)]
pub struct Outage(AtomicU64);

impl Outage {
    /// The database failed.
    pub fn began(&self, now: u64) {
        self.0
            .store(now.saturating_add(ms(DOWN_FOR)), Ordering::Relaxed);
    }

    /// The database answered.
    pub fn ended(&self) {
        self.0.store(0, Ordering::Relaxed);
    }

    /// Whether a job of this lane is refused at once. Agents' reports wait instead.
    #[must_use]
    pub fn refuses(&self, lane: Lane, now: u64) -> bool {
        match lane {
            Lane::Api | Lane::Controllers => now < self.0.load(Ordering::Relaxed),
            Lane::Agents => false,
        }
    }
}

/// What the writer was last asked to do, and how it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing was waiting.
    Idle,
    /// Callers were answered, and nothing had to be saved.
    Answered,
    /// A batch was saved, or was not.
    Ended(Outcome),
}

/// What the writer's task does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Gather again.
    GoOn,
    /// Wait for a job.
    Wait,
    /// Gather again after [`DOWN_FOR`]: for reports that are held back, which are also the probe
    /// that finds out that the database is back.
    Pause,
}

/// How the writer goes from batch to batch.
#[derive(Debug, Default)]
pub struct WriterPace {
    held_since: Option<u64>,
}

impl WriterPace {
    /// What follows this step of `writer`. Reports that have been held back for too long are
    /// refused; `outage` learns how a batch ended.
    pub fn after(&mut self, step: Step, writer: &mut Writer, outage: &Outage, now: u64) -> Next {
        match step {
            Step::Ended(Outcome::Saved) => outage.ended(),
            Step::Ended(Outcome::NotSaved) => outage.began(now),
            Step::Ended(Outcome::Refused | Outcome::Deposed) | Step::Idle | Step::Answered => {}
        }
        let goes_on = match step {
            Step::Answered | Step::Ended(Outcome::Saved | Outcome::Refused) => true,
            Step::Ended(Outcome::NotSaved) => writer.has_backlog(),
            Step::Idle | Step::Ended(Outcome::Deposed) => false,
        };
        if goes_on {
            self.held_since = None;
            return Next::GoOn;
        }
        if !writer.holds_reports() {
            return Next::Wait;
        }
        let since = *self.held_since.get_or_insert(now);
        if now.saturating_sub(since) > ms(REPORTS_WAIT) {
            writer.refuse_held();
            self.held_since = None;
        }
        Next::Pause
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use berth_model::definition::FamilyCounter;
    use berth_model::time::Timestamp;
    use berth_state::{Failure, Gathered, Ids, Job, Loader, Tx, Verdict};

    use super::*;

    #[test]
    fn calls_are_refused_for_a_moment_and_reports_never() {
        let outage = Outage::default();
        assert!(!outage.refuses(Lane::Api, 10));
        outage.began(10);
        assert!(outage.refuses(Lane::Api, 509));
        assert!(outage.refuses(Lane::Controllers, 509));
        assert!(!outage.refuses(Lane::Agents, 509));
        assert!(!outage.refuses(Lane::Api, 510));
        outage.began(600);
        outage.ended();
        assert!(!outage.refuses(Lane::Api, 601));
    }

    struct Report(Arc<Mutex<Option<Verdict>>>);

    impl Job for Report {
        fn run(&mut self, tx: &mut Tx<'_>) -> bool {
            let last = "000000000000/us-east-1/family:1".parse().expect("a key");
            tx.put_family(FamilyCounter { last });
            true
        }
        fn panicked(&mut self) {}
        fn finish(self: Box<Self>, verdict: Verdict) {
            *self.0.lock().expect("a sound lock") = Some(verdict);
        }
    }

    #[test]
    fn reports_wait_for_half_a_minute_with_a_probe_twice_a_second() {
        let (state, fleet) = Loader::new().finish(0, Timestamp::default());
        let mut writer = Writer::new(state, fleet, Ids::from_seed([1; 32]));
        let (mut pace, outage) = (WriterPace::default(), Outage::default());
        assert_eq!(pace.after(Step::Idle, &mut writer, &outage, 0), Next::Wait);
        let verdict = Arc::new(Mutex::new(None));
        let mut jobs: Vec<(Lane, Box<dyn Job>)> =
            vec![(Lane::Agents, Box::new(Report(verdict.clone())))];
        let mut attempt = |writer: &mut Writer, outcome, now| {
            let jobs = std::mem::take(&mut jobs);
            let gathered = writer.gather(|| jobs, Timestamp::default(), &mut |_| {});
            assert!(matches!(gathered, Gathered::Save(_)));
            writer.outcome(outcome);
            pace.after(Step::Ended(outcome), writer, &outage, now)
        };
        for now in [1_000, 31_000] {
            let next = attempt(&mut writer, Outcome::NotSaved, now);
            assert_eq!((next, writer.holds_reports()), (Next::Pause, true));
        }
        assert!(outage.refuses(Lane::Api, 31_100));
        attempt(&mut writer, Outcome::NotSaved, 31_001);
        assert!(!writer.holds_reports());
        let refused = Verdict::Failed(Failure::Unavailable);
        assert_eq!(*verdict.lock().expect("a sound lock"), Some(refused));
    }
}
