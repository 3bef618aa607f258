//! ACS: what agents are told to start and stop.

mod credentials;

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::{IntoResponse, Response};
use berth_agent_proto::server::{AcsConfig, AcsOutput, AcsSession, CLOSE_POLICY, Close, DueTask};
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, InstanceStatus, ZONE_ATTRIBUTE};
use berth_model::task::{Desired, LastStatus, Task};
use berth_state::{Connection, Failure, Lane, State};
use http::request::Parts;

use super::request::{self, AgentQuery, INACTIVE};
use super::socket::{Gone, close, limited, send};
use super::{Gateway, Mailbox};
use crate::accounts::base_url;
use crate::agent_keys::AgentSession;
use crate::app::Front;
use crate::clock;
use crate::payload::{self, AgentKind, LogRoute, PayloadContext};

/// Opens an ACS session.
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
        let instance = request::instance(&state, &sender, query.get("containerInstanceArn"))?;
        let agent = Agent {
            instance,
            session: sender.agent,
            base_url: base_url(&parts.headers, front.tls),
        };
        Ok::<_, request::Refused>((app.gateway.clone(), agent, query))
    })();
    match opened {
        Ok((gateway, agent, query)) => limited(upgrade).on_upgrade(move |socket| async move {
            run(gateway, agent, &query, socket).await;
        }),
        Err(refused) => refused.into_response(),
    }
}

/// Who opened the socket.
struct Agent {
    instance: InstanceId,
    /// Its credentials, when it joined by a token.
    session: Option<AgentSession>,
    /// Where it found this server.
    base_url: String,
}

async fn run(gateway: Arc<Gateway>, agent: Agent, query: &AgentQuery, mut socket: WebSocket) {
    let instance = agent.instance;
    let (mailbox, generation, counter) = gateway.enter(instance);
    tracing::debug!(%instance, "agent connected");
    let state = gateway.cx.state.snapshot();
    let Some(record) = state.instances.get(&instance) else {
        gateway.leave(instance, generation);
        return;
    };
    let config = AcsConfig {
        cluster_arn: record.cluster.arn(),
        instance_arn: record.cluster.instance_arn(instance),
        epoch: gateway.epoch,
        counter,
        send_credentials: query.get("sendCredentials") == "true",
        seed: u64::from_le_bytes(clock::random_bytes()),
    };
    let mut connected = Connected {
        gateway: gateway.clone(),
        instance,
        session: AcsSession::new(config, clock::monotonic_ms()),
        mailbox,
        base_url: agent.base_url,
        credentials: agent.session,
        renew_at: 0,
    };
    connected.note_connection(Some(query.version())).await;
    connected.serve(&mut socket).await;
    gateway.counted(instance, generation, connected.session.counter());
    if gateway.leave(instance, generation) {
        tracing::debug!(%instance, "agent disconnected");
        connected.note_connection(None).await;
    }
}

/// One connected agent.
struct Connected {
    gateway: Arc<Gateway>,
    instance: InstanceId,
    session: AcsSession,
    mailbox: Arc<Mailbox>,
    /// Where the agent found this server.
    base_url: String,
    /// What it signed with, when it joined by a token.
    credentials: Option<AgentSession>,
    /// When the credentials of tasks are sent anew, in monotonic milliseconds.
    renew_at: u64,
}

impl Connected {
    async fn serve(&mut self, socket: &mut WebSocket) {
        let mut out = Vec::new();
        self.session.poll(clock::monotonic_ms(), &mut out);
        self.renew_credentials(&mut out);
        self.session.want_manifest(&mut out);
        self.look(&mut out);
        let cancel = self.gateway.cancel.clone();
        let mailbox = self.mailbox.clone();
        loop {
            if self
                .carry_out(socket, std::mem::take(&mut out))
                .await
                .is_err()
            {
                return;
            }
            if self.session.is_closed() {
                return;
            }
            tokio::select! {
                () = cancel.cancelled() => return,
                () = mailbox.replaced.cancelled() => {
                    let reason = "replaced by a newer connection";
                    close(socket, Close { code: CLOSE_POLICY, reason }).await;
                    return;
                }
                () = mailbox.bell.notified() => self.look(&mut out),
                () = tokio::time::sleep_until(clock::at_monotonic_ms(self.session.due())) => {
                    self.session.poll(clock::monotonic_ms(), &mut out);
                }
                () = tokio::time::sleep_until(clock::at_monotonic_ms(self.renew_at)) => {
                    self.renew_credentials(&mut out);
                }
                frame = socket.recv() => match frame {
                    Some(Ok(Message::Text(text))) => {
                        self.session.received(clock::monotonic_ms(), &text, &mut out);
                    }
                    Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                        Ok(text) => self.session.received(clock::monotonic_ms(), text, &mut out),
                        Err(_) => self.session.sign_of_life(clock::monotonic_ms(), &mut out),
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {
                        self.session.sign_of_life(clock::monotonic_ms(), &mut out);
                    }
                    // axum answers a close by itself when the socket is read on.
                    Some(Ok(Message::Close(_))) => {
                        let _ = socket.recv().await;
                        return;
                    }
                    Some(Err(_)) | None => return,
                },
            }
        }
    }

