//! The words for an input that breaks a constraint of its model.

use std::borrow::Cow;

use berth_wire::{Fault, FaultCode};

use crate::validation::{Constraint, Invalid};

/// How a service refuses an input: from its manifest in `api-models/`.
#[derive(Debug)]
pub struct Refusals {
    /// The usual code.
    pub code: &'static str,
    /// Operations that use another code, sorted.
    pub code_of: &'static [(&'static str, &'static str)],
    /// The words.
    pub form: RefusalForm,
}

/// How a refusal is worded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalForm {
    /// `1 validation error detected: Value '…' at '…' failed to satisfy constraint: …`, the words
    /// of the front end that most services share.
    Constraint,
    /// Amazon ECS checks its inputs in handlers, and words each refusal there: `launch type
    /// should be one of [EC2,FARGATE]`. These are its words for what no handler of ours words.
    Ecs,
}

impl Refusals {
    /// What `operation` answers to a broken constraint.
    #[must_use]
    pub fn fault(&self, operation: &str, invalid: &Invalid) -> Fault {
        let own = self.code_of.iter().find(|(name, _)| *name == operation);
        let code = own.map_or(self.code, |(_, code)| code);
        let message = match self.form {
            RefusalForm::Constraint => in_constraint_form(invalid),
            RefusalForm::Ecs => in_ecs_form(code, invalid),
        };
        Fault::client(
            FaultCode {
                code: Cow::Borrowed(code),
                status: 400,
            },
            message,
        )
    }
}

fn in_constraint_form(invalid: &Invalid) -> String {
    let Invalid {
        path,
        constraint,
        value,
    } = invalid;
    let value = match value {
        Some(value) => format!("'{value}'"),
        None => "null".to_owned(),
    };
    let rule = match constraint {
        Constraint::Required => "Member must not be null".to_owned(),
        Constraint::OneOf(values) => {
            format!(
                "Member must satisfy enum value set: [{}]",
                values.join(", ")
            )
        }
        Constraint::Pattern(pattern) => {
            format!("Member must satisfy regular expression pattern: {pattern}")
        }
        Constraint::LengthMin(min) => {
            format!("Member must have length greater than or equal to {min}")
        }
        Constraint::LengthMax(max) => {
            format!("Member must have length less than or equal to {max}")
        }
        Constraint::Min(min) => format!("Member must have value greater than or equal to {min}"),
        Constraint::Max(max) => format!("Member must have value less than or equal to {max}"),
    };
    format!(
        "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: \
         {rule}"
    )
}

/// What Amazon ECS calls members in such a message, where it is not their name.
const SPOKEN: &[(&str, &str)] = &[
    ("launchType", "launch type"),
    ("schedulingStrategy", "Scheduling strategy"),
];

/// The launch types that Amazon ECS names: one of them, `FMI`, is in no model.
const LAUNCH_TYPES: &str = "EC2,FARGATE,EXTERNAL,FMI,MANAGED_INSTANCES";

fn in_ecs_form(code: &str, invalid: &Invalid) -> String {
    let member = invalid.path.member();
    let name = capitalized(member);
    match invalid.constraint {
        // The task-definition operations, which answer with ClientException, say it so:
        // `Family should not be null or empty.`
        Constraint::Required if code == "ClientException" => {
            format!("{name} should not be null or empty.")
        }
        Constraint::Required => format!("{name} can not be blank."),
        Constraint::OneOf(values) => {
            let spoken = SPOKEN.iter().find(|(name, _)| *name == member);
            let name = spoken.map_or(member, |(_, spoken)| spoken);
            let values = values.join(",");
            let values = if member == "launchType" {
                LAUNCH_TYPES
            } else {
                &values
            };
            format!("{name} should be one of [{values}]")
        }
        Constraint::Pattern(pattern) => {
            let value = invalid.value.as_deref().unwrap_or_default();
            format!("{name} must match {pattern}, but was {value}")
        }
        Constraint::LengthMin(1) => format!("{name} can not be empty."),
        Constraint::LengthMin(min) => format!("{name} must not be shorter than {min}."),
        Constraint::LengthMax(max) => format!("{name} must not be longer than {max}."),
        Constraint::Min(min) => format!("{name} must not be less than {min}."),
        Constraint::Max(max) => format!("{name} must not be greater than {max}."),
    }
}

/// `taskDefinition` as `TaskDefinition`.
fn capitalized(member: &str) -> String {
    let mut characters = member.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).collect()
}
