//! Berth's own operations beside those of AWS: called and signed like them, with this prefix in
//! `X-Amz-Target`.

use std::sync::Arc;

use berth_ops::{ApiError, Call, Caller, explain};
use berth_wire::Fault;
use berth_wire::sigv4::Received;
use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;

use super::api::{Named, not_leading};
use super::{agents, joining, usage};
use crate::accounts::base_url;
use crate::app::{App, Front};

/// What `X-Amz-Target` names in front of these operations.
pub(super) const TARGET_PREFIX: &str = "Berth";
/// What they answer in.
const CONTENT: &str = "application/x-amz-json-1.1";

/// Answers a call of one of them.
///
/// # Errors
/// When there is none of this name, for a caller who may not, and as the operation itself.
pub(super) async fn answer(
    front: &Front,
    received: &Received<'_>,
    body: &Bytes,
    name: &str,
    request_id: &str,
    named: &mut Named,
) -> Result<Response<Bytes>, ApiError> {
    let Some(own) = Own::named(name) else {
        let known = joining::find(name)?;
        named.operation = Some(known);
        return joining::answer(front, received, body, known, request_id).await;
    };
    named.operation = Some(own.name());
    let base_url = base_url(received.headers, front.tls);
    let sender = front
        .access
        .authenticate(received, &base_url, &front.sessions)?;
    named.account = Some(sender.caller.scope.account);
    // Not for tasks and agents: it tells of machines, and of the tasks of others.
    if !sender.is_account() {
        let (arn, name) = (&sender.caller.arn, own.name());
        let text = format!("User: {arn} is not authorized to perform: berth:{name}");
        return Err(Fault::client("AccessDeniedException", text).into());
    }
    let app = front.readable().map_err(not_leading)?;
    own.run(front, app, sender.caller, body.clone()).await
}

/// One of those that are told of what runs; how machines join is in [`joining`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Own {
    /// What clusters, services and tasks use.
    GetUsage,
    /// Why agents do not come up.
    ExplainAgents,
    /// Why a task waits or a service lacks tasks, or where they went.
    Explain,
}

impl Own {
    /// The operation of this name.
    fn named(name: &str) -> Option<Own> {
        match name {
            "GetUsage" => Some(Self::GetUsage),
            "ExplainAgents" => Some(Self::ExplainAgents),
            explain::OPERATION => Some(Self::Explain),
            _ => None,
        }
    }

    /// Its name.
    fn name(self) -> &'static str {
        match self {
            Self::GetUsage => "GetUsage",
            Self::ExplainAgents => "ExplainAgents",
            Self::Explain => explain::OPERATION,
        }
    }

    /// # Errors
    /// For an input that does not read.
    async fn run(
        self,
        front: &Front,
        app: Arc<App>,
        caller: Caller,
        body: Bytes,
    ) -> Result<Response<Bytes>, ApiError> {
        let answer = match self {
            Self::GetUsage => usage::get_usage(app, caller.scope.account, &body).await?,
            Self::ExplainAgents => {
                let account = caller.scope.account;
                agents::explain(&app, &front.contacts, account, &body)?
            }
            Self::Explain => {
                let call = Call::new(app.cx.clone(), Arc::new(caller));
                let explained = explain::explain(call, body).await?;
                serde_json::to_vec(&explained).map_err(ApiError::internal)?
            }
        };
        let mut response = Response::new(Bytes::from(answer));
        let content = http::HeaderValue::from_static(CONTENT);
        response.headers_mut().insert(CONTENT_TYPE, content);
        Ok(response)
    }
}
