//! Calls of the server's API, and the sockets under them and under the websockets.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use berth_wire::sigv4::{Signer, Unsigned};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::header::{CONTENT_TYPE, HOST, HeaderMap, HeaderValue, USER_AGENT};
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::clock::Clock;

/// How long dialling with TLS may take. The stock agent allows 30 s; a server of one's own that
/// does not answer in ten is better asked again.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);

/// How long one call may take, with room for the 30 s that the server lets a report wait for its
/// database.
const CALL_TIMEOUT: Duration = Duration::from_secs(42);

/// The largest answer taken. A registration's answer echoes the attributes, a few KiB.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many idle connections to the server are kept for all agents of the process: one for each
/// report that can be under way, so that a fleet at work does not open and close them all the time.
const IDLE_CONNECTIONS: usize = crate::agent::REPORTS_AT_ONCE;

/// How long a connection may be idle. Less than the 10 s after which our server closes one, so
/// that a request seldom meets a connection that is just being closed.
const IDLE_MAX: Duration = Duration::from_secs(8);

const TARGET_PREFIX: &str = "AmazonEC2ContainerServiceV20141113";

/// Why an HTTP client cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The file of certificates cannot be read.
    #[error("could not read the certificates in {0}")]
    Certificates(String, #[source] io::Error),
    /// TLS cannot be set up with them.
    #[error("could not set TLS up")]
    Tls(#[source] rustls::Error),
}

/// A TCP connection, with TLS or without.
#[derive(Debug)]
pub enum Stream {
    /// Without.
    Plain(TcpStream),
    /// With.
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// Opens connections.
#[derive(Clone)]
pub struct Dialer {
    tls: TlsConnector,
}

impl Dialer {
    /// Trusts the system's certificates, or only those of `ca_file` when there is one.
    ///
    /// # Errors
    /// When the file cannot be read, or TLS cannot be set up.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, HttpError> {
        let mut roots = rustls::RootCertStore::empty();
        match ca_file {
            Some(path) => {
                let failed = |e| HttpError::Certificates(path.display().to_string(), e);
                let bytes = std::fs::read(path).map_err(failed)?;
                let mut named = 0;
                for certificate in rustls_pemfile::certs(&mut bytes.as_slice()) {
                    named += 1;
                    let added = roots.add(certificate.map_err(failed)?);
                    added.map_err(HttpError::Tls)?;
                }
                if named == 0 {
                    return Err(failed(io::Error::other("there is none in it")));
                }
            }
            // A machine without certificates can still speak plain HTTP.
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(HttpError::Tls)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
        })
    }

    /// Connects to where `uri` (`http` or `https`) points.
    ///
    /// # Errors
    /// When it names no host, or nobody answers there in time.
    pub async fn dial(&self, uri: &Uri) -> io::Result<Stream> {
        let bad = |text: &str| io::Error::new(io::ErrorKind::InvalidInput, text.to_owned());
        let host = uri.host().ok_or_else(|| bad("the URL names no host"))?;
        let host = host
            .trim_start_matches('[')
            .trim_end_matches(']')
            .to_owned();
        let encrypted = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(bad("the URL is neither http nor https")),
        };
        let port = uri.port_u16().unwrap_or(if encrypted { 443 } else { 80 });
        let dial = async {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            if !encrypted {
                return Ok(Stream::Plain(stream));
            }
            let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
            let stream = self.tls.connect(name, stream).await?;
            Ok(Stream::Tls(Box::new(stream)))
        };
        match tokio::time::timeout(DIAL_TIMEOUT, dial).await {
            Ok(result) => result,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }
}

impl tower::Service<Uri> for Dialer {
    type Response = TokioIo<Stream>;
    type Error = io::Error;
    type Future = BoxFuture<'static, io::Result<TokioIo<Stream>>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let dialer = self.clone();
        Box::pin(async move { dialer.dial(&uri).await.map(TokioIo::new) })
    }
}

/// Keys to sign with.
#[derive(Clone)]
pub struct Keys {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The token of temporary keys.
    pub session_token: Option<String>,
}

impl Keys {
    /// Who signs with them.
    #[must_use]
    pub fn signer(self, region: &str, service: &str) -> Signer {
        Signer {
            access_key_id: self.access_key_id,
            secret_access_key: self.secret_access_key,
            session_token: self.session_token,
            region: region.to_owned(),
            service: service.to_owned(),
        }
    }
}

