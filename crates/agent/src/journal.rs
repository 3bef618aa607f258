//! What must outlive the process: names and JSON values in one append-only file.
//!
//! Rules kept here:
//! - a caller that waits for a write gets its answer after the data is on disk; writers that
//!   come together share one fdatasync, so thousands of simulated agents can share one journal;
//! - each line carries a checksum. What follows the first line that does not match was being
//!   written when the machine stopped; nobody was told that it was saved, and it is cut off;
//! - the file is rewritten without what was replaced once that is more than half of it.
//!
//! A thread of its own does the writing. When the disk is full it tries again until there is
//! room: callers wait, and nothing is acknowledged that is not kept.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::sync::{mpsc, oneshot};

/// How many writes may wait for the disk. Callers beyond wait before they are let in.
const WAITING_MAX: usize = 4_096;

/// How many writes share one sync at most, so that the first of them is not kept for long.
const GROUP_MAX: usize = 1_024;

/// A file smaller than this is not worth rewriting.
const REWRITE_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// How long to wait before a write that failed is tried again.
const RETRY_AFTER: Duration = Duration::from_secs(1);

const FILE: &str = "agent.journal";
const NEW_FILE: &str = "agent.journal.new";

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file or its folder cannot be opened, read or made.
    #[error("could not open the agent's journal {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another process uses it.
    #[error("another agent uses {0}")]
    InUse(PathBuf),
    /// The disk did not confirm a write; what it holds is unknown, so nothing more is written.
    #[error("the agent's journal was lost")]
    Lost,
}

/// One change.
#[derive(Clone, Debug)]
pub enum Change {
    /// Sets a value, which must be JSON without line breaks.
    Put(String, Box<RawValue>),
    /// Takes a name away.
    Delete(String),
}

impl Change {
    /// Sets a value.
    pub fn put<T: Serialize>(name: String, value: &T) -> Self {
        let raw = serde_json::value::to_raw_value(value)
            .expect("saved forms hold only strings, numbers, lists and string-keyed maps");
        Self::Put(name, raw)
    }
}

struct Handed {
    changes: Vec<Change>,
    done: Option<oneshot::Sender<Result<(), JournalError>>>,
}

/// The way to the writer; cheap to clone. The writer ends when the last of them is dropped.
#[derive(Clone, Debug)]
pub struct Journal {
    writer: mpsc::Sender<Handed>,
}

/// What a journal held when it was opened, by name.
pub type Loaded = HashMap<String, Box<RawValue>>;

impl Journal {
    /// Opens the journal in `folder`, making both where needed.
    ///
    /// # Errors
    /// When the folder or file cannot be made, read or locked.
    pub fn open(folder: &Path) -> Result<(Self, Loaded), JournalError> {
        let path = folder.join(FILE);
        let failed = |source| JournalError::Open {
            path: path.clone(),
            source,
        };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(folder.join("agent.lock"))
            .map_err(failed)
            .and_then(|lock| match lock.try_lock() {
                Ok(()) => Ok(JournalFile::open(folder, lock).map_err(failed)?),
                Err(std::fs::TryLockError::WouldBlock) => {
                    Err(JournalError::InUse(folder.to_owned()))
                }
                Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
            })?;
        let loaded = file.load().map_err(failed)?;
        let (writer, inbox) = mpsc::channel(WAITING_MAX);
        std::thread::Builder::new()
            .name("agent-journal".to_owned())
            .spawn(move || run(file, inbox))
            .map_err(failed)?;
        Ok((Self { writer }, loaded))
    }

    /// Writes soon, without waiting for the disk. Order among all writes is kept.
    ///
    /// # Errors
    /// When the journal was lost.
    pub async fn write(&self, changes: Vec<Change>) -> Result<(), JournalError> {
        let write = Handed {
            changes,
            done: None,
        };
        let sent = self.writer.send(write).await;
        sent.map_err(|_| JournalError::Lost)
    }

