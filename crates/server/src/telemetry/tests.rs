//! Messages in, figures out. The world: two instances of 2 vCPU; `web` has two tasks, one on
//! each; one task without a service on the first.

use std::time::Duration;

use berth_agent_proto::tcs::{
    ContainerMetric, CounterSet, MetricsMetadata, NetworkStatsSet, StatsSet, TaskMetric,
};
use berth_model::name::{ClusterKey, ServiceKey};
use berth_model::service::Service;
use berth_model::task::{LastStatus, Task};
use berth_state::{Connection, Failure, Lane, Tx};
use berth_testkit::World;
use futures_util::FutureExt;
use serde_json::{Value, json};

use super::*;

const CLUSTER: &str = "000000000000/us-east-1/default";

fn instance_id(n: u8) -> InstanceId {
    InstanceId::from_bytes([n; 16])
}

fn task_id(n: u8) -> TaskId {
    TaskId::from_bytes([n; 16])
}

/// Records from their saved form.
fn record<T: serde::de::DeserializeOwned>(body: Value) -> T {
    serde_json::from_value(body).unwrap()
}

fn instance(n: u8) -> Value {
    json!({
        "id": instance_id(n), "cluster": CLUSTER, "status": "ACTIVE", "attributes": [],
        "offer": { "instance": true, "fargate": false },
        "capacity": { "cpu": 2048, "memory": 4096 }, "registered_at": 0, "version": 1,
    })
}

fn definition() -> Value {
    json!({
        "key": "000000000000/us-east-1/web:1", "status": "ACTIVE", "body": {},
        "facts": {
            "network_mode": "bridge", "compatibilities": ["EC2"], "requires_attributes": [],
            "containers": [
                { "name": "app", "image": "x", "essential": true, "cpu": 256, "memory": 128 },
                { "name": "side", "image": "x", "essential": true, "memory": 128 },
            ],
        },
        "registered_at": 0, "registered_by": "root",
    })
}

fn service() -> Value {
    json!({
        "key": format!("{CLUSTER}/web"), "status": "ACTIVE",
        "spec": {
            "desired": 3, "scheduling": "REPLICA", "controller": "ECS",
            "capacity": { "Launch": "EC2" },
            "deployment": { "minimum_healthy": 100, "maximum": 200, "strategy": "Rolling" },
        },
        "created_by": "root", "created_at": 0,
    })
}

fn task(n: u8, on: u8, of: Option<&str>) -> Task {
    let service = of.map(|name| json!({ "service": name, "deployment": "ecs-svc/1" }));
    record(json!({
        "id": task_id(n), "instance": instance_id(on), "desired": "RUNNING", "last": "RUNNING",
        "spec": {
            "cluster": CLUSTER, "definition": "000000000000/us-east-1/web:1",
            "group": "family:web", "service": service, "launch_type": "EC2", "created_at": 0,
        },
        "seen": { "reported": true, "containers": [{ "s": "RUNNING" }, { "s": "RUNNING" }] },
        "version": 1,
    }))
}

struct Bench {
    world: World,
    telemetry: Arc<Telemetry>,
    mono_ms: u64,
}

impl Bench {
    fn new() -> Self {
        let bench = Self {
            world: World::default(),
            telemetry: Telemetry::new(Arc::new(Metrics::new())),
            mono_ms: 1_000_000,
        };
        let spec = json!({ "container_insights": "disabled" });
        let cluster = json!({ "key": CLUSTER, "status": "ACTIVE", "spec": spec,
            "created_as": spec, "created_at": 0 });
        bench.change(move |tx| {
            tx.put_cluster(record(cluster.clone()));
            tx.put_definition(record(definition()));
            for n in [1, 2] {
                tx.put_instance(record(instance(n)));
                let since = tx.now();
                let connected = true;
                tx.set_connection(instance_id(n), Some(Connection { connected, since }));
            }
            tx.put_service(record::<Service>(service()));
            tx.put_task(task(0xa1, 1, Some("web")));
            tx.put_task(task(0xa2, 2, Some("web")));
            tx.put_task(task(0xb1, 1, None));
        });
        bench
    }