/// Where keys come from. Asked before every signature, so that rotated keys are taken up;
/// one that reads a file keeps what it read for a while.
pub trait KeySource: Send + Sync {
    /// The keys to use now.
    ///
    /// # Errors
    /// When there are none at present, with the reason.
    fn keys(&self) -> Result<Keys, String>;
}

impl KeySource for Keys {
    fn keys(&self) -> Result<Keys, String> {
        Ok(self.clone())
    }
}

/// Why a call brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The server answered with an error.
    #[error("{code}: {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The error's code without a namespace, or the status when there was none.
        code: String,
        /// Its message.
        message: String,
    },
    /// There was no usable answer.
    #[error("no usable answer: {0}")]
    Failed(String),
}

impl CallError {
    /// Whether the server answered with this code.
    #[must_use]
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == wanted)
    }

    /// Whether nobody answered, or somebody who does not serve yet.
    #[must_use]
    pub fn is_away(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status == StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed(_) => true,
        }
    }
}

/// A client of one server, shared by all agents of the process.
#[derive(Clone)]
pub struct ApiClient {
    client: Client<Dialer, Full<Bytes>>,
    dialer: Dialer,
    server: Uri,
    host: HeaderValue,
    clock: Clock,
    user_agent: HeaderValue,
}

impl ApiClient {
    /// A client of the server at `server`, an `http` or `https` URL. `version` is told it.
    ///
    /// # Errors
    /// When the URL has no host.
    pub fn new(
        dialer: Dialer,
        server: Uri,
        version: &str,
        clock: Clock,
    ) -> Result<Self, CallError> {
        let bad = |text: &str| CallError::Failed(text.to_owned());
        let authority = server
            .authority()
            .ok_or_else(|| bad("the URL names no host"))?;
        let host = HeaderValue::from_str(authority.as_str());
        let host = host.map_err(|_| bad("the URL's host cannot be sent"))?;
        let user_agent = HeaderValue::from_str(&format!("berth-agent/{version}"));
        let user_agent = user_agent.map_err(|_| bad("the version cannot be sent"))?;
        let client = Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .pool_idle_timeout(IDLE_MAX)
            .pool_timer(TokioTimer::new())
            .build(dialer.clone());
        Ok(Self {
            client,
            dialer,
            server,
            host,
            clock,
            user_agent,
        })
    }

    /// Opens connections as this client does.
    #[must_use]
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// Calls an operation of ECS.
    ///
    /// # Errors
    /// When the server refuses, or does not answer with a JSON object in time.
    pub async fn call(
        &self,
        signer: &Signer,
        operation: &str,
        body: Vec<u8>,
    ) -> Result<Value, CallError> {
        let target = format!("{TARGET_PREFIX}.{operation}");
        let (status, body) = self.exchange(signer, &target, body).await?;
        read_answer(status, &body)
    }

