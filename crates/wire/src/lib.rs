//! How bytes look on the wire: routing, signatures, JSON and query/XML bodies, faults.
//!
//! Nothing here knows a service: shapes and their constraints live in `api`, behaviour in `ops`.
//! Nothing here reads a clock or makes an id: instants and request ids are arguments.

mod amz_date;
mod fault;
pub mod json;
pub mod query;
mod route;
pub mod sigv4;
mod value;

pub use fault::{Fault, FaultCode};
pub use route::{Route, route};
pub use value::{Blob, Document, EpochSeconds};

/// The header that carries a request's id in every answer.
pub const REQUEST_ID_HEADER: &str = "x-amzn-requestid";

/// The largest request body read, in bytes. Amazon ECS's largest legal request, a task
/// definition of 64 KiB with its JSON escapes, fits many times over, and so does the 1 MiB batch
/// that PutLogEvents allows, whose limit counts 26 bytes per event for less JSON than that.
pub const BODY_BYTES_MAX: usize = 1024 * 1024;

/// Refuses a body over [`BODY_BYTES_MAX`].
///
/// # Errors
/// The fault to answer with, status 413.
pub fn check_body_size(bytes: usize) -> Result<(), Fault> {
    if bytes <= BODY_BYTES_MAX {
        return Ok(());
    }
    let mut fault = Fault::client(
        "RequestEntityTooLargeException",
        format!("Request body must not be larger than {BODY_BYTES_MAX} bytes."),
    );
    fault.status = 413;
    Err(fault)
}
