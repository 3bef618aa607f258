//! The one writer, as a step machine: gather → batch → outcome.
//!
//! It alternates strictly: closures run, their changes are saved, the new state is published,
//! the callers are answered. No closure runs on unsaved state of an earlier batch. It owns no
//! task, channel or clock, so that a simulation can stop it between any two steps.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arc_swap::ArcSwap;
use berth_model::time::Timestamp;
use berth_placement::Fleet;

use crate::handle::Failure;
use crate::ids::Ids;
use crate::lanes::{Job, Lane, Lanes, Verdict};
use crate::load::fleet_of;
use crate::record::{Change, Commit, Record};
use crate::snapshot::State;
use crate::tx::{Changed, Mutation, Tx, undo};

/// What a gathering came to.
#[derive(Debug)]
pub enum Gathered {
    /// Nothing was waiting.
    Idle,
    /// Nothing has to be saved: the callers are answered, and volatile changes are published.
    Answered(Published),
    /// This is to be saved; [`Writer::outcome`] goes on from there.
    Save(Commit),
}

/// How saving a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk.
    Saved,
    /// It is certain that nothing was saved.
    NotSaved,
    /// The database refused the batch as data; nothing was saved.
    Refused,
    /// Another server leads; nothing was saved, and nothing will be.
    Deposed,
}

/// What readers may see now.
#[derive(Debug, Default)]
pub struct Published {
    /// What changed, each key once, in no order.
    pub changes: Vec<Changed>,
    /// Jobs of this batch, by lane.
    pub jobs: [usize; 3],
}

/// The batch whose saving is under way.
struct Flight {
    jobs: Vec<(Lane, Box<dyn Job>)>,
    log: Vec<Mutation>,
}

/// The writer. See the module's own words.
pub struct Writer {
    newest: Arc<ArcSwap<State>>,
    working: State,
    fleet: Fleet,
    ids: Ids,
    flight: Option<Flight>,
    /// Jobs of a refused batch, which run one by one.
    singly: VecDeque<(Lane, Box<dyn Job>)>,
    /// Agents' reports that could not be saved, and wait for the database to come back.
    held: Vec<(Lane, Box<dyn Job>)>,
    panics: u64,
}

impl Writer {
    /// A writer that goes on from `state`, which is saved.
    #[must_use]
    pub fn new(state: State, fleet: Fleet, ids: Ids) -> Self {
        Self {
            newest: Arc::new(ArcSwap::from_pointee(state.clone())),
            working: state,
            fleet,
            ids,
            flight: None,
            singly: VecDeque::new(),
            held: Vec::new(),
            panics: 0,
        }
    }

    /// Where readers find the last saved state.
    #[must_use]
    pub fn newest(&self) -> Arc<ArcSwap<State>> {
        self.newest.clone()
    }

