//! CloudWatch Logs, as far as shipping needs it.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::http::{ApiClient, CallError, KeySource};

/// What stands before an operation in `X-Amz-Target`.
const TARGET_PREFIX: &str = "Logs_20140328";
/// The most events in a page of GetLogEvents.
const PAGE_EVENTS: i32 = 10_000;
/// Pages read to see whether a batch is there: one batch has at most 10,000 events.
const PAGES_MAX: usize = 16;

/// A log stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamName {
    /// The region that is signed for; the client's own when absent.
    pub region: Option<String>,
    /// The log group.
    pub group: String,
    /// The log stream.
    pub stream: String,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// Milliseconds since the epoch.
    pub time: i64,
    /// The text.
    pub message: String,
}

/// Why a call of the log service brought nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LogsError {
    /// There is no such group or stream.
    #[error("{0}")]
    Missing(String),
    /// The service will never take this.
    #[error("{0}")]
    Refused(String),
    /// The service did nothing, and may do it later.
    #[error("{0}")]
    Busy(String),
    /// Whether the service did it is not known.
    #[error("{0}")]
    Unknown(String),
}

/// What shipping needs of CloudWatch Logs.
pub trait LogsApi: Send + Sync {
    /// Makes a group; one that exists is as good.
    fn create_group<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<(), LogsError>>;

    /// Makes a stream, and tells whether it is new.
    fn create_stream<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<bool, LogsError>>;

    /// Appends events, in the order of their times.
    fn put<'a>(
        &'a self,
        name: &'a StreamName,
        events: &'a [LogEvent],
    ) -> BoxFuture<'a, Result<(), LogsError>>;

    /// How many events the stream has at or after a time.
    fn count_since<'a>(
        &'a self,
        name: &'a StreamName,
        time: i64,
    ) -> BoxFuture<'a, Result<u64, LogsError>>;
}

/// The log service of the agent's server.
#[derive(Clone)]
pub struct ServerLogs {
    api: ApiClient,
    keys: Arc<dyn KeySource>,
    region: Arc<str>,
}

impl ServerLogs {
    /// A client that signs with `keys`, for `region` where a stream names none.
    #[must_use]
    pub fn new(api: ApiClient, keys: Arc<dyn KeySource>, region: Arc<str>) -> Self {
        Self { api, keys, region }
    }

    async fn call(
        &self,
        name: &StreamName,
        operation: &str,
        body: serde_json::Value,
    ) -> Result<serde_json::Value, LogsError> {
        let keys = self.keys.keys().map_err(LogsError::Busy)?;
        let region = name.region.as_deref().unwrap_or(&self.region);
        let signer = keys.signer(region, "logs");
        let target = format!("{TARGET_PREFIX}.{operation}");
        let answer = self
            .api
            .call_target(&signer, &target, body.to_string().into_bytes());
        answer.await.map_err(|error| sort(&error))
    }
}

fn sort(error: &CallError) -> LogsError {
    let text = error.to_string();
    match error {
        CallError::Failed(_) => LogsError::Unknown(text),
        CallError::Refused { status, code, .. } => match code.as_str() {
            "ResourceNotFoundException" => LogsError::Missing(text),
            "InvalidParameterException" | "SerializationException" => LogsError::Refused(text),
            "InternalFailure" | "InternalServerError" | "ServiceUnavailableException" => {
                LogsError::Unknown(text)
            }
            _ if *status >= 500 => LogsError::Unknown(text),
            // Throttled, or keys that may be mended.
            _ => LogsError::Busy(text),
        },
    }
}

fn already_exists(error: &CallError) -> bool {
    error.is("ResourceAlreadyExistsException")
}

impl LogsApi for ServerLogs {
    fn create_group<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<(), LogsError>> {
        Box::pin(async move {
            let body = serde_json::json!({ "logGroupName": name.group });
            self.create(name, "CreateLogGroup", body).await.map(drop)
        })
    }

    fn create_stream<'a>(&'a self, name: &'a StreamName) -> BoxFuture<'a, Result<bool, LogsError>> {
        Box::pin(async move {
            let body = serde_json::json!({
                "logGroupName": name.group,
                "logStreamName": name.stream,
            });
            self.create(name, "CreateLogStream", body).await
        })
    }

    fn put<'a>(
        &'a self,
        name: &'a StreamName,
        events: &'a [LogEvent],
    ) -> BoxFuture<'a, Result<(), LogsError>> {
        Box::pin(async move {
            let events = events.iter().map(
                |event| serde_json::json!({ "timestamp": event.time, "message": event.message }),
            );
            let body = serde_json::json!({
                "logGroupName": name.group,
                "logStreamName": name.stream,
                "logEvents": events.collect::<Vec<_>>(),
            });
            let answer = self.call(name, "PutLogEvents", body).await?;
            if let Some(rejected) = answer
                .get("rejectedLogEventsInfo")
                .filter(|info| !info.is_null())
            {
                tracing::warn!(group = %name.group, stream = %name.stream, %rejected, "log events were too old or too new for their group");
            }
            Ok(())
        })
    }

    fn count_since<'a>(
        &'a self,
        name: &'a StreamName,
        time: i64,
    ) -> BoxFuture<'a, Result<u64, LogsError>> {
        Box::pin(async move {
            let mut count = 0;
            let mut token: Option<String> = None;
            for _ in 0..PAGES_MAX {
                let mut body = serde_json::json!({
                    "logGroupName": name.group,
                    "logStreamName": name.stream,
                    "startTime": time,
                    "startFromHead": true,
                    "limit": PAGE_EVENTS,
                });
                if let Some(token) = &token {
                    body["nextToken"] = token.as_str().into();
                }
                let answer = self.call(name, "GetLogEvents", body).await?;
                let events = answer.get("events").and_then(|events| events.as_array());
                count += events.map_or(0, |events| events.len() as u64);
                let next = answer
                    .get("nextForwardToken")
                    .and_then(|token| token.as_str());
                // The end of the stream gives its own token back. Pages may be short, even
                // empty, before that.
                if next.is_none() || next == token.as_deref() {
                    return Ok(count);
                }
                token = next.map(str::to_owned);
            }
            Ok(count)
        })
    }
}

impl ServerLogs {
    /// Whether the thing is new.
    async fn create(
        &self,
        name: &StreamName,
        operation: &str,
        body: serde_json::Value,
    ) -> Result<bool, LogsError> {
        let keys = self.keys.keys().map_err(LogsError::Busy)?;
        let signer = keys.signer(name.region.as_deref().unwrap_or(&self.region), "logs");
        let target = format!("{TARGET_PREFIX}.{operation}");
        let body = body.to_string().into_bytes();
        match self.api.call_target(&signer, &target, body).await {
            Ok(_) => Ok(true),
            Err(error) if already_exists(&error) => Ok(false),
            Err(error) => Err(sort(&error)),
        }
    }
}
