//! Ships one container's output: follows Docker's records, and sends batches of events.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::Instant;

use super::assemble::{Assembled, Assembler, Record};
use super::client::{LogEvent, LogsApi, LogsError, StreamName};
use super::position::{Marks, Output, Pending, Position, PositionFile, Saved};
use super::settings::LogSettings;
use super::{make_stream, stream_name};
use crate::runtime::docker::Inner;
use crate::runtime::docker::instant::parse_nanos;

/// CloudWatch's limits on a batch: events, bytes counted with 26 for each event, and the time
/// from the first event to the last.
const BATCH_EVENTS_MAX: usize = 10_000;
const BATCH_BYTES_MAX: usize = 1024 * 1024;
const EVENT_OVERHEAD: usize = 26;
const BATCH_SPAN_MS_MAX: i64 = 24 * 60 * 60 * 1000;
/// The most JSON in a batch: the server takes 1 MiB in a request. Members and commas of an event
/// take up to [`EVENT_JSON`] beside its message.
const BATCH_JSON_MAX: usize = 960 * 1024;
const EVENT_JSON: usize = 64;

/// How long an event waits for others to share its batch.
const BATCH_WAIT: Duration = Duration::from_secs(1);
/// How long lines wait for a line that may belong to the same event. Docker's driver waits as long.
const EVENT_WAIT: Duration = Duration::from_secs(5);
/// How far before the position a restarted reader begins: within that, records of the two
/// outputs may stand in another order than their times.
const OVERLAP: Duration = Duration::from_secs(10);
/// The first and longest wait before the service or Docker is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(15);
/// Ships one container's output.
pub(super) struct Shipper {
    inner: Weak<Inner>,
    api: Arc<dyn LogsApi>,
    settings: LogSettings,
    name: StreamName,
    id: String,
    file: PositionFile,
    /// Whether nothing was ever shipped.
    fresh: bool,
    saved: Saved,
    /// How far Docker's records were read.
    read: Marks,
    assembler: Assembler,
    waiting: Batch,
}

impl Shipper {
    /// A shipper of the container with this id. `saved` is how far its output was shipped; `None`
    /// when it never was.
    pub(super) fn new(
        inner: Weak<Inner>,
        api: Arc<dyn LogsApi>,
        settings: LogSettings,
        id: String,
        file: PositionFile,
        saved: Option<Saved>,
    ) -> Self {
        Self {
            inner,
            api,
            name: stream_name(&settings, &id),
            assembler: Assembler::new(settings.begins_event()),
            settings,
            id,
            file,
            fresh: saved.is_none(),
            saved: saved.unwrap_or_default(),
            read: Marks::default(),
            waiting: Batch::default(),
        }
    }

    /// Runs until the container has ended and all is shipped.
    pub(super) async fn run(mut self, again: Arc<AtomicBool>, done: watch::Sender<bool>) {
        self.settle().await;
        self.read = self.saved.acknowledged.marks;
        let mut wait = RETRY_FIRST;
        loop {
            again.store(false, Ordering::Release);
            let Some(inner) = self.inner.upgrade() else {
                return;
            };
            // Looked at before reading: what ended by then is read to its end.
            let seen = inner.look(&self.id).await;
            drop(inner);
            let state = match seen {
                Ok(Some(seen)) => seen.state.unwrap_or_default(),
                Ok(None) => {
                    self.vanished();
                    break;
                }
                Err(_) => {
                    tokio::time::sleep(wait).await;
                    wait = (wait * 2).min(RETRY_MAX);
                    continue;
                }
            };
            let whole = self.follow().await;
            if whole && state.running != Some(true) {
                let events = self.assembler.flush();
                self.add(events).await;
                self.send().await;
                self.saved.complete = state.finished_at.clone();
                self.save();
                if self.retire(&again) {
                    break;
                }
            }
            wait = if whole {
                RETRY_FIRST
            } else {
                (wait * 2).min(RETRY_MAX)
            };
            tokio::time::sleep(wait).await;
        }
        // Nobody waits any more when the receiver is gone.
        let _ = done.send(true);
    }

    /// Somebody removed the container behind the agent's back.
    fn vanished(&self) {
        if let Some(inner) = self.inner.upgrade() {
            inner.shippers.lock().remove(&self.id);
        }
        self.file.remove();
    }

