//! Writing answers.
//!
//! A page of 100 described tasks is 150 kB of JSON, most of it member names and ARNs. serde looks
//! at each byte of a name to escape it and knows nothing ahead; here names are written as they
//! were quoted at compile time, and a text that needs no escape is copied whole, which halves
//! the time. The bytes are those that serde would write: a test compares them for every operation.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use crate::{Blob, EpochSeconds};

/// A value that can be written as JSON.
pub trait WriteJson {
    /// Appends the value.
    fn write_json(&self, out: &mut Vec<u8>);
}

/// An object under construction.
pub struct Members<'a> {
    out: &'a mut Vec<u8>,
    separator: Option<u8>,
}

impl<'a> Members<'a> {
    /// Begins the object.
    pub fn open(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            separator: None,
        }
    }

    /// Writes a member that is present. `name` is in quotes already, with its colon.
    #[must_use]
    pub fn member<T: WriteJson>(mut self, name: &'static str, value: &Option<T>) -> Self {
        if let Some(value) = value {
            self.out.extend(self.separator);
            self.separator = Some(b',');
            self.out.extend_from_slice(name.as_bytes());
            value.write_json(self.out);
        }
        self
    }

    /// Ends the object.
    pub fn close(self) {
        self.out.push(b'}');
    }
}

/// How many bytes are looked at together: a width that compiles to a few vector instructions.
const CHUNK: usize = 32;

impl WriteJson for str {
    fn write_json(&self, out: &mut Vec<u8>) {
        let escaped = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
        let is_plain = self.as_bytes().chunks(CHUNK).all(|chunk| {
            !chunk
                .iter()
                .fold(false, |found, byte| found | escaped(byte))
        });
        if is_plain {
            out.reserve(self.len() + 2);
            out.push(b'"');
            out.extend_from_slice(self.as_bytes());
            out.push(b'"');
        } else {
            write_with_serde(self, out);
        }
    }
}

/// For what is rare or has no faster way.
fn write_with_serde<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    serde_json::to_writer(out, value).expect("scalars and JSON values go into a Vec");
}

impl WriteJson for String {
    fn write_json(&self, out: &mut Vec<u8>) {
        self.as_str().write_json(out);
    }
}

impl WriteJson for bool {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(if *self { b"true" } else { b"false" });
    }
}

macro_rules! with_serde {
    ($($scalar:ty),*) => {$(
        impl WriteJson for $scalar {
            fn write_json(&self, out: &mut Vec<u8>) {
                write_with_serde(self, out);
            }
        }
    )*};
}

with_serde!(i32, i64, f32, f64, EpochSeconds, Blob, Value);

impl<T: WriteJson> WriteJson for Box<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        (**self).write_json(out);
    }
}

impl<T: WriteJson> WriteJson for Vec<T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (index, element) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            element.write_json(out);
        }
        out.push(b']');
    }
}

impl<T: WriteJson> WriteJson for BTreeMap<String, T> {
    fn write_json(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            key.write_json(out);
            out.push(b':');
            value.write_json(out);
        }
        out.push(b'}');
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written<T: WriteJson + ?Sized>(value: &T) -> String {
        let mut out = Vec::new();
        value.write_json(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn members_that_are_absent_leave_no_comma() {
        let mut out = Vec::new();
        Members::open(&mut out)
            .member("\"a\":", &None::<i32>)
            .member("\"b\":", &Some(1))
            .member("\"c\":", &None::<i32>)
            .member("\"d\":", &Some(vec![true, false]))
            .close();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            r#"{"b":1,"d":[true,false]}"#
        );
    }

    proptest! {
        #[test]
        fn texts_are_written_as_serde_writes_them(
            text in prop_oneof![any::<String>(), "[a-z\"\\\\\u{0}-\u{20}é]{0,80}", "[ -~]{0,80}"],
        ) {
            prop_assert_eq!(written(text.as_str()), serde_json::to_string(&text).unwrap());
        }

        #[test]
        fn collections_are_written_as_serde_writes_them(
            map in prop::collection::btree_map(any::<String>(), prop::collection::vec(any::<f64>(), 0..3), 0..4),
        ) {
            prop_assert_eq!(written(&map), serde_json::to_string(&map).unwrap());
        }
    }
}
