//! A control plane in this process: the real state, writer, operations, reconcilers and turns of
//! services, with no store, no sockets, and agents that do at once what they are told.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, ensure};
use berth_leader::{ServiceNews, Turns};
use berth_model::id::TaskId;
use berth_model::name::ServiceKey;
use berth_model::scheduler::RolloutState;
use berth_model::task::{Desired, LastStatus};
use berth_model::time::Timestamp;
use berth_ops::{Call, Caller, Context, DefinitionCache, Limits, NoLogs, NoMetrics, PageTokens};
use berth_reconcile::services::{Looked, Surroundings, look};
use berth_state::{
    Changed, Failure, Gathered, Handle, Ids, Inbox, Job, Lane, Loader, Outcome, State, Writer,
};
use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// The account and region of every call.
const SCOPE: &str = "123456789012/us-east-1";
const CLUSTER: &str = "bench";
/// When it begins: 2024-01-01T00:00:00Z.
const BEGINNING: i64 = 1_704_067_200_000;
/// Rounds of looks within which everything must come to rest: some thousand times what it takes.
const ROUNDS_MAX: usize = 1_000_000;

/// The wall clock, in milliseconds; one plane at a time moves it.
static WALL: AtomicI64 = AtomicI64::new(BEGINNING);

fn wall() -> Timestamp {
    Timestamp::from_millis(WALL.load(Ordering::Relaxed))
}

/// Runs each job where it is handed in; what it changed is at once as good as saved.
struct Inline(Mutex<(Writer, Vec<Changed>)>);

impl Inline {
    fn both(&self) -> MutexGuard<'_, (Writer, Vec<Changed>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inbox for Inline {
    fn submit(&self, lane: Lane, job: Box<dyn Job>) -> BoxFuture<'_, Result<(), Failure>> {
        let (writer, changes) = &mut *self.both();
        let gathered = writer.gather(|| vec![(lane, job)], wall(), &mut |_| {});
        let published = match gathered {
            Gathered::Idle => None,
            Gathered::Answered(published) => Some(published),
            Gathered::Save(_) => Some(writer.outcome(Outcome::Saved)),
        };
        changes.extend(
            published
                .into_iter()
                .flat_map(|published| published.changes),
        );
        std::future::ready(Ok(())).boxed()
    }
}

/// How large a plane is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) instances: u32,
    pub(crate) services: u32,
    pub(crate) tasks: u32,
}

/// The control plane.
pub(crate) struct Plane {
    cx: Arc<Context>,
    inbox: Arc<Inline>,
    news: ServiceNews,
    turns: Turns,
    now: u64,
    services: Vec<ServiceKey>,
}

impl Plane {
    /// A plane whose services have all their tasks running and nothing left to do.
    pub(crate) fn at_rest(size: Size) -> Result<Self> {
        WALL.store(BEGINNING, Ordering::Relaxed);
        let (state, fleet) = Loader::new().finish(0, Timestamp::default());
        let writer = Writer::new(state, fleet, Ids::from_seed([7; 32]));
        let newest = writer.newest();
        let inbox = Arc::new(Inline(Mutex::new((writer, Vec::new()))));
        let cx = Context {
            state: Handle::new(inbox.clone(), newest),
            definitions: DefinitionCache::default(),
            logs: Arc::new(NoLogs),
            metrics: Arc::new(NoMetrics),
            history: None,
            pages: PageTokens::new([9; 32]),
            limits: Limits {
                advertise_url: None,
                wait_for_room: berth_model::waiting::WaitForRoom::default(),
            },
            wall,
        };
        let mut plane = Self {
            cx: Arc::new(cx),
            inbox,
            news: ServiceNews::default(),
            turns: Turns::default(),
            now: 0,
            services: Vec::new(),
        };
        plane.furnish(size)?;
        plane.come_to_rest()?;
        for key in &plane.services {
            plane.check_rest(key, size.tasks)?;
        }
        Ok(plane)
    }

    fn furnish(&mut self, size: Size) -> Result<()> {
        self.call("CreateCluster", &json!({ "clusterName": CLUSTER }))?;
        let container = json!({
            "name": "app", "image": "busybox", "cpu": 10, "memory": 16, "essential": true,
        });
        self.call(
            "RegisterTaskDefinition",
            &json!({ "family": "app", "containerDefinitions": [container] }),
        )?;
        for _ in 0..size.instances {
            let resource = |name: &str, value: u32| json!({ "name": name, "type": "INTEGER", "integerValue": value });
            self.call(
                "RegisterContainerInstance",
                &json!({
                    "cluster": CLUSTER,
                    "totalResources": [resource("CPU", 1_000_000), resource("MEMORY", 1_000_000)],
                    "attributes": [{ "name": "ecs.availability-zone", "value": "us-east-1a" }],
                }),
            )?;
        }
        for number in 0..size.services {
            let name = format!("s{number:05}");
            self.call(
                "CreateService",
                &json!({
                    "cluster": CLUSTER, "serviceName": name, "taskDefinition": "app",
                    "desiredCount": size.tasks,
                }),
            )?;
            let key = format!("{SCOPE}/{CLUSTER}/{name}").parse();
            self.services.push(key.map_err(|_| anyhow!("a key"))?);
            // As they come, so that no more is under way than in a cluster that grows.
            self.come_to_rest()?;
        }
        Ok(())
    }

    /// The services.
    pub(crate) fn services(&self) -> &[ServiceKey] {
        &self.services
    }

