//! What an operation is, and the way from a body to its checked input.

use berth_wire::json::WriteJson;
use berth_wire::query::Form;
use berth_wire::{Fault, json, query};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refusal::Refusals;
use crate::validation::{Path, Validate};

/// An operation of an AWS service.
pub trait Operation {
    /// Its name, as in `X-Amz-Target` or `Action`.
    const NAME: &'static str;
    /// The service it belongs to.
    const SERVICE: &'static Service;
    /// What a caller sends.
    type Input: DeserializeOwned + Serialize + Validate + Send + 'static;
    /// What a caller gets.
    type Output: DeserializeOwned + Serialize + WriteJson + Send + 'static;
}

/// What identifies a service on the wire, and what operations it has.
#[derive(Debug)]
pub struct Service {
    /// The folder of its model, and the name of its module here.
    pub name: &'static str,
    /// AWS's full name.
    pub full_name: &'static str,
    /// The service in a signature's scope.
    pub signing_name: &'static str,
    /// The version of the API, a date.
    pub api_version: &'static str,
    /// How requests and answers are written.
    pub protocol: Protocol,
    /// Every operation of the model, generated or not.
    pub operations: &'static [&'static str],
    /// The operations that have types here.
    pub generated: &'static [&'static str],
    /// How it words an input that breaks a constraint of the model.
    pub refusals: Refusals,
}

/// How a service's requests and answers are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// awsJson 1.1.
    Json {
        /// What stands before the operation in `X-Amz-Target`.
        target_prefix: &'static str,
    },
    /// AWS query.
    Query {
        /// The namespace of answers.
        xml_namespace: &'static str,
    },
}

impl Service {
    /// Whether the service has an operation of this name.
    #[must_use]
    pub fn has(&self, operation: &str) -> bool {
        self.operations.binary_search(&operation).is_ok()
    }
}

/// Decodes a JSON body. Constraints of the model are not checked yet: a handler with a message
/// of its own for one goes first, and then calls [`validate`].
///
/// # Errors
/// `SerializationException` for a body that does not have the input's form.
pub fn decode_json<O: Operation>(body: &[u8]) -> Result<O::Input, Fault> {
    json::decode(body)
}

/// Decodes a form's parameters; see [`decode_json`].
///
/// # Errors
/// `MalformedInput` for parameters that do not have the input's form.
pub fn decode_form<O: Operation>(form: &Form) -> Result<O::Input, Fault> {
    query::decode(form)
}

/// Checks what the model says of an input: required members, enum values, patterns, lengths and
/// ranges.
///
/// # Errors
/// The first constraint broken, as the service words it.
pub fn validate<O: Operation>(input: &O::Input) -> Result<(), Fault> {
    let outcome = input.validate(&mut Path::default());
    outcome.map_err(|invalid| O::SERVICE.refusals.fault(O::NAME, &invalid))
}
