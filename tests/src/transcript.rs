//! Transcripts: what a real agent, its server and a client said to each other, one event to a
//! line, as they were seen on a [`Link`](crate::Link). A suite replays them.
//!
//! A line is one of
//!
//! ```text
//! {"client":"RunTask","input":{…},"status":200,"answer":{…}}      a client's call
//! {"agent":"SubmitTaskStateChange","input":{…},"status":…,…}      the agent's call
//! {"open":"acs","query":{…},"status":101}                         the agent opens a socket
//! {"acs>":"AckRequest","message":{…}}                             from the agent
//! {"acs<":"PayloadMessage","message":{…}}                         from the server
//! {"close":"acs","by":"agent","code":1000,"reason":"…"}
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Map, Value, json};

use crate::link::{Tape, Track};

/// The code of a close without a frame (RFC 6455 §7.1.5).
pub const LOST: u16 = 1006;

/// The sockets of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Channel {
    /// Work comes down here.
    Acs,
    /// Telemetry goes up here.
    Tcs,
}

impl Channel {
    fn name(self) -> &'static str {
        match self {
            Channel::Acs => "acs",
            Channel::Tcs => "tcs",
        }
    }

    fn named(name: &str) -> Option<Channel> {
        [Channel::Acs, Channel::Tcs]
            .into_iter()
            .find(|channel| channel.name() == name)
    }
}

/// Which end did it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The agent.
    Agent,
    /// The server.
    Server,
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A call with its answer; by a client when `by_agent` is false.
    Call {
        /// Whether the agent made it.
        by_agent: bool,
        /// The operation.
        operation: String,
        /// What was asked.
        input: Value,
        /// The HTTP status of the answer.
        status: u16,
        /// The answer's body.
        answer: Value,
    },
    /// The agent asked for a socket.
    Open {
        /// Which one.
        channel: Channel,
        /// The query.
        query: BTreeMap<String, String>,
        /// The HTTP status of the answer: 101 when it was opened.
        status: u16,
    },
    /// A message.
    Message {
        /// On which socket.
        channel: Channel,
        /// Who sent it.
        by: Side,
        /// Its type.
        kind: String,
        /// Its content.
        message: Value,
    },
    /// A close frame.
    Close {
        /// Of which socket.
        channel: Channel,
        /// Who sent it.
        by: Side,
        /// The code.
        code: u16,
        /// The text with it.
        reason: String,
    },
}

impl Event {
    /// The event as a line.
    #[must_use]
    pub fn to_line(&self) -> String {
        let (first, rest) = match self {
            Event::Call {
                by_agent,
                operation,
                input,
                status,
                answer,
            } => {
                let who = if *by_agent { "agent" } else { "client" };
                let rest = json!({ "input": input, "status": status, "answer": answer });
                (json!({ who: operation }), rest)
            }
            Event::Open {
                channel,
                query,
                status,
            } => {
                let rest = json!({ "query": query, "status": status });
                (json!({ "open": channel.name() }), rest)
            }
            Event::Message {
                channel,
                by,
                kind,
                message,
            } => {
                let arrow = match by {
                    Side::Agent => ">",
                    Side::Server => "<",
                };
                let first = json!({ format!("{}{arrow}", channel.name()): kind });
                (first, json!({ "message": message }))
            }
            Event::Close {
                channel,
                by,
                code,
                reason,
            } => {
                let by = match by {
                    Side::Agent => "agent",
                    Side::Server => "server",
                };
                let rest = json!({ "by": by, "code": code, "reason": reason });
                (json!({ "close": channel.name() }), rest)
            }
        };
        // What it is stands first, for those who read it.
        let (first, rest) = (first.to_string(), rest.to_string());
        format!("{},{}", &first[..first.len() - 1], &rest[1..])
    }

