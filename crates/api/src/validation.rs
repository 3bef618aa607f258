//! Checking a value against the constraints of its model.
//!
//! The generated code says what is checked where; the functions here check it. A value is walked
//! once, in the order of the members' names, and the first broken constraint ends the walk.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::OnceLock;

use regex::Regex;

use crate::shape::Enumeration;

/// A value whose model states constraints.
pub trait Validate {
    /// Checks the value, which stands at `path`.
    ///
    /// # Errors
    /// The first constraint that is broken.
    fn validate(&self, path: &mut Path) -> Result<(), Invalid>;
}

/// Where in an input a value stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Path {
    segments: Vec<Segment>,
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// A member of a structure, by its name on the wire.
    Member(&'static str),
    /// An element of a list, counted from 0.
    Index(usize),
    /// An entry of a map.
    Key(String),
}

impl Path {
    /// The steps from the input down.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The member that the path ends in, elements and entries of it included.
    #[must_use]
    pub fn member(&self) -> &'static str {
        let member = self
            .segments
            .iter()
            .rev()
            .find_map(|segment| match segment {
                Segment::Member(name) => Some(*name),
                Segment::Index(_) | Segment::Key(_) => None,
            });
        member.unwrap_or_default()
    }

    fn within<T>(&mut self, segment: Segment, check: impl FnOnce(&mut Self) -> T) -> T {
        self.segments.push(segment);
        let outcome = check(self);
        self.segments.pop();
        outcome
    }

    fn invalid(&self, constraint: Constraint, value: Option<String>) -> Invalid {
        Invalid {
            path: self.clone(),
            constraint,
            value,
        }
    }
}

impl fmt::Display for Path {
    /// AWS's form: `tags.1.member.key`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, segment) in self.segments.iter().enumerate() {
            if index > 0 {
                f.write_str(".")?;
            }
            match segment {
                Segment::Member(name) => f.write_str(name)?,
                Segment::Index(at) => write!(f, "{}.member", at + 1)?,
                Segment::Key(key) => f.write_str(key)?,
            }
        }
        Ok(())
    }
}

/// A broken constraint.
#[derive(Clone, Debug, PartialEq)]
pub struct Invalid {
    /// Where.
    pub path: Path,
    /// What the model asks for.
    pub constraint: Constraint,
    /// What is there instead; `None` for a member that is not there. Of a list or a map, how many
    /// elements it has.
    pub value: Option<String>,
}

/// A constraint of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constraint {
    /// The member must be there.
    Required,
    /// One of these values.
    OneOf(&'static [&'static str]),
    /// The whole text must match; the pattern in the model's own words.
    Pattern(&'static str),
    /// No fewer characters, elements or entries than this.
    LengthMin(u64),
    /// No more characters, elements or entries than this.
    LengthMax(u64),
    /// A number no less than this.
    Min(i64),
    /// A number no greater than this.
    Max(i64),
}

/// The least and the greatest value allowed.
pub(crate) type Bounds<T> = (Option<T>, Option<T>);

/// A pattern of a model, compiled when it is first used.
pub(crate) struct Pattern {
    /// As the model has it.
    source: &'static str,
    /// As our regex engine has it, anchored at both ends.
    expression: &'static str,
    compiled: OnceLock<Regex>,
}

impl Pattern {
    pub(crate) const fn new(source: &'static str, expression: &'static str) -> Self {
        Self {
            source,
            expression,
            compiled: OnceLock::new(),
        }
    }

    fn is_match(&self, text: &str) -> bool {
        let compile =
            || Regex::new(self.expression).expect("the generator has compiled every pattern");
        self.compiled.get_or_init(compile).is_match(text)
    }
}

/// The member must be there.
pub(crate) fn required<T>(
    value: &Option<T>,
    name: &'static str,
    path: &mut Path,
) -> Result<(), Invalid> {
    match value {
        Some(_) => Ok(()),
        None => path.within(Segment::Member(name), |path| {
            Err(path.invalid(Constraint::Required, None))
        }),
    }
}

