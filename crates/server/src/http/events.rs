//! `GET /events`: the event bus as lines of JSON, for `berth events`. Signed like an API call.
//!
//! `cluster` and `type` narrow down what is told, `follow` keeps the answer going.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use berth_model::arn::EcsArn;
use berth_model::name::ClusterName;
use berth_ops::{ApiError, EventKind};
use berth_wire::sigv4::Received;
use berth_wire::{Fault, json};
use futures_util::stream;
use http::Request;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use crate::accounts::base_url;
use crate::app::Front;
use crate::clock;
use crate::events::{Filter, Listener};
use crate::http::api::not_leading;

/// Answers with what was told lately, and with what is told from now on.
pub(crate) async fn handle(State(front): State<Arc<Front>>, request: Request<Body>) -> Response {
    match listen(&front, &request) {
        Ok(listener) => {
            let lines = stream::unfold(listener, |mut listener| async {
                let lines = listener.next().await?;
                Some((Ok::<_, std::convert::Infallible>(lines), listener))
            });
            let mut response = Response::new(Body::from_stream(lines));
            let headers = response.headers_mut();
            let json_lines = http::HeaderValue::from_static("application/x-ndjson");
            headers.insert(CONTENT_TYPE, json_lines);
            headers.insert(CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
            response
        }
        Err(ApiError(fault)) => json::respond_fault(&fault, &clock::request_id()).map(Body::from),
    }
}

fn listen(front: &Front, request: &Request<Body>) -> Result<Listener, ApiError> {
    let received = Received {
        method: request.method(),
        path_and_query: request
            .uri()
            .path_and_query()
            .map_or("/", |path| path.as_str()),
        headers: request.headers(),
        body: &[],
    };
    let base_url = base_url(received.headers, front.tls);
    let sender = front
        .access
        .authenticate(&received, &base_url, &front.sessions)?;
    if !sender.is_account() {
        let text = format!(
            "User: {} is not authorized to follow the events",
            sender.caller.arn
        );
        return Err(Fault::client("AccessDeniedException", text).into());
    }
    let asked = Asked::parse(request.uri().query().unwrap_or_default())?;
    let app = front.app().map_err(not_leading)?;
    let filter = Filter {
        scope: sender.caller.scope.clone(),
        cluster: asked.cluster,
        kinds: asked.kinds,
    };
    let listener = Listener::new(&app.events, filter, asked.follow);
    Ok(listener.ok_or_else(Fault::throttled)?)
}

/// What the query says.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    cluster: Option<ClusterName>,
    kinds: Vec<EventKind>,
    follow: bool,
}

impl Asked {
    fn parse(query: &str) -> Result<Self, Fault> {
        let invalid = |text: String| Fault::client("InvalidParameterException", text);
        let form = form_urlencoded::parse(query.as_bytes());
        let mut asked = Self::default();
        for (name, value) in form {
            match (&*name, &*value) {
                ("cluster", value) => {
                    let named = EcsArn::parse(value).map_or(value, |arn| arn.last());
                    let named = named.parse();
                    asked.cluster =
                        Some(named.map_err(|_| invalid(format!("Invalid cluster name: {value}")))?);
                }
                ("type", value) => {
                    let kind = EventKind::ALL
                        .into_iter()
                        .find(|k| k.detail_type() == value);
                    asked
                        .kinds
                        .push(kind.ok_or_else(|| invalid(format!("Invalid type: {value}")))?);
                }
                ("follow", "true") => asked.follow = true,
                ("follow", "false") => asked.follow = false,
                (name, value) => {
                    return Err(invalid(format!("Invalid parameter: {name}={value}")));
                }
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_narrows_down_what_is_told() {
        assert_eq!(Asked::parse("").unwrap(), Asked::default());
        let arn = "arn:aws:ecs:eu-west-1:123456789012:cluster/blue".replace(':', "%3A");
        for cluster in ["blue", &arn] {
            let query = format!(
                "cluster={cluster}&type=ECS+Task+State+Change&type=ECS%20Service%20Action&follow=true"
            );
            let expected = Asked {
                cluster: Some("blue".parse().unwrap()),
                kinds: vec![EventKind::Task, EventKind::ServiceAction],
                follow: true,
            };
            assert_eq!(Asked::parse(&query).unwrap(), expected);
        }
    }

    #[test]
    fn what_a_query_may_not_say_is_refused() {
        for query in ["cluster=a%2Fb%20c", "type=ECS", "follow=yes", "since=1"] {
            let fault = Asked::parse(query).unwrap_err();
            assert_eq!(fault.bare_code(), "InvalidParameterException", "{query}");
        }
    }
}
