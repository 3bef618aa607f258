//! Keeping a process running.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::process::Command;

use crate::server::ended_by_signal;

/// The first and the longest wait before a process that ended is started again; ecs-init's.
const WAIT: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// A process that ran for so long had started well, and is started again without delay.
const RAN_WELL: Duration = Duration::from_secs(60);
/// How long a process may take to end once it was told to.
const STOP_MAX: Duration = Duration::from_secs(20);

/// A process to start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Child {
    program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    /// Variables that are set.
    pub(super) set: Vec<(String, OsString)>,
    /// Variables that it must not see.
    pub(super) unset: Vec<&'static str>,
}

impl Child {
    pub(super) fn new(program: &Path) -> Self {
        Self {
            program: program.to_owned(),
            arguments: Vec::new(),
            set: Vec::new(),
            unset: Vec::new(),
        }
    }

    pub(super) fn arguments<'a>(&mut self, given: impl IntoIterator<Item = &'a str>) {
        self.arguments.extend(given.into_iter().map(OsString::from));
    }

    pub(super) fn path(&mut self, flag: &str, path: &Path) {
        self.arguments.push(flag.into());
        self.arguments.push(path.into());
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).kill_on_drop(true);
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        for name in &self.unset {
            command.env_remove(name);
        }
        command
    }
}

/// How the supervision ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// This process was told to stop, and has stopped the other.
    BySignal,
    /// With a code after which starting again does not help.
    ForGood(i32),
}

/// Runs what `next` gives, again and again, until a signal or a code that is `final_codes`'.
///
/// # Errors
/// When a process cannot be started at all, or `next` gives none.
pub(super) async fn supervise(
    mut next: impl FnMut() -> Result<Child>,
    final_codes: &[i32],
) -> Result<Ended> {
    let mut signal = std::pin::pin!(ended_by_signal());
    let (mut wait, longest) = WAIT;
    loop {
        let child = next()?;
        let started = tokio::time::Instant::now();
        let mut running = child
            .command()
            .spawn()
            .with_context(|| format!("{} does not start", child.program.display()))?;
        let status = tokio::select! {
            status = running.wait() => status.context("the agent is lost sight of")?,
            () = &mut signal => {
                stop(&mut running).await;
                return Ok(Ended::BySignal);
            }
        };
        if let Some(code) = status.code().filter(|code| final_codes.contains(code)) {
            return Ok(Ended::ForGood(code));
        }
        if started.elapsed() >= RAN_WELL {
            wait = WAIT.0;
        }
        tracing::warn!(%status, ?wait, "the agent ended; starting it again");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = &mut signal => return Ok(Ended::BySignal),
        }
        wait = (wait * 2).min(longest);
    }
}

async fn stop(running: &mut tokio::process::Child) {
    let pid = running.id().and_then(|id| i32::try_from(id).ok());
    if let Some(pid) = pid.and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(STOP_MAX, running.wait())
        .await
        .is_err()
    {
        tracing::warn!("the agent did not stop in time");
        let _ = running.kill().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut child = Child::new(Path::new("/bin/sh"));
        child.arguments(["-c", script]);
        child
    }

    #[tokio::test]
    async fn it_is_started_again_until_it_ends_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let count = folder.path().join("count");
        let mut starts = 0;
        // 0, 1 and 2 are codes of the stock agent that ask for another start.
        let ended = supervise(
            || {
                let code = [0, 1, 2, 5][starts];
                starts += 1;
                let file = count.display();
                Ok(shell(&format!("echo x >> {file}; exit {code}")))
            },
            &[5],
        );
        assert_eq!(ended.await.unwrap(), Ended::ForGood(5));
        let started = std::fs::read_to_string(&count).unwrap();
        assert_eq!(started.lines().count(), 4);
    }

    #[tokio::test]
    async fn a_program_that_is_not_there_is_an_error() {
        let missing = || Ok(Child::new(Path::new("/no/such/program")));
        assert!(supervise(missing, &[5]).await.is_err());
    }
}
