//! Tasks on their way to a runner.

use std::{collections::HashMap, time::Duration};

use serde_json::value::RawValue;
use taskstore_core::{
    DefinitionId, DefinitionStatus, Error, LeaseId, Result,
    backend::{Claim, Claimed, Known, Lease, LeasedTask, Promoted, QueueShare, StartBy},
    clock,
};

use crate::{
    definition::DefinitionRow,
    error::unreadable,
    record::{LeaseRow, Record, State},
    tx::Tx,
};

pub fn claim(tx: &mut Tx<'_>, claim: &Claim, now: i64) -> Result<Claimed> {
    unused(tx, claim.lease)?;
    let mut taken = Taken { room: claim.at_most as usize, bytes: 0, ..Taken::default() };
    for share in &claim.queues {
        take_from(tx, claim, share, &mut taken)?;
        for number in taken.new.drain(..) {
            let Some(was) = tx.record(number)? else { continue };
            let position = u32::try_from(taken.tasks.len()).unwrap_or(u32::MAX);
            let lease = Some((claim.lease, position));
            let is = Record { state: State::Leased, lease, ..was.clone() };
            tx.put(&was, &is)?;
            taken.tasks.extend(leased(tx, &is, now)?);
        }
        if taken.is_full {
            break;
        }
    }
    if !taken.tasks.is_empty() {
        let row = LeaseRow {
            runner: claim.runner,
            lease_for: micros(claim.lease_for),
            claimed_at: now,
            alone: false,
            made_of: None,
            from: None,
        };
        tx.lease.insert_json(claim.lease.into(), &row)?;
    }
    let is_short = taken.tasks.len() < claim.at_most as usize;
    Ok(Claimed {
        due_in: if is_short { due_in(tx, now)? } else { None },
        tasks: taken.tasks,
        at: Some(clock::from_micros(now)),
    })
}

#[derive(Default)]
struct Taken {
    tasks: Vec<LeasedTask>,
    /// Numbers of tasks that were found and are not leased yet.
    new: Vec<i64>,
    room: usize,
    bytes: usize,
    /// The next one would be too large.
    is_full: bool,
    /// Which definitions give their tasks.
    gives: HashMap<u128, bool>,
}

/// Finds what this queue gives.
fn take_from(tx: &Tx<'_>, claim: &Claim, share: &QueueShare, taken: &mut Taken) -> Result<()> {
    let queue = share.queue.as_str();
    if tx.queue.get(queue, |paused| paused)?.unwrap_or(false) {
        return Ok(());
    }
    let mut room = taken.room.min(share.at_most as usize);
    let mut failed = None;
    tx.ready.walk(all_of(queue), |(_, priority, run_at, number), definition| {
        if room == 0 || taken.is_full {
            return None;
        }
        let mut look = || -> Result<bool> {
            let gives = match taken.gives.get(&definition) {
                Some(gives) => *gives,
                None => gives(tx, claim, definition)?,
            };
            taken.gives.insert(definition, gives);
            // What is there by mistake is passed by: a sweep finds it.
            let is_in_place = |record: Record| {
                record.state == State::Ready
                    && (&*record.queue, record.priority, record.run_at) == (queue, priority, run_at)
            };
            if !gives || !tx.record(number)?.is_some_and(is_in_place) {
                return Ok(false);
            }
            let Some(bytes) = tx.parameters.get(number, str::len)? else { return Ok(false) };
            let is_first = taken.tasks.is_empty() && taken.new.is_empty();
            taken.is_full = !is_first && taken.bytes + bytes > claim.bytes_max;
            taken.bytes += bytes;
            Ok(!taken.is_full)
        };
        match look() {
            Ok(true) => {
                taken.new.push(number);
                room -= 1;
                taken.room -= 1;
            }
            Ok(false) => {}
            Err(error) => {
                failed = Some(error);
                return None;
            }
        }
        Some(())
    })?;
    failed.map_or(Ok(()), Err)
}

