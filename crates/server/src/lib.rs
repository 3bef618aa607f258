//! The server: listeners, the agent gateway, the task that runs the writer, and the loops that
//! drive the controllers.
//!
//! Rules kept here:
//! - nothing is served before the state is loaded and this server leads;
//! - every long-lived task ends when its term of leadership does;
//! - what a client sees goes through `ops`, what an agent sees through the gateway.

mod accounts;
mod app;
mod clock;
mod config;
mod contacts;
mod gateway;
mod history;
mod http;
mod logs;
mod loops;
mod metrics;
mod payload;
mod rates;
mod roles;
mod run;
mod services;
mod standby;
mod telemetry;
mod term;
pub mod upkeep;
mod waiting;
mod worlds;
mod writer;

pub use accounts::{Access, AccessKey, LOCAL_AGENT_KEY};
pub use config::{Config, Tls};
pub use metrics::MetricsDetail;
pub use rates::RateLimits;
pub use run::{RunError, Running, StartError, start};
pub use worlds::WorldOpener;
// The binary may use this crate and the agent alone, so what its configuration is made of comes
// from here.
pub use berth_model::waiting::WaitForRoom;
pub use berth_reconcile::absence::Patience;
pub use berth_reconcile::purge::Retention;
pub use berth_storage::{
    BackupError, LoadError, Location, LogLimits, MadeAccessKey, OpenError, Secrets, SecretsError,
    StoreError,
};
