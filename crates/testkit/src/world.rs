//! A control plane's state in memory.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use berth_model::time::Timestamp;
use berth_state::{
    Commit, Failure, Gathered, Handle, Ids, Inbox, Job, Lane, Loader, Outcome, State, TABLES,
    Writer,
};
use futures_util::future::BoxFuture;

/// When a world begins: 2024-01-01T00:00:00Z, a round number that is easy to tell in outputs.
const BEGINNING: Timestamp = Timestamp::from_millis(1_704_067_200_000);

thread_local! {
    static WALL: Cell<Timestamp> = const { Cell::new(BEGINNING) };
}

/// The clock of the world that this thread made or moved last, for code that wants a plain
/// function.
#[must_use]
pub fn wall() -> Timestamp {
    WALL.get()
}

/// A state, its writer and its clock.
pub struct World {
    handle: Handle,
    inline: Arc<Inline>,
}

/// What storage would hold: the newest form of every record, by table and integer key.
pub type Saved = BTreeMap<(&'static str, i64), (String, String)>;

impl Default for World {
    fn default() -> Self {
        Self::new([1; 32])
    }
}

impl World {
    /// An empty world whose ids and chance come from `seed`.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        WALL.set(BEGINNING);
        let (state, fleet) = Loader::new().finish(0, Timestamp::default());
        let writer = Writer::new(state, fleet, Ids::from_seed(seed));
        let newest = writer.newest();
        let inline = Arc::new(Inline {
            machine: Mutex::new(Machine {
                writer,
                saved: Saved::new(),
            }),
            now: AtomicI64::new(BEGINNING.as_millis()),
        });
        Self {
            handle: Handle::new(inline.clone(), newest),
            inline,
        }
    }

    /// The way to the state that a server's parts would be given.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The newest state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<State> {
        self.handle.snapshot()
    }

    /// What the clock shows.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.inline.now()
    }

    /// Moves the clock on.
    pub fn advance(&self, span: Duration) {
        let now = self.now() + span;
        self.inline.now.store(now.as_millis(), Ordering::Relaxed);
        WALL.set(now);
    }

    /// What storage would hold now.
    #[must_use]
    pub fn saved(&self) -> Saved {
        self.inline.machine().saved.clone()
    }

    /// The state as a server that starts now would load it.
    ///
    /// # Panics
    /// When a record that was saved does not read back.
    #[must_use]
    pub fn reloaded(&self) -> State {
        let newest = self.snapshot();
        let saved = self.saved();
        let mut loader = Loader::new();
        for table in TABLES {
            for ((_, row), (key, body)) in saved.range((table, i64::MIN)..=(table, i64::MAX)) {
                loader
                    .record(table, *row, key, body)
                    .unwrap_or_else(|bad| panic!("{bad}: {:?}", bad.cause));
            }
        }
        loader.finish(newest.revision, newest.at).0
    }

    /// How many closures have panicked on the writer.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.inline.machine().writer.panics()
    }
}

/// An inbox that runs each job where it is handed in.
struct Inline {
    machine: Mutex<Machine>,
    now: AtomicI64,
}

struct Machine {
    writer: Writer,
    saved: Saved,
}

impl Inline {
    fn machine(&self) -> std::sync::MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::Relaxed))
    }

    fn run(&self, lane: Lane, job: Box<dyn Job>) {
        let mut machine = self.machine();
        let machine = &mut *machine;
        let gathered = machine
            .writer
            .gather(|| vec![(lane, job)], self.now(), &mut |_| {});
        match gathered {
            Gathered::Idle | Gathered::Answered(_) => {}
            Gathered::Save(commit) => {
                save(&mut machine.saved, commit);
                machine.writer.outcome(Outcome::Saved);
            }
        }
    }
}

impl Inbox for Inline {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
        self.run(lane, job);
        Box::pin(std::future::ready(Ok(())))
    }
}

fn save(saved: &mut Saved, commit: Commit) {
    for change in commit.changes {
        let at = (change.table, change.row);
        match change.body {
            Some(body) => saved.insert(at, (change.key, body.get().to_owned())),
            None => saved.remove(&at),
        };
    }
}

#[cfg(test)]
mod tests {
    use berth_model::setting::AccountSetting;
    use futures_util::FutureExt;

    use super::*;

    fn put(world: &World, value: &'static str) {
        let change = world
            .handle()
            .transact(Lane::Api, move |tx| {
                tx.put_setting(AccountSetting {
                    scope: "000000000000/us-east-1"
                        .parse()
                        .map_err(|_| Failure::Refused)?,
                    principal: "root".into(),
                    name: "containerInsights".into(),
                    value: value.into(),
                });
                Ok::<_, Failure>(())
            })
            .now_or_never();
        assert_eq!(change, Some(Ok(())));
    }

    #[test]
    fn a_change_is_saved_and_seen_when_its_call_returns() {
        let world = World::default();
        put(&world, "enabled");
        put(&world, "disabled");
        assert_eq!(world.snapshot().revision, 2);
        assert_eq!(world.saved().len(), 1);
        let reloaded = world.reloaded();
        let values: Vec<_> = reloaded.settings.iter().map(|(_, s)| &s.value).collect();
        assert_eq!(values, [&"disabled"]);
    }

    #[test]
    fn the_clock_moves_only_by_hand() {
        let world = World::default();
        put(&world, "enabled");
        assert_eq!(world.snapshot().at, BEGINNING);
        world.advance(Duration::from_secs(5));
        assert_eq!(wall(), BEGINNING + Duration::from_secs(5));
        put(&world, "disabled");
        assert_eq!(world.snapshot().at, world.now());
    }
}
