//! The writer, stepped by hand: what is saved, what is seen, and what is taken back.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use berth_model::cluster::{Cluster, ClusterSpec, ClusterStatus};
use berth_model::definition::{
    ContainerFacts, DefinitionFacts, DefinitionStatus, NetworkMode, TaskDefinition,
};
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, ContainerInstance, InstanceStatus, Offer};
use berth_model::name::ClusterKey;
use berth_model::resources::Capacity;
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerLast, ContainerReport, ContainerSeen, Desired, LastStatus, LaunchType, ReportedStatus,
    Seen, Stop, StopCode, Task, TaskReport, TaskSpec,
};
use berth_model::time::Timestamp;
use berth_state::{
    Commit, Connection, Failure, Gathered, Handle, Ids, Inbox, Job, Lane, LaneLimits, Lanes,
    Loader, Outcome, State, TABLES, TaskFilter, Tx, Writer,
};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use proptest::prelude::*;

const CLUSTER: &str = "000000000000/us-east-1/default";
const DEFINITION: &str = "000000000000/us-east-1/web:1";

struct Queue(Mutex<Lanes>);

impl Inbox for Queue {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
        let offered = self
            .0
            .lock()
            .unwrap()
            .offer(lane, job)
            .map_err(|_| Failure::Overloaded);
        std::future::ready(offered).boxed()
    }
}

/// A writer whose every step the test takes.
struct Bench {
    writer: Writer,
    queue: Arc<Queue>,
    handle: Handle,
    wall: Timestamp,
    saved: std::collections::BTreeMap<(&'static str, i64), (String, String)>,
    /// What a standby has made of the commits so far.
    standby: Loader,
}

impl Bench {
    fn new() -> Self {
        let (state, fleet) = Loader::new().finish(0, Timestamp::default());
        let writer = Writer::new(state, fleet, Ids::from_seed([3; 32]));
        let limits = LaneLimits {
            waiting_max: 100,
            batch_max: 30,
        };
        let queue = Arc::new(Queue(Mutex::new(Lanes::new(limits))));
        let handle = Handle::new(queue.clone(), writer.newest());
        let wall = Timestamp::from_millis(1_000_000);
        Self {
            writer,
            queue,
            handle,
            wall,
            saved: Default::default(),
            standby: Loader::new(),
        }
    }

    fn gather(&mut self) -> Gathered {
        self.wall = self.wall + Duration::from_millis(5);
        let take = || self.queue.0.lock().unwrap().take_batch();
        self.writer.gather(take, self.wall, &mut |_| {})
    }

    fn keep(&mut self, commit: &Commit) {
        for change in &commit.changes {
            let at = (change.table, change.row);
            match &change.body {
                Some(body) => {
                    self.standby
                        .record(change.table, change.row, &change.key, body.get())
                        .unwrap();
                    self.saved
                        .insert(at, (change.key.clone(), body.get().to_owned()));
                }
                None => {
                    self.standby.removed(change.table, change.row);
                    self.saved.remove(&at);
                }
            }
        }
    }

    /// Takes steps until nothing waits; every batch ends as `outcome` says.
    fn settle(&mut self, outcome: Outcome) -> usize {
        let mut batches = 0;
        loop {
            match self.gather() {
                Gathered::Idle => return batches,
                Gathered::Answered(_) => {}
                Gathered::Save(commit) => {
                    batches += 1;
                    if outcome == Outcome::Saved {
                        self.keep(&commit);
                    }
                    self.writer.outcome(outcome);
                    if outcome == Outcome::NotSaved {
                        self.writer.refuse_held();
                    }
                }
            }
        }
    }

    fn submit<T: Send + 'static>(
        &self,
        lane: Lane,
        change: impl FnMut(&mut Tx<'_>) -> Result<T, Failure> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, Failure>> {
        let handle = self.handle.clone();
        let mut waiting = async move { handle.transact(lane, change).await }.boxed();
        // The first poll hands the job in.
        if let Some(early) = (&mut waiting).now_or_never() {
            return std::future::ready(early).boxed();
        }
        waiting
    }

    fn state(&self) -> Arc<State> {
        self.handle.snapshot()
    }

