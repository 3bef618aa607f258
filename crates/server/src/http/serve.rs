//! Accepting connections, with limits that keep slow and idle clients from holding the server.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::app::Front;
use crate::clock;
use crate::contacts::{About, Attempt, Door, Peer, Trouble};

/// Connections at once: room for ten thousand agents with two sockets each, thousands of
/// clients, and thousands of half-open sockets that the header time-out will end.
const CONNECTIONS_MAX: usize = 40_000;
/// How long a client may take to send a request's head, the wait for a next request included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Headers in one request: more than any AWS client sends.
const HEADERS_MAX: usize = 100;
/// Bytes of a request's head, which is also what a connection holds of anything that it has not
/// read on: twice what AWS clients send with a long session token. Ten thousand connections that
/// stop within their heads hold 160 MiB with it.
const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take for a TLS handshake.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests under way are given when the server stops.
const DRAIN_MAX: Duration = Duration::from_secs(10);
/// The pause after accepting failed, as it does when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The first byte of a TLS connection: the type of a handshake record (RFC 8446 §5.1).
const TLS_HANDSHAKE: u8 = 22;
/// What is said to plain HTTP on a port with TLS.
const SPEAK_TLS: &[u8] = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n\
    Connection: close\r\n\r\nThis port speaks TLS: use https.\n";

/// A bound socket, and how to speak on it.
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Serves until told to stop, then lets the requests under way end.
pub(crate) async fn serve(
    listener: Listener,
    router: Router,
    front: Arc<Front>,
    cancel: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = TaskTracker::new();
    loop {
        let slot = slots.clone().acquire_owned();
        let accepted = tokio::select! {
            () = cancel.cancelled() => break,
            accepted = async { (slot.await, listener.tcp.accept().await) } => accepted,
        };
        let (Ok(slot), Ok((stream, address))) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, front) = (router.clone(), front.clone());
        let peer = Peer(address.ip());
        let (tls, cancel) = (listener.tls.clone(), cancel.clone());
        connections.spawn(async move {
            front.metrics.connections.inc();
            let visitor = Visitor { front, peer };
            visitor.connection(stream, tls, router, cancel).await;
            visitor.front.metrics.connections.dec();
            drop(slot);
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(DRAIN_MAX, connections.wait())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end in time");
    }
}

/// Who opened a connection.
struct Visitor {
    front: Arc<Front>,
    peer: Peer,
}

impl Visitor {
    async fn connection(
        &self,
        mut stream: TcpStream,
        tls: Option<TlsAcceptor>,
        router: Router,
        cancel: CancellationToken,
    ) {
        // Answers are small and waited for, so they are not held back to be sent with others.
        let _ = stream.set_nodelay(true);
        let mut first = [0];
        let speaks_tls = tokio::select! {
            () = cancel.cancelled() => return,
            seen = tokio::time::timeout(HEAD_TIMEOUT, stream.peek(&mut first)) => match seen {
                Ok(Ok(1..)) => first[0] == TLS_HANDSHAKE,
                Ok(Ok(0) | Err(_)) | Err(_) => return,
            },
        };
        match tls {
            None => {
                if speaks_tls {
                    self.note(Trouble::TlsToPlain, String::new());
                }
                // The answer to nonsense is what a client of TLS tells its user of.
                requests(stream, self.peer, router, cancel).await;
            }
            Some(_) if first[0].is_ascii_uppercase() => {
                self.note(Trouble::PlainToTls, String::new());
                let said = tokio::io::AsyncWriteExt::write_all(&mut stream, SPEAK_TLS);
                let _ = tokio::time::timeout(HANDSHAKE_TIMEOUT, said).await;
            }
            Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
                Ok(Ok(stream)) => requests(stream, self.peer, router, cancel).await,
                Ok(Err(error)) => {
                    tracing::debug!(%error, "TLS handshake failed");
                    self.note(Trouble::Tls, error.to_string());
                }
                Err(_) => tracing::debug!("TLS handshake took too long"),
            },
        }
    }

    fn note(&self, trouble: Trouble, text: String) {
        let attempt = Attempt {
            from: self.peer.0,
            account: None,
            door: Door::Connection,
            trouble,
            text,
            about: About::default(),
        };
        self.front.contacts.note(attempt, None, clock::wall());
    }
}

async fn requests<S>(stream: S, peer: Peer, router: Router, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request.map(Body::new))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = cancel.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
}
