//! Names that users choose, and the scopes and keys made of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::AccountId;
use crate::text::Text;

/// The text was not a valid name of the kind that `what` names.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}")]
pub struct InvalidName {
    /// The kind of name that was expected, such as "cluster name".
    pub what: &'static str,
}

/// The longest cluster, service or family name ECS accepts.
const NAME_LENGTH_MAX: usize = 255;
/// The longest region name accepted; real ones have at most 14 characters.
const REGION_LENGTH_MAX: usize = 32;

fn is_name(raw: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=NAME_LENGTH_MAX).contains(&raw.len()) && raw.bytes().all(allowed)
}

fn is_region(raw: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=REGION_LENGTH_MAX).contains(&raw.len()) && raw.bytes().all(allowed)
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Text);

        impl $name {
            /// The characters.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The shared text.
            #[must_use]
            pub fn as_text(&self) -> &Text {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;
            fn from_str(raw: &str) -> Result<Self, InvalidName> {
                if $valid(raw) { Ok(Self(Text::new(raw))) } else { Err(InvalidName { what: $what }) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
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

name! {
    /// A cluster's short name: 1 to 255 letters, digits, `-` and `_`.
    ClusterName, "cluster name", is_name
}

name! {
    /// A task definition's family: 1 to 255 letters, digits, `-` and `_`.
    Family, "family", is_name
}

name! {
    /// A service's short name: 1 to 255 letters, digits, `-` and `_`.
    ServiceName, "service name", is_name
}

impl ServiceName {
    /// The least name, where ranges begin.
    #[must_use]
    pub fn least() -> Self {
        Self(Text::new("-"))
    }
}

name! {
    /// A region, such as `us-east-1`. Any name of that form is a region of its own.
    Region, "region", is_region
}

/// One account in one region: a world of its own that shares nothing with others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scope {
    /// The account.
    pub account: AccountId,
    /// The region that the client signed for.
    pub region: Region,
}

/// A cluster's identity: its scope and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterKey {
    /// The account and region.
    pub scope: Scope,
    /// The name within the scope.
    pub name: ClusterName,
}

/// A service's identity: its cluster and its name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ServiceKey {
    /// The cluster.
    pub cluster: ClusterKey,
    /// The name within the cluster.
    pub name: ServiceName,
}

/// A task definition's identity: scope, family and revision.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DefinitionKey {
    /// The account and region.
    pub scope: Scope,
    /// The family.
    pub family: Family,
    /// The revision, counted from 1 within the family.
    pub revision: u32,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl fmt::Display for ClusterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.scope, self.name)
    }
}

impl fmt::Display for ServiceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.cluster, self.name)
    }
}

impl fmt::Display for DefinitionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}:{}", self.scope, self.family, self.revision)
    }
}

/// Why a saved key could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid key: {0:?}")]
pub struct InvalidKey(String);

impl FromStr for Scope {
    type Err = InvalidKey;
    fn from_str(raw: &str) -> Result<Self, InvalidKey> {
        let bad = || InvalidKey(raw.into());
        let (account, region) = raw.split_once('/').ok_or_else(bad)?;
        Ok(Self {
            account: account.parse().map_err(|_| bad())?,
            region: region.parse().map_err(|_| bad())?,
        })
    }
}

impl FromStr for ClusterKey {
    type Err = InvalidKey;
    fn from_str(raw: &str) -> Result<Self, InvalidKey> {
        let bad = || InvalidKey(raw.into());
        let (scope, name) = raw.rsplit_once('/').ok_or_else(bad)?;
        Ok(Self {
            scope: scope.parse()?,
            name: name.parse().map_err(|_| bad())?,
        })
    }
}

impl FromStr for ServiceKey {
    type Err = InvalidKey;
    fn from_str(raw: &str) -> Result<Self, InvalidKey> {
        let bad = || InvalidKey(raw.into());
        let (cluster, name) = raw.rsplit_once('/').ok_or_else(bad)?;
        Ok(Self {
            cluster: cluster.parse()?,
            name: name.parse().map_err(|_| bad())?,
        })
    }
}

impl FromStr for DefinitionKey {
    type Err = InvalidKey;
    fn from_str(raw: &str) -> Result<Self, InvalidKey> {
        let bad = || InvalidKey(raw.into());
        let (scope, definition) = raw.rsplit_once('/').ok_or_else(bad)?;
        let (family, revision) = definition.rsplit_once(':').ok_or_else(bad)?;
        Ok(Self {
            scope: scope.parse()?,
            family: family.parse().map_err(|_| bad())?,
            revision: revision.parse().map_err(|_| bad())?,
        })
    }
}

macro_rules! saved_as_text {
    ($($name:ident),+) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
                raw.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

saved_as_text!(Scope, ClusterKey, ServiceKey, DefinitionKey);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_dash_and_underscore() {
        for good in ["a", "Web-1_b", &"x".repeat(255)] {
            assert!(good.parse::<ClusterName>().is_ok(), "{good}");
        }
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(256)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_read_back_as_written() {
        let cluster = "000000000007/us-east-1/default";
        assert_eq!(cluster.parse::<ClusterKey>().unwrap().to_string(), cluster);
        let service = "000000000007/us-east-1/default/web";
        assert_eq!(service.parse::<ServiceKey>().unwrap().to_string(), service);
        let definition = "000000000007/us-east-1/web:12";
        assert_eq!(
            definition.parse::<DefinitionKey>().unwrap().to_string(),
            definition
        );
        for bad in [
            "",
            "web:12",
            "1/us-east-1/web:12",
            "000000000007/us-east-1/web",
        ] {
            assert!(bad.parse::<DefinitionKey>().is_err(), "{bad}");
        }
    }
}
