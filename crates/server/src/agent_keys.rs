//! Credentials of machines that joined by a token.
//!
//! Rules kept here:
//! - they are sealed like those of roles: what they are for is in the token, and nothing is
//!   stored of them, so that a restart, or a restore from an older backup, invalidates none;
//! - they are good for one instance alone, until they expire, or the instance is deregistered or
//!   its enrolment revoked, whichever is first;
//! - whoever signs with them gets new ones, also for a season after they expired: the machine may
//!   have been switched off.

use berth_model::id::{InstanceId, JoinTokenId};
use berth_model::instance::InstanceStatus;
use berth_model::name::ClusterKey;
use berth_model::time::Timestamp;
use berth_ops::joining::Enrolled;
use berth_ops::{AgentRights, Principal};
use berth_reconcile::purge::RENEWABLE_FOR;
use berth_state::State;
use serde::{Deserialize, Serialize};

use crate::seal::{Seal, SealedKeys};

/// How long credentials are good: as long as those of roles. What ends them early does not wait
/// for it.
const LIFETIME_MS: i64 = crate::roles::LIFETIME_MS;
/// When a machine is to ask for new ones, in seconds: with five of the six hours left, a server
/// may be away for as long.
const RENEW_AFTER_SECONDS: i64 = 60 * 60;

/// What a token stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MachineSession {
    /// The instance's cluster, with account and region.
    cluster: ClusterKey,
    /// The instance.
    instance: InstanceId,
    /// The token by which it joined.
    token: JoinTokenId,
    /// When it joined.
    joined_at: Timestamp,
    /// Whether it may be Fargate capacity.
    #[serde(default)]
    fargate: bool,
    /// Seconds since the epoch.
    expires: i64,
}

/// A token's session and the key that goes with it.
pub(crate) struct OpenedAgent {
    pub(crate) session: MachineSession,
    pub(crate) keys: SealedKeys,
}

/// Credentials as a machine gets them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AgentCredentials {
    container_instance_arn: String,
    cluster: String,
    region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: String,
    /// RFC 3339.
    expiration: String,
    renew_after_seconds: i64,
}

/// Makes tokens, and knows them again.
#[derive(Clone)]
pub(crate) struct AgentKey(Seal);

impl AgentKey {
    /// The key that follows from the server's own.
    pub(crate) fn derive(server_key: &[u8; 32]) -> Self {
        Self(Seal::derive(server_key, "berth agent sessions, form 1"))
    }

    /// Credentials of a machine that was let in, good from now on.
    pub(crate) fn issue(&self, enrolled: &Enrolled, now: Timestamp) -> AgentCredentials {
        let AgentRights {
            instance,
            cluster,
            fargate,
        } = &enrolled.rights;
        let session = MachineSession {
            cluster: cluster.clone(),
            instance: *instance,
            token: enrolled.token,
            joined_at: enrolled.joined_at,
            fargate: *fargate,
            expires: (now.as_millis() + LIFETIME_MS) / 1000,
        };
        let content = serde_json::to_vec(&session).expect("names, ids and numbers are JSON");
        let SealedKeys {
            access_key_id,
            secret_access_key,
        } = self.0.keys(&content);
        AgentCredentials {
            container_instance_arn: cluster.instance_arn(*instance),
            cluster: cluster.name.to_string(),
            region: cluster.scope.region.to_string(),
            access_key_id,
            secret_access_key,
            session_token: self.0.token(&content),
            expiration: Timestamp::from_millis(session.expires * 1000).to_rfc3339_seconds(),
            renew_after_seconds: RENEW_AFTER_SECONDS,
        }
    }

    /// What a token stands for; `None` for one that is not ours.
    pub(crate) fn open(&self, token: &str) -> Option<OpenedAgent> {
        let content = self.0.open(token)?;
        let session = serde_json::from_slice(&content).ok()?;
        let keys = self.0.keys(&content);
        Some(OpenedAgent { session, keys })
    }
}

