//! Names, summaries and the reading of a group's files.

use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use berth_model::log::LogGroupKey;
use sha2::{Digest, Sha256};

use crate::data_dir::{make_private_dir, sync_dir};
use crate::log::group::{Group, Segment};
use crate::log::record::HEADER;

/// Holds the group's key as JSON.
const KEY_FILE: &str = "group.json";
const SEGMENT: &str = "log";
const SUMMARY: &str = "summary";
/// Begins the name of a directory that is being removed.
const GONE: &str = "gone-";

/// Bytes of the key's digest in a directory's name: enough that no two groups meet.
const DIGEST_BYTES: usize = 16;

pub(super) fn group_dir(logs: &Path, key: &LogGroupKey) -> PathBuf {
    let text = serde_json::to_vec(key).unwrap_or_default();
    let digest = Sha256::digest(text);
    let name: String = digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    logs.join(name)
}

pub(super) fn gone_name(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!("{GONE}{name}"))
}

pub(super) fn segment_file(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{SEGMENT}"))
}

fn summary_file(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("{number:012}.{SUMMARY}"))
}

/// The first `bytes` of a file.
pub(super) fn read_prefix(file: &Path, bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    File::open(file)?.take(bytes).read_to_end(&mut content)?;
    Ok(content)
}

/// Makes a group's directory, with its key.
pub(super) fn create_group(dir: &Path, key: &LogGroupKey) -> io::Result<()> {
    make_private_dir(dir)?;
    let file = dir.join(KEY_FILE);
    // Under another name first: a key cut short by a crash would hide the group for good.
    let unfinished = dir.join("group.json.new");
    fs::write(&unfinished, serde_json::to_vec(key)?)?;
    File::open(&unfinished)?.sync_all()?;
    fs::rename(&unfinished, &file)?;
    sync_dir(dir)?;
    dir.parent().map_or(Ok(()), sync_dir)
}

/// Makes an empty segment, whose name is durable.
pub(super) fn create_segment(dir: &Path, number: u64) -> io::Result<()> {
    let path = segment_file(dir, number);
    fs::write(&path, HEADER)?;
    File::open(&path)?.sync_all()?;
    sync_dir(dir)
}

/// Writes a full segment's summary: its checksum, then JSON. It need not be durable: without
/// it, the segment is read.
pub(super) fn write_summary(dir: &Path, segment: &Segment) -> io::Result<()> {
    let json = serde_json::to_string(segment)?;
    let checksum = crc32fast::hash(json.as_bytes());
    fs::write(
        summary_file(dir, segment.number),
        format!("{checksum:08x}\n{json}"),
    )
}

fn read_summary(dir: &Path, number: u64) -> Option<Segment> {
    let text = fs::read_to_string(summary_file(dir, number)).ok()?;
    let (checksum, json) = text.split_once('\n')?;
    if u32::from_str_radix(checksum, 16).ok()? != crc32fast::hash(json.as_bytes()) {
        return None;
    }
    let segment: Segment = serde_json::from_str(json).ok()?;
    let length = fs::metadata(segment_file(dir, number)).ok()?.len();
    (segment.number == number && segment.bytes <= length).then_some(segment)
}

pub(super) fn remove_segment(dir: &Path, number: u64) -> io::Result<()> {
    // A summary without its segment is never looked at.
    let _ = fs::remove_file(summary_file(dir, number));
    match fs::remove_file(segment_file(dir, number)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Reads what is there of all groups.
pub(super) fn open_all(logs: &Path) -> io::Result<HashMap<LogGroupKey, Group>> {
    make_private_dir(logs)?;
    let mut groups = HashMap::new();
    for entry in fs::read_dir(logs)? {
        let entry = entry?;
        let dir = entry.path();
        if entry.file_name().to_string_lossy().starts_with(GONE) {
            fs::remove_dir_all(&dir)?;
            continue;
        }
        // A directory without a key was made just before a crash, and has no events yet.
        let Ok(json) = fs::read(dir.join(KEY_FILE)) else {
            continue;
        };
        match serde_json::from_slice::<LogGroupKey>(&json) {
            Ok(key) => drop(groups.insert(key, open_group(&dir)?)),
            Err(error) => tracing::warn!(?dir, ?error, "a log group's key cannot be read"),
        }
    }
    Ok(groups)
}

fn open_group(dir: &Path) -> io::Result<Group> {
    let mut numbers = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let is_segment = path
            .extension()
            .is_some_and(|extension| extension == SEGMENT);
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        if let (true, Some(number)) = (is_segment, stem.and_then(|stem| stem.parse().ok())) {
            numbers.push(number);
        }
    }
    numbers.sort_unstable();
    let mut group = Group::empty(dir.to_owned());
    let last = numbers.last().copied();
    for number in numbers {
        let summary = if Some(number) == last {
            None
        } else {
            read_summary(dir, number)
        };
        let segment = match summary {
            Some(segment) => segment,
            None => scan_segment(dir, number)?,
        };
        group.push(segment);
    }
    Ok(group)
}

/// Reads a segment, and drops a torn tail.
fn scan_segment(dir: &Path, number: u64) -> io::Result<Segment> {
    let path = segment_file(dir, number);
    let content = fs::read(&path)?;
    let mut segment = Segment::scan(number, &content);
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    if segment.bytes == 0 {
        // Not even the header is whole: the segment was never used.
        tracing::warn!(?path, "a segment of log events has no header");
        fs::write(&path, HEADER)?;
        File::open(&path)?.sync_all()?;
        segment = Segment::new(number);
    } else if segment.bytes < length {
        tracing::warn!(
            ?path,
            dropped = length - segment.bytes,
            "log events end in a torn record"
        );
        let file = OpenOptions::new().write(true).open(&path)?;
        file.set_len(segment.bytes)?;
        file.sync_all()?;
    }
    Ok(segment)
}
