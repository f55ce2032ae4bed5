//! Tasks, their attempts and their logs.

use std::collections::HashMap;

use rusqlite::{Row, types::ValueRef};
use taskstore_core::{
    Alias, Attempt, Holder, LogLine, Progress, QueueName, Result, Status, Task, TaskId, clock,
};
use time::UtcDateTime;

use crate::{
    convert::{duration, json, level, max_attempts, no_definition, number, status, text},
    sql::Sql,
    statements::Statements,
};

/// The alias of a task whose definition somebody has deleted by hand.
const NO_ALIAS: &str = "?";

/// The columns of `task_by_id` and `task_by_seq`, in their order.
struct TaskRow {
    status: i64,
    waits: bool,
    queue: String,
    definition: Option<String>,
    alias: Option<String>,
    parameters: Option<String>,
    output: Option<String>,
    last_error: Option<String>,
    progress: (Option<i64>, Option<i64>),
    priority: i64,
    attempts: i64,
    max_attempts: i64,
    suspect: bool,
    run_at: i64,
    created_at: i64,
    updated_at: i64,
    started_at: Option<i64>,
    completed_at: Option<i64>,
    deleted_at: Option<i64>,
    cancel_at: Option<i64>,
    seq: i64,
    turn: i64,
    id: String,
    expires_at: Option<i64>,
    timeout: Option<i64>,
}

impl TaskRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            status: row.get(0)?,
            waits: row.get(1)?,
            queue: row.get(2)?,
            definition: row.get(3)?,
            alias: row.get(4)?,
            parameters: match row.get_ref(5)? {
                ValueRef::Null => None,
                _ => Some(text(row, 5)?),
            },
            output: row.get(6)?,
            last_error: row.get(7)?,
            progress: (row.get(8)?, row.get(9)?),
            priority: row.get(10)?,
            attempts: row.get(11)?,
            max_attempts: row.get(12)?,
            suspect: row.get(13)?,
            run_at: row.get(14)?,
            created_at: row.get(15)?,
            updated_at: row.get(16)?,
            started_at: row.get(17)?,
            completed_at: row.get(18)?,
            deleted_at: row.get(19)?,
            cancel_at: row.get(20)?,
            seq: row.get(21)?,
            turn: row.get(22)?,
            id: row.get(23)?,
            expires_at: row.get(24)?,
            timeout: row.get(25)?,
        })
    }

    const fn is_running(&self) -> bool {
        self.status == 0 && !self.waits
    }

    fn into_task(self, held_by: Option<Holder>) -> Result<Task> {
        let is_running = self.is_running();
        let time = |at: Option<i64>| at.map(clock::from_micros);
        Ok(Task {
            id: self.id.parse()?,
            status: status(self.status, self.waits)?,
            queue: QueueName::new(&self.queue)?,
            definition: match &self.definition {
                Some(id) => id.parse()?,
                None => no_definition(),
            },
            alias: Alias::new(self.alias.as_deref().unwrap_or(NO_ALIAS))?,
            progress: self.progress()?,
            parameters: json(self.parameters.unwrap_or_else(|| "null".to_owned()))?,
            output: self.output.map(json).transpose()?,
            last_error: self.last_error,
            priority: number(self.priority)?,
            attempts: number(self.attempts + i64::from(is_running))?,
            max_attempts: max_attempts(self.max_attempts)?,
            suspect: self.suspect,
            run_at: clock::from_micros(self.run_at),
            expires_at: time(self.expires_at),
            timeout: self.timeout.map(duration),
            created_at: clock::from_micros(self.created_at),
            updated_at: clock::from_micros(self.updated_at),
            started_at: time(self.started_at),
            completed_at: time(self.completed_at),
            deleted_at: time(self.deleted_at),
            cancel_requested_at: time(self.cancel_at),
            held_by,
        })
    }

    fn progress(&self) -> Result<Option<Progress>> {
        let (Some(done), Some(total)) = self.progress else { return Ok(None) };
        Ok(Some(Progress { done: number(done)?, total: number(total)? }))
    }
}

/// A task, also a soft-deleted one.
pub(crate) fn task(statements: &Statements<'_>, id: TaskId) -> Result<Option<Task>> {
    let row = statements.first(Sql::TaskById, [id.to_string()], TaskRow::read)?;
    let Some(row) = row else { return Ok(None) };
    let held_by = if row.is_running() { holder(statements, row.seq, row.turn)? } else { None };
    row.into_task(held_by).map(Some)
}

