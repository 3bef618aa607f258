//! Waiting tasks on a state with its real writer and placement index.

use std::time::Duration;

use berth_model::capacity_provider::PROVIDER_ATTRIBUTE;
use berth_model::cluster::{Cluster, ClusterSpec, ClusterStatus};
use berth_model::definition::{
    ContainerFacts, DefinitionFacts, DefinitionStatus, NetworkMode, TaskDefinition,
};
use berth_model::id::InstanceId;
use berth_model::instance::{AgentVersion, Attribute, ContainerInstance, InstanceStatus, Offer};
use berth_model::resources::Capacity;
use berth_model::scheduler::DeploymentId;
use berth_model::tags::Tags;
use berth_model::task::{
    ContainerSeen, Desired, LastStatus, LaunchType, Membership, PlacementConstraint, Seen,
};
use berth_state::{Changed, Connection, Failure, Lane};
use berth_testkit::World;
use futures_util::FutureExt;
use proptest::prelude::*;

use super::*;

const CLUSTER: &str = "123456789012/us-east-1/default";
const SETTING: WaitForRoom = WaitForRoom::new(Duration::from_secs(600));

fn cluster() -> ClusterKey {
    CLUSTER.parse().unwrap()
}

/// The id of the task that [`Bench::wait`] numbered so.
fn id(n: u8) -> TaskId {
    TaskId::from_bytes([n; 16])
}

/// A cluster in memory.
struct Bench(World);

impl Bench {
    /// An empty cluster with a task definition `c<n>` of that many CPU units for each of `sizes`.
    fn new(sizes: &[u32]) -> Self {
        let bench = Self(World::default());
        let sizes = sizes.to_vec();
        bench.change(move |tx| {
            tx.put_cluster(a_cluster());
            for cpu in &sizes {
                tx.put_definition(definition(*cpu));
            }
        });
        bench
    }

