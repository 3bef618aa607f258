use super::*;
use crate::definition::{ContainerFacts, NetworkMode};
use crate::tags::Tags;

const T0: Timestamp = Timestamp::from_millis(1_000);
const T1: Timestamp = Timestamp::from_millis(2_000);
const T2: Timestamp = Timestamp::from_millis(3_000);

fn facts() -> DefinitionFacts {
    let container = |name: &str, essential: bool, health_check: bool| ContainerFacts {
        name: name.into(),
        image: "busybox".into(),
        essential,
        cpu: 0,
        memory: Some(16),
        memory_reservation: None,
        gpus: 0,
        ports: Vec::new(),
        dynamic_ports: 0,
        health_check,
        keeps_tag: false,
    };
    DefinitionFacts {
        cpu: None,
        memory: None,
        network_mode: NetworkMode::Bridge,
        compatibilities: vec!["EC2".into()],
        requires_attributes: Vec::new(),
        member_of: Vec::new(),
        containers: vec![container("app", true, true), container("side", false, true)],
        task_role: false,
    }
}

fn placed() -> Task {
    Task {
        id: TaskId::from_bytes([7; 16]),
        spec: Arc::new(TaskSpec {
            cluster: "000000000000/us-east-1/default".parse().unwrap(),
            definition: "000000000000/us-east-1/web:1".parse().unwrap(),
            group: "family:web".into(),
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
            created_at: T0,
        }),
        instance: Some(InstanceId::from_bytes([1; 16])),
        gpus: Vec::new(),
        tags: Tags::default(),
        desired: Desired::Running,
        stop: None,
        protected_until: None,
        last: LastStatus::Pending,
        seen: Seen {
            containers: vec![ContainerSeen::default(); 2],
            ..Seen::default()
        },
        version: 1,
    }
}

fn report(status: ReportedStatus, containers: Vec<ContainerReport>) -> TaskReport {
    TaskReport {
        status,
        reason: None,
        containers,
        pull_started_at: None,
        pull_stopped_at: None,
        execution_stopped_at: None,
        address: None,
    }
}

fn container(name: &str, status: ContainerLast, exit_code: Option<i32>) -> ContainerReport {
    ContainerReport {
        name: name.into(),
        status,
        exit_code,
        reason: None,
        runtime_id: Some("abc".into()),
        image_digest: None,
        bindings: Vec::new(),
    }
}

fn running() -> Task {
    let up = report(
        ReportedStatus::Running,
        vec![
            container("app", ContainerLast::Running, None),
            container("side", ContainerLast::Running, None),
        ],
    );
    placed().after_report(&facts(), &up, T1).unwrap()
}

fn user_stop() -> Stop {
    Stop {
        code: StopCode::UserInitiated,
        reason: "Task stopped by user".into(),
        at: T1,
    }
}

#[test]
fn a_running_report_starts_the_task_once() {
    let task = running();
    assert_eq!((task.last, task.version), (LastStatus::Running, 2));
    assert_eq!(task.seen.started_at, Some(T1));
    let again = report(
        ReportedStatus::Running,
        vec![container("app", ContainerLast::Running, None)],
    );
    assert_eq!(task.after_report(&facts(), &again, T2), None);
}

#[test]
fn an_essential_exit_ends_the_task_with_its_exit_code() {
    let end = report(
        ReportedStatus::Stopped,
        vec![container("app", ContainerLast::Stopped, Some(3))],
    );
    let task = running().after_report(&facts(), &end, T2).unwrap();
    assert_eq!(task.last, LastStatus::Stopped);
    let stop = task.stop.unwrap();
    assert_eq!(stop.code, StopCode::EssentialContainerExited);
    assert_eq!(stop.reason, "Essential container in task exited");
    assert_eq!(task.seen.containers[0].exit_code, Some(3));
    assert_eq!(task.seen.stopped_at, Some(T2));
}

