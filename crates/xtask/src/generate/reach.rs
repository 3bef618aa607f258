//! Which shapes the generated operations reach, and which of those can hold a broken constraint.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};

use crate::model::{Kind, Model, Operation, Shape};

/// The generated part of a model.
pub(super) struct Reach<'a> {
    pub(super) model: &'a Model,
    /// The generated operations, by name.
    pub(super) operations: BTreeMap<&'a str, &'a Operation>,
    /// Every shape below their inputs and outputs.
    pub(super) shapes: BTreeSet<&'a str>,
    /// Every shape below their inputs alone.
    pub(super) inputs: BTreeSet<&'a str>,
    /// The error shapes that they name.
    pub(super) errors: BTreeSet<&'a str>,
    /// The input shapes that have a constraint in them or below.
    pub(super) constrained: BTreeSet<&'a str>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(model: &'a Model, names: &'a [String]) -> Result<Self> {
        let mut operations = BTreeMap::new();
        let (mut shapes, mut inputs) = (BTreeSet::new(), BTreeSet::new());
        let mut errors = BTreeSet::new();
        for name in names {
            let operation = model
                .operations
                .get(name)
                .with_context(|| format!("the model has no operation {name}"))?;
            operations.insert(name.as_str(), operation);
            for usage in operation.input.iter().chain(&operation.output) {
                walk(model, &usage.shape, &mut shapes)?;
            }
            if let Some(usage) = &operation.input {
                walk(model, &usage.shape, &mut inputs)?;
            }
            errors.extend(operation.errors.iter().map(|usage| usage.shape.as_str()));
        }
        let constrained = constrained(model, &inputs)?;
        Ok(Self {
            model,
            operations,
            shapes,
            inputs,
            errors,
            constrained,
        })
    }

    /// The reached shapes of one kind that `fits`, by name.
    pub(super) fn of(
        &self,
        kind: Kind,
        fits: impl Fn(&Shape) -> bool,
    ) -> impl Iterator<Item = (&'a str, &'a Shape)> {
        let named = self
            .shapes
            .iter()
            .filter_map(|name| self.model.shapes.get_key_value(*name));
        named
            .filter(move |(_, shape)| shape.kind == kind && fits(shape))
            .map(|(name, shape)| (name.as_str(), shape))
    }
}

/// Shapes used directly by a shape.
fn below(shape: &Shape) -> impl Iterator<Item = &str> {
    let parts = shape.member.iter().chain(&shape.key).chain(&shape.value);
    shape
        .members
        .values()
        .chain(parts)
        .map(|usage| usage.shape.as_str())
}

fn walk<'a>(model: &'a Model, from: &'a str, seen: &mut BTreeSet<&'a str>) -> Result<()> {
    let mut open = vec![from];
    while let Some(name) = open.pop() {
        if seen.insert(name) {
            let shape = model.shape(name)?;
            ensure!(
                !shape.eventstream,
                "{name} is an event stream, which is not supported"
            );
            open.extend(below(shape));
        }
    }
    Ok(())
}

/// Grows the set until nothing is added, since shapes may hold themselves.
fn constrained<'a>(model: &'a Model, inputs: &BTreeSet<&'a str>) -> Result<BTreeSet<&'a str>> {
    let mut constrained = BTreeSet::new();
    for name in inputs {
        let shape = model.shape(name)?;
        let own = shape.min.is_some()
            || shape.max.is_some()
            || shape.pattern.is_some()
            || !shape.required.is_empty()
            || !shape.values.is_empty();
        if own {
            constrained.insert(*name);
        }
    }
    loop {
        let before = constrained.len();
        for name in inputs {
            if below(model.shape(name)?).any(|part| constrained.contains(part)) {
                constrained.insert(*name);
            }
        }
        if constrained.len() == before {
            return Ok(constrained);
        }
    }
}
