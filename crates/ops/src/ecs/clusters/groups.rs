//! Capacity providers that users make: create, update, delete, describe (reference §2.2, §8).

use berth_api::ecs::{self, Fault, op};
use berth_model::capacity_provider::{
    CapacityProvider, ProviderKey, ProviderStatus, ProviderUpdate,
};
use berth_model::cluster::{BUILT_IN_PROVIDERS, ClusterStatus};
use berth_model::name::{ClusterName, Scope};
use berth_model::text::Text;
use berth_state::{State, Tx};

use crate::call::Call;
use crate::ecs::fault::{client, invalid};
use crate::ecs::names::own_arn;
use crate::ecs::tags::{given_tags, render_tags};
use crate::error::ApiError;

/// What a user's provider may not be called by its beginning (reference §1.8).
const RESERVED: [&str; 3] = ["aws", "ecs", "fargate"];
/// The greatest step by which machines are scaled.
const STEP_MAX: i32 = 10_000;
/// How long a new machine warms up when the request does not say, in seconds.
const WARMUP_DEFAULT: i32 = 300;

/// Makes a capacity provider: a named group of container instances.
pub(crate) async fn create_capacity_provider(
    call: Call,
    input: ecs::CreateCapacityProviderRequest,
) -> Result<ecs::CreateCapacityProviderResponse, ApiError> {
    call.check::<op::CreateCapacityProvider>(&input)?;
    let name = input.name.as_deref().unwrap_or_default();
    let lower = name.to_ascii_lowercase();
    if RESERVED.iter().any(|prefix| lower.starts_with(prefix))
        || name.parse::<ClusterName>().is_err()
    {
        return Err(invalid(
            "The specified capacity provider name is invalid. Up to 255 letters (uppercase and \
             lowercase), numbers, underscores, and hyphens are allowed. The name cannot be \
             prefixed with \"aws\", \"ecs\", or \"fargate\".",
        ));
    }
    check_no_managed(input.managed_instances_provider.as_ref())?;
    let group = input.auto_scaling_group_provider.as_ref();
    let group = group.ok_or_else(|| invalid("autoScalingGroupProvider can not be blank."))?;
    check_no_cluster(input.cluster.as_deref())?;
    let group = with_defaults(group)?;
    let group = serde_json::to_value(&group).map_err(ApiError::internal)?;
    let tags = given_tags(Fault::InvalidParameter, input.tags.as_deref())?;
    let key = ProviderKey {
        scope: call.scope().clone(),
        name: Text::new(name),
    };
    let provider = call
        .transact(move |tx| {
            let before = tx.state().providers.get(&key);
            if before.is_some_and(|before| before.status == ProviderStatus::Active) {
                return Err(client(
                    "A capacity provider with the specified name already exists. Specify a unique \
                     name and try again.",
                ));
            }
            let provider = CapacityProvider {
                key: key.clone(),
                status: ProviderStatus::Active,
                group: group.clone(),
                update: None,
                update_reason: None,
                tags: tags.clone(),
                created_at: tx.now(),
            };
            tx.put_provider(provider.clone());
            Ok(provider)
        })
        .await?;
    Ok(ecs::CreateCapacityProviderResponse {
        capacity_provider: Some(render(&provider, true)?),
    })
}

/// Refuses managed instances, which are machines that AWS starts.
fn check_no_managed<T>(given: Option<&T>) -> Result<(), ApiError> {
    match given {
        None => Ok(()),
        Some(_) => Err(ApiError::client(
            Fault::UnsupportedFeature,
            "Managed instances are not supported in this Region.",
        )),
    }
}

/// A provider of a group is of no one cluster: only managed instances are (reference §2.2).
fn check_no_cluster(given: Option<&str>) -> Result<(), ApiError> {
    if given.is_none_or(str::is_empty) {
        return Ok(());
    }
    Err(invalid(
        "A cluster can only be specified for a capacity provider with managed instances.",
    ))
}

/// The group with the API's defaults filled in.
fn with_defaults(
    given: &ecs::AutoScalingGroupProvider,
) -> Result<ecs::AutoScalingGroupProvider, ApiError> {
    let mut group = given.clone();
    let scaling = group
        .managed_scaling
        .get_or_insert_with(|| ecs::ManagedScaling {
            status: Some(ecs::ManagedScalingStatus::Disabled),
            ..ecs::ManagedScaling::default()
        });
    scaling
        .status
        .get_or_insert(ecs::ManagedScalingStatus::Enabled);
    let target = *scaling.target_capacity.get_or_insert(100);
    let least = *scaling.minimum_scaling_step_size.get_or_insert(1);
    let most = *scaling.maximum_scaling_step_size.get_or_insert(STEP_MAX);
    let warmup = *scaling.instance_warmup_period.get_or_insert(WARMUP_DEFAULT);
    let step = 1..=STEP_MAX;
    if !step.contains(&least) || !step.contains(&most) || least > most {
        return Err(invalid(
            "The minimum or maximum scaling step size value is invalid. Specify a value between 1 \
             and 10000, and a minimum that is no greater than the maximum.",
        ));
    }
    if !(1..=100).contains(&target) || !(0..=STEP_MAX).contains(&warmup) {
        return Err(invalid(
            "The target capacity or instance warmup period value is invalid.",
        ));
    }
    group
        .managed_termination_protection
        .get_or_insert(ecs::ManagedTerminationProtection::Disabled);
    group
        .managed_draining
        .get_or_insert(ecs::ManagedDraining::Enabled);
    Ok(group)
}

fn key_of(scope: &Scope, given: &str) -> Result<ProviderKey, ApiError> {
    let name = if given.starts_with("arn:") {
        own_arn(scope, given, &["capacity-provider"])?.rest
    } else {
        given
    };
    Ok(ProviderKey {
        scope: scope.clone(),
        name: Text::new(name),
    })
}

