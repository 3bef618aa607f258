//! RunTask calls at a steady pace, from clients that do not give up: each call has a token of its
//! own, and is repeated with it until the server has acknowledged it.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::call::Caller;

/// Connections: enough that a call which waits for a disk does not hold up the pace.
const CLIENTS: u64 = 12;

/// What came of the calls.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// By token, the tasks that an answer named.
    pub acknowledged: BTreeMap<String, Vec<String>>,
    /// Tokens that were sent at least once, and had no answer yet.
    pub unanswered: VecDeque<String>,
    /// Calls sent, repeats included.
    pub sent: u64,
    /// Answers by what they said: `ok`, a fault's code, a failure's reason, or `none`.
    pub answers: BTreeMap<String, u64>,
}

/// Calls that are being made.
pub struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

struct Shared {
    address: String,
    inputs: fn(u64) -> Value,
    per_second: u64,
    begun: Instant,
    next: AtomicU64,
    stop: AtomicBool,
    tally: Mutex<Tally>,
}

impl Load {
    /// Starts calling: the n-th call is `inputs(n)` with a token of its own, and with the token
    /// as `startedBy`.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "a pace is kept by the real clock"
    )]
    pub fn start(address: &str, per_second: u64, inputs: fn(u64) -> Value) -> Load {
        let shared = Arc::new(Shared {
            address: address.to_owned(),
            inputs,
            per_second,
            begun: Instant::now(),
            next: AtomicU64::new(0),
            stop: AtomicBool::new(false),
            tally: Mutex::default(),
        });
        let client = |_| {
            let shared = shared.clone();
            std::thread::spawn(move || shared.run())
        };
        let clients = (0..CLIENTS).map(client).collect();
        Load { shared, clients }
    }

    /// How many calls were answered with tasks until now.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.shared.tally().acknowledged.len()
    }

    /// Stops calling; what came of it.
    #[must_use]
    pub fn stop(self) -> Tally {
        self.shared.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client does not panic");
        }
        std::mem::take(&mut *self.shared.tally())
    }
}

/// The input of a call with its token.
#[must_use]
pub(crate) fn with_token(mut input: Value, token: &str) -> Value {
    input["clientToken"] = json!(token);
    input["startedBy"] = json!(token);
    input
}

impl Tally {
    /// Repeats every call without an answer, until each has one.
    pub fn settle(&mut self, address: &str, inputs: fn(u64) -> Value) {
        let mut caller = Caller::at(address);
        while let Some(token) = self.unanswered.pop_front() {
            let number = number_of(&token);
            let outcome = caller.ask("RunTask", &with_token(inputs(number), &token));
            self.take(token, outcome);
        }
    }

    fn take(&mut self, token: String, outcome: std::io::Result<crate::raw::Answer>) {
        self.sent += 1;
        let (said, tasks) = match outcome {
            Ok(answer) if answer.status == 200 => {
                let body: Value = serde_json::from_str(&answer.body).expect("an answer is JSON");
                let arns = body["tasks"].as_array().into_iter().flatten();
                let arns: Vec<String> = arns
                    .filter_map(|task| task["taskArn"].as_str().map(str::to_owned))
                    .collect();
                match body["failures"][0]["reason"].as_str() {
                    Some(reason) if arns.is_empty() => (reason.to_owned(), None),
                    _ => ("ok".to_owned(), Some(arns)),
                }
            }
            Ok(answer) => (answer.fault().0, None),
            Err(_) => ("none".to_owned(), None),
        };
        *self.answers.entry(said).or_default() += 1;
        match tasks {
            Some(tasks) => drop(self.acknowledged.insert(token, tasks)),
            None => self.unanswered.push_back(token),
        }
    }
}

fn token(number: u64) -> String {
    format!("call-{number}")
}

fn number_of(token: &str) -> u64 {
    let number = token.strip_prefix("call-").and_then(|n| n.parse().ok());
    number.expect("tokens are made here")
}

impl Shared {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) {
        let mut caller = Caller::at(&self.address);
        while !self.stop.load(Ordering::Relaxed) {
            let turn = self.next.fetch_add(1, Ordering::Relaxed);
            let due = Duration::from_micros(turn * 1_000_000 / self.per_second);
            let early = due.saturating_sub(self.begun.elapsed());
            std::thread::sleep(early);
            // What failed comes first, so that no token waits for the end.
            let repeated = self.tally().unanswered.pop_front();
            let token = repeated.unwrap_or_else(|| token(turn));
            let input = with_token((self.inputs)(number_of(&token)), &token);
            let outcome = caller.ask("RunTask", &input);
            self.tally().take(token, outcome);
        }
    }
}
