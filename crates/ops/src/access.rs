//! Who may do what: a plain function of who asks, the operation, and what it is about.
//!
//! Berth has no policies of users' own. There are three kinds of callers:
//! - an account's key may do everything in its account;
//! - a joined agent may do what an agent needs, for its own instance and the tasks that were
//!   placed on it, and nothing else;
//! - the session of a role: of a task's execution role what Amazon's
//!   `AmazonECSTaskExecutionRolePolicy` allows of the services that are here, of a task's own
//!   role what the server's setting says ([`RoleAccess`]). Neither may act as an agent.
//!
//! What an operation is about is told by the operation itself, from its decoded input, so that
//! what is checked is what is used.

use berth_model::id::{InstanceId, TaskId};
use berth_model::name::ClusterKey;

/// Who asks, as far as rights go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// An account's own key.
    Account,
    /// The session of a task's own role.
    TaskRole {
        /// The task, if the session's name is one.
        task: Option<TaskId>,
        /// What the server lets such sessions do.
        access: RoleAccess,
    },
    /// The session of a task's execution role, or of the role in whose name Docker ships logs.
    ExecutionRole,
    /// An agent that joined by a token.
    Agent(AgentRights),
}

/// What the credentials of a joined agent are for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgentRights {
    /// The one instance that it is.
    pub instance: InstanceId,
    /// The cluster of that instance.
    pub cluster: ClusterKey,
    /// Whether the machine may be Fargate capacity too.
    pub fargate: bool,
}

/// What the session of a task's own role may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoleAccess {
    /// Learn who it is, and protect its own task from scale-in.
    None,
    /// Also everything that changes nothing.
    Read,
    /// Everything that its account's key may, but act as an agent.
    Full,
}

/// What a call is about, as far as rights depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Resource {
    /// Nothing that has an owner among agents and tasks, such as a cluster.
    Other,
    /// A container instance; `None` for one that cannot be ours.
    Instance(Option<InstanceId>),
    /// A task, and the instance that it is on.
    Task {
        /// Its id; `None` for one that cannot be ours.
        id: Option<TaskId>,
        /// Where it was placed; `None` when it was not, or is not known.
        on: Option<InstanceId>,
    },
    /// A log group, and whether a task on the caller's own instance names it.
    LogGroup {
        /// Whether one does.
        of_own_tasks: bool,
    },
}

/// What a caller may do with an operation, before anything is known of what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Denied,
    /// For everything in the account.
    Allowed,
    /// For what is the caller's own.
    ForOwn,
}

/// Whether `principal` may call the operation at all; what it is about is asked later, by
/// [`allows`].
#[must_use]
pub(crate) fn may_call(principal: &Principal, service: &str, operation: &str) -> bool {
    verdict(principal, service, operation) != Verdict::Denied
}

/// Whether `principal` may do this to `resource`.
#[must_use]
pub(crate) fn allows(
    principal: &Principal,
    service: &str,
    operation: &str,
    resource: &Resource,
) -> bool {
    match verdict(principal, service, operation) {
        Verdict::Denied => false,
        Verdict::Allowed => true,
        Verdict::ForOwn => is_own(principal, resource),
    }
}

fn verdict(principal: &Principal, service: &str, operation: &str) -> Verdict {
    // STS answers whoever has credentials at all.
    if (service, operation) == ("sts", "GetCallerIdentity") {
        return Verdict::Allowed;
    }
    match principal {
        Principal::Account => Verdict::Allowed,
        Principal::TaskRole { access, .. } => of_task_role(*access, service, operation),
        Principal::ExecutionRole => match service == "logs" && is_log_writing(operation) {
            true => Verdict::Allowed,
            false => Verdict::Denied,
        },
        Principal::Agent(_) => of_agent(service, operation),
    }
}

