//! What is in memory of a group: which segments it has, and what each holds of which stream.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;

use berth_model::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::record::{HEADER, Record, Records};
use super::{LogQuery, StreamStats};

/// A group's segments and deletions.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) dir: PathBuf,
    /// Oldest first; the last is written to.
    pub(super) segments: Vec<Segment>,
    /// Streams whose events up to a sequence number are deleted.
    pub(super) gone: HashMap<Arc<str>, u64>,
    pub(super) last_sequence: u64,
}

/// One file of records.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Segment {
    pub(super) number: u64,
    /// The bytes that are sound and on disk. More may be in the file; they are nobody's.
    pub(super) bytes: u64,
    pub(super) last_sequence: u64,
    pub(super) streams: BTreeMap<Arc<str>, StreamPart>,
    /// Deletions recorded in this segment.
    pub(super) gone: BTreeMap<Arc<str>, u64>,
}

/// What a segment holds of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct StreamPart {
    pub(super) events: u64,
    pub(super) bytes: u64,
    pub(super) first: Timestamp,
    pub(super) last: Timestamp,
    pub(super) last_ingested: Timestamp,
}

impl Segment {
    pub(super) fn new(number: u64) -> Self {
        Self {
            number,
            bytes: u64::try_from(HEADER.len()).unwrap_or(0),
            ..Self::default()
        }
    }

    /// What a segment's file holds.
    pub(super) fn scan(number: u64, file: &[u8]) -> Self {
        let mut segment = Self::new(number);
        let mut records = Records::of(file);
        for (record, length) in records.by_ref() {
            segment.add(&record, length);
        }
        segment.bytes = u64::try_from(records.sound_bytes()).unwrap_or(0);
        segment
    }

    /// Takes note of a record that was appended.
    pub(super) fn add(&mut self, record: &Record<'_>, length: usize) {
        let length = u64::try_from(length).unwrap_or(0);
        self.bytes += length;
        self.last_sequence = self.last_sequence.max(record.sequence());
        match *record {
            Record::Event {
                timestamp,
                ingested_at,
                stream,
                ..
            } => {
                let at = Timestamp::from_millis(timestamp);
                let ingested_at = Timestamp::from_millis(ingested_at);
                let part = StreamPart {
                    events: 1,
                    bytes: length,
                    first: at,
                    last: at,
                    last_ingested: ingested_at,
                };
                match self.streams.get_mut(stream) {
                    Some(known) => known.join(&part),
                    None => drop(self.streams.insert(stream.into(), part)),
                }
            }
            Record::StreamGone { sequence, stream } => {
                self.streams.remove(stream);
                self.gone.insert(stream.into(), sequence);
            }
        }
    }

    /// The earliest and latest time of the events that a query may want; `None` without any.
    pub(super) fn span(&self, query: &LogQuery) -> Option<(Timestamp, Timestamp)> {
        let parts = self
            .streams
            .iter()
            .filter(|(name, _)| query.streams.admits(name));
        let spans = parts.map(|(_, part)| (part.first, part.last));
        let (first, last) = spans.reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)))?;
        let in_range = query.start.is_none_or(|start| last >= start)
            && query.end.is_none_or(|end| first < end);
        in_range.then_some((first, last))
    }

    pub(super) fn last_event(&self) -> Option<Timestamp> {
        self.streams.values().map(|part| part.last).max()
    }

    pub(super) fn last_ingested(&self) -> Timestamp {
        self.streams
            .values()
            .map(|part| part.last_ingested)
            .max()
            .unwrap_or_default()
    }
}

impl StreamPart {
    fn join(&mut self, other: &Self) {
        self.events += other.events;
        self.bytes += other.bytes;
        self.first = self.first.min(other.first);
        self.last = self.last.max(other.last);
        self.last_ingested = self.last_ingested.max(other.last_ingested);
    }
}

impl Group {
    pub(super) fn empty(dir: PathBuf) -> Self {
        Self {
            dir,
            segments: Vec::new(),
            gone: HashMap::new(),
            last_sequence: 0,
        }
    }

    /// Adds a segment that is newer than all before, with the deletions recorded in it.
    pub(super) fn push(&mut self, segment: Segment) {
        for (stream, sequence) in &segment.gone {
            self.forget(stream, *sequence);
        }
        self.last_sequence = self.last_sequence.max(segment.last_sequence);
        self.segments.push(segment);
    }

    /// A stream's events so far are deleted.
    pub(super) fn forget(&mut self, stream: &Arc<str>, sequence: u64) {
        // The last segment noted the deletion as it was recorded; events after it are alive.
        for segment in &mut self.segments {
            if segment.last_sequence <= sequence {
                segment.streams.remove(stream);
            }
        }
        self.gone.insert(stream.clone(), sequence);
    }

    /// Drops the memory of deletions that no kept segment records: the events that they delete
    /// were in segments before, and are gone.
    pub(super) fn prune_gone(&mut self) {
        let recorded: HashSet<_> = self.segments.iter().flat_map(|s| s.gone.keys()).collect();
        self.gone.retain(|stream, _| recorded.contains(stream));
    }

    pub(super) fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    pub(super) fn stats(&self) -> BTreeMap<Arc<str>, StreamPart> {
        let mut all: BTreeMap<Arc<str>, StreamPart> = BTreeMap::new();
        for (stream, part) in self.segments.iter().flat_map(|segment| &segment.streams) {
            all.entry(stream.clone())
                .and_modify(|known| known.join(part))
                .or_insert(*part);
        }
        all
    }
}

impl From<StreamPart> for StreamStats {
    fn from(part: StreamPart) -> Self {
        let StreamPart {
            events,
            bytes,
            first,
            last,
            last_ingested,
        } = part;
        Self {
            first_event_at: first,
            last_event_at: last,
            last_ingested_at: last_ingested,
            events,
            stored_bytes: bytes,
        }
    }
}
