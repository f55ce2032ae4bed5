//! Between the model's types and what the file stores.

use rusqlite::Row;
use taskstore_core::{
    LeaseId, Progress, QueueName, Result,
    backend::{Lease, LeasedTask, StartBy},
    clock,
};
use time::UtcDateTime;

pub(crate) use taskstore_sql::{
    count, duration, json, later, level, level_code, max_attempts, micros, no_definition, number,
    status, status_code, until,
};

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

/// The two columns of a progress.
pub(crate) fn progress_columns(progress: Option<Progress>) -> (Option<i64>, Option<i64>) {
    (progress.map(|p| count(p.done)), progress.map(|p| count(p.total)))
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
