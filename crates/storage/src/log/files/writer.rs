//! The thread that writes log events.

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use berth_model::log::LogGroupKey;
use berth_model::time::Timestamp;
use tokio::sync::mpsc;

use super::{Groups, disk, read_lock, remove_group_dir, write_lock};
use crate::log::group::{Group, Segment};
use crate::log::record::{Record, Records};
use crate::log::request::{Answer, ROUND_MAX, Request, Task, next_sequence, respond};
use crate::log::{LogError, LogEvent, LogLimits, NewLogEvent, PIECE_BYTES_MAX, PIECES_PER_GROUP};

pub(super) fn spawn(
    logs: PathBuf,
    groups: Groups,
    limits: LogLimits,
    mut waiting: mpsc::Receiver<Request>,
) -> io::Result<()> {
    let segment_bytes = PIECE_BYTES_MAX.min(limits.group_bytes_max / PIECES_PER_GROUP);
    let mut writer = Writer {
        logs,
        groups,
        limits,
        segment_bytes,
        failed: false,
    };
    std::thread::Builder::new()
        .name("log-events".to_owned())
        .spawn(move || {
            let mut round = Vec::new();
            while let Some(first) = waiting.blocking_recv() {
                round.push(first);
                while round.len() < ROUND_MAX {
                    let Ok(next) = waiting.try_recv() else { break };
                    round.push(next);
                }
                writer.round(&mut round);
            }
        })?;
    Ok(())
}

struct Writer {
    logs: PathBuf,
    groups: Groups,
    limits: LogLimits,
    segment_bytes: u64,
    /// A sync failed: what the files hold is not known any more.
    failed: bool,
}

/// What one request appends.
enum Part {
    Events {
        stream: Arc<str>,
        events: Vec<NewLogEvent>,
        ingested_at: Timestamp,
    },
    Kept(Vec<LogEvent>),
    StreamGone {
        stream: Arc<str>,
    },
}

/// What a round appends to one group.
#[derive(Default)]
struct Append {
    parts: Vec<Part>,
    answers: Vec<Answer>,
}

impl Writer {
    /// Does what was asked, in order within each group, and answers.
    fn round(&mut self, round: &mut Vec<Request>) {
        let mut appends: HashMap<LogGroupKey, Append> = HashMap::new();
        for Request {
            group,
            task,
            answer,
        } in round.drain(..)
        {
            match task {
                Task::Put {
                    stream,
                    events,
                    ingested_at,
                } => {
                    let append = appends.entry(group).or_default();
                    append.parts.push(Part::Events {
                        stream,
                        events,
                        ingested_at,
                    });
                    append.answers.push(answer);
                }
                Task::Import { events } => {
                    let append = appends.entry(group).or_default();
                    append.parts.push(Part::Kept(events));
                    append.answers.push(answer);
                }
                Task::DeleteStream { stream } => {
                    let append = appends.entry(group).or_default();
                    append.parts.push(Part::StreamGone { stream });
                    append.answers.push(answer);
                }
                Task::DeleteGroup => {
                    self.append_to(appends.remove_entry(&group));
                    respond(
                        answer,
                        self.delete_group(&group).map_err(cannot("delete a group")),
                    );
                }
                Task::Expire { before } => {
                    self.append_to(appends.remove_entry(&group));
                    self.expire(&group, before);
                    respond(answer, Ok(()));
                }
            }
        }
        for append in appends {
            self.append_to(Some(append));
        }
        self.keep_within_limit();
    }

    fn append_to(&mut self, append: Option<(LogGroupKey, Append)>) {
        let Some((key, append)) = append else { return };
        let result = if self.failed {
            Err(Failure::Sync(io::Error::other("an earlier sync failed")))
        } else {
            self.append(&key, &append.parts)
        };
        if matches!(result, Err(Failure::Sync(_))) {
            self.failed = true;
        }
        for answer in append.answers {
            respond(
                answer,
                match &result {
                    Ok(()) => Ok(()),
                    // The causes go to every caller, and an `io::Error` cannot be cloned.
                    Err(Failure::Write(error)) => Err(cannot("take events")(io::Error::new(
                        error.kind(),
                        error.to_string(),
                    ))),
                    Err(Failure::Sync(error)) => Err(LogError::Fatal(error.to_string().into())),
                },
            );
        }
    }

