//! A unit of systemd that keeps the agent running.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use tokio::process::Command;

use super::{OWN_FINAL, STOCK_FINAL};
use crate::cli::Join;

/// The unit's name: a machine has one agent.
const NAME: &str = "berth-agent.service";
/// Where units of an administrator are.
const FOLDER: &str = "/etc/systemd/system";

/// Whether systemd runs this machine.
pub(super) fn has_systemd() -> bool {
    Path::new("/run/systemd/system").exists()
}

/// The unit.
pub(super) struct Unit {
    text: String,
}

impl Unit {
    /// The unit that runs the agent that `join` asks for, by this program.
    pub(super) fn of(program: &Path, join: &Join) -> Self {
        let mut words = vec![program.display().to_string()];
        let mut add = |given: &[&str]| words.extend(given.iter().map(|word| (*word).to_owned()));
        match join.stock {
            // The same command once more supervises the stock agent; without the token, which is
            // used.
            true => add(&[
                "join",
                "--stock",
                "--foreground",
                "--stock-image",
                &join.stock_image,
            ]),
            false => add(&["agent"]),
        }
        add(&["--server", &join.server]);
        add(&["--data-dir", &join.data_dir.display().to_string()]);
        if let Some(agent) = &join.stock_agent {
            add(&["--stock-agent", &agent.display().to_string()]);
        }
        if let Some(ca_file) = &join.trust.ca_file {
            add(&["--ca-file", &ca_file.display().to_string()]);
        }
        let command: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let command = command.join(" ");
        let codes: &[i32] = match join.stock {
            // A supervisor that gives up says so by 2, whatever its agent's code was.
            true => &OWN_FINAL[..1],
            false => &OWN_FINAL,
        };
        debug_assert!(!codes.contains(&STOCK_FINAL[0]));
        let codes: Vec<String> = codes.iter().map(i32::to_string).collect();
        let text = format!(
            "[Unit]\n\
             Description=Agent of a Berth cluster\n\
             After=network-online.target docker.service\n\
             Wants=network-online.target docker.service\n\
             \n\
             [Service]\n\
             ExecStart={command}\n\
             EnvironmentFile=-/etc/berth/agent.env\n\
             Restart=always\n\
             RestartSec=5\n\
             RestartPreventExitStatus={}\n\
             KillMode=mixed\n\
             \n\
             [Install]\n\
             WantedBy=multi-user.target\n",
            codes.join(" ")
        );
        Self { text }
    }

    /// Writes it, and has it run now and at every start of the machine.
    ///
    /// # Errors
    /// When it cannot be written, or systemd refuses.
    pub(super) async fn install(&self) -> Result<()> {
        let path = Path::new(FOLDER).join(NAME);
        std::fs::write(&path, &self.text)
            .with_context(|| format!("could not write {}: is it run as root?", path.display()))?;
        systemctl(&["daemon-reload"]).await?;
        systemctl(&["enable", NAME]).await?;
        // One that runs already takes up what is new.
        systemctl(&["restart", NAME]).await?;
        println!("{NAME} runs the agent; journalctl -u {NAME} shows what it does");
        Ok(())
    }
}

/// A word of a unit's command line: quoted where it has a space, and free of systemd's own signs.
fn quoted(word: &str) -> String {
    let word = word.replace('%', "%%").replace('$', "$$");
    match word.contains([' ', '"', '\'', '\\']) {
        true => format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\"")),
        false => word,
    }
}

async fn systemctl(arguments: &[&str]) -> Result<()> {
    let output = Command::new("systemctl").args(arguments).output().await;
    let output = output.context("systemctl does not start")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "systemctl {}: {}",
        arguments.join(" "),
        text.trim()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::cli::{Cli, Command as Chosen};

    fn check(flags: &str, expected: &Expect) {
        let line = format!("berth join --server https://b.example --join-token bj_1_2 {flags}");
        let Chosen::Join(join) = Cli::try_parse_from(line.split_whitespace())
            .unwrap()
            .command
        else {
            unreachable!("the line says join")
        };
        let unit = Unit::of(Path::new("/usr/local/bin/berth"), &join);
        let lines = unit.text.lines();
        let kept = lines.filter(|l| l.starts_with("Exec") || l.starts_with("RestartP"));
        expected.assert_eq(&kept.collect::<Vec<_>>().join("\n"));
        assert!(!unit.text.contains("bj_1_2"), "the token is used");
    }

    #[test]
    fn the_unit_starts_the_agent_again_unless_that_does_not_help() {
        check(
            "--data-dir /d",
            &expect![[r#"
                ExecStart=/usr/local/bin/berth agent --server https://b.example --data-dir /d
                RestartPreventExitStatus=2 3"#]],
        );
        check(
            "--stock --ca-file /ca.pem --stock-image i:1",
            &expect![[r#"
                ExecStart=/usr/local/bin/berth join --stock --foreground --stock-image i:1 --server https://b.example --data-dir /var/lib/berth/agent --ca-file /ca.pem
                RestartPreventExitStatus=2"#]],
        );
    }

    #[test]
    fn words_are_quoted_for_systemd() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a b%c$d\"e"), "\"a b%%c$$d\\\"e\"");
    }
}
