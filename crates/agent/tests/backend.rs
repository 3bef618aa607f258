//! The agent against a server of a few lines: registration, work, reports, restarts.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use berth_agent::agent::{self, Shared};
use berth_agent::clock::Clock;
use berth_agent::config::{AgentConfig, Capacity};
use berth_agent::fleet;
use berth_agent::http::{ApiClient, Dialer, Keys};
use berth_agent::journal::{Journal, JournalError};
use berth_agent::kept;
use berth_agent::runtime::PullBehavior;
use berth_agent::runtime::simulated::{RunTime, Simulated, SimulatedConfig};
use berth_agent_proto::server::{AcsConfig, AcsOutput, AcsSession, DueTask, TcsOutput, TcsSession};
use berth_agent_proto::task::{Container, Task};
use berth_model::id::TaskId;
use berth_model::task::Desired;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const INSTANCE: &str = "arn:aws:ecs:r:1:container-instance/default/00";

/// What the server saw and wants.
#[derive(Default)]
struct Books {
    registrations: Vec<Value>,
    reports: Vec<Value>,
    wanted: BTreeMap<TaskId, (Desired, Task)>,
    acked: Vec<(TaskId, Desired)>,
    health: Vec<String>,
    counter: u32,
    /// How many reports are answered with an error first.
    refuse_reports: u32,
}

#[derive(Clone)]
struct Backend {
    books: Arc<Mutex<Books>>,
    changed: Arc<watch::Sender<u64>>,
    url: String,
}

impl Backend {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            books: Arc::default(),
            changed: Arc::new(watch::Sender::new(0)),
            url: format!("http://{}", listener.local_addr().unwrap()),
        };
        let router = Router::new()
            .route("/", post(api))
            .route("/acs/ws", get(acs))
            .route("/tcs/ws", get(tcs))
            .with_state(backend.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        backend
    }

    fn change<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        let result = change(&mut self.books.lock().unwrap());
        self.changed.send_modify(|n| *n += 1);
        result
    }

    /// Waits until something holds.
    async fn until(&self, what: &str, holds: impl Fn(&Books) -> bool) {
        let mut changed = self.changed.subscribe();
        let wait = async {
            while !holds(&self.books.lock().unwrap()) {
                changed.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(Duration::from_secs(20), wait)
            .await
            .is_err()
        {
            let books = self.books.lock().unwrap();
            panic!("not in time: {what}; reports: {:#?}", books.reports);
        }
    }

    fn want(&self, n: u8, desired: Desired, environment: &[(&str, &str)]) {
        let id = TaskId::from_bytes([n; 16]);
        let environment = environment.iter();
        let environment = environment.map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        let task = Task {
            arn: arn(n),
            desired_status: desired.as_str().to_owned(),
            containers: vec![Container {
                name: "app".to_owned(),
                image: "busybox".to_owned(),
                essential: true,
                environment: Some(environment.collect()),
                health_check_type: Some("docker".to_owned()),
                ..Container::default()
            }],
            ..Task::default()
        };
        self.change(|books| books.wanted.insert(id, (desired, task)));
    }
}

fn arn(n: u8) -> String {
    format!(
        "arn:aws:ecs:r:1:task/default/{}",
        TaskId::from_bytes([n; 16])
    )
}

async fn api(
    State(backend): State<Backend>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, String) {
    let signed = headers.get("authorization").unwrap().to_str().unwrap();
    assert!(signed.contains("/ecs/aws4_request"), "{signed}");
    let target = headers.get("x-amz-target").unwrap().to_str().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    let answer = match target.rsplit('.').next().unwrap() {
        "RegisterContainerInstance" => {
            backend.change(|books| books.registrations.push(body));
            json!({"containerInstance": {"containerInstanceArn": INSTANCE}})
        }
        "DiscoverPollEndpoint" => json!({
            "endpoint": format!("{}/acs", backend.url),
            "telemetryEndpoint": format!("{}/tcs/", backend.url),
        }),
        "SubmitTaskStateChange" => {
            let refused = backend.change(|books| {
                let refuse = books.refuse_reports > 0;
                books.refuse_reports = books.refuse_reports.saturating_sub(1);
                if !refuse {
                    books.reports.push(body);
                }
                refuse
            });
            if refused {
                let error = json!({"__type": "ServerException", "message": "later"});
                return (StatusCode::INTERNAL_SERVER_ERROR, error.to_string());
            }
            json!({})
        }
        other => panic!("unexpected call of {other}"),
    };
    (StatusCode::OK, answer.to_string())
}

async fn acs(
    State(backend): State<Backend>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.on_upgrade(|socket| serve_acs(backend, socket))
}

async fn serve_acs(backend: Backend, mut socket: WebSocket) {
    let clock = Clock::start();
    let config = AcsConfig {
        cluster_arn: "arn:aws:ecs:r:1:cluster/default".to_owned(),
        instance_arn: INSTANCE.to_owned(),
        epoch: 1,
        counter: backend.books.lock().unwrap().counter,
        send_credentials: false,
        seed: 1,
    };
    let mut session = AcsSession::new(config, 0);
    let mut changed = backend.changed.subscribe();
    let mut out = Vec::new();
    loop {
        let due = backend.change_quietly(|books| {
            let wanted = books.wanted.iter();
            let due = wanted.filter(|(id, (desired, task))| {
                let last = books.reports.iter().rev().find(|r| r["task"] == task.arn);
                let last = last.map(|r| r["status"].as_str().unwrap_or_default());
                let needed = match desired {
                    Desired::Running => last.is_none(),
                    Desired::Stopped => last != Some("STOPPED"),
                };
                needed && session.wants(**id, *desired)
            });
            let due = due.map(|(id, (desired, task))| DueTask {
                id: *id,
                desired: *desired,
                task: task.clone(),
            });
            due.collect::<Vec<_>>()
        });
        session.poll(clock.now(), &mut out);
        session.deliver(clock.now(), due, &mut out);
        for output in std::mem::take(&mut out) {
            match output {
                AcsOutput::Send(message) => {
                    let counter = session.counter();
                    backend.change_quietly(|books| books.counter = counter);
                    if socket.send(Message::text(message.encode())).await.is_err() {
                        return;
                    }
                }
                AcsOutput::Ping => {
                    let _ = socket.send(Message::Ping(Bytes::new())).await;
                }
                AcsOutput::Acked(tasks) => backend.change(|books| books.acked.extend(tasks)),
                AcsOutput::Close(close) => panic!("{close:?}"),
                _ => {}
            }
        }
        tokio::select! {
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => {
                    session.received(clock.now(), text.as_str(), &mut out);
                }
                Some(Ok(_)) => session.sign_of_life(clock.now(), &mut out),
                Some(Err(_)) | None => return,
            },
            _ = changed.changed() => {}
            () = tokio::time::sleep_until(clock.instant(session.due())) => {}
        }
    }
}

