//! Signed API calls: made beforehand for the load, or made and answered one at a time.

use std::net::SocketAddr;

use anyhow::{Context, Result, bail};
use berth_wire::sigv4::{Signer, Unsigned};
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

use crate::clock;
use crate::connection::Connection;

/// The access key that servers of this program are started with, as the environment names them.
pub(crate) const ACCESS_KEY_ID: &str = "AKIABERTHBENCH000000";
/// Its secret. The server listens on loopback alone, and only while something is measured.
pub(crate) const SECRET_ACCESS_KEY: &str = "figures-are-measured-on-loopback-alone00";
/// The region that everything is measured in.
pub(crate) const REGION: &str = "us-east-1";

const TARGET: &str = "x-amz-target";
const SERVICE_PREFIX: &str = "AmazonEC2ContainerServiceV20141113";

/// Who signs.
pub(crate) fn signer() -> Signer {
    Signer {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        session_token: None,
        region: REGION.to_owned(),
        service: "ecs".to_owned(),
    }
}

/// The bytes of a signed request, to be sent as often as is liked for the next five minutes:
/// signing costs as much as the server's checking and is no part of what is measured.
pub(crate) fn signed(address: SocketAddr, operation: &str, body: &Value) -> Result<Vec<u8>> {
    let body = serde_json::to_vec(body)?;
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::from_str(&address.to_string())?);
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("application/x-amz-json-1.1"),
    );
    let target = format!("{SERVICE_PREFIX}.{operation}");
    headers.insert(TARGET, HeaderValue::from_str(&target)?);
    let unsigned = Unsigned {
        method: &Method::POST,
        path_and_query: "/",
        headers: &headers,
        body: &body,
    };
    headers.extend(signer().sign(&unsigned, clock::wall())?);
    let mut request = b"POST / HTTP/1.1\r\n".to_vec();
    for (name, value) in &headers {
        request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    request.extend(format!("content-length: {}\r\n\r\n", body.len()).into_bytes());
    request.extend(body);
    Ok(request)
}

/// A client for setting up, one call at a time.
pub(crate) struct Api {
    pub(crate) address: SocketAddr,
    connection: Connection,
}

impl Api {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let connection = Connection::open(address)?;
        Ok(Self {
            address,
            connection,
        })
    }

    /// One call.
    ///
    /// # Errors
    /// When there is no answer, or the answer is a fault, with its text.
    pub(crate) fn call(&mut self, operation: &str, body: &Value) -> Result<Value> {
        let request = signed(self.address, operation, body)?;
        let answer = self
            .connection
            .call(&request)
            .context(operation.to_owned())?;
        if answer.status != 200 {
            let text = String::from_utf8_lossy(answer.body);
            bail!("{operation} answered {}: {text}", answer.status);
        }
        serde_json::from_slice(answer.body).context(operation.to_owned())
    }

    /// The text of a page that needs no signature.
    pub(crate) fn get(&mut self, path: &str) -> Result<(u16, String)> {
        let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", self.address);
        let answer = self.connection.call(request.as_bytes())?;
        let text = String::from_utf8_lossy(answer.body).into_owned();
        Ok((answer.status, text))
    }
}
