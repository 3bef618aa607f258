//! Other processes that a test starts, and the chance that it follows.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Output, Stdio};
use std::time::Duration;

use crate::deadline::wait_for;
use crate::program::command;

/// How long a command that should end may take.
const END_MAX: Duration = Duration::from_secs(60);

/// The program run in the background, such as a fleet of agents. Dropping it kills it.
pub struct Process(Option<Child>);

impl Process {
    /// Starts the program with these arguments and variables; it logs to `log`.
    #[must_use]
    pub fn start(arguments: &[&str], environment: &[(&str, &str)], log: &Path) -> Process {
        Self::begin(arguments, environment, Stdio::null(), log)
    }

    /// The same for a command that prints, which goes to `output`.
    #[must_use]
    pub fn start_printing(
        arguments: &[&str],
        environment: &[(&str, &str)],
        output: &Path,
        log: &Path,
    ) -> Process {
        let output = File::create(output).expect("the output can be written");
        Self::begin(arguments, environment, output.into(), log)
    }

    fn begin(
        arguments: &[&str],
        environment: &[(&str, &str)],
        output: Stdio,
        log: &Path,
    ) -> Process {
        let log = File::options().create(true).append(true).open(log);
        let log = log.expect("the log can be written");
        let child = command()
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(log)
            .spawn();
        Process(Some(child.expect("berth starts")))
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0.as_ref().expect("it runs").id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        let child = self.0.as_mut().expect("it was started");
        child.try_wait().expect("the process is ours").is_none()
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.0.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Runs the program, which must end by itself soon; its exit code and what it wrote.
#[must_use]
pub fn ended(arguments: &[&str], environment: &[(&str, &str)]) -> (i32, String) {
    let child = command()
        .args(arguments)
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut running = Some(child.expect("berth starts"));
    let waited = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let child = running.as_mut().expect("it was started just before");
        wait_for("the command to end", END_MAX, || {
            child.try_wait().expect("the process is ours")
        })
    }));
    let mut child = running.take().expect("nobody took it");
    if let Err(gave_up) = waited {
        let _ = child.kill();
        let _ = child.wait();
        std::panic::resume_unwind(gave_up);
    }
    let Output {
        status,
        stdout,
        stderr,
    } = child.wait_with_output().expect("the process is ours");
    let text = [stdout, stderr].concat();
    let code = status.code().expect("no signal ended it");
    (code, String::from_utf8_lossy(&text).into_owned())
}

/// Numbers that follow from a seed (SplitMix64).
pub fn chance(seed: u64) -> impl FnMut(u64) -> u64 {
    let mut state = seed;
    move |below| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }
}