    /// How many closures have panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.panics
    }

    /// Runs the next jobs: those of a refused batch one by one, else agents' reports that were
    /// held back together with what `take` gives ([`crate::Lanes::take_batch`]).
    ///
    /// `wall` is the wall clock; `meter` is called after each job with its lane, so that the owner
    /// can tell how long each lane keeps the writer busy.
    ///
    /// # Panics
    /// When the outcome of the last batch was not given yet.
    pub fn gather(
        &mut self,
        take: impl FnOnce() -> Vec<(Lane, Box<dyn Job>)>,
        wall: Timestamp,
        meter: &mut dyn FnMut(Lane),
    ) -> Gathered {
        assert!(self.flight.is_none(), "the last batch has no outcome yet");
        let jobs = match self.singly.pop_front() {
            Some(job) => vec![job],
            None => {
                let mut jobs = std::mem::take(&mut self.held);
                jobs.extend(take());
                jobs
            }
        };
        if jobs.is_empty() {
            return Gathered::Idle;
        }
        let now = wall.max(self.working.at.next());
        let flight = self.run(jobs, now, meter);
        let changes = newest_forms(&flight.log);
        if changes.is_empty() {
            self.newest.store(Arc::new(self.working.clone()));
            return Gathered::Answered(answer(flight, Verdict::Saved));
        }
        self.working.revision += 1;
        self.working.at = now;
        self.flight = Some(flight);
        Gathered::Save(Commit {
            revision: self.working.revision,
            at: now,
            changes,
        })
    }

    /// Carries on after saving: publishes and answers, or takes everything back.
    ///
    /// # Panics
    /// When no batch is under way.
    pub fn outcome(&mut self, outcome: Outcome) -> Published {
        let flight = self.flight.take().expect("a batch is under way");
        match outcome {
            Outcome::Saved => {
                self.newest.store(Arc::new(self.working.clone()));
                answer(flight, Verdict::Saved)
            }
            Outcome::NotSaved => {
                self.take_back(&flight.log);
                let (reports, others): (Vec<_>, Vec<_>) = flight
                    .jobs
                    .into_iter()
                    .partition(|(lane, _)| *lane == Lane::Agents);
                // Those of a refused batch come one by one, and others may be held by then.
                self.held.extend(reports);
                let others = Flight {
                    jobs: others,
                    log: Vec::new(),
                };
                answer(others, Verdict::Failed(Failure::Unavailable));
                Published::default()
            }
            Outcome::Deposed => {
                self.take_back(&flight.log);
                answer(flight, Verdict::Failed(Failure::NotLeading));
                Published::default()
            }
            Outcome::Refused => {
                self.take_back(&flight.log);
                if flight.jobs.len() == 1 {
                    answer(flight, Verdict::Failed(Failure::Refused));
                } else {
                    self.singly.extend(flight.jobs);
                }
                Published::default()
            }
        }
    }

    /// Whether jobs wait that are not in the lanes: those of a refused batch.
    #[must_use]
    pub fn has_backlog(&self) -> bool {
        !self.singly.is_empty()
    }

    /// Whether agents' reports are held back until the database can be written again.
    #[must_use]
    pub fn holds_reports(&self) -> bool {
        !self.held.is_empty()
    }

    /// Refuses the reports that are held back, because they have waited long enough.
    pub fn refuse_held(&mut self) {
        for (_, job) in self.held.drain(..) {
            job.finish(Verdict::Failed(Failure::Unavailable));
        }
    }

    /// Answers everything that waits: this writer writes no more.
    pub fn stop(&mut self, lanes: &mut Lanes) {
        let waiting = self
            .singly
            .drain(..)
            .map(|(_, job)| job)
            .chain(lanes.take_all());
        for job in waiting {
            job.finish(Verdict::Failed(Failure::NotLeading));
        }
    }

    fn run(
        &mut self,
        mut jobs: Vec<(Lane, Box<dyn Job>)>,
        now: Timestamp,
        meter: &mut dyn FnMut(Lane),
    ) -> Flight {
        let mut log = Vec::new();
        let mut dead = HashSet::new();
        let mut at = 0;
        while let Some((lane, job)) = jobs.get_mut(at) {
            if dead.contains(&at) {
                at += 1;
                continue;
            }
            let mark = log.len();
            let mut tx = Tx {
                state: &mut self.working,
                fleet: &mut self.fleet,
                ids: &mut self.ids,
                log: &mut log,
                now,
            };
            match catch_unwind(AssertUnwindSafe(|| job.run(&mut tx))) {
                Ok(true) => {}
                Ok(false) => {
                    undo(&mut self.working, &mut self.fleet, &log[mark..]);
                    log.truncate(mark);
                }
                Err(_) => {
                    // The panic may have struck in the middle of an index, so nothing of the
                    // working state is trusted: the others run again on what is saved.
                    self.panics += 1;
                    job.panicked();
                    dead.insert(at);
                    log.clear();
                    self.working = State::clone(&self.newest.load());
                    self.fleet = fleet_of(&self.working);
                    at = 0;
                    continue;
                }
            }
            meter(*lane);
            at += 1;
        }
        Flight { jobs, log }
    }

    fn take_back(&mut self, log: &[Mutation]) {
        undo(&mut self.working, &mut self.fleet, log);
        let saved = self.newest.load();
        self.working.revision = saved.revision;
        self.working.at = saved.at;
    }
}

fn answer(flight: Flight, verdict: Verdict) -> Published {
    let mut published = Published::default();
    let seen: HashSet<Changed> = flight.log.iter().map(Mutation::changed).collect();
    published.changes.extend(
        seen.into_iter()
            .filter(|changed| *changed != Changed::Other),
    );
    for (lane, job) in flight.jobs {
        published.jobs[lane as usize] += 1;
        job.finish(verdict);
    }
    published
}

/// The newest form of every record that the log changes, in the order in which they were first
/// changed: what a record refers to was there before it, so whoever follows the commits finds it.
fn newest_forms(log: &[Mutation]) -> Vec<Change> {
    let mut places = HashMap::with_capacity(log.len());
    let mut newest: Vec<(i64, &Record, bool)> = Vec::with_capacity(log.len());
    for mutation in log {
        let Mutation::Record { row, before, after } = mutation else {
            continue;
        };
        let Some(record) = after.as_ref().or(before.as_ref()) else {
            continue;
        };
        let form = (*row, record, after.is_some());
        match places.entry((record.table(), *row)) {
            Entry::Vacant(place) => {
                place.insert(newest.len());
                newest.push(form);
            }
            Entry::Occupied(place) => newest[*place.get()] = form,
        }
    }
    let change = |(row, record, exists): (i64, &Record, bool)| Change {
        table: record.table(),
        row,
        key: record.to_string(),
        body: exists.then(|| {
            record
                .body()
                .expect("records hold nothing that JSON cannot say")
        }),
    };
    newest.into_iter().map(change).collect()
}
