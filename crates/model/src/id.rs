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
    /// A join token's id: 32 lower-case hexadecimal digits.
    JoinTokenId, "join token id"
}

hex_id! {
    /// A container's id, rendered as a UUID with dashes in its ARN ([W], reference §1.8).
    ContainerId, "container id"
}

hex_id! {
    /// A service event's id, a UUID with dashes on the wire.
    EventId, "event id"
}

fn uuid_text(bytes: [u8; 16]) -> String {
    let mut buffer = [0; 32];
    let hex = render_hex(bytes, &mut buffer);
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

impl ContainerId {
    /// The id as a UUID with dashes, as container ARNs and attachment ids show it.
    #[must_use]
    pub fn to_uuid_text(self) -> String {
        uuid_text(self.0)
    }
}

impl EventId {
    /// The id as a UUID with dashes.
    #[must_use]
    pub fn to_uuid_text(self) -> String {
        uuid_text(self.0)
    }
}

/// A service deployment's id: 21 characters of the URL-safe base-64 alphabet (reference §1.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceDeploymentId(u128);

/// How many characters a service deployment's id has.
const SERVICE_DEPLOYMENT_LENGTH: u32 = 21;
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl ServiceDeploymentId {
    /// The id that these bytes make: 21 characters hold 126 of their bits.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(u128::from_be_bytes(bytes) >> 2)
    }

    /// The least id, where ranges begin.
    pub const FIRST: ServiceDeploymentId = ServiceDeploymentId(0);
    /// The greatest id, where ranges end.
    pub const LAST: ServiceDeploymentId = ServiceDeploymentId(u128::MAX);
}

impl FromStr for ServiceDeploymentId {
    type Err = InvalidId;
    fn from_str(raw: &str) -> Result<Self, InvalidId> {
        let bad = InvalidId {
            what: "service deployment id",
        };
        if raw.len() != SERVICE_DEPLOYMENT_LENGTH as usize {
            return Err(bad);
        }
        let mut value = 0_u128;
        for byte in raw.bytes() {
            let digit = URL_SAFE.iter().position(|have| *have == byte);
            value = (value << 6) | digit.ok_or_else(|| bad.clone())? as u128;
        }
        Ok(Self(value))
    }
}

impl fmt::Display for ServiceDeploymentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for at in (0..SERVICE_DEPLOYMENT_LENGTH).rev() {
            let digit = (self.0 >> (6 * at)) & 63;
            write!(f, "{}", char::from(URL_SAFE[digit as usize]))?;
        }
        Ok(())
    }
}

impl Serialize for ServiceDeploymentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ServiceDeploymentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        raw.parse().map_err(serde::de::Error::custom)
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
    fn a_service_deployment_id_has_twenty_one_characters() {
        for bytes in [[0; 16], [0xff; 16], *b"0123456789abcdef"] {
            let id = ServiceDeploymentId::from_bytes(bytes);
            assert_eq!(id.to_string().len(), 21);
            assert_eq!(id.to_string().parse::<ServiceDeploymentId>().unwrap(), id);
        }
        for bad in ["", "ieMzquuDdnQk0J1DSVbh", "ieMzquuDdnQk0J1DSVbh!"] {
            assert!(bad.parse::<ServiceDeploymentId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_container_id_renders_as_a_uuid() {
        let id = ContainerId::from_bytes(*b"0123456789abcdef");
        assert_eq!(id.to_uuid_text(), "30313233-3435-3637-3839-616263646566");
    }
}