fn of_task_role(access: RoleAccess, service: &str, operation: &str) -> Verdict {
    // A container protects itself with the credentials of its task's role, through its agent
    // (agent protocol reference §7.4).
    let protection = service == "ecs" && is_protection(operation);
    match access {
        _ if service == "ecs" && is_for_agents(operation) => Verdict::Denied,
        RoleAccess::Full => Verdict::Allowed,
        RoleAccess::Read if is_reading(operation) => Verdict::Allowed,
        RoleAccess::Read | RoleAccess::None if protection => Verdict::ForOwn,
        RoleAccess::Read | RoleAccess::None => Verdict::Denied,
    }
}

fn of_agent(service: &str, operation: &str) -> Verdict {
    let needed = match service {
        "ecs" => {
            is_for_agents(operation)
                || is_protection(operation)
                || matches!(
                    operation,
                    "DeregisterContainerInstance"
                        | "ListTagsForResource"
                        | "UpdateContainerInstancesState"
                )
        }
        // Reading tells our agent how far it had come before it was restarted.
        "logs" => is_log_writing(operation) || operation == "GetLogEvents",
        _ => false,
    };
    match needed {
        true => Verdict::ForOwn,
        false => Verdict::Denied,
    }
}

/// Whether only an agent has a use for this operation of ECS.
fn is_for_agents(operation: &str) -> bool {
    operation.starts_with("Submit")
        || matches!(
            operation,
            "RegisterContainerInstance" | "DiscoverPollEndpoint"
        )
}

fn is_protection(operation: &str) -> bool {
    matches!(operation, "GetTaskProtection" | "UpdateTaskProtection")
}

fn is_log_writing(operation: &str) -> bool {
    matches!(
        operation,
        "CreateLogGroup" | "CreateLogStream" | "PutLogEvents"
    )
}