impl Backend {
    fn change_quietly<T>(&self, change: impl FnOnce(&mut Books) -> T) -> T {
        change(&mut self.books.lock().unwrap())
    }
}

async fn tcs(
    State(backend): State<Backend>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    upgrade.on_upgrade(|mut socket| async move {
        let mut session = TcsSession::new(1, 0);
        while let Some(Ok(message)) = socket.recv().await {
            let mut out = Vec::new();
            if let Message::Text(text) = message {
                assert!(text.starts_with("Authorization: AWS4-HMAC-SHA256"));
                session.received(0, text.as_str(), &mut out);
            }
            for output in out {
                match output {
                    TcsOutput::Send(message) => {
                        let _ = socket.send(Message::text(message.encode())).await;
                    }
                    TcsOutput::Health(reports) => backend.change(|books| {
                        let lines = reports.iter().map(|r| {
                            format!("{} {} {}", r.task_arn, r.container, r.health.as_str())
                        });
                        books.health.extend(lines);
                    }),
                    TcsOutput::Ignored(text) => panic!("{text}"),
                    _ => {}
                }
            }
        }
    })
}

struct Running {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
    }
}

fn config() -> AgentConfig {
    AgentConfig {
        number: 0,
        cluster: "default".to_owned(),
        region: "us-east-1".to_owned(),
        keys: Arc::new(Keys {
            access_key_id: "a".to_owned(),
            secret_access_key: "b".to_owned(),
            session_token: None,
        }),
        capacity: Capacity {
            instance: true,
            fargate: true,
        },
        machine: Some("m1".to_owned()),
        zone: Some("us-east-1a".to_owned()),
        attributes: BTreeMap::new(),
        cpu_units: None,
        memory_mib: Some(1_000),
        reserved_ports: vec![22],
        cleanup_wait: Duration::from_secs(3_600),
        stop_timeout: Duration::from_secs(30),
        pull_behavior: PullBehavior::PreferCached,
        version: "0.1.0".to_owned(),
        hash: "test".to_owned(),
        seed: 1,
        metrics: false,
        reports: true,
        metadata_base: None,
    }
}

/// Opens the journal as soon as the agent before has let go of it.
fn open(folder: &Path) -> (Journal, berth_agent::journal::Loaded) {
    for _ in 0..1_000_000 {
        match Journal::open(folder) {
            Err(JournalError::InUse(_)) => std::thread::yield_now(),
            other => return other.unwrap(),
        }
    }
    panic!("the journal is not let go");
}