    /// Hands the write in, and gives what resolves when it is on disk.
    ///
    /// # Errors
    /// When the journal was lost.
    pub async fn write_durably(
        &self,
        changes: Vec<Change>,
    ) -> Result<impl Future<Output = Result<(), JournalError>> + use<>, JournalError> {
        let (done, answer) = oneshot::channel();
        let write = Handed {
            changes,
            done: Some(done),
        };
        let sent = self.writer.send(write).await;
        sent.map_err(|_| JournalError::Lost)?;
        Ok(async move { answer.await.unwrap_or(Err(JournalError::Lost)) })
    }
}

/// The writer's loop.
fn run(mut file: JournalFile, mut inbox: mpsc::Receiver<Handed>) {
    let mut group = Vec::new();
    while inbox.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        let wants_sync = group.iter().any(|write| write.done.is_some());
        let changes = group
            .iter_mut()
            .flat_map(|w| std::mem::take(&mut w.changes));
        let changes: Vec<Change> = changes.collect();
        while let Err(error) = file.append(&changes) {
            tracing::warn!(%error, "could not write the agent's journal; trying again");
            std::thread::sleep(RETRY_AFTER);
        }
        let synced = if wants_sync { file.sync() } else { Ok(()) };
        let lost = synced.is_err();
        if let Err(error) = synced {
            tracing::error!(%error, "the disk did not confirm a write of the agent's journal");
        }
        for done in group.drain(..).filter_map(|write| write.done) {
            let answer = if lost {
                Err(JournalError::Lost)
            } else {
                Ok(())
            };
            // A caller that went away needs no answer.
            let _ = done.send(answer);
        }
        if lost {
            return;
        }
        if let Err(error) = file.rewrite_if_worth() {
            tracing::warn!(%error, "could not rewrite the agent's journal; going on with the old one");
        }
    }
    if let Err(error) = file.sync() {
        tracing::error!(%error, "the disk did not confirm the last write of the agent's journal");
    }
}

/// Where a live line is.
#[derive(Clone, Copy, Debug)]
struct Place {
    offset: u64,
    length: u32,
}

struct JournalFile {
    folder: PathBuf,
    file: File,
    length: u64,
    live: HashMap<Box<str>, Place>,
    live_bytes: u64,
    /// Held for as long as the journal is open.
    _lock: File,
}

#[derive(Serialize)]
struct LineOut<'a> {
    k: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    v: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct LineIn<'a> {
    k: String,
    #[serde(borrow, default)]
    v: Option<&'a RawValue>,
}

