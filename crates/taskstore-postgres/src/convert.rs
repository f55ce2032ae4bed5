//! Between the model's types and what the tables store.

use std::time::Duration;

use serde_json::value::{RawValue, to_raw_value};
use taskstore_core::{DefinitionId, Error, LogLevel, Progress, Result, Status, clock};
use time::UtcDateTime;
use tokio_postgres::types::{
    FromSql, IsNull, ToSql, Type, accepts, private::BytesMut, to_sql_checked,
};

/// An id as the tables have it: 16 bytes that sort as the ULID does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Uuid(pub(crate) [u8; 16]);

impl Uuid {
    /// Of a task, a lease, a runner or a definition.
    pub(crate) fn of(id: ulid::Ulid) -> Self {
        Self(id.to_bytes())
    }

    /// As the id that it is.
    pub(crate) fn id<T: From<ulid::Ulid>>(self) -> T {
        T::from(ulid::Ulid::from_bytes(self.0))
    }
}

impl ToSql for Uuid {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }

    accepts!(UUID);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Uuid {
    fn from_sql(
        _: &Type,
        raw: &'a [u8],
    ) -> std::result::Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw.try_into()?))
    }

    accepts!(UUID);
}

/// The latest time that can be held.
pub(crate) fn latest() -> i64 {
    clock::to_micros(UtcDateTime::MAX)
}

/// The definition of a task whose own somebody has deleted by hand: none that there is.
pub(crate) fn no_definition() -> DefinitionId {
    DefinitionId::from(ulid::Ulid::nil())
}

/// The request's time, if it has one.
pub(crate) fn stamp(now: Option<UtcDateTime>) -> Option<i64> {
    now.map(clock::to_micros)
}

/// This machine's clock: for hints, never for what is stored.
pub(crate) fn here() -> i64 {
    clock::to_micros(clock::now())
}

/// `at + by`, or the latest time that can be held.
pub(crate) fn later(at: i64, by: Duration) -> i64 {
    clock::to_micros(clock::add(clock::from_micros(at), by))
}

/// A length of time in microseconds.
pub(crate) fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// A delay that can be added to any time that can be held.
pub(crate) fn delay(length: Duration) -> i64 {
    micros(length).min(latest())
}

/// A length of time from microseconds.
pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// How long from `now` until `at`; zero when it has passed.
pub(crate) fn until(at: i64, now: i64) -> Duration {
    duration(at.saturating_sub(now))
}

/// A count as a bigint can hold it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A count as an integer can hold it.
pub(crate) fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The two columns of a progress.
pub(crate) fn progress_columns(progress: Option<Progress>) -> (Option<i64>, Option<i64>) {
    (progress.map(|p| count(p.done)), progress.map(|p| count(p.total)))
}

/// The number that stands for a status in the record; queued and running are both active.
pub(crate) const fn status_code(status: Status) -> i16 {
    match status {
        Status::Queued | Status::Running => 0,
        Status::Success => 2,
        Status::Failed => 3,
        Status::Canceled => 4,
        Status::Paused => 5,
    }
}

/// The status that a record shows; an active one is queued if it waits and else running.
pub(crate) fn status(code: i16, waits: bool) -> Result<Status> {
    Ok(match code {
        0 if waits => Status::Queued,
        0 => Status::Running,
        2 => Status::Success,
        3 => Status::Failed,
        4 => Status::Canceled,
        5 => Status::Paused,
        _ => return Err(Error::backend(format!("{code} is not a status"))),
    })
}

/// The number that stands for a log level.
pub(crate) const fn level_code(level: LogLevel) -> i16 {
    match level {
        LogLevel::Info => 0,
        LogLevel::Success => 1,
        LogLevel::Error => 2,
    }
}

/// The log level that a number stands for.
pub(crate) const fn level(code: i16) -> LogLevel {
    match code {
        0 => LogLevel::Info,
        1 => LogLevel::Success,
        _ => LogLevel::Error,
    }
}

/// Stored JSON. Somebody may have written something else into the table by hand: it becomes a JSON
/// string, for which its handler fails, and its neighbours do not.
pub(crate) fn json(stored: String) -> Result<Box<RawValue>> {
    match serde_json::from_str::<&RawValue>(&stored) {
        Ok(_) => RawValue::from_string(stored).map_err(Error::backend),
        Err(_) => to_raw_value(&stored).map_err(Error::backend),
    }
}

/// A column's number as the type that the model has for it.
pub(crate) fn number<T: TryFrom<i64>>(stored: impl Into<i64>) -> Result<T> {
    let stored = stored.into();
    T::try_from(stored).map_err(|_| Error::backend(format!("{stored} is out of range")))
}

/// A stored `max_attempts`: 0 stands for the handler's.
pub(crate) fn max_attempts(stored: i32) -> Result<Option<u32>> {
    Ok(Some(number(stored)?).filter(|&max| max != 0))
}
