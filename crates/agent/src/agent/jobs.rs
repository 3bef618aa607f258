//! Work under way: calls of the runtime and of the server, each a future of its own.

use std::sync::Arc;
use std::time::Duration;

use berth_agent_proto::agent::PayloadReceipt;
use berth_agent_proto::task::Task;
use futures_util::FutureExt;
use futures_util::future::{Abortable, join_all};

use super::*;
use crate::engine::{Outcome, Report, ReportOutcome, Work};
use crate::register::Occasion;
use crate::runtime::{CreateRequest, PullRequest, Snapshot};
use crate::telemetry::Measured;

/// The first and the longest wait before a report is sent again.
const REPORT_WAIT_MS: (u64, u64) = (250, 10_000);

/// Which websocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Acs = 0,
    Tcs = 1,
}

/// A websocket that was opened, and where.
pub(super) type Dialed = Result<(Box<Socket>, Endpoints), Ended>;

/// Work that ended.
pub(super) enum Done {
    Dialed(Channel, u64, Dialed),
    Worked(Arc<str>, Work, Outcome),
    Reported(Box<Report>, ReportOutcome),
    Stored(Result<(), JournalError>, PayloadReceipt),
    ManifestKept(Result<(), JournalError>, Box<acs::TaskManifest>),
    Listed(Result<Vec<Snapshot>, RuntimeError>),
    Checked(bool),
    Measured(Vec<Measured>, bool),
    Registered(Result<String, CallError>),
    Nothing,
}

impl Shell {
    /// Begins a piece of work for the runtime.
    pub(super) fn begin(&mut self, arn: Arc<str>, work: Work) {
        let Some(run) = self.engine.run(&arn) else {
            return;
        };
        let runtime = Arc::clone(&self.shared.runtime);
        let instance = Arc::clone(&self.instance);
        let task = Arc::clone(&run.task);
        let id = |index: usize| run.containers.get(index)?.runtime_id.clone();
        let job = match work {
            Work::SetUp => set_up(runtime, instance, task).boxed(),
            Work::TearDown => {
                let arn = Arc::clone(&arn);
                let removed = async move { runtime.remove_task(instance, arn).await };
                removed.map(|r| outcome(r, |()| Outcome::Removed)).boxed()
            }
            Work::Pull(container) => {
                let behavior = self.config.pull_behavior;
                let request = PullRequest {
                    task,
                    container,
                    behavior,
                };
                let pull = async move { outcome(runtime.pull(request).await, Outcome::Pulled) };
                let (handle, registration) = AbortHandle::new_pair();
                self.pulls.insert((Arc::clone(&arn), container), handle);
                let pull = Abortable::new(pull, registration);
                let job = pull.map(move |ended| match ended {
                    Ok(outcome) => Done::Worked(arn, work, outcome),
                    Err(_) => Done::Nothing,
                });
                self.jobs.push(job.boxed());
                return;
            }
            Work::Create(container) => {
                let request = self.create_request(&arn, container);
                let Some(request) = request else {
                    return;
                };
                async move { outcome(runtime.create(request).await, Outcome::Created) }.boxed()
            }
            Work::Start(index) => with_id(id(index), move |id| async move {
                outcome(runtime.start(id).await, |s| Outcome::Looked(Some(s)))
            }),
            Work::Stop(index, grace) => with_id(id(index), move |id| async move {
                outcome(runtime.stop(id, grace).await, |s| Outcome::Looked(Some(s)))
            }),
            Work::Inspect(index) => with_id(id(index), move |id| async move {
                outcome(runtime.inspect(id).await, Outcome::Looked)
            }),
            Work::Remove(index) => with_id(id(index), move |id| async move {
                outcome(runtime.remove(id).await, |()| Outcome::Removed)
            }),
        };
        let job = job.map(move |outcome| Done::Worked(arn, work, outcome));
        self.jobs.push(job.boxed());
    }

