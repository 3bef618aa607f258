//! Keys that are worth a look, each once, and each with a rest after its look.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Duration;

use crate::ms;

/// When keys are due, in monotonic milliseconds.
#[derive(Debug)]
pub struct Queue<K> {
    /// How long a key rests after a look, in milliseconds.
    rest: u64,
    due: HashMap<K, u64>,
    /// The same, first come first served.
    in_order: BTreeSet<(u64, K)>,
    looked_at: HashMap<K, u64>,
}

impl<K: Clone + Eq + Hash + Ord> Queue<K> {
    /// An empty queue, whose keys are looked at every `rest` at most.
    #[must_use]
    pub fn new(rest: Duration) -> Self {
        Self {
            rest: ms(rest),
            due: HashMap::new(),
            in_order: BTreeSet::new(),
            looked_at: HashMap::new(),
        }
    }

    /// Notes that a key is worth a look at `at`, or when it may be looked at again.
    pub fn add(&mut self, key: K, at: u64) {
        let looked_at = self.looked_at.get(&key);
        let earliest = looked_at.map_or(0, |looked_at| looked_at.saturating_add(self.rest));
        let at = at.max(earliest);
        if let Some(due) = self.due.get_mut(&key) {
            if *due <= at {
                return;
            }
            let later = std::mem::replace(due, at);
            self.in_order.remove(&(later, key.clone()));
        } else {
            self.due.insert(key.clone(), at);
        }
        self.in_order.insert((at, key));
    }

    /// The keys that are due, at most `max`: those that wait longest first.
    pub fn take(&mut self, now: u64, max: usize) -> Vec<K> {
        let mut keys = Vec::new();
        while keys.len() < max && self.next_due().is_some_and(|at| at <= now) {
            let Some((_, key)) = self.in_order.pop_first() else {
                break;
            };
            self.due.remove(&key);
            self.looked_at.insert(key.clone(), now);
            keys.push(key);
        }
        keys
    }

    /// When the next key is due.
    #[must_use]
    pub fn next_due(&self) -> Option<u64> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Forgets when keys were looked at whose rest is over.
    pub fn forget(&mut self, now: u64) {
        let rest = self.rest;
        self.looked_at
            .retain(|_, at| now.saturating_sub(*at) < rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REST: Duration = Duration::from_millis(100);

    #[test]
    fn a_key_is_looked_at_once_and_then_rests() {
        let mut queue = Queue::new(REST);
        queue.add("a", 5);
        queue.add("a", 3);
        queue.add("a", 9);
        assert_eq!(queue.next_due(), Some(3));
        assert!(queue.take(2, 8).is_empty());
        assert_eq!(queue.take(3, 8), ["a"]);
        queue.add("a", 4);
        assert!(queue.take(50, 8).is_empty());
        assert_eq!(queue.next_due(), Some(103));
        assert_eq!(queue.take(103, 8), ["a"]);
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn keys_that_wait_longest_come_first() {
        let mut queue = Queue::new(REST);
        for (name, at) in [("a", 30), ("b", 10), ("c", 20)] {
            queue.add(name, at);
        }
        assert_eq!(queue.take(40, 2), ["b", "c"]);
        assert_eq!(queue.take(40, 2), ["a"]);
    }

    #[test]
    fn only_what_has_rested_is_forgotten() {
        let mut queue = Queue::new(REST);
        queue.add("a", 0);
        assert_eq!(queue.take(10, 8), ["a"]);
        queue.forget(109);
        queue.add("a", 109);
        assert_eq!(queue.next_due(), Some(110));
        assert_eq!(queue.take(110, 8), ["a"]);
        queue.forget(210);
        queue.add("a", 150);
        assert_eq!(queue.next_due(), Some(150));
    }
}