    /// Takes itself off the list, unless the container was started again.
    fn retire(&self, again: &AtomicBool) -> bool {
        let Some(inner) = self.inner.upgrade() else {
            return true;
        };
        let mut running = inner.shippers.lock();
        if again.load(Ordering::Acquire) {
            return false;
        }
        running.remove(&self.id);
        true
    }

    /// Reads records from where reading ended until Docker's stream does, and sends them. Gives
    /// whether the stream ended by itself.
    async fn follow(&mut self) -> bool {
        let Some(inner) = self.inner.upgrade() else {
            return false;
        };
        let docker = inner.docker.clone();
        drop(inner);
        let options = LogsOptionsBuilder::new()
            .follow(true)
            .stdout(true)
            .stderr(true)
            .timestamps(true)
            .since(self.since())
            .build();
        let mut records = std::pin::pin!(docker.logs(&self.id, Some(options)));
        let mut skip = Skip::to(self.read);
        let mut send_at: Option<Instant> = None;
        let mut flush_at: Option<Instant> = None;
        loop {
            let timer = [send_at, flush_at].into_iter().flatten().min();
            tokio::select! {
                item = records.next() => match item {
                    None => {
                        self.send().await;
                        return true;
                    }
                    Some(Err(_)) => {
                        self.send().await;
                        return false;
                    }
                    Some(Ok(output)) => {
                        if let Some(record) = record(output).filter(|record| skip.is_new(record)) {
                            self.take(&record).await;
                        }
                    }
                },
                () = sleep_until(timer), if timer.is_some() => {
                    if flush_at.is_some_and(|at| at <= Instant::now()) {
                        let events = self.assembler.flush();
                        self.add(events).await;
                        flush_at = None;
                    }
                    if send_at.is_some_and(|at| at <= Instant::now()) {
                        self.send().await;
                    }
                }
            }
            let now = Instant::now();
            send_at = match self.waiting.events.is_empty() {
                true => None,
                false => send_at.or(Some(now + BATCH_WAIT)),
            };
            flush_at = match self.assembler.waits() {
                true => flush_at.or(Some(now + EVENT_WAIT)),
                false => None,
            };
        }
    }

    /// Where Docker begins to read, in seconds since the epoch.
    fn since(&self) -> i32 {
        const NANOS: i64 = 1_000_000_000;
        let last = self.read.out.nanos.max(self.read.err.nanos) / NANOS;
        let overlap = i64::try_from(OVERLAP.as_secs()).unwrap_or(0);
        i32::try_from((last - overlap).max(0)).unwrap_or(0)
    }

    async fn take(&mut self, record: &Record) {
        let mark = self.read.of(record.output);
        *mark = mark.after(record.nanos);
        let mark = *mark;
        let events = self.assembler.push(record, mark);
        self.add(events).await;
    }

    /// Adds events to the batch, sending it whenever it is full.
    async fn add(&mut self, events: Vec<Assembled>) {
        for event in events {
            if !self.waiting.fits(&event) {
                self.send().await;
            }
            self.waiting.push(event);
        }
    }

    /// Sends what waits, and comes back when the service has it, however long that takes.
    async fn send(&mut self) {
        let waiting = std::mem::take(&mut self.waiting).events;
        if waiting.is_empty() {
            return;
        }
        if self.fresh {
            self.begin(waiting.first().map_or(0, |event| event.ms))
                .await;
        }
        let mut to = self.saved.acknowledged;
        let mut events = Vec::with_capacity(waiting.len());
        for event in waiting {
            let time = to.time(event.ms);
            to.count(time);
            *to.marks.of(event.output) = event.mark;
            let message = event.message;
            events.push(LogEvent { time, message });
        }
        self.deliver(to, &events).await;
        self.saved.pending = None;
        self.saved.acknowledged = to;
        self.save();
    }

    async fn deliver(&mut self, to: Position, events: &[LogEvent]) {
        let pending = Pending {
            to,
            events: events.len() as u64,
        };
        let mut retry = Retry::default();
        loop {
            if self.saved.pending.is_none() {
                self.saved.pending = Some(pending);
                self.save();
            }
            let error = match self.api.put(&self.name, events).await {
                Ok(()) => return,
                Err(error) => error,
            };
            match error {
                LogsError::Missing(_) => self.make_stream().await,
                LogsError::Refused(detail) => {
                    tracing::error!(group = %self.name.group, stream = %self.name.stream, %detail, events = events.len(), "the log service refuses a batch for good; its lines are dropped");
                    return;
                }
                LogsError::Busy(detail) => retry.wait(&self.name, &detail).await,
                LogsError::Unknown(detail) => {
                    retry.wait(&self.name, &detail).await;
                    self.settle().await;
                    if self.saved.acknowledged == to {
                        return;
                    }
                }
            }
        }
    }

