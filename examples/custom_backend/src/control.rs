//! What anyone may ask for, without a lease.

use taskstore_core::{
    Result, TaskId,
    backend::{Control, Move, Outcome},
    clock,
};

use crate::{
    definition::DefinitionRow,
    enqueue::{holder, time_of},
    record::{Record, State},
    settle,
    tx::Tx,
};

pub fn control(tx: &mut Tx<'_>, control: &Control, id: TaskId, now: i64) -> Result<Outcome> {
    let Some(was) = tx.record_of(id)? else { return Ok(Outcome::Missing) };
    let is_missing = match control.to {
        Move::Restore => was.deleted_at.is_none(),
        Move::Purge { .. } => false,
        _ => was.deleted_at.is_some(),
    };
    let status = was.state.status();
    if is_missing {
        return Ok(Outcome::Missing);
    }
    if !control.from.contains(&status) {
        return Ok(Outcome::Refused(status));
    }
    let mut is = Record { updated_at: now, ..was.clone() };
    let is_running = was.state == State::Leased;
    match &control.to {
        Move::Cancel { .. } if is_running => ask(&mut is, now),
        Move::Cancel { reason } => {
            end(&mut is, now);
            tx.error.insert(was.number, reason)?;
        }
        Move::Pause => {
            is.state = State::Paused;
            is.turn += 1;
        }
        Move::Resume => {
            is.state = State::waiting(is.run_at, now);
            is.turn += 1;
        }
        Move::Requeue { parameters } => {
            if let Some(refused) = may_requeue(tx, &was)? {
                return Ok(refused);
            }
            requeue(&mut is, now);
            if let Some(parameters) = parameters {
                tx.parameters.insert(was.number, parameters.get())?;
            }
        }
        Move::Reschedule { when, priority, queue } => {
            is.run_at = when.map_or(is.run_at, |when| time_of(when, now));
            is.priority = priority.unwrap_or(is.priority);
            if let Some(queue) = queue {
                queue.as_str().clone_into(&mut is.queue);
            }
            if is.state != State::Paused {
                // Also where only its priority changes: its time may have come.
                is.state = State::waiting(is.run_at, now);
            }
        }
        Move::Delete => {
            is.deleted_at = Some(now);
            if is_running {
                ask(&mut is, now);
            } else if !status.has_ended() {
                end(&mut is, now);
            }
        }
        Move::Restore => is.deleted_at = None,
        Move::Purge { before } => {
            let before = before.map(clock::to_micros);
            let is_before = |at: Option<i64>| at.is_none_or(|at| before.is_none_or(|to| at < to));
            if !is_before(was.completed_at) || !is_before(was.deleted_at) {
                return Ok(Outcome::Refused(status));
            }
            settle::forget(tx, &was)?;
            return Ok(Outcome::Moved { from: status, to: status });
        }
    }
    tx.put(&was, &is)?;
    match &control.to {
        Move::Cancel { .. } | Move::Delete if is_running => Ok(Outcome::Requested),
        _ => Ok(Outcome::Moved { from: status, to: is.state.status() }),
    }
}

/// Its holder hears of it with its next beat.
fn ask(record: &mut Record, now: i64) {
    record.cancel_requested_at.get_or_insert(now);
}

/// Cancels what waits or is paused.
fn end(record: &mut Record, now: i64) {
    record.state = State::Canceled;
    record.turn += 1;
    record.completed_at = Some(now);
    record.suspect = false;
}

fn requeue(record: &mut Record, now: i64) {
    record.state = State::Ready;
    record.turn += 1;
    record.run_at = now;
    record.attempts = 0;
    record.suspect = false;
    record.progress = None;
    record.expires_at = None;
    record.completed_at = None;
    record.cancel_requested_at = None;
}

/// Why an ended task may not run again, if it may not.
fn may_requeue(tx: &Tx<'_>, record: &Record) -> Result<Option<Outcome>> {
    let definition = tx.definition.get_json::<DefinitionRow>(record.definition.into())?;
    if definition.is_none_or(|definition| definition.is_gone) {
        return Ok(Some(Outcome::Refused(record.state.status())));
    }
    let holder = record.unique.map(|key| holder(tx, &key)).transpose()?.flatten();
    Ok(holder.map(Outcome::KeyHeldBy))
}
