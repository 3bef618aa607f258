//! A plan in the making: the plan, and working copies of what the scheduler remembers.

use std::collections::BTreeMap;

use berth_model::id::TaskId;
use berth_model::scheduler::{DeploymentId, Rollout, Run, ServiceMemory, Trouble};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_state::Ids;

use super::events::Teller;
use super::look::{Condition, Look, Seen, earlier};
use super::percents::next_capacity;
use super::plan::{Place, ServicePlan, StartReason, StartTask, StopReason, StopTask};
use super::view::{CapacityItem, ServiceView, TargetHealth};

/// Starts of one look: placing them keeps the writer for a few milliseconds.
pub const STARTS_MAX: usize = 100;
/// Stops of one look; a stop costs less than a start.
pub const STOPS_MAX: usize = 250;

/// A plan in the making.
pub(super) struct Draft<'v, 'a, 'i> {
    /// What is.
    pub view: &'v ServiceView<'a>,
    /// What the tasks amount to.
    pub look: Look<'v>,
    /// Where new ids come from.
    pub ids: &'i mut Ids,
    /// What should change.
    pub plan: ServicePlan,
    /// What is remembered of the service.
    pub memory: ServiceMemory,
    /// What is remembered of its deployments.
    pub rollouts: BTreeMap<DeploymentId, Rollout>,
    /// What is remembered of the service deployment under way.
    pub run: Option<Run>,
    /// Whether a bound of this look cut something off.
    pub cut: bool,
}

impl<'v, 'a, 'i> Draft<'v, 'a, 'i> {
    pub(super) fn new(view: &'v ServiceView<'a>, now: Timestamp, ids: &'i mut Ids) -> Self {
        Self {
            view,
            look: Look::at(view, now),
            ids,
            plan: ServicePlan::default(),
            memory: view.memory.clone(),
            rollouts: view
                .deployments
                .iter()
                .map(|deployment| (deployment.id, deployment.rollout.clone()))
                .collect(),
            run: view.run.as_ref().map(|run| run.run.clone()),
            cut: false,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.look.now
    }

    pub(super) fn teller(&self) -> Teller<'v> {
        Teller {
            service: self.view.name,
            now: self.look.now,
            scope: None,
        }
    }

    /// Whether `due` has come; if not, the service is looked at again then.
    pub(super) fn is_past(&mut self, due: Timestamp) -> bool {
        self.look.is_past(due)
    }

    pub(super) fn is_stopped(&self, id: TaskId) -> bool {
        self.plan.stops.iter().any(|stop| stop.id == id)
    }

    /// Once nothing waits for room any more, the next lack of it is news.
    pub(super) fn note_room(&mut self) {
        let waits = self.look.live.iter().any(|seen| seen.waits_for_room());
        if self.view.refused.is_none() && !waits {
            self.memory.told.remove(&Trouble::Placement);
        }
    }

    /// Whether one more stop is within this look's bound.
    pub(super) fn can_stop(&mut self) -> bool {
        let can = self.plan.stops.len() < STOPS_MAX;
        self.cut |= !can;
        can
    }

    /// Stops a task, for a reason of which ECS has a text.
    pub(super) fn stop(&mut self, seen: &Seen<'_>, why: StopReason) {
        let task = seen.task;
        let owner = if self.view.task_sets.is_some() {
            "taskset"
        } else {
            "deployment"
        };
        let text = match why {
            StopReason::Scaling => Text::from(format!(
                "Scaling activity initiated by ({owner} {})",
                task.deployment
            )),
            StopReason::Rebalance => Text::from(format!(
                "Availability-zone rebalancing initiated by ({owner} {})",
                task.deployment
            )),
            StopReason::Unhealthy => match &task.targets {
                TargetHealth::Unhealthy { stopped_reason, .. } => stopped_reason.clone(),
                TargetHealth::None | TargetHealth::Waiting | TargetHealth::Healthy => {
                    Text::from("Task failed container health checks")
                }
            },
            StopReason::InstanceLost => {
                let instance = task.instance.map(|id| id.to_string()).unwrap_or_default();
                Text::from(format!(
                    "Host (container-instance {instance}) stopped/terminated."
                ))
            }
        };
        self.plan.stops.push(StopTask {
            id: task.id,
            deployment: task.deployment,
            why,
            text,
        });
    }

