//! How a message becomes text and back: `{"type": "<name>", "message": {…}}`, one to a frame.
//!
//! A type that is not known is an answer (each enum has an `Unknown` variant), because a newer
//! peer may send it. A known type with a wrong JSON type inside is an error: the stock agent
//! drops such a message whole (reference §3.2).

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The longest frame taken from a peer, in bytes. A page of metrics is at most 1 MiB
/// (reference §6.3) and travels with a header block of under 4 KiB; payloads are cut below this
/// by the server's batch size.
pub const MESSAGE_BYTES_MAX: usize = 2 * 1024 * 1024;

/// The deepest nesting taken from a peer. Amazon's deepest message has about 12 levels; the API
/// side of the server allows 64, and so does this.
pub const NESTING_MAX: usize = 64;

/// Why a frame is not a message.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Longer than [`MESSAGE_BYTES_MAX`].
    #[error("message of {0} bytes is too long")]
    TooLong(usize),
    /// Nested deeper than [`NESTING_MAX`].
    #[error("message is nested too deeply")]
    TooDeep,
    /// Not JSON, or not an object with `type` and `message`.
    #[error("not a message envelope")]
    Envelope(#[source] serde_json::Error),
    /// A known type whose content does not fit.
    #[error("bad content in message {kind}")]
    Content {
        /// The message's type.
        kind: String,
        /// What does not fit.
        #[source]
        source: serde_json::Error,
    },
}

#[derive(Deserialize)]
struct EnvelopeIn<'a> {
    #[serde(rename = "type", borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct EnvelopeOut<'a, T> {
    #[serde(rename = "type")]
    kind: &'a str,
    message: &'a T,
}

/// A frame taken apart as far as its type.
pub(crate) struct Opened<'a> {
    kind: Cow<'a, str>,
    message: &'a str,
}

impl Opened<'_> {
    pub(crate) fn kind(&self) -> &str {
        &self.kind
    }

    pub(crate) fn content<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        serde_json::from_str(self.message).map_err(|source| DecodeError::Content {
            kind: self.kind.to_string(),
            source,
        })
    }
}

/// Checks a frame's size and depth and finds its type.
pub(crate) fn open(text: &str) -> Result<Opened<'_>, DecodeError> {
    if text.len() > MESSAGE_BYTES_MAX {
        return Err(DecodeError::TooLong(text.len()));
    }
    if deeper_than(text, NESTING_MAX) {
        return Err(DecodeError::TooDeep);
    }
    let envelope: EnvelopeIn<'_> = serde_json::from_str(text).map_err(DecodeError::Envelope)?;
    Ok(Opened {
        kind: envelope.kind,
        // Go leaves an empty message out or writes null; both mean "no fields".
        message: envelope
            .message
            .map(RawValue::get)
            .filter(|raw| *raw != "null")
            .unwrap_or("{}"),
    })
}

/// The text of a message.
pub(crate) fn seal<T: Serialize>(kind: &str, message: &T) -> String {
    serde_json::to_string(&EnvelopeOut { kind, message })
        .expect("message types hold only strings, numbers, lists and string-keyed maps")
}

/// Whether any value lies deeper than `limit` brackets. Looks at brackets outside strings alone;
/// whether it is JSON at all is for the parser to say.
fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut quoted, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'{' | b'[' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

/// Declares the messages of one direction of one channel, with `decode` and `encode`.
macro_rules! messages {
    (
        $(#[$outer:meta])*
        pub enum $name:ident { $( $(#[$inner:meta])* $kind:ident($content:ty), )* }
    ) => {
        $(#[$outer])*
        #[derive(Clone, Debug, PartialEq)]
        pub enum $name {
            $( $(#[$inner])* $kind($content), )*
            /// A type that this version does not know, by its name.
            Unknown(String),
        }

        impl $name {
            /// Reads one frame.
            ///
            /// # Errors
            /// When the frame is too long, too deep, no envelope, or has a known type whose
            /// content does not fit.
            pub fn decode(text: &str) -> Result<Self, $crate::envelope::DecodeError> {
                let opened = $crate::envelope::open(text)?;
                Ok(match opened.kind() {
                    $( stringify!($kind) => Self::$kind(opened.content()?), )*
                    other => Self::Unknown(other.to_owned()),
                })
            }

            /// The text of the frame.
            #[must_use]
            pub fn encode(&self) -> String {
                match self {
                    $( Self::$kind(message) => {
                        $crate::envelope::seal(stringify!($kind), message)
                    } )*
                    Self::Unknown(kind) => {
                        $crate::envelope::seal(kind, &serde_json::Map::new())
                    }
                }
            }

            /// The message's type as it stands on the wire.
            #[must_use]
            pub fn kind(&self) -> &str {
                match self {
                    $( Self::$kind(_) => stringify!($kind), )*
                    Self::Unknown(kind) => kind,
                }
            }
        }
    };
}
pub(crate) use messages;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_inside_strings_do_not_nest() {
        assert!(!deeper_than(r#"{"a":"[[[[\"[[["}"#, 1));
        assert!(deeper_than("[[]]", 1));
        assert!(!deeper_than(&"[]".repeat(100), 1));
    }

    #[test]
    fn a_frame_too_long_or_too_deep_is_refused_before_it_is_parsed() {
        let long = "x".repeat(MESSAGE_BYTES_MAX + 1);
        assert!(matches!(open(&long), Err(DecodeError::TooLong(_))));
        let deep = format!(r#"{{"type":"T","message":{}}}"#, "[".repeat(100_000));
        assert!(matches!(open(&deep), Err(DecodeError::TooDeep)));
    }

    #[test]
    fn type_may_stand_after_message_and_message_may_be_null() {
        let opened = open(r#"{"message":{"a":1},"type":"T"}"#).expect("an envelope");
        assert_eq!((opened.kind(), opened.message), ("T", r#"{"a":1}"#));
        let opened = open(r#"{"type":"T","message":null}"#).expect("an envelope");
        assert_eq!(opened.message, "{}");
    }
}
