//! TCS: what agents tell of their containers' health and use.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use berth_agent_proto::server::{HealthReport, TcsOutput, TcsSession};
use berth_leader::HealthNews;
use berth_model::id::InstanceId;
use berth_state::{Failure, Lane};
use http::request::Parts;

use super::Gateway;
use super::request::{self, AgentQuery, Visit};
use super::socket::{Gone, close, limited, send};
use super::sockets::OpenTcs;
use crate::app::Front;
use crate::clock;
use crate::contacts::Door;
use crate::telemetry::Moment;

/// Opens a TCS session.
pub(crate) async fn upgrade(
    Shared(front): Shared<Arc<Front>>,
    parts: Parts,
    upgrade: WebSocketUpgrade,
) -> Response {
    let mut visit = Visit {
        front: &front,
        parts: &parts,
        door: Door::Tcs,
        account: None,
    };
    let opened = (|| {
        let caller = visit.authenticate()?;
        let app = front.app().map_err(request::Refused::NotLeading)?;
        let query = AgentQuery::of(&parts);
        let state = app.newest.load();
        let instance = request::instance(&state, &caller, query.get("containerInstance"))?;
        Ok::<_, request::Refused>((app.gateway.clone(), instance))
    })();
    let from = visit.from();
    match opened {
        Ok((gateway, instance)) => {
            limited(upgrade).on_upgrade(move |socket| run(gateway, (instance, from), socket))
        }
        Err(refused) => {
            visit.note(&refused);
            refused.into_response()
        }
    }
}

async fn run(gateway: Arc<Gateway>, (instance, from): (InstanceId, IpAddr), mut socket: WebSocket) {
    let _open = OpenTcs::new(gateway.clone(), instance);
    let seed = u64::from_le_bytes(clock::random_bytes());
    let mut session = TcsSession::new(seed, clock::monotonic_ms());
    while !session.is_closed() {
        let mut out = Vec::new();
        tokio::select! {
            () = gateway.cancel.cancelled() => return,
            () = tokio::time::sleep_until(clock::at_monotonic_ms(session.due())) => {
                session.poll(clock::monotonic_ms(), &mut out);
            }
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => {
                    session.received(clock::monotonic_ms(), &text, &mut out);
                }
                Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                    Ok(text) => session.received(clock::monotonic_ms(), text, &mut out),
                    Err(_) => session.sign_of_life(clock::monotonic_ms(), &mut out),
                },
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                    session.sign_of_life(clock::monotonic_ms(), &mut out);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
            },
        }
        if carry_out(&gateway, (instance, from), &mut socket, out)
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn carry_out(
    gateway: &Gateway,
    (instance, from): (InstanceId, IpAddr),
    socket: &mut WebSocket,
    out: Vec<TcsOutput>,
) -> Result<(), Gone> {
    for output in out {
        match output {
            TcsOutput::Send(message) => {
                send(socket, Message::Text(message.encode().into())).await?;
            }
            TcsOutput::Ping => send(socket, Message::Ping(bytes::Bytes::new())).await?,
            TcsOutput::Close(reason) => {
                gateway.note_closed(instance, from, Door::Tcs, reason);
                close(socket, reason).await;
            }
            TcsOutput::Health(reports) => note_health(gateway, instance, &reports).await,
            TcsOutput::Metrics(message) => {
                let state = gateway.cx.state.snapshot();
                let now = Moment::now();
                let telemetry = &gateway.telemetry;
                telemetry.take_metrics(&state, instance, &message, now);
            }
            TcsOutput::InstanceStatus(statuses) => {
                let telemetry = &gateway.telemetry;
                telemetry.take_status(instance, &statuses, Moment::now());
            }
            TcsOutput::Ignored(what) => {
                gateway.metrics.stray_messages.inc();
                tracing::debug!(%instance, what, "telemetry ignored");
            }
        }
    }
    Ok(())
}

/// Writes down health that differs from what is known.
async fn note_health(gateway: &Gateway, instance: InstanceId, reports: &[HealthReport]) {
    let news = HealthNews::of(&gateway.cx.state.snapshot(), instance, reports);
    if news.is_empty() {
        return;
    }
    let noted = gateway.cx.state.transact(Lane::Agents, move |tx| {
        news.write(tx);
        Ok::<(), Failure>(())
    });
    if let Err(error) = noted.await {
        // The agent says it again with its next report.
        tracing::warn!(%instance, %error, "health reports not saved");
    }
}
