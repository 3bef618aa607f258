//! The AWS SDK for Rust as a client: whole lives, waiters, paginators, typed errors and repeated
//! calls, against `berth dev` with real Docker and `berth serve` with keys.

#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_ecs::Client;
use aws_sdk_ecs::client::Waiters;
use aws_sdk_ecs::config::retry::RetryConfig;
use aws_sdk_ecs::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_ecs::error::ProvideErrorMetadata;
use aws_sdk_ecs::types::{
    ClusterField, ClusterSetting, ClusterSettingName, ContainerDefinition, DesiredStatus,
    KeyValuePair, SortOrder, Tag, TaskDefinitionStatus, TaskField, TaskStopCode,
};
use berth_tests::{Docker, IMAGE, Key, Process, SOON, Server, Spec, wait_for};

/// How long a waiter may take: a task starts within seconds, and ends within its stop timeout.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// As users have it, but for the endpoint and the keys.
fn client(url: &str, id: &str, secret: &str) -> Client {
    let http = aws_smithy_http_client::Builder::new().build_http();
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .endpoint_url(url)
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(id, secret, None, None, "tests"))
        .retry_config(RetryConfig::standard())
        .http_client(http)
        .build();
    Client::from_conf(config)
}

/// `berth serve` with one key, which is the client's.
fn serve() -> (Server, Client) {
    let server = Key::TESTS.taken_by(Spec::serve(&[])).start();
    let client = client(&server.url(), Key::TESTS.id, Key::TESTS.secret);
    (server, client)
}

fn container() -> ContainerDefinition {
    ContainerDefinition::builder()
        .name("main")
        .image(IMAGE)
        .memory(32)
        .build()
}

