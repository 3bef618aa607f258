//! The local agents of `berth dev`: the same agents in every account and region that is used.
//!
//! Each account and region is a world of its own, so the agents register in each, with a journal
//! of their own there. They name one machine, whose room the server counts once.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use berth_agent::agent::Outlook;
use berth_agent::config::Capacity;
use berth_agent::fleet;
use berth_agent::http::Keys;
use berth_server::LOCAL_AGENT_KEY;
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::agents::{Identity, Place, pull_behavior, told};
use crate::cli::{Dev, ImagePullBehavior, Runtime};
use crate::exit::Failure;
use crate::task_endpoints::TaskEndpoints;

/// The cluster that the agents join in every world.
const CLUSTER: &str = "default";
/// How long stopped containers are kept: a developer looks at what failed within minutes.
const CLEANUP_WAIT: Duration = Duration::from_secs(10 * 60);
/// The folder of the agents in the data directory, with one folder for each world.
const FOLDER: &str = "agents";

/// The local agents.
pub(crate) struct LocalAgents {
    dev: Arc<Dev>,
    server: String,
    folder: PathBuf,
    worlds: Mutex<HashMap<World, Arc<OnceCell<()>>>>,
    /// What the tasks of every world call.
    endpoints: OnceCell<TaskEndpoints>,
    running: TaskTracker,
    cancel: CancellationToken,
}

/// An account and region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct World {
    pub(crate) account: String,
    pub(crate) region: String,
}

impl LocalAgents {
    pub(crate) fn new(dev: Arc<Dev>, server: String, data_dir: &std::path::Path) -> Arc<Self> {
        Arc::new(Self {
            dev,
            server,
            folder: data_dir.join(FOLDER),
            worlds: Mutex::default(),
            endpoints: OnceCell::new(),
            running: TaskTracker::new(),
            cancel: CancellationToken::new(),
        })
    }

    /// How many there are in each world.
    pub(crate) fn count(&self) -> u16 {
        self.dev.agents
    }

    /// The worlds that the agents had joined when the data directory was last used: what runs
    /// there wants its agents back.
    pub(crate) fn known_worlds(&self) -> Vec<World> {
        let entries = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten();
        let named = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let parsed = named.filter_map(|name| {
            let (account, region) = name.split_once('_')?;
            let (account, region) = (account.to_owned(), region.to_owned());
            Some(World { account, region })
        });
        let mut worlds: Vec<World> = parsed.collect();
        worlds.sort_by(|a, b| (&a.account, &a.region).cmp(&(&b.account, &b.region)));
        worlds
    }

    /// Has the agents join a world, and waits until they are connected. Whoever asks again waits
    /// for the same.
    pub(crate) async fn join(&self, world: World) -> Result<(), Failure> {
        let cell = {
            // Nothing can panic while the map is held.
            let mut worlds = self.worlds.lock().unwrap_or_else(PoisonError::into_inner);
            worlds.entry(world.clone()).or_default().clone()
        };
        let joined = cell.get_or_try_init(|| self.start(&world)).await;
        joined.map(|_| ())
    }

    async fn start(&self, world: &World) -> Result<(), Failure> {
        let dev = &*self.dev;
        let place = Place {
            server: &self.server,
            region: &world.region,
            keys: Arc::new(Keys {
                access_key_id: format!("{LOCAL_AGENT_KEY}{}", world.account),
                secret_access_key: "local".to_owned(),
                session_token: None,
            }),
            ca_file: None,
            data_dir: self
                .folder
                .join(format!("{}_{}", world.account, world.region)),
            endpoints: &self.endpoints,
            endpoints_dir: &self.folder,
            work: &dev.work,
            cpu: dev.agent_cpu,
            memory: dev.agent_memory,
        };
        let workshop = place.open().await?;
        let behavior = dev.work.image_pull_behavior;
        let behavior = pull_behavior(behavior.unwrap_or(ImagePullBehavior::PreferCached));
        let configs = (0..u32::from(dev.agents)).map(|number| {
            place.agent(
                &workshop,
                Identity {
                    number,
                    cluster: CLUSTER,
                    capacity: Capacity {
                        instance: true,
                        fargate: true,
                    },
                    machine: Some(self.machine(number)),
                    zone: Some(zone(&dev.zones, number, &world.region)),
                    attributes: BTreeMap::new(),
                    pull_behavior: behavior,
                    cleanup_wait: dev.work.cleanup_wait.unwrap_or(CLEANUP_WAIT),
                },
            )
        });
        let configs: Vec<_> = configs.collect();
        let outlooks: Vec<Outlook> = configs.iter().map(|_| Outlook::new()).collect();
        for (config, outlook) in configs.iter().zip(&outlooks) {
            place.serve_tasks(&workshop, config, outlook);
        }
        let mut views: Vec<_> = outlooks.iter().map(|o| o.status.subscribe()).collect();
        let (cancel, named) = (self.cancel.child_token(), world.clone());
        let ended = CancellationToken::new();
        let tell = ended.clone().drop_guard();
        self.running.spawn(async move {
            let _tell = tell;
            let run = fleet::run(configs, &workshop.shared, workshop.kept, outlooks, cancel);
            if let Err(error) = run.await {
                tracing::error!(world = ?named, ?error, "the local agents ended");
            }
        });
        let connected = async {
            for view in &mut views {
                let there =
                    |status: &berth_agent::agent::Status| status.instance.is_some() && status.acs;
                view.wait_for(there).await.context("a local agent ended")?;
            }
            anyhow::Ok(())
        };
        let connected = ended.run_until_cancelled(told("the local agents to connect", connected));
        let connected = connected.await;
        Ok(connected.context("the local agents ended").flatten()?)
    }

    /// With Docker, all agents are one machine, for they share its ports. Each simulated agent is
    /// a machine of its own.
    fn machine(&self, number: u32) -> String {
        match self.dev.work.runtime {
            Runtime::Docker => "local".to_owned(),
            Runtime::Simulated => format!("local-{number}"),
        }
    }

    /// Stops the agents; containers go on.
    pub(crate) async fn stop(&self) {
        self.cancel.cancel();
        self.running.close();
        self.running.wait().await;
        if let Some(endpoints) = self.endpoints.get() {
            endpoints.stop_redirecting().await;
        }
    }
}

/// The zone of an agent: zones are dealt out in turn, and one letter stands for a zone of the
/// region.
fn zone(zones: &[String], number: u32, region: &str) -> String {
    let at = number as usize % zones.len().max(1);
    match zones.get(at) {
        Some(letter) if letter.len() == 1 => format!("{region}{letter}"),
        Some(whole) => whole.clone(),
        None => format!("{region}a"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_dealt_out_in_turn() {
        let zones = ["a".to_owned(), "cellar".to_owned()];
        let dealt: Vec<String> = (0..3).map(|n| zone(&zones, n, "eu-west-1")).collect();
        assert_eq!(dealt, ["eu-west-1a", "cellar", "eu-west-1a"]);
        assert_eq!(zone(&[], 5, "eu-west-1"), "eu-west-1a");
    }
}
