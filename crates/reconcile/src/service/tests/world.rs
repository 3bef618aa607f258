//! A service in memory: what its records would be, a placement that spreads, and words to move it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use berth_model::id::{InstanceId, TaskId};
use berth_model::scheduler::{
    DeploymentId, DeploymentStatus, HookAnswer, HookRun, Refused, Rollout, Run, ServiceMemory,
    Stability, StopType, Throttle, Traffic, Weight,
};
use berth_model::task::{Desired, Health, LastStatus, StopCode};
use berth_model::text::Text;
use berth_model::time::Timestamp;
use berth_placement::Refusal;
use berth_state::Ids;

use super::super::*;

/// An instance of the world.
#[derive(Clone, Debug)]
pub(super) struct Machine {
    pub zone: Text,
    pub condition: InstanceView,
    /// Tasks that it can hold.
    pub room: usize,
}

/// The service deployment of the world.
#[derive(Clone, Debug)]
pub(super) struct WorldRun {
    pub target: DeploymentId,
    pub source: Option<DeploymentId>,
    pub run: Run,
}

/// A service and what belongs to it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub now: Timestamp,
    pub ids: Ids,
    pub desired: u32,
    pub daemon: bool,
    pub minimum: u32,
    pub maximum: u32,
    pub grace: Duration,
    pub healthy_after: Duration,
    pub draining: bool,
    pub rebalances: bool,
    pub capacity: Vec<CapacityItem>,
    pub breaker: Breaker,
    pub alarms: Option<(bool, Vec<Text>)>,
    pub strategy: Strategy,
    pub bake_time: Duration,
    pub hooks: Vec<Hook>,
    pub has_check: bool,
    pub rollouts: BTreeMap<DeploymentId, Rollout>,
    pub digests: BTreeMap<DeploymentId, TaskId>,
    pub run: Option<WorldRun>,
    pub last_run: Option<Run>,
    pub traffic: Option<Traffic>,
    pub task_sets: Option<BTreeMap<DeploymentId, TaskSetView>>,
    pub tasks: BTreeMap<TaskId, TaskView>,
    /// Ids in the order of their making: `t1` is the first.
    pub names: Vec<TaskId>,
    pub machines: BTreeMap<InstanceId, Machine>,
    pub memory: ServiceMemory,
    pub refused: Option<Refused>,
    /// Whether tasks move onto instances that have fewer.
    pub move_over: bool,
    pub inactive: bool,
    pub look_again_at: Option<Timestamp>,
    pub calls: Vec<HookRun>,
    /// Whether tasks without room wait in PROVISIONING.
    pub waits: bool,
}

/// The instance called by that letter.
pub(super) fn machine(name: &str) -> InstanceId {
    let byte = name.bytes().next().unwrap_or(b'?');
    InstanceId::from_bytes([byte; 16])
}

impl World {
    /// A service of no tasks, without deployments, and four machines in two zones.
    pub(super) fn new() -> World {
        let zones = [("a", "z1"), ("b", "z2"), ("c", "z1"), ("d", "z2")];
        World {
            now: Timestamp::from_millis(1_000_000),
            ids: Ids::from_seed([7; 32]),
            desired: 0,
            daemon: false,
            minimum: 100,
            maximum: 200,
            grace: Duration::ZERO,
            healthy_after: Duration::from_secs(5),
            draining: false,
            rebalances: false,
            capacity: Vec::new(),
            breaker: Breaker {
                enabled: false,
                rollback: false,
                reset_on_healthy: true,
                threshold: Threshold::BoundedPercent(50),
            },
            alarms: None,
            strategy: Strategy::Rolling,
            bake_time: Duration::ZERO,
            hooks: Vec::new(),
            has_check: false,
            rollouts: BTreeMap::new(),
            digests: BTreeMap::new(),
            run: None,
            last_run: None,
            traffic: None,
            task_sets: None,
            tasks: BTreeMap::new(),
            names: Vec::new(),
            machines: zones
                .iter()
                .map(|(name, zone)| {
                    let machine_of = Machine {
                        zone: Text::new(zone),
                        condition: InstanceView::Active,
                        room: 100,
                    };
                    (machine(name), machine_of)
                })
                .collect(),
            memory: ServiceMemory::default(),
            refused: None,
            move_over: false,
            inactive: false,
            look_again_at: None,
            calls: Vec::new(),
            waits: false,
        }
    }

