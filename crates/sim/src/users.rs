//! Users: calls at any time, and what their answers promise.

use std::collections::{BTreeMap, BTreeSet};

use berth_agent_proto::Chance;
use berth_model::id::{InstanceId, TaskId};
use berth_model::instance::InstanceStatus;
use berth_model::name::ServiceKey;
use berth_model::scheduler::RolloutState;
use berth_model::service::{Controller, Scheduling, Service, ServiceStatus};
use berth_model::task::{Desired, LastStatus, Task};
use berth_state::State;
use serde_json::{Value, json};

use crate::notes::Notes;
use crate::watch::{ACKNOWLEDGED, TOKEN_ONCE};

/// How often a RunTask is repeated whose answer did not come.
const TRIES_MAX: u32 = 4;
/// How long an answer is waited for, in milliseconds.
const ANSWER_WAIT_MS: u64 = 15_000;

/// What an answer promised.
#[derive(Clone, Debug)]
enum Fact {
    Exists(String),
    Gone(String),
    Desired(String, u32),
    Stopped(TaskId),
    Status(InstanceId, InstanceStatus),
    Protected(TaskId),
}

/// A call on its way.
#[derive(Clone, Debug)]
struct Sent {
    operation: &'static str,
    body: Value,
    /// What it changes: no second call about the same goes out meanwhile.
    subject: String,
    facts: Vec<Fact>,
    deadline: u64,
    tries: u32,
    /// Copies of it that may still be carried out.
    open: u32,
    answered: bool,
}

/// The users of a run.
pub(crate) struct Users {
    next: u64,
    sent: BTreeMap<u64, Sent>,
    facts: BTreeMap<String, Vec<Fact>>,
    names: Vec<String>,
    daemons: BTreeSet<String>,
    started_by_token: BTreeMap<String, BTreeSet<String>>,
    /// Machines that a user took out for good.
    pub(crate) deregistered: u32,
}

/// Something to send: the call's number, the operation and its body.
pub(crate) type Request = (u64, &'static str, Value);

fn picked<'a, T>(list: &'a [T], chance: &mut Chance) -> Option<&'a T> {
    let last = (list.len() as u64).checked_sub(1)?;
    list.get(chance.between(0, last) as usize)
}

impl Users {
    /// Users of `services` services.
    pub(crate) fn new(services: u64) -> Self {
        Self {
            next: 0,
            sent: BTreeMap::new(),
            facts: BTreeMap::new(),
            names: (0..services).map(|n| format!("s{n}")).collect(),
            daemons: BTreeSet::new(),
            started_by_token: BTreeMap::new(),
            deregistered: 0,
        }
    }

    /// What a run begins with.
    pub(crate) fn beginning() -> Vec<(&'static str, Value)> {
        let definition = |family: &str, image: &str, cpu: u32, memory: u32, more: Value| {
            let mut container =
                json!({"name": "app", "image": image, "cpu": cpu, "memory": memory});
            if let (Some(container), Some(more)) = (container.as_object_mut(), more.as_object()) {
                container.extend(more.clone());
            }
            let body = json!({"family": family, "containerDefinitions": [container]});
            ("RegisterTaskDefinition", body)
        };
        let check = json!({"healthCheck": {"command": ["CMD", "true"]}});
        let port = json!({"portMappings": [{"containerPort": 80, "hostPort": 8080}]});
        let gpu = json!({"resourceRequirements": [{"type": "GPU", "value": "1"}]});
        vec![
            ("CreateCluster", json!({"clusterName": "sim"})),
            definition("small", "small", 128, 128, json!({})),
            definition("checked", "checked", 256, 256, check),
            definition("ported", "ported", 64, 128, port),
            definition("gpu", "gpu", 64, 128, gpu),
            definition("big", "big", 768, 1024, json!({})),
            definition("bad", "bad", 64, 64, json!({})),
        ]
    }

    fn is_busy(&self, subject: &str) -> bool {
        self.sent.values().any(|sent| sent.subject == subject)
    }

    fn send(
        &mut self,
        now: u64,
        operation: &'static str,
        body: Value,
        subject: String,
        facts: Vec<Fact>,
    ) -> Option<Request> {
        if self.is_busy(&subject) {
            return None;
        }
        self.facts.remove(&subject);
        self.next += 1;
        let sent = Sent {
            operation,
            body: body.clone(),
            subject,
            facts,
            deadline: now + ANSWER_WAIT_MS,
            tries: 1,
            open: 0,
            answered: false,
        };
        self.sent.insert(self.next, sent);
        Some((self.next, operation, body))
    }

