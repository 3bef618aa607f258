//! The event bus: what changed, in EventBridge's words, for whoever listens.
//!
//! Rules kept here:
//! - events are made from what is, after it was saved: a change says only which record is worth
//!   telling of, and a record whose version was told is not told again;
//! - nobody who listens is waited for: the writer hands keys over and goes on, and a listener
//!   that falls behind is told how many events it missed;
//! - what waits to be told, what was told lately and who listens are bounded;
//! - an instance is told of at most every [`INSTANCE_EVERY`]: each task that it gets or loses
//!   changes it.
//!
//! Nothing here is saved. A server that ends loses what it had not delivered, and one that begins
//! to lead may tell again what its predecessor told. How an event reads is `ops`'s business; an
//! event is written when the first listener gets to it.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use berth_leader::Queue;
use berth_model::id::{InstanceId, TaskId};
use berth_model::name::ClusterKey;
use berth_model::service::ServiceNotice;
use berth_model::task::Task;
use berth_model::time::Timestamp;
use berth_ops::{ApiError, Envelope, EventKind, EventView};
use berth_state::{Changed, Published, State};
use bytes::Bytes;
use tokio::sync::{Notify, Semaphore, broadcast};
use tokio_util::sync::CancellationToken;

use crate::clock;

mod listener;

pub(crate) use listener::{Filter, Listener};

/// How often an instance is told of, at most.
const INSTANCE_EVERY: Duration = Duration::from_secs(1);
/// How many tasks and notices may wait to be told: the changes of some seconds of the writer at
/// full speed, a few MiB.
const WAITING_MAX: usize = 65_536;
/// How many events are kept for those who begin to listen: what happened in the last minutes of
/// a quiet cluster. They hold no text before somebody asks.
const RECENT_MAX: usize = 1_000;
/// How far a listener may fall behind before it misses events.
const BEHIND_MAX: usize = 4_096;
/// How many may listen at once: people and a few programs, which pass on what they hear.
const LISTENERS_MAX: usize = 64;

/// The bus of one term of leadership.
pub(crate) struct EventBus {
    told: Mutex<Told>,
    bell: Notify,
    out: Mutex<Out>,
    seats: Arc<Semaphore>,
    newest: Arc<ArcSwap<State>>,
    ended: CancellationToken,
}

/// What the writer handed over.
#[derive(Default)]
struct Told {
    tasks: HashSet<TaskId>,
    instances: HashSet<InstanceId>,
    /// Tasks and notices in the order of their coming.
    waiting: Vec<Waiting>,
    /// How many did not fit.
    lost: u64,
}

enum Waiting {
    Task(TaskId),
    Notice(Arc<ServiceNotice>),
}

/// What was told.
struct Out {
    recent: VecDeque<Arc<Event>>,
    listeners: broadcast::Sender<Arc<Event>>,
}

/// One event.
struct Event {
    id: String,
    at: Timestamp,
    about: About,
    /// The event as a line of JSON, once somebody wanted it; `None` when there is nothing left
    /// that it could be made from.
    line: OnceLock<Option<Line>>,
}

/// An event as it is told.
#[derive(Clone)]
struct Line {
    json: Bytes,
    /// The version of the instance that it tells of, which may be later than the one that made
    /// the event; 0 of all else.
    instance_version: u32,
}

enum About {
    Task(Arc<Task>),
    Instance(ClusterKey, InstanceId),
    Service(Arc<ServiceNotice>),
    /// This many events that nobody will hear of.
    Lost(u64),
}

impl EventBus {
    /// A bus without events. It ends with `ended`.
    pub(crate) fn new(newest: Arc<ArcSwap<State>>, ended: CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            told: Mutex::default(),
            bell: Notify::new(),
            out: Mutex::new(Out {
                recent: VecDeque::new(),
                listeners: broadcast::Sender::new(BEHIND_MAX),
            }),
            seats: Arc::new(Semaphore::new(LISTENERS_MAX)),
            newest,
            ended,
        })
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a commit published.
    pub(crate) fn published(&self, published: &Published) {
        self.told().take_in(published);
        self.bell.notify_one();
    }

    /// Makes events of what changed, until the term ends.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut instances = Queue::new(INSTANCE_EVERY);
        let mut shown = Shown::default();
        loop {
            let now = clock::monotonic_ms();
            let told = std::mem::take(&mut *self.told());
            for id in &told.instances {
                instances.add(*id, now);
            }
            let due = instances.take(now, usize::MAX);
            if !due.is_empty() {
                instances.forget(now);
            }
            let events = shown.events(&self.newest.load(), told, &due, clock::wall());
            self.out().tell(events);
            let wake = clock::at_monotonic_ms(instances.next_due().unwrap_or(u64::MAX));
            tokio::select! {
                () = self.ended.cancelled() => return,
                () = self.bell.notified() => {}
                () = tokio::time::sleep_until(wake) => {}
            }
        }
    }
}

