//! Log events in files under the data directory.
//!
//! Each group has a directory, named for a digest of the group's key, with the key in a file
//! beside its segments. One thread does all writing: it takes every request that waits, appends,
//! syncs each touched file once, and only then answers. Readers read the files up to the length
//! that is known to be on disk.
//!
//! A full segment gets a summary beside it, so that a start need not read it.

mod disk;
mod writer;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use berth_model::log::{LogGroupKey, LogStreamKey};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use tokio::sync::mpsc;

use super::group::{Group, Segment};
use super::page::PageBuilder;
use super::record::{Record, Records};
use super::request::Request;
use super::{
    Direction, LogError, LogEvent, LogLimits, LogPage, LogQuery, Position, READ_BYTES_MAX,
    StreamStats,
};
use crate::error::OpenError;

const LOGS_DIR: &str = "logs";

/// All groups, shared by readers and the writing thread. Held for moments, never while reading
/// or writing a file.
pub(super) type Groups = Arc<RwLock<HashMap<LogGroupKey, Group>>>;

/// Log events in files. See the module's comment.
#[derive(Debug)]
pub(super) struct FileLogs {
    groups: Groups,
}

impl FileLogs {
    pub(super) async fn open(
        data_dir: &Path,
        limits: LogLimits,
        waiting: mpsc::Receiver<Request>,
    ) -> Result<Self, OpenError> {
        let dir = data_dir.join(LOGS_DIR);
        let unavailable = |doing| {
            move |source: std::io::Error| OpenError::Unavailable {
                doing,
                source: source.into(),
            }
        };
        let opened = tokio::task::spawn_blocking(move || {
            let groups = disk::open_all(&dir)?;
            Ok((dir, Arc::new(RwLock::new(groups))))
        });
        let (dir, groups) = opened
            .await
            .map_err(|error| unavailable("read the log events")(error.into()))?
            .map_err(unavailable("read the log events"))?;
        writer::spawn(dir, groups.clone(), limits, waiting)
            .map_err(unavailable("start the thread that writes log events"))?;
        Ok(Self { groups })
    }

    /// The groups that have events.
    pub(super) async fn groups(&self) -> Result<Vec<LogGroupKey>, LogError> {
        let mut groups: Vec<_> = read_lock(&self.groups).keys().cloned().collect();
        groups.sort();
        Ok(groups)
    }

    /// The streams that have events.
    pub(super) async fn streams(&self) -> Result<Vec<LogStreamKey>, LogError> {
        let mut streams = Vec::new();
        for group in self.groups().await? {
            for (name, _) in self.stats(&group).await? {
                streams.push(LogStreamKey {
                    group: group.clone(),
                    name: Text::new(&name),
                });
            }
        }
        Ok(streams)
    }

    pub(super) async fn stats(
        &self,
        group: &LogGroupKey,
    ) -> Result<Vec<(Arc<str>, StreamStats)>, LogError> {
        let groups = read_lock(&self.groups);
        let stats = groups.get(group).map(Group::stats).unwrap_or_default();
        Ok(stats
            .into_iter()
            .map(|(stream, part)| (stream, part.into()))
            .collect())
    }

    pub(super) async fn read(&self, query: LogQuery) -> Result<LogPage, LogError> {
        let Some(found) = candidates(&read_lock(&self.groups), &query) else {
            return Ok(LogPage::default());
        };
        let unavailable = |source| LogError::Unavailable {
            doing: "read events",
            source,
        };
        tokio::task::spawn_blocking(move || read_page(&query, &found))
            .await
            .map_err(|error| unavailable(error.into()))?
            .map_err(|error| unavailable(error.into()))
    }
}

/// The segments that a query has to look at, in its direction, and the deletions to respect.
struct Candidates {
    segments: Vec<Candidate>,
    gone: HashMap<Arc<str>, u64>,
}

struct Candidate {
    file: PathBuf,
    bytes: u64,
    first: Timestamp,
    last: Timestamp,
}

