//! `berth dev`: server, embedded store and local agents in one process.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use berth_server::{Access, Config, Location, WaitForRoom};
use futures_util::future::try_join_all;

use crate::cli::Dev;
use crate::exit::Failure;
use crate::local_agents::{LocalAgents, World};
use crate::server::Started;
use crate::{data_dir, keys, server};

/// The account and region of clients that name no other, as `berth env` exports them.
const ACCOUNT: &str = "000000000000";
const REGION: &str = "us-east-1";

/// Runs server and agents until a signal.
///
/// # Errors
/// Why it could not start, or ended by itself.
pub(crate) async fn run(dev: Dev) -> Result<(), Failure> {
    if !dev.listen.ip().is_loopback() && !dev.allow_remote {
        return Err(Failure::Usage(anyhow!(
            "berth dev lets everybody in, so it listens on loopback alone: {} needs --allow-remote",
            dev.listen
        )));
    }
    let data_dir = data_dir::resolve(dev.data_dir.as_deref(), "dev")?;
    server::make_folder(&data_dir)?;
    let location = Location::Embedded {
        data_dir: data_dir.clone(),
    };
    let secrets = keys::open(&location, &data_dir, None).await?;
    let dev = Arc::new(dev);
    let started = server::start(Config {
        listen: dev.listen,
        tls: None,
        advertise_url: None,
        location,
        page_key: secrets.page_key(),
        data_dir: data_dir.clone(),
        holder: server::holder(),
        access: Access::Anybody,
        local_only: !dev.allow_remote,
        wait_until_ready: dev.agents > 0,
        retention: server::retention(&dev.limits),
        log_limits: server::log_limits(&dev.limits),
        patience: server::patience(&dev.limits),
        metrics_detail: dev.limits.metrics_detail.into(),
        service_healthy_after: dev.limits.service_healthy_after.unwrap_or(Duration::ZERO),
        rate_limits: server::rate_limits(&dev.limits),
        move_over: dev.limits.move_over,
        task_history: dev.limits.task_history,
        wait_for_room: WaitForRoom::new(dev.limits.wait_for_room),
    })
    .await?;
    let agents = LocalAgents::new(dev.clone(), started.url.clone(), &data_dir);
    let offered = match dev.agents {
        0 => Ok(()),
        _ => offer(&agents, &started).await,
    };
    if offered.is_err() {
        // The server may lead already: it ends in good order, and then the reason is told.
        started.running.shutdown();
    } else if !started.running.stop_token().is_cancelled() {
        started.print_banner("dev");
    }
    let ended = started.run().await;
    agents.stop().await;
    offered.and(ended)
}

/// Has the agents join the worlds that they knew and the one of clients that name no other, and
/// from then on every world that is used.
async fn offer(agents: &Arc<LocalAgents>, started: &Started) -> Result<(), Failure> {
    let usual = World {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
    };
    let mut worlds = agents.known_worlds();
    if !worlds.contains(&usual) {
        worlds.push(usual);
    }
    eprintln!("berth: connecting {} local agent(s)", agents.count());
    let joining = worlds.into_iter().map(|world| agents.join(world));
    let stop = started.running.stop_token();
    match stop.run_until_cancelled(try_join_all(joining)).await {
        Some(joined) => drop(joined?),
        None => return Ok(()),
    }
    let opener = agents.clone();
    started.running.set_world_opener(Arc::new(move |scope| {
        let agents = opener.clone();
        Box::pin(async move {
            let world = World {
                account: scope.account.to_string(),
                region: scope.region.to_string(),
            };
            if let Err(failure) = agents.join(world).await {
                tracing::error!(%scope, %failure, "the local agents could not join");
            }
        })
    }));
    started.running.set_ready();
    Ok(())
}
