//! Between the model's types and what the tables store.

use std::time::Duration;

use taskstore_core::{Progress, clock};
use time::UtcDateTime;
use tokio_postgres::types::{
    FromSql, IsNull, ToSql, Type, accepts, private::BytesMut, to_sql_checked,
};

pub(crate) use taskstore_sql::{
    count, duration, json, later, level, level_code, max_attempts, micros, no_definition, number,
    status, status_code, until,
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

/// The request's time, if it has one.
pub(crate) fn stamp(now: Option<UtcDateTime>) -> Option<i64> {
    now.map(clock::to_micros)
}

/// This machine's clock: for hints, never for what is stored.
pub(crate) fn here() -> i64 {
    clock::to_micros(clock::now())
}

/// A delay that can be added to any time that can be held.
pub(crate) fn delay(length: Duration) -> i64 {
    micros(length).min(latest())
}

/// A count as an integer can hold it.
pub(crate) fn small(count: u32) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// The two columns of a progress.
pub(crate) fn progress_columns(progress: Option<Progress>) -> (Option<i64>, Option<i64>) {
    (progress.map(|p| count(p.done)), progress.map(|p| count(p.total)))
}
