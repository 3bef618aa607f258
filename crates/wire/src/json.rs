//! awsJson 1.1: bodies in and out.

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde::ser::SerializeMap;

use crate::{Fault, REQUEST_ID_HEADER, check_body_size};

mod refusal;
mod scan;
mod write;

pub use scan::{NESTING_MAX, ScanError, scan};
pub use write::{Members, WriteJson};

/// The content type of requests and answers.
pub const CONTENT_TYPE_JSON_1_1: &str = "application/x-amz-json-1.1";

/// Decodes a request body; an empty one is `{}`.
///
/// # Errors
/// `SerializationException` for what is not JSON, nests too deep, holds U+0000, or has a value of
/// another type than `T` wants; status 413 for a body over the limit.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, Fault> {
    check_body_size(body.len())?;
    let text = std::str::from_utf8(body).map_err(|_| refusal::not_utf8())?;
    let text = if text.trim_ascii().is_empty() {
        "{}"
    } else {
        text
    };
    scan(text).map_err(refusal::unfit)?;
    serde_json::from_str(text).map_err(|error| refusal::undecodable(&error))
}

/// Where a body's buffer begins: most answers fit, and the long ones soon double past it.
const BODY_BYTES_FIRST: usize = 1024;

/// An answer of status 200 with `output` as its body.
pub fn respond<T: WriteJson>(output: &T, request_id: &str) -> Response<Bytes> {
    let mut body = Vec::with_capacity(BODY_BYTES_FIRST);
    output.write_json(&mut body);
    response(StatusCode::OK, body.into(), request_id)
}

/// The answer of a call whose body is JSON already.
#[must_use]
pub fn respond_body(body: Vec<u8>, request_id: &str) -> Response<Bytes> {
    response(StatusCode::OK, body.into(), request_id)
}

/// The answer of a failed call.
#[must_use]
pub fn respond_fault(fault: &Fault, request_id: &str) -> Response<Bytes> {
    let status = StatusCode::from_u16(fault.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = serde_json::to_vec(&FaultBody(fault))
        .expect("text and JSON values under text keys always serialize");
    response(status, body.into(), request_id)
}

struct FaultBody<'a>(&'a Fault);

impl Serialize for FaultBody<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Fault {
            code,
            message,
            status: _,
            fields,
            cause: _,
        } = self.0;
        let mut map = serializer.serialize_map(Some(2 + fields.len()))?;
        map.serialize_entry("__type", code)?;
        map.serialize_entry("message", message)?;
        for (name, value) in fields {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

fn response(status: StatusCode, body: Bytes, request_id: &str) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(CONTENT_TYPE_JSON_1_1),
    );
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID_HEADER, id);
    }
    response
}
