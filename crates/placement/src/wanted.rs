//! What a task asks of the instance that it is to run on, put together from its records: for the
//! call that starts it, for the controller that finds it room later, and for whoever explains why
//! there is none, so that all three ask the same.

use berth_model::capacity_provider;
use berth_model::definition::DefinitionFacts;
use berth_model::resources::Demand;
use berth_model::service::PlacementStrategy;
use berth_model::task::{LaunchType, PlacementConstraint, TaskSpec};
use berth_model::text::Text;

use crate::request::Request;
use crate::strategy::Strategy;

/// What a task asks of its instance.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    spec: &'a TaskSpec,
    facts: &'a DefinitionFacts,
    demand: Demand,
    member_of: Vec<Text>,
    strategy: Vec<Strategy>,
}

impl<'a> Wanted<'a> {
    /// What a task of `spec` asks for. `strategy` is its service's, or its own; without any it is
    /// the default of services or of RunTask.
    #[must_use]
    pub fn of(
        spec: &'a TaskSpec,
        facts: &'a DefinitionFacts,
        strategy: &[PlacementStrategy],
    ) -> Self {
        let mut member_of = facts.member_of.clone();
        for constraint in &spec.constraints {
            if let PlacementConstraint::MemberOf(expression) = constraint {
                member_of.push(expression.clone());
            }
        }
        if let Some(provider) = &spec.capacity_provider
            && spec.launch_type != LaunchType::Fargate
        {
            member_of.push(capacity_provider::membership(provider));
        }
        let parse = |one: &PlacementStrategy| {
            Strategy::parse(&one.kind, one.field.as_ref().map(Text::as_str)).ok()
        };
        let mut strategy: Vec<Strategy> = strategy.iter().filter_map(parse).collect();
        if strategy.is_empty() {
            strategy = match spec.service {
                Some(_) => Strategy::service_default(),
                None => Strategy::run_task_default(),
            };
        }
        Self {
            spec,
            facts,
            demand: facts.demand(spec.overrides.as_deref()),
            member_of,
            strategy,
        }
    }

    /// What it takes from its machine.
    #[must_use]
    pub fn demand(&self) -> &Demand {
        &self.demand
    }

    /// Its preferences, in order.
    #[must_use]
    pub fn strategy(&self) -> &[Strategy] {
        &self.strategy
    }

    /// The request for placement: in one of `zones`, where any are given.
    #[must_use]
    pub fn request<'r>(&'r self, zones: Option<&'r [Text]>, seed: u64) -> Request<'r> {
        Request {
            cluster: &self.spec.cluster,
            launch: self.spec.launch_type,
            group: &self.spec.group,
            demand: &self.demand,
            required_attributes: &self.facts.requires_attributes,
            member_of: &self.member_of,
            distinct_instance: self
                .spec
                .constraints
                .contains(&PlacementConstraint::DistinctInstance),
            strategy: &self.strategy,
            zones,
            seed,
        }
    }
}
