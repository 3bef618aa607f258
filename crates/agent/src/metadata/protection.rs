//! Task protection, asked and set by the task itself (reference §7.4).

use std::time::Duration;

use berth_api::ecs;
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Asker;
use super::render::time;
use crate::directory::CredentialsAnswer;
use crate::ecs::EcsClient;
use crate::http::{CallError, Keys};

/// How long the server may take. The stock agent's number.
const CALL_MAX: Duration = Duration::from_secs(4);

/// What a task may ask for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    #[serde(rename = "ProtectionEnabled")]
    enabled: bool,
    #[serde(rename = "ExpiresInMinutes")]
    expires_in_minutes: Option<i32>,
}

/// How the task is protected.
pub(super) async fn get(asker: &Asker) -> (StatusCode, Value) {
    let arn = &asker.view.task.arn;
    let ecs = match signed_by_task(asker) {
        Ok(ecs) => ecs,
        Err(answer) => return answer,
    };
    let answer = tokio::time::timeout(CALL_MAX, ecs.protection(arn)).await;
    let found = answer.map(|answer| answer.map(|a| (a.protected_tasks, a.failures)));
    render(arn, found)
}

/// Protects the task, or no longer.
pub(super) async fn put(asker: &Asker, body: &[u8]) -> (StatusCode, Value) {
    let arn = &asker.view.task.arn;
    let wanted: Wanted = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(error) => {
            let message = format!("UpdateTaskProtection: failed to decode request: {error}");
            return refuse(
                StatusCode::BAD_REQUEST,
                Some(arn),
                "InvalidParameterException",
                &message,
            );
        }
    };
    let ecs = match signed_by_task(asker) {
        Ok(ecs) => ecs,
        Err(answer) => return answer,
    };
    let call = ecs.protect(arn, wanted.enabled, wanted.expires_in_minutes);
    let answer = tokio::time::timeout(CALL_MAX, call).await;
    let found = answer.map(|answer| answer.map(|a| (a.protected_tasks, a.failures)));
    render(arn, found)
}

/// A client that signs with the task's own role, whose permission it is.
fn signed_by_task(asker: &Asker) -> Result<EcsClient, (StatusCode, Value)> {
    let arn = &asker.view.task.arn;
    let role = asker.view.task.role_credentials.as_ref();
    let Some(role) = role else {
        let message = "Invalid Request: no task IAM role credentials available for task";
        return Err(refuse(
            StatusCode::FORBIDDEN,
            Some(arn),
            "AccessDeniedException",
            message,
        ));
    };
    match asker.agent.directory.credentials(&role.credentials_id) {
        CredentialsAnswer::Found(found) => Ok(asker.agent.ecs.with_keys(Keys {
            access_key_id: found.access_key_id,
            secret_access_key: found.secret_access_key,
            session_token: Some(found.session_token).filter(|token| !token.is_empty()),
        })),
        CredentialsAnswer::NotYet | CredentialsAnswer::Unknown => {
            let message = "Invalid Request: no task IAM role credentials available for task";
            Err(refuse(
                StatusCode::FORBIDDEN,
                Some(arn),
                "AccessDeniedException",
                message,
            ))
        }
    }
}

type Found = (Option<Vec<ecs::ProtectedTask>>, Option<Vec<ecs::Failure>>);

fn render(
    arn: &str,
    answer: Result<Result<Found, CallError>, tokio::time::error::Elapsed>,
) -> (StatusCode, Value) {
    let (tasks, failures) = match answer {
        Err(_) => {
            let message = "Timed out calling ECS Task Protection API";
            return refuse(
                StatusCode::GATEWAY_TIMEOUT,
                Some(arn),
                "RequestCanceled",
                message,
            );
        }
        Ok(Err(CallError::Refused {
            status,
            code,
            message,
        })) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            return refuse(status, Some(arn), &code, &message);
        }
        Ok(Err(CallError::Failed(message))) => {
            return refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                Some(arn),
                "ServerException",
                &message,
            );
        }
        Ok(Ok(found)) => found,
    };
    if let Some(failure) = failures.unwrap_or_default().first() {
        let answer = json!({ "failure": {
            "Arn": failure.arn, "Reason": failure.reason, "Detail": failure.detail,
        }});
        return (StatusCode::OK, answer);
    }
    match tasks.unwrap_or_default().as_slice() {
        [task] => {
            let until = task.expiration_date.map(|date| time(date.millis()));
            let answer = json!({ "protection": {
                "TaskArn": task.task_arn,
                "ProtectionEnabled": task.protection_enabled.unwrap_or(false),
                "ExpirationDate": until,
            }});
            (StatusCode::OK, answer)
        }
        _ => {
            let message = "Unexpected error when calling ECS Task Protection API";
            refuse(
                StatusCode::INTERNAL_SERVER_ERROR,
                Some(arn),
                "ServerException",
                message,
            )
        }
    }
}

/// An error in the form of this endpoint.
pub(super) fn refuse(
    status: StatusCode,
    arn: Option<&str>,
    code: &str,
    message: &str,
) -> (StatusCode, Value) {
    let mut error = json!({ "Code": code, "Message": message });
    if let Some(arn) = arn {
        error["Arn"] = arn.into();
    }
    (status, json!({ "error": error }))
}
