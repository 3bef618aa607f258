//! Reading a table by COPY: an answer of text and numbers without a round of decoding per row.
//!
//! The form is that of "COPY … (FORMAT binary)" in the manual: a header, then rows of a count of
//! fields and each field's length and bytes, then the count -1.

use crate::error::{StoreError, damaged};

const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// The header's flags, and the length of its extension.
const FLAGS_BYTES: usize = 4;

/// Finds rows of three fields in what COPY sends, however it is cut into messages.
#[derive(Debug, Default)]
pub(super) struct CopiedRows {
    bytes: Vec<u8>,
    /// What was handed out already.
    start: usize,
    header_read: bool,
}

/// A row of a table.
#[derive(Debug, PartialEq)]
pub(super) struct CopiedRow<'a> {
    pub(super) row: i64,
    pub(super) key: &'a [u8],
    pub(super) body: &'a [u8],
}

impl CopiedRows {
    /// Takes a message.
    pub(super) fn feed(&mut self, message: &[u8]) {
        self.bytes.drain(..self.start);
        self.start = 0;
        self.bytes.extend_from_slice(message);
    }

    /// The next row; `None` until more was fed.
    pub(super) fn next_row(&mut self) -> Result<Option<CopiedRow<'_>>, StoreError> {
        if !self.header_read {
            let Some(length) = header(&self.bytes[self.start..])? else {
                return Ok(None);
            };
            self.start += length;
            self.header_read = true;
        }
        let Some((row, length)) = row(&self.bytes[self.start..])? else {
            return Ok(None);
        };
        self.start += length;
        Ok(Some(row))
    }
}

/// How long the header is; `None` when it is not all there.
fn header(bytes: &[u8]) -> Result<Option<usize>, StoreError> {
    let known = bytes.len().min(SIGNATURE.len());
    if bytes[..known] != SIGNATURE[..known] {
        return Err(damaged("the database's copy of a table has no header"));
    }
    let mut rest = bytes.get(SIGNATURE.len() + FLAGS_BYTES..).unwrap_or(&[]);
    let Some(extension) = take(&mut rest).map(u32::from_be_bytes) else {
        return Ok(None);
    };
    let extension = usize::try_from(extension).unwrap_or(usize::MAX);
    let length = bytes.len() - rest.len();
    Ok((rest.len() >= extension).then_some(length + extension))
}

/// The first row and how long it is; `None` when it is not all there, or the end.
fn row(bytes: &[u8]) -> Result<Option<(CopiedRow<'_>, usize)>, StoreError> {
    const END: i16 = -1;
    const FIELDS: i16 = 3;
    let strange = || damaged("the database's copy of a table is not of the form asked for");
    let mut rest = bytes;
    match take(&mut rest).map(i16::from_be_bytes) {
        None | Some(END) => return Ok(None),
        Some(FIELDS) => {}
        Some(_) => return Err(strange()),
    }
    let mut fields = [&[][..]; 3];
    for field in &mut fields {
        let Some(length) = take(&mut rest).map(i32::from_be_bytes) else {
            return Ok(None);
        };
        // No column of these tables is ever NULL, which would be -1.
        let length = usize::try_from(length).map_err(|_| strange())?;
        let Some((head, tail)) = rest.split_at_checked(length) else {
            return Ok(None);
        };
        (*field, rest) = (head, tail);
    }
    let [number, key, body] = fields;
    let row = i64::from_be_bytes(number.try_into().map_err(|_| strange())?);
    let length = bytes.len() - rest.len();
    Ok(Some((CopiedRow { row, key, body }, length)))
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn copied(rows: &[(i64, &str, &str)]) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([0; 4]);
        bytes.extend(2_u32.to_be_bytes());
        bytes.extend(b"??");
        for (row, key, body) in rows {
            bytes.extend(3_i16.to_be_bytes());
            for field in [&row.to_be_bytes()[..], key.as_bytes(), body.as_bytes()] {
                bytes.extend(i32::try_from(field.len()).unwrap().to_be_bytes());
                bytes.extend(field);
            }
        }
        bytes.extend((-1_i16).to_be_bytes());
        bytes
    }

    #[test]
    fn rows_are_found_wherever_messages_are_cut() {
        let rows = [(1, "a", "{}"), (-2, "", "[1,2]"), (i64::MAX, "c", "x")];
        let bytes = copied(&rows);
        for size in 1..bytes.len() {
            let mut copied = CopiedRows::default();
            let mut found = Vec::new();
            for message in bytes.chunks(size) {
                copied.feed(message);
                while let Some(CopiedRow { row, key, body }) = copied.next_row().unwrap() {
                    let text = |bytes| String::from_utf8(Vec::from(bytes)).unwrap();
                    found.push((row, text(key), text(body)));
                }
            }
            let expected = rows.map(|(row, key, body)| (row, key.to_owned(), body.to_owned()));
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn another_form_is_refused() {
        let mut copied = CopiedRows::default();
        copied.feed(b"PGCOPX");
        assert!(copied.next_row().is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let mut copied = CopiedRows { header_read: true, ..CopiedRows::default() };
            copied.feed(&bytes);
            while let Ok(Some(_)) = copied.next_row() {}
        }
    }
}
