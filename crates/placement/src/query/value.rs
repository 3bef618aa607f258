//! The values that arguments and instances are compared as: versions, instants, numbers.

use std::cmp::Ordering;

use berth_model::time::Timestamp;

/// A version as its dotted numbers: `1.105.1`.
#[derive(Clone, Debug)]
pub(super) struct Version(Vec<u64>);

impl Version {
    /// Reads dotted numbers and nothing else.
    pub(super) fn parse(raw: &str) -> Option<Version> {
        raw.split('.')
            .map(number)
            .collect::<Option<_>>()
            .map(Version)
    }

    /// Reads the dotted numbers that an agent's version begins with, so that `1.105.1-rc1` can
    /// be compared too.
    pub(super) fn parse_start(raw: &str) -> Option<Version> {
        let end = raw
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(raw.len());
        Version::parse(raw[..end].trim_end_matches('.'))
    }

    /// The order, in which numbers not given count as 0.
    pub(super) fn order(&self, other: &Version) -> Ordering {
        let length = self.0.len().max(other.0.len());
        let padded = |version: &'_ Version| -> Vec<u64> {
            let mut numbers = version.0.clone();
            numbers.resize(length, 0);
            numbers
        };
        padded(self).cmp(&padded(other))
    }
}

fn number(raw: &str) -> Option<u64> {
    let digits = !raw.is_empty() && raw.bytes().all(|b| b.is_ascii_digit());
    // More digits than fit stand for a very large number.
    digits.then(|| raw.parse().unwrap_or(u64::MAX))
}

/// The order of two attribute values: as numbers when both are, else as text (reference §6.4).
pub(super) fn attribute_order(left: &str, right: &str) -> Ordering {
    match (decimal(left), decimal(right)) {
        (Some(left), Some(right)) => left.total_cmp(&right),
        _ => left.cmp(right),
    }
}

/// A plain decimal number; no exponent, infinity or NaN.
fn decimal(raw: &str) -> Option<f64> {
    let plain = |b: u8| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+');
    if !raw.bytes().all(plain) {
        return None;
    }
    // Adding zero turns -0 into 0, which `total_cmp` would tell apart.
    raw.parse::<f64>().ok().map(|number| number + 0.0)
}

/// An instant to compare `registeredAt` with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    millis: i64,
    whole_seconds: bool,
}

impl Instant {
    /// Reads `2018-06-18`, `2018-06-18T22:28:28`, with a fraction or not, and with `Z`, an offset
    /// such as `+02:00`, or nothing, which means UTC.
    pub(super) fn parse(raw: &str) -> Option<Instant> {
        let (date, time) = match raw.split_once('T') {
            Some((date, time)) => (date, Some(time)),
            None => (raw, None),
        };
        let days = days_of(date)?;
        let (clock, whole_seconds) = match time {
            Some(time) => millis_of(time)?,
            None => (0, true),
        };
        let millis = days * 86_400_000 + clock;
        Some(Instant {
            millis,
            whole_seconds,
        })
    }

    /// How `at` compares with this instant.
    pub(super) fn order_of(self, at: Timestamp) -> Ordering {
        let at = at.as_millis();
        let seen = if self.whole_seconds {
            at - at.rem_euclid(1000)
        } else {
            at
        };
        seen.cmp(&self.millis)
    }
}

/// A number of exactly `digits` digits, or `None`.
fn fixed(raw: &str, digits: usize) -> Option<i64> {
    let exact = raw.len() == digits && raw.bytes().all(|b| b.is_ascii_digit());
    if exact { raw.parse().ok() } else { None }
}

fn days_of(date: &str) -> Option<i64> {
    let mut parts = date.split('-');
    let year = fixed(parts.next()?, 4)?;
    let month = fixed(parts.next()?, 2)?;
    let day = fixed(parts.next()?, 2)?;
    let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    let month_lengths = [
        31,
        28 + i64::from(leap),
        31,
        30,
        31,
        30,
        31,
        31,
        30,
        31,
        30,
        31,
    ];
    let index = usize::try_from(month - 1).ok()?;
    let length = *month_lengths.get(index)?;
    if parts.next().is_some() || !(1..=length).contains(&day) {
        return None;
    }
    // Leap days before this year, counted from year 0 of the Gregorian rule.
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let of_years = year * 365 + leap_days;
    let of_months: i64 = month_lengths[..index].iter().sum();
    /// Days from the same origin to 1970-01-01.
    const EPOCH: i64 = 1970 * 365 + 477;
    Some(of_years + of_months + (day - 1) - EPOCH)
}

