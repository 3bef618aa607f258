//! `berth doctor`: looks at this machine, a server and a store, and takes out records that cannot
//! be read. Containers of tasks that the server does not know are listed, and left to a person.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use berth_agent::http::Dialer;
use berth_server::upkeep::{self, UpkeepError};
use berth_server::{LoadError, Location, MadeAccessKey, OpenError};

use crate::cli::Doctor;
use crate::exit::Failure;
use crate::strangers::{self, Container};
use crate::upkeep::{failure, location, must_exist};
use crate::{data_dir, keys, probe};

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

/// Prints a finding at once: a server or a tool that does not answer takes its time.
fn tell(Finding { well, about, text }: &Finding) {
    println!("{}  {about:<9} {text}", if *well { "ok  " } else { "WARN" });
}

/// Prints what it finds; takes a record out when one is named.
///
/// # Errors
/// When something is wrong: with the data (3), or with the machine (1).
pub(crate) async fn run(doctor: &Doctor) -> Result<(), Failure> {
    if let Some(named) = &doctor.set_aside {
        return set_aside(&location(&doctor.store)?, named).await;
    }
    let ca_file = doctor.trust.ca_file.as_deref();
    let mut url = doctor.server.clone();
    if let Some(url) = &url {
        tell(&server(url, ca_file).await);
    }
    let (mut damaged, mut made) = (None, None);
    let store_named = doctor.store.data_dir.is_some() || doctor.store.database_url.is_some();
    if store_named || doctor.server.is_none() {
        let location = location(&doctor.store)?;
        if let Location::Embedded { data_dir } = &location {
            must_exist(data_dir)?;
            if url.is_none() {
                url = data_dir::recorded_endpoint(data_dir).ok();
                tell(&match &url {
                    Some(url) => own_server(url, ca_file).await,
                    None => well("server", "none has used this data directory yet"),
                });
            }
        }
        let (finding, failure) = store(&location).await?;
        tell(&finding);
        damaged = failure;
        let data_dir = data_dir::resolve(doctor.store.data_dir.as_deref(), "dev")?;
        let (database, file) = (&doctor.store.database_url, &doctor.secret_file);
        made = keys::made(&data_dir, database.as_deref(), file.as_deref()).await?;
    }
    tell(&tool(
        "docker",
        &["version", "--format", "{{.Server.Version}}"],
    ));
    tell(&tool("aws", &["--version"]));
    for finding in containers(url.as_deref(), ca_file, made.as_ref()).await {
        tell(&finding);
    }
    match damaged {
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// Containers that run for tasks that the server does not know, one finding each.
async fn containers(
    url: Option<&str>,
    ca_file: Option<&Path>,
    made: Option<&MadeAccessKey>,
) -> Vec<Finding> {
    const ABOUT: &str = "container";
    // That Docker is missing has been told.
    let Ok(running) = strangers::running() else {
        return Vec::new();
    };
    let Some(url) = url.filter(|_| !running.is_empty()) else {
        return Vec::new();
    };
    let count = running.len();
    let looked = async {
        let dialer = Dialer::new(ca_file).context("the certificates cannot be used")?;
        strangers::unknown(url, dialer, made, running).await
    };
    match looked.await {
        Ok(unknown) if unknown.is_empty() => {
            vec![well(
                ABOUT,
                format!("the server knows the tasks of all {count}"),
            )]
        }
        Ok(unknown) => {
            let told = |Container { task, id, name }: &Container| {
                format!(
                    "{name} runs for {task}, which the server at {url} does not know; if no other \
                     server does, docker rm --force {id:.12} ends it"
                )
            };
            unknown.iter().map(|one| ill(ABOUT, told(one))).collect()
        }
        Err(error) => vec![ill(
            ABOUT,
            format!(
                "{count} run here, and the server does not say whether it knows their tasks: {error:#}"
            ),
        )],
    }
}

/// The server of this data directory, which need not run.
async fn own_server(url: &str, ca_file: Option<&Path>) -> Finding {
    let at = url.parse::<http::Uri>().ok();
    let address = at
        .as_ref()
        .and_then(|uri| Some((uri.host()?, uri.port_u16()?)));
    match address.map(std::net::TcpStream::connect) {
        Some(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            well("server", format!("not running (last at {url})"))
        }
        Some(_) | None => server(url, ca_file).await,
    }
}

async fn server(url: &str, ca_file: Option<&Path>) -> Finding {
    match probe::get(url, "/health", ca_file).await {
        Ok(answer) if answer.status == 200 => well("server", format!("healthy at {url}")),
        Ok(answer) => ill(
            "server",
            format!("not ready at {url}: {}", answer.body.trim()),
        ),
        Err(error) => ill("server", format!("{error:#}")),
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