    fn reloaded(&self) -> State {
        let mut loader = Loader::new();
        for table in TABLES {
            for ((_, row), (key, body)) in self.saved.range((table, i64::MIN)..=(table, i64::MAX)) {
                loader.record(table, *row, key, body).unwrap();
            }
        }
        loader.finish(self.state().revision, self.state().at).0
    }
}

fn cluster() -> Cluster {
    let spec = ClusterSpec {
        container_insights: "disabled".into(),
        configuration: None,
        service_connect_namespace: None,
        providers: Vec::new(),
        default_strategy: Vec::new(),
    };
    Cluster {
        key: CLUSTER.parse().unwrap(),
        status: ClusterStatus::Active,
        created_as: spec.clone(),
        spec,
        created_tags: Tags::default(),
        tags: Tags::default(),
        created_at: Timestamp::default(),
    }
}

fn definition() -> TaskDefinition {
    let container = ContainerFacts {
        name: "app".into(),
        image: "busybox".into(),
        essential: true,
        cpu: 10,
        memory: Some(16),
        memory_reservation: None,
        gpus: 0,
        ports: Vec::new(),
        dynamic_ports: 0,
        health_check: false,
    };
    TaskDefinition {
        key: DEFINITION.parse().unwrap(),
        status: DefinitionStatus::Active,
        body: serde_json::value::RawValue::from_string("{}".into())
            .unwrap()
            .into(),
        facts: Arc::new(DefinitionFacts {
            cpu: None,
            memory: None,
            network_mode: NetworkMode::Bridge,
            compatibilities: vec!["EC2".into()],
            requires_attributes: Vec::new(),
            member_of: Vec::new(),
            containers: vec![container],
            task_role: false,
        }),
        registered_at: Timestamp::default(),
        registered_by: "root".into(),
        deregistered_at: None,
        delete_requested_at: None,
        tags: Tags::default(),
    }
}

fn instance(n: u8) -> ContainerInstance {
    ContainerInstance {
        id: InstanceId::from_bytes([n; 16]),
        cluster: CLUSTER.parse().unwrap(),
        status: InstanceStatus::Active,
        offer: Offer {
            instance: true,
            fargate: false,
        },
        capacity: Capacity {
            cpu: 4096,
            memory: 4096,
            ..Capacity::default()
        },
        attributes: Arc::new([]),
        custom_attributes: Vec::new(),
        machine_id: None,
        version_info: AgentVersion::default(),
        registered_at: Timestamp::default(),
        deregistered_at: None,
        client_token: Some(format!("token-{n}").as_str().into()),
        registered_by: None,
        tags: Tags::default(),
        version: 1,
    }
}

fn task(id: TaskId, on: u8, mark: u8) -> Task {
    Task {
        id,
        spec: Arc::new(TaskSpec {
            cluster: CLUSTER.parse().unwrap(),
            definition: DEFINITION.parse().unwrap(),
            group: "family:web".into(),
            started_by: Some(format!("mark-{mark}").as_str().into()),
            service: None,
            launch_type: LaunchType::Ec2,
            capacity_provider: None,
            platform_version: None,
            overrides: None,
            network: None,
            constraints: Vec::new(),
            execute_command: false,
            client_token: None,
            created_at: Timestamp::default(),
        }),
        instance: Some(InstanceId::from_bytes([on; 16])),
        gpus: Vec::new(),
        tags: Tags::default(),
        desired: Desired::Running,
        stop: None,
        protected_until: None,
        last: LastStatus::Pending,
        seen: Seen {
            containers: vec![ContainerSeen::default()],
            ..Seen::default()
        },
        version: 1,
    }
}

fn furnish(tx: &mut Tx<'_>) {
    tx.put_cluster(cluster());
    tx.put_definition(definition());
    for n in 1..=3 {
        tx.put_instance(instance(n));
    }
}

fn furnished() -> Bench {
    let mut bench = Bench::new();
    let done = bench.submit(Lane::Api, |tx| {
        furnish(tx);
        Ok(())
    });
    bench.settle(Outcome::Saved);
    assert_eq!(done.now_or_never(), Some(Ok(())));
    bench
}

#[test]
fn nobody_sees_or_hears_of_a_change_before_it_is_saved() {
    let mut bench = Bench::new();
    let mut answer = bench.submit(Lane::Api, |tx| {
        tx.put_cluster(cluster());
        Ok(())
    });
    let Gathered::Save(commit) = bench.gather() else {
        panic!("there is something to save")
    };
    assert_eq!((commit.revision, commit.changes.len()), (1, 1));
    let key: ClusterKey = CLUSTER.parse().unwrap();
    assert!(bench.state().clusters.get(&key).is_none());
    assert_eq!((&mut answer).now_or_never(), None);
    bench.writer.outcome(Outcome::Saved);
    assert!(bench.state().clusters.get(&key).is_some());
    assert_eq!(answer.now_or_never(), Some(Ok(())));
}

#[test]
fn a_refused_closure_leaves_nothing_behind_and_others_stand() {
    let mut bench = furnished();
    let refused = bench.submit(Lane::Api, |tx| -> Result<(), Failure> {
        let id = tx.ids().task();
        tx.put_task(task(id, 1, 1));
        tx.remove_instance(InstanceId::from_bytes([3; 16]));
        Err(Failure::Refused)
    });
    let kept = bench.submit(Lane::Api, |tx| {
        let id = tx.ids().task();
        tx.put_task(task(id, 2, 2));
        Ok(id)
    });
    bench.settle(Outcome::Saved);
    assert_eq!(refused.now_or_never(), Some(Err(Failure::Refused)));
    let kept = kept.now_or_never().unwrap().unwrap();
    let state = bench.state();
    assert_eq!(
        state.tasks.iter().map(|task| task.id).collect::<Vec<_>>(),
        [kept]
    );
    assert!(
        state
            .instances
            .get(&InstanceId::from_bytes([3; 16]))
            .is_some()
    );
}

#[test]
fn a_panic_fails_its_own_caller_alone() {
    let mut bench = furnished();
    let before = bench.submit(Lane::Api, |tx| {
        let id = tx.ids().task();
        tx.put_task(task(id, 1, 1));
        Ok(())
    });
    let panicked = bench.submit(Lane::Api, |tx| -> Result<(), Failure> {
        let id = tx.ids().task();
        tx.put_task(task(id, 1, 1));
        panic!("a defect")
    });
    let after = bench.submit(Lane::Api, |tx| Ok(tx.state().tasks.len()));
    bench.settle(Outcome::Saved);
    assert_eq!(before.now_or_never(), Some(Ok(())));
    assert_eq!(panicked.now_or_never(), Some(Err(Failure::Panicked)));
    assert_eq!(after.now_or_never(), Some(Ok(1)));
    assert_eq!((bench.writer.panics(), bench.state().tasks.len()), (1, 1));
}

#[test]
fn one_bad_record_of_a_batch_fails_alone() {
    let mut bench = furnished();
    let answers: Vec<_> = (1..=3_u8)
        .map(|n| {
            bench.submit(Lane::Api, move |tx| {
                tx.put_task(task(TaskId::from_bytes([n; 16]), n, n));
                Ok(())
            })
        })
        .collect();
    // The database refuses whatever holds the second task.
    let bad = TaskId::from_bytes([2; 16]).to_string();
    let mut sizes = Vec::new();
    while let Gathered::Save(commit) = bench.gather() {
        sizes.push(commit.changes.len());
        let refused = commit.changes.iter().any(|change| change.key == bad);
        bench.writer.outcome(if refused {
            Outcome::Refused
        } else {
            Outcome::Saved
        });
    }
    assert_eq!(sizes, [3, 1, 1, 1]);
    let answers: Vec<_> = answers
        .into_iter()
        .map(|answer| answer.now_or_never().unwrap())
        .collect();
    assert_eq!(answers, [Ok(()), Err(Failure::Refused), Ok(())]);
    assert_eq!(bench.state().tasks.len(), 2);
}

#[test]
fn when_nothing_can_be_saved_calls_fail_and_reports_wait() {
    let mut bench = furnished();
    let call = bench.submit(Lane::Api, |tx| {
        tx.put_task(task(TaskId::from_bytes([1; 16]), 1, 1));
        Ok(())
    });
    let mut report = bench.submit(Lane::Agents, |tx| {
        tx.put_task(task(TaskId::from_bytes([2; 16]), 2, 2));
        Ok(())
    });
    let Gathered::Save(_) = bench.gather() else {
        panic!("there is something to save")
    };
    bench.writer.outcome(Outcome::NotSaved);
    assert_eq!(call.now_or_never(), Some(Err(Failure::Unavailable)));
    assert_eq!((&mut report).now_or_never(), None);
    assert!(bench.state().tasks.is_empty() && bench.writer.holds_reports());
    bench.settle(Outcome::Saved);
    assert_eq!(report.now_or_never(), Some(Ok(())));
    assert_eq!(bench.state().tasks.len(), 1);
}

#[test]
fn reports_of_a_refused_batch_all_wait_when_the_database_goes_away_then() {
    let mut bench = furnished();
    let reports: Vec<_> = (1..=3_u8)
        .map(|n| {
            bench.submit(Lane::Agents, move |tx| {
                tx.put_task(task(TaskId::from_bytes([n; 16]), n, n));
                Ok(())
            })
        })
        .collect();
    for outcome in [Outcome::Refused, Outcome::NotSaved, Outcome::NotSaved] {
        let Gathered::Save(_) = bench.gather() else {
            panic!("there is something to save")
        };
        bench.writer.outcome(outcome);
    }
    bench.settle(Outcome::Saved);
    let answers: Vec<_> = reports.into_iter().map(|r| r.now_or_never()).collect();
    assert_eq!(answers, [Some(Ok(())), Some(Ok(())), Some(Ok(()))]);
    assert_eq!(bench.state().tasks.len(), 3);
}

#[test]
fn a_deposed_writer_answers_everything_that_waits() {
    let mut bench = furnished();
    let first = bench.submit(Lane::Api, |tx| {
        tx.put_task(task(TaskId::from_bytes([1; 16]), 1, 1));
        Ok(())
    });
    let Gathered::Save(_) = bench.gather() else {
        panic!("there is something to save")
    };
    let second = bench.submit(Lane::Agents, |_| Ok(()));
    bench.writer.outcome(Outcome::Deposed);
    bench.writer.stop(&mut bench.queue.0.lock().unwrap());
    assert_eq!(first.now_or_never(), Some(Err(Failure::NotLeading)));
    assert_eq!(second.now_or_never(), Some(Err(Failure::NotLeading)));
    assert!(bench.state().tasks.is_empty());
}

#[test]
fn connections_are_seen_but_never_saved() {
    let mut bench = furnished();
    let id = InstanceId::from_bytes([1; 16]);
    let noted = bench.submit(Lane::Agents, move |tx| {
        let since = tx.now();
        tx.set_connection(
            id,
            Some(Connection {
                connected: true,
                since,
            }),
        );
        Ok(())
    });
    assert!(matches!(bench.gather(), Gathered::Answered(_)));
    assert_eq!(noted.now_or_never(), Some(Ok(())));
    assert!(bench.state().is_connected(id));
    assert!(!bench.reloaded().is_connected(id));
}

#[test]
fn a_record_comes_after_what_it_refers_to() {
    let mut bench = Bench::new();
    let done = bench.submit(Lane::Api, |tx| {
        furnish(tx);
        tx.put_task(task(TaskId::from_bytes([1; 16]), 1, 1));
        // The newest form of the cluster is younger than the task.
        tx.put_cluster(cluster());
        Ok(())
    });
    bench.settle(Outcome::Saved);
    assert_eq!(done.now_or_never(), Some(Ok(())));
    assert_eq!(bench.standby.finish(1, bench.wall).0.tasks.len(), 1);
}

#[test]
fn transaction_time_never_goes_back() {
    let mut bench = furnished();
    let saved = bench.state().at;
    bench.wall = Timestamp::from_millis(10);
    let at = bench.submit(Lane::Api, |tx| {
        tx.put_cluster(cluster());
        Ok(tx.now())
    });
    bench.settle(Outcome::Saved);
    assert!(at.now_or_never().unwrap().unwrap() > saved);
}

#[derive(Clone, Debug)]
enum Step {
    Start {
        id: u8,
        on: u8,
        mark: u8,
    },
    Report {
        id: u8,
        status: u8,
    },
    StopTask {
        id: u8,
    },
    Forget {
        id: u8,
    },
    Connect {
        on: u8,
        up: bool,
    },
    Drain {
        on: u8,
    },
    /// The change is made and then refused, fails by a defect, or is not saved.
    Spoil {
        how: u8,
        inner: Box<Step>,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let plain = prop_oneof![
        4 => (0..20_u8, 1..4_u8, 0..3_u8).prop_map(|(id, on, mark)| Step::Start { id, on, mark }),
        4 => (0..20_u8, 0..3_u8).prop_map(|(id, status)| Step::Report { id, status }),
        2 => (0..20_u8).prop_map(|id| Step::StopTask { id }),
        1 => (0..20_u8).prop_map(|id| Step::Forget { id }),
        1 => (1..4_u8, any::<bool>()).prop_map(|(on, up)| Step::Connect { on, up }),
        1 => (1..4_u8).prop_map(|on| Step::Drain { on }),
    ];
    let spoiled = (0..3_u8, plain.clone()).prop_map(|(how, inner)| Step::Spoil {
        how,
        inner: Box::new(inner),
    });
    prop_oneof![5 => plain, 2 => spoiled]
}

fn make(tx: &mut Tx<'_>, step: &Step) {
    let id_of = |n: u8| TaskId::from_bytes([n; 16]);
    let now = tx.now();
    match *step {
        Step::Start { id, on, mark } => {
            if tx.state().tasks.get(id_of(id)).is_none() {
                tx.put_task(task(id_of(id), on, mark));
            }
        }
        Step::Report { id, status } => {
            let Some(task) = tx.state().tasks.get(id_of(id)).cloned() else {
                return;
            };
            let facts = tx.state().facts(&task).unwrap().clone();
            let (status, container) = match status {
                0 => (ReportedStatus::Pending, ContainerLast::Pending),
                1 => (ReportedStatus::Running, ContainerLast::Running),
                _ => (ReportedStatus::Stopped, ContainerLast::Stopped),
            };
            let report = TaskReport {
                status,
                reason: None,
                containers: vec![ContainerReport {
                    name: "app".into(),
                    status: container,
                    exit_code: None,
                    reason: None,
                    runtime_id: None,
                    image_digest: None,
                    bindings: Vec::new(),
                }],
                pull_started_at: None,
                pull_stopped_at: None,
                execution_stopped_at: None,
                address: None,
            };
            if let Some(after) = task.after_report(&facts, &report, now) {
                tx.put_task(after);
            }
        }
        Step::StopTask { id } => {
            let stop = Stop {
                code: StopCode::UserInitiated,
                reason: "bye".into(),
                at: now,
            };
            let stopping = tx
                .state()
                .tasks
                .get(id_of(id))
                .and_then(|task| task.stopping(stop));
            if let Some(task) = stopping {
                tx.put_task(task);
            }
        }
        Step::Forget { id } => tx.remove_task(id_of(id)),
        Step::Connect { on, up } => {
            let connection = Connection {
                connected: up,
                since: now,
            };
            tx.set_connection(InstanceId::from_bytes([on; 16]), Some(connection));
        }
        Step::Drain { on } => {
            let mut record = instance(on);
            record.status = InstanceStatus::Draining;
            tx.put_instance(record);
        }
        Step::Spoil { .. } => {}
    }
}

/// Everything that readers can ask of a state.
fn seen_of(state: &State) -> String {
    let cluster = state.cluster_row(&CLUSTER.parse().unwrap()).unwrap();
    let mut text = format!("{:?}\n", state.tasks.cluster_counts(cluster));
    for desired in [Desired::Running, Desired::Stopped] {
        for mark in [None, Some("mark-0"), Some("mark-1"), Some("mark-2")] {
            let filter = TaskFilter {
                started_by: mark.map(Into::into),
                ..TaskFilter::default()
            };
            let ids: Vec<_> = state
                .tasks
                .list(cluster, desired, &filter, None)
                .map(|task| task.id)
                .collect();
            text += &format!("{desired:?} {mark:?} {ids:?}\n");
        }
    }
    for n in 1..=3 {
        let id = InstanceId::from_bytes([n; 16]);
        let on: Vec<_> = state.tasks.on_instance(id).map(|task| task.id).collect();
        let due: Vec<_> = state.tasks.due(id).map(|task| task.id).collect();
        let counts = state.tasks.instance_counts(id);
        let status = state.instances.get(&id).map(|instance| instance.status);
        text += &format!("{n}: {status:?} {counts:?} on {on:?} due {due:?}\n");
    }
    let stopped: Vec<_> = state
        .tasks
        .stopped()
        .map(|(at, task)| (at, task.id))
        .collect();
    text += &format!(
        "{stopped:?} {}\n",
        state.users_of(&DEFINITION.parse().unwrap())
    );
    for task in state.tasks.iter() {
        text += &format!("{task:?}\n");
    }
    text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is refused, fails or is not saved: what readers see is what storage kept, and
    /// every index agrees with one that is built anew.
    #[test]
    fn what_is_seen_is_what_is_saved(steps in prop::collection::vec(step(), 1..60)) {
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let mut bench = furnished();
        for step in steps {
            let outcome = match step {
                Step::Spoil { how: 2, .. } => Outcome::NotSaved,
                _ => Outcome::Saved,
            };
            let job = bench.submit(Lane::Api, move |tx| {
                match &step {
                    Step::Spoil { how, inner } => {
                        make(tx, inner);
                        match how {
                            0 => return Err(Failure::Refused),
                            1 => panic!("planted"),
                            _ => {}
                        }
                    }
                    plain => make(tx, plain),
                }
                Ok(())
            });
            bench.settle(outcome);
            prop_assert!(job.now_or_never().is_some());
            prop_assert_eq!(seen_of(&bench.state()), seen_of(&bench.reloaded()));
        }
        let followed = std::mem::take(&mut bench.standby);
        let (followed, _) = followed.finish(bench.state().revision, bench.state().at);
        prop_assert_eq!(seen_of(&bench.state()), seen_of(&followed));
        std::panic::set_hook(hook);
    }
}
