//! `berth join`: makes a machine join a cluster by a token, and keeps its agent running, Berth's
//! own or the stock one.
//!
//! Where systemd runs the machine, that is a unit of it; elsewhere this process supervises. For
//! the stock agent it does what Amazon's ecs-init does: a folder for the agent's memory,
//! credentials in a file that the agent reads anew, firewall rules for 169.254.170.2, and starting
//! the agent again when it ends with a code that allows it.

mod rules;
mod stock;
mod supervise;
mod unit;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, Dialer};
use berth_agent::joined::{JoinError, Joined};

use crate::cli::Join;
use crate::exit::Failure;
use crate::server;
use supervise::{Child, Ended, supervise};

/// Codes with which Berth's agent says that starting it again does not help: 2 for a command that
/// makes no sense, 3 for damaged data.
const OWN_FINAL: [i32; 2] = [2, 3];
/// The code with which the stock agent says so.
const STOCK_FINAL: [i32; 1] = [5];

/// Joins, and runs the agent until a signal; or has systemd run it.
///
/// # Errors
/// When the server does not let the machine join, or its agent ended for good.
pub(crate) async fn run(join: Join) -> Result<(), Failure> {
    if join.stock && !rustix::process::geteuid().is_root() {
        return Err(Failure::Usage(anyhow!(
            "the stock agent's credentials and firewall rules need root: use sudo"
        )));
    }
    server::make_folder(&join.data_dir)?;
    let ca_file = join.trust.ca_file.as_deref();
    let token = join.join_token.as_deref();
    let joined = open(&join.server, ca_file, &join.data_dir, token).await?;
    let granted = joined.granted().borrow().clone();
    eprintln!(
        "berth join: this machine is {}",
        granted.container_instance_arn
    );
    let program = std::env::current_exe().context("this program is not found")?;
    if unit::has_systemd() && !join.foreground {
        let unit = unit::Unit::of(&program, &join);
        return Ok(unit.install().await?);
    }
    let ended = match join.stock {
        false => {
            let child = own_agent(&program, &join);
            supervise(|| Ok(child.clone()), &OWN_FINAL).await?
        }
        true => stock::run(&join, joined).await?,
    };
    match ended {
        Ended::BySignal => Ok(()),
        Ended::ForGood(code) => Err(Failure::Usage(anyhow!(
            "the agent ended with code {code}: its settings are wrong, and will stay so"
        ))),
    }
}

/// Berth's own agent on the same data directory, where it finds that the machine has joined.
fn own_agent(program: &Path, join: &Join) -> Child {
    let mut child = Child::new(program);
    child.arguments(["agent", "--server", &join.server]);
    child.path("--data-dir", &join.data_dir);
    if let Some(ca_file) = &join.trust.ca_file {
        child.path("--ca-file", ca_file);
    }
    child
}

/// The machine's own credentials: by the token, unless it has joined before.
///
/// # Errors
/// When the server refuses, or nothing can be remembered.
pub(crate) async fn open(
    server: &str,
    ca_file: Option<&Path>,
    data_dir: &Path,
    token: Option<&str>,
) -> Result<Arc<Joined>, Failure> {
    let dialer = Dialer::new(ca_file)
        .context("the certificates cannot be used")
        .map_err(Failure::Usage)?;
    let uri = server
        .parse()
        .with_context(|| format!("not a URL: {server:?}"))
        .map_err(Failure::Usage)?;
    let clock = Clock::start();
    let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), clock)
        .with_context(|| format!("{server:?} is not a server's URL"))
        .map_err(Failure::Usage)?;
    let opened = Joined::open(api, clock, data_dir, token).await;
    opened.map_err(|error| match error {
        JoinError::NoToken | JoinError::Refused(_) => Failure::Usage(error.into()),
        JoinError::File(..) => Failure::Retry(error.into()),
    })
}
