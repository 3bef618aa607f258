//! Running a server until it is told to stop: what `berth dev` and `berth serve` share.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, anyhow};
use berth_server::{
    Config, Location, LogLimits, OpenError, Patience, RateLimits, Retention, RunError, Running,
    StartError,
};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::banner::{Banner, url_of};
use crate::cli::{Limits, Rates};
use crate::exit::Failure;
use crate::{control, data_dir};

/// How long a deregistered instance can be described; ECS names no time, and a day covers a
/// look at what happened yesterday.
const INACTIVE_INSTANCES_KEPT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a deleted service can be described: tools wait for INACTIVE, and see it gone later.
const INACTIVE_SERVICES_KEPT: Duration = Duration::from_secs(60 * 60);
/// How long requests under way may take to end after a signal, before the process ends anyway.
const DRAIN_MAX: Duration = Duration::from_secs(30);

/// The server's schema in a Postgres database.
const SCHEMA: &str = "berth";

/// Berth's tables in this database.
pub(crate) fn postgres(url: &str) -> Location {
    Location::Postgres {
        url: url.to_owned(),
        schema: SCHEMA.to_owned(),
    }
}

/// What is kept how long.
pub(crate) fn retention(limits: &Limits) -> Retention {
    Retention {
        stopped_tasks: limits.stopped_task_retention,
        stopped_tasks_max: limits.stopped_task_max,
        inactive_instances: INACTIVE_INSTANCES_KEPT,
        inactive_services: INACTIVE_SERVICES_KEPT,
    }
}

/// How much of containers' output is kept.
pub(crate) fn log_limits(limits: &Limits) -> LogLimits {
    let bytes = |mib: u32| u64::from(mib) * 1024 * 1024;
    LogLimits {
        group_bytes_max: bytes(limits.log_group_mib_max),
        all_bytes_max: bytes(limits.log_mib_max),
    }
}

/// How long agents that are away are waited for.
pub(crate) fn patience(limits: &Limits) -> Patience {
    let after = limits.task_lost_after;
    Patience {
        instance_lost_after: limits.instance_lost_after,
        task_lost_after: (!after.is_zero()).then_some(after),
    }
}

/// Whether callers are held to a rate.
pub(crate) fn rate_limits(limits: &Limits) -> RateLimits {
    match limits.rate_limits {
        Rates::Off => RateLimits::Off,
        Rates::Ecs => RateLimits::Ecs,
    }
}

/// This server's name in the lease: machine and process.
pub(crate) fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = match host.trim() {
        "" => "unknown",
        name => name,
    };
    format!("{host}/{}", std::process::id())
}

/// A server that listens.
pub(crate) struct Started {
    pub(crate) running: Running,
    /// Where clients on this machine reach it.
    pub(crate) url: String,
    listen: SocketAddr,
    tls: bool,
    data_dir: PathBuf,
    /// The file under which the access key is sealed in the database.
    secret_file: Option<PathBuf>,
}

/// Starts the server, and records where it listens for `berth env` and `berth status`.
pub(crate) async fn start(config: Config) -> Result<Started, Failure> {
    let tls = config.tls.is_some();
    let data_dir = config.data_dir.clone();
    let running = berth_server::start(config).await.map_err(start_failure)?;
    tokio::spawn(stop_at_signal(running.stop_token()));
    let listen = running.address();
    let url = url_of(listen, tls);
    data_dir::record_endpoint(&data_dir, &url)?;
    control::listen(&data_dir, running.backups())?;
    Ok(Started {
        running,
        url,
        listen,
        tls,
        data_dir,
        secret_file: None,
    })
}

impl Started {
    /// Whoever asks for the access key has to name this file.
    pub(crate) fn sealed_under(mut self, secret_file: Option<PathBuf>) -> Self {
        self.secret_file = secret_file;
        self
    }

    /// What the server has to say of itself.
    pub(crate) fn print_banner(&self, command: &str) {
        let banner = Banner {
            command,
            url: &self.url,
            listen: self.listen,
            tls: self.tls,
            data: &self.data_dir,
            secret_file: self.secret_file.as_deref(),
        };
        eprint!("{}", banner.text());
    }

    /// Runs until a signal, or until the server ends by itself.
    pub(crate) async fn run(self) -> Result<(), Failure> {
        self.running.wait().await.map_err(run_failure)
    }
}

/// Asks the server to stop at a signal, and ends the process when it takes too long.
async fn stop_at_signal(stop: CancellationToken) {
    ended_by_signal().await;
    stop.cancel();
    tokio::time::sleep(DRAIN_MAX).await;
    tracing::warn!("requests under way took too long, and were cut off");
    // Everything that was acknowledged is on disk already.
    std::process::exit(0);
}

/// Waits for a signal that asks the process to end.
pub(crate) async fn ended_by_signal() {
    let received = async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let name = tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
        };
        tracing::info!(signal = name, "stopping");
        std::io::Result::Ok(())
    };
    if let Err(error) = received.await {
        // Ending is the safe answer: a server that nobody can stop in good order is worse.
        tracing::error!(?error, "signals cannot be received");
    }
}

fn start_failure(error: StartError) -> Failure {
    match &error {
        StartError::Listen { source, .. } if source.kind() == ErrorKind::AddrInUse => {
            Failure::InUse(error.into())
        }
        StartError::Open(cause) => open_failure(cause)(error.into()),
        StartError::Listen { .. } | StartError::Tls(_) => Failure::Retry(error.into()),
    }
}

/// What it means for a command that a store did not open.
pub(crate) fn open_failure(error: &OpenError) -> fn(anyhow::Error) -> Failure {
    match error {
        OpenError::InUse { .. } => Failure::InUse,
        OpenError::Newer { .. } | OpenError::Damaged { .. } => Failure::Data,
        OpenError::Tables(_) | OpenError::Unavailable { .. } => Failure::Retry,
    }
}

fn run_failure(error: RunError) -> Failure {
    match error {
        RunError::Damaged(_) => Failure::Data(anyhow!(error).context(
            "the data cannot be used; berth doctor --set-aside TABLE/KEY takes a record out",
        )),
        RunError::Defect(_) | RunError::DiskFailed => Failure::Retry(error.into()),
    }
}

/// Makes the folder, for its owner alone.
pub(crate) fn make_folder(path: &Path) -> anyhow::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(path)
        .with_context(|| format!("could not make {}", path.display()))
}
