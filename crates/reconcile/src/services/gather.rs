//! What a look at a service sees, gathered from the state.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use berth_model::definition::DefinitionFacts;
use berth_model::id::InstanceId;
use berth_model::instance::{ContainerInstance, InstanceStatus, ZONE_ATTRIBUTE};
use berth_model::name::{DefinitionKey, ServiceKey};
use berth_model::scheduler::{DeploymentId, DeploymentStatus, Refused, Rollout};
use berth_model::service::{
    Controller, Deployment, Scheduling, Service, ServiceCapacity, ServiceDeployment, ServiceStatus,
    Strategy as Deploying, TaskSetStatus, ThresholdKind,
};
use berth_model::task::{Desired, LastStatus, NetworkConfiguration, PlacementConstraint, Task};
use berth_model::text::Text;
use berth_placement::{Expression, InstanceFacts, Request, SpreadField, Strategy, Wanted};
use berth_state::{State, Tx};

use super::Surroundings;
use crate::service::{
    Alarms, Breaker, CapacityItem, DeploymentView, Fullest, Hook, HookTarget, InstanceView,
    Roomier, RunView, ServiceView, Strategy as Going, Target, TargetHealth, TaskSetView, TaskView,
    Threshold, fullest,
};

/// What the tasks of a deployment or a task set are made of.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) definition: DefinitionKey,
    pub(super) facts: Arc<DefinitionFacts>,
    pub(super) capacity: ServiceCapacity,
    pub(super) platform_version: Option<Text>,
    pub(super) network: Option<Box<NetworkConfiguration>>,
}

/// Everything about a service that a look needs, at one instant.
pub(super) struct Material {
    pub(super) service: Arc<Service>,
    pub(super) run: Option<Arc<ServiceDeployment>>,
    source_kept: Option<Rollout>,
    target: Target,
    healthy_after: Duration,
    rebalances: bool,
    zones: Vec<Text>,
    capacity: Vec<CapacityItem>,
    in_alarm: Vec<Text>,
    hooks: Vec<Hook>,
    deployments: Vec<DeploymentView>,
    task_sets: Option<Vec<TaskSetView>>,
    tasks: Vec<TaskView>,
    instances: BTreeMap<InstanceId, InstanceView>,
    roomier: Option<Roomier>,
    refused: Option<Refused>,
    /// By deployment or task set.
    pub(super) templates: BTreeMap<DeploymentId, Template>,
}

impl Material {
    /// What there is to see of a service; `None` when there is none, or nothing is to be done.
    pub(super) fn of(tx: &mut Tx<'_>, key: &ServiceKey, around: &Surroundings) -> Option<Self> {
        let state = tx.state();
        let service = state.services.get(key)?.clone();
        if service.status == ServiceStatus::Inactive {
            return None;
        }
        let under_way = state.services.runs(key);
        let mut under_way = under_way.filter(|run| !run.run.status.is_terminal());
        let run = under_way.next().cloned();
        let source = run.as_ref().and_then(|run| run.back_to);
        let source = source.and_then(|id| state.services.deployment(key, id));
        let listed = |d: &Deployment| d.rollout.status != DeploymentStatus::Inactive;
        let source_kept = source.filter(|d| !listed(d)).map(|d| d.rollout.clone());
        let templates = templates(state, &service);
        let spec = &service.spec;
        let by_task_sets = spec.controller != Controller::Ecs;
        let newest = spec.primary.and_then(|id| templates.get(&id));
        let target = match spec.scheduling {
            Scheduling::Replica => Target::Replica {
                desired: spec.desired,
            },
            Scheduling::Daemon => Target::Daemon {
                eligible: newest.map_or_else(Vec::new, |t| eligible(state, &service, t)),
            },
        };
        let rebalances = rebalances(&service);
        let tasks = tasks(state, &service);
        Some(Self {
            roomier: None,
            source_kept,
            target,
            healthy_after: around.healthy_after,
            rebalances,
            zones: if rebalances {
                zones(state, &service)
            } else {
                Vec::new()
            },
            capacity: items(&spec.capacity),
            in_alarm: in_alarm(&service, around),
            hooks: hooks(run.as_deref()),
            deployments: if by_task_sets {
                Vec::new()
            } else {
                deployments(state, key)
            },
            task_sets: by_task_sets.then(|| task_sets(state, key)),
            instances: instances(state, &service, &tasks, around),
            tasks,
            refused: state.refused.get(key).copied(),
            templates,
            run,
            service,
        })
    }

