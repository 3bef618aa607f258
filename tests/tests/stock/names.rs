//! Ids that are other ones in each life: which of this replay stand for which of the recording.

use std::collections::BTreeMap;

use serde_json::Value;

/// Members whose values are of the moment.
const OF_THE_MOMENT: [&str; 3] = ["version", "expiration", "generatedAt"];

/// Numbers of messages begin here: each holds the epoch of its server above 32 bits.
const FIRST_NUMBER: u64 = 1 << 32;

/// Recorded ids with the ones of this replay.
#[derive(Debug, Default)]
pub(crate) struct Names(BTreeMap<String, String>);

impl Names {
    /// Compares what was recorded with what came, and learns the ids in it.
    ///
    /// # Errors
    /// Where they differ.
    pub(crate) fn same(&mut self, recorded: &Value, came: &Value, at: &str) -> Result<(), String> {
        let differ = || Err(format!("{at}: recorded {recorded}, came {came}"));
        match (recorded, came) {
            (Value::Object(old), Value::Object(new)) => {
                let (old_keys, new_keys): (Vec<_>, Vec<_>) =
                    (old.keys().collect(), new.keys().collect());
                if old_keys != new_keys {
                    return Err(format!("{at}: recorded {old_keys:?}, came {new_keys:?}"));
                }
                for (key, old) in old {
                    let of_the_moment = key.ends_with("At") || OF_THE_MOMENT.contains(&&**key);
                    if !of_the_moment {
                        self.same(old, &new[key], &format!("{at}.{key}"))?;
                    }
                }
                Ok(())
            }
            (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
                let new = self.aligned(old, new);
                for (index, (old, new)) in old.iter().zip(new).enumerate() {
                    self.same(old, new, &format!("{at}[{index}]"))?;
                }
                Ok(())
            }
            (Value::Number(old), Value::Number(new))
                if old.as_u64() >= Some(FIRST_NUMBER) && new.as_u64() >= Some(FIRST_NUMBER) =>
            {
                self.text(&old.to_string(), &new.to_string())
                    .or_else(|()| differ())
            }
            (Value::String(old), Value::String(new)) => {
                // A string may itself be JSON with ids in it, and an address has a port.
                self.text(old, new).or_else(|()| differ())
            }
            _ if recorded == came => Ok(()),
            _ => differ(),
        }
    }

    /// Tasks in the order of the recording, where all of them are known by name: those that were
    /// started by one call may be sent in any order.
    fn aligned<'a>(&self, old: &[Value], new: &'a [Value]) -> Vec<&'a Value> {
        let find = |task: &Value| {
            let arn = self.translate_text(task["arn"].as_str()?);
            new.iter().find(|came| came["arn"] == *arn)
        };
        let found: Option<Vec<&Value>> = old.iter().map(find).collect();
        found.unwrap_or_else(|| new.iter().collect())
    }

    /// The recorded value with the ids of this replay.
    pub(crate) fn translate(&self, recorded: &Value) -> Value {
        match recorded {
            Value::Object(members) => members
                .iter()
                .map(|(key, value)| (key.clone(), self.translate(value)))
                .collect(),
            Value::Array(items) => items.iter().map(|item| self.translate(item)).collect(),
            Value::String(text) => Value::String(self.translate_text(text)),
            Value::Null | Value::Bool(_) | Value::Number(_) => recorded.clone(),
        }
    }

    /// The recorded text with the ids of this replay.
    pub(crate) fn translate_text(&self, recorded: &str) -> String {
        let parts = words(recorded);
        let known = |part: &&str| self.0.get(*part).map_or((*part).to_owned(), Clone::clone);
        parts.iter().map(known).collect()
    }

    fn text(&mut self, old: &str, new: &str) -> Result<(), ()> {
        let (old, new) = (words(old), words(new));
        if old.len() != new.len() {
            return Err(());
        }
        for (old, new) in old.into_iter().zip(new) {
            if is_id(old) && is_id(new) {
                let learnt = self
                    .0
                    .entry(old.to_owned())
                    .or_insert_with(|| new.to_owned());
                if learnt != new {
                    return Err(());
                }
            } else if old != new {
                return Err(());
            }
        }
        Ok(())
    }
}

/// Words and what is between them.
fn words(text: &str) -> Vec<&str> {
    let in_word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c| in_word(c) != in_word(first));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        words.push(word);
        rest = after;
    }
    words
}

/// Whether a word is made anew in each life: an id of a record, the number of a message, or the
/// port of a server under test.
fn is_id(word: &str) -> bool {
    let digits = word.bytes().all(|b| b.is_ascii_digit());
    let hex = word.bytes().all(|b| b.is_ascii_hexdigit());
    let uuid = word.len() == 36 && word.bytes().filter(|b| *b == b'-').count() == 4;
    let port = digits && word.len() == 5;
    let number = digits && word.parse().is_ok_and(|number: u64| number >= FIRST_NUMBER);
    (hex && word.len() == 32) || uuid || number || port
}
