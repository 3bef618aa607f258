//! What a failed operation answers.

use std::borrow::Cow;

use berth_state::Failure;
use berth_wire::{Fault, FaultCode};

/// A failed operation: a [`Fault`] on its way to the wire.
#[derive(Debug)]
pub struct ApiError(pub Fault);

impl ApiError {
    /// An error that the caller can do something about: the service's fault and AWS's text.
    pub fn client(code: impl Into<FaultCode>, message: impl Into<String>) -> Self {
        Self(Fault::client(code, message))
    }

    /// An error of ours: `cause` goes to the log, the caller sees a plain server fault.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(Fault::internal(cause))
    }
}

impl From<Fault> for ApiError {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Overloaded => Self(Fault::throttled()),
            // Clients retry a 503; the standby that leads answers the retry.
            Failure::Unavailable | Failure::NotLeading => {
                let code = FaultCode {
                    code: Cow::Borrowed("ServerException"),
                    status: 503,
                };
                let text = "Service Unavailable. Please try again later.";
                Self(Fault::client(code, text).caused_by(failure))
            }
            Failure::Refused | Failure::Panicked => Self::internal(failure),
        }
    }
}
