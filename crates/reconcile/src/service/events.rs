//! What is told of a service: the texts of ECS's service events, to the letter, and the notices
//! in EventBridge's words (reference §4.6, §7.8).
//!
//! Rules kept here:
//! - a trouble is told once, and again only after six hours or when it was over meanwhile;
//! - texts are made here and nowhere else.

use std::fmt::Write as _;
use std::time::Duration;

use berth_model::id::TaskId;
use berth_model::scheduler::{DeploymentId, ServiceMemory, Trouble};
use berth_model::service::{Notice, NoticeKind};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::Refusal;

/// After this time the same trouble, or an unchanged steady state, is told again (reference
/// §7.5).
pub const TELL_AGAIN: Duration = Duration::from_secs(6 * 3600);
/// The task ids that one event names. ECS tells of at most this many tasks in one event.
pub const TASKS_MAX: usize = 100;

const TROUBLESHOOTING: &str =
    "For more information, see the Troubleshooting section of the Amazon ECS Developer Guide.";

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The service event's text; `None` when only the bus is told.
    pub message: Option<String>,
    /// What goes to the bus.
    pub notice: Option<Notice>,
}

/// Whether `trouble` is to be told now; notes it if so.
#[must_use]
pub(super) fn worth_telling(memory: &mut ServiceMemory, trouble: Trouble, now: Timestamp) -> bool {
    let told = memory.told.get(&trouble);
    let due = told.is_none_or(|told| now.since(*told) >= TELL_AGAIN);
    if due {
        memory.told.insert(trouble, now);
    }
    due
}

fn listed(tasks: &[TaskId]) -> String {
    let mut out = String::new();
    for task in tasks.iter().take(TASKS_MAX) {
        let _ = write!(out, " (task {task})");
    }
    out
}

fn notice(kind: NoticeKind, name: &'static str) -> Notice {
    Notice {
        kind,
        name,
        deployment: None,
        tasks: Vec::new(),
        instances: Vec::new(),
        providers: Vec::new(),
        reason: None,
    }
}

/// Makes the events of one service at one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Teller<'a> {
    /// The service's name.
    pub service: &'a str,
    /// The instant of the look.
    pub now: Timestamp,
    /// The task set that starts and stops are told of, under the EXTERNAL controller.
    pub scope: Option<DeploymentId>,
}

