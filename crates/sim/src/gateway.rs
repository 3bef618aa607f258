//! The server's side of the agents' sockets: the real sessions and the real book of who is
//! connected, in the place of the gateway's tasks.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use berth_agent_proto::acs::{ManifestTask, ToAgent, ToServer};
use berth_agent_proto::server::{CLOSE_POLICY, DueTask, HealthReport};
use berth_agent_proto::task as wire;
use berth_leader::{
    AgentSession, HealthNews, INACTIVE, Mailbox, Moment, Payloads, Presence, REPLACED, SessionNews,
    SessionOutput, SessionPlace, note_connection, note_missing, note_stops_sent,
};
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::{AgentVersion, InstanceStatus};
use berth_model::task::Task;
use berth_model::text::Text;
use berth_state::{Changed, Lane, State};

use crate::mutant::Mutant;
use crate::term::{Term, Who};

/// How often credentials are sent anew, in milliseconds: more than once within a run.
const RENEW_EVERY_MS: u64 = 4 * 60_000;
/// How long a session that was replaced may go on before it hears of it, in milliseconds.
const LATE_MAX_MS: u64 = 1_500;

/// Where a session hears that it should look again.
#[derive(Debug)]
pub(crate) struct SimMailbox {
    news: Mutex<SessionNews>,
    rung: AtomicBool,
    replaced: AtomicBool,
}

impl SimMailbox {
    fn news(&self) -> MutexGuard<'_, SessionNews> {
        self.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> SessionNews {
        std::mem::take(&mut self.news())
    }
}

impl Mailbox for SimMailbox {
    fn tell(&self, task: Option<TaskId>) {
        self.news().tell(task);
    }

    fn ring(&self) {
        self.rung.store(true, Ordering::Relaxed);
    }
}

/// Who is connected, as sessions and closures on the writer see it.
pub(crate) type SimPresence = Arc<Mutex<Presence<SimMailbox>>>;

/// What came up on a socket.
enum Up {
    Text(String),
    Pong,
}

/// One session's task.
pub(crate) struct Live {
    instance: InstanceId,
    session: AgentSession,
    mailbox: Arc<SimMailbox>,
    /// That it is connected was written down, so that it may begin.
    noted: bool,
    begun: bool,
    frames: Vec<Up>,
    /// When it hears that it was replaced.
    hears_at: Option<u64>,
    /// What its agent asked to stop last.
    asked: Vec<String>,
}

/// The sessions of one term, by number.
pub(crate) type Sessions = BTreeMap<u64, Live>;

/// What goes down to an agent: on the socket of which instance and session.
pub(crate) enum Down {
    Message(InstanceId, u64, Box<ToAgent>),
    /// A ping: the socket itself answers, when it is whole.
    Ping(InstanceId, u64),
    Close(InstanceId, u64, u16, String),
}