/// Whether a claim takes tasks of this definition.
fn gives(tx: &Tx<'_>, claim: &Claim, id: u128) -> Result<bool> {
    let is_known = match &claim.known {
        Known::All => true,
        Known::Only(ids) => ids.contains(&DefinitionId::from(id)),
        Known::Except(ids) => !ids.contains(&DefinitionId::from(id)),
    };
    let definition = || tx.definition.get_json::<DefinitionRow>(id);
    Ok(is_known && definition()?.is_some_and(|row| row.status() == DefinitionStatus::Active))
}

/// The keys of all that is ready in a queue.
pub fn all_of(queue: &str) -> std::ops::RangeInclusive<(&str, i16, i64, i64)> {
    (queue, i16::MIN, i64::MIN, i64::MIN)..=(queue, i16::MAX, i64::MAX, i64::MAX)
}

/// A lease id claims once.
pub fn unused(tx: &Tx<'_>, lease: LeaseId) -> Result<()> {
    if tx.lease.has(lease.into())? {
        return Err(Error::already_exists("lease", &lease));
    }
    Ok(())
}

/// What its holder is told of a task. Parameters that are gone are `null`: only a sweep gives such a
/// task to anybody.
pub fn leased(tx: &Tx<'_>, record: &Record, now: i64) -> Result<Option<LeasedTask>> {
    let Some((batch, _)) = record.lease else { return Ok(None) };
    let parameters = tx.parameters.get(record.number, str::to_owned)?;
    let parameters = parameters.unwrap_or_else(|| "null".to_owned());
    let start_by = record.expires_at.filter(|_| record.started_at.is_none());
    Ok(Some(LeasedTask {
        lease: Lease { task: record.id, batch, turn: record.turn },
        definition: record.definition,
        queue: record.queue()?,
        parameters: RawValue::from_string(parameters).map_err(unreadable)?,
        priority: record.priority,
        run_at: clock::from_micros(record.run_at),
        attempts: record.attempts,
        max_attempts: record.max_attempts,
        suspect: record.suspect,
        keyed: record.unique.is_some(),
        start_by: start_by
            .map(|at| StartBy { at: clock::from_micros(at), within: from_until(now, at) }),
        timeout: record.timeout.map(Duration::from_micros),
    }))
}

/// The tasks under a lease, in claim order.
pub fn tasks_under(tx: &Tx<'_>, lease: LeaseId) -> Result<Vec<Record>> {
    let lease = u128::from(lease);
    let numbers = tx.leased.walk((lease, 0)..=(lease, u32::MAX), |_, number| Some(number))?;
    numbers.into_iter().filter_map(|number| tx.record(number).transpose()).collect()
}

pub fn recall(tx: &Tx<'_>, lease: LeaseId, now: i64) -> Result<Vec<LeasedTask>> {
    let tasks = tasks_under(tx, lease)?;
    tasks.iter().filter_map(|record| leased(tx, record, now).transpose()).collect()
}

pub fn promote(tx: &mut Tx<'_>, limit: u32, now: i64) -> Result<Promoted> {
    let due = ..=(now, i64::MAX);
    let rows = tx.later.first(due, limit as usize, |(run_at, number), _| (run_at, number))?;
    let mut moved = 0;
    for (run_at, number) in rows {
        match tx.record(number)? {
            Some(was) if was.state == State::Later && was.run_at == run_at => {
                tx.put(&was, &Record { state: State::Ready, ..was.clone() })?;
                moved += 1;
            }
            // There by mistake.
            _ => drop(tx.later.remove((run_at, number))?),
        }
    }
    Ok(Promoted { moved, due_in: due_in(tx, now)? })
}

/// In how long the next task becomes due.
pub fn due_in(tx: &Tx<'_>, now: i64) -> Result<Option<Duration>> {
    let next = tx.later.first(.., 1, |(run_at, _), _| run_at)?;
    Ok(next.first().map(|&at| from_until(now, at)))
}

pub fn from_until(now: i64, at: i64) -> Duration {
    Duration::from_micros(u64::try_from(at.saturating_sub(now)).unwrap_or(0))
}

pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
