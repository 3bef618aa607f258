//! Events made of Docker's records: records of a long line are put together, and lines of one
//! event where a pattern says where events begin.
//!
//! Events consist of whole records, so that a position between records is one between events.

use bytes::Bytes;
use regex::bytes::Regex;

use super::position::{Mark, Output};

/// The largest event in bytes: CloudWatch's 256 KiB less the 26 bytes that it counts for each.
/// Measured as JSON, so that a batch of events stays below what the server takes in a request,
/// whatever has to be escaped. A record has at most 16 KiB, so it fits even if all of it has.
pub(super) const EVENT_BYTES_MAX: usize = 262_144 - 26;

const NANOS_PER_MILLI: i64 = 1_000_000;

/// What Docker read at once: a line, or 16 KiB of a longer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) output: Output,
    pub(super) nanos: i64,
    /// With the line's end, when the record has it.
    pub(super) bytes: Bytes,
}

/// An event to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Assembled {
    pub(super) output: Output,
    /// The first record's time, in milliseconds since the epoch.
    pub(super) ms: i64,
    pub(super) message: String,
    /// How many bytes the message takes as JSON.
    pub(super) json_bytes: usize,
    /// Its output's mark after it.
    pub(super) mark: Mark,
}

/// What one output has begun.
#[derive(Debug, Default)]
struct Begun {
    bytes: Vec<u8>,
    json_bytes: usize,
    nanos: i64,
    mark: Mark,
    /// Whether records were taken since the last event.
    any: bool,
    /// Whether the last record ended its line.
    line_ended: bool,
}

/// Puts events together.
pub(super) struct Assembler {
    begins: Option<Regex>,
    out: Begun,
    err: Begun,
}

impl Assembler {
    /// With a pattern, a line that matches begins an event; without, every line is one.
    pub(super) fn new(begins: Option<Regex>) -> Self {
        Self {
            begins,
            out: Begun::default(),
            err: Begun::default(),
        }
    }

    /// Whether lines wait for the next one, which may belong to them.
    pub(super) fn waits(&self) -> bool {
        self.out.any || self.err.any
    }

    /// Takes a record, `mark` being its output's mark after it, and gives the events that it ends.
    pub(super) fn push(&mut self, record: &Record, mark: Mark) -> Vec<Assembled> {
        let begins = self.begins.as_ref();
        let begun = match record.output {
            Output::Out => &mut self.out,
            Output::Err => &mut self.err,
        };
        let mut events = Vec::new();
        let json_bytes = json_bytes(&record.bytes);
        let full = begun.json_bytes + json_bytes > EVENT_BYTES_MAX;
        let fresh_line = !begun.any || begun.line_ended;
        let next_event = fresh_line && begins.is_some_and(|begins| begins.is_match(&record.bytes));
        if full || next_event {
            events.extend(begun.take(record.output));
        }
        if !begun.any {
            begun.nanos = record.nanos;
            begun.any = true;
        }
        begun.bytes.extend_from_slice(&record.bytes);
        begun.json_bytes += json_bytes;
        begun.mark = mark;
        begun.line_ended = record.bytes.ends_with(b"\n");
        if begun.line_ended && begins.is_none() {
            events.extend(begun.take(record.output));
        }
        events
    }

    /// What is begun becomes events as it is.
    pub(super) fn flush(&mut self) -> Vec<Assembled> {
        let out = self.out.take(Output::Out);
        let err = self.err.take(Output::Err);
        let mut events: Vec<_> = out.into_iter().chain(err).collect();
        events.sort_by_key(|event| event.ms);
        events
    }
}

impl Begun {
    /// The event so far; `None` when it has no text, for CloudWatch takes no empty events.
    fn take(&mut self, output: Output) -> Option<Assembled> {
        let begun = std::mem::take(self);
        let mut bytes = begun.bytes.as_slice();
        bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        // The server's database has no U+0000.
        let message = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
        (!message.is_empty()).then_some(Assembled {
            output,
            ms: begun.nanos / NANOS_PER_MILLI,
            message,
            json_bytes: begun.json_bytes,
            mark: begun.mark,
        })
    }
}

