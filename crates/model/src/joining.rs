//! How machines join without an account's key: tokens that allow it, and who joined by them.
//!
//! Rules kept here:
//! - a token is known by the hash of its secret alone;
//! - credentials of a machine are good as long as no enrolment says otherwise: they are sealed,
//!   so a server that was restored from an older backup knows them although it has no record.

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, JoinTokenId};
use crate::name::ClusterKey;
use crate::text::Text;
use crate::time::Timestamp;

/// Leave for machines to join a cluster: ECS Anywhere's activation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinToken {
    /// The id, which is no secret.
    pub id: JoinTokenId,
    /// The cluster that machines join.
    pub cluster: ClusterKey,
    /// SHA-256 of the token's secret, in hexadecimal digits.
    pub secret_hash: Text,
    /// Whether machines may be Fargate capacity, which every cluster of the account uses.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fargate: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it: an ARN.
    pub created_by: Text,
    /// Until when machines may join.
    pub expires_at: Timestamp,
    /// How many machines may join.
    pub uses_max: u32,
    /// How many have joined.
    pub uses: u32,
    /// When it was revoked, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

/// Whether a token lets machines join.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStanding {
    /// It does.
    Open,
    /// As many as may have joined.
    UsedUp,
    /// Its time is over.
    Expired,
    /// It was revoked.
    Revoked,
}

impl TokenStanding {
    /// As it is shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "OPEN",
            Self::UsedUp => "USED_UP",
            Self::Expired => "EXPIRED",
            Self::Revoked => "REVOKED",
        }
    }
}

impl JoinToken {
    /// Whether it lets another machine join at this instant.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> TokenStanding {
        if self.revoked_at.is_some() {
            TokenStanding::Revoked
        } else if now >= self.expires_at {
            TokenStanding::Expired
        } else if self.uses >= self.uses_max {
            TokenStanding::UsedUp
        } else {
            TokenStanding::Open
        }
    }

    /// Since when it lets nobody join, as far as time and people decide that.
    #[must_use]
    pub fn over_since(&self) -> Timestamp {
        self.revoked_at
            .map_or(self.expires_at, |at| at.min(self.expires_at))
    }
}

/// A machine that joined by a token, and so has credentials of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolment {
    /// The container instance that its agent may be.
    pub instance: InstanceId,
    /// The cluster.
    pub cluster: ClusterKey,
    /// The token by which it joined.
    pub token: JoinTokenId,
    /// SHA-256, in hexadecimal digits, of what the machine calls itself when it joins, so that it
    /// can ask again when it did not hear the answer.
    pub machine_hash: Text,
    /// When it joined. Credentials say it too: those of an earlier enrolment are over.
    pub joined_at: Timestamp,
    /// When its credentials were ended, if they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_at: Option<Timestamp>,
}

impl Enrolment {
    /// Whether credentials are good that were first given at `joined_at`.
    #[must_use]
    pub fn accepts(&self, joined_at: Timestamp) -> bool {
        self.revoked_at.is_none() && self.joined_at == joined_at
    }

    /// The enrolment with its credentials ended; `None` when they were before.
    #[must_use]
    pub fn revoked(&self, now: Timestamp) -> Option<Enrolment> {
        self.revoked_at.is_none().then(|| Enrolment {
            revoked_at: Some(now),
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn token() -> JoinToken {
        JoinToken {
            id: JoinTokenId::from_bytes([1; 16]),
            cluster: "123456789012/us-east-1/default".parse().unwrap(),
            secret_hash: Text::new("00"),
            fargate: false,
            created_at: at(0),
            created_by: Text::new("arn:aws:iam::123456789012:root"),
            expires_at: at(100),
            uses_max: 2,
            uses: 0,
            revoked_at: None,
        }
    }

    #[test]
    fn a_token_is_open_until_it_is_used_up_expires_or_is_revoked() {
        let token = token();
        assert_eq!(token.standing(at(99)), TokenStanding::Open);
        assert_eq!(token.standing(at(100)), TokenStanding::Expired);
        let used = JoinToken {
            uses: 2,
            ..token.clone()
        };
        assert_eq!(used.standing(at(99)), TokenStanding::UsedUp);
        assert_eq!(used.standing(at(100)), TokenStanding::Expired);
        let revoked = JoinToken {
            revoked_at: Some(at(5)),
            ..token
        };
        assert_eq!(revoked.standing(at(6)), TokenStanding::Revoked);
        assert_eq!(revoked.over_since(), at(5));
    }

    #[test]
    fn only_credentials_of_the_newest_enrolment_are_good_and_none_once_it_is_revoked() {
        let enrolment = Enrolment {
            instance: InstanceId::from_bytes([2; 16]),
            cluster: token().cluster,
            token: token().id,
            machine_hash: Text::new("00"),
            joined_at: at(7),
            revoked_at: None,
        };
        assert!(enrolment.accepts(at(7)));
        assert!(!enrolment.accepts(at(6)));
        let revoked = enrolment.revoked(at(9)).unwrap();
        assert!(!revoked.accepts(at(7)));
        assert_eq!(revoked.revoked(at(10)), None);
    }
}
