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
    note_missing, note_stops_sent,
};
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, InstanceStatus, ZONE_ATTRIBUTE};
use berth_model::task::Task;
use berth_model::text::Text;
use berth_state::{Failure, Lane, State};
use http::request::Parts;

use super::request::{self, AgentQuery, Visit};
use super::socket::{Gone, SHUT_OUT, close, limited, send};
use super::{Gateway, Mailbox};
use crate::accounts::base_url;
use crate::agent_keys::MachineSession;
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
    let from = visit.from();
    let opened = (|| {
        let sender = visit.authenticate()?;
        let app = front.app().map_err(request::Refused::NotLeading)?;
        let query = AgentQuery::of(&parts);
        let state = app.newest.load();
        let instance = request::instance(&state, &sender, query.get("containerInstanceArn"))?;
        let agent = Agent {
            instance,
            from,
            machine: sender.agent,
            base_url: base_url(&parts.headers, front.tls),
        };
        Ok::<_, request::Refused>((app.gateway.clone(), agent, query))
    })();
    match opened {
        Ok((gateway, agent, query)) => limited(upgrade).on_upgrade(move |socket| async move {
            run(gateway, agent, &query, socket).await;
        }),
        Err(refused) => {
            visit.note(&refused);
            refused.into_response()
        }
    }
}

/// Who opened the socket.
struct Agent {
    instance: InstanceId,
    /// Where it comes from.
    from: IpAddr,
    /// Its credentials, when it joined by a token.
    machine: Option<MachineSession>,
    /// Where it found this server.
    base_url: String,
}

async fn run(gateway: Arc<Gateway>, agent: Agent, query: &AgentQuery, mut socket: WebSocket) {
    let instance = agent.instance;
    let (mailbox, number, counter) = gateway.enter(instance, agent.from);
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
        from: agent.from,
        session,
        mailbox,
        letters: Letters {
            gateway: gateway.clone(),
            base_url: agent.base_url,
        },
        machine: agent.machine,
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
    /// What it signed with, when it joined by a token.
    machine: Option<MachineSession>,
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
                    if self.is_shut_out() {
                        return close(socket, SHUT_OUT).await;
                    }
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

    /// Whether the credentials were ended with which the socket was opened. Of a deregistered
    /// instance the session says so itself, in the words that its agent understands.
    fn is_shut_out(&self) -> bool {
        let state = self.letters.gateway.cx.state.snapshot();
        let instance = state.instances.get(&self.instance);
        let ended = |machine: &MachineSession| !machine.is_good(&state);
        instance.is_some_and(|i| i.status != InstanceStatus::Inactive)
            && self.machine.as_ref().is_some_and(ended)
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
                SessionOutput::Missing(tasks) => self.note_missing(tasks).await,
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

    async fn note_missing(&self, missing: Vec<TaskId>) {
        let instance = self.instance;
        tracing::warn!(%instance, count = missing.len(), "tasks ended while nobody listened");
        let noted = self
            .letters
            .gateway
            .cx
            .state
            .transact(Lane::Agents, move |tx| {
                note_missing(tx, instance, &missing);
                Ok::<(), Failure>(())
            });
        if let Err(error) = noted.await {
            // The next session calls the roll again.
            tracing::warn!(%instance, %error, "ended tasks not noted");
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
        let mut cx = self.with_credentials(cx, task, &body);
        cx.digests = digests(state, task);
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
            digests: Vec::new(),
            role_credentials: None,
            execution_role_credentials: None,
            log_credentials: None,
        })
    }
}

/// The digests of the images that the tasks of this one's deployment run; empty before the first
/// of them reported its own, and for a task without a service.
fn digests(state: &State, task: &Task) -> Vec<Option<Text>> {
    let member = task.spec.service_key().zip(task.spec.service.as_ref());
    let deployment =
        member.and_then(|(key, member)| state.services.deployment(&key, member.deployment));
    deployment.map_or_else(Vec::new, |deployment| deployment.digests.clone())
}