    /// Looks at what changed, and sends what is due.
    fn look(&mut self, out: &mut Vec<AcsOutput>) {
        let news = self.mailbox.take();
        let state = self.gateway.cx.state.snapshot();
        if news.instance && self.is_inactive(&state) {
            out.push(AcsOutput::Close(Close {
                code: CLOSE_POLICY,
                reason: INACTIVE,
            }));
            return;
        }
        if news.instance
            && self
                .credentials
                .as_ref()
                .is_some_and(|c| !c.is_good(&state))
        {
            let reason = "the credentials were ended";
            out.push(AcsOutput::Close(Close {
                code: CLOSE_POLICY,
                reason,
            }));
            return;
        }
        let mut due = Vec::new();
        if news.sweep {
            due.extend(state.tasks.due(self.instance).cloned());
        }
        for id in news.tasks {
            match state.tasks.get(id) {
                // What is told of other instances' tasks is none of this session's business.
                Some(task) if task.instance != Some(self.instance) => {}
                Some(task) if task.start_due() || task.stop_due() => due.push(task.clone()),
                Some(task) => self.session.settled(id, task.desired, out),
                None => self.session.settled(id, Desired::Stopped, out),
            }
        }
        self.deliver(&state, &due, out);
    }

    fn is_inactive(&self, state: &State) -> bool {
        state
            .instances
            .get(&self.instance)
            .is_none_or(|i| i.status == InstanceStatus::Inactive)
    }

    fn deliver(&mut self, state: &State, due: &[Arc<Task>], out: &mut Vec<AcsOutput>) {
        let wanted: Vec<&Arc<Task>> = due
            .iter()
            .filter(|task| self.session.wants(task.id, task.desired))
            .collect();
        let Some(cx) = self.payload_context(state).filter(|_| !wanted.is_empty()) else {
            return;
        };
        let mut tasks = Vec::with_capacity(wanted.len());
        let mut stops = Vec::new();
        for task in wanted {
            if task.desired == Desired::Stopped && task.last < LastStatus::Stopping {
                stops.push(task.id);
            }
            if let Some(rendered) = self.render(state, task, &cx) {
                tasks.push(DueTask {
                    id: task.id,
                    desired: task.desired,
                    task: rendered,
                });
            }
        }
        self.session.deliver(clock::monotonic_ms(), tasks, out);
        self.note_stops_sent(stops);
    }

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

