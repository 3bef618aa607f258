//! The sessions' side of the shell: carries out what they ask for.

use berth_agent_proto::agent::{CLOSE_EXPIRED, Dial, PayloadReceipt};
use berth_agent_proto::task::{Credentials, Task};
use futures_util::FutureExt;

use super::jobs::Dialed;
use super::*;
use crate::engine::Accepted;
use crate::socket::query;
use crate::telemetry::{Measured, seconds};

impl Shell {
    /// The query of the upgrade (reference §3.1, §6.1), keys in alphabetical order.
    pub(super) fn query(&self, channel: Channel, send_credentials: bool) -> String {
        let (hash, version) = (self.config.hash.as_str(), self.config.version.as_str());
        let docker = format!("DockerVersion: {}", self.facts.version);
        match channel {
            Channel::Acs => query(&[
                ("agentHash", hash),
                ("agentVersion", version),
                ("clusterArn", &self.config.cluster),
                ("containerInstanceArn", &self.instance),
                ("dockerVersion", &docker),
                ("protocolVersion", "2"),
                (
                    "sendCredentials",
                    if send_credentials { "true" } else { "false" },
                ),
                ("seqNum", "1"),
            ]),
            Channel::Tcs => query(&[
                ("agentHash", hash),
                ("agentVersion", version),
                ("cluster", &self.config.cluster),
                ("containerInstance", &self.instance),
                ("dockerVersion", &self.facts.version),
            ]),
        }
    }

    /// Carries out what ACS asks for, and what follows from it.
    pub(super) async fn do_acs(&mut self, mut outputs: Vec<AcsOutput>) -> Result<(), AgentError> {
        while !outputs.is_empty() {
            let mut more = Vec::new();
            for output in outputs {
                match output {
                    AcsOutput::Dial {
                        dial,
                        send_credentials,
                    } => match dial {
                        Dial::Connect => self.dial(Channel::Acs, send_credentials),
                        Dial::Close => {
                            if let Some(socket) = &mut self.acs_socket {
                                socket.close(CLOSE_EXPIRED).await;
                            }
                        }
                        Dial::Drop => self.hang_up(Channel::Acs),
                    },
                    AcsOutput::Send(message) => {
                        let Some(socket) = &mut self.acs_socket else {
                            continue;
                        };
                        if socket.send(message.encode()).await.is_err() {
                            self.acs_socket = None;
                            let now = self.shared.clock.now();
                            self.acs.ended(now, &Ended::Lost, &mut more);
                            self.tell_status();
                        }
                    }
                    AcsOutput::Store(receipt, payload) => self.store(receipt, payload).await?,
                    AcsOutput::Credentials(message) => {
                        if self.engine.knows(&message.task_arn) {
                            self.keep_credentials(message.role_credentials.as_ref());
                            self.acs.credentials_kept(&message, &mut more);
                        }
                    }
                    AcsOutput::Manifest(manifest) => self.keep_manifest(manifest).await?,
                    AcsOutput::Stop(arns) => {
                        let mut effects = Vec::new();
                        for arn in arns {
                            self.engine.want_stopped(self.now(), &arn, &mut effects);
                        }
                        self.do_effects(effects);
                    }
                    AcsOutput::HeartbeatSeen => self.check_runtime(),
                    AcsOutput::StayAway(until) => {
                        tracing::warn!(instance = %self.instance, "the server wants this instance away");
                        let mut out = Vec::new();
                        self.tcs.stay_away(until, &mut out);
                        self.do_tcs(out).await;
                    }
                    AcsOutput::Register => self.register_again(),
                    AcsOutput::Ignored(text) => tracing::debug!(%text, "ignored on ACS"),
                }
            }
            outputs = more;
        }
        Ok(())
    }

