//! Ids: sixteen bytes for tasks and container instances, twelve digits for accounts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text was not a valid id of the kind that `what` names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct InvalidId {
    /// The kind of id that was expected, such as "task id".
    pub what: &'static str,
}

fn parse_hex(raw: &str) -> Option<[u8; 16]> {
    fn digit(byte: u8) -> Option<u8> {
        match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        }
    }
    let raw: &[u8; 32] = raw.as_bytes().try_into().ok()?;
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(raw.chunks_exact(2)) {
        *byte = (digit(pair[0])? << 4) | digit(pair[1])?;
    }
    Some(bytes)
}

fn render_hex(bytes: [u8; 16], out: &mut [u8; 32]) -> &str {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    std::str::from_utf8(out).expect("hexadecimal digits are ASCII")
}

macro_rules! hex_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id with these bytes.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The sixteen bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(raw: &str) -> Result<Self, InvalidId> {
                parse_hex(raw).map(Self).ok_or(InvalidId { what: $what })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(render_hex(self.0, &mut [0; 32]))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(render_hex(self.0, &mut [0; 32]))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                raw.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

hex_id! {
    /// A task's id: 32 lower-case hexadecimal digits on the wire (reference §1.8).
    TaskId, "task id"
}

hex_id! {
    /// A container instance's id: 32 lower-case hexadecimal digits on the wire.
    InstanceId, "container instance id"
}

hex_id! {
    /// A container's id, rendered as a UUID with dashes in its ARN ([W], reference §1.8).
    ContainerId, "container id"
}

impl ContainerId {
    /// The id as a UUID with dashes, as container ARNs and attachment ids show it.
    #[must_use]
    pub fn to_uuid_text(self) -> String {
        let mut buffer = [0; 32];
        let hex = render_hex(self.0, &mut buffer);
        format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )
    }
}

/// An AWS account: twelve digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(u64);

impl AccountId {
    /// The account that `berth dev` uses when the access key names none.
    pub const ZERO: AccountId = AccountId(0);
}

impl FromStr for AccountId {
    type Err = InvalidId;
    fn from_str(raw: &str) -> Result<Self, InvalidId> {
        if raw.len() != 12 || !raw.bytes().all(|b| b.is_ascii_digit()) {
            return Err(InvalidId { what: "account id" });
        }
        raw.parse()
            .map(Self)
            .map_err(|_| InvalidId { what: "account id" })
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:012}", self.0)
    }
}

impl Serialize for AccountId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AccountId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        raw.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_id_reads_back_as_written() {
        let raw = "0123456789abcdef0123456789abcdef";
        let id: TaskId = raw.parse().unwrap();
        assert_eq!(id.to_string(), raw);
        assert_eq!(
            serde_json::from_str::<TaskId>(&format!("\"{raw}\"")).unwrap(),
            id
        );
    }

    #[test]
    fn upper_case_and_wrong_lengths_are_no_task_ids() {
        for raw in [
            "",
            "0123",
            "0123456789ABCDEF0123456789ABCDEF",
            &"0".repeat(33),
        ] {
            assert!(raw.parse::<TaskId>().is_err(), "{raw}");
        }
    }

    #[test]
    fn an_account_keeps_its_leading_zeros() {
        let account: AccountId = "000000000042".parse().unwrap();
        assert_eq!(account.to_string(), "000000000042");
        assert!("42".parse::<AccountId>().is_err());
    }

    #[test]
    fn a_container_id_renders_as_a_uuid() {
        let id = ContainerId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_uuid_text(), "30313233-3435-3637-3839-616263646566");
    }
}