impl MachineSession {
    /// The cluster, which says account and region.
    pub(crate) fn cluster(&self) -> &ClusterKey {
        &self.cluster
    }

    /// The session's ARN and unique id, as GetCallerIdentity shows them.
    pub(crate) fn identity(&self) -> (String, String) {
        let (account, id) = (self.cluster.scope.account, self.instance);
        (
            format!("arn:aws:sts::{account}:assumed-role/berth-agent/{id}"),
            format!("berth-agent:{id}"),
        )
    }

    /// What it may do.
    pub(crate) fn principal(&self) -> Principal {
        Principal::Agent(self.rights())
    }

    /// The enrolment that it speaks of.
    pub(crate) fn enrolled(&self) -> Enrolled {
        Enrolled {
            rights: self.rights(),
            token: self.token,
            joined_at: self.joined_at,
        }
    }

    fn rights(&self) -> AgentRights {
        AgentRights {
            instance: self.instance,
            cluster: self.cluster.clone(),
            fargate: self.fargate,
        }
    }

    /// Whether it can no longer sign calls.
    pub(crate) fn is_expired(&self, now: Timestamp) -> bool {
        now.as_millis() >= self.expires.saturating_mul(1000)
    }

    /// Whether it can still be exchanged for a new one.
    pub(crate) fn is_renewable(&self, now: Timestamp) -> bool {
        let season = i64::try_from(RENEWABLE_FOR.as_millis()).unwrap_or(i64::MAX);
        now.as_millis() < self.expires.saturating_mul(1000).saturating_add(season)
    }

    /// Whether nothing in the state has ended it. A state without a record of its enrolment has
    /// not, unless the instance was deregistered.
    pub(crate) fn is_good(&self, state: &State) -> bool {
        match state.enrolments.get(&self.instance) {
            Some(enrolment) => enrolment.accepts(self.joined_at),
            None => {
                let instance = state.instances.get(&self.instance);
                instance.is_none_or(|i| i.status != InstanceStatus::Inactive)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enrolled() -> Enrolled {
        Enrolled {
            rights: AgentRights {
                instance: InstanceId::from_bytes([1; 16]),
                cluster: "123456789012/eu-west-1/blue".parse().unwrap(),
                fargate: true,
            },
            token: JoinTokenId::from_bytes([2; 16]),
            joined_at: Timestamp::from_millis(5_000),
        }
    }

    #[test]
    fn credentials_are_known_again_by_the_next_server_and_by_no_other() {
        let now = Timestamp::from_millis(1_000_000);
        let issued = AgentKey::derive(&[7; 32]).issue(&enrolled(), now);
        let opened = AgentKey::derive(&[7; 32])
            .open(&issued.session_token)
            .unwrap();
        assert_eq!(opened.session.enrolled(), enrolled());
        assert_eq!(opened.keys.access_key_id, issued.access_key_id);
        assert_eq!(opened.keys.secret_access_key, issued.secret_access_key);
        assert!(
            AgentKey::derive(&[8; 32])
                .open(&issued.session_token)
                .is_none()
        );
        // A role's token is no agent's, and the other way round.
        let roles = crate::roles::RoleKey::derive(&[7; 32]);
        assert!(roles.open(&issued.session_token, now).unwrap().is_none());
    }

    #[test]
    fn they_expire_and_can_be_renewed_for_a_season() {
        let now = Timestamp::from_millis(0);
        let key = AgentKey::derive(&[7; 32]);
        let token = key.issue(&enrolled(), now).session_token;
        let session = key.open(&token).unwrap().session;
        let at = |hours: i64| Timestamp::from_millis(hours * 3_600_000);
        assert!(!session.is_expired(at(5)) && session.is_expired(at(6)));
        assert!(session.is_renewable(at(6 + 90 * 24 - 1)));
        assert!(!session.is_renewable(at(6 + 90 * 24)));
    }
}
