//! Instances that a request names, found or not.

use std::sync::Arc;

use berth_api::Operation;
use berth_api::ecs::{self, Fault};
use berth_model::id::InstanceId;
use berth_model::instance::ContainerInstance;
use berth_model::name::ClusterKey;
use berth_state::State;

use crate::access::Resource;
use crate::call::Call;
use crate::ecs::fault::{client, invalid};
use crate::ecs::names::instance_id;
use crate::error::ApiError;

/// An instance as a request names it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Named {
    /// The ARN built from what was given (reference §1.7).
    pub(super) arn: String,
    /// The id; `None` for one that cannot be ours.
    pub(super) id: Option<InstanceId>,
}

impl Named {
    /// Reads an id or ARN.
    ///
    /// # Errors
    /// InvalidParameterException for what is no instance, and for one from elsewhere.
    pub(super) fn parse(cluster: &ClusterKey, given: &str) -> Result<Named, ApiError> {
        let id = instance_id(cluster, given)?;
        Ok(Named {
            arn: id.map_or_else(|| given.to_owned(), |id| cluster.instance_arn(id)),
            id,
        })
    }

    /// Reads a list of 1 to `max`, each instance once.
    ///
    /// # Errors
    /// ClientException for an empty list; InvalidParameterException for a long one, and as
    /// [`Named::parse`] has it.
    pub(super) fn parse_all(
        cluster: &ClusterKey,
        given: Option<&[String]>,
        max: usize,
    ) -> Result<Vec<Named>, ApiError> {
        let given = given.unwrap_or_default();
        if given.is_empty() {
            return Err(client("Container Instances cannot be empty."));
        }
        if given.len() > max {
            return Err(invalid(format!(
                "Container Instances can have at most {max} items."
            )));
        }
        let mut named: Vec<Named> = Vec::with_capacity(given.len());
        for given in given {
            let one = Named::parse(cluster, given)?;
            if !named.contains(&one) {
                named.push(one);
            }
        }
        Ok(named)
    }

    /// The instance, if users may know of it.
    pub(super) fn find<'a>(
        &self,
        state: &'a State,
        cluster: &ClusterKey,
    ) -> Option<&'a Arc<ContainerInstance>> {
        let instance = state.instances.get(&self.id?)?;
        (instance.cluster == *cluster && is_shown(instance)).then_some(instance)
    }

    /// An entry of `failures`.
    pub(super) fn failure(&self, reason: &str) -> ecs::Failure {
        ecs::Failure {
            arn: Some(self.arn.clone()),
            reason: Some(reason.into()),
            detail: None,
        }
    }

    /// Refuses an agent that names another instance than its own.
    ///
    /// # Errors
    /// AccessDeniedException.
    pub(super) fn check_own<O: Operation>(&self, call: &Call) -> Result<(), ApiError> {
        call.authorize::<O>(&Resource::Instance(self.id), &self.arn)
    }
}

/// Machines that are Fargate capacity alone are nobody's container instances.
pub(super) fn is_shown(instance: &ContainerInstance) -> bool {
    instance.offer.instance
}

/// What the operations that name one instance answer when there is none.
pub(super) fn not_found() -> ApiError {
    ApiError::client(
        Fault::InvalidParameter,
        "The referenced container instance was not found.",
    )
}
