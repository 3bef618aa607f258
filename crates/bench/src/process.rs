//! The processes that are started here: watched, and ended by their ids whatever happens.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Resource, Signal, getrlimit, kill_process, setrlimit};

use crate::clock;

/// `/proc` counts CPU in hundredths of a second on every Linux that we run on (`USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;
/// How long a process may take to end when it is asked to.
const END_MAX: Duration = Duration::from_secs(40);
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Ids of the processes that run, for when this one is told to end.
static RUNNING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn running() -> MutexGuard<'static, BTreeSet<i32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Kills all processes that were started here and still run.
pub(crate) fn kill_all() {
    for id in std::mem::take(&mut *running()) {
        if let Some(pid) = Pid::from_raw(id) {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

/// Lets this process and those it starts open as many files as the system allows: each agent
/// is two sockets.
pub(crate) fn raise_file_limit() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("the limit of open files")
}

/// A process that was started here. Dropping it kills it.
pub(crate) struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts `command`, its standard error going to the file `log`.
    pub(crate) fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let log = fs::File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stderr(log);
        // A Ctrl-C reaches this program alone, which then ends the others itself.
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        // Held while starting, so that no process is missed by `kill_all`.
        let mut ids = running();
        let child = command
            .spawn()
            .with_context(|| format!("could not start {name}"))?;
        ids.insert(child.id().cast_signed());
        drop(ids);
        Ok(Self {
            name: name.to_owned(),
            child,
        })
    }

    /// Its standard output, if it was asked for with a pipe and not taken yet.
    pub(crate) fn take_output(&mut self) -> Result<std::process::ChildStdout> {
        self.child.stdout.take().context("no output to read")
    }

    /// Its id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Sends SIGKILL and waits until it is gone.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.signal(Signal::KILL)?;
        self.child.wait()?;
        Ok(())
    }

    /// Sends `signal`, by which it is to end in good order, and waits until it has.
    pub(crate) fn stop(mut self, signal: Signal) -> Result<()> {
        self.signal(signal)?;
        let asked = clock::now();
        while !self.has_ended()? {
            ensure!(asked.elapsed() < END_MAX, "{} does not end", self.name);
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<()> {
        let pid = Pid::from_raw(self.id().cast_signed()).context("a process id")?;
        kill_process(pid, signal).with_context(|| format!("could not signal {}", self.name))
    }

    /// CPU seconds that it has used, children of it that still run included.
    pub(crate) fn cpu_seconds(&self) -> Result<f64> {
        Ok(cpu_seconds_of(self.id())? + children_cpu_seconds(self.id()))
    }

    /// Memory that it holds, in MB.
    pub(crate) fn rss_mb(&self) -> Result<f64> {
        rss_mb_of(self.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !matches!(self.child.try_wait(), Ok(Some(_))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
        running().remove(&self.child.id().cast_signed());
    }
}

/// The fields of `/proc/<id>/stat` after the name, which may hold blanks: the first is the state.
fn stat_of(id: u32) -> Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{id}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("/proc/<id>/stat")?;
    Ok(rest.split_whitespace().map(str::to_owned).collect())
}

/// CPU seconds that the process has used in user and kernel mode.
pub(crate) fn cpu_seconds_of(id: u32) -> Result<f64> {
    let stat = stat_of(id)?;
    let ticks = |at: usize| stat.get(at).and_then(|field| field.parse::<f64>().ok());
    // Fields 14 and 15 in proc(5).
    let (user, kernel) = ticks(11).zip(ticks(12)).context("/proc/<id>/stat")?;
    Ok((user + kernel) / TICKS_PER_SECOND)
}

/// A database has a process for each connection.
fn children_cpu_seconds(parent: u32) -> f64 {
    let Ok(entries) = fs::read_dir("/proc") else {
        return 0.0;
    };
    let ids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<u32>().ok());
    let children = ids.filter(|id| {
        let parent = parent.to_string();
        stat_of(*id).is_ok_and(|stat| stat.get(1) == Some(&parent))
    });
    children.filter_map(|id| cpu_seconds_of(id).ok()).sum()
}

fn rss_mb_of(id: u32) -> Result<f64> {
    let text = fs::read_to_string(format!("/proc/{id}/status"))?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    Ok(kilobytes.context("/proc/<id>/status has no VmRSS")? * 1024.0 / 1e6)
}

/// Waits until `holds`, looking every few milliseconds.
///
/// # Errors
/// When it does not hold in time, or cannot be found out.
pub(crate) fn wait_until(
    what: &str,
    at_most: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<Duration> {
    let begun = clock::now();
    loop {
        if holds()? {
            return Ok(begun.elapsed());
        }
        if begun.elapsed() > at_most {
            bail!("gave up waiting for {what} after {at_most:?}");
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_and_cpu() {
        let id = std::process::id();
        let begun = clock::now();
        while cpu_seconds_of(id).unwrap() == 0.0 {
            assert!(begun.elapsed() < Duration::from_secs(20));
        }
        assert!(rss_mb_of(id).unwrap() > 0.5);
    }
}
