//! Credentials of task roles and execution roles: what a task's containers and its agent sign
//! with, and what the API takes as that role's session.
//!
//! Rules kept here:
//! - nothing is stored: a token says what it stands for, under a key that the server's data holds,
//!   so that a restart invalidates none;
//! - a token is good for one role of one task until it expires, and for nothing that an agent does;
//! - the id by which containers find their credentials is the same for the life of a task, and
//!   cannot be guessed (agent protocol reference §4.4).

use berth_agent_proto::task::Credentials;
use berth_model::id::AccountId;
use berth_model::name::ClusterKey;
use berth_model::time::Timestamp;
use berth_ops::{Principal, RoleAccess};
use berth_wire::Fault;
use berth_wire::sigv4::{expired_token, unrecognized_client};
use serde::{Deserialize, Serialize};

use crate::seal::{Seal, SealedKeys};

/// How long credentials are good: Amazon's task credentials last six hours.
pub(crate) const LIFETIME_MS: i64 = 6 * 60 * 60 * 1000;
/// How often an agent that stays connected gets new ones: containers never see any with less than
/// five of their six hours left, unless their agent is away.
pub(crate) const RENEW_EVERY_MS: u64 = 60 * 60 * 1000;
/// Which of a task's two roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum RoleKind {
    /// The containers' own. Tokens that were made before they said their kind were mostly these.
    #[default]
    Task,
    /// The agent's, for pulls, secrets and logs of the task.
    Execution,
}

impl RoleKind {
    /// As `IAMRoleCredentialsMessage` names it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Task => "TaskApplication",
            Self::Execution => "TaskExecution",
        }
    }
}

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RoleSession {
    /// The account that it is good in.
    account: String,
    /// The role's ARN.
    role: String,
    /// The session's name, which is the task's id.
    session: String,
    /// Which of the task's roles.
    #[serde(default)]
    kind: RoleKind,
    /// Seconds since the epoch.
    expires: i64,
}

/// Makes tokens, and knows them again.
#[derive(Clone)]
pub(crate) struct RoleKey(Seal);

/// A token's session and secrets.
pub(crate) struct OpenedSession {
    pub(crate) session: RoleSession,
    pub(crate) keys: SealedKeys,
}

impl RoleKey {
    /// The key that follows from the server's own.
    pub(crate) fn derive(server_key: &[u8; 32]) -> Self {
        Self(Seal::derive(server_key, "berth role sessions, form 1"))
    }

    /// Credentials of a task's role, good from now on. A role may be named by its name alone.
    pub(crate) fn issue(
        &self,
        cluster: &ClusterKey,
        task: &str,
        kind: RoleKind,
        role: &str,
        now: Timestamp,
    ) -> Credentials {
        let account = cluster.scope.account.to_string();
        let role_arn = match role.starts_with("arn:") {
            true => role.to_owned(),
            false => format!("arn:aws:iam::{account}:role/{role}"),
        };
        let session = RoleSession {
            account,
            role: role_arn.clone(),
            session: task.to_owned(),
            kind,
            expires: (now.as_millis() + LIFETIME_MS) / 1000,
        };
        let content = serde_json::to_vec(&session).expect("strings and numbers are JSON");
        let expiration = Timestamp::from_millis(session.expires * 1000).to_rfc3339_seconds();
        let SealedKeys {
            access_key_id,
            secret_access_key,
        } = self.0.keys(&content);
        let named = format!("{task} {}", kind.as_str());
        let id = self.0.sign("credentials id", named.as_bytes());
        Credentials {
            credentials_id: uuid::Uuid::from_slice(&id[..16])
                .expect("sixteen bytes are a UUID")
                .to_string(),
            role_arn,
            access_key_id,
            secret_access_key,
            session_token: self.0.token(&content),
            expiration,
        }
    }

    /// What a token stands for; `None` for one that is not ours.
    ///
    /// # Errors
    /// When it has expired.
    pub(crate) fn open(&self, token: &str, now: Timestamp) -> Result<Option<OpenedSession>, Fault> {
        let Some(content) = self.0.open(token) else {
            return Ok(None);
        };
        let Ok(session) = serde_json::from_slice::<RoleSession>(&content) else {
            return Ok(None);
        };
        if session.expires.saturating_mul(1000) <= now.as_millis() {
            return Err(expired_token());
        }
        let keys = self.0.keys(&content);
        Ok(Some(OpenedSession { session, keys }))
    }
}

