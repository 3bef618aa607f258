//! A service model, reduced to facts: the form kept in `api-models/<service>/model.json`.
//!
//! The same structs read the published model (members not named here, prose above all, fall
//! away) and write ours: one operation or shape per line, sorted, so that a new version of a
//! model reads well as a diff.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// One service.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Model {
    /// Names, version and protocol.
    pub metadata: Metadata,
    /// Every operation, by name.
    pub operations: BTreeMap<String, Operation>,
    /// Every shape, by name.
    pub shapes: BTreeMap<String, Shape>,
    /// How an operation's pages follow each other, by operation.
    pub pagination: BTreeMap<String, Value>,
    /// Waiters, by name.
    pub waiters: BTreeMap<String, Value>,
}

/// What identifies a service on the wire.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct Metadata {
    pub api_version: String,
    pub endpoint_prefix: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub json_version: Option<String>,
    pub protocol: String,
    pub service_full_name: String,
    pub service_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_prefix: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub xml_namespace: Option<String>,
}

/// One operation.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct Operation {
    #[serde(skip_serializing_if = "Http::is_usual")]
    pub http: Http,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<ShapeUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<ShapeUse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ShapeUse>,
    #[serde(skip_serializing_if = "no")]
    pub idempotent: bool,
    #[serde(skip_serializing_if = "no")]
    pub readonly: bool,
    #[serde(skip_serializing_if = "no")]
    pub deprecated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authtype: Option<String>,
}

/// Method and path of an operation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct Http {
    pub method: String,
    pub request_uri: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_code: Option<u16>,
}

impl Http {
    /// `POST /`, as every operation of the JSON and query protocols has it.
    fn is_usual(&self) -> bool {
        self.response_code.is_none()
            && (self.method.is_empty() || self.method == "POST")
            && (self.request_uri.is_empty() || self.request_uri == "/")
    }
}

/// A shape's use as a member, an element, an input, …: its name, and what is said of the use
/// alone. Written as the bare name when nothing is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(from = "ShapeUseForm", into = "ShapeUseForm")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct ShapeUse {
    pub shape: String,
    pub location: Option<String>,
    pub location_name: Option<String>,
    pub result_wrapper: Option<String>,
    pub idempotency_token: bool,
    pub deprecated: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ShapeUseForm {
    Bare(String),
    Full(ShapeUseFields),
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ShapeUseFields {
    shape: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    location_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    result_wrapper: Option<String>,
    #[serde(skip_serializing_if = "no")]
    idempotency_token: bool,
    #[serde(skip_serializing_if = "no")]
    deprecated: bool,
}

impl From<ShapeUseForm> for ShapeUse {
    fn from(form: ShapeUseForm) -> Self {
        match form {
            ShapeUseForm::Bare(shape) => Self {
                shape,
                ..Self::default()
            },
            ShapeUseForm::Full(fields) => Self {
                shape: fields.shape,
                location: fields.location,
                location_name: fields.location_name,
                result_wrapper: fields.result_wrapper,
                idempotency_token: fields.idempotency_token,
                deprecated: fields.deprecated,
            },
        }
    }
}

impl From<ShapeUse> for ShapeUseForm {
    fn from(usage: ShapeUse) -> Self {
        let plain = usage.location.is_none()
            && usage.location_name.is_none()
            && usage.result_wrapper.is_none()
            && !usage.idempotency_token
            && !usage.deprecated;
        if plain {
            return Self::Bare(usage.shape);
        }
        Self::Full(ShapeUseFields {
            shape: usage.shape,
            location: usage.location,
            location_name: usage.location_name,
            result_wrapper: usage.result_wrapper,
            idempotency_token: usage.idempotency_token,
            deprecated: usage.deprecated,
        })
    }
}

/// One shape.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct Shape {
    #[serde(rename = "type")]
    pub kind: Kind,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub members: BTreeMap<String, ShapeUse>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub required: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<ShapeUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<ShapeUse>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<ShapeUse>,
    #[serde(rename = "enum", skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Number>,
    #[serde(skip_serializing_if = "no")]
    pub exception: bool,
    #[serde(skip_serializing_if = "no")]
    pub fault: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorForm>,
    #[serde(skip_serializing_if = "no")]
    pub document: bool,
    #[serde(skip_serializing_if = "no")]
    pub union: bool,
    #[serde(skip_serializing_if = "no")]
    pub sensitive: bool,
    #[serde(skip_serializing_if = "no")]
    pub flattened: bool,
    #[serde(skip_serializing_if = "no")]
    pub eventstream: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp_format: Option<String>,
}