    /// One more copy of a call may be carried out.
    pub(crate) fn opened(&mut self, number: u64) {
        if let Some(sent) = self.sent.get_mut(&number) {
            sent.open += 1;
        }
    }

    /// A copy was carried out or can no longer be.
    pub(crate) fn closed(&mut self, number: u64) {
        if let Some(sent) = self.sent.get_mut(&number) {
            sent.open = sent.open.saturating_sub(1);
        }
    }

    /// Whether calls are under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.sent.is_empty()
    }

    /// Calls that go out once more; those that are over are forgotten.
    pub(crate) fn again(&mut self, now: u64) -> Vec<Request> {
        let mut again = Vec::new();
        self.sent.retain(|number, sent| {
            let waits = now < sent.deadline && !sent.answered;
            if sent.open > 0 || waits {
                return true;
            }
            let repeats = sent.operation == "RunTask" && sent.tries < TRIES_MAX;
            if sent.answered || !repeats {
                return false;
            }
            sent.tries += 1;
            sent.deadline = now + ANSWER_WAIT_MS;
            again.push((*number, sent.operation, sent.body.clone()));
            true
        });
        again
    }

    /// A call was answered, and the user heard it.
    pub(crate) fn answered(&mut self, number: u64, answer: &Result<Value, String>, notes: &Notes) {
        let Some(sent) = self.sent.get_mut(&number) else {
            return;
        };
        let Ok(value) = answer else {
            // The error may be our own, with the change in place.
            let text = answer.as_ref().err().map_or("", String::as_str);
            sent.answered = sent.operation != "RunTask" || !text.contains("ServerException");
            notes.cover("users: call refused");
            return;
        };
        sent.answered = true;
        let failed = value["failures"].as_array().is_some_and(|f| !f.is_empty());
        let facts = if failed {
            Vec::new()
        } else {
            sent.facts.clone()
        };
        let subject = sent.subject.clone();
        if sent.operation == "RunTask" {
            let tasks = value["tasks"].as_array().into_iter().flatten();
            let arns: BTreeSet<String> = tasks
                .filter_map(|task| task["taskArn"].as_str().map(str::to_owned))
                .collect();
            // A call that started nothing leaves nothing by which its token would be known.
            let before = self.started_by_token.get(&subject);
            if before.is_some_and(|before| *before != arns) {
                notes.broken(TOKEN_ONCE, format!("{subject}: {before:?} and {arns:?}"));
            } else if !arns.is_empty() {
                self.started_by_token.insert(subject.clone(), arns.clone());
            }
        }
        self.facts.insert(subject, facts);
    }

    /// Holds the state against what was answered.
    pub(crate) fn check(&self, state: &State, notes: &Notes) {
        let find = |name: &str| {
            let mut all = state.services.iter();
            all.find(|service| service.key.name.as_str() == name)
        };
        for fact in self.facts.values().flatten() {
            let holds = match fact {
                Fact::Exists(name) => find(name).is_some_and(|s| s.status == ServiceStatus::Active),
                Fact::Gone(name) => find(name).is_none_or(|s| s.status != ServiceStatus::Active),
                Fact::Desired(name, count) => find(name).is_some_and(|s| s.spec.desired == *count),
                Fact::Stopped(id) => {
                    let task = state.tasks.get(*id);
                    task.is_none_or(|task| task.desired == Desired::Stopped)
                }
                Fact::Status(id, status) => {
                    let instance = state.instances.get(id);
                    instance.is_none_or(|i| i.status == *status)
                }
                Fact::Protected(id) => {
                    let task = state.tasks.get(*id);
                    task.is_none_or(|task| task.protected_until.is_some())
                }
            };
            if !holds {
                notes.broken(ACKNOWLEDGED, format!("{fact:?}"));
            }
        }
    }

    /// What mends what the faults left: failed deployments begin once more.
    pub(crate) fn mend(&mut self, state: &State, now: u64) -> Vec<Request> {
        let mut requests = Vec::new();
        let active = state
            .services
            .iter()
            .filter(|s| s.status == ServiceStatus::Active);
        for service in active.filter(|s| s.spec.controller == Controller::Ecs) {
            let primary = service.spec.primary;
            let rollout = primary.and_then(|id| state.services.deployment(&service.key, id));
            let failed = rollout.is_some_and(|d| d.rollout.state == RolloutState::Failed);
            let ended = state
                .services
                .runs(&service.key)
                .all(|r| r.run.status.is_terminal());
            if failed && ended {
                let name = service.key.name.as_str();
                let body = json!({"cluster": "sim", "service": name, "forceNewDeployment": true});
                requests.extend(self.send(
                    now,
                    "UpdateService",
                    body,
                    format!("deploy {name}"),
                    vec![],
                ));
            }
        }
        requests
    }

    /// A user does something.
    pub(crate) fn act(
        &mut self,
        state: &State,
        now: u64,
        chance: &mut Chance,
        tokens: &mut BTreeMap<String, (usize, BTreeSet<TaskId>)>,
    ) -> Option<Request> {
        let services: Vec<&Service> = state
            .services
            .iter()
            .filter(|service| service.status == ServiceStatus::Active)
            .map(|service| &**service)
            .collect();
        if services.len() < self.names.len() && chance.between(0, 1) == 0 {
            return self.create(state, now, chance);
        }
        let running: Vec<&Task> = state
            .tasks
            .iter()
            .filter(|task| task.desired == Desired::Running && task.last != LastStatus::Stopped)
            .map(|task| &**task)
            .collect();
        match chance.between(0, 99) {
            0..=24 => self.scale(picked(&services, chance)?, now, chance),
            25..=39 => self.deploy(picked(&services, chance)?, now, chance),
            40..=46 => self.force(picked(&services, chance)?, now),
            47..=54 => self.set_state(state, now, chance),
            55..=61 => self.stop(picked(&running, chance)?, now),
            62..=65 => self.delete(picked(&services, chance)?, now),
            66..=75 => self.protect(&running, now, chance),
            76..=84 => self.run(now, chance, tokens),
            85..=86 => self.deregister(state, now, chance),
            87..=90 => self.stop_deployment(state, picked(&services, chance)?, now, chance),
            _ => self.task_sets(state, &services, now, chance),
        }
    }

    fn create(&mut self, state: &State, now: u64, chance: &mut Chance) -> Option<Request> {
        let free: Vec<String> = self
            .names
            .iter()
            .filter(|name| {
                let mut all = state.services.iter();
                !all.any(|s| {
                    s.key.name.as_str() == name.as_str() && s.status == ServiceStatus::Active
                })
            })
            .cloned()
            .collect();
        let name = picked(&free, chance)?.clone();
        let (minimum, maximum) = *picked(
            &[(100, 200), (50, 150), (0, 100), (50, 100), (75, 125)],
            chance,
        )?;
        let daemon = chance.between(0, 5) == 0;
        let family = match chance.between(0, 9) {
            0..=3 => "small",
            4..=6 => "checked",
            7 => "ported",
            8 => "gpu",
            _ => "big",
        };
        let breaker =
            json!({"enable": chance.between(0, 1) == 0, "rollback": chance.between(0, 2) > 0});
        let mut body = json!({
            "cluster": "sim", "serviceName": name, "taskDefinition": family,
            "clientToken": format!("{name}-{now}"),
            "deploymentConfiguration": {
                "minimumHealthyPercent": minimum, "maximumPercent": maximum,
                "deploymentCircuitBreaker": breaker,
            },
        });
        let mut facts = vec![Fact::Exists(name.clone())];
        if daemon {
            self.daemons.insert(name.clone());
            body["schedulingStrategy"] = json!("DAEMON");
            body["taskDefinition"] = json!(if family == "checked" {
                "checked"
            } else {
                "small"
            });
            body["deploymentConfiguration"]["maximumPercent"] = json!(100);
            body["deploymentConfiguration"]["minimumHealthyPercent"] = json!(0);
            return self.send(now, "CreateService", body, format!("service {name}"), facts);
        }
        self.daemons.remove(&name);
        let external = chance.between(0, 7) == 0;
        let desired = chance.between(0, 6) as u32;
        body["desiredCount"] = json!(desired);
        facts.push(Fact::Desired(name.clone(), desired));
        if external {
            body["deploymentController"] = json!({"type": "EXTERNAL"});
            if let Some(body) = body.as_object_mut() {
                body.remove("taskDefinition");
                body.remove("deploymentConfiguration");
            }
        } else {
            body["healthCheckGracePeriodSeconds"] = json!(0);
            match chance.between(0, 8) {
                0 => self.shifting(&mut body, "BLUE_GREEN"),
                1 => {
                    self.shifting(&mut body, "LINEAR");
                    let step = json!({"stepPercent": 50.0, "stepBakeTimeInMinutes": 1});
                    body["deploymentConfiguration"]["linearConfiguration"] = step;
                }
                2 => {
                    self.shifting(&mut body, "CANARY");
                    let step = json!({"canaryPercent": 10.0, "canaryBakeTimeInMinutes": 1});
                    body["deploymentConfiguration"]["canaryConfiguration"] = step;
                }
                3 => body["placementStrategy"] = json!([{"type": "binpack", "field": "memory"}]),
                4 => body["placementStrategy"] = json!([{"type": "spread", "field": "instanceId"}]),
                5 => body["placementConstraints"] = json!([{"type": "distinctInstance"}]),
                6 => body["placementStrategy"] = json!([{"type": "random"}]),
                _ => {}
            }
        }
        self.send(now, "CreateService", body, format!("service {name}"), facts)
    }

    fn shifting(&self, body: &mut Value, strategy: &str) {
        body["deploymentConfiguration"]["strategy"] = json!(strategy);
        body["deploymentConfiguration"]["bakeTimeInMinutes"] = json!(0);
        body["serviceConnectConfiguration"] = json!({"enabled": true, "namespace": "sim"});
    }

    fn scale(&mut self, service: &Service, now: u64, chance: &mut Chance) -> Option<Request> {
        if service.spec.scheduling == Scheduling::Daemon {
            return None;
        }
        let name = service.key.name.to_string();
        let desired = chance.between(0, 8) as u32;
        let body = json!({"cluster": "sim", "service": name, "desiredCount": desired});
        let facts = vec![
            Fact::Exists(name.clone()),
            Fact::Desired(name.clone(), desired),
        ];
        self.send(now, "UpdateService", body, format!("service {name}"), facts)
    }

    fn deploy(&mut self, service: &Service, now: u64, chance: &mut Chance) -> Option<Request> {
        if service.spec.controller != Controller::Ecs {
            return None;
        }
        let name = service.key.name.to_string();
        let family = *picked(
            &["small", "small", "checked", "ported", "big", "bad"],
            chance,
        )?;
        let body = json!({"cluster": "sim", "service": name, "taskDefinition": family});
        self.send(now, "UpdateService", body, format!("deploy {name}"), vec![])
    }

    fn force(&mut self, service: &Service, now: u64) -> Option<Request> {
        if service.spec.controller != Controller::Ecs {
            return None;
        }
        let name = service.key.name.to_string();
        let body = json!({"cluster": "sim", "service": name, "forceNewDeployment": true});
        self.send(now, "UpdateService", body, format!("deploy {name}"), vec![])
    }

    fn set_state(&mut self, state: &State, now: u64, chance: &mut Chance) -> Option<Request> {
        let known: Vec<_> = state
            .instances
            .iter()
            .filter(|(_, i)| i.status != InstanceStatus::Inactive)
            .collect();
        let (id, instance) = *picked(&known, chance)?;
        let (word, status) = match instance.status {
            InstanceStatus::Draining => ("ACTIVE", InstanceStatus::Active),
            _ => ("DRAINING", InstanceStatus::Draining),
        };
        let id = *id;
        let body =
            json!({"cluster": "sim", "containerInstances": [id.to_string()], "status": word});
        let facts = vec![Fact::Status(id, status)];
        let subject = format!("instance {id}");
        self.send(now, "UpdateContainerInstancesState", body, subject, facts)
    }

    fn stop(&mut self, task: &Task, now: u64) -> Option<Request> {
        let body = json!({"cluster": "sim", "task": task.id.to_string()});
        let facts = vec![Fact::Stopped(task.id)];
        self.send(now, "StopTask", body, format!("stop {}", task.id), facts)
    }

    fn delete(&mut self, service: &Service, now: u64) -> Option<Request> {
        let name = service.key.name.to_string();
        let body = json!({"cluster": "sim", "service": name, "force": true});
        let facts = vec![Fact::Gone(name.clone())];
        self.send(now, "DeleteService", body, format!("service {name}"), facts)
    }

    fn protect(&mut self, running: &[&Task], now: u64, chance: &mut Chance) -> Option<Request> {
        let own: Vec<&&Task> = running
            .iter()
            .filter(|t| t.spec.service.is_some())
            .collect();
        let task = picked(&own, chance)?;
        let minutes = chance.between(1, 3);
        let body = json!({
            "cluster": "sim", "tasks": [task.id.to_string()],
            "protectionEnabled": true, "expiresInMinutes": minutes,
        });
        let facts = vec![Fact::Protected(task.id)];
        let subject = format!("protect {}", task.id);
        self.send(now, "UpdateTaskProtection", body, subject, facts)
    }

    fn run(
        &mut self,
        now: u64,
        chance: &mut Chance,
        tokens: &mut BTreeMap<String, (usize, BTreeSet<TaskId>)>,
    ) -> Option<Request> {
        let family = *picked(&["small", "checked", "ported", "gpu", "big"], chance)?;
        let count = chance.between(1, 4);
        let token = format!("run-{}", self.next);
        tokens.entry(token.clone()).or_default().0 = count as usize;
        let body = json!({
            "cluster": "sim", "taskDefinition": family, "count": count, "clientToken": token,
        });
        self.send(now, "RunTask", body, token, vec![])
    }

    fn deregister(&mut self, state: &State, now: u64, chance: &mut Chance) -> Option<Request> {
        if self.deregistered > 0 {
            return None;
        }
        let known = state.instances.iter();
        let known: Vec<_> = known
            .filter(|(_, i)| i.status == InstanceStatus::Active)
            .collect();
        if known.len() < 4 {
            return None;
        }
        let (id, _) = *picked(&known, chance)?;
        self.deregistered += 1;
        let body = json!({"cluster": "sim", "containerInstance": id.to_string(), "force": true});
        let subject = format!("instance {id}");
        self.send(now, "DeregisterContainerInstance", body, subject, vec![])
    }

    fn stop_deployment(
        &mut self,
        state: &State,
        service: &Service,
        now: u64,
        chance: &mut Chance,
    ) -> Option<Request> {
        let runs: Vec<_> = state.services.runs(&service.key).collect();
        let run = runs.into_iter().find(|run| !run.run.status.is_terminal())?;
        let how = *picked(&["ROLLBACK", "ABORT"], chance)?;
        let arn = service.key.deployment_arn(run.id);
        let body = json!({"serviceDeploymentArn": arn, "stopType": how});
        let name = service.key.name.as_str();
        self.send(
            now,
            "StopServiceDeployment",
            body,
            format!("deploy {name}"),
            vec![],
        )
    }

    fn task_sets(
        &mut self,
        state: &State,
        services: &[&Service],
        now: u64,
        chance: &mut Chance,
    ) -> Option<Request> {
        let external: Vec<&ServiceKey> = services
            .iter()
            .filter(|service| service.spec.controller == Controller::External)
            .map(|service| &service.key)
            .collect();
        let key = *picked(&external, chance)?;
        let name = key.name.to_string();
        let sets: Vec<_> = state.services.task_sets(key).map(|set| set.id).collect();
        let subject = format!("deploy {name}");
        let percent = chance.between(0, 4) * 25;
        let scale = json!({"value": percent, "unit": "PERCENT"});
        let (operation, body) = match (sets.last(), chance.between(0, 5)) {
            (Some(set), 0..=1) => {
                let set = set.to_string();
                let body =
                    json!({"cluster": "sim", "service": name, "taskSet": set, "scale": scale});
                ("UpdateTaskSet", body)
            }
            (Some(set), 2) => {
                let set = set.to_string();
                let body =
                    json!({"cluster": "sim", "service": name, "taskSet": set, "force": true});
                ("DeleteTaskSet", body)
            }
            (Some(set), 3) => {
                let set = set.to_string();
                let body = json!({"cluster": "sim", "service": name, "primaryTaskSet": set});
                ("UpdateServicePrimaryTaskSet", body)
            }
            _ => {
                let family = *picked(&["small", "checked"], chance)?;
                let body = json!({
                    "cluster": "sim", "service": name, "taskDefinition": family, "scale": scale,
                    "launchType": "EC2",
                });
                ("CreateTaskSet", body)
            }
        };
        self.send(now, operation, body, subject, vec![])
    }
}
