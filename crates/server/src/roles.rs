//! Credentials of task roles and execution roles: what a task's containers and its agent sign
//! with, and what the API takes as that role's session.
//!
//! Rules kept here:
//! - nothing is stored: a token says what it stands for, under a key that the server's data holds,
//!   so that a restart invalidates none;
//! - a token is good for one role of one task until it expires, and for nothing that an agent does;
//! - the id by which containers find their credentials is the same for the life of a task, and
//!   cannot be guessed (agent protocol reference §4.4).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use berth_agent_proto::task::Credentials;
use berth_model::id::AccountId;
use berth_model::name::ClusterKey;
use berth_model::time::Timestamp;
use berth_wire::Fault;
use berth_wire::sigv4::{expired_token, unrecognized_client};
use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// How long credentials are good: Amazon's task credentials last six hours.
pub(crate) const LIFETIME_MS: i64 = 6 * 60 * 60 * 1000;
/// How often an agent that stays connected gets new ones: containers never see any with less than
/// five of their six hours left, unless their agent is away.
pub(crate) const RENEW_EVERY_MS: u64 = 60 * 60 * 1000;
/// The longest token looked at; ours have about 300 characters.
const TOKEN_LENGTH_MAX: usize = 2048;
/// The bytes of a signature.
const SIGNATURE_BYTES: usize = 32;
/// The letters of access key ids (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Which of a task's two roles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RoleKind {
    /// The containers' own.
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
    /// Seconds since the epoch.
    expires: i64,
}

/// Makes tokens, and knows them again.
#[derive(Clone)]
pub(crate) struct RoleKey([u8; SIGNATURE_BYTES]);

/// A token's session and secrets.
pub(crate) struct OpenedSession {
    pub(crate) session: RoleSession,
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl RoleKey {
    /// The key that follows from the server's own.
    pub(crate) fn derive(server_key: &[u8; 32]) -> Self {
        let own = Self(*server_key);
        Self(own.sign("berth role sessions, form 1", b""))
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
            expires: (now.as_millis() + LIFETIME_MS) / 1000,
        };
        let content = serde_json::to_vec(&session).expect("strings and numbers are JSON");
        let expiration = Timestamp::from_millis(session.expires * 1000).to_rfc3339_seconds();
        let (access_key_id, secret_access_key) = self.keys_of(&content);
        let mut token = self.sign("token", &content).to_vec();
        token.extend_from_slice(&content);
        let named = format!("{task} {}", kind.as_str());
        let id = self.sign("credentials id", named.as_bytes());
        Credentials {
            credentials_id: uuid::Uuid::from_slice(&id[..16])
                .expect("sixteen bytes are a UUID")
                .to_string(),
            role_arn,
            access_key_id,
            secret_access_key,
            session_token: URL_SAFE_NO_PAD.encode(token),
            expiration,
        }
    }

    /// What a token stands for; `None` for one that is not ours.
    ///
    /// # Errors
    /// When it has expired.
    pub(crate) fn open(&self, token: &str, now: Timestamp) -> Result<Option<OpenedSession>, Fault> {
        if token.len() > TOKEN_LENGTH_MAX {
            return Ok(None);
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).unwrap_or_default();
        let Some((signature, content)) = bytes.split_at_checked(SIGNATURE_BYTES) else {
            return Ok(None);
        };
        if !bool::from(self.sign("token", content).as_slice().ct_eq(signature)) {
            return Ok(None);
        }
        let Ok(session) = serde_json::from_slice::<RoleSession>(content) else {
            return Ok(None);
        };
        if session.expires.saturating_mul(1000) <= now.as_millis() {
            return Err(expired_token());
        }
        let (access_key_id, secret_access_key) = self.keys_of(content);
        Ok(Some(OpenedSession {
            session,
            access_key_id,
            secret_access_key,
        }))
    }

    fn keys_of(&self, content: &[u8]) -> (String, String) {
        let id: String = self.sign("access key id", content)[..16]
            .iter()
            .map(|byte| char::from(BASE32[usize::from(byte % 32)]))
            .collect();
        let secret = self.sign("secret access key", content);
        (format!("ASIA{id}"), STANDARD.encode(&secret[..30]))
    }

    fn sign(&self, what: &str, content: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(content);
        mac.finalize().into_bytes().into()
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
            expires: _,
        } = self;
        let name = role.rsplit('/').next().unwrap_or_default();
        let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
        (arn, format!("{name}:{session}"))
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
        assert_eq!(opened.access_key_id, made.access_key_id);
        assert_eq!(opened.secret_access_key, made.secret_access_key);
        assert_eq!(
            opened.session.identity().0,
            format!("arn:aws:sts::123456789012:assumed-role/web/{TASK}")
        );
        assert_eq!(made.role_arn, "arn:aws:iam::123456789012:role/web");
        let late = Timestamp::from_millis(1_000_000 + LIFETIME_MS);
        assert!(other.open(&made.session_token, late).is_err());
    }

    #[test]
    fn another_servers_token_and_a_changed_one_are_nobodys() {
        let key = RoleKey::derive(&[7; 32]);
        let now = Timestamp::from_millis(1_000_000);
        let foreign = issued(&RoleKey::derive(&[8; 32]), "web", 1_000_000);
        assert!(key.open(&foreign.session_token, now).unwrap().is_none());
        let own = issued(&key, "web", 1_000_000).session_token;
        let mut bytes = URL_SAFE_NO_PAD.decode(&own).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            let token = URL_SAFE_NO_PAD.encode(&bytes);
            assert!(key.open(&token, now).unwrap().is_none(), "byte {at}");
            bytes[at] ^= 1;
        }
        for other in ["", "x", "!!", &"A".repeat(10_000)] {
            assert!(key.open(other, now).unwrap().is_none());
        }
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