    /// Makes a deployment, as CreateService and UpdateService do.
    pub(super) fn deploy(&mut self, id: u64) {
        let id = DeploymentId(id);
        let source = self
            .rollouts
            .iter()
            .filter(|(_, r)| r.state == berth_model::scheduler::RolloutState::Completed)
            .max_by_key(|(id, r)| (r.status == DeploymentStatus::Primary, **id))
            .map(|(id, _)| *id);
        for rollout in self.rollouts.values_mut() {
            if rollout.status == DeploymentStatus::Primary {
                *rollout = rollout.demoted(self.now);
            }
        }
        if let Some(old) = self.run.take() {
            self.last_run = Some(old.run.superseded(self.now));
        }
        self.rollouts.insert(id, Rollout::new(id, self.now));
        self.run = Some(WorldRun {
            target: id,
            source,
            run: Run::new(self.now),
        });
    }

    pub(super) fn eligible(&self) -> Vec<InstanceId> {
        let active = |m: &Machine| m.condition == InstanceView::Active;
        let all = self.machines.iter().filter(|(_, m)| active(m));
        all.map(|(id, _)| *id).collect()
    }

    /// One look: decides, carries out, settles. Answers the plan and what was settled.
    pub(super) fn look(&mut self) -> (ServicePlan, Settled) {
        let tasks = self.tasks.values().filter(|task| {
            task.last != LastStatus::Stopped
                || task
                    .stopped_at
                    .is_some_and(|at| at > self.memory.counted_until)
        });
        let listed = |rollout: &Rollout| rollout.status != DeploymentStatus::Inactive;
        let active = |m: &&Machine| m.condition == InstanceView::Active;
        let up = self.machines.values().filter(active);
        let mut zones: Vec<Text> = up.map(|m| m.zone.clone()).collect();
        zones.sort();
        zones.dedup();
        let memory = self.memory.clone();
        let capacity = self.capacity.clone();
        let hooks = self.hooks.clone();
        let in_alarm = self.alarms.clone().unwrap_or_default().1;
        let run = self.run.clone();
        let view = ServiceView {
            name: "web",
            draining: self.draining,
            target: if self.daemon {
                Target::Daemon {
                    eligible: self.eligible(),
                }
            } else {
                Target::Replica {
                    desired: self.desired,
                }
            },
            minimum_percent: self.minimum,
            maximum_percent: self.maximum,
            grace: self.grace,
            healthy_after: self.healthy_after,
            rebalances: self.rebalances,
            zones: &zones,
            capacity: &capacity,
            breaker: self.breaker,
            alarms: self.alarms.as_ref().map(|(rollback, _)| Alarms {
                rollback: *rollback,
                in_alarm: &in_alarm,
            }),
            strategy: self.strategy,
            bake_time: self.bake_time,
            hooks: &hooks,
            deployments: self
                .rollouts
                .iter()
                .rev()
                .filter(|(_, rollout)| listed(rollout))
                .map(|(id, rollout)| DeploymentView {
                    id: *id,
                    rollout: rollout.clone(),
                    digests_known: self.digests.contains_key(id),
                })
                .collect(),
            run: run.as_ref().map(|run| RunView {
                target: run.target,
                source: run.source,
                source_kept: run
                    .source
                    .and_then(|id| self.rollouts.get(&id))
                    .filter(|rollout| !listed(rollout))
                    .cloned(),
                run: &run.run,
                traffic: self.traffic,
            }),
            task_sets: self
                .task_sets
                .as_ref()
                .map(|sets| sets.values().rev().cloned().collect()),
            tasks: tasks.cloned().collect(),
            instances: self
                .machines
                .iter()
                .map(|(id, m)| (*id, m.condition))
                .collect(),
            memory: &memory,
            roomier: self.roomier(),
            refused: self.refused,
        };
        let before = self.ids.clone();
        let plan = decide(&view, self.now, &mut self.ids);
        assert_eq!(
            plan,
            decide(&view, self.now, &mut before.clone()),
            "the same look gives the same plan"
        );
        let outcomes = self.carry_out(&plan);
        let settled = settle(&view, &plan, &outcomes, self.now);
        self.refused = settled.refused;
        if let Some(memory) = settled.memory.clone() {
            self.memory = memory;
        }
        self.look_again_at = [plan.look_again_at, settled.look_again_at]
            .into_iter()
            .flatten()
            .min();
        (plan, settled)
    }

