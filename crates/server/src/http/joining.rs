//! Berth's own operations, by which machines join.
//!
//! Two of them are called by who has no key yet, or none that is good: `Join` is answered to
//! whoever brings a token, `RenewAgentCredentials` to whoever signs with credentials that may
//! have expired.

use axum::body::Bytes;
use berth_ops::joining::{self, SECRET_BYTES, TARGET_PREFIX};
use berth_ops::{ApiError, Call};
use berth_wire::sigv4::{Received, parse_authorization, unrecognized_client};
use berth_wire::{Fault, json};
use serde_json::Value;

use crate::accounts::base_url;
use crate::agent_keys::AgentCredentials;
use crate::app::Front;
use crate::clock;

/// The operations' names.
const OPERATIONS: [&str; 5] = [
    "CreateJoinToken",
    "Join",
    "ListJoinTokens",
    "RenewAgentCredentials",
    "RevokeJoinToken",
];

/// The operation of this name.
///
/// # Errors
/// When there is none.
pub(super) fn find(name: &str) -> Result<&'static str, Fault> {
    let found = OPERATIONS.into_iter().find(|known| *known == name);
    found.ok_or_else(|| Fault::unknown_operation(&format!("{TARGET_PREFIX}.{name}")))
}

/// Answers one of them.
pub(super) async fn answer(
    front: &Front,
    received: &Received<'_>,
    body: &Bytes,
    operation: &'static str,
    request_id: &str,
) -> Result<http::Response<Bytes>, ApiError> {
    let answer = match operation {
        "Join" => join(front, body).await?,
        "RenewAgentCredentials" => renew(front, received).await?,
        _ => for_users(front, received, body, operation).await?,
    };
    Ok(json::respond(&Answer(answer), request_id))
}

async fn join(front: &Front, body: &[u8]) -> Result<Value, ApiError> {
    let app = front.app().map_err(super::api::not_leading)?;
    let enrolled = joining::enrol(&app.cx, body).await?;
    let instance = enrolled.rights.instance;
    tracing::info!(%instance, cluster = %enrolled.rights.cluster, "machine joined");
    value(&front.sessions.agents.issue(&enrolled, clock::wall()))
}

async fn renew(front: &Front, received: &Received<'_>) -> Result<Value, ApiError> {
    let credential = parse_authorization(received.headers)?;
    let session = front.sessions.renewing(received, &credential)?;
    let app = front.app().map_err(super::api::not_leading)?;
    if !session.is_good(&app.newest.load()) {
        return Err(unrecognized_client().into());
    }
    let enrolled = session.enrolled();
    joining::renewed(&app.cx, &enrolled).await?;
    value(&front.sessions.agents.issue(&enrolled, clock::wall()))
}

fn value(credentials: &AgentCredentials) -> Result<Value, ApiError> {
    serde_json::to_value(credentials).map_err(ApiError::internal)
}

/// What users call, with their account's key.
async fn for_users(
    front: &Front,
    received: &Received<'_>,
    body: &[u8],
    operation: &str,
) -> Result<Value, ApiError> {
    let base_url = base_url(received.headers, front.tls);
    let sender = front
        .access
        .authenticate(received, &base_url, &front.sessions)?;
    let app = front.readable().map_err(super::api::not_leading)?;
    if sender.opens_world {
        front.worlds.open(&sender.caller.scope).await;
    }
    let call = Call::new(app.cx.clone(), std::sync::Arc::new(sender.caller));
    match operation {
        "CreateJoinToken" => {
            let secret: [u8; SECRET_BYTES] = clock::random_bytes();
            joining::create(call, body, secret).await
        }
        "ListJoinTokens" => joining::list(&call, body),
        _ => joining::revoke(call, body).await,
    }
}

/// An answer that is JSON already.
struct Answer(Value);

impl json::WriteJson for Answer {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.0.to_string().as_bytes());
    }
}
