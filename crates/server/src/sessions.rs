//! Temporary credentials: those of roles and those of joined agents.

use berth_model::id::AccountId;
use berth_model::name::Scope;
use berth_ops::{Caller, Principal, RoleAccess};
use berth_wire::Fault;
use berth_wire::sigv4::{Credential, Received, Secret, expired_token, unrecognized_client, verify};

use crate::accounts::caller;
use crate::agent_keys::{AgentKey, MachineSession};
use crate::clock;
use crate::roles::RoleKey;
use crate::seal::SealedKeys;

/// What a server's temporary credentials are sealed under, and what roles may do.
#[derive(Clone)]
pub(crate) struct Sessions {
    pub(crate) roles: RoleKey,
    pub(crate) agents: AgentKey,
    role_access: RoleAccess,
}

/// Who signed with temporary credentials.
pub(crate) struct SessionCaller {
    pub(crate) caller: Caller,
    /// The session, when it is that of a joined agent.
    pub(crate) agent: Option<MachineSession>,
}

/// What is to be known of a session beside its keys.
struct Of {
    account: AccountId,
    /// The one world that it is good in, when it is bound to one.
    scope: Option<Scope>,
    identity: (String, String),
    principal: Principal,
}

impl Sessions {
    /// The keys that follow from the server's own.
    pub(crate) fn derive(server_key: &[u8; 32], role_access: RoleAccess) -> Self {
        Self {
            roles: RoleKey::derive(server_key),
            agents: AgentKey::derive(server_key),
            role_access,
        }
    }

    /// Who signed this request, if it was with temporary credentials: also in `berth dev`, so
    /// that a task learns there who it is.
    pub(crate) fn caller(
        &self,
        received: &Received<'_>,
        credential: &Credential,
        base_url: &str,
    ) -> Result<Option<SessionCaller>, Fault> {
        let Some(token) = token_of(received) else {
            return Ok(None);
        };
        if let Some(opened) = self.roles.open(token, clock::wall())? {
            let of = Of {
                account: opened.session.account()?,
                scope: None,
                identity: opened.session.identity(),
                principal: opened.session.principal(self.role_access),
            };
            check_signature(received, credential, &opened.keys, token)?;
            let caller = caller_of(credential, base_url, of)?;
            let agent = None;
            return Ok(Some(SessionCaller { caller, agent }));
        }
        let Some(opened) = self.agents.open(token) else {
            return Ok(None);
        };
        let session = opened.session;
        if session.is_expired(clock::wall()) {
            return Err(expired_token());
        }
        check_signature(received, credential, &opened.keys, token)?;
        let of = Of {
            account: session.cluster().scope.account,
            scope: Some(session.cluster().scope.clone()),
            identity: session.identity(),
            principal: session.principal(),
        };
        let caller = caller_of(credential, base_url, of)?;
        let agent = Some(session);
        Ok(Some(SessionCaller { caller, agent }))
    }

    /// The joined agent that signed this request, also if its credentials have expired: it asks
    /// for new ones.
    pub(crate) fn renewing(
        &self,
        received: &Received<'_>,
        credential: &Credential,
    ) -> Result<MachineSession, Fault> {
        let token = token_of(received).ok_or_else(unrecognized_client)?;
        let opened = self.agents.open(token).ok_or_else(unrecognized_client)?;
        check_signature(received, credential, &opened.keys, token)?;
        match opened.session.is_renewable(clock::wall()) {
            true => Ok(opened.session),
            false => Err(expired_token()),
        }
    }
}

fn token_of<'a>(received: &Received<'a>) -> Option<&'a str> {
    received.headers.get("x-amz-security-token")?.to_str().ok()
}

fn check_signature(
    received: &Received<'_>,
    credential: &Credential,
    keys: &SealedKeys,
    token: &str,
) -> Result<(), Fault> {
    if keys.access_key_id != credential.access_key_id {
        return Err(unrecognized_client());
    }
    let secret = Secret {
        secret_access_key: &keys.secret_access_key,
        session_token: Some(token),
    };
    verify(received, credential, &secret, clock::system_time())
}

fn caller_of(credential: &Credential, base_url: &str, of: Of) -> Result<Caller, Fault> {
    let mut caller = caller(credential, of.account, base_url)?;
    if of.scope.is_some_and(|scope| scope != caller.scope) {
        return Err(unrecognized_client());
    }
    (caller.arn, caller.user_id) = of.identity;
    caller.principal = of.principal;
    Ok(caller)
}