    /// The event of a line; `None` for anything else.
    #[must_use]
    pub fn of_line(line: &str) -> Option<Event> {
        let line: Map<String, Value> = serde_json::from_str(line).ok()?;
        let text = |key: &str| line.get(key).and_then(Value::as_str).map(str::to_owned);
        let status = || u16::try_from(line.get("status")?.as_u64()?).ok();
        for (who, by_agent) in [("agent", true), ("client", false)] {
            if let Some(operation) = text(who) {
                return Some(Event::Call {
                    by_agent,
                    operation,
                    input: line.get("input")?.clone(),
                    status: status()?,
                    answer: line.get("answer")?.clone(),
                });
            }
        }
        if let Some(channel) = text("open") {
            return Some(Event::Open {
                channel: Channel::named(&channel)?,
                query: serde_json::from_value(line.get("query")?.clone()).ok()?,
                status: status()?,
            });
        }
        if let Some(channel) = text("close") {
            return Some(Event::Close {
                channel: Channel::named(&channel)?,
                by: match text("by")?.as_str() {
                    "agent" => Side::Agent,
                    _ => Side::Server,
                },
                code: u16::try_from(line.get("code")?.as_u64()?).ok()?,
                reason: text("reason")?,
            });
        }
        for channel in [Channel::Acs, Channel::Tcs] {
            for (arrow, by) in [(">", Side::Agent), ("<", Side::Server)] {
                if let Some(kind) = text(&format!("{}{arrow}", channel.name())) {
                    return Some(Event::Message {
                        channel,
                        by,
                        kind,
                        message: line.get("message")?.clone(),
                    });
                }
            }
        }
        None
    }
}

/// The transcript as text.
#[must_use]
pub fn to_text(events: &[Event]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        let _ = writeln!(text, "{}", event.to_line());
        text
    })
}

/// What the tapes hold, in order. What cannot be read ends its connection.
#[must_use]
pub fn events_of(tapes: &[Tape]) -> Vec<(Instant, Event)> {
    let mut events: Vec<(Instant, Event)> = tapes.iter().flat_map(of_tape).collect();
    events.sort_by_key(|(at, _)| *at);
    events
}

/// The calls of one connection, or its upgrade and the frames after it.
fn of_tape(tape: &Tape) -> Vec<(Instant, Event)> {
    let mut events = Vec::new();
    let (mut up, mut down) = (0, 0);
    loop {
        let request = head(&tape.up.bytes, up).and_then(|(lines, body)| {
            let body_end = body + length(&lines)?;
            Some((lines, body, body_end))
        });
        let Some((asked, body, end)) = request.filter(|(_, _, end)| *end <= tape.up.bytes.len())
        else {
            return events;
        };
        let Some((answered, answer_body)) = head(&tape.down.bytes, down) else {
            return events;
        };
        let first = answered.first().map_or("", String::as_str);
        let status = first.split(' ').nth(1).and_then(|s| s.parse().ok());
        let Some(status) = status else { return events };
        let line = asked.first().map_or("", String::as_str);
        let path = line.split(' ').nth(1).unwrap_or_default();
        if let Some((channel, query)) = socket_of(path) {
            let query = parameters(query);
            let opened = Event::Open {
                channel,
                query,
                status,
            };
            events.push((tape.up.at(end), opened));
            if status == 101 {
                frames(&tape.up, end, channel, Side::Agent, &mut events);
                frames(&tape.down, answer_body, channel, Side::Server, &mut events);
                let closes = |(_, event): &(Instant, Event)| matches!(event, Event::Close { .. });
                if let Some(at) = tape.up.ended.filter(|_| !events.iter().any(closes)) {
                    let lost = Event::Close {
                        channel,
                        by: Side::Agent,
                        code: LOST,
                        reason: String::new(),
                    };
                    events.push((at, lost));
                }
                return events;
            }
        }
        let Some(answer_end) = length(&answered).map(|length| answer_body + length) else {
            return events;
        };
        if answer_end > tape.down.bytes.len() {
            return events;
        }
        if let Some(target) = header(&asked, "x-amz-target") {
            let call = Event::Call {
                by_agent: true,
                operation: target.rsplit('.').next().unwrap_or_default().to_owned(),
                input: json_of(&tape.up.bytes[body..end]),
                status,
                answer: json_of(&tape.down.bytes[answer_body..answer_end]),
            };
            // In its place is what the agent knew when it asked.
            events.push((tape.up.at(end), call));
        }
        (up, down) = (end, answer_end);
    }
}

