//! Docker's errors in the words of the stock agent, and the time that each step may take.

use std::future::Future;
use std::time::Duration;

use bollard::errors::Error;

use crate::runtime::{ErrorKind, RuntimeError};

/// Looking at one thing, or listing many. The stock agent's number.
pub(super) const LOOK_MAX: Duration = Duration::from_secs(30);
/// Making a container, network or volume: a slow disk copies an image's layers. The stock agent's
/// number.
pub(super) const CREATE_MAX: Duration = Duration::from_secs(4 * 60);
/// Starting a container. The stock agent's number.
pub(super) const START_MAX: Duration = Duration::from_secs(3 * 60);
/// What a stop may take beyond the container's own grace: Docker kills, waits and tidies up. The
/// stock agent's number.
pub(super) const STOP_BEYOND_GRACE: Duration = Duration::from_secs(30);
/// Removing. The stock agent's number.
pub(super) const REMOVE_MAX: Duration = Duration::from_secs(5 * 60);

/// The status that Docker answers with when there is no such thing.
pub(super) const NOT_FOUND: u16 = 404;
/// The status that Docker answers with when the name is taken or the thing is in use.
pub(super) const CONFLICT: u16 = 409;

/// Waits for Docker at most `limit`.
///
/// # Errors
/// `kind` with Docker's words; [`ErrorKind::Timeout`] naming `doing`;
/// [`ErrorKind::Unavailable`] when Docker cannot be reached.
pub(super) async fn within<T>(
    limit: Duration,
    kind: ErrorKind,
    doing: &str,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, RuntimeError> {
    match tokio::time::timeout(limit, work).await {
        Ok(outcome) => outcome.map_err(|error| describe(kind, &error)),
        Err(_) => Err(timed_out(doing, limit)),
    }
}

pub(super) fn timed_out(doing: &str, limit: Duration) -> RuntimeError {
    RuntimeError::new(
        ErrorKind::Timeout,
        format!(
            "Could not transition to {doing}; timed out after waiting {}s",
            limit.as_secs()
        ),
    )
}

/// Docker's error as one of ours.
pub(super) fn describe(kind: ErrorKind, error: &Error) -> RuntimeError {
    match error {
        Error::DockerResponseServerError { message, .. } => RuntimeError::new(
            kind,
            format!("Error response from daemon: {}", one_line(message)),
        ),
        Error::DockerStreamError { error } => RuntimeError::new(kind, one_line(error)),
        Error::RequestTimeoutError => {
            RuntimeError::new(ErrorKind::Timeout, "docker did not answer in time")
        }
        other if is_unreachable(other) => {
            RuntimeError::new(ErrorKind::Unavailable, one_line(&chain(other)))
        }
        other => RuntimeError::new(kind, one_line(&chain(other))),
    }
}

/// Whether Docker itself did not answer, so that nothing is known of what it did.
fn is_unreachable(error: &Error) -> bool {
    matches!(
        error,
        Error::HyperLegacyError { .. }
            | Error::HyperResponseError { .. }
            | Error::IOError { .. }
            | Error::SocketNotFoundError(_)
    )
}

/// The status of Docker's answer, when it answered.
pub(super) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// An error and its causes.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        // Some errors of HTTP libraries repeat their cause's text in their own.
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        cause = inner.source();
    }
    text
}

/// Reasons end up in one field of a report.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_daemon_says_is_reported_on_one_line_under_the_step_that_failed() {
        let error = Error::DockerResponseServerError {
            status_code: 500,
            message: "driver failed:\n port is already allocated\n".to_owned(),
        };
        let described = describe(ErrorKind::CannotStartContainer, &error);
        assert_eq!(
            described.to_string(),
            "CannotStartContainerError: Error response from daemon: \
             driver failed: port is already allocated"
        );
    }

    #[test]
    fn a_daemon_that_does_not_answer_is_told_apart_from_one_that_refuses() {
        let error = Error::SocketNotFoundError("/var/run/docker.sock".to_owned());
        let described = describe(ErrorKind::CannotStartContainer, &error);
        assert_eq!(described.kind, ErrorKind::Unavailable);
    }
}
