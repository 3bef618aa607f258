//! `berth env`: the exports that point AWS clients at a server.

use std::process::Command;

use anyhow::{Result, ensure};
use berth_server::MadeAccessKey;

use crate::cli::Env;
use crate::data_dir;
use crate::exit::Failure;
use crate::keys;

/// The first releases of the aws CLI, by major version, that know `AWS_ENDPOINT_URL`.
const CLI_MIN: [(u32, u32); 2] = [(1, 29), (2, 13)];

/// Prints the exports; warns on standard error, where `eval` does not look.
///
/// # Errors
/// When no server has used the data directory.
pub(crate) async fn run(env: &Env) -> Result<(), Failure> {
    let data_dir = data_dir::resolve(env.data_dir.as_deref(), "dev")?;
    let url = data_dir::recorded_endpoint(&data_dir)?;
    let made = keys::made(
        &data_dir,
        env.database_url.as_deref(),
        env.secret_file.as_deref(),
    );
    let exports = Exports::of(made.await?, &url, &env.account, &env.region)?;
    print!("{}", exports.shell());
    if let Some(warning) = installed_cli().as_deref().and_then(too_old) {
        eprintln!("{warning}");
    }
    Ok(())
}

/// What an AWS client needs to know.
pub(crate) struct Exports {
    url: String,
    access_key_id: String,
    secret_access_key: String,
    region: String,
}

impl Exports {
    /// The key that a server made, or, where a server lets everybody in, an account's name as the
    /// key.
    fn of(made: Option<MadeAccessKey>, url: &str, account: &str, region: &str) -> Result<Exports> {
        let is_account = account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
        ensure!(is_account, "an account has 12 digits: {account:?}");
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        ensure!(
            !region.is_empty() && region.bytes().all(is_plain),
            "not a region: {region:?}"
        );
        let (access_key_id, secret_access_key) = match made {
            Some(key) => (key.access_key_id, key.secret_access_key),
            None => (account.to_owned(), "berth".to_owned()),
        };
        Ok(Exports {
            url: url.to_owned(),
            access_key_id,
            secret_access_key,
            region: region.to_owned(),
        })
    }

    /// Lines for a POSIX shell. A session token left over from elsewhere would be sent along, and
    /// a profile could bring other keys, so both go.
    pub(crate) fn shell(&self) -> String {
        let exports = [
            ("AWS_ENDPOINT_URL", &self.url),
            ("AWS_ACCESS_KEY_ID", &self.access_key_id),
            ("AWS_SECRET_ACCESS_KEY", &self.secret_access_key),
            ("AWS_REGION", &self.region),
            ("AWS_DEFAULT_REGION", &self.region),
        ];
        let lines = exports.map(|(name, value)| format!("export {name}={}\n", quoted(value)));
        // `eval $(berth env)` loses line ends, so every line ends its command itself.
        lines.concat().replace('\n', ";\n") + "unset AWS_SESSION_TOKEN AWS_PROFILE;\n"
    }
}

/// The value as one word of a POSIX shell.
fn quoted(value: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-_./:+=@%,".contains(&b);
    if !value.is_empty() && value.bytes().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

/// What the `aws` in PATH says of itself; `None` when there is none.
fn installed_cli() -> Option<String> {
    let output = Command::new("aws").arg("--version").output().ok()?;
    let text = [output.stdout, output.stderr].concat();
    Some(String::from_utf8_lossy(&text).into_owned())
}

/// A warning when this aws CLI passes over `AWS_ENDPOINT_URL`; it would talk to Amazon then.
fn too_old(version: &str) -> Option<String> {
    let number = version
        .split_once("aws-cli/")?
        .1
        .split_whitespace()
        .next()?;
    let mut parts = number.split('.').map_while(|part| part.parse::<u32>().ok());
    let found = (parts.next()?, parts.next()?);
    let (major, minor) = CLI_MIN.into_iter().find(|min| min.0 == found.0)?;
    let warning = format!(
        "warning: aws-cli {number} does not know AWS_ENDPOINT_URL, so it would call Amazon: \
         use {major}.{minor} or newer, or give --endpoint-url with each command"
    );
    (found.1 < minor).then_some(warning)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn exports(account: &str, region: &str) -> Result<Exports> {
        Exports::of(None, "http://127.0.0.1:7070", account, region)
    }

    #[test]
    fn exports_name_endpoint_account_and_region() {
        expect![[r#"
            export AWS_ENDPOINT_URL=http://127.0.0.1:7070;
            export AWS_ACCESS_KEY_ID=123456789012;
            export AWS_SECRET_ACCESS_KEY=berth;
            export AWS_REGION=eu-west-1;
            export AWS_DEFAULT_REGION=eu-west-1;
            unset AWS_SESSION_TOKEN AWS_PROFILE;
        "#]]
        .assert_eq(&exports("123456789012", "eu-west-1").unwrap().shell());
    }

    #[test]
    fn a_word_of_the_shell_stays_one_word() {
        assert_eq!(quoted("a/b+c="), "a/b+c=");
        assert_eq!(quoted("a b;$(x)"), "'a b;$(x)'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn what_is_no_account_or_region_is_refused() {
        assert!(exports("12", "us-east-1").is_err());
        assert!(exports("123456789012", "us east").is_err());
        assert!(exports("123456789012", "").is_err());
    }

    #[test]
    fn an_old_cli_is_warned_of_and_a_new_one_is_not() {
        let line = |version: &str| format!("aws-cli/{version} Python/3.11.7 Linux/6.1 botocore/1");
        for old in ["1.28.9", "1.22.34", "2.12.7", "2.0.1"] {
            assert!(too_old(&line(old)).is_some(), "{old}");
        }
        for new in ["1.29.0", "1.45.11", "2.13.0", "2.31.2", "3.0.0"] {
            assert_eq!(too_old(&line(new)), None, "{new}");
        }
        assert_eq!(too_old("no such program"), None);
    }
}
