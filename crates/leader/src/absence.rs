//! Agents that are away: who counts as such now, and whether so many are that nothing is given
//! up. For how long they are waited for is `reconcile`'s business.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::instance::InstanceStatus;
use berth_model::time::Timestamp;
use berth_reconcile::absence::{self, Absent, MASS_PAUSE, MASS_WINDOW, Patience, is_mass_loss};
use berth_state::{State, Tx};

use crate::ms;

/// How many agents were connected lately, to notice when many vanish at once.
#[derive(Debug, Default)]
pub struct AbsenceWatch {
    /// Counts of the last minute with their times, the oldest first.
    counts: VecDeque<(u64, usize)>,
    paused_until: u64,
}

/// Who is away, and what that means.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Missed {
    /// The instances without a session.
    pub absent: Vec<Absent>,
    /// Whether a mass loss is being waited out, so that nothing is given up.
    pub paused: bool,
}

impl AbsenceWatch {
    /// Takes in that `connected` agents have a session, and that `away` have none; each with for
    /// how long this server has missed it, in milliseconds, and whether it was seen before.
    pub fn look(
        &mut self,
        now: u64,
        wall: Timestamp,
        state: &State,
        connected: usize,
        away: &dyn Fn(InstanceId) -> Option<(u64, bool)>,
    ) -> Missed {
        let paused = self.is_mass_loss(now, connected);
        let counted = state
            .instances
            .iter()
            .filter(|(_, instance)| instance.status != InstanceStatus::Inactive);
        let absent = counted.filter_map(|(id, _)| {
            let (away_ms, seen) = away(*id)?;
            // One that registered just now has not been away for as long as this server leads.
            let known = state.connections.get(id);
            let since = known.map_or(Duration::MAX, |known| wall.since(known.since));
            Some(Absent {
                instance: *id,
                away: Duration::from_millis(away_ms).min(since),
                seen,
            })
        });
        Missed {
            absent: absent.collect(),
            paused,
        }
    }

    /// The most agents that were connected at one time since `since`, within [`MASS_WINDOW`].
    #[must_use]
    pub fn most_since(&self, since: u64) -> usize {
        let counts = self.counts.iter().filter(|(at, _)| *at >= since);
        counts.map(|(_, count)| *count).max().unwrap_or(0)
    }

    fn is_mass_loss(&mut self, now: u64, connected: usize) -> bool {
        let old = |(at, _): &(u64, usize)| now.saturating_sub(*at) > ms(MASS_WINDOW);
        while self.counts.front().is_some_and(old) {
            self.counts.pop_front();
        }
        self.counts.push_back((now, connected));
        let before = self.most_since(0);
        if is_mass_loss(before, before - connected) {
            self.paused_until = now.saturating_add(ms(MASS_PAUSE));
        }
        now < self.paused_until
    }
}

impl Missed {
    /// The instances whose service tasks are to be replaced.
    #[must_use]
    pub fn lost(&self, patience: &Patience) -> BTreeSet<InstanceId> {
        absence::lost(&self.absent, patience, self.paused)
    }

    /// What is to be written down.
    #[must_use]
    pub fn plan(&self, state: &State, patience: &Patience) -> absence::Plan {
        absence::decide(state, &self.absent, patience, self.paused)
    }

    /// Writes that down, decided anew on the newest state.
    pub fn carry_out(&self, tx: &mut Tx<'_>, patience: &Patience) {
        let plan = self.plan(tx.state(), patience);
        absence::carry_out(tx, &plan);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(watch: &mut AbsenceWatch, from: u64, connected: &[usize]) -> Vec<bool> {
        let seen = connected.iter().enumerate();
        seen.map(|(second, count)| watch.is_mass_loss(from + second as u64 * 1_000, *count))
            .collect()
    }

    #[test]
    fn many_that_vanish_within_a_minute_are_waited_for() {
        let mut watch = AbsenceWatch::default();
        // One after the other, and each alone would be a dead machine.
        let seen = counts(&mut watch, 0, &[8, 8, 7, 6, 5, 5]);
        assert_eq!(seen, [false, false, false, false, true, true]);
        // Until the pause is over, counted from when it was last so.
        assert!(watch.is_mass_loss(5_000 + ms(MASS_PAUSE) - 1, 8));
        assert!(!watch.is_mass_loss(5_000 + ms(MASS_PAUSE), 8));
    }

    #[test]
    fn a_few_of_many_are_dead_machines() {
        let mut watch = AbsenceWatch::default();
        assert_eq!(counts(&mut watch, 0, &[30, 25, 21]), [false; 3]);
        let mut watch = AbsenceWatch::default();
        assert_eq!(counts(&mut watch, 0, &[2, 0]), [false; 2]);
    }

    #[test]
    fn who_left_longer_ago_is_no_part_of_the_crowd() {
        let mut watch = AbsenceWatch::default();
        assert!(!watch.is_mass_loss(0, 9));
        assert!(!watch.is_mass_loss(1_000, 7));
        assert!(!watch.is_mass_loss(1_000 + ms(MASS_WINDOW) + 1, 5));
        assert_eq!(watch.most_since(0), 5);
    }
}
