//! Tags: the checks that every operation with tags makes, and the operations on the tags of
//! things that exist (reference §9.2).

use berth_api::ecs::{self, Fault};
use berth_model::tags::Tags;
use berth_wire::FaultCode;

use crate::error::ApiError;

/// The most tags that users may put on one resource; those of AWS's own are not counted.
const TAGS_MAX: usize = 50;
/// The most characters of a key.
const KEY_LENGTH_MAX: usize = 128;
/// The most characters of a value.
const VALUE_LENGTH_MAX: usize = 256;
/// What the keys of AWS's own tags begin with, in any case.
const RESERVED_PREFIX: &str = "aws:";

/// The tags that a request gives a resource that it makes.
///
/// # Errors
/// The fault `code`, for a tag that cannot be, a key given twice, or too many.
pub(crate) fn given_tags(code: Fault, given: Option<&[ecs::Tag]>) -> Result<Tags, ApiError> {
    let mut tags = Tags::default();
    for tag in given.unwrap_or_default() {
        let (key, value) = checked(code, tag)?;
        if tags.get(key).is_some() {
            return Err(ApiError::client(
                code,
                format!("Duplicate tag keys are not allowed. Key: {key}"),
            ));
        }
        tags.set(key.into(), value.into());
    }
    check_count(code, &tags)?;
    Ok(tags)
}

/// Tags as the API shows them.
pub(crate) fn render_tags(tags: &Tags) -> Vec<ecs::Tag> {
    let one = |(key, value): (&berth_model::text::Text, &berth_model::text::Text)| ecs::Tag {
        key: Some(key.to_string()),
        value: Some(value.to_string()),
    };
    tags.iter().map(one).collect()
}

fn checked(code: Fault, tag: &ecs::Tag) -> Result<(&str, &str), ApiError> {
    let bad = |message: String| ApiError::client(code, message);
    let key = tag.key.as_deref();
    let key = key.ok_or_else(|| bad("Tag key can not be null.".into()))?;
    let value = tag.value.as_deref();
    let value = value.ok_or_else(|| bad("Tag value can not be null.".into()))?;
    check_key(code, key)?;
    if value.chars().count() > VALUE_LENGTH_MAX {
        return Err(bad(format!(
            "Tag value must not be longer than {VALUE_LENGTH_MAX} characters."
        )));
    }
    if !value.chars().all(is_allowed) {
        return Err(bad(format!(
            "Tag value contains invalid characters. Key: {key}"
        )));
    }
    Ok((key, value))
}

/// Whether a key may be put, or taken away.
fn check_key(code: Fault, key: &str) -> Result<(), ApiError> {
    let bad = |message: String| Err(ApiError::client(code, message));
    if key.is_empty() || key.chars().count() > KEY_LENGTH_MAX {
        return bad(format!(
            "Tag key must be between 1 and {KEY_LENGTH_MAX} characters."
        ));
    }
    if !key.chars().all(is_allowed) {
        return bad(format!("Tag key contains invalid characters. Key: {key}"));
    }
    let prefix = key.get(..RESERVED_PREFIX.len());
    if prefix.is_some_and(|prefix| prefix.eq_ignore_ascii_case(RESERVED_PREFIX)) {
        return bad("Tag keys beginning with aws: are reserved for AWS use.".into());
    }
    Ok(())
}

fn check_count(code: impl Into<FaultCode>, tags: &Tags) -> Result<(), ApiError> {
    let reserved = |key: &str| key.starts_with(RESERVED_PREFIX);
    let count = tags.iter().filter(|(key, _)| !reserved(key)).count();
    if count > TAGS_MAX {
        return Err(ApiError::client(
            code,
            format!("The maximum number of tags that you can apply to a resource is {TAGS_MAX}."),
        ));
    }
    Ok(())
}

/// Letters and digits of any script, spaces, and `+ - = . _ : / @`.
fn is_allowed(character: char) -> bool {
    character.is_alphanumeric() || character.is_whitespace() || "+-=._:/@".contains(character)
}
