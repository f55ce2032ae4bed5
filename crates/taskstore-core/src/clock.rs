//! The only place that reads the time of day.
//!
//! Times are UTC in whole microseconds, the finest that every engine stores. Nothing here judges
//! a lease: no two clocks are ever compared.

use time::UtcDateTime;

/// The time of day, cut to whole microseconds.
///
/// ```
/// let now = taskstore_core::clock::now();
/// assert_eq!(now.nanosecond() % 1_000, 0);
/// ```
#[must_use]
pub fn now() -> UtcDateTime {
    truncate(UtcDateTime::now())
}

/// Cuts a time to whole microseconds.
#[must_use]
pub fn truncate(at: UtcDateTime) -> UtcDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000).unwrap_or(at)
}

/// Microseconds since 1970, as the engines store them.
#[must_use]
pub fn to_micros(at: UtcDateTime) -> i64 {
    // The years that `UtcDateTime` can hold (-9999 to 9999) fit an i64 by a factor of 28.
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// The first whole microsecond that is not before this time: where a range of times begins or ends
/// among those that are stored.
#[must_use]
pub fn to_micros_up(at: UtcDateTime) -> i64 {
    i64::try_from(-(-at.unix_timestamp_nanos()).div_euclid(1_000)).unwrap_or(i64::MAX)
}

/// The time so many microseconds after 1970; the nearest that can be held where it is out of range.
#[must_use]
pub fn from_micros(micros: i64) -> UtcDateTime {
    UtcDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000).unwrap_or(if micros < 0 {
        UtcDateTime::MIN
    } else {
        UtcDateTime::MAX
    })
}

/// The time for people: `2026-01-31 12:00:00.000000`, UTC, which sorts and compares as it reads.
#[must_use]
pub fn to_text(at: UtcDateTime) -> String {
    format!(
        "{}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        at.microsecond()
    )
}

/// `at + by`, or the latest time that can be held.
#[must_use]
pub fn add(at: UtcDateTime, by: std::time::Duration) -> UtcDateTime {
    time::Duration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by))
        .map_or(UtcDateTime::MAX, truncate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn micros_go_there_and_back() {
        let at = now();
        assert_eq!(from_micros(to_micros(at)), at);
        assert_eq!(to_micros(from_micros(-1)), -1);
    }

    #[test]
    fn a_range_begins_with_the_first_microsecond_in_it() {
        let at = |nanos| UtcDateTime::from_unix_timestamp_nanos(nanos).unwrap();
        let up = |nanos| to_micros_up(at(nanos));
        assert_eq!([up(-1_001), up(-1_000), up(-1)], [-1, -1, 0]);
        assert_eq!([up(0), up(1), up(1_000), up(1_001)], [0, 1, 1, 2]);
    }

    #[test]
    fn adding_too_much_saturates() {
        assert_eq!(add(now(), std::time::Duration::MAX), UtcDateTime::MAX);
    }
}
