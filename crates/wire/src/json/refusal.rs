//! The words for a body that cannot be decoded.
//!
//! AWS's front end names tokens as its parser does (`NUMBER_VALUE`, `Start of list`); serde says
//! `invalid type: integer `5`, expected a string at line 1 column 9`. The table below goes from
//! one to the other; the tests walk every pair, so that a change of serde's words is seen.

use std::borrow::Cow;

use serde_json::error::Category;

use super::{NESTING_MAX, ScanError};
use crate::Fault;

const CODE: &str = "SerializationException";

pub(super) fn not_utf8() -> Fault {
    Fault::client(CODE, "Request body is not valid UTF-8.")
}

pub(super) fn unfit(error: ScanError) -> Fault {
    match error {
        ScanError::TooDeep => Fault::client(
            CODE,
            format!("Request body nests deeper than {NESTING_MAX} levels."),
        ),
        ScanError::Nul => Fault::client(CODE, "Request body must not contain U+0000."),
    }
}

pub(super) fn undecodable(error: &serde_json::Error) -> Fault {
    let text = error.to_string();
    let message = match error.classify() {
        Category::Data => wrong_type(&text),
        Category::Syntax | Category::Eof | Category::Io => None,
    };
    let message = message.unwrap_or_else(|| {
        Cow::Owned(format!(
            "Could not parse request body into json: {}",
            with_place(error, &text)
        ))
    });
    Fault::client(CODE, message)
}

/// serde's text with its place in words of ours, since a line number helps with a file, and a
/// request has one line.
fn with_place(error: &serde_json::Error, text: &str) -> String {
    let bare = text.split(" at line ").next().unwrap_or(text);
    format!("{bare} (line {}, column {})", error.line(), error.column())
}

