//! Pages of requests and answers.
//!
//! A page holds cases; a case begins with `## ` and its title, which names where its expected
//! values come from: sections of the reference (`§2.1`, `agent protocol §2.4`) or Amazon's API
//! reference (`API`). It starts from an empty control plane, to which what stands before the first
//! case is done. Within a case:
//!
//! - `> CreateCluster {"clusterName": "a"}` is a request, more lines of it begin with `> ` too;
//! - the lines after it, up to an empty one, are the answer: its JSON, or `Fault: text`;
//! - a request that ends in ` at /services/0/status, /failures` shows those parts of its answer
//!   alone, one to a line;
//! - `given CreateCluster {}` is a request that is granted, whose answer matters elsewhere; more
//!   lines of it begin with two spaces;
//! - `let task = /tasks/0/taskArn` names a part of the last answer; `$task` in later requests
//!   stands for it, and later answers show it so; `let id = id of /tasks/0/taskArn` takes what is
//!   after the last slash;
//! - `as 123456789012/us-east-1 arn:…` changes who calls; `after 60s` moves the clock;
//! - `scheduler looks` lets the controller of services do what each needs, once;
//! - anything else is prose.

use std::fmt::Write;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_model::name::Scope;
use serde_json::Value;

use crate::caller::{Bench, CALLER_ARN, Outcome, SCOPE};

/// The longest line of an answer that is not broken further.
const LINE_MAX: usize = 96;

/// The pages, in the order of their names: one for each operation, and walks through several.
///
/// # Panics
/// When there is none.
pub(crate) fn paths() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut pages: Vec<_> = [root.clone(), root.join("walks")]
        .iter()
        .flat_map(|folder| std::fs::read_dir(folder).expect("the folder of pages"))
        .map(|entry| entry.expect("an entry of the folder").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .collect();
    pages.sort();
    assert!(!pages.is_empty());
    pages
}

/// A request of a page and what came of it.
#[allow(dead_code, reason = "not every suite looks at what was exchanged")]
pub(crate) struct Exchange<'a> {
    /// The title of its case.
    pub(crate) case: &'a str,
    /// The operation, of ECS or as `logs:PutLogEvents`.
    pub(crate) operation: &'a str,
    /// The request's members.
    pub(crate) request: Value,
    /// The answer; `None` for a fault.
    pub(crate) answer: Option<&'a Value>,
}

/// Where a case stands.
struct Case {
    bench: Bench,
    scope: Scope,
    arn: String,
    last: Value,
    names: Vec<(String, String)>,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            bench: Bench::default(),
            scope: SCOPE.parse().expect("an account and a region"),
            arn: CALLER_ARN.to_owned(),
            last: Value::Null,
            names: Vec::new(),
        }
    }
}

/// The page with the answers as they are; `seen` is shown each request and what came of it.
pub(crate) fn play(page: &str, mut seen: impl FnMut(&Exchange<'_>)) -> String {
    let mut case = Case::default();
    let mut title = "";
    let mut played = String::new();
    // What stands before the first case is done anew for each.
    let mut before_each = String::new();
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.starts_with("## ") {
            case = Case::default();
            title = line;
            let mut lines = before_each.lines().peekable();
            while let Some(line) = lines.next() {
                case.line(line, title, &mut lines, &mut String::new(), &mut seen);
            }
        } else if title.is_empty() {
            before_each.push_str(line);
            before_each.push('\n');
        } else {
            case.line(line, title, &mut lines, &mut played, &mut seen);
        }
    }
    played
}

/// The lines that are still to come.
type Rest<'a> = Peekable<std::str::Lines<'a>>;

/// The lines that go on with a request, without what they begin with.
fn more(lines: &mut Rest<'_>, begin: &str, played: &mut String) -> String {
    let mut request = String::new();
    while let Some(more) = lines.next_if(|line| line.starts_with(begin)) {
        played.push_str(more);
        played.push('\n');
        request.push_str(&more[begin.len()..]);
    }
    request
}

/// A request's text, and the parts of its answer that are shown; none for all.
fn parts(request: &str) -> (&str, Vec<&str>) {
    match request.find("} at /") {
        Some(end) => {
            let parts = request[end + "} at ".len()..].split(", ");
            (&request[..=end], parts.collect())
        }
        None => (request, Vec::new()),
    }
}

