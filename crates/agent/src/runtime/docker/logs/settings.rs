//! The options of the `awslogs` driver.

use std::collections::BTreeMap;

use regex::bytes::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::runtime::{ErrorKind, RuntimeError};

/// The largest program that a pattern may compile to: enough for every date format, and small
/// enough for hundreds of containers.
const PATTERN_BYTES_MAX: usize = 1024 * 1024;

/// Where the output of a container goes; kept in a label of the container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::runtime::docker) struct LogSettings {
    pub(in crate::runtime::docker) group: String,
    /// The container's id when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::runtime::docker) stream: Option<String>,
    /// The server's own region when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::runtime::docker) region: Option<String>,
    #[serde(default)]
    pub(in crate::runtime::docker) create_group: bool,
    /// A line that matches begins an event; without it every line is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::runtime::docker) pattern: Option<String>,
}

impl LogSettings {
    /// Reads the options as Docker's driver does. Ours needs neither endpoint nor credentials of
    /// its own, and never blocks a container, whatever `mode` says: Docker keeps the lines in
    /// files until they are shipped.
    ///
    /// # Errors
    /// [`ErrorKind::CannotCreateContainer`] with what is wrong with an option.
    pub(in crate::runtime::docker) fn parse(
        mut options: BTreeMap<String, String>,
    ) -> Result<Self, RuntimeError> {
        let wrong = |detail: String| RuntimeError::new(ErrorKind::CannotCreateContainer, detail);
        let mut take = |key: &str| options.remove(key).filter(|value| !value.is_empty());
        let group = take("awslogs-group")
            .ok_or_else(|| wrong("must specify a value for log opt 'awslogs-group'".to_owned()))?;
        let stream = take("awslogs-stream");
        let region = take("awslogs-region");
        let create_group = match take("awslogs-create-group").as_deref() {
            None => false,
            Some(text) => flag(text).ok_or_else(|| {
                let detail = "must specify valid value for log opt 'awslogs-create-group'";
                wrong(format!("{detail}: {text}"))
            })?,
        };
        let pattern = match (
            take("awslogs-multiline-pattern"),
            take("awslogs-datetime-format"),
        ) {
            (Some(_), Some(_)) => {
                let detail = "you cannot configure log opt 'awslogs-datetime-format' and \
                              'awslogs-multiline-pattern' at the same time";
                return Err(wrong(detail.to_owned()));
            }
            (Some(pattern), None) => Some(pattern),
            (None, Some(format)) => Some(date_pattern(&format)),
            (None, None) => None,
        };
        if let Some(pattern) = &pattern
            && let Err(error) = compile(pattern)
        {
            return Err(wrong(format!(
                "could not parse awslogs multiline pattern: {error}"
            )));
        }
        match take("mode").as_deref() {
            None | Some("blocking" | "non-blocking") => {}
            Some(other) => {
                return Err(wrong(format!(
                    "logger: logging mode not supported: {other}"
                )));
            }
        }
        const IGNORED: [&str; 8] = [
            "awslogs-endpoint",
            "awslogs-credentials-endpoint",
            "awslogs-force-flush-interval-seconds",
            "awslogs-max-buffered-events",
            "awslogs-format",
            "max-buffer-size",
            "tag",
            "awslogs-stream-prefix",
        ];
        if let Some(unknown) = options.keys().find(|key| !IGNORED.contains(&key.as_str())) {
            return Err(wrong(format!(
                "unknown log opt '{unknown}' for awslogs log driver"
            )));
        }
        Ok(Self {
            group,
            stream,
            region,
            create_group,
            pattern,
        })
    }

    /// The pattern, ready for use.
    pub(in crate::runtime::docker) fn begins_event(&self) -> Option<Regex> {
        // It was compiled once before, when the container was made.
        self.pattern
            .as_deref()
            .and_then(|pattern| compile(pattern).ok())
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_BYTES_MAX)
        .build()
}

