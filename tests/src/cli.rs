//! The aws CLI in a process that stays, for suites with many commands.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde_json::{Value, json};

use crate::clients::{Aws, Refused, tool};
use crate::program::project_root;
use crate::server::Server;

/// The aws CLI, kept running by `tests/clients/python/cli.py`.
pub struct Cli {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    called: BTreeSet<String>,
    waited: BTreeSet<String>,
}

/// What it did with one command.
#[derive(Deserialize)]
struct Ran {
    code: i32,
    out: String,
    err: String,
    operation: Option<String>,
}

impl Cli {
    /// Pointed at this server.
    #[must_use]
    pub fn of(server: &Server) -> Cli {
        Cli::like(&server.aws())
    }

    /// Pointed like this one.
    #[must_use]
    pub fn like(aws: &Aws) -> Cli {
        let mut command = Command::new(tool("python"));
        aws.set_environment(&mut command);
        let mut child = command
            .arg(project_root().join("tests/clients/python/cli.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let input = child.stdin.take().expect("it was asked for");
        let output = child.stdout.take().expect("it was asked for");
        Cli {
            child,
            input,
            output: BufReader::new(output),
            called: BTreeSet::new(),
            waited: BTreeSet::new(),
        }
    }

    /// Runs a command that must succeed; its JSON, or null when it wrote none.
    pub fn run(&mut self, arguments: &[&str]) -> Value {
        match self.try_run(arguments) {
            Ok(value) => value,
            Err(refused) => panic!("aws {}: {}", arguments.join(" "), refused.text),
        }
    }

    /// Runs a command that must be refused; the code of the error.
    pub fn refused(&mut self, arguments: &[&str]) -> String {
        match self.try_run(arguments) {
            Ok(value) => panic!("aws {} succeeded: {value}", arguments.join(" ")),
            Err(refused) => refused.code,
        }
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What the CLI said when it did not succeed.
    pub fn try_run(&mut self, arguments: &[&str]) -> Result<Value, Refused> {
        writeln!(self.input, "{}", json!(arguments)).expect("the CLI listens");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("the CLI answers");
        let ran: Ran = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("aws {}: {line:?}", arguments.join(" ")));
        self.called.extend(ran.operation);
        if let [_, "wait", what, ..] = arguments {
            self.waited.insert((*what).to_owned());
        }
        if ran.code == 0 {
            return Ok(serde_json::from_str(&ran.out).unwrap_or(Value::Null));
        }
        Err(Refused::of(&ran.err))
    }

    /// The operations whose commands were run, as `ecs:RunTask`.
    #[must_use]
    pub fn called(&self) -> &BTreeSet<String> {
        &self.called
    }

    /// The waiters that were run, as `tasks-running`.
    #[must_use]
    pub fn waited(&self) -> &BTreeSet<String> {
        &self.waited
    }
}

impl Drop for Cli {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
