//! Structures, enums and faults.

use std::fmt::Write;

use anyhow::{Context, Result, bail};

use super::names;
use super::reach::Reach;
use crate::model::{Kind, Shape, ShapeUse};

/// The Rust type of a shape.
pub(super) fn rust_type(reach: &Reach<'_>, usage: &ShapeUse) -> Result<String> {
    let shape = reach.model.shape(&usage.shape)?;
    Ok(match shape.kind {
        Kind::Structure if shape.document => "::berth_wire::Document".into(),
        Kind::Structure => names::type_name(&usage.shape),
        Kind::String if !shape.values.is_empty() => names::type_name(&usage.shape),
        Kind::String => "String".into(),
        Kind::Integer => "i32".into(),
        Kind::Long => "i64".into(),
        Kind::Float => "f32".into(),
        Kind::Double => "f64".into(),
        Kind::Boolean => "bool".into(),
        Kind::Timestamp if shape.timestamp_format.is_some() => {
            bail!("{} has a timestamp format of its own", usage.shape)
        }
        Kind::Timestamp => "::berth_wire::EpochSeconds".into(),
        Kind::Blob => "::berth_wire::Blob".into(),
        Kind::List => {
            let element = shape.member.as_ref().context("a list without element")?;
            format!("Vec<{}>", rust_type(reach, element)?)
        }
        Kind::Map => {
            let value = shape.value.as_ref().context("a map without value")?;
            format!(
                "::std::collections::BTreeMap<String, {}>",
                rust_type(reach, value)?
            )
        }
    })
}

/// One `structures!` call with the named shapes.
pub(super) fn structures<'a>(
    reach: &Reach<'_>,
    shapes: impl Iterator<Item = (&'a str, &'a Shape)>,
) -> Result<String> {
    let mut text = String::from("crate::shape::structures! {\n");
    for (name, shape) in shapes {
        writeln!(text, "    {} {{", names::type_name(name))?;
        for (member, usage) in &shape.members {
            if usage.location.is_some() || usage.location_name.is_some() {
                bail!("{name}.{member} is not a plain member, which is not supported");
            }
            let mut kind = rust_type(reach, usage)?;
            if holds_itself(reach, name, usage)? {
                kind = format!("Box<{kind}>");
            }
            writeln!(
                text,
                "        {}: {kind} = {member:?},",
                names::field(member)
            )?;
        }
        text.push_str("    }\n");
    }
    text.push_str("}\n");
    Ok(text)
}

/// Whether a structure lies in itself with no list or map in between.
fn holds_itself(reach: &Reach<'_>, name: &str, usage: &ShapeUse) -> Result<bool> {
    let mut seen = vec![usage.shape.as_str()];
    let mut at = 0;
    while let Some(&inner) = seen.get(at) {
        at += 1;
        if inner == name {
            return Ok(true);
        }
        for part in reach.model.shape(inner)?.members.values() {
            if !seen.contains(&part.shape.as_str()) {
                seen.push(&part.shape);
            }
        }
    }
    Ok(false)
}

/// One `enumerations!` call with the named shapes.
pub(super) fn enumerations<'a>(
    shapes: impl Iterator<Item = (&'a str, &'a Shape)>,
) -> Result<String> {
    let mut text = String::from("crate::shape::enumerations! {\n");
    for (name, shape) in shapes {
        writeln!(text, "    {} {{", names::type_name(name))?;
        for (variant, value) in names::variants(&shape.values).iter().zip(&shape.values) {
            writeln!(text, "        {variant} = {value:?},")?;
        }
        text.push_str("    }\n");
    }
    text.push_str("}\n");
    Ok(text)
}

/// The `faults!` call with the errors of the generated operations.
pub(super) fn faults(reach: &Reach<'_>) -> Result<String> {
    let mut text = String::from("crate::shape::faults! {\n");
    for name in &reach.errors {
        let shape = reach.model.shape(name)?;
        let stated = shape.error.as_ref();
        let code = stated
            .and_then(|error| error.code.as_deref())
            .unwrap_or(name);
        let usual = if shape.fault { 500 } else { 400 };
        let status = stated.map_or(usual, |error| error.http_status_code);
        writeln!(text, "    {} = ({code:?}, {status}),", names::fault(name))?;
    }
    text.push_str("}\n");
    Ok(text)
}
