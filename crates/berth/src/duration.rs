//! Lengths of time as people write them: `15s`, `10m`, `1h`, or seconds without a unit.

use std::time::Duration;

/// Parses a length of time.
pub(crate) fn parse_duration(raw: &str) -> Result<Duration, String> {
    let at = raw.find(|c: char| !c.is_ascii_digit()).unwrap_or(raw.len());
    let (digits, unit) = raw.split_at(at);
    let number: u64 = digits
        .parse()
        .map_err(|_| "expected a number and a unit, such as 15s, 10m or 1h".to_owned())?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        other => return Err(format!("unknown unit {other:?}: expected ms, s, m, h or d")),
    };
    let millis = number.checked_mul(millis_per_unit);
    millis
        .map(Duration::from_millis)
        .ok_or_else(|| "too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_plain_seconds_parse() {
        for (raw, millis) in [
            ("0", 0),
            ("15", 15_000),
            ("15s", 15_000),
            ("250ms", 250),
            ("10m", 600_000),
            ("1h", 3_600_000),
            ("2d", 172_800_000),
        ] {
            assert_eq!(
                parse_duration(raw),
                Ok(Duration::from_millis(millis)),
                "{raw}"
            );
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for raw in [
            "",
            "s",
            "-1s",
            "1.5h",
            "1 h",
            "1w",
            "99999999999999999999",
            "9999999999999999999d",
        ] {
            assert!(parse_duration(raw).is_err(), "{raw}");
        }
    }
}
