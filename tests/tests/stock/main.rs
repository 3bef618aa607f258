//! Recorded talk of real agents, played again: their side against the built server, and the
//! server's side against our own agent's session. Neither may say anything else than was said
//! then, nor in another order.
//!
//! The transcripts are in `tests/transcripts`; `tests/stock-agent.sh` makes them anew.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod arithmetic;
mod names;
mod replay;
mod roles;
mod session;

use std::path::PathBuf;

use berth_tests::project_root;
use berth_tests::transcript::Event;

/// The transcripts by name.
fn transcripts() -> Vec<(String, Vec<Event>)> {
    let folder = project_root().join("tests/transcripts");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "jsonl"))
        .collect();
    files.sort();
    files.into_iter().map(|file| read(&file)).collect()
}

fn read(file: &std::path::Path) -> (String, Vec<Event>) {
    let name = file.file_stem().unwrap().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(file).unwrap();
    let parse = |(number, line): (usize, &str)| {
        Event::of_line(line).unwrap_or_else(|| panic!("{name}:{}: no event", number + 1))
    };
    let events = text.lines().enumerate().map(parse).collect();
    (name, events)
}

#[test]
fn the_server_answers_as_it_did_when_the_transcripts_were_made() {
    let transcripts = transcripts();
    assert!(transcripts.len() >= 8, "transcripts are missing");
    for (name, events) in transcripts {
        replay::against_server(&name, &events);
    }
}

#[test]
fn our_agents_session_answers_as_the_stock_agent_did() {
    let answered: usize = transcripts()
        .iter()
        .map(|(name, events)| session::against_our_agent(name, events))
        .sum();
    assert!(answered > 40, "only {answered} messages were answered");
}
