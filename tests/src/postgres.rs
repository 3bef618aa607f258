//! A Postgres of a test's own, which it may kill.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::deadline::{SOON, wait_for};

/// Where Debian's packages put the server's programs, by version.
const DEBIAN: &str = "/usr/lib/postgresql";

/// A Postgres with a database, on a socket in a folder of its own. Dropping it ends it.
pub struct Postgres {
    folder: TempDir,
    child: Option<Child>,
}

impl Postgres {
    /// Makes and starts one.
    #[must_use]
    pub fn start() -> Postgres {
        let folder = tempfile::tempdir().expect("a folder can be made");
        if is_root() {
            let given = Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status();
            assert!(given.is_ok_and(|s| s.success()), "the user postgres exists");
        }
        let made = as_postgres(&program("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"])
            .arg("-D")
            .arg(folder.path().join("data"))
            .output()
            .expect("initdb starts");
        let said = String::from_utf8_lossy(&made.stderr);
        assert!(made.status.success(), "initdb: {said}");
        let mut postgres = Postgres {
            folder,
            child: None,
        };
        postgres.run();
        postgres
    }

    /// Starts its processes over what is on disk, and waits until it answers.
    pub fn run(&mut self) {
        self.begin();
        wait_for("Postgres to answer", SOON, || {
            self.answers().then_some(()).or_else(|| {
                let child = self.child.as_mut().expect("it was started");
                let ended = child.try_wait().expect("the process is ours");
                assert!(ended.is_none(), "Postgres ended: {}", self.log());
                None
            })
        });
    }

    /// Starts its processes, and waits for nothing.
    pub fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let log = fs::File::options()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("the log can be written");
        let child = as_postgres(&program("postgres"))
            .arg("-D")
            .arg(self.folder.path().join("data"))
            .arg("-k")
            .arg(self.folder.path())
            .args(["-c", "listen_addresses="])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("Postgres starts"));
    }

    /// Kills all of its processes at once, as a power cut would.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        let mut pids = self.backends();
        pids.extend(self.postmaster());
        signal_all(&pids);
        let _ = child.wait();
        wait_for("the processes to be gone", SOON, || {
            pids.iter().all(|pid| !is_alive(*pid)).then_some(())
        });
    }

    /// Kills one of its child processes; Postgres then throws everybody out and recovers.
    pub fn kill_backend(&self, which: u64) {
        let backends = self.backends();
        if let Some(count) = u64::try_from(backends.len()).ok().filter(|n| *n > 0) {
            let index = usize::try_from(which % count).expect("an index is small");
            signal_all(&backends[index..=index]);
        }
    }

    /// How to reach it.
    #[must_use]
    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost/postgres?host={}",
            self.folder.path().display()
        )
    }

    /// Runs SQL; what psql prints of it.
    #[must_use]
    pub fn sql(&self, text: &str) -> String {
        let output = Command::new(program("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"])
            .args(["-U", "postgres", "-c", text, "-h"])
            .arg(self.folder.path())
            .arg("postgres")
            .output()
            .expect("psql starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "psql: {said}");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn answers(&self) -> bool {
        let asked = Command::new(program("pg_isready"))
            .args(["-q", "-h"])
            .arg(self.folder.path())
            .status();
        asked.is_ok_and(|status| status.success())
    }

    fn postmaster(&self) -> Option<u32> {
        let file = self.folder.path().join("data/postmaster.pid");
        fs::read_to_string(file).ok()?.lines().next()?.parse().ok()
    }

    /// The children of the postmaster.
    fn backends(&self) -> Vec<u32> {
        let Some(postmaster) = self.postmaster() else {
            return Vec::new();
        };
        let path = format!("/proc/{postmaster}/task/{postmaster}/children");
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .collect()
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().with_extension("postgres-log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_file(self.log_path());
    }
}

fn signal_all(pids: &[u32]) {
    let pids = pids.iter().map(u32::to_string);
    // One that has ended by itself in the meantime is no failure.
    let _ = Command::new("kill")
        .arg("-9")
        .args(pids)
        .stderr(Stdio::null())
        .status();
}

/// Whether a process runs; one that only waits to be taken note of does not.
fn is_alive(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| {
        let state = stat.rsplit(')').next().unwrap_or_default().trim_start();
        !state.starts_with('Z')
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Postgres refuses to run as root.
fn as_postgres(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=postgres", "--regid=postgres", "--init-groups"])
        .arg(program)
        .current_dir("/");
    command
}

/// A program of the newest Postgres of Debian's packages, or of the one in PATH.
fn program(name: &str) -> PathBuf {
    let versions = fs::read_dir(DEBIAN).into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let program = version.path().join("bin").join(name);
            program.exists().then_some((number, program))
        })
        .max();
    newest.map_or_else(|| PathBuf::from(name), |(_, path)| path)
}
