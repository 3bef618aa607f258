//! Containers that do not exist: for fleets of thousands of agents in one process, and for tests.
//!
//! A simulated container's life follows from the seed, its task and the time at which it
//! started, and that time is kept in the journal, so that a restart of the process finds every
//! container as far along as it would have been. One heap of dates drives all of them; a
//! container that runs costs memory and nothing else.
//!
//! A container's environment can script it:
//!
//! | variable | meaning |
//! |---|---|
//! | `BERTH_SIM_RUN_MS` | ends by itself after so long; without it, as [`SimulatedConfig::run`] says |
//! | `BERTH_SIM_EXIT_CODE` | its exit code then |
//! | `BERTH_SIM_PULL_MS`, `BERTH_SIM_START_MS` | how long pulling and starting take |
//! | `BERTH_SIM_STOP_MS` | how long it takes to heed the stop signal |
//! | `BERTH_SIM_FAIL` | the step that fails: `pull`, `create` or `start` |
//! | `BERTH_SIM_HEALTHY_MS`, `BERTH_SIM_UNHEALTHY_MS` | when its health check, if it has one, first says so |

mod life;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use berth_agent_proto::task::{Container, Task};
use futures_util::FutureExt;
use tokio::sync::{Notify, mpsc};

use super::{
    Answer, Binding, CreateRequest, EVENTS_WAITING_MAX, ErrorKind, PullRequest, Pulled, Runtime,
    RuntimeError, RuntimeEvent, RuntimeFacts, RuntimeId, Snapshot, Status, TaskNetwork, Usage,
};
use crate::clock::Clock;
use crate::journal::{Change, Journal, Loaded};
use life::{Life, Sim, hash, runtime_id};

pub use life::RunTime;

/// What a fleet's containers do when their environment does not say.
#[derive(Clone, Debug)]
pub struct SimulatedConfig {
    /// Everything random follows from it.
    pub seed: u64,
    /// CPU units of each machine.
    pub cpu_units: i64,
    /// MiB of each machine.
    pub memory_mib: i64,
    /// How long containers run.
    pub run: RunTime,
    /// Of 100 containers that end by themselves, how many do so with exit code 1.
    pub failure_percent: u8,
    /// Ids of the GPUs that each machine has.
    pub gpus: Vec<String>,
}

/// The names of this runtime's entries in the journal begin with this.
const PREFIX: &str = "sim/";

/// The ports that dynamic mappings get, as the stock agent has them.
const DYNAMIC_PORTS: std::ops::RangeInclusive<u16> = 32_768..=60_999;

/// What a real machine with all settings has: the runtime pretends everything that the Docker
/// one does. Both lists, and no more than they name, are held against task definitions by a
/// whole-cluster test.
const CAPABILITIES: [&str; 33] = [
    "com.amazonaws.ecs.capability.docker-remote-api.1.17",
    "com.amazonaws.ecs.capability.docker-remote-api.1.18",
    "com.amazonaws.ecs.capability.docker-remote-api.1.19",
    "com.amazonaws.ecs.capability.docker-remote-api.1.20",
    "com.amazonaws.ecs.capability.docker-remote-api.1.21",
    "com.amazonaws.ecs.capability.docker-remote-api.1.22",
    "com.amazonaws.ecs.capability.docker-remote-api.1.23",
    "com.amazonaws.ecs.capability.docker-remote-api.1.24",
    "com.amazonaws.ecs.capability.docker-remote-api.1.25",
    "com.amazonaws.ecs.capability.docker-remote-api.1.28",
    "com.amazonaws.ecs.capability.docker-remote-api.1.29",
    "com.amazonaws.ecs.capability.docker-remote-api.1.30",
    "com.amazonaws.ecs.capability.docker-remote-api.1.32",
    "com.amazonaws.ecs.capability.ecr-auth",
    "com.amazonaws.ecs.capability.logging-driver.awslogs",
    "com.amazonaws.ecs.capability.logging-driver.fluentd",
    "com.amazonaws.ecs.capability.logging-driver.gelf",
    "com.amazonaws.ecs.capability.logging-driver.journald",
    "com.amazonaws.ecs.capability.logging-driver.json-file",
    "com.amazonaws.ecs.capability.logging-driver.local",
    "com.amazonaws.ecs.capability.logging-driver.none",
    "com.amazonaws.ecs.capability.logging-driver.splunk",
    "com.amazonaws.ecs.capability.logging-driver.syslog",
    "com.amazonaws.ecs.capability.privileged-container",
    "ecs.capability.container-health-check",
    "ecs.capability.docker-plugin.local",
    "ecs.capability.env-files.s3",
    "ecs.capability.execution-role-awslogs",
    "ecs.capability.execution-role-ecr-pull",
    "ecs.capability.network.container-port-range",
    "ecs.capability.pid-ipc-namespace-sharing",
    "ecs.capability.task-cpu-mem-limit",
    "ecs.capability.task-eni",
];