impl Teller<'_> {
    /// How an event of tasks begins.
    fn subject(&self) -> String {
        match self.scope {
            None => format!("(service {})", self.service),
            Some(set) => format!("(service {}, taskSet {set})", self.service),
        }
    }

    fn event(&self, message: String, notice: Option<Notice>) -> Event {
        Event {
            at: self.now,
            message: Some(message),
            notice,
        }
    }

    fn only_notice(&self, notice: Notice) -> Event {
        Event {
            at: self.now,
            message: None,
            notice: Some(notice),
        }
    }

    /// Tasks were started, `unhealthy` of them in place of unhealthy ones.
    pub(super) fn started(&self, tasks: &[TaskId], unhealthy: usize) -> Event {
        let mut text = format!(
            "{} has started {} tasks:{}.",
            self.subject(),
            tasks.len(),
            listed(tasks)
        );
        if unhealthy > 0 {
            let _ = write!(
                text,
                " Amazon ECS replaced {unhealthy} tasks due to an unhealthy status."
            );
        }
        let notice = Notice {
            tasks: tasks.to_vec(),
            ..notice(NoticeKind::ActionInfo, "TASKS_STARTED")
        };
        self.event(text, Some(notice))
    }

    /// Running tasks are being stopped.
    pub(super) fn stopped_running(&self, tasks: &[TaskId]) -> Event {
        let text = format!(
            "{} has stopped {} running tasks:{}.",
            self.subject(),
            tasks.len(),
            listed(tasks)
        );
        let notice = Notice {
            tasks: tasks.to_vec(),
            ..notice(NoticeKind::ActionInfo, "TASKS_STOPPED")
        };
        self.event(text, Some(notice))
    }

    /// Tasks that did not run yet are being stopped.
    pub(super) fn stopped_pending(&self, tasks: &[TaskId]) -> Event {
        let text = format!("{} stopped {} pending tasks.", self.subject(), tasks.len());
        let notice = Notice {
            tasks: tasks.to_vec(),
            ..notice(NoticeKind::ActionInfo, "TASKS_STOPPED")
        };
        self.event(text, Some(notice))
    }

    /// A task fails its container health checks.
    pub(super) fn unhealthy(&self, task: TaskId) -> Event {
        let text = format!(
            "(service {}) (task {task}) failed container health checks.",
            self.service
        );
        self.event(text, None)
    }

    /// A task is unhealthy to a load balancer, which `what` says in ECS's words.
    pub(super) fn target_unhealthy(&self, task: TaskId, what: &Text) -> Event {
        self.event(
            format!("(service {}) (task {task}) {what}", self.service),
            None,
        )
    }

    /// Everything is as it should be. One millisecond later than what else is told, since ECS
    /// tells a deployment's end before it (reference §7.8).
    pub(super) fn steady(&self) -> Event {
        Event {
            at: self.now.next(),
            ..self.event(
                format!("(service {}) has reached a steady state.", self.service),
                Some(notice(NoticeKind::ActionInfo, "SERVICE_STEADY_STATE")),
            )
        }
    }

    /// The capacity providers of a service that is as it should be.
    pub(super) fn providers_steady(&self, providers: Vec<Text>) -> Event {
        Event {
            at: self.now.next(),
            ..self.only_notice(Notice {
                providers,
                ..notice(NoticeKind::ActionInfo, "CAPACITY_PROVIDER_STEADY_STATE")
            })
        }
    }

    /// A task set has come to rest.
    pub(super) fn task_set_steady(&self, id: DeploymentId) -> Event {
        let text = format!(
            "(service {}, taskSet {id}) has reached a steady state.",
            self.service
        );
        let notice = Notice {
            deployment: Some(id),
            ..notice(NoticeKind::ActionInfo, "TASKSET_STEADY_STATE")
        };
        self.event(text, Some(notice))
    }

    /// A deployment begins, forwards or back.
    pub(super) fn deployment_began(&self, id: DeploymentId, reason: &str) -> Event {
        self.only_notice(Notice {
            deployment: Some(id),
            reason: Some(reason.to_owned()),
            ..notice(NoticeKind::DeploymentInfo, "SERVICE_DEPLOYMENT_IN_PROGRESS")
        })
    }

    /// A deployment is done.
    pub(super) fn deployment_completed(&self, id: DeploymentId, reason: &str) -> Event {
        let text = format!(
            "(service {}) (deployment {id}) deployment completed.",
            self.service
        );
        let notice = Notice {
            deployment: Some(id),
            reason: Some(reason.to_owned()),
            ..notice(NoticeKind::DeploymentInfo, "SERVICE_DEPLOYMENT_COMPLETED")
        };
        self.event(text, Some(notice))
    }

    /// A deployment failed; `why` without a full stop.
    pub(super) fn deployment_failed(&self, id: DeploymentId, why: &str, reason: &str) -> Event {
        let text = format!(
            "(service {}) (deployment {id}) deployment failed: {why}",
            self.service
        );
        let notice = Notice {
            deployment: Some(id),
            reason: Some(reason.to_owned()),
            ..notice(NoticeKind::DeploymentError, "SERVICE_DEPLOYMENT_FAILED")
        };
        self.event(text, Some(notice))
    }

    /// A failed deployment is taken back.
    pub(super) fn rolling_back(&self, to: DeploymentId) -> Event {
        let text = format!(
            "(service {}) rolling back to deployment {to}.",
            self.service
        );
        self.event(text, None)
    }

    /// The percents allow neither a start nor a stop.
    pub(super) fn percents_in_the_way(&self) -> Event {
        let text = format!(
            "(service {}) was unable to stop or start tasks during a deployment because of the \
             service deployment configuration. Update the minimumHealthyPercent or \
             maximumPercent value and try again.",
            self.service
        );
        self.event(text, None)
    }

    /// Protected tasks are in the way of scaling in.
    pub(super) fn protected(&self, id: DeploymentId, tasks: usize) -> Event {
        let text = format!(
            "(service {}) was unable to reach steady state because (taskSet {id}) was unable to \
             scale in due to (reason {tasks} tasks under protection)",
            self.service
        );
        let notice = Notice {
            deployment: Some(id),
            ..notice(
                NoticeKind::ActionInfo,
                "TASKSET_SCALE_IN_FAILURE_BY_TASK_PROTECTION",
            )
        };
        self.event(text, Some(notice))
    }

    /// Tasks stop before they run, again and again.
    pub(super) fn start_impaired(&self) -> Event {
        let text = format!(
            "(service {}) is unable to consistently start tasks successfully. {TROUBLESHOOTING}",
            self.service
        );
        let notice = notice(NoticeKind::ActionWarn, "SERVICE_TASK_START_IMPAIRED");
        self.event(text, Some(notice))
    }

    /// No instance took a task.
    pub(super) fn not_placed(&self, refusal: &Refusal, provider: Option<&Text>) -> Event {
        let closest = refusal.closest();
        let failed = Notice {
            instances: closest.iter().map(|(instance, _)| *instance).collect(),
            providers: provider.into_iter().cloned().collect(),
            ..notice(NoticeKind::ActionError, "SERVICE_TASK_PLACEMENT_FAILURE")
        };
        let unable = format!(
            "(service {}) was unable to place a task because no container instance met all of \
             its requirements.",
            self.service
        );
        let (text, reason) = match closest {
            Some((instance, why)) => (
                format!(
                    "{unable} The closest matching (container-instance {instance}) {}. \
                     {TROUBLESHOOTING}",
                    why.event_text()
                ),
                Some(why.as_str().to_owned()),
            ),
            None if provider.is_some() => (
                format!(
                    "(service {}) was unable to reach steady state. Reason: No Container \
                     Instances were found in your capacity provider.",
                    self.service
                ),
                None,
            ),
            None => (
                format!(
                    "{unable} Reason: No Container Instances were found in your cluster. \
                     {TROUBLESHOOTING}"
                ),
                None,
            ),
        };
        self.event(text, Some(Notice { reason, ..failed }))
    }

    /// So many tasks wait for room that no more may.
    pub(super) fn too_many_wait(&self) -> Event {
        let text = format!(
            "(service {}) was unable to place tasks in your cluster because the tasks provisioning \
             capacity limit was exceeded.",
            self.service
        );
        let notice = notice(NoticeKind::ActionError, "SERVICE_TASK_PLACEMENT_FAILURE");
        self.event(text, Some(notice))
    }

    /// A task could not be made.
    pub(super) fn launch_failed(&self, error: &str) -> Event {
        let text = format!(
            "(service {}) failed to launch a task with (error {error}).",
            self.service
        );
        let notice = notice(
            NoticeKind::ActionError,
            "SERVICE_TASK_CONFIGURATION_FAILURE",
        );
        self.event(text, Some(notice))
    }

    /// The zones are out of balance, and tasks will be moved.
    pub(super) fn not_balanced(&self, zones: &[(&Text, usize)]) -> Event {
        let text = format!(
            "(service {}) is not AZ balanced with {}. AZ Rebalancing in progress.",
            self.service,
            counted(zones)
        );
        let notice = notice(NoticeKind::ActionInfo, "SERVICE_REBALANCING_STARTED");
        self.event(text, Some(notice))
    }

    /// The zones are in balance again.
    pub(super) fn balanced(&self, zones: &[(&Text, usize)]) -> Event {
        let text = format!(
            "(service {}) is AZ balanced with {}.",
            self.service,
            counted(zones)
        );
        let notice = notice(NoticeKind::ActionInfo, "SERVICE_REBALANCING_COMPLETED");
        self.event(text, Some(notice))
    }

    /// Something else goes before balance.
    pub(super) fn rebalancing_stopped(&self) -> Event {
        let text = format!("(service {}) stopped AZ Rebalancing.", self.service);
        let notice = notice(NoticeKind::ActionInfo, "SERVICE_REBALANCING_STOPPED");
        self.event(text, Some(notice))
    }

    /// A task was started for balance.
    pub(super) fn started_to_balance(&self, zone: &Text, task: TaskId) -> Event {
        let text = format!(
            "(service {}) has started 1 tasks in {zone} to AZ Rebalance: (task {task}).",
            self.service
        );
        let notice = Notice {
            tasks: vec![task],
            ..notice(NoticeKind::ActionInfo, "TASKS_STARTED")
        };
        self.event(text, Some(notice))
    }

    /// A task is stopped for balance.
    pub(super) fn stopped_to_balance(&self, zone: &str, tasks: &[TaskId]) -> Event {
        let text = format!(
            "(service {}) has stopped {} running tasks in {zone} due to AZ rebalancing:{}.",
            self.service,
            tasks.len(),
            listed(tasks)
        );
        let notice = Notice {
            tasks: tasks.to_vec(),
            ..notice(NoticeKind::ActionInfo, "TASKS_STOPPED")
        };
        self.event(text, Some(notice))
    }
}

/// `3 tasks in a, 1 tasks in b`: the fullest zone first.
fn counted(zones: &[(&Text, usize)]) -> String {
    let mut zones = zones.to_vec();
    zones.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    let parts: Vec<String> = zones
        .iter()
        .map(|(zone, count)| format!("{count} tasks in {zone}"))
        .collect();
    parts.join(", ")
}
