//! The endpoints as a client sees them, without Docker.

use std::net::Ipv4Addr;
use std::sync::Arc;

use berth_agent_proto::task::{
    Association, AssociationContent, Container, Credentials, DockerConfig, RestartPolicy, Task,
};
use expect_test::{Expect, expect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::*;
use crate::clock::Clock;
use crate::directory::{ContainerView, Known, TaskView};
use crate::http::{ApiClient, Dialer, Keys};
use crate::runtime::{Binding, Health, TaskNetwork};

const TASK: &str = "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa";
const INSTANCE: &str = "arn:aws:ecs:us-east-1:000000000000:container-instance/default/bbbb";

fn container(name: &str) -> Container {
    let host = r#"{"LogConfig":{"Type":"awslogs","Config":{"awslogs-group":"g"}}}"#;
    Container {
        name: name.to_owned(),
        image: "nginx:1".to_owned(),
        container_arn: Some(format!("{TASK}/{name}")),
        cpu: 128,
        memory: 256,
        health_check_type: Some("docker".to_owned()),
        restart_policy: Some(RestartPolicy {
            enabled: true,
            ..RestartPolicy::default()
        }),
        docker_config: Some(DockerConfig {
            host_config: Some(host.to_owned()),
            ..DockerConfig::default()
        }),
        ..Container::default()
    }
}

fn shown(token: &str, known: Known) -> ContainerView {
    ContainerView {
        token: token.into(),
        known,
        runtime_id: Some("0123".into()),
        image_digest: None,
        exit_code: (known == Known::Stopped).then_some(3),
        created_at: Some(1_795_192_092_838),
        started_at: Some(1_795_192_093_000),
        finished_at: (known == Known::Stopped).then_some(1_795_192_099_000),
        health: Health::Healthy,
        health_since: Some(1_795_192_095_000),
        restarts: 2,
        bindings: vec![Binding {
            bind_ip: "0.0.0.0".to_owned(),
            protocol: "tcp".to_owned(),
            container: (80, 80),
            host: (32_768, 32_768),
            range: false,
        }],
    }
}

fn view(network: Option<TaskNetwork>) -> TaskView {
    let task = Task {
        arn: TASK.to_owned(),
        family: "web".to_owned(),
        version: "3".to_owned(),
        cpu: Some(0.5),
        memory: Some(512),
        launch_type: Some("EC2".to_owned()),
        service_name: Some("front".to_owned()),
        network_mode: network.as_ref().map(|_| "awsvpc".to_owned()),
        containers: vec![container("app"), container("side")],
        associations: vec![Association {
            name: "GPU-1".to_owned(),
            kind: "gpu".to_owned(),
            containers: vec!["app".to_owned()],
            content: AssociationContent {
                encoding: "identity".to_owned(),
                value: "content".to_owned(),
            },
        }],
        role_credentials: Some(Credentials {
            credentials_id: "cred-1".to_owned(),
            ..Credentials::default()
        }),
        ..Task::default()
    };
    TaskView {
        task: Arc::new(task),
        wanted: true,
        known: Known::Running,
        pull_started_at: Some(1_795_192_090_000),
        pull_stopped_at: Some(1_795_192_091_000),
        execution_stopped_at: None,
        network,
        containers: vec![
            shown("app-token", Known::Running),
            shown("side-token", Known::Stopped),
        ],
    }
}

struct Fixture {
    server: MetadataServer,
    directory: Arc<Directory>,
    _folder: tempfile::TempDir,
}

/// A server whose own server is nowhere.
async fn serve(view: TaskView) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    // Loopback addresses are there without anyone's doing.
    let gateways = Gateways {
        bridge: Some(Ipv4Addr::new(127, 0, 0, 2).into()),
        tasks: Ipv4Addr::new(127, 0, 0, 3).into(),
    };
    let server = MetadataServer::start(MetadataSettings {
        port_file: folder.path().join("metadata-port"),
        docker: None,
        gateways,
    });
    let server = server.await.unwrap();
    let directory = Arc::new(Directory::new("default".into(), INSTANCE.into()));
    directory.put(view);
    let keys = Keys {
        access_key_id: "AKID".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
    };
    let dialer = Dialer::new(None).unwrap();
    let nowhere = "http://127.0.0.1:1".parse().unwrap();
    let api = ApiClient::new(dialer, nowhere, "0", Clock::start()).unwrap();
    let ecs = EcsClient::new(api, Arc::new(keys), "us-east-1".into(), "default".into());
    server.serve(ServedAgent {
        directory: Arc::clone(&directory),
        ecs,
        zone: Some("us-east-1a".to_owned()),
    });
    Fixture {
        server,
        directory,
        _folder: folder,
    }
}

