//! Client tokens: what makes a repeated call the same call (reference §1.6).

use berth_model::task::ClientToken;
use sha2::{Digest, Sha256};

use crate::ecs::fault::invalid;
use crate::error::ApiError;

/// Bytes of a request's digest that are kept: 128 bits tell any two requests apart.
const DIGEST_BYTES: usize = 16;

/// The token with a digest of the request; `None` when none is given.
///
/// # Errors
/// InvalidParameterException for one of more than `length_max` characters.
pub(crate) fn client_token(
    given: Option<&str>,
    length_max: usize,
    request: &[u8],
) -> Result<Option<ClientToken>, ApiError> {
    let Some(token) = given.filter(|token| !token.is_empty()) else {
        return Ok(None);
    };
    if token.chars().count() > length_max {
        return Err(invalid(format!(
            "idempotency token longer than {length_max}."
        )));
    }
    let digest = Sha256::digest(request);
    let digits: String = digest[..DIGEST_BYTES]
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    Ok(Some(ClientToken {
        token: token.into(),
        request: digits.into(),
    }))
}