    fn payload_context(&self, state: &State) -> Option<PayloadContext> {
        let record = state.instances.get(&self.instance)?;
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

    async fn carry_out(&mut self, socket: &mut WebSocket, out: Vec<AcsOutput>) -> Result<(), Gone> {
        // Answering one output may bring forth others.
        let mut waiting: std::collections::VecDeque<AcsOutput> = out.into();
        while let Some(output) = waiting.pop_front() {
            let mut more = Vec::new();
            match output {
                AcsOutput::Send(message) => {
                    send(socket, Message::Text(message.encode().into())).await?;
                }
                AcsOutput::Ping => send(socket, Message::Ping(bytes::Bytes::new())).await?,
                AcsOutput::Close(reason) => {
                    close(socket, reason).await;
                    return Err(Gone);
                }
                AcsOutput::ManifestDue => match self.expected() {
                    expected if expected.is_empty() => {
                        let manifest = self.manifest();
                        self.session.manifest(manifest, &mut more);
                    }
                    expected => self.session.roll_call(expected, &mut more),
                },
                AcsOutput::Missing(tasks) => self.note_missing(tasks).await,
                AcsOutput::StopCandidates { manifest, tasks } => {
                    let confirmed = tasks.into_iter().filter(|arn| self.may_stop(arn)).collect();
                    self.session.confirm_stops(manifest, confirmed, &mut more);
                }
                AcsOutput::Overdue(tasks) => {
                    for task in tasks {
                        self.mailbox.tell(Some(task));
                    }
                    self.mailbox.ring();
                }
                // Every session begins with them, wanted or not: an agent that comes back may
                // have been away for as long as they last.
                AcsOutput::CredentialsWanted
                | AcsOutput::CredentialsAcked(_)
                | AcsOutput::Acked(_) => {}
                AcsOutput::Ignored(what) => {
                    self.gateway.metrics.stray_messages.inc();
                    tracing::debug!(instance = %self.instance, what, "agent message ignored");
                }
            }
            waiting.extend(more);
        }
        Ok(())
    }

    /// The tasks that the agent must have, as far as is known here: it has reported them, they are
    /// wanted, and nobody has said that they ended. A server that was away, or was restored from
    /// a backup, may not have heard of their end.
    fn expected(&self) -> Vec<TaskId> {
        let state = self.gateway.cx.state.snapshot();
        let tasks = state.tasks.on_instance(self.instance);
        tasks
            .filter(|task| task.is_with_agent())
            .map(|task| task.id)
            .collect()
    }

    /// Writes down that tasks ended whose agent has them no more.
    async fn note_missing(&self, missing: Vec<TaskId>) {
        let instance = self.instance;
        tracing::warn!(%instance, count = missing.len(), "tasks ended while nobody listened");
        let noted = self.gateway.cx.state.transact(Lane::Agents, move |tx| {
            let now = tx.now();
            for id in &missing {
                let task = tx.state().tasks.get(*id);
                let task = task.filter(|task| task.instance == Some(instance));
                if let Some(ended) = task.and_then(|task| task.ended_unseen(now)) {
                    tx.put_task(ended);
                }
            }
            Ok::<(), Failure>(())
        });
        if let Err(error) = noted.await {
            // The next session calls the roll again.
            tracing::warn!(%instance, %error, "ended tasks not noted");
        }
    }

    /// The instance's live tasks, and what is wanted of each.
    fn manifest(&self) -> Vec<(String, Desired)> {
        let state = self.gateway.cx.state.snapshot();
        state
            .tasks
            .on_instance(self.instance)
            .filter(|task| task.last != LastStatus::Stopped)
            .map(|task| (task.spec.cluster.task_arn(task.id), task.desired))
            .collect()
    }

    /// Whether the agent may stop a task that the manifest does not have: only one whose record
    /// says so. A task that is unknown here, after a restore for instance, is left running.
    fn may_stop(&self, arn: &str) -> bool {
        let id: Option<TaskId> = EcsArn::parse(arn).and_then(|arn| arn.last().parse().ok());
        let state = self.gateway.cx.state.snapshot();
        id.and_then(|id| state.tasks.get(id))
            .is_some_and(|task| task.desired == Desired::Stopped)
    }

    /// Writes down whether the instance has a session, and what its agent said of itself.
    async fn note_connection(&self, version: Option<AgentVersion>) {
        let (instance, gateway) = (self.instance, self.gateway.clone());
        let noted = self.gateway.cx.state.transact(Lane::Agents, move |tx| {
            let since = tx.now();
            // Asked here and not before: a newer session may have begun since this one ended.
            let connected = gateway.is_connected(instance);
            tx.set_connection(instance, Some(Connection { connected, since }));
            let known = tx.state().instances.get(&instance);
            let changed = known
                .zip(version.as_ref())
                .filter(|(i, v)| i.version_info != **v);
            if let Some((record, version)) = changed {
                let mut record = (**record).clone();
                record.version_info = version.clone();
                record.version += 1;
                tx.put_instance(record);
            }
            Ok::<(), Failure>(())
        });
        if let Err(error) = noted.await {
            tracing::warn!(%instance, %error, "connection not noted");
        }
    }

    /// Notes that stops were handed to the agent. Not waited for: the session goes on meanwhile,
    /// and a note that is lost only leaves a status behind that the agent's report will lead on.
    fn note_stops_sent(&self, stops: Vec<TaskId>) {
        if stops.is_empty() {
            return;
        }
        let state = self.gateway.cx.state.clone();
        tokio::spawn(async move {
            let noted = state.transact(Lane::Agents, move |tx| {
                for id in &stops {
                    let sent = tx.state().tasks.get(*id).and_then(|task| task.stop_sent());
                    if let Some(task) = sent {
                        tx.put_task(task);
                    }
                }
                Ok::<(), Failure>(())
            });
            if let Err(error) = noted.await {
                tracing::warn!(%error, "stops not noted");
            }
        });
    }
}
