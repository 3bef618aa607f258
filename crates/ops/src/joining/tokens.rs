//! Join tokens: made, listed and revoked by users.

use std::time::Duration;

use berth_model::id::JoinTokenId;
use berth_model::joining::{Enrolment, JoinToken, TokenStanding};
use berth_model::name::ClusterKey;
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::{State, Tx};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{check_account, hash, hex, not_found, read};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key};
use crate::error::ApiError;

/// Bytes of a token's secret.
pub const SECRET_BYTES: usize = 20;
/// What a token begins with, so that people and scanners of secrets know it.
pub(super) const TEXT_PREFIX: &str = "bj_";
/// How long a token is good when nothing is said: SSM's activations last as long.
const EXPIRES_DEFAULT: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest that a token may be good: SSM's most, 30 days.
const EXPIRES_MAX: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// The most machines by one token: SSM's most.
const USES_MAX: u32 = 1000;
/// The most open tokens of one account and region: far more than machines are prepared at once,
/// and little enough to list whole.
const OPEN_TOKENS_MAX: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Create {
    cluster: Option<String>,
    expires_in_seconds: Option<u64>,
    uses: Option<u32>,
    #[serde(default)]
    fargate: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct List {
    cluster: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Revoke {
    id: String,
    /// Whether the credentials of those who joined by it end too.
    #[serde(default)]
    machines: bool,
}

/// Makes a token. `secret` is chance from the operating system. Answers the token itself, which
/// is not shown again, what is kept of it, and where machines find the server.
///
/// # Errors
/// ClusterNotFoundException, and InvalidParameterException for times and numbers out of range.
pub async fn create(
    call: Call,
    body: &[u8],
    secret: [u8; SECRET_BYTES],
) -> Result<Value, ApiError> {
    check_account(&call, "CreateJoinToken")?;
    let input: Create = read(body)?;
    let cluster = cluster_key(call.scope(), input.cluster.as_deref())?;
    let expires = input
        .expires_in_seconds
        .map_or(EXPIRES_DEFAULT, Duration::from_secs);
    if expires.is_zero() || expires > EXPIRES_MAX {
        let most = EXPIRES_MAX.as_secs();
        return Err(invalid(format!(
            "expiresInSeconds must be between 1 and {most}"
        )));
    }
    let uses_max = input.uses.unwrap_or(1);
    if !(1..=USES_MAX).contains(&uses_max) {
        return Err(invalid(format!("uses must be between 1 and {USES_MAX}")));
    }
    let secret = hex(&secret);
    let (secret_hash, created_by) = (Text::new(&hash(&secret)), Text::new(&call.caller.arn));
    let advertised = call.cx.limits.advertise_url.clone();
    let server = advertised.unwrap_or_else(|| call.caller.base_url.clone());
    let made = call
        .transact(move |tx| {
            active_cluster(tx.state(), &cluster)?;
            check_room(tx, &cluster)?;
            let now = tx.now();
            let token = JoinToken {
                id: JoinTokenId::from_bytes(tx.ids().bytes()),
                cluster: cluster.clone(),
                secret_hash: secret_hash.clone(),
                fargate: input.fargate,
                created_at: now,
                created_by: created_by.clone(),
                expires_at: now + expires,
                uses_max,
                uses: 0,
                revoked_at: None,
            };
            tx.put_join_token(token.clone());
            Ok((token, now))
        })
        .await?;
    let (token, now) = made;
    Ok(json!({
        "joinToken": render(&token, now, &[]),
        "token": format!("{TEXT_PREFIX}{}_{secret}", token.id),
        "server": server,
    }))
}

fn check_room(tx: &Tx<'_>, cluster: &ClusterKey) -> Result<(), ApiError> {
    let now = tx.now();
    let open = tx.state().join_tokens.iter().filter(|(_, token)| {
        token.cluster.scope == cluster.scope && token.standing(now) == TokenStanding::Open
    });
    if open.count() < OPEN_TOKENS_MAX {
        return Ok(());
    }
    Err(invalid(format!(
        "There can be at most {OPEN_TOKENS_MAX} open join tokens. Revoke some."
    )))
}

/// The tokens of the account and region, or of one cluster, the newest first.
///
/// # Errors
/// InvalidParameterException for a malformed cluster.
pub fn list(call: &Call, body: &[u8]) -> Result<Value, ApiError> {
    check_account(call, "ListJoinTokens")?;
    let input: List = read(body)?;
    let cluster = input.cluster.as_deref();
    let cluster = cluster.map(|given| cluster_key(call.scope(), Some(given)));
    let cluster = cluster.transpose()?;
    let state = call.snapshot();
    let mut tokens: Vec<_> = state
        .join_tokens
        .iter()
        .map(|(_, token)| token)
        .filter(|token| token.cluster.scope == *call.scope())
        .filter(|token| cluster.as_ref().is_none_or(|one| token.cluster == *one))
        .collect();
    tokens.sort_by_key(|token| (std::cmp::Reverse(token.created_at), token.id));
    let now = (call.cx.wall)();
    let shown = tokens
        .into_iter()
        .map(|token| render(token, now, &machines(&state, token.id)));
    Ok(json!({ "joinTokens": shown.collect::<Vec<_>>() }))
}

/// Ends a token, and if asked for the credentials of those who joined by it.
///
/// # Errors
/// InvalidParameterException when there is no such token.
pub async fn revoke(call: Call, body: &[u8]) -> Result<Value, ApiError> {
    check_account(&call, "RevokeJoinToken")?;
    let input: Revoke = read(body)?;
    // Whoever pastes the whole token means the one that it is.
    let id = input.id.strip_prefix(TEXT_PREFIX).unwrap_or(&input.id);
    let id = id.split('_').next().unwrap_or_default();
    let id: JoinTokenId = id.parse().map_err(|_| not_found())?;
    let scope = call.scope().clone();
    let (token, ended, now) = call
        .transact(move |tx| {
            let now = tx.now();
            let token = tx.state().join_tokens.get(&id);
            let token = token.filter(|token| token.cluster.scope == scope);
            let mut token = JoinToken::clone(token.ok_or_else(not_found)?);
            if token.revoked_at.is_none() {
                token.revoked_at = Some(now);
                tx.put_join_token(token.clone());
            }
            let mut ended = 0;
            if input.machines {
                for machine in machines(tx.state(), id) {
                    if let Some(revoked) = machine.revoked(now) {
                        tx.put_enrolment(revoked);
                        ended += 1;
                    }
                }
            }
            Ok::<_, ApiError>((token, ended, now))
        })
        .await?;
    let state = call.snapshot();
    Ok(json!({
        "joinToken": render(&token, now, &machines(&state, id)),
        "machinesRevoked": ended,
    }))
}

fn machines(state: &State, token: JoinTokenId) -> Vec<Enrolment> {
    let all = state.enrolments.iter();
    all.filter(|(_, one)| one.token == token)
        .map(|(_, one)| Enrolment::clone(one))
        .collect()
}

fn render(token: &JoinToken, now: Timestamp, machines: &[Enrolment]) -> Value {
    let JoinToken {
        id,
        cluster,
        secret_hash: _,
        fargate,
        created_at,
        created_by,
        expires_at,
        uses_max,
        uses,
        revoked_at,
    } = token;
    let machine = |one: &Enrolment| {
        json!({
            "containerInstanceArn": one.cluster.instance_arn(one.instance),
            "joinedAt": one.joined_at.to_rfc3339_seconds(),
            "revokedAt": one.revoked_at.map(Timestamp::to_rfc3339_seconds),
        })
    };
    json!({
        "id": id.to_string(),
        "cluster": cluster.name.to_string(),
        "status": token.standing(now).as_str(),
        "fargate": fargate,
        "createdAt": created_at.to_rfc3339_seconds(),
        "createdBy": created_by.as_str(),
        "expiresAt": expires_at.to_rfc3339_seconds(),
        "uses": uses,
        "usesMax": uses_max,
        "revokedAt": revoked_at.map(Timestamp::to_rfc3339_seconds),
        "machines": machines.iter().map(machine).collect::<Vec<_>>(),
    })
}
