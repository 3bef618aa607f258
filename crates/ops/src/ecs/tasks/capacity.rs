//! On what kind of capacity tasks run: launch types and capacity-provider strategies
//! (reference §2.4, §2.7, §8).

use berth_api::ecs;
use berth_model::cluster::{Cluster, StrategyItem};
use berth_model::definition::DefinitionFacts;
use berth_model::task::LaunchType;
use berth_model::text::Text;
use berth_state::State;

use crate::ecs::fault::invalid;
use crate::ecs::strategy;
use crate::error::ApiError;

/// What `LATEST` and an absent platform version mean on Linux (reference §3.2).
pub(crate) const PLATFORM_LATEST: &str = "1.4.0";
/// Platform versions that are accepted by name.
const PLATFORMS: [&str; 2] = ["1.3.0", PLATFORM_LATEST];

/// The capacity of one call's tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Capacity {
    /// All of one launch type.
    Launch(LaunchType),
    /// Split over the providers of a strategy, which are all Fargate's or all groups of instances.
    Strategy(Vec<StrategyItem>),
}

impl Capacity {
    /// The launch type of the tasks.
    pub(crate) fn launch_type(&self) -> LaunchType {
        match self {
            Self::Launch(launch) => *launch,
            Self::Strategy(items) => strategy::launch_type(items),
        }
    }

    /// The provider of each of `count` tasks; none without a strategy.
    pub(crate) fn split(&self, count: usize) -> Vec<Option<Text>> {
        match self {
            Self::Launch(_) => vec![None; count],
            Self::Strategy(items) => split(items, count).into_iter().map(Some).collect(),
        }
    }
}

/// What the request, or else its cluster, says of capacity.
///
/// # Errors
/// InvalidParameterException for what cannot be, or does not go with the definition.
pub(crate) fn parse_capacity(
    state: &State,
    cluster: &Cluster,
    facts: &DefinitionFacts,
    launch_type: Option<&ecs::LaunchType>,
    strategy: Option<&[ecs::CapacityProviderStrategyItem]>,
) -> Result<Capacity, ApiError> {
    let capacity = parse_any(state, cluster, launch_type, strategy)?;
    check_supported(facts, capacity.launch_type())?;
    Ok(capacity)
}

/// What the request, or else its cluster, says of capacity, whatever is to run there.
///
/// # Errors
/// InvalidParameterException for what cannot be.
pub(crate) fn parse_any(
    state: &State,
    cluster: &Cluster,
    launch_type: Option<&ecs::LaunchType>,
    strategy: Option<&[ecs::CapacityProviderStrategyItem]>,
) -> Result<Capacity, ApiError> {
    let items = strategy.filter(|items| !items.is_empty());
    Ok(match (launch_type, items) {
        (Some(_), Some(_)) => {
            return Err(invalid(
                "Specifying both a launch type and capacity provider strategy is not supported. \
                 Remove one and try again.",
            ));
        }
        (Some(launch), None) => Capacity::Launch(parse_launch_type(launch)?),
        (None, Some(items)) => Capacity::Strategy(parse_strategy(state, cluster, items)?),
        (None, None) if !cluster.spec.default_strategy.is_empty() => {
            Capacity::Strategy(cluster.spec.default_strategy.clone())
        }
        (None, None) => Capacity::Launch(LaunchType::Ec2),
    })
}

/// Whether the definition can run on this launch type.
///
/// # Errors
/// InvalidParameterException when it cannot.
pub(crate) fn check_supported(facts: &DefinitionFacts, launch: LaunchType) -> Result<(), ApiError> {
    let supported = facts
        .compatibilities
        .iter()
        .any(|kind| *kind == launch.as_str());
    if supported {
        return Ok(());
    }
    Err(invalid(format!(
        "Task definition does not support launch_type {}.",
        launch.as_str()
    )))
}

