use std::fmt::Write;

use berth_agent_proto::task::{Container, Credentials, DependsOn, PortMapping, RestartPolicy};
use expect_test::{Expect, expect};

use super::*;
use crate::runtime::{ErrorKind, Status};

/// An engine with a runtime on paper: work is noted, and done when the test says so.
struct Bench {
    engine: Engine,
    now: Now,
    log: String,
    work: Vec<(Arc<str>, Work)>,
    reports: Vec<Report>,
}

fn config() -> EngineConfig {
    EngineConfig {
        capacity: Resources {
            cpu: 2_048,
            memory: 4_096,
            ports: [(false, 22)].into(),
        },
        cleanup_wait: Duration::from_secs(60),
        stop_timeout: Duration::from_secs(30),
        seed: 1,
    }
}

fn container(name: &str) -> Container {
    Container {
        name: name.to_owned(),
        image: "busybox".to_owned(),
        essential: true,
        ..Container::default()
    }
}

fn after(mut container: Container, other: &str, condition: &str) -> Container {
    container.depends_on.push(DependsOn {
        container_name: other.to_owned(),
        condition: condition.to_owned(),
    });
    container
}

fn task(arn: &str, containers: Vec<Container>) -> Task {
    Task {
        arn: arn.to_owned(),
        desired_status: "RUNNING".to_owned(),
        containers,
        ..Task::default()
    }
}

