//! Whoever listens to the bus: what it wants to hear, how far it came, and what it missed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use berth_model::id::InstanceId;
use berth_model::name::{ClusterName, Scope};
use berth_ops::{DefinitionCache, Envelope, EventKind, EventView};
use bytes::{Bytes, BytesMut};
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};

use super::{About, Event, EventBus};
use crate::clock;

/// How often something is sent when nothing happens: an empty line, by which both ends notice
/// that the other is gone, and proxies that the connection is in use.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// How many events are written together: some milliseconds of work.
const TOGETHER_MAX: usize = 128;

/// What a listener wants to hear.
pub(crate) struct Filter {
    /// Of this account and region alone.
    pub(crate) scope: Scope,
    /// Of this cluster alone.
    pub(crate) cluster: Option<ClusterName>,
    /// Of these kinds alone; empty means all.
    pub(crate) kinds: Vec<EventKind>,
}

impl Filter {
    fn lets_pass(&self, event: &Event) -> bool {
        let place = event.cluster().is_none_or(|cluster| {
            let name = self.cluster.as_ref();
            cluster.scope == self.scope && name.is_none_or(|name| *name == cluster.name)
        });
        let kind = event.kind();
        place && kind.is_none_or(|kind| self.kinds.is_empty() || self.kinds.contains(&kind))
    }
}

/// Somebody who listens.
pub(crate) struct Listener {
    bus: Arc<EventBus>,
    filter: Filter,
    recent: VecDeque<Arc<Event>>,
    /// `None` for who wants to know only what was.
    coming: Option<Receiver<Arc<Event>>>,
    missed: u64,
    /// The versions of instances that were told: one that is told as it is now may be ahead of
    /// the event that comes next.
    told: HashMap<InstanceId, u32>,
    definitions: DefinitionCache,
    _seat: OwnedSemaphorePermit,
}

impl Listener {
    /// Begins to listen: first to what was told lately, then, with `follow`, to what is to come.
    /// `None` when too many listen already.
    pub(crate) fn new(bus: &Arc<EventBus>, filter: Filter, follow: bool) -> Option<Self> {
        let seat = bus.seats.clone().try_acquire_owned().ok()?;
        // Both under one lock, so that nothing is missed or doubled between them.
        let out = bus.out();
        let recent = latest(&out.recent);
        let coming = follow.then(|| out.listeners.subscribe());
        drop(out);
        Some(Self {
            bus: bus.clone(),
            filter,
            recent,
            coming,
            missed: 0,
            told: HashMap::new(),
            definitions: DefinitionCache::default(),
            _seat: seat,
        })
    }

    /// The next lines; `None` when there are no more.
    pub(crate) async fn next(&mut self) -> Option<Bytes> {
        loop {
            let events = match self.recent.is_empty() {
                false => {
                    let some = self.recent.len().min(TOGETHER_MAX);
                    self.recent.drain(..some).collect()
                }
                true => {
                    let coming = self.coming.as_mut()?;
                    let received = tokio::select! {
                        () = self.bus.ended.cancelled() => return None,
                        received = coming.recv() => received,
                        () = tokio::time::sleep(KEEP_ALIVE) => return Some(Bytes::from("\n")),
                    };
                    self.gather(received)?
                }
            };
            let lines = self.written(&events);
            if !lines.is_empty() {
                return Some(lines);
            }
        }
    }

    /// What was received, with what waits behind it; `None` when nothing comes any more.
    fn gather(&mut self, first: Result<Arc<Event>, RecvError>) -> Option<Vec<Arc<Event>>> {
        let mut events = Vec::new();
        match first {
            Ok(event) => events.push(event),
            Err(RecvError::Lagged(missed)) => self.missed += missed,
            Err(RecvError::Closed) => return None,
        }
        while events.len() < TOGETHER_MAX && self.missed == 0 {
            match self.coming.as_mut()?.try_recv() {
                Ok(event) => events.push(event),
                Err(TryRecvError::Lagged(missed)) => self.missed += missed,
                Err(TryRecvError::Empty | TryRecvError::Closed) => break,
            }
        }
        Some(events)
    }

    /// The lines of those that the listener wants, and of what it missed after them.
    fn written(&mut self, events: &[Arc<Event>]) -> Bytes {
        let state = self.bus.newest.load_full();
        let view = EventView::new(&state, &self.definitions);
        let mut lines = BytesMut::new();
        for event in events.iter().filter(|event| self.filter.lets_pass(event)) {
            match &event.about {
                About::Lost(count) => lines.extend_from_slice(&self.lost(*count)),
                About::Task(_) | About::Service(_) => {
                    if let Some(line) = event.line(&state, &view) {
                        lines.extend_from_slice(&line.json);
                    }
                }
                About::Instance(_, id) => {
                    let Some(line) = event.line(&state, &view) else {
                        continue;
                    };
                    let told = self.told.entry(*id).or_default();
                    if *told < line.instance_version {
                        *told = line.instance_version;
                        lines.extend_from_slice(&line.json);
                    }
                }
            }
        }
        let missed = std::mem::take(&mut self.missed);
        if missed > 0 {
            lines.extend_from_slice(&self.lost(missed));
        }
        lines.freeze()
    }

    /// The line that stands for events that will not be heard of, the listener's own and others.
    fn lost(&self, count: u64) -> Bytes {
        let id = clock::request_id();
        let envelope = Envelope {
            id: &id,
            at: clock::wall(),
            scope: &self.filter.scope,
        };
        let about = ("berth", "Berth Events Lost");
        let event = envelope.around(about, &[], json!({ "lost": count }));
        Bytes::from(format!("{event}\n"))
    }
}

/// Events without those of an instance that a later one says all of: an event that nobody has
/// read yet would tell of the instance as it is now.
fn latest(recent: &VecDeque<Arc<Event>>) -> VecDeque<Arc<Event>> {
    let mut later = HashSet::new();
    let mut events = VecDeque::with_capacity(recent.len());
    for event in recent.iter().rev() {
        let told_later = match &event.about {
            About::Instance(_, id) => event.line.get().is_none() && !later.insert(*id),
            About::Task(_) | About::Service(_) | About::Lost(_) => false,
        };
        if !told_later {
            events.push_front(event.clone());
        }
    }
    events
}
