//! `placementConstraints` and `placementStrategy` (reference §6.1, §6.2).

use berth_api::ecs;
use berth_model::definition::DefinitionFacts;
use berth_model::service::PlacementStrategy;
use berth_model::task::{LaunchType, PlacementConstraint};
use berth_model::text::Text;
use berth_placement::{CONSTRAINTS_MAX, Expression, STRATEGIES_MAX, Strategy};

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// Whether what the request says of instances can be, and goes with its definition and launch
/// type.
///
/// # Errors
/// InvalidParameterException when not.
pub(crate) fn check_placing(
    facts: &DefinitionFacts,
    launch: LaunchType,
    constraints: &[ecs::PlacementConstraint],
    strategy: &[ecs::PlacementStrategy],
) -> Result<(), ApiError> {
    if launch == LaunchType::Fargate {
        check_none(strategy, "strategies")?;
        check_none(constraints, "constraints")?;
    }
    parse_strategy(strategy)?;
    if facts.member_of.len() + constraints.len() > CONSTRAINTS_MAX {
        return Err(invalid(format!(
            "Maximum number of constraints is {CONSTRAINTS_MAX}"
        )));
    }
    parse_constraints(constraints)?;
    Ok(())
}

/// The request's constraints.
///
/// # Errors
/// InvalidParameterException for one that cannot be.
pub(crate) fn parse_constraints(
    given: &[ecs::PlacementConstraint],
) -> Result<Vec<PlacementConstraint>, ApiError> {
    given.iter().map(parse_constraint).collect()
}

fn parse_constraint(given: &ecs::PlacementConstraint) -> Result<PlacementConstraint, ApiError> {
    let expression = given.expression.as_deref().unwrap_or_default();
    match &given.r#type {
        Some(ecs::PlacementConstraintType::DistinctInstance) if expression.is_empty() => {
            Ok(PlacementConstraint::DistinctInstance)
        }
        Some(ecs::PlacementConstraintType::DistinctInstance) => Err(invalid(
            "distinctInstance expression should not be specified",
        )),
        Some(ecs::PlacementConstraintType::MemberOf) => {
            Expression::parse(expression)
                .map_err(|error| invalid(format!("Invalid expression '{expression}': {error}")))?;
            Ok(PlacementConstraint::MemberOf(Text::new(expression)))
        }
        None | Some(ecs::PlacementConstraintType::Unknown(_)) => {
            Err(invalid("type should be one of [distinctInstance,memberOf]"))
        }
    }
}

/// The request's strategies, in the spelling that ECS answers with.
///
/// # Errors
/// InvalidParameterException for one that cannot be.
pub(crate) fn parse_strategy(
    given: &[ecs::PlacementStrategy],
) -> Result<Vec<PlacementStrategy>, ApiError> {
    if given.len() > STRATEGIES_MAX {
        return Err(invalid(format!(
            "Maximum number of strategies is {STRATEGIES_MAX}"
        )));
    }
    let parse = |item: &ecs::PlacementStrategy| {
        let kind = item.r#type.as_ref().map(|kind| kind.as_str());
        let strategy = Strategy::parse(kind.unwrap_or_default(), item.field.as_deref())
            .map_err(|error| invalid(error.to_string()))?;
        Ok(PlacementStrategy {
            kind: strategy.kind().into(),
            field: strategy.field().map(Text::from),
        })
    };
    given.iter().map(parse).collect()
}

fn check_none<T>(given: &[T], what: &str) -> Result<(), ApiError> {
    if given.is_empty() {
        return Ok(());
    }
    Err(invalid(format!(
        "Placement {what} are not supported with FARGATE launch type."
    )))
}