/// AWS's words for a value of the wrong type, or `None` when `text` tells of something else.
fn wrong_type(text: &str) -> Option<Cow<'static, str>> {
    let rest = text
        .strip_prefix("invalid type: ")
        .or(text.strip_prefix("invalid value: "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let expected = expected.split(" at line ").next()?;
    match expected {
        "a sequence" => return Some("Expected list or null".into()),
        "a map" => return Some("Expected map or null".into()),
        _ => {}
    }
    if found.starts_with("sequence") {
        return Some("Start of list found where not expected".into());
    }
    if found.starts_with("map") {
        return Some("Start of structure or map found where not expected.".into());
    }
    let token = if found.starts_with("string") {
        "STRING_VALUE"
    } else if found == "boolean `true`" {
        "TRUE_VALUE"
    } else if found == "boolean `false`" {
        "FALSE_VALUE"
    } else if found.starts_with("null") {
        "NULL_VALUE"
    } else if found.starts_with("floating point") {
        "DECIMAL_VALUE"
    } else {
        "NUMBER_VALUE"
    };
    let wanted = match expected {
        "a string" => "a String",
        "a boolean" => "a Boolean",
        "i32" => "an Integer",
        "i64" => "a Long",
        "f32" => "a Float",
        "f64" => "a Double",
        "a timestamp" => "a Timestamp",
        // An object where a member holds a structure.
        _ => return Some("Expected structure or null".into()),
    };
    let token = if token == "DECIMAL_VALUE" && !matches!(wanted, "an Integer" | "a Long") {
        "NUMBER_VALUE"
    } else {
        token
    };
    Some(format!("{token} can not be converted to {wanted}").into())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;

    use super::super::decode;
    use crate::EpochSeconds;

    #[track_caller]
    fn check<T: DeserializeOwned + std::fmt::Debug>(body: &str, message: &str) {
        let fault = decode::<BTreeMap<String, T>>(body.as_bytes()).unwrap_err();
        assert_eq!(
            (&*fault.code, fault.status),
            ("SerializationException", 400)
        );
        assert_eq!(fault.message, message, "{body}");
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_as_the_service_names_it() {
        check::<String>(
            r#"{"a":5}"#,
            "NUMBER_VALUE can not be converted to a String",
        );
        check::<String>(
            r#"{"a":-5}"#,
            "NUMBER_VALUE can not be converted to a String",
        );
        check::<String>(
            r#"{"a":1.5}"#,
            "NUMBER_VALUE can not be converted to a String",
        );
        check::<String>(
            r#"{"a":true}"#,
            "TRUE_VALUE can not be converted to a String",
        );
        check::<String>(
            r#"{"a":false}"#,
            "FALSE_VALUE can not be converted to a String",
        );
        check::<String>(r#"{"a":[]}"#, "Start of list found where not expected");
        check::<String>(
            r#"{"a":{}}"#,
            "Start of structure or map found where not expected.",
        );
        check::<i32>(
            r#"{"a":"5"}"#,
            "STRING_VALUE can not be converted to an Integer",
        );
        check::<i32>(
            r#"{"a":5.5}"#,
            "DECIMAL_VALUE can not be converted to an Integer",
        );
        check::<i32>(
            r#"{"a":3000000000}"#,
            "NUMBER_VALUE can not be converted to an Integer",
        );
        check::<i64>(
            r#"{"a":"x, expected y"}"#,
            "STRING_VALUE can not be converted to a Long",
        );
        check::<f64>(
            r#"{"a":"5"}"#,
            "STRING_VALUE can not be converted to a Double",
        );
        check::<f32>(
            r#"{"a":true}"#,
            "TRUE_VALUE can not be converted to a Float",
        );
        check::<bool>(
            r#"{"a":"true"}"#,
            "STRING_VALUE can not be converted to a Boolean",
        );
        check::<bool>(
            r#"{"a":0}"#,
            "NUMBER_VALUE can not be converted to a Boolean",
        );
        check::<Vec<String>>(r#"{"a":"b"}"#, "Expected list or null");
        check::<Vec<String>>(r#"{"a":{}}"#, "Expected list or null");
        check::<Vec<String>>(
            r#"{"a":[null]}"#,
            "NULL_VALUE can not be converted to a String",
        );
        check::<BTreeMap<String, String>>(r#"{"a":"b"}"#, "Expected map or null");
        check::<BTreeMap<String, String>>(r#"{"a":[]}"#, "Expected map or null");
        check::<EpochSeconds>(
            r#"{"a":"x"}"#,
            "STRING_VALUE can not be converted to a Timestamp",
        );
    }

    #[test]
    fn malformed_json_is_refused_with_its_place() {
        for (body, message) in [
            ("{", "EOF while parsing an object (line 1, column 1)"),
            (r#"{"a":}"#, "expected value (line 1, column 6)"),
            (r#"{"a":"b"} x"#, "trailing characters (line 1, column 11)"),
            (
                r#"{"a":"\ud800"}"#,
                "unexpected end of hex escape (line 1, column 13)",
            ),
        ] {
            let message = format!("Could not parse request body into json: {message}");
            check::<String>(body, &message);
        }
    }

    #[test]
    fn bodies_that_no_request_may_have_are_refused() {
        let message = |body: &[u8]| {
            decode::<BTreeMap<String, String>>(body)
                .unwrap_err()
                .message
        };
        assert_eq!(
            message(b"{\"a\":\"\xff\"}"),
            "Request body is not valid UTF-8."
        );
        assert_eq!(
            message(br#"{"a":"\u0000"}"#),
            "Request body must not contain U+0000."
        );
        assert_eq!(
            message("[".repeat(65).as_bytes()),
            "Request body nests deeper than 64 levels."
        );
        let fault = decode::<BTreeMap<String, String>>(&vec![b' '; 1024 * 1024 + 1]).unwrap_err();
        assert_eq!(fault.status, 413);
    }

    #[test]
    fn an_empty_body_is_an_empty_object() {
        for body in ["", " \r\n", "{}"] {
            let decoded: BTreeMap<String, String> = decode(body.as_bytes()).unwrap();
            assert_eq!(decoded, BTreeMap::new());
        }
    }
}
