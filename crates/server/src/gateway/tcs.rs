//! TCS: what agents tell of their containers' health and use.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use berth_agent_proto::server::{CLOSE_POLICY, Close, HealthReport, TcsOutput, TcsSession};
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::task::Health;
use berth_state::{Failure, Lane};
use http::request::Parts;

use super::Gateway;
use super::request::{self, AgentQuery};
use super::socket::{Gone, close, limited, send};
use crate::accounts::Authenticated;
use crate::app::Front;
use crate::clock;

/// Opens a TCS session.
pub(crate) async fn upgrade(
    Shared(front): Shared<Arc<Front>>,
    parts: Parts,
    upgrade: WebSocketUpgrade,
) -> Response {
    let opened = (|| {
        let sender = request::authenticate(&front, &parts)?;
        let app = front.app().map_err(request::Refused::NotLeading)?;
        let query = AgentQuery::of(&parts);
        let state = app.newest.load();
        let instance = request::instance(&state, &sender, query.get("containerInstance"))?;
        Ok::<_, request::Refused>((app.gateway.clone(), instance, sender))
    })();
    match opened {
        Ok((gateway, instance, sender)) => {
            limited(upgrade).on_upgrade(move |socket| run(gateway, instance, sender, socket))
        }
        Err(refused) => refused.into_response(),
    }
}

async fn run(
    gateway: Arc<Gateway>,
    instance: InstanceId,
    sender: Authenticated,
    mut socket: WebSocket,
) {
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
        // What was ended since the last message is not listened to.
        if sender.check_good(&gateway.cx.state.snapshot()).is_err() {
            let reason = "the credentials were ended";
            close(
                &mut socket,
                Close {
                    code: CLOSE_POLICY,
                    reason,
                },
            )
            .await;
            return;
        }
        if carry_out(&gateway, instance, &mut socket, out)
            .await
            .is_err()
        {
            return;
        }
    }
}

async fn carry_out(
    gateway: &Gateway,
    instance: InstanceId,
    socket: &mut WebSocket,
    out: Vec<TcsOutput>,
) -> Result<(), Gone> {
    for output in out {
        match output {
            TcsOutput::Send(message) => {
                send(socket, Message::Text(message.encode().into())).await?;
            }
            TcsOutput::Ping => send(socket, Message::Ping(bytes::Bytes::new())).await?,
            TcsOutput::Close(reason) => close(socket, reason).await,
            TcsOutput::Health(reports) => note_health(gateway, instance, &reports).await,
            // Metrics are acknowledged by the session; nothing here keeps them yet.
            TcsOutput::Metrics(_) | TcsOutput::InstanceStatus(_) => {}
            TcsOutput::Ignored(what) => {
                gateway.metrics.stray_messages.inc();
                tracing::debug!(%instance, what, "telemetry ignored");
            }
        }
    }
    Ok(())
}

/// Writes down health that differs from what is known: agents repeat theirs every 20 s.
async fn note_health(gateway: &Gateway, instance: InstanceId, reports: &[HealthReport]) {
    let mut by_task: Vec<(TaskId, Vec<(String, Health)>)> = Vec::new();
    for report in reports {
        let id = EcsArn::parse(&report.task_arn).and_then(|arn| arn.last().parse().ok());
        let Some(id) = id else { continue };
        let entry = (report.container.clone(), report.health);
        match by_task.iter_mut().find(|(task, _)| *task == id) {
            Some((_, reports)) => reports.push(entry),
            None => by_task.push((id, vec![entry])),
        }
    }
    let state = gateway.cx.state.snapshot();
    by_task.retain(|(id, reports)| changed(&state, instance, *id, reports).is_some());
    if by_task.is_empty() {
        return;
    }
    let noted = gateway.cx.state.transact(Lane::Agents, move |tx| {
        for (id, reports) in &by_task {
            if let Some(task) = changed(tx.state(), instance, *id, reports) {
                tx.put_task(task);
            }
        }
        Ok::<(), Failure>(())
    });
    if let Err(error) = noted.await {
        // The agent says it again with its next report.
        tracing::warn!(%instance, %error, "health reports not saved");
    }
}

fn changed(
    state: &berth_state::State,
    instance: InstanceId,
    id: TaskId,
    reports: &[(String, Health)],
) -> Option<berth_model::task::Task> {
    let task = state
        .tasks
        .get(id)
        .filter(|task| task.instance == Some(instance))?;
    let facts = state.facts(task)?;
    let reports: Vec<(&str, Health)> = reports
        .iter()
        .map(|(name, health)| (name.as_str(), *health))
        .collect();
    task.with_health(facts, &reports)
}