impl Term {
    fn presence(&self) -> MutexGuard<'_, Presence<SimMailbox>> {
        self.presence.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An agent opens a session; answers its number.
    ///
    /// # Errors
    /// What the HTTP answer says.
    pub(crate) fn enter(
        &mut self,
        instance: InstanceId,
        now: u64,
        seed: u64,
    ) -> Result<u64, &'static str> {
        let state = self.snapshot();
        match state.instances.get(&instance) {
            None => return Err("InvalidInstanceException"),
            Some(record) if record.status == InstanceStatus::Inactive => return Err(INACTIVE),
            Some(_) => {}
        }
        let mutant = self.settings.mutant;
        let mut news = SessionNews::of_new_session();
        news.sweep = mutant != Some(Mutant::ForgetsDueOnReconnect);
        let mailbox = Arc::new(SimMailbox {
            news: Mutex::new(news),
            rung: AtomicBool::new(false),
            replaced: AtomicBool::new(false),
        });
        let entered = self.presence().enter(instance, mailbox.clone(), now);
        if let Some(old) = entered.replaced {
            old.replaced.store(true, Ordering::Relaxed);
            self.notes.cover("gateway: session replaced");
        }
        let counts_anew = mutant == Some(Mutant::CountsAnew);
        let place = SessionPlace {
            epoch: self.epoch,
            counter: if counts_anew { 0 } else { entered.counter },
            send_credentials: seed.is_multiple_of(2),
            seed,
            renew_every: RENEW_EVERY_MS,
        };
        let session = AgentSession::new(instance, &state, place, now);
        let session = session.ok_or("InvalidInstanceException")?;
        let live = Live {
            instance,
            session,
            mailbox,
            noted: false,
            begun: false,
            frames: Vec::new(),
            hears_at: None,
            asked: Vec::new(),
        };
        self.sessions.insert(entered.session, live);
        let version = AgentVersion {
            agent: Some(Text::new("1.0.0")),
            hash: None,
            docker: None,
        };
        self.note_connection(Who::Session(entered.session), instance, Some(version));
        Ok(entered.session)
    }

    /// That a session is connected was written down, or could not be.
    pub(crate) fn connection_noted(&mut self, number: u64) {
        if let Some(live) = self.sessions.get_mut(&number) {
            live.noted = true;
        }
    }

    /// A session ended: on the agent's side, by the network or by our own word.
    pub(crate) fn leave(&mut self, number: u64, now: u64) {
        let Some(live) = self.sessions.remove(&number) else {
            return;
        };
        if !live.begun {
            self.notes.cover("gateway: session ended before it began");
        }
        let instance = live.instance;
        let mut counts = number;
        if self.settings.mutant == Some(Mutant::LateLeave) {
            let newer = self.sessions.iter().rev();
            let newer = newer.map(|(n, l)| (*n, l.instance));
            counts = newer
                .filter(|(_, of)| *of == instance)
                .map(|(n, _)| n)
                .next()
                .unwrap_or(number);
        }
        let counter = live.session.counter();
        if self.presence().leave(instance, counts, counter, now) {
            self.note_connection(Who::Server, instance, None);
        } else {
            self.notes.cover("gateway: replaced session ended late");
        }
    }

    fn note_connection(&mut self, who: Who, instance: InstanceId, version: Option<AgentVersion>) {
        let presence = self.presence.clone();
        self.note_for(who, Lane::Agents, move |tx| {
            let is_connected = || {
                let presence = presence.lock().unwrap_or_else(PoisonError::into_inner);
                presence.is_connected(instance)
            };
            note_connection(tx, instance, is_connected, version.as_ref());
            Ok(())
        });
    }

    /// Wakes the sessions that the changes concern.
    pub(crate) fn dispatch(&mut self, changes: &[Changed]) {
        if self.settings.mutant == Some(Mutant::DeafSessions) {
            return;
        }
        self.presence().dispatch(changes);
    }

    /// A frame came up.
    pub(crate) fn received(&mut self, number: u64, frame: String) {
        if let Some(live) = self.sessions.get_mut(&number) {
            if let Ok(ToServer::TaskStopVerificationMessage(question)) = ToServer::decode(&frame) {
                let asked = question.stop_candidates.into_iter();
                live.asked = asked.map(|candidate| candidate.task_arn).collect();
            }
            live.frames.push(Up::Text(frame));
        }
    }

    /// The socket answered a ping.
    pub(crate) fn pong(&mut self, number: u64) {
        if let Some(live) = self.sessions.get_mut(&number) {
            live.frames.push(Up::Pong);
        }
    }

    /// Lets every session do what the time, its socket and the news ask for.
    pub(crate) fn serve_agents(&mut self, now: u64, out: &mut Vec<Down>) {
        let numbers: Vec<u64> = self.sessions.keys().copied().collect();
        for number in numbers {
            self.serve(number, now, out);
        }
    }

    fn serve(&mut self, number: u64, now: u64, out: &mut Vec<Down>) {
        let state = self.snapshot();
        let Some(live) = self.sessions.get_mut(&number).filter(|live| live.noted) else {
            return;
        };
        let at = Moment {
            now,
            state: &state,
            payloads: &Letters,
        };
        let (session, mailbox) = (&mut live.session, &live.mailbox);
        let mut outputs = Vec::new();
        if !std::mem::replace(&mut live.begun, true) {
            session.begin(at, mailbox.take(), &mut outputs);
        }
        for frame in std::mem::take(&mut live.frames) {
            match frame {
                Up::Text(frame) => session.received(at, &frame, &mut outputs),
                Up::Pong => session.sign_of_life(at, &mut outputs),
            }
        }
        if mailbox.rung.swap(false, Ordering::Relaxed) {
            session.look(at, mailbox.take(), &mut outputs);
        }
        let timers = self.settings.mutant != Some(Mutant::StoppedTimers);
        if now >= session.due() && timers {
            session.poll(at, &mut outputs);
        }
        if mailbox.replaced.load(Ordering::Relaxed) {
            // Some hear of it at once, others a little later.
            let late = number.wrapping_mul(7919) % LATE_MAX_MS;
            let hears_at = *live.hears_at.get_or_insert(now + late);
            if now >= hears_at {
                let reason = REPLACED.reason.to_owned();
                out.push(Down::Close(live.instance, number, REPLACED.code, reason));
                self.leave(number, now);
                return;
            }
        }
        self.carry_out(number, now, outputs, out);
    }

    fn carry_out(
        &mut self,
        number: u64,
        now: u64,
        outputs: Vec<SessionOutput>,
        out: &mut Vec<Down>,
    ) {
        for output in outputs {
            let Some(live) = self.sessions.get(&number) else {
                return;
            };
            let instance = live.instance;
            match output {
                SessionOutput::Send(message) => {
                    let message = self.tampered(number, message, out);
                    out.push(Down::Message(instance, number, Box::new(message)));
                }
                SessionOutput::Ping => out.push(Down::Ping(instance, number)),
                SessionOutput::Close(close) => {
                    self.notes.cover(match close.reason {
                        INACTIVE => "gateway: inactive instance sent away",
                        _ => "gateway: silent agent given up",
                    });
                    debug_assert!(close.reason != INACTIVE || close.code == CLOSE_POLICY);
                    let reason = close.reason.to_owned();
                    out.push(Down::Close(instance, number, close.code, reason));
                    self.leave(number, now);
                    return;
                }
                SessionOutput::StopsSent(stops) => {
                    self.notes.cover("gateway: stops noted");
                    self.note_for(Who::Server, Lane::Agents, move |tx| {
                        note_stops_sent(tx, &stops);
                        Ok(())
                    });
                }
                SessionOutput::Missing(tasks) => {
                    self.notes.cover("gateway: task found to have ended unseen");
                    self.note_for(Who::Server, Lane::Agents, move |tx| {
                        note_missing(tx, instance, &tasks);
                        Ok(())
                    });
                }
                SessionOutput::Overdue(_) => self.notes.cover("gateway: payload sent again"),
                SessionOutput::Confirmed { confirmed, asked } => {
                    self.notes.cover("gateway: stop candidates verified");
                    if confirmed > 0 {
                        self.notes.cover("gateway: stop candidate confirmed");
                    }
                    if confirmed < asked {
                        self.notes.cover("gateway: stop candidate kept");
                    }
                }
                SessionOutput::Ignored(_) => self.notes.cover("gateway: message ignored"),
            }
        }
    }

    /// The message as a planted bug would have it.
    fn tampered(&mut self, number: u64, message: ToAgent, out: &mut Vec<Down>) -> ToAgent {
        match (self.settings.mutant, message) {
            (Some(Mutant::MisroutesPayloads), ToAgent::PayloadMessage(payload)) => {
                let own = self.sessions.get(&number).map(|live| live.instance);
                let mut others = self.sessions.iter();
                if let Some((other, live)) = others.find(|(_, l)| Some(l.instance) != own) {
                    let copy = Box::new(ToAgent::PayloadMessage(payload.clone()));
                    out.push(Down::Message(live.instance, *other, copy));
                }
                ToAgent::PayloadMessage(payload)
            }
            (Some(Mutant::ConfirmsEveryStop), ToAgent::TaskManifestMessage(mut manifest)) => {
                manifest.tasks.clear();
                ToAgent::TaskManifestMessage(manifest)
            }
            (Some(Mutant::ConfirmsEveryStop), ToAgent::TaskStopVerificationAck(mut ack)) => {
                let asked = self.sessions.get(&number).map(|live| live.asked.clone());
                let stop = |task_arn| ManifestTask {
                    task_arn,
                    task_cluster_arn: String::new(),
                    desired_status: "STOPPED".to_owned(),
                };
                ack.stop_tasks = asked.into_iter().flatten().map(stop).collect();
                ToAgent::TaskStopVerificationAck(ack)
            }
            (_, message) => message,
        }
    }

    /// Word of a container's health came up.
    pub(crate) fn health(&mut self, instance: InstanceId, report: HealthReport) {
        let news = HealthNews::of(&self.snapshot(), instance, &[report]);
        if news.is_empty() {
            return;
        }
        self.notes.cover("gateway: health noted");
        self.note_for(Who::Server, Lane::Agents, move |tx| {
            news.write(tx);
            Ok(())
        });
    }
}

