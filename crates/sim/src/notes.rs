//! What a run leaves behind: what it broke, what it covered, and a log to read.
//!
//! Shared, because some of it is noted inside of transactions, which the writer runs.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How often each named thing happened.
pub type Coverage = BTreeMap<&'static str, u64>;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The invariant's name.
    pub invariant: &'static str,
    /// What was seen.
    pub what: String,
}

#[derive(Default)]
struct Inner {
    coverage: Coverage,
    violation: Option<Violation>,
    log: Option<Vec<String>>,
    step: usize,
    now: u64,
}

/// Where everything of a run is noted.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Inner>>);

impl Notes {
    /// Notes; with `log`, every step as text too.
    pub(crate) fn new(log: bool) -> Self {
        let notes = Self::default();
        notes.inner().log = log.then(Vec::new);
        notes
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // A closure may panic on the writer while it notes something; whole words are left.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a step.
    pub(crate) fn step(&self, step: usize, now: u64) {
        let mut inner = self.inner();
        inner.step = step;
        inner.now = now;
    }

    /// Counts that something happened.
    pub(crate) fn cover(&self, what: &'static str) {
        *self.inner().coverage.entry(what).or_default() += 1;
    }

    /// Notes that an invariant is broken; the first one counts.
    pub(crate) fn broken(&self, invariant: &'static str, what: String) {
        self.log(|| format!("BROKEN {invariant}: {what}"));
        self.inner()
            .violation
            .get_or_insert(Violation { invariant, what });
    }

    /// Whether an invariant is broken.
    pub(crate) fn is_broken(&self) -> bool {
        self.inner().violation.is_some()
    }

    /// Adds a line to the log, if there is one.
    pub(crate) fn log(&self, line: impl FnOnce() -> String) {
        let mut inner = self.inner();
        let (step, now) = (inner.step, inner.now);
        if let Some(log) = &mut inner.log {
            let text = line();
            log.push(format!(
                "{step:>5} {:>8}.{:03}  {text}",
                now / 1000,
                now % 1000
            ));
        }
    }

    /// Takes everything out.
    pub(crate) fn take(&self) -> (Coverage, Option<Violation>, Vec<String>) {
        let mut inner = self.inner();
        (
            std::mem::take(&mut inner.coverage),
            inner.violation.take(),
            inner.log.take().unwrap_or_default(),
        )
    }
}
