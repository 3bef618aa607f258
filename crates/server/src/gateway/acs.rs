//! ACS: what agents are told to start and stop.

mod credentials;

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::State as Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use berth_agent_proto::server::DueTask;
use berth_agent_proto::task::Credentials;
use berth_leader::{
    AgentSession, Moment, Payloads, REPLACED, SessionOutput, SessionPlace, note_connection,
    note_stops_sent,
};
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, ZONE_ATTRIBUTE};
use berth_model::task::Task;
use berth_state::{Failure, Lane, State};
use http::request::Parts;

use super::request::{self, AgentQuery, Visit};
use super::socket::{Gone, close, limited, send};
use super::{Gateway, Mailbox};
use crate::accounts::base_url;
use crate::app::Front;
use crate::clock;
use crate::contacts::Door;
use crate::payload::{self, AgentKind, LogRoute, PayloadContext};
use crate::roles::RENEW_EVERY_MS;

/// Opens an ACS session.
pub(crate) async fn upgrade(
    Shared(front): Shared<Arc<Front>>,
    parts: Parts,
    upgrade: WebSocketUpgrade,
) -> Response {
    let mut visit = Visit {
        front: &front,
        parts: &parts,
        door: Door::Acs,
        account: None,
    };
    let opened = (|| {
        let caller = visit.authenticate()?;
        let app = front.app().map_err(request::Refused::NotLeading)?;
        let query = AgentQuery::of(&parts);
        let state = app.newest.load();
        let instance = request::instance(&state, &caller, query.get("containerInstanceArn"))?;
        Ok::<_, request::Refused>((app.gateway.clone(), instance, query))
    })();
    let base_url = base_url(&parts.headers, front.tls);
    let from = visit.from();
    match opened {
        Ok((gateway, instance, query)) => limited(upgrade).on_upgrade(move |socket| async move {
            run(gateway, (instance, from), &query, base_url, socket).await;
        }),
        Err(refused) => {
            visit.note(&refused);
            refused.into_response()
        }
    }
}

async fn run(
    gateway: Arc<Gateway>,
    (instance, from): (InstanceId, IpAddr),
    query: &AgentQuery,
    base_url: String,
    mut socket: WebSocket,
) {
    let (mailbox, number, counter) = gateway.enter(instance, from);
    tracing::debug!(%instance, "agent connected");
    let place = SessionPlace {
        epoch: gateway.epoch,
        counter,
        send_credentials: query.get("sendCredentials") == "true",
        seed: u64::from_le_bytes(clock::random_bytes()),
        renew_every: RENEW_EVERY_MS,
    };
    let state = gateway.cx.state.snapshot();
    let session = AgentSession::new(instance, &state, place, clock::monotonic_ms());
    drop(state);
    let Some(session) = session else {
        gateway.leave(instance, number, counter);
        return;
    };
    let mut connected = Connected {
        instance,
        from,
        session,
        mailbox,
        letters: Letters {
            gateway: gateway.clone(),
            base_url,
        },
    };
    connected.note_connection(Some(query.version())).await;
    connected.serve(&mut socket).await;
    if gateway.leave(instance, number, connected.session.counter()) {
        tracing::debug!(%instance, "agent disconnected");
        connected.note_connection(None).await;
    }
}

/// One connected agent.
struct Connected {
    instance: InstanceId,
    from: IpAddr,
    session: AgentSession,
    mailbox: Arc<Mailbox>,
    letters: Letters,
}

