//! Building a page from events that come in any order.

use std::collections::BTreeMap;

use berth_model::time::Timestamp;

use super::{Direction, LogEvent, LogPage, LogQuery, Position};

/// The first events of a query, in its direction, of those offered so far.
pub(super) struct PageBuilder<'a> {
    query: &'a LogQuery,
    events: BTreeMap<Position, LogEvent>,
    bytes: usize,
    /// Nothing at or beyond this place fits any more: an event there was turned away.
    bound: Option<Position>,
}

impl<'a> PageBuilder<'a> {
    pub(super) fn new(query: &'a LogQuery) -> Self {
        Self {
            query,
            events: BTreeMap::new(),
            bytes: 0,
            bound: None,
        }
    }

    /// Whether an event at this place may still come into the page.
    pub(super) fn wants(&self, position: Position) -> bool {
        self.query.admits(position) && self.bound.is_none_or(|bound| self.before(position, bound))
    }

    /// Offers an event that [`Self::wants`] does not rule out.
    pub(super) fn offer(&mut self, event: LogEvent) {
        self.bytes += event.message.len();
        self.events.insert(event.position, event);
        let too_many = |page: &Self| {
            page.events.len() > page.query.events_max
                || (page.bytes > page.query.bytes_max && page.events.len() > 1)
        };
        while too_many(self) {
            let last = match self.query.direction {
                Direction::Forward(_) => self.events.pop_last(),
                Direction::Backward(_) => self.events.pop_first(),
            };
            let Some((position, event)) = last else {
                return;
            };
            self.bytes -= event.message.len();
            self.bound = Some(position);
        }
    }

    /// Whether an event was turned away. When events come in the query's order, so will be all
    /// that follow.
    pub(super) fn is_full(&self) -> bool {
        self.bound.is_some()
    }

    /// Whether the page is full, and what is at or beyond this time cannot change it.
    pub(super) fn is_settled_before(&self, time: Timestamp) -> bool {
        self.bound.is_some_and(|bound| match self.query.direction {
            Direction::Forward(_) => time > bound.timestamp,
            Direction::Backward(_) => time < bound.timestamp,
        })
    }

    /// Ends the page before `time` (in the query's direction), from where on nothing was looked
    /// at. False when the next page would begin where this one did.
    pub(super) fn end_before(&mut self, time: Timestamp) -> bool {
        let bound = match self.query.direction {
            Direction::Forward(_) => Position {
                timestamp: time,
                sequence: 0,
            },
            Direction::Backward(_) => Position {
                timestamp: time,
                sequence: u64::MAX,
            },
        };
        let next = self.next_page(bound);
        let progress = match self.query.direction {
            Direction::Forward(after) => after.is_none_or(|after| next > after),
            Direction::Backward(before) => before.is_none_or(|before| next < before),
        };
        if progress && self.bound.is_none_or(|old| self.before(bound, old)) {
            self.bound = Some(bound);
            let kept = std::mem::take(&mut self.events);
            self.events = kept
                .into_iter()
                .filter(|(at, _)| self.before(*at, bound))
                .collect();
        }
        progress
    }

    pub(super) fn finish(self) -> LogPage {
        let next = self.bound.map(|bound| self.next_page(bound));
        LogPage {
            events: self.events.into_values().collect(),
            next,
        }
    }

    /// The position from which a query finds what is at the bound and beyond.
    fn next_page(&self, bound: Position) -> Position {
        let Position {
            timestamp,
            sequence,
        } = bound;
        let millis = timestamp.as_millis();
        match self.query.direction {
            Direction::Forward(_) => match sequence.checked_sub(1) {
                Some(sequence) => Position {
                    timestamp,
                    sequence,
                },
                None => Position {
                    timestamp: Timestamp::from_millis(millis.saturating_sub(1)),
                    sequence: u64::MAX,
                },
            },
            Direction::Backward(_) => match sequence.checked_add(1) {
                Some(sequence) => Position {
                    timestamp,
                    sequence,
                },
                None => Position {
                    timestamp: timestamp.next(),
                    sequence: 0,
                },
            },
        }
    }

    /// Whether `one` comes before `other` in the query's direction.
    fn before(&self, one: Position, other: Position) -> bool {
        match self.query.direction {
            Direction::Forward(_) => one < other,
            Direction::Backward(_) => one > other,
        }
    }
}
