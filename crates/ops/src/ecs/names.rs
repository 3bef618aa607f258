//! How requests name things: clusters, tasks, container instances and task definitions, by
//! short name or id or by ARN (reference §1.8, §1.9).
//!
//! An ARN must be of the caller's own account and region. The words of refusals are Amazon ECS's
//! where they are known, as in `Invalid identifier: Identifier is for cluster a. Your cluster
//! is b`.

use std::sync::Arc;

use berth_api::ecs::Fault;
use berth_model::arn::{DefinitionName, EcsArn, is_arn};
use berth_model::cluster::{Cluster, ClusterStatus};
use berth_model::definition::{DefinitionStatus, TaskDefinition};
use berth_model::id::{InstanceId, TaskId};
use berth_model::name::{ClusterKey, ClusterName, DefinitionKey, Scope};
use berth_state::State;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The cluster of a request that names none.
const DEFAULT_CLUSTER: &str = "default";

/// The cluster that a request's `cluster` names; absent and empty mean `default`.
///
/// # Errors
/// InvalidParameterException for a malformed name, and for an ARN of something else, another
/// account or another region.
pub(crate) fn cluster_key(scope: &Scope, given: Option<&str>) -> Result<ClusterKey, ApiError> {
    let given = given.filter(|given| !given.is_empty());
    let given = given.unwrap_or(DEFAULT_CLUSTER);
    let name = if is_arn(given) {
        own_arn(scope, given, &["cluster"])?.rest
    } else {
        given
    };
    Ok(ClusterKey {
        scope: scope.clone(),
        name: cluster_name(name)?,
    })
}

/// A cluster's short name.
///
/// # Errors
/// InvalidParameterException when it is none.
pub(crate) fn cluster_name(raw: &str) -> Result<ClusterName, ApiError> {
    raw.parse().map_err(|_| {
        invalid(format!(
            r"Cluster must match ^[a-zA-Z0-9\-_]{{1,255}}$, but was {raw}"
        ))
    })
}

/// The cluster, whatever its status.
///
/// # Errors
/// ClusterNotFoundException when there never was one of that name.
pub(crate) fn known_cluster<'a>(
    state: &'a State,
    key: &ClusterKey,
) -> Result<&'a Arc<Cluster>, ApiError> {
    let cluster = state.clusters.get(key);
    cluster.ok_or_else(|| ApiError::client(Fault::ClusterNotFound, "Cluster not found."))
}

/// The cluster, which is in use.
///
/// # Errors
/// ClusterNotFoundException when there is none, or it was deleted.
pub(crate) fn active_cluster<'a>(
    state: &'a State,
    key: &ClusterKey,
) -> Result<&'a Arc<Cluster>, ApiError> {
    let cluster = known_cluster(state, key)?;
    match cluster.status {
        ClusterStatus::Active => Ok(cluster),
        ClusterStatus::Inactive => Err(ApiError::client(
            Fault::ClusterNotFound,
            "The referenced cluster was inactive.",
        )),
    }
}

/// The task that a request names within `cluster`, by id or ARN. `None` for an id that no task of
/// ours can have (the old UUID form), which the operation answers like an unknown one.
///
/// # Errors
/// InvalidParameterException for what is no task id at all, and for an ARN of something else or
/// from elsewhere.
pub(crate) fn task_id(cluster: &ClusterKey, given: &str) -> Result<Option<TaskId>, ApiError> {
    let id = id_within(cluster, given, "task")?;
    check_id_length("taskId", id)?;
    Ok(id.parse().ok())
}

/// The container instance that a request names within `cluster`; see [`task_id`].
///
/// # Errors
/// As for [`task_id`].
pub(crate) fn instance_id(
    cluster: &ClusterKey,
    given: &str,
) -> Result<Option<InstanceId>, ApiError> {
    let id = id_within(cluster, given, "container-instance")?;
    check_id_length("containerInstanceId", id)?;
    Ok(id.parse().ok())
}

/// Lengths of an id: the present form, and the UUID that was in use until 2019.
const ID_LENGTHS: [usize; 2] = [32, 36];

fn check_id_length(what: &str, id: &str) -> Result<(), ApiError> {
    if ID_LENGTHS.contains(&id.len()) {
        return Ok(());
    }
    Err(invalid(format!("{what} length should be one of [32,36]")))
}

/// The id in `given`, which is one already or the ARN of a `kind`, long or short.
fn id_within<'a>(
    cluster: &ClusterKey,
    given: &'a str,
    kind: &'static str,
) -> Result<&'a str, ApiError> {
    if !is_arn(given) {
        // `<cluster>/<id>`, the resource part of an ARN, is accepted like an ARN.
        return match given.split_once('/') {
            Some((named, id)) => {
                check_same_cluster(cluster, named)?;
                Ok(id)
            }
            None => Ok(given),
        };
    }
    let arn = own_arn(&cluster.scope, given, &[kind])?;
    if let Some((named, id)) = arn.rest.split_once('/') {
        check_same_cluster(cluster, named)?;
        return Ok(id);
    }
    Ok(arn.rest)
}

fn check_same_cluster(cluster: &ClusterKey, named: &str) -> Result<(), ApiError> {
    if named == cluster.name.as_str() {
        return Ok(());
    }
    Err(invalid(format!(
        "Invalid identifier: Identifier is for cluster {named}. Your cluster is {}",
        cluster.name
    )))
}