/// What kind of value a shape is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub enum Kind {
    #[default]
    Structure,
    List,
    Map,
    String,
    Integer,
    Long,
    Float,
    Double,
    Boolean,
    Timestamp,
    Blob,
}

/// An error shape's code and status, where the model states them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
#[expect(missing_docs, reason = "the words are those of the published model")]
pub struct ErrorForm {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    pub http_status_code: u16,
    #[serde(skip_serializing_if = "no")]
    pub sender_fault: bool,
}

/// Which operations of a service are generated, and how it words a refused input:
/// `api-models/<service>/manifest.json`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The code of a refused input, and the form of its message.
    pub invalid_input: InvalidInput,
    /// The operations generated.
    pub operations: Vec<String>,
    /// Members that the service answers with and its model does not have, with the names of their
    /// shapes, by structure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub undocumented: BTreeMap<String, BTreeMap<String, String>>,
}

/// How a service words an input that breaks a constraint of its model.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InvalidInput {
    /// The error code, such as `InvalidParameterException`.
    pub code: String,
    /// The form of the message; see `crates/api/src/refusal.rs`.
    pub form: String,
    /// Operations that answer with another code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub code_of: BTreeMap<String, String>,
}

fn no(flag: &bool) -> bool {
    !flag
}

impl Model {
    /// The checked-in form: one entry per line, in the order of the names.
    pub fn render(&self) -> Result<String> {
        let mut text = String::from("{\n\"metadata\":");
        text.push_str(&canonical(&self.metadata)?);
        section(&mut text, "operations", &self.operations)?;
        section(&mut text, "shapes", &self.shapes)?;
        section(&mut text, "pagination", &self.pagination)?;
        section(&mut text, "waiters", &self.waiters)?;
        text.push_str("\n}\n");
        Ok(text)
    }

    /// Adds the members that the manifest knows of and the model does not.
    pub fn with_undocumented(mut self, manifest: &Manifest) -> Result<Self> {
        for (structure, members) in &manifest.undocumented {
            let shape = self.shapes.get_mut(structure);
            let shape = shape.with_context(|| format!("the model has no shape {structure}"))?;
            for (name, member) in members {
                let usage = ShapeUse {
                    shape: member.clone(),
                    ..ShapeUse::default()
                };
                let known = shape.members.insert(name.clone(), usage);
                ensure!(known.is_none(), "the model has {structure}.{name} by now");
            }
        }
        Ok(self)
    }

    /// The shape called `name`.
    pub fn shape(&self, name: &str) -> Result<&Shape> {
        self.shapes
            .get(name)
            .with_context(|| format!("the model has no shape {name}"))
    }
}

fn section<T: Serialize>(
    text: &mut String,
    name: &str,
    entries: &BTreeMap<String, T>,
) -> Result<()> {
    text.push_str(",\n\"");
    text.push_str(name);
    text.push_str("\":{");
    for (index, (key, value)) in entries.iter().enumerate() {
        text.push_str(if index == 0 { "\n" } else { ",\n" });
        text.push_str(&serde_json::to_string(key)?);
        text.push(':');
        text.push_str(&canonical(value)?);
    }
    text.push_str("\n}");
    Ok(())
}

/// JSON with the members of every object sorted. `serde_json::Value` alone does not promise
/// that: another crate of the workspace may switch on insertion order for all of them.
fn canonical<T: Serialize>(value: &T) -> Result<String> {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                let by_name: BTreeMap<_, _> = members.iter().collect();
                Value::Object(
                    by_name
                        .into_iter()
                        .map(|(k, v)| (k.clone(), sorted(v)))
                        .collect(),
                )
            }
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    Ok(serde_json::to_string(&sorted(&serde_json::to_value(
        value,
    )?))?)
}
