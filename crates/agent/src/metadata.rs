//! The endpoints that tasks call: metadata, statistics, credentials and task protection
//! (agent protocol reference §7).
//!
//! Containers reach them by an address of their own network, so that nothing has to be
//! translated: this machine's on Docker's default bridge, or on the bridge of awsvpc tasks, or
//! the loopback in host mode. All have one port, which is kept over restarts, because it stands
//! in the environment of running containers. SDKs that insist on 169.254.170.2 are served by
//! [`firewall`] rules, where the process may make them.
//!
//! One server serves all agents of a process: the id in a path says whose container asks.

mod credentials;
pub mod firewall;
mod limit;
mod protection;
mod render;
mod routes;
mod statistics;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::limit::Limiter;
use self::statistics::Samples;
use crate::config::MetadataBase;
use crate::directory::{Directory, TaskView};
use crate::ecs::EcsClient;
use crate::runtime::docker::{DockerRuntime, Gateways};

/// How long a port that was ours may be taken still: an agent that was just killed is being
/// cleaned up.
const PORT_PATIENCE: Duration = Duration::from_secs(5);
const PORT_RETRY: Duration = Duration::from_millis(100);
/// How often an address that is not there yet is tried again, such as that of a bridge while
/// Docker restarts.
const BIND_RETRY: Duration = Duration::from_secs(2);
/// Connections at once: more than the containers of a machine open, and few enough that
/// one that opens them without end does no harm.
const CONNECTIONS_MAX: usize = 512;
/// How long a client may take to send its headers.
const HEADERS_MAX: Duration = Duration::from_secs(10);

/// How to serve.
#[derive(Clone)]
pub struct MetadataSettings {
    /// Where the port is kept between runs.
    pub port_file: PathBuf,
    /// For what only Docker knows of a container, and for statistics; without it, both are left
    /// out.
    pub docker: Option<DockerRuntime>,
    /// The addresses of this machine on the containers' networks.
    pub gateways: Gateways,
}

/// An agent whose tasks are served.
#[derive(Clone)]
pub struct ServedAgent {
    /// What it shows of its tasks.
    pub directory: Arc<Directory>,
    /// Calls its server, for tags and task protection.
    pub ecs: EcsClient,
    /// The availability zone that the server gave it.
    pub zone: Option<String>,
}

/// What every connection uses.
struct Served {
    docker: Option<DockerRuntime>,
    agents: RwLock<Vec<ServedAgent>>,
    limiter: Limiter,
    samples: Samples,
}

impl Served {
    /// The container with this id in its URL.
    fn by_token(&self, token: &str) -> Option<Asker> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.iter().find_map(|agent| {
            let (view, container) = agent.directory.by_token(token)?;
            Some(Asker {
                agent: agent.clone(),
                view,
                container,
            })
        })
    }

    /// The awsvpc task with this address.
    fn by_address(&self, address: IpAddr) -> Option<Asker> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.iter().find_map(|agent| {
            let mut tasks = agent.directory.tasks().into_iter();
            let has = |view: &Arc<TaskView>| {
                view.network
                    .as_ref()
                    .is_some_and(|network| network.ip == address)
            };
            tasks.find(has).map(|view| Asker {
                agent: agent.clone(),
                view,
                container: 0,
            })
        })
    }

    fn agents(&self) -> Vec<ServedAgent> {
        let agents = self.agents.read().unwrap_or_else(PoisonError::into_inner);
        agents.clone()
    }
}

/// Who asks.
struct Asker {
    agent: ServedAgent,
    view: Arc<TaskView>,
    container: usize,
}

/// The running server; ends when dropped.
pub struct MetadataServer {
    served: Arc<Served>,
    gateways: Gateways,
    port: u16,
    /// Ends the listeners with it.
    _listeners: JoinSet<()>,
}