/// Checks a member that is there.
pub(crate) fn member<T>(
    value: &Option<T>,
    name: &'static str,
    path: &mut Path,
    check: fn(&T, &mut Path) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    match value {
        Some(value) => path.within(Segment::Member(name), |path| check(value, path)),
        None => Ok(()),
    }
}

/// Checks every element of a list.
pub(crate) fn elements<T>(
    list: &[T],
    path: &mut Path,
    check: fn(&T, &mut Path) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    for (index, element) in list.iter().enumerate() {
        path.within(Segment::Index(index), |path| check(element, path))?;
    }
    Ok(())
}

/// Checks every key of a map.
pub(crate) fn keys<T>(
    map: &BTreeMap<String, T>,
    path: &mut Path,
    check: fn(&String, &mut Path) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    for key in map.keys() {
        path.within(Segment::Key(key.clone()), |path| check(key, path))?;
    }
    Ok(())
}

/// Checks every value of a map.
pub(crate) fn values<T>(
    map: &BTreeMap<String, T>,
    path: &mut Path,
    check: fn(&T, &mut Path) -> Result<(), Invalid>,
) -> Result<(), Invalid> {
    for (key, value) in map {
        path.within(Segment::Key(key.clone()), |path| check(value, path))?;
    }
    Ok(())
}

/// One of an enum's known values.
pub(crate) fn known<E: Enumeration>(value: &E, path: &mut Path) -> Result<(), Invalid> {
    if value.is_known() {
        return Ok(());
    }
    Err(path.invalid(
        Constraint::OneOf(E::VALUES),
        Some(value.as_str().to_owned()),
    ))
}

/// The number of characters of a text.
pub(crate) fn length(text: &str, bounds: Bounds<u64>, path: &mut Path) -> Result<(), Invalid> {
    match broken_size(text.chars().count(), bounds) {
        None => Ok(()),
        Some(constraint) => Err(path.invalid(constraint, Some(text.to_owned()))),
    }
}

/// The number of elements of a list, entries of a map, or bytes.
pub(crate) fn count(size: usize, bounds: Bounds<u64>, path: &mut Path) -> Result<(), Invalid> {
    match broken_size(size, bounds) {
        None => Ok(()),
        Some(constraint) => Err(path.invalid(constraint, Some(size.to_string()))),
    }
}

fn broken_size(size: usize, (min, max): Bounds<u64>) -> Option<Constraint> {
    let size = size as u64;
    match (min, max) {
        (Some(min), _) if size < min => Some(Constraint::LengthMin(min)),
        (_, Some(max)) if size > max => Some(Constraint::LengthMax(max)),
        _ => None,
    }
}

/// The whole text matches.
pub(crate) fn pattern(text: &str, pattern: &Pattern, path: &mut Path) -> Result<(), Invalid> {
    if pattern.is_match(text) {
        return Ok(());
    }
    Err(path.invalid(Constraint::Pattern(pattern.source), Some(text.to_owned())))
}

/// A whole number's value.
pub(crate) fn range(number: i64, bounds: Bounds<i64>, path: &mut Path) -> Result<(), Invalid> {
    match bounds {
        (Some(min), _) if number < min => {
            Err(path.invalid(Constraint::Min(min), Some(number.to_string())))
        }
        (_, Some(max)) if number > max => {
            Err(path.invalid(Constraint::Max(max), Some(number.to_string())))
        }
        _ => Ok(()),
    }
}

/// A fraction's value; the models' bounds are whole.
pub(crate) fn range_of_fraction(
    number: f64,
    bounds: Bounds<i64>,
    path: &mut Path,
) -> Result<(), Invalid> {
    match bounds {
        (Some(min), _) if number < min as f64 => {
            Err(path.invalid(Constraint::Min(min), Some(number.to_string())))
        }
        (_, Some(max)) if number > max as f64 => {
            Err(path.invalid(Constraint::Max(max), Some(number.to_string())))
        }
        _ => Ok(()),
    }
}
