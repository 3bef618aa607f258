//! What a failed call answers.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;

use serde_json::Value;

/// An error on the wire: what the caller sees, and apart from it what the log needs.
#[derive(Debug)]
pub struct Fault {
    /// The code, such as `ClusterNotFoundException`, sometimes with a namespace before `#`.
    pub code: Cow<'static, str>,
    /// AWS's text, to the letter; may be empty.
    pub message: String,
    /// The HTTP status.
    pub status: u16,
    /// Members beside code and message, such as `resourceIds` of a `ConflictException`.
    pub fields: BTreeMap<&'static str, Value>,
    /// Why, for the log alone.
    pub cause: Option<Box<dyn Error + Send + Sync>>,
}

/// An error's code and its HTTP status. The generated fault enums turn into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultCode {
    /// The code as it stands in `__type`.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
}

impl From<&'static str> for FaultCode {
    /// A caller's error: the awsJson services answer those with 400 whatever they are.
    fn from(code: &'static str) -> Self {
        Self {
            code: Cow::Borrowed(code),
            status: 400,
        }
    }
}

impl Fault {
    /// An error that the caller can do something about.
    pub fn client(code: impl Into<FaultCode>, message: impl Into<String>) -> Self {
        let FaultCode { code, status } = code.into();
        Self {
            code,
            message: message.into(),
            status,
            fields: BTreeMap::new(),
            cause: None,
        }
    }

    /// An error of ours, status 500 and code `ServerException`, with a message for the caller.
    pub fn server(message: impl Into<String>) -> Self {
        Self::client(
            FaultCode {
                code: Cow::Borrowed("ServerException"),
                status: 500,
            },
            message,
        )
    }

    /// An error of ours that means nothing to the caller: `cause` goes to the log alone.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::server("Service Unavailable. Please try again later.").caused_by(cause)
    }

    /// The writer's queue is full, or the caller is over its rate.
    #[must_use]
    pub fn throttled() -> Self {
        Self::client("ThrottlingException", "Rate exceeded")
    }

    /// The operation is known, and not served. `service` is the signing name.
    #[must_use]
    pub fn unserved(service: &str, operation: &str) -> Self {
        Self::client(
            "UnsupportedOperationException",
            format!("{service}:{operation} is not served by this endpoint."),
        )
    }

    /// The service has no such operation, or the request names none.
    #[must_use]
    pub fn unknown_operation(named: &str) -> Self {
        Self::client(
            "UnknownOperationException",
            format!("Unknown operation: {named}"),
        )
    }

    /// The same fault, with its cause for the log.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// The same fault with one more member beside code and message.
    #[must_use]
    pub fn with_field(mut self, name: &'static str, value: Value) -> Self {
        self.fields.insert(name, value);
        self
    }

    /// The code without namespace, as clients compare it.
    #[must_use]
    pub fn bare_code(&self) -> &str {
        self.code
            .rsplit_once('#')
            .map_or(&*self.code, |(_, bare)| bare)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status, self.code, self.message)
    }
}

impl Error for Fault {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause
            .as_deref()
            .map(|cause| cause as &(dyn Error + 'static))
    }
}
