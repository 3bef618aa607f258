//! Asking a server how it is: one GET without a signature.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
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

/// Fetches `path` of the server at `url`.
///
/// # Errors
/// When no answer comes.
pub(crate) async fn get(url: &str, path: &str) -> Result<Answer> {
    let whole = format!("{}{path}", url.trim_end_matches('/'));
    let uri: Uri = whole
        .parse()
        .with_context(|| format!("not a URL: {whole}"))?;
    ensure!(
        uri.scheme_str() == Some("http"),
        "{url}: only http is asked from here; name the server's plain address with --server"
    );
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
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
