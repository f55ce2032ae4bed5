//! Between the model's types and what the file stores.

use std::time::Duration;

use rusqlite::Row;
use serde_json::value::{RawValue, to_raw_value};
use taskstore_core::{
    DefinitionId, Error, LeaseId, LogLevel, Progress, QueueName, Result, Status,
    backend::{Lease, LeasedTask, StartBy},
    clock,
};
use time::UtcDateTime;

/// The definition of a task whose own somebody has deleted by hand: none that there is.
pub(crate) fn no_definition() -> DefinitionId {
    DefinitionId::from(ulid::Ulid::nil())
}

/// A lease's id as it is stored.
pub(crate) fn lease_key(id: LeaseId) -> [u8; 16] {
    id.ulid().to_bytes()
}

/// A lease's id as it was stored.
pub(crate) fn lease_id(key: [u8; 16]) -> LeaseId {
    LeaseId::from(ulid::Ulid::from_bytes(key))
}

/// The request's time, or else the clock's, in microseconds.
pub(crate) fn now_or(now: Option<UtcDateTime>) -> i64 {
    clock::to_micros(now.unwrap_or_else(clock::now))
}

/// `at + by`, or the latest time that can be held.
pub(crate) fn later(at: i64, by: Duration) -> i64 {
    clock::to_micros(clock::add(clock::from_micros(at), by))
}

/// A length of time in microseconds.
pub(crate) fn micros(length: Duration) -> i64 {
    i64::try_from(length.as_micros()).unwrap_or(i64::MAX)
}

/// A length of time from microseconds.
pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or_default())
}

/// How long from `now` until `at`; zero when it has passed.
pub(crate) fn until(at: i64, now: i64) -> Duration {
    duration(at.saturating_sub(now))
}

/// A count as SQLite can hold it.
pub(crate) fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The two columns of a progress.
pub(crate) fn progress_columns(progress: Option<Progress>) -> (Option<i64>, Option<i64>) {
    (progress.map(|p| count(p.done)), progress.map(|p| count(p.total)))
}

/// The number that stands for a status in the record; queued and running are both active.
pub(crate) const fn status_code(status: Status) -> i64 {
    match status {
        Status::Queued | Status::Running => 0,
        Status::Success => 2,
        Status::Failed => 3,
        Status::Canceled => 4,
        Status::Paused => 5,
    }
}

/// The status that a record shows; an active one is queued if it waits and else running.
pub(crate) fn status(code: i64, waits: bool) -> Result<Status> {
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
pub(crate) const fn level_code(level: LogLevel) -> i64 {
    match level {
        LogLevel::Info => 0,
        LogLevel::Success => 1,
        LogLevel::Error => 2,
    }
}

/// The log level that a number stands for.
pub(crate) const fn level(code: i64) -> LogLevel {
    match code {
        0 => LogLevel::Info,
        1 => LogLevel::Success,
        _ => LogLevel::Error,
    }
}

/// Stored JSON. Somebody may have written something else into the file by hand: it becomes a JSON
/// string, for which its handler fails, and its neighbours do not.
pub(crate) fn json(stored: String) -> Result<Box<RawValue>> {
    match serde_json::from_str::<&RawValue>(&stored) {
        Ok(_) => RawValue::from_string(stored).map_err(Error::backend),
        Err(_) => to_raw_value(&stored).map_err(Error::backend),
    }
}

/// A text that people write too. Bytes that are no UTF-8, which SQLite stores without a word, become
/// replacement characters: an error here would stop every neighbour of the task.
pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes()?;
    // The lossy way looks at one byte after the other, which 10 kB of parameters would notice.
    Ok(match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    })
}

/// A column's number as the type that the model has for it.
pub(crate) fn number<T: TryFrom<i64>>(stored: i64) -> Result<T> {
    T::try_from(stored).map_err(|_| Error::backend(format!("{stored} is out of range")))
}

/// A stored `max_attempts`: 0 stands for the handler's.
pub(crate) fn max_attempts(stored: i64) -> Result<Option<u32>> {
    Ok(Some(number(stored)?).filter(|&max| max != 0))
}

/// A claimed task as the statements `claim_ready`, `claim_ready_except` and `lease_tasks` read it.
pub(crate) struct LeasedRow {
    /// Its key inside the file.
    pub(crate) seq: i64,
    pub(crate) turn: i64,
    pub(crate) id: String,
    /// The key of its definition inside the file.
    pub(crate) definition: i64,
    pub(crate) parameters: String,
    attempts: i64,
    max_attempts: i64,
    suspect: bool,
    pub(crate) priority: i64,
    pub(crate) run_at: i64,
    keyed: bool,
    expires_at: Option<i64>,
    timeout: Option<i64>,
}

impl LeasedRow {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Self::read_with(row, text(row, 4)?)
    }

    fn read_with(row: &Row<'_>, parameters: String) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            turn: row.get(1)?,
            id: row.get(2)?,
            definition: row.get(3)?,
            parameters,
            attempts: row.get(5)?,
            max_attempts: row.get(6)?,
            suspect: row.get(7)?,
            priority: row.get(8)?,
            run_at: row.get(9)?,
            keyed: row.get(10)?,
            expires_at: row.get(11)?,
            timeout: row.get(12)?,
        })
    }

    /// As `sweep_task` reads it: with its queue, and whether its parameters are there.
    pub(crate) fn read_damaged(row: &Row<'_>) -> rusqlite::Result<(Self, String, bool)> {
        let has_parameters = row.get_ref(4)? != rusqlite::types::ValueRef::Null;
        let parameters = if has_parameters { text(row, 4)? } else { "null".to_owned() };
        let queue = row.get(13)?;
        Ok((Self::read_with(row, parameters)?, queue, has_parameters))
    }

    /// The task under this lease, at this time.
    pub(crate) fn into_task(
        self,
        batch: LeaseId,
        definition: taskstore_core::DefinitionId,
        queue: QueueName,
        now: i64,
    ) -> Result<LeasedTask> {
        let start_by = |at| StartBy { at: clock::from_micros(at), within: until(at, now) };
        Ok(LeasedTask {
            lease: Lease { task: self.id.parse()?, batch, turn: number(self.turn)? },
            definition,
            queue,
            parameters: json(self.parameters)?,
            priority: number(self.priority)?,
            run_at: clock::from_micros(self.run_at),
            attempts: number(self.attempts)?,
            max_attempts: max_attempts(self.max_attempts)?,
            suspect: self.suspect,
            keyed: self.keyed,
            start_by: self.expires_at.map(start_by),
            timeout: self.timeout.map(duration),
        })
    }
}