#[test]
fn a_task_whose_image_cannot_be_pulled_failed_to_start() {
    let mut failed = container("app", ContainerLast::Stopped, None);
    failed.reason = Some("CannotPullContainerError: no such image".into());
    let end = report(ReportedStatus::Stopped, vec![failed]);
    let stop = placed()
        .after_report(&facts(), &end, T1)
        .unwrap()
        .stop
        .unwrap();
    assert_eq!(stop.code, StopCode::TaskFailedToStart);
    assert_eq!(stop.reason, "CannotPullContainerError: no such image");
}

#[test]
fn a_task_whose_essential_container_cannot_start_failed_to_start_though_another_ran() {
    let mut failed = container("app", ContainerLast::Stopped, None);
    failed.reason = Some("CannotStartContainerError: no such program".into());
    let end = report(
        ReportedStatus::Stopped,
        vec![container("side", ContainerLast::Stopped, Some(137)), failed],
    );
    let stop = placed()
        .after_report(&facts(), &end, T1)
        .unwrap()
        .stop
        .unwrap();
    assert_eq!(stop.code, StopCode::TaskFailedToStart);
    assert_eq!(stop.reason, "CannotStartContainerError: no such program");
}

#[test]
fn a_decided_stop_keeps_its_reason_when_the_task_ends() {
    let task = running().stopping(user_stop()).unwrap();
    assert!(task.stop_due());
    assert_eq!(task.stopping(user_stop()), None);
    let end = report(
        ReportedStatus::Stopped,
        vec![
            container("app", ContainerLast::Stopped, Some(137)),
            container("side", ContainerLast::Stopped, Some(137)),
        ],
    );
    let task = task.after_report(&facts(), &end, T2).unwrap();
    assert_eq!(task.stop, Some(user_stop()));
    assert!(!task.stop_due());
}

#[test]
fn late_reports_never_lead_back() {
    let end = report(
        ReportedStatus::Stopped,
        vec![container("app", ContainerLast::Stopped, Some(0))],
    );
    let stopped = running().after_report(&facts(), &end, T2).unwrap();
    for late in [
        ReportedStatus::Pending,
        ReportedStatus::Running,
        ReportedStatus::Stopped,
    ] {
        let late = report(late, vec![container("app", ContainerLast::Running, None)]);
        assert_eq!(stopped.after_report(&facts(), &late, T2), None);
    }
    let pending = report(ReportedStatus::Pending, Vec::new());
    assert_eq!(running().after_report(&facts(), &pending, T2), None);
}

#[test]
fn a_lost_task_takes_its_agents_late_word_without_changing_why_it_stopped() {
    let gone = Stop {
        code: StopCode::TerminationNotice,
        reason: "gone".into(),
        at: T1,
    };
    let lost = running().lost(gone.clone()).unwrap();
    assert!(lost.stop_due(), "the agent has to be told when it is back");
    let end = report(
        ReportedStatus::Stopped,
        vec![container("app", ContainerLast::Stopped, Some(137))],
    );
    let ended = lost.after_report(&facts(), &end, T2).unwrap();
    assert_eq!(
        (ended.stop.clone(), ended.seen.stopped_at),
        (Some(gone), Some(T1))
    );
    assert!(!ended.stop_due());
    assert_eq!(ended.after_report(&facts(), &end, T2), None);
}

#[test]
fn a_start_is_due_until_the_first_report() {
    assert!(placed().start_due());
    let pending = report(ReportedStatus::Pending, Vec::new());
    assert!(
        !placed()
            .after_report(&facts(), &pending, T1)
            .unwrap()
            .start_due()
    );
    assert!(!running().start_due());
}

#[test]
fn a_task_that_was_never_placed_stops_at_once() {
    let mut waiting = placed();
    waiting.instance = None;
    let task = waiting.stopping(user_stop()).unwrap();
    assert_eq!(
        (task.last, task.seen.stopped_at),
        (LastStatus::Stopped, Some(T1))
    );
    assert!(!task.stop_due());
}

