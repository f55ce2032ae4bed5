//! Tasks, their attempts and their logs.

use std::collections::HashMap;

use taskstore_core::{
    Alias, Attempt, Holder, LogLine, Progress, QueueName, Result, Status, Task, TaskId, clock,
};
use tokio_postgres::{Row, types::FromSql};

use crate::{
    convert::{Uuid, count, duration, json, level, max_attempts, number, status},
    error::Mapped,
    session::Session,
    sql::Sql,
};

/// The alias of a task whose definition somebody has deleted by hand.
const NO_ALIAS: &str = "?";

/// A row of `task_by_id` or `task_by_seq`.
struct TaskRow(Row);

impl TaskRow {
    fn get<'a, T: FromSql<'a>>(&'a self, column: usize) -> Result<T> {
        self.0.try_get(column).mapped()
    }

    fn time(&self, column: usize) -> Result<Option<time::UtcDateTime>> {
        Ok(self.get::<Option<i64>>(column)?.map(clock::from_micros))
    }

    fn status(&self) -> Result<Status> {
        status(self.get::<i16>(0)?, self.get(1)?)
    }

    /// Its key and the turn that it is at.
    fn key(&self) -> Result<(i64, i32)> {
        Ok((self.get(21)?, self.get(22)?))
    }

    fn holder(&self) -> Result<Option<Holder>> {
        holder(&self.0, 26)
    }

    fn into_task(self, held_by: Option<Holder>) -> Result<Task> {
        let at = |column| self.get::<i64>(column).map(clock::from_micros);
        let status = self.status()?;
        let running = i64::from(status == Status::Running);
        Ok(Task {
            id: self.get::<Uuid>(23)?.id(),
            status,
            queue: QueueName::new(self.get::<&str>(2)?)?,
            definition: self.get::<Uuid>(3)?.id(),
            alias: Alias::new(self.get::<Option<&str>>(4)?.unwrap_or(NO_ALIAS))?,
            parameters: json(self.get::<Option<String>>(5)?.unwrap_or_else(|| "null".to_owned()))?,
            output: self.get::<Option<String>>(6)?.map(json).transpose()?,
            last_error: self.get(7)?,
            progress: self.progress()?,
            priority: number(self.get::<i16>(10)?)?,
            attempts: number(i64::from(self.get::<i32>(11)?) + running)?,
            max_attempts: max_attempts(self.get::<i32>(12)?)?,
            suspect: self.get(13)?,
            run_at: at(14)?,
            created_at: at(15)?,
            updated_at: at(16)?,
            started_at: self.time(17)?,
            completed_at: self.time(18)?,
            deleted_at: self.time(19)?,
            cancel_requested_at: self.time(20)?,
            expires_at: self.time(24)?,
            timeout: self.get::<Option<i64>>(25)?.map(duration),
            held_by,
        })
    }

    fn progress(&self) -> Result<Option<Progress>> {
        let (done, total) = (self.get::<Option<i64>>(8)?, self.get::<Option<i64>>(9)?);
        let (Some(done), Some(total)) = (done, total) else { return Ok(None) };
        Ok(Some(Progress { done: number(done)?, total: number(total)? }))
    }
}

/// Owner, time of the claim and time of the last beat, in three columns that begin here.
fn holder(row: &Row, column: usize) -> Result<Option<Holder>> {
    let Some(owner) = row.try_get::<_, Option<Uuid>>(column).mapped()? else { return Ok(None) };
    let at = |column| row.try_get::<_, i64>(column).mapped().map(clock::from_micros);
    let (claimed_at, last_beat_at) = (at(column + 1)?, at(column + 2)?);
    Ok(Some(Holder { runner: owner.id(), claimed_at, last_beat_at }))
}

/// A task, also a soft-deleted one.
pub(crate) async fn task(session: &Session, id: TaskId) -> Result<Option<Task>> {
    let row = session.first(Sql::TaskById, &[&Uuid::of(id.ulid())]).await?;
    let Some(row) = row.map(TaskRow) else { return Ok(None) };
    let held_by = row.holder()?;
    row.into_task(held_by).map(Some)
}

/// The tasks with these keys, in this order.
pub(super) async fn tasks(session: &Session, seqs: &[i64]) -> Result<Vec<Task>> {
    let rows = session.rows(Sql::TaskBySeq, &[&seqs]).await?;
    let rows: Vec<TaskRow> = rows.into_iter().map(TaskRow).collect();
    let mut running = Vec::new();
    for row in &rows {
        if row.status()? == Status::Running {
            running.push(row.key()?.0);
        }
    }
    let mut holders = HashMap::new();
    if !running.is_empty() {
        for row in session.rows(Sql::Holders, &[&running]).await? {
            let key: (i64, i32) = (row.try_get(0).mapped()?, row.try_get(1).mapped()?);
            holders.insert(key, holder(&row, 2)?);
        }
    }
    let with_holder = |row: TaskRow| {
        let is_running = row.status()? == Status::Running;
        let holder = holders.remove(&row.key()?).flatten().filter(|_| is_running);
        row.into_task(holder)
    };
    rows.into_iter().map(with_holder).collect()
}

/// The ids of the tasks with these keys, in this order.
pub(super) async fn ids(session: &Session, seqs: &[i64]) -> Result<Vec<TaskId>> {
    let rows = session.rows(Sql::TaskIdBySeq, &[&seqs]).await?;
    rows.iter().map(|row| Ok(row.try_get::<_, Uuid>(0).mapped()?.id())).collect()
}

/// How the attempts of a task ended, the oldest first.
pub(crate) async fn attempts(session: &Session, id: TaskId) -> Result<Vec<Attempt>> {
    let rows = session.rows(Sql::Attempts, &[&Uuid::of(id.ulid())]).await?;
    rows.iter().map(attempt).collect()
}

/// The columns of `attempts`, in its order.
fn attempt(row: &Row) -> Result<Attempt> {
    let at = |column| row.try_get::<_, i64>(column).mapped().map(clock::from_micros);
    Ok(Attempt {
        turn: number(row.try_get::<_, i32>(0).mapped()?)?,
        status: status(row.try_get::<_, i16>(1).mapped()?, true)?,
        runner: row.try_get::<_, Option<Uuid>>(2).mapped()?.map(Uuid::id),
        started_at: at(3)?,
        ended_at: at(4)?,
        output: row.try_get::<_, Option<String>>(5).mapped()?.map(json).transpose()?,
        error: row.try_get(6).mapped()?,
    })
}

/// The log of a task, the oldest line first.
pub(crate) async fn log(
    session: &Session,
    id: TaskId,
    skip: u64,
    limit: u32,
) -> Result<Vec<LogLine>> {
    let (limit, skip) = (i64::from(limit), count(skip));
    let rows = session.rows(Sql::Log, &[&Uuid::of(id.ulid()), &limit, &skip]).await?;
    rows.iter()
        .map(|row| {
            Ok(LogLine {
                n: number(row.try_get::<_, i32>(0).mapped()?)?,
                at: clock::from_micros(row.try_get(1).mapped()?),
                level: level(row.try_get::<_, i16>(2).mapped()?),
                text: row.try_get(3).mapped()?,
            })
        })
        .collect()
}
