//! `berth serve`: the server alone, for production.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use berth_server::{Access, AccessKey, Config, Location, MadeAccessKey, Secrets, Tls, WaitForRoom};

use crate::cli::Serve;
use crate::exit::Failure;
use crate::{data_dir, keys, server};

/// How long after RUNNING a service's task counts as healthy when nothing checks it: long enough
/// for most programs that fail at once to have failed.
const HEALTHY_AFTER: Duration = Duration::from_secs(5);

/// Runs the server until a signal.
///
/// # Errors
/// Why it could not start, or ended by itself.
pub(crate) async fn run(serve: Serve) -> Result<(), Failure> {
    let data_dir = data_dir::resolve(serve.data_dir.as_deref(), "serve")?;
    server::make_folder(&data_dir)?;
    let location = match &serve.database_url {
        Some(url) => server::postgres(url),
        None => Location::Embedded {
            data_dir: data_dir.clone(),
        },
    };
    let secret_file = shared_secret(&serve);
    let secrets = keys::open(&location, &data_dir, secret_file.as_deref()).await?;
    let key = access_key(&serve, &secrets).await?;
    let tls = serve.tls_cert.zip(serve.tls_key);
    let started = server::start(Config {
        listen: serve.listen,
        tls: tls.map(|(certificate, key)| Tls { certificate, key }),
        advertise_url: serve.advertise_url,
        location,
        page_key: secrets.page_key(),
        data_dir,
        holder: server::holder(),
        access: Access::keys([key]),
        local_only: false,
        wait_until_ready: false,
        retention: server::retention(&serve.limits),
        log_limits: server::log_limits(&serve.limits),
        patience: server::patience(&serve.limits),
        metrics_detail: serve.limits.metrics_detail.into(),
        service_healthy_after: serve.limits.service_healthy_after.unwrap_or(HEALTHY_AFTER),
        rate_limits: server::rate_limits(&serve.limits),
        move_over: serve.limits.move_over,
        task_history: serve.limits.task_history,
        wait_for_room: WaitForRoom::new(serve.limits.wait_for_room),
    })
    .await?
    .sealed_under(secret_file);
    started.print_banner("serve");
    started.run().await
}

/// The file under which secrets are sealed in the database; says so when what was given and
/// what was not do not go together.
fn shared_secret(serve: &Serve) -> Option<PathBuf> {
    match (&serve.database_url, &serve.secret_file) {
        (Some(_), Some(file)) => Some(file.clone()),
        (Some(_), None) => {
            tracing::warn!(
                "without --secret-file this server's keys are in its data directory alone: \
                 another on the same database has others"
            );
            None
        }
        (None, Some(_)) => {
            tracing::warn!(
                "--secret-file is for servers that share a database; the keys are in the data \
                 directory"
            );
            None
        }
        (None, None) => None,
    }
}

/// The key that was given, else the one that was made at the first start.
async fn access_key(serve: &Serve, secrets: &Secrets) -> Result<AccessKey, Failure> {
    let stored = match serve
        .access_key_id
        .as_ref()
        .zip(serve.secret_access_key.as_ref())
    {
        Some((id, secret)) => MadeAccessKey {
            access_key_id: id.clone(),
            secret_access_key: secret.clone(),
            account: serve.account.clone(),
        },
        None => {
            let made = secrets.access_key(&serve.account).await;
            made.map_err(keys::failure)?
        }
    };
    let account = stored.account.parse();
    Ok(AccessKey {
        account: account
            .with_context(|| format!("an account has 12 digits: {:?}", stored.account))
            .map_err(Failure::Usage)?,
        id: stored.access_key_id,
        secret: stored.secret_access_key,
    })
}
