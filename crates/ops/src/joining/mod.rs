//! How machines join: Berth's own operations beside those of ECS, which has SSM's activations
//! for it.
//!
//! Rules kept here:
//! - only an account's own key makes, lists and revokes tokens;
//! - a token's secret is shown once, when it is made; what is kept is its SHA-256. The secret has
//!   160 random bits, so a plain hash of it cannot be searched;
//! - a machine that asks again, because it did not hear the answer, is enrolled once.
//!
//! What credentials look like and how they are sealed is the server's business.

mod enrol;
mod tokens;

use berth_api::ecs::Fault;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

pub use enrol::{Enrolled, enrol, renewed, revoke_machine};
pub use tokens::{SECRET_BYTES, create, list, revoke};

use crate::access::Principal;
use crate::call::Call;
use crate::ecs::fault::access_denied;
use crate::error::ApiError;

/// What `X-Amz-Target` names in front of these operations.
pub const TARGET_PREFIX: &str = "Berth";

/// The service's name in refusals.
const SERVICE: &str = "berth";

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body)
        .map_err(|error| ApiError::client("SerializationException", error.to_string()))
}

/// Refuses who is not an account's own key.
fn check_account(call: &Call, operation: &str) -> Result<(), ApiError> {
    match call.caller.principal {
        Principal::Account => Ok(()),
        Principal::TaskRole { .. } | Principal::ExecutionRole | Principal::Agent(_) => {
            Err(access_denied(&call.caller.arn, SERVICE, operation, "*"))
        }
    }
}

fn not_found() -> ApiError {
    ApiError::client(Fault::InvalidParameter, "There is no such join token.")
}

/// SHA-256 in hexadecimal digits.
fn hash(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether two hashes are the same, in a time that does not depend on where they differ.
fn same(one: &str, other: &str) -> bool {
    one.as_bytes().ct_eq(other.as_bytes()).into()
}