impl Bench {
    fn new() -> Self {
        Self {
            engine: Engine::new(config()),
            now: Now {
                mono: 1_000,
                wall: 1_000_000,
            },
            log: String::new(),
            work: Vec::new(),
            reports: Vec::new(),
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.mono += ms;
        self.now.wall += i64::try_from(ms).expect("a short time");
        let mut out = Vec::new();
        self.engine.poll(self.now, &mut out);
        self.take(out);
    }

    fn accept(&mut self, task: Task) -> Accepted {
        let mut out = Vec::new();
        let mut token = || "token".into();
        let accepted = self.engine.accept(self.now, task, &mut token, &mut out);
        self.take(out);
        accepted
    }

    fn take(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Work(arn, work) => {
                    writeln!(self.log, "{arn}: {}", self.name(&arn, work)).expect("a string");
                    self.work.push((arn, work));
                }
                Effect::AbandonPull(arn, index) => {
                    writeln!(self.log, "{arn}: abandon pull {index}").expect("a string");
                    self.work
                        .retain(|(a, w)| !(*a == arn && *w == Work::Pull(index)));
                }
                Effect::Report(report) => {
                    let containers: Vec<String> = report
                        .containers
                        .iter()
                        .map(|c| {
                            let code = c.exit_code.map_or(String::new(), |x| format!(" exit {x}"));
                            let why = c.reason.as_ref();
                            let why = why.map_or(String::new(), |r| format!(" ({r})"));
                            format!("{} {}{code}{why}", c.name, c.status.as_str())
                        })
                        .collect();
                    let status = report.status.as_str();
                    let why = &report.reason;
                    let list = containers.join(", ");
                    writeln!(self.log, "{}: report {status} {why}[{list}]", report.task)
                        .expect("a string");
                    self.reports.push(*report);
                }
                Effect::Forget(arn) => writeln!(self.log, "{arn}: forget").expect("a string"),
                Effect::Note(arn, text) => {
                    writeln!(self.log, "{arn}: note {text}").expect("a string");
                }
                Effect::Save(_) | Effect::Show(_) | Effect::DropCredentials(_) => {}
            }
        }
    }

    fn name(&self, arn: &str, work: Work) -> String {
        let run = self.engine.run(arn).expect("work is for known tasks");
        let name = |i: usize| &run.task.containers[i].name;
        match work {
            Work::SetUp => "set up".to_owned(),
            Work::TearDown => "tear down".to_owned(),
            Work::Pull(i) => format!("pull {}", name(i)),
            Work::Create(i) => format!("create {}", name(i)),
            Work::Start(i) => format!("start {}", name(i)),
            Work::Stop(i, grace) => format!("stop {} {}s", name(i), grace.as_secs()),
            Work::Inspect(i) => format!("inspect {}", name(i)),
            Work::Remove(i) => format!("remove {}", name(i)),
        }
    }

    fn snapshot(&self, arn: &str, index: usize, status: Status) -> Snapshot {
        let run = self.engine.run(arn).expect("known");
        let name = &run.task.containers[index].name;
        Snapshot {
            id: id(arn, name),
            task_arn: arn.to_owned(),
            name: name.clone(),
            token: "token".into(),
            status,
            started_at: (status != Status::Created).then_some(self.now.wall),
            finished_at: (status == Status::Exited).then_some(self.now.wall),
            exit_code: (status == Status::Exited).then_some(143),
            oom_killed: false,
            health: Health::Unknown,
            bindings: Vec::new(),
        }
    }

    fn done(&mut self, arn: &Arc<str>, work: Work, outcome: Outcome) {
        self.work.retain(|(a, w)| !(a == arn && *w == work));
        let mut out = Vec::new();
        self.engine.done(self.now, arn, work, outcome, &mut out);
        self.take(out);
    }

    /// The good outcome of a piece of work.
    fn good(&self, arn: &str, work: Work) -> Outcome {
        let run = self.engine.run(arn).expect("known");
        match work {
            Work::SetUp => Outcome::SetUp(None),
            Work::Pull(_) => Outcome::Pulled(Pulled::default()),
            Work::Create(i) => Outcome::Created(id(arn, &run.task.containers[i].name)),
            Work::Start(i) => Outcome::Looked(Some(self.snapshot(arn, i, Status::Running))),
            Work::Stop(i, _) => Outcome::Looked(Some(self.snapshot(arn, i, Status::Exited))),
            Work::Inspect(i) => Outcome::Looked(Some(self.snapshot(arn, i, Status::Running))),
            Work::Remove(_) | Work::TearDown => Outcome::Removed,
        }
    }

    /// Does all work and stores all reports until nothing is left.
    fn settle(&mut self) {
        loop {
            if let Some((arn, work)) = self.work.first().cloned() {
                let outcome = self.good(&arn, work);
                self.done(&arn, work, outcome);
            } else if !self.reports.is_empty() {
                let report = self.reports.remove(0);
                let mut out = Vec::new();
                self.engine
                    .reported(self.now, &report, ReportOutcome::Stored, &mut out);
                self.take(out);
            } else {
                return;
            }
        }
    }

    fn exits(&mut self, arn: &str, name: &str, code: i32) {
        let event = RuntimeEvent::Died {
            id: id(arn, name),
            exit_code: Some(code),
            oom_killed: false,
            at: self.now.wall,
        };
        let mut out = Vec::new();
        self.engine.event(self.now, &event, &mut out);
        self.take(out);
    }

    fn healthy(&mut self, arn: &str, name: &str) {
        let event = RuntimeEvent::Health {
            id: id(arn, name),
            health: Health::Healthy,
            message: None,
        };
        let mut out = Vec::new();
        self.engine.event(self.now, &event, &mut out);
        self.take(out);
    }

    fn stop(&mut self, arn: &str) {
        let mut out = Vec::new();
        self.engine.want_stopped(self.now, arn, &mut out);
        self.take(out);
    }

    fn check(&mut self, expected: &Expect) {
        expected.assert_eq(&self.log);
        self.log.clear();
    }
}

fn id(arn: &str, name: &str) -> RuntimeId {
    format!("{arn}/{name}").into()
}

