//! Which capacity providers there are, and which a cluster uses.

use std::sync::Arc;

use berth_api::ecs::{self, Fault, op};
use berth_model::capacity_provider::{CapacityProvider, ProviderKey, ProviderStatus};
use berth_model::cluster::{BUILT_IN_PROVIDERS, ClusterSpec};
use berth_model::name::{ClusterKey, Scope};
use berth_model::service::{Service, ServiceCapacity, ServiceStatus};
use berth_model::task::{Desired, LastStatus, Task};
use berth_model::text::Text;
use berth_state::{State, TaskFilter};

use super::{change, groups, is_arn, named_cluster};
use crate::call::Call;
use crate::ecs::fault::invalid;
use crate::ecs::names::{active_cluster, cluster_key, known_cluster, own_arn};
use crate::ecs::paging::{Page, SHORT_PAGE_MAX};
use crate::ecs::strategy::{self, PROVIDERS_MAX};
use crate::error::ApiError;

/// The providers that a cluster is to use.
///
/// # Errors
/// InvalidParameterException for too many, one given twice, and one that does not exist.
pub(super) fn parse(state: &State, scope: &Scope, given: &[String]) -> Result<Vec<Text>, ApiError> {
    if given.len() > PROVIDERS_MAX {
        return Err(invalid(format!(
            "A cluster can contain a maximum of {PROVIDERS_MAX} capacity providers."
        )));
    }
    let mut providers: Vec<Text> = Vec::with_capacity(given.len());
    for name in given {
        let made = ProviderKey {
            scope: scope.clone(),
            name: Text::new(name),
        };
        let made = state.providers.get(&made);
        let made = made.is_some_and(|made| made.status == ProviderStatus::Active);
        if !made && !BUILT_IN_PROVIDERS.contains(&name.as_str()) {
            return Err(invalid(
                "The specified capacity provider was not found. Specify a valid capacity \
                 provider and try again.",
            ));
        }
        let name = Text::new(name);
        if !providers.contains(&name) {
            providers.push(name);
        }
    }
    Ok(providers)
}

/// Replaces a cluster's providers and its default strategy.
pub(crate) async fn put_cluster_capacity_providers(
    call: Call,
    input: ecs::PutClusterCapacityProvidersRequest,
) -> Result<ecs::PutClusterCapacityProvidersResponse, ApiError> {
    let key = named_cluster(&call, input.cluster.as_deref())?;
    call.check::<op::PutClusterCapacityProviders>(&input)?;
    let providers = input.capacity_providers.as_deref().unwrap_or_default();
    let providers = parse(&call.snapshot(), call.scope(), providers)?;
    let items = input.default_capacity_provider_strategy.as_deref();
    let default_strategy = strategy::parse(items.unwrap_or_default())?;
    strategy::check_associated(&default_strategy, &providers)?;
    strategy::check_kinds(&call.snapshot(), call.scope(), &default_strategy)?;
    let cluster = call
        .transact(move |tx| {
            check_unused(tx.state(), &key, &providers)?;
            change(tx, &key, |spec: &mut ClusterSpec| {
                spec.providers = providers.clone();
                spec.default_strategy = default_strategy.clone();
                Ok(())
            })
        })
        .await?;
    Ok(ecs::PutClusterCapacityProvidersResponse {
        cluster: Some(cluster),
    })
}

/// Whether no task that still lives came by a provider that the cluster is to lose, and no service
/// takes its tasks from one.
fn check_unused(state: &State, key: &ClusterKey, kept: &[Text]) -> Result<(), ApiError> {
    let cluster = known_cluster(state, key)?;
    let lost = |provider: &Text| !kept.contains(provider);
    if !cluster.spec.providers.iter().any(lost) {
        return Ok(());
    }
    let uses_lost = |task: &Arc<Task>| {
        task.last != LastStatus::Stopped && task.spec.capacity_provider.as_ref().is_some_and(lost)
    };
    let filter = TaskFilter::default();
    let in_use = state.cluster_row(key).is_some_and(|row| {
        [Desired::Running, Desired::Stopped]
            .into_iter()
            .any(|desired| state.tasks.list(row, desired, &filter, None).any(uses_lost))
    });
    let takes_lost = |service: &Arc<Service>| match &service.spec.capacity {
        ServiceCapacity::Strategy(items) => items.iter().any(|item| lost(&item.provider)),
        ServiceCapacity::Launch(_) => false,
    };
    let mut services = state.services.of_cluster(key, None);
    let in_use = in_use
        || services.any(|service| service.status != ServiceStatus::Inactive && takes_lost(service));
    if in_use {
        return Err(ApiError::client(
            Fault::ResourceInUse,
            "The specified capacity provider is in use and cannot be removed.",
        ));
    }
    Ok(())
}