    /// Starts `count` tasks, `unhealthy` of them in place of unhealthy ones, split over the
    /// capacity by what the deployment has already.
    pub(super) fn start(
        &mut self,
        deployment: DeploymentId,
        count: usize,
        unhealthy: usize,
        capacity: &[CapacityItem],
    ) {
        let mut counts = self.counts_by_provider(deployment, capacity);
        let room = STARTS_MAX.saturating_sub(self.plan.starts.len());
        self.cut |= count > room;
        for nth in 0..count.min(room) {
            let why = if nth < unhealthy {
                StartReason::ReplacesUnhealthy
            } else {
                StartReason::Missing
            };
            let provider = next_capacity(capacity, &counts).map(|at| {
                counts[at] += 1;
                capacity[at].provider.clone()
            });
            self.start_at(deployment, provider, Place::Any, why);
        }
    }

    /// Starts one task at a place.
    pub(super) fn start_at(
        &mut self,
        deployment: DeploymentId,
        provider: Option<Text>,
        place: Place,
        why: StartReason,
    ) {
        self.plan.starts.push(StartTask {
            id: self.ids.task(),
            deployment,
            provider,
            place,
            why,
        });
    }

    /// How many tasks of the deployment each item of the capacity has.
    pub(super) fn counts_by_provider(
        &self,
        deployment: DeploymentId,
        capacity: &[CapacityItem],
    ) -> Vec<u32> {
        let mut counts = vec![0; capacity.len()];
        for seen in self.look.of(deployment).filter(|seen| seen.is_good()) {
            let at = capacity
                .iter()
                .position(|item| Some(&item.provider) == seen.task.provider.as_ref());
            if let Some(at) = at {
                counts[at] += 1;
            }
        }
        counts
    }

    /// Changes what is remembered of a deployment.
    pub(super) fn rollout(&mut self, id: DeploymentId, change: impl FnOnce(&mut Rollout)) {
        if let Some(rollout) = self.rollouts.get_mut(&id) {
            change(rollout);
        }
    }

    /// Tells of the stops, and answers the plan with what changed of what is remembered.
    pub(super) fn finish(mut self) -> ServicePlan {
        self.tell_stops();
        let now = self.look.now;
        for (id, mut rollout) in std::mem::take(&mut self.rollouts) {
            let before = self.view.deployments.iter().find(|d| d.id == id);
            if before.is_none_or(|before| before.rollout != rollout) {
                rollout.updated_at = now;
                self.plan.rollouts.push((id, rollout));
            }
        }
        if let (Some(mut run), Some(before)) = (self.run.take(), &self.view.run)
            && run != *before.run
        {
            run.updated_at = now;
            self.plan.run = Some(run);
        }
        if self.memory != *self.view.memory {
            self.plan.memory = Some(self.memory);
        }
        if self.cut {
            earlier(&mut self.plan.look_again_at, now.next());
        }
        if let Some(wake) = self.look.wake {
            earlier(&mut self.plan.look_again_at, wake);
        }
        self.plan
    }

    fn tell_stops(&mut self) {
        let Some(sets) = &self.view.task_sets else {
            self.tell_stops_of(None);
            return;
        };
        for set in sets {
            self.tell_stops_of(Some(set.id));
        }
    }

    fn tell_stops_of(&mut self, scope: Option<DeploymentId>) {
        let teller = Teller {
            scope,
            ..self.teller()
        };
        let mut running = Vec::new();
        let mut pending = Vec::new();
        let mut balanced: BTreeMap<Text, Vec<TaskId>> = BTreeMap::new();
        let told = |stop: &&StopTask| scope.is_none_or(|scope| stop.deployment == scope);
        for stop in self.plan.stops.iter().filter(told) {
            let Ok(at) = self.look.live.binary_search_by_key(&stop.id, Seen::id) else {
                continue;
            };
            let seen = self.look.live[at];
            if stop.why == StopReason::Unhealthy {
                self.plan.events.push(match &seen.task.targets {
                    TargetHealth::Unhealthy { event, .. } => {
                        teller.target_unhealthy(stop.id, event)
                    }
                    TargetHealth::None | TargetHealth::Waiting | TargetHealth::Healthy => {
                        teller.unhealthy(stop.id)
                    }
                });
            }
            match (stop.why, seen.condition) {
                (StopReason::InstanceLost, _) => {}
                (StopReason::Rebalance, _) => balanced
                    .entry(seen.task.zone.clone().unwrap_or_else(|| Text::new("")))
                    .or_default()
                    .push(stop.id),
                (StopReason::Scaling | StopReason::Unhealthy, Condition::Pending) => {
                    pending.push(stop.id);
                }
                (StopReason::Scaling | StopReason::Unhealthy, _) => running.push(stop.id),
            }
        }
        if !running.is_empty() {
            self.plan.events.push(teller.stopped_running(&running));
        }
        if !pending.is_empty() {
            self.plan.events.push(teller.stopped_pending(&pending));
        }
        for (zone, tasks) in balanced {
            self.plan
                .events
                .push(teller.stopped_to_balance(&zone, &tasks));
        }
    }
}