    /// Appends to a group's last segment and makes that durable; only then readers see it.
    fn append(&mut self, key: &LogGroupKey, parts: &[Part]) -> Result<(), Failure> {
        let dir = disk::group_dir(&self.logs, key);
        let (known, last) = {
            let groups = read_lock(&self.groups);
            let group = groups.get(key);
            let last = group.and_then(|group| {
                group
                    .segments
                    .last()
                    .map(|segment| (segment.number, segment.bytes))
            });
            (group.map(|group| group.last_sequence), last)
        };
        if known.is_none() {
            disk::create_group(&dir, key).map_err(Failure::Write)?;
            write_lock(&self.groups).insert(key.clone(), Group::empty(dir.clone()));
        }
        let (number, length) = match last {
            Some((number, bytes)) if bytes < self.segment_bytes => (number, bytes),
            _ => self.next_segment(key, last.map(|(number, _)| number))?,
        };
        let bytes = encode(known.unwrap_or(0), parts);
        let path = disk::segment_file(&dir, number);
        let mut file = OpenOptions::new()
            .write(true)
            .open(path)
            .map_err(Failure::Write)?;
        let written = file
            .seek(SeekFrom::Start(length))
            .and_then(|_| file.write_all(&bytes));
        let durable = written.map_err(Failure::Write).and_then(|()| {
            file.sync_data().map_err(|error| match error.kind() {
                // Some file systems find out only now that they have no room.
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Failure::Write(error),
                _ => Failure::Sync(error),
            })
        });
        if let Err(failure) = durable {
            // What was written in part is nobody's; the next append overwrites it anyway, and a
            // start takes only whole records.
            let _ = file.set_len(length);
            return Err(failure);
        }
        let mut groups = write_lock(&self.groups);
        let group = groups
            .get_mut(key)
            .expect("the group was there or made above");
        note(group, &bytes);
        Ok(())
    }

    /// Closes the last segment of a group, if it has one, and makes the next.
    fn next_segment(&self, key: &LogGroupKey, last: Option<u64>) -> Result<(u64, u64), Failure> {
        let dir = disk::group_dir(&self.logs, key);
        let full = {
            let groups = read_lock(&self.groups);
            groups
                .get(key)
                .and_then(|group| group.segments.last().cloned())
        };
        if let Some(full) = &full {
            disk::write_summary(&dir, full).map_err(Failure::Write)?;
        }
        let number = last.map_or(1, |number| number + 1);
        disk::create_segment(&dir, number).map_err(Failure::Write)?;
        let segment = Segment::new(number);
        let length = segment.bytes;
        let mut groups = write_lock(&self.groups);
        let group = groups
            .get_mut(key)
            .expect("segments are only made for groups that are there");
        group.segments.push(segment);
        drop(groups);
        self.keep_group_within_limit(key);
        Ok((number, length))
    }

    fn delete_group(&self, key: &LogGroupKey) -> io::Result<()> {
        let removed = write_lock(&self.groups).remove(key);
        if removed.is_some() {
            remove_group_dir(&disk::group_dir(&self.logs, key))?;
        }
        Ok(())
    }

    /// Drops the segments that end before `before`.
    fn expire(&self, key: &LogGroupKey, before: Timestamp) {
        self.drop_segments(key, |segment| {
            segment.last_event().is_none_or(|last| last < before)
        });
    }

    /// Drops the oldest segments of a group that has grown too large; never the last.
    fn keep_group_within_limit(&self, key: &LogGroupKey) {
        let mut excess = {
            let groups = read_lock(&self.groups);
            groups
                .get(key)
                .map_or(0, Group::bytes)
                .saturating_sub(self.limits.group_bytes_max)
        };
        self.drop_segments(key, |segment| {
            let drop = excess > 0;
            excess = excess.saturating_sub(segment.bytes);
            drop
        });
    }