    /// A running task of a service.
    pub(crate) fn a_task_of(&self, key: &ServiceKey) -> Result<TaskId> {
        let state = self.cx.state.snapshot();
        let row = state.cluster_row(&key.cluster).context("the cluster")?;
        let mut tasks = state.tasks.of_service(row, &key.name);
        let running = tasks.find(|task| task.last == LastStatus::Running);
        Ok(running.context("a running task")?.id)
    }

    /// Calls an operation.
    pub(crate) fn call(&self, operation: &str, body: &Value) -> Result<Value> {
        let caller = Caller {
            scope: SCOPE.parse().map_err(|_| anyhow!("a scope"))?,
            arn: "arn:aws:iam::123456789012:user/admin".to_owned(),
            user_id: "AIDAEXAMPLE".to_owned(),
            instance: None,
            base_url: "http://127.0.0.1".to_owned(),
        };
        let served = berth_ops::find("ecs", operation).context("not served")?;
        let call = Call::new(self.cx.clone(), Arc::new(caller));
        let run = served.run(call, Bytes::from(body.to_string()), "request".to_owned());
        let answer = run.now_or_never().context("there is nothing to wait for")?;
        let answer = answer.map_err(|error| anyhow!("{operation}: {}", error.0.message))?;
        Ok(serde_json::from_slice(answer.body())?)
    }

    /// Looks at one service.
    pub(crate) fn look(&self, key: &ServiceKey) -> Result<Looked> {
        let (looked_at, around) = (key.clone(), Surroundings::default());
        let looked = self
            .cx
            .state
            .transact(Lane::Controllers, move |tx| {
                Ok::<_, Failure>(look(tx, &looked_at, &around))
            })
            .now_or_never();
        Ok(looked.context("there is nothing to wait for")??)
    }

    /// The revision of the state.
    pub(crate) fn revision(&self) -> u64 {
        self.cx.state.snapshot().revision
    }

    /// The task's agent says that its container has ended.
    pub(crate) fn end_task(&self, id: TaskId) -> Result<()> {
        let arn = self.arn_of(id)?;
        self.report(&arn, "STOPPED")
    }

    fn arn_of(&self, id: TaskId) -> Result<String> {
        let state = self.cx.state.snapshot();
        let task = state.tasks.get(id).context("the task")?;
        Ok(task.spec.cluster.task_arn(id))
    }

    fn report(&self, arn: &str, status: &str) -> Result<()> {
        let report = json!({
            "cluster": CLUSTER, "task": arn, "status": status,
            "containers": [{ "containerName": "app", "status": status }],
        });
        self.call("SubmitTaskStateChange", &report)?;
        Ok(())
    }

    /// Goes past the next sweep of all services, so that none falls into what is measured next.
    pub(crate) fn pass_the_sweep(&mut self) -> Result<()> {
        self.come_to_rest()?;
        self.advance_to(self.turns.due());
        self.come_to_rest()
    }

    /// Looks at services as their turns come, and lets agents do what they are told, until
    /// nothing is due before the next sweep.
    pub(crate) fn come_to_rest(&mut self) -> Result<()> {
        for _ in 0..ROUNDS_MAX {
            let changes = std::mem::take(&mut self.inbox.both().1);
            self.obey(&changes)?;
            self.news.changed(&changes);
            let state = self.cx.state.snapshot();
            self.turns.hear(&state, &self.news.take(), self.now);
            let keys = self.turns.next(&state, self.now);
            for key in &keys {
                let looked = self.look(key)?;
                self.turns.looked(key.clone(), looked, self.now, wall());
            }
            if !keys.is_empty() || !self.inbox.both().1.is_empty() {
                continue;
            }
            match self.turns.next_look() {
                None => return Ok(()),
                Some(due) => self.advance_to(due),
            }
        }
        Err(anyhow!("it does not come to rest"))
    }

    fn advance_to(&mut self, due: u64) {
        let span = due.saturating_sub(self.now);
        let span = Duration::from_millis(span.max(1));
        self.now += u64::try_from(span.as_millis()).unwrap_or(0);
        WALL.fetch_add(
            i64::try_from(span.as_millis()).unwrap_or(0),
            Ordering::Relaxed,
        );
    }

    /// The agents do what these changes ask of them.
    fn obey(&self, changes: &[Changed]) -> Result<()> {
        for change in changes {
            let Changed::Task(id, Some(_)) = change else {
                continue;
            };
            let state = self.cx.state.snapshot();
            let Some(task) = state.tasks.get(*id) else {
                continue;
            };
            let arn = task.spec.cluster.task_arn(*id);
            match (task.desired, task.last) {
                (_, LastStatus::Stopped) => {}
                (Desired::Running, last) if last < LastStatus::Running => {
                    self.report(&arn, "RUNNING")?;
                }
                (Desired::Running, _) => {}
                (Desired::Stopped, _) => self.report(&arn, "STOPPED")?,
            }
        }
        Ok(())
    }

    fn check_rest(&self, key: &ServiceKey, tasks: u32) -> Result<()> {
        let state: Arc<State> = self.cx.state.snapshot();
        let service = state.services.get(key).context("the service")?;
        let row = state.cluster_row(&key.cluster).context("the cluster")?;
        let running = state
            .tasks
            .of_service(row, &key.name)
            .filter(|task| task.last == LastStatus::Running)
            .count();
        ensure!(running == tasks as usize, "{key} has {running} tasks");
        let primary = service.spec.primary.context("a deployment")?;
        let deployment = state.services.deployment(key, primary);
        let rollout = &deployment.context("its deployment")?.rollout;
        ensure!(
            rollout.state == RolloutState::Completed,
            "{key} is {:?}",
            rollout.state
        );
        Ok(())
    }
}
