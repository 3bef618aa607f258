//! `berth doctor agent`: why an agent does not come up, as its server sees it.

use std::fmt::Write as _;

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use crate::cli::DoctorAgent;
use crate::client::Client;
use crate::exit::Failure;

/// How far two clocks may be apart before it is worth a line, in seconds: signatures are good
/// for 300.
const SKEW_TOLD: f64 = 60.0;
/// Digits of a container instance's id.
const ID_LENGTH: usize = 32;

/// Prints what the server knows of agents that are not there, and what to do.
///
/// # Errors
/// When the server does not answer, or refuses.
pub(crate) async fn run(doctor: &DoctorAgent) -> Result<(), Failure> {
    let instance = doctor.instance.as_deref().map(id_of).transpose();
    let instance = instance.map_err(Failure::Usage)?;
    let client = Client::open(&doctor.reach).await?;
    let input = json!({ "containerInstance": instance, "machine": doctor.machine });
    let report = client.call("ExplainAgents", &input).await;
    let report = report.with_context(|| format!("the server at {}", client.url()))?;
    if doctor.output == "json" {
        println!("{report:#}");
        return Ok(());
    }
    print!("{}", text(&report, client.now()));
    Ok(())
}

/// The id in an ARN; an id is one already.
fn id_of(named: &str) -> anyhow::Result<&str> {
    let id = named.rsplit('/').next().unwrap_or(named);
    let is_id = id.len() == ID_LENGTH && id.bytes().all(|b| b.is_ascii_hexdigit());
    ensure!(is_id, "not a container instance's id or ARN: {named}");
    Ok(id)
}

/// The report for people; `now` is this machine's clock, in seconds since the epoch.
fn text(report: &Value, now: f64) -> String {
    let mut text = String::new();
    let at = report["at"].as_f64().unwrap_or(now);
    if (now - at).abs() > SKEW_TOLD {
        let (by, which) = (
            (now - at).abs(),
            if now > at { "ahead of" } else { "behind" },
        );
        let _ = writeln!(
            text,
            "WARN  This machine's clock is {by:.0} s {which} the server's.\n"
        );
    }
    let list = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let (instances, contacts) = (list("instances"), list("contacts"));
    for instance in &instances {
        of_instance(&mut text, instance);
    }
    if let Some(more @ 1..) = report["instancesLeftOut"].as_u64() {
        let _ = writeln!(text, "{more} more instances are not shown.\n");
    }
    let (over, open): (Vec<_>, Vec<_>) = contacts.iter().partition(|c| c["over"] == true);
    if !open.is_empty() {
        text += "Refused or failed lately:\n\n";
        for contact in open {
            of_contact(&mut text, contact, at);
        }
    }
    if !over.is_empty() {
        let count = over.len();
        let _ = writeln!(
            text,
            "{count} more went wrong before an agent connected from there (--output json)."
        );
    }
    if instances.is_empty() && contacts.is_empty() {
        text += "No container instance is registered that this is about, and nothing was refused \
                 lately.\nAn agent that is not named here does not reach this server: look at its \
                 URL, port and firewall,\nand at what it logs.\n";
    }
    text
}

fn of_instance(text: &mut String, instance: &Value) {
    let word = |name: &str| instance[name].as_str().unwrap_or("-").to_owned();
    let arn = word("containerInstanceArn");
    let id = arn.rsplit('/').next().unwrap_or(&arn);
    let (cluster, region, status) = (word("cluster"), word("region"), word("status"));
    let version = instance["agentVersion"].as_str();
    let version = version.map_or_else(String::new, |version| format!(", agent {version}"));
    let _ = writeln!(text, "{id}  {cluster} in {region}, {status}{version}");
    for finding in instance["findings"].as_array().into_iter().flatten() {
        let mark = if finding["well"] == true {
            "ok  "
        } else {
            "WARN"
        };
        let _ = writeln!(
            text,
            "  {mark}  {}",
            finding["text"].as_str().unwrap_or("-")
        );
        if let Some(advice) = finding["advice"].as_str() {
            let _ = writeln!(text, "        {advice}");
        }
    }
    text.push('\n');
}

