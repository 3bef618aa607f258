//! Pages of requests and answers.
//!
//! A page holds cases; a case begins with `## ` and its title, which names the section of the
//! reference that it holds us to, and starts from an empty control plane. Within a case:
//!
//! - `> CreateCluster {"clusterName": "a"}` is a request, more lines of it begin with `> ` too;
//! - the lines after it, up to an empty one, are the answer: its JSON, or `Fault: text`;
//! - `let task = /tasks/0/taskArn` names a part of the last answer; `$task` in later requests
//!   stands for it, and later answers show it so;
//! - `as 123456789012/us-east-1 arn:…` changes who calls; `after 60s` moves the clock;
//! - anything else is prose.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use berth_model::name::Scope;
use serde_json::Value;

use crate::caller::{Bench, CALLER_ARN, Outcome, SCOPE};

/// The longest line of an answer that is not broken further.
const LINE_MAX: usize = 96;

/// The pages, in the order of their names.
///
/// # Panics
/// When there is none.
pub(crate) fn paths() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut pages: Vec<_> = std::fs::read_dir(folder)
        .expect("the folder of pages")
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
    let mut lines = page.lines().peekable();
    while let Some(line) = lines.next() {
        played.push_str(line);
        played.push('\n');
        if line.starts_with("## ") {
            case = Case::default();
            title = line;
        } else if let Some(request) = line.strip_prefix("> ") {
            let mut request = request.to_owned();
            while let Some(more) = lines.next_if(|line| line.starts_with("> ")) {
                played.push_str(more);
                played.push('\n');
                request.push_str(&more[2..]);
            }
            while lines.next_if(|line| !line.is_empty()).is_some() {}
            played.push_str(&case.answer(title, &request, &mut seen));
        } else if let Some(binding) = line.strip_prefix("let ") {
            case.bind(binding);
        } else if let Some(seconds) = line.strip_prefix("after ") {
            let seconds = seconds.strip_suffix('s').expect("seconds, such as 60s");
            let span = Duration::from_secs(seconds.parse().expect("a number of seconds"));
            case.bench.world.advance(span);
        } else if let Some(who) = line.strip_prefix("as ") {
            let (scope, arn) = who.split_once(' ').unwrap_or((who, CALLER_ARN));
            case.scope = scope.parse().expect("an account and a region");
            case.arn = arn.to_owned();
        }
    }
    played
}

impl Case {
    fn bind(&mut self, binding: &str) {
        let (name, pointer) = binding.split_once(" = ").expect("a name and a pointer");
        let part = self.last.pointer(pointer);
        let part = part.and_then(Value::as_str).map(str::to_owned);
        let part = part.unwrap_or_else(|| panic!("no text at {pointer} of {}", self.last));
        self.names.push((format!("${name}"), part));
    }

    fn answer(
        &mut self,
        title: &str,
        request: &str,
        seen: &mut impl FnMut(&Exchange<'_>),
    ) -> String {
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
        let mut shown = show_outcome(&outcome);
        for (name, part) in &self.names {
            shown = shown.replace(part, name);
        }
        self.last = outcome.unwrap_or_default();
        shown
    }
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Ok(answer) => {
            let mut shown = String::new();
            show(answer, 0, &mut shown);
            shown + "\n"
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
