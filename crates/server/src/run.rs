//! Starting and stopping a server.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use berth_state::TABLES;
use berth_storage::{BoxError, LogStore, OpenError, Store};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::app::{Front, Phase};
use crate::config::{Config, Tls};
use crate::http::{Listener, router, serve};
use crate::metrics::Metrics;
use crate::rates::Rates;
use crate::roles::RoleKey;
use crate::term;
use crate::upkeep::Backups;
use crate::worlds::{WorldOpener, Worlds};

/// Why a server could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address is in use, or may not be listened on.
    #[error("could not listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The certificate or its key cannot be used.
    #[error("could not use the TLS certificate")]
    Tls(#[source] BoxError),
    /// The store did not open.
    #[error("could not open the store")]
    Open(#[source] OpenError),
}

/// Why a running server ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The saved state cannot be used; a person has to look.
    #[error("could not load the state")]
    Damaged(#[source] BoxError),
    /// A task of the server ended by a defect.
    #[error("the server failed by a defect")]
    Defect(#[source] BoxError),
    /// The disk failed to keep a commit: what it holds must be read anew, by a new process.
    #[error("the disk failed to keep a commit")]
    DiskFailed,
}

/// A running server. Dropping it does not stop it; [`Running::shutdown`] does.
pub struct Running {
    address: SocketAddr,
    front: Arc<Front>,
    store: Store,
    logs: LogStore,
    stop: CancellationToken,
    terms: JoinHandle<Result<(), RunError>>,
    listening: JoinHandle<()>,
}

/// Opens the store, listens, and sets about leading.
///
/// # Errors
/// When the store does not open, or the address cannot be listened on.
pub async fn start(config: Config) -> Result<Running, StartError> {
    let tls = config
        .tls
        .as_ref()
        .map(acceptor)
        .transpose()
        .map_err(StartError::Tls)?;
    // The store first: its lock is what says that another server has this data.
    let store = Store::open(&config.location, &TABLES)
        .await
        .map_err(StartError::Open)?;
    let logs = LogStore::open(&config.location, config.log_limits);
    let logs = logs.await.map_err(StartError::Open)?;
    let listen = |source| StartError::Listen {
        address: config.listen,
        source,
    };
    let tcp = TcpListener::bind(config.listen).await.map_err(listen)?;
    let address = tcp.local_addr().map_err(listen)?;
    let not_ready = config
        .wait_until_ready
        .then(|| Arc::new("the local agents are not connected"));
    let front = Arc::new(Front {
        access: config.access.clone(),
        roles: RoleKey::derive(&config.page_key),
        local_only: config.local_only,
        tls: tls.is_some(),
        rates: Rates::new(config.rate_limits),
        metrics_detail: config.metrics_detail,
        contacts: Arc::default(),
        metrics: Arc::new(Metrics::new()),
        worlds: Worlds::new(),
        phase: ArcSwap::from_pointee(Phase::Waiting("the state is being loaded")),
        not_ready: ArcSwapOption::new(not_ready),
    });
    let stop = CancellationToken::new();
    let listener = Listener { tcp, tls };
    let hang_up = stop.child_token();
    let serving = serve(listener, router(front.clone()), front.clone(), hang_up);
    let listening = tokio::spawn(serving);
    let terms = term::run(
        config,
        store.clone(),
        logs.clone(),
        front.clone(),
        stop.clone(),
    );
    // However leading ends, whoever starts something beside the server learns of it here.
    let ended = stop.clone().drop_guard();
    let terms = tokio::spawn(async move {
        let _ended = ended;
        terms.await
    });
    Ok(Running {
        address,
        front,
        store,
        logs,
        stop,
        terms,
        listening,
    })
}

impl Running {
    /// The address that is listened on.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, the first signed request of an account and region waits for `opener`.
    pub fn set_world_opener(&self, opener: WorldOpener) {
        self.front.worlds.set_opener(opener);
    }

    /// From now on `/health` says 200, as soon as this server leads.
    pub fn set_ready(&self) {
        self.front.not_ready.store(None);
    }

    /// Takes backups while the server goes on.
    #[must_use]
    pub fn backups(&self) -> Backups {
        Backups(self.store.clone(), self.logs.clone())
    }

    /// Asks the server to stop; [`Running::wait`] then ends.
    pub fn shutdown(&self) {
        self.stop.cancel();
    }

    /// A token that asks the server to stop when it is cancelled, and is cancelled when the server
    /// ends by itself.
    #[must_use]
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Waits until the server has ended: by [`Running::shutdown`], once the requests under way
    /// are answered and the state is folded, or by itself.
    ///
    /// # Errors
    /// Why it ended by itself.
    pub async fn wait(self) -> Result<(), RunError> {
        let ended = match self.terms.await {
            Ok(ended) => ended,
            Err(defect) => Err(RunError::Defect(defect.into())),
        };
        self.stop.cancel();
        if let Err(error) = self.listening.await {
            tracing::error!(%error, "the listener ended badly");
        }
        ended
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor, BoxError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            certificates(&tls.certificate)?,
            PrivateKeyDer::from_pem_file(&tls.key)?,
        )?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, BoxError> {
    let chain = CertificateDer::pem_file_iter(path)?.collect::<Result<Vec<_>, _>>()?;
    if chain.is_empty() {
        return Err("the certificate file holds no certificate".into());
    }
    Ok(chain)
}