fn flag(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The pattern of a date in the notation of `strftime`: what Docker's driver takes each sign
/// for. Other signs stand for themselves.
fn date_pattern(format: &str) -> String {
    let mut pattern = String::new();
    let mut signs = format.chars();
    while let Some(sign) = signs.next() {
        if sign != '%' {
            pattern.push_str(&regex::escape(sign.encode_utf8(&mut [0; 4])));
            continue;
        }
        let Some(kind) = signs.next() else {
            pattern.push('%');
            break;
        };
        let known = match kind {
            'A' => "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)",
            'a' => "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)",
            'B' => {
                "(?:January|February|March|April|May|June|July|August|September|October|November|December)"
            }
            'b' => "(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)",
            'd' => "(?:0[1-9]|[1,2][0-9]|3[0,1])",
            'F' => r"\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])",
            'f' => r"\d{6}",
            'H' => r"(?:[0,1]\d|2[0-3])",
            'I' => "(?:0[1-9]|1[0-2])",
            'j' => r"(?:[0-2]\d{2}|3[0-5]\d|36[0-6])",
            'L' => r"\.\d{3}",
            'm' => "(?:0[1-9]|1[0-2])",
            'M' => r"[0-5]\d",
            'p' => "[A,P]M",
            'S' => r"[0-5]\d",
            'T' => r"(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d",
            'w' => "[0-6]",
            'Y' => r"\d{4}",
            'y' => r"\d{2}",
            'Z' => "[A-Z]{1,4}T",
            'z' => r"[+-]\d{4}",
            '%' => "%",
            other => {
                pattern.push_str(&regex::escape(&format!("%{other}")));
                continue;
            }
        };
        pattern.push_str(known);
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<LogSettings, String> {
        let options = options.iter();
        let options = options.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        LogSettings::parse(options.collect()).map_err(|error| error.detail)
    }

    #[test]
    fn the_options_of_ecs_are_read() {
        let settings = parse(&[
            ("awslogs-group", "/ecs/web"),
            ("awslogs-stream", "app/web/0123"),
            ("awslogs-region", "eu-north-1"),
            ("awslogs-create-group", "true"),
            ("mode", "non-blocking"),
            ("max-buffer-size", "25m"),
        ]);
        let expected = LogSettings {
            group: "/ecs/web".to_owned(),
            stream: Some("app/web/0123".to_owned()),
            region: Some("eu-north-1".to_owned()),
            create_group: true,
            pattern: None,
        };
        assert_eq!(settings, Ok(expected));
    }

    #[test]
    fn options_that_dockers_driver_refuses_are_refused_in_its_words() {
        let group = ("awslogs-group", "g");
        let said = |options: &[(&str, &str)]| parse(options).unwrap_err();
        assert_eq!(
            said(&[]),
            "must specify a value for log opt 'awslogs-group'"
        );
        assert!(said(&[group, ("awslogs-create-group", "yes")]).ends_with(": yes"));
        assert!(said(&[group, ("awslogs-multiline-pattern", "(")]).contains("multiline pattern"));
        assert!(said(&[group, ("mode", "fast")]).ends_with(": fast"));
        assert!(said(&[group, ("color", "red")]).contains("'color'"));
        let both = [
            group,
            ("awslogs-multiline-pattern", "a"),
            ("awslogs-datetime-format", "b"),
        ];
        assert!(said(&both).contains("at the same time"));
    }

    #[test]
    fn a_date_format_begins_an_event_where_a_date_stands() {
        let settings = parse(&[
            ("awslogs-group", "g"),
            ("awslogs-datetime-format", r"[%b %d, %Y %H:%M:%S]"),
        ]);
        let pattern = settings.unwrap().begins_event().unwrap();
        assert!(pattern.is_match(b"[May 01, 2017 19:00:01] A message"));
        assert!(!pattern.is_match(b"  at line 7 of May"));
        let iso = compile(&date_pattern("%Y-%m-%dT%T%z 100%% %q")).unwrap();
        assert!(iso.is_match(b"2026-11-20T16:00:59+0100 100% %q"));
    }
}
