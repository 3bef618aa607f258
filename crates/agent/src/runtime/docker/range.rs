//! The range of addresses that an agent gives to awsvpc tasks.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// The shortest and longest prefix: a /8 is the largest private range, and a /29 still has
/// addresses for five tasks beside the gateway.
const PREFIX: std::ops::RangeInclusive<u8> = 8..=29;

/// An IPv4 range such as `10.113.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskRange {
    base: Ipv4Addr,
    prefix: u8,
}

/// The text is no IPv4 range that tasks could have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an IPv4 range like 10.113.0.0/16 with a prefix from 8 to 29 and no bits beyond it")]
pub struct InvalidTaskRange;

impl FromStr for TaskRange {
    type Err = InvalidTaskRange;

    fn from_str(text: &str) -> Result<Self, InvalidTaskRange> {
        let (base, prefix) = text.split_once('/').ok_or(InvalidTaskRange)?;
        let base: Ipv4Addr = base.parse().map_err(|_| InvalidTaskRange)?;
        let prefix: u8 = prefix.parse().map_err(|_| InvalidTaskRange)?;
        if !PREFIX.contains(&prefix) || u32::from(base) << prefix != 0 {
            return Err(InvalidTaskRange);
        }
        Ok(Self { base, prefix })
    }
}

impl fmt::Display for TaskRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

impl TaskRange {
    /// The host's own address on the bridge: the first of the range, which is what Docker gives
    /// a bridge.
    #[must_use]
    pub fn gateway(&self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.base) + 1)
    }

    /// The name of the bridge in Docker.
    pub(super) fn network_name(&self) -> String {
        format!("berth-{}-{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_and_shown() {
        let range: TaskRange = "10.113.0.0/16".parse().unwrap();
        assert_eq!(range.to_string(), "10.113.0.0/16");
        assert_eq!(range.gateway(), Ipv4Addr::new(10, 113, 0, 1));
        assert_eq!(range.network_name(), "berth-10.113.0.0-16");
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.1/24",
            "10.0.0.0/30",
            "10.0.0.0/7",
            "::/64",
            "10.0.0.0/-1",
        ] {
            assert_eq!(text.parse::<TaskRange>(), Err(InvalidTaskRange), "{text}");
        }
    }
}
