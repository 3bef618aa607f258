//! One service's files, and the list of services.

use std::fmt::Write;

use anyhow::{Context, Result, bail, ensure};

use super::reach::Reach;
use super::{names, types, validation};
use crate::model::{Kind, Manifest, Model, Shape};

/// The most lines that a file of structures may have before it is split.
const LINES_MAX: usize = 900;

/// A service's files by name, and what is worth saying about them.
pub(super) struct Sources {
    pub(super) files: Vec<(String, String)>,
    pub(super) remarks: Vec<String>,
}

/// What a generated file holds, for its first line.
pub(super) fn holds(file: &str) -> &'static str {
    match file {
        "mod.rs" => "the service",
        "enums.rs" => "enums",
        "faults.rs" => "faults",
        "operations.rs" => "operations",
        "validation/mod.rs" => "the constraints of scalars, lists and maps",
        _ if file.starts_with("validation/") => "the constraints of structures",
        "types/mod.rs" => "structures",
        "types/requests.rs" => "what operations take",
        "types/responses.rs" => "what operations answer",
        _ => "structures that others hold",
    }
}

/// `services/mod.rs`.
pub(super) fn list(services: &[String]) -> String {
    let mut text =
        String::from("//! The services; generated from `api-models/` by `cargo xtask gen`.\n\n");
    for service in services {
        text.push_str(&format!("pub mod {service};\n"));
    }
    text.push_str("\n/// Every service that has types here, by name.\n");
    let all: Vec<String> = services
        .iter()
        .map(|name| format!("&{name}::SERVICE"))
        .collect();
    text.push_str(&format!(
        "pub const SERVICES: &[&crate::Service] = &[{}];\n",
        all.join(", ")
    ));
    text
}

pub(super) fn generate(name: &str, model: &Model, manifest: &Manifest) -> Result<Sources> {
    let reach = Reach::new(model, &manifest.operations)?;
    if model.metadata.protocol == "query" {
        refuse_what_query_cannot_say(&reach)?;
    }
    let mut files = vec![("operations.rs".to_owned(), operations(name, &reach)?)];
    let enums: Vec<_> = reach
        .of(Kind::String, |shape| !shape.values.is_empty())
        .collect();
    if !enums.is_empty() {
        files.push((
            "enums.rs".to_owned(),
            types::enumerations(enums.into_iter())?,
        ));
    }
    if !reach.errors.is_empty() {
        files.push(("faults.rs".to_owned(), types::faults(&reach)?));
    }
    structures(&reach, &mut files)?;
    let checks = validation::generate(&reach)?;
    files.extend(checks.files);
    let text = service(name, model, manifest, &files)?;
    files.push(("mod.rs".to_owned(), text));
    Ok(Sources {
        files,
        remarks: checks.remarks,
    })
}

/// `wire::query` reads and writes strings, structures and lists.
fn refuse_what_query_cannot_say(reach: &Reach<'_>) -> Result<()> {
    for name in &reach.shapes {
        let shape = reach.model.shape(name)?;
        let is_said = matches!(shape.kind, Kind::Structure | Kind::String | Kind::List);
        ensure!(
            is_said && !shape.flattened,
            "{name}: the query protocol here cannot say it"
        );
    }
    Ok(())
}

fn service(
    name: &str,
    model: &Model,
    manifest: &Manifest,
    files: &[(String, String)],
) -> Result<String> {
    let metadata = &model.metadata;
    let protocol = match &*metadata.protocol {
        "json" => {
            let version = metadata.json_version.as_deref();
            ensure!(
                version == Some("1.1"),
                "awsJson {version:?} is not supported"
            );
            let prefix = metadata
                .target_prefix
                .as_deref()
                .context("no target prefix")?;
            format!("crate::Protocol::Json {{ target_prefix: {prefix:?} }}")
        }
        "query" => {
            let namespace = metadata
                .xml_namespace
                .as_deref()
                .context("no XML namespace")?;
            format!("crate::Protocol::Query {{ xml_namespace: {namespace:?} }}")
        }
        other => bail!("the protocol {other} is not supported"),
    };
    let form = match &*manifest.invalid_input.form {
        "constraint" => "Constraint",
        "ecs" => "Ecs",
        other => bail!("no such form of refusals: {other}"),
    };
    let codes: Vec<_> = manifest.invalid_input.code_of.iter().collect();
    let signing_name = metadata
        .signing_name
        .as_ref()
        .unwrap_or(&metadata.endpoint_prefix);
    let mut text = String::from("mod operations;\nmod types;\nmod validation;\n\n");
    for (file, declared) in [
        ("enums.rs", "mod enums;\npub use enums::*;\n"),
        ("faults.rs", "mod faults;\npub use faults::Fault;\n"),
    ] {
        if files.iter().any(|(name, _)| name == file) {
            text.push_str(declared);
        }
    }
    text.push_str(
        "pub use types::*;\n\n\
         /// The generated operations.\npub mod op {\n    pub use super::operations::*;\n}\n\n",
    );
    write!(
        text,
        "/// {full_name}.\npub const SERVICE: crate::Service = crate::Service {{\n\
         name: {name:?},\nfull_name: {full_name:?},\nsigning_name: {signing_name:?},\n\
         api_version: {version:?},\nprotocol: {protocol},\noperations: OPERATIONS,\n\
         generated: GENERATED,\nrefusals: crate::Refusals {{\ncode: {code:?},\n\
         code_of: &{codes:?},\nform: crate::RefusalForm::{form},\n}},\n}};\n\n",
        full_name = metadata.service_full_name,
        version = metadata.api_version,
        code = manifest.invalid_input.code,
    )?;
    let all: Vec<_> = model.operations.keys().collect();
    let mut generated = manifest.operations.clone();
    generated.sort();
    ensure!(
        generated == manifest.operations,
        "the manifest's operations are not sorted"
    );
    write!(
        text,
        "/// Every operation of the model, sorted.\n\
         pub const OPERATIONS: &[&str] = &{all:?};\n\n\
         /// The operations with types, sorted.\n\
         pub const GENERATED: &[&str] = &{generated:?};\n"
    )?;
    Ok(text)
}

