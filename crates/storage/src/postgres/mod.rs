//! The Postgres store.
//!
//! Rules kept here:
//! - a commit is one statement, and so one round trip: it claims the lease row and appends the
//!   journal row, or does neither;
//! - commits have a connection of their own, which is dropped when anything failed on it;
//! - revisions are handed out under the lease row's lock, so whoever sees one revision sees all
//!   before it;
//! - the lease counts by the database's clock alone;
//! - folding happens within the database; records do not travel for it.

mod bulk;
mod commit;
mod copy;
pub(crate) mod fault;
mod fold;
mod history;
mod lease;
mod load;

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions, Executor, PgConnection, PgPool};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

pub(crate) use self::bulk::PostgresSink;
use crate::error::{BoxError, OpenError, StoreError, filled_by_half, unavailable};
use crate::migration::{
    BERTH_VERSION, CREATE_SCHEMA_VERSION, NEWEST_VERSION, NOTE_VERSION, POSTGRES, still_to_run,
};
use crate::store::Epoch;

/// Connections beside the commit's: the folder, the lease, a load or a backup, a standby's tail.
const POOL_CONNECTIONS_MAX: u32 = 4;

/// How long to wait for a connection. Callers answer 503 after that, and come again.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often the schema is prepared when servers start together: whoever trips over another at a
/// step finds that step done at the next try, and there are the schema, the table of versions and
/// each migration to trip over; twice that, for a step that the other one took back.
const MIGRATION_TRIES: usize = 2 * (POSTGRES.len() + 2) + 1;

/// The Postgres store. See the module's comment.
#[derive(Debug)]
pub(crate) struct PostgresStore {
    tables: &'static [&'static str],
    options: PgConnectOptions,
    pool: PgPool,
    /// The commit's connection; `None` after a failure, until the next use.
    writer: Mutex<Option<PgConnection>>,
    epoch: AtomicU64,
    /// Tells this opening of the store from all others in the lease row.
    token: String,
    /// What was folded when, until its journal rows are removed.
    folded: Mutex<VecDeque<(Instant, u64)>>,
}

impl PostgresStore {
    pub(crate) async fn open(
        url: &str,
        schema: &str,
        tables: &'static [&'static str],
    ) -> Result<Self, OpenError> {
        let options = session_options(url, schema)?;
        let pool = open_pool(options.clone(), schema, POOL_CONNECTIONS_MAX).await?;
        let store = Self {
            tables,
            options,
            pool,
            writer: Mutex::new(None),
            epoch: AtomicU64::new(0),
            token: random_token()?,
            folded: Mutex::new(VecDeque::new()),
        };
        store.must_not_be_filled_by_half().await?;
        store.warn_when_not_durable().await?;
        Ok(store)
    }

    async fn must_not_be_filled_by_half(&self) -> Result<(), OpenError> {
        let filling: Option<String> = sqlx::query_scalar("SELECT what FROM filling")
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable("ask whether a restore is under way"))?;
        filling.map_or(Ok(()), |what| Err(filled_by_half(&what)))
    }

    async fn warn_when_not_durable(&self) -> Result<(), StoreError> {
        let fsync: String = sqlx::query_scalar("SHOW fsync")
            .fetch_one(&self.pool)
            .await
            .map_err(unavailable("ask the database for its settings"))?;
        if fsync != "on" {
            tracing::warn!("the database runs with fsync off: a power cut can damage its data");
        }
        Ok(())
    }

    pub(crate) fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Acquire))
    }

    /// The commit's connection. The caller puts it back once all went well; otherwise, and when
    /// the caller's future is dropped half-way, the next one opens another.
    async fn take_writer(&self, slot: &mut Option<PgConnection>) -> Result<PgConnection, BoxError> {
        if let Some(connection) = slot.take() {
            return Ok(connection);
        }
        let connected = timeout(CONNECT_TIMEOUT, self.options.connect()).await;
        Ok(connected.map_err(|_| "the database did not answer in time")??)
    }

    pub(crate) async fn close(&self) {
        self.writer.lock().await.take();
        self.pool.close().await;
    }
}

/// A pool of connections to a database with our schema in it, made or brought up to date.
pub(crate) async fn open_pool(
    options: PgConnectOptions,
    schema: &str,
    connections_max: u32,
) -> Result<PgPool, OpenError> {
    let pool = PgPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(CONNECT_TIMEOUT)
        .connect_lazy_with(options);
    migrate(&pool, schema).await?;
    Ok(pool)
}

async fn migrate(pool: &PgPool, schema: &str) -> Result<(), OpenError> {
    let mut tries = 0;
    loop {
        tries += 1;
        match try_migrate(pool, schema).await {
            Err(MigrateError::Sql(error)) => {
                let again = fault::may_be_a_race(&error) && tries < MIGRATION_TRIES;
                if !again {
                    let source = Box::new(error);
                    return Err(OpenError::Unavailable {
                        doing: "prepare the schema",
                        source,
                    });
                }
            }
            Err(MigrateError::Open(error)) => return Err(error),
            Ok(()) => return Ok(()),
        }
    }
}

async fn try_migrate(pool: &PgPool, schema: &str) -> Result<(), MigrateError> {
    let mut connection = pool.acquire().await?;
    let made: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_namespace WHERE nspname = $1")
        .bind(schema)
        .fetch_optional(&mut *connection)
        .await?;
    if made.is_none() {
        let create = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
        sqlx::query(&create).execute(&mut *connection).await?;
    }
    sqlx::query(CREATE_SCHEMA_VERSION)
        .execute(&mut *connection)
        .await?;
    let newest = sqlx::query_as(NEWEST_VERSION)
        .fetch_optional(&mut *connection)
        .await?;
    drop(connection);
    for migration in still_to_run(POSTGRES, newest).map_err(MigrateError::Open)? {
        let mut tx = pool.begin().await?;
        // The version's row comes first: it is what a second server waits for.
        sqlx::query(NOTE_VERSION)
            .bind(i64::from(migration.version))
            .bind(BERTH_VERSION)
            .execute(&mut *tx)
            .await?;
        (&mut *tx).execute(migration.sql).await?;
        tx.commit().await?;
    }
    Ok(())
}

enum MigrateError {
    Open(OpenError),
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for MigrateError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

pub(crate) fn session_options(url: &str, schema: &str) -> Result<PgConnectOptions, OpenError> {
    let refuse = |source: BoxError| OpenError::Unavailable {
        doing: "understand the database's address",
        source,
    };
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if schema.is_empty() || !schema.bytes().all(plain) {
        return Err(refuse("a schema's name has only a-z, 0-9 and _".into()));
    }
    let options = PgConnectOptions::from_str(url).map_err(|error| refuse(error.into()))?;
    Ok(options
        .application_name("berth")
        // What is acknowledged is on disk, whatever the server's own setting.
        .options([("synchronous_commit", "on"), ("search_path", schema)])
        .disable_statement_logging())
}

/// 64 random bits as text.
fn random_token() -> Result<String, OpenError> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|error| OpenError::Unavailable {
        doing: "get random bytes",
        source: error.to_string().into(),
    })?;
    Ok(format!("{:016x}", u64::from_le_bytes(bytes)))
}