    fn carry_out(&mut self, plan: &ServicePlan) -> Vec<Outcome> {
        for stop in &plan.stops {
            let task = self.tasks.get_mut(&stop.id).expect("a plan stops what is");
            assert_eq!(task.desired, Desired::Running, "stopped once");
            task.desired = Desired::Stopped;
            task.stop_code = Some(stop.why.code());
            if task.instance.is_none() {
                task.last = LastStatus::Stopped;
                task.stopped_at = Some(self.now);
            }
        }
        let outcomes = plan.starts.iter().map(|start| self.place(start)).collect();
        for (id, rollout) in &plan.rollouts {
            self.rollouts.insert(*id, rollout.clone());
        }
        if let (Some(run), Some(held)) = (&plan.run, &mut self.run) {
            held.run = run.clone();
            if run.status.is_terminal() {
                self.last_run = self.run.take().map(|held| held.run);
            }
        }
        self.calls.extend(plan.calls.iter().cloned());
        self.digests.extend(plan.digests.iter().copied());
        for change in &plan.task_sets {
            let sets = self.task_sets.as_mut().expect("task sets are there");
            if change.gone {
                sets.remove(&change.id);
            } else if let Some(set) = sets.get_mut(&change.id) {
                set.stability = change.stability;
                set.throttle = change.throttle;
            }
        }
        self.inactive |= plan.inactive;
        if let Some(memory) = plan.memory.clone() {
            self.memory = memory;
        }
        outcomes
    }

    /// As the gatherer of views finds it, by looking at every machine.
    fn roomier(&self) -> Option<Roomier> {
        let live = || {
            self.tasks
                .values()
                .filter(|t| t.last != LastStatus::Stopped)
        };
        let rests = |t: &TaskView| t.last == LastStatus::Running && t.desired == Desired::Running;
        if !self.move_over || self.run.is_some() || !live().all(rests) {
            return None;
        }
        let now = self.now;
        let movable = |t: &TaskView| t.protected_until.is_none_or(|until| until <= now);
        let fullest = fullest(live().map(|task| (task, movable(task))))?;
        let on = |id: InstanceId| live().filter(|task| task.instance == Some(id)).count();
        let machines = self.machines.iter();
        let (to, _) = machines
            .filter(|(_, m)| m.condition == InstanceView::Active)
            .filter(|(id, m)| on(**id) < m.room && fullest.allows(Some(&m.zone)))
            .min_by_key(|(id, _)| (on(**id), **id))?;
        (on(*to) + 2 <= fullest.tasks).then_some(Roomier {
            from: fullest.instance,
            to: *to,
        })
    }

    /// The machine with room in the emptiest zone, and its zone.
    fn room_for(&self, place: &Place) -> Option<(InstanceId, Text)> {
        let held = |id: InstanceId| {
            let there = |t: &&TaskView| t.instance == Some(id) && t.last != LastStatus::Stopped;
            self.tasks.values().filter(there).count()
        };
        let in_zone = |zone: &Text| {
            let there =
                |t: &&TaskView| t.zone.as_ref() == Some(zone) && t.desired == Desired::Running;
            self.tasks.values().filter(there).count()
        };
        self.machines
            .iter()
            .filter(|(_, m)| m.condition == InstanceView::Active)
            .filter(|(id, m)| match place {
                Place::Any => true,
                Place::Instance(only) => *id == only,
                Place::Zone(zone) => m.zone == *zone,
            })
            .filter(|(id, m)| held(**id) < m.room)
            .min_by_key(|(id, m)| (in_zone(&m.zone), held(**id), **id))
            .map(|(id, m)| (*id, m.zone.clone()))
    }