impl RoleSession {
    /// The account that it is good in.
    ///
    /// # Errors
    /// When the token names none, which ours never do.
    pub(crate) fn account(&self) -> Result<AccountId, Fault> {
        self.account.parse().map_err(|_| unrecognized_client())
    }

    /// The session's ARN and unique id, as GetCallerIdentity shows them.
    pub(crate) fn identity(&self) -> (String, String) {
        let Self {
            account,
            role,
            session,
            kind: _,
            expires: _,
        } = self;
        let name = role.rsplit('/').next().unwrap_or_default();
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        (arn, format!("{name}:{session}"))
    }

    /// What it may do, where task roles have this access.
    pub(crate) fn principal(&self, access: RoleAccess) -> Principal {
        match self.kind {
            RoleKind::Task => Principal::TaskRole {
                task: self.session.parse().ok(),
                access,
            },
            RoleKind::Execution => Principal::ExecutionRole,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TASK: &str = "0123456789abcdef0123456789abcdef";

    fn cluster() -> ClusterKey {
        "123456789012/us-east-1/default".parse().unwrap()
    }

    fn issued(key: &RoleKey, role: &str, at: i64) -> Credentials {
        let now = Timestamp::from_millis(at);
        key.issue(&cluster(), TASK, RoleKind::Task, role, now)
    }

    #[test]
    fn a_token_is_known_again_until_it_expires_also_by_the_next_server() {
        let (one, other) = (RoleKey::derive(&[7; 32]), RoleKey::derive(&[7; 32]));
        let made = issued(&one, "web", 1_000_000);
        let opened = other
            .open(&made.session_token, Timestamp::from_millis(1_000_000))
            .unwrap()
            .unwrap();
        assert_eq!(opened.keys.access_key_id, made.access_key_id);
        assert_eq!(opened.keys.secret_access_key, made.secret_access_key);
        assert_eq!(
            opened.session.identity().0,
            format!("arn:aws:sts::123456789012:assumed-role/web/{TASK}")
        );
        assert_eq!(made.role_arn, "arn:aws:iam::123456789012:role/web");
        let late = Timestamp::from_millis(1_000_000 + LIFETIME_MS);
        assert!(other.open(&made.session_token, late).is_err());
    }

    #[test]
    fn a_token_says_which_role_it_is_of_and_an_older_one_is_of_the_tasks_own() {
        let key = RoleKey::derive(&[7; 32]);
        let now = Timestamp::from_millis(0);
        let access = RoleAccess::Read;
        let own = Principal::TaskRole {
            task: Some(TASK.parse().unwrap()),
            access,
        };
        let kinds = [
            (RoleKind::Task, own.clone()),
            (RoleKind::Execution, Principal::ExecutionRole),
        ];
        for (kind, expected) in kinds {
            let made = key.issue(&cluster(), TASK, kind, "web", now);
            let opened = key.open(&made.session_token, now).unwrap().unwrap();
            assert_eq!(opened.session.principal(access), expected);
        }
        let older =
            format!(r#"{{"account":"123456789012","role":"r","session":"{TASK}","expires":9}}"#);
        let older: RoleSession = serde_json::from_str(&older).unwrap();
        assert_eq!(older.principal(access), own);
    }

    #[test]
    fn renewed_credentials_keep_their_id_and_the_two_roles_have_their_own() {
        let key = RoleKey::derive(&[7; 32]);
        let (first, later) = (issued(&key, "web", 0), issued(&key, "web", 3_600_000));
        assert_eq!(first.credentials_id, later.credentials_id);
        assert_ne!(first.session_token, later.session_token);
        let now = Timestamp::from_millis(0);
        let other = key.issue(&cluster(), TASK, RoleKind::Execution, "web", now);
        assert_ne!(first.credentials_id, other.credentials_id);
    }
}