/// An ARN of the caller's own account and region, of one of `kinds`.
///
/// # Errors
/// InvalidParameterException for anything else.
pub(crate) fn own_arn<'a>(
    scope: &Scope,
    given: &'a str,
    kinds: &[&str],
) -> Result<EcsArn<'a>, ApiError> {
    let arn =
        EcsArn::parse(given).ok_or_else(|| invalid(format!("Invalid identifier: {given}")))?;
    check_scope(scope, &arn.scope)?;
    if !kinds.contains(&arn.kind) {
        return Err(invalid(format!("Unsupported resource type: {}", arn.kind)));
    }
    Ok(arn)
}

fn check_scope(own: &Scope, named: &Scope) -> Result<(), ApiError> {
    if named.account != own.account {
        return Err(invalid(format!(
            "Invalid identifier: Identifier is for {}. Your accountId is {}",
            named.account, own.account
        )));
    }
    if named.region != own.region {
        return Err(invalid(format!(
            "Invalid identifier: Identifier is for {}. Your region is {}",
            named.region, own.region
        )));
    }
    Ok(())
}

/// The definition that a request names by family (its newest ACTIVE revision), by family and
/// revision, or by ARN. `None` when there is none: each operation has words of its own.
///
/// # Errors
/// InvalidParameterException for an ARN from elsewhere.
pub(crate) fn find_definition<'a>(
    state: &'a State,
    scope: &Scope,
    given: &str,
) -> Result<Option<&'a Arc<TaskDefinition>>, ApiError> {
    let Some(name) = DefinitionName::parse(given) else {
        return Ok(None);
    };
    if let Some(named) = &name.scope {
        check_scope(scope, named)?;
    }
    Ok(match name.revision {
        Some(revision) => state.definitions.get(&DefinitionKey {
            scope: scope.clone(),
            family: name.family,
            revision,
        }),
        None => state.newest_active(scope, &name.family),
    })
}

/// The definition that RunTask, StartTask and the service operations are to use.
///
/// # Errors
/// ClientException when there is none, or it was deregistered; InvalidParameterException for an
/// ARN from elsewhere.
pub(crate) fn resolve_definition(
    state: &State,
    scope: &Scope,
    given: &str,
) -> Result<Arc<TaskDefinition>, ApiError> {
    let found = find_definition(state, scope, given)?;
    let definition =
        found.ok_or_else(|| ApiError::client(Fault::Client, "TaskDefinition not found."))?;
    match definition.status {
        DefinitionStatus::Active => Ok(definition.clone()),
        DefinitionStatus::Inactive | DefinitionStatus::DeleteInProgress => Err(ApiError::client(
            Fault::Client,
            "TaskDefinition is inactive",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cluster() -> ClusterKey {
        "123456789012/us-east-1/web".parse().unwrap()
    }

    fn refusal<T>(outcome: Result<T, ApiError>) -> String {
        outcome
            .err()
            .map(|error| error.0.message)
            .unwrap_or_default()
    }

    #[test]
    fn a_cluster_is_named_by_name_or_arn_and_is_default_otherwise() {
        let scope = cluster().scope;
        let name = |given| cluster_key(&scope, given).unwrap().name.to_string();
        assert_eq!(name(None), "default");
        assert_eq!(name(Some("")), "default");
        assert_eq!(name(Some("web")), "web");
        assert_eq!(name(Some(&cluster().arn())), "web");
    }

    #[test]
    fn clusters_of_elsewhere_are_refused() {
        let scope = cluster().scope;
        for (given, text) in [
            (
                "a b",
                r"Cluster must match ^[a-zA-Z0-9\-_]{1,255}$, but was a b",
            ),
            (
                "arn:aws:ecs:us-east-1:999999999999:cluster/web",
                "Invalid identifier: Identifier is for 999999999999. Your accountId is 123456789012",
            ),
            (
                "arn:aws:ecs:eu-west-1:123456789012:cluster/web",
                "Invalid identifier: Identifier is for eu-west-1. Your region is us-east-1",
            ),
            (
                "arn:aws:ecs:us-east-1:123456789012:task/web",
                "Unsupported resource type: task",
            ),
            ("arn:nonsense", "Invalid identifier: arn:nonsense"),
        ] {
            assert_eq!(refusal(cluster_key(&scope, Some(given))), text);
        }
    }

    #[test]
    fn a_task_is_named_by_id_or_by_long_or_short_arn() {
        let raw = "0123456789abcdef0123456789abcdef";
        let id: TaskId = raw.parse().unwrap();
        for given in [
            raw,
            &cluster().task_arn(id),
            &format!("arn:aws:ecs:us-east-1:123456789012:task/{raw}"),
            &format!("web/{raw}"),
        ] {
            assert_eq!(task_id(&cluster(), given).unwrap(), Some(id), "{given}");
        }
        let old = "01234567-89ab-cdef-0123-456789abcdef";
        assert_eq!(task_id(&cluster(), old).unwrap(), None);
    }

    #[test]
    fn a_task_of_another_cluster_and_a_malformed_id_are_refused() {
        assert_eq!(
            refusal(task_id(
                &cluster(),
                "arn:aws:ecs:us-east-1:123456789012:task/other/0123456789abcdef0123456789abcdef"
            )),
            "Invalid identifier: Identifier is for cluster other. Your cluster is web"
        );
        assert_eq!(
            refusal(task_id(&cluster(), "None")),
            "taskId length should be one of [32,36]"
        );
        assert_eq!(
            refusal(instance_id(&cluster(), "x")),
            "containerInstanceId length should be one of [32,36]"
        );
    }
}
