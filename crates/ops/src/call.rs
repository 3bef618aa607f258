//! One call: who asks, and what an operation may use to answer.

use std::sync::Arc;

use berth_api::{Operation, validate};
use berth_model::id::InstanceId;
use berth_model::name::Scope;
use berth_state::{Lane, State, Tx};
use bytes::Bytes;

use crate::context::Context;
use crate::error::ApiError;

/// Who signed the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The account of the key and the region of the signature: the world that the call is about.
    pub scope: Scope,
    /// The caller's ARN, as GetCallerIdentity shows it.
    pub arn: String,
    /// The caller's unique id, as GetCallerIdentity shows it.
    pub user_id: String,
    /// Set for the credentials of one agent, which may act for its own instance alone.
    pub instance: Option<InstanceId>,
    /// Scheme and Host of the request itself, such as `http://127.0.0.1:7070`.
    pub base_url: String,
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
