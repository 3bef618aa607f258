//! One API call: route → authenticate → count → decode → handle → answer.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use berth_api::{Protocol, Service, ecs, logs, sts};
use berth_model::id::AccountId;
use berth_ops::{ApiError, Call, find};
use berth_wire::sigv4::Received;
use berth_wire::{Fault, FaultCode, Route, json, query, route};
use bytes::Bytes;
use futures_util::FutureExt;
use http::Request;

use crate::accounts::base_url;
use crate::app::Front;
use crate::clock;
use crate::http::body::ROOM;
use crate::http::own::{self, Own};
use crate::http::refusals;

/// The services that are known, served or not.
const SERVICES: [&Service; 3] = [&ecs::SERVICE, &logs::SERVICE, &sts::SERVICE];

/// How long an operation may take. What takes longer waits for a database that is gone, with a
/// change whose outcome is unknown until it returns: the caller hears so before its own patience
/// ends, and asks again.
const HANDLING_MAX: Duration = Duration::from_secs(15);
/// How long an agent's report may take: it waits 30 s for its turn, and the agent 42 s for us.
const REPORT_HANDLING_MAX: Duration = Duration::from_secs(35);

/// Answers an API call, or what is none.
pub(crate) async fn handle(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    let request_id = clock::request_id();
    let begun = clock::monotonic_ns();
    let (parts, body) = request.into_parts();
    let mut named = Named {
        account: None,
        service: None,
        operation: None,
    };
    let mut body_read = Bytes::new();
    let outcome = async {
        let body = ROOM.read(body).await?;
        body_read = body.clone();
        let received = Received {
            method: &parts.method,
            path_and_query: parts.uri.path_and_query().map_or("/", |path| path.as_str()),
            headers: &parts.headers,
            body: &body,
        };
        answer(&front, &received, body.clone(), &request_id, &mut named).await
    };
    let outcome = outcome.await;
    let seconds = (clock::monotonic_ns() - begun) as f64 / 1e9;
    note(&front, &named, &outcome, &request_id, seconds);
    if let Err(ApiError(fault)) = &outcome {
        refusals::note(&front, &parts, &body_read, named.account, fault);
    }
    outcome
        .unwrap_or_else(|ApiError(fault)| named.refuse(&fault, &request_id))
        .map(Body::from)
}

/// What the request turned out to be about, as far as it was understood.
struct Named {
    /// Whose signature was good.
    account: Option<AccountId>,
    service: Option<&'static Service>,
    operation: Option<&'static str>,
}

impl Named {
    /// The fault in the protocol of the service; JSON when none was understood.
    fn refuse(&self, fault: &Fault, request_id: &str) -> http::Response<Bytes> {
        match self.service.map(|service| service.protocol) {
            Some(Protocol::Query { xml_namespace }) => {
                query::respond_fault(fault, xml_namespace, request_id)
            }
            Some(Protocol::Json { .. }) | None => json::respond_fault(fault, request_id),
        }
    }
}