    /// Takes the tasks of a payload, stopped ones first, and acks it once they are on disk.
    async fn store(
        &mut self,
        receipt: PayloadReceipt,
        payload: acs::Payload,
    ) -> Result<(), AgentError> {
        let now = self.now();
        let mut effects = Vec::new();
        let mut all_good = true;
        let (stopped, others): (Vec<Task>, Vec<Task>) = payload
            .tasks
            .into_iter()
            .partition(|task| task.desired_status == "STOPPED");
        // Only the metadata endpoints use tokens; a fleet without them need not draw any.
        let guessable = self.directory.is_none();
        let mut token = || -> Arc<str> {
            if guessable {
                "".into()
            } else {
                secret_id().into()
            }
        };
        for task in stopped.into_iter().chain(others) {
            self.know_credentials(&task);
            let arn = task.arn.clone();
            let accepted = self.engine.accept(now, task, &mut token, &mut effects);
            if let Accepted::Invalid(reason) = accepted {
                tracing::warn!(task = %arn, %reason, "a task of a payload cannot be used");
                all_good = false;
            }
        }
        self.do_effects(effects);
        if all_good {
            let changes = std::mem::take(&mut self.changes);
            let saved = self.shared.journal.write_durably(changes).await?;
            let job = saved.map(|saved| Done::Stored(saved, receipt));
            self.jobs.push(job.boxed());
        }
        Ok(())
    }

    async fn keep_manifest(&mut self, manifest: acs::TaskManifest) -> Result<(), AgentError> {
        self.identity.manifest = manifest.timeline;
        let mut changes = std::mem::take(&mut self.changes);
        changes.push(kept::keep_identity(self.config.number, &self.identity));
        let saved = self.shared.journal.write_durably(changes).await?;
        let job = saved.map(|saved| Done::ManifestKept(saved, Box::new(manifest)));
        self.jobs.push(job.boxed());
        Ok(())
    }

    /// Takes the end of work under way.
    pub(super) async fn take_done(&mut self, done: Done) -> Result<(), AgentError> {
        match done {
            Done::Dialed(channel, attempt, dialed) => {
                return self.dialed(channel, attempt, dialed).await;
            }
            Done::Worked(arn, work, outcome) => {
                if let crate::engine::Work::Pull(index) = work {
                    self.pulls.remove(&(Arc::clone(&arn), index));
                }
                let mut out = Vec::new();
                let now = self.now();
                self.engine.done(now, &arn, work, outcome, &mut out);
                self.do_effects(out);
            }
            Done::Reported(report, outcome) => {
                let mut out = Vec::new();
                let now = self.now();
                self.engine.reported(now, &report, outcome, &mut out);
                self.do_effects(out);
            }
            Done::Stored(saved, receipt) => {
                saved?;
                let mut out = Vec::new();
                self.acs.stored(receipt, &mut out);
                return self.do_acs(out).await;
            }
            Done::ManifestKept(saved, manifest) => {
                saved?;
                let mut out = Vec::new();
                let wanted = self.engine.wanted();
                self.acs.manifest_saved(&manifest, wanted, &mut out);
                return self.do_acs(out).await;
            }
            Done::Listed(Ok(snapshots)) => {
                let mut out = Vec::new();
                let now = self.now();
                let unknown = self.engine.listed(now, snapshots, &mut out);
                if unknown > 0 {
                    tracing::warn!(unknown, "left containers of unknown tasks alone");
                }
                self.do_effects(out);
            }
            Done::Listed(Err(error)) => {
                const AGAIN: Duration = Duration::from_secs(2);
                tracing::warn!(%error, "could not list containers; trying again");
                let runtime = Arc::clone(&self.shared.runtime);
                let instance = Arc::clone(&self.instance);
                let job = async move {
                    tokio::time::sleep(AGAIN).await;
                    Done::Listed(runtime.list(&instance).await)
                };
                self.jobs.push(job.boxed());
            }
            Done::Checked(ok) => {
                if self.runtime_ok != Some(ok) {
                    self.runtime_ok = Some(ok);
                    self.runtime_since = self.now().wall;
                }
                self.tcs.want_instance_status();
            }
            Done::Measured(measured, instance_status) => {
                self.publish(measured, instance_status).await;
            }
            Done::Registered(outcome) => {
                self.registering = false;
                match outcome {
                    Ok(_) => {
                        tracing::info!(instance = %self.instance, "registered again");
                        let now = self.shared.clock.now();
                        self.acs.registered(now);
                        self.tcs.registered(now);
                    }
                    // The next refused connection is the next attempt.
                    Err(error) => {
                        tracing::warn!(instance = %self.instance, %error, "could not register again");
                    }
                }
            }
            Done::Nothing => {}
        }
        Ok(())
    }