async fn run(backend: &Backend, folder: &Path, agents: Vec<AgentConfig>) -> Running {
    let folder = folder.to_owned();
    let opened = tokio::task::spawn_blocking(move || open(&folder));
    let (journal, loaded) = opened.await.unwrap();
    let clock = Clock::start();
    let simulated = SimulatedConfig {
        seed: 7,
        cpu_units: 4_096,
        memory_mib: 8_192,
        run: RunTime::Forever,
        failure_percent: 0,
        gpus: Vec::new(),
    };
    let runtime = Simulated::start(simulated, clock, journal.clone(), &loaded);
    let dialer = Dialer::new(None).unwrap();
    let api = ApiClient::new(dialer, backend.url.parse().unwrap(), "0.1.0", clock).unwrap();
    let shared = Shared::new(runtime, journal, api, clock);
    let cancel = CancellationToken::new();
    let kept = kept::by_agent(&loaded);
    let token = cancel.clone();
    let task = tokio::spawn(async move {
        fleet::run(agents, &shared, kept, vec![agent::Outlook::new()], token)
            .await
            .unwrap();
    });
    Running { cancel, task }
}

fn statuses(books: &Books, n: u8) -> Vec<String> {
    let arn = arn(n);
    let of_task = books.reports.iter().filter(|r| r["task"] == arn);
    of_task
        .map(|r| r["status"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_task_is_run_reported_stopped_and_survives_a_restart_of_the_agent() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start().await;
    let first = run(&backend, folder.path(), vec![config()]).await;
    backend.want(1, Desired::Running, &[]);
    backend.want(2, Desired::Running, &[]);
    let running = |books: &Books, n| statuses(books, n) == ["RUNNING"];
    backend
        .until("both run", |b| running(b, 1) && running(b, 2))
        .await;
    backend.until("both acked", |b| b.acked.len() == 2).await;
    backend
        .until("health on TCS", |b| {
            b.health.contains(&format!("{} app HEALTHY", arn(1)))
        })
        .await;
    backend.want(2, Desired::Stopped, &[]);
    backend
        .until("two is stopped", |b| {
            statuses(b, 2) == ["RUNNING", "STOPPED"]
        })
        .await;
    first.stop().await;

    let second = run(&backend, folder.path(), vec![config()]).await;
    backend
        .until("registered again", |b| b.registrations.len() == 2)
        .await;
    backend.want(1, Desired::Stopped, &[]);
    backend
        .until("one is stopped", |b| {
            statuses(b, 1) == ["RUNNING", "STOPPED"]
        })
        .await;
    second.stop().await;

    let books = backend.books.lock().unwrap();
    let [first, second] = &books.registrations[..] else {
        panic!("two registrations");
    };
    assert_eq!(first.get("containerInstanceArn"), None);
    assert_eq!(second["containerInstanceArn"], INSTANCE);
    assert_ne!(first["clientToken"], second["clientToken"]);
    let attribute = |name: &str| {
        let list = first["attributes"].as_array().unwrap();
        list.iter().find(|a| a["name"] == name).cloned().unwrap()
    };
    assert_eq!(attribute("berth.capacity")["value"], "instance,fargate");
    assert_eq!(attribute("berth.machine")["value"], "m1");
    assert_eq!(attribute("ecs.availability-zone")["value"], "us-east-1a");
    let stopped = books
        .reports
        .iter()
        .find(|r| r["status"] == "STOPPED")
        .unwrap();
    assert_eq!(stopped["containers"][0]["exitCode"], 143);
    assert!(stopped["executionStoppedAt"].is_number());
}

#[tokio::test]
async fn an_end_while_the_agent_was_away_is_reported_after_its_return() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start().await;
    let first = run(&backend, folder.path(), vec![config()]).await;
    backend.want(
        1,
        Desired::Running,
        &[("BERTH_SIM_RUN_MS", "1500"), ("BERTH_SIM_EXIT_CODE", "5")],
    );
    backend
        .until("it runs", |b| statuses(b, 1) == ["RUNNING"])
        .await;
    first.stop().await;
    assert_eq!(statuses(&backend.books.lock().unwrap(), 1), ["RUNNING"]);
    // The second process takes longer to see it than it has left to run, or sees its end live:
    // either way it must be told once.
    let second = run(&backend, folder.path(), vec![config()]).await;
    backend
        .until("its end", |b| statuses(b, 1) == ["RUNNING", "STOPPED"])
        .await;
    second.stop().await;
    let books = backend.books.lock().unwrap();
    assert_eq!(books.reports[1]["containers"][0]["exitCode"], 5);
}

#[tokio::test]
async fn reports_are_sent_until_they_are_stored_and_failures_have_their_reason() {
    let folder = tempfile::tempdir().unwrap();
    let backend = Backend::start().await;
    backend.change(|books| books.refuse_reports = 3);
    let agent = run(&backend, folder.path(), vec![config()]).await;
    backend.want(1, Desired::Running, &[("BERTH_SIM_FAIL", "pull")]);
    backend
        .until("its end", |b| statuses(b, 1) == ["STOPPED"])
        .await;
    agent.stop().await;
    let books = backend.books.lock().unwrap();
    assert_eq!(
        books.reports[0]["containers"][0]["reason"],
        "CannotPullContainerError: told to fail by its environment"
    );
}
