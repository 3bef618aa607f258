//! `berth status`: what a server is doing.

use anyhow::Result;
use serde_json::{Value, json};

use crate::cli::Status;
use crate::data_dir;
use crate::probe;

/// Prints the status; an error when the server does not answer or is not ready, so that scripts
/// can wait for it. Whoever asks whether it is alive is content with an answer.
///
/// # Errors
/// The server does not answer, or says that it is not ready.
pub(crate) async fn run(status: &Status) -> Result<()> {
    let url = match &status.server {
        Some(url) => url.clone(),
        None => {
            let folder = data_dir::resolve(status.data_dir.as_deref(), "dev")?;
            data_dir::recorded_endpoint(&folder)?
        }
    };
    let answer = probe::get(&url, "/health", status.trust.ca_file.as_deref()).await?;
    let health: Value = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    let text = match status.output.as_str() {
        "json" => as_json(&url, &health),
        _ => as_text(&url, &health),
    };
    print!("{text}");
    let not_now = status.alive && answer.status == 503;
    anyhow::ensure!(
        answer.status == 200 || not_now,
        "the server at {url} is not ready"
    );
    Ok(())
}

fn as_json(url: &str, health: &Value) -> String {
    let mut whole = json!({ "endpoint": url });
    if let (Some(whole), Some(health)) = (whole.as_object_mut(), health.as_object()) {
        whole.extend(health.clone());
    }
    format!("{whole:#}\n")
}

/// One line per fact, in the order of their names after the endpoint.
fn as_text(url: &str, health: &Value) -> String {
    let mut text = format!("endpoint  {url}\n");
    for (name, value) in health.as_object().into_iter().flatten() {
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text += &format!("{name:<9} {value}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_lines_and_programs_get_json() {
        let health = json!({ "status": "ok", "agents": 3 });
        assert_eq!(
            as_text("http://x", &health),
            "endpoint  http://x\nagents    3\nstatus    ok\n"
        );
        let parsed: Value = serde_json::from_str(&as_json("http://x", &health)).unwrap();
        assert_eq!(
            parsed,
            json!({ "endpoint": "http://x", "status": "ok", "agents": 3 })
        );
        assert_eq!(as_text("http://x", &Value::Null), "endpoint  http://x\n");
    }
}
