//! The websockets: the signed upgrade, and what a frame from the server is.

use berth_agent_proto::agent::Ended;
use berth_agent_proto::envelope::MESSAGE_BYTES_MAX;
use berth_wire::sigv4::{Signer, Unsigned};
use futures_util::{SinkExt, StreamExt};
use http::header::{
    CONNECTION, HOST, HeaderMap, HeaderValue, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Method, Request, StatusCode, Uri};
use std::time::{Duration, SystemTime};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message, handshake};

use crate::http::{Dialer, Stream, chain};

/// How long the upgrade may take once the connection is there.
const UPGRADE_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a frame may wait to be written. A peer that reads nothing for so long is gone.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// Buffers of a socket, in bytes. Thousands of sockets of a simulated fleet are idle nearly
/// always, so each holds little; a longer message grows its buffer while it lasts.
const BUFFER_BYTES: usize = 2 * 1024;

/// A websocket to the server.
pub(crate) struct Socket {
    stream: WebSocketStream<Stream>,
    /// Host and path with query, which telemetry frames are signed with.
    host: String,
    path_and_query: String,
}

/// What came in.
#[derive(Debug)]
pub(crate) enum Incoming {
    /// A message.
    Text(String),
    /// The connection ended.
    Ended(Ended),
}

impl Socket {
    /// Connects to `<endpoint>/ws?<query>`; the query is percent-encoded already.
    pub(crate) async fn open(
        dialer: &Dialer,
        signer: &Signer,
        endpoint: &str,
        query: &str,
        now: SystemTime,
    ) -> Result<Self, Ended> {
        let (request, uri, host) =
            upgrade_request(signer, endpoint, query, now).map_err(Ended::Failed)?;
        let path_and_query = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let path_and_query = path_and_query.to_owned();
        let dialed = dialer.dial(&uri).await;
        let stream = dialed.map_err(|error| Ended::Away(chain(&error)))?;
        let config = WebSocketConfig::default()
            .read_buffer_size(BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let upgrade = tokio_tungstenite::client_async_with_config(request, stream, Some(config));
        match tokio::time::timeout(UPGRADE_TIMEOUT, upgrade).await {
            Ok(Ok((stream, _))) => Ok(Self {
                stream,
                host,
                path_and_query,
            }),
            Ok(Err(error)) => Err(refusal(&error)),
            Err(_) => Err(Ended::Away("the upgrade timed out".to_owned())),
        }
    }

    /// The next message, or how the connection ended. Pings are answered on the way.
    pub(crate) async fn next(&mut self) -> Incoming {
        loop {
            match self.stream.next().await {
                Some(Ok(Message::Text(text))) => return Incoming::Text(text.as_str().to_owned()),
                Some(Ok(Message::Binary(bytes))) => {
                    // Content is what counts (reference §3.2).
                    if let Ok(text) = String::from_utf8(bytes.into()) {
                        return Incoming::Text(text);
                    }
                }
                Some(Ok(Message::Ping(_))) => {
                    // The pong was queued by the read; it must be sent as well.
                    if self.flush().await.is_err() {
                        return Incoming::Ended(Ended::Lost);
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let _ = self.flush().await;
                    let ended = frame.map_or(Ended::Lost, |frame| Ended::Closed {
                        code: frame.code.into(),
                        reason: frame.reason.as_str().to_owned(),
                    });
                    return Incoming::Ended(ended);
                }
                Some(Ok(Message::Pong(_) | Message::Frame(_))) => {}
                Some(Err(_)) | None => return Incoming::Ended(Ended::Lost),
            }
        }
    }

    /// Sends a text frame.
    pub(crate) async fn send(&mut self, text: String) -> Result<(), ()> {
        let sent = self.stream.send(Message::text(text));
        match tokio::time::timeout(WRITE_TIMEOUT, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(()),
        }
    }

    /// Sends JSON behind a signed header block, as telemetry is.
    pub(crate) async fn send_signed(
        &mut self,
        signer: &Signer,
        json: &str,
        now: SystemTime,
    ) -> Result<(), ()> {
        let block = signer.frame_headers(&self.host, &self.path_and_query, json.as_bytes(), now);
        let block = block.map_err(|_| ())?;
        self.send(block + json).await
    }

    /// Sends a close frame with code 1000.
    pub(crate) async fn close(&mut self, reason: &'static str) {
        let frame = CloseFrame {
            code: CloseCode::Normal,
            reason: reason.into(),
        };
        // Whether it gets there shows in what comes back.
        let _ = tokio::time::timeout(WRITE_TIMEOUT, self.stream.close(Some(frame))).await;
    }

    async fn flush(&mut self) -> Result<(), ()> {
        match tokio::time::timeout(WRITE_TIMEOUT, self.stream.flush()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(()),
        }
    }
}

/// The signed request, where it goes, and the host that it names.
fn upgrade_request(
    signer: &Signer,
    endpoint: &str,
    query: &str,
    now: SystemTime,
) -> Result<(Request<()>, Uri, String), String> {
    let slash = if endpoint.ends_with('/') { "" } else { "/" };
    let uri: Uri = format!("{endpoint}{slash}ws?{query}")
        .parse()
        .map_err(|error: http::uri::InvalidUri| chain(&error))?;
    let authority = uri.authority().ok_or("the endpoint names no host")?;
    let host = authority.as_str().to_owned();
    let path_and_query = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
    let mut headers = HeaderMap::new();
    let value = HeaderValue::from_str(&host).map_err(|error| chain(&error))?;
    headers.insert(HOST, value);
    let unsigned = Unsigned {
        method: &Method::GET,
        path_and_query: &path_and_query,
        headers: &headers,
        body: b"",
    };
    let signed = signer.sign(&unsigned, now);
    headers.extend(signed.map_err(|error| chain(&error))?);
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
    let key = handshake::client::generate_key();
    let key = HeaderValue::from_str(&key).map_err(|error| chain(&error))?;
    headers.insert(SEC_WEBSOCKET_KEY, key);

    let mut request = Request::new(());
    // Tungstenite wants the scheme of a websocket; only path and host are sent.
    let ws = format!("ws://{host}{path_and_query}");
    *request.uri_mut() = ws.parse().map_err(|e: http::uri::InvalidUri| chain(&e))?;
    *request.headers_mut() = headers;
    Ok((request, uri, host))
}

/// What a failed upgrade means, with the body of the answer: it may name an exception.
fn refusal(error: &tungstenite::Error) -> Ended {
    let tungstenite::Error::Http(answer) = error else {
        return Ended::Away(chain(error));
    };
    let body = answer.body().as_deref().unwrap_or_default();
    let text = format!("{}: {}", answer.status(), String::from_utf8_lossy(body));
    match answer.status() {
        StatusCode::SERVICE_UNAVAILABLE => Ended::Away(text),
        _ => Ended::Failed(text),
    }
}

/// Pairs as a query string, each percent-encoded.
pub(crate) fn query(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                text.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    text
}