/// The tasks with these keys inside the file, in this order.
pub(super) fn tasks(statements: &Statements<'_>, seqs: &[i64]) -> Result<Vec<Task>> {
    let rows: Vec<TaskRow> = seqs
        .iter()
        .filter_map(|seq| statements.first(Sql::TaskBySeq, [seq], TaskRow::read).transpose())
        .collect::<Result<_>>()?;
    let any_runs = rows.iter().any(TaskRow::is_running);
    let mut holders = if any_runs { holders(statements)? } else { HashMap::new() };
    rows.into_iter()
        .map(|row| {
            let holder = holders.remove(&(row.seq, row.turn)).filter(|_| row.is_running());
            row.into_task(holder.map(HolderRow::into).transpose()?)
        })
        .collect()
}

/// The ids of the tasks with these keys inside the file, in this order.
pub(super) fn ids(statements: &Statements<'_>, seqs: &[i64]) -> Result<Vec<TaskId>> {
    let id = |seq| statements.first(Sql::TaskIdBySeq, [seq], |row| row.get::<_, String>(0));
    seqs.iter().filter_map(|seq| id(seq).transpose()).map(|id| id?.parse()).collect()
}

/// Owner, time of the claim, time of the last beat.
struct HolderRow(String, i64, i64);

impl HolderRow {
    fn into(self) -> Result<Holder> {
        Ok(Holder {
            runner: self.0.parse()?,
            claimed_at: clock::from_micros(self.1),
            last_beat_at: clock::from_micros(self.2),
        })
    }
}

fn holder(statements: &Statements<'_>, seq: i64, turn: i64) -> Result<Option<Holder>> {
    let row = statements.first(Sql::TaskHolder, (seq, turn), |row| {
        Ok(HolderRow(row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    row.map(HolderRow::into).transpose()
}

/// Every holder, by the task's key and the turn of the claim.
fn holders(statements: &Statements<'_>) -> Result<HashMap<(i64, i64), HolderRow>> {
    let rows = statements.all(Sql::Holders, [], |row| {
        let key = (row.get(0)?, row.get(1)?);
        Ok((key, HolderRow(row.get(2)?, row.get(3)?, row.get(4)?)))
    })?;
    Ok(rows.into_iter().collect())
}

/// How the attempts of a task ended, the oldest first.
pub(crate) fn attempts(statements: &Statements<'_>, id: TaskId) -> Result<Vec<Attempt>> {
    let record = statements.first(Sql::AttemptsRecord, [id.to_string()], |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, Option<i64>>(3)?,
            row.get::<_, Option<i64>>(4)?,
        ))
    })?;
    let Some((seq, code, turn, started_at, completed_at)) = record else { return Ok(Vec::new()) };
    let rows = statements.all(Sql::Attempts, [seq], AttemptRow::read)?;
    let mut attempts: Vec<Attempt> =
        rows.into_iter().map(AttemptRow::into).collect::<Result<_>>()?;
    let last: u32 = number((turn - 1).max(0))?;
    if status(code, true)? == Status::Success && attempts.last().is_none_or(|a| a.turn != last) {
        let ended_at = clock::from_micros(completed_at.unwrap_or_default());
        attempts.push(Attempt {
            turn: last,
            status: Status::Success,
            runner: None,
            started_at: started_at.map_or(ended_at, clock::from_micros),
            ended_at,
            output: None,
            error: None,
        });
    }
    Ok(attempts)
}

/// The columns of `attempts`, in its order.
struct AttemptRow {
    turn: i64,
    status: i64,
    owner: String,
    started_at: UtcDateTime,
    ended_at: UtcDateTime,
    output: Option<String>,
    error: Option<String>,
}

impl AttemptRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            turn: row.get(0)?,
            status: row.get(1)?,
            owner: row.get(2)?,
            started_at: clock::from_micros(row.get(3)?),
            ended_at: clock::from_micros(row.get(4)?),
            output: row.get(5)?,
            error: row.get(6)?,
        })
    }

    fn into(self) -> Result<Attempt> {
        Ok(Attempt {
            turn: number(self.turn)?,
            status: status(self.status, true)?,
            runner: Some(self.owner.parse()?),
            started_at: self.started_at,
            ended_at: self.ended_at,
            output: self.output.map(json).transpose()?,
            error: self.error,
        })
    }
}

/// The log of a task, the oldest line first.
pub(crate) fn log(
    statements: &Statements<'_>,
    id: TaskId,
    skip: u64,
    limit: u32,
) -> Result<Vec<LogLine>> {
    let range = (id.to_string(), limit, crate::convert::count(skip));
    let rows = statements.all(Sql::Log, range, |row| {
        Ok((
            row.get::<_, i64>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, String>(3)?,
        ))
    })?;
    rows.into_iter()
        .map(|(n, at, code, text)| {
            Ok(LogLine { n: number(n)?, at: clock::from_micros(at), level: level(code), text })
        })
        .collect()
}
