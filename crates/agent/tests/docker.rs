//! The Docker runtime against a real Docker.

mod support;

use berth_agent::runtime::{Runtime, Status};
use support::{Daemon, Running, shell, task};

#[tokio::test(flavor = "multi_thread")]
async fn a_container_runs_to_its_end_and_is_removed() {
    let daemon = Daemon::start().await;
    let runtime = daemon.runtime().await;
    let mut running = Running::prepare(
        &runtime,
        task("one", vec![shell("app", "echo hello; exit 7")]),
    )
    .await;
    let id = running.create(0).await;
    assert_eq!(running.create(0).await, id);
    let started = runtime.start(id.clone()).await.expect("started");
    assert!(started.started_at.is_some());
    let ended = running.ended("app").await;
    assert_eq!((ended.status, ended.exit_code), (Status::Exited, Some(7)));
    assert_eq!(daemon.docker(&["logs", &id]), "hello");
    let listed = runtime.list(&support::instance()).await.expect("listed");
    assert_eq!(listed, [ended]);
    running.remove().await;
    running.remove().await;
    assert_eq!(
        runtime.list(&support::instance()).await.expect("listed"),
        []
    );
}
