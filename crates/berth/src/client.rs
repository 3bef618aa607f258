//! Calls of a running server, signed as its owner.

use std::time::UNIX_EPOCH;

use anyhow::Context;
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, CallError, Dialer, Keys};
use berth_server::MadeAccessKey;
use serde_json::Value;

use crate::agents::variable;
use crate::cli::Reach;
use crate::exit::Failure;
use crate::{data_dir, keys};

/// The region signed for where the answer is of all regions.
const REGION: &str = "us-east-1";

/// A server, and the keys that it lets in.
pub(crate) struct Client {
    api: ApiClient,
    keys: Keys,
    url: String,
    clock: Clock,
}

impl Client {
    /// The server that was named, or else the one that used the data directory last.
    ///
    /// # Errors
    /// When none is known, or its keys cannot be read.
    pub(crate) async fn open(reach: &Reach) -> Result<Client, Failure> {
        let data_dir = data_dir::resolve(reach.data_dir.as_deref(), "dev")?;
        let url = match &reach.server {
            Some(url) => url.clone(),
            None => data_dir::recorded_endpoint(&data_dir)?,
        };
        // The key of a server elsewhere is not in a folder that happens to be here.
        let is_own = reach.server.is_none() || reach.data_dir.is_some();
        let made = match is_own || reach.database_url.is_some() {
            true => {
                let (database, file) = (&reach.database_url, &reach.secret_file);
                keys::made(&data_dir, database.as_deref(), file.as_deref()).await?
            }
            false => None,
        };
        let dialer = Dialer::new(reach.trust.ca_file.as_deref());
        let dialer = dialer.context("the certificates cannot be used")?;
        let uri = url.parse().with_context(|| format!("not a URL: {url}"))?;
        let clock = Clock::start();
        let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), clock);
        Ok(Client {
            api: api.with_context(|| format!("not a server's URL: {url}"))?,
            keys: keys_for(made.as_ref(), &reach.account),
            url,
            clock,
        })
    }

    /// Where the server is.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// This machine's clock, in seconds since the epoch.
    pub(crate) fn now(&self) -> f64 {
        let since = self.clock.wall().duration_since(UNIX_EPOCH);
        since.unwrap_or_default().as_secs_f64()
    }

    /// Calls one of Berth's own operations.
    ///
    /// # Errors
    /// When the server refuses, or does not answer.
    pub(crate) async fn call(&self, operation: &str, input: &Value) -> Result<Value, CallError> {
        let signer = self.keys.clone().signer(REGION, "ecs");
        let target = format!("Berth.{operation}");
        let body = input.to_string().into_bytes();
        self.api.call_target(&signer, &target, body).await
    }
}

/// The environment's, else those that the server made, else the account's name as the key, which
/// a server that lets everybody in takes.
pub(crate) fn keys_for(made: Option<&MadeAccessKey>, account: &str) -> Keys {
    let given = variable("AWS_ACCESS_KEY_ID").zip(variable("AWS_SECRET_ACCESS_KEY"));
    let session_token = given.as_ref().and(variable("AWS_SESSION_TOKEN"));
    let (access_key_id, secret_access_key) = match (given, made) {
        (Some(given), _) => given,
        (None, Some(made)) => (made.access_key_id.clone(), made.secret_access_key.clone()),
        (None, None) => (account.to_owned(), "berth".to_owned()),
    };
    Keys {
        access_key_id,
        secret_access_key,
        session_token,
    }
}
