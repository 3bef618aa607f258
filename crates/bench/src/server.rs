//! The server under measurement, and what it tells of itself.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;

use crate::calls::{ACCESS_KEY_ID, Api, SECRET_ACCESS_KEY};
use crate::connection::Connection;
use crate::postgres::{Database, Postgres, free_port};
use crate::process::{Process, wait_until};

/// How long a server may take to start with a full store.
const START_MAX: Duration = Duration::from_secs(120);

/// Where a server keeps its state: a folder of its own, and with Postgres a database.
pub(crate) struct Store<'a> {
    pub(crate) folder: PathBuf,
    pub(crate) database: Option<Database<'a>>,
}

impl<'a> Store<'a> {
    /// An empty store in `parent`.
    pub(crate) fn fresh(parent: &Path, postgres: Option<&'a Postgres>) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("server-")
            .tempdir_in(parent)?;
        Ok(Self {
            folder: folder.keep(),
            database: postgres.map(Postgres::fresh_database).transpose()?,
        })
    }
}

impl Drop for Store<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} is still there: {error}", self.folder.display());
        }
    }
}

/// A running `berth serve`.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Server {
    /// Starts a server on a free port; it need not answer yet.
    pub(crate) fn launch(berth: &Path, store: &Store<'_>, flags: &[&str]) -> Result<Self> {
        // A port that is known before the server listens lets its first answer be timed.
        Self::launch_at(berth, store, flags, free_port()?)
    }

    /// Starts a server on this port; it need not answer yet.
    pub(crate) fn launch_at(
        berth: &Path,
        store: &Store<'_>,
        flags: &[&str],
        port: u16,
    ) -> Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut command = Command::new(berth);
        command
            .args(["serve", "--listen", &address.to_string(), "--data-dir"])
            .arg(&store.folder)
            .args(flags)
            .env("BERTH_ACCESS_KEY_ID", ACCESS_KEY_ID)
            .env("BERTH_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
            .env("BERTH_LOG", "warn")
            .stdout(Stdio::null());
        if let Some(database) = &store.database {
            command.env("BERTH_DATABASE_URL", &database.url);
        }
        let process = Process::start("berth serve", command, &store.folder.join("serve.log"))?;
        Ok(Self { process, address })
    }

    /// Starts a server and waits until it answers.
    pub(crate) fn start(berth: &Path, store: &Store<'_>, flags: &[&str]) -> Result<Self> {
        let mut server = Self::launch(berth, store, flags)?;
        if let Err(error) = server.wait_until_healthy() {
            let log = fs::read_to_string(store.folder.join("serve.log")).unwrap_or_default();
            return Err(error.context(format!("the server says:\n{log}")));
        }
        Ok(server)
    }

    /// Waits until `/health` says 200; gives how long that took.
    pub(crate) fn wait_until_healthy(&mut self) -> Result<Duration> {
        let address = self.address;
        let process = &mut self.process;
        wait_until("the server", START_MAX, || {
            if process.has_ended()? {
                bail!("the server has ended");
            }
            let request = format!("GET /health HTTP/1.1\r\nhost: {address}\r\n\r\n");
            let answered = Connection::open(address)
                .and_then(|mut connection| Ok(connection.call(request.as_bytes())?.status));
            Ok(answered.is_ok_and(|status| status == 200))
        })
    }

    /// A client for this server.
    pub(crate) fn api(&self) -> Result<Api> {
        Api::open(self.address)
    }

    /// What `/metrics` says now.
    pub(crate) fn metrics(&self) -> Result<Metrics> {
        let (status, text) = self.api()?.get("/metrics")?;
        if status != 200 {
            bail!("/metrics answered {status}");
        }
        Ok(Metrics::parse(&text))
    }

    /// Tasks in the server's memory, stopped ones included.
    pub(crate) fn tasks(&self) -> Result<f64> {
        let (status, text) = self.api()?.get("/health")?;
        let health: serde_json::Value = serde_json::from_str(&text)?;
        let tasks = health["tasks"].as_f64();
        tasks.with_context(|| format!("/health answered {status}: {text}"))
    }

    /// Ends it in good order.
    pub(crate) fn stop(self) -> Result<()> {
        self.process.stop(Signal::TERM)
    }
}

