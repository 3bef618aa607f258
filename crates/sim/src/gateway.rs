//! The server's side of the agents' sessions: the real session machines, and around them what the
//! gateway does.

use std::sync::{Arc, PoisonError};

use berth_agent_proto::server::{AcsConfig, AcsOutput, AcsSession, DueTask};
use berth_agent_proto::task as wire;
use berth_model::arn::EcsArn;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::task::{Desired, Health, LastStatus, Task};
use berth_state::{Changed, Connection, Lane, State};

use crate::mutant::Mutant;
use crate::term::Term;

/// Numbers left free between two sessions, as in the server.
const COUNTER_GAP: u32 = 4096;

/// What the gateway knows of one instance's agent.
pub(crate) struct Slot {
    pub(crate) session: Option<Session>,
    generation: u64,
    counter: u32,
    pub(crate) away_since: u64,
}

/// A connected agent.
pub(crate) struct Session {
    acs: AcsSession,
    pub(crate) generation: u64,
    tasks: Vec<TaskId>,
    sweep: bool,
    instance: bool,
}

/// What goes down to an agent.
pub(crate) enum Down {
    Text(InstanceId, u64, String),
    /// A ping: the socket itself answers, when it is whole.
    Ping(InstanceId, u64),
    Close(InstanceId, u64, u16, String),
}