impl Connected {
    async fn serve(&mut self, socket: &mut WebSocket) {
        let cancel = self.letters.gateway.cancel.clone();
        let mailbox = self.mailbox.clone();
        let mut out = self.now(|session, at, out| session.begin(at, mailbox.take(), out));
        loop {
            if self.carry_out(socket, out).await.is_err() || self.session.is_over() {
                return;
            }
            out = tokio::select! {
                () = cancel.cancelled() => return,
                () = mailbox.replaced.cancelled() => {
                    self.letters.gateway.note_replaced(self.instance, self.from);
                    return close(socket, REPLACED).await;
                }
                () = mailbox.bell.notified() => {
                    self.now(|session, at, out| session.look(at, mailbox.take(), out))
                }
                () = tokio::time::sleep_until(clock::at_monotonic_ms(self.session.due())) => {
                    self.now(AgentSession::poll)
                }
                frame = socket.recv() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        self.now(|session, at, out| session.received(at, &text, out))
                    }
                    Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                        Ok(text) => self.now(|session, at, out| session.received(at, text, out)),
                        Err(_) => self.now(AgentSession::sign_of_life),
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                        self.now(AgentSession::sign_of_life)
                    }
                    // axum answers a close by itself when the socket is read on.
                    Some(Ok(Message::Close(_))) => {
                        let _ = socket.recv().await;
                        return;
                    }
                    Some(Err(_)) | None => return,
                },
            };
        }
    }

    /// Lets the session do something with the newest state; answers what is to be done for it.
    fn now(
        &mut self,
        act: impl FnOnce(&mut AgentSession, Moment<'_>, &mut Vec<SessionOutput>),
    ) -> Vec<SessionOutput> {
        let state = self.letters.gateway.cx.state.snapshot();
        let at = Moment {
            now: clock::monotonic_ms(),
            state: &state,
            payloads: &self.letters,
        };
        let mut out = Vec::new();
        act(&mut self.session, at, &mut out);
        out
    }

    async fn carry_out(&self, socket: &mut WebSocket, out: Vec<SessionOutput>) -> Result<(), Gone> {
        let instance = self.instance;
        for output in out {
            match output {
                SessionOutput::Send(message) => {
                    send(socket, Message::Text(message.encode().into())).await?;
                }
                SessionOutput::Ping => send(socket, Message::Ping(bytes::Bytes::new())).await?,
                SessionOutput::Close(reason) => {
                    let gateway = &self.letters.gateway;
                    gateway.note_closed(instance, self.from, Door::Acs, reason);
                    close(socket, reason).await;
                    return Err(Gone);
                }
                SessionOutput::StopsSent(stops) => self.note_stops_sent(stops),
                SessionOutput::Overdue(tasks) => {
                    tracing::debug!(%instance, tasks, "tasks sent again for want of an ack");
                }
                SessionOutput::Confirmed { confirmed, asked } => {
                    tracing::debug!(%instance, confirmed, asked, "stops confirmed");
                }
                SessionOutput::Ignored(what) => {
                    self.letters.gateway.metrics.stray_messages.inc();
                    tracing::debug!(%instance, what, "agent message ignored");
                }
            }
        }
        Ok(())
    }

    /// Writes down whether the instance has a session, and what its agent said of itself.
    async fn note_connection(&self, version: Option<AgentVersion>) {
        let (instance, gateway) = (self.instance, self.letters.gateway.clone());
        let state = self.letters.gateway.cx.state.clone();
        let noted = state.transact(Lane::Agents, move |tx| {
            let is_connected = || gateway.is_connected(instance);
            note_connection(tx, instance, is_connected, version.as_ref());
            Ok::<(), Failure>(())
        });
        if let Err(error) = noted.await {
            tracing::warn!(%instance, %error, "connection not noted");
        }
    }

    fn note_stops_sent(&self, stops: Vec<TaskId>) {
        let state = self.letters.gateway.cx.state.clone();
        tokio::spawn(async move {
            let noted = state.transact(Lane::Agents, move |tx| {
                note_stops_sent(tx, &stops);
                Ok::<(), Failure>(())
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, "stops not noted");
            }
        });
    }
}

/// What makes the messages to one agent from records.
struct Letters {
    gateway: Arc<Gateway>,
    /// Where the agent found this server.
    base_url: String,
}

impl Payloads for Letters {
    fn tasks(&self, state: &State, instance: InstanceId, tasks: &[&Arc<Task>]) -> Vec<DueTask> {
        let Some(cx) = self.payload_context(state, instance) else {
            return Vec::new();
        };
        let render = |task: &&Arc<Task>| {
            Some(DueTask {
                id: task.id,
                desired: task.desired,
                task: self.render(state, task, &cx)?,
            })
        };
        tasks.iter().filter_map(render).collect()
    }

    fn credentials(
        &self,
        state: &State,
        instance: InstanceId,
        task: &Task,
    ) -> Vec<(&'static str, Credentials)> {
        let agent = state.instances.get(&instance);
        let definition = state.definitions.get(&task.spec.definition);
        let body = definition.map(|d| self.gateway.cx.definitions.body(d));
        let (Some(agent), Some(Ok(body))) = (agent, body) else {
            return Vec::new();
        };
        self.credentials_of(task, &body, AgentKind::of(agent))
            .into_iter()
            .map(|(kind, credentials)| (kind.as_str(), credentials))
            .collect()
    }
}

impl Letters {
    fn render(
        &self,
        state: &State,
        task: &Task,
        cx: &PayloadContext,
    ) -> Option<berth_agent_proto::task::Task> {
        let definition = state.definitions.get(&task.spec.definition)?;
        let body = match self.gateway.cx.definitions.body(definition) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(task = %task.id, ?error, "task definition does not read");
                return None;
            }
        };
        let cx = self.with_credentials(cx, task, &body);
        match payload::render(task, definition, &body, &cx) {
            Ok(rendered) => Some(rendered),
            Err(error) => {
                tracing::error!(task = %task.id, ?error, "task cannot be put on the wire");
                None
            }
        }
    }

    fn payload_context(&self, state: &State, instance: InstanceId) -> Option<PayloadContext> {
        let record = state.instances.get(&instance)?;
        let zone = record.attribute(ZONE_ATTRIBUTE).flatten();
        Some(PayloadContext {
            agent: AgentKind::of(record),
            logs: LogRoute {
                endpoint: Some(self.service_url().to_owned()),
                credentials_path: None,
            },
            zone: zone.map(|zone| zone.as_str().to_owned()),
            role_credentials: None,
            execution_role_credentials: None,
            log_credentials: None,
        })
    }
}
