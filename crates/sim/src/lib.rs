//! The control plane with simulated agents, clock and storage in one process, from one seed.
//!
//! Real here: the state, the writer as a step machine, the operations, the reconcilers, placement,
//! the step machines of a leading server (`leader`), and both ends of the agents' sessions.
//! Stood in for: storage (a map that a crash leaves as it was saved), containers, health telemetry,
//! sockets and HTTP, and the tasks of the server, in whose place one thread takes its steps.
//!
//! Rules kept here:
//! - everything follows from the seed: a run that breaks an invariant does so again;
//! - invariants are reckoned from records by sums of their own, not by the code under test;
//! - a planted bug wraps a part from outside: nothing of the product knows of it.

mod agent;
mod gateway;
mod journal;
mod mutant;
mod notes;
mod rest;
mod term;
mod users;
mod watch;
mod weather;
mod world;

pub use mutant::Mutant;
pub use notes::{Coverage, Violation};
pub use watch::INVARIANTS;

/// What a run came to.
#[derive(Debug)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// How many steps it had.
    pub steps: u64,
    /// The first invariant that broke.
    pub violation: Option<Violation>,
    /// What happened, and how often.
    pub coverage: Coverage,
    /// What happened, line by line, if that was asked for.
    pub log: Vec<String>,
}

/// Whether a run writes down each of its steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// It does.
    Kept,
    /// It does not, and is faster.
    Dropped,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, mutant: Option<Mutant>, log: Log) -> Report {
    let notes = notes::Notes::new(log == Log::Kept);
    let steps = world::World::new(seed, mutant, notes.clone()).run();
    let (coverage, violation, log) = notes.take();
    Report {
        seed,
        steps,
        violation,
        coverage,
        log,
    }
}