    /// Looks for two instances between which a task may move, by the server's setting.
    pub(super) fn look_for_room_elsewhere(&mut self, tx: &mut Tx<'_>) {
        self.roomier = self.find_roomier(tx);
    }

    /// Two instances between which a task may move, when nothing else moves.
    fn find_roomier(&self, tx: &mut Tx<'_>) -> Option<Roomier> {
        let spec = &self.service.spec;
        let Target::Replica { desired } = self.target else {
            return None;
        };
        let template = spec.primary.and_then(|id| self.templates.get(&id))?;
        let rests =
            |task: &TaskView| task.last == LastStatus::Running && task.desired == Desired::Running;
        let live = || self.tasks.iter().filter(|t| t.last != LastStatus::Stopped);
        let others_go_first = self.run.is_some()
            || self.capacity.len() > 1
            || self.service.status == ServiceStatus::Draining
            || spec.controller != Controller::Ecs
            || spec.deployment.maximum <= 100;
        if others_go_first || live().count() != desired as usize || !live().all(rests) {
            return None;
        }
        let provider = live().next().and_then(|task| task.provider.clone());
        let now = tx.now();
        let movable = |task: &TaskView| task.protected_until.is_none_or(|until| until <= now);
        let fullest = fullest(live().map(|task| (task, movable(task))))?;
        let deployment = spec.primary?;
        let spec = super::task::spec(&self.service, deployment, template, provider.as_ref(), now);
        let wanted = Wanted::of(&spec, &template.facts, &self.service.spec.strategy);
        if !spreads(wanted.strategy()) {
            return None;
        }
        let to = match emptiest(tx, &wanted, &fullest, None)? {
            (to, true) => to,
            // In the wrong zone; the right ones may have room as well.
            (_, false) => {
                let mut allowed = zones(tx.state(), &self.service);
                allowed.retain(|zone| fullest.allows(Some(zone)));
                let found = emptiest(tx, &wanted, &fullest, Some(&allowed));
                found.filter(|(_, allowed)| *allowed)?.0
            }
        };
        let there = live().filter(|task| task.instance == Some(to)).count();
        (there + 2 <= fullest.tasks).then_some(Roomier {
            from: fullest.instance,
            to,
        })
    }

    /// The view over it.
    pub(super) fn view(&self) -> ServiceView<'_> {
        let spec = &self.service.spec;
        // A deployment keeps to the configuration of its beginning where it says how traffic
        // moves; percents and the breaker follow the service.
        let deploying = match &self.run {
            Some(run) => &run.configuration,
            None => &spec.deployment,
        };
        let breaker = spec.deployment.breaker;
        ServiceView {
            name: self.service.key.name.as_str(),
            draining: self.service.status == ServiceStatus::Draining,
            target: self.target.clone(),
            minimum_percent: spec.deployment.minimum_healthy,
            maximum_percent: spec.deployment.maximum,
            grace: Duration::from_secs(u64::from(spec.grace_seconds)),
            healthy_after: self.healthy_after,
            rebalances: self.rebalances,
            zones: &self.zones,
            capacity: &self.capacity,
            breaker: Breaker {
                enabled: breaker.enable,
                rollback: breaker.rollback,
                reset_on_healthy: breaker.reset_on_healthy,
                threshold: match breaker.threshold.kind {
                    ThresholdKind::Count => Threshold::Count(breaker.threshold.value),
                    ThresholdKind::BoundedPercent => {
                        Threshold::BoundedPercent(breaker.threshold.value)
                    }
                    ThresholdKind::UnboundedPercent => {
                        Threshold::UnboundedPercent(breaker.threshold.value)
                    }
                },
            },
            alarms: spec
                .deployment
                .alarms
                .as_ref()
                .filter(|alarms| alarms.enable)
                .map(|alarms| Alarms {
                    rollback: alarms.rollback,
                    in_alarm: &self.in_alarm,
                }),
            strategy: strategy(&deploying.strategy),
            bake_time: minutes(deploying.bake_minutes),
            hooks: &self.hooks,
            deployments: self.deployments.clone(),
            run: self.run.as_deref().map(|run| RunView {
                target: run.target,
                source: run.back_to,
                source_kept: self.source_kept.clone(),
                run: &run.run,
                traffic: None,
            }),
            task_sets: self.task_sets.clone(),
            tasks: self.tasks.clone(),
            instances: self.instances.clone(),
            memory: &self.service.memory,
            roomier: self.roomier,
            refused: self.refused,
        }
    }
}

