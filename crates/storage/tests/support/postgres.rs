//! A private Postgres server for tests, gone when the test process is.

use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

const INSTALL: &str = "Postgres is not installed, and these tests need a server of their own: \
     `apt-get install postgresql` brings it";
const START_DEADLINE: Duration = Duration::from_secs(60);

#[expect(
    clippy::disallowed_methods,
    reason = "a deadline for the server of a test"
)]
fn now() -> Instant {
    Instant::now()
}

/// Stops the server when standard input ends, as it does when the test process dies in whatever
/// way. A server that is shared is never restarted, and its files go with it.
const UNTIL_STDIN_ENDS: &str = r#"
dir=$1; shift
"$@" >"$dir/log" 2>&1 &
server=$!
read -r _
kill -INT $server 2>/dev/null
wait $server
"#;

const REMOVE_FILES: &str = "rm -rf \"$dir\"\n";

/// A running server. One is shared by most tests, each in a schema of its own.
pub struct Cluster {
    dir: PathBuf,
    shared: bool,
    process: Option<(Child, ChildStdin)>,
}

static SHARED: LazyLock<Cluster> = LazyLock::new(|| Cluster::make(true));

impl Cluster {
    pub fn shared() -> &'static Cluster {
        &SHARED
    }

    /// A server for one test, which may kill it.
    pub fn start() -> Cluster {
        Self::make(false)
    }

    fn make(shared: bool) -> Cluster {
        let made = output(as_postgres("mktemp").args(["-d", "/tmp/berth-postgres-XXXXXX"]));
        let dir = PathBuf::from(String::from_utf8(made.stdout).unwrap().trim());
        output(
            as_postgres(program("initdb"))
                .args([
                    "--auth=trust",
                    "--username=postgres",
                    "--encoding=UTF8",
                    "--locale=C",
                ])
                .arg("--pgdata")
                .arg(dir.join("data")),
        );
        let mut cluster = Cluster {
            dir,
            shared,
            process: None,
        };
        cluster.run();
        cluster
    }

    /// Starts the server over the files that are there.
    pub fn run(&mut self) {
        let mut command = as_postgres("sh");
        let script = format!(
            "{UNTIL_STDIN_ENDS}{}",
            if self.shared { REMOVE_FILES } else { "" }
        );
        command.args(["-c", &script]);
        command.args(["sh".as_ref(), self.dir.as_os_str()]);
        command
            .arg(program("postgres"))
            .arg("-D")
            .arg(self.dir.join("data"));
        command
            .arg("-k")
            .arg(&self.dir)
            .args(["-c", "listen_addresses="]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        self.process = Some((child, stdin));
        let deadline = now() + START_DEADLINE;
        let ready = || {
            let mut ask = Command::new(program("pg_isready"));
            ask.arg("-q")
                .arg("-h")
                .arg(&self.dir)
                .status()
                .unwrap()
                .success()
        };
        while !ready() {
            assert!(now() < deadline, "Postgres did not start: {}", self.log());
        }
    }

    /// Kills all of the server's processes at once, as a power cut would.
    pub fn kill(&mut self) {
        let pid_file = std::fs::read_to_string(self.dir.join("data/postmaster.pid")).unwrap();
        let postmaster = pid_file.lines().next().unwrap().to_owned();
        let children = output(Command::new("ps").args(["-o", "pid=", "--ppid", &postmaster]));
        let children = String::from_utf8(children.stdout).unwrap();
        let mut pids = vec![postmaster];
        pids.extend(children.split_whitespace().map(ToOwned::to_owned));
        // A child may have ended by itself in the meantime.
        let _ = Command::new("kill").arg("-9").args(&pids).output();
        let deadline = now() + START_DEADLINE;
        while pids.iter().any(|pid| is_alive(pid)) {
            assert!(
                now() < deadline,
                "Postgres' processes {pids:?} outlive kill -9"
            );
        }
        let (mut child, stdin) = self.process.take().unwrap();
        drop(stdin);
        child.wait().unwrap();
    }

    pub fn url(&self) -> String {
        format!(
            "postgres://postgres@localhost/postgres?host={}",
            self.dir.display()
        )
    }

    /// Runs SQL outside of the store and answers what psql prints, without headers.
    pub fn psql(&self, sql: &str) -> String {
        let mut command = Command::new(program("psql"));
        command.args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-U",
            "postgres",
        ]);
        let output = output(
            command
                .arg("-h")
                .arg(&self.dir)
                .args(["-c", sql, "postgres"]),
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some((mut child, stdin)) = self.process.take() {
            drop(stdin);
            let _ = child.wait();
        }
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

/// Whether a process runs. One that only waits for its parent to take note does not.
fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat"));
    // The state follows the program's name, which is in parentheses.
    stat.is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap()
            .trim_start()
            .starts_with('Z')
    })
}

/// A program of the newest Postgres that Debian's packages installed, or of the one in PATH.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| {
            let path = version.ok()?.path();
            let number = path.file_name()?.to_str()?.parse().ok()?;
            Some((number, path.join("bin").join(name))).filter(|(_, path)| path.exists())
        })
        .collect();
    found.sort();
    if let Some((_, path)) = found.pop() {
        return path;
    }
    let in_path = Command::new(name).arg("--version").output().is_ok();
    assert!(in_path, "{INSTALL}");
    PathBuf::from(name)
}

/// Postgres refuses to run as root.
fn as_postgres(program: impl AsRef<Path>) -> Command {
    let id = output(Command::new("id").arg("-u"));
    if id.stdout.trim_ascii() != b"0" {
        return Command::new(program.as_ref());
    }
    let mut command = Command::new("runuser");
    command
        .args(["-u", "postgres", "--"])
        .arg(program.as_ref())
        .current_dir("/");
    command
}

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {errors}");
    output
}
