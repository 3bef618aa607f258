//! A compiled expression, and whether it is true of an instance.

use std::cmp::Ordering;

use regex::Regex;

use super::Facts;
use super::value::{Instant, Version, attribute_order};

/// A compiled expression. Its depth is bounded by the parser.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Any(Vec<Node>),
    All(Vec<Node>),
    Not(Box<Node>),
    Connected(TextTest),
    AgentVersion(Comparison, Version),
    MachineId(TextTest),
    RegisteredAt(Comparison, Instant),
    RunningTasks(Comparison, u64),
    Attribute(Box<str>, AttributeTest),
    Group(GroupTest),
}

/// An order to hold between what the instance has and the argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

impl Comparison {
    fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::NotEqual => order.is_ne(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
        }
    }
}

/// A test of text that is there.
#[derive(Clone, Debug)]
pub(super) enum TextTest {
    Equals(Box<str>),
    Differs(Box<str>),
    In(Vec<Box<str>>),
    NotIn(Vec<Box<str>>),
    Matches(Regex),
    Mismatches(Regex),
}

impl TextTest {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Equals(wanted) => text == &**wanted,
            Self::Differs(other) => text != &**other,
            Self::In(list) => list.iter().any(|one| text == &**one),
            Self::NotIn(list) => list.iter().all(|one| text != &**one),
            Self::Matches(pattern) => pattern.is_match(text),
            Self::Mismatches(pattern) => !pattern.is_match(text),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) enum AttributeTest {
    Exists,
    IsAbsent,
    Text(TextTest),
    Order(Comparison, Box<str>),
}

#[derive(Clone, Debug)]
pub(super) enum GroupTest {
    Exists,
    IsAbsent,
    Text(TextTest),
}

impl Node {
    pub(super) fn matches(&self, facts: &(impl Facts + ?Sized)) -> bool {
        match self {
            Self::Any(nodes) => nodes.iter().any(|node| node.matches(facts)),
            Self::All(nodes) => nodes.iter().all(|node| node.matches(facts)),
            Self::Not(node) => !node.matches(facts),
            Self::Connected(test) => test.holds(if facts.connected() { "true" } else { "false" }),
            Self::AgentVersion(comparison, wanted) => facts
                .agent_version()
                .and_then(Version::parse_start)
                .is_some_and(|version| comparison.holds(version.order(wanted))),
            Self::MachineId(test) => facts.machine_id().is_some_and(|id| test.holds(id)),
            Self::RegisteredAt(comparison, wanted) => {
                comparison.holds(wanted.order_of(facts.registered_at()))
            }
            Self::RunningTasks(comparison, wanted) => {
                comparison.holds(u64::from(facts.running_tasks()).cmp(wanted))
            }
            Self::Attribute(name, test) => test.holds(facts.attribute(name)),
            Self::Group(GroupTest::Exists) => facts.any_group(&mut |_| true),
            Self::Group(GroupTest::IsAbsent) => !facts.any_group(&mut |_| true),
            Self::Group(GroupTest::Text(test)) => facts.any_group(&mut |group| test.holds(group)),
        }
    }

    pub(super) fn depends_on_tasks(&self) -> bool {
        match self {
            Self::Any(nodes) | Self::All(nodes) => nodes.iter().any(Node::depends_on_tasks),
            Self::Not(node) => node.depends_on_tasks(),
            Self::RunningTasks(..) | Self::Group(_) => true,
            Self::Connected(_)
            | Self::AgentVersion(..)
            | Self::MachineId(_)
            | Self::RegisteredAt(..)
            | Self::Attribute(..) => false,
        }
    }
}

impl AttributeTest {
    fn holds(&self, attribute: Option<Option<&str>>) -> bool {
        let Some(value) = attribute else {
            return matches!(self, Self::IsAbsent);
        };
        let value = value.unwrap_or_default();
        match self {
            Self::Exists => true,
            Self::IsAbsent => false,
            Self::Text(test) => test.holds(value),
            Self::Order(comparison, wanted) => comparison.holds(attribute_order(value, wanted)),
        }
    }
}
