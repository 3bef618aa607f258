//! Credentials of task roles (reference §7.2).

use http::StatusCode;
use serde_json::{Value, json};

use super::Served;
use crate::directory::CredentialsAnswer;

/// The credentials with this id, of whichever agent.
pub(super) fn answer(served: &Served, id: Option<&str>) -> (StatusCode, Value) {
    let Some(id) = id.filter(|id| !id.is_empty()) else {
        return refuse(
            StatusCode::BAD_REQUEST,
            "NoIdInRequest",
            "CredentialsV2Request: No Credential ID in the request",
        );
    };
    let mut not_yet = false;
    for agent in served.agents() {
        match agent.directory.credentials(id) {
            CredentialsAnswer::Found(found) => {
                let answer = json!({
                    "RoleArn": found.role_arn,
                    "AccessKeyId": found.access_key_id,
                    "SecretAccessKey": found.secret_access_key,
                    "Token": found.session_token,
                    "Expiration": found.expiration,
                });
                return (StatusCode::OK, answer);
            }
            CredentialsAnswer::NotYet => not_yet = true,
            CredentialsAnswer::Unknown => {}
        }
    }
    match not_yet {
        true => refuse(
            StatusCode::SERVICE_UNAVAILABLE,
            "CredentialsUninitialized",
            "CredentialsV2Request: Credentials uninitialized for ID",
        ),
        false => refuse(
            StatusCode::BAD_REQUEST,
            "InvalidIdInRequest",
            "CredentialsV2Request: Credentials not found",
        ),
    }
}

fn refuse(status: StatusCode, code: &str, message: &str) -> (StatusCode, Value) {
    let answer = json!({
        "code": code,
        "message": message,
        "HTTPErrorCode": status.as_u16(),
    });
    (status, answer)
}