    fn change(&self, mut change: impl FnMut(&mut Tx<'_>) + Send + 'static) {
        let handle = self.0.handle();
        let done = handle.transact(Lane::Controllers, move |tx| {
            change(tx);
            Ok::<(), Failure>(())
        });
        assert_eq!(done.now_or_never(), Some(Ok(())));
    }

    /// An instance with an agent.
    fn join(&self, n: u8, cpu: u32, provider: Option<&'static str>) {
        self.change(move |tx| {
            let now = tx.now();
            let instance = instance(n, cpu, provider);
            let id = instance.id;
            tx.put_instance(instance);
            let connected = true;
            tx.set_connection(
                id,
                Some(Connection {
                    connected,
                    since: now,
                }),
            );
        });
    }

    /// A task begins to wait, a second after the one before.
    fn wait(&self, n: u8, cpu: u32, edit: impl Fn(&mut TaskSpec) + Send + 'static) {
        self.0.advance(Duration::from_secs(1));
        self.change(move |tx| {
            let mut spec = spec(cpu, tx.now());
            edit(&mut spec);
            tx.put_task(waiting(id(n), spec));
        });
    }

    /// One look, from the beginning or after a task.
    fn look(&self, after: Option<WaitingKey>) -> Looked {
        self.take(Turn {
            cluster: cluster(),
            after,
            holds: false,
        })
    }

    fn take(&self, turn: Turn) -> Looked {
        let handle = self.0.handle();
        let looked = handle.transact(Lane::Controllers, move |tx| {
            Ok::<_, Failure>(look(tx, &turn, SETTING))
        });
        looked.now_or_never().unwrap().unwrap()
    }

    /// Looks to the end.
    fn look_through(&self) -> usize {
        let mut after = None;
        for looks in 1.. {
            after = self.look(after).after;
            if after.is_none() {
                return looks;
            }
        }
        unreachable!("it came to the end")
    }

    fn task(&self, n: u8) -> Arc<Task> {
        self.0.snapshot().tasks.get(id(n)).unwrap().clone()
    }

    /// The numbers of the tasks that are placed.
    fn placed(&self) -> Vec<u8> {
        let state = self.0.snapshot();
        let placed = state.tasks.iter().filter(|task| task.instance.is_some());
        placed.map(|task| task.id.as_bytes()[0]).collect()
    }

    fn reason(&self, n: u8) -> String {
        self.task(n).stop.as_ref().unwrap().reason.to_string()
    }
}

fn a_cluster() -> Cluster {
    let spec = ClusterSpec {
        container_insights: "disabled".into(),
        configuration: None,
        service_connect_namespace: None,
        providers: Vec::new(),
        default_strategy: Vec::new(),
    };
    Cluster {
        key: cluster(),
        status: ClusterStatus::Active,
        created_as: spec.clone(),
        spec,
        created_tags: Tags::default(),
        tags: Tags::default(),
        created_at: Timestamp::default(),
    }
}

fn definition(cpu: u32) -> TaskDefinition {
    let container = ContainerFacts {
        name: "app".into(),
        image: "busybox".into(),
        essential: true,
        cpu,
        memory: Some(16),
        memory_reservation: None,
        gpus: 0,
        ports: Vec::new(),
        dynamic_ports: 0,
        health_check: false,
        keeps_tag: false,
    };
    TaskDefinition {
        key: format!("123456789012/us-east-1/c{cpu}:1").parse().unwrap(),
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

fn instance(n: u8, cpu: u32, provider: Option<&str>) -> ContainerInstance {
    let attribute = |provider: &str| Attribute {
        name: PROVIDER_ATTRIBUTE.into(),
        value: Some(provider.into()),
    };
    ContainerInstance {
        id: InstanceId::from_bytes([n; 16]),
        cluster: cluster(),
        status: InstanceStatus::Active,
        offer: Offer {
            instance: true,
            fargate: false,
        },
        capacity: Capacity {
            cpu,
            memory: 4096,
            ..Capacity::default()
        },
        attributes: provider.map(attribute).into_iter().collect(),
        custom_attributes: Vec::new(),
        machine_id: None,
        version_info: AgentVersion::default(),
        registered_at: Timestamp::default(),
        deregistered_at: None,
        client_token: None,
        registered_by: None,
        tags: Tags::default(),
        version: 1,
    }
}

fn spec(cpu: u32, now: Timestamp) -> TaskSpec {
    TaskSpec {
        cluster: cluster(),
        definition: format!("123456789012/us-east-1/c{cpu}:1").parse().unwrap(),
        group: format!("family:c{cpu}").as_str().into(),
        started_by: None,
        service: None,
        launch_type: LaunchType::Ec2,
        capacity_provider: None,
        platform_version: None,
        overrides: None,
        network: None,
        constraints: Vec::new(),
        strategy: Vec::new(),
        execute_command: false,
        client_token: None,
        created_at: now,
    }
}

fn waiting(id: TaskId, spec: TaskSpec) -> Task {
    Task {
        id,
        spec: Arc::new(spec),
        instance: None,
        gpus: Vec::new(),
        tags: Tags::default(),
        desired: Desired::Running,
        stop: None,
        protected_until: None,
        last: LastStatus::Provisioning,
        seen: Seen {
            containers: vec![ContainerSeen::default()],
            ..Seen::default()
        },
        version: 1,
    }
}

#[test]
fn room_that_appears_goes_to_the_oldest() {
    let bench = Bench::new(&[100]);
    // Ids say nothing about age.
    for n in [3, 1, 2] {
        bench.wait(n, 100, |_| ());
    }
    bench.look(None);
    assert!(bench.placed().is_empty());
    bench.join(1, 200, None);
    bench.look(None);
    assert_eq!(bench.placed(), [1, 3]);
    let placed = bench.task(3);
    assert_eq!((placed.last, placed.version), (LastStatus::Pending, 2));
    let state = bench.0.snapshot();
    let row = state.cluster_row(&cluster()).unwrap();
    assert_eq!(state.tasks.cluster_counts(row).waiting, 1);
    assert_eq!(
        bench.0.reloaded().tasks.clusters_with_waiting(),
        [cluster()]
    );
}

#[test]
fn a_big_task_does_not_hold_up_small_ones_behind_it() {
    let bench = Bench::new(&[100, 1000]);
    bench.wait(1, 1000, |_| ());
    bench.wait(2, 100, |_| ());
    bench.join(1, 500, None);
    bench.look(None);
    assert_eq!(bench.placed(), [2]);
}

#[test]
fn a_task_that_waited_too_long_is_given_up_with_the_reason() {
    let bench = Bench::new(&[100, 1000]);
    bench.join(1, 500, None);
    bench.wait(1, 1000, |_| ());
    bench.wait(2, 1000, |spec| spec.capacity_provider = Some("none".into()));
    let since = bench.task(1).spec.created_at;
    let until = since + Duration::from_secs(600);
    assert_eq!(bench.look(None).again_at, Some(until));
    bench
        .0
        .advance(until.since(bench.0.now()) - Duration::from_millis(2));
    bench.look(None);
    assert!(bench.task(1).is_waiting());
    bench.0.advance(Duration::from_millis(2));
    bench.look(None);
    assert_eq!(bench.task(1).last, LastStatus::Stopped);
    let code = bench.task(1).stop.as_ref().unwrap().code;
    assert_eq!(code, StopCode::TaskFailedToStart);
    assert_eq!(bench.reason(1), "TaskFailedToStart: RESOURCE:CPU");
    assert!(bench.task(2).is_waiting());
    bench.0.advance(Duration::from_secs(2));
    let looked = bench.look(None);
    assert_eq!(looked, Looked::default());
    assert_eq!(bench.task(2).last, LastStatus::Stopped);
}

#[test]
fn without_instances_the_reason_says_so() {
    let bench = Bench::new(&[100]);
    bench.wait(1, 100, |_| ());
    bench.wait(2, 100, |spec| spec.capacity_provider = Some("none".into()));
    bench.0.advance(Duration::from_secs(601));
    bench.look(None);
    assert_eq!(
        bench.reason(1),
        "TaskFailedToStart: No Container Instances were found in your cluster."
    );
    assert_eq!(
        bench.reason(2),
        "TaskFailedToStart: EMPTY CAPACITY PROVIDER"
    );
}

#[test]
fn at_its_last_moment_a_task_is_placed_if_there_is_room() {
    let bench = Bench::new(&[100]);
    bench.wait(1, 100, |_| ());
    bench.0.advance(Duration::from_secs(700));
    bench.join(1, 100, None);
    bench.look(None);
    assert_eq!(bench.placed(), [1]);
}

#[test]
fn a_services_task_waits_as_long_as_it_is_wanted() {
    let bench = Bench::new(&[100]);
    bench.wait(1, 100, |spec| {
        spec.service = Some(Membership {
            service: "web".parse().unwrap(),
            deployment: DeploymentId(7),
        });
    });
    bench.0.advance(Duration::from_secs(100_000));
    assert_eq!(bench.look(None), Looked::default());
    assert!(bench.task(1).is_waiting());
}

#[test]
fn a_task_of_a_provider_waits_for_an_instance_of_it() {
    let bench = Bench::new(&[100]);
    bench.wait(1, 100, |spec| spec.capacity_provider = Some("blue".into()));
    bench.wait(2, 100, |_| ());
    bench.join(1, 100, Some("green"));
    bench.look(None);
    assert_eq!(bench.placed(), [2]);
    bench.join(2, 100, Some("blue"));
    bench.look(None);
    assert_eq!(bench.placed(), [1, 2]);
    assert_eq!(
        bench.task(1).instance,
        Some(InstanceId::from_bytes([2; 16]))
    );
}

#[test]
fn a_look_is_bounded_and_the_next_goes_on_where_it_ended() {
    let bench = Bench::new(&[100, 1000]);
    for n in 0..=240 {
        bench.wait(n, 1000, |_| ());
    }
    bench.wait(250, 100, |_| ());
    bench.join(1, 200, None);
    let first = bench.look(None);
    let hundredth = bench.task(99);
    assert_eq!(first.after, Some((hundredth.spec.created_at, hundredth.id)));
    assert_eq!(bench.look_through(), 3);
    assert_eq!(bench.placed(), [250]);
}

#[test]
fn distinct_instances_stay_distinct() {
    let bench = Bench::new(&[100]);
    for n in [1, 2] {
        let distinct = PlacementConstraint::DistinctInstance;
        bench.wait(n, 100, move |spec| {
            spec.constraints = vec![distinct.clone()]
        });
    }
    bench.join(1, 1000, None);
    bench.look(None);
    assert_eq!(bench.placed(), [1]);
}

#[test]
fn what_happens_meanwhile_is_looked_at_after_the_look_under_way() {
    let bench = Bench::new(&[100, 1000]);
    for n in 0..=150 {
        bench.wait(n, 1000, |_| ());
    }
    let state = bench.0.snapshot();
    let mut queue = Queue::default();
    queue.sweep(&state, 0);
    assert_eq!(queue.take(0), [turn(None, true)]);
    // Handed out once until its outcome is known.
    queue.touch(
        &state,
        &[Changed::Instance(InstanceId::from_bytes([1; 16]))],
        1,
    );
    assert_eq!(queue.take(100), []);
    let looked = bench.look(None);
    let after = looked.after;
    assert!(after.is_some());
    queue.note(&cluster(), Some(looked), None);
    assert_eq!(queue.next_due(), 0);
    assert_eq!(queue.take(101), [turn(after, false)]);
    queue.note(&cluster(), Some(bench.look(after)), None);
    // Then from the beginning, for what was heard meanwhile, and no sooner than 20 ms.
    assert_eq!(queue.take(102), []);
    assert_eq!(queue.take(121), [turn(None, false)]);
    queue.note(&cluster(), Some(Looked::default()), Some(5_000));
    assert_eq!(queue.next_due(), 5_000);
    queue.note(&cluster(), None, None);
    assert_eq!(queue.take(4_999), []);
    assert_eq!(queue.take(5_000), [turn(None, false)]);
}

fn turn(after: Option<WaitingKey>, holds: bool) -> Turn {
    Turn {
        cluster: cluster(),
        after,
        holds,
    }
}

#[test]
fn holds_come_and_go_by_age() {
    let due = |seconds| hold::is_due(Duration::from_secs(seconds));
    let turns: Vec<u64> = (0..1200)
        .filter(|at| due(*at) != (*at > 0 && due(at - 1)))
        .collect();
    assert_eq!(turns, [60, 90, 120, 180, 240, 360, 480, 720, 960]);
}

/// One machine, on which small tasks run for half a minute each; ten of them wait at any time.
#[test]
fn a_big_task_is_not_starved_and_small_ones_go_on() {
    let bench = Bench::new(&[100, 1000]);
    bench.join(1, 1000, None);
    let mut next = 0_u8;
    let mut ends: Vec<(Timestamp, u8)> = Vec::new();
    let (mut done, mut idle, mut longest_idle) = (0, 0, 0);
    for second in 0..590 {
        let now = bench.0.now();
        let (over, rest) = ends.into_iter().partition(|(at, _)| *at <= now);
        ends = rest;
        let over: Vec<(Timestamp, u8)> = over;
        for (_, n) in over {
            bench.change(move |tx| tx.remove_task(id(n)));
            done += 1;
        }
        let row = bench.0.snapshot().cluster_row(&cluster()).unwrap();
        if second == 2 {
            bench.wait(255, 1000, |_| ());
        }
        while bench.0.snapshot().tasks.waiting(row, None).count() < 11 {
            // A number that is free again: those of 250 tasks ago have long ended.
            let n = next % 250;
            next = n + 1;
            bench.change(move |tx| {
                let spec = spec(100, tx.now());
                tx.put_task(waiting(id(n), spec));
            });
        }
        let before = bench.placed();
        bench.take(turn(None, second % 10 == 0));
        let state = bench.0.snapshot();
        if state
            .tasks
            .get(id(255))
            .is_some_and(|task| !task.is_waiting())
        {
            assert!(done > 30, "small tasks went on meanwhile: {done}");
            assert!(longest_idle < 60, "nothing was placed for {longest_idle} s");
            return;
        }
        let began = bench.placed();
        let began: Vec<u8> = began.into_iter().filter(|n| !before.contains(n)).collect();
        idle = if began.is_empty() { idle + 1 } else { 0 };
        longest_idle = longest_idle.max(idle);
        // Half a minute each, and a little more for some, so that they do not end together.
        for n in began {
            let lasts = Duration::from_secs(25 + u64::from(n % 10));
            ends.push((now + lasts, n));
        }
        bench.0.advance(Duration::from_secs(1));
    }
    panic!("the big task was starved");
}

#[test]
fn one_instance_is_held_for_the_oldest_that_could_be_on_it() {
    let bench = Bench::new(&[100, 600, 1000, 9000]);
    for n in 1..=3 {
        bench.join(n, 1000, None);
        // Two of them would not fit on one.
        bench.wait(n, 600, |_| ());
    }
    bench.look(None);
    bench.wait(10, 9000, |_| ());
    bench.wait(11, 1000, |_| ());
    bench.wait(12, 1000, |_| ());
    bench.0.advance(Duration::from_secs(61));
    bench.take(turn(None, true));
    let held = bench.0.snapshot().held_for(id(11)).unwrap();
    assert_eq!(bench.0.snapshot().holds.len(), 1);
    // Others are placed elsewhere.
    for n in 20..24 {
        bench.wait(n, 100, |_| ());
    }
    bench.look(None);
    for n in 20..24 {
        assert_ne!(bench.task(n).instance, Some(held));
    }
    let on: Vec<TaskId> = {
        let state = bench.0.snapshot();
        state.tasks.on_instance(held).map(|task| task.id).collect()
    };
    bench.change(move |tx| on.iter().for_each(|id| tx.remove_task(*id)));
    bench.look(None);
    assert_eq!(bench.task(11).instance, Some(held));
    assert!(bench.0.snapshot().holds.is_empty());
    // Nothing of it was saved.
    assert!(bench.0.reloaded().holds.is_empty());
}

#[test]
fn a_hold_ends_with_its_task() {
    let bench = Bench::new(&[100, 1000]);
    bench.join(1, 1000, None);
    bench.wait(1, 100, |_| ());
    bench.look(None);
    bench.wait(2, 1000, |_| ());
    bench.0.advance(Duration::from_secs(70));
    bench.take(turn(None, true));
    assert_eq!(bench.0.snapshot().holds.len(), 1);
    bench.change(|tx| tx.remove_task(id(2)));
    let mut queue = Queue::default();
    queue.sweep(&bench.0.snapshot(), 0);
    assert_eq!(queue.take(0), [turn(None, true)]);
    bench.look(None);
    assert!(bench.0.snapshot().holds.is_empty());
}

#[test]
fn only_what_makes_room_wakes() {
    let bench = Bench::new(&[100]);
    bench.wait(1, 100, |_| ());
    let mut queue = Queue::default();
    let state = bench.0.snapshot();
    queue.sweep(&state, 0);
    for turn in queue.take(0) {
        queue.note(&turn.cluster, Some(Looked::default()), None);
    }
    queue.touch(&state, &[Changed::Cluster(cluster()), Changed::Other], 100);
    assert_eq!(queue.take(200), []);
    queue.touch(&state, &[Changed::Task(id(1), None)], 300);
    assert_eq!(queue.take(300), [turn(None, false)]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever waits, whatever room there is: after a look nothing that still waits fits, of
    /// tasks that are alike no younger one was placed before an older, and no machine has more
    /// than it can take.
    #[test]
    fn nothing_that_fits_is_left_waiting(
        sizes in prop::collection::vec(1_u32..=8, 1..60),
        machines in prop::collection::vec(1_u32..=16, 0..6),
    ) {
        let bench = Bench::new(&[1, 2, 3, 4, 5, 6, 7, 8]);
        for (n, cpu) in (0..).zip(&sizes) {
            bench.wait(n, *cpu, |_| ());
        }
        for (n, cpu) in (1..).zip(&machines) {
            bench.join(n, *cpu, None);
        }
        bench.look_through();
        let state = bench.0.snapshot();
        let free: Vec<u32> = (1..).zip(&machines).map(|(n, cpu)| {
            let on = state.tasks.on_instance(InstanceId::from_bytes([n; 16]));
            let taken: u32 = on.map(|task| task.demand(state.facts(task).unwrap()).cpu).sum();
            assert!(taken <= *cpu, "{taken} of {cpu}");
            cpu - taken
        }).collect();
        let most = free.into_iter().max().unwrap_or(0);
        for (n, cpu) in (0..).zip(&sizes) {
            let waits = bench.task(n).is_waiting();
            prop_assert!(!waits || *cpu > most, "{cpu} waits, {most} are free");
            for (younger, other) in (0..).zip(&sizes).skip(usize::from(n) + 1) {
                let jumped = cpu == other && waits && !bench.task(younger).is_waiting();
                prop_assert!(!jumped, "task {younger} before {n}");
            }
        }
    }
}
