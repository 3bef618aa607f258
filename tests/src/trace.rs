//! A running process under strace: which system calls it makes, in their order.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::deadline::{SOON, wait_for};

/// A process that is being traced. Dropping it lets the process go on untraced.
pub struct Trace {
    strace: Child,
    folder: TempDir,
}

/// One system call, or its beginning or end.
#[derive(Clone, Debug)]
pub struct Line(String);

impl Line {
    /// Whether a sync of the file with this in its path has ended well here.
    #[must_use]
    pub fn ends_sync_of(&self, file: &str) -> bool {
        let whole = self.0.contains("sync(") && self.0.trim_end().ends_with("= 0");
        whole && self.0.contains(file)
    }

    /// Whether an HTTP answer begins to be sent here.
    #[must_use]
    pub fn sends_answer(&self) -> bool {
        self.0.contains("\"HTTP/1.1 ")
    }

    /// The line as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.0
    }
}

impl Trace {
    /// Traces what concerns disks and sockets, from now on.
    #[must_use]
    pub fn attach(pid: u32) -> Trace {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let output = folder.path().join("trace");
        let errors = fs::File::create(folder.path().join("errors")).expect("a file can be made");
        let strace = Command::new("strace")
            .args(["-f", "-y", "-s", "24", "-p", &pid.to_string()])
            .args(["-e", "trace=fdatasync,fsync,sendto,sendmsg,write,writev"])
            .arg("-o")
            .arg(&output)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("strace starts: make test installs it");
        let mut trace = Trace { strace, folder };
        wait_for("strace to attach", SOON, || {
            let said = fs::read_to_string(trace.folder.path().join("errors")).unwrap_or_default();
            let ended = trace.strace.try_wait().expect("the process is ours");
            assert!(ended.is_none(), "strace ended: {said}");
            said.contains("attached").then_some(())
        });
        trace
    }

    /// Everything seen until now. A call during which others happened has two lines, at its
    /// beginning and its end; the latter repeats what the call was.
    #[must_use]
    pub fn lines(&self) -> Vec<Line> {
        let text = fs::read(self.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let mut begun: HashMap<&str, &str> = HashMap::new();
        let mut lines = Vec::new();
        for line in text.lines() {
            let Some((thread, call)) = line.split_once(' ') else {
                continue;
            };
            if let Some(start) = call.strip_suffix("<unfinished ...>") {
                begun.insert(thread, start);
                lines.push(Line(start.to_owned()));
            } else if let Some((_, end)) = call.split_once(" resumed>") {
                let start = begun.remove(thread).unwrap_or_default();
                // An answer counts from its beginning, which has been noted.
                if start.contains("sync(") {
                    lines.push(Line(format!("{start}{end}")));
                }
            } else {
                lines.push(Line(call.to_owned()));
            }
        }
        lines
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("trace")
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // Asked to end, it lets go of the process first; killed, it might leave it stopped.
        let pid = self.strace.id().to_string();
        let _ = Command::new("kill").args(["-INT", &pid]).status();
        let _ = self.strace.wait();
    }
}