fn json_of(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes)
        .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(bytes).into_owned()))
}

fn socket_of(path: &str) -> Option<(Channel, &str)> {
    let (path, query) = path.split_once('?')?;
    let channel = match path {
        "/acs/ws" => Channel::Acs,
        "/tcs/ws" => Channel::Tcs,
        _ => return None,
    };
    Some((channel, query))
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let form = berth_wire::query::parse_form(query.as_bytes()).unwrap_or_default();
    form.parameters.into_iter().collect()
}

/// The lines of a head that begins at `from`, and where its body begins.
fn head(bytes: &[u8], from: usize) -> Option<(Vec<String>, usize)> {
    let rest = bytes.get(from..)?;
    let end = rest.windows(4).position(|w| w == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&rest[..end]);
    let lines = text.split("\r\n").map(str::to_owned).collect();
    Some((lines, from + end + 4))
}

fn header<'a>(lines: &'a [String], wanted: &str) -> Option<&'a str> {
    lines.iter().skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

/// The length of a body; `None` when it is told in another way than by a number.
fn length(lines: &[String]) -> Option<usize> {
    if header(lines, "transfer-encoding").is_some() {
        return None;
    }
    header(lines, "content-length").map_or(Some(0), |value| value.parse().ok())
}

/// WebSocket frames (RFC 6455 §5.2) as events.
fn frames(
    track: &Track,
    mut at: usize,
    channel: Channel,
    by: Side,
    events: &mut Vec<(Instant, Event)>,
) {
    let mut message = Vec::new();
    while let Some((last, opcode, payload, end)) = frame(&track.bytes, at) {
        at = end;
        let when = track.at(end);
        match opcode {
            0..=2 => {
                message.extend(payload);
                if last {
                    let text = String::from_utf8_lossy(&message).into_owned();
                    let bare = berth_agent_proto::tcs::split_signed(&text);
                    let bare = bare.map_or(text.as_str(), |(_, json)| json);
                    let content: Value = serde_json::from_str(bare).unwrap_or_default();
                    let kind = content["type"].as_str().unwrap_or_default().to_owned();
                    let message_of = content["message"].clone();
                    let event = Event::Message {
                        channel,
                        by,
                        kind,
                        message: message_of,
                    };
                    events.push((when, event));
                    message.clear();
                }
            }
            8 => {
                let code = payload
                    .first_chunk()
                    .map_or(1005, |b| u16::from_be_bytes(*b));
                let reason = payload.get(2..).unwrap_or_default();
                let event = Event::Close {
                    channel,
                    by,
                    code,
                    reason: String::from_utf8_lossy(reason).into_owned(),
                };
                events.push((when, event));
            }
            // Pings and pongs.
            _ => {}
        }
    }
}

/// The frame at `at`: whether it ends its message, its opcode, its payload, and where it ends.
fn frame(bytes: &[u8], at: usize) -> Option<(bool, u8, Vec<u8>, usize)> {
    let (first, second) = (*bytes.get(at)?, *bytes.get(at + 1)?);
    let (length, mut from) = match second & 0x7f {
        126 => {
            let length = bytes.get(at + 2..at + 4)?.first_chunk()?;
            (usize::from(u16::from_be_bytes(*length)), at + 4)
        }
        127 => {
            let length = bytes.get(at + 2..at + 10)?.first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*length)).ok()?, at + 10)
        }
        short => (usize::from(short), at + 2),
    };
    let mask = if second & 0x80 != 0 {
        from += 4;
        bytes.get(from - 4..from)?
    } else {
        &[0; 4]
    };
    let end = from.checked_add(length)?;
    let payload = bytes.get(from..end)?.iter().zip(mask.iter().cycle());
    let payload = payload.map(|(byte, mask)| byte ^ mask).collect();
    Some((first & 0x80 != 0, first & 0x0f, payload, end))
}
