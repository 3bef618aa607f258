//! Postgres to measure on: a private cluster, or a server that was named; and on either, a
//! database of its own for each run.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Signal, geteuid};

use crate::process::{Process, wait_until};

/// Where Debian puts the server's programs, by version.
const DEBIAN: &str = "/usr/lib/postgresql";
const START_MAX: Duration = Duration::from_secs(30);

/// A Postgres server.
pub(crate) struct Postgres {
    /// A database to make others from, as a URL.
    admin_url: String,
    /// The private cluster.
    own: Option<Process>,
    databases: AtomicU32,
}

impl Postgres {
    /// A server that runs already. Databases called `berth_bench_…` are made there.
    pub(crate) fn named(url: &str) -> Self {
        Self {
            admin_url: url.to_owned(),
            own: None,
            databases: AtomicU32::new(0),
        }
    }

    /// Starts a private cluster in `folder`, with Postgres' own settings.
    pub(crate) fn private(folder: &Path) -> Result<Self> {
        let programs = programs()?;
        let user = User::find()?;
        let data = folder.join("postgres");
        fs::create_dir(&data)?;
        if let Some(user) = &user {
            chown(&data, Some(user.id), Some(user.group))?;
        }
        let as_user = |program: &str| {
            let mut command = Command::new(programs.join(program));
            // Not every user may look at where this program was started.
            command.current_dir(&data);
            if let Some(user) = &user {
                command.uid(user.id).gid(user.group);
            }
            command
        };
        let mut make = as_user("initdb");
        make.args([
            "--auth=trust",
            "--username=berth",
            "--encoding=UTF8",
            "--locale=C",
        ]);
        succeeded("initdb", make.arg(data.join("cluster")).output()?)?;
        let port = free_port()?.to_string();
        let mut serve = as_user("postgres");
        serve.arg("-D").arg(data.join("cluster"));
        serve.args(["-h", "127.0.0.1", "-p", &port, "-k", ""]);
        let process = Process::start("postgres", serve, &folder.join("postgres.log"))?;
        let postgres = Self {
            admin_url: format!("postgres://berth@127.0.0.1:{port}/postgres"),
            own: Some(process),
            databases: AtomicU32::new(0),
        };
        wait_until("postgres", START_MAX, || {
            Ok(postgres.run("SELECT 1").is_ok())
        })?;
        Ok(postgres)
    }

    /// Makes a new database and gives its URL.
    pub(crate) fn fresh_database(&self) -> Result<Database<'_>> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        let name = format!("berth_bench_{}_{number}", std::process::id());
        self.run(&format!("CREATE DATABASE {name}"))?;
        let (server, _) = self
            .admin_url
            .rsplit_once('/')
            .context("a database URL ends in /<database>")?;
        Ok(Database {
            url: format!("{server}/{name}"),
            name,
            postgres: self,
        })
    }

    /// CPU seconds that the private cluster has used.
    pub(crate) fn cpu_seconds(&self) -> Result<Option<f64>> {
        self.own.as_ref().map(Process::cpu_seconds).transpose()
    }

    /// Ends the private cluster in good order.
    pub(crate) fn stop(self) -> Result<()> {
        match self.own {
            // SIGINT: sessions are cut, the data is brought to a clean end.
            Some(process) => process.stop(Signal::INT),
            None => Ok(()),
        }
    }

    fn run(&self, sql: &str) -> Result<()> {
        let mut psql = Command::new("psql");
        psql.args(["--no-psqlrc", "--quiet", "--dbname", &self.admin_url]);
        succeeded("psql", psql.args(["--command", sql]).output()?)
    }
}

/// A database that is dropped in the end.
pub(crate) struct Database<'a> {
    pub(crate) url: String,
    name: String,
    postgres: &'a Postgres,
}

impl Drop for Database<'_> {
    fn drop(&mut self) {
        let name = &self.name;
        let sql = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
        if let Err(error) = self.postgres.run(&sql) {
            eprintln!("database {name} is still there: {error:#}");
        }
    }
}

fn succeeded(what: &str, output: Output) -> Result<()> {
    if !output.status.success() {
        bail!("{what}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

/// A loopback port that nothing listens on.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The folder of the newest Postgres there is.
fn programs() -> Result<PathBuf> {
    let versions = fs::read_dir(DEBIAN).with_context(|| format!("no Postgres in {DEBIAN}"))?;
    let newest = versions
        .filter_map(|entry| Some((entry.as_ref().ok()?.file_name(), entry.ok()?.path())))
        .filter_map(|(name, path)| Some((name.to_str()?.parse::<u32>().ok()?, path.join("bin"))))
        .filter(|(_, path)| path.join("postgres").exists())
        .max();
    Ok(newest.context("no Postgres server is installed")?.1)
}

/// Postgres refuses to run as root.
struct User {
    id: u32,
    group: u32,
}

impl User {
    /// The system's `postgres` user when this program runs as root, else none.
    fn find() -> Result<Option<Self>> {
        if !geteuid().is_root() {
            return Ok(None);
        }
        let users = fs::read_to_string("/etc/passwd")?;
        let line = users.lines().find(|line| line.starts_with("postgres:"));
        let fields: Vec<&str> = line.context("no user postgres")?.split(':').collect();
        ensure!(fields.len() > 3, "/etc/passwd");
        Ok(Some(Self {
            id: fields[2].parse()?,
            group: fields[3].parse()?,
        }))
    }
}
