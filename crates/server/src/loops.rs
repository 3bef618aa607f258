//! The loops that drive the controllers. They make no choices: `reconcile` decides.

use std::sync::Arc;
use std::time::Duration;

use berth_leader::{AbsenceWatch, Missed};
use berth_ops::Context;
use berth_reconcile::purge;
use berth_state::{Failure, Lane};
use berth_storage::{LogStore, Store, StoreError};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::config::Config;
use crate::gateway::Gateway;
use crate::services::ServiceBell;
use crate::term::{LEASE_EVERY, LEASE_TTL};

/// How often absent agents and things past their time are looked at.
const HOUSEKEEPING_EVERY: Duration = Duration::from_secs(1);
/// How often log events past their retention are removed: retention counts in days.
const EXPIRE_LOGS_EVERY: Duration = Duration::from_secs(10 * 60);
/// How long before the end of its lease a leader stops by itself: more than two clocks drift
/// apart within a lease.
const LEASE_MARGIN: Duration = Duration::from_secs(2);

/// Looks after absent agents, and forgets what is over.
pub(crate) async fn housekeeping(
    cx: Arc<Context>,
    gateway: Arc<Gateway>,
    services: Arc<ServiceBell>,
    config: Config,
    cancel: CancellationToken,
) {
    let mut watch = AbsenceWatch::default();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(HOUSEKEEPING_EVERY) => {}
        }
        let missed = gateway.missed(&mut watch);
        services.lost(missed.lost(&config.patience));
        if let Err(error) = look_after_absent(&cx, missed, &config).await {
            tracing::warn!(%error, "absent agents not looked after");
        }
        if let Err(error) = forget(&cx, &config, &cancel).await {
            tracing::warn!(%error, "nothing was forgotten");
        }
    }
}

async fn look_after_absent(cx: &Context, missed: Missed, config: &Config) -> Result<(), Failure> {
    let patience = config.patience;
    if missed.plan(&cx.state.snapshot(), &patience).is_empty() {
        return Ok(());
    }
    cx.state
        .transact(Lane::Controllers, move |tx| {
            missed.carry_out(tx, &patience);
            Ok(())
        })
        .await
}

async fn forget(cx: &Context, config: &Config, cancel: &CancellationToken) -> Result<(), Failure> {
    let retention = config.retention;
    while !cancel.is_cancelled() {
        if purge::decide(&cx.state.snapshot(), clock::wall(), &retention).is_empty() {
            return Ok(());
        }
        let step = cx.state.transact(Lane::Controllers, move |tx| {
            let plan = purge::decide(tx.state(), tx.now(), &retention);
            purge::carry_out(tx, &plan);
            Ok::<(), Failure>(())
        });
        step.await?;
    }
    Ok(())
}

/// Removes log events past their group's retention.
pub(crate) async fn expire_logs(cx: Arc<Context>, logs: LogStore, cancel: CancellationToken) {
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(EXPIRE_LOGS_EVERY) => {}
        }
        let state = cx.state.snapshot();
        for (key, group) in state.log_groups.iter() {
            let Some(days) = group.retention_days else {
                continue;
            };
            let before = clock::wall() - Duration::from_secs(u64::from(days) * 24 * 60 * 60);
            if let Err(error) = logs.expire(key, before).await {
                tracing::warn!(group = %key.name, ?error, "log events not expired");
            }
        }
    }
}

/// Renews the lease; cancels `lost` as soon as it may have lapsed, by this server's own clock.
pub(crate) async fn keep_lease(
    store: Store,
    asked_at: u64,
    lost: CancellationToken,
    cancel: CancellationToken,
) {
    let good_for = u64::try_from((LEASE_TTL - LEASE_MARGIN).as_millis()).unwrap_or(0);
    let mut good_until = asked_at + good_for;
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(LEASE_EVERY) => {}
        }
        let sent_at = clock::monotonic_ms();
        let deadline = clock::at_monotonic_ms(good_until);
        match tokio::time::timeout_at(deadline, store.renew_lease(LEASE_TTL)).await {
            Ok(Ok(())) => good_until = sent_at + good_for,
            Ok(Err(StoreError::Deposed)) => break,
            Ok(Err(error)) => tracing::warn!(?error, "lease not renewed"),
            Err(_) => {}
        }
        if clock::monotonic_ms() >= good_until {
            break;
        }
    }
    lost.cancel();
}
