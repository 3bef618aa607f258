//! Remembering what was refused to agents, for `berth doctor agent`.

use berth_model::id::AccountId;
use berth_wire::Fault;
use berth_wire::sigv4::clock_ahead;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{UPGRADE, USER_AGENT};
use http::request::Parts;
use serde::Deserialize;

use super::api::is_for_agents;
use crate::app::Front;
use crate::clock;
use crate::contacts::{About, Attempt, Door, Trouble};
use crate::gateway::{peer, signed_by};

/// How a stock agent's `User-Agent` begins (agent protocol reference §2.1).
const STOCK_AGENT: &str = "Amazon ECS Agent";
/// The longest body that is looked into; a registration has some ten thousand bytes.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What a call of an agent says of its sender.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Claims {
    cluster: Option<String>,
    container_instance: Option<String>,
    container_instance_arn: Option<String>,
}

/// Notes a refused request, if an agent made it.
pub(super) fn note(
    front: &Front,
    parts: &Parts,
    body: &Bytes,
    account: Option<AccountId>,
    fault: &Fault,
) {
    let text = |name: &str| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
    };
    let agent = text(USER_AGENT.as_str()).unwrap_or_default();
    let operation = text("x-amz-target").and_then(|target| Some(target.rsplit_once('.')?.1));
    let asks_socket = text(UPGRADE.as_str()).is_some_and(|to| to.eq_ignore_ascii_case("websocket"));
    let (door, trouble) = match operation {
        _ if asks_socket => {
            let path = parts.uri.path().to_owned();
            (Door::OtherPath(path), Trouble::WrongPath)
        }
        Some(name) if is_for_agents(name) || agent.starts_with(STOCK_AGENT) => {
            let trouble = match fault.status {
                503 => Trouble::NotLeading,
                _ => Trouble::Refused(fault.bare_code().to_owned()),
            };
            (Door::Call(name.to_owned()), trouble)
        }
        Some(_) | None => return,
    };
    let said = match (&trouble, &fault.cause) {
        (Trouble::NotLeading, Some(cause)) => cause.to_string(),
        _ => fault.message.clone(),
    };
    let claims = claims(body);
    let attempt = Attempt {
        from: peer(parts),
        account,
        door,
        trouble,
        text: said,
        about: About {
            instance: claims.container_instance_arn.or(claims.container_instance),
            cluster: claims.cluster,
            agent: known_agent(&parts.headers),
            ..signed_by(&parts.headers)
        },
    };
    let ahead = clock_ahead(&parts.headers, clock::system_time());
    front.contacts.note(attempt, ahead, clock::wall());
}

fn claims(body: &Bytes) -> Claims {
    match body.len() {
        0..=BODY_BYTES_MAX => serde_json::from_slice(body).unwrap_or_default(),
        _ => Claims::default(),
    }
}

/// What it calls itself, up to the first thing in brackets.
fn known_agent(headers: &HeaderMap) -> Option<String> {
    let agent = headers.get(USER_AGENT)?.to_str().ok()?;
    let name = agent.split('(').next().unwrap_or(agent).trim();
    (!name.is_empty()).then(|| name.to_owned())
}