impl Told {
    fn take_in(&mut self, published: &Published) {
        for change in &published.changes {
            match change {
                Changed::Task(id, instance) => {
                    self.instances.extend(instance);
                    if self.tasks.insert(*id) {
                        self.wait(Waiting::Task(*id));
                    }
                }
                Changed::Instance(id) | Changed::Connection(id) => {
                    self.instances.insert(*id);
                }
                Changed::Cluster(_)
                | Changed::Definition(_)
                | Changed::Service(_)
                | Changed::Other => {}
            }
        }
        for notice in &published.notices {
            self.wait(Waiting::Notice(notice.clone()));
        }
    }

    fn wait(&mut self, what: Waiting) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push(what);
        } else {
            self.lost += 1;
        }
    }
}

/// Which versions were told.
#[derive(Default)]
struct Shown {
    tasks: HashMap<TaskId, u32>,
    instances: HashMap<InstanceId, u32>,
}

impl Shown {
    /// The events that what was told comes to, and those of the instances that are due.
    fn events(
        &mut self,
        state: &State,
        told: Told,
        instances: &[InstanceId],
        at: Timestamp,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for waiting in told.waiting {
            match waiting {
                Waiting::Notice(notice) => {
                    events.push(Event::new(notice.at, About::Service(notice)));
                }
                Waiting::Task(id) => match state.tasks.get(id) {
                    None => drop(self.tasks.remove(&id)),
                    Some(task) => {
                        if self.tasks.insert(id, task.version) != Some(task.version) {
                            events.push(Event::new(at, About::Task(task.clone())));
                        }
                    }
                },
            }
        }
        for id in instances {
            // Machines that are Fargate capacity alone are nobody's business.
            let known = state.instances.get(id).filter(|known| known.offer.instance);
            let Some(instance) = known else {
                self.instances.remove(id);
                continue;
            };
            let version = state.instance_version(instance);
            if self.instances.insert(*id, version) != Some(version) {
                let about = About::Instance(instance.cluster.clone(), *id);
                events.push(Event::new(at, about));
            }
        }
        if told.lost > 0 {
            events.push(Event::new(at, About::Lost(told.lost)));
        }
        events
    }
}

impl Out {
    fn tell(&mut self, events: Vec<Event>) {
        for event in events {
            let event = Arc::new(event);
            if self.recent.len() >= RECENT_MAX {
                self.recent.pop_front();
            }
            self.recent.push_back(event.clone());
            // Nobody listening is no error.
            let _ = self.listeners.send(event);
        }
    }
}

impl Event {
    fn new(at: Timestamp, about: About) -> Self {
        Self {
            id: clock::request_id(),
            at,
            about,
            line: OnceLock::new(),
        }
    }

    /// Where it happened; `None` for what concerns everybody.
    fn cluster(&self) -> Option<&ClusterKey> {
        match &self.about {
            About::Task(task) => Some(&task.spec.cluster),
            About::Instance(cluster, _) => Some(cluster),
            About::Service(notice) => Some(&notice.service.cluster),
            About::Lost(_) => None,
        }
    }

    /// Its kind; `None` for what concerns everybody.
    fn kind(&self) -> Option<EventKind> {
        match &self.about {
            About::Task(_) => Some(EventKind::Task),
            About::Instance(..) => Some(EventKind::Instance),
            About::Service(told) => Some(EventKind::of_notice(told.notice.kind)),
            About::Lost(_) => None,
        }
    }

    /// The event as a line of JSON. A task is told of as it was, an instance as it is.
    fn line(&self, state: &State, view: &EventView<'_>) -> Option<&Line> {
        let line = self.line.get_or_init(|| {
            let scope = &self.cluster()?.scope;
            let envelope = Envelope {
                id: &self.id,
                at: self.at,
                scope,
            };
            let mut instance_version = 0;
            let made = match &self.about {
                About::Task(task) => view.task(&envelope, task),
                About::Instance(_, id) => {
                    let instance = state.instances.get(id)?;
                    instance_version = state.instance_version(instance);
                    view.instance(&envelope, instance)
                }
                About::Service(told) => Ok(envelope.service(told)),
                About::Lost(_) => return None,
            };
            match made {
                Ok(event) => Some(Line {
                    json: Bytes::from(format!("{event}\n")),
                    instance_version,
                }),
                Err(ApiError(fault)) => {
                    // Its definition was deleted since, and the task is past its time.
                    tracing::debug!(event = self.id, %fault, "an event cannot be told any more");
                    None
                }
            }
        });
        line.as_ref()
    }
}