    async fn dialed(
        &mut self,
        channel: Channel,
        attempt: u64,
        dialed: Dialed,
    ) -> Result<(), AgentError> {
        if self.dials[channel as usize] != attempt {
            return Ok(());
        }
        let now = self.shared.clock.now();
        match (dialed, channel) {
            (Ok((socket, endpoints)), channel) => {
                self.endpoints = Some(endpoints);
                match channel {
                    Channel::Acs => {
                        self.acs_socket = Some(*socket);
                        self.acs.connected(now);
                    }
                    Channel::Tcs => {
                        self.tcs_socket = Some(*socket);
                        self.tcs.connected(now);
                    }
                }
                self.tell_status();
                Ok(())
            }
            (Err(how), channel) => {
                tracing::debug!(instance = %self.instance, ?channel, ?how, "could not connect");
                // The next attempt asks where the server is now.
                self.endpoints = None;
                match channel {
                    Channel::Acs => self.acs_ended(&how).await,
                    Channel::Tcs => {
                        self.tcs_ended(&how);
                        Ok(())
                    }
                }
            }
        }
    }

    pub(super) async fn acs_ended(&mut self, how: &Ended) -> Result<(), AgentError> {
        self.acs_socket = None;
        let mut out = Vec::new();
        self.acs.ended(self.shared.clock.now(), how, &mut out);
        self.tell_status();
        self.do_acs(out).await
    }

    pub(super) fn tcs_ended(&mut self, how: &Ended) {
        self.tcs_socket = None;
        self.tcs.ended(self.shared.clock.now(), how);
        self.tell_status();
    }

    fn hang_up(&mut self, channel: Channel) {
        self.dials[channel as usize] += 1;
        match channel {
            Channel::Acs => self.acs_socket = None,
            Channel::Tcs => self.tcs_socket = None,
        }
        self.tell_status();
    }

    /// Carries out what TCS asks for.
    pub(super) async fn do_tcs(&mut self, outputs: Vec<TcsOutput>) {
        for output in outputs {
            match output {
                TcsOutput::Dial(Dial::Connect) => self.dial(Channel::Tcs, false),
                TcsOutput::Dial(Dial::Close) => {
                    if let Some(socket) = &mut self.tcs_socket {
                        socket.close(CLOSE_EXPIRED).await;
                    }
                }
                TcsOutput::Dial(Dial::Drop) => self.hang_up(Channel::Tcs),
                TcsOutput::Publish { instance_status } => self.measure(instance_status),
            }
        }
    }

    /// Sends metrics, health and, if asked for, the instance's status.
    async fn publish(&mut self, measured: Vec<Measured>, instance_status: bool) {
        let now = self.now();
        let at = seconds(now.wall);
        let idle = self.engine.live().next().is_none();
        let mut messages = self.telemetry.metrics(now.mono, at, idle, measured);
        let lines = self.engine.health();
        messages.extend(self.telemetry.health(at, &lines));
        if instance_status {
            let since = seconds(self.runtime_since);
            messages.push(self.telemetry.instance(at, self.runtime_ok, since));
        }
        let Some(socket) = &mut self.tcs_socket else {
            return;
        };
        let Ok(signer) = self.ecs.signer() else {
            return;
        };
        let wall = self.shared.clock.wall();
        for message in messages {
            let json = message.encode();
            if socket.send_signed(&signer, &json, wall).await.is_err() {
                self.tcs_ended(&Ended::Lost);
                return;
            }
        }
    }

    /// Keeps credentials that came with a task.
    pub(super) fn know_credentials(&self, task: &Task) {
        let sets = [&task.role_credentials, &task.execution_role_credentials];
        for credentials in sets.into_iter().flatten() {
            self.keep_credentials(Some(credentials));
        }
    }

    /// Keeps credentials where the process can see them; those without a secret come from the
    /// journal and only say that the id is right.
    fn keep_credentials(&self, credentials: Option<&Credentials>) {
        let (Some(directory), Some(credentials)) = (&self.directory, credentials) else {
            return;
        };
        let whole = !credentials.secret_access_key.is_empty();
        let value = whole.then(|| credentials.clone());
        directory.put_credentials(&credentials.credentials_id, value);
    }

    pub(super) fn drop_credentials(&self, arn: &str) {
        let (Some(directory), Some(task)) = (&self.directory, self.engine.task(arn)) else {
            return;
        };
        let sets = [&task.role_credentials, &task.execution_role_credentials];
        for credentials in sets.into_iter().flatten() {
            directory.remove_credentials(&credentials.credentials_id);
        }
    }
}
