//! One kept-alive HTTP/1.1 connection that blocks: a write, then reads until the answer is whole.
//!
//! A thread for each connection is on purpose. A call costs its thread two system calls and no
//! event loop, so that little of the machine goes to the generator; and a sleeping thread wakes
//! within 0.1 ms of its time, where an event loop's timers tick in whole milliseconds.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

/// How long an answer may take: longer than the server lets any request wait.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// An answer is read in pieces of this size. DescribeTasks of 100 tasks answers some 150 kB.
const PIECE_BYTES: usize = 256 * 1024;
/// The longest head of an answer that is waited for.
const HEAD_BYTES_MAX: usize = 16 * 1024;

/// A connection to the server.
pub(crate) struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; its body lies in the connection's buffer.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
}

impl Connection {
    /// Connects.
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("could not connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self {
            stream,
            buffer: vec![0; PIECE_BYTES],
        })
    }

    /// Sends a whole request and waits for the whole answer.
    pub(crate) fn call(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.stream.write_all(request).context("could not send")?;
        let mut filled = 0;
        let head = loop {
            filled += self.read_at(filled)?;
            if let Some(end) = find(&self.buffer[..filled], b"\r\n\r\n") {
                break end;
            }
            ensure!(filled < HEAD_BYTES_MAX, "the answer's head does not end");
        };
        let text = std::str::from_utf8(&self.buffer[..head]).context("the answer's head")?;
        let status = text.get(9..12).and_then(|code| code.parse().ok());
        let status = status.context("the answer has no status")?;
        let (begin, end) = (head + 4, head + 4 + length_of(text)?);
        if self.buffer.len() < end {
            self.buffer.resize(end, 0);
        }
        while filled < end {
            filled += self.read_at(filled)?;
        }
        let body = &self.buffer[begin..end];
        Ok(Answer { status, body })
    }

    fn read_at(&mut self, at: usize) -> Result<usize> {
        match self.stream.read(&mut self.buffer[at..]) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(count) => Ok(count),
            Err(error) => Err(error).context("no answer"),
        }
    }
}

/// The `Content-Length` of a head.
fn length_of(head: &str) -> Result<usize> {
    let mut lines = head.lines().filter_map(|line| line.split_once(':'));
    let length = lines.find(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let (_, length) = length.context("the answer does not tell its length")?;
    length.trim().parse().context("the answer's length")
}

/// Where `wanted` begins in `text`.
pub(crate) fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|part| part == wanted)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn an_answer_in_pieces_is_put_together() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4];
            stream.read_exact(&mut request).unwrap();
            let pieces = [
                "HTTP/1.1 400 Bad",
                " Request\r\ncontent-LENGTH: 5\r\n",
                "\r\nhe",
                "llo",
            ];
            for piece in pieces {
                stream.write_all(piece.as_bytes()).unwrap();
                stream.flush().unwrap();
            }
            request
        });
        let mut connection = Connection::open(address).unwrap();
        let answer = connection.call(b"ping").unwrap();
        assert_eq!((answer.status, answer.body), (400, &b"hello"[..]));
        assert!(connection.call(b"more").is_err());
        assert_eq!(&server.join().unwrap(), b"ping");
    }
}