    fn place(&mut self, start: &StartTask) -> Outcome {
        let found = self.room_for(&start.place);
        let first = self.machines.keys().next();
        let reasons = first.map(|id| (*id, berth_placement::Reason::Memory));
        let refusal = Refusal::Rejected {
            reasons: reasons.into_iter().collect(),
            candidates: self.machines.len(),
        };
        let waits = self.waits && start.place == Place::Any;
        if found.is_none() && !waits {
            return Outcome::Refused(refusal);
        }
        self.names.push(start.id);
        let task = TaskView {
            id: start.id,
            deployment: start.deployment,
            desired: Desired::Running,
            last: if found.is_some() {
                LastStatus::Pending
            } else {
                LastStatus::Provisioning
            },
            instance: found.as_ref().map(|(id, _)| *id),
            zone: found.as_ref().map(|(_, zone)| zone.clone()),
            provider: start.provider.clone(),
            created_at: self.now,
            started_at: None,
            stopped_at: None,
            stop_code: None,
            has_check: self.has_check,
            health: Health::Unknown,
            targets: TargetHealth::None,
            protected_until: None,
            has_digests: false,
        };
        self.tasks.insert(start.id, task);
        match found {
            Some(_) => Outcome::Placed,
            None => Outcome::Waits(refusal),
        }
    }

    /// Gives waiting tasks the room that has appeared.
    fn place_waiting(&mut self) {
        let waiting = |t: &&TaskView| t.instance.is_none() && t.desired == Desired::Running;
        let ids: Vec<TaskId> = self.tasks.values().filter(waiting).map(|t| t.id).collect();
        for id in ids {
            let Some((instance, zone)) = self.room_for(&Place::Any) else {
                return;
            };
            let task = self.tasks.get_mut(&id).expect("it was just seen");
            task.instance = Some(instance);
            task.zone = Some(zone);
            task.last = LastStatus::Pending;
        }
    }

    /// The task `t1`, `t2`, ….
    pub(super) fn task(&mut self, name: &str) -> &mut TaskView {
        let nth: usize = name
            .trim_start_matches('t')
            .parse()
            .expect("a task is t1, t2, …");
        let id = self.names[nth - 1];
        self.tasks.get_mut(&id).expect("named tasks are kept")
    }

    /// A pending task runs.
    pub(super) fn run_task(task: &mut TaskView, now: Timestamp) {
        if task.last < LastStatus::Running {
            task.last = LastStatus::Running;
            task.started_at = Some(now);
            task.has_digests = true;
        }
    }

    /// A task stops: by itself, for `code`, or as it was told.
    pub(super) fn end_task(task: &mut TaskView, code: StopCode, now: Timestamp) {
        if task.last != LastStatus::Stopped {
            task.last = LastStatus::Stopped;
            task.stopped_at = Some(now);
            task.desired = Desired::Stopped;
            task.stop_code.get_or_insert(code);
        }
    }

    /// Pending ones run, stopping ones stop, where the machine is there.
    pub(super) fn agents_act(&mut self) {
        self.place_waiting();
        let now = self.now;
        for task in self.tasks.values_mut() {
            let there = task
                .instance
                .and_then(|id| self.machines.get(&id))
                .is_some_and(|m| m.condition != InstanceView::Lost);
            match (task.desired, there) {
                (_, false) => {}
                (Desired::Running, true) => {
                    Self::run_task(task, now);
                    if task.has_check && task.health == Health::Unknown {
                        task.health = Health::Healthy;
                    }
                }
                (Desired::Stopped, true) => {
                    Self::end_task(task, StopCode::ServiceSchedulerInitiated, now);
                }
            }
        }
    }