impl JournalFile {
    fn open(folder: &Path, lock: File) -> io::Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(folder.join(FILE))?;
        File::open(folder)?.sync_all()?;
        Ok(Self {
            folder: folder.to_owned(),
            file,
            length: 0,
            live: HashMap::new(),
            live_bytes: 0,
            _lock: lock,
        })
    }

    /// Reads everything, cuts a torn end off, and gives the live values.
    fn load(&mut self) -> io::Result<Loaded> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes)?;
        let mut loaded = Loaded::new();
        let mut offset = 0;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let Some(LineIn { k, v }) = parse_line(line) else {
                let torn = bytes.len() - offset;
                tracing::warn!(bytes = torn, "cut a torn end off the agent's journal");
                break;
            };
            let key = k.clone().into_boxed_str();
            match v {
                Some(value) => {
                    loaded.insert(k, value.to_owned());
                    self.keep(key, offset as u64, line.len());
                }
                None => {
                    loaded.remove(&k);
                    self.drop_key(&key);
                }
            }
            offset += line.len();
        }
        self.length = offset as u64;
        self.file.set_len(self.length)?;
        self.file.seek(SeekFrom::Start(self.length))?;
        Ok(loaded)
    }

    fn append(&mut self, changes: &[Change]) -> io::Result<()> {
        let mut text = Vec::with_capacity(changes.len() * 256);
        let mut places = Vec::with_capacity(changes.len());
        for change in changes {
            let start = text.len();
            let (key, value) = match change {
                Change::Put(key, value) => (key, Some(&**value)),
                Change::Delete(key) => (key, None),
            };
            write_line(&mut text, key, value);
            places.push((key, value.is_some(), start, text.len() - start));
        }
        if let Err(error) = self.file.write_all(&text) {
            // What part of it got there must not stay in the way of the next try.
            self.file.set_len(self.length)?;
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        for (key, put, start, length) in places {
            let key = key.clone().into_boxed_str();
            if put {
                self.keep(key, self.length + start as u64, length);
            } else {
                self.drop_key(&key);
            }
        }
        self.length += text.len() as u64;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn keep(&mut self, key: Box<str>, offset: u64, length: usize) {
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.live_bytes += u64::from(length);
        if let Some(old) = self.live.insert(key, Place { offset, length }) {
            self.live_bytes -= u64::from(old.length);
        }
    }

    fn drop_key(&mut self, key: &str) {
        if let Some(old) = self.live.remove(key) {
            self.live_bytes -= u64::from(old.length);
        }
    }

    fn rewrite_if_worth(&mut self) -> io::Result<()> {
        if self.length < REWRITE_BYTES_MIN || self.live_bytes * 2 > self.length {
            return Ok(());
        }
        self.rewrite()
    }

    /// Copies the live lines to a new file, which then takes the old one's place in one step.
    fn rewrite(&mut self) -> io::Result<()> {
        let path = self.folder.join(NEW_FILE);
        let mut new = OpenOptions::new()
            .create(true)
            .truncate(true)
            .read(true)
            .write(true)
            .open(&path)?;
        let mut places: Vec<(Box<str>, Place)> =
            self.live.iter().map(|(k, p)| (k.clone(), *p)).collect();
        places.sort_unstable_by_key(|(_, place)| place.offset);
        let mut live = HashMap::with_capacity(places.len());
        let (mut length, mut out) = (0_u64, io::BufWriter::new(&mut new));
        let mut line = Vec::new();
        let mut old = io::BufReader::new(&self.file);
        for (key, place) in places {
            line.resize(place.length as usize, 0);
            old.seek(SeekFrom::Start(place.offset))?;
            old.read_exact(&mut line)?;
            out.write_all(&line)?;
            let moved = Place {
                offset: length,
                ..place
            };
            live.insert(key, moved);
            length += u64::from(place.length);
        }
        out.flush()?;
        drop(out);
        drop(old);
        let swapped = new
            .sync_all()
            .and_then(|()| std::fs::rename(&path, self.folder.join(FILE)));
        if let Err(error) = swapped {
            self.file.seek(SeekFrom::Start(self.length))?;
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()?;
        self.file = new;
        self.length = length;
        self.live = live;
        self.live_bytes = length;
        Ok(())
    }
}

fn write_line(text: &mut Vec<u8>, key: &str, value: Option<&RawValue>) {
    let line = LineOut { k: key, v: value };
    let body = serde_json::to_vec(&line).expect("a string and raw JSON");
    text.extend_from_slice(format!("{:016x} ", checksum(&body)).as_bytes());
    text.extend_from_slice(&body);
    text.push(b'\n');
}

fn parse_line(line: &[u8]) -> Option<LineIn<'_>> {
    let line = line.strip_suffix(b"\n")?;
    let (sum, rest) = line.split_at_checked(16)?;
    let body = rest.strip_prefix(b" ")?;
    let sum = u64::from_str_radix(std::str::from_utf8(sum).ok()?, 16).ok()?;
    if sum != checksum(body) {
        return None;
    }
    serde_json::from_slice(body).ok()
}

/// FNV-1a: tells a torn line from a whole one; not meant against anyone who forges.
fn checksum(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests;
