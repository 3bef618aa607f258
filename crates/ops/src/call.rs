//! One call: who asks, and what an operation may use to answer.

use std::sync::Arc;

use berth_api::{Operation, validate};
use berth_model::id::{InstanceId, TaskId};
use berth_model::name::Scope;
use berth_state::{Lane, State, Tx};
use bytes::Bytes;

use crate::access::{self, Principal, Resource};
use crate::context::Context;
use crate::ecs::fault::access_denied;
use crate::error::ApiError;

/// The option of the log driver `awslogs` that names the log group.
const LOG_GROUP_OPTION: &str = "awslogs-group";

/// Who signed the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of the key and the region of the signature: the world that the call is about.
    pub scope: Scope,
    /// The caller's ARN, as GetCallerIdentity shows it.
    pub arn: String,
    /// The caller's unique id, as GetCallerIdentity shows it.
    pub user_id: String,
    /// Who that is as far as rights go.
    pub principal: Principal,
    /// Scheme and Host of the request itself, such as `http://127.0.0.1:7070`.
    pub base_url: String,
}

impl Caller {
    /// The instance that the caller may act for; `None` for one that may act for every one.
    #[must_use]
    pub fn instance(&self) -> Option<InstanceId> {
        match &self.principal {
            Principal::Agent(agent) => Some(agent.instance),
            Principal::Account | Principal::TaskRole { .. } | Principal::ExecutionRole => None,
        }
    }
}

/// A call under way.
#[derive(Clone)]
pub struct Call {
    /// What operations work with.
    pub cx: Arc<Context>,
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The body as it came. For what the decoded input does not say: how the request was spelled,
    /// and members that the model does not name.
    pub(crate) body: Bytes,
}

impl Call {
    /// A call by `caller`. [`Served::run`](crate::Served::run) adds the body.
    #[must_use]
    pub fn new(cx: Arc<Context>, caller: Arc<Caller>) -> Call {
        Call {
            cx,
            caller,
            body: Bytes::new(),
        }
    }

    /// The last saved state.
    #[must_use]
    pub fn snapshot(&self) -> Arc<State> {
        self.cx.state.snapshot()
    }

    /// The world that the call is about.
    #[must_use]
    pub fn scope(&self) -> &Scope {
        &self.caller.scope
    }

    /// Checks what the model says of an input: call it after the checks that have ECS's own words.
    ///
    /// # Errors
    /// The first broken constraint, as the service words it.
    pub fn check<O: Operation>(&self, input: &O::Input) -> Result<(), ApiError> {
        validate::<O>(input).map_err(ApiError)
    }

    /// Refuses a caller that may not do this to `resource`, which is called `arn` in the refusal.
    ///
    /// # Errors
    /// AccessDeniedException.
    pub(crate) fn authorize<O: Operation>(
        &self,
        resource: &Resource,
        arn: &str,
    ) -> Result<(), ApiError> {
        let service = O::SERVICE.name;
        if access::allows(&self.caller.principal, service, O::NAME, resource) {
            return Ok(());
        }
        Err(access_denied(&self.caller.arn, service, O::NAME, arn))
    }

    /// [`Call::authorize`] for a task, by its id.
    ///
    /// # Errors
    /// AccessDeniedException.
    pub(crate) fn authorize_task<O: Operation>(
        &self,
        id: Option<TaskId>,
        arn: &str,
    ) -> Result<(), ApiError> {
        let state = self.snapshot();
        let on = id
            .and_then(|id| state.tasks.get(id))
            .and_then(|task| task.instance);
        self.authorize::<O>(&Resource::Task { id, on }, arn)
    }

    /// [`Call::authorize`] for a log group, by its name.
    ///
    /// # Errors
    /// AccessDeniedException.
    pub(crate) fn authorize_log_group<O: Operation>(
        &self,
        name: Option<&str>,
    ) -> Result<(), ApiError> {
        let name = name.unwrap_or_default();
        let of_own_tasks = self
            .caller
            .instance()
            .is_some_and(|own| self.is_logged_to(own, name));
        self.authorize::<O>(&Resource::LogGroup { of_own_tasks }, name)
    }

    /// Whether a task on this instance sends its containers' output to the log group.
    fn is_logged_to(&self, instance: InstanceId, group: &str) -> bool {
        let state = self.snapshot();
        let mut tasks = state.tasks.on_instance(instance);
        tasks.any(|task| {
            let definition = state.definitions.get(&task.spec.definition);
            let body = definition.and_then(|d| self.cx.definitions.body(d).ok());
            let containers = body
                .iter()
                .flat_map(|b| b.container_definitions.iter().flatten());
            let mut logs = containers.filter_map(|one| one.log_configuration.as_ref());
            logs.any(|log| {
                let named = log.options.as_ref().and_then(|o| o.get(LOG_GROUP_OPTION));
                named.is_some_and(|named| named == group)
            })
        })
    }

    /// Changes the state in the lane of API calls; answers once the change is saved. The closure
    /// may run more than once.
    ///
    /// # Errors
    /// The closure's own error, or why the change was not saved.
    pub async fn transact<T, F>(&self, change: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        self.cx.state.transact(Lane::Api, change).await
    }

    /// Like [`Call::transact`], in the lane of agents' reports.
    ///
    /// # Errors
    /// The closure's own error, or why the change was not saved.
    pub async fn report<T, F>(&self, change: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        self.cx.state.transact(Lane::Agents, change).await
    }
}
