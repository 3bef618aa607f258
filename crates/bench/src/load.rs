//! The load: as fast as answers come for throughput, on a fixed schedule for latency.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::clock;
use crate::connection::{Connection, find};

/// Connections of a load that measures throughput.
pub(crate) const CONNECTIONS: usize = 16;
/// Connections of a load on a schedule: enough that a call need not wait for one, up to 160 ms
/// at 400 calls a second. When all are busy, the wait counts as latency.
const SCHEDULED_CONNECTIONS: u64 = 64;
/// How many different faults are told.
const FAULTS_TOLD: usize = 5;

/// What came of a load.
#[derive(Default)]
pub(crate) struct Answers {
    /// Latencies of the good answers, sorted, in microseconds.
    pub(crate) latencies: Vec<u32>,
    /// How long after its time each scheduled call was sent, sorted, in microseconds. It is part
    /// of the latency, and tells whether the generator kept up.
    pub(crate) delays: Vec<u32>,
    /// Calls that were answered with a fault, or not at all, by what was said.
    pub(crate) faults: BTreeMap<String, u64>,
    /// How long the load lasted.
    pub(crate) lasted: Duration,
}

impl Answers {
    /// Good answers.
    pub(crate) fn good(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// All others.
    pub(crate) fn bad(&self) -> u64 {
        self.faults.values().sum()
    }

    /// Good answers a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.good() as f64 / self.lasted.as_secs_f64()
    }

    /// The latency that the share `q` of good answers does not exceed, in milliseconds.
    pub(crate) fn latency_ms(&self, q: f64) -> f64 {
        quantile(&self.latencies, q) / 1000.0
    }

    fn note_fault(&mut self, text: String) {
        if self.faults.contains_key(&text) || self.faults.len() < FAULTS_TOLD {
            *self.faults.entry(text).or_default() += 1;
        } else {
            *self.faults.entry("others".to_owned()).or_default() += 1;
        }
    }

    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.delays.extend(other.delays);
        for (text, count) in other.faults {
            *self.faults.entry(text).or_default() += count;
        }
    }

    fn note(&mut self, connection: &mut Connection, request: &[u8], since: Instant) -> bool {
        match connection.call(request) {
            // What cannot be started is no error of the call, but no success either.
            Ok(answer) if answer.status == 200 && !has_failures(answer.body) => {
                self.latencies.push(micros(since.elapsed()));
                true
            }
            Ok(answer) => {
                let text = String::from_utf8_lossy(answer.body);
                let text: String = text.chars().take(200).collect();
                self.note_fault(format!("{}: {text}", answer.status));
                true
            }
            Err(error) => {
                self.note_fault(format!("{error:#}"));
                false
            }
        }
    }
}

/// Whether a RunTask or DescribeTasks answer has failures: its list stands at the very start or
/// end of the answer, and looking there alone is cheap.
fn has_failures(body: &[u8]) -> bool {
    const NEAR: usize = 256;
    let (first, last) = (
        &body[..NEAR.min(body.len())],
        &body[body.len().saturating_sub(NEAR)..],
    );
    find(first, b"\"failures\":[{").is_some() || find(last, b"\"failures\":[{").is_some()
}

fn micros(duration: Duration) -> u32 {
    u32::try_from(duration.as_micros()).unwrap_or(u32::MAX)
}

/// The value that the share `q` of the sorted values does not exceed; 0 of none.
pub(crate) fn quantile(sorted: &[u32], q: f64) -> f64 {
    let rank = (sorted.len() as f64 * q).ceil() as usize;
    sorted
        .get(rank.saturating_sub(1))
        .copied()
        .map_or(0.0, f64::from)
}

/// Until when calls are sent one after the other.
pub(crate) enum Until<'a> {
    /// For so long.
    Passed(Duration),
    /// Until so many have been answered.
    Answered(u64),
    /// Until told; calls are held back while `hold` says so.
    Told {
        stop: &'a AtomicBool,
        hold: &'a AtomicBool,
    },
}

/// How long a held caller waits before it looks again.
const HELD_FOR: Duration = Duration::from_millis(2);