fn minutes(count: u32) -> Duration {
    Duration::from_secs(u64::from(count) * 60)
}

fn strategy(strategy: &Deploying) -> Going {
    match strategy {
        Deploying::Rolling => Going::Rolling,
        Deploying::BlueGreen => Going::BlueGreen,
        Deploying::Linear(step) => Going::Linear {
            step: step.weight,
            step_bake: minutes(step.bake_minutes),
        },
        Deploying::Canary(step) => Going::Canary {
            first: step.weight,
            first_bake: minutes(step.bake_minutes),
        },
    }
}

fn hooks(run: Option<&ServiceDeployment>) -> Vec<Hook> {
    use berth_model::service::HookTarget as Asked;
    let hooks = run.iter().flat_map(|run| &run.configuration.hooks);
    hooks
        .map(|hook| Hook {
            target: match &hook.target {
                Asked::Pause => HookTarget::Pause,
                Asked::Lambda { arn, .. } => HookTarget::Call(arn.clone()),
            },
            stages: hook.stages.clone(),
            timeout: minutes(hook.timeout_minutes),
            on_timeout: hook.timeout_action,
        })
        .collect()
}

/// The alarms of the service's deployments that are in ALARM, in the order of its configuration.
fn in_alarm(service: &Service, around: &Surroundings) -> Vec<Text> {
    let scope = &service.key.cluster.scope;
    let names = service.spec.deployment.alarms.iter();
    let names = names.flat_map(|alarms| alarms.names.iter());
    names
        .filter(|name| around.in_alarm.contains(&(scope.clone(), (*name).clone())))
        .cloned()
        .collect()
}

fn items(capacity: &ServiceCapacity) -> Vec<CapacityItem> {
    match capacity {
        ServiceCapacity::Launch(_) => Vec::new(),
        ServiceCapacity::Strategy(items) => items
            .iter()
            .map(|item| CapacityItem {
                provider: item.provider.clone(),
                base: item.base,
                weight: item.weight,
            })
            .collect(),
    }
}

fn templates(state: &State, service: &Service) -> BTreeMap<DeploymentId, Template> {
    let facts = |key: &DefinitionKey| state.definitions.get(key).map(|d| d.facts.clone());
    let services = &state.services;
    let mut templates = BTreeMap::new();
    for deployment in services.deployments(&service.key) {
        let Some(revision) = services.revision(&service.key, deployment.id) else {
            continue;
        };
        let Some(facts) = facts(&revision.definition) else {
            continue;
        };
        let is_primary = service.spec.primary == Some(revision.id);
        let template = Template {
            definition: revision.definition.clone(),
            facts,
            // New tasks of the wanted deployment go where the service says now (reference §2.4).
            capacity: if is_primary {
                service.spec.capacity.clone()
            } else {
                revision.capacity.clone()
            },
            platform_version: revision.platform_version.clone(),
            network: revision.network.clone(),
        };
        templates.insert(revision.id, template);
    }
    for set in services.task_sets(&service.key) {
        let Some(facts) = facts(&set.definition) else {
            continue;
        };
        let template = Template {
            definition: set.definition.clone(),
            facts,
            capacity: set.capacity.clone(),
            platform_version: set.platform_version.clone(),
            network: set.network.clone(),
        };
        templates.insert(set.id, template);
    }
    templates
}

fn deployments(state: &State, key: &ServiceKey) -> Vec<DeploymentView> {
    let mut listed: Vec<&Arc<Deployment>> = state
        .services
        .deployments(key)
        .filter(|d| d.rollout.status != DeploymentStatus::Inactive)
        .collect();
    listed.sort_by_key(|d| {
        let primary = d.rollout.status == DeploymentStatus::Primary;
        std::cmp::Reverse((primary, d.created_at, d.id))
    });
    let view = |deployment: &Arc<Deployment>| DeploymentView {
        id: deployment.id,
        rollout: deployment.rollout.clone(),
        digests_known: !deployment.digests.is_empty(),
    };
    listed.into_iter().map(view).collect()
}

