//! `berth events`: what happens, as lines of JSON on standard output.

use std::collections::{HashSet, VecDeque};
use std::io::{ErrorKind, Write};
use std::time::Duration;

use anyhow::{Context, anyhow};
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, CallError, Dialer, Keys, Pieces};
use serde_json::Value;

use crate::agents::variable;
use crate::cli::{EventType, Events};
use crate::exit::Failure;
use crate::{data_dir, keys};

/// How long nothing may come before the connection counts as broken: the server sends an empty
/// line each 15 s.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// How long after the end of a connection the next is tried.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many events are known by their ids, to pass over those that a server tells again on the
/// next connection: more than it remembers.
const KNOWN_MAX: usize = 2_000;
/// The longest line: a task with all its containers has some tens of kilobytes.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Prints events: those that the server remembers and, when following, what is to come. Who
/// follows outlives the server's restarts.
///
/// # Errors
/// When the server refuses, or does not answer at first.
pub(crate) async fn run(events: &Events) -> Result<(), Failure> {
    let folder = data_dir::resolve(events.data_dir.as_deref(), "dev")?;
    let url = match &events.server {
        Some(url) => url.clone(),
        None => data_dir::recorded_endpoint(&folder)?,
    };
    let uri = url
        .parse()
        .with_context(|| format!("not a URL: {url}"))
        .map_err(Failure::Usage)?;
    let dialer =
        Dialer::new(events.trust.ca_file.as_deref()).context("the certificates cannot be used")?;
    let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), Clock::start());
    let api = api.map_err(|error| Failure::Usage(error.into()))?;
    let signer = own_keys(events, &folder)
        .await?
        .signer(&events.region, "ecs");
    let path = path(events);
    let mut printer = Printer::default();
    let mut connected = false;
    loop {
        let ended = match api.get(&signer, &path).await {
            Ok(pieces) => {
                connected = true;
                printer.print(pieces).await
            }
            Err(error) if connected && error.is_away() => Ok(Some(error)),
            Err(error) => {
                let error = anyhow!(error);
                return Err(error
                    .context(format!("the server at {url} tells no events"))
                    .into());
            }
        };
        match ended {
            // Whoever read has read enough.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => {
                return Err(anyhow!(error)
                    .context("the events cannot be printed")
                    .into());
            }
            Ok(Some(error)) if !events.follow => return Err(anyhow!(error).into()),
            Ok(None) if !events.follow => return Ok(()),
            Ok(Some(_) | None) => tokio::time::sleep(AGAIN_AFTER).await,
        }
    }
}

/// The environment's, else those that the server made, else the account's name as the key, which
/// a server that lets everybody in takes.
async fn own_keys(events: &Events, folder: &std::path::Path) -> Result<Keys, Failure> {
    let given = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    if let Some((access_key_id, secret_access_key)) = given {
        return Ok(Keys {
            access_key_id,
            secret_access_key,
            session_token: variable("AWS_SESSION_TOKEN"),
        });
    }
    let made = match events.server {
        Some(_) => None,
        None => keys::made(folder, None, None).await?,
    };
    let (access_key_id, secret_access_key) = match made {
        Some(made) => (made.access_key_id, made.secret_access_key),
        None => (events.account.clone(), "berth".to_owned()),
    };
    Ok(Keys {
        access_key_id,
        secret_access_key,
        session_token: None,
    })
}

fn path(events: &Events) -> String {
    const PATH: &str = "/events?";
    let mut query = form_urlencoded::Serializer::for_suffix(PATH.to_owned(), PATH.len());
    query.append_pair("follow", if events.follow { "true" } else { "false" });
    if let Some(cluster) = &events.cluster {
        query.append_pair("cluster", cluster);
    }
    for kind in &events.r#type {
        let detail_type = match kind {
            EventType::Task => "ECS Task State Change",
            EventType::Instance => "ECS Container Instance State Change",
            EventType::Service => "ECS Service Action",
            EventType::Deployment => "ECS Deployment State Change",
        };
        query.append_pair("type", detail_type);
    }
    query.finish()
}

/// Prints each event once, over all connections.
#[derive(Default)]
struct Printer {
    known: HashSet<String>,
    in_order: VecDeque<String>,
}

impl Printer {
    /// Prints what comes; answers why nothing more does, if that was not the server's own wish.
    async fn print(&mut self, mut pieces: Pieces) -> std::io::Result<Option<CallError>> {
        let mut buffer = Vec::new();
        loop {
            let piece = match tokio::time::timeout(SILENCE_MAX, pieces.next()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Ok(Some(error)),
                Err(_) => return Ok(Some(CallError::Failed("the server is silent".to_owned()))),
            };
            buffer.extend_from_slice(&piece);
            let Some(end) = buffer.iter().rposition(|byte| *byte == b'\n') else {
                if buffer.len() > LINE_BYTES_MAX {
                    let error = CallError::Failed("a line does not end".to_owned());
                    return Ok(Some(error));
                }
                continue;
            };
            let rest = buffer.split_off(end + 1);
            let mut out = std::io::stdout().lock();
            for line in buffer.split_inclusive(|byte| *byte == b'\n') {
                if self.is_new(line) {
                    out.write_all(line)?;
                }
            }
            out.flush()?;
            buffer = rest;
        }
    }

    /// Whether the line is an event that was not printed before.
    fn is_new(&mut self, line: &[u8]) -> bool {
        let Ok(event) = serde_json::from_slice::<Value>(line) else {
            // An empty line says that the server is still there.
            return false;
        };
        let id = event["id"].as_str().unwrap_or_default().to_owned();
        if !self.known.insert(id.clone()) {
            return false;
        }
        self.in_order.push_back(id);
        if self.in_order.len() > KNOWN_MAX
            && let Some(oldest) = self.in_order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn path_of(line: &str) -> String {
        let cli = Cli::try_parse_from(line.split_whitespace()).unwrap();
        let Command::Events(events) = cli.command else {
            panic!("another command")
        };
        path(&events)
    }

    #[test]
    fn what_is_wanted_is_asked_for() {
        assert_eq!(path_of("berth events"), "/events?follow=false");
        assert_eq!(
            path_of("berth events --follow --cluster a/b --type task,instance"),
            "/events?follow=true&cluster=a%2Fb&type=ECS+Task+State+Change\
             &type=ECS+Container+Instance+State+Change"
        );
    }

    #[test]
    fn an_event_is_printed_once() {
        let mut printer = Printer::default();
        assert!(printer.is_new(b"{\"id\":\"1\"}\n"));
        assert!(printer.is_new(b"{\"id\":\"2\"}\n"));
        assert!(!printer.is_new(b"{\"id\":\"1\"}\n"));
        assert!(!printer.is_new(b"\n"));
        for id in 3..=2_003 {
            assert!(printer.is_new(format!("{{\"id\":\"{id}\"}}").as_bytes()));
        }
        assert!(
            printer.is_new(b"{\"id\":\"1\"}"),
            "forgotten, for there is a limit"
        );
        assert!(!printer.is_new(b"{\"id\":\"2003\"}"));
    }
}
