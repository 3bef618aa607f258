//! The whole-cluster harness: the built `berth` program, real AWS clients, real Docker.
//!
//! Rules kept here:
//! - everything that is started is stopped by its process id when its value is dropped, also when
//!   a test fails;
//! - nothing waits for a while: [`wait_for`] waits for a condition, with a deadline;
//! - a server that is put away must have counted no panic ([`Server::finish`]).
//!
//! What clients need beside Rust (the aws CLI and boto3 in `.venv`, Docker, busybox) is installed
//! by `make test`; a suite that misses it fails and says so.

#![expect(
    clippy::missing_panics_doc,
    reason = "a harness stops its test at the first surprise, everywhere"
)]

mod agent_socket;
mod call;
mod certificates;
mod cli;
mod clients;
mod deadline;
mod docker;
mod link;
mod load;
mod postgres;
mod process;
mod program;
mod raw;
mod server;
mod trace;
pub mod transcript;

pub use agent_socket::{AgentSocket, Frame, Refusal, encoded};
pub use call::{Caller, Key};
pub use certificates::make_certificates;
pub use cli::Cli;
pub use clients::{Aws, Refused, client, python, tool};
pub use deadline::{SOON, wait_for};
pub use docker::{Docker, IMAGE};
pub use link::{Link, Tape, Track};
pub use load::{Load, Tally};
pub use postgres::Postgres;
pub use process::{Process, chance, ended};
pub use program::{berth, project_root, run_berth};
pub use raw::{Answer, api_request, exchange, signed};
pub use server::{Server, Spec};
pub use trace::{Line, Trace};