    fn create_request(&self, arn: &str, container: usize) -> Option<CreateRequest> {
        let run = self.engine.run(arn)?;
        let token = Arc::clone(&run.containers.get(container)?.token);
        let named = run.task.containers.iter().zip(&run.containers);
        let siblings = named
            .filter_map(|(spec, c)| Some((spec.name.clone(), c.runtime_id.clone()?)))
            .collect();
        let mut environment = std::collections::BTreeMap::new();
        let mut add = |name: &str, value: String| environment.insert(name.to_owned(), value);
        add("AWS_REGION", self.config.region.clone());
        add("AWS_DEFAULT_REGION", self.config.region.clone());
        let base = self.config.metadata_base.as_ref();
        if let Some(base) = base.and_then(|base| base(&run.task, run.network.as_ref())) {
            add("ECS_CONTAINER_METADATA_URI", format!("{base}/v3/{token}"));
            add(
                "ECS_CONTAINER_METADATA_URI_V4",
                format!("{base}/v4/{token}"),
            );
            add("ECS_AGENT_URI", format!("{base}/api/{token}"));
        }
        if let Some(role) = &run.task.role_credentials {
            let path = format!("/v2/credentials/{}", role.credentials_id);
            add("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", path);
        }
        Some(CreateRequest {
            instance: Arc::clone(&self.instance),
            cluster: Arc::clone(&self.cluster),
            task: Arc::clone(&run.task),
            container,
            token,
            network: run.network.clone(),
            siblings,
            environment,
        })
    }

    /// Sends a report until the server has stored or refused it.
    pub(super) fn begin_report(&mut self, report: Box<Report>) {
        let ecs = self.ecs.clone();
        let limit = Arc::clone(&self.shared.reports);
        let reach = Arc::clone(&self.shared.reach);
        let mut chance = Chance::new(self.chance.next_u64());
        let job = async move {
            let (mut wait, longest) = REPORT_WAIT_MS;
            loop {
                let sent = {
                    let permit = limit.acquire().await;
                    let _permit = permit.expect("the semaphore is never closed");
                    ecs.submit_task(&report).await
                };
                match sent {
                    Ok(()) => return Done::Reported(report, ReportOutcome::Stored),
                    Err(error) if error.is("InvalidParameterException") => {
                        tracing::warn!(task = %report.task, %error, "the server refused a report");
                        return Done::Reported(report, ReportOutcome::Refused);
                    }
                    Err(error) => {
                        tracing::debug!(task = %report.task, %error, "could not report; trying again");
                    }
                }
                let pause = Duration::from_millis(chance.between(wait / 2, wait));
                reach.pause(pause).await;
                wait = (wait * 3 / 2).min(longest);
            }
        };
        self.jobs.push(job.boxed());
    }

    /// Asks the runtime for all containers of the instance.
    pub(super) fn list(&mut self) {
        let runtime = Arc::clone(&self.shared.runtime);
        let instance = Arc::clone(&self.instance);
        let job = async move { Done::Listed(runtime.list(&instance).await) };
        self.jobs.push(job.boxed());
    }

    /// Asks whether the runtime answers.
    pub(super) fn check_runtime(&mut self) {
        let runtime = Arc::clone(&self.shared.runtime);
        let job = async move { Done::Checked(runtime.check().await.is_ok()) };
        self.jobs.push(job.boxed());
    }

    /// Takes the figures of all containers that run.
    pub(super) fn measure(&mut self, instance_status: bool) {
        let mut looks = Vec::new();
        if self.config.metrics {
            for run in self.engine.live() {
                for (container, seen) in run.containers.iter().enumerate() {
                    let Some(id) = seen.running_id() else {
                        continue;
                    };
                    let runtime = Arc::clone(&self.shared.runtime);
                    let task: Arc<Task> = Arc::clone(&run.task);
                    let restarts = seen.restarts();
                    looks.push(async move {
                        let usage = runtime.usage(Arc::clone(&id)).await.ok()??;
                        Some(Measured {
                            task,
                            container,
                            id,
                            restarts,
                            usage,
                        })
                    });
                }
            }
        }
        let job = join_all(looks).map(move |measured| {
            Done::Measured(measured.into_iter().flatten().collect(), instance_status)
        });
        self.jobs.push(job.boxed());
    }