/// Describes the providers named, or all.
pub(crate) async fn describe_capacity_providers(
    call: Call,
    input: ecs::DescribeCapacityProvidersRequest,
) -> Result<ecs::DescribeCapacityProvidersResponse, ApiError> {
    call.check::<op::DescribeCapacityProviders>(&input)?;
    let cluster = input.cluster.as_deref().filter(|name| !name.is_empty());
    let page = Page::of_request(
        &call.cx,
        format!(
            "DescribeCapacityProviders {} {cluster:?} {:?}",
            call.scope(),
            input.capacity_providers
        ),
        SHORT_PAGE_MAX,
        input.max_results,
        input.next_token.as_deref(),
    )?;
    let state = call.snapshot();
    let tags = ecs::CapacityProviderField::Tags;
    let tags = input.include.iter().flatten().any(|field| *field == tags);
    let own = |key: &ProviderKey| key.scope == *call.scope();
    // Deleted ones are described when they are named.
    let named = input.capacity_providers.clone().unwrap_or_default();
    let listed =
        |made: &CapacityProvider| !named.is_empty() || made.status == ProviderStatus::Active;
    let made = state.providers.iter();
    let made = made.filter(|(key, made)| own(key) && listed(made));
    let mut visible: Vec<Text> = BUILT_IN_PROVIDERS
        .iter()
        .map(|name| (*name).into())
        .collect();
    visible.extend(made.map(|(key, _)| key.name.clone()));
    if let Some(cluster) = cluster {
        let key = cluster_key(call.scope(), Some(cluster))?;
        let used = &active_cluster(&state, &key)?.spec.providers;
        visible.retain(|name| used.contains(name));
    }
    let mut failures = Vec::new();
    if !named.is_empty() {
        let mut wanted = Vec::new();
        for given in &named {
            let name = short_name(call.scope(), given)?;
            match visible.iter().find(|provider| provider.as_str() == name) {
                Some(provider) if wanted.contains(provider) => {}
                Some(provider) => wanted.push(provider.clone()),
                None => failures.push(ecs::Failure {
                    arn: Some(call.scope().capacity_provider_arn(name)),
                    reason: Some("MISSING".to_owned()),
                    detail: None,
                }),
            }
        }
        visible = wanted;
    }
    // The last one of the page before may be gone: what matters is where it stood.
    let place = |name: &str| {
        let is_it = |given: &&String| short_name(call.scope(), given).is_ok_and(|n| n == name);
        let built_in = BUILT_IN_PROVIDERS.iter().position(|known| *known == name);
        let asked = named.iter().position(|given| is_it(&given));
        (asked, built_in.is_none(), built_in, name.to_owned())
    };
    let after = page.after.as_deref().map(place);
    let later = |name: &Text| after.as_ref().is_none_or(|after| place(name) > *after);
    let rest = visible.into_iter().filter(later);
    let (providers, next_token) = page.cut(&call.cx, rest, Text::to_string);
    let mut rendered = Vec::with_capacity(providers.len());
    for name in providers {
        let key = ProviderKey {
            scope: call.scope().clone(),
            name,
        };
        rendered.push(match state.providers.get(&key) {
            Some(made) => groups::render(made, tags)?,
            None => built_in(call.scope(), &key.name),
        });
    }
    Ok(ecs::DescribeCapacityProvidersResponse {
        capacity_providers: Some(rendered),
        failures: Some(failures),
        next_token,
    })
}

fn short_name<'a>(scope: &Scope, given: &'a str) -> Result<&'a str, ApiError> {
    if is_arn(given) {
        return Ok(own_arn(scope, given, &["capacity-provider"])?.rest);
    }
    Ok(given)
}

fn built_in(scope: &Scope, name: &str) -> ecs::CapacityProvider {
    ecs::CapacityProvider {
        capacity_provider_arn: Some(scope.capacity_provider_arn(name)),
        name: Some(name.to_owned()),
        status: Some(ecs::CapacityProviderStatus::Active),
        tags: Some(Vec::new()),
        // The type of a built-in provider is spelled like its name.
        r#type: Some(ecs::CapacityProviderType::from(name)),
        ..ecs::CapacityProvider::default()
    }
}
