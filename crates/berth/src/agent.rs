//! `berth agent`: runs the tasks of a server on this machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use berth_agent::agent::Outlook;
use berth_agent::config::Capacity;
use berth_agent::fleet;
use berth_agent::http::{KeySource, Keys};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

use crate::agents::{self, Identity, Place, pull_behavior, variable};
use crate::cli::{self, Agent, ImagePullBehavior, Runtime};
use crate::exit::Failure;
use crate::{data_dir, server};

/// How long stopped containers are kept; the stock agent's.
const CLEANUP_WAIT: Duration = Duration::from_secs(3 * 60 * 60);

/// Runs the agents until a signal.
///
/// # Errors
/// Why they could not start, or one ended by itself.
pub(crate) async fn run(agent: Agent) -> Result<(), Failure> {
    if agent.count > 1 && agent.work.runtime == Runtime::Docker {
        let wrong = anyhow!("--count is for the simulated runtime: one Docker is one machine");
        return Err(Failure::Usage(wrong));
    }
    let data_dir = data_dir::resolve(agent.data_dir.as_deref(), "agent")?;
    server::make_folder(&data_dir)?;
    let endpoints = OnceCell::new();
    let place = Place {
        server: &agent.server,
        region: &agent.region,
        keys: keys(agent.credentials_file.as_deref())?,
        ca_file: agent.ca_file.as_deref(),
        data_dir: data_dir.clone(),
        endpoints: &endpoints,
        endpoints_dir: &data_dir,
        work: &agent.work,
        cpu: agent.cpu,
        memory: agent.memory,
    };
    let attributes = attributes(&agent.attribute).map_err(Failure::Usage)?;
    let behavior = agent.work.image_pull_behavior;
    let workshop = place.open().await?;
    let configs = (0..agent.count).map(|number| {
        place.agent(
            &workshop,
            Identity {
                number,
                cluster: &agent.cluster,
                capacity: capacity(&agent.capacity),
                machine: agent.machine.clone(),
                zone: agent.zone.clone(),
                attributes: attributes.clone(),
                pull_behavior: pull_behavior(behavior.unwrap_or(ImagePullBehavior::Default)),
                cleanup_wait: agent.work.cleanup_wait.unwrap_or(CLEANUP_WAIT),
            },
        )
    });
    let configs: Vec<_> = configs.collect();
    let cancel = CancellationToken::new();
    let until_signal = cancel.clone();
    tokio::spawn(async move {
        server::ended_by_signal().await;
        until_signal.cancel();
    });
    eprintln!(
        "berth agent: {} of cluster {} at {}, data in {}",
        agent.count,
        agent.cluster,
        agent.server,
        data_dir.display()
    );
    // Thousands of simulated agents have no tasks that would call, and so no outlooks either.
    let outlooks: Vec<Outlook> = match &workshop.endpoints {
        Some(_) => configs.iter().map(|_| Outlook::new()).collect(),
        None => Vec::new(),
    };
    for (config, outlook) in configs.iter().zip(&outlooks) {
        place.serve_tasks(&workshop, config, outlook);
    }
    let run = fleet::run(configs, &workshop.shared, workshop.kept, outlooks, cancel);
    let ended = run.await;
    if let Some(endpoints) = &workshop.endpoints {
        endpoints.stop_redirecting().await;
    }
    ended.map_err(agents::failure)
}

fn capacity(named: &[cli::Capacity]) -> Capacity {
    Capacity {
        instance: named.contains(&cli::Capacity::Instance),
        fargate: named.contains(&cli::Capacity::Fargate),
    }
}

fn attributes(given: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let split = |text: &String| {
        let (name, value) = text
            .split_once('=')
            .filter(|(name, _)| !name.is_empty())
            .with_context(|| format!("not an attribute: {text:?}, expected name=value"))?;
        Ok((name.to_owned(), value.to_owned()))
    };
    given.iter().map(split).collect()
}

/// The file's keys, read anew for every signature so that they can be rotated; else those of the
/// environment.
fn keys(file: Option<&Path>) -> Result<Arc<dyn KeySource>, Failure> {
    if let Some(path) = file {
        let source = CredentialsFile(path.to_owned());
        source.keys().map_err(|why| Failure::Usage(anyhow!(why)))?;
        return Ok(Arc::new(source));
    }
    let id = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    let (access_key_id, secret_access_key) = id.ok_or_else(|| {
        Failure::Usage(anyhow!(
            "no keys to sign with: name a --credentials-file, or set AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY"
        ))
    })?;
    Ok(Arc::new(Keys {
        access_key_id,
        secret_access_key,
        session_token: variable("AWS_SESSION_TOKEN"),
    }))
}

/// A file in the form of `~/.aws/credentials`; the first of each name counts.
struct CredentialsFile(PathBuf);

impl KeySource for CredentialsFile {
    fn keys(&self) -> Result<Keys, String> {
        let path = self.0.display();
        let text = std::fs::read_to_string(&self.0).map_err(|error| format!("{path}: {error}"))?;
        parse_credentials(&text)
            .ok_or_else(|| format!("{path}: no aws_access_key_id and aws_secret_access_key"))
    }
}

fn parse_credentials(text: &str) -> Option<Keys> {
    let value = |wanted: &str| {
        text.lines().find_map(|line| {
            let (name, value) = line.split_once('=')?;
            (name.trim() == wanted).then(|| value.trim().to_owned())
        })
    };
    Some(Keys {
        access_key_id: value("aws_access_key_id")?,
        secret_access_key: value("aws_secret_access_key")?,
        session_token: value("aws_session_token"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credentials_file_is_read_like_amazons() {
        let text = "[default]\naws_access_key_id = AKIA\naws_secret_access_key=s/e=c\n";
        let keys = parse_credentials(text).unwrap();
        assert_eq!(
            (keys.access_key_id.as_str(), keys.secret_access_key.as_str()),
            ("AKIA", "s/e=c")
        );
        assert_eq!(keys.session_token, None);
        assert!(parse_credentials("[default]\naws_access_key_id = AKIA\n").is_none());
    }

    #[test]
    fn attributes_are_names_with_values() {
        let given = ["rack=7".to_owned(), "path=a=b".to_owned()];
        let attributes = attributes(&given).unwrap();
        assert_eq!(
            (attributes["rack"].as_str(), attributes["path"].as_str()),
            ("7", "a=b")
        );
        for wrong in ["rack", "=7", ""] {
            assert!(super::attributes(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