    fn change(&self, change: impl Fn(&mut Tx<'_>) + Send + 'static) {
        let handle = self.world.handle();
        let changing = handle.transact(Lane::Controllers, move |tx| {
            change(tx);
            Ok::<(), Failure>(())
        });
        changing.now_or_never().unwrap().unwrap();
    }

    fn now(&self) -> Moment {
        Moment {
            mono_ms: self.mono_ms,
            wall: self.world.now(),
        }
    }

    fn pass(&mut self, seconds: u64) {
        self.mono_ms += seconds * 1_000;
        self.world.advance(Duration::from_secs(seconds));
    }

    /// Has the agent of an instance publish; what was counted as not believed.
    fn publish(&self, from: u8, tasks: Vec<TaskMetric>) -> Vec<(String, u64)> {
        self.publish_as(from, &arn_of_instance(from), tasks)
    }

    fn publish_as(&self, from: u8, name: &str, tasks: Vec<TaskMetric>) -> Vec<(String, u64)> {
        let before = self.refused();
        let message = PublishMetrics {
            metadata: MetricsMetadata {
                container_instance: name.to_owned(),
                ..MetricsMetadata::default()
            },
            task_metrics: tasks,
            instance_metrics: None,
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            timestamp: self.mono_ms as f64 / 1_000.0,
        };
        let state = self.world.snapshot();
        let instance = instance_id(from);
        self.telemetry
            .take_metrics(&state, instance, &message, self.now());
        let after = self.refused().into_iter();
        let risen = after.map(|(reason, count)| {
            let old = before.iter().find(|(known, _)| *known == reason);
            let risen = count - old.map_or(0, |(_, count)| *count);
            (reason, risen)
        });
        risen.filter(|(_, risen)| *risen > 0).collect()
    }

    fn refused(&self) -> Vec<(String, u64)> {
        let text = self.telemetry.metrics.render(Vec::new());
        let lines = text.lines().filter_map(|line| {
            let rest = line.strip_prefix("berth_telemetry_ignored_total{reason=\"")?;
            let (reason, count) = rest.split_once("\"} ")?;
            Some((reason.to_owned(), count.parse().unwrap()))
        });
        lines.collect()
    }

    fn summary(&mut self) -> Arc<Summary> {
        // Past the time for which the last one is shown again.
        self.mono_ms += SUMMARY_MS_MAX;
        self.telemetry.summary(&self.world.snapshot(), self.now())
    }

    fn service(&mut self) -> ServiceUse {
        let key: ServiceKey = format!("{CLUSTER}/web").parse().unwrap();
        self.summary().services[&key]
    }

    fn cluster(&mut self) -> ClusterUse {
        let key: ClusterKey = CLUSTER.parse().unwrap();
        self.summary().clusters[&key]
    }
}

fn arn_of_instance(n: u8) -> String {
    let cluster: ClusterKey = CLUSTER.parse().unwrap();
    cluster.instance_arn(instance_id(n))
}

fn arn_of_task(n: u8) -> String {
    let cluster: ClusterKey = CLUSTER.parse().unwrap();
    cluster.task_arn(task_id(n))
}

fn sampled(values: &[f64]) -> Option<StatsSet> {
    Some(StatsSet {
        min: values.iter().copied().fold(f64::INFINITY, f64::min),
        max: values.iter().copied().fold(0.0, f64::max),
        sum: values.iter().sum(),
        sample_count: i64::try_from(values.len()).unwrap(),
    })
}

fn container(name: &str, percent: &[f64], mib: f64) -> ContainerMetric {
    ContainerMetric {
        container_name: name.to_owned(),
        cpu_stats_set: sampled(percent),
        memory_stats_set: sampled(&[mib]),
        ..ContainerMetric::default()
    }
}

fn metric(n: u8, containers: Vec<ContainerMetric>) -> TaskMetric {
    TaskMetric {
        task_arn: arn_of_task(n),
        container_metrics: containers,
        ..TaskMetric::default()
    }
}

/// A task whose `app` uses this much.
fn used(n: u8, percent: f64, mib: f64) -> TaskMetric {
    metric(n, vec![container("app", &[percent], mib)])
}

fn reasons(refused: &[(String, u64)]) -> Vec<(&str, u64)> {
    let named = refused.iter().map(|(reason, count)| (&**reason, *count));
    named.collect()
}

#[test]
fn use_is_told_in_the_terms_of_cloudwatch() {
    let mut bench = Bench::new();
    // Of 2048 units: 25 % and 6.25 % in two containers are 512 + 128.
    let both = vec![
        container("app", &[10.0, 40.0], 64.0),
        container("side", &[6.25], 32.0),
    ];
    assert_eq!(
        bench.publish(1, vec![metric(0xa1, both), used(0xb1, 50.0, 512.0)]),
        []
    );
    assert_eq!(bench.publish(2, vec![used(0xa2, 6.25, 64.0)]), []);

    let service = bench.service();
    assert_eq!((service.desired, service.running), (3, 2));
    assert_eq!(service.heard, 2);
    assert_eq!(service.used.cpu, 640.0 + 128.0);
    assert_eq!(service.used.memory, 96.0 + 64.0);
    assert_eq!(
        (service.reserved.cpu, service.reserved.memory),
        (512.0, 512.0)
    );
    // Each task is a sample, in percent of its own reservation: 640 and 128 of 256 units.
    let cpu = service.cpu.unwrap();
    assert_eq!((cpu.samples, cpu.minimum, cpu.maximum), (2, 50.0, 250.0));
    assert_eq!(cpu.average(), 150.0);
    // 96 and 64 of 256 MiB.
    assert_eq!(service.memory.unwrap().average(), 31.25);

    let cluster = bench.cluster();
    assert_eq!(
        (cluster.running, cluster.instances, cluster.connected),
        (3, 2, 2)
    );
    assert_eq!(
        (cluster.registered.cpu, cluster.registered.memory),
        (4096.0, 8192.0)
    );
    assert_eq!(
        (cluster.reserved.cpu, cluster.reserved.memory),
        (768.0, 768.0)
    );
    assert_eq!(cluster.cpu.unwrap().average(), 43.75);
    assert_eq!(cluster.memory.unwrap().average(), 672.0 / 8192.0 * 100.0);
}

#[test]
fn an_agent_speaks_of_its_own_running_tasks_alone() {
    let mut bench = Bench::new();
    let foreign = bench.publish(1, vec![used(0xa2, 10.0, 1.0)]);
    assert_eq!(reasons(&foreign), [("foreign_task", 1)]);
    let unknown = bench.publish(1, vec![used(0xee, 10.0, 1.0)]);
    assert_eq!(reasons(&unknown), [("unknown_task", 1)]);
    let mut other_cluster = used(0xa1, 10.0, 1.0);
    other_cluster.task_arn = other_cluster.task_arn.replace("/default/", "/other/");
    let refused = bench.publish(1, vec![other_cluster]);
    assert_eq!(reasons(&refused), [("foreign_task", 1)]);
    let as_other = bench.publish_as(1, &arn_of_instance(2), vec![used(0xa1, 10.0, 1.0)]);
    assert_eq!(reasons(&as_other), [("foreign_instance", 1)]);
    bench.change(|tx| {
        let mut stopped = task(0xb1, 1, None);
        stopped.last = LastStatus::Stopped;
        stopped.seen.stopped_at = Some(tx.now());
        tx.put_task(stopped);
    });
    let late = bench.publish(1, vec![used(0xb1, 10.0, 1.0)]);
    assert_eq!(reasons(&late), [("unknown_task", 1)]);
    assert_eq!(bench.cluster().heard, 0);
    assert_eq!(bench.cluster().cpu, None);
}

#[test]
fn containers_that_a_task_has_not_and_the_same_twice_are_passed_over() {
    let mut bench = Bench::new();
    let said = vec![
        container("app", &[10.0], 8.0),
        container("app", &[10.0], 8.0),
        container("stranger", &[10.0], 8.0),
        container("~internal~ecs~pause", &[10.0], 8.0),
    ];
    let refused = bench.publish(1, vec![metric(0xa1, said)]);
    assert_eq!(reasons(&refused), [("unknown_container", 2)]);
    assert_eq!(bench.cluster().used.memory, 8.0);
}

#[test]
fn figures_that_cannot_be_are_counted_and_the_rest_is_taken() {
    let set = |min: f64, max: f64, sum: f64, sample_count: i64| StatsSet {
        min,
        max,
        sum,
        sample_count,
    };
    for lie in [
        set(f64::NAN, 1.0, 1.0, 1),
        set(0.0, f64::INFINITY, 1.0, 1),
        set(-1.0, 1.0, 1.0, 1),
        set(0.0, 1e9, 1e9, 1),
        set(0.0, 1.0, 5.0, 1),
        set(2.0, 3.0, 1.0, 1),
        set(1.0, 1.0, -1.0, -1),
        set(0.0, 1.0, 1.0, i64::MAX),
    ] {
        let mut bench = Bench::new();
        let mut said = container("app", &[10.0], 8.0);
        said.cpu_stats_set = Some(lie);
        let refused = bench.publish(1, vec![metric(0xa1, vec![said])]);
        assert_eq!(reasons(&refused), [("bad_figure", 1)], "{lie:?}");
        let cluster = bench.cluster();
        assert_eq!(
            (cluster.used.cpu, cluster.used.memory),
            (0.0, 8.0),
            "{lie:?}"
        );
    }
    // No samples is no lie.
    let bench = Bench::new();
    let mut said = container("app", &[10.0], 8.0);
    said.cpu_stats_set = Some(StatsSet::default());
    assert_eq!(bench.publish(1, vec![metric(0xa1, vec![said])]), []);
}

#[test]
fn a_page_has_ten_tasks_and_each_once() {
    let bench = Bench::new();
    let many = vec![used(0xa1, 1.0, 1.0); 3];
    assert_eq!(reasons(&bench.publish(1, many)), [("too_many", 2)]);
    let strangers: Vec<_> = (0..50).map(|n| used(n, 1.0, 1.0)).collect();
    assert_eq!(
        reasons(&bench.publish(1, strangers)),
        [("unknown_task", 50)]
    );
}

#[test]
fn counters_become_rates() {
    let mut bench = Bench::new();
    let counter = |value: i64, over: Option<i64>| {
        Some(CounterSet {
            min: value,
            max: value,
            sum: value,
            sample_count: 1,
            overflow_min: over,
            overflow_max: over,
            overflow_sum: over,
        })
    };
    let mut said = |received, sent| {
        let mut app = container("app", &[1.0], 1.0);
        app.network_stats_set = Some(NetworkStatsSet {
            rx_bytes: received,
            tx_bytes: sent,
            ..NetworkStatsSet::default()
        });
        let refused = bench.publish(1, vec![metric(0xa1, vec![app])]);
        let lately = bench.telemetry.fresh(bench.now())[&task_id(0xa1)];
        bench.pass(20);
        (refused, lately.network)
    };
    assert_eq!(
        said(counter(i64::MAX, None), counter(0, None)),
        (vec![], None)
    );
    let (_, rate) = said(counter(i64::MAX, Some(2_000)), counter(40, None));
    assert_eq!(rate, Some([100.0, 2.0]));
    let (refused, _) = said(counter(-1, None), counter(0, None));
    assert_eq!(reasons(&refused), [("bad_figure", 1)]);
}

#[test]
fn what_is_old_over_or_disconnected_is_dropped() {
    let mut bench = Bench::new();
    let _ = bench.publish(1, vec![used(0xa1, 10.0, 8.0), used(0xb1, 10.0, 8.0)]);
    let status = |word: &str| {
        vec![InstanceStatus {
            kind: "ContainerRuntime".to_owned(),
            status: word.to_owned(),
            ..InstanceStatus::default()
        }]
    };
    bench
        .telemetry
        .take_status(instance_id(1), &status("OK"), bench.now());
    bench
        .telemetry
        .take_status(instance_id(2), &status("OK"), bench.now());
    bench.pass(30);
    let _ = bench.publish(1, vec![used(0xa1, 10.0, 8.0)]);
    bench.change(|tx| {
        let since = tx.now();
        let connected = false;
        tx.set_connection(instance_id(2), Some(Connection { connected, since }));
    });
    bench.pass(50);
    bench
        .telemetry
        .end_minute(&bench.world.snapshot(), bench.now());
    let kept = bench.telemetry.kept();
    assert_eq!(kept.tasks.keys().collect::<Vec<_>>(), [&task_id(0xa1)]);
    assert!(kept.checks.last(instance_id(1), bench.mono_ms).is_some());
    assert!(kept.checks.last(instance_id(2), bench.mono_ms).is_none());
    drop(kept);
    let key: ServiceKey = format!("{CLUSTER}/web").parse().unwrap();
    let minutes = bench.telemetry.minutes(&MetricSubject::Service(key));
    assert_eq!(minutes.len(), 1);
    assert_eq!(minutes[0].memory.unwrap().average(), 8.0 / 256.0 * 100.0);
    bench.pass(60);
    assert_eq!(bench.service().heard, 0);
    bench
        .telemetry
        .end_minute(&bench.world.snapshot(), bench.now());
    assert!(bench.telemetry.kept().tasks.is_empty());
}
