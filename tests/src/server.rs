//! A server of the program under test, in a process of its own.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;

use crate::clients::Aws;
use crate::deadline::{SOON, wait_for};
use crate::program::command;
use crate::raw::exchange;

/// The lines of a server's log that a failed test shows.
const LOG_LINES_SHOWN: usize = 60;
/// How long a server may take to stop: requests under way are answered first.
const STOP_MAX: Duration = Duration::from_secs(40);

/// A server to start.
pub struct Spec {
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
    data_dir: Option<String>,
}

impl Spec {
    /// `berth dev` with these further arguments.
    #[must_use]
    pub fn dev(arguments: &[&str]) -> Spec {
        Spec::command("dev", arguments)
    }

    /// `berth serve` with these further arguments.
    #[must_use]
    pub fn serve(arguments: &[&str]) -> Spec {
        Spec::command("serve", arguments)
    }

    fn command(command: &str, arguments: &[&str]) -> Spec {
        let own = [command].into_iter().chain(arguments.iter().copied());
        Spec {
            arguments: own.map(str::to_owned).collect(),
            environment: Vec::new(),
            data_dir: None,
        }
    }

    /// With this data directory, which outlives the server.
    #[must_use]
    pub fn data_dir(mut self, path: &str) -> Spec {
        self.data_dir = Some(path.to_owned());
        self
    }

    /// With this variable in its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Spec {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Starts it on a port of its own with a fresh data directory, and waits until it serves.
    #[must_use]
    pub fn start(self) -> Server {
        let mut server = self.not_started();
        server.restart();
        server
    }

    /// Starts it beside another that leads: waits until it listens, and no longer.
    #[must_use]
    pub fn stand_by(self) -> Server {
        let mut server = self.not_started();
        server.begin();
        server.find_address();
        server
    }

    fn not_started(self) -> Server {
        let folder = Arc::new(tempfile::tempdir().expect("a folder can be made"));
        Server {
            spec: self,
            folder,
            address: "127.0.0.1:0".to_owned(),
            child: None,
        }
    }
}

/// A running server. Dropping it kills it.
pub struct Server {
    spec: Spec,
    folder: Arc<TempDir>,
    /// `host:port`; the port stays the same over restarts, so that agents find it again.
    address: String,
    child: Option<Child>,
}

impl Server {
    /// Its data directory.
    #[must_use]
    pub fn data_dir(&self) -> String {
        if let Some(path) = &self.spec.data_dir {
            return path.clone();
        }
        self.folder.path().join("data").display().to_string()
    }

    /// Its endpoint.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The aws CLI pointed at it.
    #[must_use]
    pub fn aws(&self) -> Aws {
        Aws::new(&self.url())
    }

    /// Ends it as a crash would: no signal that it could notice.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().expect("the process is ours");
            child.wait().expect("the process is ours");
        }
    }

    /// Starts it again after [`Server::kill`], on the same data and port.
    pub fn restart(&mut self) {
        self.begin();
        self.find_address();
        wait_for("the server to be healthy", SOON, || {
            self.assert_running();
            self.is_healthy().then_some(())
        });
    }

    fn find_address(&mut self) {
        let recorded = self.recorded();
        let url = wait_for("the endpoint to be recorded", SOON, || {
            self.assert_running();
            fs::read_to_string(&recorded)
                .ok()
                .filter(|url| url.ends_with('\n'))
        });
        self.address = url.trim().trim_start_matches("http://").to_owned();
    }

    /// Starts its process again after [`Server::kill`], and waits for nothing.
    pub fn begin(&mut self) {
        assert!(self.child.is_none(), "it runs already");
        let data_dir = self.data_dir();
        let _ = fs::remove_file(self.recorded());
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_path());
        let log = log.expect("the log can be written");
        let child = command()
            .args(&self.spec.arguments)
            .args(["--listen", &self.address, "--data-dir", &data_dir])
            .envs(self.spec.environment.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("berth starts");
        self.child = Some(child);
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("it runs").id()
    }

    /// Whether it says of itself that it serves.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        self.get("/health").0 == 200
    }

    /// Everything that it has logged, over all its lives.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    /// The file in which it records its endpoint.
    fn recorded(&self) -> std::path::PathBuf {
        Path::new(&self.data_dir()).join("endpoint")
    }

    /// Status and body of a GET.
    #[must_use]
    pub fn get(&self, path: &str) -> (u16, String) {
        let host = self.address();
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(host, request.as_bytes())
            .map_or((0, String::new()), |answer| (answer.status, answer.body))
    }

    /// A number from its metrics.
    #[must_use]
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics");
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value = line.and_then(|value| value.trim().parse().ok());
        value.unwrap_or_else(|| panic!("no metric {name} in:\n{text}"))
    }

    /// Memory in use, in bytes, as the kernel counts it.
    #[must_use]
    pub fn resident_bytes(&self) -> u64 {
        let pid = self.pid();
        let text = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
        let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        kib.expect("the kernel counts memory") * 1024
    }

    /// Asks it to stop, as a supervisor does, and waits until it has.
    pub fn terminate(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let told = Command::new("kill")
            .args(["-TERM", &child.id().to_string()])
            .status();
        assert!(told.is_ok_and(|status| status.success()), "kill works");
        wait_for("the server to stop", STOP_MAX, || {
            child.try_wait().expect("the process is ours")
        })
    }

    /// Puts it away at the end of a suite: no panic was counted, and it stops in good order.
    ///
    /// # Panics
    /// When either is not so.
    pub fn finish(mut self) {
        assert_eq!(
            self.metric("berth_panics_total"),
            0.0,
            "the server panicked"
        );
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let panicked = log.lines().find(|line| line.contains("panicked at"));
        assert_eq!(panicked, None, "something panicked");
        let status = self.terminate();
        assert!(status.success(), "the server ended with {status}");
    }

    fn log_path(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    fn assert_running(&mut self) {
        let child = self.child.as_mut().expect("it was started");
        if let Some(status) = child.try_wait().expect("the process is ours") {
            self.child = None;
            panic!("the server ended with {status}");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = fs::read_to_string(self.log_path()).unwrap_or_default();
            let lines: Vec<&str> = log.lines().collect();
            let from = lines.len().saturating_sub(LOG_LINES_SHOWN);
            eprintln!("--- the server's log:\n{}", lines[from..].join("\n"));
        }
    }
}