/// How many bytes the text takes in JSON, at most.
fn json_bytes(bytes: &[u8]) -> usize {
    let text = String::from_utf8_lossy(bytes);
    let of_char = |c: char| match c {
        '"' | '\\' | '\n' | '\r' | '\t' => 2,
        c if c.is_ascii_control() => 6,
        c => c.len_utf8(),
    };
    text.chars().map(of_char).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(output: Output, ms: i64, text: &str) -> Record {
        Record {
            output,
            nanos: ms * NANOS_PER_MILLI,
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        }
    }

    /// Events as `<ms> <message>`.
    fn assemble(pattern: Option<&str>, records: &[(Output, i64, &str)]) -> Vec<String> {
        let pattern = pattern.map(|pattern| Regex::new(pattern).unwrap());
        let mut assembler = Assembler::new(pattern);
        let mut events = Vec::new();
        for (output, ms, text) in records {
            let record = record(*output, *ms, text);
            events.extend(assembler.push(&record, Mark::default().after(record.nanos)));
        }
        events.extend(assembler.flush());
        assert!(!assembler.waits());
        events
            .iter()
            .map(|event| format!("{} {}", event.ms, event.message))
            .collect()
    }

    use Output::{Err, Out};

    #[test]
    fn every_line_is_an_event_but_empty_ones() {
        let events = assemble(
            None,
            &[
                (Out, 1, "a\n"),
                (Err, 2, "b\r\n"),
                (Out, 3, "\n"),
                (Out, 4, "c"),
            ],
        );
        assert_eq!(events, ["1 a", "2 b", "4 c"]);
    }

    #[test]
    fn records_of_a_long_line_are_one_event_whatever_comes_between() {
        let events = assemble(
            None,
            &[(Out, 1, "abc"), (Err, 2, "other\n"), (Out, 1, "def\n")],
        );
        assert_eq!(events, ["2 other", "1 abcdef"]);
    }

    #[test]
    fn lines_that_do_not_match_belong_to_the_event_before() {
        let lines = [
            (Out, 1, "  early\n"),
            (Out, 2, "[1] failed\n"),
            (Out, 3, "  at x\n"),
            (Err, 4, "[9] elsewhere\n"),
            (Out, 5, "[2] fine\n"),
        ];
        let events = assemble(Some(r"^\[\d\]"), &lines);
        assert_eq!(
            events,
            [
                "1   early",
                "2 [1] failed\n  at x",
                "4 [9] elsewhere",
                "5 [2] fine"
            ]
        );
    }

    #[test]
    fn an_event_that_grows_too_large_is_cut_between_records() {
        let chunk = "x".repeat(16 * 1024);
        let records: Vec<_> = (0..20).map(|_| (Out, 1, chunk.as_str())).collect();
        let events = assemble(None, &records);
        assert_eq!(events.len(), 2);
        assert!(events.iter().all(|event| event.len() <= EVENT_BYTES_MAX));
        assert_eq!(
            events.iter().map(|event| event.len() - 2).sum::<usize>(),
            20 * 16 * 1024
        );
    }

    #[test]
    fn what_is_no_text_is_replaced_and_measured_as_it_is_sent() {
        let mut assembler = Assembler::new(None);
        let bytes = Bytes::from_static(b"\x01\xff\"\0a\n");
        let record = Record {
            output: Out,
            nanos: 0,
            bytes,
        };
        let event = assembler.push(&record, Mark::default()).remove(0);
        assert_eq!(event.message, "\u{1}\u{fffd}\"\u{fffd}a");
        let json = serde_json::to_string(&event.message).unwrap();
        assert!(event.json_bytes + 2 >= json.len(), "{json}");
    }
}
