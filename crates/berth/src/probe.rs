//! Asking a server how it is: one GET without a signature.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use berth_agent::http::Dialer;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;

/// How long an answer may take: it comes from memory.
const ANSWER_MAX: Duration = Duration::from_secs(5);
/// The longest answer that is read; metrics have some tens of kilobytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Status and body of an answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// Fetches `path` of the server at `url`. With a file of certificates only those are believed,
/// else the system's.
///
/// # Errors
/// When no answer comes, or from a server that cannot prove its name.
pub(crate) async fn get(url: &str, path: &str, ca_file: Option<&Path>) -> Result<Answer> {
    let whole = format!("{}{path}", url.trim_end_matches('/'));
    let uri: Uri = whole
        .parse()
        .with_context(|| format!("not a URL: {whole}"))?;
    ensure!(
        matches!(uri.scheme_str(), Some("http" | "https")),
        "not an http or https URL: {url}"
    );
    let dialer = Dialer::new(ca_file).context("the certificates cannot be used")?;
    let client = Client::builder(TokioExecutor::new()).build::<_, Empty<Bytes>>(dialer);
    let request = Request::get(uri).body(Empty::new()).context("no request")?;
    let answer = async {
        let response = client.request(request).await?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await;
        let body = body.map_err(|error| anyhow::anyhow!(error))?.to_bytes();
        anyhow::Ok(Answer {
            status,
            body: String::from_utf8_lossy(&body).into_owned(),
        })
    };
    tokio::time::timeout(ANSWER_MAX, answer)
        .await
        .context("no answer in time")
        .flatten()
        .with_context(|| format!("the server at {url} does not answer"))
}
