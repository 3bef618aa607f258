//! The firewall rules by which containers and Docker reach the stock agent at 169.254.170.2,
//! which ecs-init makes in Amazon's service.
//!
//! They stand in chains of their own, are found again after a kill, and are taken away at the
//! end. Requests go to the loopback, where the agent listens, which the kernel allows only with
//! `route_localnet`; what else comes from outside to the loopback is dropped, as ecs-init does.

use std::path::Path;

use anyhow::{Context, Result, bail};
use tokio::process::Command;

/// The chains' name, in either table.
const CHAIN: &str = "BERTH-ECS-AGENT";
/// The address that is built into SDKs and into Docker.
const ADDRESS: &str = "169.254.170.2/32";
/// What lets packets from outside go to the loopback at all.
const ROUTE_LOCALNET: &str = "/proc/sys/net/ipv4/conf/all/route_localnet";

/// A table, the chains that enter ours, and its rules.
struct Chain {
    table: &'static str,
    entrances: &'static [&'static str],
    rules: &'static [&'static str],
}

const CHAINS: [Chain; 2] = [
    Chain {
        table: "nat",
        // Containers' requests, and those of Docker and of containers in host mode.
        entrances: &["PREROUTING", "OUTPUT"],
        rules: &["-p tcp -d 169.254.170.2 --dport 80 -j DNAT --to-destination 127.0.0.1:51679"],
    },
    Chain {
        table: "filter",
        entrances: &["INPUT"],
        rules: &[
            "-d 127.0.0.0/8 ! -s 127.0.0.0/8 -m conntrack ! --ctstate \
             RELATED,ESTABLISHED,DNAT -j DROP",
            // The agent's introspection listens everywhere; only this machine is to see it.
            "-i lo -j RETURN",
            "-p tcp --dport 51678 -j DROP",
        ],
    },
];

/// The rules, while they are in place.
pub(super) struct Rules {
    /// What `route_localnet` was before.
    before: String,
    /// Whether the address had to be given a route.
    routed: bool,
}

impl Rules {
    /// Makes them; they may be there from before a kill.
    ///
    /// # Errors
    /// When `iptables` is missing or refuses.
    pub(super) async fn install() -> Result<Self> {
        let path = Path::new(ROUTE_LOCALNET);
        let before = std::fs::read_to_string(path).context("route_localnet is not known")?;
        std::fs::write(path, "1").context("route_localnet cannot be set")?;
        // Without any way out, the kernel looks at no rule: there is nowhere to send to.
        let routed = !has_default_route();
        if routed {
            run("ip", &["route", "replace", ADDRESS, "dev", "lo"]).await?;
        }
        for chain in &CHAINS {
            chain.install().await?;
        }
        Ok(Self { before, routed })
    }

    /// Takes them away.
    pub(super) async fn remove(self) {
        for chain in &CHAINS {
            if let Err(error) = chain.remove().await {
                tracing::warn!(table = chain.table, ?error, "firewall rules not removed");
            }
        }
        if self.routed
            && let Err(error) = run("ip", &["route", "delete", ADDRESS, "dev", "lo"]).await
        {
            tracing::warn!(?error, "route not removed");
        }
        if let Err(error) = std::fs::write(ROUTE_LOCALNET, self.before.trim()) {
            tracing::warn!(%error, "route_localnet not restored");
        }
    }
}

impl Chain {
    async fn install(&self) -> Result<()> {
        if self.run(&format!("-n -L {CHAIN}")).await.is_err() {
            self.run(&format!("-N {CHAIN}")).await?;
        }
        self.run(&format!("-F {CHAIN}")).await?;
        for rule in self.rules {
            self.run(&format!("-A {CHAIN} {rule}")).await?;
        }
        for entrance in self.entrances {
            let enters = self.run(&format!("-C {entrance} -j {CHAIN}")).await;
            if enters.is_err() {
                self.run(&format!("-I {entrance} 1 -j {CHAIN}")).await?;
            }
        }
        Ok(())
    }

    async fn remove(&self) -> Result<()> {
        for entrance in self.entrances {
            while self.run(&format!("-D {entrance} -j {CHAIN}")).await.is_ok() {}
        }
        self.run(&format!("-F {CHAIN}")).await?;
        self.run(&format!("-X {CHAIN}")).await
    }

    async fn run(&self, arguments: &str) -> Result<()> {
        let mut words = vec!["--wait", "10", "-t", self.table];
        words.extend(arguments.split_whitespace());
        run("iptables", &words).await
    }
}

async fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output().await;
    let output = output.with_context(|| format!("{program} does not start"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{program} {}: {}", arguments.join(" "), text.trim());
    }
    Ok(())
}

/// Whether the machine has a way out for IPv4: a line of the kernel's table whose destination is
/// everything.
fn has_default_route() -> bool {
    let table = std::fs::read_to_string("/proc/net/route").unwrap_or_default();
    let mut lines = table.lines().skip(1);
    lines.any(|line| line.split_whitespace().nth(1) == Some("00000000"))
}