fn known(state: &State, key: &ProviderKey) -> Result<CapacityProvider, ApiError> {
    let provider = state.providers.get(key);
    let provider = provider.filter(|provider| provider.status == ProviderStatus::Active);
    Ok(CapacityProvider::clone(provider.ok_or_else(|| {
        client("The specified capacity provider does not exist. Specify a valid name or ARN and try again.")
    })?))
}

/// Changes what is given of a provider's group.
pub(crate) async fn update_capacity_provider(
    call: Call,
    input: ecs::UpdateCapacityProviderRequest,
) -> Result<ecs::UpdateCapacityProviderResponse, ApiError> {
    call.check::<op::UpdateCapacityProvider>(&input)?;
    check_no_managed(input.managed_instances_provider.as_ref())?;
    check_no_cluster(input.cluster.as_deref())?;
    let key = key_of(call.scope(), input.name.as_deref().unwrap_or_default())?;
    let update = input
        .auto_scaling_group_provider
        .clone()
        .unwrap_or_default();
    let provider = call
        .transact(move |tx| {
            let mut provider = known(tx.state(), &key)?;
            let group = serde_json::from_value(provider.group.clone());
            let mut group: ecs::AutoScalingGroupProvider = group.map_err(ApiError::internal)?;
            if let Some(given) = update.managed_scaling.clone() {
                let before = group.managed_scaling.take().unwrap_or_default();
                group.managed_scaling = Some(ecs::ManagedScaling {
                    instance_warmup_period: given
                        .instance_warmup_period
                        .or(before.instance_warmup_period),
                    maximum_scaling_step_size: given
                        .maximum_scaling_step_size
                        .or(before.maximum_scaling_step_size),
                    minimum_scaling_step_size: given
                        .minimum_scaling_step_size
                        .or(before.minimum_scaling_step_size),
                    status: given.status.or(before.status),
                    target_capacity: given.target_capacity.or(before.target_capacity),
                });
            }
            if let Some(given) = update.managed_termination_protection.clone() {
                group.managed_termination_protection = Some(given);
            }
            if let Some(given) = update.managed_draining.clone() {
                group.managed_draining = Some(given);
            }
            let group = with_defaults(&group)?;
            provider.group = serde_json::to_value(&group).map_err(ApiError::internal)?;
            provider.update = Some(ProviderUpdate::UpdateComplete);
            provider.update_reason = None;
            tx.put_provider(provider.clone());
            Ok(provider)
        })
        .await?;
    Ok(ecs::UpdateCapacityProviderResponse {
        capacity_provider: Some(render(&provider, true)?),
    })
}

/// Deletes a provider that no cluster uses.
pub(crate) async fn delete_capacity_provider(
    call: Call,
    input: ecs::DeleteCapacityProviderRequest,
) -> Result<ecs::DeleteCapacityProviderResponse, ApiError> {
    call.check::<op::DeleteCapacityProvider>(&input)?;
    check_no_cluster(input.cluster.as_deref())?;
    let given = input.capacity_provider.as_deref().unwrap_or_default();
    let key = key_of(call.scope(), given)?;
    if BUILT_IN_PROVIDERS.contains(&key.name.as_str()) {
        return Err(client(
            "The specified capacity provider is reserved and cannot be deleted.",
        ));
    }
    let provider = call.transact(move |tx| delete(tx, &key)).await?;
    let mut shown = render(&provider, true)?;
    if provider.status == ProviderStatus::Inactive {
        // The answer still shows it on its way out (reference §2.2).
        shown.status = Some(ecs::CapacityProviderStatus::Active);
        shown.update_status = Some("DELETE_IN_PROGRESS".into());
    }
    Ok(ecs::DeleteCapacityProviderResponse {
        capacity_provider: Some(shown),
    })
}

fn delete(tx: &mut Tx<'_>, key: &ProviderKey) -> Result<CapacityProvider, ApiError> {
    let mut provider = known(tx.state(), key)?;
    let user = tx.state().clusters.iter().find(|(cluster, record)| {
        cluster.scope == key.scope
            && record.status == ClusterStatus::Active
            && record.spec.providers.contains(&key.name)
    });
    match user {
        Some((cluster, _)) => {
            provider.update = Some(ProviderUpdate::DeleteFailed);
            provider.update_reason = Some(Text::from(format!(
                "The capacity provider cannot be deleted because it is associated with cluster: \
                 {}. Remove the capacity provider from the cluster and try again.",
                cluster.name
            )));
        }
        None => {
            provider.status = ProviderStatus::Inactive;
            provider.update = Some(ProviderUpdate::DeleteComplete);
            provider.update_reason = None;
        }
    }
    tx.put_provider(provider.clone());
    Ok(provider)
}

/// A provider as the API shows it.
///
/// # Errors
/// A server fault when the saved group does not read.
pub(super) fn render(
    provider: &CapacityProvider,
    tags: bool,
) -> Result<ecs::CapacityProvider, ApiError> {
    let group = serde_json::from_value(provider.group.clone()).map_err(ApiError::internal)?;
    Ok(ecs::CapacityProvider {
        auto_scaling_group_provider: Some(group),
        capacity_provider_arn: Some(provider.key.scope.capacity_provider_arn(&provider.key.name)),
        name: Some(provider.key.name.to_string()),
        status: Some(provider.status.as_str().into()),
        tags: Some(if tags {
            render_tags(&provider.tags)
        } else {
            Vec::new()
        }),
        r#type: Some("EC2_AUTOSCALING".into()),
        update_status: provider.update.map(|update| update.as_str().into()),
        update_status_reason: provider.update_reason.as_ref().map(Text::to_string),
        ..ecs::CapacityProvider::default()
    })
}