#[test]
fn a_task_lives_and_ends_by_itself() {
    let mut bench = Bench::new();
    assert_eq!(bench.accept(task("t", vec![container("a")])), Accepted::New);
    bench.settle();
    bench.check(&expect![[r#"
        t: set up
        t: pull a
        t: create a
        t: start a
        t: report RUNNING [a RUNNING]
    "#]]);
    bench.exits("t", "a", 3);
    bench.settle();
    bench.pass(60_000);
    bench.settle();
    bench.check(&expect![[r#"
        t: report STOPPED [a STOPPED exit 3]
        t: remove a
        t: tear down
        t: forget
    "#]]);
    assert_eq!(bench.engine.counts(), (0, 0));
    assert_eq!(bench.engine.due(), u64::MAX);
}

#[test]
fn a_task_that_is_over_keeps_only_what_its_removal_needs() {
    let mut bench = Bench::new();
    let mut big = task("t", vec![container("a"), container("b")]);
    big.memory = Some(4_096);
    big.role_credentials = Some(Credentials {
        credentials_id: "role".to_owned(),
        secret_access_key: "secret".to_owned(),
        ..Credentials::default()
    });
    bench.accept(big.clone());
    bench.settle();
    bench.exits("t", "a", 0);
    let image = |bench: &Bench| bench.engine.task("t").unwrap().containers[0].image.clone();
    // The report of its end names what it held, and is not stored yet.
    assert_eq!(image(&bench), "busybox");
    bench.settle();
    assert_eq!(image(&bench), "");
    let left = bench.engine.task("t").unwrap();
    let role = left.role_credentials.as_ref().unwrap();
    assert_eq!(
        (
            role.credentials_id.as_str(),
            role.secret_access_key.as_str()
        ),
        ("role", "")
    );

    // What it held of the machine is free, and a payload or a stop that comes again is no news.
    assert_eq!(bench.accept(big.clone()), Accepted::Known);
    bench.stop("t");
    big.arn = "next".to_owned();
    bench.accept(big);
    bench.settle();
    assert_eq!(bench.engine.wanted().collect::<Vec<_>>(), ["next"]);
    bench.log.clear();
    bench.pass(60_000);
    bench.settle();
    bench.check(&expect![[r#"
        t: remove a
        t: remove b
        t: tear down
        t: forget
    "#]]);
}

#[test]
fn a_repeated_payload_changes_nothing_and_a_stop_leads_forward_only() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    bench.settle();
    bench.log.clear();
    assert_eq!(
        bench.accept(task("t", vec![container("other"), container("more")])),
        Accepted::Known
    );
    bench.check(&expect![""]);
    let stop = Task {
        desired_status: "STOPPED".to_owned(),
        ..task("t", vec![])
    };
    assert_eq!(bench.accept(stop.clone()), Accepted::Known);
    assert_eq!(
        bench.accept(task("t", vec![container("a")])),
        Accepted::Known
    );
    bench.settle();
    // Whoever asks for what was told has forgotten it, and is told again.
    assert_eq!(bench.accept(stop), Accepted::Known);
    bench.settle();
    bench.check(&expect![[r#"
        t: stop a 30s
        t: report STOPPED [a STOPPED exit 143]
        t: report STOPPED [a STOPPED exit 143]
    "#]]);
}

#[test]
fn a_server_that_wants_stopped_what_it_was_told_has_ended_is_told_again() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    bench.settle();
    bench.exits("t", "a", 3);
    bench.settle();
    bench.log.clear();
    let stop = Task {
        desired_status: "STOPPED".to_owned(),
        ..task("t", vec![])
    };
    for _ in 0..2 {
        assert_eq!(bench.accept(stop.clone()), Accepted::Known);
        bench.settle();
    }
    bench.check(&expect![[r#"
        t: report STOPPED [a STOPPED exit 3]
        t: report STOPPED [a STOPPED exit 3]
    "#]]);
}

#[test]
fn containers_start_in_order_and_stop_in_reverse() {
    let mut bench = Bench::new();
    let containers = vec![
        after(container("web"), "db", "HEALTHY"),
        after(container("log"), "web", "START"),
        container("db"),
    ];
    bench.accept(task("t", containers));
    bench.settle();
    bench.check(&expect![[r#"
        t: set up
        t: pull web
        t: pull log
        t: pull db
        t: create db
        t: create web
        t: start db
        t: create log
    "#]]);
    bench.healthy("t", "db");
    bench.settle();
    bench.check(&expect![[r#"
        t: start web
        t: start log
        t: report RUNNING [web RUNNING, log RUNNING, db RUNNING]
    "#]]);
    bench.stop("t");
    bench.settle();
    bench.check(&expect![[r#"
        t: stop log 30s
        t: stop web 30s
        t: stop db 30s
        t: report STOPPED [web STOPPED exit 143, log STOPPED exit 143, db STOPPED exit 143]
    "#]]);
}

#[test]
fn a_dependency_that_cannot_be_met_ends_the_task() {
    let mut bench = Bench::new();
    let mut init = container("init");
    init.essential = false;
    bench.accept(task(
        "t",
        vec![init, after(container("app"), "init", "SUCCESS")],
    ));
    bench.settle();
    bench.log.clear();
    bench.exits("t", "init", 1);
    bench.settle();
    bench.check(&expect![[r#"
        t: report STOPPED [init STOPPED exit 1, app STOPPED (CannotStartContainerError: dependency on container init cannot be resolved: SUCCESS will not happen)]
    "#]]);
}

#[test]
fn an_init_container_that_succeeds_lets_the_others_start() {
    let mut bench = Bench::new();
    let mut init = container("init");
    init.essential = false;
    bench.accept(task(
        "t",
        vec![init, after(container("app"), "init", "SUCCESS")],
    ));
    bench.settle();
    bench.log.clear();
    bench.exits("t", "init", 0);
    bench.settle();
    bench.check(&expect![[r#"
        t: start app
        t: report RUNNING [init STOPPED exit 0, app RUNNING]
    "#]]);
}

#[test]
fn a_start_timeout_bounds_the_wait_for_a_dependency() {
    let mut bench = Bench::new();
    let mut db = container("db");
    db.start_timeout = Some(20);
    bench.accept(task(
        "t",
        vec![db, after(container("app"), "db", "HEALTHY")],
    ));
    bench.settle();
    bench.log.clear();
    bench.pass(19_000);
    bench.check(&expect![""]);
    bench.pass(2_000);
    bench.settle();
    bench.check(&expect![[r#"
        t: stop db 30s
        t: report STOPPED [db STOPPED exit 143, app STOPPED (CannotStartContainerError: dependency on container db was not resolved in time: no HEALTHY within its start timeout)]
    "#]]);
}

#[test]
fn a_stop_during_a_pull_abandons_it() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    bench.log.clear();
    bench.stop("t");
    bench.settle();
    bench.check(&expect![[r#"
        t: abandon pull 0
        t: report STOPPED [a STOPPED]
    "#]]);
}

#[test]
fn a_stop_while_starting_stops_what_was_started() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    let t: Arc<str> = "t".into();
    bench.done(&t, Work::SetUp, Outcome::SetUp(None));
    bench.done(&t, Work::Pull(0), Outcome::Pulled(Pulled::default()));
    bench.done(&t, Work::Create(0), Outcome::Created(id("t", "a")));
    bench.stop("t");
    bench.log.clear();
    bench.settle();
    bench.check(&expect![[r#"
        t: stop a 30s
        t: report STOPPED [a STOPPED exit 143]
    "#]]);
}

#[test]
fn a_failed_pull_is_told_with_its_reason() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    let error = RuntimeError::new(ErrorKind::CannotPullContainer, "no such image");
    bench.done(&"t".into(), Work::Pull(0), Outcome::Failed(error));
    bench.settle();
    bench.check(&expect![[r#"
        t: set up
        t: pull a
        t: note Pull(0): CannotPullContainerError: no such image
        t: report STOPPED [a STOPPED (CannotPullContainerError: no such image)]
    "#]]);
}

#[test]
fn the_reason_of_a_failed_start_is_not_hidden_by_a_pull_that_passed_with_a_note() {
    let mut bench = Bench::new();
    let t: Arc<str> = "t".into();
    bench.accept(task("t", vec![container("a")]));
    bench.done(&t, Work::SetUp, Outcome::SetUp(None));
    let pulled = Pulled {
        note: Some("CannotPullContainerError: no such host".to_owned()),
        ..Pulled::default()
    };
    bench.done(&t, Work::Pull(0), Outcome::Pulled(pulled));
    bench.done(&t, Work::Create(0), Outcome::Created(id("t", "a")));
    let error = RuntimeError::new(ErrorKind::CannotStartContainer, "no such device");
    bench.done(&t, Work::Start(0), Outcome::Failed(error));
    let reason = bench.reports[0].containers[0].reason.as_deref();
    assert_eq!(reason, Some("CannotStartContainerError: no such device"));
}

#[test]
fn while_the_runtime_is_away_work_is_tried_again() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    for _ in 0..3 {
        let away = RuntimeError::new(ErrorKind::Unavailable, "refused");
        bench.done(&"t".into(), Work::Pull(0), Outcome::Failed(away));
        assert!(!bench.work.contains(&("t".into(), Work::Pull(0))));
        bench.pass(2_000);
    }
    bench.log.clear();
    bench.settle();
    bench.check(&expect![[r#"
        t: create a
        t: start a
        t: report RUNNING [a RUNNING]
    "#]]);
}

#[test]
fn a_restart_policy_restarts_what_ran_long_enough() {
    let mut bench = Bench::new();
    let mut a = container("a");
    a.restart_policy = Some(RestartPolicy {
        enabled: true,
        ignored_exit_codes: vec![7],
        restart_attempt_period: Some(60),
    });
    bench.accept(task("t", vec![a]));
    bench.settle();
    bench.log.clear();
    bench.pass(61_000);
    bench.exits("t", "a", 1);
    bench.settle();
    // Too soon after the restart.
    bench.pass(5_000);
    bench.exits("t", "a", 1);
    bench.settle();
    bench.check(&expect![[r#"
        t: start a
        t: report STOPPED [a STOPPED exit 1]
    "#]]);
}

#[test]
fn an_ignored_exit_code_is_not_restarted() {
    let mut bench = Bench::new();
    let mut a = container("a");
    a.restart_policy = Some(RestartPolicy {
        enabled: true,
        ignored_exit_codes: vec![7],
        restart_attempt_period: None,
    });
    bench.accept(task("t", vec![a]));
    bench.settle();
    bench.pass(600_000);
    bench.log.clear();
    bench.exits("t", "a", 7);
    bench.settle();
    bench.check(&expect![[r#"
        t: report STOPPED [a STOPPED exit 7]
    "#]]);
}

#[test]
fn changes_without_a_task_change_go_out_together_after_a_while() {
    let mut bench = Bench::new();
    let mut side = container("side");
    side.essential = false;
    bench.accept(task("t", vec![container("a"), side]));
    bench.settle();
    bench.log.clear();
    bench.exits("t", "side", 0);
    bench.pass(9_000);
    bench.check(&expect![""]);
    bench.pass(21_000);
    bench.settle();
    bench.check(&expect![[r#"
        t: report RUNNING [side STOPPED exit 0]
    "#]]);
}

#[test]
fn what_ran_and_ended_at_once_is_told_in_order_and_serially() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    while bench.reports.is_empty() {
        let (arn, work) = bench.work[0].clone();
        let outcome = bench.good(&arn, work);
        bench.done(&arn, work, outcome);
    }
    bench.exits("t", "a", 0);
    assert_eq!(bench.reports.len(), 1, "the second waits for the first");
    bench.log.clear();
    bench.settle();
    bench.check(&expect![[r#"
        t: report STOPPED [a STOPPED exit 0]
    "#]]);
}

#[test]
fn what_ended_before_its_start_was_told_has_run_all_the_same() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    while !matches!(bench.work[0].1, Work::Start(_)) {
        let (arn, work) = bench.work[0].clone();
        let outcome = bench.good(&arn, work);
        bench.done(&arn, work, outcome);
    }
    bench.log.clear();
    let ended = bench.snapshot("t", 0, Status::Exited);
    bench.done(&"t".into(), Work::Start(0), Outcome::Looked(Some(ended)));
    bench.settle();
    bench.check(&expect![[r#"
        t: report RUNNING [a STOPPED exit 143]
        t: report STOPPED []
    "#]]);
}

#[test]
fn tasks_wait_for_resources_in_order_and_not_silently() {
    let mut bench = Bench::new();
    let sized = |arn: &str, cpu: i64| {
        let mut a = container("a");
        a.cpu = cpu;
        task(arn, vec![a])
    };
    bench.accept(sized("big", 1_500));
    bench.accept(sized("second", 1_000));
    bench.accept(sized("small", 10));
    bench.settle();
    bench.check(&expect![[r#"
        big: set up
        big: pull a
        second: note waits for CPU, and later tasks with it
        big: create a
        big: start a
        big: report RUNNING [a RUNNING]
    "#]]);
    assert_eq!(bench.engine.counts(), (3, 2));
    bench.stop("second");
    bench.settle();
    bench.check(&expect![[r#"
        second: report STOPPED [a STOPPED]
        small: set up
        small: pull a
        small: create a
        small: start a
        small: report RUNNING [a RUNNING]
    "#]]);
}

#[test]
fn ports_of_the_machine_and_of_other_tasks_are_taken() {
    let mut bench = Bench::new();
    let with_port = |arn: &str, port: i64| {
        let mut a = container("a");
        a.port_mappings = vec![PortMapping {
            container_port: Some(80),
            host_port: Some(port),
            ..PortMapping::default()
        }];
        task(arn, vec![a])
    };
    bench.accept(with_port("one", 80));
    bench.accept(with_port("two", 80));
    assert_eq!(bench.engine.counts(), (2, 1));
    bench.settle();
    bench.exits("one", "a", 0);
    assert_eq!(bench.engine.counts(), (2, 0));
    bench.accept(with_port("ssh", 22));
    assert_eq!(bench.engine.counts(), (3, 1));
}

#[test]
fn impossible_tasks_are_reported_and_unreadable_ones_not_acked() {
    let mut bench = Bench::new();
    assert_eq!(bench.accept(task("empty", vec![])), Accepted::New);
    let circle = vec![
        after(container("a"), "b", "START"),
        after(container("b"), "a", "START"),
    ];
    assert_eq!(bench.accept(task("circle", circle)), Accepted::New);
    let mut odd = container("a");
    odd.overrides = Some(r#"{"cpu":1}"#.to_owned());
    assert!(matches!(
        bench.accept(task("odd", vec![odd])),
        Accepted::Invalid(_)
    ));
    let mut later = task("later", vec![container("a")]);
    later.desired_status = "PENDING".to_owned();
    assert!(matches!(bench.accept(later), Accepted::Invalid(_)));
    bench.settle();
    bench.check(&expect![[r#"
        empty: report STOPPED TaskStateError: Agent could not progress task's state to stopped[]
        circle: report STOPPED Task dependencies cannot be resolved, taskArn: circle[]
        odd: report STOPPED UnrecogniedTaskError: Error loading task - unknown container overrides[]
        later: report STOPPED UnrecogniedTaskError: Error loading task - invalid desired status PENDING[]
    "#]]);
}

#[test]
fn an_unknown_task_to_stop_is_reported_stopped() {
    let mut bench = Bench::new();
    let mut stop = task("t", vec![container("a")]);
    stop.desired_status = "STOPPED".to_owned();
    bench.accept(stop);
    let mut bare = task("bare", vec![]);
    bare.desired_status = "STOPPED".to_owned();
    bench.accept(bare);
    bench.settle();
    bench.check(&expect![[r#"
        t: report STOPPED [a STOPPED]
        bare: report STOPPED TaskStateError: Agent could not progress task's state to stopped[]
    "#]]);
}

/// A new engine with what the old one had saved.
fn restart(bench: &Bench) -> Bench {
    let mut again = Bench::new();
    again.now = bench.now;
    for arn in bench.engine.tasks.keys() {
        let saved = bench.engine.saved(arn).expect("known");
        let text = serde_json::to_string(&saved.state).expect("it writes");
        let state = serde_json::from_str(&text).expect("it reads");
        let task = saved.task;
        again.engine.restore(again.now, Saved { task, state });
    }
    again
}

fn list(bench: &mut Bench, snapshots: Vec<Snapshot>) {
    let mut out = Vec::new();
    bench.engine.listed(bench.now, snapshots, &mut out);
    bench.take(out);
}

#[test]
fn after_a_restart_nothing_is_started_twice_and_exits_are_told() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    bench.accept(task("u", vec![container("a")]));
    bench.settle();
    let mut again = restart(&bench);
    let runs = again.snapshot("t", 0, Status::Running);
    let ended = again.snapshot("u", 0, Status::Exited);
    list(&mut again, vec![runs, ended]);
    again.settle();
    again.check(&expect![[r#"
        u: report STOPPED [a STOPPED exit 143]
    "#]]);
    let mut third = restart(&again);
    let runs = third.snapshot("t", 0, Status::Running);
    list(&mut third, vec![runs]);
    third.settle();
    third.check(&expect![""]);
    third.pass(60_000);
    third.settle();
    third.check(&expect![[r#"
        u: remove a
        u: tear down
        u: forget
    "#]]);
}

#[test]
fn a_container_created_before_a_crash_is_adopted_and_one_that_is_gone_is_told() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    bench.accept(task("u", vec![container("a")]));
    bench.settle();
    // The machine lost what was saved after the tasks came in.
    let mut again = Bench::new();
    again.now = bench.now;
    let mut fresh = Bench::new();
    fresh.accept(task("t", vec![container("a")]));
    again
        .engine
        .restore(again.now, fresh.engine.saved("t").expect("known"));
    again
        .engine
        .restore(again.now, bench.engine.saved("u").expect("known"));
    let runs = again.snapshot("t", 0, Status::Running);
    list(&mut again, vec![runs]);
    again.settle();
    again.check(&expect![[r#"
        t: set up
        t: report RUNNING [a RUNNING]
        u: report STOPPED [a STOPPED (CannotInspectContainerError: the container is gone)]
    "#]]);
}

#[test]
fn reports_not_yet_stored_go_out_again_after_a_restart() {
    let mut bench = Bench::new();
    bench.accept(task("t", vec![container("a")]));
    while let Some((arn, work)) = bench.work.first().cloned() {
        let outcome = bench.good(&arn, work);
        bench.done(&arn, work, outcome);
    }
    bench.check(&expect![[r#"
        t: set up
        t: pull a
        t: create a
        t: start a
        t: report RUNNING [a RUNNING]
    "#]]);
    let mut again = restart(&bench);
    let runs = again.snapshot("t", 0, Status::Running);
    list(&mut again, vec![runs]);
    again.check(&expect![[r#"
        t: report RUNNING [a RUNNING]
    "#]]);
}

/// One thing that happens to an engine.
#[derive(Clone, Debug)]
enum Step {
    Accept(u8, u8),
    Stop(u8),
    Exit(u8, u8, bool),
    Work(proptest::sample::Index, bool),
    Report(proptest::sample::Index),
    Pass(u16),
}

fn any_step() -> impl proptest::strategy::Strategy<Value = Step> {
    use proptest::prelude::*;
    prop_oneof![
        (0_u8..4, 1_u8..4).prop_map(|(t, n)| Step::Accept(t, n)),
        (0_u8..4).prop_map(Step::Stop),
        (0_u8..4, 0_u8..3, any::<bool>()).prop_map(|(t, c, ok)| Step::Exit(t, c, ok)),
        (any::<prop::sample::Index>(), prop::bool::weighted(0.9))
            .prop_map(|(at, good)| Step::Work(at, good)),
        (any::<prop::sample::Index>(), prop::bool::weighted(0.9))
            .prop_map(|(at, good)| Step::Work(at, good)),
        any::<prop::sample::Index>().prop_map(Step::Report),
        (0_u16..30_000).prop_map(Step::Pass),
    ]
}

proptest::proptest! {
    /// Whatever happens in whatever order: at most one report of a task is under way, and once
    /// everything is stopped every task is reported, removed, and holds nothing of the machine.
    #[test]
    fn every_task_ends_reported_and_removed(
        steps in proptest::collection::vec(any_step(), 1..80),
    ) {
        let mut bench = Bench::new();
        for step in steps {
            match step {
                Step::Accept(t, n) => {
                    let containers = (0..n).map(|i| {
                        let mut one = container(&format!("c{i}"));
                        one.essential = i == 0;
                        one.cpu = 300;
                        if i > 0 { after(one, "c0", "START") } else { one }
                    });
                    bench.accept(task(&format!("t{t}"), containers.collect()));
                }
                Step::Stop(t) => bench.stop(&format!("t{t}")),
                Step::Exit(t, c, ok) => {
                    bench.exits(&format!("t{t}"), &format!("c{c}"), i32::from(!ok));
                }
                Step::Work(at, good) if !bench.work.is_empty() => {
                    let (arn, work) = bench.work[at.index(bench.work.len())].clone();
                    let outcome = if good {
                        bench.good(&arn, work)
                    } else {
                        Outcome::Failed(RuntimeError::new(ErrorKind::CannotStartContainer, "no"))
                    };
                    bench.done(&arn, work, outcome);
                }
                Step::Report(at) if !bench.reports.is_empty() => {
                    let report = bench.reports.remove(at.index(bench.reports.len()));
                    let mut out = Vec::new();
                    bench.engine.reported(bench.now, &report, ReportOutcome::Stored, &mut out);
                    bench.take(out);
                }
                Step::Pass(ms) => bench.pass(ms.into()),
                Step::Work(..) | Step::Report(_) => {}
            }
            for report in &bench.reports {
                let same = bench.reports.iter().filter(|r| r.task == report.task).count();
                proptest::prop_assert_eq!(same, 1);
            }
        }
        for t in 0..4 {
            bench.stop(&format!("t{t}"));
        }
        for _ in 0..20 {
            bench.settle();
            bench.pass(30_000);
        }
        proptest::prop_assert_eq!(bench.engine.counts(), (0, 0), "{}", bench.log);
        proptest::prop_assert_eq!(&bench.engine.used, &Resources::default());
        proptest::prop_assert!(bench.engine.by_runtime_id.is_empty());
    }
}