impl Term {
    /// An agent opens a session; answers its generation.
    ///
    /// # Errors
    /// What the HTTP answer says.
    pub(crate) fn enter(
        &mut self,
        instance: InstanceId,
        now: u64,
        seed: u64,
        out: &mut Vec<Down>,
    ) -> Result<u64, &'static str> {
        let state = self.snapshot();
        let Some(record) = state.instances.get(&instance) else {
            return Err("InvalidInstanceException");
        };
        if record.status == InstanceStatus::Inactive {
            return Err("InactiveInstanceException");
        }
        self.generations += 1;
        let generation = self.generations;
        let slot = self.slots.entry(instance).or_insert(Slot {
            session: None,
            generation,
            counter: 0,
            away_since: now,
        });
        if let Some(old) = slot.session.take() {
            slot.counter = slot.counter.max(old.acs.counter());
            self.notes.cover("gateway: session replaced");
        }
        slot.generation = generation;
        slot.counter = slot.counter.saturating_add(COUNTER_GAP);
        let config = AcsConfig {
            cluster_arn: record.cluster.arn(),
            instance_arn: record.cluster.instance_arn(instance),
            epoch: self.epoch,
            counter: slot.counter,
            send_credentials: false,
            seed,
        };
        let mut acs = AcsSession::new(config, now);
        let mut outputs = Vec::new();
        acs.poll(now, &mut outputs);
        acs.want_manifest(&mut outputs);
        slot.session = Some(Session {
            acs,
            generation,
            tasks: Vec::new(),
            sweep: true,
            instance: false,
        });
        self.note_connection(instance);
        self.carry_out(instance, now, outputs, out);
        Ok(generation)
    }

    /// A session ended, on the agent's side or by the network.
    pub(crate) fn leave(&mut self, instance: InstanceId, generation: u64, now: u64) {
        let Some(slot) = self.slots.get_mut(&instance) else {
            return;
        };
        if slot.generation != generation {
            return;
        }
        let Some(session) = slot.session.take() else {
            return;
        };
        slot.counter = slot.counter.max(session.acs.counter());
        slot.away_since = now;
        self.note_connection(instance);
    }

    fn note_connection(&mut self, instance: InstanceId) {
        let slots = &self.slots;
        let is_connected = slots.get(&instance).is_some_and(|s| s.session.is_some());
        let mut connected = self
            .connected
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if is_connected {
            connected.insert(instance);
        } else {
            connected.remove(&instance);
        }
        drop(connected);
        let shared = self.connected.clone();
        self.note(Lane::Agents, move |tx| {
            let since = tx.now();
            let connected = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let connected = connected.contains(&instance);
            tx.set_connection(instance, Some(Connection { connected, since }));
            Ok(())
        });
    }

    /// Wakes the sessions that the changes concern.
    pub(crate) fn dispatch(&mut self, changes: &[Changed]) {
        for change in changes {
            let (instance, task) = match change {
                Changed::Task(task, Some(instance)) => (instance, Some(*task)),
                Changed::Instance(instance) => (instance, None),
                _ => continue,
            };
            let session = self
                .slots
                .get_mut(instance)
                .and_then(|s| s.session.as_mut());
            let Some(session) = session else { continue };
            match task {
                Some(task) => session.tasks.push(task),
                None => session.instance = true,
            }
        }
    }

    /// A frame came up.
    pub(crate) fn received(
        &mut self,
        instance: InstanceId,
        generation: u64,
        now: u64,
        frame: &str,
        out: &mut Vec<Down>,
    ) {
        let mut outputs = Vec::new();
        if let Some(session) = self.session(instance, generation) {
            session.acs.received(now, frame, &mut outputs);
        }
        self.carry_out(instance, now, outputs, out);
    }

    /// The socket answered a ping.
    pub(crate) fn pong(&mut self, instance: InstanceId, generation: u64, now: u64) {
        if let Some(session) = self.session(instance, generation) {
            session.acs.sign_of_life(now, &mut Vec::new());
        }
    }

    fn session(&mut self, instance: InstanceId, generation: u64) -> Option<&mut Session> {
        let slot = self.slots.get_mut(&instance)?;
        slot.session.as_mut().filter(|s| s.generation == generation)
    }

    /// Lets every session do what the time and the news ask for.
    pub(crate) fn serve_agents(&mut self, now: u64, out: &mut Vec<Down>) {
        let state = self.snapshot();
        let instances: Vec<InstanceId> = self.slots.keys().copied().collect();
        for instance in instances {
            let mut outputs = Vec::new();
            let Some(session) = self
                .slots
                .get_mut(&instance)
                .and_then(|s| s.session.as_mut())
            else {
                continue;
            };
            if now >= session.acs.due() {
                session.acs.poll(now, &mut outputs);
            }
            self.carry_out(instance, now, outputs, out);
            self.look_at_agent(instance, now, &state, out);
        }
    }

    fn look_at_agent(
        &mut self,
        instance: InstanceId,
        now: u64,
        state: &State,
        out: &mut Vec<Down>,
    ) {
        let mutant = self.settings.mutant;
        let Some(session) = self
            .slots
            .get_mut(&instance)
            .and_then(|s| s.session.as_mut())
        else {
            return;
        };
        let (sweep, of_instance) = (session.sweep, session.instance);
        let tasks = std::mem::take(&mut session.tasks);
        (session.sweep, session.instance) = (false, false);
        let inactive = state
            .instances
            .get(&instance)
            .is_none_or(|i| i.status == InstanceStatus::Inactive);
        if of_instance && inactive {
            let generation = session.generation;
            self.notes.cover("gateway: inactive instance sent away");
            let reason = "InactiveInstanceException: inactive".to_owned();
            out.push(Down::Close(instance, generation, 1008, reason));
            self.leave(instance, generation, now);
            return;
        }
        let (mut outputs, mut due) = (Vec::new(), Vec::<Arc<Task>>::new());
        if sweep && mutant != Some(Mutant::ForgetsDueOnReconnect) {
            due.extend(state.tasks.due(instance).cloned());
        }
        for id in tasks {
            match state.tasks.get(id) {
                Some(task) if task.start_due() || task.stop_due() => due.push(task.clone()),
                Some(task) => session.acs.settled(id, task.desired, &mut outputs),
                None => session.acs.settled(id, Desired::Stopped, &mut outputs),
            }
        }
        let (mut wanted, mut stops) = (Vec::new(), Vec::new());
        for task in due {
            if !session.acs.wants(task.id, task.desired) {
                continue;
            }
            if task.desired == Desired::Stopped && task.last < LastStatus::Stopping {
                stops.push(task.id);
            }
            wanted.push(DueTask {
                id: task.id,
                desired: task.desired,
                task: render(state, &task),
            });
        }
        session.acs.deliver(now, wanted, &mut outputs);
        self.carry_out(instance, now, outputs, out);
        if !stops.is_empty() {
            self.note(Lane::Agents, move |tx| {
                for id in &stops {
                    let sent = tx.state().tasks.get(*id).and_then(|task| task.stop_sent());
                    if let Some(task) = sent {
                        tx.put_task(task);
                    }
                }
                Ok(())
            });
        }
    }

    fn carry_out(
        &mut self,
        instance: InstanceId,
        now: u64,
        outputs: Vec<AcsOutput>,
        out: &mut Vec<Down>,
    ) {
        let mutant = self.settings.mutant;
        let mut waiting: std::collections::VecDeque<AcsOutput> = outputs.into();
        while let Some(output) = waiting.pop_front() {
            let state = self.snapshot();
            let Some(session) = self
                .slots
                .get_mut(&instance)
                .and_then(|s| s.session.as_mut())
            else {
                return;
            };
            let generation = session.generation;
            let mut more = Vec::new();
            match output {
                AcsOutput::Send(message) => {
                    if mutant == Some(Mutant::MisroutesPayloads)
                        && matches!(message, berth_agent_proto::acs::ToAgent::PayloadMessage(_))
                        && let Some(other) = self.slots.keys().find(|id| **id != instance)
                    {
                        let to = *other;
                        let other = &self.slots[other].session;
                        let generation = other.as_ref().map_or(0, |s| s.generation);
                        out.push(Down::Text(to, generation, message.encode()));
                    }
                    out.push(Down::Text(instance, generation, message.encode()));
                }
                AcsOutput::Ping => out.push(Down::Ping(instance, generation)),
                AcsOutput::Close(close) => {
                    self.notes.cover("gateway: silent agent given up");
                    let reason = close.reason.to_owned();
                    out.push(Down::Close(instance, generation, close.code, reason));
                    self.leave(instance, generation, now);
                    return;
                }
                AcsOutput::ManifestDue => {
                    let manifest = state
                        .tasks
                        .on_instance(instance)
                        .filter(|task| task.last != LastStatus::Stopped)
                        .filter(|_| mutant != Some(Mutant::ConfirmsEveryStop))
                        .map(|task| (task.spec.cluster.task_arn(task.id), task.desired))
                        .collect();
                    session.acs.manifest(manifest, &mut more);
                }
                AcsOutput::StopCandidates { manifest, tasks } => {
                    self.notes.cover("gateway: stop candidates verified");
                    let may_stop = |arn: &String| {
                        let found = task_id(arn).and_then(|id| state.tasks.get(id));
                        found.is_some_and(|task| task.desired == Desired::Stopped)
                            || mutant == Some(Mutant::ConfirmsEveryStop)
                    };
                    let confirmed = tasks.into_iter().filter(may_stop).collect();
                    session.acs.confirm_stops(manifest, confirmed, &mut more);
                }
                // No roll is called here.
                AcsOutput::Missing(_) => {}
                AcsOutput::Overdue(tasks) => {
                    self.notes.cover("gateway: payload sent again");
                    session.tasks.extend(tasks);
                }
                AcsOutput::Ignored(_) => self.notes.cover("gateway: message ignored"),
                AcsOutput::CredentialsWanted
                | AcsOutput::CredentialsAcked(_)
                | AcsOutput::Acked(_) => {}
            }
            waiting.extend(more);
        }
    }

    /// Word of a container's health came up.
    pub(crate) fn health(&mut self, instance: InstanceId, arn: &str, name: &str, healthy: bool) {
        let Some(id) = task_id(arn) else { return };
        let health = if healthy {
            Health::Healthy
        } else {
            Health::Unhealthy
        };
        let name = name.to_owned();
        let change = move |state: &State| {
            let task = state
                .tasks
                .get(id)
                .filter(|t| t.instance == Some(instance))?;
            task.with_health(state.facts(task)?, &[(name.as_str(), health)])
        };
        if change(&self.snapshot()).is_none() {
            return;
        }
        self.note(Lane::Agents, move |tx| {
            if let Some(task) = change(tx.state()) {
                tx.put_task(task);
            }
            Ok(())
        });
    }
}

/// The task that an ARN names.
pub(crate) fn task_id(arn: &str) -> Option<TaskId> {
    EcsArn::parse(arn).and_then(|arn| arn.last().parse().ok())
}

/// What simulated agents need of a task's wire form.
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