/// Milliseconds since midnight UTC, and whether whole seconds were given.
fn millis_of(time: &str) -> Option<(i64, bool)> {
    let zone_at = time.find(['Z', '+', '-']).unwrap_or(time.len());
    let (clock, zone) = time.split_at(zone_at);
    let offset_minutes = match zone.as_bytes().first() {
        None => 0,
        Some(b'Z') if zone.len() == 1 => 0,
        Some(b'+') => minutes_of(&zone[1..])?,
        Some(b'-') => -minutes_of(&zone[1..])?,
        Some(_) => return None,
    };
    let (clock, fraction) = match clock.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (clock, None),
    };
    let (hours_minutes, seconds) = clock.rsplit_once(':')?;
    let seconds = fixed(seconds, 2).filter(|seconds| *seconds < 60)?;
    let millis = match fraction {
        None => 0,
        Some(digits) => {
            number(digits)?;
            let three: String = digits.chars().chain("000".chars()).take(3).collect();
            fixed(&three, 3)?
        }
    };
    let minutes = minutes_of(hours_minutes)? - offset_minutes;
    Some((
        minutes * 60_000 + seconds * 1000 + millis,
        fraction.is_none(),
    ))
}

fn minutes_of(raw: &str) -> Option<i64> {
    let (hours, minutes) = raw.split_once(':')?;
    let hours = fixed(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = fixed(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(hours * 60 + minutes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(raw: &str) -> Option<i64> {
        Instant::parse(raw).map(|instant| instant.millis)
    }

    #[test]
    fn instants_are_read_in_every_form_that_ecs_takes() {
        assert_eq!(millis("1970-01-01"), Some(0));
        assert_eq!(millis("2000-03-01"), Some(951_868_800_000));
        let seen = Some(1_529_360_908_000);
        assert_eq!(millis("2018-06-18T22:28:28+00:00"), seen);
        assert_eq!(millis("2018-06-18T22:28:28Z"), seen);
        assert_eq!(millis("2018-06-18T22:28:28"), seen);
        assert_eq!(millis("2018-06-19T00:28:28+02:00"), seen);
        assert_eq!(millis("2018-06-18T22:28:28.25Z"), Some(1_529_360_908_250));
    }

    #[test]
    fn what_is_no_instant_is_refused() {
        for bad in [
            "",
            "2018",
            "2018-13-01",
            "2018-02-29",
            "2018-06-18T",
            "2018-06-18T22:28",
            "2018-06-18T24:00:00",
            "2018-06-18T22:28:28Zz",
            "2018-06-18T22:28:28+2",
            "2018-06-18T22:28:28.",
            "2018-06-18-01",
            "+018-06-18",
            "2018-06-18T22:28:60",
        ] {
            assert_eq!(millis(bad), None, "{bad}");
        }
    }

    #[test]
    fn versions_compare_by_number_and_not_by_letter() {
        let order = |left: &str, right: &str| {
            Version::parse_start(left)
                .unwrap()
                .order(&Version::parse(right).unwrap())
        };
        assert_eq!(order("1.105.1", "1.9.0"), Ordering::Greater);
        assert_eq!(order("1.9", "1.9.0"), Ordering::Equal);
        assert_eq!(order("1.9.0-rc1", "1.9.1"), Ordering::Less);
        assert!(Version::parse("1.9.x").is_none());
        assert!(Version::parse("").is_none());
        assert!(Version::parse_start("v1").is_none());
    }

    #[test]
    fn attributes_compare_as_numbers_when_both_are() {
        assert_eq!(attribute_order("10", "9"), Ordering::Greater);
        assert_eq!(attribute_order("-0", "0"), Ordering::Equal);
        assert_eq!(attribute_order("10", "9a"), Ordering::Less);
        assert_eq!(attribute_order("inf", "1"), Ordering::Greater);
    }
}