    /// Finds out what became of a batch that was sent and not acknowledged.
    async fn settle(&mut self) {
        if self.saved.pending.is_none() {
            return;
        }
        let mut retry = Retry::default();
        let from = self.saved.acknowledged.last_ms;
        let stored = loop {
            match self.api.count_since(&self.name, from).await {
                Ok(stored) => break stored,
                Err(LogsError::Missing(_)) => break 0,
                Err(error) => retry.wait(&self.name, &error.to_string()).await,
            }
        };
        self.saved.settle(stored);
        self.save();
    }

    /// Before the first event: makes the stream, and counts what others have put there at or
    /// after the time of the first event.
    async fn begin(&mut self, first_ms: i64) {
        self.make_stream().await;
        self.saved.acknowledged.last_ms = first_ms;
        let mut retry = Retry::default();
        self.saved.acknowledged.at_last_ms = loop {
            match self.api.count_since(&self.name, first_ms).await {
                Ok(stored) => break stored,
                Err(LogsError::Missing(_)) => break 0,
                Err(error) => retry.wait(&self.name, &error.to_string()).await,
            }
        };
        self.fresh = false;
    }

    async fn make_stream(&self) {
        let mut retry = Retry::default();
        while let Err(error) = make_stream(&*self.api, &self.settings, &self.name).await {
            retry.wait(&self.name, &error.to_string()).await;
        }
    }

    fn save(&self) {
        if let Err(error) = self.file.write(&self.saved) {
            tracing::error!(container = %self.id, %error, "could not save how far a log was shipped; after a restart lines may come twice");
        }
    }
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Waits that grow, and one warning when they begin.
#[derive(Default)]
struct Retry {
    last: Option<Duration>,
}

impl Retry {
    async fn wait(&mut self, name: &StreamName, detail: &str) {
        let wait = match self.last {
            None => {
                tracing::warn!(group = %name.group, stream = %name.stream, %detail, "the log service does not take lines; they are kept and sent later");
                RETRY_FIRST
            }
            Some(last) => (last * 2).min(RETRY_MAX),
        };
        self.last = Some(wait);
        tokio::time::sleep(wait).await;
    }
}

/// Events that wait to be sent together.
#[derive(Default)]
struct Batch {
    events: Vec<Assembled>,
    bytes: usize,
    json: usize,
}

impl Batch {
    /// Whether the event may go with the others.
    fn fits(&self, event: &Assembled) -> bool {
        let first = self.events.first().map_or(event.ms, |first| first.ms);
        self.events.len() < BATCH_EVENTS_MAX
            && self.bytes + event.message.len() + EVENT_OVERHEAD <= BATCH_BYTES_MAX
            && self.json + event.json_bytes + EVENT_JSON <= BATCH_JSON_MAX
            && event.ms - first < BATCH_SPAN_MS_MAX
    }

    fn push(&mut self, event: Assembled) {
        self.bytes += event.message.len() + EVENT_OVERHEAD;
        self.json += event.json_bytes + EVENT_JSON;
        self.events.push(event);
    }
}

/// Passes over the records that were read before.
struct Skip {
    to: Marks,
    seen: Marks,
}

impl Skip {
    fn to(to: Marks) -> Self {
        Self {
            to,
            seen: Marks::default(),
        }
    }

    fn is_new(&mut self, record: &Record) -> bool {
        let to = *self.to.of(record.output);
        if record.nanos != to.nanos {
            return record.nanos > to.nanos;
        }
        let seen = self.seen.of(record.output);
        *seen = seen.after(record.nanos);
        seen.count > to.count
    }
}

/// A record as Docker sends it: its time, a space, and its bytes. One without a time is none of
/// a container's.
fn record(output: LogOutput) -> Option<Record> {
    let (output, bytes) = match output {
        LogOutput::StdOut { message } | LogOutput::Console { message } => (Output::Out, message),
        LogOutput::StdErr { message } => (Output::Err, message),
        LogOutput::StdIn { .. } => return None,
    };
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let nanos = parse_nanos(std::str::from_utf8(&bytes[..space]).ok()?)?;
    Some(Record {
        output,
        nanos,
        bytes: bytes.slice(space + 1..),
    })
}
