//! Containers of tasks that the server does not know, such as after a backup was restored. The
//! agent leaves them running, for a person to decide.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, Dialer};
use berth_agent::runtime::Labels;
use berth_server::MadeAccessKey;
use serde_json::{Value, json};

use crate::client::keys_for;

/// How many tasks DescribeTasks takes at once.
const TASKS_PER_CALL: usize = 100;

/// A running container of an agent of Berth.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Container {
    pub(crate) task: String,
    pub(crate) id: String,
    pub(crate) name: String,
}

/// Where a task is looked up, by its ARN.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct World {
    account: String,
    region: String,
    cluster: String,
}

/// The containers that agents of Berth run on this machine's Docker.
///
/// # Errors
/// When Docker does not answer.
pub(crate) fn running() -> Result<Vec<Container>> {
    let format = format!(
        "{{{{.ID}}}}\t{{{{.Names}}}}\t{{{{.Label \"{}\"}}}}",
        Labels::TASK
    );
    let filter = format!("label={}", Labels::INSTANCE);
    let listed = Command::new("docker")
        .args(["ps", "--no-trunc", "--filter", &filter, "--format", &format])
        .output()
        .context("docker does not start")?;
    ensure!(
        listed.status.success(),
        "{}",
        String::from_utf8_lossy(&listed.stderr).trim()
    );
    let text = String::from_utf8_lossy(&listed.stdout);
    Ok(text.lines().filter_map(parse_line).collect())
}

/// What a task has no part in, such as the container that holds its network, has no task either.
fn parse_line(line: &str) -> Option<Container> {
    let mut parts = line.split('\t').map(str::to_owned);
    let (id, name, task) = (parts.next()?, parts.next()?, parts.next()?);
    (!task.is_empty()).then_some(Container { task, id, name })
}

fn world_of(task: &str) -> Option<World> {
    let mut parts = task.splitn(6, ':').skip(3).map(str::to_owned);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let cluster = resource
        .strip_prefix("task/")?
        .split_once('/')?
        .0
        .to_owned();
    Some(World {
        account,
        region,
        cluster,
    })
}

/// Those whose task the server at `url` does not know.
///
/// # Errors
/// When the server does not answer, or not this caller.
pub(crate) async fn unknown(
    url: &str,
    dialer: Dialer,
    made: Option<&MadeAccessKey>,
    containers: Vec<Container>,
) -> Result<Vec<Container>> {
    let uri = url.parse().with_context(|| format!("not a URL: {url}"))?;
    let clock = Clock::start();
    let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), clock)?;
    let mut tasks: BTreeMap<World, BTreeSet<&str>> = BTreeMap::new();
    for container in &containers {
        if let Some(world) = world_of(&container.task) {
            tasks.entry(world).or_default().insert(&container.task);
        }
    }
    let mut missing = BTreeSet::new();
    for (world, tasks) in tasks {
        let tasks: Vec<&str> = tasks.into_iter().collect();
        for some in tasks.chunks(TASKS_PER_CALL) {
            let input = json!({ "cluster": world.cluster, "tasks": some });
            let signer = keys_for(made, &world.account).signer(&world.region, "ecs");
            let body = input.to_string().into_bytes();
            match api.call(&signer, "DescribeTasks", body).await {
                Ok(answer) => missing.extend(missing_of(&answer)),
                // The cluster went with everything in it.
                Err(error) if error.is("ClusterNotFoundException") => {
                    missing.extend(some.iter().map(|task| (*task).to_owned()));
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    let is_missing = |container: &Container| missing.contains(&container.task);
    Ok(containers.into_iter().filter(is_missing).collect())
}

fn missing_of(answer: &Value) -> Vec<String> {
    let failures = answer["failures"].as_array().into_iter().flatten();
    failures
        .filter(|failure| failure["reason"] == "MISSING")
        .filter_map(|failure| failure["arn"].as_str().map(str::to_owned))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_name_containers_of_tasks_alone() {
        let arn = "arn:aws:ecs:eu-west-1:123456789012:task/blue/0123";
        let container = parse_line(&format!("abc\tberth-web\t{arn}")).unwrap();
        assert_eq!(
            (container.id.as_str(), container.name.as_str()),
            ("abc", "berth-web")
        );
        let world = world_of(&container.task).unwrap();
        let expected = ("123456789012", "eu-west-1", "blue");
        let found = (
            world.account.as_str(),
            world.region.as_str(),
            world.cluster.as_str(),
        );
        assert_eq!(found, expected);
        assert_eq!(parse_line("abc\tberth-net\t"), None);
        assert_eq!(parse_line("abc"), None);
        for wrong in ["", "arn:aws:ecs:r:a:task/id", "arn:aws:ecs:r:a:service/c/s"] {
            assert_eq!(world_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn only_what_is_missing_is_unknown() {
        let answer = json!({ "tasks": [], "failures": [
            { "arn": "one", "reason": "MISSING" }, { "arn": "two", "reason": "OTHER" },
        ] });
        assert_eq!(missing_of(&answer), ["one"]);
        assert!(missing_of(&json!({})).is_empty());
    }
}
