//! A segment's bytes: a header, then records, each with its length and a checksum.
//!
//! ```text
//! segment: "BERTHLG1" record*
//! record:  length u32, crc32 u32 (of the payload), payload
//! payload: 1, sequence u64, timestamp i64, ingested at i64, stream's length u16, stream, message
//!        | 2, sequence u64, stream: its events up to here are deleted
//! ```
//!
//! Numbers are little-endian. A record that is cut short or whose checksum is wrong ends the
//! segment: a crash in the middle of writing leaves such a tail, and nobody was told that it
//! was saved.

/// How a segment begins: what it is, and the version of its form.
pub(super) const HEADER: &[u8; 8] = b"BERTHLG1";

/// Length and checksum.
const FRAME_BYTES: usize = 8;

const EVENT: u8 = 1;
const STREAM_GONE: u8 = 2;

/// One record of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record<'a> {
    Event {
        sequence: u64,
        timestamp: i64,
        ingested_at: i64,
        stream: &'a str,
        message: &'a str,
    },
    StreamGone {
        sequence: u64,
        stream: &'a str,
    },
}

impl Record<'_> {
    /// Appends the record to `out`.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let frame = out.len();
        out.extend_from_slice(&[0; FRAME_BYTES]);
        match self {
            Self::Event {
                sequence,
                timestamp,
                ingested_at,
                stream,
                message,
            } => {
                out.push(EVENT);
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(&timestamp.to_le_bytes());
                out.extend_from_slice(&ingested_at.to_le_bytes());
                let length = u16::try_from(stream.len()).unwrap_or(u16::MAX);
                out.extend_from_slice(&length.to_le_bytes());
                out.extend_from_slice(stream.as_bytes());
                out.extend_from_slice(message.as_bytes());
            }
            Self::StreamGone { sequence, stream } => {
                out.push(STREAM_GONE);
                out.extend_from_slice(&sequence.to_le_bytes());
                out.extend_from_slice(stream.as_bytes());
            }
        }
        let payload = &out[frame + FRAME_BYTES..];
        let length = u32::try_from(payload.len()).expect("messages are bounded far below 4 GiB");
        let checksum = crc32fast::hash(payload);
        out[frame..frame + 4].copy_from_slice(&length.to_le_bytes());
        out[frame + 4..frame + FRAME_BYTES].copy_from_slice(&checksum.to_le_bytes());
    }

    pub(super) fn sequence(&self) -> u64 {
        match self {
            Self::Event { sequence, .. } | Self::StreamGone { sequence, .. } => *sequence,
        }
    }
}

/// The sound records of a segment, in order.
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl<'a> Records<'a> {
    pub(super) fn of(segment: &'a [u8]) -> Self {
        let offset = if segment.starts_with(HEADER) {
            HEADER.len()
        } else {
            0
        };
        let bytes = if offset == 0 { &[] } else { segment };
        Self { bytes, offset }
    }

    /// Records that are yet to be appended to a segment.
    pub(super) fn without_header(records: &'a [u8]) -> Self {
        Self {
            bytes: records,
            offset: 0,
        }
    }

    /// How far the segment is sound: after the last record, the end of it.
    pub(super) fn sound_bytes(&self) -> usize {
        self.offset
    }
}

impl<'a> Iterator for Records<'a> {
    /// The record, and the bytes it takes in the segment.
    type Item = (Record<'a>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = self.bytes.get(self.offset..)?;
        let length = u32::from_le_bytes(take(&mut rest)?);
        let checksum = u32::from_le_bytes(take(&mut rest)?);
        let length = usize::try_from(length).ok()?;
        let payload = rest.get(..length)?;
        if crc32fast::hash(payload) != checksum {
            return None;
        }
        let record = parse(payload)?;
        self.offset += FRAME_BYTES + length;
        Some((record, FRAME_BYTES + length))
    }
}

fn parse(mut payload: &[u8]) -> Option<Record<'_>> {
    let [kind] = take(&mut payload)?;
    let sequence = u64::from_le_bytes(take(&mut payload)?);
    match kind {
        EVENT => {
            let timestamp = i64::from_le_bytes(take(&mut payload)?);
            let ingested_at = i64::from_le_bytes(take(&mut payload)?);
            let length = usize::from(u16::from_le_bytes(take(&mut payload)?));
            let (stream, message) = payload.split_at_checked(length)?;
            let stream = str::from_utf8(stream).ok()?;
            let message = str::from_utf8(message).ok()?;
            Some(Record::Event {
                sequence,
                timestamp,
                ingested_at,
                stream,
                message,
            })
        }
        STREAM_GONE => Some(Record::StreamGone {
            sequence,
            stream: str::from_utf8(payload).ok()?,
        }),
        _ => None,
    }
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

    fn segment() -> Vec<u8> {
        let mut bytes = HEADER.to_vec();
        for record in records() {
            record.write(&mut bytes);
        }
        bytes
    }

    fn records() -> [Record<'static>; 3] {
        [
            Record::Event {
                sequence: 7,
                timestamp: -1,
                ingested_at: i64::MAX,
                stream: "web/1",
                message: "héllo",
            },
            Record::StreamGone {
                sequence: 8,
                stream: "web/2",
            },
            Record::Event {
                sequence: 9,
                timestamp: 0,
                ingested_at: 0,
                stream: "",
                message: "",
            },
        ]
    }

    #[test]
    fn records_read_back_and_a_torn_tail_ends_at_the_last_whole_one() {
        let bytes = segment();
        let ends: Vec<usize> = Records::of(&bytes)
            .scan(HEADER.len(), |end, (_, length)| {
                *end += length;
                Some(*end)
            })
            .collect();
        assert_eq!(ends.last(), Some(&bytes.len()));
        for cut in 0..=bytes.len() {
            let mut read = Records::of(&bytes[..cut]);
            let found: Vec<_> = read.by_ref().map(|(record, _)| record).collect();
            let whole = ends.iter().filter(|end| **end <= cut).count();
            assert_eq!(found, records()[..whole]);
            if cut >= HEADER.len() {
                let end = if whole == 0 {
                    HEADER.len()
                } else {
                    ends[whole - 1]
                };
                assert_eq!(read.sound_bytes(), end);
            }
        }
    }

    proptest! {
        #[test]
        fn damage_is_never_read_as_data(at in 0_usize..100, flip in 1_u8..=255) {
            let mut bytes = segment();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            let found: Vec<_> = Records::of(&bytes).map(|(record, _)| record).collect();
            prop_assert!(found.len() < 3);
            prop_assert_eq!(&found[..], &records()[..found.len()]);
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut segment = HEADER.to_vec();
            segment.extend(bytes);
            Records::of(&segment).for_each(drop);
        }
    }
}