#[test]
fn only_essential_containers_with_a_check_make_the_tasks_health() {
    let task = running();
    assert_eq!(task.health(&facts()), Health::Unknown);
    let task = task
        .with_health(&facts(), &[("side", Health::Unhealthy)])
        .unwrap();
    assert_eq!(task.health(&facts()), Health::Unknown);
    let task = task
        .with_health(&facts(), &[("app", Health::Healthy)])
        .unwrap();
    assert_eq!(task.health(&facts()), Health::Healthy);
    assert_eq!(
        task.with_health(&facts(), &[("app", Health::Healthy)]),
        None
    );
    let task = task
        .with_health(&facts(), &[("app", Health::Unhealthy)])
        .unwrap();
    assert_eq!(task.health(&facts()), Health::Unhealthy);
}

#[test]
fn statuses_only_lead_forward() {
    use LastStatus::*;
    let statuses = [
        Provisioning,
        Pending,
        Activating,
        Running,
        Deactivating,
        Stopping,
        Deprovisioning,
        Stopped,
    ];
    let events = [
        TaskEvent::Placed,
        TaskEvent::Accepted,
        TaskEvent::Started,
        TaskEvent::StopSent,
        TaskEvent::Ended,
    ];
    for status in statuses {
        for event in events {
            if let Some(after) = status.after(event) {
                assert!(after > status, "{status:?} after {event:?} is {after:?}");
            }
        }
    }
}

#[test]
fn containers_of_one_task_have_ids_of_their_own() {
    let task = placed();
    let ids: std::collections::BTreeSet<_> = (0..10).map(|n| task.container_id(n)).collect();
    assert_eq!(ids.len(), 10);
    assert!(!ids.contains(&task.attachment_id()));
}

#[test]
fn a_task_reads_back_as_saved() {
    let task = running().stopping(user_stop()).unwrap();
    let saved = serde_json::to_string(&task).unwrap();
    assert_eq!(serde_json::from_str::<Task>(&saved).unwrap(), task);
}

/// A running task whose end nobody heard of.
fn ended_unseen() -> Task {
    let running = report(
        ReportedStatus::Running,
        vec![container("app", ContainerLast::Running, None)],
    );
    let running = placed().after_report(&facts(), &running, T0).unwrap();
    running.ended_unseen(T1).unwrap()
}

#[test]
fn a_task_that_its_agent_has_no_more_has_ended() {
    let ended = ended_unseen();
    assert_eq!(ended.last, LastStatus::Stopped);
    let stop = ended.stop.clone().unwrap();
    assert_eq!(stop.code, StopCode::EssentialContainerExited);
    assert_eq!(stop.reason, ENDED_UNSEEN);
    // Its agent is asked for its final word.
    assert!(ended.stop_due());
    assert_eq!(ended.ended_unseen(T2), None);
    // One that was never reported is still to be started, and one that is to stop is told so.
    assert_eq!(placed().ended_unseen(T1), None);
    let stop = Stop {
        code: StopCode::UserInitiated,
        reason: "x".into(),
        at: T0,
    };
    let running = report(ReportedStatus::Running, Vec::new());
    let running = placed().after_report(&facts(), &running, T0).unwrap();
    assert_eq!(running.stopping(stop).unwrap().ended_unseen(T1), None);
}

#[test]
fn the_late_word_on_a_task_that_ended_unseen_has_its_exit_code() {
    let late = vec![container("app", ContainerLast::Stopped, Some(3))];
    let ended = ended_unseen();
    let told = ended.after_report(&facts(), &report(ReportedStatus::Stopped, late), T2);
    let told = told.unwrap();
    assert_eq!(told.seen.containers[0].exit_code, Some(3));
    assert_eq!(told.stop, ended.stop);
    assert!(!told.stop_due());
}