fn of_contact(text: &mut String, contact: &Value, now: f64) {
    let word = |name: &str| contact[name].as_str().map(str::to_owned);
    let (from, tried) = (word("from"), word("tried"));
    let ago = now - contact["lastAt"].as_f64().unwrap_or(now);
    let count = contact["count"].as_u64().unwrap_or(1);
    let times = match count {
        1 => "once".to_owned(),
        more => format!("{more} times"),
    };
    let _ = write!(
        text,
        "  {}  {}, {times}, {} ago",
        from.unwrap_or_default(),
        tried.unwrap_or_default(),
        span(ago)
    );
    for (name, what) in [
        ("containerInstance", "instance"),
        ("cluster", "cluster"),
        ("region", "region"),
        ("accessKeyId", "key"),
        ("agent", "agent"),
    ] {
        if let Some(value) = word(name) {
            // Of an ARN, the name.
            let value = match value.starts_with("arn:") {
                true => value.rsplit('/').next().unwrap_or(&value).to_owned(),
                false => value,
            };
            let _ = write!(text, ", {what} {value}");
        }
    }
    let finding = &contact["finding"];
    let _ = writeln!(
        text,
        "\n        {}",
        finding["text"].as_str().unwrap_or("-")
    );
    if let Some(advice) = finding["advice"].as_str() {
        let _ = writeln!(text, "        {advice}");
    }
    text.push('\n');
}

/// Seconds as people say them.
fn span(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{:.0} s", s.max(0.0)),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.0} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn the_report_reads_well() {
        let report = json!({
            "at": 1_000_000.0,
            "instances": [{
                "containerInstanceArn": "arn:aws:ecs:us-east-1:0:container-instance/default/0123",
                "cluster": "default", "region": "us-east-1", "status": "ACTIVE",
                "agentVersion": "1.105.1",
                "findings": [
                    { "well": true, "text": "ACS is open for 5 s, from 10.0.0.7." },
                    { "well": false, "text": "TCS is not open.", "advice": "Look at the proxy." },
                ],
            }],
            "instancesLeftOut": 3,
            "contacts": [
                { "from": "10.0.0.9", "tried": "RegisterContainerInstance", "count": 3,
                  "lastAt": 999_990.0, "cluster": "bleu", "region": "us-east-1",
                  "accessKeyId": "AKIA…MPLE", "over": false,
                  "finding": { "text": "There is no cluster bleu.", "advice": "Make it." } },
                { "over": true },
            ],
        });
        expect![[r#"
            WARN  This machine's clock is 90 s ahead of the server's.

            0123  default in us-east-1, ACTIVE, agent 1.105.1
              ok    ACS is open for 5 s, from 10.0.0.7.
              WARN  TCS is not open.
                    Look at the proxy.

            3 more instances are not shown.

            Refused or failed lately:

              10.0.0.9  RegisterContainerInstance, 3 times, 10 s ago, cluster bleu, region us-east-1, key AKIA…MPLE
                    There is no cluster bleu.
                    Make it.

            1 more went wrong before an agent connected from there (--output json).
        "#]].assert_eq(&text(&report, 1_000_090.0));
    }

    #[test]
    fn silence_has_an_explanation() {
        let none = json!({ "at": 5.0, "instances": [], "contacts": [] });
        assert!(text(&none, 5.0).contains("does not reach this server"));
    }

    #[test]
    fn only_instances_can_be_named() {
        let id = "0123456789abcdef0123456789abcdef";
        let arn = format!("arn:aws:ecs:us-east-1:0:container-instance/default/{id}");
        assert_eq!(id_of(&arn).unwrap(), id);
        assert_eq!(id_of(id).unwrap(), id);
        for wrong in ["", "i-1", "0123456789abcdef0123456789abcdeg"] {
            assert!(id_of(wrong).is_err(), "{wrong}");
        }
    }
}
