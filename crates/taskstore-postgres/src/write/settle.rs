//! Attempts on their way out.

use std::collections::{BTreeSet, HashSet};

use taskstore_core::{
    LogLine, Result, Status,
    backend::{AttemptIs, Claimed, Fate, Requeue, Settle, Settled, Settlement, Transition},
    clock,
    limits::LOG_LINES_MAX,
    within::Completed,
};
use tokio_postgres::Row;

use super::claim::{Asked, name_lease};
use crate::{
    convert::{
        Uuid, delay, duration, here, later, level_code, progress_columns, small, stamp, status,
        status_code,
    },
    error::Mapped,
    session::{Param, Run, Session, Step},
    sql::Sql,
    wakeup::News,
};

/// Ends attempts, counts their leases down, and then claims if asked to. One round trip, unless there
/// are log lines, or something was sent again.
pub(crate) async fn settle(
    session: &Session,
    request: &Settle,
    events: u64,
) -> Result<(Settled, News)> {
    let settlements = &request.settlements;
    let now = stamp(request.now);
    let columns = Columns::of(settlements, now);
    let ends = columns.params();
    let then = request.then.as_ref().map(|claim| Asked::of(claim, now));
    let takes = then.as_ref().map(Asked::params);
    let has_log = settlements.iter().any(|settlement| !settlement.log.is_empty());
    // A task that is named twice may move on in this very call: what was settled before is then asked
    // before.
    let before = if names_twice(settlements) {
        settled_before(session, settlements, &(0..settlements.len()).collect::<Vec<_>>()).await?
    } else {
        Vec::new()
    };
    let mut steps: Vec<Step<'_>> = vec![(Sql::Settle, &ends)];
    let claim_step = takes.as_ref().map(|takes| (Sql::ClaimReady, &takes[..]));
    let used = |error| match &request.then {
        Some(claim) => name_lease(error, claim.lease),
        None => error,
    };
    let mut answers;
    if has_log {
        answers = session.together(true, &steps, false).await?;
        let seqs =
            answers.first().map_or(Ok(Vec::new()), |rows| seqs_of(rows, settlements.len()))?;
        let lines = Lines::of(settlements.iter().zip(&seqs).filter_map(|(settlement, seq)| {
            Some(((*seq)?, settlement.lease.turn, &settlement.log[..]))
        }));
        let (insert, trim) = (lines.insert(), lines.trim());
        steps = vec![(Sql::LogInsert, &insert), (Sql::LogTrim, &trim)];
        steps.extend(claim_step);
        let mut more = session.together(false, &steps, true).await.map_err(used)?;
        answers.extend(more.drain(2..));
    } else {
        steps.extend(claim_step);
        let several = steps.len() > 1;
        answers = session.together(several, &steps, several).await.map_err(used)?;
    }
    let mut news = News::default();
    let mut fates = vec![Fate::Lost; settlements.len()];
    let mut answers = answers.into_iter();
    let refused = apply(&answers.next().unwrap_or_default(), &mut fates, &mut news)?;
    let again = settled_before(session, settlements, &refused).await?;
    let is_refused = |index: &usize| refused.binary_search(index).is_ok();
    let first = |index: usize| {
        let task = settlements.get(index).map(|settlement| settlement.lease.task);
        let earlier = settlements.iter().take(index).enumerate();
        !earlier.into_iter().any(|(j, other)| Some(other.lease.task) == task && !is_refused(&j))
    };
    let before = before.into_iter().filter(|&(index, _)| is_refused(&index) && first(index));
    for (index, fate) in again.into_iter().chain(before) {
        if let Some(answer) = fates.get_mut(index) {
            *answer = fate;
        }
    }
    let mut settled = Settled { fates, claimed: None };
    if let (Some(asked), Some(rows)) = (then, answers.next()) {
        let mut answer = asked.answer(&rows, events)?;
        while answer.is_none() {
            let rows = session.rows(Sql::ClaimReady, &asked.params()).await.map_err(used)?;
            answer = asked.answer(&rows, events)?;
        }
        if let Some((claimed, seen)) = answer {
            before_the_claim(settlements, &mut settled.fates, &claimed);
            settled.claimed = Some(claimed);
            news.merge(&seen);
        }
    }
    Ok((settled, news))
}