impl MetadataServer {
    /// Begins to listen. An address of `settings` that is not there yet is bound as soon as it is.
    ///
    /// # Errors
    /// When the loopback has no port for it, or the port cannot be kept.
    pub async fn start(settings: MetadataSettings) -> io::Result<Self> {
        let loopback = listen_on_loopback(&settings.port_file).await?;
        let port = loopback.local_addr()?.port();
        let served = Arc::new(Served {
            docker: settings.docker,
            agents: RwLock::default(),
            limiter: Limiter::default(),
            samples: Samples::default(),
        });
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut listeners = JoinSet::new();
        let gateways = settings.gateways;
        let others = gateways.bridge.into_iter().chain([gateways.tasks]);
        for address in others {
            let (served, connections) = (Arc::clone(&served), Arc::clone(&connections));
            listeners.spawn(async move {
                let listener = bind_when_there(SocketAddr::new(address, port)).await;
                accept(listener, served, connections).await;
            });
        }
        listeners.spawn(accept(loopback, Arc::clone(&served), connections));
        Ok(Self {
            served,
            gateways,
            port,
            _listeners: listeners,
        })
    }

    /// The port on every address.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Serves an agent's tasks from now on, in place of those of an agent with the same
    /// instance.
    pub fn serve(&self, agent: ServedAgent) {
        let agents = self.served.agents.write();
        let mut agents = agents.unwrap_or_else(PoisonError::into_inner);
        let instance = agent.directory.instance();
        agents.retain(|other| other.directory.instance() != instance);
        agents.push(agent);
    }

    /// Where the containers of a task reach this server: for the agent's configuration. Nowhere
    /// without a network.
    #[must_use]
    pub fn base(&self) -> MetadataBase {
        let (gateways, port) = (self.gateways, self.port);
        Arc::new(move |task, network| {
            let address = match (network, task.network_mode.as_deref()) {
                (Some(network), _) => network.gateway.unwrap_or(gateways.tasks),
                (None, Some("host")) => Ipv4Addr::LOCALHOST.into(),
                (None, Some("none")) => return None,
                (None, _) => gateways.bridge?,
            };
            Some(format!("http://{}", SocketAddr::new(address, port)))
        })
    }
}

/// Binds the port of the last run, or a new one when that is somebody else's by now.
async fn listen_on_loopback(port_file: &std::path::Path) -> io::Result<TcpListener> {
    let kept = std::fs::read_to_string(port_file).ok();
    let kept = kept.and_then(|text| text.trim().parse::<u16>().ok());
    if let Some(port) = kept.filter(|port| *port != 0) {
        let deadline = tokio::time::Instant::now() + PORT_PATIENCE;
        loop {
            match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
                Ok(listener) => return Ok(listener),
                Err(_) if tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(PORT_RETRY).await;
                }
                Err(error) => {
                    tracing::warn!(port, %error, "the metadata port is taken; running containers will not find the new one");
                    break;
                }
            }
        }
    }
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    if let Some(folder) = port_file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(port_file, listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

async fn bind_when_there(address: SocketAddr) -> TcpListener {
    let mut told = false;
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => {
                if !told {
                    tracing::warn!(%address, %error, "cannot serve metadata there yet; trying again");
                    told = true;
                }
                tokio::time::sleep(BIND_RETRY).await;
            }
        }
    }
}

async fn accept(listener: TcpListener, served: Arc<Served>, connections: Arc<Semaphore>) {
    let mut open = JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let permit = Arc::clone(&connections).acquire_owned().await;
        let Ok(permit) = permit else { return };
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: others close some.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PORT_RETRY).await;
                continue;
            }
        };
        let served = Arc::clone(&served);
        open.spawn(async move {
            let _permit = permit;
            let service = service_fn(move |request| {
                let served = Arc::clone(&served);
                async move {
                    Ok::<_, std::convert::Infallible>(
                        routes::answer(&served, peer.ip(), request).await,
                    )
                }
            });
            let connection = hyper::server::conn::http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEADERS_MAX)
                // Simple clients close their side once they have asked.
                .half_close(true)
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes away is its own business.
            let _ = connection.await;
        });
    }
}

#[cfg(test)]
mod tests;
