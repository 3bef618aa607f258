//! Real AWS clients, from the project's own Python environment.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::project_root;

/// The account of clients that name no other.
const ACCOUNT: &str = "000000000000";

/// The aws CLI, pointed at a server.
#[derive(Clone)]
pub struct Aws {
    url: String,
    account: String,
    secret: String,
    region: String,
    /// The authority that it trusts in place of the usual ones.
    authority: Option<PathBuf>,
}

/// What the aws CLI said when it did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The code in `An error occurred (Code) when …`.
    pub code: String,
    /// All that it wrote.
    pub text: String,
}

impl Refused {
    pub(crate) fn of(written: &str) -> Refused {
        let text = written.trim().to_owned();
        let code = text
            .split_once('(')
            .and_then(|(_, rest)| rest.split_once(')'));
        Refused {
            code: code.map_or_else(String::new, |(code, _)| code.to_owned()),
            text,
        }
    }
}

impl Aws {
    /// Pointed at this URL.
    #[must_use]
    pub fn new(url: &str) -> Aws {
        Aws {
            url: url.to_owned(),
            account: ACCOUNT.to_owned(),
            secret: "any".to_owned(),
            region: "us-east-1".to_owned(),
            authority: None,
        }
    }

    /// Trusting the certificates of this file.
    #[must_use]
    pub fn trusting(mut self, file: &std::path::Path) -> Aws {
        self.authority = Some(file.to_owned());
        self
    }

    /// With another access key; in `berth dev`, twelve digits choose the account.
    #[must_use]
    pub fn key(mut self, id: &str, secret: &str) -> Aws {
        id.clone_into(&mut self.account);
        secret.clone_into(&mut self.secret);
        self
    }

    /// In another region.
    #[must_use]
    pub fn region(mut self, region: &str) -> Aws {
        region.clone_into(&mut self.region);
        self
    }

    /// Runs a command that must succeed; its JSON, or null when it wrote none.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Value {
        match self.try_run(arguments) {
            Ok(value) => value,
            Err(refused) => panic!("aws {}: {}", arguments.join(" "), refused.text),
        }
    }

    /// Runs a command.
    ///
    /// # Errors
    /// What the CLI said when it did not succeed.
    pub fn try_run(&self, arguments: &[&str]) -> Result<Value, Refused> {
        let output = self
            .command()
            .args(arguments)
            .output()
            .expect("the aws CLI starts");
        if output.status.success() {
            let text = String::from_utf8_lossy(&output.stdout);
            return Ok(serde_json::from_str(&text).unwrap_or(Value::Null));
        }
        Err(Refused::of(&String::from_utf8_lossy(&output.stderr)))
    }

    fn command(&self) -> Command {
        let mut command = Command::new(tool("aws"));
        self.set_environment(&mut command);
        command.args(["--output", "json", "--cli-read-timeout", "30"]);
        command
    }

    pub(crate) fn set_environment(&self, command: &mut Command) {
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("AWS_") {
                command.env_remove(name);
            }
        }
        command
            .env("AWS_ENDPOINT_URL", &self.url)
            .env("AWS_ACCESS_KEY_ID", &self.account)
            .env("AWS_SECRET_ACCESS_KEY", &self.secret)
            .env("AWS_DEFAULT_REGION", &self.region)
            .env("AWS_REGION", &self.region)
            // Nobody's own settings may change what a test sees, nor may a cloud's.
            .env("AWS_CONFIG_FILE", "/dev/null")
            .env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "");
        if let Some(file) = &self.authority {
            command.env("AWS_CA_BUNDLE", file);
        }
    }
}

/// Runs a Python script with boto3, pointed like `aws`; the JSON that it prints last.
#[must_use]
pub fn python(aws: &Aws, script: &str) -> Value {
    let mut command = Command::new(tool("python"));
    command.args(["-c", script]);
    client(aws, command)
}

/// Runs a client that is pointed by its environment, like `aws`; the JSON that it prints last.
#[must_use]
pub fn client(aws: &Aws, mut command: Command) -> Value {
    aws.set_environment(&mut command);
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().expect("the client starts");
    let (out, err) = (
        String::from_utf8_lossy(&stdout),
        String::from_utf8_lossy(&stderr),
    );
    assert!(status.success(), "the client failed:\n{out}\n{err}");
    let last = out.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("not JSON: {last:?}"))
}

/// A program of the project's own Python environment, such as `aws` or `python`.
#[must_use]
pub fn tool(name: &str) -> PathBuf {
    let path = project_root().join(".venv/bin").join(name);
    assert!(
        path.exists(),
        "{} is missing: make test installs it",
        path.display()
    );
    path
}
