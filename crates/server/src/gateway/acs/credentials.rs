//! Credentials of roles, as a session hands them out.

use berth_api::ecs;
use berth_model::task::Task;

use super::Letters;
use crate::clock;
use crate::payload::{AgentKind, PayloadContext};
use crate::roles::RoleKind;

/// The role in whose name a stock agent's Docker ships logs of tasks that have no execution role.
const LOG_ROLE: &str = "berth-awslogs";

/// The roles of a task, where it has some.
struct Roles {
    task: Option<String>,
    execution: Option<String>,
}

impl Roles {
    /// An override goes before the definition.
    fn of(task: &Task, body: &ecs::TaskDefinition) -> Self {
        let over = task.spec.overrides.as_deref();
        let over: ecs::TaskOverride = over
            .and_then(|over| serde_json::from_str(&over.given).ok())
            .unwrap_or_default();
        let named = |over: Option<String>, own: &Option<String>| {
            over.or_else(|| own.clone()).filter(|role| !role.is_empty())
        };
        Self {
            task: named(over.task_role_arn, &body.task_role_arn),
            execution: named(over.execution_role_arn, &body.execution_role_arn),
        }
    }
}

/// Whether a container's output goes through Docker's `awslogs`.
fn ships_logs(body: &ecs::TaskDefinition) -> bool {
    body.container_definitions
        .iter()
        .flatten()
        .any(|container| {
            let log = container.log_configuration.as_ref();
            log.is_some_and(|log| log.log_driver == Some(ecs::LogDriver::Awslogs))
        })
}

impl Letters {
    /// Where this server is found: the URL that stays, or the one that the agent used.
    pub(super) fn service_url(&self) -> &str {
        let advertised = self.gateway.cx.limits.advertise_url.as_deref();
        advertised.unwrap_or(&self.base_url)
    }

    /// What a payload is made from, with the credentials of this task.
    pub(super) fn with_credentials(
        &self,
        cx: &PayloadContext,
        task: &Task,
        body: &ecs::TaskDefinition,
    ) -> PayloadContext {
        let mut cx = cx.clone();
        for (kind, credentials) in self.credentials_of(task, body, cx.agent) {
            match kind {
                RoleKind::Task => cx.role_credentials = Some(credentials),
                RoleKind::Execution if Roles::of(task, body).execution.is_some() => {
                    cx.execution_role_credentials = Some(credentials);
                }
                RoleKind::Execution => {
                    let path = format!("/v2/credentials/{}", credentials.credentials_id);
                    cx.logs.credentials_path = Some(path);
                    cx.log_credentials = Some(credentials);
                }
            }
        }
        cx
    }

    /// The credentials of a task's roles, for this kind of agent.
    pub(super) fn credentials_of(
        &self,
        task: &Task,
        body: &ecs::TaskDefinition,
        agent: AgentKind,
    ) -> Vec<(RoleKind, berth_agent_proto::task::Credentials)> {
        let Roles {
            task: own,
            execution,
        } = Roles::of(task, body);
        let for_logs = agent == AgentKind::Stock && ships_logs(body);
        let execution = execution.or_else(|| for_logs.then(|| LOG_ROLE.to_owned()));
        let issue = |(kind, role): (RoleKind, Option<String>)| {
            let (cluster, id) = (&task.spec.cluster, task.id.to_string());
            let credentials = self
                .gateway
                .roles
                .issue(cluster, &id, kind, &role?, clock::wall());
            Some((kind, credentials))
        };
        [(RoleKind::Task, own), (RoleKind::Execution, execution)]
            .into_iter()
            .filter_map(issue)
            .collect()
    }
}