fn task_sets(state: &State, key: &ServiceKey) -> Vec<TaskSetView> {
    let mut sets: Vec<_> = state.services.task_sets(key).collect();
    sets.sort_by_key(|set| (set.created_at, set.id));
    sets.into_iter()
        .map(|set| TaskSetView {
            id: set.id,
            scale_millipercent: set.scale_millipercent,
            draining: set.status == TaskSetStatus::Draining,
            stability: set.stability,
            capacity: items(&set.capacity),
            throttle: set.throttle,
        })
        .collect()
}

fn zone_of(instance: &ContainerInstance) -> Option<Text> {
    instance.attribute(ZONE_ATTRIBUTE).flatten().cloned()
}

fn tasks(state: &State, service: &Service) -> Vec<TaskView> {
    let Some(row) = state.cluster_row(&service.key.cluster) else {
        return Vec::new();
    };
    let name = &service.key.name;
    let live = state.tasks.of_service(row, name);
    let counted = service.memory.counted_until;
    let stopped = state.tasks.stopped_of_service(row, name, counted);
    let stopped = stopped.filter(|task| task.last == LastStatus::Stopped);
    // One from before the service was made anew is none of its own.
    let own = |task: &&Arc<Task>| task.spec.created_at >= service.created_at;
    live.chain(stopped)
        .filter(own)
        .filter_map(|task| task_view(state, task))
        .collect()
}

fn task_view(state: &State, task: &Task) -> Option<TaskView> {
    let facts = state.facts(task)?;
    let instance = task.instance.and_then(|id| state.instances.get(&id));
    let checked = |c: &berth_model::definition::ContainerFacts| c.essential && c.health_check;
    let resolved = facts.containers.iter().zip(&task.seen.containers);
    let resolved = resolved.filter(|(container, _)| !container.keeps_tag);
    let resolved: Vec<bool> = resolved
        .map(|(_, seen)| seen.image_digest.is_some())
        .collect();
    // An image that is on the machine alone has none, which shows once the task runs.
    let as_far_as_known = task.seen.started_at.is_some() && resolved.contains(&true);
    Some(TaskView {
        id: task.id,
        deployment: task.spec.service.as_ref()?.deployment,
        desired: task.desired,
        last: task.last,
        instance: task.instance,
        zone: instance.and_then(|instance| zone_of(instance)),
        provider: task.spec.capacity_provider.clone(),
        created_at: task.spec.created_at,
        started_at: task.seen.started_at,
        stopped_at: task.seen.stopped_at,
        stop_code: task.stop.as_ref().map(|stop| stop.code),
        has_check: facts.containers.iter().any(checked),
        health: task.health(facts),
        targets: TargetHealth::None,
        protected_until: task.protected_until,
        has_digests: as_far_as_known || !resolved.contains(&false),
    })
}

fn instances(
    state: &State,
    service: &Service,
    tasks: &[TaskView],
    around: &Surroundings,
) -> BTreeMap<InstanceId, InstanceView> {
    let mut seen = BTreeMap::new();
    for id in tasks.iter().filter_map(|task| task.instance) {
        if seen.contains_key(&id) {
            continue;
        }
        let Some(instance) = state.instances.get(&id) else {
            continue;
        };
        let view = match instance.status {
            InstanceStatus::Inactive => InstanceView::Lost,
            InstanceStatus::Active | InstanceStatus::Draining if around.lost.contains(&id) => {
                InstanceView::Lost
            }
            InstanceStatus::Active => InstanceView::Active,
            InstanceStatus::Draining => InstanceView::Draining {
                busy: service.spec.scheduling == Scheduling::Daemon && is_busy(state, id),
            },
        };
        seen.insert(id, view);
    }
    seen
}

/// Whether tasks other than daemons' are on an instance.
fn is_busy(state: &State, instance: InstanceId) -> bool {
    let is_daemon = |task: &Task| {
        let service = task.spec.service_key();
        let service = service.and_then(|key| state.services.get(&key).cloned());
        service.is_some_and(|service| service.spec.scheduling == Scheduling::Daemon)
    };
    state
        .tasks
        .on_instance(instance)
        .any(|task| task.last != LastStatus::Stopped && !is_daemon(task))
}