    /// Looks, and lets agents act and time pass, until nothing changes and nothing is due within
    /// half an hour. Panics if it never comes to rest.
    pub(super) fn until_quiet(&mut self, mut each: impl FnMut(&World, &ServicePlan, &Settled)) {
        let mut quiet = 0;
        for _ in 0..2000 {
            let (plan, settled) = self.look();
            let idle = ServicePlan {
                look_again_at: None,
                ..plan.clone()
            } == ServicePlan::default();
            each(self, &plan, &settled);
            quiet = if idle { quiet + 1 } else { 0 };
            self.agents_act();
            let due = self
                .look_again_at
                .filter(|due| due.since(self.now) < Duration::from_secs(1800));
            match due {
                None if quiet >= 3 => return,
                Some(due) if quiet >= 1 => self.now = due.max(self.now.next()),
                None | Some(_) => self.now = self.now + Duration::from_secs(6),
            }
        }
        panic!("never quiet: {self:#?}");
    }

    /// The plan in words, one line for each part.
    pub(super) fn tell(&self, plan: &ServicePlan, settled: &Settled) -> String {
        let mut out = String::new();
        for stop in &plan.stops {
            let _ = writeln!(out, "stop {} ({:?}: {})", stop.id, stop.why, stop.text);
        }
        for start in &plan.starts {
            let provider = start.provider.as_ref().map(|p| format!(" on {p}"));
            let provider = provider.unwrap_or_default();
            let place = match &start.place {
                Place::Any => String::new(),
                Place::Instance(id) => format!(" at {}", char::from(id.as_bytes()[0])),
                Place::Zone(zone) => format!(" in {zone}"),
            };
            let _ = writeln!(
                out,
                "start {} of {}{provider}{place} ({:?})",
                start.id, start.deployment.0, start.why
            );
        }
        for (id, r) in &plan.rollouts {
            let _ = writeln!(
                out,
                "deployment {}: {} {} failed={} \"{}\"",
                id.0,
                r.status.as_str(),
                r.state.as_str(),
                r.failed_tasks,
                r.reason
            );
        }
        if let Some(run) = &plan.run {
            let _ = write!(out, "run: {}", run.status.as_str());
            if let Some(stage) = run.stage {
                let _ = write!(out, " {}", stage.as_str());
            }
            if run.traffic != Traffic::default() {
                let _ = write!(
                    out,
                    " production={} test={}",
                    run.traffic.production.0, run.traffic.test.0
                );
            }
            if let Some(reason) = &run.reason {
                let _ = write!(out, " \"{reason}\"");
            }
            out.push('\n');
        }
        for call in &plan.calls {
            let _ = writeln!(out, "call hook {} in {}", call.hook, call.stage.as_str());
        }
        for (deployment, task) in &plan.digests {
            let _ = writeln!(out, "digests of {} from {task}", deployment.0);
        }
        for set in &plan.task_sets {
            let gone = if set.gone { " gone" } else { "" };
            let _ = writeln!(
                out,
                "task set {}: {}{gone}",
                set.id.0,
                set.stability.as_str()
            );
        }
        if plan.inactive {
            out.push_str("service INACTIVE\n");
        }
        for event in plan.events.iter().chain(&settled.events) {
            if let Some(message) = &event.message {
                let _ = writeln!(out, "event {message}");
            }
        }
        for start in plan
            .starts
            .iter()
            .filter(|start| !self.names.contains(&start.id))
        {
            out = out.replace(&start.id.to_string(), "nothing");
        }
        for (at, id) in self.names.iter().enumerate() {
            out = out.replace(&id.to_string(), &format!("t{}", at + 1));
        }
        out
    }

