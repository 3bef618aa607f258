//! Filter patterns: terms, quoted terms, `?any` and `-none`.
//!
//! Patterns for JSON (`{…}`), for columns (`[…]`) and regular expressions (`%…%`) are refused.

use std::sync::Arc;

use crate::error::ApiError;
use crate::logs::events::MessageFilter;
use crate::logs::fault::invalid;

/// A parsed pattern.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Pattern {
    /// Every one is in the message.
    all: Vec<String>,
    /// One of them is, unless there are terms that all must be.
    any: Vec<String>,
    /// None is.
    none: Vec<String>,
}

impl Pattern {
    /// Reads a pattern; the empty one takes every message.
    ///
    /// # Errors
    /// InvalidParameterException for what is no pattern, or is of a kind that is not served.
    pub(super) fn parse(raw: &str) -> Result<Pattern, ApiError> {
        let mut rest = raw.trim();
        if rest.starts_with(['{', '[', '%']) {
            return Err(invalid(
                "Invalid filter pattern: patterns for JSON, columns and regular expressions are \
                 not supported.",
            ));
        }
        let mut pattern = Pattern::default();
        while let Some(first) = rest.chars().next() {
            let list = match first {
                '?' => &mut pattern.any,
                '-' => &mut pattern.none,
                _ => &mut pattern.all,
            };
            let term = rest.strip_prefix(['?', '-']).unwrap_or(rest);
            let (term, after) = match term.strip_prefix('"') {
                Some(quoted) => quoted_term(quoted)?,
                None => bare_term(term)?,
            };
            list.push(term);
            rest = after.trim_start();
        }
        Ok(pattern)
    }

    fn matches(&self, message: &str) -> bool {
        let has = |term: &String| message.contains(term.as_str());
        let any = self.any.is_empty() || !self.all.is_empty() || self.any.iter().any(has);
        any && self.all.iter().all(has) && !self.none.iter().any(has)
    }

    /// The pattern as a test; `None` when every message passes.
    pub(super) fn into_filter(self) -> Option<MessageFilter> {
        if self == Pattern::default() {
            return None;
        }
        Some(Arc::new(move |message: &str| self.matches(message)))
    }
}

/// A term up to the next space: letters, digits and underscores.
fn bare_term(raw: &str) -> Result<(String, &str), ApiError> {
    let end = raw.find(char::is_whitespace).unwrap_or(raw.len());
    let (term, rest) = raw.split_at(end);
    let allowed = |c: char| c.is_alphanumeric() || c == '_';
    if term.is_empty() || !term.chars().all(allowed) {
        return Err(invalid(format!("Invalid character(s) in term '{term}'")));
    }
    Ok((term.to_owned(), rest))
}

/// A term up to the closing quote; `\"` and `\\` stand for the characters themselves.
fn quoted_term(raw: &str) -> Result<(String, &str), ApiError> {
    let mut term = String::new();
    let mut characters = raw.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((term, &raw[at + 1..])),
            '\\' => match characters.next() {
                Some((_, escaped @ ('"' | '\\'))) => term.push(escaped),
                Some((_, other)) => term.extend(['\\', other]),
                None => break,
            },
            other => term.push(other),
        }
    }
    Err(invalid(
        "Invalid filter pattern: a quoted term does not end.",
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matched(pattern: &str, messages: &[&str]) -> Vec<bool> {
        let pattern = Pattern::parse(pattern).unwrap();
        messages.iter().map(|m| pattern.matches(m)).collect()
    }

    const LINES: [&str; 3] = ["ERROR 404 not found", "WARN slow", "ERROR: \"quoted\" text"];

    #[test]
    fn every_plain_term_must_be_there_and_case_counts() {
        assert_eq!(matched("ERROR", &LINES), [true, false, true]);
        assert_eq!(matched("ERROR 404", &LINES), [true, false, false]);
        assert_eq!(matched("error", &LINES), [false, false, false]);
        assert_eq!(matched("", &LINES), [true, true, true]);
    }

    #[test]
    fn quoted_terms_hold_spaces_and_quotes() {
        assert_eq!(matched(r#""not found""#, &LINES), [true, false, false]);
        assert_eq!(matched(r#""\"quoted\"""#, &LINES), [false, false, true]);
    }

    #[test]
    fn one_of_the_optional_terms_suffices_and_excluded_ones_rule_out() {
        assert_eq!(matched("?404 ?slow", &LINES), [true, true, false]);
        assert_eq!(matched("ERROR -404", &LINES), [false, false, true]);
        assert_eq!(matched(r#"-"not found""#, &LINES), [false, true, true]);
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for bad in ["a:b", "\"open", "{ $.a = 1 }", "[a, b]", "%x%", "?", "-"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(raw in "\\PC{0,60}", line in "\\PC{0,60}") {
            if let Ok(pattern) = Pattern::parse(&raw) {
                pattern.matches(&line);
            }
        }
    }
}
