//! Capacity-provider strategies as requests give them (reference §8, §2.4).

use berth_api::ecs;
use berth_model::capacity_provider::{ProviderKey, ProviderStatus};
use berth_model::cluster::{BUILT_IN_PROVIDERS, StrategyItem};
use berth_model::name::Scope;
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_state::State;

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// The most providers of a cluster, and the most items of a strategy.
pub(crate) const PROVIDERS_MAX: usize = 20;
/// The greatest weight.
const WEIGHT_MAX: u32 = 1000;
/// The greatest base.
const BASE_MAX: u32 = 100_000;

/// A strategy, checked but for whether its providers belong to the cluster; absent numbers are 0.
///
/// # Errors
/// InvalidParameterException for too many items, numbers out of range, a provider given twice and
/// more than one base.
pub(crate) fn parse(
    items: &[ecs::CapacityProviderStrategyItem],
) -> Result<Vec<StrategyItem>, ApiError> {
    if items.len() > PROVIDERS_MAX {
        return Err(invalid(format!(
            "A capacity provider strategy can contain a maximum of {PROVIDERS_MAX} capacity \
             providers."
        )));
    }
    let mut strategy: Vec<StrategyItem> = Vec::with_capacity(items.len());
    for item in items {
        let item = parse_item(item)?;
        if strategy.iter().any(|other| other.provider == item.provider) {
            return Err(invalid(
                "A capacity provider may only be specified once in a strategy.",
            ));
        }
        strategy.push(item);
    }
    if strategy.iter().filter(|item| item.base > 0).count() > 1 {
        return Err(invalid(
            "A capacity provider strategy cannot contain more than one capacity provider with a \
             base value defined.",
        ));
    }
    Ok(strategy)
}

fn parse_item(item: &ecs::CapacityProviderStrategyItem) -> Result<StrategyItem, ApiError> {
    let ecs::CapacityProviderStrategyItem {
        base,
        capacity_provider,
        weight,
    } = item;
    let provider = capacity_provider
        .as_deref()
        .filter(|name| !name.is_empty())
        .ok_or_else(|| invalid("Capacity provider name can not be empty."))?;
    let within = |number: Option<i32>, name: &str, max: u32| {
        let number = u32::try_from(number.unwrap_or(0)).ok();
        let number = number.filter(|number| *number <= max);
        number.ok_or_else(|| invalid(format!("{name} must be between 0 and {max}.")))
    };
    Ok(StrategyItem {
        provider: Text::new(provider),
        weight: within(*weight, "weight", WEIGHT_MAX)?,
        base: within(*base, "base", BASE_MAX)?,
    })
}

/// Whether every provider of the strategy belongs to the cluster.
///
/// # Errors
/// InvalidParameterException when one does not.
pub(crate) fn check_associated(
    strategy: &[StrategyItem],
    providers: &[Text],
) -> Result<(), ApiError> {
    if strategy
        .iter()
        .all(|item| providers.contains(&item.provider))
    {
        return Ok(());
    }
    Err(invalid(
        "The specified capacity provider strategy cannot contain a capacity provider that is not \
         associated with the cluster. Associate the capacity provider with the cluster and try \
         again.",
    ))
}

/// Whether a provider is one of Fargate's.
fn is_fargate(provider: &Text) -> bool {
    BUILT_IN_PROVIDERS.contains(&provider.as_str())
}

/// The launch type of the tasks of a strategy: its providers are all of one kind.
pub(crate) fn launch_type(strategy: &[StrategyItem]) -> LaunchType {
    if strategy.iter().any(|item| is_fargate(&item.provider)) {
        LaunchType::Fargate
    } else {
        LaunchType::Ec2
    }
}

/// Whether every provider of the strategy is in use, and all are of one kind.
///
/// # Errors
/// InvalidParameterException when they are not.
pub(crate) fn check_kinds(
    state: &State,
    scope: &Scope,
    strategy: &[StrategyItem],
) -> Result<(), ApiError> {
    let fargate = strategy.iter().filter(|item| is_fargate(&item.provider));
    let fargate = fargate.count();
    if fargate > 0 && fargate < strategy.len() {
        return Err(invalid(
            "A capacity provider strategy cannot contain a mix of capacity providers using Auto \
             Scaling groups and Fargate providers. Specify one or the other and try again.",
        ));
    }
    for item in strategy.iter().filter(|item| !is_fargate(&item.provider)) {
        let key = ProviderKey {
            scope: scope.clone(),
            name: item.provider.clone(),
        };
        let provider = state.providers.get(&key);
        if provider.is_none_or(|provider| provider.status != ProviderStatus::Active) {
            return Err(invalid(
                "The specified capacity provider was not found. Specify a valid capacity provider \
                 and try again.",
            ));
        }
    }
    Ok(())
}

/// A strategy as the API shows it: every number is there.
pub(crate) fn render(strategy: &[StrategyItem]) -> Vec<ecs::CapacityProviderStrategyItem> {
    let numeral = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let one = |item: &StrategyItem| ecs::CapacityProviderStrategyItem {
        base: Some(numeral(item.base)),
        capacity_provider: Some(item.provider.to_string()),
        weight: Some(numeral(item.weight)),
    };
    strategy.iter().map(one).collect()
}