fn operations(service: &str, reach: &Reach<'_>) -> Result<String> {
    let mut text = String::from("crate::shape::operations! {\n    super::SERVICE;\n");
    for (name, operation) in &reach.operations {
        ensure!(operation.endpoint.is_none(), "{name} has a host of its own");
        let shape = |usage: &Option<crate::model::ShapeUse>| match usage {
            Some(usage) => format!("super::{}", names::type_name(&usage.shape)),
            None => "crate::Empty".to_owned(),
        };
        let (input, output) = (shape(&operation.input), shape(&operation.output));
        writeln!(text, "    {name}: {input} => {output},")?;
    }
    let all: Vec<&str> = reach.operations.keys().copied().collect();
    write!(
        text,
        "}}\n\n\
         /// Calls the macro `$then` with the names of all generated operations.\n\
         #[macro_export]\nmacro_rules! {service}_operations {{\n\
         ($then:ident) => {{ $then! {{ {} }} }};\n}}\n",
        all.join(", ")
    )?;
    Ok(text)
}

/// Structures by the module that they stand in.
pub(super) type Modules<'a> = Vec<(String, Vec<(&'a str, &'a Shape)>)>;

/// Requests, responses, and the rest in modules of a readable length.
pub(super) fn modules<'a>(reach: &Reach<'a>) -> Modules<'a> {
    let role = |name: &str| {
        let is = |usage: &Option<crate::model::ShapeUse>| {
            usage.as_ref().is_some_and(|usage| usage.shape == name)
        };
        if reach
            .operations
            .values()
            .any(|operation| is(&operation.input))
        {
            "requests"
        } else if reach
            .operations
            .values()
            .any(|operation| is(&operation.output))
        {
            "responses"
        } else {
            "parts"
        }
    };
    let mut modules = Modules::new();
    for kind in ["requests", "responses", "parts"] {
        let all = reach.of(Kind::Structure, |shape| !shape.document);
        let shapes: Vec<_> = all.filter(|(name, _)| role(name) == kind).collect();
        if kind == "parts" {
            modules.extend(split(shapes));
        } else if !shapes.is_empty() {
            modules.push((kind.to_owned(), shapes));
        }
    }
    modules
}

fn structures(reach: &Reach<'_>, files: &mut Vec<(String, String)>) -> Result<()> {
    let modules = modules(reach);
    let mut list = String::new();
    for (module, _) in &modules {
        writeln!(list, "mod {module};")?;
    }
    list.push('\n');
    for (module, _) in &modules {
        writeln!(list, "pub use {module}::*;")?;
    }
    files.push(("types/mod.rs".to_owned(), list));
    for (module, shapes) in modules {
        let text = types::structures(reach, shapes.into_iter())?;
        let imports = "#![allow(unused_imports)]\n\nuse super::super::*;\n\n";
        files.push((format!("types/{module}.rs"), format!("{imports}{text}")));
    }
    Ok(())
}

/// Cuts a sorted list of structures into modules named for the first and the last letter.
fn split<'a>(shapes: Vec<(&'a str, &'a Shape)>) -> Modules<'a> {
    let letter = |name: &str| names::snake(name).chars().next().unwrap_or('x');
    let mut modules: Vec<Vec<(&str, &Shape)>> = Vec::new();
    let mut lines = 0;
    for (name, shape) in shapes {
        let begins_letter = modules
            .last()
            .and_then(|module| module.last())
            .is_none_or(|(last, _)| letter(last) != letter(name));
        if modules.is_empty() || (begins_letter && lines > LINES_MAX / 2) {
            modules.push(Vec::new());
            lines = 0;
        }
        lines += shape.members.len() + 2;
        modules
            .last_mut()
            .expect("one was pushed")
            .push((name, shape));
    }
    let name = |module: &[(&str, &Shape)]| {
        let first = module.first().map_or('x', |(name, _)| letter(name));
        let last = module.last().map_or('x', |(name, _)| letter(name));
        format!("parts_{first}_{last}")
    };
    modules
        .into_iter()
        .map(|module| (name(&module), module))
        .collect()
}
