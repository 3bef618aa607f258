//! The cluster query language, in which `memberOf` constraints and the filter of
//! ListContainerInstances are written (reference §6.4).
//!
//! ```text
//! attribute:ecs.instance-type =~ t2.* and not (task:group == service:database)
//! ```
//!
//! Rules kept here:
//! - reading and matching never panic and take bounded time and stack, whatever the text: its
//!   length and nesting are limited, and patterns run in linear time on automata of limited size;
//! - a comparison with something that the instance does not have is false, `!=` included; to ask
//!   for absence there are `not_exists` and `not`.
//!
//! Where the reference is silent:
//! - quoted text ends at the next quote of its kind, and has no escapes;
//! - an attribute without a value compares as empty text;
//! - `task:group` has no order, so `>` and its like are refused for it;
//! - `registeredAt` is compared in whole seconds unless the argument has a fraction.
//!
//! `matches` takes the syntax of the `regex` crate. Against Java's: there are no look-around,
//! back-references, possessive quantifiers or `\Q…\E`, which would not run in linear time or are
//! not known to it; and `\d`, `\w`, `\s` know all of Unicode where Java's know ASCII.

mod eval;
mod lex;
mod parse;
mod value;

use std::sync::Arc;

use berth_model::instance::ContainerInstance;
use berth_model::text::Text;
use berth_model::time::Timestamp;

pub use parse::InvalidExpression;

/// The most characters that an expression may have (reference §6.2).
pub const EXPRESSION_LENGTH_MAX: usize = 2000;

/// What an expression can ask about an instance.
pub trait Facts {
    /// Whether its agent is connected.
    fn connected(&self) -> bool;
    /// The agent's version, once known.
    fn agent_version(&self) -> Option<&str>;
    /// The id of its machine: an EC2 instance's, or what takes its place.
    fn machine_id(&self) -> Option<&str>;
    /// When it registered first.
    fn registered_at(&self) -> Timestamp;
    /// How many tasks on it were last seen RUNNING.
    fn running_tasks(&self) -> u32;
    /// The attribute of this name: `None` when absent, `Some(None)` when it has no value.
    fn attribute(&self, name: &str) -> Option<Option<&str>>;
    /// Whether `test` is true of the group of any task on it that is not STOPPED.
    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool;
}

/// The facts of an instance, taken from its record and those of its tasks.
#[derive(Clone, Copy, Debug)]
pub struct InstanceFacts<'a> {
    /// The record.
    pub instance: &'a ContainerInstance,
    /// Whether its agent is connected, which is volatile and not in the record.
    pub connected: bool,
    /// How many tasks on it were last seen RUNNING.
    pub running_tasks: u32,
    /// The groups of the tasks on it that are not STOPPED, in any order, repeated or not.
    pub groups: &'a [Text],
}

impl Facts for InstanceFacts<'_> {
    fn connected(&self) -> bool {
        self.connected
    }

    fn agent_version(&self) -> Option<&str> {
        self.instance.version_info.agent.as_deref()
    }

    fn machine_id(&self) -> Option<&str> {
        self.instance.machine_id.as_deref()
    }

    fn registered_at(&self) -> Timestamp {
        self.instance.registered_at
    }

    fn running_tasks(&self) -> u32 {
        self.running_tasks
    }

    fn attribute(&self, name: &str) -> Option<Option<&str>> {
        self.instance
            .attribute(name)
            .map(|value| value.map(Text::as_str))
    }

    fn any_group(&self, test: &mut dyn FnMut(&str) -> bool) -> bool {
        self.groups.iter().any(|group| test(group))
    }
}

/// A cluster-query expression, read and compiled. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Expression(Arc<eval::Node>);

impl Expression {
    /// Reads an expression.
    ///
    /// # Errors
    ///
    /// When it is not one, or is larger than the limits allow.
    pub fn parse(raw: &str) -> Result<Expression, InvalidExpression> {
        parse::parse(raw).map(|node| Expression(Arc::new(node)))
    }

    /// Whether it is true of an instance.
    #[must_use]
    pub fn matches(&self, facts: &(impl Facts + ?Sized)) -> bool {
        self.0.matches(facts)
    }

    /// Whether its value can change as tasks come and go, the instance staying as it is.
    #[must_use]
    pub(crate) fn depends_on_tasks(&self) -> bool {
        self.0.depends_on_tasks()
    }
}

#[cfg(test)]
mod tests;