#[derive(Debug, Default)]
struct World {
    containers: HashMap<RuntimeId, Sim>,
    by_instance: HashMap<Arc<str>, BTreeMap<RuntimeId, ()>>,
    events: HashMap<Arc<str>, mpsc::Sender<RuntimeEvent>>,
    /// Dates at which something becomes visible: an end, or a change of health.
    dates: BinaryHeap<Reverse<(i64, RuntimeId)>>,
    next_port: u16,
}

/// The runtime of a fleet. All agents of a process share one.
#[derive(Debug)]
pub struct Simulated {
    config: SimulatedConfig,
    clock: Clock,
    journal: Journal,
    world: Mutex<World>,
    earlier: Notify,
}

impl Simulated {
    /// Starts the runtime, with the containers that `loaded` holds. Must be called within a
    /// tokio runtime; ends when it is dropped.
    #[must_use]
    pub fn start(
        config: SimulatedConfig,
        clock: Clock,
        journal: Journal,
        loaded: &Loaded,
    ) -> Arc<Self> {
        let mut world = World {
            next_port: *DYNAMIC_PORTS.start(),
            ..World::default()
        };
        for (name, value) in loaded {
            if !name.starts_with(PREFIX) {
                continue;
            }
            match serde_json::from_str::<Sim>(value.get()) {
                Ok(sim) => world.insert(sim),
                Err(error) => tracing::warn!(%name, %error, "a simulated container is lost"),
            }
        }
        let simulated = Arc::new(Self {
            config,
            clock,
            journal,
            world: Mutex::new(world),
            earlier: Notify::new(),
        });
        tokio::spawn(drive(Arc::downgrade(&simulated), clock));
        simulated
    }

    fn now(&self) -> i64 {
        self.clock.wall_ms(self.clock.now())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        // Every change is complete before anything can panic.
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn save(&self, id: &RuntimeId) -> Result<(), RuntimeError> {
        let change = {
            let world = self.world();
            let name = format!("{PREFIX}{id}");
            match world.containers.get(id) {
                Some(sim) => Change::put(name, sim),
                None => Change::Delete(name),
            }
        };
        let written = self.journal.write(vec![change]).await;
        written.map_err(|error| RuntimeError::new(ErrorKind::Unavailable, error.to_string()))
    }

    /// Tells what became visible until now; gives when something will be next.
    fn tell(&self) -> Option<i64> {
        let now = self.now();
        let mut world = self.world();
        while let Some(Reverse((at, id))) = world.dates.peek().cloned() {
            if at > now {
                return Some(at);
            }
            world.dates.pop();
            let Some(sim) = world.containers.get(&id) else {
                continue;
            };
            // A date of an earlier life says nothing.
            let event = if sim.ends_at() == Some(at) {
                Some(RuntimeEvent::Died {
                    id,
                    exit_code: sim.exit_code(now),
                    oom_killed: false,
                    at,
                })
            } else if sim.status(now) == Status::Running {
                Some(RuntimeEvent::Health {
                    id,
                    health: sim.health(now),
                    message: None,
                })
            } else {
                None
            };
            let instance = Arc::clone(&sim.instance);
            if let Some(event) = event {
                world.send(&instance, event);
            }
        }
        None
    }

    async fn begin(&self, id: &RuntimeId) -> Result<Snapshot, RuntimeError> {
        let lost = || RuntimeError::new(ErrorKind::CannotStartContainer, "no such container");
        let (delay, fails) = {
            let world = self.world();
            let sim = world.containers.get(id).ok_or_else(lost)?;
            (sim.life.start_ms, sim.life.fails_start)
        };
        pause(delay).await;
        if fails {
            let text = "told to fail by its environment";
            return Err(RuntimeError::new(ErrorKind::CannotStartContainer, text));
        }
        let now = self.now();
        let (changed, snapshot) = {
            let mut world = self.world();
            let sim = world.containers.get_mut(id).ok_or_else(lost)?;
            let changed = sim.status(now) != Status::Running;
            if changed {
                sim.start(&self.config, now);
            }
            let dates = sim.dates();
            let snapshot = sim.snapshot(id, now);
            if changed {
                let dates = dates.into_iter().flatten();
                world
                    .dates
                    .extend(dates.map(|at| Reverse((at, Arc::clone(id)))));
            }
            (changed, snapshot)
        };
        if changed {
            self.save(id).await?;
            self.earlier.notify_one();
        }
        Ok(snapshot)
    }

    async fn end(&self, id: &RuntimeId, grace: Duration) -> Result<Snapshot, RuntimeError> {
        let lost = || RuntimeError::new(ErrorKind::CannotStopContainer, "no such container");
        let grace_ms = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let heeds_after = {
            let world = self.world();
            let sim = world.containers.get(id).ok_or_else(lost)?;
            let running = sim.status(self.now()) == Status::Running;
            running.then_some(sim.life.stop_ms)
        };
        if let Some(heeds_after) = heeds_after {
            pause(heeds_after.min(grace_ms)).await;
            // Killed, or heeded the signal.
            let exit_code = if heeds_after > grace_ms { 137 } else { 143 };
            let now = self.now();
            {
                let mut world = self.world();
                let sim = world.containers.get_mut(id).ok_or_else(lost)?;
                sim.stop(now, exit_code);
                let instance = Arc::clone(&sim.instance);
                let event = RuntimeEvent::Died {
                    id: Arc::clone(id),
                    exit_code: sim.exit_code(now),
                    oom_killed: false,
                    at: now,
                };
                world.send(&instance, event);
            }
            self.save(id).await?;
        }
        let world = self.world();
        let sim = world.containers.get(id).ok_or_else(lost)?;
        Ok(sim.snapshot(id, self.now()))
    }
}

impl World {
    fn insert(&mut self, sim: Sim) {
        let id = runtime_id(&sim.instance, &sim.task_arn, &sim.name);
        let dates = sim.dates().into_iter().flatten();
        self.dates
            .extend(dates.map(|at| Reverse((at, Arc::clone(&id)))));
        let of_instance = self.by_instance.entry(Arc::clone(&sim.instance));
        of_instance.or_default().insert(Arc::clone(&id), ());
        self.containers.insert(id, sim);
    }