impl Case {
    /// Does what one line of a page says.
    fn line(
        &mut self,
        line: &str,
        title: &str,
        lines: &mut Rest<'_>,
        played: &mut String,
        seen: &mut impl FnMut(&Exchange<'_>),
    ) {
        if let Some(request) = line.strip_prefix("> ") {
            let request = request.to_owned() + &more(lines, "> ", played);
            while lines.next_if(|line| !line.is_empty()).is_some() {}
            let (request, parts) = parts(&request);
            let outcome = self.call(title, request, seen);
            let mut shown = show_outcome(&outcome, &parts);
            for (name, part) in &self.names {
                shown = shown.replace(part, name);
            }
            played.push_str(&shown);
            self.last = outcome.unwrap_or_default();
        } else if let Some(request) = line.strip_prefix("given ") {
            let request = request.to_owned() + &more(lines, "  ", played);
            let outcome = self.call(title, &request, seen);
            self.last = outcome.unwrap_or_else(|error| {
                let berth_wire::Fault { code, message, .. } = error.0;
                panic!("{title}: {request}: {code}: {message}")
            });
        } else if let Some(binding) = line.strip_prefix("let ") {
            self.bind(binding);
        } else if let Some(seconds) = line.strip_prefix("after ") {
            let seconds = seconds.strip_suffix('s').expect("seconds, such as 60s");
            let span = Duration::from_secs(seconds.parse().expect("a number of seconds"));
            self.bench.world.advance(span);
        } else if let Some(who) = line.strip_prefix("as ") {
            let (scope, arn) = who.split_once(' ').unwrap_or((who, CALLER_ARN));
            self.scope = scope.parse().expect("an account and a region");
            arn.clone_into(&mut self.arn);
        } else if line == "scheduler looks" {
            self.bench.scheduler_looks();
        }
    }

    fn bind(&mut self, binding: &str) {
        let (name, pointer) = binding.split_once(" = ").expect("a name and a pointer");
        let (pointer, id) = match pointer.strip_prefix("id of ") {
            Some(pointer) => (pointer, true),
            None => (pointer, false),
        };
        let part = self.last.pointer(pointer).and_then(Value::as_str);
        let part = part.and_then(|part| {
            if id {
                part.rsplit('/').next()
            } else {
                Some(part)
            }
        });
        let part = part.map(str::to_owned);
        let part = part.unwrap_or_else(|| panic!("no text at {pointer} of {}", self.last));
        self.names.push((format!("${name}"), part));
    }

    fn call(
        &mut self,
        title: &str,
        request: &str,
        seen: &mut impl FnMut(&Exchange<'_>),
    ) -> Outcome {
        let (operation, body) = request.split_once(' ').unwrap_or((request, ""));
        let mut body = body.to_owned();
        for (name, part) in &self.names {
            body = body.replace(name, part);
        }
        let outcome = self
            .bench
            .call_as(&self.scope, &self.arn, operation, &body)
            .unwrap_or_else(|| panic!("{operation} is not served"));
        seen(&Exchange {
            case: title,
            operation,
            request: serde_json::from_str(&body).unwrap_or_default(),
            answer: outcome.as_ref().ok(),
        });
        outcome
    }
}

fn show_outcome(outcome: &Outcome, parts: &[&str]) -> String {
    match outcome {
        Ok(answer) if parts.is_empty() => {
            let mut shown = String::new();
            show(answer, 0, &mut shown);
            shown + "\n"
        }
        Ok(answer) => {
            let mut shown = String::new();
            for part in parts {
                let _ = write!(shown, "{part}: ");
                match answer.pointer(part) {
                    Some(value) => show(value, 0, &mut shown),
                    None => shown.push_str("absent"),
                }
                shown.push('\n');
            }
            shown
        }
        Err(error) => format!("{}: {}\n", error.0.code, error.0.message),
    }
}

fn show(value: &Value, indent: usize, out: &mut String) {
    let compact = value.to_string();
    let elements: Vec<(Option<&String>, &Value)> = match value {
        Value::Object(members) => members.iter().map(|(k, v)| (Some(k), v)).collect(),
        Value::Array(elements) => elements.iter().map(|v| (None, v)).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    };
    if elements.is_empty() || indent + compact.len() <= LINE_MAX {
        out.push_str(&compact);
        return;
    }
    let brackets = if value.is_object() {
        ['{', '}']
    } else {
        ['[', ']']
    };
    out.push(brackets[0]);
    let mut separator = "\n";
    for (name, element) in elements {
        let _ = write!(out, "{separator}{:1$}", "", indent + 2);
        if let Some(name) = name {
            let _ = write!(out, "\"{name}\": ");
        }
        show(element, indent + 2, out);
        separator = ",\n";
    }
    let _ = write!(out, "\n{:indent$}{}", "", brackets[1]);
}
