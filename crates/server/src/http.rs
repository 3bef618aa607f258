//! The HTTP front: one route for the AWS APIs, two for agents' sockets, health and metrics.

mod agents;
mod api;
mod body;
mod local;
mod own;
mod refusals;
mod serve;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::app::Front;
use crate::gateway;
use crate::metrics::{self, MetricsDetail};
use crate::telemetry::{self, Moment, RowFilter};

pub(crate) use serve::{Listener, serve};

/// Everything that the server answers.
pub(crate) fn router(front: Arc<Front>) -> Router {
    Router::new()
        .route("/health", get(health))
        .route("/metrics", get(show_metrics))
        .route(gateway::ACS_PATH, get(gateway::acs_upgrade))
        .route(gateway::TCS_PATH, get(gateway::tcs_upgrade))
        .fallback(any(api::handle))
        // The API reads its own bodies, up to its own limit.
        .layer(DefaultBodyLimit::disable())
        .layer(axum::middleware::from_fn_with_state(
            front.clone(),
            local::keep_foreigners_out,
        ))
        .with_state(front)
}

/// 200 once the server leads and serves, else 503 and why.
async fn health(State(front): State<Arc<Front>>) -> Response {
    let ready = front
        .app()
        .and_then(|app| match front.not_ready.load_full() {
            None => Ok(app),
            Some(why) => Err(*why),
        });
    match ready {
        Ok(app) => {
            let state = app.newest.load();
            let body = serde_json::json!({
                "status": "ok",
                "revision": state.revision,
                "agents": app.gateway.connected(),
                "tasks": state.tasks.len(),
            });
            (
                StatusCode::OK,
                [(CONTENT_TYPE, "application/json")],
                body.to_string(),
            )
                .into_response()
        }
        Err(why) => {
            let body = serde_json::json!({ "status": "unavailable", "reason": why });
            let headers = [(CONTENT_TYPE, "application/json")];
            (StatusCode::SERVICE_UNAVAILABLE, headers, body.to_string()).into_response()
        }
    }
}

async fn show_metrics(State(front): State<Arc<Front>>) -> Response {
    let used = front
        .readable()
        .ok()
        .filter(|_| front.metrics_detail > MetricsDetail::Server);
    let used = used.map(|app| {
        let by_task = front.metrics_detail == MetricsDetail::Task;
        // Summing up many tasks takes longer than a worker of the runtime should be held.
        tokio::task::spawn_blocking(move || {
            let (state, now) = (app.newest.load_full(), Moment::now());
            let summary = app.telemetry.summary(&state, now);
            let rows = match by_task {
                true => telemetry::rows(&state, &app.telemetry.fresh(now), &RowFilter::default()),
                false => Vec::new(),
            };
            metrics::usage(&summary, &rows, &state)
        })
    });
    let used = match used {
        Some(summing) => summing.await.unwrap_or_default(),
        None => Vec::new(),
    };
    let headers = [(CONTENT_TYPE, "text/plain; version=0.0.4")];
    (StatusCode::OK, headers, front.metrics.render(used)).into_response()
}
