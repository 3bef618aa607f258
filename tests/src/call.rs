//! Calls of operations over a kept connection, signed one by one.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::raw::{Answer, signed};
use crate::server::{Server, Spec};

/// How long an answer may take. More than the 30 s for which agents' reports wait.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// An access key that a `berth serve` under test takes.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The access key id.
    pub id: &'static str,
    /// Its secret.
    pub secret: &'static str,
}

impl Key {
    /// The key of tests.
    pub const TESTS: Key = Key {
        id: "AKIATESTSTESTSTESTS0",
        secret: "tests/0123456789abcdefghijklmnopqrstuvwx",
    };

    /// A server that takes this key.
    #[must_use]
    pub fn taken_by(self, spec: Spec) -> Spec {
        spec.env("BERTH_ACCESS_KEY_ID", self.id)
            .env("BERTH_SECRET_ACCESS_KEY", self.secret)
    }
}

/// A client of one server with one connection, which it opens anew when it has to.
pub struct Caller {
    address: String,
    key: Key,
    connection: Option<BufReader<TcpStream>>,
}

impl Caller {
    /// A client of this server.
    #[must_use]
    pub fn of(server: &Server) -> Caller {
        Caller::at(server.address())
    }

    /// A client of the server at this address.
    #[must_use]
    pub fn at(address: &str) -> Caller {
        Caller {
            address: address.to_owned(),
            key: Key::TESTS,
            connection: None,
        }
    }

    /// With another key.
    #[must_use]
    pub fn key(mut self, key: Key) -> Caller {
        self.key = key;
        self
    }

    /// A call that must succeed.
    pub fn call(&mut self, operation: &str, input: &Value) -> Value {
        let answer = self.ask(operation, input);
        let answer = answer.unwrap_or_else(|error| panic!("{operation}: {error}"));
        assert_eq!(answer.status, 200, "{operation}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("an answer is JSON")
    }

    /// A call that must be refused: code without namespace, and status.
    pub fn refused(&mut self, operation: &str, input: &Value) -> (String, u16) {
        let answer = self.ask(operation, input).expect("the server answers");
        assert_ne!(answer.status, 200, "{operation}: {}", answer.body);
        answer.fault()
    }

    /// A call, whatever comes of it.
    ///
    /// # Errors
    /// When there is no connection, or it breaks before the whole answer.
    pub fn ask(&mut self, operation: &str, input: &Value) -> std::io::Result<Answer> {
        self.ask_with(operation, input.to_string().as_bytes())
    }

    /// A call with this body, whatever comes of it.
    ///
    /// # Errors
    /// When there is no connection, or it breaks before the whole answer.
    #[expect(
        clippy::disallowed_methods,
        reason = "a signature is of the time at which it is made"
    )]
    pub fn ask_with(&mut self, operation: &str, body: &[u8]) -> std::io::Result<Answer> {
        let key = (self.key.id, self.key.secret);
        let headers = signed(&self.address, operation, body, key, SystemTime::now());
        let mut request = b"POST / HTTP/1.1\r\n".to_vec();
        for (name, value) in &headers {
            request.extend_from_slice(name.as_str().as_bytes());
            request.extend_from_slice(b": ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        let rest = format!(
            "content-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        request.extend_from_slice(rest.as_bytes());
        request.extend_from_slice(body);
        let outcome = self.exchange(&request);
        if outcome.is_err() {
            self.connection = None;
        }
        outcome
    }

    fn exchange(&mut self, request: &[u8]) -> std::io::Result<Answer> {
        if self.connection.as_ref().is_some_and(has_ended) {
            self.connection = None;
        }
        let connection = match &mut self.connection {
            Some(connection) => connection,
            None => {
                let stream = TcpStream::connect(&self.address)?;
                stream.set_nodelay(true)?;
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_write_timeout(Some(ANSWER_MAX))?;
                self.connection.insert(BufReader::new(stream))
            }
        };
        connection.get_mut().write_all(request)?;
        let (answer, keep) = read_answer(connection)?;
        if !keep {
            self.connection = None;
        }
        Ok(answer)
    }
}

/// Whether the server has hung up on a connection that nothing is expected from.
fn has_ended(connection: &BufReader<TcpStream>) -> bool {
    let stream = connection.get_ref();
    let looked = stream
        .set_nonblocking(true)
        .and_then(|()| stream.peek(&mut [0]));
    let quiet = looked.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    !quiet || stream.set_nonblocking(false).is_err()
}

/// One answer with a length, and whether the connection stays.
fn read_answer(connection: &mut impl BufRead) -> std::io::Result<(Answer, bool)> {
    let broken = || std::io::Error::other("not an HTTP answer");
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == "\r\n" {
            break;
        }
        head += &line;
    }
    let status = head.split_whitespace().nth(1).and_then(|s| s.parse().ok());
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    let length = header("content-length").and_then(|l| l.parse().ok());
    let mut body = vec![0; length.ok_or_else(broken)?];
    connection.read_exact(&mut body)?;
    let keep = header("connection") != Some("close");
    let answer = Answer {
        status: status.ok_or_else(broken)?,
        body: String::from_utf8_lossy(&body).into_owned(),
        head,
    };
    Ok((answer, keep))
}