    /// Registers the instance under the ARN that it has: the server does not know it. Its
    /// containers go on meanwhile.
    pub(super) fn register_again(&mut self) {
        if std::mem::replace(&mut self.registering, true) {
            return;
        }
        tracing::warn!(instance = %self.instance, "the server does not know this instance; registering it again");
        let ecs = self.ecs.clone();
        let limit = Arc::clone(&self.shared.registrations);
        let occasion = Occasion::Forgotten(&self.instance);
        let request = register::request(&self.config, &self.facts, occasion);
        let may_make_cluster = self.config.makes_cluster();
        let job = async move {
            let permit = limit.acquire().await;
            let _permit = permit.expect("the semaphore is never closed");
            let token = secret_id();
            let mut outcome = ecs.register(&request, &token).await;
            if let Err(error) = &outcome
                && error.is("ClusterNotFoundException")
                && may_make_cluster
                && ecs.create_cluster().await.is_ok()
            {
                outcome = ecs.register(&request, &token).await;
            }
            Done::Registered(outcome)
        };
        self.jobs.push(job.boxed());
    }

    /// Opens a websocket.
    pub(super) fn dial(&mut self, channel: Channel, send_credentials: bool) {
        self.dials[channel as usize] += 1;
        let attempt = self.dials[channel as usize];
        let ecs = self.ecs.clone();
        let instance = Arc::clone(&self.instance);
        let clock = self.shared.clock;
        let known = self.endpoints.clone();
        let reach = Arc::clone(&self.shared.reach);
        let query = self.query(channel, send_credentials);
        let job = async move {
            let dialed = async {
                let failed = |error: CallError| Ended::Failed(error.to_string());
                let signer = ecs.signer().map_err(failed)?;
                let endpoints = match known {
                    Some(endpoints) => endpoints,
                    None => {
                        let found = ecs.discover(&instance).await;
                        found.map_err(|error| match error.is_away() {
                            true => Ended::Away(error.to_string()),
                            false => failed(error),
                        })?
                    }
                };
                let url = match channel {
                    Channel::Acs => &endpoints.acs,
                    Channel::Tcs => {
                        const NONE: &str = "the server names no telemetry endpoint";
                        let tcs = endpoints.tcs.as_ref();
                        tcs.ok_or_else(|| Ended::Failed(NONE.to_owned()))?
                    }
                };
                let dialer = ecs.api().dialer();
                let socket = Socket::open(dialer, &signer, url, &query, clock.wall()).await?;
                Ok((Box::new(socket), endpoints))
            };
            Done::Dialed(channel, attempt, reach.attempt(dialed).await)
        };
        self.jobs.push(job.boxed());
    }
}

async fn set_up(runtime: Arc<dyn Runtime>, instance: Arc<str>, task: Arc<Task>) -> Outcome {
    let volumes = runtime.make_volumes(Arc::clone(&instance), Arc::clone(&task));
    if let Err(error) = volumes.await {
        return Outcome::Failed(error);
    }
    if task.berth_awsvpc.is_none() {
        return Outcome::SetUp(None);
    }
    outcome(runtime.make_network(instance, task).await, |network| {
        Outcome::SetUp(Some(network))
    })
}

fn outcome<T>(result: Result<T, RuntimeError>, good: impl FnOnce(T) -> Outcome) -> Outcome {
    result.map_or_else(Outcome::Failed, good)
}

/// Work on a container, which the engine asks for only once it has been created.
fn with_id<F>(
    id: Option<Arc<str>>,
    work: impl FnOnce(Arc<str>) -> F + Send + 'static,
) -> BoxFuture<'static, Outcome>
where
    F: Future<Output = Outcome> + Send + 'static,
{
    match id {
        Some(id) => work(id).boxed(),
        None => {
            let error = RuntimeError::new(ErrorKind::CannotInspectContainer, "never created");
            async move { Outcome::Failed(error) }.boxed()
        }
    }
}
