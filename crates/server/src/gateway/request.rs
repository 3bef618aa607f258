//! The upgrade request of an agent's socket: who, for which instance, with which versions.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use axum::response::{IntoResponse, Response};
use berth_leader::INACTIVE;
use berth_model::arn::EcsArn;
use berth_model::id::{AccountId, InstanceId};
use berth_model::instance::{AgentVersion, InstanceStatus};
use berth_model::name::Scope;
use berth_model::text::Text;
use berth_ops::Caller;
use berth_state::State;
use berth_wire::Fault;
use berth_wire::sigv4::{Received, clock_ahead, parse_authorization};
use http::request::Parts;
use http::{HeaderMap, StatusCode};

use crate::accounts::base_url;
use crate::app::Front;
use crate::clock;
use crate::contacts::{About, Attempt, Door, Peer, Trouble};

/// The longest version text kept of an agent: real ones have a few dozen characters.
const VERSION_LENGTH_MAX: usize = 128;

/// Why an upgrade was refused.
pub(crate) enum Refused {
    /// The request's signature.
    Fault(Fault),
    /// The instance, by the protocol's own name for it, with a text for the agent's log.
    Instance(&'static str, &'static str),
    /// This server does not lead.
    NotLeading(&'static str),
}

impl Refused {
    /// How `berth doctor agent` tells of it.
    fn trouble(&self) -> (Trouble, String) {
        match self {
            Self::Fault(fault) => {
                let code = fault.bare_code().to_owned();
                (Trouble::Refused(code), fault.message.clone())
            }
            Self::Instance(name, text) => {
                (Trouble::Refused((*name).to_owned()), (*text).to_owned())
            }
            Self::NotLeading(why) => (Trouble::NotLeading, (*why).to_owned()),
        }
    }
}

/// An agent that asks for a socket.
pub(crate) struct Visit<'a> {
    pub(crate) front: &'a Front,
    pub(crate) parts: &'a Parts,
    pub(crate) door: Door,
    /// Whose signature was good, once that is known.
    pub(crate) account: Option<AccountId>,
}

impl Visit<'_> {
    /// Where it comes from.
    pub(crate) fn from(&self) -> IpAddr {
        peer(self.parts)
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When it is not good, or not one of somebody who may be an agent.
    pub(crate) fn authenticate(&mut self) -> Result<Caller, Refused> {
        let caller = authenticate(self.front, self.parts)?;
        self.account = Some(caller.scope.account);
        Ok(caller)
    }

    /// Remembers that it was refused.
    pub(crate) fn note(&self, refused: &Refused) {
        let query = AgentQuery::of(self.parts);
        let (trouble, text) = refused.trouble();
        // ACS and TCS call some things differently.
        let named = |keys: &[&str]| {
            let mut values = keys.iter().map(|key| query.get(key));
            values.find(|value| !value.is_empty()).map(str::to_owned)
        };
        let attempt = Attempt {
            from: self.from(),
            account: self.account,
            door: self.door.clone(),
            trouble,
            text,
            about: About {
                instance: named(&["containerInstanceArn", "containerInstance"]),
                cluster: named(&["clusterArn", "cluster"]),
                agent: named(&["agentVersion"]),
                ..signed_by(&self.parts.headers)
            },
        };
        let ahead = clock_ahead(&self.parts.headers, clock::system_time());
        self.front.contacts.note(attempt, ahead, clock::wall());
    }
}

/// Where a request comes from.
pub(crate) fn peer(parts: &Parts) -> IpAddr {
    let peer = parts.extensions.get::<Peer>();
    peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0)
}

/// Key and region of a signature, whether it is good or not.
pub(crate) fn signed_by(headers: &HeaderMap) -> About {
    let credential = parse_authorization(headers).ok();
    About {
        region: credential
            .as_ref()
            .map(|credential| credential.region.clone()),
        key: credential.map(|credential| credential.access_key_id),
        ..About::default()
    }
}

impl IntoResponse for Refused {
    /// The body's form is the one in which a stock agent finds the name (reference §3.4). No
    /// other text may hold `InactiveInstanceException`: it silences an agent for an hour.
    fn into_response(self) -> Response {
        let (status, name, text) = match self {
            Self::Fault(fault) => (
                StatusCode::FORBIDDEN,
                "AccessDeniedException",
                fault.message,
            ),
            Self::Instance(name, text) => (StatusCode::BAD_REQUEST, name, text.to_owned()),
            Self::NotLeading(why) => (
                StatusCode::SERVICE_UNAVAILABLE,
                "ServerException",
                why.to_owned(),
            ),
        };
        let body = serde_json::json!({ "type": name, "message": { "message": text } });
        (status, body.to_string()).into_response()
    }
}

/// The upgrade request's query.
pub(crate) struct AgentQuery(HashMap<String, String>);

impl AgentQuery {
    /// The query of this request; without it nothing is known of the agent.
    pub(crate) fn of(parts: &Parts) -> Self {
        let query = parts.uri.query().unwrap_or_default();
        let form = berth_wire::query::parse_form(query.as_bytes()).unwrap_or_default();
        Self(form.parameters.into_iter().collect())
    }

    /// The value of this key; empty when it is absent.
    pub(crate) fn get(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// What the agent says of itself.
    pub(crate) fn version(&self) -> AgentVersion {
        let text = |key: &str| {
            let value: String = self.get(key).chars().take(VERSION_LENGTH_MAX).collect();
            (!value.is_empty()).then(|| Text::new(&value))
        };
        AgentVersion {
            agent: text("agentVersion"),
            hash: text("agentHash"),
            docker: text("dockerVersion"),
        }
    }
}

/// Checks the signature of an upgrade request.
fn authenticate(front: &Front, parts: &Parts) -> Result<Caller, Refused> {
    let received = Received {
        method: &parts.method,
        path_and_query: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
        headers: &parts.headers,
        body: b"",
    };
    let sender = front
        .access
        .authenticate(
            &received,
            &base_url(&parts.headers, front.tls),
            &front.roles,
        )
        .map_err(Refused::Fault)?;
    if sender.is_role {
        let text = "The role of a task is no agent.";
        return Err(Refused::Instance("AccessDeniedException", text));
    }
    Ok(sender.caller)
}

/// The instance that the agent says it is, if it may open a session.
pub(crate) fn instance(state: &State, caller: &Caller, arn: &str) -> Result<InstanceId, Refused> {
    let unknown = Refused::Instance(
        "InvalidInstanceException",
        "The container instance is not known here. Register it again.",
    );
    let named = EcsArn::parse(arn).filter(|arn| arn.kind == "container-instance");
    let id = named.and_then(|arn| Some((arn.scope.clone(), arn.last().parse().ok()?)));
    let Some((scope, id)): Option<(Scope, InstanceId)> = id else {
        return Err(unknown);
    };
    let foreign = scope != caller.scope || caller.instance.is_some_and(|own| own != id);
    if foreign {
        let text = "These credentials are not for that container instance.";
        return Err(Refused::Instance("AccessDeniedException", text));
    }
    match state.instances.get(&id) {
        None => Err(unknown),
        Some(instance) if instance.status == InstanceStatus::Inactive => Err(Refused::Instance(
            INACTIVE,
            "The container instance is deregistered.",
        )),
        Some(_) => Ok(id),
    }
}
