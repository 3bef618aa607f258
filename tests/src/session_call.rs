//! Calls signed with temporary credentials.

use std::time::SystemTime;

use berth_wire::sigv4::{Signer, Unsigned};
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::raw::{Answer, exchange};

/// A call of ECS signed with temporary credentials, as the API and agents spell them: whatever
/// comes of it.
///
/// # Panics
/// When there is no answer, or the credentials are none.
#[expect(clippy::disallowed_methods, reason = "a signature is of its time")]
#[must_use]
pub fn call_in_session(
    address: &str,
    credentials: &Value,
    operation: &str,
    input: &Value,
) -> Answer {
    let text = |key: &str| {
        credentials[key]
            .as_str()
            .expect("credentials are text")
            .to_owned()
    };
    let signer = Signer {
        access_key_id: text("accessKeyId"),
        secret_access_key: text("secretAccessKey"),
        session_token: Some(text("sessionToken")),
        region: "us-east-1".to_owned(),
        service: "ecs".to_owned(),
    };
    let body = input.to_string();
    let mut headers = HeaderMap::new();
    headers.insert("host", address.parse().expect("it is a header"));
    let target = format!("AmazonEC2ContainerServiceV20141113.{operation}");
    headers.insert("x-amz-target", target.parse().expect("it is a header"));
    let unsigned = Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body: body.as_bytes(),
    };
    headers.extend(
        signer
            .sign(&unsigned, SystemTime::now())
            .expect("it can be signed"),
    );
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in &headers {
        request += &format!("{name}: {}\r\n", value.to_str().expect("headers are text"));
    }
    request += &format!(
        "content-type: application/x-amz-json-1.1\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    exchange(address, request.as_bytes()).expect("the server answers")
}
