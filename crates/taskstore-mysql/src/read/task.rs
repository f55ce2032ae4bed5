//! Tasks, their attempts and their logs.

use std::collections::HashMap;

use taskstore_core::{
    Alias, Attempt, Error, Holder, LogLine, Progress, QueueName, Result, Status, Task, TaskId,
    clock,
};

use crate::{
    convert::{
        count, duration, json, json_list, level, max_attempts, no_definition, number, status, time,
    },
    session::{Row, Session, values},
    sql::Sql,
};

/// The alias of a task whose definition somebody has deleted by hand.
const NO_ALIAS: &str = "?";

/// A row of `task_by_id` or `task_by_seq`.
struct TaskRow {
    seq: i64,
    turn: i64,
    runs: bool,
    task: Task,
}

impl TaskRow {
    fn read(row: &Row) -> Result<Self> {
        let (code, waits): (i64, bool) = (row.get(0)?, row.get(1)?);
        let runs = code == 0 && !waits;
        let at = |column| Ok::<_, Error>(time(row.get(column)?).map(clock::from_micros));
        let task = Task {
            id: row.text(23)?.parse()?,
            status: status(code, waits)?,
            queue: QueueName::new(&row.text(2)?)?,
            definition: match row.maybe_text(3)? {
                Some(id) => id.parse()?,
                None => no_definition(),
            },
            alias: Alias::new(row.maybe_text(4)?.as_deref().unwrap_or(NO_ALIAS))?,
            progress: progress(row.get(8)?, row.get(9)?)?,
            parameters: json(row.maybe_text(5)?.unwrap_or_else(|| "null".to_owned()))?,
            output: row.maybe_text(6)?.map(json).transpose()?,
            last_error: row.maybe_text(7)?,
            priority: number(row.get::<i64>(10)?)?,
            attempts: number(row.get::<i64>(11)? + i64::from(runs))?,
            max_attempts: max_attempts(row.get::<i64>(12)?)?,
            suspect: row.get(13)?,
            run_at: clock::from_micros(row.get(14)?),
            expires_at: row.get::<Option<i64>>(24)?.map(clock::from_micros),
            timeout: row.get::<Option<i64>>(25)?.map(duration),
            created_at: clock::from_micros(row.get(15)?),
            updated_at: clock::from_micros(row.get(16)?),
            started_at: at(17)?,
            completed_at: at(18)?,
            deleted_at: at(19)?,
            cancel_requested_at: at(20)?,
            held_by: None,
        };
        Ok(Self { seq: row.get(21)?, turn: row.get(22)?, runs, task })
    }

    fn held_by(mut self, holder: Option<Holder>) -> Task {
        self.task.held_by = holder.filter(|_| self.runs);
        self.task
    }
}

/// A negative number stands for no progress.
fn progress(done: i64, total: i64) -> Result<Option<Progress>> {
    if done < 0 || total < 0 {
        return Ok(None);
    }
    Ok(Some(Progress { done: number(done)?, total: number(total)? }))
}

fn holder(owner: &str, claimed_at: i64, beat_at: i64) -> Result<Holder> {
    Ok(Holder {
        runner: owner.parse()?,
        claimed_at: clock::from_micros(claimed_at),
        last_beat_at: clock::from_micros(beat_at),
    })
}

/// A task, also a soft-deleted one.
pub(crate) async fn task(session: &mut Session<'_>, id: TaskId) -> Result<Option<Task>> {
    let read = |row: &Row| {
        let holder = row.maybe_text(26)?.map(|text| one_holder(&text)).transpose()?;
        Ok(TaskRow::read(row)?.held_by(holder))
    };
    session.first(Sql::TaskById, values![id.to_string()], read).await
}

