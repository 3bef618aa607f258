//! A look at a JSON text before it is parsed: how deep it nests, and whether it holds U+0000.
//!
//! One pass, no allocation. It understands strings and their escapes and nothing else: whether
//! the text is JSON at all is for the parser to say.

/// How deep objects and arrays may nest. The deepest legal ECS request has nine levels; the rest
/// is room for documents, and a bound on the parser's stack.
pub const NESTING_MAX: usize = 64;

/// Why a text is refused before it is parsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// More than [`NESTING_MAX`] levels.
    TooDeep,
    /// U+0000, raw or escaped. Postgres cannot store it in JSON, so it is refused at the door.
    Nul,
}

/// Looks through `text`.
///
/// # Errors
/// The first thing found that no request may hold.
pub fn scan(text: &str) -> Result<(), ScanError> {
    let bytes = text.as_bytes();
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            0 => return Err(ScanError::Nul),
            b'"' => {
                in_string = !in_string;
                if in_string {
                    at += plain_chunks(&bytes[at..]);
                }
            }
            b'\\' if in_string => {
                if bytes[at..].starts_with(b"u0000") {
                    return Err(ScanError::Nul);
                }
                // The escaped character, so that `\"` does not end the string. It is never NUL
                // unseen: a raw one is looked at here.
                if bytes.get(at) == Some(&0) {
                    return Err(ScanError::Nul);
                }
                at += 1;
            }
            b'{' | b'[' if !in_string => {
                depth += 1;
                if depth > NESTING_MAX {
                    return Err(ScanError::TooDeep);
                }
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// How many bytes are looked at together: a width that compiles to a few vector instructions.
const CHUNK: usize = 32;

/// The length of the whole chunks at the beginning of a string in which nothing ends or escapes.
/// Most of a request is ARNs, and this is most of what the scan costs.
fn plain_chunks(bytes: &[u8]) -> usize {
    let ends = |byte: &u8| *byte == 0 || *byte == b'"' || *byte == b'\\';
    let is_plain = |chunk: &&[u8]| !chunk.iter().fold(false, |found, byte| found | ends(byte));
    bytes.chunks_exact(CHUNK).take_while(is_plain).count() * CHUNK
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sixty_four_levels_pass_and_one_more_does_not() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(scan(&nested(64)), Ok(()));
        assert_eq!(scan(&nested(65)), Err(ScanError::TooDeep));
        assert_eq!(
            scan(&format!("{{\"a\":{}}}", nested(64))),
            Err(ScanError::TooDeep)
        );
    }

    #[test]
    fn brackets_within_strings_do_not_count() {
        let text = format!(r#"{{"a":"{}\"{}"}}"#, "[".repeat(100), "{".repeat(100));
        assert_eq!(scan(&text), Ok(()));
    }

    #[test]
    fn nul_is_found_raw_and_escaped() {
        assert_eq!(scan("{\"a\":\"\0\"}"), Err(ScanError::Nul));
        assert_eq!(scan("{\"a\":\"\\\0\"}"), Err(ScanError::Nul));
        assert_eq!(scan(r#"{"a":"x\u0000"}"#), Err(ScanError::Nul));
        assert_eq!(scan(r#"{"a\u0000":1}"#), Err(ScanError::Nul));
        assert_eq!(scan(r#"{"a":"\\\u0000"}"#), Err(ScanError::Nul));
    }

    #[test]
    fn an_escaped_backslash_before_u0000_is_text() {
        assert_eq!(scan(r#"{"a":"\\u0000"}"#), Ok(()));
        assert_eq!(scan(r#"{"a":"\u00001"}"#), Err(ScanError::Nul));
        assert_eq!(scan(r#"{"a":"\u00010"}"#), Ok(()));
    }

    fn depth(value: &serde_json::Value) -> usize {
        match value {
            serde_json::Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
            serde_json::Value::Object(members) => {
                1 + members.values().map(depth).max().unwrap_or(0)
            }
            _ => 0,
        }
    }

    fn holds_nul(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(text) => text.contains('\0'),
            serde_json::Value::Array(items) => items.iter().any(holds_nul),
            serde_json::Value::Object(members) => members
                .iter()
                .any(|(k, v)| k.contains('\0') || holds_nul(v)),
            _ => false,
        }
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let text = prop_oneof![
            "[\\[\\]{}\"\\\\u0a]{0,8}",
            "a{28,70}[\\[\"\\\\\u{0}]?a{0,40}",
            any::<String>()
        ];
        let leaf = prop_oneof![
            text.clone().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            Just(serde_json::Value::Null),
        ];
        leaf.prop_recursive(6, 48, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(text.clone(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_scan_agrees_with_the_parser(value in document(), wraps in 0_usize..70) {
            let mut text = value.to_string();
            for _ in 0..wraps {
                text = format!("[{text}]");
            }
            let expected = if depth(&value) + wraps > NESTING_MAX {
                // Whichever comes first in the text.
                vec![Err(ScanError::TooDeep), Err(ScanError::Nul)]
            } else if holds_nul(&value) {
                vec![Err(ScanError::Nul)]
            } else {
                vec![Ok(())]
            };
            prop_assert!(expected.contains(&scan(&text)), "{text}");
        }

        #[test]
        fn no_text_makes_it_panic(text in any::<String>(), soup in "[\\[\\]{}\"\\\\u0]{0,40}") {
            let _ = scan(&text);
            let _ = scan(&soup);
        }
    }
}
