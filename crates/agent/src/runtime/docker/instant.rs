//! Docker's times: RFC 3339 in UTC with up to nine decimals.

const NANOS_PER_SECOND: i64 = 1_000_000_000;
const NANOS_PER_MILLI: i64 = 1_000_000;

/// Nanoseconds since the epoch; `None` for Docker's zero time (year 1) and for what is no time.
pub(crate) fn parse_nanos(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once('T')?;
    let mut parts = date.split('-');
    let year: i64 = number(parts.next()?, 4)?;
    let month: i64 = number(parts.next()?, 2)?;
    let day: i64 = number(parts.next()?, 2)?;
    if parts.next().is_some() || year < 1970 || !(1..=12).contains(&month) {
        return None;
    }
    let (clock, offset_seconds) = split_zone(rest)?;
    let (whole, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut parts = whole.split(':');
    let hour: i64 = number(parts.next()?, 2)?;
    let minute: i64 = number(parts.next()?, 2)?;
    let second: i64 = number(parts.next()?, 2)?;
    if parts.next().is_some() || fraction.len() > 9 {
        return None;
    }
    let nanos = match fraction.is_empty() {
        true => 0,
        false => {
            let scale = 10_i64.pow(9 - u32::try_from(fraction.len()).ok()?);
            number(fraction, fraction.len())? * scale
        }
    };
    let days = days_since_epoch(year, month, day);
    let seconds = days * 86_400 + hour * 3600 + minute * 60 + second - offset_seconds;
    seconds.checked_mul(NANOS_PER_SECOND)?.checked_add(nanos)
}

/// Milliseconds since the epoch; see [`parse_nanos`].
pub(crate) fn parse_millis(text: &str) -> Option<i64> {
    parse_nanos(text).map(|nanos| nanos / NANOS_PER_MILLI)
}

/// Milliseconds since the epoch in Docker's notation; before 1970 it is 1970.
pub(crate) fn render_millis(millis: i64) -> String {
    let millis = millis.max(0);
    let (seconds, millis) = (millis / 1000, millis % 1000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// The inverse of [`days_since_epoch`].
fn date(days: i64) -> (i64, i64, i64) {
    // A date is found from below: a year has at most 366 days and a month at most 31.
    let mut year = 1970 + days / 366;
    while days_since_epoch(year + 1, 1, 1) <= days {
        year += 1;
    }
    let mut month = 1 + (days - days_since_epoch(year, 1, 1)) / 31;
    while month < 12 && days_since_epoch(year, month + 1, 1) <= days {
        month += 1;
    }
    (year, month, days - days_since_epoch(year, month, 1) + 1)
}

/// The time of day, and how many seconds its zone is ahead of UTC.
fn split_zone(text: &str) -> Option<(&str, i64)> {
    if let Some(clock) = text.strip_suffix('Z') {
        return Some((clock, 0));
    }
    let at = text.rfind(['+', '-'])?;
    let (clock, zone) = text.split_at(at);
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let ahead = number(hours, 2)? * 3600 + number(minutes, 2)? * 60;
    Some((clock, sign * ahead))
}

/// A number of exactly so many digits.
fn number(text: &str, digits: usize) -> Option<i64> {
    let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Days from 1970-01-01 in the Gregorian calendar: years are counted from March, so that the
/// leap day is the last of its year.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    const DAYS_TO_1970: i64 = 719_468;
    let (year, month) = match month {
        1 | 2 => (year - 1, month + 9),
        _ => (year, month - 3),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    365 * year + leap_days + (153 * month + 2) / 5 + day - 1 - DAYS_TO_1970
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_times_are_read_to_the_nanosecond() {
        assert_eq!(parse_nanos("1970-01-01T00:00:00Z"), Some(0));
        assert_eq!(
            parse_nanos("2026-11-20T16:28:12.838635191Z"),
            Some(1_795_192_092_838_635_191)
        );
        assert_eq!(
            parse_nanos("2024-02-29T23:59:60.5Z"),
            Some(1_709_251_200_500_000_000)
        );
        assert_eq!(
            parse_millis("2026-11-20T17:28:12.838+01:00"),
            Some(1_795_192_092_838)
        );
    }

    #[test]
    fn what_is_rendered_is_read_back() {
        assert_eq!(render_millis(1_795_192_092_838), "2026-11-20T16:28:12.838Z");
        assert_eq!(render_millis(-5), "1970-01-01T00:00:00.000Z");
        for day in 0..60_000 {
            let millis = day * 86_400_000 + 86_399_999;
            assert_eq!(parse_millis(&render_millis(millis)), Some(millis));
        }
    }

    #[test]
    fn the_zero_time_and_what_is_no_time_are_none() {
        for text in [
            "0001-01-01T00:00:00Z",
            "",
            "T",
            "2026-13-01T00:00:00Z",
            "2026-11-20",
            "2026-11-20T1:2:3Z",
            "2026-11-20T01:02:03.Z+",
            "é-11-20T01:02:03Z",
            "2026-11-20T01:02:03+é",
        ] {
            assert_eq!(parse_nanos(text), None, "{text}");
        }
    }
}