async fn answer(
    front: &Front,
    received: &Received<'_>,
    body: Bytes,
    request_id: &str,
    named: &mut Named,
) -> Result<http::Response<Bytes>, ApiError> {
    let path = received.path_and_query.split('?').next().unwrap_or("/");
    let route = route(received.method, path, received.headers)?;
    let mut operation = String::new();
    match route {
        Route::Json {
            target_prefix: own::TARGET_PREFIX,
            operation: name,
        } => {
            let own = Own::named(name).ok_or_else(|| Fault::unknown_operation(name))?;
            named.operation = Some(own.name());
            let base_url = base_url(received.headers, front.tls);
            let access = &front.access;
            let sender = access.authenticate(received, &base_url, &front.roles)?;
            named.account = Some(sender.caller.scope.account);
            // Not for tasks: it tells of machines, and of the tasks of others.
            if sender.is_role {
                return Err(access_denied(&sender.caller.arn, own.name()).into());
            }
            let app = front.readable().map_err(not_leading)?;
            let running = caught(front, own.run(front, app, sender.caller, body));
            let answered = tokio::time::timeout(HANDLING_MAX, running).await;
            return answered.unwrap_or_else(|_| Err(not_leading("the operation took too long")));
        }
        Route::Json {
            target_prefix,
            operation: name,
        } => {
            named.service = Some(service_of_target(target_prefix, name)?);
            name.clone_into(&mut operation);
        }
        // A query call says what it is about in its signature and its body.
        Route::Query => {}
    }
    let base_url = base_url(received.headers, front.tls);
    let sender = front
        .access
        .authenticate(received, &base_url, &front.roles)?;
    named.account = Some(sender.caller.scope.account);
    let service = match named.service {
        Some(service) => service,
        None => {
            let service = service_signed_for(&sender.service)?;
            named.service = Some(service);
            let form = query::parse_form(&body)?;
            operation = form.action;
            service
        }
    };
    let known = service.operations.iter().find(|name| **name == operation);
    let known = known.ok_or_else(|| Fault::unknown_operation(&operation))?;
    named.operation = Some(known);
    if sender.is_role && is_for_agents(known) {
        return Err(access_denied(&sender.caller.arn, known).into());
    }
    let now_ns = clock::monotonic_ns();
    let (scope, service_name) = (&sender.caller.scope, service.name);
    if !front.rates.admit(scope, service_name, known, now_ns) {
        return Err(Fault::throttled().into());
    }
    let served =
        find(service.name, known).ok_or_else(|| Fault::unserved(service.signing_name, known))?;
    let app = front.readable().map_err(not_leading)?;
    if sender.opens_world {
        front.worlds.open(&sender.caller.scope).await;
    }
    let call = Call::new(app.cx.clone(), Arc::new(sender.caller));
    let running = caught(front, served.run(call, body, request_id.to_owned()));
    let patience = match known.starts_with("Submit") {
        true => REPORT_HANDLING_MAX,
        false => HANDLING_MAX,
    };
    let answered = tokio::time::timeout(patience, running).await;
    answered.unwrap_or_else(|_| Err(not_leading("the operation took too long")))
}

/// Whether only an agent has a use for this operation.
pub(super) fn is_for_agents(operation: &str) -> bool {
    operation.starts_with("Submit")
        || matches!(
            operation,
            "RegisterContainerInstance" | "DiscoverPollEndpoint"
        )
}

fn access_denied(arn: &str, operation: &str) -> Fault {
    let text = format!("User: {arn} is not authorized to perform: ecs:{operation}");
    Fault::client("AccessDeniedException", text)
}

/// A handler's defect is its caller's 500, not the server's end.
async fn caught<T>(
    front: &Front,
    run: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    match AssertUnwindSafe(run).catch_unwind().await {
        Ok(outcome) => outcome,
        Err(_) => {
            front.metrics.panics.inc();
            Err(ApiError::internal("the operation's handler panicked"))
        }
    }
}

fn not_leading(why: &'static str) -> ApiError {
    let code = FaultCode {
        code: "ServerException".into(),
        status: 503,
    };
    let text = "Service Unavailable. Please try again later.";
    ApiError(Fault::client(code, text).caused_by(why))
}

fn service_of_target(target_prefix: &str, operation: &str) -> Result<&'static Service, Fault> {
    let found = SERVICES.into_iter().find(|service| match service.protocol {
        Protocol::Json {
            target_prefix: prefix,
        } => prefix == target_prefix,
        Protocol::Query { .. } => false,
    });
    found.ok_or_else(|| Fault::unknown_operation(&format!("{target_prefix}.{operation}")))
}

fn service_signed_for(signing_name: &str) -> Result<&'static Service, Fault> {
    let found = SERVICES
        .into_iter()
        .find(|service| service.signing_name == signing_name);
    found.ok_or_else(|| Fault::unknown_operation(signing_name))
}

fn note(
    front: &Front,
    named: &Named,
    outcome: &Result<http::Response<Bytes>, ApiError>,
    request_id: &str,
    seconds: f64,
) {
    let service = named.service.map_or("none", |service| service.name);
    let operation = named.operation.unwrap_or("none");
    let code = match outcome {
        Ok(_) => "ok",
        Err(ApiError(fault)) => fault.bare_code(),
    };
    front
        .metrics
        .calls
        .with_label_values(&[service, operation, code])
        .inc();
    front
        .metrics
        .call_seconds
        .with_label_values(&[operation])
        .observe(seconds);
    let Err(ApiError(fault)) = outcome else {
        return;
    };
    // While the database is away every call is refused; the writer says so, once for each attempt.
    if fault.status >= 500 && fault.status != 503 {
        tracing::error!(request_id, service, operation, ?fault, "call failed");
    } else {
        tracing::debug!(request_id, service, operation, %fault, "call refused");
    }
}
