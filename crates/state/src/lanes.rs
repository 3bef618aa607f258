//! The three bounded queues that feed the writer, each with a guaranteed share of a batch.

use std::collections::VecDeque;

use crate::handle::Failure;
use crate::tx::Tx;

/// Who asks for a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// Agents' reports: refused last, because a refused stock agent stays away for minutes.
    Agents,
    /// API calls.
    Api,
    /// Controllers of the server itself.
    Controllers,
}

impl Lane {
    /// Every lane, in the order in which a batch takes from them.
    pub const ALL: [Lane; 3] = [Lane::Agents, Lane::Api, Lane::Controllers];

    /// A name for logs and metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Agents => "agents",
            Self::Api => "api",
            Self::Controllers => "controllers",
        }
    }
}

/// How a batch that held a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Saved: the job's own result, good or bad, may be told.
    Saved,
    /// Not saved.
    Failed(Failure),
}

/// One closure that waits for the writer. It may run more than once: when the database refuses
/// a batch as data, its closures run again one by one.
pub trait Job: Send {
    /// Runs against the newest state; answers whether its changes are to be kept.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    /// Notes that the closure panicked; its changes are dropped.
    fn panicked(&mut self);
    /// Answers the caller.
    fn finish(self: Box<Self>, verdict: Verdict);
}

/// How much a lane may hold.
#[derive(Clone, Copy, Debug)]
pub struct LaneLimits {
    /// Jobs that may wait in each lane.
    pub waiting_max: usize,
    /// Jobs of all lanes in one batch. A batch should be saved within a few milliseconds, so
    /// that the callers who missed it do not wait long.
    pub batch_max: usize,
}

/// The queues.
pub struct Lanes {
    queues: [VecDeque<Box<dyn Job>>; 3],
    limits: LaneLimits,
}

impl Lanes {
    /// Empty queues.
    #[must_use]
    pub fn new(limits: LaneLimits) -> Self {
        Self {
            queues: Default::default(),
            limits,
        }
    }

    /// Adds a job to its lane, or hands it back when the lane is full.
    ///
    /// # Errors
    /// The job itself, when there is no room.
    pub fn offer(&mut self, lane: Lane, job: Box<dyn Job>) -> Result<(), Box<dyn Job>> {
        let queue = &mut self.queues[lane as usize];
        if queue.len() >= self.limits.waiting_max {
            return Err(job);
        }
        queue.push_back(job);
        Ok(())
    }

    /// How many jobs wait in `lane`.
    #[must_use]
    pub fn waiting(&self, lane: Lane) -> usize {
        self.queues[lane as usize].len()
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queues.iter().all(VecDeque::is_empty)
    }

    /// The jobs of the next batch: each lane gets its third of the batch, and what a lane does
    /// not use goes to the others.
    pub fn take_batch(&mut self) -> Vec<(Lane, Box<dyn Job>)> {
        let share = self.limits.batch_max / Lane::ALL.len();
        let mut counts = Lane::ALL.map(|lane| self.waiting(lane).min(share));
        let mut spare = self.limits.batch_max - counts.iter().sum::<usize>();
        for (lane, count) in Lane::ALL.into_iter().zip(&mut counts) {
            let more = (self.waiting(lane) - *count).min(spare);
            *count += more;
            spare -= more;
        }
        let mut batch = Vec::with_capacity(counts.iter().sum());
        for (lane, count) in Lane::ALL.into_iter().zip(counts) {
            batch.extend(
                self.queues[lane as usize]
                    .drain(..count)
                    .map(|job| (lane, job)),
            );
        }
        batch
    }

    /// Everything that waits, for a writer that stops.
    pub(crate) fn take_all(&mut self) -> Vec<Box<dyn Job>> {
        self.queues
            .iter_mut()
            .flat_map(|queue| queue.drain(..))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;
    impl Job for Nothing {
        fn run(&mut self, _: &mut Tx<'_>) -> bool {
            true
        }
        fn panicked(&mut self) {}
        fn finish(self: Box<Self>, _: Verdict) {}
    }

    fn filled(agents: usize, api: usize, controllers: usize) -> Lanes {
        let mut lanes = Lanes::new(LaneLimits {
            waiting_max: 1000,
            batch_max: 30,
        });
        for (lane, count) in Lane::ALL.into_iter().zip([agents, api, controllers]) {
            for _ in 0..count {
                assert!(lanes.offer(lane, Box::new(Nothing)).is_ok());
            }
        }
        lanes
    }

    fn taken(lanes: &mut Lanes) -> [usize; 3] {
        let batch = lanes.take_batch();
        Lane::ALL.map(|lane| batch.iter().filter(|(of, _)| *of == lane).count())
    }

    #[test]
    fn every_lane_gets_its_share_under_pressure() {
        assert_eq!(taken(&mut filled(500, 500, 500)), [10, 10, 10]);
        assert_eq!(taken(&mut filled(1000, 1, 2)), [27, 1, 2]);
    }

    #[test]
    fn what_a_lane_does_not_use_goes_to_the_others() {
        assert_eq!(taken(&mut filled(0, 500, 0)), [0, 30, 0]);
        assert_eq!(taken(&mut filled(3, 2, 1)), [3, 2, 1]);
    }

    #[test]
    fn a_full_lane_hands_the_job_back() {
        let mut lanes = Lanes::new(LaneLimits {
            waiting_max: 1,
            batch_max: 30,
        });
        assert!(lanes.offer(Lane::Api, Box::new(Nothing)).is_ok());
        assert!(lanes.offer(Lane::Api, Box::new(Nothing)).is_err());
        assert!(lanes.offer(Lane::Agents, Box::new(Nothing)).is_ok());
    }
}