/// A launch type that tasks can be started with.
///
/// # Errors
/// InvalidParameterException for one that Berth has no capacity of.
pub(crate) fn parse_launch_type(given: &ecs::LaunchType) -> Result<LaunchType, ApiError> {
    match given {
        ecs::LaunchType::Ec2 => Ok(LaunchType::Ec2),
        ecs::LaunchType::Fargate => Ok(LaunchType::Fargate),
        ecs::LaunchType::External => Ok(LaunchType::External),
        ecs::LaunchType::ManagedInstances | ecs::LaunchType::Unknown(_) => Err(invalid(
            "launch type should be one of [EC2,FARGATE,EXTERNAL]",
        )),
    }
}

fn parse_strategy(
    state: &State,
    cluster: &Cluster,
    items: &[ecs::CapacityProviderStrategyItem],
) -> Result<Vec<StrategyItem>, ApiError> {
    let parsed = strategy::parse(items)?;
    strategy::check_associated(&parsed, &cluster.spec.providers)?;
    strategy::check_kinds(state, &cluster.key.scope, &parsed)?;
    if parsed.iter().all(|item| item.weight == 0) {
        return Err(invalid(
            "There are no capacity providers in the capacity provider strategy with a weight \
             value greater than zero. Specify a weight value greater than zero and try again.",
        ));
    }
    Ok(parsed)
}

/// Bases are filled first; what remains goes one by one to the provider that has had the least
/// for its weight, the earlier among equals (reference §8).
fn split(items: &[StrategyItem], count: usize) -> Vec<Text> {
    let mut chosen = Vec::with_capacity(count);
    for item in items {
        let room = (count - chosen.len()).min(item.base as usize);
        chosen.extend(std::iter::repeat_n(item.provider.clone(), room));
    }
    let mut beyond_base = vec![0_u64; items.len()];
    while chosen.len() < count {
        let weighted = items.iter().enumerate().filter(|(_, item)| item.weight > 0);
        // a/w < b/v without fractions; `min_by` keeps the first among equals.
        let next = weighted.min_by(|(a, x), (b, y)| {
            let left = beyond_base[*a] * u64::from(y.weight);
            left.cmp(&(beyond_base[*b] * u64::from(x.weight)))
        });
        let Some((at, item)) = next else { break };
        beyond_base[at] += 1;
        chosen.push(item.provider.clone());
    }
    chosen
}

/// The platform version that a task of this launch type shows.
///
/// # Errors
/// InvalidParameterException for one that is given without Fargate, PlatformUnknownException for
/// one that there is not.
pub(crate) fn resolve_platform(
    launch: LaunchType,
    given: Option<&str>,
) -> Result<Option<Text>, ApiError> {
    let given = given.filter(|version| !version.is_empty());
    match (launch, given) {
        (LaunchType::Ec2 | LaunchType::External, Some(_)) => Err(invalid(format!(
            "The platform version must be null when specifying an {} launch type.",
            launch.as_str()
        ))),
        (LaunchType::Ec2 | LaunchType::External, None) => Ok(None),
        (LaunchType::Fargate, None | Some("LATEST")) => Ok(Some(PLATFORM_LATEST.into())),
        (LaunchType::Fargate, Some(version)) if PLATFORMS.contains(&version) => {
            Ok(Some(version.into()))
        }
        (LaunchType::Fargate, Some(_)) => Err(ApiError::client(
            ecs::Fault::PlatformUnknown,
            "The specified platform does not exist.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(items: &[(&str, u32, u32)], count: usize) -> String {
        let items: Vec<StrategyItem> = items
            .iter()
            .map(|(provider, weight, base)| StrategyItem {
                provider: (*provider).into(),
                weight: *weight,
                base: *base,
            })
            .collect();
        let chosen = split(&items, count);
        chosen.iter().map(Text::as_str).collect::<Vec<_>>().join("")
    }

    #[test]
    fn bases_come_first_and_weights_share_the_rest() {
        assert_eq!(shares(&[("a", 1, 2), ("b", 3, 0)], 6), "aaabbb");
        assert_eq!(shares(&[("a", 1, 0), ("b", 1, 0)], 5), "ababa");
        assert_eq!(shares(&[("a", 0, 1), ("b", 1, 0)], 3), "abb");
    }

    #[test]
    fn a_base_beyond_the_count_takes_everything() {
        assert_eq!(shares(&[("a", 1, 100_000), ("b", 1, 0)], 2), "aa");
    }
}