fn is_reading(operation: &str) -> bool {
    ["Describe", "Filter", "Get", "List"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

fn is_own(principal: &Principal, resource: &Resource) -> bool {
    match (principal, resource) {
        (Principal::Agent(agent), Resource::Instance(instance)) => {
            *instance == Some(agent.instance)
        }
        (Principal::Agent(agent), Resource::Task { id: _, on }) => *on == Some(agent.instance),
        (Principal::Agent(_), Resource::LogGroup { of_own_tasks }) => *of_own_tasks,
        (Principal::TaskRole { task, .. }, Resource::Task { id, on: _ }) => {
            task.is_some() && task == id
        }
        (Principal::Agent(_), Resource::Other)
        | (
            Principal::TaskRole { .. },
            Resource::Other | Resource::Instance(_) | Resource::LogGroup { .. },
        )
        | (Principal::Account | Principal::ExecutionRole, _) => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::served::SERVED;

    const OWN: InstanceId = InstanceId::from_bytes([1; 16]);
    const OTHER: InstanceId = InstanceId::from_bytes([2; 16]);
    const TASK: TaskId = TaskId::from_bytes([3; 16]);

    fn agent() -> Principal {
        Principal::Agent(AgentRights {
            instance: OWN,
            cluster: "123456789012/us-east-1/default".parse().unwrap(),
            fargate: false,
        })
    }

    fn role(access: RoleAccess) -> Principal {
        Principal::TaskRole {
            task: Some(TASK),
            access,
        }
    }

    fn callable(principal: &Principal) -> Vec<String> {
        let may = SERVED
            .iter()
            .filter(|one| may_call(principal, one.service.name, one.operation));
        may.map(|one| format!("{}:{}", one.service.name, one.operation))
            .collect()
    }

    #[test]
    fn an_agent_may_call_what_agents_call_and_nothing_else() {
        assert_eq!(
            callable(&agent()),
            [
                "ecs:DeregisterContainerInstance",
                "ecs:DiscoverPollEndpoint",
                "ecs:GetTaskProtection",
                "ecs:ListTagsForResource",
                "ecs:RegisterContainerInstance",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
                "ecs:UpdateContainerInstancesState",
                "ecs:UpdateTaskProtection",
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:GetLogEvents",
                "logs:PutLogEvents",
                "sts:GetCallerIdentity",
            ]
        );
    }

    #[test]
    fn an_execution_role_writes_logs() {
        assert_eq!(
            callable(&Principal::ExecutionRole),
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:PutLogEvents",
                "sts:GetCallerIdentity",
            ]
        );
    }

    #[test]
    fn a_tasks_role_has_what_the_server_says_and_never_acts_as_an_agent() {
        let all = callable(&Principal::Account);
        assert_eq!(all.len(), SERVED.len());
        let full = callable(&role(RoleAccess::Full));
        let missing: Vec<_> = all.iter().filter(|one| !full.contains(one)).collect();
        assert_eq!(
            missing,
            [
                "ecs:DiscoverPollEndpoint",
                "ecs:RegisterContainerInstance",
                "ecs:SubmitAttachmentStateChanges",
                "ecs:SubmitContainerStateChange",
                "ecs:SubmitTaskStateChange",
            ]
        );
        assert_eq!(
            callable(&role(RoleAccess::None)),
            [
                "ecs:GetTaskProtection",
                "ecs:UpdateTaskProtection",
                "sts:GetCallerIdentity",
            ]
        );
        let read = callable(&role(RoleAccess::Read));
        for reading in ["ecs:ListTasks", "ecs:DescribeTasks", "logs:FilterLogEvents"] {
            assert!(read.contains(&reading.to_owned()), "{reading}");
        }
        let changing = |one: &&String| !is_reading(one.split(':').nth(1).unwrap());
        let changing: Vec<_> = read.iter().filter(changing).collect();
        assert_eq!(changing, ["ecs:UpdateTaskProtection"]);
    }

    #[test]
    fn what_is_ones_own() {
        let task = |on| Resource::Task { id: Some(TASK), on };
        let agent = agent();
        let submit = |resource| allows(&agent, "ecs", "SubmitTaskStateChange", &resource);
        assert!(submit(task(Some(OWN))));
        assert!(!submit(task(Some(OTHER))));
        assert!(!submit(task(None)));
        assert!(!submit(Resource::Other));
        let deregister = |resource| allows(&agent, "ecs", "DeregisterContainerInstance", &resource);
        assert!(deregister(Resource::Instance(Some(OWN))));
        assert!(!deregister(Resource::Instance(Some(OTHER))));
        assert!(!deregister(Resource::Instance(None)));
        let write = |of_own_tasks| {
            let group = Resource::LogGroup { of_own_tasks };
            allows(&agent, "logs", "PutLogEvents", &group)
        };
        assert!(write(true) && !write(false));

        let none = role(RoleAccess::None);
        let protect = |resource| allows(&none, "ecs", "UpdateTaskProtection", &resource);
        assert!(protect(task(Some(OTHER))));
        let foreign = TaskId::from_bytes([9; 16]);
        assert!(!protect(Resource::Task {
            id: Some(foreign),
            on: Some(OTHER)
        }));
    }

    proptest! {
        #[test]
        fn an_agent_never_touches_what_is_anothers(
            at in 0..SERVED.len(),
            on in prop_oneof![Just(None), any::<[u8; 16]>().prop_map(Some)],
            task in any::<[u8; 16]>(),
        ) {
            let served = &SERVED[at];
            let on = on.map(InstanceId::from_bytes).filter(|on| *on != OWN);
            let may = |resource| allows(&agent(), served.service.name, served.operation, &resource);
            let id = Some(TaskId::from_bytes(task));
            let identity = served.operation == "GetCallerIdentity";
            prop_assert_eq!(may(Resource::Task { id, on }), identity);
            prop_assert_eq!(may(Resource::Instance(on)), identity);
            prop_assert_eq!(may(Resource::Other), identity);
        }
    }
}
