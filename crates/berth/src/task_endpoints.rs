//! The endpoints that tasks call, for the agents of one account and region.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use berth_agent::agent::Outlook;
use berth_agent::config::MetadataBase;
use berth_agent::ecs::EcsClient;
use berth_agent::metadata::{MetadataServer, MetadataSettings, ServedAgent, firewall};
use berth_agent::runtime::docker::DockerRuntime;

/// Where the endpoints' port is kept in an agent's data directory.
const PORT_FILE: &str = "metadata-port";

/// The endpoints.
#[derive(Clone)]
pub(crate) struct TaskEndpoints(Arc<MetadataServer>);

impl TaskEndpoints {
    /// Begins to listen on the machine's addresses in the containers' networks, and where this
    /// process may do so, at 169.254.170.2 too.
    pub(crate) async fn start(docker: &DockerRuntime, data_dir: &Path) -> Result<Self> {
        let gateways = docker
            .gateways()
            .await
            .context("Docker's networks are not known")?;
        let settings = MetadataSettings {
            port_file: data_dir.join(PORT_FILE),
            docker: Some(docker.clone()),
            gateways,
        };
        let server = MetadataServer::start(settings).await;
        let server = server.context("the tasks' endpoints cannot listen")?;
        let endpoints = Self(Arc::new(server));
        endpoints.redirect().await;
        Ok(endpoints)
    }

    /// Where containers reach them.
    pub(crate) fn base(&self) -> MetadataBase {
        self.0.base()
    }

    /// Serves an agent's tasks from its registration on, until the agent ends.
    pub(crate) fn follow(&self, outlook: &Outlook, ecs: EcsClient, zone: Option<String>) {
        let (server, mut directories) = (self.0.clone(), outlook.directory.subscribe());
        tokio::spawn(async move {
            while directories.wait_for(Option::is_some).await.is_ok() {
                let directory = directories.borrow_and_update().clone();
                if let Some(directory) = directory {
                    let (ecs, zone) = (ecs.clone(), zone.clone());
                    server.serve(ServedAgent {
                        directory,
                        ecs,
                        zone,
                    });
                }
                if directories.changed().await.is_err() {
                    return;
                }
            }
        });
    }

    /// Lets containers reach them at 169.254.170.2, which needs root.
    async fn redirect(&self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        if let Err(error) = firewall::install(self.0.port()).await {
            tracing::warn!(?error, "tasks are not served at 169.254.170.2");
        }
    }

    /// Gives 169.254.170.2 back.
    pub(crate) async fn stop_redirecting(&self) {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        if let Err(error) = firewall::remove(self.0.port()).await {
            tracing::warn!(?error, "firewall rules not removed");
        }
    }
}