    /// Drops the segments that were written to least recently, whosever they are, while there
    /// is too much in all.
    fn keep_within_limit(&self) {
        loop {
            let oldest = {
                let groups = read_lock(&self.groups);
                if groups.values().map(Group::bytes).sum::<u64>() <= self.limits.all_bytes_max {
                    return;
                }
                let firsts = groups
                    .iter()
                    .filter_map(|(key, group)| Some((key, group.segments.first()?)));
                firsts
                    .min_by_key(|(_, segment)| (segment.last_ingested(), segment.last_sequence))
                    .map(|(key, segment)| (key.clone(), segment.number))
            };
            let Some((key, number)) = oldest else { return };
            self.drop_segments(&key, |segment| segment.number == number);
        }
    }

    /// Drops a group's oldest segments for as long as `drop` says so. Never one after another
    /// that stays: a deletion is recorded after the events that it deletes, and must outlive them.
    fn drop_segments(&self, key: &LogGroupKey, mut drop: impl FnMut(&Segment) -> bool) {
        let dropped: Vec<u64> = {
            let mut groups = write_lock(&self.groups);
            let Some(group) = groups.get_mut(key) else {
                return;
            };
            let count = group
                .segments
                .iter()
                .take_while(|segment| drop(segment))
                .count();
            // Nothing is appended to a file that is gone: the next append makes a new segment.
            let dropped = group
                .segments
                .drain(..count)
                .map(|segment| segment.number)
                .collect();
            group.prune_gone();
            dropped
        };
        let dir = disk::group_dir(&self.logs, key);
        for number in dropped {
            if let Err(error) = disk::remove_segment(&dir, number) {
                tracing::warn!(?error, "could not remove a segment of old log events");
            }
        }
    }
}

enum Failure {
    /// Nothing was kept.
    Write(io::Error),
    /// What was kept is not known.
    Sync(io::Error),
}

/// The records of a round, numbered after `last`.
fn encode(last: u64, parts: &[Part]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut sequence = last;
    for part in parts {
        let (stream, events, ingested_at) = match part {
            Part::Events {
                stream,
                events,
                ingested_at,
            } => (stream, events, ingested_at),
            Part::Kept(events) => {
                for event in events {
                    sequence = sequence.max(event.position.sequence);
                    kept(event).write(&mut bytes);
                }
                continue;
            }
            Part::StreamGone { stream } => {
                sequence += 1;
                Record::StreamGone { sequence, stream }.write(&mut bytes);
                continue;
            }
        };
        for event in events {
            sequence = next_sequence(sequence, *ingested_at);
            let record = Record::Event {
                sequence,
                timestamp: event.timestamp.as_millis(),
                ingested_at: ingested_at.as_millis(),
                stream,
                message: &event.message,
            };
            record.write(&mut bytes);
        }
    }
    bytes
}

fn kept(event: &LogEvent) -> Record<'_> {
    Record::Event {
        sequence: event.position.sequence,
        timestamp: event.position.timestamp.as_millis(),
        ingested_at: event.ingested_at.as_millis(),
        stream: &event.stream,
        message: &event.message,
    }
}

/// Takes note of records that are now in the group's last segment.
fn note(group: &mut Group, records: &[u8]) {
    for (record, length) in Records::without_header(records) {
        if let Some(segment) = group.segments.last_mut() {
            segment.add(&record, length);
        }
        if let Record::StreamGone { sequence, stream } = record {
            group.forget(&stream.into(), sequence);
        }
        group.last_sequence = group.last_sequence.max(record.sequence());
    }
}

fn cannot(doing: &'static str) -> impl Fn(io::Error) -> LogError {
    move |error| LogError::Unavailable {
        doing,
        source: error.into(),
    }
}
