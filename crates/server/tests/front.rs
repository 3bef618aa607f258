//! The HTTP front, over real sockets: who is let in, and what the rest is told.
#![allow(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

use std::net::SocketAddr;
use std::time::Duration;

use berth_reconcile::absence::Patience;
use berth_reconcile::purge::Retention;
use berth_server::{
    Access, AccessKey, Config, MetricsDetail, RateLimits, Running, WaitForRoom, start,
};
use berth_storage::{Location, LogLimits};
use berth_wire::sigv4::{Signer, Unsigned};
use http::{HeaderMap, Method};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const KEY: &str = "AKIDEXAMPLE";
const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

struct Server {
    running: Running,
    address: SocketAddr,
    _data: tempfile::TempDir,
}

async fn server(access: Access, local_only: bool) -> Server {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        tls: None,
        advertise_url: None,
        location: Location::Embedded {
            data_dir: data.path().to_owned(),
        },
        data_dir: data.path().to_owned(),
        holder: "test".into(),
        access,
        local_only,
        wait_until_ready: false,
        page_key: [1; 32],
        retention: Retention {
            stopped_tasks: Duration::from_secs(3600),
            stopped_tasks_max: 1000,
            inactive_instances: Duration::from_secs(3600),
            inactive_services: Duration::from_secs(3600),
        },
        log_limits: LogLimits {
            group_bytes_max: 1 << 20,
            all_bytes_max: 1 << 20,
        },
        patience: Patience {
            instance_lost_after: Duration::from_secs(15),
            task_lost_after: None,
        },
        metrics_detail: MetricsDetail::Service,
        service_healthy_after: Duration::ZERO,
        rate_limits: RateLimits::Off,
        move_over: false,
        task_history: Duration::ZERO,
        wait_for_room: WaitForRoom::default(),
    };
    let running = start(config).await.unwrap();
    let address = running.address();
    let server = Server {
        running,
        address,
        _data: data,
    };
    let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
    while !server
        .raw("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await
        .contains("200 OK")
    {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the server does not get healthy"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server
}

impl Server {
    /// Sends bytes and reads until the server closes.
    async fn raw(&self, request: &str) -> String {
        let request = request.replacen("\r\n", "\r\nConnection: close\r\n", 1);
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        // A server that refuses a body may reset the connection after its answer.
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn call(&self, target: &str, body: &str, headers: &HeaderMap) -> String {
        let mut text = format!("POST / HTTP/1.1\r\nX-Amz-Target: {target}\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {}\r\n", value.to_str().unwrap());
        }
        if !headers.contains_key("host") {
            text += "Host: localhost\r\n";
        }
        self.raw(&format!(
            "{text}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
        .await
    }

    async fn end(self) {
        let metrics = self
            .raw("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .await;
        assert!(metrics.contains("\nberth_panics_total 0\n"), "{metrics}");
        self.running.shutdown();
        self.running.wait().await.unwrap();
    }
}

const ANY_AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecs/aws4_request, \
     SignedHeaders=host;x-amz-date, \
     Signature=0000000000000000000000000000000000000000000000000000000000000000";

fn unverified() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("authorization", ANY_AUTHORIZATION.parse().unwrap());
    headers.insert("x-amz-date", "20260101T000000Z".parse().unwrap());
    headers
}

fn target(operation: &str) -> String {
    format!("AmazonEC2ContainerServiceV20141113.{operation}")
}

#[tokio::test]
async fn an_open_server_takes_any_credentials_and_keeps_foreigners_out() {
    let server = server(Access::Anybody, true).await;
    let answer = server
        .call(&target("ListClusters"), "{}", &unverified())
        .await;
    assert!(
        answer.contains("200 OK") && answer.contains("clusterArns"),
        "{answer}"
    );
    assert!(
        answer.to_lowercase().contains("x-amzn-requestid: "),
        "{answer}"
    );

    let none = server
        .call(&target("ListClusters"), "{}", &HeaderMap::new())
        .await;
    assert!(
        none.contains("400") && none.contains("MissingAuthenticationTokenException"),
        "{none}"
    );

    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let mut headers = unverified();
        headers.insert(name, value.parse().unwrap());
        let answer = server.call(&target("ListClusters"), "{}", &headers).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    }
    server.end().await;
}

#[tokio::test]
async fn what_is_no_call_and_what_is_not_served_are_told_apart() {
    let server = server(Access::Anybody, true).await;
    for (name, body, expected) in [
        (target("NoSuchOperation"), "{}", "UnknownOperationException"),
        (
            "Elsewhere.ListClusters".to_owned(),
            "{}",
            "UnknownOperationException",
        ),
        (
            target("CreateExpressGatewayService"),
            "{}",
            "UnsupportedOperationException",
        ),
        (target("ListClusters"), "{", "SerializationException"),
        (
            target("ListClusters"),
            r#"{"maxResults":"x"}"#,
            "SerializationException",
        ),
        (
            target("ListClusters"),
            r#"{"nextToken":"a\u0000"}"#,
            "SerializationException",
        ),
        (
            target("ListClusters"),
            &"[".repeat(1000),
            "SerializationException",
        ),
    ] {
        let answer = server.call(&name, body, &unverified()).await;
        assert!(
            answer.contains("400 Bad Request") && answer.contains(expected),
            "{name}: {answer}"
        );
    }
    let large = format!("{{\"nextToken\":\"{}\"}}", "x".repeat(1024 * 1024));
    let answer = server
        .call(&target("ListClusters"), &large, &unverified())
        .await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let page = server
        .raw("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .await;
    assert!(page.contains("UnknownOperationException"), "{page}");
    server.end().await;
}

fn signed(secret: &str, body: &str, host: &str, age: Duration) -> HeaderMap {
    let signer = Signer {
        access_key_id: KEY.into(),
        secret_access_key: secret.into(),
        session_token: None,
        region: "us-east-1".into(),
        service: "ecs".into(),
    };
    let mut headers = HeaderMap::new();
    headers.insert("host", host.parse().unwrap());
    let unsigned = Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body: body.as_bytes(),
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the server under test reads the real clock"
    )]
    let now = std::time::SystemTime::now() - age;
    let mut all = signer.sign(&unsigned, now).unwrap();
    all.insert("host", host.parse().unwrap());
    all
}

#[tokio::test]
async fn a_serving_server_checks_key_signature_and_time() {
    let key = AccessKey {
        id: KEY.into(),
        secret: SECRET.into(),
        account: "123456789012".parse().unwrap(),
    };
    let server = server(Access::keys([key]), false).await;
    let host = server.address.to_string();
    let fresh = Duration::ZERO;

    let body = r#"{"clusterName":"mine"}"#;
    let good = signed(SECRET, body, &host, fresh);
    let answer = server.call(&target("CreateCluster"), body, &good).await;
    assert!(
        answer.contains("arn:aws:ecs:us-east-1:123456789012:cluster/mine"),
        "{answer}"
    );

    let other_body = server
        .call(
            &target("CreateCluster"),
            r#"{"clusterName":"other"}"#,
            &good,
        )
        .await;
    assert!(
        other_body.contains("InvalidSignatureException"),
        "{other_body}"
    );

    let forged = signed("not the secret", body, &host, fresh);
    let answer = server.call(&target("CreateCluster"), body, &forged).await;
    assert!(answer.contains("InvalidSignatureException"), "{answer}");

    let old = signed(SECRET, body, &host, Duration::from_secs(6 * 60));
    let answer = server.call(&target("CreateCluster"), body, &old).await;
    assert!(answer.contains("Signature expired"), "{answer}");

    let answer = server
        .call(&target("ListClusters"), "{}", &unverified())
        .await;
    assert!(answer.contains("UnrecognizedClientException"), "{answer}");
    server.end().await;
}