/// Owner, time of the claim and time of the last beat, as `task_by_id` says them.
fn one_holder(text: &str) -> Result<Holder> {
    let bad = || Error::backend("a lease is not as it should be");
    let mut words = text.split(' ');
    let owner = words.next().ok_or_else(bad)?;
    let mut at = || words.next().and_then(|word| word.parse().ok()).ok_or_else(bad);
    holder(owner, at()?, at()?)
}

/// The tasks with these keys inside the database, in this order.
pub(super) async fn tasks(session: &mut Session<'_>, seqs: &[i64]) -> Result<Vec<Task>> {
    let rows = session.all(Sql::TaskBySeq, values![array(seqs)], TaskRow::read).await?;
    let any_runs = rows.iter().any(|row| row.runs);
    let mut holders = if any_runs { holders(session).await? } else { HashMap::new() };
    let by_seq = rows.into_iter().map(|row| {
        let holder = holders.remove(&(row.seq, row.turn));
        (row.seq, row.held_by(holder))
    });
    let mut by_seq: HashMap<i64, Task> = by_seq.collect();
    Ok(seqs.iter().filter_map(|seq| by_seq.remove(seq)).collect())
}

/// The ids of the tasks with these keys inside the database, in this order.
pub(super) async fn ids(session: &mut Session<'_>, seqs: &[i64]) -> Result<Vec<TaskId>> {
    let read = |row: &Row| Ok((row.get::<i64>(0)?, row.text(1)?.parse::<TaskId>()?));
    let rows = session.all(Sql::TaskIdBySeq, values![array(seqs)], read).await?;
    let by_seq: HashMap<i64, TaskId> = rows.into_iter().collect();
    Ok(seqs.iter().filter_map(|seq| by_seq.get(seq).copied()).collect())
}

/// Keys for `JSON_TABLE`, in their order.
fn array(seqs: &[i64]) -> String {
    json_list(seqs.iter().map(i64::to_string))
}

/// Every holder, by the task's key and the turn of the claim.
async fn holders(session: &mut Session<'_>) -> Result<HashMap<(i64, i64), Holder>> {
    let rows = session
        .all(Sql::Holders, Vec::new(), |row| {
            let key = (row.get(0)?, row.get(1)?);
            Ok((key, holder(&row.text(2)?, row.get(3)?, row.get(4)?)?))
        })
        .await?;
    Ok(rows.into_iter().collect())
}

/// How the attempts of a task ended, the oldest first.
pub(crate) async fn attempts(session: &mut Session<'_>, id: TaskId) -> Result<Vec<Attempt>> {
    let record = session
        .first(Sql::AttemptsRecord, values![id.to_string()], |row| {
            let key: (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((key, time(row.get(3)?), time(row.get(4)?)))
        })
        .await?;
    let Some(((seq, code, turn), started_at, completed_at)) = record else {
        return Ok(Vec::new());
    };
    let mut attempts = session.all(Sql::Attempts, values![seq], attempt).await?;
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

/// The columns of `attempts`.
fn attempt(row: &Row) -> Result<Attempt> {
    Ok(Attempt {
        turn: number(row.get::<i64>(0)?)?,
        status: status(row.get::<i64>(1)?, true)?,
        runner: Some(row.text(2)?.parse()?),
        started_at: clock::from_micros(row.get(3)?),
        ended_at: clock::from_micros(row.get(4)?),
        output: row.maybe_text(5)?.map(json).transpose()?,
        error: row.maybe_text(6)?,
    })
}

/// The log of a task, the oldest line first.
pub(crate) async fn log(
    session: &mut Session<'_>,
    id: TaskId,
    skip: u64,
    limit: u32,
) -> Result<Vec<LogLine>> {
    let range = values![id.to_string(), limit, count(skip)];
    session
        .all(Sql::Log, range, |row| {
            let (at, code) = (row.get(1)?, row.get::<i64>(2)?);
            let (n, text) = (number(row.get::<i64>(0)?)?, row.text(3)?);
            Ok(LogLine { n, at: clock::from_micros(at), level: level(code), text })
        })
        .await
}