async fn register(client: &Client, family: &str, container: ContainerDefinition) -> String {
    let call = client.register_task_definition().family(family);
    let answer = call.container_definitions(container).send().await.unwrap();
    let definition = answer.task_definition().unwrap();
    assert_eq!(definition.status(), Some(&TaskDefinitionStatus::Active));
    definition.task_definition_arn().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_a_task_and_its_container_live_and_end() {
    let docker = Docker::get();
    let spec = Spec::dev(&["--agent-cpu", "1024", "--agent-memory", "512"]);
    let server = docker.serving(spec).start();
    let client = client(&server.url(), "test", "test");

    let created = client.create_cluster().cluster_name("sdk");
    let created = created.send().await.unwrap();
    assert_eq!(created.cluster().unwrap().status(), Some("ACTIVE"));
    let patient = container();
    let patient = ContainerDefinition::builder()
        .set_name(patient.name)
        .set_image(patient.image)
        .memory(32)
        .set_command(Some(["sleep", "600"].map(str::to_owned).to_vec()))
        .stop_timeout(2)
        .build();
    let definition = register(&client, "sdk", patient).await;
    assert!(
        definition.ends_with(":task-definition/sdk:1"),
        "{definition}"
    );

    // The machine is in the cluster that nobody has to name.
    let ran = client
        .run_task()
        .task_definition("sdk")
        .tags(Tag::builder().key("suite").value("sdk").build());
    let ran = ran.send().await.unwrap();
    assert_eq!((ran.tasks().len(), ran.failures().len()), (1, 0));
    let task = ran.tasks()[0].task_arn().unwrap().to_owned();
    let running = client.wait_until_tasks_running().tasks(&task);
    let running = running.wait(WAIT_MAX).await.unwrap().into_result().unwrap();
    let container = &running.tasks()[0].containers()[0];
    assert_eq!(container.last_status(), Some("RUNNING"));
    let id = container.runtime_id().unwrap().to_owned();
    assert_eq!(
        docker.run(&["inspect", "--format", "{{.State.Running}}", &id]),
        "true"
    );

    let stopped = client.stop_task().task(&task).reason("enough");
    stopped.send().await.unwrap();
    let stopped = client.wait_until_tasks_stopped().tasks(&task);
    let stopped = stopped.wait(WAIT_MAX).await.unwrap().into_result().unwrap();
    let stopped = &stopped.tasks()[0];
    assert_eq!(stopped.stop_code(), Some(&TaskStopCode::UserInitiated));
    assert_eq!(stopped.stopped_reason(), Some("enough"));
    assert!(stopped.stopped_at().unwrap() >= stopped.started_at().unwrap());
    let seen = client
        .describe_tasks()
        .tasks(&task)
        .include(TaskField::Tags);
    let seen = seen.send().await.unwrap();
    assert_eq!(seen.tasks()[0].tags()[0].key(), Some("suite"));

    let gone = client
        .deregister_task_definition()
        .task_definition(&definition);
    let gone = gone.send().await.unwrap();
    let status = gone.task_definition().unwrap().status();
    assert_eq!(status, Some(&TaskDefinitionStatus::Inactive));
    let deleted = client.delete_cluster().cluster("sdk").send().await.unwrap();
    assert_eq!(deleted.cluster().unwrap().status(), Some("INACTIVE"));
    server.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_made_changed_and_deleted() {
    let server = Spec::dev(&["--runtime", "simulated"]).start();
    let client = client(&server.url(), "test", "test");
    let first = register(&client, "web", container()).await;
    let second = register(&client, "web", container()).await;
    let made = client.create_service().service_name("web");
    let made = made.task_definition(&first).desired_count(1);
    let made = made.send().await.unwrap();
    let arn = made.service().unwrap().service_arn().unwrap().to_owned();
    let stable = client.wait_until_services_stable().services(&arn);
    stable.wait(WAIT_MAX).await.unwrap().into_result().unwrap();

    let changed = client.update_service().service("web").desired_count(2);
    let changed = changed.task_definition(&second).send().await.unwrap();
    assert_eq!(changed.service().unwrap().desired_count(), 2);
    let stable = client.wait_until_services_stable().services(&arn);
    stable.wait(WAIT_MAX).await.unwrap().into_result().unwrap();
    let seen = client.describe_services().services("web").send().await;
    let seen = seen.unwrap().services()[0].clone();
    assert_eq!((seen.running_count(), seen.deployments().len()), (2, 1));
    assert_eq!(seen.task_definition(), Some(second.as_str()));
    let setting = ClusterSetting::builder()
        .name(ClusterSettingName::ContainerInsights)
        .value("enabled")
        .build();
    let changed = client.update_cluster_settings().cluster("default");
    let changed = changed.settings(setting.clone()).send().await.unwrap();
    assert_eq!(changed.cluster().unwrap().settings(), [setting]);

    let gone = client.delete_service().service("web").force(true);
    gone.send().await.unwrap();
    let inactive = client.wait_until_services_inactive().services(&arn);
    inactive
        .wait(WAIT_MAX)
        .await
        .unwrap()
        .into_result()
        .unwrap();
    server.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn paginators_hand_out_everything_once() {
    let (server, client) = serve();
    let mut expected = BTreeSet::new();
    for number in 0..23 {
        let name = format!("cluster-{number}");
        let created = client.create_cluster().cluster_name(&name).send();
        let cluster = created.await.unwrap().cluster.unwrap();
        expected.insert(cluster.cluster_arn.unwrap());
    }
    let pages = client.list_clusters().max_results(5).into_paginator();
    let mut pages = pages.send();
    let (mut seen, mut count) = (Vec::new(), 0);
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        assert!(page.cluster_arns().len() <= 5);
        seen.extend(page.cluster_arns().to_vec());
        count += 1;
    }
    assert_eq!((count, seen.len()), (5, 23));
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>(), expected);

    for number in 0..12 {
        let _ = register(&client, &format!("family-{}", number % 3), container()).await;
    }
    let list = client.list_task_definitions().sort(SortOrder::Desc);
    let arns = list.into_paginator().page_size(5).items().send();
    let arns: Vec<String> = arns.collect::<Result<_, _>>().await.unwrap();
    assert_eq!(arns.len(), 12);
    assert!(
        arns[0].ends_with("family-2:4") && arns[11].ends_with("family-0:1"),
        "{arns:?}"
    );
    let families = client.list_task_definition_families().into_paginator();
    let families = families.page_size(2).items().send();
    let families: Vec<String> = families.collect::<Result<_, _>>().await.unwrap();
    assert_eq!(families, ["family-0", "family-1", "family-2"]);
    server.finish();
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_arrive_as_their_types() {
    let (server, client) = serve();
    let refused = client.list_tasks().cluster("nowhere").send().await;
    let refused = refused.unwrap_err().into_service_error();
    assert!(refused.is_cluster_not_found_exception(), "{refused:?}");
    assert_eq!(refused.message(), Some("Cluster not found."));
    assert!(
        refused.meta().extra("aws_request_id").is_some(),
        "{refused:?}"
    );

    client.create_cluster().send().await.unwrap();
    let refused = client.run_task().task_definition("none").send().await;
    let refused = refused.unwrap_err().into_service_error();
    assert!(refused.is_client_exception(), "{refused:?}");
    let refused = client.describe_task_definition().task_definition("none");
    let refused = refused.send().await.unwrap_err().into_service_error();
    assert!(refused.is_client_exception(), "{refused:?}");
    let refused = client
        .create_cluster()
        .cluster_name("not a name")
        .send()
        .await;
    let refused = refused.unwrap_err().into_service_error();
    assert!(refused.is_invalid_parameter_exception(), "{refused:?}");
    let refused = client
        .stop_task()
        .task("0123456789abcdef0123456789abcdef")
        .send();
    let refused = refused.await.unwrap_err().into_service_error();
    assert!(refused.is_invalid_parameter_exception(), "{refused:?}");

    let missing = client
        .describe_clusters()
        .clusters("default")
        .clusters("nowhere");
    let missing = missing
        .include(ClusterField::Statistics)
        .send()
        .await
        .unwrap();
    assert_eq!(missing.clusters().len(), 1);
    assert_eq!(missing.failures()[0].reason(), Some("MISSING"));

    let forger = self::client(&server.url(), Key::TESTS.id, "not the secret");
    let refused = forger.list_clusters().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("InvalidSignatureException"));
    let stranger = self::client(&server.url(), "AKIASTRANGER", "any");
    let refused = stranger.list_clusters().send().await.unwrap_err();
    assert_eq!(refused.code(), Some("UnrecognizedClientException"));
    server.finish();
}

/// Simulated agents of a server with keys.
fn agents(server: &Server, folder: &tempfile::TempDir) -> Process {
    let data = folder.path().join("agents").display().to_string();
    let arguments = ["agent", "--cluster", "default", "--runtime", "simulated"];
    let where_to = ["--server", &server.url(), "--data-dir", &data];
    let agents = Process::start(
        &[&arguments[..], &where_to].concat(),
        &[
            ("AWS_ACCESS_KEY_ID", Key::TESTS.id),
            ("AWS_SECRET_ACCESS_KEY", Key::TESTS.secret),
        ],
        &folder.path().join("log"),
    );
    wait_for("the agent to be connected", SOON, || {
        (server.metric("berth_agents_connected") == 1.0).then_some(())
    });
    agents
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_repeated_with_its_token_happens_once() {
    let (mut server, client) = serve();
    client.create_cluster().send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut agents = agents(&server, &folder);
    let brief = ContainerDefinition::builder()
        .name("main")
        .image("image")
        .memory(8)
        .environment(
            KeyValuePair::builder()
                .name("BERTH_SIM_RUN_MS")
                .value("300")
                .build(),
        )
        .build();
    let _ = register(&client, "brief", brief).await;
    let run = |token: &str, count: i32| {
        let call = client.run_task().task_definition("brief").count(count);
        call.client_token(token).send()
    };
    let arns = |tasks: &[aws_sdk_ecs::types::Task]| {
        let arns = tasks.iter().map(|task| task.task_arn().unwrap().to_owned());
        arns.collect::<BTreeSet<_>>()
    };
    let first = arns(run("once", 3).await.unwrap().tasks());
    assert_eq!(first.len(), 3);
    assert_eq!(arns(run("once", 3).await.unwrap().tasks()), first);
    let other = run("once", 2).await.unwrap_err().into_service_error();
    assert!(other.is_conflict_exception(), "{other:?}");

    // The server goes away under the client, whose own retries carry the call over, with the
    // token that the SDK made for it.
    server.kill();
    let carried = client.clone();
    let config = Config::builder().retry_config(
        RetryConfig::standard()
            .with_max_attempts(30)
            .with_max_backoff(Duration::from_millis(500)),
    );
    let call = carried.run_task().task_definition("brief").customize();
    let call = call.config_override(config).send();
    let call = tokio::spawn(call);
    server.restart();
    let carried = call.await.unwrap().unwrap();
    let second = match carried.tasks() {
        // The agent may not be back yet.
        [] => {
            assert_eq!(carried.failures()[0].reason(), Some("AGENT"));
            BTreeSet::new()
        }
        tasks => arns(tasks),
    };
    assert_eq!(
        arns(run("once", 3).await.unwrap().tasks()),
        first,
        "after the crash"
    );

    let all: BTreeSet<String> = first.union(&second).cloned().collect();
    let listed = || async {
        let stopped = client.list_tasks().desired_status(DesiredStatus::Stopped);
        let items = stopped.into_paginator().items().send();
        let items: Vec<String> = items.collect::<Result<_, _>>().await.unwrap();
        items.into_iter().collect::<BTreeSet<_>>()
    };
    let waited = client
        .wait_until_tasks_stopped()
        .set_tasks(Some(all.iter().cloned().collect()));
    waited.wait(WAIT_MAX).await.unwrap();
    assert_eq!(listed().await, all);
    agents.kill();
    server.finish();
}