impl Fixture {
    /// Sends a request and gives the status and the body.
    async fn ask(&self, request: &str) -> String {
        self.ask_at(Ipv4Addr::LOCALHOST, request, "").await
    }

    async fn ask_at(&self, address: Ipv4Addr, request: &str, body: &str) -> String {
        let mut stream = TcpStream::connect((address, self.server.port()))
            .await
            .unwrap();
        let length = body.len();
        let text = format!(
            "{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        format!("{status} {body}")
    }

    async fn check(&self, request: &str, expected: Expect) {
        let answer = self.ask(request).await;
        let (status, body) = answer.split_once(' ').unwrap();
        let value: serde_json::Value = serde_json::from_str(body).unwrap();
        expected.assert_eq(&format!("{status} {value:#}"));
    }
}

#[tokio::test]
async fn a_container_sees_itself() {
    let fixture = serve(view(None)).await;
    fixture
        .check(
            "GET /v4/app-token",
            expect![[r#"
        200 {
          "ContainerARN": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa/app",
          "CreatedAt": "2026-11-20T16:28:12.838Z",
          "DesiredStatus": "RUNNING",
          "DockerId": "0123",
          "DockerName": "",
          "Health": {
            "status": "HEALTHY",
            "statusSince": "2026-11-20T16:28:15.000Z"
          },
          "Image": "nginx:1",
          "ImageID": "",
          "KnownStatus": "RUNNING",
          "Labels": {
            "com.amazonaws.ecs.cluster": "default",
            "com.amazonaws.ecs.container-name": "app",
            "com.amazonaws.ecs.task-arn": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa",
            "com.amazonaws.ecs.task-definition-family": "web",
            "com.amazonaws.ecs.task-definition-version": "3"
          },
          "Limits": {
            "CPU": 128,
            "Memory": 256
          },
          "LogDriver": "awslogs",
          "LogOptions": {
            "awslogs-group": "g"
          },
          "Name": "app",
          "Networks": [
            {
              "IPv4Addresses": [],
              "NetworkMode": "bridge"
            }
          ],
          "Ports": [
            {
              "ContainerPort": 80,
              "HostIp": "0.0.0.0",
              "HostPort": 32768,
              "Protocol": "tcp"
            }
          ],
          "RestartCount": 2,
          "StartedAt": "2026-11-20T16:28:13.000Z",
          "Type": "NORMAL"
        }"#]],
        )
        .await;
    fixture
        .check(
            "GET /v3/side-token",
            expect![[r#"
        200 {
          "CreatedAt": "2026-11-20T16:28:12.838Z",
          "DesiredStatus": "RUNNING",
          "DockerId": "0123",
          "DockerName": "",
          "ExitCode": 3,
          "FinishedAt": "2026-11-20T16:28:19.000Z",
          "Health": {
            "status": "HEALTHY",
            "statusSince": "2026-11-20T16:28:15.000Z"
          },
          "Image": "nginx:1",
          "ImageID": "",
          "KnownStatus": "STOPPED",
          "Labels": {
            "com.amazonaws.ecs.cluster": "default",
            "com.amazonaws.ecs.container-name": "side",
            "com.amazonaws.ecs.task-arn": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa",
            "com.amazonaws.ecs.task-definition-family": "web",
            "com.amazonaws.ecs.task-definition-version": "3"
          },
          "Limits": {
            "CPU": 128,
            "Memory": 256
          },
          "Name": "side",
          "Networks": [
            {
              "IPv4Addresses": [],
              "NetworkMode": "bridge"
            }
          ],
          "Ports": [
            {
              "ContainerPort": 80,
              "HostIp": "0.0.0.0",
              "HostPort": 32768,
              "Protocol": "tcp"
            }
          ],
          "RestartCount": 2,
          "StartedAt": "2026-11-20T16:28:13.000Z",
          "Type": "NORMAL"
        }"#]],
        )
        .await;
    let unknown = fixture.ask("GET /v4/nobody").await;
    assert!(unknown.starts_with("404 \""), "{unknown}");
}

#[tokio::test]
async fn a_task_is_shown_with_its_network_and_containers() {
    let network = TaskNetwork {
        ip: Ipv4Addr::new(10, 113, 0, 2).into(),
        mac: "02:42:0a:71:00:02".to_owned(),
        subnet: "10.113.0.0/16".to_owned(),
        gateway: Some(Ipv4Addr::new(10, 113, 0, 1).into()),
        handle: "holder".to_owned(),
    };
    let mut view = view(Some(network));
    view.containers.truncate(1);
    let fixture = serve(view).await;
    fixture.check("GET /v4/app-token/task", expect![[r#"
        200 {
          "AvailabilityZone": "us-east-1a",
          "Cluster": "default",
          "Containers": [
            {
              "ContainerARN": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa/app",
              "CreatedAt": "2026-11-20T16:28:12.838Z",
              "DesiredStatus": "RUNNING",
              "DockerId": "0123",
              "DockerName": "",
              "Health": {
                "status": "HEALTHY",
                "statusSince": "2026-11-20T16:28:15.000Z"
              },
              "Image": "nginx:1",
              "ImageID": "",
              "KnownStatus": "RUNNING",
              "Labels": {
                "com.amazonaws.ecs.cluster": "default",
                "com.amazonaws.ecs.container-name": "app",
                "com.amazonaws.ecs.task-arn": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa",
                "com.amazonaws.ecs.task-definition-family": "web",
                "com.amazonaws.ecs.task-definition-version": "3"
              },
              "Limits": {
                "CPU": 128,
                "Memory": 256
              },
              "LogDriver": "awslogs",
              "LogOptions": {
                "awslogs-group": "g"
              },
              "Name": "app",
              "Networks": [
                {
                  "AttachmentIndex": 0,
                  "IPv4Addresses": [
                    "10.113.0.2"
                  ],
                  "IPv4SubnetCIDRBlock": "10.113.0.0/16",
                  "MACAddress": "02:42:0a:71:00:02",
                  "NetworkMode": "awsvpc",
                  "SubnetGatewayIpv4Address": "10.113.0.1/16"
                }
              ],
              "Ports": [
                {
                  "ContainerPort": 80,
                  "HostIp": "0.0.0.0",
                  "HostPort": 32768,
                  "Protocol": "tcp"
                }
              ],
              "RestartCount": 2,
              "StartedAt": "2026-11-20T16:28:13.000Z",
              "Type": "NORMAL"
            }
          ],
          "DesiredStatus": "RUNNING",
          "Family": "web",
          "FaultInjectionEnabled": false,
          "KnownStatus": "RUNNING",
          "LaunchType": "EC2",
          "Limits": {
            "CPU": 0.5,
            "Memory": 512
          },
          "PullStartedAt": "2026-11-20T16:28:10.000Z",
          "PullStoppedAt": "2026-11-20T16:28:11.000Z",
          "Revision": "3",
          "ServiceName": "front",
          "TaskARN": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa"
        }"#]]).await;
}

#[tokio::test]
async fn tags_that_cannot_be_had_are_errors_beside_the_task() {
    let fixture = serve(view(None)).await;
    let answer = fixture.ask("GET /v4/app-token/taskWithTags").await;
    assert!(answer.starts_with("200 "), "{answer}");
    assert!(answer.contains(r#""ErrorField":"TaskTags""#), "{answer}");
    assert!(
        answer.contains(r#""ErrorField":"ContainerInstanceTags""#),
        "{answer}"
    );
}

#[tokio::test]
async fn credentials_are_given_by_their_id_alone() {
    let fixture = serve(view(None)).await;
    fixture
        .check(
            "GET /v2/credentials/cred-1",
            expect![[r#"
            400 {
              "HTTPErrorCode": 400,
              "code": "InvalidIdInRequest",
              "message": "CredentialsV2Request: Credentials not found"
            }"#]],
        )
        .await;
    fixture.directory.put_credentials("cred-1", None);
    fixture
        .check(
            "GET /v2/credentials/cred-1",
            expect![[r#"
            503 {
              "HTTPErrorCode": 503,
              "code": "CredentialsUninitialized",
              "message": "CredentialsV2Request: Credentials uninitialized for ID"
            }"#]],
        )
        .await;
    let found = Credentials {
        credentials_id: "cred-1".to_owned(),
        role_arn: "arn:role".to_owned(),
        access_key_id: "AKIA".to_owned(),
        secret_access_key: "s".to_owned(),
        session_token: "t".to_owned(),
        expiration: "2026-12-01T00:00:00Z".to_owned(),
    };
    fixture.directory.put_credentials("cred-1", Some(found));
    fixture
        .check(
            "GET /v1/credentials?id=cred-1",
            expect![[r#"
            200 {
              "AccessKeyId": "AKIA",
              "Expiration": "2026-12-01T00:00:00Z",
              "RoleArn": "arn:role",
              "SecretAccessKey": "s",
              "Token": "t"
            }"#]],
        )
        .await;
    fixture
        .check(
            "GET /v1/credentials",
            expect![[r#"
        400 {
          "HTTPErrorCode": 400,
          "code": "NoIdInRequest",
          "message": "CredentialsV2Request: No Credential ID in the request"
        }"#]],
        )
        .await;
}

#[tokio::test]
async fn task_protection_needs_the_tasks_own_role_and_a_request_that_can_be_read() {
    let fixture = serve(view(None)).await;
    let path = "/api/app-token/task-protection/v1/state";
    fixture
        .check(
            &format!("GET {path}"),
            expect![[r#"
        403 {
          "error": {
            "Arn": "arn:aws:ecs:us-east-1:000000000000:task/default/aaaa",
            "Code": "AccessDeniedException",
            "Message": "Invalid Request: no task IAM role credentials available for task"
          }
        }"#]],
        )
        .await;
    let put = format!("PUT {path}");
    for body in ["", "{", "{}", r#"{"ProtectionEnabled":true,"Color":1}"#] {
        let answer = fixture.ask_at(Ipv4Addr::LOCALHOST, &put, body).await;
        assert!(answer.starts_with("400 "), "{body}: {answer}");
    }
    let answer = fixture
        .ask("GET /api/nobody/task-protection/v1/state")
        .await;
    assert!(answer.starts_with("404 "), "{answer}");
    let answer = fixture
        .ask("POST /api/app-token/fault/v1/network-latency/start")
        .await;
    assert!(answer.starts_with("400 "), "{answer}");
}

#[tokio::test]
async fn associations_are_those_of_the_container() {
    let fixture = serve(view(None)).await;
    let list = |token: &str| format!("GET /v4/{token}/associations/gpu");
    assert_eq!(
        fixture.ask(&list("app-token")).await,
        r#"200 {"Associations":["GPU-1"]}"#
    );
    assert_eq!(
        fixture.ask(&list("side-token")).await,
        r#"200 {"Associations":[]}"#
    );
    let one = fixture
        .ask("GET /v4/app-token/associations/gpu/GPU-1")
        .await;
    assert_eq!(one, r#"200 "content""#);
}

#[tokio::test]
async fn every_network_has_its_address_and_the_port_stays() {
    let fixture = serve(view(None)).await;
    let base = fixture.server.base();
    let port = fixture.server.port();
    let mode = |mode: &str| Task {
        network_mode: Some(mode.to_owned()),
        ..Task::default()
    };
    let address = |text: &str| Some(format!("http://{text}:{port}"));
    assert_eq!(base(&mode("bridge"), None), address("127.0.0.2"));
    assert_eq!(base(&Task::default(), None), address("127.0.0.2"));
    assert_eq!(base(&mode("host"), None), address("127.0.0.1"));
    assert_eq!(base(&mode("none"), None), None);
    for last in [2, 3] {
        let gateway = Ipv4Addr::new(127, 0, 0, last);
        // Its listener is bound by a task of its own.
        while TcpStream::connect((gateway, port)).await.is_err() {
            tokio::task::yield_now().await;
        }
        let answer = fixture.ask_at(gateway, "GET /v4/app-token", "").await;
        assert!(answer.starts_with("200 "), "{answer}");
    }
    let settings = MetadataSettings {
        port_file: fixture._folder.path().join("metadata-port"),
        docker: None,
        gateways: fixture.server.gateways,
    };
    drop(fixture.server);
    let again = MetadataServer::start(settings).await.unwrap();
    assert_eq!(again.port(), port);
}

#[tokio::test]
async fn a_client_that_asks_too_often_is_told_so_and_bad_paths_are_not_found() {
    let fixture = serve(view(None)).await;
    for path in [
        "/",
        "/v4",
        "/v4/app-token/x",
        "/v2/metadata",
        "/v9/app-token",
        "/v4/app-token/task/stats/x",
    ] {
        let answer = fixture.ask(&format!("GET {path}")).await;
        assert!(answer.starts_with("40"), "{path}: {answer}");
    }
    assert!(fixture.ask("POST /v4/app-token").await.starts_with("405"));
    let mut refused = false;
    for _ in 0..200 {
        refused |= fixture.ask("GET /v4/nobody").await.starts_with("429");
    }
    assert!(refused);
}
