//! HTTP byte by byte, for what no client would send.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use http::{HeaderMap, Method};

/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers, as they came.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Answer {
    /// The fault's code without namespace, and its status.
    #[must_use]
    pub fn fault(&self) -> (String, u16) {
        let body: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        let code = body["__type"].as_str().unwrap_or_default();
        let bare = code.rsplit('#').next().unwrap_or_default();
        (bare.to_owned(), self.status)
    }
}

/// Sends bytes and reads until the server closes, or has sent what it announced.
///
/// # Errors
/// When there is no connection, or nothing that is HTTP comes back.
pub fn exchange(address: &str, request: &[u8]) -> std::io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(ANSWER_MAX))?;
    stream.set_write_timeout(Some(ANSWER_MAX))?;
    // A server may answer and hang up before it has read all; the answer still counts.
    let sent = stream.write_all(request);
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(_) if !received.is_empty() => break,
            Err(error) => return Err(sent.err().unwrap_or(error)),
        }
        if is_whole(&received) {
            break;
        }
    }
    parse(&received).ok_or_else(|| std::io::Error::other("no HTTP answer"))
}

fn is_whole(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((head, _)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let named = name.eq_ignore_ascii_case("content-length");
        named.then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    length.is_some_and(|length| received.len() >= head.len() + 4 + length)
}

fn parse(received: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(received);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer {
        status,
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// A call of an ECS operation, as the clients of `berth dev` send it: signed by nobody in
/// particular. `headers` are added, or take the place of those of the same name.
#[must_use]
pub fn api_request(operation: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    let length = body.len().to_string();
    let authorization = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/ecs/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=\
         0000000000000000000000000000000000000000000000000000000000000000";
    let usual = [
        ("Host", "127.0.0.1"),
        ("Content-Type", "application/x-amz-json-1.1"),
        ("X-Amz-Target", &target),
        ("X-Amz-Date", "20260101T000000Z"),
        ("Authorization", authorization),
        ("Content-Length", &length),
        ("Connection", "close"),
    ];
    let replaced = |name: &str| {
        headers
            .iter()
            .any(|(given, _)| given.eq_ignore_ascii_case(name))
    };
    let kept = usual.iter().filter(|(name, _)| !replaced(name));
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in kept.chain(headers) {
        request += &format!("{name}: {value}\r\n");
    }
    request += "\r\n";
    [request.as_bytes(), body].concat()
}

/// The headers that sign a call of an ECS operation, or of another service's by its whole
/// target, as of `at`.
#[must_use]
pub fn signed(
    address: &str,
    operation: &str,
    body: &[u8],
    (id, secret): (&str, &str),
    at: std::time::SystemTime,
) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let (target, service) = match operation.starts_with("Logs_") {
        true => (operation.to_owned(), "logs"),
        false => (
            format!("AmazonEC2ContainerServiceV20141113.{operation}"),
            "ecs",
        ),
    };
    headers.insert("host", address.parse().expect("an address is a header"));
    headers.insert("x-amz-target", target.parse().expect("a name is a header"));
    let signer = berth_wire::sigv4::Signer {
        access_key_id: id.to_owned(),
        secret_access_key: secret.to_owned(),
        session_token: None,
        region: "us-east-1".to_owned(),
        service: service.to_owned(),
    };
    let unsigned = berth_wire::sigv4::Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body,
    };
    let more = signer
        .sign(&unsigned, at)
        .expect("the request can be signed");
    headers.extend(more);
    headers
}