fn candidates(groups: &HashMap<LogGroupKey, Group>, query: &LogQuery) -> Option<Candidates> {
    let group = groups.get(&query.group)?;
    let candidate = |segment: &Segment| {
        let (first, last) = segment.span(query)?;
        let file = disk::segment_file(&group.dir, segment.number);
        let reachable = match query.direction {
            Direction::Forward(after) => after.is_none_or(|after| last >= after.timestamp),
            Direction::Backward(before) => before.is_none_or(|before| first <= before.timestamp),
        };
        reachable.then_some(Candidate {
            file,
            bytes: segment.bytes,
            first,
            last,
        })
    };
    let mut segments: Vec<_> = group.segments.iter().filter_map(candidate).collect();
    match query.direction {
        Direction::Forward(_) => segments.sort_by_key(|segment| segment.first),
        Direction::Backward(_) => segments.sort_by_key(|segment| std::cmp::Reverse(segment.last)),
    }
    Some(Candidates {
        segments,
        gone: group.gone.clone(),
    })
}

fn read_page(query: &LogQuery, found: &Candidates) -> std::io::Result<LogPage> {
    let mut page = PageBuilder::new(query);
    let mut bytes_read = 0;
    let mut names = HashMap::new();
    for segment in &found.segments {
        let nearest = match query.direction {
            Direction::Forward(_) => segment.first,
            Direction::Backward(_) => segment.last,
        };
        let ends = page.is_settled_before(nearest)
            || (bytes_read >= READ_BYTES_MAX && page.end_before(nearest));
        if ends {
            break;
        }
        match disk::read_prefix(&segment.file, segment.bytes) {
            Ok(bytes) => read_segment(query, &found.gone, &bytes, &mut names, &mut page),
            // Removed in the meantime, as too old or too much.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        bytes_read += segment.bytes;
    }
    Ok(page.finish())
}

fn read_segment(
    query: &LogQuery,
    gone: &HashMap<Arc<str>, u64>,
    bytes: &[u8],
    names: &mut HashMap<String, Arc<str>>,
    page: &mut PageBuilder<'_>,
) {
    for (record, _) in Records::of(bytes) {
        let Record::Event {
            sequence,
            timestamp,
            ingested_at,
            stream,
            message,
        } = record
        else {
            continue;
        };
        let position = Position {
            timestamp: Timestamp::from_millis(timestamp),
            sequence,
        };
        let wanted = page.wants(position)
            && query.streams.admits(stream)
            && gone.get(stream).is_none_or(|up_to| sequence > *up_to)
            && query
                .matching
                .as_ref()
                .is_none_or(|matches| matches(message));
        if wanted {
            let name = names
                .entry(stream.to_owned())
                .or_insert_with(|| stream.into());
            page.offer(LogEvent {
                position,
                stream: name.clone(),
                ingested_at: Timestamp::from_millis(ingested_at),
                message: message.to_owned(),
            });
        }
    }
}

/// A poisoned lock's content is whole: it is only changed by single calls that do not panic.
pub(super) fn read_lock(
    groups: &RwLock<HashMap<LogGroupKey, Group>>,
) -> RwLockReadGuard<'_, HashMap<LogGroupKey, Group>> {
    groups.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write_lock(
    groups: &RwLock<HashMap<LogGroupKey, Group>>,
) -> RwLockWriteGuard<'_, HashMap<LogGroupKey, Group>> {
    groups.write().unwrap_or_else(PoisonError::into_inner)
}

/// Removes a directory by way of another name, so that a crash half-way leaves nothing that
/// could be taken for a group.
pub(super) fn remove_group_dir(dir: &Path) -> std::io::Result<()> {
    let gone = disk::gone_name(dir);
    match fs::rename(dir, &gone) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    if let Some(parent) = dir.parent() {
        crate::data_dir::sync_dir(parent)?;
    }
    fs::remove_dir_all(&gone)
}
