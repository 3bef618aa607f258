//! An agent's sockets, spoken byte by byte: for agents that lie, repeat themselves or flood.

use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use berth_wire::sigv4::{Signer, Unsigned};
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::handshake::HandshakeError;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::call::Key;

/// How long a frame may take to come.
const FRAME_MAX: Duration = Duration::from_secs(20);

/// An open socket of an agent.
pub struct AgentSocket(WebSocket<TcpStream>);

/// What the server sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Frame {
    /// A message: its type and content.
    Message(String, Value),
    /// It closed, with this code and reason.
    Closed(u16, String),
    /// The connection is gone without a close.
    Gone,
}

/// An upgrade that was refused: the HTTP status and the body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

impl AgentSocket {
    /// Opens the ACS socket of an instance.
    ///
    /// # Errors
    /// What the server answered in place of an upgrade.
    pub fn acs(address: &str, key: Key, cluster: &str, instance: &str) -> Result<Self, Refusal> {
        let path = format!(
            "/acs/ws?agentHash=0&agentVersion=1.90.0&clusterArn={}&containerInstanceArn={}\
             &dockerVersion=DockerVersion%3A+25&protocolVersion=2&seqNum=1&sendCredentials=false",
            encoded(cluster),
            encoded(instance)
        );
        Self::open(address, key, &path)
    }

    /// Opens the TCS socket of an instance.
    ///
    /// # Errors
    /// What the server answered in place of an upgrade.
    pub fn tcs(address: &str, key: Key, cluster: &str, instance: &str) -> Result<Self, Refusal> {
        let path = format!(
            "/tcs/ws?agentHash=0&agentVersion=1.90.0&cluster={}&containerInstance={}\
             &dockerVersion=25",
            encoded(cluster),
            encoded(instance)
        );
        Self::open(address, key, &path)
    }

    /// Opens the socket at this path with its query, as it stands.
    ///
    /// # Errors
    /// What the server answered in place of an upgrade.
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature is of the time at which it is made"
    )]
    pub fn open(address: &str, key: Key, path: &str) -> Result<Self, Refusal> {
        let mut signed = HeaderMap::new();
        signed.insert("host", address.parse().expect("an address is a header"));
        let signer = Signer {
            access_key_id: key.id.to_owned(),
            secret_access_key: key.secret.to_owned(),
            session_token: None,
            region: "us-east-1".to_owned(),
            service: "ecs".to_owned(),
        };
        let unsigned = Unsigned {
            method: &Method::GET,
            path_and_query: path,
            headers: &signed,
            body: b"",
        };
        let added = signer.sign(&unsigned, SystemTime::now());
        let added = added.expect("the request can be signed");
        let request = format!("ws://{address}{path}").into_client_request();
        let mut request = request.expect("the request is well formed");
        request.headers_mut().extend(added);
        let stream = TcpStream::connect(address).expect("the server listens");
        stream
            .set_read_timeout(Some(FRAME_MAX))
            .expect("a time-out can be set");
        stream
            .set_write_timeout(Some(FRAME_MAX))
            .expect("a time-out can be set");
        match tungstenite::client::client(request, stream) {
            Ok((socket, _)) => Ok(Self(socket)),
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) => Err(Refusal {
                status: answer.status().as_u16(),
                body: String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into(),
            }),
            Err(error) => panic!("the upgrade broke off: {error}"),
        }
    }

    /// Sends a message; answers whether the connection still took it.
    pub fn send(&mut self, kind: &str, message: &Value) -> bool {
        let text = serde_json::json!({ "type": kind, "message": message }).to_string();
        self.send_text(&text)
    }

    /// Sends any text as a frame; answers whether the connection still took it.
    pub fn send_text(&mut self, text: &str) -> bool {
        self.0.send(Message::Text(text.into())).is_ok()
    }

    /// Sends any bytes as a frame; answers whether the connection still took it.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.0.send(Message::Binary(bytes.to_vec().into())).is_ok()
    }

    /// Closes with a code and a reason, and waits for the answer.
    pub fn close(&mut self, code: u16, reason: &str) {
        let frame = CloseFrame {
            code: code.into(),
            reason: reason.into(),
        };
        let _ = self.0.close(Some(frame));
        self.end();
    }

    /// The next message, or the end. Pings are answered on the way.
    pub fn receive(&mut self) -> Frame {
        loop {
            match self.0.read() {
                Ok(Message::Text(text)) => {
                    let value: Value = serde_json::from_str(&text).expect("a message is JSON");
                    let kind = value["type"].as_str().expect("a message has a type");
                    return Frame::Message(kind.to_owned(), value["message"].clone());
                }
                Ok(Message::Close(frame)) => {
                    // Reading on is what sends the answer to the close.
                    let _ = self.0.read();
                    let (code, reason) = frame.map_or((1005, String::new()), |frame| {
                        (frame.code.into(), frame.reason.to_string())
                    });
                    return Frame::Closed(code, reason);
                }
                Ok(_) => {}
                Err(tungstenite::Error::Io(error))
                    if error.kind() == std::io::ErrorKind::WouldBlock =>
                {
                    panic!("no frame within {FRAME_MAX:?}");
                }
                Err(_) => return Frame::Gone,
            }
        }
    }

    /// Reads on until a message of this type; its content.
    pub fn expect(&mut self, wanted: &str) -> Value {
        loop {
            match self.receive() {
                Frame::Message(kind, content) if kind == wanted => return content,
                Frame::Message(..) => {}
                end @ (Frame::Closed(..) | Frame::Gone) => {
                    panic!("no {wanted} came, but {end:?}");
                }
            }
        }
    }

    /// Reads on until the end: the close's code and reason, or `None` when the connection broke.
    pub fn end(&mut self) -> Option<(u16, String)> {
        loop {
            match self.receive() {
                Frame::Message(..) => {}
                Frame::Closed(code, reason) => return Some((code, reason)),
                Frame::Gone => return None,
            }
        }
    }
}

/// The value in a query.
#[must_use]
pub fn encoded(text: &str) -> String {
    let byte = |b: u8| match b {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(b).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(byte).collect()
}