    /// Does what one line of a scenario says; answers what is to be shown.
    pub(super) fn obey(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        let now = self.now;
        match words.as_slice() {
            ["service", settings @ ..] => {
                for setting in settings {
                    self.set(setting);
                }
            }
            ["deploy", id] => self.deploy(id.parse().expect("a number")),
            ["look"] => {
                let (plan, settled) = self.look();
                let told = self.tell(&plan, &settled);
                return if told.is_empty() {
                    "nothing\n".into()
                } else {
                    told
                };
            }
            ["rest"] => self.until_quiet(|_, _, _| {}),
            ["rest", "aloud"] => {
                let mut out = String::new();
                self.until_quiet(|world, plan, settled| out += &world.tell(plan, settled));
                return out;
            }
            ["wait", seconds] => {
                let seconds = seconds.trim_end_matches('s').parse().expect("seconds");
                self.now = now + Duration::from_secs(seconds);
            }
            ["act"] => self.agents_act(),
            ["fail", "pending"] => {
                for task in self.tasks.values_mut() {
                    if task.last < LastStatus::Running {
                        Self::end_task(task, StopCode::TaskFailedToStart, now);
                    }
                }
                self.now = now + Duration::from_secs(1);
            }
            ["exit", task] => {
                let task = self.task(task);
                Self::end_task(task, StopCode::EssentialContainerExited, now);
                self.now = now + Duration::from_secs(1);
            }
            ["run", task] => Self::run_task(self.task(task), now),
            ["user-stop", task] => {
                Self::end_task(self.task(task), StopCode::UserInitiated, now);
                self.now = now + Duration::from_secs(1);
            }
            ["health", task, "bad"] => self.task(task).health = Health::Unhealthy,
            ["health", task, "good"] => self.task(task).health = Health::Healthy,
            ["target", task, "bad"] => {
                self.task(task).targets = TargetHealth::Unhealthy {
                    event: "(port 80) is unhealthy in (target-group arn:tg) due to (reason \
                            Request timed out)."
                        .into(),
                    stopped_reason: "Task failed ELB health checks in (target-group arn:tg)".into(),
                };
            }
            ["target", task, "waits"] => self.task(task).targets = TargetHealth::Waiting,
            ["target", task, "good"] => self.task(task).targets = TargetHealth::Healthy,
            ["protect", task] => {
                self.task(task).protected_until = Some(now + Duration::from_secs(7200));
            }
            ["drain", name] => self.condition(name, InstanceView::Draining { busy: false }),
            ["drain", name, "busy"] => {
                self.condition(name, InstanceView::Draining { busy: true });
            }
            ["lose", name] => self.condition(name, InstanceView::Lost),
            ["return", name] => self.condition(name, InstanceView::Active),
            ["room", name, room] => {
                let id = machine(name);
                self.machines.get_mut(&id).expect("a machine").room = room.parse().expect("room");
            }
            ["alarm", name] => {
                let alarms = self.alarms.as_mut().expect("alarms are on");
                alarms.1.push(Text::new(name));
            }
            ["ask", "rollback"] => self.ask(StopType::Rollback),
            ["ask", "abort"] => self.ask(StopType::Abort),
            ["answer", answer] => {
                let answer = match *answer {
                    "continue" => HookAnswer::Continue,
                    _ => HookAnswer::Rollback(Text::new("")),
                };
                let run = self.run.as_mut().expect("a run");
                let waiting = run.run.hooks.iter_mut().rev().find(|h| h.answer.is_none());
                waiting.expect("a hook waits").answer = Some(answer);
            }
            ["taskset", id, scale] => {
                let id = DeploymentId(id.parse().expect("a number"));
                let scale: u32 = scale.trim_end_matches('%').parse().expect("percent");
                let sets = self.task_sets.get_or_insert_default();
                sets.insert(
                    id,
                    TaskSetView {
                        id,
                        scale_millipercent: scale * 1000,
                        draining: false,
                        stability: Stability::Stabilizing,
                        capacity: Vec::new(),
                        throttle: Throttle::default(),
                    },
                );
            }
            ["delete-taskset", id] => {
                let id = DeploymentId(id.parse().expect("a number"));
                let sets = self.task_sets.as_mut().expect("task sets");
                sets.get_mut(&id).expect("a task set").draining = true;
            }
            ["traffic", production, test] => {
                self.traffic = Some(Traffic {
                    production: Weight(production.parse().expect("thousandths")),
                    test: Weight(test.parse().expect("thousandths")),
                });
            }
            ["counts"] => return self.counts(),
            _ => panic!("no such line: {line}"),
        }
        String::new()
    }

