//! The faults of CloudWatch Logs in its own words.

use berth_api::logs::Fault;
use berth_wire::FaultCode;

use crate::error::ApiError;
use crate::logs::events::LogFailure;

/// InvalidParameterException.
pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client(Fault::InvalidParameter, message)
}

/// There is no such group.
pub(super) fn no_group() -> ApiError {
    ApiError::client(
        Fault::ResourceNotFound,
        "The specified log group does not exist.",
    )
}

/// There is no such stream.
pub(super) fn no_stream() -> ApiError {
    ApiError::client(
        Fault::ResourceNotFound,
        "The specified log stream does not exist.",
    )
}

impl From<LogFailure> for ApiError {
    fn from(failure: LogFailure) -> Self {
        match failure {
            LogFailure::Refused(why) => invalid(why),
            // Docker's driver and the SDKs retry a 503.
            LogFailure::Unavailable(_) => {
                let code = FaultCode {
                    code: "ServiceUnavailableException".into(),
                    status: 503,
                };
                let text = "The service cannot complete the request.";
                let fault = berth_wire::Fault::client(code, text);
                Self(fault.caused_by(failure))
            }
        }
    }
}
