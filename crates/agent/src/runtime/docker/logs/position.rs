//! How far a container's output was shipped.
//!
//! Docker gives every record a time, not a number, and several records may have the same one.
//! A position is therefore a time and how many records of that time were taken, for each of the
//! two streams: within a stream records are in order, between them they are not quite.
//!
//! What was sent and not yet acknowledged is saved as well, so that after a crash the server can
//! be asked whether it has it. Stored events are told apart from new ones by counting: the times
//! of a stream's events never fall, so those at or after the last acknowledged time are its
//! own, already counted, and what was sent after it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// One of a container's two outputs. A terminal has only the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Output {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How far one output was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Mark {
    /// The time of the last record taken, in nanoseconds since the epoch.
    pub(super) nanos: i64,
    /// How many records of that time were taken.
    pub(super) count: u64,
}

impl Mark {
    /// The mark after a record of this time.
    pub(super) fn after(self, nanos: i64) -> Self {
        let count = if nanos == self.nanos {
            self.count + 1
        } else {
            1
        };
        Self { nanos, count }
    }
}

/// How far both outputs were read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marks {
    pub(super) out: Mark,
    pub(super) err: Mark,
}

impl Marks {
    pub(super) fn of(&mut self, output: Output) -> &mut Mark {
        match output {
            Output::Out => &mut self.out,
            Output::Err => &mut self.err,
        }
    }
}

/// What is stored at the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    pub(super) marks: Marks,
    /// The time of the last event, in milliseconds since the epoch.
    pub(super) last_ms: i64,
    /// How many events of that time are stored.
    pub(super) at_last_ms: u64,
}

impl Position {
    /// The time under which an event of `ms` is sent: never before the last.
    pub(super) fn time(&self, ms: i64) -> i64 {
        ms.max(self.last_ms)
    }

    /// The position after an event sent under this time.
    pub(super) fn count(&mut self, time: i64) {
        self.at_last_ms = match time == self.last_ms {
            true => self.at_last_ms + 1,
            false => 1,
        };
        self.last_ms = time;
    }
}

/// A batch that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pending {
    /// Where its acknowledgement leads.
    pub(super) to: Position,
    /// How many events it has.
    pub(super) events: u64,
}

/// What the file of a container holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Saved {
    pub(super) acknowledged: Position,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    /// When the container ended, once all that it wrote until then is shipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) complete: Option<String>,
}

impl Saved {
    /// Settles the pending batch: `stored` is how many events the server has at or after the
    /// last acknowledged time. One that is there only in part is sent again whole: rather a line
    /// twice than none.
    pub(super) fn settle(&mut self, stored: u64) {
        if let Some(pending) = self.pending.take() {
            let beyond = stored.saturating_sub(self.acknowledged.at_last_ms);
            if beyond >= pending.events {
                self.acknowledged = pending.to;
            }
        }
    }
}

/// The file of one container.
#[derive(Clone, Debug)]
pub(super) struct PositionFile {
    path: PathBuf,
}

impl PositionFile {
    pub(super) fn new(folder: &Path, container: &str) -> Self {
        Self {
            path: folder.join(format!("{container}.json")),
        }
    }

    /// What was saved; `None` when nothing was.
    pub(super) fn read(&self) -> io::Result<Option<Saved>> {
        match std::fs::read(&self.path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(io::Error::from),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Saves in one step, so that a kill at any moment leaves the old or the new.
    pub(super) fn write(&self, saved: &Saved) -> io::Result<()> {
        let next = self.path.with_extension("next");
        std::fs::write(&next, serde_json::to_vec(saved)?)?;
        std::fs::rename(&next, &self.path)
    }

    pub(super) fn remove(&self) {
        // Left behind it costs a few bytes.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(last_ms: i64, at_last_ms: u64) -> Position {
        Position {
            last_ms,
            at_last_ms,
            ..Position::default()
        }
    }

    #[test]
    fn a_pending_batch_counts_when_the_server_has_all_of_it() {
        let saved = Saved {
            acknowledged: at(100, 3),
            pending: Some(Pending {
                to: at(105, 1),
                events: 2,
            }),
            complete: None,
        };
        for (stored, expected) in [
            (0, at(100, 3)),
            (3, at(100, 3)),
            (4, at(100, 3)),
            (5, at(105, 1)),
        ] {
            let mut saved = saved.clone();
            saved.settle(stored);
            assert_eq!(saved.acknowledged, expected, "{stored} stored");
            assert_eq!(saved.pending, None);
        }
    }

    #[test]
    fn times_never_fall_and_equal_ones_are_counted() {
        let mut position = at(100, 1);
        assert_eq!(position.time(90), 100);
        position.count(100);
        assert_eq!(position, at(100, 2));
        position.count(101);
        assert_eq!(position, at(101, 1));
        let mark = Mark::default().after(7).after(7);
        assert_eq!(mark, Mark { nanos: 7, count: 2 });
        assert_eq!(mark.after(8), Mark { nanos: 8, count: 1 });
    }

    #[test]
    fn a_file_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let file = PositionFile::new(folder.path(), "c1");
        assert_eq!(file.read().unwrap(), None);
        let saved = Saved {
            acknowledged: at(1, 2),
            pending: None,
            complete: Some("2026-11-20T16:28:12Z".to_owned()),
        };
        file.write(&saved).unwrap();
        assert_eq!(file.read().unwrap(), Some(saved));
        file.remove();
        assert_eq!(file.read().unwrap(), None);
    }
}