/// Sends the calls in turn over 16 connections, each as soon as its last answer has come.
///
/// # Errors
/// When the server cannot be reached.
pub(crate) fn as_fast_as_it_goes(
    address: SocketAddr,
    calls: &[Vec<u8>],
    until: &Until<'_>,
) -> Result<Answers> {
    let begun = clock::now();
    let sent = AtomicU64::new(0);
    let goes_on = |number: u64| match until {
        Until::Passed(time) => begun.elapsed() < *time,
        Until::Answered(count) => number < *count,
        Until::Told { stop, hold } => {
            while hold.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                thread::sleep(HELD_FOR);
            }
            !stop.load(Ordering::Relaxed)
        }
    };
    let caller = || -> Result<Answers> {
        let mut connection = Connection::open(address)?;
        let mut answers = Answers::default();
        loop {
            let number = sent.fetch_add(1, Ordering::Relaxed);
            if !goes_on(number) {
                return Ok(answers);
            }
            let call = &calls[number as usize % calls.len()];
            if !answers.note(&mut connection, call, clock::now()) {
                connection = Connection::open(address)?;
            }
        }
    };
    together(CONNECTIONS, begun, caller)
}

/// Sends the calls in turn, `per_second` a second, whatever the answers do; latency counts from
/// when a call should have been sent.
///
/// # Errors
/// When the server cannot be reached.
pub(crate) fn on_schedule(
    address: SocketAddr,
    calls: &[Vec<u8>],
    per_second: u64,
    time: Duration,
) -> Result<Answers> {
    let in_all = time.as_millis() as u64 * per_second / 1000;
    let taken = AtomicU64::new(0);
    // A moment for the connections to be made.
    let begun = clock::now() + Duration::from_millis(200);
    let caller = || -> Result<Answers> {
        let mut connection = Connection::open(address)?;
        let mut answers = Answers::default();
        loop {
            let number = taken.fetch_add(1, Ordering::Relaxed);
            if number >= in_all {
                return Ok(answers);
            }
            let due = begun + Duration::from_nanos(number * 1_000_000_000 / per_second);
            if let Some(early) = due.checked_duration_since(clock::now()) {
                thread::sleep(early);
            }
            answers.delays.push(micros(due.elapsed()));
            let call = &calls[number as usize % calls.len()];
            if !answers.note(&mut connection, call, due) {
                connection = Connection::open(address)?;
            }
        }
    };
    together(SCHEDULED_CONNECTIONS.min(in_all) as usize, begun, caller)
}

/// Runs as many callers at once, and puts together what they have seen.
fn together(
    count: usize,
    begun: Instant,
    caller: impl Fn() -> Result<Answers> + Sync,
) -> Result<Answers> {
    let mut all = Answers::default();
    thread::scope(|scope| {
        let callers: Vec<_> = (0..count).map(|_| scope.spawn(&caller)).collect();
        for caller in callers {
            let answers = caller.join().map_err(|_| anyhow!("a caller panicked"))?;
            all.add(answers?);
        }
        Ok::<(), anyhow::Error>(())
    })?;
    all.lasted = begun.elapsed();
    all.latencies.sort_unstable();
    all.delays.sort_unstable();
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_occurred() {
        let values: Vec<u32> = (1..=100).collect();
        assert_eq!(quantile(&values, 0.5), 50.0);
        assert_eq!(quantile(&values, 0.99), 99.0);
        assert_eq!(quantile(&values, 1.0), 100.0);
        assert_eq!(quantile(&[7], 0.5), 7.0);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }

    #[test]
    fn failures_are_found_at_either_end() {
        let failed = br#"{"failures":[{"reason":"RESOURCE:CPU"}],"tasks":[]}"#;
        assert!(has_failures(failed));
        assert!(!has_failures(br#"{"failures":[],"tasks":[{}]}"#));
        let late = format!("{}{}", "x".repeat(1000), r#""failures":[{"arn":"a"}]}"#);
        assert!(has_failures(late.as_bytes()));
    }
}
