//! Tasks on their way to a runner.

use std::{fmt::Write as _, ops::ControlFlow};

use taskstore_core::{
    DefinitionId, Error, LeaseId, QueueName, Result,
    backend::{Claim, Claimed, Known, LeasedTask},
    clock,
};

use super::lease::{LeaseRow, NewLease};
use crate::{
    convert::{LeasedRow, micros, until},
    session::Session,
    sql::Sql,
};

/// Leases ready tasks under a lease id that was never used. `events` is how often the file had been
/// seen to change before.
pub(crate) fn claim(
    session: &Session<'_>,
    claim: &Claim,
    now: i64,
    events: u64,
) -> Result<Claimed> {
    if LeaseRow::find(session, claim.lease)?.is_some() {
        return Err(Error::already_exists("lease", &claim.lease));
    }
    let passed_by = definitions_passed_by(session, &claim.known)?;
    let mut taking = Taking { claim, passed_by, tasks: Vec::new(), bytes: 0, full: false };
    for share in &claim.queues {
        let room = (claim.at_most as usize).saturating_sub(taking.tasks.len());
        let room = room.min(share.at_most as usize);
        if taking.full || room == 0 {
            continue;
        }
        taking.take(session, &share.queue, room)?;
    }
    let Taking { tasks, full, .. } = taking;
    let short = tasks.len() < claim.at_most as usize;
    let next_due = if short { next_due(session)? } else { None };
    if short && !full {
        let seen = claim.queues.iter().map(|share| share.queue.clone());
        session.tell(|news| news.seen(seen, next_due, events));
    }
    let claimed = lease_them(session, claim, tasks, now)?;
    Ok(Claimed {
        tasks: claimed,
        at: Some(clock::from_micros(now)),
        due_in: next_due.map(|due| until(due, now)),
    })
}

/// When the next task of any queue is due.
pub(crate) fn next_due(session: &Session<'_>) -> Result<Option<i64>> {
    crate::read::next_due(&session.statements)
}

/// The definitions whose tasks are not claimed, as a JSON array of their keys; `None`: there is no
/// such definition, and a claim goes straight down the queue.
fn definitions_passed_by(session: &Session<'_>, known: &Known) -> Result<Option<String>> {
    session.definitions(|definitions| {
        let knows = |id| match known {
            Known::All => true,
            Known::Only(only) => only.contains(id),
            Known::Except(except) => !except.contains(id),
        };
        let mut list = String::new();
        for definition in definitions.all() {
            if !definition.active || !knows(&definition.id) {
                let comma = if list.is_empty() { "[" } else { "," };
                let _ = write!(list, "{comma}{}", definition.seq);
            }
        }
        Ok((!list.is_empty()).then(|| list + "]"))
    })
}

/// A claim at work.
struct Taking<'a> {
    claim: &'a Claim,
    passed_by: Option<String>,
    tasks: Vec<Taken>,
    bytes: usize,
    full: bool,
}

/// A task that was taken from ready.
struct Taken {
    queue: QueueName,
    definition: DefinitionId,
    row: LeasedRow,
}

impl Taking<'_> {
    /// Takes at most `room` tasks from one queue.
    fn take(&mut self, session: &Session<'_>, queue: &QueueName, room: usize) -> Result<()> {
        if session.statements.finds(Sql::QueuePaused, [queue.as_str()])? {
            return Ok(());
        }
        let enough = self.tasks.len() + room;
        // What was dropped made no task, so there may be more behind it.
        while self.take_head(session, queue, enough - self.tasks.len())? > 0
            && self.tasks.len() < enough
            && !self.full
        {}
        Ok(())
    }

    /// Takes the head of the queue; answers how many rows were dropped, because somebody has deleted
    /// their definition by hand. The sweep finds their tasks.
    fn take_head(
        &mut self,
        session: &Session<'_>,
        queue: &QueueName,
        room: usize,
    ) -> Result<usize> {
        let limit = i64::try_from(room).unwrap_or(i64::MAX);
        let passed_by = self.passed_by.take();
        let mut keys = Vec::new();
        let before = self.tasks.len();
        session.definitions(|known| {
            let read = |row: &rusqlite::Row<'_>| {
                let row = LeasedRow::read(row)?;
                let key = Key { priority: row.priority, run_at: row.run_at, task: row.seq };
                let Some(definition) = known.find(row.definition) else {
                    keys.push(key);
                    return Ok(ControlFlow::Continue(()));
                };
                let bytes = self.bytes.saturating_add(row.parameters.len());
                if bytes > self.claim.bytes_max && !self.tasks.is_empty() {
                    self.full = true;
                    return Ok(ControlFlow::Break(()));
                }
                self.bytes = bytes;
                keys.push(key);
                self.tasks.push(Taken { queue: queue.clone(), definition, row });
                Ok(ControlFlow::Continue(()))
            };
            let statements = &session.statements;
            match &passed_by {
                None => statements.each(Sql::ClaimReady, (queue.as_str(), limit), read),
                Some(list) => {
                    statements.each(Sql::ClaimReadyExcept, (queue.as_str(), limit, list), read)
                }
            }
        })?;
        self.passed_by = passed_by;
        remove(session, queue, &keys, self.passed_by.is_none())?;
        let dropped = keys.len() - (self.tasks.len() - before);
        if dropped > 0 {
            tracing::error!(%queue, dropped, "ready tasks whose definition is gone are out of its way");
        }
        Ok(dropped)
    }
}

/// Where a row stands in its queue.
#[derive(Clone, Copy)]
struct Key {
    priority: i64,
    run_at: i64,
    task: i64,
}

/// Whoever deletes the row has the task. Rows among them that have no task, because somebody has
/// deleted its record or parameters by hand, go with them.
fn remove(session: &Session<'_>, queue: &QueueName, keys: &[Key], whole_head: bool) -> Result<()> {
    let row = |key: &Key| (queue.as_str().to_owned(), key.priority, key.run_at, key.task);
    let removed = match keys.last() {
        None => 0,
        Some(last) if whole_head => session.execute(Sql::ClaimDelete, row(last))?,
        Some(_) => {
            let mut removed = 0;
            for key in keys {
                removed += session.execute(Sql::ReadyDelete, row(key))?;
            }
            removed
        }
    };
    match removed.checked_sub(keys.len()) {
        Some(0) => Ok(()),
        Some(dropped) => {
            tracing::error!(%queue, dropped, "ready rows without a task are out of its way");
            Ok(())
        }
        None => Err(Error::backend(format!(
            "queue {queue}: {} tasks to claim, {removed} rows removed",
            keys.len()
        ))),
    }
}

fn lease_them(
    session: &Session<'_>,
    claim: &Claim,
    taken: Vec<Taken>,
    now: i64,
) -> Result<Vec<LeasedTask>> {
    let mut tasks = Vec::with_capacity(taken.len());
    let mut pairs = Vec::with_capacity(taken.len());
    for Taken { queue, definition, row } in taken {
        let seq = row.seq;
        pairs.push((seq, row.turn));
        let task = row.into_task(claim.lease, definition, queue, now)?;
        session.remember(task.lease, seq);
        tasks.push(task);
    }
    let lease = NewLease {
        id: claim.lease,
        owner: claim.runner.to_string(),
        length: micros(claim.lease_for),
        claimed_at: now,
        alone: false,
        taken_from: None,
    };
    lease.store(session, &pairs, now)?;
    Ok(tasks)
}

/// What is leased under this id, in claim order.
pub(crate) fn recall(session: &Session<'_>, lease: LeaseId, now: i64) -> Result<Vec<LeasedTask>> {
    super::lease::held_under(session, lease, now)
}