    /// Calls an operation of another service by its whole `X-Amz-Target`. Some answer with an
    /// empty body, which is given as an empty object.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub async fn call_target(
        &self,
        signer: &Signer,
        target: &str,
        body: Vec<u8>,
    ) -> Result<Value, CallError> {
        let (status, body) = self.exchange(signer, target, body).await?;
        if status.is_success() && body.is_empty() {
            return Ok(Value::Object(serde_json::Map::new()));
        }
        read_answer(status, &body)
    }

    /// Gets what the server has at a path with its query, signed, piece by piece.
    ///
    /// # Errors
    /// When the server refuses, or does not begin to answer in time.
    pub async fn get(&self, signer: &Signer, path_and_query: &str) -> Result<Pieces, CallError> {
        let target = (Method::GET, path_and_query);
        let request = self.signed(signer, target, HeaderMap::new(), Vec::new())?;
        let exchange = async {
            let answer = self.client.request(request).await;
            let answer = answer.map_err(|e| CallError::Failed(chain(&e)))?;
            if answer.status().is_success() {
                return Ok(Pieces(answer.into_body()));
            }
            let status = answer.status();
            let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
            let body = body.collect().await;
            let body = body.map_err(|e| CallError::Failed(chain(&*e)))?.to_bytes();
            let refused = read_answer(status, &body).err();
            Err(refused.unwrap_or_else(|| CallError::Failed(format!("status {status}"))))
        };
        match tokio::time::timeout(CALL_TIMEOUT, exchange).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Failed("timed out".to_owned())),
        }
    }

    /// A request with these headers to sign.
    fn signed(
        &self,
        signer: &Signer,
        (method, path_and_query): (Method, &str),
        mut headers: HeaderMap,
        body: Vec<u8>,
    ) -> Result<Request<Full<Bytes>>, CallError> {
        let failed = |error: &dyn std::error::Error| CallError::Failed(chain(error));
        headers.insert(HOST, self.host.clone());
        let unsigned = Unsigned {
            method: &method,
            path_and_query,
            headers: &headers,
            body: &body,
        };
        let signed = signer.sign(&unsigned, self.clock.wall());
        headers.extend(signed.map_err(|e| failed(&e))?);
        headers.insert(USER_AGENT, self.user_agent.clone());
        let mut parts = self.server.clone().into_parts();
        let path_and_query = path_and_query.parse::<http::uri::PathAndQuery>();
        parts.path_and_query = Some(path_and_query.map_err(|e| failed(&e))?);
        let uri = Uri::from_parts(parts).map_err(|e| failed(&e))?;
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        Ok(request)
    }

    async fn exchange(
        &self,
        signer: &Signer,
        target: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let exchange = self.exchange_untimed(signer, target, body);
        match tokio::time::timeout(CALL_TIMEOUT, exchange).await {
            Ok(result) => result,
            Err(_) => Err(CallError::Failed("timed out".to_owned())),
        }
    }

    async fn exchange_untimed(
        &self,
        signer: &Signer,
        target: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), CallError> {
        let failed = |error: &dyn std::error::Error| CallError::Failed(chain(error));
        let mut headers = HeaderMap::new();
        let json = HeaderValue::from_static("application/x-amz-json-1.1");
        headers.insert(CONTENT_TYPE, json);
        let target = HeaderValue::from_str(target);
        headers.insert("x-amz-target", target.map_err(|e| failed(&e))?);
        let request = self.signed(signer, (Method::POST, "/"), headers, body)?;
        let answer = self.client.request(request).await.map_err(|e| failed(&e))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_BYTES_MAX);
        let body = body.collect().await;
        let body = body.map_err(|e| CallError::Failed(chain(&*e)))?;
        Ok((status, body.to_bytes()))
    }
}

/// The answer to a GET, whose body comes in pieces.
pub struct Pieces(Incoming);

impl Pieces {
    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// When the connection broke off.
    pub async fn next(&mut self) -> Result<Option<Bytes>, CallError> {
        while let Some(frame) = self.0.frame().await {
            let frame = frame.map_err(|e| CallError::Failed(chain(&e)))?;
            // What is no data is a trailer, of which nothing is expected.
            if let Ok(piece) = frame.into_data() {
                return Ok(Some(piece));
            }
        }
        Ok(None)
    }
}

fn read_answer(status: StatusCode, body: &[u8]) -> Result<Value, CallError> {
    let value = serde_json::from_slice::<Value>(body).ok();
    if status.is_success() {
        return value
            .filter(Value::is_object)
            .ok_or_else(|| CallError::Failed("the answer is not a JSON object".to_owned()));
    }
    let text = |name: &str| value.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let code = text("__type").unwrap_or_else(|| status.as_u16().to_string());
    Err(CallError::Refused {
        status: status.as_u16(),
        // Some servers put a namespace in front.
        code: code.rsplit('#').next().unwrap_or_default().to_owned(),
        message: text("message")
            .or_else(|| text("Message"))
            .unwrap_or_default(),
    })
}

/// An error with its causes in one line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_sorted_into_results_refusals_and_failures() {
        let ok = read_answer(StatusCode::OK, b"{}").expect("an object");
        assert!(ok.is_object());
        for body in [&b"ok"[..], b"", b"[]"] {
            let error = read_answer(StatusCode::OK, body).expect_err("no object");
            assert!(matches!(error, CallError::Failed(_)));
        }
        let body = br#"{"__type":"com.amazonaws#InvalidParameterException","message":"no"}"#;
        let error = read_answer(StatusCode::BAD_REQUEST, body).expect_err("refused");
        assert!(error.is("InvalidParameterException"));
        let error = read_answer(StatusCode::SERVICE_UNAVAILABLE, b"<html>").expect_err("refused");
        assert!(error.is("503"));
    }
}