    fn remove(&mut self, id: &RuntimeId) {
        if let Some(sim) = self.containers.remove(id)
            && let Some(of_instance) = self.by_instance.get_mut(&sim.instance)
        {
            of_instance.remove(id);
        }
    }

    fn send(&mut self, instance: &Arc<str>, event: RuntimeEvent) {
        let Some(sender) = self.events.get(instance) else {
            return;
        };
        // One place is kept for the word that something was lost.
        let event = if sender.capacity() > 1 {
            event
        } else {
            RuntimeEvent::Gap
        };
        // When even that has no room, an earlier one is waiting.
        let _ = sender.try_send(event);
    }

    fn bindings(&mut self, task: &Task, container: &Container) -> Vec<Binding> {
        let mode = task.network_mode.as_deref().unwrap_or("bridge");
        if mode != "bridge" {
            return Vec::new();
        }
        let mut bindings = Vec::new();
        for mapping in &container.port_mappings {
            let Some(port) = mapping.container_port.and_then(|p| u16::try_from(p).ok()) else {
                continue;
            };
            let wanted = mapping.host_port.and_then(|p| u16::try_from(p).ok());
            let host = wanted
                .filter(|p| *p != 0)
                .unwrap_or_else(|| self.take_port());
            bindings.push(Binding {
                bind_ip: "0.0.0.0".to_owned(),
                protocol: mapping.protocol.clone().unwrap_or_else(|| "tcp".to_owned()),
                container: (port, port),
                host: (host, host),
                range: false,
            });
        }
        bindings
    }

    fn take_port(&mut self) -> u16 {
        let port = self.next_port;
        self.next_port = if port == *DYNAMIC_PORTS.end() {
            *DYNAMIC_PORTS.start()
        } else {
            port + 1
        };
        port
    }
}

/// Tells events when their dates come, for as long as the runtime is there.
async fn drive(simulated: Weak<Simulated>, clock: Clock) {
    /// How long to sleep at most, so that the end of the runtime is noticed.
    const SLEEP_MAX: Duration = Duration::from_secs(1);
    loop {
        let Some(simulated) = simulated.upgrade() else {
            return;
        };
        let next = simulated.tell();
        let wait = next.map_or(SLEEP_MAX, |at| {
            let ms = at.saturating_sub(clock.wall_ms(clock.now()));
            Duration::from_millis(u64::try_from(ms).unwrap_or(0)).min(SLEEP_MAX)
        });
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = simulated.earlier.notified() => {}
        }
    }
}

