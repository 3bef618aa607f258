//! Who may call: access keys, and the open door of `berth dev`.

use std::collections::HashMap;
use std::sync::Arc;

use berth_model::id::AccountId;
use berth_model::name::{Region, Scope};
use berth_ops::{Caller, Principal};
use berth_state::State;
use berth_wire::Fault;
use berth_wire::sigv4::{
    Credential, Received, Secret, parse_authorization, unrecognized_client, verify,
};
use http::HeaderMap;

use crate::agent_keys::MachineSession;
use crate::clock;
use crate::sessions::{SessionCaller, Sessions};

/// What the access key id of a local agent of `berth dev` begins with; the account's twelve
/// digits follow. Such a call opens no world of its own accord.
pub const LOCAL_AGENT_KEY: &str = "BERTHAGENT";

/// An access key that a server verifies.
#[derive(Clone)]
pub struct AccessKey {
    /// The access key id.
    pub id: String,
    /// The secret access key.
    pub secret: String,
    /// Whose key it is.
    pub account: AccountId,
}

/// Whom the server lets in.
#[derive(Clone)]
pub enum Access {
    /// Whoever signs with one of these keys.
    Keys(Arc<HashMap<String, AccessKey>>),
    /// Whoever names any credentials: no signature is checked. For loopback alone.
    Anybody,
}

impl Access {
    /// Whoever signs with one of `keys`.
    #[must_use]
    pub fn keys(keys: impl IntoIterator<Item = AccessKey>) -> Self {
        Self::Keys(Arc::new(
            keys.into_iter().map(|key| (key.id.clone(), key)).collect(),
        ))
    }

    /// Who signed this request.
    pub(crate) fn authenticate(
        &self,
        received: &Received<'_>,
        base_url: &str,
        sessions: &Sessions,
    ) -> Result<Authenticated, Fault> {
        let credential = parse_authorization(received.headers)?;
        if let Some(sender) = sessions.caller(received, &credential, base_url)? {
            let SessionCaller { caller, agent } = sender;
            return Ok(Authenticated {
                caller,
                service: credential.service,
                opens_world: false,
                agent,
            });
        }
        let account = match self {
            Self::Anybody => account_named_by(&credential.access_key_id),
            Self::Keys(keys) => {
                let key = keys
                    .get(&credential.access_key_id)
                    .ok_or_else(unrecognized_client)?;
                let secret = Secret {
                    secret_access_key: &key.secret,
                    session_token: None,
                };
                verify(received, &credential, &secret, clock::system_time())?;
                key.account
            }
        };
        Ok(Authenticated {
            caller: caller(&credential, account, base_url)?,
            opens_world: matches!(self, Self::Anybody)
                && !credential.access_key_id.starts_with(LOCAL_AGENT_KEY),
            service: credential.service,
            agent: None,
        })
    }
}

/// A request whose sender is known.
pub(crate) struct Authenticated {
    /// The sender.
    pub(crate) caller: Caller,
    /// The service that it signed for, such as `ecs`.
    pub(crate) service: String,
    /// Whether the local agents of `berth dev` are to join the caller's world before it is answered.
    pub(crate) opens_world: bool,
    /// The session of a joined agent. Whether it is still good is to be asked of the state, which
    /// may not be known yet.
    pub(crate) agent: Option<MachineSession>,
}

impl Authenticated {
    /// Whether it signed with a key of its account, and is neither a task nor a joined agent.
    pub(crate) fn is_account(&self) -> bool {
        matches!(self.caller.principal, Principal::Account)
    }

    /// Refuses a joined agent whose credentials were ended before their time.
    pub(crate) fn check_good(&self, state: &State) -> Result<(), Fault> {
        match &self.agent {
            Some(agent) if !agent.is_good(state) => Err(unrecognized_client()),
            Some(_) | None => Ok(()),
        }
    }
}

/// The account that an access key id of `berth dev` names: its own twelve digits, or those of a
/// local agent's key; every other key is of the account of zeros.
fn account_named_by(access_key_id: &str) -> AccountId {
    let digits = access_key_id
        .strip_prefix(LOCAL_AGENT_KEY)
        .unwrap_or(access_key_id);
    digits.parse().unwrap_or(AccountId::ZERO)
}

/// Whoever signed with these credentials of this account, with all its rights.
///
/// # Errors
/// When they are for a region that cannot be.
pub(crate) fn caller(
    credential: &Credential,
    account: AccountId,
    base_url: &str,
) -> Result<Caller, Fault> {
    let region: Region = credential.region.parse().map_err(|_| {
        Fault::client(
            "com.amazon.coral.service#InvalidSignatureException",
            format!(
                "Credential should be scoped to a valid region, not '{}'.",
                credential.region
            ),
        )
    })?;
    Ok(Caller {
        scope: Scope { account, region },
        arn: format!("arn:aws:iam::{account}:root"),
        user_id: account.to_string(),
        principal: Principal::Account,
        base_url: base_url.to_owned(),
    })
}

/// Scheme and Host of a request, as its sender wrote them.
pub(crate) fn base_url(headers: &HeaderMap, tls: bool) -> String {
    let host = headers
        .get(http::header::HOST)
        .and_then(|host| host.to_str().ok());
    format!(
        "{}://{}",
        if tls { "https" } else { "http" },
        host.unwrap_or("localhost")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twelve_digits_name_the_account() {
        assert_eq!(account_named_by("123456789012").to_string(), "123456789012");
        assert_eq!(
            account_named_by("BERTHAGENT123456789012").to_string(),
            "123456789012"
        );
        for other in ["AKIAEXAMPLE", "test", "12345678901", "1234567890123"] {
            assert_eq!(account_named_by(other), AccountId::ZERO, "{other}");
        }
    }
}
