//! `nextToken`: opaque, tamper-proof, and bound to the call that it continues.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

/// Bytes of the authentication code that a token carries: 128 bits cannot be guessed.
const MAC_BYTES: usize = 16;

/// Makes and reads tokens with one secret, which the servers of a database share.
pub struct PageTokens {
    key: [u8; 32],
}

impl PageTokens {
    /// Tokens under this secret.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self { key }
    }

    /// A token that leads on after `position`. `call` names the operation and everything that
    /// must stay the same from page to page: account, region, filters.
    #[must_use]
    pub fn make(&self, call: &str, position: &str) -> String {
        let mut bytes = self.mac(call, position).to_vec();
        bytes.extend_from_slice(position.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The position that a token leads on from; `None` when it was not made here for `call`.
    #[must_use]
    pub fn read(&self, call: &str, token: &str) -> Option<String> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (mac, position) = bytes.split_at_checked(MAC_BYTES)?;
        let position = std::str::from_utf8(position).ok()?;
        // Nothing is to be gained from timing: a token grants only what its reader may list anyway.
        (mac == self.mac(call, position)).then(|| position.to_owned())
    }

    fn mac(&self, call: &str, position: &str) -> [u8; MAC_BYTES] {
        let mut mac =
            Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        // The length keeps `call` and `position` apart.
        mac.update(&(call.len() as u64).to_be_bytes());
        mac.update(call.as_bytes());
        mac.update(position.as_bytes());
        let full = mac.finalize().into_bytes();
        std::array::from_fn(|at| full[at])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_on_where_it_was_made() {
        let tokens = PageTokens::new([7; 32]);
        let token = tokens.make("ListTasks default", "0123");
        assert_eq!(
            tokens.read("ListTasks default", &token).as_deref(),
            Some("0123")
        );
    }

    #[test]
    fn a_token_of_another_call_key_or_form_is_refused() {
        let tokens = PageTokens::new([7; 32]);
        let token = tokens.make("ListTasks default", "0123");
        assert_eq!(tokens.read("ListTasks other", &token), None);
        assert_eq!(
            PageTokens::new([8; 32]).read("ListTasks default", &token),
            None
        );
        for bad in ["", "AAAA", "not base64!", &token[1..]] {
            assert_eq!(tokens.read("ListTasks default", bad), None, "{bad}");
        }
    }
}