async fn pause(ms: u64) {
    if ms > 0 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

impl Runtime for Simulated {
    fn facts(&self) -> Answer<'_, RuntimeFacts> {
        let facts = RuntimeFacts {
            version: "simulated".to_owned(),
            cpu_units: self.config.cpu_units,
            memory_mib: self.config.memory_mib,
            architecture: "x86_64".to_owned(),
            capabilities: CAPABILITIES.map(str::to_owned).to_vec(),
            gpus: self.config.gpus.clone(),
            machine: None,
        };
        async move { Ok(facts) }.boxed()
    }

    fn check(&self) -> Answer<'_, ()> {
        async { Ok(()) }.boxed()
    }

    fn events(&self, instance: &Arc<str>) -> mpsc::Receiver<RuntimeEvent> {
        let (sender, receiver) = mpsc::channel(EVENTS_WAITING_MAX);
        self.world().events.insert(Arc::clone(instance), sender);
        receiver
    }

    fn list(&self, instance: &Arc<str>) -> Answer<'_, Vec<Snapshot>> {
        let now = self.now();
        let world = self.world();
        let ids = world.by_instance.get(instance);
        let snapshots = ids
            .into_iter()
            .flat_map(BTreeMap::keys)
            .filter_map(|id| Some(world.containers.get(id)?.snapshot(id, now)))
            .collect();
        async move { Ok(snapshots) }.boxed()
    }

    fn pull(&self, request: PullRequest) -> Answer<'_, Pulled> {
        async move {
            let life = Life::of(request.container());
            pause(life.pull_ms).await;
            if life.fails_pull {
                let text = "told to fail by its environment";
                return Err(RuntimeError::new(ErrorKind::CannotPullContainer, text));
            }
            Ok(Pulled::default())
        }
        .boxed()
    }

    fn make_volumes(&self, _instance: Arc<str>, _task: Arc<Task>) -> Answer<'_, ()> {
        async { Ok(()) }.boxed()
    }

    fn make_network(&self, _instance: Arc<str>, task: Arc<Task>) -> Answer<'_, TaskNetwork> {
        let [_, _, _, a, b, c, d, e] = hash(&[&task.arn]).to_be_bytes();
        async move {
            Ok(TaskNetwork {
                ip: IpAddr::V4(Ipv4Addr::new(10, a, b, c)),
                mac: format!("02:00:{a:02x}:{b:02x}:{c:02x}:{:02x}", d ^ e),
                subnet: "10.0.0.0/8".to_owned(),
                gateway: None,
                handle: "simulated".to_owned(),
            })
        }
        .boxed()
    }

    fn create(&self, request: CreateRequest) -> Answer<'_, RuntimeId> {
        let spec = request.container();
        let life = Life::of(spec);
        let id = runtime_id(&request.instance, &request.task.arn, &spec.name);
        let result = if life.fails_create {
            let text = "told to fail by its environment";
            Err(RuntimeError::new(ErrorKind::CannotCreateContainer, text))
        } else {
            let mut world = self.world();
            if !world.containers.contains_key(&id) {
                let bindings = world.bindings(&request.task, spec);
                world.insert(Sim {
                    instance: Arc::clone(&request.instance),
                    task_arn: request.task.arn.clone(),
                    name: spec.name.clone(),
                    token: Arc::clone(&request.token),
                    life,
                    bindings,
                    started_at: None,
                    run_ms: None,
                    exit_code: 0,
                    stopped: None,
                });
            }
            Ok(id)
        };
        async move { result }.boxed()
    }

    fn start(&self, id: RuntimeId) -> Answer<'_, Snapshot> {
        async move { self.begin(&id).await }.boxed()
    }

    fn stop(&self, id: RuntimeId, grace: Duration) -> Answer<'_, Snapshot> {
        async move { self.end(&id, grace).await }.boxed()
    }

    fn inspect(&self, id: RuntimeId) -> Answer<'_, Option<Snapshot>> {
        let now = self.now();
        let world = self.world();
        let snapshot = world.containers.get(&id).map(|sim| sim.snapshot(&id, now));
        async move { Ok(snapshot) }.boxed()
    }

    fn remove(&self, id: RuntimeId) -> Answer<'_, ()> {
        self.world().remove(&id);
        async move { self.save(&id).await }.boxed()
    }

    fn remove_task(&self, _instance: Arc<str>, _task_arn: Arc<str>) -> Answer<'_, ()> {
        async { Ok(()) }.boxed()
    }

    fn usage(&self, _id: RuntimeId) -> Answer<'_, Option<Usage>> {
        async { Ok(None) }.boxed()
    }
}
