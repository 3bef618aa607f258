//! The configuration file, laid under the command line.
//!
//! A file's values become the defaults of the flags, so that a flag and a variable count more by
//! the parser's own rules, and every value is checked like one on the command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, FromArgMatches};
use toml::{Table, Value};

use crate::cli::Cli;

/// Parses the command line, with the configuration file that it names beneath it.
///
/// # Errors
/// What the caller prints and exits with: 2 for usage, 0 for help and version.
pub(crate) fn parse(arguments: Vec<OsString>) -> Result<Cli, clap::Error> {
    let mut command = Cli::command();
    if let Some(path) = config_path(&arguments) {
        let file = read(&path).map_err(|why| usage(&mut command, &path, &why))?;
        command = with_defaults(Cli::command(), &file)
            .map_err(|why| usage(&mut Cli::command(), &path, &why))?;
    }
    let matches = command.try_get_matches_from_mut(arguments)?;
    Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut command))
}

/// The file that the flag or the variable names. Everything else on the command line may be wrong
/// here; the real parse tells.
fn config_path(arguments: &[OsString]) -> Option<PathBuf> {
    let matches = Cli::command()
        .ignore_errors(true)
        .try_get_matches_from(arguments)
        .ok()?;
    let within = matches.subcommand().map(|(_, matches)| matches);
    within
        .into_iter()
        .chain([&matches])
        .find_map(|matches| matches.try_get_one::<PathBuf>("config").ok().flatten())
        .cloned()
}

fn read(path: &Path) -> Result<Table, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    toml::from_str(&text).map_err(|error| error.to_string())
}

fn usage(command: &mut Command, path: &Path, why: &str) -> clap::Error {
    let text = format!("the configuration file {}: {why}", path.display());
    command.error(ErrorKind::InvalidValue, text)
}

/// The command with the file's values as defaults: a table is for the subcommand of its name.
fn with_defaults(mut command: Command, file: &Table) -> Result<Command, String> {
    for (key, value) in file {
        match value {
            Value::Table(table) => {
                if !command
                    .get_subcommands()
                    .any(|known| known.get_name() == key)
                {
                    return Err(format!("there is no command {key:?}"));
                }
                let mut outcome = Ok(());
                command = command.mut_subcommand(key, |subcommand| {
                    match with_defaults(subcommand.clone(), table) {
                        Ok(changed) => changed,
                        Err(why) => {
                            outcome = Err(why);
                            subcommand
                        }
                    }
                });
                outcome?;
            }
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_) => command = with_default(command, key, value)?,
        }
    }
    Ok(command)
}

fn with_default(command: Command, key: &str, value: &Value) -> Result<Command, String> {
    let known = |arg: &&Arg| arg.get_long() == Some(key) && key != "config";
    let id = command.get_arguments().find(known).map(Arg::get_id);
    let Some(id) = id.cloned() else {
        return Err(format!("{} has no setting {key:?}", command.get_name()));
    };
    let values = texts(value).ok_or_else(|| format!("{key}: expected text, a number or a list"))?;
    // The parser keeps defaults for the life of the process, and there is one such parse in it.
    let values: Vec<&'static str> = values
        .into_iter()
        .map(|text| &*Box::leak(text.into_boxed_str()))
        .collect();
    Ok(command.mut_arg(id, |arg| arg.default_values(values).required(false)))
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Integer(number) => Some(vec![number.to_string()]),
        Value::Boolean(on) => Some(vec![on.to_string()]),
        Value::Array(values) => {
            let each = values.iter().map(texts);
            Some(each.collect::<Option<Vec<_>>>()?.concat())
        }
        Value::Float(_) | Value::Datetime(_) | Value::Table(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Command as Chosen, DoctorWhat, Runtime};

    fn with_file(file: &str, line: &str) -> Result<Cli, clap::Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("berth.toml");
        std::fs::write(&path, file).unwrap();
        let mut arguments: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        arguments.push("--config".into());
        arguments.push(path.into());
        parse(arguments)
    }

    fn dev(cli: Cli) -> Box<crate::cli::Dev> {
        match cli.command {
            Chosen::Dev(dev) => dev,
            other => panic!("not dev: {other:?}"),
        }
    }

    #[test]
    fn the_file_fills_in_what_flags_leave_open() {
        let file = "log = 'debug'\n[dev]\nagents = 3\nruntime = 'simulated'\nzones = ['x', 'y']\n\
                    allow-remote = true\n";
        let cli = with_file(file, "berth dev --agents 5").unwrap();
        assert_eq!(cli.log, "debug");
        let dev = dev(cli);
        assert_eq!((dev.agents, dev.work.runtime), (5, Runtime::Simulated));
        assert_eq!(
            (dev.zones.join("+"), dev.allow_remote),
            ("x+y".to_owned(), true)
        );
    }

    #[test]
    fn the_file_can_give_what_a_command_requires() {
        let cli = with_file("[serve]\nlisten = '127.0.0.1:1'\n", "berth serve").unwrap();
        assert!(matches!(cli.command, Chosen::Serve(_)));
    }

    #[test]
    fn a_table_within_a_table_is_for_the_command_within() {
        let file = "[doctor.agent]\noutput = 'json'\n";
        let cli = with_file(file, "berth doctor agent").unwrap();
        let Chosen::Doctor(doctor) = cli.command else {
            panic!("not doctor")
        };
        let Some(DoctorWhat::Agent(agent)) = doctor.what else {
            panic!("not doctor agent")
        };
        assert_eq!(agent.output, "json");
    }

    #[test]
    fn other_commands_tables_do_no_harm() {
        let cli = with_file("[serve]\nlisten = '127.0.0.1:1'\n", "berth version").unwrap();
        assert!(matches!(cli.command, Chosen::Version));
    }

    #[test]
    fn what_a_file_has_wrong_is_a_usage_error() {
        for file in [
            "nonsense",
            "[nonsense]\n",
            "[dev]\nnonsense = 1\n",
            "[dev.agent]\noutput = 'json'\n",
            "[dev]\nagents = 'many'\n",
            "[dev]\nagents = 1.5\n",
            "[dev]\nlisten = 'nowhere'\n",
            "config = 'other'\n",
        ] {
            let refused = with_file(file, "berth dev").unwrap_err();
            assert_eq!(refused.exit_code(), 2, "{file}");
        }
        let gone = ["berth", "dev", "--config", "/nonexistent"].map(OsString::from);
        assert_eq!(parse(gone.to_vec()).unwrap_err().exit_code(), 2);
    }
}
