//! Berth's own operations beside those of AWS: called and signed like them, with this prefix in
//! `X-Amz-Target`.

use std::sync::Arc;

use berth_ops::{ApiError, Call, Caller, explain};
use berth_wire::Fault;
use bytes::Bytes;
use http::Response;
use http::header::CONTENT_TYPE;

use super::{agents, usage};
use crate::app::{App, Front};

/// What `X-Amz-Target` names in front of these operations.
pub(super) const TARGET_PREFIX: &str = "Berth";
/// What they answer in.
const CONTENT: &str = "application/x-amz-json-1.1";

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Own {
    /// What clusters, services and tasks use.
    GetUsage,
    /// Why agents do not come up.
    ExplainAgents,
    /// Why a task waits or a service lacks tasks, or where they went.
    Explain,
}

impl Own {
    /// The operation of this name.
    pub(super) fn named(name: &str) -> Option<Own> {
        match name {
            "GetUsage" => Some(Self::GetUsage),
            "ExplainAgents" => Some(Self::ExplainAgents),
            explain::OPERATION => Some(Self::Explain),
            _ => None,
        }
    }

    /// Its name.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GetUsage => "GetUsage",
            Self::ExplainAgents => "ExplainAgents",
            Self::Explain => explain::OPERATION,
        }
    }

    /// Answers a call.
    ///
    /// # Errors
    /// For a caller who may not, and an input that does not read.
    pub(super) async fn run(
        self,
        front: &Front,
        app: Arc<App>,
        caller: Caller,
        body: Bytes,
    ) -> Result<Response<Bytes>, ApiError> {
        // An agent's own key is for what agents do.
        if caller.instance.is_some() {
            let (arn, name) = (&caller.arn, self.name());
            let text = format!("User: {arn} is not authorized to perform: berth:{name}");
            return Err(Fault::client("AccessDeniedException", text).into());
        }
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
