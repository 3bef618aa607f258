//! `berth explain`: why a task waits or a service lacks tasks, or where they went. The server says
//! it; here it is asked and printed.

use std::fmt::Write;

use anyhow::{Context, anyhow};
use berth_agent::clock::Clock;
use berth_agent::http::{ApiClient, Dialer};
use serde_json::{Value, json};

use crate::cli::Explain;
use crate::client::keys_for;
use crate::exit::Failure;
use crate::{data_dir, keys};

/// The call, which is Berth's own.
const TARGET: &str = "Berth.Explain";
/// The account of a name without an ARN, in dev: that of `berth env`.
const ACCOUNT: &str = "000000000000";
/// Hexadecimal digits of a task's id.
const ID_DIGITS: usize = 32;

/// What is asked about, and where it is.
#[derive(Debug, PartialEq, Eq)]
struct Subject {
    account: String,
    region: String,
    question: Value,
}

/// Prints what the server says.
///
/// # Errors
/// When what is asked about is no task or service, or the server does not know it or not answer.
pub(crate) async fn run(explain: &Explain) -> Result<(), Failure> {
    let subject = subject(explain).map_err(Failure::Usage)?;
    let (url, made) = match &explain.server {
        Some(url) => (url.clone(), None),
        None => {
            let folder = data_dir::resolve(explain.data_dir.as_deref(), "dev")?;
            let made = keys::made(&folder, None, None).await?;
            (data_dir::recorded_endpoint(&folder)?, made)
        }
    };
    let uri = url.parse().with_context(|| format!("not a URL: {url}"))?;
    let dialer = Dialer::new(explain.trust.ca_file.as_deref());
    let dialer = dialer.context("the certificates cannot be used")?;
    let api = ApiClient::new(dialer, uri, env!("CARGO_PKG_VERSION"), Clock::start());
    let api = api.with_context(|| format!("not a server's URL: {url}"))?;
    let signer = keys_for(made.as_ref(), &subject.account);
    let signer = signer.signer(&subject.region, "ecs");
    let body = subject.question.to_string().into_bytes();
    let answer = api.call_target(&signer, TARGET, body).await;
    let answer = answer.with_context(|| format!("the server at {url} does not explain it"))?;
    match explain.output.as_str() {
        "json" => println!("{answer}"),
        _ => print!("{}", as_text(&answer)),
    }
    Ok(())
}

fn subject(explain: &Explain) -> anyhow::Result<Subject> {
    let what = &explain.what;
    if let Some(arn) = what.strip_prefix("arn:") {
        // arn:aws:ecs:<region>:<account>:<kind>/<cluster>/<name>
        let wrong = || anyhow!("not the ARN of a task or a service: {what}");
        let parts: Vec<&str> = arn.splitn(5, ':').collect();
        let [_, "ecs", region, account, resource] = parts[..] else {
            return Err(wrong());
        };
        let mut parts = resource.splitn(3, '/');
        let (kind, cluster) = (parts.next(), parts.next());
        let (Some(kind @ ("task" | "service")), Some(cluster), Some(_)) =
            (kind, cluster, parts.next())
        else {
            return Err(wrong());
        };
        return Ok(Subject {
            account: account.to_owned(),
            region: region.to_owned(),
            question: json!({ "cluster": cluster, kind: what }),
        });
    }
    let is_id = what.len() == ID_DIGITS && what.bytes().all(|b| b.is_ascii_hexdigit());
    let kind = if is_id { "task" } else { "service" };
    Ok(Subject {
        account: ACCOUNT.to_owned(),
        region: explain.region.clone(),
        question: json!({ "cluster": explain.cluster, kind: what }),
    })
}

fn as_text(answer: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut out = format!("{}\n", text(&answer["summary"]));
    for note in list(&answer["notes"]) {
        let _ = writeln!(out, "{}", text(&note));
    }
    for group in list(&answer["groups"]) {
        let (count, reason) = (&group["count"], text(&group["reason"]));
        let all = &answer["instances"];
        let _ = writeln!(out, "\n{reason}: {count} of {all} container instances");
        let shown = list(&group["shown"]);
        for one in &shown {
            let arn = text(&one["containerInstanceArn"]);
            let id = arn.rsplit('/').next().unwrap_or_default();
            let zone = one["availabilityZone"].as_str();
            let zone = zone.map(|zone| format!(" in {zone}")).unwrap_or_default();
            let _ = writeln!(out, "  {id}{zone}: {}", text(&one["sentence"]));
        }
        let more = count.as_u64().unwrap_or_default();
        let more = more.saturating_sub(shown.len() as u64);
        if more > 0 {
            let _ = writeln!(out, "  and {more} more");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn asked(line: &str) -> anyhow::Result<Subject> {
        let line = format!("berth explain {line}");
        let cli = Cli::try_parse_from(line.split_whitespace())?;
        let Command::Explain(explain) = cli.command else {
            panic!("not explain")
        };
        subject(&explain)
    }

    #[test]
    fn ids_names_and_arns_are_told_apart() {
        let id = "0123456789abcdef0123456789abcdef";
        let arn = format!("arn:aws:ecs:eu-west-1:123456789012:task/blue/{id}");
        let by_arn = asked(&arn).unwrap();
        assert_eq!(by_arn.question, json!({"cluster": "blue", "task": arn}));
        let world = (by_arn.account.as_str(), by_arn.region.as_str());
        assert_eq!(world, ("123456789012", "eu-west-1"));
        let by_id = asked(&format!("{id} --cluster green")).unwrap();
        assert_eq!(by_id.question, json!({"cluster": "green", "task": id}));
        let by_name = asked("web --region eu-west-1").unwrap();
        let question = json!({"cluster": "default", "service": "web"});
        assert_eq!(by_name.question, question);
        assert_eq!(by_name.region, "eu-west-1");
        let service = "arn:aws:ecs:us-east-1:123456789012:service/blue/web";
        let question = json!({"cluster": "blue", "service": service});
        assert_eq!(asked(service).unwrap().question, question);
        for wrong in [
            "arn:aws:ecs:r:1:cluster/blue",
            "arn:aws:s3:::bucket",
            "arn:",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_text_names_the_first_and_counts_the_rest() {
        let one = json!({
            "containerInstanceArn": "arn:aws:ecs:us-east-1:1:container-instance/c/abc",
            "availabilityZone": "us-east-1a",
            "sentence": "it is draining.",
        });
        let answer = json!({
            "summary": "task t waits.", "notes": ["A task takes 1 CPU units."], "instances": 4,
            "groups": [{"reason": "INACTIVE", "count": 3, "shown": [one]}],
        });
        assert_eq!(
            as_text(&answer),
            "task t waits.\nA task takes 1 CPU units.\n\nINACTIVE: 3 of 4 container \
             instances\n  abc in us-east-1a: it is draining.\n  and 2 more\n"
        );
    }
}