/// Counters and gauges by name with labels.
pub(crate) struct Metrics(BTreeMap<String, f64>);

impl Metrics {
    fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let pairs = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(pairs.collect())
    }

    /// A value; 0 when it is not there, as a counter that was never touched is not.
    pub(crate) fn get(&self, name: &str) -> f64 {
        self.0.get(name).copied().unwrap_or_default()
    }

    /// What a histogram without its label `le` has counted since `earlier`.
    pub(crate) fn histogram_since(&self, earlier: &Self, name: &str, labels: &str) -> Counts {
        let prefix = match labels {
            "" => format!("{name}_bucket{{le=\""),
            labels => format!("{name}_bucket{{{labels},le=\""),
        };
        let mut upto: Vec<(f64, f64)> = self
            .0
            .iter()
            .filter_map(|(key, count)| {
                let bound = key.strip_prefix(&prefix)?.strip_suffix("\"}")?;
                // "+Inf" is a number to Rust as well.
                Some((bound.parse().ok()?, count - earlier.get(key)))
            })
            .collect();
        upto.sort_by(|one, other| one.0.total_cmp(&other.0));
        Counts { upto }
    }

    /// A value that must be there.
    pub(crate) fn known(&self, name: &str) -> Result<f64> {
        self.0
            .get(name)
            .copied()
            .with_context(|| format!("the server has no metric {name}"))
    }
}

/// What a histogram counted: upper bounds, and how many values do not exceed them.
pub(crate) struct Counts {
    upto: Vec<(f64, f64)>,
}

impl Counts {
    /// How many values there were.
    pub(crate) fn all(&self) -> f64 {
        self.upto.last().map_or(0.0, |(_, count)| *count)
    }

    /// A bound that the share `q` of the values does not exceed: the end of the bucket in which
    /// the quantile lies. 0 of none.
    pub(crate) fn bound(&self, q: f64) -> f64 {
        let rank = self.all() * q;
        let reached = self.upto.iter().find(|(_, count)| *count >= rank);
        reached.map_or(
            0.0,
            |(bound, _)| if self.all() > 0.0 { *bound } else { 0.0 },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_read_with_their_labels() {
        let text = "# HELP a b\nberth_tasks 12\nbusy_total{lane=\"api\"} 3.5\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.get("berth_tasks"), 12.0);
        assert_eq!(metrics.get("busy_total{lane=\"api\"}"), 3.5);
        assert!(metrics.known("gone").is_err());
    }
    #[test]
    fn a_histogram_tells_in_which_bucket_a_quantile_lies() {
        let text = |counts: [u32; 3]| {
            let [one, ten, all] = counts;
            Metrics::parse(&format!(
                "t_bucket{{lane=\"api\",le=\"1\"}} {one}\nt_bucket{{lane=\"api\",le=\"10\"}} {ten}\n\
                 t_bucket{{lane=\"api\",le=\"+Inf\"}} {all}\nt_bucket{{lane=\"agents\",le=\"1\"}} 7\n"
            ))
        };
        let counts = text([60, 110, 111]).histogram_since(&text([10, 10, 11]), "t", "lane=\"api\"");
        assert_eq!(counts.all(), 100.0);
        assert_eq!((counts.bound(0.5), counts.bound(0.51)), (1.0, 10.0));
        assert_eq!(counts.bound(1.0), 10.0);
        let none = text([0, 0, 0]).histogram_since(&text([0, 0, 0]), "t", "lane=\"api\"");
        assert_eq!((none.all(), none.bound(0.99)), (0.0, 0.0));
    }
}
