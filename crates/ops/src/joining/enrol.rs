//! Machines that join by a token, and what becomes of their enrolment.

use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, JoinTokenId};
use berth_model::instance::InstanceStatus;
use berth_model::joining::{Enrolment, JoinToken, TokenStanding};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::{Lane, State, Tx};
use serde::Deserialize;

use super::tokens::TEXT_PREFIX;
use super::{hash, read, same};
use crate::access::AgentRights;
use crate::context::Context;
use crate::ecs::fault::invalid;
use crate::ecs::names::active_cluster;
use crate::error::ApiError;

/// Characters of what a machine calls itself, at least: it is a secret that the machine made.
const MACHINE_LENGTH_MIN: usize = 32;
/// And at most.
const MACHINE_LENGTH_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Join {
    token: String,
    /// A secret of the machine's own making: whoever brings it with the token is the machine.
    machine: String,
    /// The instance that the machine was, when it comes back to a server that does not know it.
    container_instance: Option<String>,
}

/// A machine that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolled {
    /// What its credentials are for.
    pub rights: AgentRights,
    /// The token by which it joined.
    pub token: JoinTokenId,
    /// When it joined.
    pub joined_at: Timestamp,
}

/// Lets a machine in that brings a token. Nothing is known of the caller beside the body.
///
/// # Errors
/// AccessDeniedException for a token that is none, or is over; InvalidParameterException for a
/// request that is none.
pub async fn enrol(cx: &Context, body: &[u8]) -> Result<Enrolled, ApiError> {
    let input: Join = read(body)?;
    let length = input.machine.chars().count();
    if !(MACHINE_LENGTH_MIN..=MACHINE_LENGTH_MAX).contains(&length) {
        return Err(invalid(format!(
            "machine must have {MACHINE_LENGTH_MIN} to {MACHINE_LENGTH_MAX} characters."
        )));
    }
    let (id, secret) = parse(&input.token).ok_or_else(unknown)?;
    let (secret_hash, machine_hash) = (hash(secret), hash(&input.machine));
    let claimed = input.container_instance.as_deref().and_then(EcsArn::parse);
    let claimed = claimed.and_then(|arn| arn.last().parse().ok());
    cx.state
        .transact(Lane::Api, move |tx| {
            let token = tx.state().join_tokens.get(&id).cloned();
            let token = token.filter(|token| same(&token.secret_hash, &secret_hash));
            let token = token.ok_or_else(unknown)?;
            put(tx, &token, &machine_hash, claimed)
        })
        .await
}

/// A token's id and secret.
fn parse(token: &str) -> Option<(JoinTokenId, &str)> {
    let (id, secret) = token.trim().strip_prefix(TEXT_PREFIX)?.split_once('_')?;
    Some((id.parse().ok()?, secret))
}

/// One text for a token that never was and for a wrong secret: neither shall be found out.
fn unknown() -> ApiError {
    refused("The join token is not known here.")
}

fn refused(text: &str) -> ApiError {
    ApiError::client(berth_api::ecs::Fault::AccessDenied, text)
}

fn put(
    tx: &mut Tx<'_>,
    token: &JoinToken,
    machine_hash: &str,
    claimed: Option<InstanceId>,
) -> Result<Enrolled, ApiError> {
    let now = tx.now();
    let known = enrolment_of(tx.state(), token.id, machine_hash);
    let standing = token.standing(now);
    match (standing, &known) {
        (TokenStanding::Open, _) => {}
        // The machine is one of those that used it up, and did not hear the answer.
        (TokenStanding::UsedUp, Some(_)) => {}
        (TokenStanding::UsedUp, None) => {
            return Err(refused("The join token is used up. Ask for a new one."));
        }
        (TokenStanding::Expired, _) => {
            return Err(refused("The join token has expired. Ask for a new one."));
        }
        (TokenStanding::Revoked, _) => return Err(refused("The join token was revoked.")),
    }
    active_cluster(tx.state(), &token.cluster)?;
    let enrolment = match known {
        Some(known) if known.revoked_at.is_some() => {
            return Err(refused("The machine's credentials were ended."));
        }
        Some(known) => known,
        None => {
            let claimed = claimed.filter(|id| is_free(tx.state(), token, *id));
            let instance = claimed.unwrap_or_else(|| tx.ids().instance());
            let fresh = Enrolment {
                instance,
                cluster: token.cluster.clone(),
                token: token.id,
                machine_hash: Text::new(machine_hash),
                joined_at: now,
                revoked_at: None,
            };
            tx.put_enrolment(fresh.clone());
            tx.put_join_token(JoinToken {
                uses: token.uses + 1,
                ..token.clone()
            });
            fresh
        }
    };
    Ok(Enrolled {
        rights: AgentRights {
            instance: enrolment.instance,
            cluster: enrolment.cluster,
            fargate: token.fargate,
        },
        token: token.id,
        joined_at: enrolment.joined_at,
    })
}

fn enrolment_of(state: &State, token: JoinTokenId, machine_hash: &str) -> Option<Enrolment> {
    let mut all = state.enrolments.iter().map(|(_, enrolment)| enrolment);
    all.find(|one| one.token == token && same(&one.machine_hash, machine_hash))
        .map(|one| Enrolment::clone(one))
}

/// Whether a machine may say that it is this instance: one that nobody is. Else whoever has a
/// token could take another machine's place.
fn is_free(state: &State, token: &JoinToken, id: InstanceId) -> bool {
    let gone = match state.instances.get(&id) {
        None => true,
        Some(instance) => {
            instance.status == InstanceStatus::Inactive && instance.cluster == token.cluster
        }
    };
    let enrolled = state.enrolments.get(&id);
    gone && enrolled.is_none_or(|one| one.revoked_at.is_some())
}

/// Notes an enrolment that credentials speak of and the state does not, as after an older backup
/// was restored, so that it can be ended.
///
/// # Errors
/// Why it was not saved.
pub async fn renewed(cx: &Context, enrolled: &Enrolled) -> Result<(), ApiError> {
    let instance = enrolled.rights.instance;
    if cx.state.snapshot().enrolments.get(&instance).is_some() {
        return Ok(());
    }
    let enrolled = enrolled.clone();
    cx.state
        .transact(Lane::Api, move |tx| {
            if tx.state().enrolments.get(&instance).is_none() {
                tx.put_enrolment(Enrolment {
                    instance,
                    cluster: enrolled.rights.cluster.clone(),
                    token: enrolled.token,
                    // What the machine called itself went with the record; nobody hashes to this.
                    machine_hash: Text::new(""),
                    joined_at: enrolled.joined_at,
                    revoked_at: None,
                });
            }
            Ok(())
        })
        .await
}

/// Ends the credentials of a machine that is no longer an instance; one that has none is no
/// error.
pub fn revoke_machine(tx: &mut Tx<'_>, instance: InstanceId) {
    let now = tx.now();
    let enrolment = tx.state().enrolments.get(&instance);
    if let Some(revoked) = enrolment.and_then(|one| one.revoked(now)) {
        tx.put_enrolment(revoked);
    }
}
