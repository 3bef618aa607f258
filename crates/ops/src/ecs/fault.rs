//! The two faults that most refusals of ECS are.

use berth_api::ecs::Fault;

use crate::error::ApiError;

/// InvalidParameterException with AWS's text.
pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::client(Fault::InvalidParameter, message)
}

/// ClientException with AWS's text.
pub(crate) fn client(message: impl Into<String>) -> ApiError {
    ApiError::client(Fault::Client, message)
}

/// AccessDeniedException, as IAM words it (reference §1.2).
pub(crate) fn access_denied(
    caller: &str,
    service: &str,
    operation: &str,
    resource: &str,
) -> ApiError {
    ApiError::client(
        Fault::AccessDenied,
        format!(
            "User: {caller} is not authorized to perform: {service}:{operation} on resource: \
             {resource} because no identity-based policy allows the {service}:{operation} action"
        ),
    )
}