/// Completes a task, if this is the first settlement under its lease.
pub(crate) async fn complete(session: &impl Run, settlement: &Settlement) -> Result<Completed> {
    let settlements = std::slice::from_ref(settlement);
    let rows = session.rows(Sql::Settle, &Columns::of(settlements, None).params()).await?;
    let refused = apply(&rows, &mut [Fate::Lost], &mut News::default())?;
    if !refused.is_empty() {
        let before = settled_before(session, settlements, &refused).await?;
        return Ok(match before.first() {
            Some((_, Fate::Applied { status })) => Completed::Before(*status),
            _ => Completed::Lost,
        });
    }
    if !settlement.log.is_empty() {
        let seqs = seqs_of(&rows, 1)?.into_iter().flatten();
        let lines = Lines::of(seqs.map(|seq| (seq, settlement.lease.turn, &settlement.log[..])));
        let (insert, trim) = (lines.insert(), lines.trim());
        let steps = [(Sql::LogInsert, &insert[..]), (Sql::LogTrim, &trim[..])];
        session.together(false, &steps, false).await?;
    }
    Ok(Completed::Now)
}

/// What was settled before is asked after everything: a task that the claim of this very call has taken
/// since waited when its settlement was answered.
fn before_the_claim(settlements: &[Settlement], fates: &mut [Fate], claimed: &Claimed) {
    for (settlement, fate) in settlements.iter().zip(fates) {
        let task = settlement.lease.task;
        if *fate == (Fate::Applied { status: Status::Running })
            && claimed.tasks.iter().any(|taken| taken.lease.task == task)
        {
            *fate = Fate::Applied { status: Status::Queued };
        }
    }
}

/// What the statement did; the positions that it refused.
fn apply(rows: &[Row], fates: &mut [Fate], news: &mut News) -> Result<Vec<usize>> {
    let mut refused: BTreeSet<usize> = (0..fates.len()).collect();
    for row in rows {
        let index = position(row)?;
        refused.remove(&index);
        let status = status(row.try_get::<_, i16>(1).mapped()?, true)?;
        if let Some(fate) = fates.get_mut(index) {
            *fate = Fate::Applied { status };
        }
        if let Some(queue) = row.try_get::<_, Option<&str>>(3).mapped()? {
            let queue = taskstore_core::QueueName::new(queue)?;
            match row.try_get::<_, Option<i64>>(4).mapped()? {
                None => news.ready(&queue),
                Some(in_micros) => news.later(&queue, later(here(), duration(in_micros))),
            }
        }
    }
    Ok(refused.into_iter().collect())
}

fn position(row: &Row) -> Result<usize> {
    Ok(usize::try_from(row.try_get::<_, i32>(0).mapped()? - 1).unwrap_or(usize::MAX))
}

fn seqs_of(rows: &[Row], count: usize) -> Result<Vec<Option<i64>>> {
    let mut seqs = vec![None; count];
    for row in rows {
        if let Some(seq) = seqs.get_mut(position(row)?) {
            *seq = row.try_get(2).mapped()?;
        }
    }
    Ok(seqs)
}

/// Whether a task is there more than once.
fn names_twice(settlements: &[Settlement]) -> bool {
    let mut seen = HashSet::with_capacity(settlements.len());
    !settlements.iter().all(|settlement| seen.insert(settlement.lease.task))
}

/// What these positions are answered if they were sent before: as the first time, if there was one and
/// the task has not moved on since.
async fn settled_before(
    session: &impl Run,
    settlements: &[Settlement],
    positions: &[usize],
) -> Result<Vec<(usize, Fate)>> {
    if positions.is_empty() {
        return Ok(Vec::new());
    }
    let leases: Vec<_> =
        positions.iter().filter_map(|&index| Some(settlements.get(index)?.lease)).collect();
    let tasks: Vec<_> = leases.iter().map(|lease| Uuid::of(lease.task.ulid())).collect();
    let batches: Vec<_> = leases.iter().map(|lease| Uuid::of(lease.batch.ulid())).collect();
    let turns: Vec<_> = leases.iter().map(|lease| small(lease.turn)).collect();
    let mut answers = Vec::new();
    for row in session.rows(Sql::SettledBefore, &[&tasks, &batches, &turns]).await? {
        let status = status(row.try_get::<_, i16>(1).mapped()?, row.try_get(2).mapped()?)?;
        if let Some(&index) = positions.get(position(&row)?) {
            answers.push((index, Fate::Applied { status }));
        }
    }
    Ok(answers)
}

