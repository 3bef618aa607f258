//! What a server is started with. Nothing has a hidden default: the binary spells out every value.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use berth_model::waiting::WaitForRoom;
use berth_reconcile::absence::Patience;
use berth_reconcile::purge::Retention;
use berth_storage::{Location, LogLimits};

use crate::accounts::Access;
use crate::metrics::MetricsDetail;
use crate::rates::RateLimits;

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    /// The certificate, followed by those that vouch for it.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What a server is started with.
#[derive(Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Speak TLS with this certificate.
    pub tls: Option<Tls>,
    /// The URL that agents are told to poll; `None` means the one of their own request.
    pub advertise_url: Option<String>,
    /// Where the state is kept.
    pub location: Location,
    /// Where this server keeps files of its own, such as log events when embedded.
    pub data_dir: PathBuf,
    /// This server's name in the lease, for operators.
    pub holder: String,
    /// Whom to let in.
    pub access: Access,
    /// Refuse foreign Hosts and whatever a browser sent.
    pub local_only: bool,
    /// Say 503 at `/health` until [`crate::Running::set_ready`].
    pub wait_until_ready: bool,
    /// The secret under `nextToken`.
    pub page_key: [u8; 32],
    /// How long what is over is kept.
    pub retention: Retention,
    /// How much of containers' output is kept.
    pub log_limits: LogLimits,
    /// How long agents that are away are waited for.
    pub patience: Patience,
    /// What `/metrics` tells of what runs.
    pub metrics_detail: MetricsDetail,
    /// How long after RUNNING a service's task counts as healthy when nothing checks it.
    pub service_healthy_after: Duration,
    /// Whether callers are held to a rate.
    pub rate_limits: RateLimits,
    /// Whether tasks of services move onto instances that have fewer of them.
    pub move_over: bool,
    /// How long stopped tasks are kept in the database once they have left memory, counted from
    /// when they stopped; zero keeps none.
    pub task_history: Duration,
    /// Which tasks wait when there is no room for them, and for how long.
    pub wait_for_room: WaitForRoom,
}
