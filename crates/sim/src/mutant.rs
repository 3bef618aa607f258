//! Planted bugs: each wraps one part from outside, so that nothing of the product changes.
//!
//! What a controller did in its transaction is changed there before the writer saves it; what
//! storage or the network is given is changed on its way.

use berth_model::name::ServiceKey;
use berth_model::scheduler::{RolloutState, RunStatus};
use berth_model::service::{Deployment, Scheduling, ServiceDeployment, ServiceStatus};
use berth_model::task::{Desired, LastStatus, Stop, StopCode, Task};
use berth_reconcile::services::Surroundings;
use berth_state::{State, Tx};

macro_rules! mutants {
    ($($(#[$doc:meta])* $name:ident: $part:literal, $what:literal,)+) => {
        /// A planted bug.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Mutant {
            $($(#[$doc])* #[doc = $what] $name,)+
        }

        impl Mutant {
            /// Every planted bug.
            pub const ALL: &[Mutant] = &[$(Mutant::$name,)+];

            /// The part that it is planted in, and what it does there.
            #[must_use]
            pub fn about(self) -> (&'static str, &'static str) {
                match self {
                    $(Self::$name => ($part, $what),)+
                }
            }

            /// The name.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }
        }
    };
}

mutants! {
    PlacesOnOne: "placement", "every task goes to the first instance, full or not",
    PlacesPortTwice: "placement", "host ports are not looked at",
    GivesGpuTwice: "placement", "a task gets the GPU of another",
    MovesTask: "services", "a task that waits is moved to another instance",
    StopsBelowMinimum: "services", "each look that stops or starts anything stops one more healthy task",
    StartsAboveMaximum: "services", "a look that starts tasks starts one too many",
    IgnoresProtection: "services", "a look that stops anything stops a protected task as well",
    StartsSecondDaemon: "services: daemons", "a daemon gets a second task on an instance",
    DropsStarts: "services", "the first task that a look starts is not made",
    DropsReplacement: "services", "a service that has lost a task to a dead machine gets no other",
    ForgetsStops: "services", "a task too many is kept",
    CompletesFailed: "services: deployments", "a failed deployment is shown as completed",
    ReopensRun: "services: deployments", "an ended service deployment is under way again",
    NeverDeletes: "services: delete", "a deleted service stays DRAINING",
    RevivesTask: "services", "a task whose stop was decided is wanted again",
    Panics: "services", "a look that stops three tasks panics",
    Restless: "services", "every look writes the service anew",
    LosesAtOnce: "absence", "an agent that is away is given up at once",
    ForgetsFirstReturn: "absence", "after a start of the server, agents get no longer to return",
    IgnoresMassLoss: "absence", "many agents that vanish together are given up",
    CountsFromBefore: "absence", "agents count as away since before the server led",
    ForgetsCrowd: "absence", "how many were connected before is not remembered",
    NeverEndsLooks: "turns of services", "a look that has ended still counts as under way",
    PurgesLive: "purge", "a task is forgotten that has not stopped",
    LosesCommit: "storage", "a commit is answered and not written",
    HalfCommit: "storage", "the last change of a commit is not written",
    AnswersUnsaved: "writer", "a commit that was not saved is published",
    ForgetsDueOnReconnect: "gateway", "a new session is not told what is due",
    MisroutesPayloads: "gateway", "another instance's agent gets a payload as well",
    ConfirmsEveryStop: "gateway", "manifests are empty, and every stop candidate is confirmed",
    CountsAnew: "gateway", "each session numbers its messages from the beginning",
    KeepsEpoch: "gateway", "a server that starts has the epoch of the one before it",
    LateLeave: "gateway", "a replaced session that ends takes the new one with it",
    DeafSessions: "gateway", "sessions do not hear of changed tasks",
    StoppedTimers: "gateway", "sessions neither ping nor ask again for want of an ack",
    IgnoresToken: "operations", "a clientToken is passed over",
    LosesReports: "agents", "a report is answered and not taken",
}

fn stop(tx: &mut Tx<'_>, task: &Task, why: &str) {
    let stop = Stop {
        code: StopCode::ServiceSchedulerInitiated,
        reason: why.into(),
        at: tx.now(),
    };
    if let Some(stopping) = task.stopping(stop) {
        tx.put_task(stopping);
    }
}

/// A task that lives is forgotten.
pub(crate) fn purge_live(tx: &mut Tx<'_>) {
    let live = tx
        .state()
        .tasks
        .iter()
        .find(|task| task.last == LastStatus::Running);
    if let Some(id) = live.map(|task| task.id) {
        tx.remove_task(id);
    }
}

/// Changes what a look did.
pub(crate) fn tamper(
    mutant: Mutant,
    tx: &mut Tx<'_>,
    before: &State,
    key: &ServiceKey,
    around: &Surroundings,
) {
    let Some(row) = tx.state().cluster_row(&key.cluster) else {
        return;
    };
    let tasks: Vec<Task> = tx
        .state()
        .tasks
        .of_service(row, &key.name)
        .map(|task| Task::clone(task))
        .collect();
    let (mut started, mut stopped) = (Vec::new(), Vec::new());
    for task in &tasks {
        match before.tasks.get(task.id) {
            None => started.push(task.clone()),
            Some(was) if was.desired != task.desired => {
                stopped.push((Task::clone(was), task.clone()))
            }
            Some(_) => {}
        }
    }
    let running =
        |task: &&Task| task.desired == Desired::Running && task.last == LastStatus::Running;
    match mutant {
        Mutant::PlacesOnOne => {
            let first = tx.state().instances_of(&key.cluster).next().map(|i| i.id);
            for mut task in started {
                if task.gpus.is_empty() {
                    task.instance = first;
                    tx.put_task(task);
                }
            }
        }
        Mutant::PlacesPortTwice => {
            for mut task in started {
                let facts = tx.state().facts(&task).cloned();
                let ports = facts
                    .map(|facts| facts.demand(None).ports)
                    .unwrap_or_default();
                let taken = tasks.iter().find(|other| {
                    other.id != task.id && other.instance.is_some() && !ports.is_empty()
                });
                if let Some(taken) = taken {
                    task.instance = taken.instance;
                    tx.put_task(task);
                }
            }
        }
        Mutant::GivesGpuTwice => {
            for mut task in started.into_iter().filter(|task| !task.gpus.is_empty()) {
                let other = tx.state().tasks.iter().find(|other| {
                    other.id != task.id
                        && !other.gpus.is_empty()
                        && other.last != LastStatus::Stopped
                });
                let other = other.cloned();
                if let Some(other) = other {
                    task.instance = other.instance;
                    task.gpus.clone_from(&other.gpus);
                    tx.put_task(task);
                }
            }
        }
        Mutant::MovesTask => {
            let pending = tasks.iter().find(|task| {
                before.tasks.get(task.id).is_some() && task.last == LastStatus::Pending
            });
            let pending = pending.cloned();
            let other = tx.state().instances_of(&key.cluster).map(|i| i.id);
            let other = other.max();
            if let Some(mut task) = pending {
                task.instance = other;
                tx.put_task(task);
            }
        }
        Mutant::StopsBelowMinimum => {
            let now = tx.now();
            let healthy = |task: &&Task| running(task) && !task.is_protected(now);
            if let Some(task) = tasks.iter().find(healthy)
                && !(stopped.is_empty() && started.is_empty())
            {
                stop(tx, task, "planted");
            }
        }
        Mutant::StartsAboveMaximum => {
            for task in started {
                let mut extra = task.clone();
                extra.id = tx.ids().task();
                // It waits for room, so that it takes none.
                extra.instance = None;
                extra.gpus.clear();
                extra.last = LastStatus::Provisioning;
                tx.put_task(extra);
            }
        }
        Mutant::IgnoresProtection => {
            let now = tx.now();
            if let Some(task) = tasks.iter().find(|t| t.is_protected(now))
                && !stopped.is_empty()
            {
                stop(tx, task, "planted");
            }
        }
        Mutant::StartsSecondDaemon => {
            let service = tx.state().services.get(key);
            if service.is_some_and(|s| s.spec.scheduling == Scheduling::Daemon)
                && let Some(mut task) = started.first().cloned()
            {
                task.id = tx.ids().task();
                tx.put_task(task);
            }
        }
        Mutant::DropsStarts => {
            if let Some(task) = started.first() {
                tx.remove_task(task.id);
            }
        }
        Mutant::DropsReplacement => {
            let lost = before.tasks.stopped_of_service(
                row,
                &key.name,
                berth_model::time::Timestamp::default(),
            );
            let lost = lost.filter(|t| {
                t.stop
                    .as_ref()
                    .is_some_and(|s| s.code == StopCode::TerminationNotice)
            });
            let any = lost.count() > 0;
            for task in started.iter().filter(|_| any) {
                tx.remove_task(task.id);
            }
        }
        Mutant::ForgetsStops => {
            for (was, _) in stopped.iter().filter(|_| around.lost.is_empty()) {
                tx.put_task(was.clone());
            }
        }
        Mutant::CompletesFailed => {
            let failed = before.services.deployments(key);
            let failed = failed.filter(|d| d.rollout.state == RolloutState::Failed);
            let failed: Vec<Deployment> = failed.map(|d| Deployment::clone(d)).collect();
            for mut deployment in failed {
                deployment.rollout.state = RolloutState::Completed;
                tx.put_deployment(deployment);
            }
        }
        Mutant::ReopensRun => {
            let ended = tx.state().services.runs(key);
            let ended = ended.filter(|run| run.run.status == RunStatus::Successful);
            let ended: Vec<ServiceDeployment> =
                ended.map(|run| ServiceDeployment::clone(run)).collect();
            for mut run in ended {
                run.run.status = RunStatus::InProgress;
                tx.put_service_deployment(run);
            }
        }
        Mutant::NeverDeletes => {
            let service = tx.state().services.get(key).cloned();
            if let Some(service) = service.filter(|s| s.status == ServiceStatus::Inactive) {
                let mut service = berth_model::service::Service::clone(&service);
                service.status = ServiceStatus::Draining;
                tx.put_service(service);
            }
        }
        Mutant::RevivesTask => {
            for task in tasks.iter().filter(|t| t.desired == Desired::Stopped) {
                if before
                    .tasks
                    .get(task.id)
                    .is_some_and(|was| was.desired == Desired::Stopped)
                {
                    let mut task = task.clone();
                    task.desired = Desired::Running;
                    tx.put_task(task);
                }
            }
        }
        Mutant::Panics => assert!(stopped.len() < 3, "planted"),
        Mutant::Restless => {
            let service = tx.state().services.get(key).cloned();
            if let Some(service) = service {
                let mut service = berth_model::service::Service::clone(&service);
                service.memory.refusals = service.memory.refusals.wrapping_add(1);
                tx.put_service(service);
            }
        }
        Mutant::LosesAtOnce
        | Mutant::ForgetsFirstReturn
        | Mutant::IgnoresMassLoss
        | Mutant::CountsFromBefore
        | Mutant::ForgetsCrowd
        | Mutant::NeverEndsLooks
        | Mutant::PurgesLive
        | Mutant::LosesCommit
        | Mutant::HalfCommit
        | Mutant::AnswersUnsaved
        | Mutant::ForgetsDueOnReconnect
        | Mutant::MisroutesPayloads
        | Mutant::ConfirmsEveryStop
        | Mutant::CountsAnew
        | Mutant::KeepsEpoch
        | Mutant::LateLeave
        | Mutant::DeafSessions
        | Mutant::StoppedTimers
        | Mutant::IgnoresToken
        | Mutant::LosesReports => {}
    }
}
