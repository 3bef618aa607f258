//! What a commit saves, and its form in a journal row.
//!
//! A journal row holds `[["task",12,"key",{…}],["task",13,"key",null],…]`. Bodies are copied as
//! they are, never parsed and rendered anew.

use std::borrow::Cow;

pub use berth_state::{Change, Commit, TABLES};
use serde::Deserialize;
use serde_json::value::RawValue;

/// What JSON's punctuation, the table's name and the row take, roughly, beside key and body.
const BYTES_AROUND_A_BODY: usize = 48;

/// The text of a journal row's `changes`.
pub(crate) fn encode(changes: &[Change]) -> String {
    let bytes: usize = changes
        .iter()
        .map(|c| c.key.len() + c.body.as_ref().map_or(4, |b| b.get().len()) + BYTES_AROUND_A_BODY)
        .sum();
    let mut text = String::with_capacity(bytes + 2);
    text.push('[');
    for change in changes {
        if text.len() > 1 {
            text.push(',');
        }
        text.push_str("[\"");
        text.push_str(change.table);
        text.push_str("\",");
        text.push_str(&change.row.to_string());
        text.push(',');
        text.push_str(&serde_json::to_string(&change.key).expect("a string is always valid JSON"));
        text.push(',');
        text.push_str(change.body.as_ref().map_or("null", |body| body.get()));
        text.push(']');
    }
    text.push(']');
    text
}

/// One change as it stands in a journal row.
#[derive(Debug, Deserialize)]
pub(crate) struct JournalledChange<'a>(
    #[serde(borrow)] pub(crate) Cow<'a, str>,
    pub(crate) i64,
    #[serde(borrow)] pub(crate) Cow<'a, str>,
    #[serde(borrow)] &'a RawValue,
);

impl<'a> JournalledChange<'a> {
    /// The record's body; `None` when it was removed.
    pub(crate) fn body(&self) -> Option<&'a RawValue> {
        (self.3.get() != "null").then_some(self.3)
    }
}

/// The changes of one journal row, borrowed from its text.
pub(crate) fn decode(text: &str) -> Result<Vec<JournalledChange<'_>>, serde_json::Error> {
    serde_json::from_str(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_journal_row_reads_back_as_it_was_written() {
        let body = RawValue::from_string(r#"{"name":"we\"b", "n":1.50}"#.to_owned()).unwrap();
        let changes = [
            Change {
                table: "task",
                row: -7,
                key: "a\"\\\n".into(),
                body: Some(body),
            },
            Change {
                table: "cluster",
                row: i64::MAX,
                key: String::new(),
                body: None,
            },
        ];
        let text = encode(&changes);
        assert_eq!(
            text,
            "[[\"task\",-7,\"a\\\"\\\\\\n\",{\"name\":\"we\\\"b\", \"n\":1.50}],\
             [\"cluster\",9223372036854775807,\"\",null]]"
        );
        let read = decode(&text).unwrap();
        assert_eq!(read[0].2, "a\"\\\n");
        assert_eq!(
            read[0].body().unwrap().get(),
            r#"{"name":"we\"b", "n":1.50}"#
        );
        assert!(read[1].body().is_none());
        assert_eq!((read[1].0.as_ref(), read[1].1), ("cluster", i64::MAX));
    }

    #[test]
    fn an_empty_commit_is_an_empty_array() {
        assert_eq!(encode(&[]), "[]");
        assert!(decode("[]").unwrap().is_empty());
    }
}