    fn condition(&mut self, name: &str, condition: InstanceView) {
        let id = machine(name);
        self.machines.get_mut(&id).expect("a machine").condition = condition;
    }

    fn ask(&mut self, what: StopType) {
        self.run.as_mut().expect("a run").run.asked = Some(what);
    }

    fn set(&mut self, setting: &str) {
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let number = || value.parse::<u32>().expect("a number");
        let seconds = || Duration::from_secs(value.parse().expect("seconds"));
        match name {
            "desired" => self.desired = number(),
            "min" => self.minimum = number(),
            "max" => self.maximum = number(),
            "grace" => self.grace = seconds(),
            "healthy-after" => self.healthy_after = seconds(),
            "bake" => self.bake_time = seconds(),
            "daemon" => {
                self.daemon = true;
                self.minimum = 0;
                self.maximum = 100;
            }
            "rebalances" => self.rebalances = true,
            "waits" => self.waits = true,
            "moves" => self.move_over = true,
            "checked" => self.has_check = true,
            "draining" => self.draining = true,
            "breaker" => {
                self.breaker.enabled = true;
                self.breaker.rollback = value == "rollback";
            }
            "alarms" => self.alarms = Some((value == "rollback", Vec::new())),
            "capacity" => {
                self.capacity = value
                    .split(',')
                    .map(|item| {
                        let parts: Vec<&str> = item.split(':').collect();
                        CapacityItem {
                            provider: Text::new(parts[0]),
                            base: parts[1].parse().expect("a base"),
                            weight: parts[2].parse().expect("a weight"),
                        }
                    })
                    .collect();
            }
            "strategy" => {
                let bake = Duration::from_secs(60);
                self.strategy = match value {
                    "blue-green" => Strategy::BlueGreen,
                    "linear" => Strategy::Linear {
                        step: Weight(400),
                        step_bake: bake,
                    },
                    "canary" => Strategy::Canary {
                        first: Weight(100),
                        first_bake: bake,
                    },
                    _ => panic!("no such strategy"),
                };
            }
            "pause" => self.hooks.push(Hook {
                target: HookTarget::Pause,
                stages: vec![stage(value)],
                timeout: Duration::from_secs(3600),
                on_timeout: berth_model::scheduler::HookAction::Rollback,
            }),
            "call" => self.hooks.push(Hook {
                target: HookTarget::Call(Text::new("arn:hook")),
                stages: vec![stage(value)],
                timeout: Duration::from_secs(3600),
                on_timeout: berth_model::scheduler::HookAction::Continue,
            }),
            _ => panic!("no such setting: {setting}"),
        }
    }

    /// How many tasks of each deployment are wanted and run, and how the zones stand.
    fn counts(&self) -> String {
        let mut deployments: BTreeMap<u64, usize> = BTreeMap::new();
        let mut zones: BTreeMap<String, usize> = BTreeMap::new();
        let mut providers: BTreeMap<String, usize> = BTreeMap::new();
        let runs = |t: &&TaskView| t.last == LastStatus::Running && t.desired == Desired::Running;
        for task in self.tasks.values().filter(runs) {
            *deployments.entry(task.deployment.0).or_default() += 1;
            *zones
                .entry(task.zone.as_deref().unwrap_or("-").to_owned())
                .or_default() += 1;
            let provider = task.provider.as_deref().unwrap_or("-").to_owned();
            *providers.entry(provider).or_default() += 1;
        }
        format!("running {deployments:?} zones {zones:?} providers {providers:?}\n")
    }
}

fn stage(name: &str) -> berth_model::scheduler::Stage {
    serde_json::from_value(serde_json::Value::String(name.to_owned())).expect("a stage")
}
