//! Keeping web pages away from an endpoint that takes any credentials.
//!
//! A page in a developer's browser can send requests to loopback, and by DNS rebinding even read
//! the answers. Such requests carry an Origin, or a Host that is not the machine's own.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::middleware::Next;
use axum::response::Response;
use berth_wire::{Fault, FaultCode, json};
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Request};

use crate::app::Front;
use crate::clock;

/// Refuses what a browser was made to send, where the server is open to anybody.
pub(crate) async fn keep_foreigners_out(
    State(front): State<Arc<Front>>,
    request: Request<Body>,
    next: Next,
) -> Response {
    if front.local_only && !is_local(request.headers()) {
        let code = FaultCode {
            code: "AccessDeniedException".into(),
            status: 403,
        };
        let text = "This endpoint takes requests for its own host alone, and none from web pages.";
        let fault = Fault::client(code, text);
        return json::respond_fault(&fault, &clock::request_id()).map(Body::from);
    }
    next.run(request).await
}

fn is_local(headers: &HeaderMap) -> bool {
    let host = headers
        .get(HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    !headers.contains_key(ORIGIN) && is_local_host(host)
}

/// Whether a Host header names this machine: a literal address, `localhost` or a name under it,
/// or a name without a dot, as containers and compose files use. None of these can be rebound.
fn is_local_host(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => return rest.split_once(']').is_some_and(|(ip, _)| is_address(ip)),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    is_address(&name)
        || name == "localhost"
        || name.ends_with(".localhost")
        || name == "host.docker.internal"
        || (!name.is_empty() && !name.contains('.'))
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_own_names_are_local() {
        for host in [
            "127.0.0.1:7070",
            "localhost",
            "LOCALHOST:1",
            "[::1]:7070",
            "ecs.localhost:7070",
            "berth:7070",
        ] {
            assert!(is_local_host(host), "{host}");
        }
    }

    #[test]
    fn names_that_can_be_rebound_are_foreign() {
        for host in [
            "evil.example:7070",
            "localhost.evil.example",
            "",
            "[evil]:1",
            "a.b",
        ] {
            assert!(!is_local_host(host), "{host}");
        }
    }
}
