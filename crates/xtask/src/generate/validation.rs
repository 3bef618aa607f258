//! The checks of inputs: straight-line code, one function per shape that has a constraint.

use std::fmt::Write;

use anyhow::{Context, Result};
use regex::Regex;
use serde_json::Number;

use super::names;
use super::reach::Reach;
use super::service::{Sources, modules};
use super::types::rust_type;
use crate::model::{Kind, Shape, ShapeUse};

/// Every check has the same form, whatever the type; which are used is for the model to say.
const IMPORTS: &str = "#![allow(clippy::ptr_arg, clippy::useless_conversion, unused_imports)]\n\n\
     use super::*;\n\
     use crate::validation::{self, Invalid, Path, Pattern, Validate};\n\n";

/// The files of `validation/`, and what was left out of them.
pub(super) fn generate(reach: &Reach<'_>) -> Result<Sources> {
    let mut files = Vec::new();
    let mut list = String::new();
    for (module, shapes) in modules(reach) {
        let mut text = String::new();
        for (name, shape) in shapes {
            let is_input = reach
                .operations
                .values()
                .any(|operation| operation.input.as_ref().is_some_and(|i| i.shape == name));
            if is_input || reach.constrained.contains(name) {
                structure(reach, name, shape, &mut text)?;
            }
        }
        if !text.is_empty() {
            writeln!(list, "mod {module};")?;
            files.push((
                format!("validation/{module}.rs"),
                format!("{IMPORTS}{text}"),
            ));
        }
    }
    let mut remarks = Vec::new();
    let mut checks = String::new();
    for name in &reach.inputs {
        let shape = reach.model.shape(name)?;
        let is_scalar = shape.kind != Kind::Structure && shape.values.is_empty();
        if is_scalar && reach.constrained.contains(name) {
            check(reach, name, shape, &mut checks, &mut remarks)?;
        }
    }
    files.push((
        "validation/mod.rs".to_owned(),
        format!("{IMPORTS}{list}\n{checks}"),
    ));
    Ok(Sources { files, remarks })
}

fn structure(reach: &Reach<'_>, name: &str, shape: &Shape, text: &mut String) -> Result<()> {
    let mut body = String::new();
    for (member, usage) in &shape.members {
        let field = names::field(member);
        if shape.required.contains(member) {
            writeln!(
                body,
                "validation::required(&self.{field}, {member:?}, path)?;"
            )?;
        }
        if let Some(check) = check_of(reach, usage)? {
            writeln!(
                body,
                "validation::member(&self.{field}, {member:?}, path, {check})?;"
            )?;
        }
    }
    let name = names::type_name(name);
    let path = if body.is_empty() { "_path" } else { "path" };
    writeln!(
        text,
        "impl Validate for {name} {{\n\
         fn validate(&self, {path}: &mut Path) -> Result<(), Invalid> {{\n{body}Ok(())\n}}\n}}\n"
    )?;
    Ok(())
}

/// The function that checks a value of the shape; `None` when nothing can be wrong with it.
fn check_of(reach: &Reach<'_>, usage: &ShapeUse) -> Result<Option<String>> {
    if !reach.constrained.contains(usage.shape.as_str()) {
        return Ok(None);
    }
    let shape = reach.model.shape(&usage.shape)?;
    Ok(Some(match shape.kind {
        Kind::Structure => "Validate::validate".to_owned(),
        _ if !shape.values.is_empty() => "validation::known".to_owned(),
        _ => format!("check_{}", names::snake(&usage.shape)),
    }))
}

fn check(
    reach: &Reach<'_>,
    name: &str,
    shape: &Shape,
    text: &mut String,
    remarks: &mut Vec<String>,
) -> Result<()> {
    let mut body = String::new();
    let bounds = bounds(shape).with_context(|| format!("the bounds of {name}"))?;
    if let Some(bounds) = bounds {
        let check = match shape.kind {
            Kind::String => format!("length(value, {bounds}, path)"),
            Kind::Blob => format!("count(value.0.len(), {bounds}, path)"),
            Kind::List | Kind::Map => format!("count(value.len(), {bounds}, path)"),
            Kind::Integer | Kind::Long => format!("range(i64::from(*value), {bounds}, path)"),
            Kind::Float | Kind::Double => {
                format!("range_of_fraction(f64::from(*value), {bounds}, path)")
            }
            Kind::Structure | Kind::Boolean | Kind::Timestamp => String::new(),
        };
        writeln!(body, "validation::{check}?;")?;
    }
    if let Some(pattern) = &shape.pattern {
        match expression(pattern) {
            Ok(expression) => {
                let constant = names::constant(name);
                writeln!(
                    text,
                    "static {constant}: Pattern = Pattern::new({pattern:?}, {expression:?});\n"
                )?;
                writeln!(body, "validation::pattern(value, &{constant}, path)?;")?;
            }
            Err(_) => remarks.push(format!("pattern left out of {name}: {pattern}")),
        }
    }
    let parts = [
        ("elements", &shape.member),
        ("keys", &shape.key),
        ("values", &shape.value),
    ];
    for (function, part) in parts {
        let check = part
            .as_ref()
            .map(|part| check_of(reach, part))
            .transpose()?
            .flatten();
        if let Some(check) = check {
            writeln!(body, "validation::{function}(value, path, {check})?;")?;
        }
    }
    let usage = ShapeUse {
        shape: name.to_owned(),
        ..ShapeUse::default()
    };
    let kind = rust_type(reach, &usage)?;
    // A shape whose only constraint is a pattern left out.
    let arguments = if body.is_empty() {
        ["_value", "_path"]
    } else {
        ["value", "path"]
    };
    writeln!(
        text,
        "fn check_{}({}: &{kind}, {}: &mut Path) -> Result<(), Invalid> {{\n{body}Ok(())\n}}\n",
        names::snake(name),
        arguments[0],
        arguments[1],
    )?;
    Ok(())
}

/// The bounds as source text. Lengths have none below zero.
fn bounds(shape: &Shape) -> Result<Option<String>> {
    let whole = |number: &Number| -> Result<i64> {
        let fraction = number.as_f64().filter(|fraction| fraction.fract() == 0.0);
        let whole = number.as_i64().or(fraction.map(|fraction| fraction as i64));
        whole.with_context(|| format!("{number} is not whole"))
    };
    let min = shape.min.as_ref().map(whole).transpose()?;
    let max = shape.max.as_ref().map(whole).transpose()?;
    let is_size = matches!(
        shape.kind,
        Kind::String | Kind::Blob | Kind::List | Kind::Map
    );
    let min = min.filter(|min| !is_size || *min > 0);
    Ok((min.is_some() || max.is_some()).then(|| format!("({min:?}, {max:?})")))
}

/// A model's pattern in our regex engine's words, matching whole texts only.
///
/// The models' patterns are Java's, where `\w`, `\d` and `\S` are about ASCII.
fn expression(pattern: &str) -> Result<String> {
    let mut ours = String::new();
    let mut characters = pattern.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            ours.push(character);
            continue;
        }
        match characters.next() {
            Some('w') => ours.push_str("[0-9A-Za-z_]"),
            Some('d') => ours.push_str("[0-9]"),
            Some('s') => ours.push_str(r"[\t\n\x0b\x0c\r ]"),
            Some('S') => ours.push_str(r"[^\t\n\x0b\x0c\r ]"),
            Some(other) => ours.extend(['\\', other]),
            None => ours.push('\\'),
        }
    }
    let anchored = format!("^(?:{ours})$");
    Regex::new(&anchored)?;
    Ok(anchored)
}
