//! Input that no client sends: each gets an AWS error, and the server goes on.

use std::time::{Duration, SystemTime};

use berth_tests::{Answer, Server, Spec, api_request, exchange, run_berth, signed};

/// What memory may grow by, over all of this; the issue's own figure.
const GROWTH_MAX: u64 = 256 * 1024 * 1024;
const BODY_BYTES_MAX: usize = 1024 * 1024;

fn call(server: &Server, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let request = api_request("ListClusters", headers, body);
    exchange(server.address(), &request).unwrap()
}

fn fault(server: &Server, body: &[u8]) -> (String, u16) {
    call(server, &[], body).fault()
}

#[test]
fn bodies_that_no_request_may_have_are_refused() {
    let server = Spec::dev(&["--agents", "0"]).start();
    let before = server.resident_bytes();
    let serialization = ("SerializationException".to_owned(), 400);
    for (what, body) in [
        ("malformed", b"{\"maxResults\":".as_slice()),
        ("not an object", b"[]"),
        ("a wrong type", b"{\"maxResults\":\"many\"}"),
        ("bad UTF-8", b"{\"nextToken\":\"\xff\xfe\"}"),
        ("U+0000", b"{\"nextToken\":\"\\u0000\"}"),
        ("two values", b"{} {}"),
    ] {
        assert_eq!(fault(&server, body), serialization, "{what}");
    }
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(100), "]".repeat(100));
    assert_eq!(
        fault(&server, deep.as_bytes()),
        serialization,
        "deep nesting"
    );
    let deepest = format!("{{\"x\":{}", "[".repeat(500_000));
    assert_eq!(
        fault(&server, deepest.as_bytes()),
        serialization,
        "deepest nesting"
    );
    let large = format!("{{\"x\":\"{}\"}}", "y".repeat(BODY_BYTES_MAX));
    let too_large = ("RequestEntityTooLargeException".to_owned(), 413);
    assert_eq!(fault(&server, large.as_bytes()), too_large, "too large");
    // Unknown members are passed over, as Amazon ECS does.
    let unknown = call(&server, &[], b"{\"noSuchMember\":{\"a\":[1,2,{}]}}");
    assert_eq!(unknown.status, 200, "{}", unknown.body);
    let grown = server.resident_bytes().saturating_sub(before);
    assert!(grown < GROWTH_MAX, "memory grew by {grown} bytes");
    server.finish();
}

#[test]
fn values_that_break_the_models_rules_get_the_services_error() {
    let server = Spec::dev(&["--agents", "0"]).start();
    let aws = server.aws();
    let long = "n".repeat(256);
    for name in ["with space", "ümlaut", &long] {
        let refused = aws.try_run(&["ecs", "create-cluster", "--cluster-name", name]);
        assert_eq!(
            refused.unwrap_err().code,
            "InvalidParameterException",
            "{name:?}"
        );
    }
    let missing = aws.try_run(&["ecs", "list-tasks", "--cluster", "nowhere"]);
    assert_eq!(missing.unwrap_err().code, "ClusterNotFoundException");
    server.finish();
}

#[test]
fn requests_that_say_not_what_they_want_are_refused() {
    let server = Spec::dev(&["--agents", "0"]).start();
    for (what, headers) in [
        (
            "an unknown operation",
            ("X-Amz-Target", "AmazonEC2ContainerServiceV20141113.Dance"),
        ),
        (
            "an unknown service",
            ("X-Amz-Target", "Nothing_20200101.ListClusters"),
        ),
        ("no dot", ("X-Amz-Target", "ListClusters")),
        ("an empty target", ("X-Amz-Target", "")),
    ] {
        let (code, status) = call(&server, &[headers], b"{}").fault();
        assert_eq!(
            (code.as_str(), status),
            ("UnknownOperationException", 400),
            "{what}"
        );
    }
    for (what, authorization) in [
        ("nonsense", "nonsense"),
        ("another scheme", "Basic dGVzdDp0ZXN0"),
        ("no fields", "AWS4-HMAC-SHA256 "),
        (
            "an empty scope",
            "AWS4-HMAC-SHA256 Credential=, SignedHeaders=, Signature=",
        ),
    ] {
        let answer = call(&server, &[("Authorization", authorization)], b"{}");
        assert!((400..500).contains(&answer.status), "{what}: {answer:?}");
        assert!(!answer.fault().0.is_empty(), "{what}: {answer:?}");
    }
    server.finish();
}

#[test]
fn web_pages_are_kept_away_from_dev() {
    let server = Spec::dev(&["--agents", "0"]).start();
    assert_eq!(call(&server, &[], b"{}").status, 200);
    let page = call(&server, &[("Origin", "http://evil.example")], b"{}");
    assert_eq!(page.fault(), ("AccessDeniedException".to_owned(), 403));
    let rebound = call(&server, &[("Host", "evil.example:7070")], b"{}");
    assert_eq!(rebound.fault(), ("AccessDeniedException".to_owned(), 403));
    server.finish();
}

#[test]
fn signatures_that_are_forged_or_old_are_refused_by_serve() {
    let server = Spec::serve(&[]).start();
    let env = run_berth(&["env", "--data-dir", &server.data_dir()]);
    let exports = String::from_utf8_lossy(&env.stdout).into_owned();
    let value = |name: &str| {
        let line = exports
            .lines()
            .find_map(|line| line.strip_prefix(&format!("export {name}=")));
        line.unwrap().trim_end_matches(';').to_owned()
    };
    let (id, secret) = (value("AWS_ACCESS_KEY_ID"), value("AWS_SECRET_ACCESS_KEY"));
    #[expect(
        clippy::disallowed_methods,
        reason = "the server compares with the real clock"
    )]
    let now = SystemTime::now();
    let send = |secret: &str, at: SystemTime, body: &[u8], sent: &[u8]| {
        let signed = signed(server.address(), "ListClusters", body, (&id, secret), at);
        let headers: Vec<(&str, &str)> = signed
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let request = api_request("ListClusters", &headers, sent);
        exchange(server.address(), &request).unwrap()
    };
    let good = send(&secret, now, b"{}", b"{}");
    assert_eq!(good.status, 200, "{}", good.body);
    let old = Duration::from_secs(6 * 60);
    for (what, answer) in [
        ("forged", send("another secret", now, b"{}", b"{}")),
        (
            "another body",
            send(&secret, now, b"{}", b"{\"maxResults\":1}"),
        ),
        ("too old", send(&secret, now - old, b"{}", b"{}")),
        ("not yet valid", send(&secret, now + old, b"{}", b"{}")),
    ] {
        let (code, _) = answer.fault();
        assert_eq!(code, "InvalidSignatureException", "{what}: {answer:?}");
    }
    server.finish();
}

#[test]
fn bytes_that_are_no_http_do_no_harm() {
    let server = Spec::dev(&["--agents", "0"]).start();
    let long_header = format!(
        "GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n",
        "y".repeat(1 << 20)
    );
    for bytes in [
        b"\r\n\r\n\r\n".as_slice(),
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"POST / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n{}",
        long_header.as_bytes(),
    ] {
        if let Ok(answer) = exchange(server.address(), bytes) {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    assert_eq!(call(&server, &[], b"{}").status, 200);
    server.finish();
}