/// The task that an ARN names.
pub(crate) fn task_id(arn: &str) -> Option<TaskId> {
    EcsArn::parse(arn).and_then(|arn| arn.last().parse().ok())
}

/// Makes what simulated agents need of messages.
struct Letters;

impl Payloads for Letters {
    fn tasks(&self, state: &State, _: InstanceId, tasks: &[&Arc<Task>]) -> Vec<DueTask> {
        let due = |task: &&Arc<Task>| DueTask {
            id: task.id,
            desired: task.desired,
            task: render(state, task),
        };
        tasks.iter().map(due).collect()
    }

    fn credentials(
        &self,
        _: &State,
        _: InstanceId,
        task: &Task,
    ) -> Vec<(&'static str, wire::Credentials)> {
        let credentials = wire::Credentials {
            credentials_id: task.id.to_string(),
            role_arn: "arn:aws:iam::123456789012:role/sim".to_owned(),
            access_key_id: "ASIAEXAMPLE".to_owned(),
            secret_access_key: "secret".to_owned(),
            session_token: "token".to_owned(),
            expiration: "2034-01-01T00:00:00Z".to_owned(),
        };
        // Tasks of services have a role here, and others none.
        let role = task.spec.service.is_some();
        role.then_some(("TaskApplication", credentials))
            .into_iter()
            .collect()
    }
}

fn render(state: &State, task: &Task) -> wire::Task {
    let facts = state.facts(task);
    let containers = facts.into_iter().flat_map(|facts| &facts.containers);
    let container = |c: &berth_model::definition::ContainerFacts| wire::Container {
        name: c.name.to_string(),
        image: c.image.to_string(),
        essential: c.essential,
        health_check_type: c.health_check.then(|| "docker".to_owned()),
        ..wire::Container::default()
    };
    wire::Task {
        arn: task.spec.cluster.task_arn(task.id),
        desired_status: task.desired.as_str().to_owned(),
        family: task.spec.definition.family.to_string(),
        version: task.spec.definition.revision.to_string(),
        containers: containers.map(container).collect(),
        ..wire::Task::default()
    }
}
