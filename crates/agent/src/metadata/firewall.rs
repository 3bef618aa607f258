//! Rules by which containers also reach the endpoints at 169.254.170.2, the address that is
//! built into SDKs.
//!
//! They stand in a chain of their own in the `nat` table and redirect to this machine's address
//! on the network that a request comes from, so nothing has to be routed to the loopback. After
//! a kill the next start finds the chain and fills it anew; an orderly exit removes it.

use std::time::Duration;

use tokio::process::Command;

/// The chain's name.
const CHAIN: &str = "BERTH-METADATA";
/// The address that is built into SDKs.
const ADDRESS: &str = "169.254.170.2/32";
/// Where the chain is entered: for requests of containers, and for those of containers in host
/// mode.
const ENTRANCES: [&str; 2] = ["PREROUTING", "OUTPUT"];
/// How long one command may take: another program may hold the firewall's lock.
const COMMAND_MAX: Duration = Duration::from_secs(15);

/// The rules could not be made.
#[derive(Debug, thiserror::Error)]
#[error("iptables {arguments}: {detail}")]
pub struct FirewallError {
    arguments: String,
    detail: String,
}

/// Redirects 169.254.170.2 to `port`. Needs root; may be repeated.
///
/// # Errors
/// When `iptables` is missing or refuses.
pub async fn install(port: u16) -> Result<(), FirewallError> {
    // It may be there already, after a kill.
    if iptables(&["-n", "-L", CHAIN]).await.is_err() {
        iptables(&["-N", CHAIN]).await?;
    }
    iptables(&["-F", CHAIN]).await?;
    let port = port.to_string();
    iptables(&[
        "-A",
        CHAIN,
        "-d",
        ADDRESS,
        "-p",
        "tcp",
        "--dport",
        "80",
        "-j",
        "REDIRECT",
        "--to-ports",
        &port,
    ])
    .await?;
    for entrance in ENTRANCES {
        if iptables(&["-C", entrance, "-j", CHAIN]).await.is_err() {
            iptables(&["-I", entrance, "1", "-j", CHAIN]).await?;
        }
    }
    Ok(())
}

/// Removes the rules, unless another agent of this machine has taken the address over.
///
/// # Errors
/// When `iptables` is missing or refuses.
pub async fn remove(port: u16) -> Result<(), FirewallError> {
    let Ok(rules) = iptables(&["-S", CHAIN]).await else {
        return Ok(());
    };
    let ours = format!("--to-ports {port}");
    let taken_over = rules
        .lines()
        .any(|rule| rule.contains("--to-ports") && !rule.ends_with(&ours));
    if taken_over {
        return Ok(());
    }
    for entrance in ENTRANCES {
        // A kill between two commands of an earlier exit may have left either away.
        while iptables(&["-D", entrance, "-j", CHAIN]).await.is_ok() {}
    }
    iptables(&["-F", CHAIN]).await?;
    iptables(&["-X", CHAIN]).await.map(drop)
}

async fn iptables(arguments: &[&str]) -> Result<String, FirewallError> {
    let failed = |detail: String| FirewallError {
        arguments: arguments.join(" "),
        detail,
    };
    let run = Command::new("iptables")
        .args(["--wait", "10", "-t", "nat"])
        .args(arguments)
        .kill_on_drop(true)
        .output();
    let output = match tokio::time::timeout(COMMAND_MAX, run).await {
        Ok(output) => output.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed("did not end in time".to_owned())),
    };
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(failed(
            String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        )),
    }
}
