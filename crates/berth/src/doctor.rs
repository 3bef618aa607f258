//! `berth doctor`: looks at this machine and a store, and takes out records that cannot be read.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use berth_server::Location;
use berth_server::upkeep::{self, UpkeepError};
use berth_server::{LoadError, OpenError};

use crate::cli::Doctor;
use crate::exit::Failure;
use crate::upkeep::{failure, location, must_exist};
use crate::{data_dir, probe};

/// What one look found.
struct Finding {
    well: bool,
    about: &'static str,
    text: String,
}

fn well(about: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        well: true,
        about,
        text: text.into(),
    }
}

fn ill(about: &'static str, text: impl Into<String>) -> Finding {
    Finding {
        well: false,
        about,
        text: text.into(),
    }
}

/// Prints what it finds; takes a record out when one is named.
///
/// # Errors
/// When something is wrong: with the data (3), or with the machine (1).
pub(crate) async fn run(doctor: &Doctor) -> Result<(), Failure> {
    let location = location(&doctor.store)?;
    if let Some(named) = &doctor.set_aside {
        return set_aside(&location, named).await;
    }
    let mut findings = Vec::new();
    if let Location::Embedded { data_dir } = &location {
        must_exist(data_dir)?;
        findings.push(server(data_dir).await);
    }
    let (store, damaged) = store(&location).await?;
    findings.push(store);
    findings.push(tool(
        "docker",
        &["version", "--format", "{{.Server.Version}}"],
    ));
    findings.push(tool("aws", &["--version"]));
    for Finding { well, about, text } in &findings {
        println!("{}  {about:<8} {text}", if *well { "ok  " } else { "WARN" });
    }
    match damaged {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

async fn server(data_dir: &Path) -> Finding {
    let Ok(url) = data_dir::recorded_endpoint(data_dir) else {
        return well("server", "none has used this data directory yet");
    };
    match probe::get(&url, "/health").await {
        Ok(answer) if answer.status == 200 => well("server", format!("healthy at {url}")),
        Ok(answer) => ill(
            "server",
            format!("not ready at {url}: {}", answer.body.trim()),
        ),
        Err(_) => well("server", format!("not running (last at {url})")),
    }
}

/// The finding, and the failure where the data itself is at fault.
async fn store(location: &Location) -> Result<(Finding, Option<Failure>), Failure> {
    match upkeep::read_through(location).await {
        Ok(extent) => {
            let text = format!("{} records at revision {}", extent.records, extent.revision);
            Ok((well("store", text), None))
        }
        Err(UpkeepError::Open(OpenError::InUse { .. })) => {
            Ok((well("store", "in use by a server, which has read it"), None))
        }
        Err(error) => {
            let hint = match &error {
                UpkeepError::Read(LoadError::CorruptRow { table, key, .. }) => {
                    format!("; berth doctor --set-aside {table}/{key} takes it out of the way")
                }
                _ => String::new(),
            };
            let failed = failure(error);
            Ok((ill("store", format!("{failed}{hint}")), Some(failed)))
        }
    }
}

fn tool(name: &'static str, arguments: &[&str]) -> Finding {
    match Command::new(name).args(arguments).output() {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            well(name, text)
        }
        Ok(output) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            ill(name, text.lines().next().unwrap_or("it fails").to_owned())
        }
        Err(_) => ill(name, "not installed"),
    }
}

async fn set_aside(location: &Location, named: &str) -> Result<(), Failure> {
    let (table, key) = named
        .split_once('/')
        .context("expected TABLE/KEY, as the server named it")
        .map_err(Failure::Usage)?;
    if upkeep::set_aside(location, table, key)
        .await
        .map_err(failure)?
    {
        println!("{named} is now in the table set_aside");
        return Ok(());
    }
    Err(Failure::Usage(anyhow::anyhow!(
        "there is no record {named}"
    )))
}