/// The `memberOf` expressions of a service and of what its tasks are made of.
pub(super) fn member_of(service: &Service, facts: &DefinitionFacts) -> Vec<Text> {
    let mut expressions = facts.member_of.clone();
    for constraint in &service.spec.constraints {
        if let PlacementConstraint::MemberOf(expression) = constraint {
            expressions.push(expression.clone());
        }
    }
    expressions
}

/// The instances on which a daemon is to have a task, in the order of ids.
fn eligible(state: &State, service: &Service, template: &Template) -> Vec<InstanceId> {
    let expressions = member_of(service, &template.facts);
    let parsed: Option<Vec<Expression>> = expressions
        .iter()
        .map(|raw| Expression::parse(raw).ok())
        .collect();
    // No instance satisfies an expression that does not parse.
    let Some(parsed) = parsed else {
        return Vec::new();
    };
    let required = &template.facts.requires_attributes;
    let suits = |instance: &&Arc<ContainerInstance>| {
        let groups: Vec<Text> = if parsed.is_empty() {
            Vec::new()
        } else {
            let tasks = state.tasks.on_instance(instance.id);
            let live = tasks.filter(|task| task.last != LastStatus::Stopped);
            live.map(|task| task.spec.group.clone()).collect()
        };
        let facts = InstanceFacts {
            instance,
            connected: state.is_connected(instance.id),
            running_tasks: state.tasks.instance_counts(instance.id).running,
            groups: &groups,
        };
        instance.status == InstanceStatus::Active
            && instance.offer.instance
            && required
                .iter()
                .all(|name| instance.attribute(name).is_some())
            && parsed.iter().all(|expression| expression.matches(&facts))
    };
    state
        .instances_of(&service.key.cluster)
        .filter(suits)
        .map(|instance| instance.id)
        .collect()
}

/// The instance with room that has the fewest tasks of the service, and whether a task may move
/// there.
fn emptiest(
    tx: &mut Tx<'_>,
    wanted: &Wanted<'_>,
    fullest: &Fullest,
    zones: Option<&[Text]>,
) -> Option<(InstanceId, bool)> {
    let by_instance = [Strategy::Spread(SpreadField::InstanceId)];
    let request = Request {
        strategy: &by_instance,
        ..wanted.request(zones, 0)
    };
    let to = tx.fleet().find(&request)?.instance;
    let zone = tx.state().instances.get(&to).and_then(|i| zone_of(i));
    Some((to, fullest.allows(zone.as_ref())))
}

/// Whether a service's tasks are to be spread over instances, and by nothing but zones before.
fn spreads(strategy: &[Strategy]) -> bool {
    let by_instance = Strategy::Spread(SpreadField::InstanceId);
    let at = strategy.iter().position(|one| *one == by_instance);
    let by_zone = |one: &Strategy| match one {
        Strategy::Spread(SpreadField::Attribute(name)) => name.as_str() == ZONE_ATTRIBUTE,
        Strategy::Spread(SpreadField::InstanceId) | Strategy::Random | Strategy::Binpack(_) => {
            false
        }
    };
    at.is_some_and(|at| strategy[..at].iter().all(by_zone))
}

/// Whether tasks may move between zones (reference §7.9).
fn rebalances(service: &Service) -> bool {
    let spec = &service.spec;
    let by_zone = format!("attribute:{ZONE_ATTRIBUTE}");
    let spreads = spec.strategy.first().is_none_or(|first| {
        let field = first.field.as_ref().map(Text::as_str);
        first.kind == "spread" && field == Some(by_zone.as_str())
    });
    let named = |constraint: &PlacementConstraint| match constraint {
        PlacementConstraint::DistinctInstance => false,
        PlacementConstraint::MemberOf(expression) => expression.contains(&by_zone),
    };
    spec.zone_rebalancing
        && spec.scheduling == Scheduling::Replica
        && spec.deployment.maximum > 100
        && spreads
        && !spec.constraints.iter().any(named)
}

fn zones(state: &State, service: &Service) -> Vec<Text> {
    let active = state
        .instances_of(&service.key.cluster)
        .filter(|instance| instance.status == InstanceStatus::Active);
    let mut zones: Vec<Text> = active.filter_map(|instance| zone_of(instance)).collect();
    zones.sort();
    zones.dedup();
    zones
}
