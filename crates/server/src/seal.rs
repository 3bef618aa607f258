//! Tokens that say what they stand for, under a key that the server's data holds, and the keys
//! that go with them. Nothing about them is stored, so a restart invalidates none.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// The longest token looked at; ours have about 400 characters.
const TOKEN_LENGTH_MAX: usize = 2048;
/// The bytes of a signature.
const SIGNATURE_BYTES: usize = 32;
/// The letters of access key ids (RFC 4648 §6).
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Makes tokens of one kind, and knows them again.
#[derive(Clone)]
pub(crate) struct Seal([u8; SIGNATURE_BYTES]);

/// An access key that belongs to a token.
#[derive(Clone)]
pub(crate) struct SealedKeys {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

impl Seal {
    /// The seal of one kind of token, which follows from the server's own key.
    pub(crate) fn derive(server_key: &[u8; 32], kind: &str) -> Self {
        Self(Self(*server_key).sign(kind, b""))
    }

    /// A token that stands for `content`.
    pub(crate) fn token(&self, content: &[u8]) -> String {
        let mut token = self.sign("token", content).to_vec();
        token.extend_from_slice(content);
        URL_SAFE_NO_PAD.encode(token)
    }

    /// What a token stands for; `None` for one that was not made under this seal.
    pub(crate) fn open(&self, token: &str) -> Option<Vec<u8>> {
        if token.len() > TOKEN_LENGTH_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (signature, content) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        let own = self.sign("token", content);
        bool::from(own.as_slice().ct_eq(signature)).then(|| content.to_vec())
    }

    /// The access key of the token that stands for `content`.
    pub(crate) fn keys(&self, content: &[u8]) -> SealedKeys {
        let id: String = self.sign("access key id", content)[..16]
            .iter()
            .map(|byte| char::from(BASE32[usize::from(byte % 32)]))
            .collect();
        let secret = self.sign("secret access key", content);
        SealedKeys {
            access_key_id: format!("ASIA{id}"),
            secret_access_key: STANDARD.encode(&secret[..30]),
        }
    }

    /// A signature of `content` as a `what`.
    pub(crate) fn sign(&self, what: &str, content: &[u8]) -> [u8; SIGNATURE_BYTES] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length is a key");
        mac.update(what.as_bytes());
        mac.update(&[0]);
        mac.update(content);
        mac.finalize().into_bytes().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_of_another_seal_and_a_changed_one_open_nothing() {
        let seal = Seal::derive(&[7; 32], "one kind");
        let token = seal.token(b"content");
        assert_eq!(seal.open(&token).as_deref(), Some(b"content".as_slice()));
        let others = [
            Seal::derive(&[8; 32], "one kind"),
            Seal::derive(&[7; 32], "another kind"),
        ];
        for other in others {
            assert_eq!(other.open(&token), None);
        }
        let mut bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for at in 0..bytes.len() {
            bytes[at] ^= 1;
            assert_eq!(
                seal.open(&URL_SAFE_NO_PAD.encode(&bytes)),
                None,
                "byte {at}"
            );
            bytes[at] ^= 1;
        }
        for other in ["", "x", "!!", &"A".repeat(10_000)] {
            assert_eq!(seal.open(other), None);
        }
    }
}
