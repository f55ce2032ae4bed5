//! Between the model's types and the numbers and texts that stand for them in a table.

use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use taskstore_core::{DefinitionId, Error, LogLevel, Result, Status, clock};

/// The definition of a task whose own somebody has deleted by hand: none that there is.
#[must_use]
pub fn no_definition() -> DefinitionId {
    DefinitionId::from(ulid::Ulid::nil())
}

/// `at + by` in microseconds, or the latest time that can be held.
#[must_use]
pub fn later(at: i64, by: Duration) -> i64 {
    clock::to_micros(clock::add(clock::from_micros(at), by))
}

/// A length of time in microseconds.
#[must_use]
pub fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// A length of time from microseconds; zero for a negative one.
#[must_use]
pub fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// How long from `now` until `at`, both in microseconds; zero when it has passed.
#[must_use]
pub fn until(at: i64, now: i64) -> Duration {
    duration(at.saturating_sub(now))
}

/// A count as a signed column can hold it.
#[must_use]
pub fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The number that stands for a status in the record; queued and running are both active.
#[must_use]
pub const fn status_code(status: Status) -> i16 {
    match status {
        Status::Queued | Status::Running => 0,
        Status::Success => 2,
        Status::Failed => 3,
        Status::Canceled => 4,
        Status::Paused => 5,
    }
}

/// The status that a record shows; an active one is queued if it waits and else running.
///
/// # Errors
/// [`Backend`](Error::Backend): no status has this number.
pub fn status(code: impl Into<i64>, waits: bool) -> Result<Status> {
    Ok(match code.into() {
        0 if waits => Status::Queued,
        0 => Status::Running,
        2 => Status::Success,
        3 => Status::Failed,
        4 => Status::Canceled,
        5 => Status::Paused,
        code => return Err(Error::backend(format!("{code} is not a status"))),
    })
}

/// The number that stands for a log level.
#[must_use]
pub const fn level_code(level: LogLevel) -> i16 {
    match level {
        LogLevel::Info => 0,
        LogLevel::Success => 1,
        LogLevel::Error => 2,
    }
}

/// The log level that a number stands for.
pub fn level(code: impl Into<i64>) -> LogLevel {
    match code.into() {
        0 => LogLevel::Info,
        1 => LogLevel::Success,
        _ => LogLevel::Error,
    }
}

/// Stored JSON. Somebody may have written something else into the table by hand: it becomes a JSON
/// string, for which its handler fails, and its neighbours do not.
///
/// # Errors
/// None that can be reached: any text is a JSON string.
pub fn json(stored: String) -> Result<Box<RawValue>> {
    match serde_json::from_str::<&RawValue>(&stored) {
        Ok(_) => RawValue::from_string(stored).map_err(Error::backend),
        Err(_) => to_raw_value(&stored).map_err(Error::backend),
    }
}

/// A column's number as the type that the model has for it.
///
/// # Errors
/// [`Backend`](Error::Backend): it has no room there.
pub fn number<T: TryFrom<i64>>(stored: impl Into<i64>) -> Result<T> {
    let stored = stored.into();
    T::try_from(stored).map_err(|_| Error::backend(format!("{stored} is out of range")))
}

/// A stored `max_attempts`: 0 stands for the handler's.
///
/// # Errors
/// [`Backend`](Error::Backend): it is no count.
pub fn max_attempts(stored: impl Into<i64>) -> Result<Option<u32>> {
    Ok(Some(number(stored)?).filter(|&max| max != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_comes_back_as_it_went_and_other_numbers_are_errors() {
        for is in Status::ALL {
            assert_eq!(status(status_code(is), is == Status::Queued).unwrap(), is);
        }
        for code in [1, 6, -1, i64::MAX] {
            assert!(status(code, true).is_err(), "{code}");
        }
    }

    #[test]
    fn a_log_level_comes_back_as_it_went() {
        for is in [LogLevel::Info, LogLevel::Success, LogLevel::Error] {
            assert_eq!(level(level_code(is)), is);
        }
    }

    #[test]
    fn what_is_no_json_becomes_a_json_string() {
        assert_eq!(json("{\"a\":  1}".to_owned()).unwrap().get(), "{\"a\":  1}");
        assert_eq!(json("{\"a\"".to_owned()).unwrap().get(), r#""{\"a\"""#);
    }

    #[test]
    fn what_does_not_fit_is_an_error_or_the_nearest_that_does() {
        assert!(number::<u32>(-1).is_err() && number::<i16>(40_000).is_err());
        assert_eq!(number::<u32>(7_i32).unwrap(), 7);
        assert_eq!((max_attempts(0).unwrap(), max_attempts(3).unwrap()), (None, Some(3)));
        assert!(max_attempts(-1).is_err());
        assert_eq!((count(u64::MAX), micros(Duration::MAX)), (i64::MAX, i64::MAX));
        assert_eq!((duration(-5), until(3, 9)), (Duration::ZERO, Duration::ZERO));
        let latest = later(0, Duration::MAX);
        assert_eq!(later(latest, Duration::from_secs(1)), latest);
    }
}