/// The request as the statement wants it, column by column.
#[derive(Default)]
struct Columns<'a> {
    now: Option<i64>,
    tasks: Vec<Uuid>,
    leases: Vec<Uuid>,
    turns: Vec<i32>,
    statuses: Vec<i16>,
    attempts: Vec<i16>,
    suspects: Vec<bool>,
    delays: Vec<Option<i64>>,
    began: Vec<Option<i64>>,
    ran: Vec<Option<i64>>,
    outputs: Vec<Option<&'a str>>,
    errors: Vec<Option<&'a str>>,
    done: Vec<Option<i64>>,
    total: Vec<Option<i64>>,
    different: Vec<Uuid>,
}

impl<'a> Columns<'a> {
    fn of(settlements: &'a [Settlement], now: Option<i64>) -> Self {
        let mut columns = Self { now, ..Self::default() };
        let mut different = BTreeSet::new();
        for settlement in settlements {
            let lease = settlement.lease;
            columns.tasks.push(Uuid::of(lease.task.ulid()));
            columns.leases.push(Uuid::of(lease.batch.ulid()));
            different.insert(Uuid::of(lease.batch.ulid()));
            columns.turns.push(small(lease.turn));
            // Longer than anything that can run, so that the sum is a time.
            columns.began.push(settlement.run.map(|run| delay(run.started_after)));
            columns.ran.push(settlement.run.map(|run| delay(run.ran_for)));
            let (done, total) = progress_columns(settlement.progress);
            columns.done.push(done);
            columns.total.push(total);
            columns.push_transition(&settlement.to);
        }
        columns.different = different.into_iter().collect();
        columns
    }

    fn push_transition(&mut self, to: &'a Transition) {
        let counted = |attempt: &AttemptIs| i16::from(*attempt == AttemptIs::Counted);
        let (status, attempts, suspect, delay_by, output, error) = match to {
            Transition::Success { output } => (
                Status::Success,
                1,
                false,
                None,
                output.as_deref().map(|output| output.get()),
                None,
            ),
            Transition::Failed { error } => {
                (Status::Failed, 1, false, None, None, Some(error.as_str()))
            }
            Transition::Canceled { reason, attempt } => {
                (Status::Canceled, counted(attempt), false, None, None, Some(reason.as_str()))
            }
            Transition::Requeue { to, attempt, suspect, error } => {
                let delay_by = match to {
                    Requeue::AsBefore => None,
                    Requeue::After(length) => Some(delay(*length)),
                };
                (Status::Queued, counted(attempt), *suspect, delay_by, None, error.as_deref())
            }
        };
        self.statuses.push(status_code(status));
        self.attempts.push(attempts);
        self.suspects.push(suspect);
        self.delays.push(delay_by);
        self.outputs.push(output);
        self.errors.push(error);
    }

    fn params(&self) -> [Param<'_>; 15] {
        [
            &self.now,
            &self.tasks,
            &self.leases,
            &self.turns,
            &self.statuses,
            &self.attempts,
            &self.suspects,
            &self.delays,
            &self.began,
            &self.ran,
            &self.outputs,
            &self.errors,
            &self.done,
            &self.total,
            &self.different,
        ]
    }
}

/// Lines of logs, column by column.
#[derive(Default)]
pub(super) struct Lines<'a> {
    tasks: Vec<i64>,
    turns: Vec<i32>,
    numbers: Vec<i32>,
    at: Vec<i64>,
    levels: Vec<i16>,
    texts: Vec<&'a str>,
    trim_tasks: Vec<i64>,
    trim_turns: Vec<i32>,
    keep: i32,
}

impl<'a> Lines<'a> {
    /// Of these tasks, each at the turn of its attempt.
    pub(super) fn of(logs: impl Iterator<Item = (i64, u32, &'a [LogLine])>) -> Self {
        let mut lines = Self { keep: small(LOG_LINES_MAX - 1), ..Self::default() };
        for (task, turn, log) in logs {
            for line in log {
                lines.tasks.push(task);
                lines.turns.push(small(turn));
                lines.numbers.push(small(line.n));
                lines.at.push(clock::to_micros(line.at));
                lines.levels.push(level_code(line.level));
                lines.texts.push(&line.text);
            }
            if log.iter().any(|line| line.n >= LOG_LINES_MAX) {
                lines.trim_tasks.push(task);
                lines.trim_turns.push(small(turn));
            }
        }
        lines
    }

    pub(super) fn insert(&self) -> [Param<'_>; 6] {
        [&self.tasks, &self.turns, &self.numbers, &self.at, &self.levels, &self.texts]
    }

    pub(super) fn trim(&self) -> [Param<'_>; 3] {
        [&self.trim_tasks, &self.trim_turns, &self.keep]
    }
}
