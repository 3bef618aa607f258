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

use crate::metrics::Metrics;

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

/// A bound socket, and how to speak on it.
pub(crate) struct Listener {
    pub(crate) tcp: TcpListener,
    pub(crate) tls: Option<TlsAcceptor>,
}

/// Serves until told to stop, then lets the requests under way end.
pub(crate) async fn serve(
    listener: Listener,
    router: Router,
    metrics: Arc<Metrics>,
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
        let (Ok(slot), Ok((stream, _))) = accepted else {
            tokio::time::sleep(ACCEPT_PAUSE).await;
            continue;
        };
        let (router, metrics) = (router.clone(), metrics.clone());
        let (tls, cancel) = (listener.tls.clone(), cancel.clone());
        connections.spawn(async move {
            metrics.connections.inc();
            connection(stream, tls, router, cancel).await;
            metrics.connections.dec();
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

async fn connection(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    router: Router,
    cancel: CancellationToken,
) {
    // Answers are small and waited for, so they are not held back to be sent with others.
    let _ = stream.set_nodelay(true);
    match tls {
        None => requests(stream, router, cancel).await,
        Some(tls) => match tokio::time::timeout(HANDSHAKE_TIMEOUT, tls.accept(stream)).await {
            Ok(Ok(stream)) => requests(stream, router, cancel).await,
            Ok(Err(error)) => tracing::debug!(%error, "TLS handshake failed"),
            Err(_) => tracing::debug!("TLS handshake took too long"),
        },
    }
}

async fn requests<S>(stream: S, router: Router, cancel: CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: Request<Incoming>| {
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
